//! What a consumer knows of its partitions: positions, what is buffered, and what has to be asked next.
//!
//! No I/O and no clock: [`State::plan`] says what to ask, the `on_*` methods take the answers. Every
//! partition carries a *stamp* that changes when it is assigned or its position set anew; an answer to
//! an older stamp is dropped.
//!
//! ```text
//!  Held ─ release ─▶ NeedsCommitted ─▶ NeedsReset ─▶ Active ◀─▶ fetched runs in the ready queue
//!                        └──── committed offset ───────▶ ▲ ▲
//!                                         seek ──────────┘ └─▶ Unvalidated (the leader changed)
//!                                                             Resting (failed), Leaving (being revoked)
//! ```
//!
//! `plan` says what to ask, `answers` what came of it; `leader` follows leaders, and checks positions when they change.

mod answers;
mod leader;
mod plan;

pub(super) use leader::Agreement;
pub(super) use plan::{Asked, Question};

use super::config::OffsetReset;
use super::error::ConsumerError;
use super::records::{FetchedRecords, Region, Stop};
use crate::error::ErrorCode;
use crate::metadata::{NodeId, TopicPartition};
use leader::Following;
use std::collections::{BTreeMap, HashSet, VecDeque};
use std::time::{Duration, Instant};

/// Bounds and policies of a state.
#[derive(Debug, Clone)]
pub(super) struct Limits {
    /// Bytes that may wait to be taken.
    pub(super) buffer_bytes: usize,
    pub(super) retry_backoff: Duration,
    pub(super) retry_backoff_max: Duration,
    /// How long a replica that a leader recommends is read from before the leader is asked again.
    pub(super) replica_max_age: Duration,
    pub(super) reset: OffsetReset,
    /// Whether committed offsets are looked up (there is a group).
    pub(super) has_group: bool,
}

#[derive(Debug)]
pub(super) struct State {
    limits: Limits,
    partitions: BTreeMap<TopicPartition, Partition>,
    ready: VecDeque<Ready>,
    buffered: usize,
    busy: HashSet<NodeId>,
    /// Runs that the application may still be reading, with the line of their partition.
    in_reading: Vec<(TopicPartition, u64, Stop)>,
    /// A fetch was held back until the application takes something.
    blocked: bool,
    asking_metadata: bool,
    /// Generation of the metadata that all partitions were compared with; `None` if there are others since.
    followed: Option<u64>,
    last_stamp: u64,
    /// Regions with records so far.
    turns: u64,
}

#[derive(Debug)]
struct Partition {
    stamp: u64,
    /// The stamp since which positions follow each other: what was handed out before does not bear on the position.
    line: u64,
    /// The application was told that it is assigned.
    told: bool,
    phase: Phase,
    paused: bool,
    /// Offset of the next record that the application gets.
    position: Option<i64>,
    /// Leader epoch of the record before the position; -1 if unknown.
    position_epoch: i32,
    /// Offset that the next fetch starts at.
    fetch_offset: i64,
    /// Leader epoch of the record before the fetch offset; -1 if unknown.
    fetch_epoch: i32,
    following: Following,
    /// The lookup for the present phase is under way.
    asked: bool,
    retry_at: Option<Instant>,
    failures: u32,
    /// The application was told that the partition is refused for now, and it was not read since.
    told_refusal: Option<ErrorCode>,
    queued: usize,
    /// The turn in which it last got records: those that waited longest come first in a fetch.
    served: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Held,
    NeedsCommitted,
    NeedsReset(OffsetReset),
    Active,
    /// The leader changed: whether its log holds what is before the fetch offset has to be asked.
    Unvalidated,
    Resting,
    /// Being given up; nothing brings it back.
    Leaving,
}

#[derive(Debug)]
struct Ready {
    tp: TopicPartition,
    bytes: usize,
    item: Result<FetchedRecords, ConsumerError>,
}

/// An offset from which to go on, and the leader epoch of the record before it, -1 if unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Located {
    pub(super) offset: i64,
    pub(super) leader_epoch: i32,
}

/// What a fetch brought for one partition.
#[derive(Debug)]
pub(super) enum Fetched {
    Region(Box<Region>),
    /// The position is not part of the leader's log, which agrees with it only so far.
    Diverging(Agreement),
    /// The leader recommends another replica.
    Replica(NodeId),
    /// Another broker leads, and the metadata says so already.
    Moved,
    Refused(ErrorCode),
    /// The call failed in a way that trying again cannot mend.
    Failed(ConsumerError),
    /// The partition was not in the answer, or the call failed.
    Nothing,
}

