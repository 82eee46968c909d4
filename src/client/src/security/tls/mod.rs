//! TLS by rustls: settings, trust, and the handshake.
//!
//! # Layout
//!
//! - [`TlsSettings`]: the keys `ssl.*`; [`TlsClient`]: what they come to.
//! - `store`: trust stores and key stores; `pem`, `jks`: two of their formats (PKCS12 by `p12-keystore`).
//! - [`TlsServer`]: the server's side, for listeners of those who use the client.
//! - `verify`: whether a certificate is to be trusted, as Java decides it.
//! - `explain`: errors as an operator needs them.
//!
//! # What it must never do
//!
//! Touch the process-wide provider of rustls; go on with a peer whose chain was not verified.

mod explain;
#[cfg(feature = "unstable-fuzzing")]
pub(super) mod fuzzing;
mod jks;
mod pem;
mod server;
mod store;
mod verify;

pub(crate) use explain::tls_error;
pub use server::TlsServer;

use super::Secret;
use crate::config::invalid;
use crate::error::ConfigError;
use explain::Facts;
use rustls::client::WebPkiServerVerifier;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use std::fmt;
use std::io;
use std::sync::Arc;
use store::StoreSettings;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use verify::Verifier;

/// The keys `ssl.*` of `SslConfigs`, with its defaults; not acted upon yet.
#[derive(Debug, Clone)]
pub(crate) struct TlsSettings {
    truststore: StoreSettings,
    keystore: StoreSettings,
    endpoint_identification: String,
    protocol: String,
    enabled_protocols: Vec<String>,
    cipher_suites: Vec<String>,
    engine_factory: Option<String>,
}

