//! Shapes against the decoder: they must end in the same place, or the check of counts is worth nothing.

use super::*;
use crate::config::Config;
use crate::faults::{FaultHandle, FaultPlan};
use crate::random::Random;
use kafka_protocol::messages::create_topics_request as create;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::{fetch_request as fetched, list_offsets_request as listed};
use kafka_protocol::messages::{offset_commit_request as commit, offset_delete_request as deleted};
use kafka_protocol::messages::{offset_fetch_request as offsets, produce_request as produced, *};
use uuid::Uuid;

/// Every version of the request that can be encoded is accepted, and no shorter one.
fn accepted<A: Api>(request: &A::Request) -> usize {
    let mut versions = 0;
    for version in A::VERSIONS {
        let mut body = BytesMut::new();
        if request.encode(&mut body, version).is_err() {
            continue; // a field that this version does not have
        }
        versions += 1;
        let at = |error| panic!("{} version {version}: {error}", A::Request::KEY);
        check::<A>(&body, version).unwrap_or_else(at);
        for cut in 0..body.len() {
            assert!(check::<A>(&body[..cut], version).is_err(), "cut at {cut}");
        }
    }
    versions
}

fn two<T: Clone>(one: T) -> Vec<T> {
    vec![one.clone(), one]
}

macro_rules! each {
    ($($api:ty => $request:expr;)*) => {$(
        assert!(accepted::<$api>(&Default::default()) > 0);
        assert!(accepted::<$api>(&$request) > 0, stringify!($api));
    )*};
}

#[test]
fn all_versions_of_requests_with_data_are_accepted() {
    let fetched_topic = fetched::FetchTopic::default().with_partitions(two(Default::default()));
    let replica = fetched::FetchPartition::default()
        .with_replica_directory_id(Uuid::from_u128(7))
        .with_high_watermark(7);
    let forgotten = fetched::ForgottenTopic::default().with_partitions(two(7));
    let records = produced::PartitionProduceData::default().with_records(Some(Bytes::from_static(b"batch")));
    each! {
        produce::Produce => ProduceRequest::default().with_topic_data(two(
            produced::TopicProduceData::default().with_partition_data(two(records.clone()))));
        fetch::Fetch => FetchRequest::default().with_topics(two(fetched_topic.clone()));
        fetch::Fetch => FetchRequest::default().with_cluster_id(Some(text("c")))
            .with_forgotten_topics_data(two(forgotten.clone()))
            .with_topics(two(fetched_topic.clone()));
        fetch::Fetch => FetchRequest::default().with_cluster_id(Some(text("c")))
            .with_replica_state(fetched::ReplicaState::default().with_replica_epoch(7))
            .with_topics(two(fetched::FetchTopic::default().with_partitions(two(replica.clone()))));
        list_offsets::ListOffsets => ListOffsetsRequest::default().with_topics(two(
            listed::ListOffsetsTopic::default().with_partitions(two(Default::default()))));
        offset_for_leader_epoch::OffsetForLeaderEpoch => OffsetForLeaderEpochRequest::default().with_topics(
            two(offset_for_leader_epoch_request::OffsetForLeaderTopic::default()
                .with_partitions(two(Default::default()))));
    }
}

#[test]
fn all_versions_of_requests_about_groups_are_accepted() {
    let in_group = offsets::OffsetFetchRequestTopics::default().with_partition_indexes(two(7));
    each! {
        offset_commit::OffsetCommit => OffsetCommitRequest::default().with_topics(two(
            commit::OffsetCommitRequestTopic::default().with_partitions(two(Default::default()))));
        offset_fetch::OffsetFetch => OffsetFetchRequest::default().with_topics(Some(two(
            offsets::OffsetFetchRequestTopic::default().with_partition_indexes(two(7)))));
        offset_fetch::OffsetFetch => OffsetFetchRequest::default().with_groups(two(
            offsets::OffsetFetchRequestGroup::default().with_topics(Some(two(in_group.clone())))));
        offset_delete::OffsetDelete => OffsetDeleteRequest::default().with_topics(two(
            deleted::OffsetDeleteRequestTopic::default().with_partitions(two(Default::default()))));
        find_coordinator::FindCoordinator => FindCoordinatorRequest::default().with_key(text("g"));
        find_coordinator::FindCoordinator =>
            FindCoordinatorRequest::default().with_coordinator_keys(two(text("g")));
        join_group::JoinGroup => JoinGroupRequest::default().with_protocols(two(
            join_group_request::JoinGroupRequestProtocol::default()
                .with_metadata(Bytes::from_static(b"m"))));
        heartbeat::Heartbeat => HeartbeatRequest::default().with_group_instance_id(Some(text("i")));
        leave_group::LeaveGroup => LeaveGroupRequest::default().with_members(two(Default::default()));
        sync_group::SyncGroup => SyncGroupRequest::default().with_assignments(two(
            sync_group_request::SyncGroupRequestAssignment::default()
                .with_assignment(Bytes::from_static(b"a"))));
        describe_groups::DescribeGroups => DescribeGroupsRequest::default().with_groups(two(
            GroupId(text("g"))));
        list_groups::ListGroups => ListGroupsRequest::default().with_states_filter(two(text("Stable")));
        list_groups::ListGroups => ListGroupsRequest::default().with_states_filter(two(text("Stable")))
            .with_types_filter(two(text("classic")));
        delete_groups::DeleteGroups => DeleteGroupsRequest::default().with_groups_names(two(
            GroupId(text("g"))));
    }
}

