//! What to ask the brokers next.

use super::{Partition, Phase, State};
use crate::consumer::config::OffsetReset;
use crate::metadata::{MetadataSnapshot, NodeId, TopicPartition};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Instant;
use uuid::Uuid;

/// Runs of a partition that may wait in the queue before its broker is not asked for more: one that is
/// taken next, and one that arrives meanwhile.
const MAX_QUEUED_RUNS: usize = 2;

/// A partition, as part of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::consumer) struct Asked {
    pub(in crate::consumer) tp: TopicPartition,
    /// Nil if it is not known.
    pub(in crate::consumer) topic_id: Uuid,
    pub(in crate::consumer) stamp: u64,
    /// Offset to fetch from.
    pub(in crate::consumer) offset: i64,
    /// Leader epoch of the record before it; -1 if unknown.
    pub(in crate::consumer) offset_epoch: i32,
    /// The leader's epoch by metadata.
    pub(in crate::consumer) leader_epoch: i32,
}

/// What has to be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::consumer) enum Question {
    Committed(Vec<Asked>),
    Offsets {
        node: NodeId,
        to: OffsetReset,
        partitions: Vec<Asked>,
    },
    /// Up to where the leader's log agrees with positions.
    Agreements {
        node: NodeId,
        partitions: Vec<Asked>,
    },
    Fetch {
        node: NodeId,
        partitions: Vec<Asked>,
    },
    Metadata(Vec<Arc<str>>),
}

#[derive(Debug, Default)]
pub(in crate::consumer) struct Plan {
    pub(in crate::consumer) questions: Vec<Question>,
    /// When to plan again without further input.
    pub(in crate::consumer) wake_at: Option<Instant>,
}

impl State {
    /// Whether a plan that was held back may be carried out now, since something was taken.
    pub(in crate::consumer) fn is_blocked(&self) -> bool {
        self.blocked
    }

    /// What to ask now. Everything that is planned counts as asked.
    pub(in crate::consumer) fn plan(&mut self, now: Instant, metadata: &MetadataSnapshot) -> Plan {
        let mut plan = Plan::default();
        self.settle_stopped();
        self.follow(metadata);
        self.make_room();
        let mut nodes: BTreeMap<NodeId, Vec<Asked>> = BTreeMap::new();
        let mut resets: BTreeMap<(NodeId, OffsetReset), Vec<Asked>> = BTreeMap::new();
        let mut unvalidated: BTreeMap<NodeId, Vec<Asked>> = BTreeMap::new();
        let mut committed = Vec::new();
        let mut full = HashSet::new();
        let mut unknown = BTreeSet::new();
        for (tp, partition) in &self.partitions {
            if partition.asked || matches!(partition.phase, Phase::Held | Phase::Resting | Phase::Leaving) {
                continue;
            }
            if let Some(at) = partition.retry_at.filter(|at| *at > now) {
                plan.wake_at = Some(plan.wake_at.map_or(at, |w| w.min(at)));
                continue;
            }
            if partition.phase == Phase::NeedsCommitted {
                committed.push(partition.ask(tp, -1));
                continue;
            }
            if partition.phase == Phase::Active && partition.paused {
                continue;
            }
            let Ok((node, epoch)) = metadata.leader(&tp.topic, tp.partition) else {
                unknown.insert(tp.topic.clone());
                continue;
            };
            if partition.following.behind == Some(metadata.generation) {
                unknown.insert(tp.topic.clone());
                continue;
            }
            let leader = node;
            let node = partition.following.read_from(leader, now, metadata);
            match partition.phase {
                Phase::NeedsReset(to) => {
                    resets.entry((leader, to)).or_default().push(partition.ask(tp, epoch))
                }
                Phase::Unvalidated => unvalidated.entry(leader).or_default().push(partition.ask(tp, epoch)),
                _ if self.busy.contains(&node) => {}
                _ if partition.queued >= MAX_QUEUED_RUNS => drop(full.insert(node)),
                _ => nodes.entry(node).or_default().push(partition.ask(tp, epoch)),
            }
        }
        self.ask_metadata(unknown, &mut plan);
        self.ask_positions(committed, resets, unvalidated, &mut plan);
        // A broker holds a fetch until there is something new. If a partition is only left out because the
        // application has not come to it yet, the others would make it wait: so the broker rests as well.
        let no_room = self.buffered >= self.limits.buffer_bytes;
        self.blocked = no_room || !full.is_empty();
        nodes.retain(|node, _| !no_room && !full.contains(node));
        for (node, mut partitions) in nodes {
            self.busy.insert(node);
            for asked in &partitions {
                if let Some(partition) = self.partitions.get_mut(&asked.tp) {
                    partition.following.asked = Some(node);
                }
            }
            partitions.sort_by_key(|a| self.partitions.get(&a.tp).map_or(0, |p| p.served));
            plan.questions.push(Question::Fetch { node, partitions });
        }
        plan
    }

    fn ask_metadata(&mut self, unknown: BTreeSet<Arc<str>>, plan: &mut Plan) {
        if !unknown.is_empty() && !self.asking_metadata {
            self.asking_metadata = true;
            plan.questions.push(Question::Metadata(unknown.into_iter().collect()));
        }
    }

    fn ask_positions(
        &mut self,
        committed: Vec<Asked>,
        resets: BTreeMap<(NodeId, OffsetReset), Vec<Asked>>,
        unvalidated: BTreeMap<NodeId, Vec<Asked>>,
        plan: &mut Plan,
    ) {
        let positions = committed.iter().chain(resets.values().flatten());
        for asked in positions.chain(unvalidated.values().flatten()) {
            if let Some(partition) = self.partitions.get_mut(&asked.tp) {
                partition.asked = true;
            }
        }
        if !committed.is_empty() {
            plan.questions.push(Question::Committed(committed));
        }
        for ((node, to), partitions) in resets {
            plan.questions.push(Question::Offsets { node, to, partitions });
        }
        for (node, partitions) in unvalidated {
            plan.questions.push(Question::Agreements { node, partitions });
        }
    }

    /// Paused partitions must not hold up the others: when the buffer is full, what they have queued is
    /// given up, to be fetched again later.
    fn make_room(&mut self) {
        if self.buffered < self.limits.buffer_bytes {
            return;
        }
        let partitions = &self.partitions;
        let is_paused = |tp: &TopicPartition| partitions.get(tp).is_some_and(|p| p.paused);
        let runs = self.ready.iter().filter(|ready| ready.bytes > 0 && is_paused(&ready.tp));
        let paused: HashSet<TopicPartition> = runs.map(|ready| ready.tp.clone()).collect();
        for tp in &paused {
            self.last_stamp += 1;
            if let Some(partition) = self.partitions.get_mut(tp)
                && let Some(position) = partition.position
            {
                partition.stamp = self.last_stamp;
                partition.fetch_offset = position;
                partition.fetch_epoch = partition.position_epoch;
                partition.asked = false;
                partition.told_refusal = None;
                if partition.phase != Phase::Active {
                    // What stopped it lies behind what is given up: it is met again.
                    partition.phase = Phase::Active;
                    partition.following.leader = None;
                    self.followed = None;
                }
                self.discard(|of| of == tp);
            }
        }
    }
}

impl Partition {
    pub(super) fn ask(&self, tp: &TopicPartition, leader_epoch: i32) -> Asked {
        Asked {
            tp: tp.clone(),
            topic_id: self.following.topic_id,
            stamp: self.stamp,
            offset: self.fetch_offset,
            offset_epoch: self.fetch_epoch,
            leader_epoch,
        }
    }
}
