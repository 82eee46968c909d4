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
//! A stop, a flush of offsets and a refused record are looked at in every wait for the plugin's next
//! records and for the producer's space. Mirrors `AbstractWorkerSourceTask` and `WorkerSourceTask`.

use super::acks::Acks;
use super::control::{Counters, Interruption, TaskControl};
use super::ending::{caught, stop_plugin};
use super::failure::TaskFailure;
use super::pipeline::Pipeline;
use super::source_offsets::Token;
use super::topic_creation;
use crate::active_topics::TopicNotes;
use crate::config::connector::ErrorTolerance;
use crate::config::topic_rules::TopicRules;
use crate::context;
use crate::errors::{ErrorHandler, Failed, Origin};
use crate::herder::{State, TaskId};
use crate::offsets::source::SourceOffsetStore;
use crossdock_api::{
    ConfigMap, ConnectError, ErrorKind, Map, RecordRef, SourceBatch, SourceTask, SourceTaskContext, ValueRef,
};
use crossdock_client::Cluster;
use crossdock_client::producer::{AppendError, Producer, TopicRef};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};
use tracing::Instrument;

/// Wait before a poll that failed for now is made again.
const RETRY_BACKOFF: Duration = Duration::from_secs(1);
/// First and longest wait between polls that come back at once with nothing.
const IDLE_WAIT: Duration = Duration::from_millis(1);
const IDLE_WAIT_MAX: Duration = Duration::from_millis(100);

/// What a source task is made of; see [`run`].
pub(crate) struct SourceTaskParts {
    pub(crate) id: TaskId,
    pub(crate) config: ConfigMap,
    pub(crate) producer: Producer,
    pub(crate) acks: Arc<Acks>,
    pub(crate) admin: Cluster,
    pub(crate) store: SourceOffsetStore,
    pub(crate) topic_creation: Option<TopicRules>,
    pub(crate) errors: Arc<ErrorHandler>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) flush_interval: Duration,
    pub(crate) flush_timeout: Duration,
    pub(crate) shutdown_timeout: Duration,
}

/// Runs a source task until it is stopped or fails, a panic of the plugin included. Whatever the end,
/// what Kafka has acknowledged by then is stored, and the plugin is stopped.
pub(crate) async fn run(
    task: Box<dyn SourceTask>,
    pipeline: Pipeline,
    parts: SourceTaskParts,
    mut control: TaskControl,
    tell: impl Fn(State),
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
        notes: TopicNotes::default(),
        stored: Vec::new(),
        pace: Pace::default(),
    };
    let result = caught(async {
        if runner.start(&mut control).await? {
            if !control.is_paused() {
                tell(State::Running);
            }
            runner.work(&mut control, &tell).await?;
        }
        Ok(())
    })
    .await;
    if control.is_abandoned() {
        return Ok(());
    }
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
    bad: Option<Failed>,
    topics: Vec<(String, TopicRef)>,
    /// Topics that were told to be used.
    notes: TopicNotes,
    /// Offsets that were stored and that the plugin has not been told of.
    stored: Vec<(Map, Map)>,
    pace: Pace,
}

/// What to wait for before the next row can be appended.
enum Blocked {
    Metadata(TopicRef),
    NewTopic(String),
    Space,
}

/// How long to wait before the next poll: after an error, and when polls come back at once with nothing,
/// so that such a task does not take a thread for itself.
#[derive(Debug, Default)]
struct Pace {
    wait: Duration,
    not_before: Option<Instant>,
}

impl Pace {
    fn after(&mut self, took: Duration, was_empty: bool) {
        let at_once = took < IDLE_WAIT;
        self.wait = match was_empty && at_once {
            true => (self.wait * 2).clamp(IDLE_WAIT, IDLE_WAIT_MAX),
            false => Duration::ZERO,
        };
        self.not_before = (!self.wait.is_zero()).then(|| Instant::now() + self.wait);
    }

    fn after_error(&mut self) {
        self.not_before = Some(Instant::now() + RETRY_BACKOFF);
    }
}

