//! Tokens without a signature, for tests and development: `OAuthBearerUnsecuredLoginCallbackHandler`.
//!
//! ```text
//! unsecuredLoginStringClaim_sub="alice" unsecuredLoginLifetimeSeconds="600" unsecuredLoginListClaim_scope="|a|b"
//! ```

use super::super::super::Secret;
use super::super::super::jaas::Jaas;
use super::token::ClaimNames;
use crate::error::ConfigError;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

/// Claims by the options of `sasl.jaas.config`.
#[derive(Debug)]
pub(super) struct Unsecured {
    claims: Map<String, Value>,
    lifetime_seconds: i64,
    names: ClaimNames,
}

fn wrong(reason: &str) -> ConfigError {
    ConfigError::Invalid(format!("sasl.jaas.config: {reason}"))
}

impl Unsecured {
    pub(super) fn new(jaas: &Jaas) -> Result<Self, ConfigError> {
        let name = |option, default: &str| {
            let given = jaas.option(option).map(Secret::expose).map(str::trim).filter(|v| !v.is_empty());
            given.unwrap_or(default).to_owned()
        };
        let names = ClaimNames {
            subject: name("unsecuredLoginPrincipalClaimName", "sub"),
            scope: name("unsecuredLoginScopeClaimName", "scope"),
        };
        let mut claims = Map::new();
        for (option, value) in jaas.options() {
            if let Some((name, value)) = claim(option, value.expose())? {
                if ["iat", "exp"].contains(&name) {
                    return Err(wrong(&format!("Cannot explicitly set the '{name}' claim")));
                }
                claims.insert(name.to_owned(), value);
            }
        }
        let principal = claims.get(&names.subject).and_then(Value::as_str).unwrap_or_default();
        if principal.trim().is_empty() {
            return Err(wrong(&format!(
                "an unsecured token needs a principal: set unsecuredLoginStringClaim_{}=\"...\" (for a token \
                 of an identity provider, set sasl.oauthbearer.token.endpoint.url instead)",
                names.subject
            )));
        }
        let lifetime = jaas.option("unsecuredLoginLifetimeSeconds").map_or("3600", Secret::expose);
        let lifetime_seconds = lifetime
            .parse()
            .map_err(|_| wrong("unsecuredLoginLifetimeSeconds is not a whole number of seconds"))?;
        Ok(Self { claims, lifetime_seconds, names })
    }

    pub(super) fn claim_names(&self) -> ClaimNames {
        self.names.clone()
    }

    /// A token that is valid from `now` on, in milliseconds since 1970.
    pub(super) fn token(&self, now: i64) -> String {
        let now = now as f64 / 1000.0;
        let mut claims = self.claims.clone();
        claims.insert("exp".to_owned(), Value::from(now + self.lifetime_seconds as f64));
        claims.insert("iat".to_owned(), Value::from(now));
        let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#);
        format!("{header}.{}.", URL_SAFE_NO_PAD.encode(Value::Object(claims).to_string()))
    }
}

fn claim<'a>(option: &'a str, value: &str) -> Result<Option<(&'a str, Value)>, ConfigError> {
    let named = |kind: &str| option.strip_prefix(kind).filter(|name| !name.is_empty());
    if let Some(name) = named("unsecuredLoginStringClaim_") {
        return Ok(Some((name, Value::from(value))));
    }
    if let Some(name) = named("unsecuredLoginNumberClaim_") {
        return match value.trim().parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Some((name, Value::from(number)))),
            _ => Err(wrong(&format!("the claim {name} is not a number"))),
        };
    }
    Ok(named("unsecuredLoginListClaim_").map(|name| (name, Value::from(list(value)))))
}

/// The first character is the delimiter of the rest; empty items become one, at the end.
fn list(value: &str) -> Vec<String> {
    let mut chars = value.chars();
    let Some(delimiter) = chars.next() else { return Vec::new() };
    let text = chars.as_str();
    if text.is_empty() {
        return Vec::new();
    }
    let mut items: Vec<String> = text.split(delimiter).map(str::to_owned).collect();
    let has_empty = items.iter().any(String::is_empty);
    while items.last().is_some_and(String::is_empty) {
        items.pop();
    }
    if has_empty {
        items.push(String::new());
    }
    items
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::security::sasl::oauth::token::Token;

    fn unsecured(options: &str) -> Result<Unsecured, String> {
        let jaas = Jaas::parse(&format!("a.OAuthBearerLoginModule required {options};")).unwrap();
        Unsecured::new(&jaas).map_err(|e| e.to_string())
    }

    #[test]
    fn a_token_has_the_claims_of_the_options() {
        let made = unsecured(
            "unsecuredLoginStringClaim_sub=\"al\\\"ice\" unsecuredLoginNumberClaim_n=\"1.5\" \
             unsecuredLoginListClaim_scope=\"|a|b\" unsecuredLoginLifetimeSeconds=\"10\"",
        )
        .unwrap();
        let text = made.token(2_000_500);
        let token = Token::parse(&text, &made.claim_names()).unwrap();
        assert_eq!((token.issued_at(), token.expires_at()), (Some(2_000_500), 2_010_500));
        let payload = URL_SAFE_NO_PAD.decode(text.split('.').nth(1).unwrap()).unwrap();
        let claims: Value = serde_json::from_slice(&payload).unwrap();
        assert_eq!(claims["sub"], "al\"ice");
        assert_eq!(claims["n"].as_f64(), Some(1.5));
        assert_eq!(claims["scope"], serde_json::json!(["a", "b"]));
    }

    #[test]
    fn options_that_make_no_token_are_refused() {
        assert!(unsecured("").unwrap_err().contains("unsecuredLoginStringClaim_sub"));
        let sub = "unsecuredLoginStringClaim_sub=a";
        let error = |more: &str| unsecured(&format!("{sub} {more}")).unwrap_err();
        assert!(error("unsecuredLoginStringClaim_exp=a").contains("'exp' claim"));
        assert!(error("unsecuredLoginNumberClaim_n=a").contains("not a number"));
        assert!(error("unsecuredLoginLifetimeSeconds=a").contains("LifetimeSeconds"));
    }

    #[test]
    fn lists_are_javas() {
        assert_eq!(list("|a|b"), ["a", "b"]);
        assert_eq!(list("|a||b|"), ["a", "", "b", ""]);
        assert!(list("").is_empty() && list("|").is_empty());
    }
}
