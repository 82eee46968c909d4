//! The state machine of one group: rebalances, sync, heartbeats, leaving, and timeouts.
//!
//! ```text
//!            join                 all have joined           leader's sync
//!  Empty ──────────▶ Preparing ─────────────────▶ Completing ─────────────▶ Stable
//!    ▲                 ▲   │ nobody is left           │ a member joins,        │
//!    └─────────────────┼───┘                          ▼ leaves or expires      ▼
//!                      └──────────────────────────────┴────────────────────────┘
//! ```

use super::member::Member;
use super::{Action, DescribedMember, Description, Identity, Joined, Millis, Sync, Synced, Token};
use bytes::Bytes;
use kafka_protocol::ResponseError;
use std::collections::BTreeMap;

/// Where a group is in its life. A dead group is one that the coordinator has dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Empty,
    PreparingRebalance,
    CompletingRebalance,
    Stable,
}

impl Phase {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::PreparingRebalance => "PreparingRebalance",
            Self::CompletingRebalance => "CompletingRebalance",
            Self::Stable => "Stable",
        }
    }
}

/// One group.
#[derive(Debug)]
pub(crate) struct Group {
    pub(super) phase: Phase,
    pub(super) generation: i32,
    pub(super) protocol_type: Option<String>,
    pub(super) protocol: Option<String>,
    pub(super) leader: Option<String>,
    pub(super) members: BTreeMap<String, Member>,
    /// Member ids by `group.instance.id` (KIP-345).
    pub(super) statics: BTreeMap<String, String>,
    /// Ids that were handed out, and when they lapse if nobody joins with them.
    pub(super) pending: BTreeMap<String, Millis>,
    /// When the rebalance goes on without those who have not joined.
    pub(super) rebalance_deadline: Option<Millis>,
    /// When members that have not synced are given up.
    pub(super) sync_deadline: Option<Millis>,
    /// The first rebalance waits out `group.initial.rebalance.delay.ms` even if all have joined.
    pub(super) holds_initial: bool,
    pub(super) initial_delay: Millis,
}

impl Group {
    pub(crate) fn new(initial_delay: Millis) -> Self {
        Self {
            phase: Phase::Empty,
            generation: 0,
            protocol_type: None,
            protocol: None,
            leader: None,
            members: BTreeMap::new(),
            statics: BTreeMap::new(),
            pending: BTreeMap::new(),
            rebalance_deadline: None,
            sync_deadline: None,
            holds_initial: false,
            initial_delay,
        }
    }

    /// Whether nobody is in it or on the way into it.
    pub(crate) fn is_vacant(&self) -> bool {
        self.members.is_empty() && self.pending.is_empty() && self.phase == Phase::Empty
    }

    pub(crate) fn phase(&self) -> Phase {
        self.phase
    }

    pub(crate) fn protocol_type(&self) -> Option<&str> {
        self.protocol_type.as_deref()
    }

    // ---- requests of members -------------------------------------------------------------------

    /// Takes a SyncGroup. The reply may come later, with the leader's.
    pub(crate) fn sync(&mut self, now: Millis, token: Token, sync: Sync, out: &mut Vec<Action>) {
        if let Err(error) = self.try_sync(now, token, sync, out) {
            out.push(Action::Synced(token, Synced::refused(error)));
        }
    }

