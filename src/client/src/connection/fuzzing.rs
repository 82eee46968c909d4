//! Responses of brokers, as they are decoded.

use super::codec::decode_response as decode;
use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::*;
use kafka_protocol::protocol::{Encodable, Request};

/// An API whose responses are read.
struct Api {
    #[cfg(test)]
    key: i16,
    /// Highest version that is known.
    max: i16,
    decode: fn(Bytes, i16),
    default: fn(i16) -> Option<Bytes>,
}

impl Api {
    const fn of<R>() -> Self
    where
        R: Request,
        R::Response: Default,
    {
        Self {
            #[cfg(test)]
            key: R::KEY,
            max: R::VERSIONS.max,
            decode: decode_only::<R>,
            default: default_body::<R>,
        }
    }
}

fn decode_only<R: Request>(body: Bytes, version: i16) {
    let _ = decode::<R>(body, version);
}

fn default_body<R>(version: i16) -> Option<Bytes>
where
    R: Request,
    R::Response: Default,
{
    let mut body = BytesMut::new();
    R::Response::default().encode(&mut body, version).ok()?;
    Some(body.freeze())
}

const APIS: &[Api] = &[
    Api::of::<AddOffsetsToTxnRequest>(),
    Api::of::<AddPartitionsToTxnRequest>(),
    Api::of::<AlterPartitionReassignmentsRequest>(),
    Api::of::<ApiVersionsRequest>(),
    Api::of::<ConsumerGroupDescribeRequest>(),
    Api::of::<ConsumerGroupHeartbeatRequest>(),
    Api::of::<CreateAclsRequest>(),
    Api::of::<CreatePartitionsRequest>(),
    Api::of::<CreateTopicsRequest>(),
    Api::of::<DeleteAclsRequest>(),
    Api::of::<DeleteGroupsRequest>(),
    Api::of::<DeleteRecordsRequest>(),
    Api::of::<DeleteTopicsRequest>(),
    Api::of::<DescribeAclsRequest>(),
    Api::of::<DescribeClusterRequest>(),
    Api::of::<DescribeConfigsRequest>(),
    Api::of::<DescribeGroupsRequest>(),
    Api::of::<DescribeProducersRequest>(),
    Api::of::<DescribeTransactionsRequest>(),
    Api::of::<ElectLeadersRequest>(),
    Api::of::<EndTxnRequest>(),
    Api::of::<FetchRequest>(),
    Api::of::<FindCoordinatorRequest>(),
    Api::of::<HeartbeatRequest>(),
    Api::of::<IncrementalAlterConfigsRequest>(),
    Api::of::<InitProducerIdRequest>(),
    Api::of::<JoinGroupRequest>(),
    Api::of::<LeaveGroupRequest>(),
    Api::of::<ListConfigResourcesRequest>(),
    Api::of::<ListGroupsRequest>(),
    Api::of::<ListOffsetsRequest>(),
    Api::of::<ListPartitionReassignmentsRequest>(),
    Api::of::<ListTransactionsRequest>(),
    Api::of::<MetadataRequest>(),
    Api::of::<OffsetCommitRequest>(),
    Api::of::<OffsetDeleteRequest>(),
    Api::of::<OffsetFetchRequest>(),
    Api::of::<OffsetForLeaderEpochRequest>(),
    Api::of::<ProduceRequest>(),
    Api::of::<SaslAuthenticateRequest>(),
    Api::of::<SaslHandshakeRequest>(),
    Api::of::<SyncGroupRequest>(),
    Api::of::<TxnOffsetCommitRequest>(),
    Api::of::<UpdateFeaturesRequest>(),
    Api::of::<WriteTxnMarkersRequest>(),
];

/// Decodes a response without its correlation id. The first two bytes choose API and version.
pub fn decode_response(bytes: &[u8]) {
    let [api, version, body @ ..] = bytes else { return };
    let api = &APIS[usize::from(*api) % APIS.len()];
    let version = i16::from(*version) % (api.max + 1);
    (api.decode)(Bytes::copy_from_slice(body), version);
}

/// Decodes a Fetch response without its correlation id.
pub fn decode_fetch_response(body: Bytes, version: i16) -> Result<FetchResponse, String> {
    decode::<FetchRequest>(body, version)
}

/// Responses without content, of every API and version, as [`decode_response`] takes them.
pub fn default_responses() -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for (at, api) in (0u8..).zip(APIS) {
        for version in 0..=api.max {
            if let Some(body) = (api.default)(version) {
                // Versions are far below 256. Some begin with the tagged fields of a header, some do not.
                for head in [&[at, version as u8, 0][..], &[at, version as u8]] {
                    all.push([head, &body].concat());
                }
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_api_whose_layout_is_known_is_there() {
        for key in 0..200 {
            let is_there = APIS.iter().any(|api| api.key == key);
            assert!(is_there || !super::super::shapes::is_known(key), "API {key} is missing in APIS");
        }
    }
}
