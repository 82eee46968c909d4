//! Trust stores and key stores: `ssl.truststore.*` and `ssl.keystore.*`, from any of the forms that Kafka
//! takes, with its checks of which keys go together (`DefaultSslEngineFactory`).

use super::super::Secret;
use super::{jks, pem};
use crate::error::ConfigError;
use p12_keystore::{KeyStore, KeyStoreEntry, Pkcs12ImportPolicy};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

/// A store larger than this is no key store. The JDK's own trust store has about 200 KiB.
const MAX_LEN: u64 = 16 << 20;

/// Where certificates or keys come from.
#[derive(Debug, Clone)]
pub(crate) struct StoreSettings {
    /// `ssl.truststore` or `ssl.keystore`.
    pub(super) prefix: &'static str,
    pub(super) kind: String,
    pub(super) location: Option<String>,
    pub(super) password: Option<Secret>,
    /// `ssl.truststore.certificates` or `ssl.keystore.certificate.chain`.
    pub(super) certificates: Option<Secret>,
    /// `ssl.keystore.key`.
    pub(super) key: Option<Secret>,
    /// `ssl.key.password`.
    pub(super) key_password: Option<Secret>,
}

/// A private key and its certificates, its own first.
pub(super) struct Identity {
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) key: PrivateKeyDer<'static>,
}

fn wrong(text: impl Into<String>) -> ConfigError {
    ConfigError::Invalid(text.into())
}

impl StoreSettings {
    fn is_pem(&self) -> bool {
        self.kind.eq_ignore_ascii_case("PEM")
    }

    /// Trusted certificates; `None` if no trust store is set.
    pub(super) fn trusted(&self) -> Result<Option<Vec<CertificateDer<'static>>>, ConfigError> {
        if let Some(text) = &self.certificates {
            self.check_inline("ssl.truststore.certificates")?;
            let certificates = pem::certificates(text.expose());
            return certificates.map(Some).map_err(|e| wrong(format!("ssl.truststore.certificates: {e}")));
        }
        let Some(path) = self.path()? else { return Ok(None) };
        if self.is_pem() {
            let read = pem::certificates(&self.text(path)?);
            return read.map(Some).map_err(|reason| self.unusable(path, reason));
        }
        let found = trusted_of(&self.bytes(path)?, self.password.as_ref())
            .map_err(|reason| self.unusable(path, reason))?;
        if found.is_empty() {
            let reason = "it has no trusted certificates: import the CA's by keytool -importcert (openssl marks \
                          none as trusted for Java), or use ssl.truststore.type=PEM";
            return Err(self.unusable(path, reason.to_owned()));
        }
        Ok(Some(found))
    }

    /// The client's own key; `None` if no key store is set.
    pub(super) fn identity(&self) -> Result<Option<Identity>, ConfigError> {
        match (&self.key, &self.certificates) {
            (Some(key), Some(chain)) => {
                self.check_inline("ssl.keystore.key")?;
                let chain = pem::certificates(chain.expose())
                    .map_err(|e| wrong(format!("ssl.keystore.certificate.chain: {e}")))?;
                let key = pem::private_key(key.expose(), self.key_password.as_ref())
                    .map_err(|e| wrong(format!("ssl.keystore.key: {e}")))?;
                return Ok(Some(Identity { chain, key }));
            }
            (Some(_), None) => {
                return Err(wrong(
                    "SSL private key is specified, but certificate chain is not specified: ssl.keystore.key \
                     needs ssl.keystore.certificate.chain",
                ));
            }
            (None, Some(_)) => {
                return Err(wrong(
                    "SSL certificate chain is specified, but private key is not specified: \
                     ssl.keystore.certificate.chain needs ssl.keystore.key",
                ));
            }
            (None, None) => {}
        }
        let Some(path) = self.path()? else { return Ok(None) };
        let identity = if self.is_pem() {
            let text = self.text(path)?;
            pem::private_key(&text, self.key_password.as_ref())
                .and_then(|key| Ok(Identity { chain: pem::certificates(&text)?, key }))
        } else {
            let Some(password) = &self.password else {
                return Err(wrong(
                    "SSL key store is specified, but key store password is not specified: \
                     ssl.keystore.location needs ssl.keystore.password",
                ));
            };
            let key_password = self.key_password.as_ref().unwrap_or(password);
            identity_of(&self.bytes(path)?, password, key_password)
        };
        identity.map(Some).map_err(|reason| self.unusable(path, reason))
    }

    /// What Kafka demands of values that hold PEM themselves.
    fn check_inline(&self, key: &str) -> Result<(), ConfigError> {
        let prefix = self.prefix;
        if !self.is_pem() {
            return Err(wrong(format!(
                "{key} can be specified only for PEM, but {prefix}.type is {}",
                self.kind
            )));
        }
        if self.location.is_some() {
            return Err(wrong(format!("Both {prefix}.location and {key} are specified")));
        }
        self.check_no_password()
    }

    fn check_no_password(&self) -> Result<(), ConfigError> {
        match &self.password {
            None => Ok(()),
            Some(_) => Err(wrong(format!(
                "{}.password cannot be specified with PEM format, only ssl.key.password may be specified",
                self.prefix
            ))),
        }
    }

    fn path(&self) -> Result<Option<&str>, ConfigError> {
        let prefix = self.prefix;
        match &self.location {
            Some(path) if self.is_pem() => self.check_no_password().map(|()| Some(path.as_str())),
            Some(path) if ["JKS", "PKCS12"].iter().any(|k| self.kind.eq_ignore_ascii_case(k)) => {
                Ok(Some(path))
            }
            Some(_) => Err(ConfigError::InvalidValue {
                key: format!("{prefix}.type"),
                value: self.kind.clone(),
                reason: "supported are JKS, PKCS12 and PEM".to_owned(),
            }),
            None if self.password.is_some() => {
                Err(wrong(format!("{prefix}.password is specified, but {prefix}.location is not")))
            }
            None => Ok(None),
        }
    }

    fn unusable(&self, path: &str, reason: String) -> ConfigError {
        ConfigError::File {
            key: format!("{}.location", self.prefix),
            path: path.to_owned(),
            reason: format!("as a store of type {}, {reason}", self.kind),
        }
    }

    fn bytes(&self, path: &str) -> Result<Vec<u8>, ConfigError> {
        let read = || -> std::io::Result<Vec<u8>> {
            if std::fs::metadata(path)?.len() > MAX_LEN {
                return Err(std::io::Error::other(format!("it is larger than {} MiB", MAX_LEN >> 20)));
            }
            std::fs::read(path)
        };
        read().map_err(|error| ConfigError::File {
            key: format!("{}.location", self.prefix),
            path: path.to_owned(),
            reason: error.to_string(),
        })
    }

    fn text(&self, path: &str) -> Result<String, ConfigError> {
        // A store of another type is no UTF-8, but has no PEM entries either, which is what is said then.
        Ok(String::from_utf8_lossy(&self.bytes(path)?).into_owned())
    }
}

