//! The requests that the broker answers, one file an API.
//!
//! Each implements [`Api`]: which versions, the shape of the request (for the check of counts), what
//! is done, and how the whole request is refused with one error. The list at the end of this file is the
//! only other place that names them.
//!
//! A request goes `bytes ─▶ check of its shape ─▶ decode ─▶ handle ─▶ encode ─▶ bytes`.

mod api_versions;
mod create_topics;
mod delete_groups;
mod delete_topics;
mod describe_cluster;
mod describe_configs;
mod describe_groups;
mod fetch;
mod find_coordinator;
mod heartbeat;
mod init_producer_id;
mod join_group;
mod leave_group;
mod list_groups;
mod list_offsets;
mod metadata;
mod offset_commit;
mod offset_delete;
mod offset_fetch;
mod offset_for_leader_epoch;
mod produce;
mod sync_group;
#[cfg(test)]
mod tests;

use crate::config::Config;
use crate::shared::Shared;
use bytes::{BufMut, Bytes, BytesMut};
use crossdock_wire::shape::{self, Encoding, Field, ShapeError};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::{ApiKey, ResponseHeader};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes};
use std::future::Future;
use std::ops::RangeInclusive;
use std::sync::Arc;

/// Elements of all arrays of a request together.
const MAX_ELEMENTS: usize = 1_000_000;

/// One request, apart from its body.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) shared: Arc<Shared>,
    pub(crate) version: i16,
    pub(crate) client_id: String,
    pub(crate) client_host: String,
    /// Host and port that the client reached us by: it will reach us by them again.
    pub(crate) host: String,
    pub(crate) port: i32,
}

/// What becomes of a request.
#[derive(Debug)]
pub(crate) enum Answer<R> {
    /// It is answered.
    Reply(R),
    /// It wants no answer.
    Nothing,
    /// The connection is closed, and why.
    Close(String),
}

impl<R> From<R> for Answer<R> {
    fn from(reply: R) -> Self {
        Self::Reply(reply)
    }
}

/// An API of the protocol.
pub(crate) trait Api {
    /// The request; it names its response.
    type Request: Request;
    /// The versions that are served.
    const VERSIONS: RangeInclusive<i16>;
    /// The fields of the request, in order.
    const SHAPE: &'static [Field];

    /// Whether the client waits for a reply.
    fn wants_reply(_: &Self::Request) -> bool {
        true
    }

    /// Processes a request.
    fn handle(
        call: &Call,
        request: Self::Request,
    ) -> impl Future<Output = Answer<<Self::Request as Request>::Response>> + Send;

    /// Answers a request with `error` in every place, without processing it.
    fn refuse(
        call: &Call,
        request: Self::Request,
        error: ResponseError,
    ) -> <Self::Request as Request>::Response;
}

/// Processes a request, or with `refusal` only refuses it. The reply is a whole frame; `None` if the
/// request wants no answer; an error closes the connection.
async fn run<A: Api>(
    call: &Call,
    correlation_id: i32,
    mut body: Bytes,
    refusal: Option<ResponseError>,
) -> Result<Option<BytesMut>, String> {
    check::<A>(&body, call.version).map_err(|error| error.to_string())?;
    let request = A::Request::decode(&mut body, call.version).map_err(|error| error.to_string())?;
    let answer = match refusal {
        Some(error) if A::wants_reply(&request) => Answer::Reply(A::refuse(call, request, error)),
        Some(error) => Answer::Close(format!("a fault was scripted: {error}")),
        None => A::handle(call, request).await,
    };
    match answer {
        Answer::Reply(reply) => encode(call.version, correlation_id, &reply).map(Some),
        Answer::Nothing => Ok(None),
        Answer::Close(why) => Err(why),
    }
}

/// Checks a request's bytes, to the last of them, before they are decoded.
fn check<A: Api>(body: &[u8], version: i16) -> Result<(), ShapeError> {
    let encoding = Encoding { version, is_flexible: A::Request::header_version(version) >= 2 };
    shape::check_whole(A::SHAPE, body, encoding, MAX_ELEMENTS)
}

/// The frame of a reply.
fn encode<R: Encodable + HeaderVersion>(
    version: i16,
    correlation_id: i32,
    reply: &R,
) -> Result<BytesMut, String> {
    let write = || -> Result<BytesMut, Box<dyn std::error::Error + Send + Sync>> {
        let header = ResponseHeader::default().with_correlation_id(correlation_id);
        let header_version = R::header_version(version);
        let size = header.compute_size(header_version)? + reply.compute_size(version)?;
        let mut frame = BytesMut::with_capacity(4 + size);
        frame.put_i32(i32::try_from(size)?);
        header.encode(&mut frame, header_version)?;
        reply.encode(&mut frame, version)?;
        Ok(frame)
    };
    write().map_err(|error| format!("the reply cannot be encoded: {error}"))
}

