//! Which source offsets may be stored: those before the lowest record that Kafka has not acknowledged,
//! by source partition.
//!
//! A state machine without I/O, as `SubmittedRecords` in Connect but by batch: every polled batch gives
//! one *entry* for each source partition in it, holding the number of its records that are under way
//! and the offset after its last one. Acknowledgements come as runs of records of one entry; entries
//! are done in order.
//!
//! ```text
//! register(batch) ─▶ tokens ─▶ producer ─▶ acknowledged(token, count) ─▶ take() ─▶ offset store
//! ```

use crossdock_api::{Map, SourceBatch};
use std::collections::VecDeque;

/// Names an entry: the number of a source partition and a sequence number in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token(u64);

const SEQUENCE_BITS: u32 = 40;

impl Token {
    fn new(partition: usize, sequence: u64) -> Self {
        Self(((partition as u64) << SEQUENCE_BITS) | (sequence & ((1 << SEQUENCE_BITS) - 1)))
    }

    /// As the producer carries it.
    pub(crate) fn to_u64(self) -> u64 {
        self.0
    }

    /// From what the producer carried.
    pub(crate) fn from_u64(token: u64) -> Self {
        Self(token)
    }

    fn partition(self) -> usize {
        (self.0 >> SEQUENCE_BITS) as usize
    }

    fn sequence(self) -> u64 {
        self.0 & ((1 << SEQUENCE_BITS) - 1)
    }
}

#[derive(Debug)]
struct Entry {
    outstanding: u64,
    offset: Map,
}

#[derive(Debug)]
struct PartitionLog {
    partition: Map,
    first_sequence: u64,
    entries: VecDeque<Entry>,
    committable: Option<Map>,
}

/// The records of a task that are under way, and the offsets that may be stored.
#[derive(Debug, Default)]
pub(crate) struct SourceOffsets {
    logs: Vec<Option<PartitionLog>>,
    free: Vec<usize>,
    outstanding: u64,
}

impl SourceOffsets {
    /// Registers the records of a batch with ordinals below `end`, after transforms, before the first
    /// of them is sent. Gives a token for each source partition of the batch, in the batch's numbering.
    pub(crate) fn register(&mut self, batch: &SourceBatch, end: u32) -> Vec<Token> {
        let partitions = batch.partitions();
        let mut counts = vec![0u64; partitions.len()];
        for record in batch.records().iter().take_while(|record| record.ordinal() < end) {
            if let Some(count) = batch.partition_index(record.ordinal()).and_then(|p| counts.get_mut(p)) {
                *count += 1;
            }
        }
        // Filtered records have offsets too, so the last one counts whether or not it was dropped.
        let mut last = vec![None; partitions.len()];
        for ordinal in (0..end).rev() {
            if let Some(slot) = batch.partition_index(ordinal).and_then(|p| last.get_mut(p)) {
                slot.get_or_insert(ordinal);
            }
            if last.iter().all(Option::is_some) {
                break;
            }
        }
        let mut tokens = Vec::with_capacity(partitions.len());
        for (index, partition) in partitions.iter().enumerate() {
            let offset = last[index].and_then(|ordinal| batch.offset_of(ordinal));
            tokens.push(self.add(partition, counts[index], offset));
        }
        tokens
    }

    fn add(&mut self, partition: &Map, count: u64, offset: Option<Map>) -> Token {
        let slot = self.slot_of(partition);
        let Some(log) = self.logs[slot].as_mut() else { return Token::new(slot, 0) };
        let sequence = log.first_sequence + log.entries.len() as u64;
        let Some(offset) = offset else { return Token::new(slot, sequence) };
        if count == 0
            && let Some(last) = log.entries.back_mut()
        {
            // Nothing to wait for by itself: the offset goes with the records before it. Else a source whose
            // records are all filtered would grow the queue while Kafka is away.
            last.offset = offset;
            return Token::new(slot, sequence);
        }
        log.entries.push_back(Entry { outstanding: count, offset });
        self.outstanding += count;
        log.advance();
        Token::new(slot, sequence)
    }

    fn slot_of(&mut self, partition: &Map) -> usize {
        let found = self.logs.iter().position(|log| log.as_ref().is_some_and(|l| l.partition == *partition));
        if let Some(slot) = found {
            return slot;
        }
        let slot = self.free.pop().unwrap_or_else(|| {
            self.logs.push(None);
            self.logs.len() - 1
        });
        self.logs[slot] = Some(PartitionLog {
            partition: partition.clone(),
            first_sequence: 0,
            entries: VecDeque::new(),
            committable: None,
        });
        slot
    }

