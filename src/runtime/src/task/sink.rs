//! A sink task at work.
//!
//! ```text
//! consumer ─▶ records of a partition ─▶ chunks ─▶ converters, transforms ─▶ put ─▶ SinkOffsets
//!                                        (queue)                                        │
//!                     Kafka ◀─ commit ◀─ allowed ◀─ pre_commit ◀─ tick, request, revocation
//! ```
//!
//! Chunks are put one by one. In between, and while one waits for a retry, events of the group are taken but
//! no records, so that a slow sink keeps its membership and a rebalance is never held up. Mirrors `WorkerSinkTask`.

use super::control::{Counters, Interruption, TaskControl};
use super::ending::{PLUGIN_STOP, caught, stop_plugin};
use super::failure::TaskFailure;
use super::pipeline::Pipeline;
use super::sink_chunk::{Chunk, Filling, PutSize};
use super::sink_host::{Host, Request};
use super::sink_offsets::SinkOffsets;
use crate::active_topics::TopicNotes;
use crate::config::connector::SinkTopics;
use crate::errors::{ErrorHandler, Origin, Originals};
use crate::herder::{State, TaskId};
use crate::metrics::Fetch;
use crossdock_api::sink::SinkTaskHost;
use crossdock_api::{
    ConfigMap, ConnectError, ErrorKind, OffsetMap, RecordBatch, SinkBatch, SinkTask, SinkTaskContext,
    TopicPartition,
};
use crossdock_client::{
    Consumer, ConsumerError, ConsumerEvent, FetchedRecords, OffsetAndMetadata, TopicPattern,
};
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

/// First wait before a put that failed for now is made again; doubled up to the limit.
const RETRY_BACKOFF: Duration = Duration::from_millis(100);
const RETRY_BACKOFF_MAX: Duration = Duration::from_secs(10);
/// How often a task without records gets an empty put, so that it can act on time.
const IDLE_PUT: Duration = Duration::from_secs(1);

/// What a sink task is made of; see [`run`].
pub(crate) struct SinkTaskParts {
    pub(crate) id: TaskId,
    pub(crate) task: Box<dyn SinkTask>,
    pub(crate) config: ConfigMap,
    pub(crate) pipeline: Pipeline,
    pub(crate) consumer: Consumer,
    pub(crate) topics: SinkTopics,
    /// Most records of a put; it follows what puts take if `None`.
    pub(crate) max_put: Option<usize>,
    pub(crate) errors: Arc<ErrorHandler>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) commit_interval: Duration,
    pub(crate) shutdown_timeout: Duration,
}

