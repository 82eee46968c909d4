//! Which partition a record without an explicit one goes to.

use crate::backoff::Rng;

/// Kafka's murmur2 of a key (`org.apache.kafka.common.utils.Utils.murmur2`), as unsigned bits.
pub fn murmur2(data: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    const SEED: u32 = 0x9747_b28c;
    // Java's length is an int; keys are far shorter than that.
    let mut h = SEED ^ (data.len() as u32);
    let mut chunks = data.chunks_exact(4);
    for chunk in &mut chunks {
        let mut k = u32::from_le_bytes([chunk[0], chunk[1], chunk[2], chunk[3]]);
        k = k.wrapping_mul(M);
        k ^= k >> 24;
        k = k.wrapping_mul(M);
        h = h.wrapping_mul(M) ^ k;
    }
    let rest = chunks.remainder();
    if !rest.is_empty() {
        for (n, byte) in rest.iter().enumerate() {
            h ^= u32::from(*byte) << (8 * n);
        }
        h = h.wrapping_mul(M);
    }
    h ^= h >> 13;
    h = h.wrapping_mul(M);
    h ^ (h >> 15)
}

/// The partition of a key among `partitions`, as `BuiltInPartitioner.partitionForKey`. 0 if there are none.
pub fn partition_for_key(key: &[u8], partitions: i32) -> i32 {
    if partitions <= 0 {
        return 0;
    }
    ((murmur2(key) & 0x7fff_ffff) % partitions.unsigned_abs()) as i32
}

/// How records without a partition are spread.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Spread {
    /// `partitioner.class` is Kafka's `RoundRobinPartitioner`.
    pub(crate) round_robin: bool,
    /// `partitioner.ignore.keys`: records with a key are spread like those without.
    pub(crate) ignore_keys: bool,
    /// `partitioner.adaptive.partitioning.enable`: partitions whose batches do not queue up get more.
    pub(crate) adaptive: bool,
}

/// Sticks to one partition for a batch's worth of bytes, then moves to another one by chance: so that all
/// get the same number of bytes, or, if adaptive, less those whose batches queue up (KIP-794,
/// `BuiltInPartitioner`).
#[derive(Debug)]
pub(crate) struct Sticky {
    current: Option<i32>,
    bytes: usize,
    rng: Rng,
    /// Running sums of the partitions' weights; kept for its memory.
    sums: Vec<usize>,
}

impl Sticky {
    pub(crate) fn new(rng: Rng) -> Self {
        Self { current: None, bytes: 0, rng, sums: Vec::new() }
    }

    /// The partition for the next record. `available` are the partitions with a leader; if there are
    /// none, any of `partitions` is taken. `queued` gives how many batches of one wait; `None` to treat all alike.
    pub(crate) fn partition(
        &mut self,
        partitions: i32,
        available: &[i32],
        batch_size: usize,
        queued: Option<impl Fn(i32) -> usize>,
    ) -> i32 {
        if let Some(current) = self.current.filter(|c| self.bytes < batch_size && *c < partitions) {
            return current;
        }
        let weighed = queued.and_then(|queued| self.by_weight(available, queued));
        let next = weighed.unwrap_or_else(|| match available.len() {
            0 => self.rng.below(partitions.unsigned_abs() as usize) as i32,
            1 => available[0],
            n => {
                let chosen = available[self.rng.below(n)];
                if Some(chosen) == self.current { available[self.rng.below(n)] } else { chosen }
            }
        });
        self.current = Some(next);
        self.bytes = 0;
        next
    }

    /// One of the partitions, by chance; the more batches of it wait, the less likely. `None` if equally many wait
    /// of all.
    fn by_weight(&mut self, available: &[i32], queued: impl Fn(i32) -> usize) -> Option<i32> {
        let most = available.iter().map(|p| queued(*p)).max()?;
        let least = available.iter().map(|p| queued(*p)).min()?;
        if most == least {
            return None;
        }
        let mut sum = 0;
        self.sums.clear();
        self.sums.extend(available.iter().map(|p| {
            sum += most + 1 - queued(*p);
            sum
        }));
        let chosen = self.rng.below(sum);
        available.get(self.sums.partition_point(|sum| *sum <= chosen)).copied()
    }

    /// Notes what was appended to the current partition.
    pub(crate) fn appended(&mut self, bytes: usize) {
        self.bytes += bytes;
    }
}

