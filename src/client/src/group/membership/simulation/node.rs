//! A member with its application.

use super::{PARTITIONS, Reply, Request};
use crate::error::ErrorCode;
use crate::group::assignor::{
    Assignor, CooperativeStickyAssignor, RangeAssignor, Subscriber, TopicLayout, Topics,
};
use crate::group::membership::*;
use crate::group::protocol::Subscription;
use crate::metadata::TopicPartition;
use bytes::Bytes;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

const TOPIC: &str = "t";

pub(super) struct Node {
    pub(super) machine: Membership,
    /// Changes with a restart.
    pub(super) port: usize,
    pub(super) member_id: String,
    pub(super) owned: BTreeSet<u8>,
    /// It knows that what it owns is lost.
    pub(super) lost: bool,
    giving_up: BTreeSet<u8>,
    instance: Option<String>,
    cooperative: bool,
    /// When the application will have given up what it has to.
    prepared_at: Option<u64>,
    generation: i32,
    commits_in_flight: usize,
}

impl Node {
    pub(super) fn new(port: usize, instance: Option<String>, cooperative: bool, now: Instant) -> Self {
        let config = MembershipConfig {
            instance_id: instance.clone(),
            heartbeat_interval: Duration::from_millis(1_000),
            retry_backoff: Duration::from_millis(100),
            retry_backoff_max: Duration::from_millis(1_000),
        };
        Self {
            machine: Membership::new(config, now),
            port,
            member_id: String::new(),
            owned: BTreeSet::new(),
            lost: false,
            giving_up: BTreeSet::new(),
            instance,
            cooperative,
            prepared_at: None,
            generation: 0,
            commits_in_flight: 0,
        }
    }

    /// The process ends without a word and starts anew.
    pub(super) fn restart(&mut self, now: Instant) {
        *self = Self::new(self.port + 1_000, self.instance.clone(), self.cooperative, now);
        self.machine.join();
    }

    /// Leaves in order and comes back: the application gave everything up before.
    pub(super) fn leave_and_come_back(&mut self) {
        if self.commits_in_flight == 0 {
            self.owned.clear();
            self.giving_up.clear();
            self.prepared_at = None;
            self.machine.leave();
            self.machine.join();
        }
    }

    pub(super) fn take(&mut self, now: Instant, reply: Reply) {
        match reply {
            Reply::MemberId(attempt, id) => self.machine.on_member_id(attempt, &id),
            Reply::Join(attempt, answer) => self.machine.on_join(now, attempt, answer),
            Reply::Sync(attempt, answer) => self.machine.on_sync(now, attempt, answer),
            Reply::Heartbeat(attempt, answer) => self.machine.on_heartbeat(now, attempt, answer),
            Reply::Commit(generation, answer) => {
                self.commits_in_flight = self.commits_in_flight.saturating_sub(1);
                if let Err(ReplyError::Code(code)) = answer
                    && code != ErrorCode::NOT_COORDINATOR
                {
                    self.machine.on_commit_refused(generation, code);
                }
            }
        }
    }

    /// Commits what it owns, if it may.
    pub(super) fn commit(&mut self) -> Option<Request> {
        let Standing::Member(generation) = self.machine.standing() else { return None };
        if self.owned.is_empty() {
            return None;
        }
        self.commits_in_flight += 1;
        let partitions = self.owned.iter().copied().collect();
        Some(Request::Commit {
            generation: generation.id,
            member_id: generation.member_id.to_string(),
            partitions,
        })
    }

    /// The application is done with giving up, once nothing that it commits is under way.
    pub(super) fn prepare_further(&mut self, now: u64) {
        if self.prepared_at.is_none_or(|at| now < at) || self.commits_in_flight > 0 {
            return;
        }
        self.prepared_at = None;
        if self.lost || !self.cooperative {
            self.owned.clear();
        }
        let giving_up = std::mem::take(&mut self.giving_up);
        self.owned.retain(|partition| !giving_up.contains(partition));
        self.lost = false;
        self.machine.prepared(self.cooperative && !self.owned.is_empty());
    }

