//! Sources: connectors and tasks that bring records into Kafka.
//!
//! A task appends records to a [`SourceBatch`]; each has a *source partition* (which table, file or
//! shard it is from) and a *source offset* (where in it). Crossdock stores the offsets of records
//! that Kafka has acknowledged and hands them back at the next start through
//! [`SourceTaskContext::offsets`].

use crate::batch::RecordBuilder;
use crate::config::ConfigMap;
use crate::{ConfigDef, ConnectError, Map, RecordBatch, TopicId, Value};
use async_trait::async_trait;
use std::sync::Arc;

/// What sources and sinks have in common: definition of their config, and life.
///
/// A connector is made by its plugin's factory, then started once and stopped once; calls never
/// overlap. Mirrors `org.apache.kafka.connect.connector.Connector`.
#[async_trait]
pub trait Connector: Send {
    /// Version shown in the REST API.
    fn version(&self) -> &str;

    /// The keys that it takes beside those of every connector.
    fn config_def(&self) -> ConfigDef;

    /// Checks what single keys cannot: each message is put on the named key. Called after the keys of
    /// [`Connector::config_def`] were found valid; may do I/O, and is dropped if it takes too long.
    async fn validate(&mut self, _config: &ConfigMap) -> Vec<(String, String)> {
        Vec::new()
    }

    /// Starts with a valid config. The context may be kept.
    async fn start(&mut self, context: ConnectorContext, config: &ConfigMap) -> Result<(), ConnectError>;

    /// The configs of its tasks: at most `max_tasks`, fewer if there is less to do. An empty list is
    /// valid. Each gets `task.class` and the connector's own keys only if they are put in here.
    async fn task_configs(&mut self, max_tasks: usize) -> Result<Vec<ConfigMap>, ConnectError>;

    /// Stops what [`Connector::start`] started. Also called after a failed start.
    async fn stop(&mut self) -> Result<(), ConnectError> {
        Ok(())
    }
}

/// A connector that brings records into Kafka. Mirrors
/// `org.apache.kafka.connect.source.SourceConnector`.
#[async_trait]
pub trait SourceConnector: Connector {
    /// A new task; it is configured by [`SourceTask::start`].
    fn task(&self) -> Box<dyn SourceTask>;

    /// Whether it can give exactly-once with this config: its offsets must say exactly where to go on
    /// (KIP-618). `None` means that it does not know. Not asked yet: `exactly.once.support=required` is
    /// refused for every connector.
    fn exactly_once_support(&self, _config: &ConfigMap) -> Option<bool> {
        None
    }

    /// Whether its tasks may mark transaction boundaries with this config (KIP-618). Not asked yet:
    /// `transaction.boundary=connector` is refused for every connector.
    fn can_define_transaction_boundaries(&self, _config: &ConfigMap) -> bool {
        false
    }

    /// Checks offsets that an operator wants to set, by source partition; `None` deletes. `false`
    /// means that it does not know whether they are all that it goes by (KIP-875). Asked of a new connector that was not
    /// started, while the one that the offsets are of is STOPPED. An error of kind `Config` is the operator's mistake.
    async fn alter_offsets(
        &mut self,
        _config: &ConfigMap,
        _offsets: &[(Map, Option<Map>)],
    ) -> Result<bool, ConnectError> {
        Ok(false)
    }
}

/// A task of a source. Calls never overlap. Mirrors `org.apache.kafka.connect.source.SourceTask`.
///
/// A task may block its thread: others have threads of their own then. It costs a thread for as long, and the task
/// cannot be stopped in the meantime, so that what waits for more than a moment is better async.
#[async_trait]
pub trait SourceTask: Send {
    /// Starts with one of the configs that [`Connector::task_configs`] gave.
    async fn start(&mut self, context: SourceTaskContext, config: &ConfigMap) -> Result<(), ConnectError>;

    /// Appends the next records to `batch`, or waits until there are some. May return with none, and
    /// should after about a second. The runtime decides by bytes and by waiting when to call it again;
    /// a batch of a few thousand records or half a megabyte is a good size.
    ///
    /// # Cancel safety
    /// The future is dropped when the task is stopped or paused. At every `await`, what was read must be
    /// either in `batch` or still in `self`. It may take as long as it likes otherwise.
    async fn poll(&mut self, batch: &mut SourceBatch) -> Result<(), ConnectError>;

    /// Tells which source offsets are now stored: each pair is a source partition and its offset. All
    /// records up to there are in Kafka, so the task may release them at their source.
    async fn commit(&mut self, _committed: &[(Map, Map)]) -> Result<(), ConnectError> {
        Ok(())
    }

    /// Releases everything. Also called after a failed start or poll; called once.
    async fn stop(&mut self) -> Result<(), ConnectError> {
        Ok(())
    }
}

/// What a connector can ask of its worker. Cheap to clone.
#[derive(Clone)]
pub struct ConnectorContext {
    name: Arc<str>,
    host: Arc<dyn ConnectorHost>,
}