/// A copy of bytes that outlive their request: a slice would keep the whole read buffer.
fn kept(bytes: &Bytes) -> Bytes {
    Bytes::copy_from_slice(bytes)
}

fn text(text: impl Into<String>) -> StrBytes {
    StrBytes::from_string(text.into())
}

/// 0, or the error's code.
fn code(result: Result<(), ResponseError>) -> i16 {
    result.map_or_else(|error| error.code(), |()| 0)
}

#[cfg(feature = "unstable-fuzzing")]
fn decode_checked<A: Api>(mut body: Bytes, version: i16) {
    if check::<A>(&body, version).is_ok() {
        let _ = A::Request::decode(&mut body, version);
    }
}

macro_rules! apis {
    ($($key:ident => $api:path,)*) => {
        /// Each API with its lowest and highest version.
        pub(crate) const SERVED: &[(ApiKey, i16, i16)] = &[
            $((ApiKey::$key, *<$api as Api>::VERSIONS.start(), *<$api as Api>::VERSIONS.end())),*
        ];

        /// Processes a request of one of the [`SERVED`] APIs and versions; see [`run`].
        pub(crate) async fn dispatch(
            call: &Call,
            key: ApiKey,
            correlation_id: i32,
            body: Bytes,
            refusal: Option<ResponseError>,
        ) -> Result<Option<BytesMut>, String> {
            match key {
                $(ApiKey::$key => run::<$api>(call, correlation_id, body, refusal).await,)*
                _ => Err("the API is not served".into()),
            }
        }

        /// Checks and decodes a request.
        #[cfg(feature = "unstable-fuzzing")]
        pub(crate) fn decode_only(key: ApiKey, version: i16, body: Bytes) {
            match key {
                $(ApiKey::$key => decode_checked::<$api>(body, version),)*
                _ => {}
            }
        }

        /// A frame, without its length, for a request without content of every API and version.
        #[cfg(feature = "unstable-fuzzing")]
        pub(crate) fn default_requests() -> Vec<Vec<u8>> {
            let mut all = Vec::new();
            $(for version in <$api as Api>::VERSIONS {
                let header = kafka_protocol::messages::RequestHeader::default()
                    .with_request_api_key(ApiKey::$key as i16)
                    .with_request_api_version(version);
                let mut frame = BytesMut::new();
                let header = header.encode(&mut frame, ApiKey::$key.request_header_version(version));
                let body = <$api as Api>::Request::default().encode(&mut frame, version);
                if header.is_ok() && body.is_ok() {
                    all.push(frame.to_vec());
                }
            })*
            all
        }
    };
}

apis! {
    Produce => produce::Produce,
    Fetch => fetch::Fetch,
    ListOffsets => list_offsets::ListOffsets,
    Metadata => metadata::Metadata,
    OffsetCommit => offset_commit::OffsetCommit,
    OffsetFetch => offset_fetch::OffsetFetch,
    FindCoordinator => find_coordinator::FindCoordinator,
    JoinGroup => join_group::JoinGroup,
    Heartbeat => heartbeat::Heartbeat,
    LeaveGroup => leave_group::LeaveGroup,
    SyncGroup => sync_group::SyncGroup,
    DescribeGroups => describe_groups::DescribeGroups,
    ListGroups => list_groups::ListGroups,
    ApiVersions => api_versions::ApiVersions,
    CreateTopics => create_topics::CreateTopics,
    DeleteTopics => delete_topics::DeleteTopics,
    InitProducerId => init_producer_id::InitProducerId,
    OffsetForLeaderEpoch => offset_for_leader_epoch::OffsetForLeaderEpoch,
    DescribeConfigs => describe_configs::DescribeConfigs,
    DeleteGroups => delete_groups::DeleteGroups,
    OffsetDelete => offset_delete::OffsetDelete,
    DescribeCluster => describe_cluster::DescribeCluster,
}

/// The APIs that this broker serves, each with its lowest and highest version.
pub(crate) fn served(config: &Config) -> impl Iterator<Item = (ApiKey, i16, i16)> + '_ {
    SERVED.iter().filter_map(|&(key, min, max)| {
        config.max_version(key, max).filter(|max| *max >= min).map(|max| (key, min, max))
    })
}

/// Whether that version of an API is served.
pub(crate) fn is_served(config: &Config, key: ApiKey, version: i16) -> bool {
    served(config).any(|(served, min, max)| served == key && (min..=max).contains(&version))
}

/// The reply to an ApiVersions request of a version that is not known (KIP-511): version 0, with the
/// error and the versions of this one API.
pub(crate) fn unsupported_api_versions(config: &Config, correlation_id: i32) -> Result<BytesMut, String> {
    encode(0, correlation_id, &api_versions::unsupported(config))
}
