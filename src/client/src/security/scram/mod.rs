//! SCRAM-SHA-256 and SCRAM-SHA-512 (RFC 5802), the client's side.
//!
//! # Layout
//!
//! - [`Mechanism`]: the hash, and what follows from it: keys and signatures.
//! - [`ScramClient`]: the exchange; [`Proof`]: its second half.
//! - [`ServerFirst`], [`ServerFinal`]: what the server says.
//! - [`sasl_name`], [`username`]: names as they go over the wire.
//!
//! # How data flows
//!
//! ```text
//! ScramClient::first ─▶ server ─▶ ServerFirst ─▶ ScramClient::prove ─▶ Proof::message ─▶ server
//!                                                                      Proof::verify  ◀─ ServerFinal
//! ```
//!
//! Pure functions: no I/O, no clock, no randomness of their own. They accept and refuse what Kafka's
//! `ScramSaslClient`, `ScramMessages` and `ScramFormatter` do, in the same words. Like those, they send
//! names and passwords as UTF-8 without SASLprep, use no channel binding, and demand at least 4096
//! iterations. Unlike those, they also bound the iterations from above (see [`MAX_ITERATIONS`]).
//!
//! # What it must never do
//!
//! Take a server's word for it: a session is authenticated only when [`Proof::verify`] has seen the
//! server's signature, which needs the password too. Show the password or a key in `Debug` or an error.

mod message;

pub use message::{ServerFinal, ServerFirst, sasl_name, username};

use super::Secret;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256, Sha512};
use std::fmt;

/// Fewer iterations are refused, as `ScramMechanism.minIterations` has it.
pub const MIN_ITERATIONS: u32 = 4096;
/// More are refused: they would let a false server burn our processor. Kafka's own brokers allow at most
/// 16,384 when a credential is made.
pub const MAX_ITERATIONS: u32 = 1_000_000;

/// Base64 of `n,,`: no channel binding, no authorisation id.
const CHANNEL_BINDING: &str = "biws";
const GS2_HEADER: &str = "n,,";

/// Why an exchange ended. No variant holds a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScramError {
    /// The first message of the server cannot be read.
    #[error("Invalid SCRAM server first message format: {0}")]
    ServerFirst(String),
    /// The last message of the server cannot be read.
    #[error("Invalid SCRAM server final message format: {0}")]
    ServerFinal(String),
    /// A name with a `=` that starts no escape.
    #[error("Invalid username: {0}")]
    Username(String),
    /// An empty password makes no key.
    #[error("Empty key")]
    EmptyPassword,
    /// The server answered to somebody else.
    #[error("Invalid server nonce: does not start with client nonce")]
    Nonce,
    /// The server's credential is too weak.
    #[error("Requested iterations {iterations} is less than the minimum {MIN_ITERATIONS} for {mechanism}")]
    TooFewIterations {
        /// What the server asks for.
        iterations: u32,
        /// The mechanism.
        mechanism: Mechanism,
    },
    /// The server asks for more work than any sensible credential.
    #[error("Requested iterations {iterations} is more than the maximum {MAX_ITERATIONS} for {mechanism}")]
    TooManyIterations {
        /// What the server asks for.
        iterations: u32,
        /// The mechanism.
        mechanism: Mechanism,
    },
    /// The server refuses the client.
    #[error("Sasl authentication using {mechanism} failed with error: {error}")]
    Refused {
        /// The mechanism.
        mechanism: Mechanism,
        /// The server's word for it, such as `invalid-proof`.
        error: String,
    },
    /// The server does not know the password.
    #[error("Invalid server signature in server final message")]
    ServerSignature,
}

/// The hash that a SCRAM mechanism is built on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mechanism {
    /// SCRAM-SHA-256.
    Sha256,
    /// SCRAM-SHA-512.
    Sha512,
}

impl fmt::Display for Mechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Mechanism {
    /// By the name in `sasl.mechanism`, such as `SCRAM-SHA-256`; exact, as in Kafka.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Sha256, Self::Sha512].into_iter().find(|m| m.name() == name)
    }

    /// The registered name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "SCRAM-SHA-256",
            Self::Sha512 => "SCRAM-SHA-512",
        }
    }

    /// `Hi` of RFC 5802 (PBKDF2): costs as much as `iterations` says, milliseconds for usual ones.
    ///
    /// # Errors
    ///
    /// [`ScramError::EmptyPassword`].
    pub fn salted_password(
        self,
        password: &str,
        salt: &[u8],
        iterations: u32,
    ) -> Result<Vec<u8>, ScramError> {
        if password.is_empty() {
            return Err(ScramError::EmptyPassword);
        }
        let mut out = vec![0; self.len()];
        match self {
            Self::Sha256 => pbkdf2::pbkdf2_hmac::<Sha256>(password.as_bytes(), salt, iterations, &mut out),
            Self::Sha512 => pbkdf2::pbkdf2_hmac::<Sha512>(password.as_bytes(), salt, iterations, &mut out),
        }
        Ok(out)
    }

    /// `HMAC(SaltedPassword, "Client Key")`.
    pub fn client_key(self, salted_password: &[u8]) -> Vec<u8> {
        self.hmac(salted_password, b"Client Key")
    }

    /// `HMAC(SaltedPassword, "Server Key")`.
    pub fn server_key(self, salted_password: &[u8]) -> Vec<u8> {
        self.hmac(salted_password, b"Server Key")
    }

    /// `H(ClientKey)`.
    pub fn stored_key(self, client_key: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256 => Sha256::digest(client_key).to_vec(),
            Self::Sha512 => Sha512::digest(client_key).to_vec(),
        }
    }

    fn len(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }

    fn hmac(self, key: &[u8], bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256 => mac::<Hmac<Sha256>>(key, bytes),
            Self::Sha512 => mac::<Hmac<Sha512>>(key, bytes),
        }
    }
}

