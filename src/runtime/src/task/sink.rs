//! A sink task at work.
//!
//! ```text
//! consumer ─▶ records of a partition ─▶ chunks ─▶ converters, transforms ─▶ put ─▶ SinkOffsets
//!                                        (queue)                                        │
//!                     Kafka ◀─ commit ◀─ allowed ◀─ pre_commit ◀─ tick, request, revocation
//! ```
//!
//! While chunks wait for a retry, all partitions are paused but events of the group are still taken, so
//! that a slow sink keeps its membership and a rebalance is never held up. Mirrors `WorkerSinkTask`.

use super::control::{Counters, TaskControl};
use super::failure::TaskFailure;
use super::pipeline::Pipeline;
use super::sink_chunk::{Chunk, Filling};
use super::sink_host::Host;
use super::sink_offsets::SinkOffsets;
use crate::config::connector::ErrorTolerance;
use crate::herder::TaskId;
use crossdock_api::sink::SinkTaskHost;
use crossdock_api::{
    ConfigMap, ConnectError, ErrorKind, RecordBatch, SinkBatch, SinkTask, SinkTaskContext, TopicPartition,
};
use crossdock_client::{Consumer, ConsumerEvent, FetchedRecords, OffsetAndMetadata};
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
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
    pub(crate) topics: Vec<String>,
    /// Most records of a put; what one fetch brought for a partition if `None`.
    pub(crate) max_put: Option<usize>,
    pub(crate) tolerance: ErrorTolerance,
    pub(crate) counters: Arc<Counters>,
    pub(crate) commit_interval: Duration,
    pub(crate) shutdown_timeout: Duration,
}

