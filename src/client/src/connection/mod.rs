//! One TCP connection to one broker.
//!
//! # Layout
//!
//! - [`Connection`]: the handle; calls are made through it, by many tasks at once.
//! - `codec`: request frames and response bodies.
//! - `shapes`: the layouts of responses; bodies are checked against them before they are decoded.
//! - `io`: the two tasks of a connection, one that writes and one that reads; `incoming`: from bytes to
//!   whole answers.
//! - `session`: authentication, at the start and again in time.
//! - `throttle`: how long a broker wants to be left alone.
//! - [`versions`]: which versions of which APIs the broker speaks.
//!
//! # How data flows
//!
//! ```text
//! call ─▶ queue ─▶ writer (coalesces, vectored) ─▶ socket ─▶ broker
//!                    └▶ pending, in order ◀─ reader ◀─ socket
//! call ◀─ oneshot ──────┘
//! ```
//!
//! Requests are pipelined, and Kafka answers in the order of the requests. A broker works on one request
//! of a connection at a time, so calls that the broker may hold (fetches, joins) get connections of
//! their own: see [`ConnectionClass`].
//!
//! # What it must never do
//!
//! Let a dropped call disturb the stream (its answer is read and thrown away), go on after a protocol
//! error or a timeout, or report as failed what may have been carried out.

mod codec;
#[cfg(feature = "unstable-fuzzing")]
pub(crate) mod fuzzing;
mod incoming;
mod io;
mod session;
mod shapes;
mod throttle;
pub mod versions;

pub(crate) use codec::{Frame, FrameHead, api_name, decode_response};
pub use versions::ApiVersions;

use crate::config::{Address, ClientConfig};
use crate::error::{ClientError, ErrorCode};
use crate::security::{HandshakeError, Ready, SecurityProtocol, TlsClient};
use crate::text::str_bytes;
use bytes::Bytes;
use io::{Outgoing, Shared};
use kafka_protocol::messages::ApiVersionsRequest;
use kafka_protocol::protocol::{Request, StrBytes};
use session::Session;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

/// What a connection is used for. A broker handles one request of a connection after the other, and may
/// hold some for long; so each kind of waiting has a connection of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConnectionClass {
    /// Metadata, topics, configurations, offsets.
    Admin,
    /// Fetches, which the broker holds until there is data.
    Fetch,
    /// Group membership and committed offsets; joins are held until all members are there.
    Group,
    /// Record batches.
    Produce,
}

/// Largest frame that is accepted from a broker, in bytes. The largest `fetch.max.bytes` in use is 50 MiB.
pub(crate) const MAX_FRAME_LEN: usize = 100 << 20;

/// Requests that may wait to be written.
pub(crate) const QUEUE_LEN: usize = 64;

/// A connection in use. Dropping it closes the socket after what is queued has been written.
#[derive(Debug)]
pub struct Connection {
    shared: Arc<Shared>,
    queue: mpsc::Sender<Outgoing>,
    client_id: StrBytes,
    versions: ApiVersions,
}