/// Runs a sink task until it is stopped or fails, a panic of the plugin included. Whatever the end, what was
/// put and is safe by then is committed, and the plugin is stopped.
pub(crate) async fn run(
    parts: SinkTaskParts,
    mut control: TaskControl,
    tell: impl Fn(State),
) -> Result<(), TaskFailure> {
    let host = Arc::new(Host::new(Arc::clone(&parts.errors)));
    let mut runner = Runner {
        put_size: PutSize::new(parts.max_put),
        parts,
        host,
        offsets: SinkOffsets::default(),
        queue: VecDeque::new(),
        retry: None,
        timeout: None,
        commit_asked: false,
        paused: BTreeSet::new(),
        notes: TopicNotes::default(),
        spare: RecordBatch::new(),
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
    parts: SinkTaskParts,
    host: Arc<Host>,
    offsets: SinkOffsets,
    /// What was fetched and not put yet. While there is something, no more records are taken.
    queue: VecDeque<Chunk>,
    put_size: PutSize,
    /// When to put the front of the queue again, and the wait after that.
    retry: Option<(Instant, Duration)>,
    /// What the task set for its next retry or idle put.
    timeout: Option<Duration>,
    commit_asked: bool,
    /// Paused by the task; outlives a rebalance for what stays assigned.
    paused: BTreeSet<TopicPartition>,
    /// Topics that were told to be used.
    notes: TopicNotes,
    /// Memory of a batch that is done, for the next one.
    spare: RecordBatch,
}

enum Step {
    Commit,
    Event(ConsumerEvent),
    Failed(TaskFailure),
    Idle,
    Put,
    /// Pause, or go on.
    Rest(bool),
    Stop,
}

/// Waits for what the herder asks for next. Cancel-safe.
async fn asked(control: &mut TaskControl, resting: bool) -> Step {
    if resting {
        return if control.resumed().await { Step::Rest(false) } else { Step::Stop };
    }
    match control.interrupted().await {
        Interruption::Pause => Step::Rest(true),
        Interruption::Stop => Step::Stop,
    }
}

impl Runner {
    /// Starts the plugin; `false` if the task was stopped before it had started.
    async fn start(&mut self, control: &mut TaskControl) -> Result<bool, TaskFailure> {
        let parts = &mut self.parts;
        let host: Arc<dyn SinkTaskHost> = Arc::clone(&self.host) as _;
        let context = SinkTaskContext::new(&parts.id.connector, parts.id.task, host);
        tokio::select! {
            started = parts.task.start(context, &parts.config) => {
                started.map_err(TaskFailure::plugin("starting the sink task"))?;
            }
            () = control.stopped() => return Ok(false),
        }
        match &parts.topics {
            SinkTopics::Named(names) => parts.consumer.subscribe(names.clone())?,
            SinkTopics::Matching(pattern) => {
                parts.consumer.subscribe_pattern(TopicPattern::Java(pattern.clone()))?;
            }
        }
        self.answer_requests();
        Ok(true)
    }

    async fn work(&mut self, control: &mut TaskControl, tell: &impl Fn(State)) -> Result<(), TaskFailure> {
        let interval = self.parts.commit_interval.max(Duration::from_millis(1));
        let mut commit = interval_at(Instant::now() + interval, interval);
        commit.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut idle_at = Instant::now() + IDLE_PUT;
        // Of a paused task the membership goes on, and commits; it is given nothing.
        let mut resting = false;
        loop {
            let busy = !self.queue.is_empty();
            let put_at = self.retry.map(|(at, _)| at);
            let step = tokio::select! {
                biased;
                step = asked(control, resting) => step,
                _ = commit.tick() => Step::Commit,
                event = next_event(&mut self.parts.consumer, busy || resting) => match event {
                    Ok(event) => Step::Event(event),
                    Err(error) => Step::Failed(error.into()),
                },
                () = until(put_at), if busy && !resting => Step::Put,
                () = tokio::time::sleep_until(idle_at), if !busy && !resting => Step::Idle,
            };
            let worked = !matches!(step, Step::Commit);
            match step {
                Step::Stop => return Ok(()),
                Step::Rest(rest) => {
                    resting = rest;
                    tell(if rest { State::Paused } else { State::Running });
                }
                Step::Failed(failure) => return Err(failure),
                Step::Commit => self.commit().await?,
                Step::Put => self.put_front().await?,
                Step::Event(ConsumerEvent::Records(fetched)) => {
                    // What waits for a retry or for the dead letter queue must not hold up a stop: it is read again.
                    tokio::select! {
                        biased;
                        taken = self.take(&fetched) => taken?,
                        () = control.stopped() => return Ok(()),
                    }
                    self.put_front().await?;
                }
                Step::Event(event) => self.event(event).await?,
                Step::Idle => self.put_nothing().await?,
            }
            if std::mem::take(&mut self.commit_asked) {
                self.commit().await?;
            }
            if worked || self.timeout.is_some() {
                idle_at = Instant::now() + self.timeout.take().unwrap_or(IDLE_PUT);
            }
        }
    }

    async fn event(&mut self, event: ConsumerEvent) -> Result<(), TaskFailure> {
        match event {
            ConsumerEvent::Assigned(partitions) => {
                let partitions = from_client(&partitions);
                self.paused.retain(|p| partitions.contains(p));
                self.parts.consumer.pause(&to_client(&self.paused));
                // In a cooperative group the others went on meanwhile; they are open already.
                let open = self.offsets.partitions();
                let added: Vec<_> = partitions.into_iter().filter(|p| !open.contains(p)).collect();
                self.offsets.assigned(&added);
                self.parts.counters.metrics().assigned(&added);
                tracing::info!(partitions = %list(&added), "assigned");
                let opened = self.parts.task.open(&added).await;
                self.answer_requests();
                opened.map_err(TaskFailure::plugin("opening partitions"))
            }
            ConsumerEvent::Revoked(partitions) => {
                let partitions = from_client(&partitions);
                // What waits to be put goes with its partition: it is not committed, so the next owner
                // reads it again.
                self.drop_queued(&partitions);
                let committed = self.commit().await;
                self.close(&partitions, "revoked").await?;
                committed
            }
            ConsumerEvent::Lost(partitions) => {
                let partitions = from_client(&partitions);
                self.drop_queued(&partitions);
                self.close(&partitions, "lost").await
            }
            _ => Ok(()),
        }
    }

    /// Makes chunks of what was fetched, through the pipeline.
    async fn take(&mut self, fetched: &FetchedRecords) -> Result<(), TaskFailure> {
        let partition = TopicPartition { topic: Arc::clone(&fetched.topic), partition: fetched.partition };
        let mut chunk = Filling::new(std::mem::take(&mut self.spare), &fetched.topic);
        let (mut records, mut size) = (0, 0);
        for batch in fetched.batches.iter().filter(|batch| !batch.header().is_control()) {
            let header = batch.header();
            let bytes = batch.records_bytes().map_err(|e| unreadable(&partition, header.base_offset, &e))?;
            for record in crossdock_wire::Records::new(header, &bytes) {
                let record = record.map_err(|e| unreadable(&partition, header.base_offset, &e))?;
                if record.offset < fetched.start_offset {
                    continue;
                }
                if chunk.batch.len() >= self.put_size.records() {
                    let next = Filling::new(RecordBatch::new(), &fetched.topic);
                    let full = std::mem::replace(&mut chunk, next);
                    self.enqueue(full, &partition, record.offset).await?;
                }
                records += 1;
                let offset = record.offset;
                let pushed = chunk.push(header, &bytes, &partition, record);
                pushed.map_err(|source| TaskFailure::Record {
                    stage: "fetch".to_owned(),
                    place: place(&partition, offset),
                    source,
                })?;
            }
            size += bytes.len();
            chunk.slab = None;
        }
        let fetch = Fetch {
            records,
            bytes: size,
            offset: fetched.start_offset,
            next_offset: fetched.next_offset,
            high_watermark: fetched.high_watermark,
        };
        self.parts.counters.metrics().read(&partition, fetch);
        self.enqueue(chunk, &partition, fetched.next_offset).await
    }

    async fn enqueue(
        &mut self,
        filling: Filling,
        partition: &TopicPartition,
        next_offset: i64,
    ) -> Result<(), TaskFailure> {
        if self.queue.iter().any(|chunk| chunk.bad.is_some()) {
            // The task ends before it would come to these.
            return Ok(());
        }
        let parts = &mut self.parts;
        let mut batch = filling.batch;
        let originals = Originals::new(partition.clone(), filling.parts);
        let failed = parts.pipeline.parse(&mut batch, &parts.errors).await;
        let bad = parts.errors.report(failed, Origin::Kafka(&originals)).await?;
        self.queue.push_back(Chunk {
            partition: partition.clone(),
            records: SinkBatch::new(batch).with_origin(Arc::new(originals)),
            bytes: filling.bytes,
            next_offset: bad.as_ref().map_or(next_offset, |bad| bad.offset),
            bad,
        });
        Ok(())
    }

    /// Puts the front of the queue. One at a time, so that the group, a commit and a stop have their turn
    /// in between.
    async fn put_front(&mut self) -> Result<(), TaskFailure> {
        let backoff = self.retry.take().map_or(RETRY_BACKOFF, |(_, next)| next);
        let Some(chunk) = self.queue.front() else { return Ok(()) };
        if !chunk.records.is_empty() {
            let (records, began) = (chunk.records.len(), Instant::now());
            let first = place(&chunk.partition, chunk.records.iter().next().map_or(-1, |r| r.offset()));
            match self.parts.task.put(chunk.records.clone()).await {
                Ok(()) => {
                    let took = began.elapsed();
                    self.put_size.learn(records, took);
                    self.parts.counters.metrics().put(records, took);
                }
                Err(error) => {
                    self.answer_requests();
                    if error.kind() != ErrorKind::Retriable {
                        tracing::error!(place = first, "the sink task did not take records from here on");
                        return Err(TaskFailure::plugin("putting records into the sink")(error));
                    }
                    let wait = self.timeout.take().unwrap_or(backoff);
                    tracing::warn!(%error, ?wait, place = first, "the sink could not take records for now; the same records are put again");
                    self.retry = Some((Instant::now() + wait, (backoff * 2).min(RETRY_BACKOFF_MAX)));
                    return Ok(());
                }
            }
        }
        let done = self.done_with_front();
        self.answer_requests();
        done
    }

    fn done_with_front(&mut self) -> Result<(), TaskFailure> {
        let Some(chunk) = self.queue.pop_front() else { return Ok(()) };
        self.offsets.put(&chunk.partition, chunk.next_offset);
        self.parts.counters.note_topic(&mut self.notes, &chunk.partition.topic);
        self.parts.counters.add_records(chunk.records.len() as u64);
        self.parts.counters.add_bytes(chunk.bytes);
        if let Some(mut batch) = chunk.records.into_records() {
            batch.clear();
            self.spare = batch;
        }
        match chunk.bad {
            None => Ok(()),
            Some(bad) => Err(TaskFailure::record(bad, place(&chunk.partition, chunk.next_offset))),
        }
    }

    async fn put_nothing(&mut self) -> Result<(), TaskFailure> {
        let began = Instant::now();
        let put = self.parts.task.put(SinkBatch::default()).await;
        if put.is_ok() {
            self.parts.counters.metrics().put(0, began.elapsed());
        }
        self.answer_requests();
        match put {
            Err(error) if error.kind() != ErrorKind::Retriable => {
                Err(TaskFailure::plugin("an empty put into the sink")(error))
            }
            _ => Ok(()),
        }
    }

    /// Does what the task asked for through its context, in its order. Comes after every call into it.
    fn answer_requests(&mut self) {
        for request in self.host.take() {
            match request {
                Request::Commit => self.commit_asked = true,
                Request::Timeout(timeout) => self.timeout = Some(timeout),
                Request::Pause(partitions) => {
                    self.parts.consumer.pause(&to_client(&partitions));
                    self.paused.extend(partitions);
                }
                Request::Resume(partitions) => {
                    self.parts.consumer.resume(&to_client(&partitions));
                    self.paused.retain(|p| !partitions.contains(p));
                }
                Request::Rewind(offsets) => {
                    for (partition, offset) in offsets {
                        self.drop_queued(std::slice::from_ref(&partition));
                        if self.parts.consumer.seek(&client_partition(&partition), offset) {
                            self.offsets.rewound(&partition, offset);
                        }
                    }
                }
            }
        }
    }

    /// Asks the task what is safe and commits that. A commit that Kafka refuses is logged: the offsets
    /// stay what is to be committed.
    async fn commit(&mut self) -> Result<(), TaskFailure> {
        let current = self.offsets.current();
        if current.is_empty() {
            return Ok(());
        }
        let (counters, began) = (Arc::clone(&self.parts.counters), Instant::now());
        let metrics = counters.metrics();
        metrics.commit_begins();
        let offered = self.parts.task.pre_commit(current).await;
        self.answer_requests();
        let offered = match offered {
            Ok(offered) => offered,
            Err(error) if error.kind() == ErrorKind::Retriable => {
                metrics.commit_failed(began.elapsed());
                tracing::warn!(%error, "the sink could not make records safe for now; nothing is committed");
                return Ok(());
            }
            Err(error) => return Err(TaskFailure::plugin("making records safe before a commit")(error)),
        };
        // An offset is only committed when a bad record before it is safe, too.
        self.parts.errors.settled().await?;
        let (mut allowed, refused) = self.offsets.allowed(offered);
        for (partition, offset) in refused {
            tracing::warn!(%partition, offset, "the sink offered an offset that it was not given; it is not committed");
        }
        if allowed.is_empty() {
            metrics.committed(began.elapsed(), std::iter::empty());
            return Ok(());
        }
        self.add_positions(&mut allowed);
        let offsets: HashMap<_, _> = allowed
            .iter()
            .map(|(p, offset)| (client_partition(p), OffsetAndMetadata::new(*offset)))
            .collect();
        match self.parts.consumer.commit(&offsets).await {
            Ok(()) => {
                metrics.committed(began.elapsed(), allowed.iter().map(|(p, offset)| (p, *offset)));
                self.offsets.committed(&allowed);
            }
            Err(error) => {
                metrics.commit_failed(began.elapsed());
                tracing::warn!(%error, "offsets were not committed; they are again at the next commit")
            }
        }
        Ok(())
    }

    /// Adds the positions of partitions that have had no records: with the others they are committed as well, so that
    /// the next owner begins where this one would have.
    fn add_positions(&self, offsets: &mut OffsetMap) {
        let waiting =
            |partition: &TopicPartition| self.queue.iter().any(|chunk| chunk.partition == *partition);
        for partition in self.offsets.untouched().filter(|partition| !waiting(partition)) {
            if let Some(position) = self.parts.consumer.position(&client_partition(partition)) {
                offsets.insert(partition.clone(), position);
            }
        }
    }

    fn drop_queued(&mut self, partitions: &[TopicPartition]) {
        self.queue.retain(|chunk| !partitions.contains(&chunk.partition));
        if self.queue.is_empty() {
            self.retry = None;
        }
    }

    async fn close(&mut self, partitions: &[TopicPartition], why: &str) -> Result<(), TaskFailure> {
        self.offsets.removed(partitions);
        self.parts.counters.metrics().removed(partitions);
        tracing::info!(partitions = %list(partitions), why, "closed");
        let closed = self.parts.task.close(partitions).await;
        self.answer_requests();
        closed.map_err(TaskFailure::plugin("closing partitions"))
    }

    async fn last_commit(&mut self) -> Result<(), TaskFailure> {
        self.commit().await?;
        self.parts.errors.settled().await
    }

    /// Ends the task: commits what was put, closes, stops the plugin, leaves the group.
    async fn finish(mut self, mut result: Result<(), TaskFailure>) -> Result<(), TaskFailure> {
        // Something is kept for the plugin and for leaving the group.
        let limit = self.parts.shutdown_timeout.mul_f64(0.8);
        match tokio::time::timeout(limit, caught(self.last_commit())).await {
            // After a failure this is only what follows from it.
            Ok(committed) => result = result.and(committed),
            Err(_) => {
                tracing::warn!("the last commit took longer than task.shutdown.graceful.timeout.ms allows")
            }
        }
        stop_plugin(async {
            let partitions = self.offsets.partitions();
            if !partitions.is_empty()
                && let Err(failure) = self.close(&partitions, "stopping").await
            {
                tracing::warn!(%failure, "the sink task did not close its partitions cleanly");
            }
            self.parts.task.stop().await
        })
        .await;
        self.parts.consumer.close(PLUGIN_STOP).await;
        result
    }
}

/// Waits until the instant, or not at all.
async fn until(instant: Option<Instant>) {
    if let Some(instant) = instant {
        tokio::time::sleep_until(instant).await;
    }
}

/// The next event; without records while there are some to be put.
async fn next_event(consumer: &mut Consumer, busy: bool) -> Result<ConsumerEvent, ConsumerError> {
    if busy { consumer.next_change().await } else { consumer.next().await }
}

fn unreadable(partition: &TopicPartition, offset: i64, error: &crossdock_wire::WireError) -> TaskFailure {
    TaskFailure::Record {
        stage: "fetch".to_owned(),
        place: place(partition, offset),
        source: ConnectError::fatal(error.to_string()),
    }
}

fn place(partition: &TopicPartition, offset: i64) -> String {
    format!("topic {}, partition {}, offset {offset}", partition.topic, partition.partition)
}

fn list(partitions: &[TopicPartition]) -> String {
    partitions.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn client_partition(partition: &TopicPartition) -> crossdock_client::TopicPartition {
    crossdock_client::TopicPartition::new(Arc::clone(&partition.topic), partition.partition)
}

fn to_client<'p>(
    partitions: impl IntoIterator<Item = &'p TopicPartition>,
) -> Vec<crossdock_client::TopicPartition> {
    partitions.into_iter().map(client_partition).collect()
}

fn from_client(partitions: &[crossdock_client::TopicPartition]) -> Vec<TopicPartition> {
    let convert = |p: &crossdock_client::TopicPartition| TopicPartition {
        topic: Arc::clone(&p.topic),
        partition: p.partition,
    };
    partitions.iter().map(convert).collect()
}
