//! A batch on its way: open, then sealed, then sent one or more times.

use super::ack::AckRun;
use bytes::Bytes;
use crossdock_wire::header::{BatchHeader, HEADER_LEN, seal};
use crossdock_wire::{BatchBuilder, Batches, ProducerStamp, WireError};
use smallvec::SmallVec;
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
    Sealed(Bytes),
    /// Only while the content is being replaced.
    Taken,
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

    /// Length in bytes, as it will be sent.
    pub(super) fn len(&self) -> usize {
        self.charged
    }

    /// The bytes to be sent, with this stamp. The CRC is computed once, unless the stamp changes later.
    pub(super) fn seal(&mut self, stamp: ProducerStamp, restamp: bool) -> Bytes {
        let bytes = match std::mem::replace(&mut self.content, Content::Taken) {
            Content::Open(builder) => builder.finish(stamp, false),
            Content::Sealed(bytes) if restamp => restamped(bytes, stamp),
            Content::Sealed(bytes) => bytes,
            Content::Taken => Bytes::new(),
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
        // Both together take a head more than one; that is forgiven rather than asked of the memory again.
        let first_len = first.len();
        let second_charged = self.charged.saturating_sub(first_len);
        Some((
            half(first, first_runs, first_len, false),
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
    // Copied only if an earlier attempt still holds the bytes.
    let mut buf = Vec::from(bytes);
    if let Some(head) = buf.first_chunk_mut::<HEADER_LEN>() {
        header.write(head);
    }
    // Cannot fail: the batch was parsed above, so it has a head.
    let _ = seal(&mut buf);
    buf.into()
}

fn halves_of(bytes: Bytes, first_count: i32) -> Result<Option<(BatchBuilder, BatchBuilder)>, WireError> {
    let len = bytes.len();
    let Some(batch) = Batches::new(bytes).next().transpose()? else { return Ok(None) };
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

    fn sealed(records: &[(&str, u64)]) -> Batch {
        let mut batch = Batch::open(1, Instant::now(), 0);
        for (value, token) in records {
            let headers = [("h", Some(&b"1"[..])), ("h", None)];
            batch.append(5, None, Some(value.as_bytes()), headers.into_iter(), *token).unwrap();
        }
        batch.seal(ProducerStamp { producer_id: 1, producer_epoch: 0, base_sequence: 0 }, true);
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
        assert_eq!(values(first.seal(ProducerStamp::NONE, true)), ["a", "b"]);
        assert_eq!(values(second.seal(ProducerStamp::NONE, true)), ["c", "d", "e"]);
        assert!(sealed(&[("a", 1)]).halves().is_none());
    }

    #[tokio::test]
    async fn a_new_stamp_keeps_records_and_checksum() {
        let mut batch = sealed(&[("a", 1), ("b", 2)]);
        let stamp = ProducerStamp { producer_id: 9, producer_epoch: 3, base_sequence: 17 };
        let bytes = batch.seal(stamp, true);
        let header = BatchHeader::parse(&bytes).unwrap();
        assert_eq!((header.producer_id, header.producer_epoch, header.base_sequence), (9, 3, 17));
        assert_eq!(values(bytes), ["a", "b"]);
    }
}
