//! What goes into a membership in the consumer protocol, and what comes out of it.

use crate::error::ErrorCode;
use crate::group::membership::ReplyError;
use crate::metadata::TopicPartition;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// Partitions by the id of their topic.
pub type IdPartitions = BTreeMap<Uuid, BTreeSet<i32>>;

/// What a member wants to read: topics by name, those that a regular expression matches, or both.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Subscription {
    /// Names of topics.
    pub topics: BTreeSet<Arc<str>>,
    /// A regular expression (RE2J) that the coordinator matches against whole names.
    pub regex: Option<Arc<str>>,
}

/// The fields of a ConsumerGroupHeartbeat request that change; `None` says "as in the request before".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heartbeat {
    /// The member's epoch; 0 joins.
    pub epoch: i32,
    /// Names that are subscribed to.
    pub topics: Option<BTreeSet<Arc<str>>>,
    /// Regular expression that is subscribed to; the empty one takes it back.
    pub regex: Option<Arc<str>>,
    /// What the member holds.
    pub owned: Option<IdPartitions>,
    /// Whether everything that does not change (timeout, assignor, rack) is sent as well.
    pub full: bool,
}

/// The useful part of a ConsumerGroupHeartbeat response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeartbeatAnswer {
    /// The member's epoch from now on; above 0.
    pub epoch: i32,
    /// When the coordinator expects the next heartbeat.
    pub interval: Duration,
    /// What the member is to hold, if that has changed.
    pub assignment: Option<IdPartitions>,
}

/// What the driver has to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Send ConsumerGroupHeartbeat; answer with [`super::ConsumerMembership::on_heartbeat`].
    Heartbeat {
        /// Number to give back with the answer.
        attempt: u64,
        /// The request.
        heartbeat: Heartbeat,
    },
    /// Send a last heartbeat; no answer is expected.
    Leave {
        /// -1, or -2 for a static member that will be back.
        epoch: i32,
    },
    /// Look the names of these topics up; answer with [`super::ConsumerMembership::on_names`].
    Resolve(BTreeSet<Uuid>),
    /// Tell the application to give these partitions up; then call [`super::ConsumerMembership::revoked`].
    Revoke {
        /// Number to give back.
        step: u64,
        /// The partitions that go.
        partitions: Vec<TopicPartition>,
    },
    /// Tell the application that these are all partitions that it has now.
    Assign(Vec<TopicPartition>),
    /// Tell the application that it has lost all partitions; then call [`super::ConsumerMembership::released`].
    Lose {
        /// Number to give back.
        step: u64,
    },
    /// Look the coordinator up again before the next request.
    ForgetCoordinator,
    /// Tell the application of an error; the membership goes on.
    Report(ErrorCode),
    /// The membership cannot go on; the application has to be told.
    Failed(ErrorCode),
}

/// The answer to a heartbeat, or why there is none that helps.
pub type Answered = Result<HeartbeatAnswer, ReplyError>;
