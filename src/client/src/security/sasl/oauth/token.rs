//! What a token (a JWT, RFC 7519) says of itself. Its signature is the broker's business.

use super::super::super::Secret;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

/// Names of the claims that are looked at.
#[derive(Debug, Clone)]
pub(super) struct ClaimNames {
    pub(super) subject: String,
    pub(super) scope: String,
}

/// A token, as it is sent.
#[derive(Debug)]
pub(crate) struct Token {
    value: Secret,
    /// Milliseconds since 1970.
    issued_at: Option<i64>,
    expires_at: i64,
}

impl Token {
    /// Checks what Kafka's `ClientJwtValidator` checks: three parts, a subject and an expiry.
    pub(super) fn parse(text: &str, names: &ClaimNames) -> Result<Self, String> {
        let parts: Vec<&str> = text.split('.').collect();
        let [_, payload, _] = parts.as_slice() else {
            return Err(format!("the token has {} parts, a JWT has three, with dots between", parts.len()));
        };
        let is_token = |b: u8| b.is_ascii_alphanumeric() || b"-_~+/.=".contains(&b);
        if !text.bytes().all(is_token) {
            return Err("the token has characters that no JWT has".to_owned());
        }
        let payload = URL_SAFE_NO_PAD
            .decode(payload.trim_end_matches('='))
            .map_err(|_| "the token's payload is no Base64".to_owned())?;
        let claims: Value = serde_json::from_slice(&payload)
            .map_err(|_| "the token's payload is no JSON object".to_owned())?;
        let subject = claims.get(&names.subject).and_then(Value::as_str).unwrap_or_default();
        if subject.trim().is_empty() {
            return Err(format!("the token has no subject (claim {})", names.subject));
        }
        match claims.get(&names.scope) {
            None | Some(Value::Null | Value::String(_) | Value::Array(_)) => {}
            Some(_) => return Err(format!("the token's claim {} is neither a text nor a list", names.scope)),
        }
        let millis = |name: &str| claims.get(name).and_then(Value::as_f64).map(|s| (s * 1000.0) as i64);
        let Some(expires_at) = millis("exp") else {
            return Err("the token does not say when it expires (claim exp)".to_owned());
        };
        Ok(Self { value: Secret::new(text), issued_at: millis("iat"), expires_at })
    }

    pub(crate) fn value(&self) -> &str {
        self.value.expose()
    }

    /// Milliseconds since 1970.
    pub(super) fn issued_at(&self) -> Option<i64> {
        self.issued_at
    }

    /// Milliseconds since 1970.
    pub(super) fn expires_at(&self) -> i64 {
        self.expires_at
    }

    #[cfg(test)]
    pub(super) fn between(issued_at: i64, expires_at: i64) -> Self {
        Self { value: Secret::new("x"), issued_at: Some(issued_at), expires_at }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(claims: &str) -> Result<Token, String> {
        let names = ClaimNames { subject: "sub".to_owned(), scope: "scope".to_owned() };
        Token::parse(&format!("e30.{}.", URL_SAFE_NO_PAD.encode(claims)), &names)
    }

    #[test]
    fn claims_are_checked() {
        let token = parse(r#"{"sub":"a","iat":1.5,"exp":1e3,"scope":["x"]}"#).unwrap();
        assert_eq!((token.issued_at(), token.expires_at()), (Some(1500), 1_000_000));
        assert!(!format!("{token:?}").contains("e30."));
        for (claims, expected) in [
            ("{}", "no subject"),
            (r#"{"sub":" ","exp":1}"#, "no subject"),
            (r#"{"sub":"a"}"#, "claim exp"),
            (r#"{"sub":"a","exp":1,"scope":1}"#, "claim scope"),
            ("[]", "no subject"),
            ("x", "no JSON"),
        ] {
            let error = parse(claims).unwrap_err();
            assert!(error.contains(expected), "{claims}: {error}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[a-z.=%]{0,20}", claims in "[{}a-z\":0-9,]{0,20}") {
            let names = ClaimNames { subject: "sub".to_owned(), scope: "scope".to_owned() };
            let _ = Token::parse(&text, &names);
            let _ = parse(&claims);
        }
    }
}
