//! What a fetch brought for one partition, and how it is read.

use super::config::IsolationLevel;
use super::error::ConsumerError;
use crate::metadata::TopicPartition;
use bytes::Bytes;
use crossdock_wire::control::ControlType;
use crossdock_wire::legacy::{Converted, LegacyBatch};
use crossdock_wire::{Batch, Compression, Entries, Entry, RecordView, Records, WireError};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// Whole batches of one partition, in the bytes that they arrived in. Holding it holds those bytes.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct FetchedRecords {
    /// The topic.
    pub topic: Arc<str>,
    /// The partition.
    pub partition: i32,
    /// The batches; checksums are checked (`check.crcs`), and aborted batches are left out under read_committed.
    pub batches: Vec<Batch>,
    /// Records below this offset are not part of it (a batch may start before the position).
    pub start_offset: i64,
    /// Where to go on: one past the last offset, also when compaction removed the last records.
    pub next_offset: i64,
    /// The partition's high watermark when it was fetched.
    pub high_watermark: i64,
    /// Leader epoch of the last batch, to be committed with [`Self::next_offset`]; -1 if unknown.
    pub leader_epoch: i32,
    pub(super) stop: Stop,
}

/// Where the reader of a run met a record that cannot be decoded. Shared by the run and its consumer, so that the position
/// does not pass what was not read.
#[derive(Debug, Clone)]
pub(super) struct Stop(Arc<AtomicI64>);

impl Stop {
    const NONE: i64 = i64::MAX;

    pub(super) fn new() -> Self {
        Self(Arc::new(AtomicI64::new(Self::NONE)))
    }

    fn at(&self, offset: i64) {
        self.0.fetch_min(offset, Ordering::Relaxed);
    }

    /// The offset that was not read.
    pub(super) fn offset(&self) -> Option<i64> {
        Some(self.0.load(Ordering::Relaxed)).filter(|offset| *offset != Self::NONE)
    }

    /// Whether anybody else may still read the run.
    pub(super) fn is_shared(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }
}

impl FetchedRecords {
    /// Batches as if they had been fetched, from `start_offset` to before `next_offset`; for tests of what reads them.
    pub fn of(partition: TopicPartition, batches: Vec<Batch>, start_offset: i64, next_offset: i64) -> Self {
        Self {
            topic: partition.topic,
            partition: partition.partition,
            batches,
            start_offset,
            next_offset,
            high_watermark: next_offset,
            leader_epoch: -1,
            stop: Stop::new(),
        }
    }

    /// Walks the records, borrowed, without copying or allocating. Control batches and records below
    /// [`Self::start_offset`] are skipped. After an error there is nothing more; the consumer's position goes back to the
    /// offset that the error names, and the partition rests there. Who reads [`Self::batches`] by itself has to
    /// [`crate::Consumer::seek`] then.
    pub fn records(&self) -> RecordIter<'_> {
        RecordIter { fetched: self, batch: 0, current: None }
    }

    /// The partition.
    pub fn topic_partition(&self) -> TopicPartition {
        TopicPartition { topic: self.topic.clone(), partition: self.partition }
    }

    /// An upper bound of the number of records; as the brokers tell it, so not for reserving memory.
    pub fn announced_records(&self) -> usize {
        self.batches.iter().map(|b| usize::try_from(b.header().record_count).unwrap_or(0)).sum()
    }

    /// Bytes of all batches, decompressed.
    pub fn byte_len(&self) -> usize {
        self.batches.iter().map(|b| b.bytes().len()).sum()
    }
}

/// See [`FetchedRecords::records`].
#[derive(Debug, Clone)]
pub struct RecordIter<'a> {
    fetched: &'a FetchedRecords,
    batch: usize,
    current: Option<Records<'a>>,
}

impl<'a> Iterator for RecordIter<'a> {
    type Item = Result<RecordView<'a>, ConsumerError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.current.as_mut().and_then(Iterator::next) {
                Some(Ok(record)) if record.offset < self.fetched.start_offset => {}
                Some(Ok(record)) => return Some(Ok(record)),
                Some(Err(error)) => return Some(Err(self.fail(error))),
                None => match self.open_next()? {
                    Ok(()) => {}
                    Err(error) => return Some(Err(error)),
                },
            }
        }
    }
}

