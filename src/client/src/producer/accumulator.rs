//! Open batches, by topic and partition, within a bound of memory.
//!
//! Appenders and the sender share it under one lock, which is held for a run of appends on one side and for
//! taking whole batches on the other. Nothing is allocated a record: bytes go straight into the open batch.

use super::batch::{Batch, Compressed};
use super::error::AppendError;
use super::partitioner::{RoundRobin, Spread, Sticky, partition_for_key};
use super::transaction::Machine;
use crate::backoff::Rng;
use crate::error::ErrorCode;
use crate::metadata::{NodeId, TopicInfo};
use crossdock_wire::BatchBuilder;
use crossdock_wire::header::HEADER_LEN;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use tokio::time::Instant;

/// Capacity that a partition's first batch starts with, in bytes.
const FIRST_CAPACITY: usize = 16 << 10;

/// Steps of the estimated ratio of compression, and what is added to it for safety; Java's numbers.
const IMPROVING: f32 = 0.005;
const DETERIORATING: f32 = 0.05;
const ESTIMATE_MARGIN: f32 = 1.05;

/// A topic and partition of this producer: places in [`Accumulator::topics`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct LaneId {
    pub(super) topic: usize,
    pub(super) partition: i32,
}

#[derive(Debug)]
pub(super) struct Accumulator {
    pub(super) topics: Vec<Topic>,
    names: HashMap<Arc<str>, usize>,
    limits: Limits,
    /// Bytes of all batches that are not resolved yet.
    used: usize,
    /// Bytes that the largest refused record asked for.
    wanted: usize,
    next_serial: u64,
    /// Serials of batches that are not resolved yet.
    unresolved: BTreeSet<u64>,
    /// Partitions that got data since the sender last looked.
    pub(super) ready: Vec<LaneId>,
    /// Topics whose partitions somebody waits for.
    pub(super) topics_wanted: bool,
    /// How many flushes wait; while there are any, nothing lingers.
    pub(super) flushing: usize,
    /// Takes no more records.
    pub(super) closed: bool,
    /// The sender is to stop.
    pub(super) stopping: bool,
    /// How records without a partition are spread.
    pub(super) spread: Spread,
    /// Of a transactional producer; tells whether records can be taken.
    pub(super) transaction: Option<Box<Machine>>,
}

/// Sizes in bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) batch: usize,
    pub(super) memory: usize,
    pub(super) record: usize,
}

#[derive(Debug)]
pub(super) struct Topic {
    pub(super) name: Arc<str>,
    /// 0 while unknown.
    pub(super) partition_count: i32,
    /// Why the cluster tells nothing of the topic, if it was asked.
    pub(super) error: ErrorCode,
    /// Partitions that have a leader, and these leaders.
    available: Vec<i32>,
    leaders: Vec<NodeId>,
    /// Those of the available partitions whose leaders take requests; empty to take all for that.
    responsive: Vec<i32>,
    queues: Vec<Queue>,
    sticky: Sticky,
    turns: RoundRobin,
    /// When a batch was opened last.
    pub(super) used: Instant,
    /// Size of a batch as it is sent. Lower than the configured limit once the broker refused one for its size.
    batch_limit: usize,
    /// What records of this topic are compressed to, as a part of what they were; an estimate.
    ratio: f32,
    /// Size of a batch before it is compressed.
    open_limit: usize,
}

/// What chose the partition of a record.
#[derive(Debug, Clone, Copy)]
enum Chosen {
    /// The caller, or the key.
    Given,
    Sticky,
    InTurn,
}

#[derive(Debug, Default)]
struct Queue {
    /// Batches to be taken by the sender; the last one is open. Those before it are full.
    batches: VecDeque<Batch>,
    /// Whether the sender knows that there is something.
    announced: bool,
    last_len: usize,
}

/// One record, as it is appended.
#[derive(Debug, Clone, Copy)]
pub(super) struct Record<'a, H> {
    pub(super) timestamp: i64,
    pub(super) key: Option<&'a [u8]>,
    pub(super) value: Option<&'a [u8]>,
    pub(super) headers: H,
    pub(super) token: u64,
}

