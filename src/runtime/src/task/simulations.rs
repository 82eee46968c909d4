//! The bookkeeping of offsets under everything that can happen, in random order: nothing is stored or committed that is
//! not safe, and in the end everything is. `CROSSDOCK_SEED` repeats a run.

use super::sink_offsets::SinkOffsets;
use super::source_offsets::{SourceOffsets, Token};
use crossdock_api::{Map, OffsetMap, Schema, SourceBatch, SourceOffset, TopicPartition, Value};
use std::collections::{BTreeMap, BTreeSet};

const RUNS: u64 = 300;
const STEPS: usize = 400;

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
}

/// Runs with many seeds, or with the one that is given. A failure says which it was.
fn with_seeds(run: impl Fn(&mut Random)) {
    let given = std::env::var("CROSSDOCK_SEED").ok().and_then(|seed| seed.parse().ok());
    let first = given.unwrap_or_else(|| u64::from(std::process::id()) * 2_654_435_761);
    let runs = if given.is_some() { 1 } else { RUNS };
    println!("CROSSDOCK_SEED={first} to {}", first + runs - 1);
    for seed in first..first + runs {
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run(&mut Random(seed))));
        if let Err(panic) = caught {
            println!("CROSSDOCK_SEED={seed} fails");
            std::panic::resume_unwind(panic);
        }
    }
}

const SOURCES: usize = 4;

/// A source of numbered records in a few partitions, a Kafka that takes them in any order, and the store of offsets.
#[derive(Default)]
struct SourceWorld {
    offsets: SourceOffsets,
    /// The last record that was read, by partition.
    read: [i64; SOURCES],
    /// Records that were sent and not acknowledged: token, partition, number.
    under_way: Vec<(Token, usize, i64)>,
    in_kafka: [BTreeSet<i64>; SOURCES],
    stored: [i64; SOURCES],
}

impl SourceWorld {
    /// What a transform drops; the same at each reading.
    fn is_dropped(number: i64) -> bool {
        number % 7 == 3
    }

    fn partition(index: usize) -> Map {
        [("n", Value::Int64(index as i64))].into_iter().collect()
    }

    /// Polls some records; a bad one may end the batch, and with it the task.
    fn poll(&mut self, random: &mut Random) {
        let mut batch = SourceBatch::new();
        let topic = batch.topic("t");
        let field = batch.offset_field("at");
        let mut polled = Vec::new();
        for _ in 0..=random.below(6) {
            let index = random.below(SOURCES);
            self.read[index] += 1;
            let partition = batch.partition(&Self::partition(index));
            let offset = SourceOffset::Long { field, value: self.read[index] };
            batch.record(topic, partition, offset).value(Some(Schema::string()), "x").finish().unwrap();
            polled.push((index, self.read[index]));
        }
        for (row, (_, number)) in polled.iter().enumerate() {
            if Self::is_dropped(*number) {
                batch.records_mut().drop_record(row);
            }
        }
        let ends = random.one_in(20);
        let end = if ends { random.below(polled.len()) } else { polled.len() };
        let tokens = self.offsets.register(&batch, end as u32);
        for (ordinal, (index, number)) in polled.into_iter().enumerate().take(end) {
            if !Self::is_dropped(number) {
                let token = tokens[batch.partition_index(ordinal as u32).unwrap()];
                self.under_way.push((token, index, number));
            }
        }
        if ends {
            self.crash(random);
        }
    }

    /// Kafka acknowledges one record, or refuses it for good, which ends the task.
    fn acknowledge(&mut self, random: &mut Random) {
        if self.under_way.is_empty() {
            return;
        }
        if random.one_in(50) {
            self.crash(random);
            return;
        }
        self.acknowledge_one(random);
    }

    fn acknowledge_one(&mut self, random: &mut Random) {
        if self.under_way.is_empty() {
            return;
        }
        let (token, index, number) = self.under_way.swap_remove(random.below(self.under_way.len()));
        self.in_kafka[index].insert(number);
        self.offsets.acknowledged(token, 1);
    }

    /// Flushes offsets, which the store may not take.
    fn flush(&mut self, random: &mut Random) {
        let taken = self.offsets.take();
        if random.one_in(4) {
            // What is acknowledged meanwhile is newer than what comes back.
            self.acknowledge_one(random);
            self.offsets.restore(taken);
            return;
        }
        for (partition, offset) in taken {
            let number = |map: &Map, name: &str| match map.get(name) {
                Some(Value::Int64(number)) => *number,
                other => panic!("{other:?}"),
            };
            let (index, at) = (number(&partition, "n") as usize, number(&offset, "at"));
            assert!(at > self.stored[index], "{at} is stored after {}", self.stored[index]);
            self.stored[index] = at;
        }
        self.check();
    }

    fn check(&self) {
        for (index, at) in self.stored.iter().enumerate() {
            let lost = (1..=*at).find(|n| !Self::is_dropped(*n) && !self.in_kafka[index].contains(n));
            assert_eq!(lost, None, "of partition {index}, where {at} is stored");
        }
    }

    /// The task ends where it is, and starts again at what is stored. What was under way may be in Kafka or not.
    fn crash(&mut self, random: &mut Random) {
        for (_, index, number) in std::mem::take(&mut self.under_way) {
            if random.one_in(2) {
                self.in_kafka[index].insert(number);
            }
        }
        self.offsets = SourceOffsets::default();
        self.read = self.stored;
    }
}