    /// Notes that `count` records of an entry are in Kafka.
    pub(crate) fn acknowledged(&mut self, token: Token, count: u64) {
        let Some(Some(log)) = self.logs.get_mut(token.partition()) else { return };
        let Some(index) = token.sequence().checked_sub(log.first_sequence) else { return };
        let Some(entry) = log.entries.get_mut(index as usize) else { return };
        let count = count.min(entry.outstanding);
        entry.outstanding -= count;
        self.outstanding -= count;
        log.advance();
    }

    /// Number of records that Kafka has not acknowledged.
    pub(crate) fn outstanding(&self) -> u64 {
        self.outstanding
    }

    /// Takes the offsets that may be stored now: source partition and offset.
    pub(crate) fn take(&mut self) -> Vec<(Map, Map)> {
        let mut taken = Vec::new();
        for slot in 0..self.logs.len() {
            let Some(log) = self.logs[slot].as_mut() else { continue };
            if let Some(offset) = log.committable.take() {
                taken.push((log.partition.clone(), offset));
            }
            // An idle partition costs nothing: sources may have one a file.
            if log.entries.is_empty() {
                self.logs[slot] = None;
                self.free.push(slot);
            }
        }
        taken
    }

    /// Gives back offsets that could not be stored; newer ones stay.
    pub(crate) fn restore(&mut self, offsets: Vec<(Map, Map)>) {
        for (partition, offset) in offsets {
            let slot = self.slot_of(&partition);
            if let Some(log) = self.logs[slot].as_mut() {
                log.committable.get_or_insert(offset);
            }
        }
    }
}

