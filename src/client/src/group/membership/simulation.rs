//! Several memberships against a model of the coordinator, over a network that delays and loses, for
//! many seeds. A failing seed is printed and can be run alone.

use super::*;
use crate::backoff::Rng;
use std::collections::{BTreeMap, BTreeSet, HashSet};

const PARTITIONS: u8 = 6;
const SESSION_MS: u64 = 10_000;
const REBALANCE_MS: u64 = 5_000;
const CHAOS_MS: u64 = 60_000;
const CALM_MS: u64 = 60_000;
const TICK_MS: u64 = 20;

/// A request or answer under way.
#[derive(Debug)]
enum Message {
    Request { node: usize, request: Request },
    Reply { node: usize, reply: Reply },
}

#[derive(Debug)]
enum Request {
    Join { attempt: u64, member_id: String },
    Sync { attempt: u64, generation: i32, member_id: String, assignments: Vec<(String, Bytes)> },
    Heartbeat { attempt: u64, generation: i32, member_id: String },
    Leave { member_id: String },
}

#[derive(Debug)]
enum Reply {
    MemberId(u64, String),
    Join(u64, Result<Joined, ReplyError>),
    Sync(u64, Result<Bytes, ReplyError>),
    Heartbeat(u64, Result<(), ReplyError>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Empty,
    Preparing { since: u64 },
    Completing { since: u64 },
    Stable,
}

/// The coordinator, as far as a member can tell.
#[derive(Debug)]
struct Coordinator {
    phase: Phase,
    generation: i32,
    given_ids: u32,
    known_ids: HashSet<String>,
    members: BTreeMap<String, u64>,
    joining: BTreeMap<String, (usize, u64)>,
    syncing: BTreeMap<String, (usize, u64)>,
    assignments: BTreeMap<String, Bytes>,
    replies: Vec<(usize, Reply)>,
}

impl Coordinator {
    fn new() -> Self {
        Self {
            phase: Phase::Empty,
            generation: 0,
            given_ids: 0,
            known_ids: HashSet::new(),
            members: BTreeMap::new(),
            joining: BTreeMap::new(),
            syncing: BTreeMap::new(),
            assignments: BTreeMap::new(),
            replies: Vec::new(),
        }
    }

    fn handle(&mut self, now: u64, node: usize, request: Request) {
        match request {
            Request::Join { attempt, member_id } => self.join(now, node, attempt, member_id),
            Request::Sync { attempt, generation, member_id, assignments } => {
                self.sync(now, node, attempt, generation, member_id, assignments);
            }
            Request::Heartbeat { attempt, generation, member_id } => {
                let preparing = matches!(self.phase, Phase::Preparing { .. });
                let answer = match self.check(&member_id, generation) {
                    Ok(()) if preparing => Err(ErrorCode::REBALANCE_IN_PROGRESS),
                    checked => checked,
                };
                self.touch(now, &member_id);
                self.reply(node, Reply::Heartbeat(attempt, answer.map_err(ReplyError::Code)));
            }
            Request::Leave { member_id } => self.remove(now, &member_id),
        }
    }

