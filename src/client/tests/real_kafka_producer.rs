//! The producer against a real broker, which is killed meanwhile.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a failed set-up ends the test")]

mod support;

use crossdock_client::admin::NewTopic;
use crossdock_client::producer::TopicRef;
use crossdock_client::{Admin, ClientConfig, Cluster, Producer, ProducerConfig};
use crossdock_testcontainers::Kafka;
use std::sync::Arc;
use support::{Sink, append, log_of};

async fn append_all(producer: &Producer, topic: &TopicRef, values: std::ops::Range<u64>) {
    for value in values {
        append(producer, topic, i32::try_from(value % 3).unwrap(), value).await;
        if value % 50 == 0 {
            tokio::task::yield_now().await;
        }
    }
}

/// Appends a third, kills a node, appends another third, starts the node, appends the rest; then each
/// record must be there once and in order, and so acknowledged.
async fn kill_and_start(mut kafka: Kafka, new: NewTopic) {
    const RECORDS: u64 = 90_000;
    let cluster = Cluster::new(ClientConfig::new(kafka.bootstrap()).unwrap());
    Admin::new(cluster.clone()).create_topic(&new).await.unwrap();
    let sink = Arc::new(Sink::default());
    let producer = Producer::start(cluster.clone(), ProducerConfig::default(), sink.clone());
    let topic = producer.topic(&new.name);
    producer.wait_for_metadata(&topic).await.unwrap();

    append_all(&producer, &topic, 0..RECORDS / 3).await;
    kafka.kill_node(1).await.unwrap();
    append_all(&producer, &topic, RECORDS / 3..2 * RECORDS / 3).await;
    if new.replication_factor > 1 {
        producer.flush().await; // by the other nodes
    }
    kafka.start_node(1).await.unwrap();
    append_all(&producer, &topic, 2 * RECORDS / 3..RECORDS).await;
    producer.flush().await;

    let mut written = sink.written();
    for partition in 0..3u64 {
        let expected: Vec<u64> = (0..RECORDS).filter(|v| v % 3 == partition).collect();
        let acknowledged: Vec<u64> = written.iter().copied().filter(|v| v % 3 == partition).collect();
        assert!(acknowledged == expected, "partition {partition}: acknowledgements");
        let log = log_of(&cluster, &new.name, i32::try_from(partition).unwrap()).await;
        let log: Vec<u64> = log.iter().map(|v| std::str::from_utf8(v).unwrap().parse().unwrap()).collect();
        assert!(log == expected, "partition {partition}: {} records in the log", log.len());
    }
    written.sort_unstable();
    assert!(written == (0..RECORDS).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_broker_that_is_killed_and_started_again_has_each_record_once_and_in_order() {
    kill_and_start(Kafka::start().await.expect("a broker"), NewTopic::new("t", 3, 1)).await;
}

#[tokio::test]
async fn leaders_that_move_have_each_record_once_and_in_order() {
    let kafka = Kafka::builder().nodes(3).start().await.expect("three brokers");
    let new = NewTopic::new("t", 3, 3).config("min.insync.replicas", "2");
    kill_and_start(kafka, new).await;
}