fn mac<M: Mac + KeyInit>(key: &[u8], bytes: &[u8]) -> Vec<u8> {
    // HMAC takes keys of any length; an empty result can never verify.
    let Ok(mut mac) = <M as KeyInit>::new_from_slice(key) else { return Vec::new() };
    mac.update(bytes);
    mac.finalize().into_bytes().to_vec()
}

/// One exchange of one client.
#[derive(Debug, Clone)]
pub struct ScramClient {
    mechanism: Mechanism,
    password: Secret,
    nonce: String,
    first_bare: String,
}

impl ScramClient {
    /// `nonce` is printable ASCII without commas, fresh for each exchange. With `token_auth` the name and
    /// password are id and HMAC of a delegation token (KIP-48), which the first message says.
    pub fn new(
        mechanism: Mechanism,
        username: &str,
        password: Secret,
        token_auth: bool,
        nonce: String,
    ) -> Self {
        let extension = if token_auth { ",tokenauth=true" } else { "" };
        let first_bare = format!("n={},r={nonce}{extension}", sasl_name(username));
        Self { mechanism, password, nonce, first_bare }
    }

    /// The client's first message.
    pub fn first(&self) -> String {
        format!("{GS2_HEADER}{}", self.first_bare)
    }

    /// Answers the server's first message. Takes as long as the iterations say: see
    /// [`Mechanism::salted_password`].
    ///
    /// # Errors
    ///
    /// [`ScramError::ServerFirst`], [`ScramError::Nonce`], [`ScramError::TooFewIterations`],
    /// [`ScramError::TooManyIterations`], [`ScramError::EmptyPassword`].
    pub fn prove(&self, server_first: &[u8]) -> Result<Proof, ScramError> {
        let mechanism = self.mechanism;
        let server = ServerFirst::parse(server_first)?;
        if !server.nonce.starts_with(&self.nonce) {
            return Err(ScramError::Nonce);
        }
        let iterations = server.iterations;
        if iterations < MIN_ITERATIONS {
            return Err(ScramError::TooFewIterations { iterations, mechanism });
        }
        if iterations > MAX_ITERATIONS {
            return Err(ScramError::TooManyIterations { iterations, mechanism });
        }
        let salted = mechanism.salted_password(self.password.expose(), &server.salt, iterations)?;
        let without_proof = format!("c={CHANNEL_BINDING},r={}", server.nonce);
        let server_first = String::from_utf8_lossy(server_first);
        let auth_message = format!("{},{server_first},{without_proof}", self.first_bare);
        let client_key = mechanism.client_key(&salted);
        let signature = mechanism.hmac(&mechanism.stored_key(&client_key), auth_message.as_bytes());
        let proof: Vec<u8> = client_key.iter().zip(&signature).map(|(key, s)| key ^ s).collect();
        let message = format!("{without_proof},p={}", BASE64.encode(proof));
        let server_signature = mechanism.hmac(&mechanism.server_key(&salted), auth_message.as_bytes());
        Ok(Proof { mechanism, message, server_signature })
    }
}

/// The client's last message, and what the server must answer to it.
#[derive(Clone)]
pub struct Proof {
    mechanism: Mechanism,
    message: String,
    server_signature: Vec<u8>,
}

impl fmt::Debug for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proof").field("mechanism", &self.mechanism).finish_non_exhaustive()
    }
}

impl Proof {
    /// The client's last message.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The signature that only a server which knows the password can give.
    pub fn server_signature(&self) -> &[u8] {
        &self.server_signature
    }

    /// Checks the server's last message; the exchange has succeeded only if this does.
    ///
    /// # Errors
    ///
    /// [`ScramError::ServerFinal`], [`ScramError::Refused`], [`ScramError::ServerSignature`].
    pub fn verify(&self, server_final: &[u8]) -> Result<(), ScramError> {
        match ServerFinal::parse(server_final)? {
            ServerFinal::Error(error) => Err(ScramError::Refused { mechanism: self.mechanism, error }),
            ServerFinal::Signature(theirs) if is_equal(&theirs, &self.server_signature) => Ok(()),
            ServerFinal::Signature(_) => Err(ScramError::ServerSignature),
        }
    }
}

/// Compares in a time that does not tell where the difference is.
fn is_equal(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |seen, (x, y)| seen | (x ^ y)) == 0
}

#[cfg(test)]
mod tests;
