//! A model of the group coordinator: what a member can tell of it.

use super::{Reply, Request};
use crate::error::ErrorCode;
use crate::group::membership::{Generation, Joined, Member, ReplyError};
use bytes::Bytes;
use std::collections::{BTreeMap, HashSet};

const SESSION_MS: u64 = 10_000;
const REBALANCE_MS: u64 = 5_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Empty,
    Preparing { since: u64 },
    Completing { since: u64 },
    Stable,
}

/// The coordinator, as far as a member can tell.
#[derive(Debug)]
pub(super) struct Coordinator {
    pub(super) phase: Phase,
    pub(super) generation: i32,
    given_ids: u32,
    known_ids: HashSet<String>,
    /// Ids, and when they were heard of last.
    pub(super) members: BTreeMap<String, u64>,
    /// Ids of static members by instance.
    statics: BTreeMap<String, String>,
    metadata: BTreeMap<String, Bytes>,
    /// Until when it is being moved to another broker.
    away_until: u64,
    joining: BTreeMap<String, (usize, u64)>,
    syncing: BTreeMap<String, (usize, u64)>,
    assignments: BTreeMap<String, Bytes>,
    pub(super) replies: Vec<(usize, Reply)>,
    /// Commits that were accepted and not looked at yet.
    pub(super) committed: Vec<(String, Vec<u8>)>,
}

impl Coordinator {
    pub(super) fn new() -> Self {
        Self {
            phase: Phase::Empty,
            generation: 0,
            given_ids: 0,
            known_ids: HashSet::new(),
            members: BTreeMap::new(),
            statics: BTreeMap::new(),
            metadata: BTreeMap::new(),
            away_until: 0,
            joining: BTreeMap::new(),
            syncing: BTreeMap::new(),
            assignments: BTreeMap::new(),
            replies: Vec::new(),
            committed: Vec::new(),
        }
    }

    pub(super) fn handle(&mut self, now: u64, node: usize, request: Request) {
        if now < self.away_until {
            return self.refuse(node, request, ErrorCode::NOT_COORDINATOR);
        }
        if self.is_fenced(&request) {
            return self.refuse(node, request, ErrorCode::FENCED_INSTANCE_ID);
        }
        match request {
            Request::Join { attempt, member_id, instance, metadata } => {
                self.join(now, node, attempt, member_id, instance, metadata);
            }
            Request::Sync { attempt, generation, member_id, assignments, .. } => {
                self.sync(now, node, attempt, generation, member_id, assignments);
            }
            Request::Heartbeat { attempt, generation, member_id, .. } => {
                let preparing = matches!(self.phase, Phase::Preparing { .. });
                let answer = match self.check(&member_id, generation) {
                    Ok(()) if preparing => Err(ErrorCode::REBALANCE_IN_PROGRESS),
                    checked => checked,
                };
                self.touch(now, &member_id);
                self.reply(node, Reply::Heartbeat(attempt, answer.map_err(ReplyError::Code)));
            }
            Request::Commit { generation, member_id, partitions } => {
                let answer = match (self.check(&member_id, generation), self.phase) {
                    (Ok(()), Phase::Completing { .. }) => Err(ErrorCode::REBALANCE_IN_PROGRESS),
                    (checked, _) => checked,
                };
                if answer.is_ok() {
                    self.committed.push((member_id, partitions));
                }
                self.reply(node, Reply::Commit(generation, answer.map_err(ReplyError::Code)));
            }
            Request::Leave { member_id } => self.remove(now, &member_id),
        }
    }

    fn refuse(&mut self, node: usize, request: Request, code: ErrorCode) {
        let refused = ReplyError::Code(code);
        let reply = match request {
            Request::Join { attempt, .. } => Reply::Join(attempt, Err(refused)),
            Request::Sync { attempt, .. } => Reply::Sync(attempt, Err(refused)),
            Request::Heartbeat { attempt, .. } => Reply::Heartbeat(attempt, Err(refused)),
            Request::Commit { generation, .. } => Reply::Commit(generation, Err(refused)),
            Request::Leave { .. } => return,
        };
        self.reply(node, reply);
    }

