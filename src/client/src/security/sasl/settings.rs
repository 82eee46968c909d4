//! The keys `sasl.*` of `SaslConfigs`.

use super::oauth::{OAuthSettings, TokenSource};
use super::{Credentials, SUPPORTED, Sasl};
use crate::config::invalid;
use crate::error::ConfigError;
use crate::security::Secret;
use crate::security::jaas::Jaas;
use crate::security::scram::Mechanism;
use std::sync::Arc;

/// What is set; not acted upon yet, since a client without SASL may have it all the same.
#[derive(Debug, Clone)]
pub(crate) struct SaslSettings {
    mechanism: String,
    jaas: Option<Secret>,
    client_callback_handler: Option<String>,
    login_callback_handler: Option<String>,
    login_class: Option<String>,
    oauth: OAuthSettings,
}

impl SaslSettings {
    /// Reads the settings out of anything that knows values by key.
    pub(crate) fn read<'a>(get: impl Fn(&'static str) -> Option<&'a str>) -> Self {
        let class = |key| get(key).filter(|class| !class.is_empty()).map(str::to_owned);
        Self {
            mechanism: get("sasl.mechanism").unwrap_or("GSSAPI").to_owned(),
            jaas: get("sasl.jaas.config").map(Secret::new),
            client_callback_handler: class("sasl.client.callback.handler.class"),
            login_callback_handler: class("sasl.login.callback.handler.class"),
            login_class: class("sasl.login.class"),
            oauth: OAuthSettings::read(&get),
        }
    }

    /// Checks everything.
    pub(crate) fn load(&self) -> Result<Sasl, ConfigError> {
        for (key, class) in [
            ("sasl.client.callback.handler.class", &self.client_callback_handler),
            ("sasl.login.class", &self.login_class),
        ] {
            if let Some(class) = class {
                return Err(invalid(key, class, "a Java class cannot be used here; leave it out"));
            }
        }
        let credentials = match self.mechanism.as_str() {
            "PLAIN" => {
                let (username, password) = self.name_and_password()?;
                Credentials::Plain { username, password }
            }
            "OAUTHBEARER" => {
                let handler = self.login_callback_handler.as_deref();
                Credentials::OAuth(Box::new(TokenSource::new(&self.oauth, handler, &self.jaas()?)?))
            }
            "GSSAPI" => {
                let reason = format!(
                    "Kerberos (the default of sasl.mechanism) is not supported; supported are {SUPPORTED}"
                );
                return Err(invalid("sasl.mechanism", "GSSAPI", &reason));
            }
            name => {
                let Some(mechanism) = Mechanism::from_name(name) else {
                    return Err(invalid("sasl.mechanism", name, &format!("supported are {SUPPORTED}")));
                };
                let (username, password) = self.name_and_password()?;
                let jaas = self.jaas()?;
                let token_auth = jaas.option("tokenauth");
                let token_auth = token_auth.is_some_and(|v| v.expose().eq_ignore_ascii_case("true"));
                Credentials::Scram { mechanism, username, password, token_auth }
            }
        };
        Ok(Sasl { credentials: Arc::new(credentials) })
    }

    fn jaas(&self) -> Result<Jaas, ConfigError> {
        match &self.jaas {
            Some(text) => Jaas::parse(text.expose()),
            None => Err(ConfigError::Invalid(format!(
                "sasl.jaas.config is needed for sasl.mechanism={} (a JAAS file of a JVM is not read), for \
                 example: {}",
                self.mechanism,
                example(&self.mechanism)
            ))),
        }
    }

    fn name_and_password(&self) -> Result<(Secret, Secret), ConfigError> {
        if let Some(class) = &self.login_callback_handler {
            let reason = "a Java class cannot be used here; put username and password into sasl.jaas.config";
            return Err(invalid("sasl.login.callback.handler.class", class, reason));
        }
        let jaas = self.jaas()?;
        let option = |name: &str| match jaas.option(name) {
            Some(value) if !value.expose().is_empty() => Ok(value.clone()),
            _ => Err(ConfigError::Invalid(format!(
                "sasl.jaas.config ({}) has no {name}, which sasl.mechanism={} needs: {}",
                jaas.module,
                self.mechanism,
                example(&self.mechanism)
            ))),
        };
        Ok((option("username")?, option("password")?))
    }
}

fn example(mechanism: &str) -> String {
    const PACKAGE: &str = "org.apache.kafka.common.security.";
    match mechanism {
        "OAUTHBEARER" => format!(
            "{PACKAGE}oauthbearer.OAuthBearerLoginModule required clientId=\"...\" clientSecret=\"...\";"
        ),
        "PLAIN" => {
            format!("{PACKAGE}plain.PlainLoginModule required username=\"...\" password=\"...\";")
        }
        _ => format!("{PACKAGE}scram.ScramLoginModule required username=\"...\" password=\"...\";"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(pairs: &[(&str, &str)]) -> Result<Sasl, String> {
        let find = |key: &'static str| pairs.iter().find(|(k, _)| *k == key).map(|(_, v)| *v);
        SaslSettings::read(find).load().map_err(|e| e.to_string())
    }

    const JAAS: (&str, &str) =
        ("sasl.jaas.config", "a.ScramLoginModule required username=u password=hunter2;");

    #[test]
    fn mechanisms_are_known_or_refused_with_those_that_are() {
        for name in ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] {
            let sasl = load(&[("sasl.mechanism", name), JAAS]).unwrap();
            assert_eq!(sasl.mechanism(), name);
            assert!(!format!("{sasl:?}").contains("hunter2"));
        }
        for pairs in [&[JAAS][..], &[("sasl.mechanism", "GSSAPI")], &[("sasl.mechanism", "plain"), JAAS]] {
            let error = load(pairs).unwrap_err();
            assert!(error.contains("sasl.mechanism") && error.contains(SUPPORTED), "{error}");
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        let plain = ("sasl.mechanism", "PLAIN");
        assert!(load(&[plain]).unwrap_err().contains("sasl.jaas.config is needed"));
        let error = load(&[plain, ("sasl.jaas.config", "a.B required username=u;")]).unwrap_err();
        assert!(error.contains("(a.B) has no password"), "{error}");
        let error = load(&[plain, JAAS, ("sasl.login.class", "a.B")]).unwrap_err();
        assert!(error.contains("sasl.login.class"), "{error}");
        let error = load(&[plain, JAAS, ("sasl.login.callback.handler.class", "a.B")]).unwrap_err();
        assert!(error.contains("sasl.login.callback.handler.class"), "{error}");
    }
}