impl Connection {
    /// Connects, with TCP_NODELAY; encrypts and authenticates as `config.security` says, and negotiates API
    /// versions; all together within `timeout`. Each address that the name resolves to is tried. A token for
    /// OAUTHBEARER is got before, in its own time. Dropping the future leaves nothing behind.
    ///
    /// # Errors
    ///
    /// [`ClientError::Authentication`] and [`ClientError::TlsHandshake`] if one side refuses the other: they
    /// will not go away by trying again.
    pub async fn connect(
        address: &Address,
        config: &ClientConfig,
        timeout: Duration,
    ) -> Result<Self, ClientError> {
        let broker: Arc<str> = address.to_string().into();
        let security = &config.security;
        let ready = match &security.sasl {
            Some(sasl) => Some(sasl.prepare().await?),
            None => None,
        };
        let deadline = Instant::now() + timeout;
        let failed = |source| ClientError::Connect { broker: broker.clone(), source: Arc::new(source) };
        let late = || {
            let text = format!("no connection within {} ms", timeout.as_millis());
            failed(std::io::Error::new(std::io::ErrorKind::TimedOut, text))
        };
        let socket = tokio::time::timeout_at(deadline, open_socket(address, config)).await;
        let socket = socket.map_err(|_| late())?.map_err(failed)?;
        let (id, protocol) = (&*config.client_id, security.protocol());
        let mut connection = match &security.tls {
            None => {
                let (read, write) = socket.into_split();
                Self::start(broker, id, protocol, read, write)
            }
            Some(tls) => {
                let stream = tokio::time::timeout_at(deadline, tls.handshake(&address.host, socket)).await;
                let stream = stream.map_err(|_| late())?.map_err(|error| match error {
                    HandshakeError::Refused(reason) => {
                        ClientError::TlsHandshake { broker: broker.clone(), reason }
                    }
                    HandshakeError::Io(error) => failed(error),
                })?;
                let (read, write) = tokio::io::split(stream);
                Self::start(broker, id, protocol, read, write)
            }
        };
        match connection.open(config, ready, deadline).await {
            Ok(()) => Ok(connection),
            Err(error) => Err(connection.not_opened(error, security.tls.as_ref())),
        }
    }

    /// What has to be agreed upon before the first request.
    async fn open(
        &mut self,
        config: &ClientConfig,
        ready: Option<Ready>,
        deadline: Instant,
    ) -> Result<(), ClientError> {
        self.versions = self.negotiate(deadline).await?;
        if let Some(max_idle) = config.connections_max_idle {
            tokio::spawn(io::close_when_idle(self.shared.clone(), max_idle));
        }
        if let (Some(ready), Some(sasl)) = (ready, &config.security.sasl) {
            let session = Session::open(self, sasl, ready, deadline, config.request_timeout).await?;
            if let Some(session) = session {
                // It is set once, here.
                let _ = self.shared.session.set(session);
            }
        }
        Ok(())
    }

    /// In TLS 1.3 a broker refuses a client's certificate only after the handshake: what looks like a lost
    /// connection is a refusal then.
    fn not_opened(&self, error: ClientError, tls: Option<&TlsClient>) -> ClientError {
        match (tls, self.shared.tls_fault()) {
            (Some(tls), Some(fault)) => {
                ClientError::TlsHandshake { broker: self.broker().clone(), reason: tls.explain(fault) }
            }
            _ => error,
        }
    }

    /// Runs a connection over any pair of streams; versions are not negotiated yet.
    fn start<R, W>(broker: Arc<str>, client_id: &str, protocol: SecurityProtocol, read: R, write: W) -> Self
    where
        R: tokio::io::AsyncRead + Unpin + Send + 'static,
        W: tokio::io::AsyncWrite + Unpin + Send + 'static,
    {
        let shared = Arc::new(Shared::new(broker, protocol));
        let (queue, outgoing) = mpsc::channel(QUEUE_LEN);
        tokio::spawn(io::write_loop(shared.clone(), write, outgoing));
        tokio::spawn(io::read_loop(shared.clone(), read));
        Self { shared, queue, client_id: str_bytes(client_id), versions: ApiVersions::default() }
    }

    /// Address of the broker, as connected to.
    pub fn broker(&self) -> &Arc<str> {
        &self.shared.broker
    }

    /// Versions that the broker speaks.
    pub fn versions(&self) -> &ApiVersions {
        &self.versions
    }

    /// Whether the connection can still be used.
    pub fn is_open(&self) -> bool {
        self.shared.is_open()
    }

    /// As [`Connection::is_open`]; if it is, it counts as used now, so that it is not closed for being idle before the caller
    /// has sent something.
    pub(crate) fn take_up(&self) -> bool {
        self.shared.touch()
    }

    /// How many requests wait for an answer.
    pub fn in_flight(&self) -> usize {
        self.shared.in_flight()
    }

