//! Groups of consumers against the embedded broker: cooperative and static members, and the order of commits.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a failed set-up ends the test")]

use crossdock_broker::{ApiKey, Broker, FaultAction, FaultRule, ResponseError};
use crossdock_client::admin::NewTopic;
use crossdock_client::group::Standing;
use crossdock_client::{
    Admin, BrokerError, ClientConfig, Cluster, CommitError, ConnectionClass, Consumer, ConsumerConfig,
    ConsumerEvent, ErrorCode, OffsetAndMetadata, TopicPartition,
};
use crossdock_wire::{BatchBuilder, ProducerStamp};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{ProduceRequest, TopicName};
use kafka_protocol::protocol::StrBytes;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);
const COOPERATIVE: (&str, &str) = ("partition.assignment.strategy", "cooperative-sticky");

struct Setup {
    broker: Broker,
    cluster: Cluster,
}

/// Topics `t` with four partitions and `u` with one.
async fn setup() -> Setup {
    let broker = Broker::builder().min_session_timeout(Duration::from_millis(100)).start().await.unwrap();
    let settings = [("retry.backoff.ms", "5"), ("retry.backoff.max.ms", "50"), ("reconnect.backoff.ms", "5")];
    let mut map = BTreeMap::from([("bootstrap.servers".to_owned(), broker.bootstrap().to_string())]);
    map.extend(settings.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())));
    let cluster = Cluster::new(ClientConfig::from_map(&map).unwrap());
    for (topic, partitions) in [("t", 4), ("u", 1)] {
        assert!(
            Admin::new(cluster.clone()).create_topic(&NewTopic::new(topic, partitions, 1)).await.unwrap()
        );
    }
    Setup { broker, cluster }
}

impl Setup {
    fn consumer(&self, topics: &[&str], settings: &[(&str, &str)]) -> Consumer {
        let defaults =
            [("group.id", "g"), ("auto.offset.reset", "earliest"), ("heartbeat.interval.ms", "20")];
        let pairs = defaults.iter().chain(settings).map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        let config = ConsumerConfig::from_map(&pairs.collect()).unwrap();
        let mut consumer = Consumer::start(self.cluster.clone(), config);
        consumer.subscribe(topics.iter().map(|t| (*t).to_owned()).collect()).unwrap();
        consumer
    }