impl Accumulator {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            topics: Vec::new(),
            names: HashMap::new(),
            limits,
            used: 0,
            wanted: 0,
            next_serial: 0,
            unresolved: BTreeSet::new(),
            ready: Vec::new(),
            topics_wanted: false,
            flushing: 0,
            closed: false,
            stopping: false,
            spread: Spread::default(),
            transaction: None,
        }
    }

    /// The place of a topic, new or known.
    pub(super) fn intern(&mut self, name: &str) -> (usize, Arc<str>) {
        if let Some((name, at)) = self.names.get_key_value(name) {
            return (*at, name.clone());
        }
        let (name, at): (Arc<str>, _) = (name.into(), self.topics.len());
        self.names.insert(name.clone(), at);
        self.topics.push(Topic {
            name: name.clone(),
            partition_count: 0,
            error: ErrorCode::NONE,
            available: Vec::new(),
            leaders: Vec::new(),
            responsive: Vec::new(),
            queues: Vec::new(),
            sticky: Sticky::new(Rng::random()),
            turns: RoundRobin::default(),
            used: Instant::now(),
            batch_limit: self.limits.batch,
            ratio: 1.0,
            open_limit: self.limits.batch,
        });
        self.topics_wanted = true;
        (at, name)
    }

    /// Appends a record; the second value of the result tells whether the sender must be woken.
    pub(super) fn append<'a, H>(
        &mut self,
        topic_at: usize,
        partition: Option<i32>,
        record: Record<'a, H>,
    ) -> Result<bool, AppendError>
    where
        H: ExactSizeIterator<Item = (&'a str, Option<&'a [u8]>)> + Clone,
    {
        if self.closed {
            return Err(AppendError::Closed);
        }
        if let Some(machine) = &self.transaction {
            machine.check_append()?;
        }
        let Some(topic) = self.topics.get_mut(topic_at) else { return Err(AppendError::Closed) };
        let bound = size_bound(&record);
        check_size(&self.limits, &topic.name, bound)?;
        let (partition, chosen) = topic.choose(partition, record.key, self.spread)?;
        let queue = &mut topic.queues[partition as usize];
        let fits = queue.batches.back().is_some_and(|b| b.is_open() && b.len() + bound <= topic.open_limit);
        let charge = if fits { bound } else { bound + HEADER_LEN };
        if self.used + charge > self.limits.memory && self.used > 0 {
            self.wanted = self.wanted.max(charge);
            return Err(AppendError::BufferFull);
        }
        let Record { timestamp, key, value, headers, token } = record;
        let append = |batch: &mut Batch| batch.append(timestamp, key, value, headers, token);
        let taken = if fits {
            queue.batches.back_mut().and_then(append)
        } else {
            let capacity = queue.next_capacity(topic.open_limit, bound);
            let now = Instant::now();
            let mut batch = Batch::open(self.next_serial, now, capacity);
            let taken = append(&mut batch);
            if taken.is_some() {
                topic.used = now;
                queue.batches.push_back(batch);
                self.unresolved.insert(self.next_serial);
                self.next_serial += 1;
                self.used += HEADER_LEN;
            }
            taken
        };
        // Only of a record that is larger than its bound: its headers are not what was counted.
        let Some(taken) = taken else {
            return Err(too_large(&topic.name, i32::MAX as usize, i32::MAX as usize, "max.request.size"));
        };
        self.used += taken;
        match chosen {
            Chosen::Given => {}
            Chosen::Sticky => topic.sticky.appended(taken),
            Chosen::InTurn => topic.turns.appended(),
        }
        if queue.announced {
            return Ok(false);
        }
        queue.announced = true;
        self.ready.push(LaneId { topic: topic_at, partition });
        Ok(true)
    }

    /// The oldest batch of a partition: its length, its creation, and whether it is full.
    pub(super) fn peek(&self, lane: LaneId) -> Option<(usize, Instant, bool)> {
        let queue = self.topics.get(lane.topic)?.queues.get(usize::try_from(lane.partition).ok()?)?;
        let first = queue.batches.front()?;
        Some((first.len(), first.created, queue.batches.len() > 1))
    }

    /// Takes the oldest batch of a partition. Later records open a new one.
    pub(super) fn take(&mut self, lane: LaneId) -> Option<Batch> {
        let queue = self.queue_mut(lane)?;
        let batch = queue.batches.pop_front()?;
        queue.last_len = batch.len();
        Some(batch)
    }

    /// Notes that the sender looks at the partition no more until it is announced again.
    pub(super) fn retract(&mut self, lane: LaneId) {
        if let Some(queue) = self.queue_mut(lane) {
            queue.announced = false;
        }
    }

    /// Gives back the memory of a batch that is resolved.
    pub(super) fn release(&mut self, charged: usize) {
        self.used = self.used.saturating_sub(charged);
    }

    /// Notes that all parts of a batch are resolved.
    pub(super) fn resolved(&mut self, serial: u64) {
        self.unresolved.remove(&serial);
    }

    /// Whether the record that was refused last would fit now.
    pub(super) fn has_space(&mut self) -> bool {
        let fits = self.used == 0 || self.used + self.wanted < self.limits.memory;
        if fits {
            self.wanted = 0;
        }
        fits
    }

    /// Whether an appender was refused for want of space.
    pub(super) fn is_short_of_space(&self) -> bool {
        self.wanted > 0
    }

    /// Where the next batch's serial stands: all batches so far are below.
    pub(super) fn high_serial(&self) -> u64 {
        self.next_serial
    }

    /// Whether every batch below `serial` is resolved.
    pub(super) fn is_resolved_below(&self, serial: u64) -> bool {
        self.unresolved.first().is_none_or(|first| *first >= serial)
    }

    /// Whether a transaction waits for its records.
    pub(super) fn is_committing(&self) -> bool {
        self.transaction.as_ref().is_some_and(|machine| machine.is_committing())
    }

    /// Whether all batches are resolved.
    pub(super) fn is_drained(&self) -> bool {
        self.unresolved.is_empty()
    }

    /// Forgets what is unresolved; true if there was anything.
    pub(super) fn abandon(&mut self) -> bool {
        let lost = !self.unresolved.is_empty();
        self.unresolved.clear();
        lost
    }

    /// Lowers the size of the topic's batches after one was refused for its size.
    pub(super) fn shrink_batches(&mut self, topic: usize, refused_len: usize) {
        if let Some(topic) = self.topics.get_mut(topic) {
            topic.batch_limit = topic.batch_limit.min(refused_len / 2).max(HEADER_LEN);
            topic.estimate(self.limits.record);
        }
    }

    /// Notes what a batch of the topic was compressed to, and that memory became free by that.
    pub(super) fn compressed(&mut self, topic: usize, compressed: Compressed) {
        self.release(compressed.freed);
        let most = self.limits.record;
        if let Some(topic) = self.topics.get_mut(topic) {
            topic.observe(compressed.to as f32 / compressed.from.max(1) as f32);
            topic.estimate(most);
        }
    }

    fn queue_mut(&mut self, lane: LaneId) -> Option<&mut Queue> {
        self.topics.get_mut(lane.topic)?.queues.get_mut(usize::try_from(lane.partition).ok()?)
    }
}

