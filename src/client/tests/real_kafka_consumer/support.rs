//! What the tests have in common: topics, records, and consumers that run beside the test.

use crossdock_client::admin::NewTopic;
use crossdock_client::{
    Admin, ClientConfig, Cluster, ConnectionClass, Consumer, ConsumerConfig, ConsumerEvent,
    OffsetAndMetadata, TopicPartition,
};
use crossdock_testcontainers::Kafka;
use crossdock_wire::{BatchBuilder, ProducerStamp};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{ProduceRequest, TopicName};
use kafka_protocol::protocol::StrBytes;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use uuid::Uuid;

/// Longer than anything here takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) async fn cluster() -> Cluster {
    cluster_with(&[]).await
}

pub(crate) async fn cluster_with(settings: &[(&str, &str)]) -> Cluster {
    let kafka = Kafka::shared().await.expect("a broker");
    let mut map = BTreeMap::from([("bootstrap.servers".to_owned(), kafka.bootstrap().to_owned())]);
    map.extend(settings.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())));
    Cluster::new(ClientConfig::from_map(&map).unwrap())
}

pub(crate) fn fresh(prefix: &str) -> String {
    format!("{prefix}-{}", Uuid::new_v4())
}

pub(crate) async fn topic(cluster: &Cluster, partitions: i32) -> String {
    let name = fresh("consumed");
    assert!(Admin::new(cluster.clone()).create_topic(&NewTopic::new(&name, partitions, -1)).await.unwrap());
    name
}

pub(crate) fn tp(topic: &str, partition: i32) -> TopicPartition {
    TopicPartition::new(topic, partition)
}

/// Quick heartbeats, so that the tests need not wait for seconds.
pub(crate) fn config(group: &str, settings: &[(&str, &str)]) -> ConsumerConfig {
    let defaults = [("group.id", group), ("auto.offset.reset", "earliest"), ("heartbeat.interval.ms", "200")];
    let pairs = defaults.iter().chain(settings).map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
    ConsumerConfig::from_map(&pairs.collect()).unwrap()
}

/// A time for records: a broker deletes what is older than a week, half a minute after its start for the first time.
pub(crate) fn now() -> i64 {
    i64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap()
}

/// Appends `values` to a partition as one batch.
pub(crate) async fn produce(cluster: &Cluster, topic: &str, partition: i32, values: &[&str]) {
    let mut batch = BatchBuilder::with_capacity(1000);
    for value in values {
        assert!(batch.append(now(), None, Some(value.as_bytes()), std::iter::empty()));
    }
    produce_batch(cluster, topic, partition, batch.finish(ProducerStamp::NONE, false).to_vec()).await;
}

pub(crate) async fn produce_batch(cluster: &Cluster, topic: &str, partition: i32, batch: Vec<u8>) {
    let data = PartitionProduceData::default().with_index(partition).with_records(Some(batch.into()));
    let name = TopicName(StrBytes::from_string(topic.to_owned()));
    let data = TopicProduceData::default().with_name(name).with_partition_data(vec![data]);
    let request = ProduceRequest::default().with_acks(-1).with_timeout_ms(10_000).with_topic_data(vec![data]);
    let attempt = || async {
        let (node, _) = cluster.leader(topic, partition).await?;
        let answer = cluster.call(node, ConnectionClass::Produce, request.clone(), 9, PATIENCE).await?;
        let code = crossdock_client::ErrorCode(answer.responses[0].partition_responses[0].error_code);
        code.ok().map_err(|code| crossdock_client::BrokerError::new(code, "Produce").into())
    };
    cluster.retrying("producing", PATIENCE, attempt).await.unwrap();
}

/// The next event, in time.
pub(crate) async fn next(consumer: &mut Consumer) -> ConsumerEvent {
    tokio::time::timeout(PATIENCE, consumer.next()).await.expect("an event in time").unwrap()
}

/// The values of the next `count` records; other events are a failure.
pub(crate) async fn values(consumer: &mut Consumer, count: usize) -> Vec<String> {
    let mut values = Vec::new();
    while values.len() < count {
        match next(consumer).await {
            ConsumerEvent::Records(fetched) => {
                for record in fetched.records() {
                    values.push(String::from_utf8(record.unwrap().value.unwrap().to_vec()).unwrap());
                }
            }
            other => panic!("{other:?}"),
        }
    }
    values
}

pub(crate) async fn assigned(consumer: &mut Consumer) -> Vec<TopicPartition> {
    match next(consumer).await {
        ConsumerEvent::Assigned(partitions) => partitions,
        other => panic!("{other:?}"),
    }
}

/// What an application tells the test.
#[derive(Debug, PartialEq)]
pub(crate) enum Seen {
    Assigned(Vec<TopicPartition>),
    Revoked(Vec<TopicPartition>),
    Lost(Vec<TopicPartition>),
    Value(String),
}

/// An application that counts what it consumes and commits when its partitions are revoked.
pub(crate) struct Application {
    pub(crate) seen: mpsc::UnboundedReceiver<Seen>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Application {
    pub(crate) fn start(mut consumer: Consumer) -> Self {
        let (tell, seen) = mpsc::unbounded_channel();
        let (stop, mut stopped) = oneshot::channel();
        let task = tokio::spawn(async move {
            let mut offsets = HashMap::new();
            loop {
                let event = tokio::select! {
                    event = consumer.next() => event.unwrap(),
                    _ = &mut stopped => break,
                };
                match event {
                    ConsumerEvent::Records(fetched) => {
                        for record in fetched.records() {
                            let value = record.unwrap().value.unwrap().to_vec();
                            let _ = tell.send(Seen::Value(String::from_utf8(value).unwrap()));
                        }
                        offsets
                            .insert(fetched.topic_partition(), OffsetAndMetadata::new(fetched.next_offset));
                    }
                    ConsumerEvent::Revoked(partitions) => {
                        consumer.commit(&offsets).await.expect("a commit under the old generation");
                        offsets.clear();
                        let _ = tell.send(Seen::Revoked(partitions));
                    }
                    ConsumerEvent::Lost(partitions) => drop(tell.send(Seen::Lost(partitions))),
                    ConsumerEvent::Assigned(partitions) => drop(tell.send(Seen::Assigned(partitions))),
                    other => panic!("{other:?}"),
                }
            }
            consumer.commit(&offsets).await.unwrap();
            consumer.close(PATIENCE).await;
        });
        Self { seen, stop, task }
    }

    pub(crate) async fn next(&mut self) -> Seen {
        tokio::time::timeout(PATIENCE, self.seen.recv()).await.expect("something in time").unwrap()
    }

    /// Commits and leaves the group.
    pub(crate) async fn stop(self) {
        self.stop.send(()).unwrap();
        self.task.await.unwrap();
    }
}
