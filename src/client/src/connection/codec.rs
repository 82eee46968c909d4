//! Request frames and response bodies.

use super::shapes;
use crate::error::{ClientError, ErrorCode};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use crossdock_wire::frame::FRAME_PREFIX_LEN;
use crossdock_wire::shape::{self, Encoding};
use kafka_protocol::messages::ApiKey;
use kafka_protocol::protocol::{Decodable, HeaderVersion, Request, StrBytes};
use smallvec::{SmallVec, smallvec};

/// What goes before the body of a request.
#[derive(Debug, Clone)]
pub(crate) struct FrameHead {
    pub(crate) api_key: i16,
    pub(crate) version: i16,
    pub(crate) header_version: i16,
    pub(crate) correlation_id: i32,
    pub(crate) client_id: StrBytes,
}

impl FrameHead {
    /// Writes the length prefix (to be patched) and the request header.
    pub(crate) fn write(&self, out: &mut BytesMut) {
        out.put_i32(0);
        out.put_i16(self.api_key);
        out.put_i16(self.version);
        out.put_i32(self.correlation_id);
        // A client id past Kafka's 16-bit length is cut; ids of that length are nobody's intention.
        let id = &self.client_id.as_bytes()[..self.client_id.len().min(i16::MAX as usize)];
        out.put_i16(id.len() as i16);
        out.put_slice(id);
        if self.header_version >= 2 {
            out.put_u8(0); // no tagged fields
        }
    }
}

/// A whole request, in pieces that are written one after the other without being copied together.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) api: &'static str,
    pub(crate) correlation_id: i32,
    pub(crate) segments: SmallVec<[Bytes; 4]>,
}

impl Frame {
    /// Encodes a message into one piece.
    pub(crate) fn encode<R: Request>(head: &FrameHead, request: &R) -> Result<Self, ClientError> {
        let api = api_name(R::KEY);
        let failed = |reason: String| ClientError::Encode { api, version: head.version, reason };
        let mut out = BytesMut::with_capacity(512);
        head.write(&mut out);
        request.encode(&mut out, head.version).map_err(|e| failed(e.to_string()))?;
        let len = i32::try_from(out.len() - FRAME_PREFIX_LEN)
            .map_err(|_| failed(format!("it has {} bytes, more than a frame can hold", out.len())))?;
        out[..FRAME_PREFIX_LEN].copy_from_slice(&len.to_be_bytes());
        Ok(Self { api, correlation_id: head.correlation_id, segments: smallvec![out.freeze()] })
    }
}

/// Reads the rest of a response header (the correlation id is off) and the body.
pub(crate) fn decode_response<R: Request>(mut body: Bytes, version: i16) -> Result<R::Response, String> {
    if R::Response::header_version(version) >= 1 {
        skip_tagged_fields(&mut body)?;
    }
    shapes::check::<R>(&body, version)?;
    R::Response::decode(&mut body, version).map_err(|e| e.to_string().trim().to_owned())
}

/// Passes what follows the correlation id in a response header of version 1: no field, but tagged ones.
fn skip_tagged_fields(body: &mut Bytes) -> Result<(), String> {
    let encoding = Encoding { version: 1, is_flexible: true };
    let rest = shape::check(&[], body, encoding, 0).map_err(|error| format!("its header: {error}"))?;
    let header = body.len() - rest.len();
    body.advance(header);
    Ok(())
}

/// The error code that a body starts with, as in all versions of ApiVersions.
pub(crate) fn leading_error(body: &[u8]) -> Option<ErrorCode> {
    body.first_chunk::<2>().map(|b| ErrorCode(i16::from_be_bytes(*b)))
}

/// Kafka's name of an API.
pub(crate) fn api_name(key: i16) -> &'static str {
    let Ok(key) = ApiKey::try_from(key) else { return "an unknown API" };
    match key {
        ApiKey::ApiVersions => "ApiVersions",
        ApiKey::AddOffsetsToTxn => "AddOffsetsToTxn",
        ApiKey::AddPartitionsToTxn => "AddPartitionsToTxn",
        ApiKey::ConsumerGroupDescribe => "ConsumerGroupDescribe",
        ApiKey::ConsumerGroupHeartbeat => "ConsumerGroupHeartbeat",
        ApiKey::CreatePartitions => "CreatePartitions",
        ApiKey::CreateTopics => "CreateTopics",
        ApiKey::DeleteGroups => "DeleteGroups",
        ApiKey::DeleteRecords => "DeleteRecords",
        ApiKey::DeleteTopics => "DeleteTopics",
        ApiKey::DescribeCluster => "DescribeCluster",
        ApiKey::DescribeConfigs => "DescribeConfigs",
        ApiKey::DescribeGroups => "DescribeGroups",
        ApiKey::EndTxn => "EndTxn",
        ApiKey::Fetch => "Fetch",
        ApiKey::FindCoordinator => "FindCoordinator",
        ApiKey::Heartbeat => "Heartbeat",
        ApiKey::IncrementalAlterConfigs => "IncrementalAlterConfigs",
        ApiKey::InitProducerId => "InitProducerId",
        ApiKey::JoinGroup => "JoinGroup",
        ApiKey::LeaveGroup => "LeaveGroup",
        ApiKey::ListGroups => "ListGroups",
        ApiKey::ListOffsets => "ListOffsets",
        ApiKey::Metadata => "Metadata",
        ApiKey::OffsetCommit => "OffsetCommit",
        ApiKey::OffsetDelete => "OffsetDelete",
        ApiKey::OffsetFetch => "OffsetFetch",
        ApiKey::OffsetForLeaderEpoch => "OffsetForLeaderEpoch",
        ApiKey::Produce => "Produce",
        ApiKey::SaslAuthenticate => "SaslAuthenticate",
        ApiKey::SaslHandshake => "SaslHandshake",
        ApiKey::SyncGroup => "SyncGroup",
        ApiKey::TxnOffsetCommit => "TxnOffsetCommit",
        _ => "a request",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kafka_protocol::messages::HeartbeatRequest;

    #[test]
    fn tagged_fields_of_the_header_are_passed_over() {
        let body = [0, 0, 0, 7, 0, 27, 0];
        for header in [&[0][..], &[1, 5, 2, 9, 9], &[2, 0, 0, 1, 1, 9]] {
            let response = Bytes::from([header, &body].concat());
            assert_eq!(decode_response::<HeartbeatRequest>(response, 4).unwrap().error_code, 27);
        }
        for broken in [&[][..], &[1], &[1, 5, 200], &[0xff, 0xff, 0xff, 0xff, 0x7f, 0]] {
            let error = decode_response::<HeartbeatRequest>(Bytes::from_static(broken), 4).unwrap_err();
            assert!(error.starts_with("its header: "), "{error}");
        }
    }
}
