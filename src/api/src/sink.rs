//! Sinks: connectors and tasks that bring records out of Kafka.

use crate::config::ConfigMap;
use crate::source::Connector;
use crate::{ConnectError, RecordBatch, RecordRef};
use async_trait::async_trait;
use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// A partition of a topic.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicPartition {
    /// Topic.
    pub topic: Arc<str>,
    /// Partition.
    pub partition: i32,
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}

/// Offsets by partition: the next offset to read, one past the last record that is done.
pub type OffsetMap = BTreeMap<TopicPartition, i64>;

/// A connector that brings records out of Kafka. Mirrors
/// `org.apache.kafka.connect.sink.SinkConnector`.
#[async_trait]
pub trait SinkConnector: Connector {
    /// A new task; it is configured by [`SinkTask::start`].
    fn task(&self) -> Box<dyn SinkTask>;

    /// Checks offsets that an operator wants to set; `None` deletes. `false` means that the connector does not know
    /// whether they are all that it goes by (KIP-875). Asked of a new connector that was not started, while the one that
    /// the offsets are of is STOPPED. An error of kind `Config` is the operator's mistake.
    async fn alter_offsets(
        &mut self,
        _config: &ConfigMap,
        _offsets: &[(TopicPartition, Option<i64>)],
    ) -> Result<bool, ConnectError> {
        Ok(false)
    }
}

/// A task of a sink. Calls never overlap. Mirrors `org.apache.kafka.connect.sink.SinkTask`.
///
/// The order is: start, then any number of open, put, pre_commit and close, then stop.
#[async_trait]
pub trait SinkTask: Send {
    /// Starts with one of the configs that `task_configs` gave.
    async fn start(&mut self, context: SinkTaskContext, config: &ConfigMap) -> Result<(), ConnectError>;

    /// Gets partitions assigned, before the first record of any of them.
    async fn open(&mut self, _partitions: &[TopicPartition]) -> Result<(), ConnectError> {
        Ok(())
    }

    /// Takes records: writes them, or keeps the batch (it is cheap to clone and keeps its buffers
    /// alive) until [`SinkTask::pre_commit`]. Called with an empty batch now and then, so that
    /// buffering tasks can act on time.
    ///
    /// # Errors
    /// [`Retriable`](crate::ErrorKind::Retriable): the same batch is put again after a backoff.
    /// Single bad records go to [`SinkTaskContext::report`]; any error returned here is about the
    /// whole batch, and the task becomes FAILED.
    ///
    /// # Cancel safety
    /// Not needed: the future is always run to its end, apart from a stop that takes longer than
    /// `task.shutdown.graceful.timeout.ms`; nothing of the batch is committed then.
    async fn put(&mut self, batch: SinkBatch) -> Result<(), ConnectError>;

    /// Makes everything put so far safe at its destination.
    async fn flush(&mut self, _offsets: &OffsetMap) -> Result<(), ConnectError> {
        Ok(())
    }

    /// Says which offsets may be committed, given those of everything that was put. The default
    /// flushes and allows them all.
    async fn pre_commit(&mut self, offsets: OffsetMap) -> Result<OffsetMap, ConnectError> {
        self.flush(&offsets).await?;
        Ok(offsets)
    }

    /// Loses partitions, after a last [`SinkTask::pre_commit`] unless they were lost at once.
    async fn close(&mut self, _partitions: &[TopicPartition]) -> Result<(), ConnectError> {
        Ok(())
    }

    /// Releases everything. Also called after a failed start or put; called once.
    async fn stop(&mut self) -> Result<(), ConnectError> {
        Ok(())
    }
}

/// Records for a sink task. Cheap to clone: keeping it keeps the fetched buffers alive and copies
/// nothing.
#[derive(Debug, Clone, Default)]
pub struct SinkBatch {
    records: Arc<RecordBatch>,
    origin: Option<Arc<dyn Any + Send + Sync>>,
}

impl SinkBatch {
    /// A batch of `records`, for hosts.
    pub fn new(records: RecordBatch) -> Self {
        Self { records: Arc::new(records), origin: None }
    }

    /// The batch with what its host needs to know of where it is from, for hosts.
    #[must_use]
    pub fn with_origin(self, origin: Arc<dyn Any + Send + Sync>) -> Self {
        Self { origin: Some(origin), ..self }
    }

    /// What [`SinkBatch::with_origin`] set, if it is of that type; for hosts.
    pub fn origin<T: Any>(&self) -> Option<&T> {
        self.origin.as_ref()?.downcast_ref()
    }

