//! Which records of a sink task were read and are not committed: its active records.

use crossdock_api::TopicPartition;
use std::collections::BTreeMap;

/// Offsets of one partition.
#[derive(Debug, Clone, Copy)]
struct Progress {
    /// One past the last record that was read.
    read: i64,
    committed: i64,
}

/// The assigned partitions of a sink task.
#[derive(Debug, Default)]
pub(super) struct Lags {
    partitions: BTreeMap<TopicPartition, Option<Progress>>,
}

impl Lags {
    pub(super) fn assigned(&mut self, partitions: &[TopicPartition]) {
        self.partitions.extend(partitions.iter().map(|partition| (partition.clone(), None)));
    }

    pub(super) fn removed(&mut self, partitions: &[TopicPartition]) {
        self.partitions.retain(|partition, _| !partitions.contains(partition));
    }

    /// Notes that a partition was read from one offset up to another.
    pub(super) fn read(&mut self, partition: &TopicPartition, from: i64, next: i64) {
        if let Some(progress) = self.partitions.get_mut(partition) {
            progress.get_or_insert(Progress { read: from, committed: from }).read = next;
        }
    }

    pub(super) fn committed<'a>(&mut self, offsets: impl Iterator<Item = (&'a TopicPartition, i64)>) {
        for (partition, offset) in offsets {
            if let Some(Some(progress)) = self.partitions.get_mut(partition) {
                progress.committed = offset;
            }
        }
    }

    /// Number of the assigned partitions.
    pub(super) fn partitions(&self) -> usize {
        self.partitions.len()
    }

    /// Number of records that were read and are not committed.
    pub(super) fn active(&self) -> f64 {
        let read = self.partitions.values().flatten();
        // A task may offer offsets beyond what it was given.
        read.map(|progress| progress.read.saturating_sub(progress.committed).max(0) as f64).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_active_until_they_are_committed() {
        let partition = |number| TopicPartition { topic: "t".into(), partition: number };
        let mut lags = Lags::default();
        lags.assigned(&[partition(0), partition(1)]);
        lags.read(&partition(0), 5, 8);
        lags.read(&partition(1), 0, 2);
        // What is not assigned does not count.
        lags.read(&partition(2), 0, 100);
        assert_eq!((lags.partitions(), lags.active()), (2, 5.0));
        lags.committed([(&partition(0), 7), (&partition(1), 9)].into_iter());
        assert_eq!(lags.active(), 1.0);
        lags.removed(&[partition(0)]);
        assert_eq!((lags.partitions(), lags.active()), (1, 0.0));
    }
}