impl PartitionLog {
    fn advance(&mut self) {
        while self.entries.front().is_some_and(|entry| entry.outstanding == 0) {
            self.committable = self.entries.pop_front().map(|entry| entry.offset);
            self.first_sequence += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossdock_api::{Schema, SourceOffset, Value};
    use proptest::prelude::*;

    fn key(name: &str) -> Map {
        [("file", Value::string(name))].into_iter().collect()
    }

    /// A batch of one record for each (partition, offset).
    fn batch(records: &[(&str, i64)]) -> SourceBatch {
        let mut batch = SourceBatch::new();
        let topic = batch.topic("t");
        let field = batch.offset_field("position");
        for (partition, offset) in records {
            let partition = batch.partition(&key(partition));
            let offset = SourceOffset::Long { field, value: *offset };
            batch.record(topic, partition, offset).value(Some(Schema::string()), "x").finish().unwrap();
        }
        batch
    }

    fn register(offsets: &mut SourceOffsets, batch: &SourceBatch) -> Vec<Token> {
        offsets.register(batch, batch.records().ordinals())
    }

    fn positions(taken: Vec<(Map, Map)>) -> Vec<(String, i64)> {
        let read = |(partition, offset): (Map, Map)| {
            let Some(Value::Int64(position)) = offset.get("position").cloned() else { panic!() };
            (partition.get("file").unwrap().as_ref().as_str().unwrap().to_owned(), position)
        };
        let mut all: Vec<_> = taken.into_iter().map(read).collect();
        all.sort();
        all
    }

    #[test]
    fn a_later_batch_waits_for_an_earlier_one() {
        let mut offsets = SourceOffsets::default();
        let first = register(&mut offsets, &batch(&[("a", 1), ("a", 2)]));
        let second = register(&mut offsets, &batch(&[("a", 3), ("b", 9)]));
        offsets.acknowledged(second[0], 1);
        offsets.acknowledged(second[1], 1);
        assert_eq!(positions(offsets.take()), [("b".to_owned(), 9)]);
        offsets.acknowledged(first[0], 1);
        assert!(offsets.take().is_empty());
        offsets.acknowledged(first[0], 1);
        assert_eq!(positions(offsets.take()), [("a".to_owned(), 3)]);
        assert_eq!(offsets.outstanding(), 0);
    }

    #[test]
    fn filtered_records_move_the_offset_on() {
        let mut offsets = SourceOffsets::default();
        let mut polled = batch(&[("a", 1), ("a", 2)]);
        polled.records_mut().drop_record(1);
        let tokens = register(&mut offsets, &polled);
        offsets.acknowledged(tokens[0], 1);
        assert_eq!(positions(offsets.take()), [("a".to_owned(), 2)]);
        let mut all_dropped = batch(&[("a", 3)]);
        all_dropped.records_mut().drop_record(0);
        register(&mut offsets, &all_dropped);
        assert_eq!(positions(offsets.take()), [("a".to_owned(), 3)]);
    }

    #[test]
    fn filtered_batches_behind_one_under_way_take_no_room() {
        let mut offsets = SourceOffsets::default();
        let tokens = register(&mut offsets, &batch(&[("a", 1)]));
        for offset in 2..100 {
            let mut dropped = batch(&[("a", offset)]);
            dropped.records_mut().drop_record(0);
            register(&mut offsets, &dropped);
        }
        assert_eq!(offsets.logs[0].as_ref().unwrap().entries.len(), 1);
        assert!(offsets.take().is_empty());
        offsets.acknowledged(tokens[0], 1);
        assert_eq!(positions(offsets.take()), [("a".to_owned(), 99)]);
    }

    #[test]
    fn offsets_that_were_not_stored_come_back_unless_newer_ones_came() {
        let mut offsets = SourceOffsets::default();
        let tokens = register(&mut offsets, &batch(&[("a", 1), ("b", 1)]));
        tokens.iter().for_each(|token| offsets.acknowledged(*token, 1));
        let taken = offsets.take();
        let newer = register(&mut offsets, &batch(&[("a", 2)]));
        offsets.acknowledged(newer[0], 1);
        offsets.restore(taken);
        assert_eq!(positions(offsets.take()), [("a".to_owned(), 2), ("b".to_owned(), 1)]);
    }

    #[test]
    fn records_after_the_end_do_not_count() {
        let mut offsets = SourceOffsets::default();
        let tokens = offsets.register(&batch(&[("a", 1), ("a", 2), ("b", 1)]), 1);
        assert_eq!(offsets.outstanding(), 1);
        offsets.acknowledged(tokens[0], 1);
        assert_eq!(positions(offsets.take()), [("a".to_owned(), 1)]);
    }

    proptest! {
        /// Whatever the order of acknowledgements, an offset is only given out when all records up to
        /// it are acknowledged, and in the end the last offset of every partition is.
        #[test]
        fn nothing_unacknowledged_is_ever_stored(
            batches in prop::collection::vec(prop::collection::vec(0usize..3, 1..6), 1..12),
            order in prop::collection::vec(any::<prop::sample::Index>(), 0..80),
            takes in prop::collection::vec(any::<bool>(), 80),
        ) {
            let names = ["a", "b", "c"];
            let mut next = [0i64; 3];
            let mut offsets = SourceOffsets::default();
            let mut under_way: Vec<(Token, usize, i64)> = Vec::new();
            for records in &batches {
                let made: Vec<_> = records.iter().map(|p| { next[*p] += 1; (names[*p], next[*p]) }).collect();
                let polled = batch(&made);
                let tokens = register(&mut offsets, &polled);
                for (ordinal, (name, offset)) in made.iter().enumerate() {
                    let token = tokens[polled.partition_index(ordinal as u32).unwrap()];
                    under_way.push((token, names.iter().position(|n| n == name).unwrap(), *offset));
                }
            }
            let mut stored = [0i64; 3];
            for (step, take) in takes.iter().enumerate() {
                if let Some(index) = order.get(step).filter(|_| !under_way.is_empty()) {
                    let (token, _, _) = under_way.swap_remove(index.index(under_way.len()));
                    offsets.acknowledged(token, 1);
                } else {
                    under_way.drain(..).for_each(|(token, _, _)| offsets.acknowledged(token, 1));
                }
                if *take {
                    for (name, position) in positions(offsets.take()) {
                        let partition = names.iter().position(|n| *n == name).unwrap();
                        prop_assert!(position > stored[partition]);
                        stored[partition] = position;
                        // Tokens count records of an entry, so any record of an entry stands for another.
                        let lower = under_way.iter().filter(|(_, p, o)| *p == partition && *o <= position).count();
                        prop_assert_eq!(lower, 0);
                    }
                }
            }
            under_way.drain(..).for_each(|(token, _, _)| offsets.acknowledged(token, 1));
            for (name, position) in positions(offsets.take()) {
                stored[names.iter().position(|n| *n == name).unwrap()] = position;
            }
            prop_assert_eq!(stored, next);
            prop_assert_eq!(offsets.outstanding(), 0);
        }
    }
}