    /// The records in order, those that transforms dropped left out.
    pub fn iter(&self) -> impl Iterator<Item = RecordRef<'_>> {
        self.records.iter()
    }

    /// The records with their index, for [`SinkTaskContext::report`].
    pub fn iter_indexed(&self) -> impl Iterator<Item = (usize, RecordRef<'_>)> {
        self.records.iter_indexed()
    }

    /// The record at `index`.
    pub fn get(&self, index: usize) -> Option<RecordRef<'_>> {
        self.records.get(index)
    }

    /// Number of records.
    pub fn len(&self) -> usize {
        self.records.len() - self.records.dropped()
    }

    /// Whether there is no record.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes that the batch holds, roughly, for tasks that bound their buffers; see
    /// [`RecordBatch::byte_size`].
    pub fn byte_size(&self) -> usize {
        self.records.byte_size()
    }

    /// The batch back, if nobody else holds it: so that hosts can use its memory again.
    pub fn into_records(self) -> Option<RecordBatch> {
        Arc::into_inner(self.records)
    }
}

/// What a sink task can ask of its worker. Cheap to clone. Mirrors `SinkTaskContext`.
#[derive(Clone)]
pub struct SinkTaskContext {
    connector: Arc<str>,
    task: u32,
    host: Arc<dyn SinkTaskHost>,
}

/// The worker's side of [`SinkTaskContext`]; implemented by hosts of sink tasks. What is asked for
/// takes effect after the current call into the task returns.
#[async_trait]
pub trait SinkTaskHost: Send + Sync {
    /// See [`SinkTaskContext::pause`].
    fn pause(&self, partitions: &[TopicPartition]);
    /// See [`SinkTaskContext::resume`].
    fn resume(&self, partitions: &[TopicPartition]);
    /// See [`SinkTaskContext::rewind`].
    fn rewind(&self, offsets: OffsetMap);
    /// See [`SinkTaskContext::set_timeout`].
    fn set_timeout(&self, timeout: Duration);
    /// See [`SinkTaskContext::request_commit`].
    fn request_commit(&self);
    /// See [`SinkTaskContext::report`].
    async fn report(&self, batch: &SinkBatch, index: usize, error: ConnectError) -> Result<(), ConnectError>;
    /// See [`SinkTaskContext::tolerates_bad_records`].
    fn tolerates_bad_records(&self) -> bool;
}

impl SinkTaskContext {
    /// A context for a task, for hosts.
    pub fn new(connector: &str, task: u32, host: Arc<dyn SinkTaskHost>) -> Self {
        Self { connector: connector.into(), task, host }
    }

    /// Name of the connector.
    pub fn connector_name(&self) -> &str {
        &self.connector
    }

    /// Number of the task, from 0.
    pub fn task_id(&self) -> u32 {
        self.task
    }

    /// Stops fetching these partitions; others go on.
    pub fn pause(&self, partitions: &[TopicPartition]) {
        self.host.pause(partitions);
    }

    /// Goes on fetching these partitions.
    pub fn resume(&self, partitions: &[TopicPartition]) {
        self.host.resume(partitions);
    }

    /// Reads on from these offsets, for sinks that keep offsets at their destination. Typically in
    /// [`SinkTask::open`].
    pub fn rewind(&self, offsets: OffsetMap) {
        self.host.rewind(offsets);
    }

    /// Sets the time to wait before the next retry of a put, or before the next empty put.
    pub fn set_timeout(&self, timeout: Duration) {
        self.host.set_timeout(timeout);
    }

    /// Asks for a commit as soon as possible.
    pub fn request_commit(&self) {
        self.host.request_commit();
    }

    /// Whether bad records may be reported instead of failing the task.
    pub fn tolerates_bad_records(&self) -> bool {
        self.host.tolerates_bad_records()
    }

    /// Reports a single bad record of a batch: it is logged and sent to the dead letter queue as
    /// configured, and its offset is not committed before that is done. Mirrors
    /// `ErrantRecordReporter` (KIP-610).
    ///
    /// # Errors
    /// If errors are not tolerated (`errors.tolerance=none`): return it from [`SinkTask::put`].
    pub async fn report(
        &self,
        batch: &SinkBatch,
        index: usize,
        error: ConnectError,
    ) -> Result<(), ConnectError> {
        self.host.report(batch, index, error).await
    }
}
