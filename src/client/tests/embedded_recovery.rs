//! What a cluster may become while a client uses it: one that sends its clients away, that closes what is idle, whose topics
//! are created anew.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a failed set-up ends the test")]

mod support;

use crossdock_broker::{ApiKey, Broker, FaultAction, FaultRule, ResponseError};
use crossdock_client::admin::NewTopic;
use crossdock_client::{
    Admin, ClientConfig, ClientError, Cluster, ConnectionClass, Consumer, ConsumerConfig, ConsumerError,
    ConsumerEvent, Producer, ProducerConfig, TopicPartition, TopicSelection,
};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;
use support::{Sink, append, log_of};

const PATIENCE: Duration = Duration::from_secs(20);

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

async fn setup(pairs: &[(&str, &str)]) -> (Broker, Cluster) {
    let broker = Broker::builder().auto_create_topics(false).start().await.unwrap();
    let mut config = map(&[("bootstrap.servers", &broker.bootstrap()), ("reconnect.backoff.ms", "5")]);
    config.extend(map(&[("retry.backoff.ms", "10"), ("retry.backoff.max.ms", "50")]));
    config.extend(map(pairs));
    let cluster = Cluster::new(ClientConfig::from_map(&config).unwrap());
    cluster.refresh(TopicSelection::None, false).await.unwrap();
    (broker, cluster)
}

#[tokio::test]
async fn a_client_that_is_sent_back_begins_with_its_bootstrap_servers() {
    let (broker, cluster) = setup(&[]).await;
    let node = *cluster.metadata().brokers.keys().next().unwrap();
    let before = cluster.connection(node, ConnectionClass::Group).await.unwrap();
    let send_back =
        FaultRule::new(FaultAction::ReplyError(ResponseError::RebootstrapRequired)).api(ApiKey::Metadata);
    // The known broker, and then the bootstrap server: no answer may be taken.
    let rule = broker.faults().add(send_back.times(2));
    let error = cluster.refresh(TopicSelection::None, false).await.unwrap_err();
    assert!(matches!(&error, ClientError::Unreachable { attempts } if attempts.len() == 2), "{error}");
    assert!(error.to_string().contains("REBOOTSTRAP_REQUIRED") && broker.faults().hits(rule) == 2, "{error}");
    assert!(!before.is_open(), "what was known is given up");
    cluster.refresh(TopicSelection::None, false).await.unwrap();
    assert!(cluster.connection(node, ConnectionClass::Group).await.unwrap().is_open());
}

#[tokio::test]
async fn without_the_strategy_a_client_stays_with_the_brokers_that_it_knows() {
    let (broker, cluster) = setup(&[("metadata.recovery.strategy", "none")]).await;
    broker.faults().pause();
    let error = cluster.refresh(TopicSelection::None, false).await.unwrap_err();
    assert!(matches!(&error, ClientError::Unreachable { attempts } if attempts.len() == 1), "{error}");
    broker.faults().resume();
    cluster.refresh(TopicSelection::None, false).await.unwrap();
}

#[tokio::test]
async fn idle_connections_are_closed_and_opened_again_unseen() {
    let (_broker, cluster) = setup(&[("connections.max.idle.ms", "30")]).await;
    let node = *cluster.metadata().brokers.keys().next().unwrap();
    let first = cluster.connection(node, ConnectionClass::Group).await.unwrap();
    let closed = async {
        while first.is_open() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, closed).await.expect("it is closed");
    for _ in 0..20 {
        // Around the moment at which the next one is closed.
        tokio::time::sleep(Duration::from_millis(30)).await;
        cluster.coordinator("g").await.unwrap();
        cluster.forget_coordinator("g");
    }
}

async fn records(consumer: &mut Consumer, count: usize) -> Vec<(i64, String)> {
    let mut values = Vec::new();
    while values.len() < count {
        match tokio::time::timeout(PATIENCE, consumer.next()).await.expect("an event in time").unwrap() {
            ConsumerEvent::Records(fetched) => values.extend(fetched.records().map(|record| {
                let record = record.unwrap();
                (record.offset, String::from_utf8(record.value.unwrap().to_vec()).unwrap())
            })),
            other => panic!("{other:?}"),
        }
    }
    values
}

