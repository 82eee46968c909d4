//! From the first reason for a rebalance to the replies that begin the next generation.

use super::classic::{Group, Phase};
use super::member::Member;
use super::{Action, Joined, JoinedMember, Millis, Synced};
use bytes::Bytes;
use kafka_protocol::ResponseError;

impl Group {
    /// Starts a rebalance, or goes on with the one under way.
    pub(super) fn prepare_rebalance(&mut self, now: Millis, out: &mut Vec<Action>) {
        if self.phase != Phase::PreparingRebalance {
            for member in self.members.values_mut() {
                member.assignment = Bytes::new();
                member.must_sync = false;
                if let Some(token) = member.awaiting_sync.take() {
                    member.heard(now);
                    out.push(Action::Synced(token, Synced::refused(ResponseError::RebalanceInProgress)));
                }
            }
            self.sync_deadline = None;
            self.holds_initial = self.phase == Phase::Empty && self.initial_delay > 0;
            let wait = if self.holds_initial { self.initial_delay } else { self.rebalance_timeout() };
            self.rebalance_deadline = Some(now.saturating_add(wait));
            self.phase = Phase::PreparingRebalance;
        }
        self.complete_if_all_joined(now, out);
    }

    pub(super) fn complete_if_all_joined(&mut self, now: Millis, out: &mut Vec<Action>) {
        let all = self.pending.is_empty() && self.members.values().all(|m| m.awaiting_join.is_some());
        if self.phase == Phase::PreparingRebalance && all && !self.holds_initial {
            self.complete_join(now, out);
        }
    }

    /// Begins the next generation with those who have joined. Static members stay until their session
    /// ends, joined or not.
    pub(super) fn complete_join(&mut self, now: Millis, out: &mut Vec<Action>) {
        self.holds_initial = false;
        let late = |member: &&Member| member.awaiting_join.is_none() && member.instance_id.is_none();
        let gone: Vec<String> = self.members.values().filter(late).map(|m| m.id.clone()).collect();
        for member_id in gone {
            self.forget(&member_id, out);
        }
        let joined = |member: &&Member| member.awaiting_join.is_some();
        let leader_joined = self.leader.as_ref().and_then(|id| self.members.get(id)).filter(joined).is_some();
        if !leader_joined {
            let successor = self.members.values().find(joined).map(|member| member.id.clone());
            if successor.is_none() && !self.members.is_empty() {
                // Only static members that may still come back: give them more time.
                self.rebalance_deadline = Some(now.saturating_add(self.rebalance_timeout()));
                return;
            }
            self.leader = successor;
        }
        self.generation = self.generation.checked_add(1).unwrap_or(1);
        self.rebalance_deadline = None;
        if self.members.is_empty() {
            self.phase = Phase::Empty;
            self.protocol = None;
            return;
        }
        self.protocol = self.select_protocol();
        self.phase = Phase::CompletingRebalance;
        self.sync_deadline = Some(now.saturating_add(self.rebalance_timeout()));
        self.answer_joins(now, out);
    }

    fn answer_joins(&mut self, now: Millis, out: &mut Vec<Action>) {
        let ids: Vec<String> = self.members.keys().cloned().collect();
        for id in ids {
            let reply = self.joined(&id);
            let Some(member) = self.members.get_mut(&id) else { continue };
            member.must_sync = true;
            member.heard(now);
            if let Some(token) = member.awaiting_join.take() {
                out.push(Action::Joined(token, reply));
            }
        }
    }

    /// The reply to a member that is in the current generation; the leader's has all members.
    pub(super) fn joined(&self, member_id: &str) -> Joined {
        let leader = self.leader.clone().unwrap_or_default();
        Joined {
            error: None,
            generation: self.generation,
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone(),
            members: if leader == member_id { self.joined_members() } else { Vec::new() },
            leader,
            member_id: member_id.to_owned(),
            skip_assignment: false,
        }
    }

    pub(super) fn joined_members(&self) -> Vec<JoinedMember> {
        let protocol = self.protocol.as_deref().unwrap_or_default();
        let joined = |member: &Member| JoinedMember {
            member_id: member.id.clone(),
            instance_id: member.instance_id.clone(),
            metadata: member.metadata(protocol),
        };
        self.members.values().map(joined).collect()
    }

    /// Each member votes for the first of its protocols that all support.
    pub(super) fn select_protocol(&self) -> Option<String> {
        let by_all = |name: &str| self.members.values().all(|member| member.supports(name));
        let leader = self.leader.as_ref().and_then(|id| self.members.get(id));
        let candidates: Vec<&str> =
            leader?.protocols.iter().map(|(name, _)| name.as_str()).filter(|name| by_all(name)).collect();
        let vote = |member: &'_ Member| {
            member.protocols.iter().find_map(|(name, _)| candidates.iter().position(|c| c == name))
        };
        let mut votes = vec![0usize; candidates.len()];
        for index in self.members.values().filter_map(vote) {
            votes[index] += 1;
        }
        let most = votes.iter().max()?;
        let winner = votes.iter().position(|count| count == most)?;
        Some(candidates[winner].to_owned())
    }

    fn rebalance_timeout(&self) -> Millis {
        self.members.values().map(|member| member.rebalance_timeout).max().unwrap_or(0)
    }
}