    /// Whether another has taken the place of a static member.
    fn is_fenced(&self, request: &Request) -> bool {
        let (instance, member_id) = match request {
            Request::Join { instance, member_id, .. }
            | Request::Sync { instance, member_id, .. }
            | Request::Heartbeat { instance, member_id, .. } => (instance, member_id),
            Request::Commit { .. } | Request::Leave { .. } => return false,
        };
        let known = instance.as_ref().and_then(|instance| self.statics.get(instance));
        !member_id.is_empty() && known.is_some_and(|known| known != member_id)
    }

    fn join(
        &mut self,
        now: u64,
        node: usize,
        attempt: u64,
        mut member_id: String,
        instance: Option<String>,
        metadata: Bytes,
    ) {
        if member_id.is_empty() {
            self.given_ids += 1;
            member_id = format!("m{:04}", self.given_ids);
            self.known_ids.insert(member_id.clone());
            let Some(instance) = instance else {
                return self.reply(node, Reply::MemberId(attempt, member_id));
            };
            let before = self.statics.insert(instance, member_id.clone());
            if before.is_some_and(|before| self.replace(now, &before, &member_id)) {
                // The old assignment goes on, without a rebalance.
                self.metadata.insert(member_id.clone(), metadata);
                let generation = self.generation_of(&member_id);
                let joined = Joined { generation, members: None, skip_assignment: false };
                return self.reply(node, Reply::Join(attempt, Ok(joined)));
            }
        }
        if !self.known_ids.contains(&member_id) {
            let unknown = ReplyError::Code(ErrorCode::UNKNOWN_MEMBER_ID);
            return self.reply(node, Reply::Join(attempt, Err(unknown)));
        }
        self.members.insert(member_id.clone(), now);
        self.metadata.insert(member_id.clone(), metadata);
        self.joining.insert(member_id, (node, attempt));
        self.prepare(now);
    }

    /// A static member comes back under another id. True if the group can go on as it is.
    fn replace(&mut self, now: u64, before: &str, member_id: &str) -> bool {
        self.known_ids.remove(before);
        self.refuse_waiting(|waiting| waiting == before);
        if self.members.remove(before).is_none() {
            return false;
        }
        self.members.insert(member_id.to_owned(), now);
        if let Some(assignment) = self.assignments.remove(before) {
            self.assignments.insert(member_id.to_owned(), assignment);
        }
        self.phase == Phase::Stable
    }

    fn generation_of(&self, member_id: &str) -> Generation {
        Generation { id: self.generation, member_id: member_id.into(), protocol: "p".into() }
    }

    /// Another broker takes over, and those who wait have to ask there.
    pub(super) fn moves(&mut self, now: u64, away_ms: u64) {
        self.away_until = now + away_ms;
        let moved = ReplyError::Code(ErrorCode::NOT_COORDINATOR);
        for (_, (node, attempt)) in std::mem::take(&mut self.joining) {
            self.reply(node, Reply::Join(attempt, Err(moved)));
        }
        for (_, (node, attempt)) in std::mem::take(&mut self.syncing) {
            self.reply(node, Reply::Sync(attempt, Err(moved)));
        }
        if matches!(self.phase, Phase::Preparing { .. } | Phase::Completing { .. }) {
            self.phase = Phase::Preparing { since: self.away_until };
        }
        for seen in self.members.values_mut() {
            *seen = self.away_until;
        }
    }

    fn sync(
        &mut self,
        now: u64,
        node: usize,
        attempt: u64,
        generation: i32,
        id: String,
        assignments: Vec<(String, Bytes)>,
    ) {
        self.touch(now, &id);
        let refused = match (self.check(&id, generation), self.phase) {
            (Err(code), _) => Some(code),
            (Ok(()), Phase::Preparing { .. } | Phase::Empty) => Some(ErrorCode::REBALANCE_IN_PROGRESS),
            (Ok(()), Phase::Completing { .. } | Phase::Stable) => None,
        };
        if let Some(code) = refused {
            return self.reply(node, Reply::Sync(attempt, Err(ReplyError::Code(code))));
        }
        self.syncing.insert(id, (node, attempt));
        if !assignments.is_empty() && self.phase != Phase::Stable {
            self.assignments = assignments.into_iter().collect();
            self.phase = Phase::Stable;
        }
        if self.phase == Phase::Stable {
            for (id, (node, attempt)) in std::mem::take(&mut self.syncing) {
                let bytes = self.assignments.get(&id).cloned().unwrap_or_default();
                self.touch(now, &id);
                self.reply(node, Reply::Sync(attempt, Ok(bytes)));
            }
        }
    }

