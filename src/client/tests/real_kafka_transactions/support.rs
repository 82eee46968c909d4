//! Brokers of both kinds, transactional producers, and what consumers of either isolation see.

use crossdock_client::admin::{IsolationLevel, NewTopic, OffsetSpec};
use crossdock_client::producer::{AckRun, AckSink, AppendError, BatchMetadata, ProduceError};
use crossdock_client::{
    Admin, ClientConfig, Cluster, Consumer, ConsumerConfig, ConsumerEvent, Producer, ProducerConfig,
    TopicPartition,
};
use crossdock_testcontainers::{Kafka, KafkaBuilder};
use std::collections::BTreeMap;
use std::iter;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::OnceCell;
use uuid::Uuid;

/// Longer than anything here takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(40);

pub(crate) fn builder() -> KafkaBuilder {
    // Short sessions and timeouts, so that tests need not wait for dead members and transactions.
    Kafka::builder()
        .property("group.min.session.timeout.ms", "500")
        .property("transaction.abort.timed.out.transaction.cleanup.interval.ms", "200")
}

/// A broker with a level of `transaction.version`: 2 as new clusters have it, or one of those that clusters keep when
/// they are upgraded.
#[allow(dead_code, reason = "not every test needs it")]
pub(crate) async fn broker(version: usize) -> &'static Kafka {
    static BROKERS: [OnceCell<Kafka>; 3] = [const { OnceCell::const_new() }; 3];
    let start = || async {
        let kafka = builder().heap_mb(384).start().await.expect("a broker");
        let admin = Admin::new(cluster(&kafka));
        let level = || async {
            admin.describe_features().await.unwrap().finalized.get("transaction.version").map_or(0, |l| l.1)
        };
        let wanted = i16::try_from(version).unwrap();
        if level().await != wanted {
            let feature = format!("transaction.version={version}");
            let arguments = ["--bootstrap-server", kafka.bootstrap(), "downgrade", "--feature", &feature];
            let output = kafka.tool("org.apache.kafka.tools.FeatureCommand", &arguments).await.unwrap();
            assert!(output.success, "{output:?}");
        }
        let applied = async {
            while level().await != wanted {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, applied).await.expect("the level is lowered");
        kafka
    };
    BROKERS[version].get_or_init(start).await
}

pub(crate) fn cluster(kafka: &Kafka) -> Cluster {
    Cluster::new(ClientConfig::new(kafka.bootstrap()).unwrap())
}

pub(crate) fn fresh(prefix: &str) -> String {
    format!("{prefix}-{}", Uuid::new_v4())
}

pub(crate) async fn new_topic(cluster: &Cluster, partitions: i32) -> String {
    let name = fresh("transacted");
    assert!(Admin::new(cluster.clone()).create_topic(&NewTopic::new(&name, partitions, -1)).await.unwrap());
    name
}

/// Old records could be deleted by the broker while the test runs (`retention.ms`).
fn now() -> i64 {
    let elapsed = std::time::UNIX_EPOCH.elapsed().unwrap();
    i64::try_from(elapsed.as_millis()).unwrap()
}

/// Remembers errors; a test that expects none asks for it.
#[derive(Debug, Default)]
pub(crate) struct Failures(Mutex<Vec<ProduceError>>);

impl AckSink for Failures {
    fn acknowledged(&self, _: &[AckRun], outcome: Result<&BatchMetadata, &ProduceError>) {
        if let Err(error) = outcome {
            self.0.lock().unwrap().push(error.clone());
        }
    }
}

impl Failures {
    pub(crate) fn taken(&self) -> Vec<ProduceError> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

/// A producer, and the topic that it writes to.
#[derive(Debug)]
pub(crate) struct Writer {
    pub(crate) producer: Producer,
    pub(crate) failures: Arc<Failures>,
    topic: String,
}

impl Writer {
    pub(crate) fn new(cluster: &Cluster, topic: &str, settings: &[(&str, &str)]) -> Self {
        let map: BTreeMap<String, String> =
            settings.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let failures = Arc::new(Failures::default());
        let config = ProducerConfig::from_map(&map).unwrap();
        let producer = Producer::start(cluster.clone(), config, failures.clone());
        Self { producer, failures, topic: topic.to_owned() }
    }

    /// Transactional, and initialized.
    pub(crate) async fn transactional(cluster: &Cluster, topic: &str, id: &str) -> Self {
        let writer = Self::new(cluster, topic, &[("transactional.id", id)]);
        writer.producer.init_transactions().await.unwrap();
        writer
    }

    pub(crate) async fn try_append(&self, partition: i32, value: &str) -> Result<(), AppendError> {
        let topic = self.producer.topic(&self.topic);
        self.producer.wait_for_metadata(&topic).await.unwrap();
        let value = Some(value.as_bytes());
        self.producer.appender().append(&topic, Some(partition), now(), None, value, iter::empty(), 0)
    }

    pub(crate) async fn append(&self, partition: i32, value: &str) {
        self.try_append(partition, value).await.unwrap();
    }

    /// A whole transaction of one record in each partition.
    pub(crate) async fn write(&self, partitions: i32, value: &str) {
        self.producer.begin_transaction().unwrap();
        for partition in 0..partitions {
            self.append(partition, value).await;
        }
        self.producer.commit_transaction().await.unwrap();
    }
}

/// Begins a value that no test writes.
const END: &str = "the end";

/// Values of the partition that a consumer of this isolation level gets. Waits for open transactions to end: a
/// record without transaction is written behind them, and read.
pub(crate) async fn values(cluster: &Cluster, topic: &str, partition: i32, isolation: &str) -> Vec<String> {
    let writer = Writer::new(cluster, topic, &[]);
    let end = fresh(END);
    writer.append(partition, &end).await;
    writer.producer.flush().await;
    let settings = [("auto.offset.reset", "earliest"), ("isolation.level", isolation)];
    let settings = settings.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let mut consumer = Consumer::start(cluster.clone(), ConsumerConfig::from_map(&settings).unwrap());
    let tp = TopicPartition::new(topic, partition);
    consumer.assign(vec![tp.clone()]).unwrap();
    let mut values = Vec::new();
    let read = async {
        let mut done = false;
        while !done {
            let ConsumerEvent::Records(fetched) = consumer.next().await.unwrap() else { continue };
            for record in fetched.records() {
                let value = String::from_utf8(record.unwrap().value.unwrap().to_vec()).unwrap();
                done |= value == end;
                values.push(value);
            }
            let position = consumer.position(&tp);
            assert_eq!(position, Some(fetched.next_offset));
        }
    };
    tokio::time::timeout(PATIENCE, read).await.expect("the last stable offset moves");
    // Those of earlier calls too.
    values.retain(|value| !value.starts_with(END));
    values
}

pub(crate) async fn committed(cluster: &Cluster, topic: &str, partition: i32) -> Vec<String> {
    values(cluster, topic, partition, "read_committed").await
}

/// The partition's last stable offset, or its end.
pub(crate) async fn end_offset(cluster: &Cluster, topic: &str, isolation: IsolationLevel) -> i64 {
    let wanted = [(TopicPartition::new(topic, 0), OffsetSpec::Latest)];
    let listed = Admin::new(cluster.clone()).list_offsets(&wanted, isolation).await.unwrap();
    listed.into_iter().next().unwrap().1.unwrap().offset
}
