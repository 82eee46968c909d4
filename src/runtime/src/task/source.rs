//! A source task at work.
//!
//! One loop does it all, so that nothing is shared but the acknowledgements:
//!
//! ```text
//! poll ─▶ transforms, converters ─▶ register ─▶ append to open batches ─┐ (waits for space)
//!   ▲                                                                   ▼
//!   └── next poll                     offsets stored ◀─ tick ◀─ Acks ◀─ Kafka
//! ```
//!
//! Nothing waits while it cannot be interrupted: a stop, a flush of offsets and a failed record are
//! looked at in every wait. Mirrors `AbstractWorkerSourceTask` and `WorkerSourceTask`.

use super::control::{Counters, TaskControl};
use super::failure::TaskFailure;
use super::pipeline::{BadRecord, Pipeline};
use super::source_offsets::{SourceOffsets, Token};
use crate::config::connector::{ErrorTolerance, TopicCreation};
use crate::herder::TaskId;
use crate::offsets::source::SourceOffsetStore;
use crossdock_api::{
    ConfigMap, ConnectError, ErrorKind, RecordRef, SourceBatch, SourceTask, SourceTaskContext, ValueRef,
};
use crossdock_client::admin::{Admin, NewTopic};
use crossdock_client::producer::{
    AckRun, AckSink, AppendError, BatchMetadata, ProduceError, Producer, TopicRef,
};
use crossdock_client::{Cluster, ErrorCode, TopicSelection};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::Notify;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

/// Wait before a poll or commit that failed for now is made again.
const RETRY_BACKOFF: Duration = Duration::from_secs(1);

/// What a source task is made of; see [`run`].
pub(crate) struct SourceTaskParts {
    pub(crate) id: TaskId,
    pub(crate) config: ConfigMap,
    pub(crate) producer: Producer,
    pub(crate) acks: Arc<Acks>,
    pub(crate) admin: Cluster,
    pub(crate) store: SourceOffsetStore,
    pub(crate) topic_creation: Option<TopicCreation>,
    pub(crate) tolerance: ErrorTolerance,
    pub(crate) counters: Arc<Counters>,
    pub(crate) flush_interval: Duration,
    pub(crate) flush_timeout: Duration,
    pub(crate) shutdown_timeout: Duration,
}

/// Where acknowledgements meet the task's bookkeeping: called by the producer.
pub(crate) struct Acks {
    offsets: Mutex<SourceOffsets>,
    failed: Mutex<Option<TaskFailure>>,
    changed: Notify,
    counters: Arc<Counters>,
    tolerance: ErrorTolerance,
}

impl Acks {
    pub(crate) fn new(counters: Arc<Counters>, tolerance: ErrorTolerance) -> Self {
        Self {
            offsets: Mutex::default(),
            failed: Mutex::default(),
            changed: Notify::new(),
            counters,
            tolerance,
        }
    }

    fn offsets(&self) -> std::sync::MutexGuard<'_, SourceOffsets> {
        self.offsets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until Kafka has refused a record. Cancel-safe.
    async fn failure(&self) -> TaskFailure {
        loop {
            let changed = self.changed.notified();
            if let Some(failure) = self.failed.lock().unwrap_or_else(PoisonError::into_inner).take() {
                return failure;
            }
            changed.await;
        }
    }
}

impl AckSink for Acks {
    fn acknowledged(&self, runs: &[AckRun], outcome: Result<&BatchMetadata, &ProduceError>) {
        let total: u64 = runs.iter().map(|run| u64::from(run.count)).sum();
        match outcome {
            Ok(_) => self.counters.add_records(total),
            Err(error) if self.tolerance == ErrorTolerance::All => {
                tracing::error!(%error, records = total, "Kafka refused records; they are skipped as errors.tolerance is all");
                self.counters.add_skipped(total);
            }
            Err(error) => {
                let failure = TaskFailure::Produce { reason: error.to_string() };
                self.failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(failure);
                self.changed.notify_one();
                return;
            }
        }
        let mut offsets = self.offsets();
        for run in runs {
            offsets.acknowledged(Token::from_u64(run.token), u64::from(run.count));
        }
    }
}