impl Topic {
    /// Takes over what metadata tells. Batches of partitions that are gone stay, and fail in time.
    pub(super) fn update(&mut self, info: &TopicInfo) {
        self.error = info.error;
        if !info.error.is_ok() {
            return;
        }
        self.partition_count = i32::try_from(info.partitions.len()).unwrap_or(i32::MAX);
        let led = info.partitions.iter().filter_map(|p| Some((p.partition, p.leader?)));
        (self.available, self.leaders) = led.unzip();
        self.responsive.clear();
        if self.queues.len() < info.partitions.len() {
            self.queues.resize_with(info.partitions.len(), Queue::default);
        }
    }

    /// Spreads no records to partitions that these brokers lead, if others are left.
    pub(super) fn avoid(&mut self, brokers: &BTreeSet<NodeId>) {
        self.responsive.clear();
        if !brokers.is_empty() {
            let led = self.available.iter().zip(&self.leaders);
            self.responsive.extend(led.filter(|(_, leader)| !brokers.contains(leader)).map(|(p, _)| *p));
        }
    }

    /// Moves the estimate towards what a batch was compressed to: quickly to the worse, slowly to the better, as
    /// Java's `CompressionRatioEstimator`.
    fn observe(&mut self, ratio: f32) {
        self.ratio = if ratio > self.ratio {
            (self.ratio + DETERIORATING).max(ratio)
        } else {
            (self.ratio - IMPROVING).max(ratio)
        };
    }

