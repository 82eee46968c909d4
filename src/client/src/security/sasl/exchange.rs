//! The tokens of one authentication, without I/O.

use super::super::Secret;
use super::super::scram::{Proof, ScramClient};

/// Where an exchange stands: what was sent last decides how the answer is read.
#[derive(Debug)]
pub(super) enum Exchange {
    /// PLAIN: one token, to be accepted.
    Plain(Secret),
    /// SCRAM's first message, to be challenged.
    ScramFirst(ScramClient),
    /// SCRAM's last message, to be answered with the server's signature.
    ScramFinal(Proof),
    /// OAUTHBEARER: one token, to be accepted or followed by an error (RFC 7628).
    OAuth(Secret),
    /// OAUTHBEARER's token was refused, for this reason.
    OAuthRefused(String),
}

/// What follows from an answer.
#[derive(Debug)]
pub(super) enum Next {
    /// Send the token of this.
    Send(Exchange),
    /// The exchange has succeeded.
    Done,
}

impl Exchange {
    /// RFC 4616, without an authorisation id.
    pub(super) fn plain(username: &Secret, password: &Secret) -> Self {
        Self::Plain(Secret::new(format!("\0{}\0{}", username.expose(), password.expose())))
    }

    pub(super) fn scram(client: ScramClient) -> Self {
        Self::ScramFirst(client)
    }

    /// `OAuthBearerClientInitialResponse`.
    pub(super) fn oauth(token: &str, extensions: &[(String, String)]) -> Self {
        let mut message = format!("n,,\u{1}auth=Bearer {token}");
        for (key, value) in extensions {
            message.push_str(&format!("\u{1}{key}={value}"));
        }
        message.push_str("\u{1}\u{1}");
        Self::OAuth(Secret::new(message))
    }

    /// What is to be sent now.
    pub(super) fn token(&self) -> Vec<u8> {
        match self {
            Self::Plain(message) | Self::OAuth(message) => message.expose().as_bytes().to_vec(),
            Self::ScramFirst(client) => client.first().into_bytes(),
            Self::ScramFinal(proof) => proof.message().as_bytes().to_vec(),
            Self::OAuthRefused(_) => vec![1],
        }
    }

    /// Reads the broker's answer. May compute for milliseconds.
    pub(super) fn answered(self, token: &[u8]) -> Result<Next, String> {
        match self {
            Self::Plain(_) => Ok(Next::Done),
            Self::ScramFirst(client) => {
                let proof = client.prove(token).map_err(|error| error.to_string())?;
                Ok(Next::Send(Self::ScramFinal(proof)))
            }
            Self::ScramFinal(proof) => {
                proof.verify(token).map_err(|error| error.to_string())?;
                Ok(Next::Done)
            }
            Self::OAuth(_) if token.is_empty() => Ok(Next::Done),
            Self::OAuth(_) => {
                // A small JSON object with `status`; the broker never puts the token in it.
                let text: String = String::from_utf8_lossy(token).chars().take(1000).collect();
                Ok(Next::Send(Self::OAuthRefused(text)))
            }
            Self::OAuthRefused(reason) => Err(format!("the broker refuses the token: {reason}")),
        }
    }

    /// Whether an answer takes long enough to be read away from the tasks of the runtime.
    pub(super) fn is_costly(&self) -> bool {
        matches!(self, Self::ScramFirst(_))
    }

    /// What the broker said before it gave up, if it did.
    pub(super) fn reason(&self) -> Option<&str> {
        match self {
            Self::OAuthRefused(reason) => Some(reason),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::security::scram::Mechanism;

    #[test]
    fn plain_is_one_token() {
        let exchange = Exchange::plain(&Secret::new("al,ice"), &Secret::new("p\u{e4}ss"));
        assert_eq!(exchange.token(), "\0al,ice\0p\u{e4}ss".as_bytes());
        assert!(!format!("{exchange:?}").contains("ss"));
        assert!(matches!(exchange.answered(b"").unwrap(), Next::Done));
    }

    #[test]
    fn scram_is_done_only_with_the_servers_signature() {
        let client = ScramClient::new(Mechanism::Sha256, "u", Secret::new("p"), false, "abc".to_owned());
        let exchange = Exchange::scram(client);
        assert_eq!(exchange.token(), b"n,,n=u,r=abc");
        let Next::Send(exchange) = exchange.answered(b"r=abcd,s=c2FsdA==,i=4096").unwrap() else { panic!() };
        assert!(exchange.token().starts_with(b"c=biws,r=abcd,p="));
        assert!(exchange.answered(b"").unwrap_err().contains("Invalid SCRAM server final message"));
    }

    #[test]
    fn oauth_ends_an_error_with_its_own_token() {
        let exchange = Exchange::oauth("a.b.c", &[("traceId".to_owned(), "123".to_owned())]);
        assert_eq!(exchange.token(), b"n,,\x01auth=Bearer a.b.c\x01traceId=123\x01\x01");
        let Next::Send(refused) = exchange.answered(b"{\"status\":\"invalid_token\"}").unwrap() else {
            panic!()
        };
        assert_eq!(refused.token(), [1]);
        assert!(refused.answered(b"").unwrap_err().contains("invalid_token"));
    }
}
