//! SASL: who we say we are, and how we prove it.
//!
//! # Layout
//!
//! - [`Sasl`]: mechanism and credentials, as configured.
//! - `settings`: the keys `sasl.*`.
//! - `exchange`: the tokens that go to and fro, without I/O.
//! - `session`: an exchange over a connection, and when it must be done again (KIP-368).
//! - `oauth`: where OAUTHBEARER's tokens come from.
//!
//! # How data flows
//!
//! ```text
//! Sasl::prepare, at_hand ─▶ Ready (token at hand) ─▶ session::authenticate ─▶ SaslHandshake, SaslAuthenticate…
//! ```
//!
//! Kerberos (GSSAPI) is not supported.
//!
//! # What it must never do
//!
//! Send a password before the broker has agreed to the mechanism, or take an exchange for a success that the
//! mechanism itself has not confirmed.

mod exchange;
mod oauth;
mod session;
mod settings;

#[cfg(feature = "unstable-fuzzing")]
pub use oauth::read_token;
pub(crate) use session::{Wire, authenticate, authenticate_version, renew_after};
pub(crate) use settings::SaslSettings;

use super::Secret;
use super::scram::{Mechanism, ScramClient};
use crate::error::ClientError;
use exchange::Exchange;
use futures_util::FutureExt;
use oauth::TokenSource;
use std::sync::Arc;
use uuid::Uuid;

/// Mechanisms that can be used, as an error lists them.
const SUPPORTED: &str = "PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 and OAUTHBEARER";

/// How a client authenticates. Cheap to clone; tokens are shared among all clones.
#[derive(Debug, Clone)]
pub(crate) struct Sasl {
    credentials: Arc<Credentials>,
}

#[derive(Debug)]
enum Credentials {
    Plain { username: Secret, password: Secret },
    Scram { mechanism: Mechanism, username: Secret, password: Secret, token_auth: bool },
    OAuth(Box<TokenSource>),
}

/// Credentials at hand: nothing has to be waited for any more.
pub(crate) struct Ready {
    mechanism: &'static str,
    exchange: Exchange,
}

impl Sasl {
    /// The name of the mechanism.
    pub(crate) fn mechanism(&self) -> &'static str {
        match &*self.credentials {
            Credentials::Plain { .. } => "PLAIN",
            Credentials::Scram { mechanism, .. } => mechanism.name(),
            Credentials::OAuth(_) => "OAUTHBEARER",
        }
    }

    #[cfg(test)]
    pub(crate) fn plain(username: &str, password: &str) -> Self {
        let (username, password) = (Secret::new(username), Secret::new(password));
        Self { credentials: Arc::new(Credentials::Plain { username, password }) }
    }

    /// The credentials, if nothing has to be waited for.
    pub(crate) fn at_hand(&self) -> Option<Ready> {
        match &*self.credentials {
            Credentials::OAuth(source) => {
                let token = source.at_hand()?;
                Some(self.ready(Exchange::oauth(token.value(), source.extensions())))
            }
            // These wait for nothing.
            Credentials::Plain { .. } | Credentials::Scram { .. } => self.prepare().now_or_never()?.ok(),
        }
    }

    /// Gets a token if the mechanism needs one; so before a socket is opened that would wait for it.
    /// Cancel-safe.
    pub(crate) async fn prepare(&self) -> Result<Ready, ClientError> {
        let exchange = match &*self.credentials {
            Credentials::Plain { username, password } => Exchange::plain(username, password),
            Credentials::Scram { mechanism, username, password, token_auth } => {
                let nonce = format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
                let (name, password) = (username.expose(), password.clone());
                Exchange::scram(ScramClient::new(*mechanism, name, password, *token_auth, nonce))
            }
            Credentials::OAuth(source) => Exchange::oauth(source.token().await?.value(), source.extensions()),
        };
        Ok(self.ready(exchange))
    }

    fn ready(&self, exchange: Exchange) -> Ready {
        Ready { mechanism: self.mechanism(), exchange }
    }
}
