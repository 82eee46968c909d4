//! Sequence numbers of idempotent producers (KIP-98), as `org.apache.kafka.storage.internals.log.ProducerStateManager`
//! keeps them for one partition.

use super::AppendError;
use crossdock_wire::BatchHeader;
use std::collections::{HashMap, VecDeque};

/// How many of a producer's last batches are known, so that a retry is answered with its offset.
/// It is also how many a producer may have in flight.
const REMEMBERED_BATCHES: usize = 5;
/// How many producers a partition remembers; the one that was quiet for longest goes first.
const REMEMBERED_PRODUCERS: usize = 10_000;

/// What a batch's sequence number says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Sequenced {
    /// It has been appended before, at this offset.
    Duplicate {
        /// Offset of its first record.
        base_offset: i64,
    },
    /// It is the next one, or its producer is not idempotent.
    Next,
}

/// What is known of the producers of one partition.
#[derive(Debug, Default)]
pub(crate) struct Producers {
    known: HashMap<i64, Producer>,
    appended: u64,
}

#[derive(Debug)]
struct Producer {
    epoch: i16,
    batches: VecDeque<Remembered>,
    last_appended: u64,
}

#[derive(Debug, Clone, Copy)]
struct Remembered {
    first_sequence: i32,
    last_sequence: i32,
    base_offset: i64,
}

impl Producers {
    /// Whether the batch may be appended. A producer that is not known may begin at any sequence: its
    /// earlier batches may have been forgotten.
    pub(crate) fn check(&self, header: &BatchHeader) -> Result<Sequenced, AppendError> {
        if header.producer_id < 0 {
            return Ok(Sequenced::Next);
        }
        let Some(producer) = self.known.get(&header.producer_id) else {
            return Ok(Sequenced::Next);
        };
        if header.producer_epoch < producer.epoch {
            return Err(AppendError::OldEpoch);
        }
        if header.producer_epoch > producer.epoch {
            return if header.base_sequence == 0 {
                Ok(Sequenced::Next)
            } else {
                Err(AppendError::OutOfOrder)
            };
        }
        let (first, last) = (header.base_sequence, last_sequence(header));
        let same = |batch: &&Remembered| batch.first_sequence == first && batch.last_sequence == last;
        if let Some(batch) = producer.batches.iter().find(same) {
            return Ok(Sequenced::Duplicate { base_offset: batch.base_offset });
        }
        match producer.batches.back() {
            Some(batch) if next_sequence(batch.last_sequence) != first => Err(AppendError::OutOfOrder),
            _ => Ok(Sequenced::Next),
        }
    }

    /// Notes that the batch is now in the log.
    pub(crate) fn record(&mut self, header: &BatchHeader, base_offset: i64) {
        if header.producer_id < 0 {
            return;
        }
        self.appended += 1;
        if !self.known.contains_key(&header.producer_id) && self.known.len() >= REMEMBERED_PRODUCERS {
            self.forget_quietest();
        }
        let producer = self.known.entry(header.producer_id).or_insert_with(|| Producer {
            epoch: header.producer_epoch,
            batches: VecDeque::with_capacity(REMEMBERED_BATCHES),
            last_appended: 0,
        });
        if producer.epoch != header.producer_epoch {
            producer.epoch = header.producer_epoch;
            producer.batches.clear();
        }
        if producer.batches.len() == REMEMBERED_BATCHES {
            producer.batches.pop_front();
        }
        producer.last_appended = self.appended;
        producer.batches.push_back(Remembered {
            first_sequence: header.base_sequence,
            last_sequence: last_sequence(header),
            base_offset,
        });
    }

    fn forget_quietest(&mut self) {
        let quietest =
            self.known.iter().min_by_key(|(_, producer)| producer.last_appended).map(|(id, _)| *id);
        if let Some(id) = quietest {
            self.known.remove(&id);
        }
    }
}

/// Sequences wrap from the largest `i32` to 0.
fn last_sequence(header: &BatchHeader) -> i32 {
    let last = i64::from(header.base_sequence) + i64::from(header.last_offset_delta);
    (last % (i64::from(i32::MAX) + 1)) as i32
}

fn next_sequence(last: i32) -> i32 {
    last.checked_add(1).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::tests::batch_at;

    fn header(epoch: i16, base_sequence: i32, count: i32) -> BatchHeader {
        let plain = BatchHeader::parse(&batch_at(1, &["a"])).unwrap();
        BatchHeader {
            producer_id: 9,
            producer_epoch: epoch,
            base_sequence,
            record_count: count,
            last_offset_delta: count - 1,
            ..plain
        }
    }

    #[test]
    fn retries_gaps_and_old_epochs_are_told_apart() {
        let mut producers = Producers::default();
        for batch in 0..6 {
            let header = header(1, batch * 10, 10);
            assert_eq!(producers.check(&header).unwrap(), Sequenced::Next);
            producers.record(&header, i64::from(batch) * 100);
        }
        assert_eq!(producers.check(&header(1, 10, 10)).unwrap(), Sequenced::Duplicate { base_offset: 100 });
        // The sixth batch from the end is forgotten, and a batch cut in another way is no retry.
        assert!(matches!(producers.check(&header(1, 0, 10)), Err(AppendError::OutOfOrder)));
        assert!(matches!(producers.check(&header(1, 10, 5)), Err(AppendError::OutOfOrder)));
        assert!(matches!(producers.check(&header(1, 70, 1)), Err(AppendError::OutOfOrder)));
        assert!(matches!(producers.check(&header(0, 60, 1)), Err(AppendError::OldEpoch)));
        assert!(matches!(producers.check(&header(2, 60, 1)), Err(AppendError::OutOfOrder)));
        assert_eq!(producers.check(&header(2, 0, 1)).unwrap(), Sequenced::Next);
    }

    #[test]
    fn sequences_wrap_to_zero() {
        let mut producers = Producers::default();
        producers.record(&header(0, i32::MAX - 1, 3), 0);
        assert_eq!(producers.check(&header(0, 1, 1)).unwrap(), Sequenced::Next);
        assert_eq!(
            producers.check(&header(0, i32::MAX - 1, 3)).unwrap(),
            Sequenced::Duplicate { base_offset: 0 }
        );
    }
}