impl TlsSettings {
    /// Reads the settings out of anything that knows values by key.
    pub(crate) fn read<'a>(get: impl Fn(&'static str) -> Option<&'a str>) -> Self {
        let given = |key| get(key).map(str::to_owned);
        let secret = |key| get(key).map(Secret::new);
        let kind = |key| given(key).unwrap_or_else(|| "JKS".to_owned());
        let list = |key, default| -> Vec<String> {
            let items = get(key).unwrap_or(default).split(',').map(str::trim);
            items.filter(|item| !item.is_empty()).map(str::to_owned).collect()
        };
        let key_password = secret("ssl.key.password");
        Self {
            truststore: StoreSettings {
                prefix: "ssl.truststore",
                kind: kind("ssl.truststore.type"),
                location: given("ssl.truststore.location"),
                password: secret("ssl.truststore.password"),
                certificates: secret("ssl.truststore.certificates"),
                key: None,
                key_password: None,
            },
            keystore: StoreSettings {
                prefix: "ssl.keystore",
                kind: kind("ssl.keystore.type"),
                location: given("ssl.keystore.location"),
                password: secret("ssl.keystore.password"),
                certificates: secret("ssl.keystore.certificate.chain"),
                key: secret("ssl.keystore.key"),
                key_password,
            },
            endpoint_identification: given("ssl.endpoint.identification.algorithm")
                .unwrap_or_else(|| "https".to_owned()),
            protocol: given("ssl.protocol").unwrap_or_else(|| "TLSv1.3".to_owned()),
            enabled_protocols: list("ssl.enabled.protocols", "TLSv1.2,TLSv1.3"),
            cipher_suites: list("ssl.cipher.suites", ""),
            engine_factory: given("ssl.engine.factory.class"),
        }
    }

    /// Reads the stores and checks everything. Blocks on files, briefly.
    pub(crate) fn load(&self) -> Result<TlsClient, ConfigError> {
        self.check_engine_factory()?;
        let checks_name = self.checks_name()?;
        let versions = self.versions()?;
        let provider = Arc::new(self.provider(&versions)?);
        let (trusted, trust) = self.trusted()?;
        let mut roots = RootCertStore::empty();
        let (good, bad) = roots.add_parsable_certificates(trusted.iter().cloned());
        if good == 0 {
            let text = format!("none of the {bad} certificates of {trust} can be read as X.509");
            return Err(ConfigError::Invalid(text));
        }
        let chain = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone())
            .build()
            .map_err(|error| ConfigError::Invalid(format!("{trust}: {error}")))?;
        let verifier = Verifier { chain, trusted: trusted.into_iter().collect(), checks_name };
        let names = versions.iter().map(|v| name_of(v)).collect::<Vec<_>>().join(", ");
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&versions)
            .map_err(|error| {
                let text = format!("ssl.cipher.suites has none for {names} (ssl.enabled.protocols): {error}");
                ConfigError::Invalid(text)
            })?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        let identity = self.keystore.identity()?;
        let has_identity = identity.is_some();
        let config = match identity {
            None => builder.with_no_client_auth(),
            Some(identity) => {
                builder.with_client_auth_cert(identity.chain, identity.key).map_err(|error| {
                    ConfigError::Invalid(format!(
                        "the key of ssl.keystore.* cannot be used with its certificate: {error}"
                    ))
                })?
            }
        };
        Ok(TlsClient { config: Arc::new(config), facts: Facts { trust, has_identity, protocols: names } })
    }

    /// Trusted certificates, and where they come from: the trust store, else the system's.
    fn trusted(&self) -> Result<(Vec<CertificateDer<'static>>, String), ConfigError> {
        if let Some(trusted) = self.truststore.trusted()? {
            let from = match &self.truststore.location {
                Some(path) => format!("ssl.truststore.location={path}"),
                None => "ssl.truststore.certificates".to_owned(),
            };
            return Ok((trusted, from));
        }
        let found = rustls_native_certs::load_native_certs();
        if found.certs.is_empty() {
            let errors: Vec<_> = found.errors.iter().map(ToString::to_string).collect();
            let errors = if errors.is_empty() { String::new() } else { format!(" ({})", errors.join("; ")) };
            return Err(ConfigError::Invalid(format!(
                "this system has no trusted certificates{errors}: set ssl.truststore.location, or install \
                 the package ca-certificates"
            )));
        }
        Ok((found.certs, "the system's certificates, since ssl.truststore.location is not set".to_owned()))
    }

    fn check_engine_factory(&self) -> Result<(), ConfigError> {
        const PACKAGE: &str = "org.apache.kafka.common.security.ssl.";
        match self.engine_factory.as_deref() {
            None | Some("") => Ok(()),
            Some(class)
                if class.strip_prefix(PACKAGE).is_some_and(|c| {
                    ["DefaultSslEngineFactory", "CommonNameLoggingSslEngineFactory"].contains(&c)
                }) =>
            {
                Ok(())
            }
            Some(class) => Err(invalid(
                "ssl.engine.factory.class",
                class,
                "a Java class cannot be used here; leave it out and set ssl.truststore.* and ssl.keystore.*",
            )),
        }
    }

    fn checks_name(&self) -> Result<bool, ConfigError> {
        match self.endpoint_identification.as_str() {
            "" => Ok(false),
            "none" => Err(invalid(
                "ssl.endpoint.identification.algorithm",
                "none",
                "an empty value turns the check off, https is the default",
            )),
            name if name.eq_ignore_ascii_case("https") => Ok(true),
            other => Err(invalid(
                "ssl.endpoint.identification.algorithm",
                other,
                "supported are https and an empty value, which turns the check off",
            )),
        }
    }

    /// Old versions beside usable ones are passed over, since peers would not choose them anyway.
    fn versions(&self) -> Result<Vec<&'static SupportedProtocolVersion>, ConfigError> {
        let all: &[_] = match self.protocol.as_str() {
            "TLSv1.2" => &[&rustls::version::TLS12],
            "TLSv1.3" | "TLS" => &[&rustls::version::TLS13, &rustls::version::TLS12],
            other => {
                return Err(invalid("ssl.protocol", other, "supported are TLSv1.3, TLSv1.2 and TLS"));
            }
        };
        let enabled = &self.enabled_protocols;
        let known = ["SSLv2Hello", "SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"];
        if let Some(unknown) = enabled.iter().find(|name| !known.contains(&name.as_str())) {
            return Err(invalid("ssl.enabled.protocols", unknown, "supported are TLSv1.2 and TLSv1.3"));
        }
        let is_enabled = |v: &&&SupportedProtocolVersion| {
            enabled.is_empty() || enabled.iter().any(|name| name == name_of(v))
        };
        let versions: Vec<_> = all.iter().filter(is_enabled).copied().collect();
        if versions.is_empty() {
            let reason = format!("nothing of it is left for ssl.protocol={}", self.protocol);
            return Err(invalid("ssl.enabled.protocols", &enabled.join(","), &reason));
        }
        Ok(versions)
    }

    fn provider(
        &self,
        versions: &[&'static SupportedProtocolVersion],
    ) -> Result<CryptoProvider, ConfigError> {
        let mut provider = default_provider();
        if self.cipher_suites.is_empty() {
            return Ok(provider);
        }
        let java_name = |suite: &rustls::SupportedCipherSuite| {
            format!("{:?}", suite.suite()).replacen("TLS13_", "TLS_", 1)
        };
        let known: Vec<_> = provider.cipher_suites.iter().map(java_name).collect();
        if let Some(unknown) = self.cipher_suites.iter().find(|name| !known.contains(name)) {
            let reason = format!("supported are {}", known.join(", "));
            return Err(invalid("ssl.cipher.suites", unknown, &reason));
        }
        let wanted = |suite: &rustls::SupportedCipherSuite| self.cipher_suites.contains(&java_name(suite));
        provider.cipher_suites.retain(|suite| wanted(suite) && versions.contains(&suite.version()));
        Ok(provider)
    }
}

#[cfg(not(feature = "aws-lc"))]
fn default_provider() -> CryptoProvider {
    rustls::crypto::ring::default_provider()
}