    fn join(&mut self, now: u64, node: usize, attempt: u64, member_id: String) {
        if member_id.is_empty() {
            self.given_ids += 1;
            let id = format!("m{:04}", self.given_ids);
            self.known_ids.insert(id.clone());
            return self.reply(node, Reply::MemberId(attempt, id));
        }
        if !self.known_ids.contains(&member_id) {
            let unknown = ReplyError::Code(ErrorCode::UNKNOWN_MEMBER_ID);
            return self.reply(node, Reply::Join(attempt, Err(unknown)));
        }
        self.members.insert(member_id.clone(), now);
        self.joining.insert(member_id, (node, attempt));
        self.prepare(now);
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

    fn remove(&mut self, now: u64, id: &str) {
        self.known_ids.remove(id);
        self.refuse_waiting(|waiting| waiting == id);
        if self.members.remove(id).is_some() {
            self.prepare(now);
        }
    }

    fn forget_everyone(&mut self) {
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

    fn tick(&mut self, now: u64) {
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
        let member =
            |id: &String| Member { member_id: id.clone(), instance_id: None, metadata: Bytes::new() };
        let members: Vec<Member> = joining.keys().map(member).collect();
        for (n, (id, (node, attempt))) in joining.iter().enumerate() {
            let generation =
                Generation { id: self.generation, member_id: id.as_str().into(), protocol: "range".into() };
            let members = (n == 0).then(|| members.clone());
            let joined = Joined { generation, members, skip_assignment: false };
            self.reply(*node, Reply::Join(*attempt, Ok(joined)));
        }
    }

    fn reply(&mut self, node: usize, reply: Reply) {
        self.replies.push((node, reply));
    }
}

/// A machine and its application.
struct Node {
    machine: Membership,
    member_id: String,
    owned: BTreeSet<u8>,
    /// When the application will have given up its assignment.
    prepared_at: Option<u64>,
    generation: i32,
}

struct World {
    seed: u64,
    rng: Rng,
    base: Instant,
    now: u64,
    nodes: Vec<Node>,
    coordinator: Coordinator,
    network: BTreeMap<(u64, u64), Message>,
    sent: u64,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::seeded(seed);
        let base = Instant::now();
        let config = MembershipConfig {
            instance_id: None,
            heartbeat_interval: Duration::from_millis(1_000),
            retry_backoff: Duration::from_millis(100),
            retry_backoff_max: Duration::from_millis(1_000),
        };
        let node = |_| Node {
            machine: Membership::new(config.clone(), base),
            member_id: String::new(),
            owned: BTreeSet::new(),
            prepared_at: None,
            generation: 0,
        };
        let nodes = (0..=1 + rng.below(4)).map(node).collect();
        let coordinator = Coordinator::new();
        Self { seed, rng, base, now: 0, nodes, coordinator, network: BTreeMap::new(), sent: 0 }
    }

    fn run(&mut self) {
        for node in &mut self.nodes {
            node.machine.join();
        }
        while self.now < CHAOS_MS + CALM_MS {
            if self.now < CHAOS_MS {
                self.disturb();
            }
            self.deliver();
            self.coordinator.tick(self.now);
            for (node, reply) in std::mem::take(&mut self.coordinator.replies) {
                self.send(Message::Reply { node, reply });
            }
            for node in 0..self.nodes.len() {
                self.step(node);
            }
            self.check_owners();
            self.now += TICK_MS;
        }
        self.check_settled();
    }

    fn disturb(&mut self) {
        match self.rng.below(4_000) {
            0 => self.coordinator.forget_everyone(),
            1 => {
                let at = self.rng.below(self.coordinator.members.len());
                if let Some(id) = self.coordinator.members.keys().nth(at).cloned() {
                    self.coordinator.remove(self.now, &id);
                }
            }
            2 | 3 => {
                let node = self.rng.below(self.nodes.len());
                self.nodes[node].machine.rejoin();
            }
            4 => {
                let node = self.rng.below(self.nodes.len());
                self.nodes[node].machine.poll_expired();
            }
            5 => {
                // Leaves in order and comes back: the application gave everything up before.
                let node = self.rng.below(self.nodes.len());
                let node = &mut self.nodes[node];
                node.owned.clear();
                node.prepared_at = None;
                node.machine.leave();
                node.machine.join();
            }
            _ => {}
        }
    }

    /// Delayed, and in the chaos sometimes lost; the sender of a lost request or answer hears of it.
    fn send(&mut self, message: Message) {
        let lossy = self.now < CHAOS_MS && self.rng.below(25) == 0;
        let delay = 1 + self.rng.below(if lossy { 3_000 } else { 150 }) as u64;
        let message = if lossy { lost(message) } else { Some(message) };
        self.sent += 1;
        if let Some(message) = message {
            self.network.insert((self.now + delay, self.sent), message);
        }
    }

    fn deliver(&mut self) {
        let later = self.network.split_off(&(self.now + 1, 0));
        for message in std::mem::replace(&mut self.network, later).into_values() {
            match message {
                Message::Request { node, request } => self.coordinator.handle(self.now, node, request),
                Message::Reply { node, reply } => {
                    let now = self.base + Duration::from_millis(self.now);
                    let machine = &mut self.nodes[node].machine;
                    match reply {
                        Reply::MemberId(attempt, id) => machine.on_member_id(attempt, &id),
                        Reply::Join(attempt, answer) => machine.on_join(now, attempt, answer),
                        Reply::Sync(attempt, answer) => machine.on_sync(now, attempt, answer),
                        Reply::Heartbeat(attempt, answer) => machine.on_heartbeat(now, attempt, answer),
                    }
                }
            }
        }
    }

    fn step(&mut self, at: usize) {
        let now = self.base + Duration::from_millis(self.now);
        if self.nodes[at].prepared_at.is_some_and(|when| self.now >= when) {
            self.nodes[at].prepared_at = None;
            self.nodes[at].owned.clear();
            self.nodes[at].machine.prepared(false);
        }
        while let Some(action) = self.nodes[at].machine.next_action(now) {
            self.perform(at, action);
        }
    }

    fn perform(&mut self, at: usize, action: Action) {
        let seed = self.seed;
        let node = &mut self.nodes[at];
        let request = match action {
            Action::Prepare(_) => {
                let slow = self.rng.below(if self.now < CHAOS_MS { 2_000 } else { 300 });
                node.prepared_at = Some(self.now + slow as u64);
                return;
            }
            Action::Join { attempt, member_id } => {
                assert!(node.owned.is_empty(), "seed {seed}: joins while it owns {:?}", node.owned);
                assert!(node.prepared_at.is_none(), "seed {seed}: joins while the application prepares");
                Request::Join { attempt, member_id: member_id.to_string() }
            }
            Action::Assign { attempt, members, .. } => {
                let mut shares = vec![Vec::new(); members.len()];
                for partition in 0..PARTITIONS {
                    shares[usize::from(partition) % members.len()].push(partition);
                }
                let shares = members.into_iter().zip(shares).map(|(m, s)| (m.member_id, Bytes::from(s)));
                let answer = Some(shares.collect());
                return node.machine.assign(self.base + Duration::from_millis(self.now), attempt, answer);
            }
            Action::Sync { attempt, generation, assignments } => Request::Sync {
                attempt,
                generation: generation.id,
                member_id: generation.member_id.to_string(),
                assignments,
            },
            Action::Assigned { generation, assignment } => {
                assert!(generation.id > node.generation, "seed {seed}: generations go back");
                node.generation = generation.id;
                node.member_id = generation.member_id.to_string();
                node.owned = assignment.iter().copied().collect();
                return;
            }
            Action::Heartbeat { attempt, generation } => Request::Heartbeat {
                attempt,
                generation: generation.id,
                member_id: generation.member_id.to_string(),
            },
            Action::Leave { member_id, .. } => Request::Leave { member_id: member_id.to_string() },
            Action::LostMeanwhile | Action::ForgetCoordinator => return,
            Action::Failed(code) => panic!("seed {seed}: failed with {code}"),
        };
        self.send(Message::Request { node: at, request });
    }

    /// Those whom the coordinator still knows as members never own the same partition.
    fn check_owners(&self) {
        let mut owned = BTreeMap::new();
        for node in self.nodes.iter().filter(|n| self.coordinator.members.contains_key(&n.member_id)) {
            for partition in &node.owned {
                let other = owned.insert(*partition, &node.member_id);
                assert!(
                    other.is_none(),
                    "seed {} at {} ms: {} and {:?} both own {partition}",
                    self.seed,
                    self.now,
                    node.member_id,
                    other
                );
            }
        }
    }

    fn check_settled(&self) {
        let seed = self.seed;
        let mut owned: Vec<u8> = Vec::new();
        for node in &self.nodes {
            assert!(
                matches!(node.machine.standing(), Standing::Member(g) if g.id == self.coordinator.generation),
                "seed {seed}: {:?} with the coordinator in {:?}",
                node.machine,
                self.coordinator.phase
            );
            owned.extend(&node.owned);
        }
        owned.sort_unstable();
        assert_eq!(owned, (0..PARTITIONS).collect::<Vec<_>>(), "seed {seed}");
    }
}

/// What the sender of a lost message hears.
fn lost(message: Message) -> Option<Message> {
    let gone = ReplyError::Unreachable;
    let (node, reply) = match message {
        Message::Request { node, request } => match request {
            Request::Join { attempt, .. } => (node, Reply::Join(attempt, Err(gone))),
            Request::Sync { attempt, .. } => (node, Reply::Sync(attempt, Err(gone))),
            Request::Heartbeat { attempt, .. } => (node, Reply::Heartbeat(attempt, Err(gone))),
            Request::Leave { .. } => return None,
        },
        Message::Reply { node, reply } => match reply {
            Reply::MemberId(attempt, _) | Reply::Join(attempt, _) => (node, Reply::Join(attempt, Err(gone))),
            Reply::Sync(attempt, _) => (node, Reply::Sync(attempt, Err(gone))),
            Reply::Heartbeat(attempt, _) => (node, Reply::Heartbeat(attempt, Err(gone))),
        },
    };
    Some(Message::Reply { node, reply })
}

#[test]
fn members_share_without_overlap_and_settle() {
    for seed in 0..120 {
        World::new(seed).run();
    }
}
