//! The server's side of TLS, for listeners of a program that uses this client: the same keys `ssl.*`, stores and
//! checks as for connections to brokers, and `ssl.client.auth`.

use super::{TlsSettings, name_of};
use crate::config::invalid;
use crate::error::ConfigError;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{RootCertStore, ServerConfig};
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// Accepts TLS connections. Cheap to clone.
#[derive(Clone)]
pub struct TlsServer {
    config: Arc<ServerConfig>,
    protocols: String,
}

impl fmt::Debug for TlsServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsServer").field("protocols", &self.protocols).finish_non_exhaustive()
    }
}

impl TlsServer {
    /// Reads the stores that the keys `ssl.*` name and checks everything. Blocks on files, briefly.
    ///
    /// # Errors
    /// No key store, one that cannot be read or used, client authentication without trusted certificates, a
    /// protocol or cipher suite that does not exist.
    pub fn load(settings: &BTreeMap<String, String>) -> Result<Self, ConfigError> {
        let settings_of = |key: &'static str| settings.get(key).map(String::as_str);
        let tls = TlsSettings::read(settings_of);
        tls.check_engine_factory()?;
        let versions = tls.versions()?;
        let names = versions.iter().map(|v| name_of(v)).collect::<Vec<_>>().join(", ");
        let provider = Arc::new(tls.provider(&versions)?);
        let Some(identity) = tls.keystore.identity()? else {
            let text = "a TLS server needs a key and a certificate: set ssl.keystore.location, or \
                        ssl.keystore.key and ssl.keystore.certificate.chain with ssl.keystore.type=PEM";
            return Err(ConfigError::Invalid(text.to_owned()));
        };
        let verifier = match settings_of("ssl.client.auth").map_or("none", str::trim) {
            "none" => WebPkiClientVerifier::no_client_auth(),
            "requested" => tls.client_verifier(&provider, true)?,
            "required" => tls.client_verifier(&provider, false)?,
            other => {
                return Err(invalid("ssl.client.auth", other, "supported are required, requested and none"));
            }
        };
        let config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&versions)
            .map_err(|error| {
                let text = format!("ssl.cipher.suites has none for {names} (ssl.enabled.protocols): {error}");
                ConfigError::Invalid(text)
            })?
            .with_client_cert_verifier(verifier)
            .with_single_cert(identity.chain, identity.key)
            .map_err(|error| {
                let text = format!("the key of ssl.keystore.* cannot be used with its certificate: {error}");
                ConfigError::Invalid(text)
            })?;
        Ok(Self { config: Arc::new(config), protocols: names })
    }

    /// The handshake with a client. Sets no time limit.
    ///
    /// # Errors
    /// A client that hangs up, speaks something else, or has no certificate where one is required.
    pub async fn accept(&self, socket: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        TlsAcceptor::from(Arc::clone(&self.config)).accept(socket).await
    }
}

impl TlsSettings {
    fn client_verifier(
        &self,
        provider: &Arc<rustls::crypto::CryptoProvider>,
        may_be_absent: bool,
    ) -> Result<Arc<dyn ClientCertVerifier>, ConfigError> {
        let (trusted, trust) = self.trusted()?;
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(trusted);
        let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
        let builder = if may_be_absent { builder.allow_unauthenticated() } else { builder };
        builder.build().map_err(|error| ConfigError::Invalid(format!("{trust}: {error}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(pairs: &[(&str, &str)]) -> Result<TlsServer, String> {
        let map = pairs.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
        TlsServer::load(&map).map_err(|error| error.to_string())
    }

    #[test]
    fn it_needs_a_key_store() {
        assert!(load(&[]).unwrap_err().contains("ssl.keystore.location"));
        let missing = load(&[("ssl.keystore.location", "/no/such.jks"), ("ssl.keystore.password", "geheim")]);
        let missing = missing.unwrap_err();
        assert!(missing.contains("/no/such.jks") && !missing.contains("geheim"), "{missing}");
    }

    #[test]
    fn client_authentication_is_one_of_three() {
        let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let (key, chain) = (certified.signing_key.serialize_pem(), certified.cert.pem());
        let base = [
            ("ssl.keystore.type", "PEM"),
            ("ssl.keystore.key", &*key),
            ("ssl.keystore.certificate.chain", &*chain),
            ("ssl.truststore.type", "PEM"),
            ("ssl.truststore.certificates", &*chain),
        ];
        for auth in ["none", "requested", "required"] {
            load(&[&base[..], &[("ssl.client.auth", auth)]].concat()).unwrap();
        }
        let error = load(&[&base[..], &[("ssl.client.auth", "maybe")]].concat()).unwrap_err();
        assert!(error.contains("ssl.client.auth"), "{error}");
    }
}