/// The worker's side of [`ConnectorContext`]; implemented by hosts of connectors.
pub trait ConnectorHost: Send + Sync {
    /// See [`ConnectorContext::request_task_reconfiguration`].
    fn request_task_reconfiguration(&self);
    /// See [`ConnectorContext::raise_error`].
    fn raise_error(&self, error: ConnectError);
    /// The stored source offsets; sinks get a reader that knows none.
    fn offset_reader(&self) -> Arc<dyn OffsetReader>;
}

impl ConnectorContext {
    /// A context for the connector `name`, for hosts.
    pub fn new(name: &str, host: Arc<dyn ConnectorHost>) -> Self {
        Self { name: name.into(), host }
    }

    /// Name of the connector.
    pub fn connector_name(&self) -> &str {
        &self.name
    }

    /// Asks for [`Connector::task_configs`] to be called again, because the source changed.
    pub fn request_task_reconfiguration(&self) {
        self.host.request_task_reconfiguration();
    }

    /// Reports that the connector cannot go on: it becomes FAILED; its tasks go on.
    pub fn raise_error(&self, error: ConnectError) {
        self.host.raise_error(error);
    }

    /// The stored source offsets.
    pub fn offset_reader(&self) -> Arc<dyn OffsetReader> {
        self.host.offset_reader()
    }
}

/// Reads stored source offsets. Mirrors `OffsetStorageReader`.
#[async_trait]
pub trait OffsetReader: Send + Sync {
    /// The stored offset of each source partition, in the same order; `None` if there is none.
    async fn offsets(&self, partitions: &[Map]) -> Result<Vec<Option<Map>>, ConnectError>;
}

/// What a source task can ask of its worker. Cheap to clone.
#[derive(Clone)]
pub struct SourceTaskContext {
    connector: Arc<str>,
    task: u32,
    offsets: Arc<dyn OffsetReader>,
}

impl SourceTaskContext {
    /// A context for a task, for hosts.
    pub fn new(connector: &str, task: u32, offsets: Arc<dyn OffsetReader>) -> Self {
        Self { connector: connector.into(), task, offsets }
    }

    /// Name of the connector.
    pub fn connector_name(&self) -> &str {
        &self.connector
    }

    /// Number of the task, from 0.
    pub fn task_id(&self) -> u32 {
        self.task
    }

    /// The stored offset of one source partition.
    pub async fn offset(&self, partition: &Map) -> Result<Option<Map>, ConnectError> {
        let found = self.offsets.offsets(std::slice::from_ref(partition)).await?;
        Ok(found.into_iter().next().flatten())
    }

    /// The stored offsets of several source partitions, in the same order.
    pub async fn offsets(&self, partitions: &[Map]) -> Result<Vec<Option<Map>>, ConnectError> {
        self.offsets.offsets(partitions).await
    }
}

/// Number of a source partition in a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SourcePartitionId(u32);

/// Where in its source partition a record is. Small, so that it costs nothing a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceOffset {
    /// One number, by the field that [`SourceBatch::offset_field`] gave.
    Long {
        /// The field.
        field: OffsetField,
        /// Its value.
        value: i64,
    },
    /// A map that [`SourceBatch::offset_map`] gave; several records may share one.
    Map(OffsetMapId),
}

/// Number of an offset field's name in a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OffsetField(u32);

/// Number of an offset map in a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OffsetMapId(u32);

#[derive(Debug, Clone, Copy)]
pub(crate) struct Position {
    partition: SourcePartitionId,
    offset: SourceOffset,
}

/// Where a transaction ends, for tasks that define boundaries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransactionEnd {
    /// The records since the last boundary become visible together.
    Commit,
    /// The records since the last boundary are never seen; their offsets are kept.
    Abort,
}

/// The batch that a source task appends to: records with their source partitions and offsets.
#[derive(Debug, Default)]
pub struct SourceBatch {
    records: RecordBatch,
    partitions: Vec<Map>,
    fields: Vec<Box<str>>,
    offset_maps: Vec<Map>,
    positions: Vec<Position>,
    boundaries: Vec<(u32, TransactionEnd)>,
    id: u64,
}

impl SourceBatch {
    /// An empty batch.
    pub fn new() -> Self {
        Self::default()
    }

    /// Empties the batch for its next use under a new `id`, for hosts.
    pub fn reset(&mut self, id: u64) {
        self.records.clear();
        self.partitions.clear();
        self.fields.clear();
        self.offset_maps.clear();
        self.positions.clear();
        self.boundaries.clear();
        self.id = id;
    }

    /// The number of this batch, for logs.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Whether nothing was appended.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Number of records appended.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// The number of a topic name in this batch.
    pub fn topic(&mut self, name: &str) -> TopicId {
        self.records.topic(name)
    }

