//! Who is at the other end, and who we are: TLS and SASL.
//!
//! # Layout
//!
//! - [`Security`]: how a client's connections are secured, read from `security.protocol`, `ssl.*` and `sasl.*`.
//! - `tls`: stores, trust, the handshake. `sasl`: mechanisms, the exchange, tokens.
//! - `jaas`: `sasl.jaas.config`.
//! - [`scram`]: the messages and keys of SCRAM, without I/O.
//! - [`Secret`]: passwords, keys and tokens, which are not shown.
//!
//! # How data flows
//!
//! ```text
//! config ─▶ Security ─▶ Connection: socket ─▶ TLS handshake ─▶ ApiVersions ─▶ SASL ─▶ requests
//!                                                                ▲ again before the session ends ┘
//! ```
//!
//! # What it must never do
//!
//! Show a secret in an error, a log line or `Debug`; go on with a peer that was not verified.

#[cfg(feature = "unstable-fuzzing")]
pub(crate) mod fuzzing;
mod jaas;
mod sasl;
pub mod scram;
mod secret;
mod tls;

pub(crate) use sasl::{Ready, Sasl, Wire, authenticate, authenticate_version, renew_after};
pub use secret::Secret;
pub use tls::TlsServer;
pub(crate) use tls::{HandshakeError, TlsClient, tls_error};

use crate::error::ConfigError;
use sasl::SaslSettings;
use std::fmt;
use tls::TlsSettings;

/// `security.protocol`: what a listener speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum SecurityProtocol {
    /// Neither encrypted nor authenticated.
    #[default]
    Plaintext,
    /// Authenticated by SASL, not encrypted.
    SaslPlaintext,
    /// Encrypted by TLS, authenticated by SASL.
    SaslSsl,
    /// Encrypted by TLS, and authenticated by the client's certificate if there is one.
    Ssl,
}

impl SecurityProtocol {
    const ALL: [Self; 4] = [Self::Plaintext, Self::SaslPlaintext, Self::SaslSsl, Self::Ssl];

    /// The name in Kafka's configurations.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plaintext => "PLAINTEXT",
            Self::SaslPlaintext => "SASL_PLAINTEXT",
            Self::SaslSsl => "SASL_SSL",
            Self::Ssl => "SSL",
        }
    }
}

impl fmt::Display for SecurityProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How the connections of a client are secured. Cheap to clone; clones share TLS sessions and tokens.
/// The default is a plain connection.
#[derive(Debug, Clone, Default)]
pub struct Security {
    protocol: SecurityProtocol,
    pub(crate) tls: Option<TlsClient>,
    pub(crate) sasl: Option<Sasl>,
}

impl Security {
    /// The protocol.
    pub fn protocol(&self) -> SecurityProtocol {
        self.protocol
    }

    /// Reads the settings out of anything that knows values by key. Only what the protocol needs is
    /// checked, as in Java; stores are read from their files.
    pub(crate) fn read<'a>(get: impl Fn(&'static str) -> Option<&'a str>) -> Result<Self, ConfigError> {
        use SecurityProtocol::{SaslPlaintext, SaslSsl, Ssl};
        let name = get("security.protocol").unwrap_or_default();
        let protocol = SecurityProtocol::ALL
            .into_iter()
            .find(|p| p.name().eq_ignore_ascii_case(name))
            .unwrap_or_default();
        let tls = match protocol {
            SaslSsl | Ssl => Some(TlsSettings::read(&get).load()?),
            _ => None,
        };
        let sasl = match protocol {
            SaslSsl | SaslPlaintext => Some(SaslSettings::read(&get).load()?),
            _ => None,
        };
        Ok(Self { protocol, tls, sasl })
    }
}