    /// Lets open batches grow until they are likely to fill a batch when compressed; to `most` at most, so that
    /// they are not too large even if they do not compress at all.
    fn estimate(&mut self, most: usize) {
        let likely = self.batch_limit as f32 / (self.ratio * ESTIMATE_MARGIN).max(0.01);
        self.open_limit = (likely as usize).min(most).max(self.batch_limit);
    }

    /// The partition of a record, and what chose it.
    fn choose(
        &mut self,
        explicit: Option<i32>,
        key: Option<&[u8]>,
        spread: Spread,
    ) -> Result<(i32, Chosen), AppendError> {
        let count = self.partition_count;
        if count <= 0 {
            return Err(AppendError::MetadataMissing { topic: self.name.clone() });
        }
        let key = key.filter(|_| !spread.ignore_keys && !spread.round_robin);
        match (explicit, key) {
            (Some(partition), _) if (0..count).contains(&partition) => Ok((partition, Chosen::Given)),
            (Some(partition), _) => {
                Err(AppendError::UnknownPartition { topic: self.name.clone(), partition, count })
            }
            (None, Some(key)) => Ok((partition_for_key(key, count), Chosen::Given)),
            (None, None) if spread.round_robin => {
                Ok((self.turns.partition(count, &self.available), Chosen::InTurn))
            }
            (None, None) => {
                let queues = &self.queues;
                let queued = |partition: i32| queues.get(partition as usize).map_or(0, |q| q.batches.len());
                let queued = spread.adaptive.then_some(queued);
                let responsive = spread.adaptive && !self.responsive.is_empty();
                let among = if responsive { &self.responsive } else { &self.available };
                Ok((self.sticky.partition(count, among, self.open_limit, queued), Chosen::Sticky))
            }
        }
    }
}

impl Queue {
    /// Room for what the last batch needed, so that growing (and copying) is rare.
    fn next_capacity(&self, limit: usize, record: usize) -> usize {
        let expected = (self.last_len + self.last_len / 4).max(FIRST_CAPACITY).min(limit);
        expected.max(HEADER_LEN + record)
    }
}

fn size_bound<'a, H>(record: &Record<'a, H>) -> usize
where
    H: ExactSizeIterator<Item = (&'a str, Option<&'a [u8]>)> + Clone,
{
    let len = |field: Option<&[u8]>| field.map_or(0, <[u8]>::len);
    let count = record.headers.len();
    let headers = match count {
        0 => 0,
        _ => record.headers.clone().map(|(name, value)| name.len() + len(value)).sum(),
    };
    BatchBuilder::record_size_bound(len(record.key), len(record.value), headers, count)
}

fn check_size(limits: &Limits, topic: &Arc<str>, bound: usize) -> Result<(), AppendError> {
    let size = bound + HEADER_LEN;
    let (key, limit) = if size > limits.record {
        ("max.request.size", limits.record)
    } else if size > limits.memory {
        ("buffer.memory", limits.memory)
    } else {
        return Ok(());
    };
    Err(too_large(topic, size, limit, key))
}