#[cfg(feature = "aws-lc")]
fn default_provider() -> CryptoProvider {
    rustls::crypto::aws_lc_rs::default_provider()
}

fn name_of(version: &SupportedProtocolVersion) -> &'static str {
    if version.version == rustls::ProtocolVersion::TLSv1_3 { "TLSv1.3" } else { "TLSv1.2" }
}

/// Makes TLS connections. Cheap to clone; sessions are resumed among all clones.
#[derive(Clone)]
pub(crate) struct TlsClient {
    config: Arc<ClientConfig>,
    facts: Facts,
}

impl fmt::Debug for TlsClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsClient").field("facts", &self.facts).finish_non_exhaustive()
    }
}

/// How a handshake failed.
#[derive(Debug)]
pub(crate) enum HandshakeError {
    /// One side refused the other; trying again does not help.
    Refused(String),
    /// The stream ended or broke; trying again may help.
    Io(io::Error),
}

impl TlsClient {
    /// The handshake. `host` is what the certificate must be for, and what is sent as server name.
    pub(crate) async fn handshake(
        &self,
        host: &str,
        socket: TcpStream,
    ) -> Result<TlsStream<TcpStream>, HandshakeError> {
        let name = ServerName::try_from(host.trim_end_matches('.').to_owned()).map_err(|_| {
            HandshakeError::Refused(format!("{host} is no name that a certificate can be for"))
        })?;
        let connector = TlsConnector::from(self.config.clone());
        connector.connect(name, socket).await.map_err(|error| match tls_error(&error) {
            Some(tls) => HandshakeError::Refused(self.facts.explain(tls)),
            None if error.kind() == io::ErrorKind::UnexpectedEof => HandshakeError::Io(io::Error::new(
                error.kind(),
                "the broker hung up during the TLS handshake; if this is a PLAINTEXT or SASL_PLAINTEXT \
                 listener, set security.protocol to that",
            )),
            None => HandshakeError::Io(error),
        })
    }

    /// What a fatal error of an established session means.
    pub(crate) fn explain(&self, error: &rustls::Error) -> String {
        self.facts.explain(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_feature_chooses_the_cryptography() {
        let expected = if cfg!(feature = "aws-lc") { "AwsLcRs" } else { "Ring" };
        assert_eq!(format!("{:?}", default_provider().secure_random), expected);
    }

    fn load(pairs: &[(&str, &str)]) -> Result<TlsClient, ConfigError> {
        let trust = format!("{}/tests/fixtures/security/trust.jks", env!("CARGO_MANIFEST_DIR"));
        let find = |key: &str| pairs.iter().find(|(k, _)| *k == key).map(|(_, v)| *v);
        TlsSettings::read(|key| find(key).or((key == "ssl.truststore.location").then_some(&*trust))).load()
    }

    fn error(pairs: &[(&str, &str)]) -> String {
        load(pairs).unwrap_err().to_string()
    }

    #[test]
    fn protocols_and_suites_are_mapped_or_refused() {
        assert_eq!(load(&[]).unwrap().facts.protocols, "TLSv1.3, TLSv1.2");
        let only = load(&[("ssl.protocol", "TLSv1.2")]).unwrap();
        assert_eq!(only.facts.protocols, "TLSv1.2");
        let old = load(&[("ssl.enabled.protocols", "TLSv1.2,TLSv1.1,TLSv1")]).unwrap();
        assert_eq!(old.facts.protocols, "TLSv1.2");
        assert!(error(&[("ssl.enabled.protocols", "TLSv1.1")]).contains("ssl.enabled.protocols"));
        assert!(error(&[("ssl.enabled.protocols", "tls")]).contains("supported are TLSv1.2"));
        assert!(error(&[("ssl.protocol", "SSLv3")]).contains("ssl.protocol"));
        let suite = "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384";
        load(&[("ssl.cipher.suites", suite), ("ssl.protocol", "TLSv1.2")]).unwrap();
        let none = error(&[("ssl.cipher.suites", suite), ("ssl.enabled.protocols", "TLSv1.3")]);
        assert!(none.contains("ssl.cipher.suites has none for TLSv1.3"), "{none}");
        let unknown = error(&[("ssl.cipher.suites", "TLS_RSA_WITH_NULL_SHA")]);
        assert!(unknown.contains("TLS_AES_128_GCM_SHA256"), "{unknown}");
    }

    #[test]
    fn what_only_java_has_is_refused_with_a_reason() {
        let class = error(&[("ssl.engine.factory.class", "com.example.Mine")]);
        assert!(class.contains("ssl.engine.factory.class") && class.contains("Java class"), "{class}");
        load(&[("ssl.endpoint.identification.algorithm", "")]).unwrap();
        load(&[("ssl.endpoint.identification.algorithm", "HTTPS")]).unwrap();
        assert!(error(&[("ssl.endpoint.identification.algorithm", "none")]).contains("empty value"));
    }
}