/// What a store is, by its first bytes. As in Java, JKS and PKCS12 are not told apart by the type that is
/// set (`keystore.type.compat`).
enum Format {
    Jks,
    Pkcs12,
}

fn format_of(store: &[u8]) -> Result<Format, String> {
    let refused = |what: &str| Err(format!("{what}; set the type to what it is: JKS, PKCS12 or PEM"));
    if store.starts_with(&jks::MAGIC) {
        Ok(Format::Jks)
    } else if store.starts_with(&jks::JCEKS_MAGIC) {
        Err("it is a JCEKS store: convert it by keytool -importkeystore -deststoretype PKCS12".to_owned())
    } else if store.first() == Some(&0x30) {
        Ok(Format::Pkcs12)
    } else if store.windows(10).any(|bytes| bytes == b"-----BEGIN") {
        refused("it holds PEM entries")
    } else {
        refused("it is neither JKS nor PKCS12, or damaged")
    }
}

fn trusted_of(store: &[u8], password: Option<&Secret>) -> Result<Vec<CertificateDer<'static>>, String> {
    match format_of(store)? {
        Format::Jks => {
            let entries = jks::parse(store, password.map(Secret::expose))?;
            let certificate = |entry| match entry {
                jks::Entry::Trusted(der) => Some(CertificateDer::from(der)),
                jks::Entry::Key { .. } => None,
            };
            Ok(entries.into_iter().filter_map(certificate).collect())
        }
        Format::Pkcs12 => {
            let store = open_pkcs12(store, password)?;
            let certificate = |entry: &KeyStoreEntry| match entry {
                KeyStoreEntry::Certificate(c) => Some(CertificateDer::from(c.as_der().to_vec())),
                _ => None,
            };
            Ok(store.entries().filter_map(|(_, entry)| certificate(entry)).collect())
        }
    }
}

fn identity_of(store: &[u8], password: &Secret, key_password: &Secret) -> Result<Identity, String> {
    let none = || "it has no private key with a certificate".to_owned();
    match format_of(store)? {
        Format::Jks => {
            let entries = jks::parse(store, Some(password.expose()))?;
            let key = |entry| match entry {
                jks::Entry::Key { protected, chain } => Some((protected, chain)),
                jks::Entry::Trusted(_) => None,
            };
            let (protected, chain) = entries.into_iter().find_map(key).ok_or_else(none)?;
            let key = jks::unprotect(&protected, key_password.expose())?;
            Ok(Identity {
                chain: chain.into_iter().map(CertificateDer::from).collect(),
                key: PrivatePkcs8KeyDer::from(key).into(),
            })
        }
        Format::Pkcs12 => {
            // keytool gives keys the password of their store; others are not read.
            let store = open_pkcs12(store, Some(password))?;
            let (_, chain) = store.private_key_chain().ok_or_else(none)?;
            let certificates = chain.certs().iter().map(|c| CertificateDer::from(c.as_der().to_vec()));
            Ok(Identity {
                chain: certificates.collect(),
                key: PrivatePkcs8KeyDer::from(chain.key().as_der().to_vec()).into(),
            })
        }
    }
}

