//! Subscribing by a pattern, and a broker that does not have the consumer protocol.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a failed set-up ends the test")]

use crossdock_broker::Broker;
use crossdock_client::admin::NewTopic;
use crossdock_client::{
    Admin, ClientConfig, Cluster, Consumer, ConsumerConfig, ConsumerError, ConsumerEvent, TopicPattern,
};
use std::collections::BTreeMap;
use std::time::Duration;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

/// The broker ends with the first value.
async fn start(settings: &[(&str, &str)]) -> (Broker, Cluster, Consumer) {
    let broker = Broker::builder().start().await.unwrap();
    let bootstrap = broker.bootstrap().to_string();
    let pairs = [("bootstrap.servers", bootstrap.as_str()), ("metadata.max.age.ms", "50")];
    let cluster = Cluster::new(ClientConfig::from_map(&map(&pairs)).unwrap());
    let config = ConsumerConfig::from_map(&map(&[&[("group.id", "g")], settings].concat())).unwrap();
    let consumer = Consumer::start(cluster.clone(), config);
    (broker, cluster, consumer)
}

async fn create(cluster: &Cluster, topics: &[&str]) {
    for topic in topics {
        assert!(Admin::new(cluster.clone()).create_topic(&NewTopic::new(*topic, 1, 1)).await.unwrap());
    }
}

async fn try_next(consumer: &mut Consumer) -> Result<ConsumerEvent, ConsumerError> {
    tokio::time::timeout(PATIENCE, consumer.next()).await.expect("an event in time")
}

/// The topics of the assignment that comes once the events until then are dealt with, and has as many.
async fn assigned(consumer: &mut Consumer, count: usize) -> Vec<String> {
    loop {
        if let ConsumerEvent::Assigned(all) = try_next(consumer).await.unwrap()
            && all.len() == count
        {
            return all.iter().map(|tp| tp.topic.to_string()).collect();
        }
    }
}

#[tokio::test]
async fn topics_that_match_are_found_and_new_ones_too() {
    let (_broker, cluster, mut consumer) = start(&[("heartbeat.interval.ms", "20")]).await;
    create(&cluster, &["orders", "orders-2", "reorders", "ORDERS"]).await;
    consumer.subscribe_pattern(TopicPattern::java("(?!orders-9)orders(-\\d)?").unwrap()).unwrap();
    assert_eq!(assigned(&mut consumer, 2).await, ["orders", "orders-2"]);
    create(&cluster, &["orders-9", "orders-3"]).await;
    assert_eq!(assigned(&mut consumer, 3).await, ["orders", "orders-2", "orders-3"]);
    // Names instead: the pattern is looked for no longer.
    consumer.subscribe(vec!["reorders".to_owned()]).unwrap();
    assert_eq!(assigned(&mut consumer, 1).await, ["reorders"]);
    consumer.subscribe_pattern(TopicPattern::java("__.*").unwrap()).unwrap();
    assert!(assigned(&mut consumer, 0).await.is_empty(), "internal topics are left out");
    consumer.leave().await;
    create(&cluster, &["__other"]).await;
    let quiet = tokio::time::timeout(Duration::from_millis(300), consumer.next()).await;
    assert!(quiet.is_err(), "nobody joins after the group was left: {quiet:?}");
}

#[tokio::test]
async fn who_may_match_depends_on_the_protocol() {
    let (_broker, _, mut consumer) = start(&[]).await;
    let error = consumer.subscribe_pattern(TopicPattern::re2j("a.*").unwrap()).unwrap_err();
    assert!(error.to_string().contains("group.protocol=consumer"), "{error}");
}

#[tokio::test]
async fn a_broker_without_the_consumer_protocol_is_told_apart() {
    let (_broker, _, mut consumer) = start(&[("group.protocol", "consumer")]).await;
    consumer.subscribe(vec!["t".to_owned()]).unwrap();
    let error = try_next(&mut consumer).await.unwrap_err().to_string();
    assert!(error.starts_with("Invalid value consumer for configuration group.protocol: "), "{error}");
    assert!(error.contains("set group.protocol=classic"), "{error}");
}