/// Runs a source task until it is stopped or fails. Whatever the end, what Kafka has acknowledged by
/// then is stored, and the plugin is stopped.
pub(crate) async fn run(
    task: Box<dyn SourceTask>,
    pipeline: Pipeline,
    parts: SourceTaskParts,
    mut control: TaskControl,
    started: impl FnOnce(),
) -> Result<(), TaskFailure> {
    let mut runner = Runner {
        task,
        pipeline,
        parts,
        batch: SourceBatch::new(),
        batch_number: 0,
        tokens: Vec::new(),
        next_row: None,
        bad: None,
        topics: Vec::new(),
        poll_not_before: None,
    };
    let result = match runner.start().await {
        Ok(()) => {
            started();
            runner.work(&mut control).await
        }
        Err(failure) => Err(failure),
    };
    runner.finish(result).await
}

struct Runner {
    task: Box<dyn SourceTask>,
    pipeline: Pipeline,
    parts: SourceTaskParts,
    batch: SourceBatch,
    batch_number: u64,
    /// Token of each source partition of the batch.
    tokens: Vec<Token>,
    /// The row of the batch to append next; `None` when all are.
    next_row: Option<usize>,
    /// The record that ended the batch: the task fails when those before it are appended.
    bad: Option<BadRecord>,
    topics: Vec<(String, TopicRef)>,
    poll_not_before: Option<Instant>,
}

/// What to wait for before the next row can be appended.
enum Blocked {
    Metadata(TopicRef),
    NewTopic(String),
    Space,
}

enum Step {
    Dispatch,
    Failed(TaskFailure),
    Flush,
    Polled(Result<(), ConnectError>),
    Stop,
}

impl Runner {
    async fn start(&mut self) -> Result<(), TaskFailure> {
        let parts = &self.parts;
        let offsets = Arc::new(parts.store.clone());
        let context = SourceTaskContext::new(&parts.id.connector, parts.id.task, offsets);
        self.task.start(context, &parts.config).await.map_err(TaskFailure::plugin("starting the source task"))
    }

    async fn work(&mut self, control: &mut TaskControl) -> Result<(), TaskFailure> {
        let interval = self.parts.flush_interval.max(Duration::from_millis(1));
        let mut flush = interval_at(Instant::now() + interval, interval);
        flush.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut blocked: Option<Blocked> = None;
        loop {
            let step = tokio::select! {
                biased;
                () = control.stopped() => Step::Stop,
                failure = self.parts.acks.failure() => Step::Failed(failure),
                _ = flush.tick() => Step::Flush,
                done = unblock(&self.parts, blocked.as_ref()), if self.next_row.is_some() => {
                    done.map_or_else(Step::Failed, |()| Step::Dispatch)
                }
                polled = poll(&mut self.task, &mut self.batch, self.poll_not_before), if self.next_row.is_none() => {
                    Step::Polled(polled)
                }
            };
            match step {
                Step::Stop => return Ok(()),
                Step::Failed(failure) => return Err(failure),
                Step::Flush => self.store_offsets().await,
                Step::Dispatch => {
                    if let Some(Blocked::NewTopic(name)) = blocked.take() {
                        let topic = self.parts.producer.topic(&name);
                        self.topics.push((name, topic));
                    }
                    blocked = self.dispatch()?;
                }
                Step::Polled(polled) => {
                    self.polled(polled)?;
                    blocked = self.dispatch()?;
                }
            }
        }
    }

    /// Takes what a poll gave: through the pipeline, and registered.
    fn polled(&mut self, polled: Result<(), ConnectError>) -> Result<(), TaskFailure> {
        self.poll_not_before = None;
        match polled {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::Retriable => {
                tracing::warn!(%error, "the source task could not poll for now; it is tried again");
                self.poll_not_before = Some(Instant::now() + RETRY_BACKOFF);
            }
            Err(error) => return Err(TaskFailure::plugin("polling the source task")(error)),
        }
        if self.batch.is_empty() {
            return Ok(());
        }
        let processed = self.pipeline.serialize(self.batch.records_mut());
        self.parts.counters.add_skipped(processed.skipped);
        let end = processed.bad.as_ref().map_or(self.batch.records().ordinals(), |bad| bad.ordinal);
        self.bad = processed.bad;
        self.tokens = self.parts.acks.offsets().register(&self.batch, end);
        self.next_row = Some(0);
        Ok(())
    }

