//! Open batches, by topic and partition, within a bound of memory.
//!
//! Appenders and the sender share it under one lock, which is held for a run of appends on one side and for
//! taking whole batches on the other. Nothing is allocated a record: bytes go straight into the open batch.
//! `topic`: where the records of a topic go.

mod topic;

use super::batch::{Batch, Compressed};
use super::error::AppendError;
use super::partitioner::{RoundRobin, Spread, Sticky};
use super::transaction::Machine;
use crate::backoff::Rng;
use crate::error::ErrorCode;
use crate::metadata::NodeId;
use crossdock_wire::BatchBuilder;
use crossdock_wire::header::HEADER_LEN;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use tokio::time::Instant;

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
mod tests;
