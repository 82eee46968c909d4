//! The dead letter queue of a task: a topic for records that could not be handled. Those of a sink are in it as they
//! came (`DeadLetterQueueReporter`), those of a source as they were when they failed.

use super::report::{headers, source_headers};
use super::{Failed, Original};
use crate::config::ConnectorConfig;
use crate::config::connector::DeadLetterQueue;
use crate::config::topic_rules::TopicCreation;
use crate::config::{WorkerConfig, clients};
use crate::herder::TaskId;
use crate::task::{Counters, TaskFailure, topic_creation};
use crossdock_api::{ConfigMap, TopicPartition};
use crossdock_client::producer::{
    AckRun, AckSink, AppendError, BatchMetadata, ProduceError, Producer, TopicRef,
};
use crossdock_client::{ClientConfig, Cluster, ProducerConfig};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

/// The queue of one task. Records are under way until [`DeadLetters::settled`] says that they are in it.
pub(super) struct DeadLetters {
    id: TaskId,
    queue: DeadLetterQueue,
    producer: Producer,
    topic: TopicRef,
    sent: AtomicU64,
    acks: Arc<Acks>,
}

impl DeadLetters {
    /// Makes the topic if it is missing, and a producer for it. Waits for brokers that cannot be reached.
    pub(super) async fn start(
        id: TaskId,
        worker: &WorkerConfig,
        connector: &ConnectorConfig,
        queue: &DeadLetterQueue,
        counters: Arc<Counters>,
    ) -> Result<Self, TaskFailure> {
        let admin = cluster(&clients::dead_letter_admin(worker, connector, &id))?;
        let creation = TopicCreation {
            partitions: 1,
            replication_factor: queue.replication_factor,
            configs: ConfigMap::new(),
        };
        let made = topic_creation::ensure(&admin, &queue.topic, &creation).await;
        made.map_err(|source| TaskFailure::DeadLetterTopic { topic: queue.topic.clone(), source })?;
        let settings = clients::dead_letter_producer(worker, connector, &id);
        let acks = Arc::new(Acks { done: AtomicU64::new(0), failed: Mutex::default(), counters });
        let config = ProducerConfig::from_map(&settings)?;
        let producer = Producer::start(cluster(&settings)?, config, Arc::clone(&acks) as _);
        let topic = producer.topic(&queue.topic);
        Ok(Self { id, queue: queue.clone(), producer, topic, sent: AtomicU64::new(0), acks })
    }

    /// Sends a record of a sink on its way. Waits for room, not for Kafka.
    pub(super) async fn send(
        &self,
        failed: &Failed,
        partition: &TopicPartition,
        original: &Original,
    ) -> Result<(), TaskFailure> {
        let context = self.queue.context_headers.then(|| headers(&self.id, failed, partition));
        self.append(original, context.as_deref().unwrap_or_default()).await
    }

    /// Sends a record of a source on its way, with where in the source it is from. Else as [`Self::send`].
    pub(super) async fn send_captured(
        &self,
        failed: &Failed,
        place: &str,
        captured: &Original,
    ) -> Result<(), TaskFailure> {
        let context = self.queue.context_headers.then(|| source_headers(&self.id, failed, place));
        self.append(captured, context.as_deref().unwrap_or_default()).await
    }

    async fn append(
        &self,
        original: &Original,
        context: &[(&'static str, String)],
    ) -> Result<(), TaskFailure> {
        let now = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64);
        let timestamp = match original.timestamp {
            Original::NO_TIMESTAMP => now(),
            timestamp => timestamp,
        };
        let own = original.headers.iter().map(|(name, value)| (name.as_str(), value.as_deref()));
        let all: Vec<(&str, Option<&[u8]>)> =
            own.chain(context.iter().map(|(name, value)| (*name, Some(value.as_bytes())))).collect();
        let (key, value) = (original.key.as_deref(), original.value.as_deref());
        self.sent.fetch_add(1, Ordering::Relaxed);
        loop {
            let appended = self.producer.appender().append(
                &self.topic,
                None,
                timestamp,
                key,
                value,
                all.iter().copied(),
                0,
            );
            match appended {
                Ok(()) => return Ok(()),
                Err(AppendError::BufferFull) => self.producer.wait_for_space().await,
                Err(AppendError::MetadataMissing { .. }) => self
                    .producer
                    .wait_for_metadata(&self.topic)
                    .await
                    .map_err(|error| self.refused(error.to_string()))?,
                Err(error) => return Err(self.refused(error.to_string())),
            }
        }
    }

    /// Waits until all that was sent is in Kafka.
    pub(super) async fn settled(&self) -> Result<(), TaskFailure> {
        if self.acks.done.load(Ordering::Acquire) < self.sent.load(Ordering::Relaxed) {
            self.producer.flush().await;
        }
        // It stays lost: whoever asks again, at the task's end, is told so too.
        match self.acks.failed.lock().unwrap_or_else(PoisonError::into_inner).clone() {
            None => Ok(()),
            Some(reason) => Err(self.refused(reason)),
        }
    }

    fn refused(&self, reason: String) -> TaskFailure {
        TaskFailure::DeadLetter { topic: self.queue.topic.clone(), reason }
    }
}

/// What became of what was sent.
struct Acks {
    done: AtomicU64,
    failed: Mutex<Option<String>>,
    counters: Arc<Counters>,
}

impl AckSink for Acks {
    fn acknowledged(&self, runs: &[AckRun], outcome: Result<&BatchMetadata, &ProduceError>) {
        let count: u64 = runs.iter().map(|run| u64::from(run.count)).sum();
        if let Err(error) = outcome {
            self.counters.metrics().errors().dead_letters_failed(count);
            let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
            failed.get_or_insert_with(|| error.to_string());
        }
        self.done.fetch_add(count, Ordering::Release);
    }
}

fn cluster(settings: &ConfigMap) -> Result<Cluster, crossdock_client::ConfigError> {
    Ok(Cluster::new(ClientConfig::from_map(settings)?))
}
