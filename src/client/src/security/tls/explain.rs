//! What went wrong in a TLS handshake, and what to do about it.

use rustls::{AlertDescription, CertificateError, Error};
use std::io;

/// What the texts need to know of the settings.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    /// Where trusted certificates come from, for example `ssl.truststore.location=/etc/ca.jks`.
    pub(super) trust: String,
    pub(super) has_identity: bool,
    /// Such as `TLSv1.2, TLSv1.3`.
    pub(super) protocols: String,
}

/// The error of rustls within an error of I/O.
pub(crate) fn tls_error(error: &io::Error) -> Option<&Error> {
    error.get_ref().and_then(|inner| inner.downcast_ref::<Error>())
}

impl Facts {
    /// Why the peer, or we, gave up.
    pub(super) fn explain(&self, error: &Error) -> String {
        match error {
            Error::InvalidCertificate(error) => self.certificate(error),
            Error::AlertReceived(alert) => self.alert(*alert),
            Error::InvalidMessage(_) => "it does not speak TLS; if this is a PLAINTEXT or SASL_PLAINTEXT \
                                         listener, set security.protocol to that"
                .to_owned(),
            Error::PeerIncompatible(what) => self.incompatible(&format!("{what:?}")),
            Error::NoCertificatesPresented => "it has no certificate; set ssl.keystore.* there".to_owned(),
            other => other.to_string(),
        }
    }

    fn incompatible(&self, what: &str) -> String {
        format!(
            "no common protocol or cipher suite ({what}): this client offers {}; check ssl.enabled.protocols \
             and ssl.cipher.suites on both sides",
            self.protocols
        )
    }

    fn certificate(&self, error: &CertificateError) -> String {
        let trust = &self.trust;
        match error {
            CertificateError::UnknownIssuer | CertificateError::BadSignature => format!(
                "its certificate is not signed by a CA that is trusted here ({trust}): add the CA's \
                 certificate to the trust store"
            ),
            CertificateError::Expired => "its certificate has expired: renew it on the broker".to_owned(),
            CertificateError::ExpiredContext { time, not_after } => format!(
                "its certificate expired {} ago: renew it on the broker, or check this host's clock",
                span(time.as_secs().saturating_sub(not_after.as_secs()))
            ),
            CertificateError::NotValidYet => {
                "its certificate is not valid yet: check this host's clock".to_owned()
            }
            CertificateError::NotValidYetContext { time, not_before } => format!(
                "its certificate is valid only in {}: check this host's clock",
                span(not_before.as_secs().saturating_sub(time.as_secs()))
            ),
            CertificateError::NotValidForName => self.name("this host", "other names"),
            CertificateError::NotValidForNameContext { expected, presented } => {
                let presented =
                    if presented.is_empty() { "no name at all".to_owned() } else { presented.join(", ") };
                self.name(&expected.to_str(), &presented)
            }
            CertificateError::Other(other) => format!("its certificate is refused: {}", other.0),
            other => format!("its certificate is refused: {other}"),
        }
    }

    fn name(&self, expected: &str, presented: &str) -> String {
        format!(
            "its certificate is for {presented}, not for {expected}: use one of its names in \
             bootstrap.servers and advertised.listeners, or give the broker a certificate with this name (an \
             empty ssl.endpoint.identification.algorithm turns this check off)"
        )
    }

    fn alert(&self, alert: AlertDescription) -> String {
        use AlertDescription as A;
        match alert {
            A::CertificateRequired | A::BadCertificate | A::HandshakeFailure if !self.has_identity => {
                format!(
                    "the broker refused the handshake ({alert:?}): it may demand a certificate of the client \
                 (ssl.client.auth=required there), so set ssl.keystore.*; else there may be no common cipher \
                 suite"
                )
            }
            A::BadCertificate
            | A::CertificateExpired
            | A::CertificateRequired
            | A::CertificateRevoked
            | A::CertificateUnknown
            | A::UnknownCA
            | A::UnsupportedCertificate
            | A::AccessDenied => format!(
                "the broker refused the client's certificate ({alert:?}): check that the one in ssl.keystore.* \
                 has not expired, and that its CA is in the broker's trust store"
            ),
            A::HandshakeFailure | A::ProtocolVersion | A::InsufficientSecurity => {
                self.incompatible(&format!("{alert:?}"))
            }
            other => format!("the broker ended the TLS session ({other:?}); its log says why"),
        }
    }
}

/// Seconds, in the largest unit that fits.
fn span(seconds: u64) -> String {
    let (count, unit) = match seconds {
        s if s >= 86_400 => (s / 86_400, "day"),
        s if s >= 3_600 => (s / 3_600, "hour"),
        s if s >= 60 => (s / 60, "minute"),
        s => (s, "second"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_told_in_the_largest_unit() {
        let texts = [0, 1, 119, 7_200, 86_400 * 3].map(span);
        assert_eq!(texts, ["0 seconds", "1 second", "1 minute", "2 hours", "3 days"]);
    }

    #[test]
    fn an_alert_is_read_by_what_the_client_has() {
        let facts = |has_identity| Facts { trust: "x".to_owned(), has_identity, protocols: "y".to_owned() };
        let alert = Error::AlertReceived(AlertDescription::CertificateRequired);
        assert!(facts(false).explain(&alert).contains("set ssl.keystore.*"));
        assert!(facts(true).explain(&alert).contains("refused the client's certificate"));
    }
}