async fn recreate(admin: &Admin) {
    let deleted = admin.delete_topics(&["t"]).await.unwrap();
    assert!(deleted.into_iter().all(|(_, result)| result.is_ok()));
    assert!(admin.create_topic(&NewTopic::new("t", 1, 1)).await.unwrap());
}

#[tokio::test]
async fn a_topic_that_is_created_anew_is_written_and_read_from_its_start() {
    let (_broker, cluster) = setup(&[]).await;
    let admin = Admin::new(cluster.clone());
    assert!(admin.create_topic(&NewTopic::new("t", 1, 1)).await.unwrap());
    let sink = Arc::new(Sink::default());
    let producer = Producer::start(cluster.clone(), ProducerConfig::default(), sink.clone());
    let topic = producer.topic("t");
    producer.wait_for_metadata(&topic).await.unwrap();
    let consumer = |reset: &str| {
        let config = ConsumerConfig::from_map(&map(&[("auto.offset.reset", reset)])).unwrap();
        let mut consumer = Consumer::start(cluster.clone(), config);
        consumer.assign(vec![TopicPartition::new("t", 0)]).unwrap();
        consumer
    };
    let (mut consumer, mut strict) = (consumer("earliest"), consumer("none"));
    strict.seek(&TopicPartition::new("t", 0), 0);
    for value in 0..3 {
        append(&producer, &topic, 0, value).await;
    }
    producer.flush().await;
    assert_eq!(records(&mut consumer, 3).await.len(), 3);
    assert_eq!(records(&mut strict, 3).await.len(), 3);

    recreate(&admin).await;
    for value in 10..15 {
        append(&producer, &topic, 0, value).await;
    }
    producer.flush().await;
    let log: Vec<_> = log_of(&cluster, "t", 0).await.iter().map(|v| v.to_vec()).collect();
    assert_eq!(log, [b"10", b"11", b"12", b"13", b"14"]);
    assert_eq!(sink.written().len(), 8);
    let read = records(&mut consumer, 5).await;
    assert_eq!(read[0], (0, "10".to_owned()), "offsets of the old topic mean nothing");
    assert_eq!(read[4], (4, "14".to_owned()));
    let error = tokio::time::timeout(PATIENCE, strict.next()).await.unwrap().unwrap_err();
    assert!(matches!(error, ConsumerError::TopicRecreated { offset: 3, .. }), "{error}");
}

#[tokio::test]
async fn first_and_last_offsets_and_those_of_times_can_be_asked_for() {
    let (_broker, cluster) = setup(&[]).await;
    assert!(Admin::new(cluster.clone()).create_topic(&NewTopic::new("t", 2, 1)).await.unwrap());
    let producer = Producer::start(cluster.clone(), ProducerConfig::default(), Arc::new(Sink::default()));
    let topic = producer.topic("t");
    producer.wait_for_metadata(&topic).await.unwrap();
    for value in 0..4 {
        append(&producer, &topic, 0, value).await;
    }
    producer.flush().await;
    let consumer = Consumer::start(cluster.clone(), ConsumerConfig::from_map(&map(&[])).unwrap());
    let tp = |partition| TopicPartition::new("t", partition);
    let both = [tp(0), tp(1)];
    assert_eq!(consumer.beginning_offsets(&both).await.unwrap(), HashMap::from([(tp(0), 0), (tp(1), 0)]));
    assert_eq!(consumer.end_offsets(&both).await.unwrap(), HashMap::from([(tp(0), 4), (tp(1), 0)]));
    let found = consumer.offsets_for_times(&HashMap::from([(tp(0), 1), (tp(1), 1)])).await.unwrap();
    assert_eq!((found.len(), found[&tp(0)].offset), (1, 0));
    let after = found[&tp(0)].timestamp + 3_600_000;
    assert!(consumer.offsets_for_times(&HashMap::from([(tp(0), after)])).await.unwrap().is_empty());
}