    /// Appends rows until all are or one has to wait.
    fn dispatch(&mut self) -> Result<Option<Blocked>, TaskFailure> {
        let Some(mut row) = self.next_row else { return Ok(None) };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as i64);
        let mut appender = self.parts.producer.appender();
        let mut bytes = 0;
        let mut topic_at = 0;
        let blocked = loop {
            let Some(record) = self.batch.records().get(row) else { break None };
            let name = record.topic();
            if self.topics.get(topic_at).is_none_or(|(known, _)| known != name) {
                match self.topics.iter().position(|(known, _)| known == name) {
                    Some(at) => topic_at = at,
                    None => break Some(Blocked::NewTopic(name.to_owned())),
                }
            }
            let topic = &self.topics[topic_at].1;
            let token = token_of(&self.batch, &self.tokens, record);
            let (key, value) = (bytes_of(record.key()), bytes_of(record.value()));
            let headers = record.headers().map(|h| (h.name.as_str(), bytes_of(h.value)));
            let timestamp = record.timestamp().unwrap_or(now);
            match appender.append(topic, record.partition(), timestamp, key, value, headers, token.to_u64()) {
                Ok(()) => bytes += key.map_or(0, <[u8]>::len) + value.map_or(0, <[u8]>::len),
                Err(AppendError::BufferFull) => break Some(Blocked::Space),
                Err(AppendError::MetadataMissing { .. }) => break Some(Blocked::Metadata(topic.clone())),
                Err(error) if self.parts.tolerance == ErrorTolerance::All => {
                    tracing::error!(%error, topic = name, "skipped a record that cannot be sent");
                    self.parts.counters.add_skipped(1);
                    self.parts.acks.offsets().acknowledged(token, 1);
                }
                Err(error) => {
                    self.parts.counters.add_bytes(bytes as u64);
                    return Err(TaskFailure::Produce { reason: error.to_string() });
                }
            }
            row += 1;
        };
        drop(appender);
        self.parts.counters.add_bytes(bytes as u64);
        if blocked.is_some() {
            self.next_row = Some(row);
            return Ok(blocked);
        }
        self.next_row = None;
        if let Some(bad) = self.bad.take() {
            return Err(self.bad_record(bad));
        }
        self.batch_number += 1;
        self.batch.reset(self.batch_number);
        Ok(None)
    }

    fn bad_record(&self, bad: BadRecord) -> TaskFailure {
        let partition =
            self.batch.partition_index(bad.ordinal).and_then(|index| self.batch.partitions().get(index));
        let offset = self.batch.offset_of(bad.ordinal);
        let place = format!(
            "source partition {}, source offset {}",
            partition.map(describe).unwrap_or_default(),
            offset.as_ref().map(describe).unwrap_or_default()
        );
        TaskFailure::Record { stage: bad.stage, place, source: bad.error }
    }

    /// Stores the offsets of what Kafka has acknowledged. That it does not work now is logged and made
    /// up for later: the offsets stay what may be stored.
    async fn store_offsets(&mut self) {
        let offsets = self.parts.acks.offsets().take();
        if offsets.is_empty() {
            return;
        }
        let written = tokio::time::timeout(self.parts.flush_timeout, self.parts.store.write(&offsets)).await;
        let reason = match written {
            Ok(Ok(())) => {
                if let Err(error) = self.task.commit(&offsets).await {
                    tracing::error!(%error, "the source task could not act on stored offsets");
                }
                return;
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => "it took longer than offset.flush.timeout.ms".to_owned(),
        };
        tracing::error!(reason, "source offsets could not be stored; it is tried again at the next flush");
        self.parts.acks.offsets().restore(offsets);
    }

    /// Ends the task: sends what was polled, waits for Kafka, stores offsets, stops the plugin; all
    /// within the time for a graceful stop.
    async fn finish(mut self, result: Result<(), TaskFailure>) -> Result<(), TaskFailure> {
        let deadline = Instant::now() + self.parts.shutdown_timeout;
        let drained = tokio::time::timeout_at(deadline, async {
            if result.is_ok() {
                self.append_rest().await?;
            }
            self.parts.producer.flush().await;
            Ok::<_, TaskFailure>(())
        });
        let result = match drained.await {
            Ok(drained) => result.and(drained),
            Err(_) => {
                let records = self.parts.acks.offsets().outstanding();
                tracing::warn!(
                    records,
                    "Kafka did not acknowledge all records in task.shutdown.graceful.timeout.ms; they are read again at the next start"
                );
                result
            }
        };
        self.store_offsets().await;
        if let Err(error) = self.task.stop().await {
            tracing::warn!(%error, "the source task did not stop cleanly");
        }
        self.parts.producer.close(Duration::ZERO).await;
        result
    }

    async fn append_rest(&mut self) -> Result<(), TaskFailure> {
        let mut blocked = self.dispatch()?;
        while let Some(reason) = blocked {
            unblock(&self.parts, Some(&reason)).await?;
            if let Blocked::NewTopic(name) = reason {
                let topic = self.parts.producer.topic(&name);
                self.topics.push((name, topic));
            }
            blocked = self.dispatch()?;
        }
        Ok(())
    }
}

