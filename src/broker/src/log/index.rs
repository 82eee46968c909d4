//! Where each batch of a log begins.

use crossdock_wire::BatchHeader;
use std::ops::Range;

/// One entry a batch, so that a fetch costs a binary search. 24 bytes for each batch.
#[derive(Debug, Default)]
pub(crate) struct Index {
    entries: Vec<Entry>,
    end_offset: i64,
    end_position: u64,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    base_offset: i64,
    position: u64,
    /// Largest timestamp of this batch and all before it: never falls, so it can be searched.
    max_timestamp_so_far: i64,
}

/// Some batches in a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Span {
    /// Their numbers, counted from the start of the log.
    pub(crate) batches: Range<usize>,
    /// Position of the first in the file.
    pub(crate) position: u64,
    /// Bytes of all of them.
    pub(crate) len: usize,
}

impl Index {
    /// Adds the batch that was appended. Its offset is the header's, so that gaps survive.
    pub(crate) fn push(&mut self, header: &BatchHeader) {
        let before = self.max_timestamp().unwrap_or(i64::MIN);
        self.entries.push(Entry {
            base_offset: header.base_offset,
            position: self.end_position,
            max_timestamp_so_far: before.max(header.max_timestamp),
        });
        self.end_offset = header.last_offset().saturating_add(1);
        self.end_position += header.total_len() as u64;
    }

    pub(crate) fn end_offset(&self) -> i64 {
        self.end_offset
    }

    pub(crate) fn end_position(&self) -> u64 {
        self.end_position
    }

    pub(crate) fn max_timestamp(&self) -> Option<i64> {
        self.entries.last().map(|entry| entry.max_timestamp_so_far)
    }

    /// Bytes from the batch that holds `offset` to the end of the log.
    pub(crate) fn available(&self, offset: i64) -> usize {
        match self.batch_of(offset) {
            None => 0,
            Some(batch) => (self.end_position - self.entries[batch].position) as usize,
        }
    }

    /// The batches to read from `offset`; see `PartitionLog::read`.
    pub(crate) fn span(&self, offset: i64, max_bytes: usize, at_least_one: bool) -> Option<Span> {
        let first = self.batch_of(offset)?;
        let position = self.entries[first].position;
        let limit = position.saturating_add(max_bytes as u64);
        // The end of each batch is the start of the next; the last one ends with the log.
        let mut end = if self.end_position <= limit {
            self.entries.len()
        } else {
            first + self.entries[first + 1..].partition_point(|entry| entry.position <= limit)
        };
        if end == first {
            if !at_least_one {
                return None;
            }
            end = first + 1;
        }
        Some(self.span_of(first..end))
    }

    /// The first batch that has a record of at least `timestamp`.
    pub(crate) fn span_of_timestamp(&self, timestamp: i64) -> Option<Span> {
        let batch = self.entries.partition_point(|entry| entry.max_timestamp_so_far < timestamp);
        (batch < self.entries.len()).then(|| self.span_of(batch..batch + 1))
    }

    fn batch_of(&self, offset: i64) -> Option<usize> {
        if offset >= self.end_offset {
            return None;
        }
        Some(self.entries.partition_point(|entry| entry.base_offset <= offset).saturating_sub(1))
    }

    fn span_of(&self, batches: Range<usize>) -> Span {
        let position = self.entries[batches.start].position;
        let end = self.entries.get(batches.end).map_or(self.end_position, |entry| entry.position);
        Span { batches, position, len: (end - position) as usize }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::tests::batch_at;

    #[test]
    fn spans_end_at_the_byte_limit() {
        let mut index = Index::default();
        let len = batch_at(1, &["a"]).len();
        for offset in 0..4 {
            let header = BatchHeader::parse(&batch_at(1, &["a"])).unwrap();
            index.push(&BatchHeader { base_offset: offset, ..header });
        }
        let batches = |offset, max, one| index.span(offset, max, one).map(|span| span.batches);
        assert_eq!(batches(0, 4 * len, false), Some(0..4));
        assert_eq!(batches(0, 4 * len - 1, false), Some(0..3));
        assert_eq!(batches(1, len, false), Some(1..2));
        assert_eq!(batches(1, len - 1, false), None);
        assert_eq!(batches(3, len - 1, true), Some(3..4));
        assert_eq!(batches(4, len, true), None);
        assert_eq!(index.available(3), len);
        assert_eq!(index.available(4), 0);
    }
}
