//! Appending allocates by batch, never by record.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a failed set-up ends the test")]

use crossdock_broker::Broker;
use crossdock_client::producer::{LogFailures, TopicRef};
use crossdock_client::{ClientConfig, Cluster, Producer, ProducerConfig};
use std::sync::Arc;

const RECORDS: u64 = 2_000;

fn append(producer: &Producer, topic: &TopicRef) {
    let value = [b'v'; 100];
    let headers = [("trace", Some(&b"1234"[..])), ("empty", None)];
    let mut appender = producer.appender();
    for n in 0..RECORDS {
        let key = n.to_be_bytes();
        appender.append(topic, Some(0), 1, Some(&key), Some(&value), headers.into_iter(), n / 100).unwrap();
    }
}

#[tokio::test]
async fn a_run_of_appends_allocates_for_its_batch_only() {
    let broker = Broker::builder().start().await.unwrap();
    let cluster = Cluster::new(ClientConfig::new(&broker.bootstrap().to_string()).unwrap());
    let producer = Producer::start(cluster, ProducerConfig::default(), Arc::new(LogFailures));
    let topic = producer.topic("t");
    producer.wait_for_metadata(&topic).await.unwrap();
    // The first batch of a partition grows to its size; the next one starts with it.
    append(&producer, &topic);
    producer.flush().await;
    let allocations = allocation_counter::measure(|| append(&producer, &topic));
    producer.flush().await;
    // The buffer, its place in the queue, its serial, and a few steps of growth of the runs.
    assert!(allocations.count_total <= 10, "{allocations:?} for {RECORDS} records");
}