    fn try_sync(
        &mut self,
        now: Millis,
        token: Token,
        sync: Sync,
        out: &mut Vec<Action>,
    ) -> Result<(), ResponseError> {
        let who = Identity { member_id: &sync.member_id, instance_id: sync.instance_id.as_deref() };
        self.check_member(who)?;
        self.check_generation(sync.generation)?;
        let differs = |asked: &Option<String>, ours: &Option<String>| asked.is_some() && asked != ours;
        if differs(&sync.protocol_type, &self.protocol_type) || differs(&sync.protocol, &self.protocol) {
            return Err(ResponseError::InconsistentGroupProtocol);
        }
        let is_leader = self.leader.as_ref() == Some(&sync.member_id);
        let member = self.members.get_mut(&sync.member_id).ok_or(ResponseError::UnknownMemberId)?;
        match self.phase {
            Phase::Empty => return Err(ResponseError::UnknownMemberId),
            Phase::PreparingRebalance => return Err(ResponseError::RebalanceInProgress),
            Phase::Stable => {
                member.must_sync = false;
                member.heard(now);
                let assignment = member.assignment.clone();
                out.push(Action::Synced(token, self.synced(assignment)));
            }
            Phase::CompletingRebalance => {
                member.must_sync = false;
                if let Some(earlier) = member.awaiting_sync.replace(token) {
                    out.push(Action::Synced(earlier, Synced::refused(ResponseError::RebalanceInProgress)));
                }
                if is_leader {
                    self.assign(now, sync.assignments, out);
                }
            }
        }
        self.forget_sync_deadline_if_done();
        Ok(())
    }

    fn assign(&mut self, now: Millis, assignments: Vec<(String, Bytes)>, out: &mut Vec<Action>) {
        for (member_id, assignment) in assignments {
            if let Some(member) = self.members.get_mut(&member_id) {
                member.assignment = assignment;
            }
        }
        self.phase = Phase::Stable;
        let template = self.synced(Bytes::new());
        for member in self.members.values_mut() {
            if let Some(token) = member.awaiting_sync.take() {
                member.heard(now);
                let assignment = member.assignment.clone();
                out.push(Action::Synced(token, Synced { assignment, ..template.clone() }));
            }
        }
    }

    fn synced(&self, assignment: Bytes) -> Synced {
        Synced {
            error: None,
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone(),
            assignment,
        }
    }

    /// Takes a heartbeat; `RebalanceInProgress` asks the member to join again.
    pub(crate) fn heartbeat(
        &mut self,
        now: Millis,
        who: Identity<'_>,
        generation: i32,
    ) -> Result<(), ResponseError> {
        self.check_member(who)?;
        self.check_generation(generation)?;
        if let Some(member) = self.members.get_mut(who.member_id) {
            member.heard(now);
        }
        match self.phase {
            Phase::Empty => Err(ResponseError::UnknownMemberId),
            Phase::PreparingRebalance => Err(ResponseError::RebalanceInProgress),
            Phase::CompletingRebalance | Phase::Stable => Ok(()),
        }
    }

    /// Lets one member go.
    pub(crate) fn leave(
        &mut self,
        now: Millis,
        who: Identity<'_>,
        out: &mut Vec<Action>,
    ) -> Result<(), ResponseError> {
        if who.instance_id.is_none() && self.pending.remove(who.member_id).is_some() {
            self.complete_if_all_joined(now, out);
            return Ok(());
        }
        let member_id = match who.instance_id {
            // An operator removes a static member by its instance id alone.
            Some(instance) if who.member_id.is_empty() => {
                self.statics.get(instance).cloned().ok_or(ResponseError::UnknownMemberId)?
            }
            _ => {
                self.check_member(who)?;
                who.member_id.to_owned()
            }
        };
        self.remove(now, &member_id, out);
        Ok(())
    }

    /// Whether offsets may be committed in the name of that member and generation.
    pub(crate) fn check_commit(
        &mut self,
        now: Millis,
        who: Identity<'_>,
        generation: i32,
    ) -> Result<(), ResponseError> {
        let anonymous = generation < 0 && who.member_id.is_empty() && who.instance_id.is_none();
        if generation < 0 && self.phase == Phase::Empty {
            return Ok(());
        }
        if anonymous {
            // Somebody commits from outside while the group has members.
            return Err(ResponseError::UnknownMemberId);
        }
        self.check_member(who)?;
        self.check_generation(generation)?;
        if self.phase == Phase::CompletingRebalance {
            return Err(ResponseError::RebalanceInProgress);
        }
        if let Some(member) = self.members.get_mut(who.member_id) {
            member.heard(now);
        }
        Ok(())
    }