    /// The number of a source partition in this batch.
    pub fn partition(&mut self, partition: &Map) -> SourcePartitionId {
        let found = self.partitions.iter().rposition(|p| p == partition);
        SourcePartitionId(found.unwrap_or_else(|| {
            self.partitions.push(partition.clone());
            self.partitions.len() - 1
        }) as u32)
    }

    /// The number of an offset field's name in this batch, for [`SourceOffset::Long`].
    pub fn offset_field(&mut self, name: &str) -> OffsetField {
        let found = self.fields.iter().rposition(|f| **f == *name);
        OffsetField(found.unwrap_or_else(|| {
            self.fields.push(name.into());
            self.fields.len() - 1
        }) as u32)
    }

    /// Adds an offset of several fields, for [`SourceOffset::Map`].
    pub fn offset_map(&mut self, offset: Map) -> OffsetMapId {
        self.offset_maps.push(offset);
        OffsetMapId(self.offset_maps.len() as u32 - 1)
    }

    /// Starts a record that lies at `offset` of `partition`: the offset from which to go on after it.
    pub fn record(
        &mut self,
        topic: TopicId,
        partition: SourcePartitionId,
        offset: SourceOffset,
    ) -> RecordBuilder<'_> {
        self.records.record(topic).at(&mut self.positions, Position { partition, offset })
    }

    /// Moves the offset of a source partition on without a record, for example past changes that a
    /// filter of the source left out.
    pub fn progress(&mut self, partition: SourcePartitionId, offset: SourceOffset) {
        self.records.push_placeholder();
        self.positions.push(Position { partition, offset });
    }

    /// Whether every record was added by [`SourceBatch::record`], so that each has its own offset.
    pub fn is_consistent(&self) -> bool {
        self.positions.len() == self.records.ordinals() as usize
    }

    /// Ends a transaction after the records appended so far. Without effect unless the connector runs with
    /// `transaction.boundary=connector`, as in Connect.
    pub fn end_transaction(&mut self, end: TransactionEnd) {
        self.boundaries.push((self.records.ordinals(), end));
    }

    /// The records.
    pub fn records(&self) -> &RecordBatch {
        &self.records
    }

    /// The records for changing: adopting buffers in a task, transforms in the runtime. Records must
    /// be added through [`SourceBatch::record`].
    pub fn records_mut(&mut self) -> &mut RecordBatch {
        &mut self.records
    }

    /// The source partitions in the order of their numbers, for the runtime.
    pub fn partitions(&self) -> &[Map] {
        &self.partitions
    }

    /// Which source partition the record of that ordinal is from, as an index of
    /// [`SourceBatch::partitions`].
    pub fn partition_index(&self, ordinal: u32) -> Option<usize> {
        self.positions.get(ordinal as usize).map(|p| p.partition.0 as usize)
    }

    /// The source offset of the record of that ordinal, as a map.
    pub fn offset_of(&self, ordinal: u32) -> Option<Map> {
        match self.positions.get(ordinal as usize)?.offset {
            SourceOffset::Long { field, value } => {
                let name = self.fields.get(field.0 as usize)?;
                Some([(&**name, Value::Int64(value))].into_iter().collect())
            }
            SourceOffset::Map(id) => self.offset_maps.get(id.0 as usize).cloned(),
        }
    }

    /// The transaction boundaries: after how many records, and how.
    pub fn boundaries(&self) -> &[(u32, TransactionEnd)] {
        &self.boundaries
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Schema;

    #[test]
    fn positions_follow_ordinals() {
        let mut batch = SourceBatch::new();
        let topic = batch.topic("t");
        let file: Map = [("filename", Value::string("f"))].into_iter().collect();
        let partition = batch.partition(&file);
        assert_eq!(batch.partition(&file.clone()), partition);
        let field = batch.offset_field("position");
        for position in [3i64, 7] {
            let offset = SourceOffset::Long { field, value: position };
            batch.record(topic, partition, offset).value(Some(Schema::string()), "x").finish().unwrap();
        }
        let map = batch.offset_map([("lsn", Value::Int64(9)), ("tx", Value::Int64(1))].into_iter().collect());
        batch.record(topic, partition, SourceOffset::Map(map)).finish().unwrap();
        assert!(batch.is_consistent());
        batch.progress(partition, SourceOffset::Long { field, value: 11 });
        assert!(batch.is_consistent());
        assert_eq!(batch.offset_of(3).unwrap().get("position"), Some(&Value::Int64(11)));
        batch.records_mut().drop_record(0);
        batch.records_mut().compact();
        assert_eq!(batch.records().iter().count(), 2);
        let last = batch.records().iter().last().unwrap();
        assert_eq!(batch.offset_of(last.ordinal()).unwrap().get("lsn"), Some(&Value::Int64(9)));
        assert_eq!(batch.offset_of(1).unwrap().get("position"), Some(&Value::Int64(7)));
        assert_eq!(batch.partition_index(0), Some(0));
        assert!(batch.offset_of(4).is_none());
        batch.records_mut().record(topic).finish().unwrap();
        assert!(!batch.is_consistent());
    }
}