impl<'a> RecordIter<'a> {
    fn open_next(&mut self) -> Option<Result<(), ConsumerError>> {
        let fetched = self.fetched;
        loop {
            let batch = fetched.batches.get(self.batch)?;
            self.batch += 1;
            if batch.header().is_control() {
                continue;
            }
            return Some(match batch.records() {
                Ok(records) => {
                    self.current = Some(records);
                    Ok(())
                }
                Err(error) => Err(self.fail(error)),
            });
        }
    }

    #[cold]
    fn fail(&mut self, source: WireError) -> ConsumerError {
        let at = self.batch.saturating_sub(1);
        let start = self.fetched.start_offset;
        let offset = self.fetched.batches.get(at).map_or(start, first_unreadable).max(start);
        self.fetched.stop.at(offset);
        self.current = None;
        self.batch = self.fetched.batches.len();
        ConsumerError::Records {
            topic: self.fetched.topic.clone(),
            partition: self.fetched.partition,
            offset,
            source,
        }
    }
}

/// One past the last record of the batch that can be decoded.
fn first_unreadable(batch: &Batch) -> i64 {
    let base = batch.header().base_offset;
    let Ok(records) = batch.records() else { return base };
    records.map_while(Result::ok).last().map_or(base, |record| record.offset.saturating_add(1))
}

/// How a fetched region is to be read.
#[derive(Debug, Clone, Copy)]
pub(super) struct ReadOptions {
    pub(super) check_crcs: bool,
    /// What one batch may decompress to, in bytes.
    pub(super) max_decompressed_bytes: usize,
    pub(super) isolation: IsolationLevel,
    /// For the error text.
    pub(super) max_partition_bytes: i32,
}

/// A transaction that was aborted: its batches from `first_offset` to its marker are void.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Aborted {
    pub(super) producer_id: i64,
    pub(super) first_offset: i64,
}

/// What a region holds from the position on: the readable batches, and why reading stopped early.
#[derive(Debug)]
pub(super) struct Region {
    pub(super) records: FetchedRecords,
    pub(super) error: Option<ConsumerError>,
}

impl Region {
    /// Whether there is no record in it.
    pub(super) fn has_no_records(&self) -> bool {
        self.records.batches.iter().all(|b| b.header().is_control() || b.header().record_count == 0)
    }
}

/// Splits the fetched `region` into batches from `start_offset` on, checks each once, and decompresses those
/// that are handed out.
///
/// `budget` is what compressed batches of the whole answer may still decompress to, in bytes. Once it is used
/// up, nothing compressed is read any more: the region ends there, and the rest is fetched again when there is
/// room. So at least one batch of an answer is read, and memory does not follow what a fetch may decompress to.
pub(super) fn read_region(
    tp: &TopicPartition,
    region: Bytes,
    start_offset: i64,
    high_watermark: i64,
    aborted: Vec<Aborted>,
    options: ReadOptions,
    budget: &mut usize,
) -> Region {
    let mut records = FetchedRecords {
        high_watermark,
        ..FetchedRecords::of(tp.clone(), Vec::new(), start_offset, start_offset)
    };
    let mut transactions = Transactions::new(aborted, options.isolation);
    let some_bytes = !region.is_empty();
    let mut whole_batches = false;
    let mut error = None;
    for entry in Entries::new(region) {
        whole_batches = true;
        let read = entry.and_then(|entry| match entry {
            Entry::Batch(batch) => {
                let batch = check(batch, options.check_crcs)?;
                let is_void = transactions.voids(&batch)?;
                // The broker looks batches up by their last offset, which may be below after compaction.
                let is_old = batch.header().last_offset() < records.next_offset;
                read(batch, is_void || is_old, options.max_decompressed_bytes, budget)
            }
            Entry::Legacy(message) => read_legacy(&message, records.next_offset, options, budget),
        });
        let failed = match read {
            Ok(None) => break,
            Ok(Some(batch)) => {
                if batch.last_offset >= records.next_offset {
                    records.next_offset = batch.last_offset.saturating_add(1);
                    records.leader_epoch = batch.leader_epoch;
                    records.batches.extend(batch.readable);
                }
                batch.failed
            }
            Err(source) => Some(source),
        };
        if let Some(source) = failed {
            let (topic, partition, offset) = (tp.topic.clone(), tp.partition, records.next_offset);
            error = Some(ConsumerError::Records { topic, partition, offset, source });
            break;
        }
    }
    if some_bytes && !whole_batches {
        error = Some(ConsumerError::BatchTooLarge {
            topic: tp.topic.clone(),
            partition: tp.partition,
            offset: start_offset,
            limit: options.max_partition_bytes,
        });
    }
    Region { records, error }
}

