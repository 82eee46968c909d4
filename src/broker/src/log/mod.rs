//! The log of one partition: batches in the order of their offsets, in memory or in a file.
//!
//! # Layout
//!
//! - [`mod@validate`]: what a produced batch must satisfy before it may be appended.
//! - [`producers`]: sequence numbers of idempotent producers, and their last batches.
//! - [`index`]: where each batch begins, for offsets and for timestamps.
//! - [`disk`]: the file of a partition, and its recovery.
//! - [`partition`]: [`Partition`], a log with the fetches that wait for it.
//!
//! # How data flows
//!
//! A produced batch is validated, checked against its producer's sequence, given its offset (a patch
//! of bytes that the CRC does not cover) and appended. A fetch finds its first batch by binary search
//! and gets whole batches back, as bytes.
//!
//! # What it must never do
//!
//! Answer an append before the bytes are in the file, or leave half a batch in it. Nothing is ever
//! deleted or compacted: the log starts at offset 0.

mod disk;
mod index;
mod partition;
mod producers;
mod validate;

pub(crate) use partition::Partition;
pub(crate) use validate::{Invalid, validate};

/// Checks produced records as far as that goes without a log.
#[cfg(feature = "unstable-fuzzing")]
pub(crate) fn validate_only(records: Bytes) {
    let _ = validate(Some(records), usize::MAX, false);
}

use bytes::{Bytes, BytesMut};
use crossdock_wire::compression::DEFAULT_LIMIT;
use crossdock_wire::header::{self, BatchHeader};
use disk::DiskLog;
use index::{Index, Span};
use producers::{Producers, Sequenced};
use std::io;
use std::path::Path;

/// Epoch of the only leader that a partition ever has.
pub(crate) const LEADER_EPOCH: i32 = 0;

/// Where an appended batch went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Appended {
    /// Offset of its first record.
    pub(crate) base_offset: i64,
    /// The broker's time in milliseconds if the topic has `LogAppendTime`, else -1.
    pub(crate) append_time: i64,
}

/// Why a batch was not appended.
#[derive(Debug)]
pub(crate) enum AppendError {
    /// The file could not be written; it has been cut back to its last whole batch.
    Io(io::Error),
    /// The producer's epoch is older than the newest that was seen.
    OldEpoch,
    /// The sequence number does not follow the last one.
    OutOfOrder,
}

/// A record found by its timestamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Found {
    /// Timestamp in milliseconds.
    pub(crate) timestamp: i64,
    /// Offset of the record.
    pub(crate) offset: i64,
}

/// The batches of a partition.
#[derive(Debug)]
pub(crate) struct PartitionLog {
    storage: Storage,
    index: Index,
    producers: Producers,
}

#[derive(Debug)]
enum Storage {
    Memory(Vec<Bytes>),
    Disk(DiskLog),
}

impl PartitionLog {
    /// An empty log that lives as long as the process.
    pub(crate) fn in_memory() -> Self {
        Self {
            storage: Storage::Memory(Vec::new()),
            index: Index::default(),
            producers: Producers::default(),
        }
    }

    /// Opens or creates the log in `dir`, and recovers it: damaged or half-written bytes at its end
    /// are cut off.
    pub(crate) fn open(dir: &Path) -> io::Result<Self> {
        let mut index = Index::default();
        let mut producers = Producers::default();
        let disk = DiskLog::recover(dir, |header| {
            index.push(header);
            producers.record(header, header.base_offset);
        })?;
        Ok(Self { storage: Storage::Disk(disk), index, producers })
    }

    /// Offset that the next record will get; also the high watermark, as there are no replicas.
    pub(crate) fn end_offset(&self) -> i64 {
        self.index.end_offset()
    }

    /// Appends one validated batch. A batch that is among the last of its producer is not appended
    /// again; its first offset is returned.
    pub(crate) fn append(
        &mut self,
        batch: &[u8],
        header: &BatchHeader,
        append_time: Option<i64>,
    ) -> Result<Appended, AppendError> {
        match self.producers.check(header)? {
            Sequenced::Duplicate { base_offset } => {
                return Ok(Appended {
                    base_offset,
                    append_time: append_time.map_or(-1, |_| header.max_timestamp),
                });
            }
            Sequenced::Next => {}
        }
        let base_offset = self.end_offset();
        let (bytes, header) = stamp(batch, header, base_offset, append_time);
        match &mut self.storage {
            Storage::Memory(batches) => batches.push(bytes),
            Storage::Disk(disk) => disk.append(&bytes, self.index.end_position()).map_err(AppendError::Io)?,
        }
        self.index.push(&header);
        self.producers.record(&header, base_offset);
        Ok(Appended { base_offset, append_time: append_time.unwrap_or(-1) })
    }

    /// How many bytes a read from `offset` could give, without reading them.
    pub(crate) fn available(&self, offset: i64) -> usize {
        self.index.available(offset)
    }

    /// Whole batches from the one that holds `offset`, at most `max_bytes`; with `at_least_one` the
    /// first of them even if it is larger. Empty at the end of the log. The caller has checked that
    /// `offset` is in `0..=end_offset`.
    pub(crate) fn read(&self, offset: i64, max_bytes: usize, at_least_one: bool) -> io::Result<Bytes> {
        match self.index.span(offset, max_bytes, at_least_one) {
            None => Ok(Bytes::new()),
            Some(span) => self.read_span(&span),
        }
    }

    fn read_span(&self, span: &Span) -> io::Result<Bytes> {
        match &self.storage {
            Storage::Disk(disk) => disk.read(span.position, span.len),
            Storage::Memory(batches) => match &batches[span.batches.clone()] {
                [one] => Ok(one.clone()),
                many => {
                    let mut joined = BytesMut::with_capacity(span.len);
                    many.iter().for_each(|batch| joined.extend_from_slice(batch));
                    Ok(joined.freeze())
                }
            },
        }
    }