fn too_large(topic: &Arc<str>, size: usize, limit: usize, key: &'static str) -> AppendError {
    AppendError::RecordTooLarge { topic: topic.clone(), size, limit, key }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::{NodeId, PartitionInfo};
    use std::iter;
    use uuid::Uuid;

    fn accumulator(batch: usize, memory: usize, partitions: i32) -> Accumulator {
        let mut acc = Accumulator::new(Limits { batch, memory, record: 1000 });
        let (at, name) = acc.intern("t");
        let partition = |partition| PartitionInfo {
            partition,
            error: ErrorCode::NONE,
            leader: Some(NodeId(1)),
            leader_epoch: 0,
            replicas: vec![],
            in_sync: vec![],
        };
        let partitions = (0..partitions).map(partition).collect();
        let error = ErrorCode::NONE;
        acc.topics[at].update(&TopicInfo {
            name,
            id: Uuid::nil(),
            error,
            internal: false,
            partitions,
            former: Default::default(),
        });
        acc
    }

    fn append(acc: &mut Accumulator, partition: i32, value: &[u8], token: u64) -> Result<bool, AppendError> {
        let headers = iter::empty();
        let record = Record { timestamp: 0, key: None, value: Some(value), headers, token };
        acc.append(0, Some(partition), record)
    }

    const LANE: LaneId = LaneId { topic: 0, partition: 0 };

    #[tokio::test]
    async fn the_sender_is_woken_once_until_it_looked() {
        let mut acc = accumulator(10_000, 100_000, 1);
        assert_eq!(append(&mut acc, 0, b"a", 1), Ok(true));
        assert_eq!(append(&mut acc, 0, b"b", 1), Ok(false));
        let batch = acc.take(LANE).unwrap();
        assert_eq!(batch.count, 2);
        assert_eq!(append(&mut acc, 0, b"c", 1), Ok(false), "still announced");
        acc.take(LANE).unwrap();
        acc.retract(LANE);
        assert_eq!(append(&mut acc, 0, b"d", 1), Ok(true));
    }

    #[tokio::test]
    async fn batches_are_closed_at_their_limit() {
        let mut acc = accumulator(400, 100_000, 1);
        for _ in 0..10 {
            append(&mut acc, 0, &[0; 100], 1).unwrap();
        }
        let mut counts = Vec::new();
        while let Some(batch) = acc.take(LANE) {
            assert!(batch.len() <= 400);
            counts.push(batch.count);
        }
        assert_eq!(counts.iter().sum::<i32>(), 10);
        assert!(counts.len() >= 4);
        // Larger than batch.size but not than max.request.size: alone in a batch.
        append(&mut acc, 0, &[0; 800], 1).unwrap();
        append(&mut acc, 0, &[0; 1], 1).unwrap();
        assert_eq!(acc.take(LANE).unwrap().count, 1);
    }

    #[tokio::test]
    async fn keys_decide_unless_they_are_ignored() {
        let mut acc = accumulator(10_000, 1_000_000, 8);
        let with_key = |acc: &mut Accumulator| {
            let headers = iter::empty();
            let record = Record { timestamp: 0, key: Some(b"s"), value: Some(&[0; 50]), headers, token: 0 };
            acc.append(0, None, record).unwrap();
        };
        let filled =
            |acc: &Accumulator| acc.topics[0].queues.iter().filter(|q| !q.batches.is_empty()).count();
        for _ in 0..1_000 {
            with_key(&mut acc);
        }
        assert_eq!(filled(&acc), 1);
        acc.spread.ignore_keys = true;
        for _ in 0..5_000 {
            with_key(&mut acc);
        }
        assert!(filled(&acc) > 4, "{}", filled(&acc));
    }

    #[tokio::test]
    async fn memory_is_bounded_and_given_back() {
        let mut acc = accumulator(400, 1_000, 1);
        let mut appended = 0;
        while append(&mut acc, 0, &[0; 100], 1).is_ok() {
            appended += 1;
        }
        assert!((5..=9).contains(&appended), "{appended}");
        assert_eq!(append(&mut acc, 0, &[0; 100], 1), Err(AppendError::BufferFull));
        assert!(!acc.has_space());
        let high = acc.high_serial();
        while let Some(batch) = acc.take(LANE) {
            acc.release(batch.charged);
            acc.resolved(batch.serial);
        }
        assert!(acc.has_space() && acc.is_resolved_below(high));
        assert_eq!(acc.used, 0);
    }

    #[tokio::test]
    async fn open_batches_grow_by_what_compression_gains() {
        let mut acc = accumulator(400, 100_000, 1);
        let filled = |acc: &mut Accumulator| {
            while acc.peek(LANE).is_none_or(|(_, _, full)| !full) {
                append(acc, 0, &[0; 50], 1).unwrap();
            }
            let len = acc.take(LANE).unwrap().len();
            acc.take(LANE);
            len
        };
        assert!(filled(&mut acc) <= 400);
        // The estimate improves slowly, and the limit of a request is not passed.
        acc.compressed(0, Compressed { from: 400, to: 40, freed: 0 });
        assert!(filled(&mut acc) <= 450);
        (0..200).for_each(|_| acc.compressed(0, Compressed { from: 400, to: 40, freed: 0 }));
        assert!((900..=1000).contains(&filled(&mut acc)));
        // It worsens quickly.
        acc.compressed(0, Compressed { from: 400, to: 400, freed: 0 });
        assert!(filled(&mut acc) <= 400);
        // What the broker refused was compressed: half of that is the new aim.
        (0..200).for_each(|_| acc.compressed(0, Compressed { from: 400, to: 100, freed: 0 }));
        acc.shrink_batches(0, 200);
        assert!((280..=400).contains(&filled(&mut acc)));
    }

    /// Headers that are more than their iterator said before: the batch refuses what its lengths cannot hold.
    #[derive(Clone)]
    struct Endless<'a>(&'a str, usize);

    impl<'a> Iterator for Endless<'a> {
        type Item = (&'a str, Option<&'a [u8]>);

        fn next(&mut self) -> Option<Self::Item> {
            self.1 = self.1.checked_sub(1)?;
            Some((self.0, None))
        }
    }

    impl ExactSizeIterator for Endless<'_> {
        fn len(&self) -> usize {
            0
        }
    }

    #[tokio::test]
    async fn a_record_that_its_batch_refuses_is_an_error_and_leaves_nothing() {
        let mut acc = accumulator(400, 100_000, 1);
        let name = "n".repeat(1 << 20);
        let refused = |acc: &mut Accumulator| {
            let headers = Endless(&name, 4096);
            acc.append(0, Some(0), Record { timestamp: 0, key: None, value: None, headers, token: 0 })
        };
        let error = refused(&mut acc).unwrap_err();
        assert!(matches!(error, AppendError::RecordTooLarge { .. }), "{error}");
        assert!(acc.is_drained() && acc.used == 0 && acc.peek(LANE).is_none() && acc.ready.is_empty());
        assert_eq!(append(&mut acc, 0, b"a", 1), Ok(true));
        refused(&mut acc).unwrap_err();
        let batch = acc.take(LANE).unwrap();
        assert_eq!((batch.count, batch.charged), (1, acc.used));
    }

    #[tokio::test]
    async fn records_that_never_fit_are_refused_with_the_key_to_change() {
        let mut acc = accumulator(400, 100_000, 1);
        let error = append(&mut acc, 0, &[0; 1000], 1).unwrap_err();
        assert!(matches!(error, AppendError::RecordTooLarge { key: "max.request.size", limit: 1000, .. }));
        let mut acc = accumulator(400, 500, 1);
        let error = append(&mut acc, 0, &[0; 600], 1).unwrap_err();
        assert!(matches!(error, AppendError::RecordTooLarge { key: "buffer.memory", .. }));
        let error = append(&mut acc, 1, &[0; 10], 1).unwrap_err();
        assert!(matches!(error, AppendError::UnknownPartition { partition: 1, count: 1, .. }));
    }
}