/// Takes the partitions that have a leader in turn, or all if none has one (`RoundRobinPartitioner`).
#[derive(Debug, Default)]
pub(crate) struct RoundRobin {
    turn: u32,
}

impl RoundRobin {
    /// The partition for the next record.
    pub(crate) fn partition(&self, partitions: i32, available: &[i32]) -> i32 {
        match available {
            [] => (self.turn % partitions.unsigned_abs().max(1)) as i32,
            some => some[self.turn as usize % some.len()],
        }
    }

    /// Notes that a record was appended. Java's counter is an `int` whose sign is ignored.
    pub(crate) fn appended(&mut self) {
        self.turn = (self.turn + 1) & 0x7fff_ffff;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALIKE: Option<fn(i32) -> usize> = None;

    #[test]
    fn known_values_of_the_java_class() {
        // From the recorded cases of Utils.murmur2: the key in bytes, the signed hash.
        assert_eq!(murmur2(b"s") as i32, -342_070_737);
        assert_eq!(murmur2(&[0xff]) as i32, -311_467_685);
        assert_eq!(murmur2(&[0]) as i32, 375_494_588);
        assert_eq!(murmur2(&[0x00, 0x09, 0x7e, 0x88]) as i32, -669_138_229);
        assert_eq!(partition_for_key(b"s", 50), 11);
        assert_eq!(partition_for_key(&[0], i32::MAX), 375_494_588);
        assert_eq!(partition_for_key(b"s", 0), 0);
    }

    #[test]
    fn bytes_are_spread_evenly() {
        let mut sticky = Sticky::new(Rng::seeded(1));
        let available = [0, 1, 2, 3];
        let mut bytes = [0usize; 4];
        let mut switches = 0;
        let mut last = -1;
        for n in 0..400_000 {
            let partition = sticky.partition(4, &available, 16_384, ALIKE);
            let size = 50 + n % 100;
            sticky.appended(size);
            bytes[partition as usize] += size;
            switches += usize::from(partition != last);
            last = partition;
        }
        let mean = bytes.iter().sum::<usize>() / 4;
        assert!(bytes.iter().all(|b| b.abs_diff(mean) < mean / 5), "{bytes:?}");
        assert!(switches < 2 * 4 * mean / 16_384, "{switches}");
    }

    #[test]
    fn partitions_are_taken_in_turn() {
        let mut turns = RoundRobin::default();
        let mut next = |partitions, available: &[i32]| {
            let partition = turns.partition(partitions, available);
            turns.appended();
            partition
        };
        assert_eq!([(); 5].map(|()| next(3, &[0, 1, 2])), [0, 1, 2, 0, 1]);
        // One has no leader: the count goes on, over those that are left.
        assert_eq!([(); 3].map(|()| next(3, &[0, 2])), [2, 0, 2]);
        assert_eq!([(); 3].map(|()| next(3, &[])), [2, 0, 1]);
        turns.turn = 0x7fff_ffff;
        assert_eq!(turns.partition(4, &[0, 1, 2, 3]), 3);
        turns.appended();
        assert_eq!(turns.partition(4, &[0, 1, 2, 3]), 0);
    }

    #[test]
    fn partitions_without_a_leader_are_avoided() {
        let mut sticky = Sticky::new(Rng::seeded(7));
        for _ in 0..100 {
            assert_eq!(sticky.partition(8, &[5], 1, ALIKE), 5);
            sticky.appended(10);
        }
        for _ in 0..100 {
            assert!((0..3).contains(&sticky.partition(3, &[], 1, ALIKE)));
            sticky.appended(10);
        }
    }

    #[test]
    fn partitions_whose_batches_queue_up_get_less() {
        let mut sticky = Sticky::new(Rng::seeded(3));
        let mut chosen = [0u32; 4];
        for _ in 0..20_000 {
            let queued = |partition| [0, 0, 3, 9][partition as usize];
            let partition = sticky.partition(4, &[0, 1, 2, 3], 1, Some(queued));
            sticky.appended(1);
            chosen[partition as usize] += 1;
        }
        // 10, 10, 7 and 1 in 28.
        for (partition, expected) in [7_143, 7_143, 5_000, 714].into_iter().enumerate() {
            assert!(chosen[partition].abs_diff(expected) < 300, "{chosen:?}");
        }
        assert!((0..4).contains(&sticky.partition(4, &[], 1, Some(|_| 1))), "none has a leader");
    }
}
