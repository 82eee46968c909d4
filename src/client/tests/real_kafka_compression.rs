//! All codecs against a real broker, both ways: what Java writes is read here, and what is written here is read by
//! Java. The broker itself decompresses what is produced, to check it.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a failed set-up ends the test")]

mod support;

use crossdock_client::admin::NewTopic;
use crossdock_client::consumer::{ConsumerConfig, ConsumerEvent};
use crossdock_client::metadata::TopicPartition;
use crossdock_client::{Admin, ClientConfig, Cluster, Consumer, Producer, ProducerConfig};
use crossdock_testcontainers::Kafka;
use std::collections::BTreeMap;
use std::sync::Arc;
use support::{Sink, append, log_of};

const CODECS: [&str; 4] = ["gzip", "snappy", "lz4", "zstd"];
const RECORDS: u64 = 4_000;

async fn topic(kafka: &Kafka, name: &str) -> Cluster {
    let cluster = Cluster::new(ClientConfig::new(kafka.bootstrap()).unwrap());
    assert!(Admin::new(cluster.clone()).create_topic(&NewTopic::new(name, 1, 1)).await.unwrap());
    cluster
}

/// Long enough for many blocks, and not the same everywhere.
fn line(n: u64) -> String {
    format!("{n} {}", "some text that compresses ".repeat((n % 17) as usize))
}

async fn written_by_java(kafka: &Kafka, codec: &str) {
    let name = format!("java-{codec}");
    let cluster = topic(kafka, &name).await;
    let input: String = (0..RECORDS).map(|n| line(n) + "\n").collect();
    let arguments = ["--bootstrap-server", kafka.bootstrap(), "--topic", &name, "--compression-codec", codec];
    let output =
        kafka.tool_with_input("org.apache.kafka.tools.ConsoleProducer", &arguments, input.as_bytes()).await;
    let output = output.unwrap();
    assert!(output.success, "{}", output.stderr);

    let pairs = [("auto.offset.reset", "earliest")].map(|(k, v)| (k.to_owned(), v.to_owned()));
    let config = ConsumerConfig::from_map(&BTreeMap::from(pairs)).unwrap();
    let mut consumer = Consumer::start(cluster, config);
    consumer.assign(vec![TopicPartition::new(name.as_str(), 0)]).unwrap();
    let mut read = 0;
    while read < RECORDS {
        let ConsumerEvent::Records(fetched) = consumer.next().await.unwrap() else { continue };
        for record in fetched.records() {
            let record = record.unwrap();
            assert_eq!(record.offset, read as i64);
            assert_eq!(record.value, Some(line(read).as_bytes()), "{codec}");
            read += 1;
        }
    }
}

async fn read_by_java(kafka: &Kafka, codec: &str) {
    let name = format!("rust-{codec}");
    let cluster = topic(kafka, &name).await;
    let pairs = [("compression.type", codec), ("batch.size", "100000")];
    let pairs = pairs.map(|(k, v)| (k.to_owned(), v.to_owned()));
    let config = ProducerConfig::from_map(&BTreeMap::from(pairs)).unwrap();
    let sink = Arc::new(Sink::default());
    let producer = Producer::start(cluster.clone(), config, sink.clone());
    let topic = producer.topic(&name);
    producer.wait_for_metadata(&topic).await.unwrap();
    for value in 0..RECORDS {
        append(&producer, &topic, 0, value).await;
    }
    producer.flush().await;
    let expected: Vec<u64> = (0..RECORDS).collect();
    assert_eq!(sink.written(), expected);
    assert_eq!(log_of(&cluster, &name, 0).await.len() as u64, RECORDS);

    let count = RECORDS.to_string();
    let arguments = [
        "--bootstrap-server",
        kafka.bootstrap(),
        "--topic",
        &name,
        "--from-beginning",
        "--max-messages",
        &count,
        "--timeout-ms",
        "30000",
    ];
    let output = kafka.tool("org.apache.kafka.tools.consumer.ConsoleConsumer", &arguments).await.unwrap();
    let lines: Vec<u64> = output.stdout.lines().map(|line| line.parse().unwrap()).collect();
    assert!(lines == expected, "{codec}: {} lines; {}", lines.len(), output.stderr);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn java_and_this_client_read_each_others_batches() {
    let kafka = Kafka::start().await.expect("a broker");
    for codec in CODECS {
        tokio::join!(written_by_java(&kafka, codec), read_by_java(&kafka, codec));
    }
}
