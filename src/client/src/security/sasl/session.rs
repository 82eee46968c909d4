//! Authentication over a connection: the handshake, the exchange, and how long it holds.

use super::{Ready, exchange};
use crate::backoff::Rng;
use crate::connection::{ApiVersions, api_name};
use crate::error::{ClientError, ErrorCode};
use bytes::Bytes;
use exchange::{Exchange, Next};
use kafka_protocol::messages::{
    SaslAuthenticateRequest, SaslAuthenticateResponse, SaslHandshakeRequest, SaslHandshakeResponse,
};
use kafka_protocol::protocol::{Request, StrBytes};
use std::sync::Arc;
use std::time::Duration;

/// SaslHandshake 1: tokens go in SaslAuthenticate. All brokers since 1.0 have it.
const HANDSHAKE_VERSION: i16 = 1;
/// SaslAuthenticate 1 tells the session's lifetime (KIP-368).
const MAX_AUTHENTICATE_VERSION: i16 = 2;
/// More rounds than any mechanism has.
const MAX_ROUNDS: usize = 8;

/// What carries requests during an authentication.
pub(crate) trait Wire {
    /// Address of the broker.
    fn broker(&self) -> &Arc<str>;

    /// Sends a request in the version and gives its answer.
    async fn call<R: Request>(&mut self, version: i16, request: &R) -> Result<R::Response, ClientError>;
}

/// The version of SaslAuthenticate to use, if the broker speaks both APIs that are needed.
pub(crate) fn authenticate_version(versions: &ApiVersions) -> Option<i16> {
    versions.choose(SaslHandshakeRequest::KEY, HANDSHAKE_VERSION, HANDSHAKE_VERSION)?;
    versions.choose(SaslAuthenticateRequest::KEY, 0, MAX_AUTHENTICATE_VERSION)
}

/// Authenticates; gives how long the broker lets the session live, if it limits it.
///
/// # Errors
///
/// [`ClientError::Authentication`] if either side refuses the other; what `wire` says.
pub(crate) async fn authenticate<W: Wire>(
    ready: Ready,
    authenticate_version: i16,
    wire: &mut W,
) -> Result<Option<Duration>, ClientError> {
    let Ready { mechanism, mut exchange } = ready;
    let refused = |broker: &Arc<str>, reason: String| ClientError::Authentication {
        broker: broker.clone(),
        mechanism,
        reason,
    };
    let handshake = SaslHandshakeRequest::default().with_mechanism(StrBytes::from_static_str(mechanism));
    let answer = wire.call(HANDSHAKE_VERSION, &handshake).await?;
    check_handshake(mechanism, &answer).map_err(|reason| refused(wire.broker(), reason))?;
    let mut lifetime = None;
    for _ in 0..MAX_ROUNDS {
        let request = SaslAuthenticateRequest::default().with_auth_bytes(Bytes::from(exchange.token()));
        let answer = wire.call(authenticate_version, &request).await?;
        if answer.session_lifetime_ms > 0 {
            lifetime = Some(Duration::from_millis(answer.session_lifetime_ms.unsigned_abs()));
        }
        check_answer(mechanism, &answer, exchange.reason())
            .map_err(|reason| refused(wire.broker(), reason))?;
        match read_answer(exchange, answer.auth_bytes).await.map_err(|r| refused(wire.broker(), r))? {
            Next::Done => return Ok(lifetime),
            Next::Send(next) => exchange = next,
        }
    }
    Err(refused(wire.broker(), format!("the broker wants more than {MAX_ROUNDS} rounds of {mechanism}")))
}

async fn read_answer(exchange: Exchange, token: Bytes) -> Result<Next, String> {
    if !exchange.is_costly() {
        return exchange.answered(&token);
    }
    match tokio::task::spawn_blocking(move || exchange.answered(&token)).await {
        Ok(next) => next,
        Err(error) => Err(format!("the proof could not be computed: {error}")),
    }
}

fn check_handshake(mechanism: &str, answer: &SaslHandshakeResponse) -> Result<(), String> {
    let enabled = answer.mechanisms.iter().map(|m| m.to_string()).collect::<Vec<_>>().join(", ");
    match ErrorCode(answer.error_code) {
        ErrorCode::NONE => Ok(()),
        ErrorCode::UNSUPPORTED_SASL_MECHANISM => Err(format!(
            "Client SASL mechanism '{mechanism}' not enabled in the server, enabled mechanisms are \
             [{enabled}]: set sasl.mechanism to one of them"
        )),
        ErrorCode::ILLEGAL_SASL_STATE => {
            Err("the broker's listener takes no SASL: set security.protocol to \
                                              PLAINTEXT or SSL, or use the port of a SASL listener"
                .to_owned())
        }
        other => Err(format!("{} was refused with {}", api_name(SaslHandshakeRequest::KEY), other.name())),
    }
}

