//! The consumer against the embedded broker, with faults.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a failed set-up ends the test")]

use crossdock_broker::{ApiKey, Broker, FaultAction, FaultRule, ResponseError};
use crossdock_client::admin::NewTopic;
use crossdock_client::group::Standing;
use crossdock_client::{
    Admin, BrokerError, ClientConfig, Cluster, CommitError, ConnectionClass, Consumer, ConsumerConfig,
    ConsumerError, ConsumerEvent, ErrorCode, OffsetAndMetadata, TopicPartition,
};
use crossdock_wire::{BatchBuilder, ProducerStamp};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{ProduceRequest, TopicName};
use kafka_protocol::protocol::StrBytes;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

struct Setup {
    broker: Broker,
    cluster: Cluster,
}

async fn setup(partitions: i32, pairs: &[(&str, &str)]) -> Setup {
    let broker = Broker::builder().min_session_timeout(Duration::from_millis(100)).start().await.unwrap();
    let mut map = BTreeMap::from([("bootstrap.servers".to_owned(), broker.bootstrap().to_string())]);
    let quick = [("retry.backoff.ms", "5"), ("retry.backoff.max.ms", "50"), ("reconnect.backoff.ms", "5")];
    map.extend(quick.iter().chain(pairs).map(|(k, v)| ((*k).to_owned(), (*v).to_owned())));
    let cluster = Cluster::new(ClientConfig::from_map(&map).unwrap());
    assert!(Admin::new(cluster.clone()).create_topic(&NewTopic::new("t", partitions, 1)).await.unwrap());
    Setup { broker, cluster }
}

impl Setup {
    fn consumer(&self, pairs: &[(&str, &str)]) -> Consumer {
        let defaults =
            [("group.id", "g"), ("auto.offset.reset", "earliest"), ("heartbeat.interval.ms", "20")];
        let pairs = defaults.iter().chain(pairs).map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        Consumer::start(self.cluster.clone(), ConsumerConfig::from_map(&pairs.collect()).unwrap())
    }

    /// A member that has its assignment.
    async fn member(&self, pairs: &[(&str, &str)]) -> Consumer {
        let mut consumer = self.consumer(pairs);
        consumer.subscribe(vec!["t".to_owned()]).unwrap();
        assert!(matches!(next(&mut consumer).await, ConsumerEvent::Assigned(_)));
        consumer
    }

    /// Appends batches of ten records of 100 bytes each.
    async fn produce(&self, partition: i32, batches: usize) {
        for _ in 0..batches {
            let mut batch = BatchBuilder::with_capacity(2000);
            for _ in 0..10 {
                assert!(batch.append(1, None, Some(&[b'x'; 100]), std::iter::empty()));
            }
            let batch = batch.finish(ProducerStamp::NONE, false);
            let data = PartitionProduceData::default().with_index(partition).with_records(Some(batch));
            let name = TopicName(StrBytes::from_static_str("t"));
            let data = TopicProduceData::default().with_name(name).with_partition_data(vec![data]);
            let request =
                ProduceRequest::default().with_acks(-1).with_timeout_ms(1000).with_topic_data(vec![data]);
            let attempt = || async {
                let (node, _) = self.cluster.leader("t", partition).await?;
                let class = ConnectionClass::Produce;
                let answer = self.cluster.call(node, class, request.clone(), 9, PATIENCE).await?;
                let code = ErrorCode(answer.responses[0].partition_responses[0].error_code);
                code.ok().map_err(|code| BrokerError::new(code, "Produce").into())
            };
            self.cluster.retrying("producing", PATIENCE, attempt).await.unwrap();
        }
    }

    fn fault(&self, api: ApiKey, action: FaultAction) -> FaultRule {
        let rule = FaultRule::new(action).api(api);
        self.broker.faults().add(rule.clone().times(1));
        rule
    }
}

fn tp(partition: i32) -> TopicPartition {
    TopicPartition::new("t", partition)
}

fn at(offset: i64) -> HashMap<TopicPartition, OffsetAndMetadata> {
    HashMap::from([(tp(0), OffsetAndMetadata::new(offset))])
}

async fn try_next(consumer: &mut Consumer) -> Result<ConsumerEvent, ConsumerError> {
    tokio::time::timeout(PATIENCE, consumer.next()).await.expect("an event in time")
}

async fn next(consumer: &mut Consumer) -> ConsumerEvent {
    try_next(consumer).await.unwrap()
}

/// Reads partition 0 up to `end`, and checks that no offset is missing or comes twice.
async fn read_to(consumer: &mut Consumer, mut offset: i64, end: i64) {
    while offset < end {
        let ConsumerEvent::Records(fetched) = next(consumer).await else { panic!("not now") };
        for record in fetched.records() {
            assert_eq!(record.unwrap().offset, offset);
            offset += 1;
        }
    }
    assert_eq!(offset, end);
}

