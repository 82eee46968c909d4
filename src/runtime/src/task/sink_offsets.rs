//! Which consumer offsets may be committed: those of records that were put, and that the task says are
//! safe.
//!
//! A state machine without I/O, as the offset bookkeeping of `WorkerSinkTask`:
//!
//! ```text
//! assigned ─▶ put(next offset) ─▶ current() ─▶ pre_commit of the task ─▶ allowed() ─▶ commit ─▶ committed()
//! ```

use crossdock_api::{OffsetMap, TopicPartition};
use std::collections::BTreeMap;

#[derive(Debug, Default, Clone, Copy)]
struct Progress {
    /// One past the last record that was put; `None` before the first.
    put: Option<i64>,
    committed: Option<i64>,
}

/// Progress of the assigned partitions of a sink task.
#[derive(Debug, Default)]
pub(crate) struct SinkOffsets {
    partitions: BTreeMap<TopicPartition, Progress>,
}

impl SinkOffsets {
    /// Starts with partitions that were assigned.
    pub(crate) fn assigned(&mut self, partitions: &[TopicPartition]) {
        self.partitions.extend(partitions.iter().map(|p| (p.clone(), Progress::default())));
    }

    /// Forgets partitions that were revoked or lost.
    pub(crate) fn removed(&mut self, partitions: &[TopicPartition]) {
        self.partitions.retain(|p, _| !partitions.contains(p));
    }

    /// The assigned partitions.
    pub(crate) fn partitions(&self) -> Vec<TopicPartition> {
        self.partitions.keys().cloned().collect()
    }

    /// Notes that all records of a partition below `next` were put. Without effect if it is not
    /// assigned any more.
    pub(crate) fn put(&mut self, partition: &TopicPartition, next: i64) {
        if let Some(progress) = self.partitions.get_mut(partition) {
            progress.put = Some(next);
        }
    }

    /// Goes back (or on) to an offset that the task asked for: what was put before does not count.
    pub(crate) fn rewound(&mut self, partition: &TopicPartition, offset: i64) {
        if let Some(progress) = self.partitions.get_mut(partition) {
            progress.put = None;
            progress.committed = Some(offset);
        }
    }

    /// The offsets to ask the task about: of all partitions with progress since the last commit.
    pub(crate) fn current(&self) -> OffsetMap {
        let moved = self.partitions.iter().filter(|(_, p)| p.put.is_some() && p.put != p.committed);
        moved.filter_map(|(partition, p)| Some((partition.clone(), p.put?))).collect()
    }

    /// Partitions of which no record was put since they were assigned.
    pub(crate) fn untouched(&self) -> impl Iterator<Item = &TopicPartition> {
        let untouched = self.partitions.iter().filter(|(_, p)| p.put.is_none() && p.committed.is_none());
        untouched.map(|(partition, _)| partition)
    }

    /// Of the offsets that the task allows, those that can be committed: of assigned partitions, and
    /// not past what was put. The others are given separately, for a warning.
    pub(crate) fn allowed(&self, offered: OffsetMap) -> (OffsetMap, OffsetMap) {
        offered.into_iter().partition(|(partition, offset)| {
            let put = self.partitions.get(partition).and_then(|p| p.put);
            put.is_some_and(|put| *offset <= put && *offset >= 0)
        })
    }

    /// Notes what was committed.
    pub(crate) fn committed(&mut self, offsets: &OffsetMap) {
        for (partition, offset) in offsets {
            if let Some(progress) = self.partitions.get_mut(partition) {
                progress.committed = Some(*offset);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tp(partition: i32) -> TopicPartition {
        TopicPartition { topic: "t".into(), partition }
    }

    fn map(entries: &[(i32, i64)]) -> OffsetMap {
        entries.iter().map(|(p, o)| (tp(*p), *o)).collect()
    }

    #[test]
    fn only_what_was_put_is_offered_and_allowed() {
        let mut offsets = SinkOffsets::default();
        offsets.assigned(&[tp(0), tp(1)]);
        assert!(offsets.current().is_empty());
        offsets.put(&tp(0), 10);
        offsets.put(&tp(7), 99);
        assert_eq!(offsets.current(), map(&[(0, 10)]));
        let (allowed, refused) = offsets.allowed(map(&[(0, 9), (1, 1), (7, 1)]));
        assert_eq!((allowed.clone(), refused), (map(&[(0, 9)]), map(&[(1, 1), (7, 1)])));
        offsets.committed(&allowed);
        assert_eq!(offsets.current(), map(&[(0, 10)]));
        assert_eq!(offsets.allowed(map(&[(0, 11)])).0, map(&[]));
        offsets.committed(&map(&[(0, 10)]));
        assert!(offsets.current().is_empty());
    }

    #[test]
    fn partitions_are_untouched_until_something_is_known_of_them() {
        let mut offsets = SinkOffsets::default();
        offsets.assigned(&[tp(0), tp(1), tp(2), tp(3)]);
        offsets.put(&tp(0), 1);
        offsets.rewound(&tp(1), 0);
        offsets.committed(&map(&[(2, 4)]));
        assert_eq!(offsets.untouched().collect::<Vec<_>>(), [&tp(3)]);
    }

    #[test]
    fn revoked_partitions_are_forgotten() {
        let mut offsets = SinkOffsets::default();
        offsets.assigned(&[tp(0), tp(1)]);
        offsets.put(&tp(0), 5);
        offsets.removed(&[tp(0)]);
        offsets.put(&tp(0), 6);
        assert!(offsets.current().is_empty());
        offsets.assigned(&[tp(0)]);
        assert!(offsets.current().is_empty());
        assert_eq!(offsets.partitions(), [tp(0), tp(1)]);
    }

    #[test]
    fn a_rewind_takes_back_what_was_put() {
        let mut offsets = SinkOffsets::default();
        offsets.assigned(&[tp(0)]);
        offsets.put(&tp(0), 10);
        offsets.rewound(&tp(0), 3);
        assert!(offsets.current().is_empty());
        offsets.put(&tp(0), 4);
        assert_eq!(offsets.current(), map(&[(0, 4)]));
    }
}