    /// Closes the connection; all waiting calls end with `reason`.
    pub fn close(&self, reason: &str) {
        self.shared.close(reason.into(), None);
    }

    /// The highest version of `R` that both sides speak, at most `max_version`.
    pub fn version_of<R: Request>(&self, max_version: i16) -> Result<i16, ClientError> {
        self.version_between::<R>(R::VERSIONS.min, max_version)
    }

    /// As [`Self::version_of`], but at least `min`.
    pub(crate) fn version_between<R: Request>(&self, min: i16, max_version: i16) -> Result<i16, ClientError> {
        let max = max_version.min(R::VERSIONS.max);
        self.versions.choose(R::KEY, min, max).ok_or_else(|| ClientError::UnsupportedVersion {
            broker: self.broker().clone(),
            api: api_name(R::KEY),
            min,
            max,
        })
    }

    /// Sends a request, made for the negotiated version, and waits for its answer.
    ///
    /// Waits first if the broker throttles (KIP-219). After `timeout` from then on the connection is closed, since its
    /// answers can no longer be trusted to come, and the outcome is unknown. Dropping the future is safe: the answer is read and thrown away.
    pub async fn call<R: Request>(
        &self,
        max_version: i16,
        timeout: Duration,
        request: impl FnOnce(i16) -> R,
    ) -> Result<R::Response, ClientError> {
        let version = self.version_of::<R>(max_version)?;
        if let Some(until) = self.shared.muted_until() {
            tokio::time::sleep_until(until).await;
        }
        self.call_at(version, Instant::now() + timeout, timeout, &request(version)).await
    }

    async fn call_at<R: Request>(
        &self,
        version: i16,
        deadline: Instant,
        timeout: Duration,
        request: &R,
    ) -> Result<R::Response, ClientError> {
        let head = self.head(R::KEY, version, R::header_version(version));
        let frame = Frame::encode(&head, request)?;
        let body = self.send(frame, deadline, timeout, true).await?.body().await?;
        let wait = throttle::wait::<R>(&body, version);
        if !wait.is_zero() {
            tracing::debug!(broker = %self.broker(), api = api_name(R::KEY), ?wait, "the broker throttles");
            self.shared.mute(wait);
        }
        decode_response::<R>(body, version).map_err(|reason| self.broken_by(api_name(R::KEY), reason))
    }

    /// The head of the next request; its id is used up.
    pub(crate) fn head(&self, api_key: i16, version: i16, header_version: i16) -> FrameHead {
        let correlation_id = self.shared.next_id();
        let client_id = self.client_id.clone();
        FrameHead { api_key, version, header_version, correlation_id, client_id }
    }

    /// Queues a frame. Frames are written in the order in which these futures complete. With `answered`
    /// false the broker sends no answer, and the reply is an empty body once the frame is written.
    pub(crate) async fn send(
        &self,
        frame: Frame,
        deadline: Instant,
        timeout: Duration,
        answered: bool,
    ) -> Result<Reply, ClientError> {
        let (outgoing, waiting) = self.outgoing(frame, deadline, timeout, answered);
        let api = waiting.api;
        match tokio::time::timeout_at(deadline, self.queue.send(outgoing)).await {
            Ok(Ok(())) => Ok(waiting),
            Ok(Err(_)) => Err(self.shared.lost(api, false)),
            Err(_) => Err(waiting.timed_out()),
        }
    }

    /// As [`Connection::send`], without waiting for room in the queue.
    pub(crate) fn try_send(
        &self,
        frame: Frame,
        deadline: Instant,
        timeout: Duration,
        answered: bool,
    ) -> Result<Reply, ClientError> {
        let (outgoing, waiting) = self.outgoing(frame, deadline, timeout, answered);
        let api = waiting.api;
        match self.queue.try_send(outgoing) {
            Ok(()) => Ok(waiting),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(self.shared.lost(api, false)),
            Err(mpsc::error::TrySendError::Full(_)) => Err(ClientError::Disconnected {
                broker: self.broker().clone(),
                api,
                reason: "too many requests wait to be written".into(),
                may_have_been_sent: false,
            }),
        }
    }