#[tokio::test]
async fn no_record_is_lost_or_doubled_by_broken_connections() {
    let setup = setup(1, &[("request.timeout.ms", "300")]).await;
    setup.produce(0, 30).await;
    let rule = |action, after, times| FaultRule::new(action).api(ApiKey::Fetch).after(after).times(times);
    for (after, action) in [
        (1, FaultAction::CloseAfterProcessing),
        (2, FaultAction::CloseAfterBytes(3)),
        (3, FaultAction::CloseAfterBytes(500)),
        (3, FaultAction::CloseConnection),
        (4, FaultAction::DropReply),
        (4, FaultAction::ReplyError(ResponseError::NotLeaderOrFollower)),
        (5, FaultAction::ReplyError(ResponseError::UnknownLeaderEpoch)),
        (5, FaultAction::ReplyError(ResponseError::KafkaStorageError)),
    ] {
        setup.broker.faults().add(rule(action, after, 1));
    }
    let settings = [("max.partition.fetch.bytes", "2500"), ("fetch.max.wait.ms", "20")];
    let mut consumer = setup.consumer(&settings);
    consumer.assign(vec![tp(0)]).unwrap();
    read_to(&mut consumer, 0, 300).await;
}

#[tokio::test]
async fn cancelled_calls_lose_nothing() {
    let setup = setup(1, &[]).await;
    setup.produce(0, 30).await;
    let mut consumer = setup.consumer(&[("max.partition.fetch.bytes", "1500")]);
    consumer.subscribe(vec!["t".to_owned()]).unwrap();
    let (mut offset, mut assigned) = (0, 0);
    while offset < 300 {
        // Polled once, then dropped; nothing else gives way to the consumer's tasks.
        let event = tokio::select! {
            biased;
            event = consumer.next() => event.unwrap(),
            () = tokio::task::yield_now() => continue,
        };
        match event {
            ConsumerEvent::Assigned(_) => assigned += 1,
            ConsumerEvent::Records(fetched) => {
                for record in fetched.records() {
                    assert_eq!(record.unwrap().offset, offset);
                    offset += 1;
                }
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(assigned, 1);
}

#[tokio::test]
async fn joining_survives_lost_connections_at_every_step() {
    for api in [
        ApiKey::FindCoordinator,
        ApiKey::JoinGroup,
        ApiKey::SyncGroup,
        ApiKey::OffsetFetch,
        ApiKey::ListOffsets,
        ApiKey::Metadata,
    ] {
        for action in [FaultAction::CloseConnection, FaultAction::CloseAfterProcessing] {
            let setup = setup(1, &[]).await;
            setup.produce(0, 1).await;
            setup.fault(api, action);
            // Members that a lost answer left behind must be gone soon.
            let mut consumer =
                setup.consumer(&[("session.timeout.ms", "1000"), ("max.poll.interval.ms", "2000")]);
            consumer.subscribe(vec!["t".to_owned()]).unwrap();
            while consumer.assignment().is_empty() {
                next(&mut consumer).await;
            }
            read_to(&mut consumer, 0, 10).await;
        }
    }
}

#[tokio::test]
async fn a_member_that_the_coordinator_forgot_loses_everything_and_comes_back() {
    let setup = setup(1, &[]).await;
    setup.produce(0, 1).await;
    let mut consumer = setup.member(&[]).await;
    read_to(&mut consumer, 0, 10).await;
    setup.fault(ApiKey::Heartbeat, FaultAction::ReplyError(ResponseError::UnknownMemberId));
    assert!(matches!(next(&mut consumer).await, ConsumerEvent::Lost(lost) if lost == [tp(0)]));
    assert!(matches!(consumer.commit(&at(10)).await, Err(CommitError::IllegalGeneration { .. })));
}

#[tokio::test]
async fn a_rebalance_is_told_before_it_goes_on() {
    let setup = setup(1, &[]).await;
    setup.produce(0, 1).await;
    let mut consumer = setup.member(&[]).await;
    read_to(&mut consumer, 0, 10).await;
    let joins = setup.broker.faults().requests(ApiKey::JoinGroup);
    setup.fault(ApiKey::Heartbeat, FaultAction::ReplyError(ResponseError::RebalanceInProgress));
    assert!(matches!(next(&mut consumer).await, ConsumerEvent::Revoked(revoked) if revoked == [tp(0)]));
    assert_eq!(consumer.position(&tp(0)), Some(10));
    consumer.commit(&at(10)).await.unwrap();
    // Heartbeats go on, and nothing is joined until the application asks again.
    let beats = setup.broker.faults().requests(ApiKey::Heartbeat);
    setup.broker.faults().wait_for_requests(ApiKey::Heartbeat, beats + 3).await;
    assert_eq!(setup.broker.faults().requests(ApiKey::JoinGroup), joins);
    assert!(matches!(next(&mut consumer).await, ConsumerEvent::Assigned(_)));
    setup.produce(0, 1).await;
    read_to(&mut consumer, 10, 20).await;
}

#[tokio::test]
async fn heartbeats_and_the_next_fetch_do_not_wait_for_the_application() {
    let setup = setup(1, &[]).await;
    setup.produce(0, 30).await;
    let mut consumer = setup.member(&[("max.partition.fetch.bytes", "1500")]).await;
    assert!(matches!(next(&mut consumer).await, ConsumerEvent::Records(_)));
    let faults = setup.broker.faults();
    let beats = faults.requests(ApiKey::Heartbeat);
    tokio::time::timeout(PATIENCE, faults.wait_for_requests(ApiKey::Fetch, 3)).await.unwrap();
    tokio::time::timeout(PATIENCE, faults.wait_for_requests(ApiKey::Heartbeat, beats + 5)).await.unwrap();
    assert!(matches!(consumer.standing(), Standing::Member(_)));
    // Bounded: one at work, two that wait.
    assert!(faults.requests(ApiKey::Fetch) <= 3);
}

#[tokio::test]
async fn commits_follow_the_coordinator_and_tell_refusals_apart() {
    let setup = setup(1, &[]).await;
    let mut consumer = setup.member(&[]).await;
    for action in [
        FaultAction::CloseConnection,
        FaultAction::CloseAfterProcessing,
        FaultAction::ReplyError(ResponseError::NotCoordinator),
        FaultAction::ReplyError(ResponseError::CoordinatorLoadInProgress),
    ] {
        setup.fault(ApiKey::OffsetCommit, action);
        consumer.commit(&at(1)).await.unwrap();
    }
    assert_eq!(consumer.committed(&[tp(0)]).await.unwrap(), at(1));

    setup.fault(ApiKey::OffsetCommit, FaultAction::ReplyError(ResponseError::OffsetMetadataTooLarge));
    let error = consumer.commit(&at(1)).await.unwrap_err().to_string();
    assert!(
        error.contains("t-0") && error.contains("group g") && error.contains("OFFSET_METADATA_TOO_LARGE"),
        "{error}"
    );

    setup.fault(ApiKey::OffsetCommit, FaultAction::ReplyError(ResponseError::RebalanceInProgress));
    let refused = consumer.commit(&at(1)).await;
    assert!(matches!(refused, Err(CommitError::RebalanceInProgress { .. })), "{refused:?}");
    assert!(matches!(next(&mut consumer).await, ConsumerEvent::Revoked(_)));
    assert!(matches!(next(&mut consumer).await, ConsumerEvent::Assigned(_)));

    setup.fault(ApiKey::OffsetCommit, FaultAction::ReplyError(ResponseError::IllegalGeneration));
    let refused = consumer.commit(&at(1)).await;
    assert!(matches!(refused, Err(CommitError::IllegalGeneration { .. })), "{refused:?}");
    assert!(matches!(next(&mut consumer).await, ConsumerEvent::Lost(_)));
    assert!(matches!(next(&mut consumer).await, ConsumerEvent::Assigned(_)));
}

#[tokio::test]
async fn what_ends_the_membership_is_told_with_every_call_after_the_loss() {
    let setup = setup(1, &[]).await;
    let mut consumer = setup.member(&[]).await;
    setup.fault(ApiKey::Heartbeat, FaultAction::ReplyError(ResponseError::GroupAuthorizationFailed));
    assert!(matches!(next(&mut consumer).await, ConsumerEvent::Lost(_)));
    for _ in 0..2 {
        let error = try_next(&mut consumer).await.unwrap_err().to_string();
        assert!(error.contains("group g") && error.contains("GROUP_AUTHORIZATION_FAILED"), "{error}");
    }
    // The application may try again.
    consumer.leave().await;
    consumer.subscribe(vec!["t".to_owned()]).unwrap();
    assert!(matches!(next(&mut consumer).await, ConsumerEvent::Assigned(_)));
}

#[tokio::test]
async fn a_topic_that_may_not_be_read_is_an_error_that_is_told_once() {
    let setup = setup(2, &[("metadata.max.age.ms", "50")]).await;
    setup.produce(0, 1).await;
    let mut consumer = setup.member(&[]).await;
    read_to(&mut consumer, 0, 10).await;
    let refusal = FaultAction::ReplyError(ResponseError::TopicAuthorizationFailed);
    let rule = setup.broker.faults().add(FaultRule::new(refusal).api(ApiKey::Metadata));
    let error = try_next(&mut consumer).await.unwrap_err().to_string();
    assert!(error.contains("topic t") && error.contains("TOPIC_AUTHORIZATION_FAILED"), "{error}");
    let hits = setup.broker.faults().hits(rule);
    setup.broker.faults().wait_for_hits(rule, hits + 3).await;
    assert!(consumer.try_next().is_none(), "told once");
}

#[tokio::test]
async fn closing_leaves_the_group() {
    let setup = setup(1, &[]).await;
    let consumer = setup.member(&[]).await;
    let before = setup.broker.faults().requests(ApiKey::LeaveGroup);
    consumer.close(PATIENCE).await;
    assert_eq!(setup.broker.faults().requests(ApiKey::LeaveGroup), before + 1);
    // Nothing goes on in the background.
    let mut second = setup.consumer(&[]);
    second.subscribe(vec!["t".to_owned()]).unwrap();
    let ConsumerEvent::Assigned(all) = next(&mut second).await else { panic!() };
    assert_eq!(all, [tp(0)]);
}
