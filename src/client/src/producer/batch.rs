//! A batch on its way: open, then sealed, then sent one or more times.

use super::ack::AckRun;
use super::compress::{Compressor, Handed};
use bytes::Bytes;
use crossdock_wire::header::{BatchHeader, HEADER_LEN, seal};
use crossdock_wire::{BatchBuilder, Batches, ClosedBatch, ProducerStamp, WireError, spare};
use smallvec::SmallVec;
use tokio::sync::oneshot;
use tokio::time::Instant;

pub(super) type Runs = SmallVec<[AckRun; 4]>;

/// Records of one partition that are sent together.
#[derive(Debug)]
pub(super) struct Batch {
    /// Ascends with creation; for flushing.
    pub(super) serial: u64,
    pub(super) created: Instant,
    pub(super) runs: Runs,
    pub(super) count: i32,
    /// Bytes that the batch takes of `buffer.memory`.
    pub(super) charged: usize,
    pub(super) attempts: u32,
    /// False for the first part of a batch that was split: its serial is resolved with the last.
    pub(super) last_part: bool,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Open(BatchBuilder),
    /// Being compressed; with the length before.
    Compressing(oneshot::Receiver<ClosedBatch>, usize),
    Closed(ClosedBatch),
    Sealed(Bytes),
    /// Only while the content is being replaced.
    Taken,
}

/// What compressing a batch gained, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Compressed {
    pub(super) from: usize,
    pub(super) to: usize,
    /// Of the memory that the batch was charged.
    pub(super) freed: usize,
}

impl Batch {
    pub(super) fn open(serial: u64, created: Instant, capacity: usize) -> Self {
        Self {
            serial,
            created,
            runs: Runs::new(),
            count: 0,
            charged: HEADER_LEN,
            attempts: 0,
            last_part: true,
            content: Content::Open(BatchBuilder::with_capacity(capacity)),
        }
    }

    /// Appends a record; false if the batch cannot take it. Gives how many bytes it took.
    pub(super) fn append<'h, H>(
        &mut self,
        timestamp: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: H,
        token: u64,
    ) -> Option<usize>
    where
        H: ExactSizeIterator<Item = (&'h str, Option<&'h [u8]>)> + Clone,
    {
        let Content::Open(builder) = &mut self.content else { return None };
        if !builder.append(timestamp, key, value, headers) {
            return None;
        }
        let taken = builder.len() - self.charged;
        self.charged += taken;
        self.count += 1;
        match self.runs.last_mut() {
            Some(run) if run.token == token && run.count < u32::MAX => run.count += 1,
            _ => self.runs.push(AckRun { token, count: 1 }),
        }
        Some(taken)
    }

    /// Whether records can still be appended.
    pub(super) fn is_open(&self) -> bool {
        matches!(self.content, Content::Open(_))
    }

    /// Length in bytes, as it would be sent now: before it is compressed, that of its records as they are.
    pub(super) fn len(&self) -> usize {
        match &self.content {
            Content::Open(builder) => builder.len(),
            Content::Compressing(_, len) => *len,
            Content::Closed(closed) => closed.len(),
            Content::Sealed(bytes) => bytes.len(),
            Content::Taken => 0,
        }
    }

    /// Whether the batch is closed: compressed, or found not to become smaller.
    pub(super) fn is_compressed(&self) -> bool {
        matches!(self.content, Content::Closed(_) | Content::Sealed(_))
    }

    /// Has the batch compressed, or looks whether it is by now. `None` unless it became so.
    pub(super) fn compress(&mut self, compressor: &Compressor) -> Option<Compressed> {
        let from = self.len();
        let closed = match std::mem::replace(&mut self.content, Content::Taken) {
            Content::Open(builder) => match compressor.hand(builder) {
                Handed::Closed(closed) => Ok(closed),
                Handed::Job(wait) => Err(Content::Compressing(wait, from)),
                Handed::Refused(builder) => Err(Content::Open(builder)),
            },
            // Jobs always answer; without an answer the batch would wait for its timeout.
            Content::Compressing(mut wait, from) => {
                wait.try_recv().map_err(|_| Content::Compressing(wait, from))
            }
            other => Err(other),
        };
        match closed {
            Ok(closed) => {
                let to = closed.len();
                let freed = self.charged.saturating_sub(to);
                self.charged -= freed;
                self.content = Content::Closed(closed);
                Some(Compressed { from, to, freed })
            }
            Err(content) => {
                self.content = content;
                None
            }
        }
    }

    /// The bytes to be sent, with this stamp. The CRC is computed once, unless the stamp changes later.
    pub(super) fn seal(&mut self, stamp: ProducerStamp, restamp: bool, transactional: bool) -> Bytes {
        let bytes = match std::mem::replace(&mut self.content, Content::Taken) {
            Content::Open(builder) => builder.finish(stamp, transactional),
            Content::Closed(closed) => closed.finish(stamp, transactional),
            Content::Sealed(bytes) if restamp => restamped(bytes, stamp),
            Content::Sealed(bytes) => bytes,
            // Never asked for: it is not ready.
            Content::Compressing(..) | Content::Taken => Bytes::new(),
        };
        self.content = Content::Sealed(bytes.clone());
        bytes
    }

    /// Two batches with the records of this one, which was refused for its size. `None` if there is
    /// only one record, which cannot be split.
    pub(super) fn halves(&self) -> Option<(Self, Self)> {
        let Content::Sealed(bytes) = &self.content else { return None };
        if self.count < 2 {
            return None;
        }
        let first_count = self.count / 2;
        let (first, second) = halves_of(bytes.clone(), first_count).ok()??;
        let (first_runs, second_runs) = split_runs(&self.runs, first_count.unsigned_abs());
        let half = |builder: BatchBuilder, runs, charged, last_part| Self {
            serial: self.serial,
            created: self.created,
            runs,
            count: builder.record_count(),
            charged,
            attempts: self.attempts,
            last_part,
            content: Content::Open(builder),
        };
        // Together they are charged what the whole was; decompressed, and with two heads, they take more, which
        // is forgiven rather than asked of the memory again.
        let first_charged = first.len().min(self.charged / 2);
        let second_charged = self.charged - first_charged;
        Some((
            half(first, first_runs, first_charged, false),
            half(second, second_runs, second_charged, self.last_part),
        ))
    }
}