async fn poll(
    task: &mut Box<dyn SourceTask>,
    batch: &mut SourceBatch,
    not_before: Option<Instant>,
) -> Result<(), ConnectError> {
    if let Some(instant) = not_before {
        tokio::time::sleep_until(instant).await;
    }
    task.poll(batch).await
}

/// Waits for what keeps the next row from being appended. Cancel-safe.
async fn unblock(parts: &SourceTaskParts, blocked: Option<&Blocked>) -> Result<(), TaskFailure> {
    match blocked {
        None => Ok(()),
        Some(Blocked::Space) => {
            parts.producer.wait_for_space().await;
            Ok(())
        }
        Some(Blocked::Metadata(topic)) => Ok(parts.producer.wait_for_metadata(topic).await?),
        Some(Blocked::NewTopic(name)) => match &parts.topic_creation {
            None => Ok(()),
            Some(creation) => create_topic(&parts.admin, name, creation).await,
        },
    }
}

/// Creates a topic by the connector's `topic.creation.default.*` keys, unless it is there (KIP-158).
async fn create_topic(cluster: &Cluster, name: &str, creation: &TopicCreation) -> Result<(), TaskFailure> {
    let mut topic = NewTopic::new(name, creation.partitions, creation.replication_factor);
    topic.configs = creation.configs.clone();
    let known = cluster.refresh(TopicSelection::Named(vec![name.into()]), false).await?;
    if known.topic(name).is_some_and(|topic| topic.error.is_ok()) {
        return Ok(());
    }
    for (_, created) in Admin::new(cluster.clone()).create_topics(&[topic], false).await? {
        match created {
            Ok(_) => tracing::info!(topic = name, partitions = creation.partitions, "created the topic"),
            Err(error) if error.code() == Some(ErrorCode::TOPIC_ALREADY_EXISTS) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn token_of(batch: &SourceBatch, tokens: &[Token], record: RecordRef<'_>) -> Token {
    let partition = batch.partition_index(record.ordinal());
    // Every record of a batch was given its source partition when it was added.
    partition.and_then(|p| tokens.get(p)).copied().unwrap_or(Token::from_u64(u64::MAX))
}

/// After the converters every part of a record is bytes or null.
fn bytes_of(value: ValueRef<'_>) -> Option<&[u8]> {
    match value {
        ValueRef::Bytes(bytes) => Some(bytes),
        ValueRef::String(text) => Some(text.as_bytes()),
        _ => None,
    }
}

fn describe(map: &crossdock_api::Map) -> String {
    let fields = map.iter().map(|(name, value)| {
        let value = match value.as_ref() {
            ValueRef::String(text) => text.as_str().to_owned(),
            ValueRef::Int64(number) => number.to_string(),
            other => format!("{other:?}"),
        };
        format!("{}={value}", name.as_ref().as_str().unwrap_or_default())
    });
    format!("{{{}}}", fields.collect::<Vec<_>>().join(", "))
}
