//! Authentication of a connection: first when it is opened, again before its session ends (KIP-368).
//!
//! The broker takes nothing but the exchange until it is over. So the writer itself does it, between two
//! writes, when the time has come and the credentials are at hand; requests wait in its queue meanwhile. It
//! begins when those in flight are answered: the broker may hold them for longer than an exchange may take. A
//! token that has to be fetched first is fetched in a task, beside which the session is used on.

use super::codec::{Frame, FrameHead, api_name, decode_response};
use super::io::{Shared, write_frames};
use super::{ApiVersions, Connection};
use crate::error::ClientError;
use crate::security::{Ready, Sasl, Wire, authenticate, authenticate_version, renew_after};
use crate::sync::lock;
use kafka_protocol::messages::{SaslAuthenticateRequest, SaslHandshakeRequest};
use kafka_protocol::protocol::{Request, StrBytes};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::AsyncWrite;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// After a failure, a token is asked for again after this.
const FETCH_PAUSE: Duration = Duration::from_secs(1);

/// A session that the broker ends unless it is renewed.
#[derive(Debug)]
pub(super) struct Session {
    sasl: Sasl,
    version: i16,
    client_id: StrBytes,
    timeout: Duration,
    term: Mutex<Term>,
    /// Gets a token for the next exchange.
    fetch: Mutex<Option<JoinHandle<()>>>,
}

/// How long an authentication holds.
#[derive(Debug, Clone, Copy)]
struct Term {
    renew_at: Instant,
    /// Nothing may be sent any more without another exchange.
    ends_at: Instant,
}

impl Term {
    fn new(lifetime: Duration) -> Self {
        let now = Instant::now();
        // The broker's clock started earlier than ours, by what its answer took.
        Self { renew_at: now + renew_after(lifetime), ends_at: now + lifetime.mul_f64(0.97) }
    }
}

impl Session {
    /// Authenticates a new connection; gives the session if it has an end. `timeout` is for each answer
    /// of later exchanges.
    pub(super) async fn open(
        connection: &Connection,
        sasl: &Sasl,
        ready: Ready,
        deadline: Instant,
        timeout: Duration,
    ) -> Result<Option<Self>, ClientError> {
        let version = version_of(&connection.versions, connection.broker())?;
        let mut wire = Opening { connection, deadline };
        let lifetime = authenticate(ready, version, &mut wire).await?;
        Ok(lifetime.map(|lifetime| Self {
            sasl: sasl.clone(),
            version,
            client_id: connection.client_id.clone(),
            timeout,
            term: Mutex::new(Term::new(lifetime)),
            fetch: Mutex::default(),
        }))
    }

    /// A session by PLAIN that is due at once.
    #[cfg(test)]
    pub(super) fn due() -> Self {
        Self::due_by(Sasl::plain("u", "p"))
    }

    /// A session that is due at once.
    #[cfg(test)]
    pub(super) fn due_by(sasl: Sasl) -> Self {
        Self {
            sasl,
            version: 1,
            client_id: StrBytes::from_static_str("me"),
            timeout: Duration::from_secs(1),
            term: Mutex::new(Term { renew_at: Instant::now(), ends_at: Instant::now() + FETCH_PAUSE }),
            fetch: Mutex::default(),
        }
    }

    /// Authenticates again if it is time to, and the credentials are at hand or cannot be done without any
    /// longer. To be called by the writer only, with nothing half written.
    pub(super) async fn keep<W: AsyncWrite + Unpin>(
        &self,
        shared: &Shared,
        write: &mut W,
    ) -> Result<(), ClientError> {
        let (term, now) = (*lock(&self.term), Instant::now());
        if now < term.renew_at {
            return Ok(());
        }
        let ready = match self.sasl.at_hand() {
            Some(ready) => ready,
            None if now < term.ends_at => {
                self.fetch(&shared.broker);
                return Ok(());
            }
            None => self.sasl.prepare().await?,
        };
        shared.all_answered().await;
        self.renew(ready, shared, write).await
    }

    /// Sees to it that a token is being fetched.
    fn fetch(&self, broker: &Arc<str>) {
        let mut fetch = lock(&self.fetch);
        if fetch.as_ref().is_some_and(|task| !task.is_finished()) {
            return;
        }
        let (sasl, broker) = (self.sasl.clone(), broker.clone());
        *fetch = Some(tokio::spawn(async move {
            if let Err(error) = sasl.prepare().await {
                tracing::warn!(broker = &*broker, %error, "no token to renew a session with; it is asked for again");
                tokio::time::sleep(FETCH_PAUSE).await;
            }
        }));
    }

    async fn renew<W: AsyncWrite + Unpin>(
        &self,
        ready: Ready,
        shared: &Shared,
        write: &mut W,
    ) -> Result<(), ClientError> {
        let lifetime =
            authenticate(ready, self.version, &mut Renewing { session: self, shared, write }).await?;
        tracing::debug!(broker = &*shared.broker, mechanism = self.sasl.mechanism(), "authenticated again");
        // A broker that does not limit the session any longer is asked again in a day.
        *lock(&self.term) = Term::new(lifetime.unwrap_or(Duration::from_secs(86_400)));
        Ok(())
    }
}

fn version_of(versions: &ApiVersions, broker: &Arc<str>) -> Result<i16, ClientError> {
    authenticate_version(versions).ok_or_else(|| ClientError::UnsupportedVersion {
        broker: broker.clone(),
        api: api_name(if versions.range(SaslHandshakeRequest::KEY).is_none() {
            SaslHandshakeRequest::KEY
        } else {
            SaslAuthenticateRequest::KEY
        }),
        min: 0,
        max: 2,
    })
}

/// The exchange on a connection that nobody else uses yet.
struct Opening<'a> {
    connection: &'a Connection,
    deadline: Instant,
}

impl Wire for Opening<'_> {
    fn broker(&self) -> &Arc<str> {
        self.connection.broker()
    }

    async fn call<R: Request>(&mut self, version: i16, request: &R) -> Result<R::Response, ClientError> {
        let timeout = self.deadline.saturating_duration_since(Instant::now());
        self.connection.call_at(version, self.deadline, timeout, request).await
    }
}

/// The exchange by the writer of a connection in use.
struct Renewing<'a, W> {
    session: &'a Session,
    shared: &'a Shared,
    write: &'a mut W,
}

impl<W: AsyncWrite + Unpin> Wire for Renewing<'_, W> {
    fn broker(&self) -> &Arc<str> {
        &self.shared.broker
    }

    async fn call<R: Request>(&mut self, version: i16, request: &R) -> Result<R::Response, ClientError> {
        let (broker, api) = (self.shared.broker.clone(), api_name(R::KEY));
        let head = FrameHead {
            api_key: R::KEY,
            version,
            header_version: R::header_version(version),
            correlation_id: self.shared.next_id(),
            client_id: self.session.client_id.clone(),
        };
        let frame = Frame::encode(&head, request)?;
        let timeout = self.session.timeout;
        let answered = async {
            let answer = write_frames(self.shared, self.write, frame).await?;
            answer.await.map_err(|_| self.shared.lost(api, true))?
        };
        let body = match tokio::time::timeout(timeout, answered).await {
            Ok(body) => body?,
            Err(_) => return Err(ClientError::Timeout { broker, api, after: timeout }),
        };
        decode_response::<R>(body, version).map_err(|reason| ClientError::Protocol { broker, api, reason })
    }
}