fn open_pkcs12(store: &[u8], password: Option<&Secret>) -> Result<KeyStore, String> {
    let text = password.map_or("", Secret::expose);
    KeyStore::from_pkcs12(store, text, Pkcs12ImportPolicy::Strict).map_err(|error| match password {
        None => format!("it cannot be read without its password: {error}"),
        Some(_) => format!("the password is wrong, or the key store is damaged: {error}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn path(file: &str) -> String {
        format!("{}/tests/fixtures/security/{file}", env!("CARGO_MANIFEST_DIR"))
    }

    fn store(prefix: &'static str, kind: &str, file: &str, password: Option<&str>) -> StoreSettings {
        StoreSettings {
            prefix,
            kind: kind.to_owned(),
            location: Some(path(file)),
            password: password.map(Secret::new),
            certificates: None,
            key: None,
            key_password: None,
        }
    }

    fn trusted(kind: &str, file: &str, password: Option<&str>) -> Result<usize, String> {
        let read = store("ssl.truststore", kind, file, password).trusted();
        read.map(|found| found.unwrap().len()).map_err(|e| e.to_string())
    }

    fn identity(kind: &str, file: &str, password: Option<&str>, key: Option<&str>) -> Result<usize, String> {
        let mut settings = store("ssl.keystore", kind, file, password);
        settings.key_password = key.map(Secret::new);
        settings.identity().map(|found| found.unwrap().chain.len()).map_err(|e| e.to_string())
    }

    #[test]
    fn stores_of_keytool_and_openssl_are_read() {
        assert_eq!(trusted("JKS", "trust.jks", Some("storepass")), Ok(1));
        assert_eq!(trusted("JKS", "trust.jks", None), Ok(1), "without its password, unchecked");
        assert_eq!(trusted("pkcs12", "trust.p12", Some("storepass")), Ok(1));
        assert_eq!(trusted("JKS", "trust.p12", Some("storepass")), Ok(1), "as Java does");
        assert_eq!(trusted("PEM", "enc.pem", None), Ok(1));
        assert_eq!(identity("JKS", "client.jks", Some("storepass"), Some("keypassword")), Ok(1));
        assert_eq!(identity("PKCS12", "client.p12", Some("storepass"), None), Ok(1));
        assert_eq!(identity("PEM", "enc.pem", None, Some("keypassword")), Ok(1));
    }

    #[test]
    fn what_is_wrong_with_a_store_is_said_with_path_and_key() {
        let cases = [
            (trusted("JKS", "none.jks", None), "No such file"),
            (trusted("JKS", "trust.jks", Some("no")), "the password is wrong"),
            (trusted("PKCS12", "trust.p12", Some("no")), "the password is wrong"),
            (trusted("PKCS12", "trust.p12", None), "without its password"),
            (trusted("JKS", "client.jks", None), "no trusted certificates"),
            (trusted("PEM", "trust.jks", None), "At least one certificate expected"),
            (trusted("JKS", "enc.pem", None), "it holds PEM entries"),
        ];
        for (result, expected) in cases {
            let error = result.unwrap_err();
            assert!(error.contains(expected) && error.contains("ssl.truststore.location="), "{error}");
            assert!(error.contains("/fixtures/security/"), "{error}");
        }
        let cases = [
            (identity("JKS", "client.jks", Some("storepass"), None), "key's password is wrong"),
            (identity("JKS", "trust.jks", Some("storepass"), None), "no private key"),
            (identity("PEM", "enc.pem", None, Some("no")), "ssl.key.password is wrong"),
            (identity("PEM", "enc.pem", None, None), "ssl.key.password is not set"),
        ];
        for (result, expected) in cases {
            let error = result.unwrap_err();
            assert!(error.contains(expected) && error.contains("ssl.keystore.location="), "{error}");
        }
    }

    #[test]
    fn settings_that_do_not_go_together_are_named() {
        let error = identity("JKS", "client.jks", None, None).unwrap_err();
        assert!(error.contains("ssl.keystore.password"), "{error}");
        assert!(identity("PEM", "enc.pem", Some("x"), None).unwrap_err().contains("ssl.keystore.password"));
        assert!(identity("BCFKS", "client.jks", Some("x"), None).unwrap_err().contains("ssl.keystore.type"));
        let mut settings = store("ssl.keystore", "PEM", "x", None);
        settings.location = None;
        assert!(settings.identity().unwrap().is_none());
        settings.key = Some(Secret::new("x"));
        assert!(settings.identity().err().unwrap().to_string().contains("certificate.chain"));
        settings.certificates = settings.key.take();
        assert!(settings.identity().err().unwrap().to_string().contains("needs ssl.keystore.key"));
        settings.kind = "JKS".to_owned();
        assert!(settings.trusted().err().unwrap().to_string().contains("only for PEM"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn damaged_pkcs12_never_panics(at in 0..678usize, byte in any::<u8>(), cut in any::<bool>()) {
            let mut bytes = std::fs::read(path("trust.p12")).unwrap();
            let at = at.min(bytes.len() - 1);
            if cut { bytes.truncate(at) } else { bytes[at] = byte }
            // Counts of iterations may have become huge: those bytes are left alone.
            let _ = trusted_of(&bytes, None);
        }
    }
}
