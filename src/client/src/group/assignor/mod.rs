//! How the leader of a consumer group shares the partitions out.
//!
//! An assignor is a pure function: the same members and partitions give the same assignment, whoever
//! leads. It must give every partition of a subscribed topic to exactly one of the topic's subscribers.

mod range;

pub use range::RangeAssignor;

use crate::group::protocol::Subscription;
use crate::metadata::TopicPartition;
use std::collections::BTreeMap;
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

/// A strategy of `partition.assignment.strategy`.
pub trait Assignor: Send + Sync + fmt::Debug {
    /// Name in the group protocol, such as `range`.
    fn name(&self) -> &'static str;

    /// Shares out `partitions` (topic to number of partitions; topics that do not exist are left out).
    /// Every member gets an entry, in the order of `members`.
    fn assign(
        &self,
        partitions: &BTreeMap<Arc<str>, i32>,
        members: &[Subscriber],
    ) -> Vec<(String, Vec<TopicPartition>)>;
}
