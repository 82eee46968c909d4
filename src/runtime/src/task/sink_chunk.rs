//! Records of one partition on their way from a fetch to a put.

use super::pipeline::BadRecord;
use crossdock_api::batch::{FetchedRecord, TimestampType};
use crossdock_api::{ConnectError, RecordBatch, SinkBatch, TopicPartition};

/// Records of one partition that are to be put together.
pub(super) struct Chunk {
    pub(super) partition: TopicPartition,
    pub(super) records: SinkBatch,
    pub(super) bytes: u64,
    /// One past the last record, also of those that were skipped.
    pub(super) next_offset: i64,
    /// The record after the chunk that ends the task.
    pub(super) bad: Option<BadRecord>,
}

/// A chunk that is being filled.
pub(super) struct Filling {
    pub(super) batch: RecordBatch,
    pub(super) topic: crossdock_api::TopicId,
    pub(super) slab: Option<crossdock_api::SlabId>,
    pub(super) bytes: u64,
}

impl Filling {
    pub(super) fn new(mut batch: RecordBatch, topic: &str) -> Self {
        batch.clear();
        let topic = batch.topic(topic);
        Self { batch, topic, slab: None, bytes: 0 }
    }

    /// Adds a record that lies in `bytes`, which becomes a slab at the first one.
    pub(super) fn push(
        &mut self,
        bytes: &bytes::Bytes,
        partition: &TopicPartition,
        append_time: bool,
        record: crossdock_wire::RecordView<'_>,
    ) -> Result<(), ConnectError> {
        let slab = match self.slab {
            Some(slab) => slab,
            None => *self.slab.insert(self.batch.adopt(bytes.clone())?),
        };
        let (key, value) = (record.key, record.value);
        self.bytes += (key.map_or(0, <[u8]>::len) + value.map_or(0, <[u8]>::len)) as u64;
        self.batch.push_fetched(FetchedRecord {
            topic: self.topic,
            partition: partition.partition,
            offset: record.offset,
            timestamp: record.timestamp,
            timestamp_type: if append_time {
                TimestampType::LogAppendTime
            } else {
                TimestampType::CreateTime
            },
            slab,
            key,
            value,
        })?;
        for header in record.headers {
            let header =
                header.map_err(|e| ConnectError::bad_record("its headers are corrupt").caused_by(e))?;
            self.batch.push_fetched_header(header.name, header.value)?;
        }
        Ok(())
    }
}