#[test]
fn all_versions_of_requests_about_the_cluster_are_accepted() {
    let topic = create::CreatableTopic::default()
        .with_assignments(
            two(create::CreatableReplicaAssignment::default().with_broker_ids(two(BrokerId(1)))),
        )
        .with_configs(two(Default::default()));
    let asked = metadata_request::MetadataRequestTopic::default().with_name(Some(TopicName(text("t"))));
    each! {
        metadata::Metadata => MetadataRequest::default().with_topics(Some(two(asked.clone())));
        api_versions::ApiVersions => ApiVersionsRequest::default()
            .with_client_software_name(text("n")).with_client_software_version(text("1"));
        create_topics::CreateTopics => CreateTopicsRequest::default().with_topics(two(topic.clone()));
        delete_topics::DeleteTopics => DeleteTopicsRequest::default().with_topic_names(two(
            TopicName(text("t"))));
        delete_topics::DeleteTopics => DeleteTopicsRequest::default().with_topics(two(Default::default()));
        init_producer_id::InitProducerId => InitProducerIdRequest::default().with_producer_id(ProducerId(7));
        describe_configs::DescribeConfigs => DescribeConfigsRequest::default().with_resources(two(
            DescribeConfigsResource::default().with_configuration_keys(Some(two(text("k"))))));
        describe_cluster::DescribeCluster =>
            DescribeClusterRequest::default().with_include_cluster_authorized_operations(true);
    }
}

/// The decoder reads a tagged field that it knows without regard to the length before it.
#[test]
fn a_tagged_field_cannot_lead_the_decoder_astray() {
    let mut body = BytesMut::new();
    FetchRequest::default().with_cluster_id(Some(text("c"))).encode(&mut body, 12).unwrap();
    let tags = body.len() - 5;
    assert_eq!(body[tags..], [1, 0, 2, 2, b'c']);
    assert_eq!(check::<fetch::Fetch>(&body, 12), Ok(()));
    body[tags + 2] = 1;
    assert_eq!(check::<fetch::Fetch>(&body, 12), Err(ShapeError::Truncated));
    body[tags + 2] = 2;
    body[tags + 3] = 1;
    assert_eq!(check::<fetch::Fetch>(&body, 12), Err(ShapeError::TagLength { number: 0 }));
}

/// Mostly small bytes: they are plausible lengths and counts.
fn small(random: &mut Random) -> u8 {
    let bound = if random.below(8) == 0 { 256 } else { 3 };
    random.below(bound) as u8
}

/// Random bodies of every API and version are decoded or refused: no panic, no huge allocation.
#[tokio::test]
async fn no_bytes_hurt_a_decoder() {
    let shared = Shared::open(Config::default(), FaultHandle::new(FaultPlan::new())).unwrap();
    let mut call = Call {
        shared: Arc::new(shared),
        version: 0,
        client_id: String::new(),
        client_host: String::new(),
        host: "localhost".into(),
        port: 9092,
    };
    let mut random = Random::seeded(1);
    let mut decoded = 0;
    for &(key, min, max) in SERVED {
        for version in min..=max {
            call.version = version;
            for _ in 0..200 {
                let body: Vec<u8> = (0..random.below(64)).map(|_| small(&mut random)).collect();
                let error = ResponseError::UnknownServerError;
                decoded += usize::from(dispatch(&call, key, 1, body.into(), Some(error)).await.is_ok());
            }
        }
    }
    assert!(decoded > 0, "some bodies must get as far as the decoder");
}
