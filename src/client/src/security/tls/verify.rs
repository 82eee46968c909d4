//! Whether a broker's certificate is to be trusted, as Java decides it.
//!
//! The chain is checked by rustls. Three habits of Java's are added, since stores made for it rely on
//! them: a certificate that is itself in the trust store is trusted (self-signed brokers), the host name
//! may be in the subject's common name if the certificate has no alternative DNS names, and the check of
//! the name may be off (`ssl.endpoint.identification.algorithm` empty).

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, OtherError, SignatureScheme};
use std::collections::HashSet;
use std::sync::Arc;
use thiserror::Error as ThisError;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

#[derive(Debug)]
pub(super) struct Verifier {
    pub(super) chain: Arc<WebPkiServerVerifier>,
    /// Certificates of the trust store, byte by byte.
    pub(super) trusted: HashSet<CertificateDer<'static>>,
    pub(super) checks_name: bool,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified =
            self.chain.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        // The name is checked last: an error about it means that the chain is good.
        let name = match verified {
            Ok(verified) => return Ok(verified),
            Err(error) if is_about_name(&error) => Err(error),
            Err(error) => {
                if let Some(old) = OldCertificate::find(end_entity) {
                    return Err(CertificateError::Other(OtherError(Arc::new(old))).into());
                }
                if !self.trusted.contains(end_entity) {
                    return Err(error);
                }
                rustls::client::verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)
            }
        };
        match name {
            Err(error) if self.checks_name && !common_name_matches(end_entity, server_name) => Err(error),
            _ => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chain.supported_verify_schemes()
    }
}

/// Java takes such a broker if the certificate is trusted; rustls does not even check a signature by its key.
#[derive(Debug, ThisError)]
#[error(
    "it is of X.509 version {version}: give the broker one of version 3, with its names as subjectAltName"
)]
struct OldCertificate {
    version: u32,
}

impl OldCertificate {
    fn find(certificate: &CertificateDer<'_>) -> Option<Self> {
        let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
        let version = parsed.version().0.saturating_add(1);
        (version < 3).then_some(Self { version })
    }
}

fn is_about_name(error: &Error) -> bool {
    use CertificateError::{NotValidForName, NotValidForNameContext};
    matches!(error, Error::InvalidCertificate(NotValidForName | NotValidForNameContext { .. }))
}

/// `sun.security.util.HostnameChecker`: the common name counts for DNS names, if there is no alternative
/// one. A `*` stands for the first label.
fn common_name_matches(certificate: &CertificateDer<'_>, server_name: &ServerName<'_>) -> bool {
    let ServerName::DnsName(host) = server_name else { return false };
    let Ok((_, parsed)) = X509Certificate::from_der(certificate) else { return false };
    let alternative = parsed.subject_alternative_name().ok().flatten();
    let is_dns = |name: &GeneralName<'_>| matches!(name, GeneralName::DNSName(_));
    if alternative.is_some_and(|names| names.value.general_names.iter().any(is_dns)) {
        return false;
    }
    // The most specific one is the last in the encoding.
    let Some(name) = parsed.subject().iter_common_name().last().and_then(|cn| cn.as_str().ok()) else {
        return false;
    };
    let host = host.as_ref();
    match (name.strip_prefix("*."), host.split_once('.')) {
        (Some(domain), Some((_, rest))) => domain.contains('.') && domain.eq_ignore_ascii_case(rest),
        _ => name.eq_ignore_ascii_case(host),
    }
}

#[cfg(test)]
mod tests {
    use super::super::explain::Facts;
    use super::*;
    use rustls::RootCertStore;
    use rustls::pki_types::pem::PemObject;

    #[test]
    fn a_certificate_of_version_1_is_refused_with_a_reason() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/security/v1.pem");
        let old = CertificateDer::from_pem_file(path).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(old.clone()).unwrap();
        let provider = Arc::new(super::super::default_provider());
        let chain = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
        let facts = Facts { trust: "x".to_owned(), has_identity: false, protocols: "y".to_owned() };
        let name = ServerName::try_from("127.0.0.1").unwrap();
        for (is_trusted, checks_name) in [(true, true), (true, false), (false, true)] {
            let trusted = is_trusted.then(|| old.clone()).into_iter().collect();
            let verifier = Verifier { chain: chain.clone(), trusted, checks_name };
            let error = verifier.verify_server_cert(&old, &[], &name, &[], UnixTime::now()).unwrap_err();
            let text = facts.explain(&error);
            assert!(text.contains("X.509 version 1") && text.contains("version 3"), "{text}");
        }
    }
}