#[test]
fn a_source_never_stores_an_unacknowledged_record_and_in_the_end_all() {
    with_seeds(|random| {
        let mut world = SourceWorld::default();
        for _ in 0..STEPS {
            match random.below(10) {
                0..3 => world.poll(random),
                3..8 => world.acknowledge(random),
                8 => world.flush(random),
                _ if random.one_in(10) => world.crash(random),
                _ => {}
            }
        }
        for (token, index, number) in std::mem::take(&mut world.under_way) {
            world.in_kafka[index].insert(number);
            world.offsets.acknowledged(token, 1);
        }
        assert_eq!(world.offsets.outstanding(), 0);
        while world.stored != world.read {
            let before = world.stored;
            world.flush(random);
            // A flush that is not taken changes nothing; one that is stores all.
            assert!(world.stored == before || world.stored == world.read);
        }
    });
}

const SINKS: i32 = 3;

/// A sink that is given records, makes them safe at its own pace, and offers what it likes; and the offsets that are
/// committed in Kafka.
#[derive(Default)]
struct SinkWorld {
    offsets: SinkOffsets,
    held: BTreeSet<i32>,
    /// One past the last record that was put since the partition was assigned.
    put: BTreeMap<i32, i64>,
    /// Up to where the task has made records safe.
    safe: BTreeMap<i32, i64>,
    committed: BTreeMap<i32, i64>,
}

fn tp(partition: i32) -> TopicPartition {
    TopicPartition { topic: "t".into(), partition }
}

impl SinkWorld {
    fn rebalance(&mut self, random: &mut Random) {
        let partition = random.below(SINKS as usize) as i32;
        if self.held.contains(&partition) {
            // Revoked with a commit before, or lost without.
            if random.one_in(2) {
                self.commit(random, false);
            }
            self.held.remove(&partition);
            self.offsets.removed(&[tp(partition)]);
            self.put.remove(&partition);
            return;
        }
        self.offsets.assigned(&[tp(partition)]);
        self.held.insert(partition);
        // Another owner may have gone on meanwhile; this one begins at what is committed, and puts that again.
        let at = self.committed.get(&partition).copied().unwrap_or(0);
        self.safe.insert(partition, at);
    }

    fn position(&self, partition: i32) -> i64 {
        let committed = self.committed.get(&partition).copied().unwrap_or(0);
        self.put.get(&partition).copied().unwrap_or(committed)
    }

    /// Puts records; a put that fails for now or for good changes nothing.
    fn put(&mut self, random: &mut Random) {
        let partition = random.below(SINKS as usize) as i32;
        let next = self.position(partition) + 1 + random.below(5) as i64;
        if random.one_in(4) {
            return;
        }
        // Also of partitions that are gone: what was under way then counts no more.
        self.offsets.put(&tp(partition), next);
        if self.held.contains(&partition) {
            self.put.insert(partition, next);
        }
    }

    /// The task makes records safe, up to any that it was given.
    fn make_safe(&mut self, random: &mut Random) {
        for (partition, put) in &self.put {
            let safe = self.safe.entry(*partition).or_default();
            *safe += random.below((*put - *safe + 1).max(1) as usize) as i64;
        }
    }

    fn rewind(&mut self, random: &mut Random) {
        let partition = random.below(SINKS as usize) as i32;
        if self.held.contains(&partition) {
            let at = self.committed.get(&partition).copied().unwrap_or(0);
            self.offsets.rewound(&tp(partition), at);
            self.put.remove(&partition);
            self.safe.insert(partition, at);
        }
    }

    /// Asks the task, which may not answer for now, or offers what it was never given; Kafka may refuse.
    fn commit(&mut self, random: &mut Random, calm: bool) {
        let current = self.offsets.current();
        for (partition, offset) in &current {
            assert_eq!(self.put.get(&partition.partition), Some(offset), "asked about what was not put");
        }
        if !calm && random.one_in(5) {
            return;
        }
        let mut offered = OffsetMap::new();
        for partition in current.keys() {
            let safe = self.safe.get(&partition.partition).copied().unwrap_or(0);
            offered.insert(partition.clone(), safe);
        }
        if !calm && random.one_in(3) {
            let partition = random.below(SINKS as usize + 2) as i32;
            let beyond = self.position(partition) + 1 + random.below(100) as i64;
            let offset = if random.one_in(5) { -1 } else { beyond };
            offered.insert(tp(partition), offset);
        }
        let (allowed, _) = self.offsets.allowed(offered);
        if !calm && random.one_in(5) {
            return;
        }
        for (partition, offset) in &allowed {
            let number = partition.partition;
            assert!(self.held.contains(&number), "committed {number}, which is not held");
            let put = self.put.get(&number).copied();
            assert!(put.is_some_and(|put| *offset <= put), "committed {offset} where {put:?} was put");
            let safe = self.safe.get(&number).copied().unwrap_or(0);
            assert!(*offset <= safe, "committed {offset} where {safe} is safe");
            self.committed.insert(number, *offset);
        }
        self.offsets.committed(&allowed);
    }
}

#[test]
fn a_sink_never_commits_what_was_not_put_and_in_the_end_all() {
    with_seeds(|random| {
        let mut world = SinkWorld::default();
        for _ in 0..STEPS {
            match random.below(12) {
                0..5 => world.put(random),
                5..8 => world.make_safe(random),
                8..10 => world.commit(random, false),
                10 => world.rebalance(random),
                _ if random.one_in(4) => world.rewind(random),
                _ => {}
            }
        }
        world.safe.extend(world.put.iter().map(|(partition, put)| (*partition, *put)));
        world.commit(random, true);
        for (partition, put) in &world.put {
            assert_eq!(world.committed.get(partition), Some(put), "partition {partition}");
        }
        assert!(world.offsets.current().is_empty());
    });
}
