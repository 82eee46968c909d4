//! One connection: frames in, replies out, one request after the other.
//!
//! Whatever a client sends wrong ends this connection and no other, and is logged with the reason.

use crate::api::{self, Call};
use crate::config::{Config, MAX_REQUEST_BYTES};
use crate::faults::FaultAction;
use crate::shared::Shared;
use bytes::{Bytes, BytesMut};
use crossdock_wire::{WireError, frame};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::{ApiKey, RequestHeader};
use kafka_protocol::protocol::Decodable;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Bytes before the client id: API key, version, correlation id.
const HEADER_START: usize = 8;
/// How far the buffer grows ahead of what has arrived.
const READ_AHEAD: usize = 4 << 20;

/// Why a connection ended before the client closed it.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error("a fault was scripted")]
    Fault,
    #[error("{0}")]
    Frame(#[from] WireError),
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("the request has no valid header: {0}")]
    Header(String),
    #[error("version {version} of API {key} is not served")]
    Unsupported { key: i16, version: i16 },
    #[error("a {key:?} request of version {version} could not be answered: {reason}")]
    Request { key: ApiKey, version: i16, reason: String },
}

/// Serves a connection to its end. Dropping the future closes the connection at once; a request that
/// is being processed may still take effect.
pub(crate) async fn serve(shared: Arc<Shared>, stream: TcpStream, peer: SocketAddr) {
    match Connection::new(shared, stream, peer) {
        Ok(mut connection) => match connection.run().await {
            Ok(()) => tracing::debug!(%peer, "the client closed the connection"),
            Err(Ended::Fault) => tracing::debug!(%peer, "the connection was closed by a scripted fault"),
            Err(Ended::Io(error)) => tracing::debug!(%peer, %error, "the connection broke"),
            Err(ended) => tracing::warn!(%peer, "the connection was closed: {ended}"),
        },
        Err(error) => tracing::debug!(%peer, %error, "the connection broke"),
    }
}

struct Connection {
    shared: Arc<Shared>,
    stream: TcpStream,
    peer: SocketAddr,
    local: SocketAddr,
    buffer: BytesMut,
}

struct Incoming {
    key: ApiKey,
    version: i16,
    correlation_id: i32,
    client_id: Option<String>,
    body: Bytes,
}

impl Connection {
    fn new(shared: Arc<Shared>, stream: TcpStream, peer: SocketAddr) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        let local = stream.local_addr()?;
        Ok(Self { shared, stream, peer, local, buffer: BytesMut::new() })
    }

    async fn run(&mut self) -> Result<(), Ended> {
        while let Some(frame) = self.next_frame().await? {
            match parse(&self.shared.config, frame)? {
                Parsed::Request(request) => self.answer(request).await?,
                Parsed::UnknownApiVersions { correlation_id } => {
                    let version = -1;
                    let key = ApiKey::ApiVersions;
                    let reply = api::unsupported_api_versions(&self.shared.config, correlation_id)
                        .map_err(|reason| Ended::Request { key, version, reason })?;
                    self.stream.write_all(&reply).await?;
                }
            }
        }
        Ok(())
    }

    async fn next_frame(&mut self) -> Result<Option<Bytes>, Ended> {
        loop {
            if let Some(frame) = frame::take_frame(&mut self.buffer, MAX_REQUEST_BYTES)? {
                return Ok(Some(frame));
            }
            frame::make_room(&mut self.buffer, MAX_REQUEST_BYTES, READ_AHEAD);
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return match self.buffer.is_empty() {
                    true => Ok(None),
                    false => Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
                };
            }
        }
    }

    async fn answer(&mut self, request: Incoming) -> Result<(), Ended> {
        let fault = self.shared.faults.arrived(request.key, request.client_id.as_deref());
        match fault {
            Some(FaultAction::CloseConnection) => return Err(Ended::Fault),
            Some(FaultAction::Delay(delay)) => tokio::time::sleep(delay).await,
            _ => {}
        }
        let refusal = match fault {
            Some(FaultAction::ReplyError(error)) => Some(error),
            _ => None,
        };
        let Some(reply) = self.process(request, refusal).await? else {
            return Ok(());
        };
        match fault {
            Some(FaultAction::DropReply) => Ok(()),
            Some(FaultAction::CloseAfterProcessing) => Err(Ended::Fault),
            Some(FaultAction::CloseAfterBytes(bytes)) => {
                self.stream.write_all(&reply[..bytes.min(reply.len())]).await?;
                self.stream.shutdown().await?;
                Err(Ended::Fault)
            }
            _ => Ok(self.stream.write_all(&reply).await?),
        }
    }

    async fn process(
        &self,
        request: Incoming,
        refusal: Option<ResponseError>,
    ) -> Result<Option<BytesMut>, Ended> {
        let Incoming { key, version, correlation_id, client_id, body } = request;
        let call = Call {
            shared: Arc::clone(&self.shared),
            version,
            client_id: client_id.unwrap_or_default(),
            client_host: format!("/{}", self.peer.ip()),
            host: self.local.ip().to_canonical().to_string(),
            port: i32::from(self.local.port()),
        };
        let reply = api::dispatch(&call, key, correlation_id, body, refusal).await;
        reply.map_err(|reason| Ended::Request { key, version, reason })
    }
}

/// Reads a request up to the point where it would be processed.
#[cfg(feature = "unstable-fuzzing")]
pub(crate) fn decode_only(frame: Bytes) {
    if let Ok(Parsed::Request(request)) = parse(&Config::default(), frame) {
        api::decode_only(request.key, request.version, request.body);
    }
}

enum Parsed {
    Request(Incoming),
    /// An ApiVersions request of a version that is not known yet: it has an answer all the same.
    UnknownApiVersions {
        correlation_id: i32,
    },
}

fn parse(config: &Config, mut frame: Bytes) -> Result<Parsed, Ended> {
    let start: [u8; HEADER_START] = match frame.first_chunk() {
        Some(start) => *start,
        None => return Err(Ended::Header("it is cut off".into())),
    };
    let key = i16::from_be_bytes([start[0], start[1]]);
    let version = i16::from_be_bytes([start[2], start[3]]);
    let correlation_id = i32::from_be_bytes([start[4], start[5], start[6], start[7]]);
    let unsupported = Ended::Unsupported { key, version };
    let Ok(key) = ApiKey::try_from(key) else {
        return Err(unsupported);
    };
    if !api::is_served(config, key, version) {
        if key == ApiKey::ApiVersions {
            return Ok(Parsed::UnknownApiVersions { correlation_id });
        }
        return Err(unsupported);
    }
    let header = RequestHeader::decode(&mut frame, key.request_header_version(version));
    let header = header.map_err(|error| Ended::Header(error.to_string()))?;
    let client_id = header.client_id.map(|id| id.to_string());
    Ok(Parsed::Request(Incoming { key, version, correlation_id, client_id, body: frame }))
}