    pub(super) fn check_member(&self, who: Identity<'_>) -> Result<(), ResponseError> {
        if let Some(instance) = who.instance_id {
            let member_id = self.statics.get(instance).ok_or(ResponseError::UnknownMemberId)?;
            if member_id != who.member_id {
                return Err(ResponseError::FencedInstanceId);
            }
        }
        if self.members.contains_key(who.member_id) { Ok(()) } else { Err(ResponseError::UnknownMemberId) }
    }

    fn check_generation(&self, generation: i32) -> Result<(), ResponseError> {
        if generation == self.generation { Ok(()) } else { Err(ResponseError::IllegalGeneration) }
    }

    // ---- members that go -----------------------------------------------------------------------

    /// Removes a member, and rebalances without it.
    fn remove(&mut self, now: Millis, member_id: &str, out: &mut Vec<Action>) {
        self.forget(member_id, out);
        match self.phase {
            Phase::Stable | Phase::CompletingRebalance => self.prepare_rebalance(now, out),
            Phase::PreparingRebalance => self.complete_if_all_joined(now, out),
            Phase::Empty => {}
        }
    }

    pub(super) fn forget(&mut self, member_id: &str, out: &mut Vec<Action>) {
        let Some(mut member) = self.members.remove(member_id) else { return };
        refuse_waiting(&mut member, ResponseError::UnknownMemberId, out);
        if let Some(instance) = &member.instance_id {
            self.statics.remove(instance);
        }
        if self.leader.as_deref() == Some(member_id) {
            self.leader = self.members.keys().next().cloned();
        }
    }

    fn forget_sync_deadline_if_done(&mut self) {
        if self.members.values().all(|member| !member.must_sync) {
            self.sync_deadline = None;
        }
    }

    // ---- time ----------------------------------------------------------------------------------

    /// When [`Group::tick`] must be called next.
    pub(crate) fn next_deadline(&self) -> Option<Millis> {
        let sessions = self.members.values().filter(|m| !m.is_waiting()).map(|m| m.session_deadline);
        let others = self.rebalance_deadline.into_iter().chain(self.sync_deadline);
        sessions.chain(self.pending.values().copied()).chain(others).min()
    }

    /// Gives up whoever is late.
    pub(crate) fn tick(&mut self, now: Millis, out: &mut Vec<Action>) {
        let pending = self.pending.len();
        self.pending.retain(|_, lapses| *lapses > now);
        if self.pending.len() < pending {
            self.complete_if_all_joined(now, out);
        }
        self.expire(now, Member::is_expired, out);
        if self.rebalance_deadline.is_some_and(|deadline| deadline <= now) {
            self.complete_join(now, out);
        }
        if self.sync_deadline.is_some_and(|deadline| deadline <= now) {
            self.sync_deadline = None;
            self.expire(now, |member, _| member.must_sync, out);
        }
    }

    fn expire(&mut self, now: Millis, is_late: impl Fn(&Member, Millis) -> bool, out: &mut Vec<Action>) {
        let late = self.members.values().filter(|member| is_late(member, now));
        let late: Vec<String> = late.map(|member| member.id.clone()).collect();
        for member_id in late {
            self.remove(now, &member_id, out);
        }
    }

    // ---- for operators -------------------------------------------------------------------------

    pub(crate) fn describe(&self) -> Description {
        let protocol = match self.phase {
            Phase::Stable => self.protocol.clone().unwrap_or_default(),
            _ => String::new(),
        };
        let member = |member: &Member| DescribedMember {
            member_id: member.id.clone(),
            instance_id: member.instance_id.clone(),
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            metadata: member.metadata(&protocol),
            assignment: member.assignment.clone(),
        };
        Description {
            state: self.phase.name(),
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            members: self.members.values().map(member).collect(),
            protocol,
        }
    }
}

/// Answers what the member waits for with an error.
pub(super) fn refuse_waiting(member: &mut Member, error: ResponseError, out: &mut Vec<Action>) {
    if let Some(token) = member.awaiting_join.take() {
        out.push(Action::Joined(token, Joined::refused(error, &member.id)));
    }
    if let Some(token) = member.awaiting_sync.take() {
        out.push(Action::Synced(token, Synced::refused(error)));
    }
}