/// A batch of a region: where it ends, and its records unless they are left out.
struct Read {
    last_offset: i64,
    leader_epoch: i32,
    readable: Option<Batch>,
    /// Why records after it cannot be read.
    failed: Option<WireError>,
}

/// Decompresses a batch, unless it is left out. `None` if the budget is used up.
fn read(batch: Batch, left_out: bool, limit: usize, budget: &mut usize) -> Result<Option<Read>, WireError> {
    let (last_offset, leader_epoch) = (batch.header().last_offset(), batch.header().partition_leader_epoch);
    let of = |readable| Ok(Some(Read { last_offset, leader_epoch, readable, failed: None }));
    if left_out {
        return of(None);
    }
    if !batch.is_compressed() {
        return of(Some(batch));
    }
    if *budget == 0 {
        return Ok(None);
    }
    let readable = batch.decompressed(limit)?;
    *budget = budget.saturating_sub(readable.bytes().len());
    of(Some(readable))
}

/// Makes a batch of an old message, unless all of it is below the position. `None` if the budget is used up.
fn read_legacy(
    message: &LegacyBatch,
    next_offset: i64,
    options: ReadOptions,
    budget: &mut usize,
) -> Result<Option<Read>, WireError> {
    let last_offset = message.last_offset();
    if last_offset < next_offset {
        return Ok(Some(Read { last_offset, leader_epoch: -1, readable: None, failed: None }));
    }
    let is_compressed = message.compression() != Compression::None;
    if is_compressed && *budget == 0 {
        return Ok(None);
    }
    let Converted { batch, error } = message.converted(options.max_decompressed_bytes, options.check_crcs);
    if let (None, Some(error)) = (&batch, &error) {
        return Err(error.clone());
    }
    if is_compressed {
        *budget = budget.saturating_sub(batch.as_ref().map_or(0, |batch| batch.bytes().len()));
    }
    let last_offset = batch.as_ref().map_or(last_offset, |batch| batch.header().last_offset());
    Ok(Some(Read { last_offset, leader_epoch: -1, readable: batch, failed: error }))
}

fn check(batch: Batch, check_crc: bool) -> Result<Batch, WireError> {
    if check_crc {
        batch.check_crc()?;
    }
    let header = batch.header();
    if header.last_offset_delta < 0 {
        let value = i64::from(header.last_offset_delta);
        return Err(WireError::Invalid { what: "a record batch's last offset delta", value });
    }
    Ok(batch)
}

/// Most that the records of a control batch may take; they take some ten bytes.
const MAX_MARKER_BYTES: usize = 64 << 10;

/// Tells which batches belong to aborted transactions, as Java's `CompletedFetch`.
struct Transactions {
    /// By first offset, the lowest last.
    upcoming: Vec<Aborted>,
    /// Producers with an aborted transaction that has begun and not ended.
    open: Vec<i64>,
}

impl Transactions {
    fn new(mut aborted: Vec<Aborted>, isolation: IsolationLevel) -> Self {
        if isolation == IsolationLevel::ReadUncommitted {
            aborted.clear();
        }
        aborted.sort_unstable_by_key(|a| std::cmp::Reverse(a.first_offset));
        Self { upcoming: aborted, open: Vec::new() }
    }

    fn voids(&mut self, batch: &Batch) -> Result<bool, WireError> {
        let header = batch.header();
        if self.open.is_empty() && self.upcoming.is_empty() {
            return Ok(false);
        }
        while let Some(next) = self.upcoming.pop_if(|a| a.first_offset <= header.last_offset()) {
            self.open.push(next.producer_id);
        }
        if header.is_control() {
            if is_abort_marker(batch)? {
                self.open.retain(|id| *id != header.producer_id);
            }
            return Ok(false);
        }
        Ok(header.is_transactional() && self.open.contains(&header.producer_id))
    }
}

/// Whether a control batch ends a transaction by aborting it. One without records (compaction leaves the
/// head) does not.
fn is_abort_marker(batch: &Batch) -> Result<bool, WireError> {
    // Nobody compresses them, but nobody has to refuse that.
    match batch.decompressed(MAX_MARKER_BYTES)?.records()?.next().transpose()? {
        Some(marker) => Ok(ControlType::parse(marker.key)? == ControlType::Abort),
        None => Ok(false),
    }
}

#[cfg(test)]
mod tests;
