//! What goes into a membership and what comes out of it.

use crate::error::ErrorCode;
use bytes::Bytes;
use std::sync::Arc;

/// One generation of the group, as this member takes part in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generation {
    /// Number of the generation.
    pub id: i32,
    /// Id that the coordinator gave to this member.
    pub member_id: Arc<str>,
    /// Protocol that the coordinator chose among those of all members.
    pub protocol: Arc<str>,
}

/// A member as the leader sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Member id.
    pub member_id: String,
    /// `group.instance.id` of a static member.
    pub instance_id: Option<String>,
    /// The member's metadata for the chosen protocol.
    pub metadata: Bytes,
}

/// How a generation ended for this member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GenerationEnd {
    /// In order: offsets can still be committed under the old generation.
    Rebalance,
    /// The coordinator knows the member no more; others may have the assignment already.
    Lost,
}

/// Why the group is left (KIP-800).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaveReason {
    /// The application unsubscribes or ends.
    Asked,
    /// The application was away for longer than `max.poll.interval.ms`.
    PollExpired,
}

/// What the driver has to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Tell the application that its assignment ends, in a cooperative protocol only what it has to give up; then
    /// call [`super::Membership::prepared`].
    Prepare(GenerationEnd),
    /// Tell the application, which is giving up its assignment, that it is lost already.
    LostMeanwhile,
    /// Send JoinGroup; answer with [`super::Membership::on_join`].
    Join {
        /// Number to give back with the answer.
        attempt: u64,
        /// Member id; empty for a new member.
        member_id: Arc<str>,
    },
    /// This member leads: compute everyone's assignment; answer with [`super::Membership::assign`].
    Assign {
        /// Number to give back with the answer.
        attempt: u64,
        /// The generation.
        generation: Generation,
        /// All members.
        members: Vec<Member>,
    },
    /// Send SyncGroup; answer with [`super::Membership::on_sync`].
    Sync {
        /// Number to give back with the answer.
        attempt: u64,
        /// The generation.
        generation: Generation,
        /// Member ids with their assignments; empty unless this member leads.
        assignments: Vec<(String, Bytes)>,
    },
    /// Hand the assignment to the application.
    Assigned {
        /// The generation.
        generation: Generation,
        /// The assignment's bytes.
        assignment: Bytes,
    },
    /// Send Heartbeat; answer with [`super::Membership::on_heartbeat`].
    Heartbeat {
        /// Number to give back with the answer.
        attempt: u64,
        /// The generation.
        generation: Generation,
    },
    /// Send LeaveGroup; no answer is expected.
    Leave {
        /// Id of the member that leaves.
        member_id: Arc<str>,
        /// Whether JoinGroup or SyncGroup is still unanswered; both hold up their connection.
        joining: bool,
        /// Why.
        reason: LeaveReason,
    },
    /// Look the coordinator up again before the next request.
    ForgetCoordinator,
    /// The membership cannot go on; the application has to be told.
    Failed(ErrorCode),
}

/// Why a request brought no answer that helps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplyError {
    /// The coordinator refused it.
    Code(ErrorCode),
    /// No coordinator could be reached, or it did not answer; what it did is unknown.
    Unreachable,
}

/// The useful part of a JoinGroup response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    /// The generation that begins.
    pub generation: Generation,
    /// All members, if this member leads; else `None`.
    pub members: Option<Vec<Member>>,
    /// KIP-814: a static leader that restarted leads again, but the old assignment stays. It is still asked
    /// to assign, since it has to know what it leads; the coordinator is not told.
    pub skip_assignment: bool,
}

/// What may be done with offsets now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Member of this generation; offsets can be committed under it. A member that keeps its assignment while it
    /// joins is one of the old generation until the next begins.
    Member(Generation),
    /// Between two generations: a commit would be refused.
    Rebalancing,
    /// Not a member.
    None,
}
