//! Consumer groups of the classic protocol, for any protocol type (`consumer`, `connect`, …).
//!
//! # Layout
//!
//! - [`classic`]: [`classic::Group`], the state machine of one group; [`join`] is the part of it that takes
//!   in members, [`rebalance`] the one that begins a generation, [`member`] what it knows of each.
//! - [`coordinator`]: all groups, still without I/O: requests and time in, [`Action`]s out.
//! - [`driver`]: the thin part with timers and waiting requests.
//! - [`offsets`]: committed offsets, and their file.
//!
//! # How data flows
//!
//! ```text
//! request ─▶ driver ─▶ coordinator(now, event) ─▶ actions ─▶ waiting requests get their replies
//! timer   ─▶ driver ─▶ coordinator.tick(now)   ─▶ actions ─┘
//! ```
//!
//! The rules are those of `org.apache.kafka.coordinator.group.classic.ClassicGroup` and its manager.
//!
//! # What it must never do
//!
//! Read a clock, draw random numbers or wait inside the state machine: everything comes in with the event.

mod classic;
mod coordinator;
mod driver;
mod join;
mod member;
pub(crate) mod offsets;
mod rebalance;
#[cfg(test)]
mod tests;

pub(crate) use driver::Groups;

use bytes::Bytes;
use kafka_protocol::ResponseError;

/// Milliseconds on the clock of the driver; only differences matter.
pub(crate) type Millis = u64;

/// Names a request that waits for its reply.
pub(crate) type Token = u64;

/// The limits of a coordinator.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) min_session_timeout: Millis,
    pub(crate) max_session_timeout: Millis,
    pub(crate) initial_rebalance_delay: Millis,
}

/// A member as it names itself in a request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Identity<'a> {
    pub(crate) member_id: &'a str,
    pub(crate) instance_id: Option<&'a str>,
}

/// A JoinGroup request.
#[derive(Debug, Clone)]
pub(crate) struct Join {
    pub(crate) group_id: String,
    pub(crate) member_id: String,
    pub(crate) instance_id: Option<String>,
    /// Id for the member if it is new: chosen by the driver, so that the state machine is deterministic.
    pub(crate) new_member_id: String,
    pub(crate) client_id: String,
    pub(crate) client_host: String,
    pub(crate) session_timeout: Millis,
    pub(crate) rebalance_timeout: Millis,
    pub(crate) protocol_type: String,
    /// Name and metadata, the preferred one first.
    pub(crate) protocols: Vec<(String, Bytes)>,
    /// Version 4 and later: a new member must come back with the id that it is given (KIP-394).
    pub(crate) require_known_id: bool,
    /// Version 9 and later: a static leader that came back need not assign (KIP-814).
    pub(crate) can_skip_assignment: bool,
}

/// The answer to a [`Join`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Joined {
    pub(crate) error: Option<ResponseError>,
    pub(crate) generation: i32,
    pub(crate) protocol_type: Option<String>,
    pub(crate) protocol: Option<String>,
    pub(crate) leader: String,
    pub(crate) member_id: String,
    pub(crate) skip_assignment: bool,
    /// For the leader only.
    pub(crate) members: Vec<JoinedMember>,
}

/// A member as the leader sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct JoinedMember {
    pub(crate) member_id: String,
    pub(crate) instance_id: Option<String>,
    pub(crate) metadata: Bytes,
}

impl Joined {
    pub(crate) fn refused(error: ResponseError, member_id: &str) -> Self {
        Self { error: Some(error), generation: -1, member_id: member_id.to_owned(), ..Self::default() }
    }
}

/// A SyncGroup request.
#[derive(Debug, Clone)]
pub(crate) struct Sync {
    pub(crate) member_id: String,
    pub(crate) instance_id: Option<String>,
    pub(crate) generation: i32,
    pub(crate) protocol_type: Option<String>,
    pub(crate) protocol: Option<String>,
    pub(crate) assignments: Vec<(String, Bytes)>,
}

/// The answer to a [`Sync`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Synced {
    pub(crate) error: Option<ResponseError>,
    pub(crate) protocol_type: Option<String>,
    pub(crate) protocol: Option<String>,
    pub(crate) assignment: Bytes,
}

impl Synced {
    pub(crate) fn refused(error: ResponseError) -> Self {
        Self { error: Some(error), ..Self::default() }
    }
}

/// A reply that is now due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
    Joined(Token, Joined),
    Synced(Token, Synced),
}

/// What DescribeGroups tells.
#[derive(Debug, Clone)]
pub(crate) struct Description {
    pub(crate) state: &'static str,
    pub(crate) protocol_type: String,
    pub(crate) protocol: String,
    pub(crate) members: Vec<DescribedMember>,
}

/// A member in a [`Description`].
#[derive(Debug, Clone)]
pub(crate) struct DescribedMember {
    pub(crate) member_id: String,
    pub(crate) instance_id: Option<String>,
    pub(crate) client_id: String,
    pub(crate) client_host: String,
    pub(crate) metadata: Bytes,
    pub(crate) assignment: Bytes,
}
