//! Versions, frames, and bytes that no client should send.

use crate::client::{Client, batch, fetch_request, produce_request, start, text, topic as named};
use bytes::Bytes;
use crossdock_broker::{ApiKey, Broker, FaultAction, FaultRule, ResponseError};
use kafka_protocol::messages::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig,
};
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::fetch_request::ForgottenTopic;
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::offset_delete_request::{
    OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use kafka_protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopic};
use kafka_protocol::messages::offset_for_leader_epoch_request::{
    OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::{
    ApiVersionsRequest, ApiVersionsResponse, BrokerId, CreateTopicsRequest, DeleteGroupsRequest,
    DeleteTopicsRequest, DescribeClusterRequest, DescribeConfigsRequest, DescribeGroupsRequest,
    FindCoordinatorRequest, GroupId, HeartbeatRequest, InitProducerIdRequest, JoinGroupRequest,
    LeaveGroupRequest, ListGroupsRequest, ListOffsetsRequest, MetadataRequest, OffsetCommitRequest,
    OffsetDeleteRequest, OffsetFetchRequest, OffsetForLeaderEpochRequest, SyncGroupRequest,
};
use kafka_protocol::protocol::Request;
use std::collections::BTreeMap;

/// Sends a request in every version that is served, twice: once as it is, once with a scripted error.
async fn in_all_versions<R: Request>(
    broker: &Broker,
    served: &BTreeMap<i16, (i16, i16)>,
    request: impl Fn(i16) -> R,
) {
    let key = ApiKey::try_from(R::KEY).unwrap();
    let (min, max) = served[&R::KEY];
    let mut client = Client::connect(broker).await;
    for version in min..=max {
        let reply = client.try_call(version, &request(version)).await;
        assert!(reply.is_ok(), "{key:?} of version {version} has no reply");
        let error = FaultAction::ReplyError(ResponseError::CoordinatorLoadInProgress);
        let rule = broker.faults().add(FaultRule::new(error).api(key).times(1));
        let reply = client.try_call(version, &request(version)).await;
        assert!(reply.is_ok(), "{key:?} of version {version} cannot be refused");
        assert_eq!(broker.faults().hits(rule), 1);
    }
}

#[tokio::test]
async fn every_version_that_is_advertised_is_served() {
    let (broker, mut client) = start().await;
    client.create("t", 1).await;
    let id = client.call(12, MetadataRequest::default().with_topics(None)).await.topics[0].topic_id;
    let versions = client.call(3, ApiVersionsRequest::default()).await;
    let served: BTreeMap<_, _> =
        versions.api_keys.iter().map(|api| (api.api_key, (api.min_version, api.max_version))).collect();
    assert_eq!(served.len(), 22);
    let (broker, served) = (&broker, &served);
    let group = || GroupId(text("g"));
    in_all_versions(broker, served, |_| ApiVersionsRequest::default()).await;
    in_all_versions(broker, served, |version| {
        let known = MetadataRequestTopic::default().with_name(Some(named("t")));
        let missing = MetadataRequestTopic::default().with_name(Some(named("/")));
        let by_id = MetadataRequestTopic::default().with_topic_id(id).with_name(None);
        let mut topics = vec![known, missing];
        topics.extend((version >= 12).then_some(by_id));
        MetadataRequest::default().with_topics(Some(topics))
    })
    .await;
    in_all_versions(broker, served, |version| {
        let name = named(&format!("new-{version}"));
        let assignment = CreatableReplicaAssignment::default().with_broker_ids(vec![BrokerId(1)]);
        let config =
            CreatableTopicConfig::default().with_name(text("retention.ms")).with_value(Some(text("1")));
        let topic = CreatableTopic::default()
            .with_name(name)
            .with_num_partitions(-1)
            .with_replication_factor(-1)
            .with_assignments(vec![assignment])
            .with_configs(vec![config]);
        CreateTopicsRequest::default().with_topics(vec![topic])
    })
    .await;
    in_all_versions(broker, served, |version| match version {
        ..6 => DeleteTopicsRequest::default().with_topic_names(vec![named("nosuch")]),
        _ => DeleteTopicsRequest::default(),
    })
    .await;
    in_all_versions(broker, served, |version| {
        let mut request = produce_request("t", 0, batch(&["a"]), -1);
        if version >= 13 {
            request.topic_data[0].name = Default::default();
            request.topic_data[0].topic_id = id;
        }
        request
    })
    .await;
    in_all_versions(broker, served, |version| {
        let mut request = fetch_request("t", 0);
        if version >= 13 {
            request.topics[0].topic = Default::default();
            request.topics[0].topic_id = id;
        }
        if version >= 7 {
            let mut forgotten = ForgottenTopic::default().with_partitions(vec![1, 2]);
            match version {
                ..13 => forgotten.topic = named("t"),
                _ => forgotten.topic_id = id,
            }
            request.forgotten_topics_data = vec![forgotten];
        }
        request
    })
    .await;
    in_all_versions(broker, served, |_| {
        let partition = ListOffsetsPartition::default().with_timestamp(0).with_current_leader_epoch(-1);
        let topic = ListOffsetsTopic::default().with_name(named("t")).with_partitions(vec![partition]);
        ListOffsetsRequest::default().with_topics(vec![topic])
    })
    .await;
    in_all_versions(broker, served, |_| {
        let partitions = vec![OffsetForLeaderPartition::default(); 2];
        let topic = OffsetForLeaderTopic::default().with_topic(named("t")).with_partitions(partitions);
        OffsetForLeaderEpochRequest::default().with_topics(vec![topic])
    })
    .await;
    in_all_versions(broker, served, |version| match version {
        ..4 => FindCoordinatorRequest::default().with_key(text("g")),
        _ => FindCoordinatorRequest::default().with_coordinator_keys(vec![text("g")]),
    })
    .await;
    // Refused at once: no session timeout is so short.
    in_all_versions(broker, served, |_| {
        let protocol = JoinGroupRequestProtocol::default().with_metadata(Bytes::from_static(b"meta"));
        JoinGroupRequest::default().with_group_id(group()).with_protocols(vec![protocol; 2])
    })
    .await;
    in_all_versions(broker, served, |_| {
        let assignment = SyncGroupRequestAssignment::default().with_assignment(Bytes::from_static(b"all"));
        SyncGroupRequest::default().with_group_id(group()).with_assignments(vec![assignment; 2])
    })
    .await;
    in_all_versions(broker, served, |_| HeartbeatRequest::default().with_group_id(group())).await;
    in_all_versions(broker, served, |version| {
        let request = LeaveGroupRequest::default().with_group_id(group());
        if version < 3 { request } else { request.with_members(vec![MemberIdentity::default()]) }
    })
    .await;
    in_all_versions(broker, served, |_| DescribeGroupsRequest::default().with_groups(vec![group()])).await;
    in_all_versions(broker, served, |_| ListGroupsRequest::default()).await;
    in_all_versions(broker, served, |_| DeleteGroupsRequest::default().with_groups_names(vec![group()]))
        .await;
    in_all_versions(broker, served, |_| {
        let partitions = vec![OffsetCommitRequestPartition::default(); 2];
        let topic = OffsetCommitRequestTopic::default().with_name(named("t")).with_partitions(partitions);
        OffsetCommitRequest::default().with_group_id(group()).with_topics(vec![topic; 2])
    })
    .await;
    in_all_versions(broker, served, |version| match version {
        ..8 => {
            let topic =
                OffsetFetchRequestTopic::default().with_name(named("t")).with_partition_indexes(vec![0]);
            OffsetFetchRequest::default().with_group_id(group()).with_topics(Some(vec![topic]))
        }
        _ => {
            let all = OffsetFetchRequestGroup::default().with_group_id(group()).with_topics(None);
            OffsetFetchRequest::default().with_groups(vec![all])
        }
    })
    .await;
    in_all_versions(broker, served, |_| {
        let partitions = vec![OffsetDeleteRequestPartition::default(); 2];
        let topic = OffsetDeleteRequestTopic::default().with_name(named("t")).with_partitions(partitions);
        OffsetDeleteRequest::default().with_group_id(group()).with_topics(vec![topic])
    })
    .await;
    in_all_versions(broker, served, |_| InitProducerIdRequest::default()).await;
    in_all_versions(broker, served, |_| {
        let topic = DescribeConfigsResource::default().with_resource_type(2).with_resource_name(text("t"));
        let topic = topic.with_configuration_keys(Some(vec![text("retention.ms")]));
        let broker = DescribeConfigsResource::default().with_resource_type(4).with_resource_name(text("1"));
        DescribeConfigsRequest::default().with_resources(vec![topic, broker])
    })
    .await;
    in_all_versions(broker, served, |_| DescribeClusterRequest::default()).await;
}

#[tokio::test]
async fn an_unknown_version_of_api_versions_is_answered_in_version_0() {
    let (_broker, mut client) = start().await;
    // Key 18, version 99, correlation id 7, then what the broker cannot know.
    client.send_frame(&[0, 18, 0, 99, 0, 0, 0, 7, 0xff, 0xff]).await.unwrap();
    let (correlation_id, reply): (i32, ApiVersionsResponse) =
        client.receive::<ApiVersionsRequest>(0).await.unwrap();
    assert_eq!((correlation_id, reply.error_code), (7, ResponseError::UnsupportedVersion.code()));
    assert_eq!(reply.api_keys[0].api_key, 18);
    // The connection goes on.
    client.call(3, ApiVersionsRequest::default()).await;
}

#[tokio::test]
async fn bad_bytes_close_their_connection_and_no_other() {
    let (broker, mut bystander) = start().await;
    let huge_count = [0, 3, 0, 1, 0, 0, 0, 1, 0, 0, 0x7f, 0xff, 0xff, 0xff];
    let trailing = [0, 12, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9];
    let unknown_api = [0x7f, 0, 0, 0, 0, 0, 0, 1, 0xff, 0xff];
    let not_served = [0, 26, 0, 3, 0, 0, 0, 1, 0xff, 0xff, 0];
    let unknown_version = [0, 3, 0, 99, 0, 0, 0, 1, 0xff, 0xff, 0];
    let frames: [&[u8]; 8] = [
        &[],
        &[0, 3],
        &[0, 3, 0, 1, 0, 0, 0, 1, 0, 9],
        &huge_count,
        &trailing,
        &unknown_api,
        &not_served,
        &unknown_version,
    ];
    for frame in frames {
        let mut client = Client::connect(&broker).await;
        client.send_frame(frame).await.unwrap();
        assert!(client.rest().await.is_empty(), "{frame:?}");
    }
    for raw in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0xff; 16], &[0x06, 0x40, 0, 1]] {
        let mut client = Client::connect(&broker).await;
        client.send_raw(raw).await.unwrap();
        assert!(client.rest().await.is_empty(), "{raw:?}");
    }
    bystander.call(12, MetadataRequest::default()).await;
}

/// Random bytes as the body of every request in every version never take the broker down.
#[tokio::test]
async fn damaged_requests_do_not_hurt() {
    let (broker, mut client) = start().await;
    client.create("t", 1).await;
    let served = client.call(3, ApiVersionsRequest::default()).await.api_keys;
    let mut random = 1u64;
    let mut next = move || {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) as u8
    };
    for api in &served {
        for version in api.min_version..=api.max_version {
            let mut client = Client::connect(&broker).await;
            let mut frame =
                [&api.api_key.to_be_bytes()[..], &version.to_be_bytes(), &[0, 0, 0, 1, 0, 0]].concat();
            // Mostly small bytes: they are plausible lengths and counts.
            frame.extend((0..40).map(|_| if next() % 4 == 0 { next() } else { next() % 3 }));
            if client.send_frame(&frame).await.is_ok() {
                // A request that is valid by chance may wait; the others close the connection.
                let _ = tokio::time::timeout(std::time::Duration::from_millis(50), client.rest()).await;
            }
        }
    }
    client.call(12, MetadataRequest::default().with_topics(None)).await;
}
