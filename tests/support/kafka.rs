//! The embedded broker with clients beside it: to write and read records, and to ask what is committed.

use super::until;
use crossdock::runtime::TaskProgress;
use crossdock::{Engine, EngineBuilder};
use crossdock_broker::{Broker, BrokerBuilder};
use crossdock_client::admin::{IsolationLevel, NewTopic, OffsetSpec};
use crossdock_client::group::offsets;
use crossdock_client::producer::LogFailures;
use crossdock_client::{
    Admin, ClientConfig, Cluster, Consumer, ConsumerConfig, ConsumerEvent, Producer, ProducerConfig,
    TopicPartition,
};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// A broker, and what a test asks of it.
pub(crate) struct Kafka {
    pub(crate) broker: Broker,
    pub(crate) cluster: Cluster,
    pub(crate) admin: Admin,
}

impl Kafka {
    pub(crate) async fn start() -> Self {
        Self::of(Broker::builder()).await
    }

    pub(crate) async fn of(builder: BrokerBuilder) -> Self {
        let broker = builder.start().await.unwrap();
        let cluster = Cluster::new(ClientConfig::new(&broker.bootstrap()).unwrap());
        Self { broker, admin: Admin::new(cluster.clone()), cluster }
    }

    /// An engine of this broker: strings, quick commits and heartbeats, no waiting fetches.
    pub(crate) fn worker(&self, dir: &Path) -> EngineBuilder {
        Engine::builder()
            .set("bootstrap.servers", &self.broker.bootstrap())
            .set("key.converter", "StringConverter")
            .set("value.converter", "StringConverter")
            .set("offset.flush.interval.ms", "20")
            .set("offset.storage.file.filename", &dir.join("offsets").display().to_string())
            .set("consumer.heartbeat.interval.ms", "100")
            .set("consumer.fetch.max.wait.ms", "50")
    }

    pub(crate) async fn create_topic(&self, name: &str, partitions: i32) {
        assert!(self.admin.create_topic(&NewTopic::new(name, partitions, 1)).await.unwrap());
    }

    /// Writes these values to a partition; they are there when this returns.
    pub(crate) async fn write<V: AsRef<str>>(
        &self,
        topic: &str,
        partition: i32,
        values: impl IntoIterator<Item = V>,
    ) {
        let producer =
            Producer::start(self.cluster.clone(), ProducerConfig::default(), Arc::new(LogFailures));
        let to = producer.topic(topic);
        producer.wait_for_metadata(&to).await.unwrap();
        for value in values {
            let value = Some(value.as_ref().as_bytes());
            let headers = std::iter::empty();
            producer.appender().append(&to, Some(partition), 1, None, value, headers, 0).unwrap();
        }
        producer.flush().await;
        producer.close(Duration::from_secs(5)).await;
    }

    /// The offset that the next record of a partition gets.
    pub(crate) async fn end_offset(&self, topic: &str, partition: i32) -> i64 {
        end_offset(&self.admin, topic, partition).await
    }

    /// What the group of a sink connector has committed.
    pub(crate) async fn committed(&self, connector: &str, topic: &str, partition: i32) -> Option<i64> {
        let partition = TopicPartition::new(Arc::from(topic), partition);
        let group = format!("connect-{connector}").into();
        let found = offsets::committed(&self.cluster, &group, std::slice::from_ref(&partition)).await;
        found.unwrap().get(&partition).map(|committed| committed.offset)
    }

    /// Waits until a sink connector has committed this offset.
    pub(crate) async fn await_committed(&self, connector: &str, topic: &str, partition: i32, offset: i64) {
        let what = format!("{connector} commits {offset}");
        until(&what, async || self.committed(connector, topic, partition).await == Some(offset)).await;
    }

    /// The values of partition 0 of a topic so far, in order.
    pub(crate) async fn read(&self, topic: &str) -> Vec<String> {
        let end = self.end_offset(topic, 0).await;
        let config = BTreeMap::from([("auto.offset.reset".to_owned(), "earliest".to_owned())]);
        let config = ConsumerConfig::from_map(&config).unwrap();
        let mut consumer = Consumer::start(self.cluster.clone(), config);
        consumer.assign(vec![TopicPartition::new(Arc::from(topic), 0)]).unwrap();
        let mut values = Vec::new();
        while (values.len() as i64) < end {
            let ConsumerEvent::Records(fetched) = consumer.next().await.unwrap() else { continue };
            for record in fetched.records() {
                values.push(String::from_utf8(record.unwrap().value.unwrap().to_vec()).unwrap());
            }
        }
        values
    }

    /// Waits until partition 0 of a topic has that many records, and gives their values.
    pub(crate) async fn await_values(&self, topic: &str, count: usize) -> Vec<String> {
        let what = format!("{count} records of {topic}");
        until(&what, async || self.end_offset(topic, 0).await >= count as i64).await;
        self.read(topic).await
    }
}

/// The offset that the next record of a partition gets.
pub(crate) async fn end_offset(admin: &Admin, topic: &str, partition: i32) -> i64 {
    let wanted = [(TopicPartition::new(Arc::from(topic), partition), OffsetSpec::Latest)];
    let found = admin.list_offsets(&wanted, IsolationLevel::ReadUncommitted).await.unwrap();
    found.into_iter().next().unwrap().1.unwrap().offset
}

/// State of a connector's first task, else of the connector, and the error that it ended with.
pub(crate) async fn state(engine: &Engine, connector: &str) -> (String, String) {
    let status = engine.herder().connector_status(connector).await.unwrap();
    let task = status.tasks.first();
    let trace = task.and_then(|t| t.trace.clone()).or(status.connector.trace).unwrap_or_default();
    (format!("{:?}", task.map_or(status.connector.state, |t| t.state)), trace)
}

/// Waits until a connector's first task has failed, and gives its trace.
pub(crate) async fn await_failure(engine: &Engine, connector: &str) -> String {
    until(&format!("{connector} fails"), async || state(engine, connector).await.0 == "Failed").await;
    state(engine, connector).await.1
}

/// How many records the first task of a connector has skipped.
pub(crate) fn skipped(engine: &Engine, connector: &str) -> u64 {
    let progress: Vec<TaskProgress> = engine.progress();
    progress.iter().find(|task| task.id.connector == connector).unwrap().counters.skipped()
}