/// Runs a sink task until it is stopped or fails. Whatever the end, what was put and is safe by then is
/// committed, and the plugin is stopped.
pub(crate) async fn run(
    parts: SinkTaskParts,
    mut control: TaskControl,
    started: impl FnOnce(),
) -> Result<(), TaskFailure> {
    let host = Arc::new(Host {
        requests: Mutex::default(),
        tolerance: parts.tolerance,
        counters: Arc::clone(&parts.counters),
    });
    let mut runner = Runner {
        parts,
        host,
        offsets: SinkOffsets::default(),
        queue: VecDeque::new(),
        retry: None,
        paused_by_task: Vec::new(),
        spare: RecordBatch::new(),
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
    parts: SinkTaskParts,
    host: Arc<Host>,
    offsets: SinkOffsets,
    queue: VecDeque<Chunk>,
    /// When to put the front of the queue again, and the wait after that.
    retry: Option<(Instant, Duration)>,
    paused_by_task: Vec<TopicPartition>,
    /// Memory of a batch that is done, for the next one.
    spare: RecordBatch,
}

enum Step {
    Commit,
    Event(ConsumerEvent),
    Failed(TaskFailure),
    Idle,
    Retry,
    Stop,
}

impl Runner {
    async fn start(&mut self) -> Result<(), TaskFailure> {
        let parts = &mut self.parts;
        let host: Arc<dyn SinkTaskHost> = Arc::clone(&self.host) as _;
        let context = SinkTaskContext::new(&parts.id.connector, parts.id.task, host);
        let started = parts.task.start(context, &parts.config).await;
        started.map_err(TaskFailure::plugin("starting the sink task"))?;
        Ok(parts.consumer.subscribe(parts.topics.clone())?)
    }

    async fn work(&mut self, control: &mut TaskControl) -> Result<(), TaskFailure> {
        let interval = self.parts.commit_interval.max(Duration::from_millis(1));
        let mut commit = interval_at(Instant::now() + interval, interval);
        commit.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut idle_at = Instant::now() + IDLE_PUT;
        loop {
            let retry_at = self.retry.map(|(at, _)| at);
            let step = tokio::select! {
                biased;
                () = control.stopped() => Step::Stop,
                _ = commit.tick() => Step::Commit,
                () = tokio::time::sleep_until(retry_at.unwrap_or(idle_at)), if retry_at.is_some() => Step::Retry,
                event = self.parts.consumer.next() => match event {
                    Ok(event) => Step::Event(event),
                    Err(error) => Step::Failed(error.into()),
                },
                () = tokio::time::sleep_until(idle_at), if retry_at.is_none() => Step::Idle,
            };
            if !matches!(step, Step::Commit) {
                idle_at = Instant::now() + IDLE_PUT;
            }
            match step {
                Step::Stop => return Ok(()),
                Step::Failed(failure) => return Err(failure),
                Step::Commit => self.commit().await?,
                Step::Retry => self.put_queued().await?,
                Step::Event(event) => self.event(event).await?,
                Step::Idle => self.put_nothing().await?,
            }
            if self.answer_requests() {
                self.commit().await?;
            }
        }
    }

    async fn event(&mut self, event: ConsumerEvent) -> Result<(), TaskFailure> {
        match event {
            ConsumerEvent::Records(fetched) => {
                self.take(&fetched)?;
                self.put_queued().await
            }
            ConsumerEvent::Assigned(partitions) => {
                let partitions = from_client(&partitions);
                self.offsets.assigned(&partitions);
                tracing::info!(partitions = %list(&partitions), "assigned");
                self.parts.task.open(&partitions).await.map_err(TaskFailure::plugin("opening partitions"))
            }
            ConsumerEvent::Revoked(partitions) => {
                let partitions = from_client(&partitions);
                // What waits for a retry goes with its partition: it is not committed, so the next
                // owner reads it again.
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
    fn take(&mut self, fetched: &FetchedRecords) -> Result<(), TaskFailure> {
        let partition = TopicPartition { topic: Arc::clone(&fetched.topic), partition: fetched.partition };
        let mut chunk = Filling::new(std::mem::take(&mut self.spare), &fetched.topic);
        for batch in fetched.batches.iter().filter(|batch| !batch.header().is_control()) {
            let bytes =
                batch.records_bytes().map_err(|e| unreadable(&partition, batch.header().base_offset, &e))?;
            let header = batch.header();
            let append_time = header.timestamp_type() == crossdock_wire::TimestampType::LogAppendTime;
            for record in crossdock_wire::Records::new(header, &bytes) {
                let record = record.map_err(|e| unreadable(&partition, header.base_offset, &e))?;
                if record.offset < fetched.start_offset {
                    continue;
                }
                if self.parts.max_put.is_some_and(|max| chunk.batch.len() >= max) {
                    let full =
                        std::mem::replace(&mut chunk, Filling::new(RecordBatch::new(), &fetched.topic));
                    self.enqueue(full, &partition, record.offset);
                }
                let offset = record.offset;
                chunk.push(&bytes, &partition, append_time, record).map_err(|e| TaskFailure::Record {
                    stage: "fetch".to_owned(),
                    place: place(&partition, offset),
                    source: e,
                })?;
            }
            chunk.slab = None;
        }
        self.enqueue(chunk, &partition, fetched.next_offset);
        Ok(())
    }

    fn enqueue(&mut self, filling: Filling, partition: &TopicPartition, next_offset: i64) {
        let mut batch = filling.batch;
        let processed = self.parts.pipeline.parse(&mut batch);
        self.parts.counters.add_skipped(processed.skipped);
        self.queue.push_back(Chunk {
            partition: partition.clone(),
            records: SinkBatch::new(batch),
            bytes: filling.bytes,
            next_offset: processed.bad.as_ref().map_or(next_offset, |bad| bad.offset),
            bad: processed.bad,
        });
    }

    /// Puts chunks until the queue is empty or one has to be tried again later.
    async fn put_queued(&mut self) -> Result<(), TaskFailure> {
        let backoff = self.retry.take().map_or(RETRY_BACKOFF, |(_, next)| next);
        while let Some(chunk) = self.queue.front() {
            if !chunk.records.is_empty() {
                match self.parts.task.put(chunk.records.clone()).await {
                    Ok(()) => {}
                    Err(error) if error.kind() == ErrorKind::Retriable => {
                        self.retry_later(error, backoff);
                        return Ok(());
                    }
                    Err(error) => {
                        let failure = TaskFailure::plugin("putting records into the sink")(error);
                        let place =
                            place(&chunk.partition, chunk.records.iter().next().map_or(-1, |r| r.offset()));
                        tracing::error!(place, "the sink task did not take records from here on");
                        return Err(failure);
                    }
                }
            }
            self.done_with_front()?;
        }
        let assigned = to_client(&self.offsets.partitions());
        self.parts.consumer.resume(&assigned);
        self.parts.consumer.pause(&to_client(&self.paused_by_task));
        Ok(())
    }

    fn done_with_front(&mut self) -> Result<(), TaskFailure> {
        let Some(chunk) = self.queue.pop_front() else { return Ok(()) };
        self.offsets.put(&chunk.partition, chunk.next_offset);
        self.parts.counters.add_records(chunk.records.len() as u64);
        self.parts.counters.add_bytes(chunk.bytes);
        if let Some(mut batch) = chunk.records.into_records() {
            batch.clear();
            self.spare = batch;
        }
        match chunk.bad {
            None => Ok(()),
            Some(bad) => Err(TaskFailure::Record {
                stage: bad.stage,
                place: place(&chunk.partition, chunk.next_offset),
                source: bad.error,
            }),
        }
    }

    fn retry_later(&mut self, error: ConnectError, backoff: Duration) {
        let wait = self.host.requests().timeout.take().unwrap_or(backoff);
        tracing::warn!(%error, ?wait, "the sink could not take records for now; the same records are put again");
        self.retry = Some((Instant::now() + wait, (backoff * 2).min(RETRY_BACKOFF_MAX)));
        let assigned = to_client(&self.offsets.partitions());
        self.parts.consumer.pause(&assigned);
    }

    async fn put_nothing(&mut self) -> Result<(), TaskFailure> {
        match self.parts.task.put(SinkBatch::default()).await {
            Err(error) if error.kind() != ErrorKind::Retriable => {
                Err(TaskFailure::plugin("an empty put into the sink")(error))
            }
            _ => Ok(()),
        }
    }

    /// Does what the task asked for through its context; `true` if it asked for a commit.
    fn answer_requests(&mut self) -> bool {
        let requests = std::mem::take(&mut *self.host.requests());
        for (partition, offset) in &requests.rewind {
            self.queue.retain(|chunk| chunk.partition != *partition);
            if self.parts.consumer.seek(&to_client(std::slice::from_ref(partition))[0], *offset) {
                self.offsets.rewound(partition, *offset);
            }
        }
        if !requests.pause.is_empty() {
            self.parts.consumer.pause(&to_client(&requests.pause));
            self.paused_by_task.extend(requests.pause);
        }
        if !requests.resume.is_empty() {
            self.paused_by_task.retain(|p| !requests.resume.contains(p));
            if self.retry.is_none() {
                self.parts.consumer.resume(&to_client(&requests.resume));
            }
        }
        requests.commit
    }

    /// Asks the task what is safe and commits that. A commit that Kafka refuses is logged: the offsets
    /// stay what is to be committed.
    async fn commit(&mut self) -> Result<(), TaskFailure> {
        let current = self.offsets.current();
        if current.is_empty() {
            return Ok(());
        }
        let offered = match self.parts.task.pre_commit(current).await {
            Ok(offered) => offered,
            Err(error) if error.kind() == ErrorKind::Retriable => {
                tracing::warn!(%error, "the sink could not make records safe for now; nothing is committed");
                return Ok(());
            }
            Err(error) => return Err(TaskFailure::plugin("making records safe before a commit")(error)),
        };
        let (allowed, refused) = self.offsets.allowed(offered);
        for (partition, offset) in refused {
            tracing::warn!(%partition, offset, "the sink offered an offset that it was not given; it is not committed");
        }
        if allowed.is_empty() {
            return Ok(());
        }
        let offsets: HashMap<_, _> = allowed
            .iter()
            .map(|(p, offset)| (client_partition(p), OffsetAndMetadata::new(*offset)))
            .collect();
        match self.parts.consumer.commit(&offsets).await {
            Ok(()) => self.offsets.committed(&allowed),
            Err(error) => {
                tracing::warn!(%error, "offsets were not committed; they are again at the next commit")
            }
        }
        Ok(())
    }

    fn drop_queued(&mut self, partitions: &[TopicPartition]) {
        self.queue.retain(|chunk| !partitions.contains(&chunk.partition));
        if self.queue.is_empty() {
            self.retry = None;
        }
    }

    async fn close(&mut self, partitions: &[TopicPartition], why: &str) -> Result<(), TaskFailure> {
        self.offsets.removed(partitions);
        self.paused_by_task.retain(|p| !partitions.contains(p));
        tracing::info!(partitions = %list(partitions), why, "closed");
        self.parts.task.close(partitions).await.map_err(TaskFailure::plugin("closing partitions"))
    }

    /// Ends the task: commits what was put, closes, stops the plugin, leaves the group.
    async fn finish(mut self, mut result: Result<(), TaskFailure>) -> Result<(), TaskFailure> {
        let limit = self.parts.shutdown_timeout;
        match tokio::time::timeout(limit, self.commit()).await {
            Ok(Ok(())) => {}
            Ok(Err(failure)) => {
                // After a failure this is only what follows from it.
                if result.is_ok() {
                    result = Err(failure);
                }
            }
            Err(_) => tracing::warn!("the last commit took longer than task.shutdown.graceful.timeout.ms"),
        }
        let partitions = self.offsets.partitions();
        if !partitions.is_empty()
            && let Err(failure) = self.close(&partitions, "stopping").await
        {
            tracing::warn!(%failure, "the sink task did not close its partitions cleanly");
        }
        if let Err(error) = self.parts.task.stop().await {
            tracing::warn!(%error, "the sink task did not stop cleanly");
        }
        self.parts.consumer.close(limit).await;
        result
    }
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

fn to_client(partitions: &[TopicPartition]) -> Vec<crossdock_client::TopicPartition> {
    partitions.iter().map(client_partition).collect()
}

fn from_client(partitions: &[crossdock_client::TopicPartition]) -> Vec<TopicPartition> {
    let convert = |p: &crossdock_client::TopicPartition| TopicPartition {
        topic: Arc::clone(&p.topic),
        partition: p.partition,
    };
    partitions.iter().map(convert).collect()
}