    fn check(&self, id: &str, generation: i32) -> Result<(), ErrorCode> {
        if !self.members.contains_key(id) {
            return Err(ErrorCode::UNKNOWN_MEMBER_ID);
        }
        if generation == self.generation { Ok(()) } else { Err(ErrorCode::ILLEGAL_GENERATION) }
    }

    fn touch(&mut self, now: u64, id: &str) {
        if let Some(seen) = self.members.get_mut(id) {
            *seen = now;
        }
    }

    fn prepare(&mut self, now: u64) {
        if !matches!(self.phase, Phase::Preparing { .. }) {
            self.phase = Phase::Preparing { since: now };
            for (_, (node, attempt)) in std::mem::take(&mut self.syncing) {
                let again = ReplyError::Code(ErrorCode::REBALANCE_IN_PROGRESS);
                self.reply(node, Reply::Sync(attempt, Err(again)));
            }
        }
    }

    pub(super) fn remove(&mut self, now: u64, id: &str) {
        self.known_ids.remove(id);
        self.refuse_waiting(|waiting| waiting == id);
        if self.members.remove(id).is_some() {
            self.prepare(now);
        }
    }

    pub(super) fn forget_everyone(&mut self) {
        self.known_ids.clear();
        self.members.clear();
        self.refuse_waiting(|_| true);
        self.phase = Phase::Empty;
    }

    fn refuse_waiting(&mut self, whom: impl Fn(&str) -> bool) {
        let unknown = ReplyError::Code(ErrorCode::UNKNOWN_MEMBER_ID);
        for (_, (node, attempt)) in self.joining.extract_if(.., |id, _| whom(id)) {
            self.replies.push((node, Reply::Join(attempt, Err(unknown))));
        }
        for (_, (node, attempt)) in self.syncing.extract_if(.., |id, _| whom(id)) {
            self.replies.push((node, Reply::Sync(attempt, Err(unknown))));
        }
    }

    pub(super) fn tick(&mut self, now: u64) {
        if now < self.away_until {
            return;
        }
        let expired: Vec<String> = self
            .members
            .iter()
            .filter(|(id, seen)| !self.joining.contains_key(*id) && now > **seen + SESSION_MS)
            .map(|(id, _)| id.clone())
            .collect();
        for id in expired {
            self.remove(now, &id);
        }
        match self.phase {
            Phase::Preparing { since } => {
                let all_here = self.members.keys().all(|id| self.joining.contains_key(id));
                if all_here || now > since + REBALANCE_MS {
                    self.begin_generation(now);
                }
            }
            Phase::Completing { since } if now > since + REBALANCE_MS => self.prepare(now),
            _ => {}
        }
    }

    fn begin_generation(&mut self, now: u64) {
        let joining = std::mem::take(&mut self.joining);
        self.members = joining.keys().map(|id| (id.clone(), now)).collect();
        self.known_ids.retain(|id| joining.contains_key(id));
        if joining.is_empty() {
            self.phase = Phase::Empty;
            return;
        }
        self.generation += 1;
        self.phase = Phase::Completing { since: now };
        let member = |id: &String| Member {
            member_id: id.clone(),
            instance_id: None,
            metadata: self.metadata[id].clone(),
        };
        let members: Vec<Member> = joining.keys().map(member).collect();
        for (n, (id, (node, attempt))) in joining.iter().enumerate() {
            let generation = self.generation_of(id);
            let members = (n == 0).then(|| members.clone());
            let joined = Joined { generation, members, skip_assignment: false };
            self.reply(*node, Reply::Join(*attempt, Ok(joined)));
        }
    }

    fn reply(&mut self, node: usize, reply: Reply) {
        self.replies.push((node, reply));
    }
}
