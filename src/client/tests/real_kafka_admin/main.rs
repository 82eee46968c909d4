//! Administration against a real broker with an authorizer, and beside Kafka's own tools.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a failed set-up ends the test")]

mod access;
mod groups;
mod hanging;
mod topics;
mod transactions;

use crossdock_client::admin::{Admin, ItemResult, NewTopic};
use crossdock_client::producer::LogFailures;
use crossdock_client::{
    ClientConfig, ClientError, Cluster, ErrorCode, Producer, ProducerConfig, TopicPartition,
};
use crossdock_testcontainers::Kafka;
use std::collections::BTreeMap;
use std::iter;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OnceCell;
use uuid::Uuid;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// One broker for all tests, with ACLs that forbid nothing.
async fn kafka() -> &'static Kafka {
    static SHARED: OnceCell<Kafka> = OnceCell::const_new();
    let start = || {
        Kafka::builder()
            .property("authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer")
            .property("super.users", "User:ANONYMOUS")
            .property("auto.create.topics.enable", "false")
            // Else no transaction could hang.
            .property("transaction.partition.verification.enable", "false")
            .start()
    };
    SHARED.get_or_try_init(start).await.expect("a broker")
}

async fn cluster_with(settings: &[(&str, &str)]) -> Cluster {
    let mut map = BTreeMap::from([("bootstrap.servers".to_owned(), kafka().await.bootstrap().to_owned())]);
    map.extend(settings.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())));
    Cluster::new(ClientConfig::from_map(&map).unwrap())
}

async fn admin() -> Admin {
    Admin::new(cluster_with(&[]).await)
}

/// One that soon gives up.
async fn impatient() -> Admin {
    Admin::new(cluster_with(&[("default.api.timeout.ms", "300")]).await)
}

fn fresh(prefix: &str) -> String {
    format!("{prefix}-{}", Uuid::new_v4())
}

fn tp(topic: &str, partition: i32) -> TopicPartition {
    TopicPartition::new(topic, partition)
}

/// Topics with records of long ago, which brokers would delete half a minute after their start.
const KEPT: (&str, &str) = ("retention.ms", "-1");

/// A new topic whose leaders are known.
async fn topic(admin: &Admin, partitions: i32, configs: &[(&str, &str)]) -> String {
    let name = fresh("administered");
    let new = NewTopic::new(&name, partitions, 1);
    let new = configs.iter().fold(new, |new, (key, value)| new.config(*key, *value));
    assert!(admin.create_topic(&new).await.unwrap());
    eventually(|| async {
        let described = admin.describe_topics(&[&name]).await.unwrap().remove(0).1;
        described.is_ok_and(|t| t.partitions.iter().all(|p| p.leader.is_some())).then_some(())
    })
    .await;
    name
}

/// Asks until there is an answer.
async fn eventually<T, F: Future<Output = Option<T>>>(mut ask: impl FnMut() -> F) -> T {
    let asking = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, asking).await.expect("it happens in time")
}

/// The code that an item failed with.
fn code<K, T: std::fmt::Debug>(results: &[ItemResult<K, T>], at: usize) -> ErrorCode {
    results[at].1.as_ref().unwrap_err().code().unwrap()
}

fn all_ok<K, T>(results: Result<Vec<ItemResult<K, T>>, ClientError>) -> Vec<T> {
    results.unwrap().into_iter().map(|(_, result)| result.unwrap()).collect()
}

/// Writes records of one byte to partition 0, idempotently.
async fn produce(topic: &str, count: usize) {
    let cluster = cluster_with(&[]).await;
    let producer = Producer::start(cluster, ProducerConfig::default(), Arc::new(LogFailures));
    let target = producer.topic(topic);
    producer.wait_for_metadata(&target).await.unwrap();
    for n in 0..count {
        let timestamp = 1_000 + n as i64;
        let value = Some(b"x".as_slice());
        producer.appender().append(&target, Some(0), timestamp, None, value, iter::empty(), 0).unwrap();
    }
    assert!(producer.close(PATIENCE).await);
}

/// What a tool of Kafka's prints.
async fn tool(class: &str, arguments: &[&str]) -> String {
    let kafka = kafka().await;
    let mut all = vec!["--bootstrap-server", kafka.bootstrap()];
    all.extend(arguments);
    let output = kafka.tool(class, &all).await.unwrap();
    assert!(output.success, "{output:?}");
    output.stdout
}