    pub(super) fn perform(
        &mut self,
        seed: u64,
        now: Instant,
        prepared_at: u64,
        action: Action,
    ) -> Option<Request> {
        let instance = self.instance.clone();
        Some(match action {
            Action::Prepare(end) => {
                self.lost = end == GenerationEnd::Lost;
                self.prepared_at = Some(prepared_at);
                return None;
            }
            Action::Join { attempt, member_id } => {
                assert!(
                    self.cooperative || self.owned.is_empty(),
                    "seed {seed}: joins while it owns {:?}",
                    self.owned
                );
                assert!(self.prepared_at.is_none(), "seed {seed}: joins while the application prepares");
                Request::Join {
                    attempt,
                    member_id: member_id.to_string(),
                    instance,
                    metadata: self.metadata(),
                }
            }
            Action::Assign { attempt, members, .. } => {
                let shares = shares(self.cooperative, members);
                self.machine.assign(now, attempt, Some(shares));
                return None;
            }
            Action::Sync { attempt, generation, assignments } => Request::Sync {
                attempt,
                generation: generation.id,
                member_id: generation.member_id.to_string(),
                instance,
                assignments,
            },
            Action::Assigned { generation, assignment } => {
                self.assigned(seed, &generation, assignment.iter().copied().collect());
                return None;
            }
            Action::Heartbeat { attempt, generation } => Request::Heartbeat {
                attempt,
                generation: generation.id,
                member_id: generation.member_id.to_string(),
                instance,
            },
            Action::Leave { member_id, .. } => Request::Leave { member_id: member_id.to_string() },
            Action::LostMeanwhile => {
                self.lost = true;
                return None;
            }
            Action::ForgetCoordinator => return None,
            Action::Failed(code) => panic!("seed {seed}: failed with {code}"),
        })
    }

    fn assigned(&mut self, seed: u64, generation: &Generation, target: BTreeSet<u8>) {
        // A static member comes back into the generation that goes on.
        let old =
            generation.id < self.generation || (generation.id == self.generation && self.instance.is_none());
        assert!(!old, "seed {seed}: generations go back");
        self.generation = generation.id;
        self.member_id = generation.member_id.to_string();
        self.giving_up = self.owned.difference(&target).copied().collect();
        self.owned.extend(target);
        if !self.giving_up.is_empty() {
            assert!(self.cooperative, "seed {seed}: it had given up everything");
            self.machine.rejoin();
        }
    }

    fn metadata(&self) -> Bytes {
        let generation = self.machine.generation().map_or(-1, |g| g.id);
        let owned = self.owned.iter().map(|p| TopicPartition::new(TOPIC, i32::from(*p))).collect();
        let topics = vec![TOPIC.into()];
        Subscription { topics, owned, generation, ..Subscription::default() }.encode()
    }
}

/// The leader's work, with the real assignors.
fn shares(cooperative: bool, members: Vec<Member>) -> Vec<(String, Bytes)> {
    let subscriber = |member: Member| Subscriber {
        member_id: member.member_id,
        instance_id: member.instance_id,
        subscription: Subscription::decode(member.metadata).unwrap(),
    };
    let members: Vec<_> = members.into_iter().map(subscriber).collect();
    let assignor: &dyn Assignor = if cooperative { &CooperativeStickyAssignor } else { &RangeAssignor };
    let topics = Topics::from([(TOPIC.into(), TopicLayout::of(i32::from(PARTITIONS)))]);
    let encode =
        |tps: Vec<TopicPartition>| tps.iter().map(|tp| tp.partition as u8).collect::<Vec<_>>().into();
    assignor.assign(&topics, &members).into_iter().map(|(member, tps)| (member, encode(tps))).collect()
}