/// Changes the stamp of a sealed batch.
fn restamped(bytes: Bytes, stamp: ProducerStamp) -> Bytes {
    let Ok(mut header) = BatchHeader::parse(&bytes) else { return bytes };
    header.producer_id = stamp.producer_id;
    header.producer_epoch = stamp.producer_epoch;
    header.base_sequence = stamp.base_sequence;
    // An earlier attempt may still hold the bytes.
    let mut buf = spare::take(bytes.len());
    buf.extend_from_slice(&bytes);
    if let Some(head) = buf.first_chunk_mut::<HEADER_LEN>() {
        header.write(head);
    }
    // Cannot fail: the batch was parsed above, so it has a head.
    let _ = seal(&mut buf);
    spare::share(buf)
}

fn halves_of(bytes: Bytes, first_count: i32) -> Result<Option<(BatchBuilder, BatchBuilder)>, WireError> {
    let len = bytes.len();
    let Some(batch) = Batches::new(bytes).next().transpose()? else { return Ok(None) };
    // Compressed here, so what it decompresses to was here before.
    let batch = batch.decompressed(usize::MAX)?;
    let len = batch.bytes().len().max(len);
    let mut halves = (BatchBuilder::with_capacity(len / 2), BatchBuilder::with_capacity(len / 2));
    for (n, record) in batch.records()?.enumerate() {
        let record = record?;
        let headers: Vec<_> = record.headers.collect();
        let headers = headers.iter().map(|header| (&*header.name, header.value));
        let half = if n < first_count.unsigned_abs() as usize { &mut halves.0 } else { &mut halves.1 };
        if !half.append(record.timestamp, record.key, record.value, headers) {
            return Ok(None);
        }
    }
    Ok(Some(halves))
}