    async fn produce(&self, partition: i32, records: usize) {
        let mut batch = BatchBuilder::with_capacity(2000);
        for _ in 0..records {
            assert!(batch.append(1, None, Some(b"x"), std::iter::empty()));
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

    fn fault_once(&self, api: ApiKey, error: ResponseError) {
        self.broker.faults().add(FaultRule::new(FaultAction::ReplyError(error)).api(api).times(1));
    }

    async fn committed(&self, consumer: &Consumer, partition: i32) -> Option<i64> {
        let committed = consumer.committed(&[tp("t", partition)]).await.unwrap();
        committed.get(&tp("t", partition)).map(|offset| offset.offset)
    }
}

fn tp(topic: &str, partition: i32) -> TopicPartition {
    TopicPartition::new(topic, partition)
}

fn at(partition: i32, offset: i64) -> HashMap<TopicPartition, OffsetAndMetadata> {
    HashMap::from([(tp("t", partition), OffsetAndMetadata::new(offset))])
}

async fn next(consumer: &mut Consumer) -> ConsumerEvent {
    tokio::time::timeout(PATIENCE, consumer.next()).await.expect("an event in time").unwrap()
}

async fn assigned(consumer: &mut Consumer) -> Vec<TopicPartition> {
    match next(consumer).await {
        ConsumerEvent::Assigned(partitions) => partitions,
        other => panic!("{other:?}"),
    }
}

/// The next records' end; the consumer has no other event.
async fn records(consumer: &mut Consumer) -> (TopicPartition, i64) {
    match next(consumer).await {
        ConsumerEvent::Records(fetched) => (fetched.topic_partition(), fetched.next_offset),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_cooperative_member_gives_up_only_what_moves() {
    let setup = setup().await;
    let mut one = setup.consumer(&["t"], &[COOPERATIVE]);
    assert_eq!(assigned(&mut one).await.len(), 4);
    let kept: Vec<_> = (0..4).map(|p| tp("t", p)).collect();
    one.pause(&kept);
    let mut two = setup.consumer(&["t"], &[COOPERATIVE]);
    let ConsumerEvent::Revoked(moved) = next(&mut one).await else { panic!() };
    assert_eq!(moved.len(), 2);
    assert_eq!(assigned(&mut two).await, [], "not before the other has given it up");
    one.commit(&HashMap::from([(moved[0].clone(), OffsetAndMetadata::new(7))])).await.unwrap();
    let joined = tokio::join!(assigned(&mut two), async {
        // The group goes on with this; nothing else happens to the first.
        assert!(tokio::time::timeout(Duration::from_millis(300), one.next()).await.is_err());
    });
    assert_eq!(joined.0, moved);
    assert_eq!(one.assignment().len(), 2);
    // The pause of what stayed has stayed.
    for partition in 0..4 {
        setup.produce(partition, 1).await;
    }
    assert!(tokio::time::timeout(Duration::from_millis(100), one.next()).await.is_err());
    one.resume(&kept);
    let read = HashSet::from([records(&mut one).await.0, records(&mut one).await.0]);
    assert!(read.is_disjoint(&moved.into_iter().collect()));
}

#[tokio::test]
async fn a_cooperative_member_reads_and_commits_while_the_group_waits_for_another() {
    let setup = setup().await;
    let mut one = setup.consumer(&["t"], &[COOPERATIVE]);
    assert_eq!(assigned(&mut one).await.len(), 4);
    let mut slow = setup.consumer(&["u"], &[COOPERATIVE]);
    assert_eq!(assigned(&mut slow).await, [tp("u", 0)]);
    // The slow one has to give its partition up, and takes its time.
    slow.subscribe(Vec::new()).unwrap();
    assert!(matches!(next(&mut slow).await, ConsumerEvent::Revoked(gone) if gone == [tp("u", 0)]));
    let joins = setup.broker.faults().requests(ApiKey::JoinGroup);
    one.enforce_rebalance("the test wants it");
    setup.broker.faults().wait_for_requests(ApiKey::JoinGroup, joins + 1).await;
    setup.produce(0, 10).await;
    assert_eq!(records(&mut one).await, (tp("t", 0), 10));
    one.commit(&at(0, 10)).await.unwrap();
    assert_eq!(setup.committed(&one, 0).await, Some(10));
    // A refusal while the group is joined is no refusal: the commit is made under the next generation.
    setup.fault_once(ApiKey::OffsetCommit, ResponseError::IllegalGeneration);
    let handle = one.commit_async(at(0, 11));
    let slow = tokio::spawn(async move {
        let waited = tokio::time::timeout(Duration::from_secs(2), slow.next()).await;
        drop(waited);
        slow
    });
    handle.await.unwrap();
    assert_eq!(setup.committed(&one, 0).await, Some(11));
    assert!(matches!(one.standing(), Standing::Member(_)));
    assert_eq!(one.assignment().len(), 4);
    assert!(one.try_next().is_none(), "nothing was revoked");
    slow.await.unwrap();
}

#[tokio::test]
async fn a_cooperative_member_that_was_forgotten_while_it_joins_loses_all_and_comes_back() {
    let setup = setup().await;
    // The broker has not forgotten it really: its session must end before the group goes on.
    let mut one = setup
        .consumer(&["t"], &[COOPERATIVE, ("session.timeout.ms", "500"), ("max.poll.interval.ms", "1000")]);
    assert_eq!(assigned(&mut one).await.len(), 4);
    setup.fault_once(ApiKey::JoinGroup, ResponseError::UnknownMemberId);
    one.enforce_rebalance("the test wants it");
    assert!(matches!(next(&mut one).await, ConsumerEvent::Lost(lost) if lost.len() == 4));
    assert!(matches!(one.commit(&at(0, 1)).await, Err(CommitError::IllegalGeneration { .. })));
    assert_eq!(assigned(&mut one).await.len(), 4);
}

#[tokio::test]
async fn a_static_member_comes_back_to_its_partitions_and_fences_its_double() {
    let setup = setup().await;
    let settings = [("group.instance.id", "i"), ("session.timeout.ms", "20000")];
    let mut one = setup.consumer(&["t"], &settings);
    assert_eq!(assigned(&mut one).await.len(), 4);
    let mut other = setup.consumer(&["t"], &[]);
    assert!(matches!(next(&mut one).await, ConsumerEvent::Revoked(_)));
    let (mine, others) = tokio::join!(assigned(&mut one), assigned(&mut other));
    assert_eq!((mine.len(), others.len()), (2, 2));
    let leaves = setup.broker.faults().requests(ApiKey::LeaveGroup);
    one.close(PATIENCE).await;
    assert_eq!(setup.broker.faults().requests(ApiKey::LeaveGroup), leaves);
    let mut again = setup.consumer(&["t"], &settings);
    assert_eq!(assigned(&mut again).await, mine);
    let beats = setup.broker.faults().requests(ApiKey::Heartbeat);
    setup.broker.faults().wait_for_requests(ApiKey::Heartbeat, beats + 4).await;
    assert!(other.try_next().is_none(), "there was no rebalance");

    let mut double = setup.consumer(&["t"], &settings);
    assert_eq!(assigned(&mut double).await, mine);
    assert!(matches!(next(&mut again).await, ConsumerEvent::Lost(_)));
    let error = tokio::time::timeout(PATIENCE, again.next()).await.unwrap().unwrap_err().to_string();
    assert!(error.contains("FENCED_INSTANCE_ID"), "{error}");
}

#[tokio::test]
async fn commits_that_wait_are_made_as_one_and_in_order() {
    let setup = setup().await;
    let mut consumer = setup.consumer(&["t"], &[]);
    assert_eq!(assigned(&mut consumer).await.len(), 4);
    let before = setup.broker.faults().requests(ApiKey::OffsetCommit);
    // The first is refused for the moment and made again, after which the others must still come.
    setup.fault_once(ApiKey::OffsetCommit, ResponseError::CoordinatorLoadInProgress);
    let handles: Vec<_> = (1..=100).map(|offset| consumer.commit_async(at(0, offset))).collect();
    consumer.commit(&at(1, 5)).await.unwrap();
    assert_eq!(setup.committed(&consumer, 0).await, Some(100));
    for handle in handles {
        handle.await.unwrap();
    }
    assert!(setup.broker.faults().requests(ApiKey::OffsetCommit) - before <= 4);
}

#[tokio::test]
async fn a_deleted_topic_does_not_hold_up_commits() {
    let setup = setup().await;
    let mut consumer = setup.consumer(&["t"], &[]);
    assert_eq!(assigned(&mut consumer).await.len(), 4);
    let offsets =
        [(tp("t", 1), OffsetAndMetadata::new(7)), (tp("gone", 0), OffsetAndMetadata::new(3))].into();
    let committed = tokio::time::timeout(PATIENCE, consumer.commit(&offsets)).await.unwrap();
    let Err(CommitError::Client(error)) = committed else { panic!("{committed:?}") };
    assert_eq!(error.code(), Some(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION));
    assert!(error.to_string().contains("gone"), "{error}");
    assert_eq!(setup.committed(&consumer, 1).await, Some(7));
}

#[tokio::test]
async fn positions_are_committed_while_the_next_record_is_waited_for() {
    let setup = setup().await;
    let settings = [("enable.auto.commit", "true"), ("auto.commit.interval.ms", "100")];
    let mut consumer = setup.consumer(&["t"], &settings);
    assert_eq!(assigned(&mut consumer).await.len(), 4);
    setup.produce(0, 10).await;
    assert_eq!(records(&mut consumer).await, (tp("t", 0), 10));
    // Not a member.
    let config = [("group.id".to_owned(), "g".to_owned())].into();
    let reader = Consumer::start(setup.cluster.clone(), ConsumerConfig::from_map(&config).unwrap());
    let committed = async { while setup.committed(&reader, 0).await != Some(10) {} };
    tokio::select! {
        event = consumer.next() => panic!("{event:?}"),
        done = tokio::time::timeout(PATIENCE, committed) => done.unwrap(),
    }
}

#[tokio::test]
async fn positions_are_committed_by_themselves_if_that_is_asked_for() {
    let setup = setup().await;
    let settings = [("enable.auto.commit", "true"), ("auto.commit.interval.ms", "1")];
    let mut consumer = setup.consumer(&["t"], &settings);
    assert_eq!(assigned(&mut consumer).await.len(), 4);
    setup.produce(0, 10).await;
    assert_eq!(records(&mut consumer).await, (tp("t", 0), 10));
    let on_the_way = async |consumer: &mut Consumer, offset| {
        while setup.committed(consumer, 0).await != Some(offset) {
            let waited = tokio::time::timeout(Duration::from_millis(5), consumer.next()).await;
            assert!(waited.is_err(), "{waited:?}");
        }
    };
    // What is in hand does not count, not even when it is revoked.
    setup.fault_once(ApiKey::Heartbeat, ResponseError::RebalanceInProgress);
    let revoked = tokio::time::timeout(PATIENCE, consumer.next_change()).await.unwrap().unwrap();
    assert!(matches!(revoked, ConsumerEvent::Revoked(_)));
    assert!(setup.committed(&consumer, 0).await.is_none_or(|offset| offset == 0));
    assert_eq!(assigned(&mut consumer).await.len(), 4);
    assert_eq!(records(&mut consumer).await, (tp("t", 0), 10));
    on_the_way(&mut consumer, 10).await;
    setup.produce(0, 5).await;
    assert_eq!(records(&mut consumer).await, (tp("t", 0), 15));
    consumer.close(PATIENCE).await;
    let reader = setup.consumer(&["u"], &[]);
    assert_eq!(setup.committed(&reader, 0).await, Some(15), "at the end");
}