    fn outgoing(
        &self,
        frame: Frame,
        deadline: Instant,
        timeout: Duration,
        answered: bool,
    ) -> (Outgoing, Reply) {
        let (reply, answer) = oneshot::channel();
        let waiting = Reply { answer, api: frame.api, deadline, timeout, shared: self.shared.clone() };
        (Outgoing { frame, answered, reply }, waiting)
    }

    /// Closes the connection after an answer that cannot be understood.
    pub(crate) fn broken_by(&self, api: &'static str, reason: String) -> ClientError {
        self.close(&format!("the answer to {api} cannot be understood: {reason}"));
        ClientError::Protocol { broker: self.broker().clone(), api, reason }
    }

    /// ApiVersions 3, or 0 if the broker is older (KIP-511: it then answers in version 0).
    async fn negotiate(&self, deadline: Instant) -> Result<ApiVersions, ClientError> {
        let api = api_name(ApiVersionsRequest::KEY);
        let timeout = deadline.saturating_duration_since(Instant::now());
        let request = ApiVersionsRequest::default()
            .with_client_software_name(StrBytes::from_static_str("crossdock"))
            .with_client_software_version(StrBytes::from_static_str(env!("CARGO_PKG_VERSION")));
        let head = self.head(ApiVersionsRequest::KEY, 3, 2);
        let frame = Frame::encode(&head, &request)?;
        let body = self.send(frame, deadline, timeout, true).await?.body().await?;
        let answer = if codec::leading_error(&body) == Some(ErrorCode::UNSUPPORTED_VERSION) {
            self.call_at(0, deadline, timeout, &ApiVersionsRequest::default()).await?
        } else {
            decode_response::<ApiVersionsRequest>(body, 3).map_err(|reason| self.broken_by(api, reason))?
        };
        match ErrorCode(answer.error_code).ok() {
            Ok(()) => Ok(ApiVersions::new(&answer)),
            Err(code) => {
                self.close("API versions were refused");
                Err(crate::error::BrokerError::new(code, api).into())
            }
        }
    }
}

/// A request on its way.
#[derive(Debug)]
pub(crate) struct Reply {
    answer: oneshot::Receiver<Result<Bytes, ClientError>>,
    api: &'static str,
    deadline: Instant,
    timeout: Duration,
    shared: Arc<Shared>,
}

impl Reply {
    /// Waits for the answer, without its correlation id. Dropping the future gives the answer up.
    pub(crate) async fn body(mut self) -> Result<Bytes, ClientError> {
        match tokio::time::timeout_at(self.deadline, &mut self.answer).await {
            Ok(Ok(answer)) => answer,
            // Dropped from the queue before it was written.
            Ok(Err(_)) => Err(self.shared.lost(self.api, false)),
            Err(_) => Err(self.timed_out()),
        }
    }

    fn timed_out(&self) -> ClientError {
        let (api, after) = (self.api, self.timeout);
        let reason = format!("{api} was not answered within {} ms", after.as_millis());
        self.shared.close(reason.into(), None);
        ClientError::Timeout { broker: self.shared.broker.clone(), api, after }
    }
}

async fn open_socket(address: &Address, config: &ClientConfig) -> std::io::Result<TcpStream> {
    let mut last = None;
    for resolved in tokio::net::lookup_host((&*address.host, address.port)).await? {
        let socket = if resolved.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        if let Some(bytes) = config.send_buffer {
            socket.set_send_buffer_size(bytes)?;
        }
        if let Some(bytes) = config.receive_buffer {
            socket.set_recv_buffer_size(bytes)?;
        }
        socket.set_nodelay(true)?;
        match socket.connect(resolved).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| std::io::Error::new(std::io::ErrorKind::NotFound, "the name has no address")))
}

#[cfg(test)]
mod tests;