fn check_answer(
    mechanism: &str,
    answer: &SaslAuthenticateResponse,
    reason: Option<&str>,
) -> Result<(), String> {
    let code = ErrorCode(answer.error_code);
    if code.is_ok() {
        return Ok(());
    }
    let said = answer.error_message.as_deref().filter(|m| !m.is_empty()).unwrap_or(code.message());
    let said = match reason {
        Some(reason) => format!("{said} ({reason})"),
        None => said.to_owned(),
    };
    let advice = match mechanism {
        "OAUTHBEARER" => "check the token's claims, its expiry and what the broker demands of them",
        "PLAIN" => "check username and password in sasl.jaas.config",
        _ => {
            "check username and password in sasl.jaas.config, and that the user has a credential for this \
              mechanism (kafka-configs --describe --entity-type users)"
        }
    };
    Err(format!("{said}: {advice}"))
}

/// When a session is renewed: between 85 % and 95 % of its lifetime, by chance, so that not all
/// connections do so at once (as `SaslClientAuthenticator`).
pub(crate) fn renew_after(lifetime: Duration) -> Duration {
    lifetime.mul_f64(0.85 + 0.1 * (Rng::random().below(1001) as f64 / 1000.0))
}

#[cfg(test)]
mod tests {
    use super::super::super::Secret;
    use super::*;
    use bytes::BytesMut;
    use kafka_protocol::protocol::{Decodable, Encodable};
    use std::collections::VecDeque;

    /// Answers with what it was given, whatever is asked.
    struct Script {
        broker: Arc<str>,
        handshake: SaslHandshakeResponse,
        answers: VecDeque<SaslAuthenticateResponse>,
    }

    impl Wire for Script {
        fn broker(&self) -> &Arc<str> {
            &self.broker
        }

        async fn call<R: Request>(&mut self, version: i16, _: &R) -> Result<R::Response, ClientError> {
            let mut body = BytesMut::new();
            if R::KEY == SaslHandshakeRequest::KEY {
                self.handshake.encode(&mut body, version).unwrap();
            } else {
                self.answers.pop_front().unwrap().encode(&mut body, version).unwrap();
            }
            Ok(R::Response::decode(&mut body.freeze(), version).unwrap())
        }
    }

    async fn run(code: i16, answers: Vec<SaslAuthenticateResponse>) -> Result<Option<Duration>, String> {
        let handshake = SaslHandshakeResponse::default()
            .with_error_code(code)
            .with_mechanisms(vec![StrBytes::from_static_str("GSSAPI"), StrBytes::from_static_str("PLAIN")]);
        let mut wire = Script { broker: "b:1".into(), handshake, answers: answers.into() };
        let exchange = Exchange::plain(&Secret::new("u"), &Secret::new("hunter2"));
        let ready = Ready { mechanism: "PLAIN", exchange };
        authenticate(ready, 1, &mut wire).await.map_err(|e| {
            assert!(e.is_authentication() && !e.is_retriable());
            e.to_string()
        })
    }

    #[tokio::test]
    async fn a_session_tells_its_lifetime() {
        let answer = SaslAuthenticateResponse::default();
        assert_eq!(run(0, vec![answer.clone()]).await, Ok(None));
        let limited = answer.with_session_lifetime_ms(1000);
        assert_eq!(run(0, vec![limited]).await, Ok(Some(Duration::from_secs(1))));
    }

    #[tokio::test]
    async fn refusals_say_what_the_broker_said_and_what_to_do() {
        let text = run(33, vec![]).await.unwrap_err();
        assert!(text.contains("b:1") && text.contains("[GSSAPI, PLAIN]: set sasl.mechanism"), "{text}");
        assert!(run(34, vec![]).await.unwrap_err().contains("takes no SASL"));
        let wrong = SaslAuthenticateResponse::default()
            .with_error_code(58)
            .with_error_message(Some(StrBytes::from_static_str("Invalid username or password")));
        let text = run(0, vec![wrong]).await.unwrap_err();
        assert!(text.contains("Invalid username or password: check username"), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
    }

    #[test]
    fn sessions_are_renewed_before_they_end() {
        for _ in 0..100 {
            let after = renew_after(Duration::from_secs(100)).as_secs_f64();
            assert!((84.9..=95.1).contains(&after), "{after}");
        }
    }
}