impl State {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            partitions: BTreeMap::new(),
            ready: VecDeque::new(),
            buffered: 0,
            busy: HashSet::new(),
            in_reading: Vec::new(),
            blocked: false,
            asking_metadata: false,
            followed: None,
            last_stamp: 0,
            turns: 0,
        }
    }

    /// Replaces the assignment; pauses do not outlive it.
    pub(super) fn assign(&mut self, partitions: &[TopicPartition]) {
        self.clear();
        self.add(partitions);
    }

    /// Adds partitions to the assignment. They are held until they are told and released; those that are
    /// there already go on undisturbed. Tells whether any was new.
    pub(super) fn add(&mut self, partitions: &[TopicPartition]) -> bool {
        let before = self.partitions.len();
        for tp in partitions {
            let stamp = self.next_stamp();
            self.partitions.entry(tp.clone()).or_insert_with(|| Partition::held(stamp));
        }
        self.partitions.len() > before
    }

    /// These partitions are not assigned any more.
    pub(super) fn remove(&mut self, partitions: &[TopicPartition]) {
        if !partitions.is_empty() {
            let gone: HashSet<_> = partitions.iter().collect();
            self.discard(|tp| gone.contains(tp));
            self.partitions.retain(|tp, _| !gone.contains(tp));
        }
    }

    /// The application is told of all that is assigned.
    pub(super) fn tell_all(&mut self) {
        self.partitions.values_mut().for_each(|p| p.told = true);
    }

    /// The assigned partitions that the application was told of.
    pub(super) fn told(&self) -> Vec<TopicPartition> {
        self.partitions.iter().filter(|(_, p)| p.told).map(|(tp, _)| tp.clone()).collect()
    }

    /// Nothing is assigned any more.
    pub(super) fn clear(&mut self) {
        self.partitions.clear();
        self.ready.clear();
        self.buffered = 0;
    }

    /// These partitions are being given up: nothing more is fetched or handed out, positions stay.
    pub(super) fn rest_these(&mut self, partitions: &[TopicPartition]) {
        let resting: HashSet<_> = partitions.iter().collect();
        self.discard(|tp| resting.contains(tp));
        self.last_stamp += 1;
        for tp in partitions {
            if let Some(partition) = self.partitions.get_mut(tp) {
                partition.phase = Phase::Leaving;
                partition.stamp = self.last_stamp;
            }
        }
    }

    /// Lets held partitions go to work that the application was told of.
    pub(super) fn release(&mut self) -> bool {
        let mut any = false;
        self.followed = None;
        for partition in self.partitions.values_mut().filter(|p| p.told && p.phase == Phase::Held) {
            any = true;
            partition.phase = match partition.position {
                Some(_) => Phase::Active,
                None if self.limits.has_group => Phase::NeedsCommitted,
                None => Phase::NeedsReset(self.limits.reset),
            };
        }
        any
    }

    pub(super) fn assignment(&self) -> Vec<TopicPartition> {
        self.partitions.keys().cloned().collect()
    }

    pub(super) fn set_paused(&mut self, partitions: &[TopicPartition], paused: bool) {
        for tp in partitions {
            if let Some(partition) = self.partitions.get_mut(tp) {
                partition.paused = paused;
            }
        }
    }

    pub(super) fn position(&self, tp: &TopicPartition) -> Option<i64> {
        if let Some(offset) = self.stopped_at(tp) {
            return Some(offset);
        }
        self.partitions.get(tp)?.position
    }

    /// Whom the last fetch of the partition went to.
    pub(super) fn read_from(&self, tp: &TopicPartition) -> Option<NodeId> {
        self.partitions.get(tp)?.following.asked
    }

    /// Leader epoch of the record before the position; -1 if unknown.
    pub(super) fn position_epoch(&self, tp: &TopicPartition) -> i32 {
        if self.stopped_at(tp).is_some() {
            return -1;
        }
        self.partitions.get(tp).map_or(-1, |p| p.position_epoch)
    }

    /// Whether every partition that is at work knows its position, or has an error to be taken.
    pub(super) fn all_located(&self) -> bool {
        let idle = |p: &Partition| matches!(p.phase, Phase::Resting | Phase::Leaving);
        self.partitions.values().all(|p| p.position.is_some() || p.queued > 0 || idle(p))
    }

    /// Sets the position; false if the partition is not assigned.
    pub(super) fn seek(&mut self, tp: &TopicPartition, offset: i64) -> bool {
        self.last_stamp += 1;
        self.followed = None;
        let Some(partition) = self.partitions.get_mut(tp) else { return false };
        partition.stamp = self.last_stamp;
        partition.line = self.last_stamp;
        partition.position = Some(offset);
        partition.position_epoch = -1;
        partition.fetch_offset = offset;
        partition.fetch_epoch = -1;
        partition.following = Following::default();
        partition.asked = false;
        partition.retry_at = None;
        partition.failures = 0;
        partition.told_refusal = None;
        if !matches!(partition.phase, Phase::Held | Phase::Leaving) {
            partition.phase = Phase::Active;
        }
        self.discard(|of| of == tp);
        true
    }

    /// Where the application met a record that cannot be read, if it did.
    fn stopped_at(&self, tp: &TopicPartition) -> Option<i64> {
        let line = self.partitions.get(tp)?.line;
        let of_it = self.in_reading.iter().filter(|(of, at, _)| of == tp && *at == line);
        of_it.filter_map(|(_, _, stop)| stop.offset()).min()
    }

    /// A partition rests where the application met a record that cannot be read: the position had passed it when its run was
    /// handed out.
    pub(super) fn settle_stopped(&mut self) {
        if self.in_reading.iter().all(|(_, _, stop)| stop.offset().is_none()) {
            self.in_reading.retain(|(_, _, stop)| stop.is_shared());
            return;
        }
        let stopped =
            |(tp, _, stop): &(TopicPartition, u64, Stop)| stop.offset().is_some().then(|| tp.clone());
        let stopped: Vec<_> = self.in_reading.iter().filter_map(stopped).collect();
        for tp in &stopped {
            if let Some(offset) = self.stopped_at(tp)
                && self.seek(tp, offset)
                && let Some(partition) = self.partitions.get_mut(tp)
                && partition.phase == Phase::Active
            {
                partition.phase = Phase::Resting;
            }
        }
        self.in_reading.retain(|(_, _, stop)| stop.offset().is_none() && stop.is_shared());
    }

    /// The next run or error that may be handed out.
    pub(super) fn take(&mut self) -> Option<Result<FetchedRecords, ConsumerError>> {
        self.settle_stopped();
        let partitions = &self.partitions;
        let at = self.ready.iter().position(|r| partitions.get(&r.tp).is_some_and(|p| !p.paused))?;
        let ready = self.ready.remove(at)?;
        self.buffered -= ready.bytes;
        let partition = self.partitions.get_mut(&ready.tp)?;
        partition.queued -= 1;
        match &ready.item {
            // What was fetched behind the last run held no records (control and aborted batches).
            Ok(_) if partition.queued == 0 && partition.phase == Phase::Active => {
                partition.position = Some(partition.fetch_offset);
                partition.position_epoch = partition.fetch_epoch;
            }
            Ok(records) => {
                partition.position = Some(records.next_offset);
                partition.position_epoch = records.leader_epoch;
            }
            Err(_) => {}
        }
        if let Ok(records) = &ready.item {
            self.in_reading.push((ready.tp, partition.line, records.stop.clone()));
        }
        Some(ready.item)
    }

    fn current(&mut self, asked: &Asked) -> Option<&mut Partition> {
        self.partitions.get_mut(&asked.tp).filter(|p| p.stamp == asked.stamp)
    }

    fn discard(&mut self, of: impl Fn(&TopicPartition) -> bool) {
        let (partitions, buffered) = (&mut self.partitions, &mut self.buffered);
        self.ready.retain(|ready| {
            if !of(&ready.tp) {
                return true;
            }
            *buffered -= ready.bytes;
            if let Some(partition) = partitions.get_mut(&ready.tp) {
                partition.queued -= 1;
            }
            false
        });
    }

    fn next_stamp(&mut self) -> u64 {
        self.last_stamp += 1;
        self.last_stamp
    }
}

impl Partition {
    fn held(stamp: u64) -> Self {
        Self {
            stamp,
            line: stamp,
            told: false,
            phase: Phase::Held,
            paused: false,
            position: None,
            position_epoch: -1,
            fetch_offset: 0,
            fetch_epoch: -1,
            following: Following::default(),
            asked: false,
            retry_at: None,
            failures: 0,
            told_refusal: None,
            queued: 0,
            served: 0,
        }
    }
}

#[cfg(test)]
mod tests;
