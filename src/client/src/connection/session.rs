//! Authentication of a connection: first when it is opened, again before its session ends (KIP-368).
//!
//! The broker takes nothing but the exchange until it is over. So the writer itself does it, between two
//! writes, when the time has come; requests wait in its queue meanwhile, and those in flight are answered
//! before the exchange is, as all answers are in the order of their requests.

use super::codec::{Frame, FrameHead, api_name, decode_response};
use super::io::{Shared, write_frames};
use super::{ApiVersions, Connection};
use crate::error::ClientError;
use crate::security::{Sasl, Wire, authenticate, authenticate_version, renew_after};
use crate::sync::lock;
use kafka_protocol::messages::{SaslAuthenticateRequest, SaslHandshakeRequest};
use kafka_protocol::protocol::{Request, StrBytes};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::AsyncWrite;
use tokio::time::Instant;

/// A session that the broker ends unless it is renewed.
#[derive(Debug)]
pub(super) struct Session {
    sasl: Sasl,
    version: i16,
    client_id: StrBytes,
    timeout: Duration,
    renew_at: Mutex<Instant>,
}

impl Session {
    /// Authenticates a new connection; gives the session if it has an end. `timeout` is for each answer
    /// of later exchanges.
    pub(super) async fn open(
        connection: &Connection,
        sasl: &Sasl,
        ready: crate::security::Ready,
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
            renew_at: Mutex::new(Instant::now() + renew_after(lifetime)),
        }))
    }

    /// A session by PLAIN that is due at once.
    #[cfg(test)]
    pub(super) fn due() -> Self {
        Self {
            sasl: Sasl::plain("u", "p"),
            version: 1,
            client_id: StrBytes::from_static_str("me"),
            timeout: Duration::from_secs(1),
            renew_at: Mutex::new(Instant::now()),
        }
    }

    pub(super) fn is_due(&self) -> bool {
        *lock(&self.renew_at) <= Instant::now()
    }

    /// Authenticates again. To be called by the writer only, with nothing half written.
    pub(super) async fn renew<W: AsyncWrite + Unpin>(
        &self,
        shared: &Shared,
        write: &mut W,
    ) -> Result<(), ClientError> {
        let ready = self.sasl.prepare().await?;
        let lifetime =
            authenticate(ready, self.version, &mut Renewing { session: self, shared, write }).await?;
        tracing::debug!(broker = &*shared.broker, mechanism = self.sasl.mechanism(), "authenticated again");
        // A broker that does not limit the session any longer is asked again in a day.
        let after = lifetime.map_or(Duration::from_secs(86_400), renew_after);
        *lock(&self.renew_at) = Instant::now() + after;
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
