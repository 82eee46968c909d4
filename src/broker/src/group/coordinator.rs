//! All groups of the broker, without I/O.

use super::classic::{Group, Phase};
use super::{Action, Description, Identity, Join, Joined, Limits, Millis, Sync, Synced, Token};
use kafka_protocol::ResponseError;
use std::collections::BTreeMap;

/// Groups with members or members to come.
const MAX_GROUPS: usize = 100_000;

/// Takes events and time, gives actions. Groups without members are dropped; their committed offsets
/// live elsewhere.
#[derive(Debug)]
pub(crate) struct Coordinator {
    limits: Limits,
    groups: BTreeMap<String, Group>,
}

impl Coordinator {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { limits, groups: BTreeMap::new() }
    }

    pub(crate) fn join(&mut self, now: Millis, token: Token, join: Join, out: &mut Vec<Action>) {
        if let Err(error) = self.check_join(&join) {
            out.push(Action::Joined(token, Joined::refused(error, &join.member_id)));
            return;
        }
        let group_id = join.group_id.clone();
        let delay = self.limits.initial_rebalance_delay;
        let group = self.groups.entry(group_id.clone()).or_insert_with(|| Group::new(delay));
        group.join(now, token, join, out);
        self.drop_if_vacant(&group_id);
    }

    fn check_join(&self, join: &Join) -> Result<(), ResponseError> {
        if join.group_id.is_empty() {
            return Err(ResponseError::InvalidGroupId);
        }
        let allowed = self.limits.min_session_timeout..=self.limits.max_session_timeout;
        if !allowed.contains(&join.session_timeout) {
            return Err(ResponseError::InvalidSessionTimeout);
        }
        if self.groups.contains_key(&join.group_id) {
            return Ok(());
        }
        match join.member_id.is_empty() {
            false => Err(ResponseError::UnknownMemberId),
            true if self.groups.len() >= MAX_GROUPS => Err(ResponseError::CoordinatorNotAvailable),
            true => Ok(()),
        }
    }

    pub(crate) fn sync(
        &mut self,
        now: Millis,
        token: Token,
        group_id: &str,
        sync: Sync,
        out: &mut Vec<Action>,
    ) {
        match self.group(group_id) {
            Ok(group) => group.sync(now, token, sync, out),
            Err(error) => out.push(Action::Synced(token, Synced::refused(error))),
        }
    }

    pub(crate) fn heartbeat(
        &mut self,
        now: Millis,
        group_id: &str,
        who: Identity<'_>,
        generation: i32,
    ) -> Result<(), ResponseError> {
        self.group(group_id)?.heartbeat(now, who, generation)
    }

    pub(crate) fn leave(
        &mut self,
        now: Millis,
        group_id: &str,
        who: Identity<'_>,
        out: &mut Vec<Action>,
    ) -> Result<(), ResponseError> {
        let left = self.group(group_id)?.leave(now, who, out);
        self.drop_if_vacant(group_id);
        left
    }

    /// Whether offsets may be committed. A group without members takes only commits without a
    /// generation (those of a consumer that assigns itself, or of an operator).
    pub(crate) fn check_commit(
        &mut self,
        now: Millis,
        group_id: &str,
        who: Identity<'_>,
        generation: i32,
    ) -> Result<(), ResponseError> {
        if group_id.is_empty() && generation >= 0 {
            return Err(ResponseError::InvalidGroupId);
        }
        match self.groups.get_mut(group_id) {
            Some(group) => group.check_commit(now, who, generation),
            None if generation < 0 => Ok(()),
            None => Err(ResponseError::IllegalGeneration),
        }
    }

    pub(crate) fn describe(&self, group_id: &str) -> Option<Description> {
        self.groups.get(group_id).map(Group::describe)
    }

    /// Id, protocol type and state of each group.
    pub(crate) fn list(&self) -> Vec<(String, String, &'static str)> {
        let listed = |(id, group): (&String, &Group)| {
            (id.clone(), group.protocol_type().unwrap_or_default().to_owned(), group.phase().name())
        };
        self.groups.iter().map(listed).collect()
    }

    /// Refuses what must not be done to a group with members.
    pub(crate) fn check_empty(&self, group_id: &str) -> Result<(), ResponseError> {
        match self.groups.get(group_id) {
            Some(group) if group.phase() != Phase::Empty => Err(ResponseError::NonEmptyGroup),
            _ => Ok(()),
        }
    }

    /// Forgets a group that is not in use.
    pub(crate) fn delete(&mut self, group_id: &str) {
        self.groups.remove(group_id);
    }

    /// When [`Coordinator::tick`] must be called next.
    pub(crate) fn next_deadline(&self) -> Option<Millis> {
        self.groups.values().filter_map(Group::next_deadline).min()
    }

    /// Gives up whoever is late.
    pub(crate) fn tick(&mut self, now: Millis, out: &mut Vec<Action>) {
        for group in self.groups.values_mut() {
            if group.next_deadline().is_some_and(|deadline| deadline <= now) {
                group.tick(now, out);
            }
        }
        self.groups.retain(|_, group| !group.is_vacant());
    }

    fn group(&mut self, group_id: &str) -> Result<&mut Group, ResponseError> {
        if group_id.is_empty() {
            return Err(ResponseError::InvalidGroupId);
        }
        self.groups.get_mut(group_id).ok_or(ResponseError::UnknownMemberId)
    }

    fn drop_if_vacant(&mut self, group_id: &str) {
        if self.groups.get(group_id).is_some_and(Group::is_vacant) {
            self.groups.remove(group_id);
        }
    }
}
