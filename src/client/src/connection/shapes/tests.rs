use super::super::api_name;
use super::super::codec::decode_response;
use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::add_partitions_to_txn_response as add_partitions;
use kafka_protocol::messages::consumer_group_heartbeat_response as beat;
use kafka_protocol::messages::metadata_response::{MetadataResponsePartition, MetadataResponseTopic};
use kafka_protocol::messages::offset_for_leader_epoch_response as epochs;
use kafka_protocol::messages::txn_offset_commit_response as txn_commit;
use kafka_protocol::messages::{create_topics_response as create, describe_configs_response as configs};
use kafka_protocol::messages::{fetch_response as fetch, find_coordinator_response as find};
use kafka_protocol::messages::{join_group_response as join, leave_group_response as leave};
use kafka_protocol::messages::{list_offsets_response as list, offset_fetch_response as offsets};
use kafka_protocol::messages::{offset_commit_response as commit, produce_response as produce, *};
use kafka_protocol::protocol::{Encodable, Message, Request};
use proptest::prelude::*;

/// Every version of the response that can be encoded is accepted, and no shorter one.
pub(super) fn accepted<R: Request>(response: &R::Response) -> usize
where
    R::Response: PartialEq + std::fmt::Debug,
{
    let mut versions = 0;
    let range = R::Response::VERSIONS;
    for version in range.min..=range.max.min(R::VERSIONS.max) {
        let mut body = BytesMut::new();
        if response.encode(&mut body, version).is_err() {
            continue; // a field that this version does not have
        }
        versions += 1;
        super::check::<R>(&body, version)
            .unwrap_or_else(|e| panic!("{} version {version}: {e}", api_name(R::KEY)));
        for cut in 0..body.len() {
            assert!(super::check::<R>(&body[..cut], version).is_err(), "cut at {cut}");
        }
    }
    versions
}

pub(super) fn two<T: Clone>(one: T) -> Vec<T> {
    vec![one.clone(), one]
}