    /// The first record whose timestamp is at least `timestamp`.
    pub(crate) fn find_timestamp(&self, timestamp: i64) -> io::Result<Option<Found>> {
        self.find_in(self.index.span_of_timestamp(timestamp), |at| at >= timestamp)
    }

    /// The (first) record with the largest timestamp.
    pub(crate) fn find_max_timestamp(&self) -> io::Result<Option<Found>> {
        let Some(max) = self.index.max_timestamp() else {
            return Ok(None);
        };
        self.find_in(self.index.span_of_timestamp(max), |at| at == max)
    }

    fn find_in(&self, span: Option<Span>, wanted: impl Fn(i64) -> bool) -> io::Result<Option<Found>> {
        let Some(span) = span else {
            return Ok(None);
        };
        let Some(Ok(batch)) = crossdock_wire::Batches::new(self.read_span(&span)?).next() else {
            return Ok(None);
        };
        let first = Found { timestamp: batch.header().max_timestamp, offset: batch.header().base_offset };
        let batch = batch.decompressed(DEFAULT_LIMIT);
        let Some(records) = batch.as_ref().ok().and_then(|batch| batch.records().ok()) else {
            return Ok(Some(first));
        };
        let found = records.flatten().find(|record| wanted(record.timestamp));
        Ok(Some(found.map_or(first, |r| Found { timestamp: r.timestamp, offset: r.offset })))
    }

    /// Makes everything appended so far survive a power loss.
    pub(crate) fn sync(&self) -> io::Result<()> {
        match &self.storage {
            Storage::Memory(_) => Ok(()),
            Storage::Disk(disk) => disk.sync(),
        }
    }
}

/// A copy of the batch with its offset and leader epoch, and with the append time if there is one.
fn stamp(
    batch: &[u8],
    header: &BatchHeader,
    base_offset: i64,
    append_time: Option<i64>,
) -> (Bytes, BatchHeader) {
    const LOG_APPEND_TIME: i16 = 0x08;
    let mut header = BatchHeader { base_offset, partition_leader_epoch: LEADER_EPOCH, ..*header };
    let mut bytes = BytesMut::from(batch);
    if let Some(now) = append_time {
        header.attributes |= LOG_APPEND_TIME;
        header.max_timestamp = now;
    }
    if let Some(head) = bytes.first_chunk_mut::<{ header::HEADER_LEN }>() {
        header.write(head);
    }
    if append_time.is_some() {
        // Fails only for less than a header; a validated batch has one.
        let _ = header::seal(&mut bytes);
    }
    (bytes.freeze(), header)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crossdock_wire::{BatchBuilder, Batches, ProducerStamp};

    /// One batch of these values, all with `timestamp`.
    pub(crate) fn batch_at(timestamp: i64, values: &[&str]) -> Bytes {
        let mut builder = BatchBuilder::with_capacity(0);
        for value in values {
            assert!(builder.append(timestamp, None, Some(value.as_bytes()), std::iter::empty()));
        }
        builder.finish(ProducerStamp::NONE, false)
    }

    fn append(log: &mut PartitionLog, batch: &Bytes) -> i64 {
        log.append(batch, &BatchHeader::parse(batch).unwrap(), None).unwrap().base_offset
    }

    #[test]
    fn offsets_run_on_and_reads_give_whole_batches() {
        let mut log = PartitionLog::in_memory();
        assert_eq!(append(&mut log, &batch_at(1, &["a", "b"])), 0);
        assert_eq!(append(&mut log, &batch_at(2, &["c"])), 2);
        let all = log.read(0, usize::MAX, false).unwrap();
        let offsets: Vec<_> = Batches::new(all).map(|b| b.unwrap().header().base_offset).collect();
        assert_eq!(offsets, [0, 2]);
        // Offset 1 lies inside the first batch: it comes whole.
        let first = Batches::new(log.read(1, 1, true).unwrap()).next().unwrap().unwrap();
        assert_eq!((first.header().base_offset, first.header().last_offset()), (0, 1));
        first.check_crc().unwrap();
        assert!(log.read(0, 1, false).unwrap().is_empty());
        assert!(log.read(3, 100, true).unwrap().is_empty());
    }

    #[test]
    fn timestamps_find_the_first_record_that_is_not_older() {
        let mut log = PartitionLog::in_memory();
        append(&mut log, &batch_at(10, &["a", "b"]));
        append(&mut log, &batch_at(30, &["c"]));
        append(&mut log, &batch_at(20, &["d"]));
        assert_eq!(log.find_timestamp(10).unwrap(), Some(Found { timestamp: 10, offset: 0 }));
        assert_eq!(log.find_timestamp(15).unwrap(), Some(Found { timestamp: 30, offset: 2 }));
        assert_eq!(log.find_timestamp(31).unwrap(), None);
        assert_eq!(log.find_max_timestamp().unwrap(), Some(Found { timestamp: 30, offset: 2 }));
    }

    #[test]
    fn append_time_replaces_the_producers_time_under_a_valid_checksum() {
        let mut log = PartitionLog::in_memory();
        let batch = batch_at(10, &["a"]);
        log.append(&batch, &BatchHeader::parse(&batch).unwrap(), Some(77)).unwrap();
        let read = Batches::new(log.read(0, 100, true).unwrap()).next().unwrap().unwrap();
        read.check_crc().unwrap();
        assert_eq!(read.records().unwrap().next().unwrap().unwrap().timestamp, 77);
    }
}
