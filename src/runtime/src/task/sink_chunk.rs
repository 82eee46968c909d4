//! Records of one partition on their way from a fetch to a put.

use crate::errors::Failed;
use crossdock_api::batch::{FetchedRecord, TimestampType};
use crossdock_api::{ConnectError, RecordBatch, SinkBatch, TopicPartition};
use crossdock_wire::BatchHeader;
use std::time::Duration;

/// Records of one partition that are to be put together.
pub(super) struct Chunk {
    pub(super) partition: TopicPartition,
    pub(super) records: SinkBatch,
    pub(super) bytes: u64,
    /// One past the last record, also of those that were skipped.
    pub(super) next_offset: i64,
    /// The record after the chunk that ends the task.
    pub(super) bad: Option<Failed>,
}

/// How many records a put gets. A fixed number, or one that follows what puts take: quick ones grow it so
/// that the cost of a put is spread, slow ones shrink it so that the group is attended to in time.
#[derive(Debug)]
pub(super) struct PutSize {
    records: usize,
    fixed: bool,
}

impl PutSize {
    /// Connect's default of `max.poll.records`, to begin with and the least of a size that follows.
    const LEAST: usize = 500;
    const MOST: usize = 16_000;
    const QUICK: Duration = Duration::from_millis(50);
    const SLOW: Duration = Duration::from_secs(1);

    pub(super) fn new(fixed: Option<usize>) -> Self {
        Self { records: fixed.unwrap_or(Self::LEAST).max(1), fixed: fixed.is_some() }
    }

    pub(super) fn records(&self) -> usize {
        self.records
    }

    /// Learns from a put of `records` that took `time`.
    pub(super) fn learn(&mut self, records: usize, time: Duration) {
        if self.fixed {
            return;
        }
        if time > Self::SLOW {
            self.records = (self.records / 2).max(Self::LEAST);
        } else if time < Self::QUICK && records >= self.records {
            self.records = (self.records * 2).min(Self::MOST);
        }
    }
}

/// A chunk that is being filled.
pub(super) struct Filling {
    pub(super) batch: RecordBatch,
    pub(super) topic: crossdock_api::TopicId,
    pub(super) slab: Option<crossdock_api::SlabId>,
    pub(super) bytes: u64,
    /// The batches that the records are from, for finding them again as they came.
    pub(super) parts: Vec<(BatchHeader, bytes::Bytes)>,
}

impl Filling {
    pub(super) fn new(mut batch: RecordBatch, topic: &str) -> Self {
        batch.clear();
        let topic = batch.topic(topic);
        Self { batch, topic, slab: None, bytes: 0, parts: Vec::new() }
    }

    /// Adds a record that lies in `bytes`, which becomes a slab at the first one.
    pub(super) fn push(
        &mut self,
        header: &BatchHeader,
        bytes: &bytes::Bytes,
        partition: &TopicPartition,
        record: crossdock_wire::RecordView<'_>,
    ) -> Result<(), ConnectError> {
        let slab = match self.slab {
            Some(slab) => slab,
            None => {
                self.parts.push((*header, bytes.clone()));
                *self.slab.insert(self.batch.adopt(bytes.clone())?)
            }
        };
        let (key, value) = (record.key, record.value);
        self.bytes += (key.map_or(0, <[u8]>::len) + value.map_or(0, <[u8]>::len)) as u64;
        self.batch.push_fetched(FetchedRecord {
            topic: self.topic,
            partition: partition.partition,
            offset: record.offset,
            timestamp: record.timestamp,
            timestamp_type: match header.timestamp_type() {
                crossdock_wire::TimestampType::CreateTime => TimestampType::CreateTime,
                crossdock_wire::TimestampType::LogAppendTime => TimestampType::LogAppendTime,
            },
            slab,
            key,
            value,
        })?;
        for header in record.headers {
            self.batch.push_fetched_header(&header.name, header.value)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::PutSize;
    use std::time::Duration;

    #[test]
    fn quick_puts_grow_and_slow_ones_shrink() {
        let mut size = PutSize::new(None);
        for _ in 0..10 {
            size.learn(size.records(), Duration::from_millis(1));
        }
        assert_eq!(size.records(), 16_000);
        size.learn(16_000, Duration::from_secs(2));
        assert_eq!(size.records(), 8_000);
        size.learn(10, Duration::from_millis(1));
        assert_eq!(size.records(), 8_000);
        let mut fixed = PutSize::new(Some(7));
        fixed.learn(7, Duration::ZERO);
        assert_eq!(fixed.records(), 7);
    }
}