impl Runner {
    /// Starts the plugin; `false` if the task was stopped before it had started.
    async fn start(&mut self, control: &mut TaskControl) -> Result<bool, TaskFailure> {
        let parts = &self.parts;
        let offsets = Arc::new(parts.store.clone());
        let context = SourceTaskContext::new(&parts.id.connector, parts.id.task, offsets);
        tokio::select! {
            started = self.task.start(context, &parts.config) => {
                started.map_err(TaskFailure::plugin("starting the source task"))?;
                Ok(true)
            }
            () = control.stopped() => Ok(false),
        }
    }

    async fn work(&mut self, control: &mut TaskControl, tell: &impl Fn(State)) -> Result<(), TaskFailure> {
        let interval = self.parts.flush_interval.max(Duration::from_millis(1));
        let mut flush = interval_at(Instant::now() + interval, interval);
        flush.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let Some((polled, took)) = self.poll(control, &mut flush, tell).await? else { return Ok(()) };
            self.tell_stored().await;
            self.pace.after(took, self.batch.is_empty());
            if polled.is_ok() && !self.batch.is_empty() {
                self.parts.counters.metrics().polled(self.batch.records().len(), took);
            }
            // A wait before something is tried again must not hold up a stop: what was polled is polled again.
            tokio::select! {
                biased;
                done = self.polled(polled) => done?,
                () = control.stopped() => return Ok(()),
            }
            while let Some(blocked) = self.dispatch()? {
                if !self.unblock(blocked, control, &mut flush).await? {
                    return Ok(());
                }
            }
            // A task that always has something to give must not keep others from their turn.
            tokio::task::yield_now().await;
        }
    }

    /// Polls once, and says how long the poll took; `None` if the task was stopped meanwhile. Offsets are flushed while it waits, and the
    /// poll goes on: only a stop drops it; a pause lets it rest.
    async fn poll(
        &mut self,
        control: &mut TaskControl,
        flush: &mut Interval,
        tell: &impl Fn(State),
    ) -> Result<Option<(Result<(), ConnectError>, Duration)>, TaskFailure> {
        let not_before = self.pace.not_before.take();
        let (task, batch) = (&mut self.task, &mut self.batch);
        let polling = async move {
            if let Some(instant) = not_before {
                tokio::time::sleep_until(instant).await;
            }
            let began = Instant::now();
            (task.poll(batch).await, began.elapsed())
        };
        tokio::pin!(polling);
        loop {
            tokio::select! {
                biased;
                asked = control.interrupted() => match asked {
                    Interruption::Stop => return Ok(None),
                    Interruption::Pause => rest(&self.parts, &mut self.stored, control, flush, tell).await?,
                },
                failure = self.parts.acks.failure() => return Err(failure),
                _ = flush.tick() => self.stored.extend(store_offsets(&self.parts).await?),
                polled = &mut polling => return Ok(Some(polled)),
            }
        }
    }

    /// Waits until the next row can be appended; `false` if the task was stopped meanwhile.
    async fn unblock(
        &mut self,
        blocked: Blocked,
        control: &mut TaskControl,
        flush: &mut Interval,
    ) -> Result<bool, TaskFailure> {
        {
            let waiting = unblocked(&self.parts, &blocked);
            tokio::pin!(waiting);
            loop {
                tokio::select! {
                    biased;
                    () = control.stopped() => return Ok(false),
                    failure = self.parts.acks.failure() => return Err(failure),
                    _ = flush.tick() => self.stored.extend(store_offsets(&self.parts).await?),
                    done = &mut waiting => { done?; break; }
                }
            }
        }
        self.note_topic(blocked);
        Ok(true)
    }

    fn note_topic(&mut self, unblocked: Blocked) {
        if let Blocked::NewTopic(name) = unblocked {
            let topic = self.parts.producer.topic(&name);
            self.topics.push((name, topic));
        }
    }

    /// Takes what a poll gave: through the pipeline, and registered.
    async fn polled(&mut self, polled: Result<(), ConnectError>) -> Result<(), TaskFailure> {
        match polled {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::Retriable => {
                tracing::warn!(%error, "the source task could not poll for now; it is tried again");
                self.pace.after_error();
            }
            Err(error) => return Err(TaskFailure::plugin("polling the source task")(error)),
        }
        if self.batch.is_empty() {
            return Ok(());
        }
        if !self.batch.is_consistent() {
            let message =
                "it added records that have no source offset; they must be added by SourceBatch::record";
            return Err(TaskFailure::plugin("polling the source task")(ConnectError::fatal(message)));
        }
        let (errors, polled) = (&self.parts.errors, self.batch.records().len());
        let failed = self.pipeline.serialize(self.batch.records_mut(), errors).await;
        let batch = &self.batch;
        let origin = |ordinal| format!("{{{}}}", place(batch, ordinal));
        self.bad = errors.report(failed, Origin::Source(&origin)).await?;
        let dropped = polled.saturating_sub(self.batch.records().len());
        if dropped > 0 {
            self.parts.counters.metrics().done(dropped as u64, 0);
        }
        let end = self.bad.as_ref().map_or(self.batch.records().ordinals(), |bad| bad.ordinal);
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
        let mut noted = None;
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
            let (key, value) = (bytes_of(record.key())?, bytes_of(record.value())?);
            let headers = record.headers().map(|h| (h.name.as_str(), bytes_of(h.value).unwrap_or_default()));
            let timestamp = record.timestamp().unwrap_or(now);
            match appender.append(topic, record.partition(), timestamp, key, value, headers, token.to_u64()) {
                Ok(()) => {
                    bytes += key.map_or(0, <[u8]>::len) + value.map_or(0, <[u8]>::len);
                    if noted != Some(topic_at) {
                        noted = Some(topic_at);
                        self.parts.counters.note_topic(&mut self.notes, name);
                    }
                }
                Err(AppendError::BufferFull) => break Some(Blocked::Space),
                Err(AppendError::MetadataMissing { .. }) => break Some(Blocked::Metadata(topic.clone())),
                Err(error @ AppendError::RecordTooLarge { .. })
                    if self.parts.errors.tolerance() == ErrorTolerance::All =>
                {
                    tracing::error!(%error, topic = name, "skipped a record that cannot be sent");
                    self.parts.counters.add_skipped(1);
                    self.parts.counters.metrics().done(1, 0);
                    self.parts.acks.offsets().acknowledged(token, 1);
                }
                Err(error) => {
                    let place = place(&self.batch, record.ordinal());
                    self.parts.counters.add_bytes(bytes as u64);
                    return Err(TaskFailure::Append { place, source: error });
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
            let place = place(&self.batch, bad.ordinal);
            return Err(TaskFailure::record(bad, place));
        }
        self.batch_number += 1;
        self.batch.reset(self.batch_number);
        Ok(None)
    }

    /// Tells the plugin which offsets were stored since it was told last.
    async fn tell_stored(&mut self) {
        let stored = std::mem::take(&mut self.stored);
        if !stored.is_empty()
            && let Err(error) = self.task.commit(&stored).await
        {
            tracing::error!(%error, "the source task could not act on stored offsets");
        }
    }

    /// Ends the task: sends what was polled and waits for Kafka, as long as a graceful stop may take, then
    /// stores offsets and stops the plugin.
    async fn finish(mut self, result: Result<(), TaskFailure>) -> Result<(), TaskFailure> {
        // Something is kept for storing offsets and for the plugin.
        let limit = self.parts.shutdown_timeout.mul_f64(0.8);
        let drained = tokio::time::timeout(limit, async {
            if result.is_ok() {
                while let Some(blocked) = self.dispatch()? {
                    unblocked(&self.parts, &blocked).await?;
                    self.note_topic(blocked);
                }
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
        let result = match store_offsets(&self.parts).await {
            Ok(stored) => {
                self.stored.extend(stored);
                result
            }
            // After a failure this is only what follows from it.
            Err(lost) => result.and(Err(lost)),
        };
        stop_plugin(async {
            self.tell_stored().await;
            self.task.stop().await
        })
        .await;
        self.parts.producer.close(Duration::ZERO).await;
        result
    }
}

/// Does nothing while the task is paused, but what goes on anyway: what was sent is acknowledged, and its offsets
/// are stored. Ends with a stop, too.
async fn rest(
    parts: &SourceTaskParts,
    stored: &mut Vec<(Map, Map)>,
    control: &mut TaskControl,
    flush: &mut Interval,
    tell: &impl Fn(State),
) -> Result<(), TaskFailure> {
    tell(State::Paused);
    loop {
        tokio::select! {
            biased;
            resumed = control.resumed() => {
                if resumed {
                    tell(State::Running);
                }
                return Ok(());
            }
            failure = parts.acks.failure() => return Err(failure),
            _ = flush.tick() => stored.extend(store_offsets(parts).await?),
        }
    }
}

/// Stores the offsets of what Kafka has acknowledged, and gives them. That it does not work now is logged
/// and made up for later: the offsets stay what may be stored.
///
/// # Errors
/// A dead letter that Kafka has not taken: nothing is stored then.
async fn store_offsets(parts: &SourceTaskParts) -> Result<Vec<(Map, Map)>, TaskFailure> {
    write_offsets(parts).instrument(context::of_offsets(&parts.id)).await
}

async fn write_offsets(parts: &SourceTaskParts) -> Result<Vec<(Map, Map)>, TaskFailure> {
    let offsets = parts.acks.offsets().take();
    let (metrics, began) = (parts.counters.metrics(), Instant::now());
    if offsets.is_empty() {
        // That nothing has changed counts as a success.
        metrics.stored(Duration::ZERO, true);
        return Ok(offsets);
    }
    let written = tokio::time::timeout(parts.flush_timeout, async {
        // An offset is only stored when a bad record before it is safe, too.
        parts.errors.settled().await?;
        Ok::<_, TaskFailure>(parts.store.write(&offsets).await)
    });
    let written = written.await;
    metrics.stored(began.elapsed(), matches!(written, Ok(Ok(Ok(())))));
    let reason = match written {
        Ok(Ok(Ok(()))) => return Ok(offsets),
        Ok(Err(failure)) => return Err(failure),
        Ok(Ok(Err(error))) => error.to_string(),
        Err(_) => "it took longer than offset.flush.timeout.ms".to_owned(),
    };
    tracing::error!(reason, "source offsets could not be stored; it is tried again at the next flush");
    parts.acks.offsets().restore(offsets);
    Ok(Vec::new())
}

/// Waits for what keeps the next row from being appended. Cancel-safe.
async fn unblocked(parts: &SourceTaskParts, blocked: &Blocked) -> Result<(), TaskFailure> {
    match (blocked, &parts.topic_creation) {
        (Blocked::Space, _) => {
            parts.producer.wait_for_space().await;
            Ok(())
        }
        (Blocked::Metadata(topic), _) => Ok(parts.producer.wait_for_metadata(topic).await?),
        (Blocked::NewTopic(_), None) => Ok(()),
        (Blocked::NewTopic(name), Some(rules)) => {
            Ok(topic_creation::ensure(&parts.admin, name, rules.of_topic(name)).await?)
        }
    }
}

fn token_of(batch: &SourceBatch, tokens: &[Token], record: RecordRef<'_>) -> Token {
    let partition = batch.partition_index(record.ordinal());
    // Every record of a consistent batch was given its source partition when it was added.
    partition.and_then(|p| tokens.get(p)).copied().unwrap_or(Token::from_u64(u64::MAX))
}

/// After the converters every part of a record is bytes or null.
fn bytes_of(value: ValueRef<'_>) -> Result<Option<&[u8]>, TaskFailure> {
    match value {
        ValueRef::Null => Ok(None),
        ValueRef::Bytes(bytes) => Ok(Some(bytes)),
        ValueRef::String(text) => Ok(Some(text.as_bytes())),
        other => Err(TaskFailure::Unconverted { class: other.java_class() }),
    }
}

/// Where a record of the batch is from.
fn place(batch: &SourceBatch, ordinal: u32) -> String {
    let partition = batch.partition_index(ordinal).and_then(|index| batch.partitions().get(index));
    let offset = batch.offset_of(ordinal);
    format!(
        "source partition {}, source offset {}",
        partition.map(describe).unwrap_or_default(),
        offset.as_ref().map(describe).unwrap_or_default()
    )
}

fn describe(map: &Map) -> String {
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