fn split_runs(runs: &[AckRun], first_count: u32) -> (Runs, Runs) {
    let (mut first, mut second) = (Runs::new(), Runs::new());
    let mut left = first_count;
    for run in runs {
        let before = run.count.min(left);
        left -= before;
        if before > 0 {
            first.push(AckRun { token: run.token, count: before });
        }
        if run.count > before {
            second.push(AckRun { token: run.token, count: run.count - before });
        }
    }
    (first, second)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::producer::Shared;
    use crate::producer::accumulator::Limits;
    use crossdock_wire::Codec;
    use std::sync::Arc;

    fn sealed(records: &[(&str, u64)]) -> Batch {
        let mut batch = Batch::open(1, Instant::now(), 0);
        for (value, token) in records {
            let headers = [("h", Some(&b"1"[..])), ("h", None)];
            batch.append(5, None, Some(value.as_bytes()), headers.into_iter(), *token).unwrap();
        }
        batch.seal(ProducerStamp { producer_id: 1, producer_epoch: 0, base_sequence: 0 }, true, false);
        batch
    }

    fn values(bytes: Bytes) -> Vec<String> {
        let batch = Batches::new(bytes).next().unwrap().unwrap();
        batch.check_crc().unwrap();
        let text = |v: Option<&[u8]>| String::from_utf8(v.unwrap().to_vec()).unwrap();
        batch.records().unwrap().map(|r| text(r.unwrap().value)).collect()
    }

    #[tokio::test]
    async fn runs_of_a_token_are_one() {
        let batch = sealed(&[("a", 1), ("b", 1), ("c", 2), ("d", 1)]);
        let runs: Vec<_> = batch.runs.iter().map(|r| (r.token, r.count)).collect();
        assert_eq!(runs, [(1, 2), (2, 1), (1, 1)]);
    }

    #[tokio::test]
    async fn halves_hold_all_records_and_runs() {
        let batch = sealed(&[("a", 1), ("b", 1), ("c", 1), ("d", 2), ("e", 2)]);
        let (mut first, mut second) = batch.halves().unwrap();
        assert_eq!((first.count, second.count), (2, 3));
        assert_eq!(first.charged + second.charged, batch.charged);
        assert_eq!(first.runs.to_vec(), [AckRun { token: 1, count: 2 }]);
        assert_eq!(second.runs.to_vec(), [AckRun { token: 1, count: 1 }, AckRun { token: 2, count: 2 }]);
        assert_eq!(values(first.seal(ProducerStamp::NONE, true, false)), ["a", "b"]);
        assert_eq!(values(second.seal(ProducerStamp::NONE, true, false)), ["c", "d", "e"]);
        assert!(sealed(&[("a", 1)]).halves().is_none());
    }

    #[tokio::test]
    async fn halves_of_a_compressed_batch_hold_all_records() {
        for codec in [Codec::GZIP, Codec::SNAPPY, Codec::LZ4, Codec::ZSTD] {
            let value = "value ".repeat(100);
            let mut batch = Batch::open(1, Instant::now(), 0);
            for token in 0..20 {
                batch.append(5, None, Some(value.as_bytes()), std::iter::empty(), token).unwrap();
            }
            let shared = Arc::new(Shared::new(Limits { batch: 1, memory: 1, record: 1 }, None));
            let (charged, compressor) = (batch.charged, Compressor::new(codec, shared.clone()));
            assert_eq!(batch.compress(&compressor), None, "it is larger than what is compressed at once");
            assert!(!batch.is_compressed());
            let compressed = loop {
                match batch.compress(&compressor) {
                    Some(compressed) => break compressed,
                    None => shared.wake.notified().await,
                }
            };
            assert!(batch.is_compressed());
            assert_eq!((compressed.from, compressed.freed), (charged, charged - batch.charged));
            assert_eq!((compressed.to, batch.len()), (batch.charged, batch.charged));
            batch.seal(ProducerStamp::NONE, true, false);
            let (mut first, mut second) = batch.halves().unwrap();
            assert_eq!(first.charged + second.charged, batch.charged);
            assert_eq!((first.runs.len(), second.runs.len()), (10, 10));
            for half in [&mut first, &mut second] {
                half.compress(&compressor).unwrap();
                let bytes = half.seal(ProducerStamp::NONE, true, false);
                assert_eq!(BatchHeader::parse(&bytes).unwrap().compression(), codec.compression());
                let plain = Batches::new(bytes).next().unwrap().unwrap().decompressed(usize::MAX).unwrap();
                assert_eq!(plain.records().unwrap().count(), 10);
            }
        }
    }

    #[tokio::test]
    async fn a_new_stamp_keeps_records_and_checksum() {
        let mut batch = sealed(&[("a", 1), ("b", 2)]);
        let stamp = ProducerStamp { producer_id: 9, producer_epoch: 3, base_sequence: 17 };
        let bytes = batch.seal(stamp, true, false);
        let header = BatchHeader::parse(&bytes).unwrap();
        assert_eq!((header.producer_id, header.producer_epoch, header.base_sequence), (9, 3, 17));
        assert_eq!(values(bytes), ["a", "b"]);
    }
}
