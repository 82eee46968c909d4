//! Groups and committed offsets over the wire; the rules themselves are tested at the state machine.

use crate::client::{Client, start, text, topic};
use bytes::Bytes;
use crossdock_broker::{ApiKey, Broker, ResponseError};
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::offset_delete_request::{
    OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::{
    DeleteGroupsRequest, DescribeGroupsRequest, FindCoordinatorRequest, GroupId, HeartbeatRequest,
    JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest, ListGroupsRequest, OffsetCommitRequest,
    OffsetDeleteRequest, OffsetFetchRequest, SyncGroupRequest,
};
use kafka_protocol::protocol::StrBytes;
use std::time::Duration;

fn group() -> GroupId {
    GroupId(text("g"))
}

fn join_request(member_id: StrBytes) -> JoinGroupRequest {
    let protocol = JoinGroupRequestProtocol::default()
        .with_name(text("sessioned"))
        .with_metadata(Bytes::from_static(b"m"));
    JoinGroupRequest::default()
        .with_group_id(group())
        .with_session_timeout_ms(10_000)
        .with_rebalance_timeout_ms(60_000)
        .with_member_id(member_id)
        .with_protocol_type(text("connect"))
        .with_protocols(vec![protocol])
}

/// Joins as a new member does since version 4: the first try gives it its id.
async fn join(client: &mut Client) -> JoinGroupResponse {
    let first = client.call(9, join_request(StrBytes::default())).await;
    assert_eq!(first.error_code, ResponseError::MemberIdRequired.code());
    assert!(first.member_id.starts_with("e2e-"), "{:?}", first.member_id);
    client.call(9, join_request(first.member_id)).await
}

fn sync_request(joined: &JoinGroupResponse, assignments: &[(&str, &'static str)]) -> SyncGroupRequest {
    let own = |(member, assignment): &(&str, &'static str)| {
        SyncGroupRequestAssignment::default()
            .with_member_id(text(member))
            .with_assignment(Bytes::from_static(assignment.as_bytes()))
    };
    SyncGroupRequest::default()
        .with_group_id(group())
        .with_generation_id(joined.generation_id)
        .with_member_id(joined.member_id.clone())
        .with_protocol_type(Some(text("connect")))
        .with_protocol_name(Some(text("sessioned")))
        .with_assignments(assignments.iter().map(own).collect())
}

fn heartbeat(joined: &JoinGroupResponse) -> HeartbeatRequest {
    HeartbeatRequest::default()
        .with_group_id(group())
        .with_generation_id(joined.generation_id)
        .with_member_id(joined.member_id.clone())
}

fn commit(generation: i32, member_id: StrBytes, offset: i64) -> OffsetCommitRequest {
    let partition = OffsetCommitRequestPartition::default()
        .with_committed_offset(offset)
        .with_committed_metadata(Some(text("note")));
    let wanted = OffsetCommitRequestTopic::default().with_name(topic("t")).with_partitions(vec![partition]);
    OffsetCommitRequest::default()
        .with_group_id(group())
        .with_generation_id_or_member_epoch(generation)
        .with_member_id(member_id)
        .with_topics(vec![wanted])
}

/// The committed offset of partition 0 of `t`.
pub(crate) async fn committed(client: &mut Client) -> i64 {
    let wanted = OffsetFetchRequestTopics::default().with_name(topic("t")).with_partition_indexes(vec![0]);
    let wanted = OffsetFetchRequestGroup::default().with_group_id(group()).with_topics(Some(vec![wanted]));
    let reply = client.call(8, OffsetFetchRequest::default().with_groups(vec![wanted])).await;
    reply.groups[0].topics[0].partitions[0].committed_offset
}

pub(crate) async fn commit_from_outside(client: &mut Client, offset: i64) -> i16 {
    let reply = client.call(8, commit(-1, StrBytes::default(), offset)).await;
    reply.topics[0].partitions[0].error_code
}

#[tokio::test]
async fn two_members_share_a_group() {
    let (broker, mut first) = start().await;
    let mut second = Client::connect(&broker).await;
    let a = join(&mut first).await;
    assert_eq!((a.error_code, a.generation_id, &a.leader), (0, 1, &a.member_id));
    let synced = first.call(5, sync_request(&a, &[(&a.member_id, "all")])).await;
    assert_eq!((synced.error_code, &synced.assignment[..]), (0, &b"all"[..]));

    let b = tokio::spawn(async move {
        let joined = join(&mut second).await;
        (second, joined)
    });
    // Two requests of the first member, two of the second.
    broker.faults().wait_for_requests(ApiKey::JoinGroup, 4).await;
    while first.call(4, heartbeat(&a)).await.error_code == 0 {
        tokio::task::yield_now().await;
    }
    let a = first.call(9, join_request(a.member_id)).await;
    let (mut second, b) = b.await.unwrap();
    assert_eq!((a.generation_id, b.generation_id), (2, 2));
    assert_eq!((a.members.len(), b.members.len()), (2, 0));
    let waiting = tokio::spawn({
        let request = sync_request(&b, &[]);
        async move { second.call(5, request).await }
    });
    let ids = [(&*a.member_id.to_string(), "one"), (&*b.member_id.to_string(), "two")];
    assert_eq!(first.call(5, sync_request(&a, &ids)).await.assignment, "one");
    assert_eq!(waiting.await.unwrap().assignment, "two");
    assert_eq!(first.call(4, heartbeat(&a)).await.error_code, 0);

    let described = first.call(5, DescribeGroupsRequest::default().with_groups(vec![group()])).await;
    let described = &described.groups[0];
    assert_eq!(
        (&*described.group_state, &*described.protocol_type, described.members.len()),
        (&*text("Stable"), &*text("connect"), 2)
    );
}

#[tokio::test]
async fn a_silent_member_is_expired_by_the_clock() {
    let broker = Broker::builder().min_session_timeout(Duration::from_millis(1)).start().await.unwrap();
    let mut silent = Client::connect(&broker).await;
    let request = join_request(StrBytes::default()).with_session_timeout_ms(20);
    // Version 3 joins at once.
    let joined = silent.call(3, request).await;
    assert_eq!(joined.error_code, 0);
    // The second member's join is answered only when the first has gone.
    let other = join(&mut Client::connect(&broker).await).await;
    assert_eq!((other.members.len(), &other.leader), (1, &other.member_id));
    let error = silent.call(4, heartbeat(&joined)).await.error_code;
    assert_eq!(error, ResponseError::UnknownMemberId.code());
}

#[tokio::test]
async fn leaving_works_in_both_forms() {
    let (_broker, mut client) = start().await;
    let unknown = ResponseError::UnknownMemberId.code();
    let joined = join(&mut client).await;
    let leave = LeaveGroupRequest::default().with_group_id(group()).with_member_id(joined.member_id);
    assert_eq!(client.call(2, leave.clone()).await.error_code, 0);
    assert_eq!(client.call(2, leave).await.error_code, unknown);
    let joined = join(&mut client).await;
    let members = [joined.member_id, text("x")];
    let members = members.map(|id| MemberIdentity::default().with_member_id(id)).to_vec();
    let leave = LeaveGroupRequest::default().with_group_id(group()).with_members(members);
    let reply = client.call(5, leave).await;
    let errors: Vec<_> = reply.members.iter().map(|member| member.error_code).collect();
    assert_eq!((reply.error_code, errors), (0, vec![0, unknown]));
}

#[tokio::test]
async fn offsets_are_committed_and_fetched() {
    let (_broker, mut client) = start().await;
    client.create("t", 1).await;
    assert_eq!(committed(&mut client).await, -1);
    assert_eq!(commit_from_outside(&mut client, 5).await, 0);
    assert_eq!(committed(&mut client).await, 5);
    let joined = join(&mut client).await;
    let outside = commit_from_outside(&mut client, 6).await;
    assert_eq!(outside, ResponseError::UnknownMemberId.code(), "the group has members now");
    client.call(5, sync_request(&joined, &[])).await;
    let reply = client.call(8, commit(joined.generation_id, joined.member_id.clone(), 7)).await;
    assert_eq!(reply.topics[0].partitions[0].error_code, 0);
    let reply = client.call(8, commit(9, joined.member_id, 8)).await;
    assert_eq!(reply.topics[0].partitions[0].error_code, ResponseError::IllegalGeneration.code());
    assert_eq!(committed(&mut client).await, 7);

    // All that there is, in the older form.
    let all = OffsetFetchRequest::default().with_group_id(group()).with_topics(None);
    let reply = client.call(7, all).await;
    assert_eq!(reply.topics[0].partitions[0].metadata, Some(text("note")));
    let wanted = OffsetFetchRequestTopic::default().with_name(topic("t")).with_partition_indexes(vec![0, 3]);
    let some = OffsetFetchRequest::default().with_group_id(group()).with_topics(Some(vec![wanted]));
    let reply = client.call(1, some).await;
    let offsets: Vec<_> =
        reply.topics[0].partitions.iter().map(|p| (p.error_code, p.committed_offset)).collect();
    assert_eq!(offsets, [(0, 7), (0, -1)]);
}

#[tokio::test]
async fn commits_are_checked() {
    let (_broker, mut client) = start().await;
    let unknown = commit_from_outside(&mut client, 1).await;
    assert_eq!(unknown, ResponseError::UnknownTopicOrPartition.code());
    client.create("t", 1).await;
    let mut request = commit(-1, StrBytes::default(), 1);
    request.topics[0].partitions[0].committed_metadata = Some(text(&"x".repeat(5000)));
    let reply = client.call(8, request).await;
    let too_large = ResponseError::OffsetMetadataTooLarge.code();
    assert_eq!(reply.topics[0].partitions[0].error_code, too_large);
    assert_eq!(committed(&mut client).await, -1);
}

#[tokio::test]
async fn groups_are_listed_and_deleted_when_empty() {
    let (_broker, mut client) = start().await;
    client.create("t", 1).await;
    commit_from_outside(&mut client, 5).await;
    let listed = client.call(5, ListGroupsRequest::default()).await;
    assert_eq!((&*listed.groups[0].group_state, listed.groups.len()), (&*text("Empty"), 1));
    let delete = DeleteGroupsRequest::default().with_groups_names(vec![group()]);
    let joined = join(&mut client).await;
    let reply = client.call(2, delete.clone()).await;
    assert_eq!(reply.results[0].error_code, ResponseError::NonEmptyGroup.code());
    let leave = LeaveGroupRequest::default().with_group_id(group()).with_member_id(joined.member_id);
    client.call(2, leave).await;
    assert_eq!(client.call(2, delete.clone()).await.results[0].error_code, 0);
    let reply = client.call(2, delete).await;
    assert_eq!(reply.results[0].error_code, ResponseError::GroupIdNotFound.code());
    assert_eq!(committed(&mut client).await, -1);
    let described = client.call(6, DescribeGroupsRequest::default().with_groups(vec![group()])).await;
    assert_eq!(described.groups[0].error_code, ResponseError::GroupIdNotFound.code());
}

#[tokio::test]
async fn single_offsets_are_deleted_when_nobody_is_in_the_group() {
    let (_broker, mut client) = start().await;
    client.create("t", 1).await;
    let partitions = vec![
        OffsetDeleteRequestPartition::default(),
        OffsetDeleteRequestPartition::default().with_partition_index(7),
    ];
    let wanted = OffsetDeleteRequestTopic::default().with_name(topic("t")).with_partitions(partitions);
    let delete = OffsetDeleteRequest::default().with_group_id(group()).with_topics(vec![wanted]);
    let missing = client.call(0, delete.clone()).await.error_code;
    assert_eq!(missing, ResponseError::GroupIdNotFound.code());
    commit_from_outside(&mut client, 5).await;
    let joined = join(&mut client).await;
    let in_use = client.call(0, delete.clone()).await.error_code;
    assert_eq!(in_use, ResponseError::NonEmptyGroup.code());
    assert_eq!(committed(&mut client).await, 5);
    let leave = LeaveGroupRequest::default().with_group_id(group()).with_member_id(joined.member_id);
    client.call(2, leave).await;
    let reply = client.call(0, delete).await;
    let codes: Vec<_> = reply.topics[0].partitions.iter().map(|p| p.error_code).collect();
    assert_eq!((reply.error_code, codes), (0, vec![0, ResponseError::UnknownTopicOrPartition.code()]));
    assert_eq!(committed(&mut client).await, -1);
}

#[tokio::test]
async fn the_broker_coordinates_groups_but_no_transactions() {
    let (broker, mut client) = start().await;
    let port = i32::from(broker.addr().port());
    let reply = client.call(0, FindCoordinatorRequest::default().with_key(text("g"))).await;
    assert_eq!((reply.error_code, reply.port), (0, port));
    let keys = vec![text("g"), text("h")];
    let reply = client.call(6, FindCoordinatorRequest::default().with_coordinator_keys(keys.clone())).await;
    assert!(reply.coordinators.iter().all(|found| found.error_code == 0 && found.port == port));
    let transactions = FindCoordinatorRequest::default().with_coordinator_keys(keys).with_key_type(1);
    let reply = client.call(6, transactions).await;
    let refused = &reply.coordinators[0];
    assert_eq!(refused.error_code, ResponseError::InvalidRequest.code());
    assert!(refused.error_message.as_ref().unwrap().contains("transactions"));
}
