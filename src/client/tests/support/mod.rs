//! What several tests of the producer need: appending, a sink that remembers, and a look into a
//! partition's log.

use bytes::Bytes;
use crossdock_client::metadata::NodeId;
use crossdock_client::producer::{AckRun, AckSink, AppendError, BatchMetadata, ProduceError, TopicRef};
use crossdock_client::{Cluster, ConnectionClass, Producer};
use crossdock_wire::Batches;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::{BrokerId, FetchRequest, TopicName};
use kafka_protocol::protocol::StrBytes;
use std::iter;
use std::sync::Mutex;
use std::time::Duration;

/// An acknowledged run, or the error that it ended with.
#[derive(Debug, Clone)]
pub(crate) struct Acknowledged {
    pub(crate) run: AckRun,
    pub(crate) outcome: Result<BatchMetadata, ProduceError>,
}

#[derive(Debug, Default)]
pub(crate) struct Sink {
    seen: Mutex<Vec<Acknowledged>>,
}

impl AckSink for Sink {
    fn acknowledged(&self, runs: &[AckRun], outcome: Result<&BatchMetadata, &ProduceError>) {
        let outcome = outcome.cloned().map_err(Clone::clone);
        let seen = runs.iter().map(|run| Acknowledged { run: *run, outcome: outcome.clone() });
        self.seen.lock().unwrap().extend(seen);
    }
}

impl Sink {
    pub(crate) fn seen(&self) -> Vec<Acknowledged> {
        self.seen.lock().unwrap().clone()
    }

    /// Tokens of acknowledged records, in the order of their acknowledgement; panics on an error.
    pub(crate) fn written(&self) -> Vec<u64> {
        let mut tokens = Vec::new();
        for acknowledged in self.seen() {
            acknowledged.outcome.expect("no record fails");
            tokens.extend((0..acknowledged.run.count).map(|_| acknowledged.run.token));
        }
        tokens
    }
}

/// Appends `value` as text and as token, once there is room for it.
pub(crate) async fn append(producer: &Producer, topic: &TopicRef, partition: i32, value: u64) {
    let text = value.to_string();
    // A real broker deletes old records (`retention.ms`), half a minute after its start for the first time.
    let now = i64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap();
    loop {
        let text = Some(text.as_bytes());
        match producer.appender().append(topic, Some(partition), now, None, text, iter::empty(), value) {
            Ok(()) => return,
            Err(AppendError::BufferFull) => producer.wait_for_space().await,
            Err(error) => panic!("{error}"),
        }
    }
}

/// Values of all records of a partition, checked against offsets and checksums.
pub(crate) async fn log_of(cluster: &Cluster, topic: &str, partition: i32) -> Vec<Bytes> {
    let (leader, _) = cluster.leader(topic, partition).await.unwrap();
    let mut values = Vec::new();
    loop {
        let region = fetch(cluster, leader, topic, partition, values.len() as i64).await;
        if region.is_empty() {
            return values;
        }
        for batch in Batches::new(region) {
            let batch = batch.unwrap();
            batch.check_crc().unwrap();
            let batch = batch.decompressed(usize::MAX).unwrap();
            for record in batch.records().unwrap() {
                let record = record.unwrap();
                if record.offset < values.len() as i64 {
                    continue;
                }
                assert_eq!(record.offset, values.len() as i64);
                values.push(Bytes::copy_from_slice(record.value.unwrap()));
            }
        }
    }
}

async fn fetch(cluster: &Cluster, leader: NodeId, topic: &str, partition: i32, offset: i64) -> Bytes {
    let wanted = FetchPartition::default()
        .with_partition(partition)
        .with_fetch_offset(offset)
        .with_current_leader_epoch(-1)
        .with_last_fetched_epoch(-1)
        .with_partition_max_bytes(1 << 20);
    let name = TopicName(StrBytes::from_string(topic.to_owned()));
    let request = FetchRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_max_bytes(50 << 20)
        .with_session_epoch(-1)
        .with_topics(vec![FetchTopic::default().with_topic(name).with_partitions(vec![wanted])]);
    let timeout = Duration::from_secs(10);
    let answer = cluster.call(leader, ConnectionClass::Fetch, request, 12, timeout).await.unwrap();
    let partition = &answer.responses[0].partitions[0];
    assert_eq!(partition.error_code, 0);
    partition.records.clone().unwrap_or_default()
}
