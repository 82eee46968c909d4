//! How the leader of a consumer group shares the partitions out.
//!
//! # Layout
//!
//! - [`Strategy`]: the names of `partition.assignment.strategy`.
//! - [`range`], [`round_robin`], [`sticky`]: the algorithms, each a pure function behind [`Assignor`].
//! - `user_data`: what members of the sticky strategies tell the leader beside their subscription.
//!
//! # How data flows
//!
//! ```text
//! subscriptions of all members ─┐
//! topics, partitions, racks ────┴─▶ Assignor::assign ─▶ partitions by member
//! ```
//!
//! # What it must never do
//!
//! Depend on anything but its input: the same members and partitions give the same assignment, whoever leads.
//! Give a partition to two members, or to one that has not subscribed to its topic. Leave one out that somebody
//! subscribed to, but for those that the cooperative protocol first takes from another.

pub mod range;
pub mod round_robin;
pub mod sticky;
mod strategy;
pub mod user_data;

pub use range::RangeAssignor;
pub use round_robin::RoundRobinAssignor;
pub use sticky::{CooperativeStickyAssignor, StickyAssignor};
pub use strategy::Strategy;

use crate::group::protocol::Subscription;
use crate::metadata::{MetadataSnapshot, TopicPartition};
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

/// A member of a consumer group, with what it wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscriber {
    /// Member id.
    pub member_id: String,
    /// `group.instance.id` of a static member.
    pub instance_id: Option<String>,
    /// Its subscription.
    pub subscription: Subscription,
}

/// The partitions of a topic, as far as an assignor looks at them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TopicLayout {
    /// How many there are; 0 if the topic does not exist.
    pub partitions: i32,
    /// The racks of the replicas of each partition, by its number (KIP-881); empty if no broker has a rack.
    pub racks: Vec<BTreeSet<Arc<str>>>,
}

/// Topics by name.
pub type Topics = BTreeMap<Arc<str>, TopicLayout>;

/// A strategy of `partition.assignment.strategy`.
pub trait Assignor: Send + Sync + fmt::Debug {
    /// Name in the group protocol, such as `range`.
    fn name(&self) -> &'static str;

    /// Shares out the partitions of `topics`. Every member gets an entry, in the order of `members`.
    fn assign(&self, topics: &Topics, members: &[Subscriber]) -> Vec<(String, Vec<TopicPartition>)>;
}

impl TopicLayout {
    /// A topic without racks.
    pub fn of(partitions: i32) -> Self {
        Self { partitions, racks: Vec::new() }
    }

    /// The topic as the metadata have it; no partitions if they do not.
    pub fn from_metadata(metadata: &MetadataSnapshot, topic: &str) -> Self {
        let Some(info) = metadata.topic(topic) else { return Self::default() };
        let partitions = i32::try_from(info.partitions.len()).unwrap_or(i32::MAX);
        if metadata.brokers.values().all(|broker| broker.rack.is_none()) {
            return Self::of(partitions);
        }
        let rack = |node| metadata.brokers.get(node).and_then(|broker| broker.rack.clone());
        let racks = info.partitions.iter().map(|p| p.replicas.iter().filter_map(rack).collect());
        Self { partitions, racks: racks.collect() }
    }
}

/// Java's `MemberInfo.compareTo`: static members come first.
fn by_identity(a: &Subscriber, b: &Subscriber) -> Ordering {
    match (&a.instance_id, &b.instance_id) {
        (Some(a), Some(b)) => a.cmp(b),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => a.member_id.cmp(&b.member_id),
    }
}

/// The members' indices in that order.
fn in_order(members: &[Subscriber]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..members.len()).collect();
    order.sort_by(|a, b| by_identity(&members[*a], &members[*b]));
    order
}

#[cfg(test)]
mod support;