#[test]
fn all_versions_of_all_responses_are_accepted() {
    macro_rules! each {
        ($($request:ty => $response:expr;)*) => {$(
            assert!(accepted::<$request>(&Default::default()) > 0);
            assert!(accepted::<$request>(&$response) > 0, stringify!($request));
        )*};
    }
    let partition = MetadataResponsePartition::default().with_replica_nodes(two(BrokerId(3)));
    let topic = MetadataResponseTopic::default().with_partitions(two(partition));
    let config = configs::DescribeConfigsResourceResult::default().with_synonyms(two(Default::default()));
    let fetched = fetch::PartitionData::default()
        .with_aborted_transactions(Some(two(Default::default())))
        .with_records(Some(Bytes::from_static(b"batch")));
    let produced = produce::PartitionProduceResponse::default().with_record_errors(two(Default::default()));
    let led = produce::PartitionProduceResponse::default()
        .with_current_leader(produce::LeaderIdAndEpoch::default().with_leader_id(BrokerId(2)));
    let added = add_partitions::AddPartitionsToTxnTopicResult::default()
        .with_results_by_partition(two(Default::default()));
    each! {
        AddOffsetsToTxnRequest => AddOffsetsToTxnResponse::default();
        AddPartitionsToTxnRequest => AddPartitionsToTxnResponse::default()
            .with_results_by_topic_v3_and_below(two(added.clone()));
        AddPartitionsToTxnRequest => AddPartitionsToTxnResponse::default().with_results_by_transaction(two(
            add_partitions::AddPartitionsToTxnResult::default().with_topic_results(two(added.clone()))));
        ApiVersionsRequest => ApiVersionsResponse::default().with_api_keys(two(Default::default()))
            .with_supported_features(two(Default::default())).with_finalized_features_epoch(7);
        ApiVersionsRequest => ApiVersionsResponse::default().with_api_keys(two(Default::default()));
        ConsumerGroupHeartbeatRequest => ConsumerGroupHeartbeatResponse::default().with_assignment(Some(
            beat::Assignment::default().with_topic_partitions(two(
                beat::TopicPartitions::default().with_partitions(two(3))))));
        CreateTopicsRequest => CreateTopicsResponse::default().with_topics(two(
            create::CreatableTopicResult::default().with_configs(Some(two(Default::default())))));
        DeleteTopicsRequest => DeleteTopicsResponse::default().with_responses(two(
            delete_topics_response::DeletableTopicResult::default().with_name(Some(Default::default()))));
        DescribeConfigsRequest => DescribeConfigsResponse::default().with_results(two(
            configs::DescribeConfigsResult::default().with_configs(two(config.clone()))));
        EndTxnRequest => EndTxnResponse::default();
        FetchRequest => FetchResponse::default().with_responses(two(
            fetch::FetchableTopicResponse::default().with_partitions(two(fetched.clone()))));
        FindCoordinatorRequest => FindCoordinatorResponse::default().with_coordinators(two(
            find::Coordinator::default()));
        HeartbeatRequest => HeartbeatResponse::default();
        InitProducerIdRequest => InitProducerIdResponse::default();
        JoinGroupRequest => JoinGroupResponse::default().with_members(two(
            join::JoinGroupResponseMember::default().with_metadata(Bytes::from_static(b"m"))));
        LeaveGroupRequest => LeaveGroupResponse::default().with_members(two(
            leave::MemberResponse::default()));
        ListOffsetsRequest => ListOffsetsResponse::default().with_topics(two(
            list::ListOffsetsTopicResponse::default().with_partitions(two(Default::default()))));
        MetadataRequest => MetadataResponse::default().with_brokers(two(Default::default()))
            .with_topics(two(topic.clone().with_name(Some(Default::default()))));
        OffsetCommitRequest => OffsetCommitResponse::default().with_topics(two(
            commit::OffsetCommitResponseTopic::default().with_partitions(two(Default::default()))));
        OffsetFetchRequest => OffsetFetchResponse::default().with_topics(two(
            offsets::OffsetFetchResponseTopic::default().with_partitions(two(Default::default()))));
        OffsetFetchRequest => OffsetFetchResponse::default().with_groups(two(
            offsets::OffsetFetchResponseGroup::default().with_topics(two(
                offsets::OffsetFetchResponseTopics::default().with_partitions(two(Default::default()))))));
        OffsetForLeaderEpochRequest => OffsetForLeaderEpochResponse::default().with_topics(two(
            epochs::OffsetForLeaderTopicResult::default().with_partitions(two(Default::default()))));
        ProduceRequest => ProduceResponse::default().with_responses(two(
            produce::TopicProduceResponse::default().with_partition_responses(two(produced.clone()))));
        ProduceRequest => ProduceResponse::default().with_node_endpoints(two(Default::default()))
            .with_responses(two(
                produce::TopicProduceResponse::default().with_partition_responses(two(led.clone()))));
        SaslAuthenticateRequest => SaslAuthenticateResponse::default()
            .with_auth_bytes(Bytes::from_static(b"token"));
        SaslHandshakeRequest => SaslHandshakeResponse::default().with_mechanisms(two(Default::default()));
        SyncGroupRequest => SyncGroupResponse::default().with_assignment(Bytes::from_static(b"a"));
        TxnOffsetCommitRequest => TxnOffsetCommitResponse::default().with_topics(two(
            txn_commit::TxnOffsetCommitResponseTopic::default().with_partitions(two(Default::default()))));
    }
}

#[test]
fn a_count_without_elements_asks_for_no_memory() {
    // Metadata 1: brokers counted as i32::MAX; Metadata 9: as u32::MAX.
    let plain = Bytes::from_static(&[0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0]);
    assert!(decode_response::<MetadataRequest>(plain, 1).is_err());
    let flexible = Bytes::from_static(&[0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0]);
    assert!(decode_response::<MetadataRequest>(flexible, 9).is_err());
    // In a tagged field of Produce 10.
    let tagged = Bytes::from_static(&[0, 1, 0, 0, 0, 0, 1, 0, 5, 0xff, 0xff, 0xff, 0xff, 0x0f]);
    assert!(decode_response::<ProduceRequest>(tagged, 10).is_err());
}

proptest! {
    #[test]
    fn no_bytes_make_decoding_panic(bytes: Vec<u8>, version in 0i16..13) {
        let bytes = Bytes::from(bytes);
        let _ = decode_response::<MetadataRequest>(bytes.clone(), version.max(1));
        let _ = decode_response::<ProduceRequest>(bytes.clone(), version.max(3));
        let _ = decode_response::<FetchRequest>(bytes.clone(), version.max(4));
        let _ = decode_response::<JoinGroupRequest>(bytes.clone(), version.min(9));
        let _ = decode_response::<ApiVersionsRequest>(bytes, version.min(4));
    }
}
