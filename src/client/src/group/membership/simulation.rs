//! Several memberships against a model of the coordinator, over a network that delays, loses and doubles, for
//! many seeds: members come, go, restart and are fenced, and the coordinator forgets and moves. A failing seed
//! is printed and can be run alone.
//!
//! - `coordinator`: the model of the coordinator.
//! - `node`: a member with its application, in an eager or a cooperative protocol.
//!
//! What must hold: members never own the same partition at once, nobody commits a partition after it went to
//! another, and when all is calm every partition has an owner.

mod coordinator;
mod node;

use super::*;
use crate::backoff::Rng;
use coordinator::Coordinator;
use node::Node;
use std::collections::BTreeMap;

const PARTITIONS: u8 = 6;
const CHAOS_MS: u64 = 60_000;
const CALM_MS: u64 = 60_000;
const TICK_MS: u64 = 20;

/// A request or answer under way. Ports tell a node's lives apart.
#[derive(Debug, Clone)]
enum Message {
    Request { port: usize, request: Request },
    Reply { port: usize, reply: Reply },
}

#[derive(Debug, Clone)]
enum Request {
    Join {
        attempt: u64,
        member_id: String,
        instance: Option<String>,
        metadata: Bytes,
    },
    Sync {
        attempt: u64,
        generation: i32,
        member_id: String,
        instance: Option<String>,
        assignments: Vec<(String, Bytes)>,
    },
    Heartbeat {
        attempt: u64,
        generation: i32,
        member_id: String,
        instance: Option<String>,
    },
    Commit {
        generation: i32,
        member_id: String,
        partitions: Vec<u8>,
    },
    Leave {
        member_id: String,
    },
}

#[derive(Debug, Clone)]
enum Reply {
    MemberId(u64, String),
    Join(u64, Result<Joined, ReplyError>),
    Sync(u64, Result<Bytes, ReplyError>),
    Heartbeat(u64, Result<(), ReplyError>),
    Commit(i32, Result<(), ReplyError>),
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
    /// Commits that were accepted while the group rebalanced, and at all.
    commits: usize,
}

impl World {
    fn new(seed: u64, cooperative: bool) -> Self {
        let mut rng = Rng::seeded(seed);
        let base = Instant::now();
        let nodes = (0..2 + rng.below(4)).map(|at| {
            let instance = (rng.below(4) == 0).then(|| format!("i{at}"));
            Node::new(at, instance, cooperative, base)
        });
        let nodes = nodes.collect();
        let coordinator = Coordinator::new();
        Self { seed, rng, base, now: 0, nodes, coordinator, network: BTreeMap::new(), sent: 0, commits: 0 }
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
            self.send_replies();
            for at in 0..self.nodes.len() {
                self.step(at);
            }
            self.check_owners();
            self.now += TICK_MS;
        }
        self.check_settled();
    }

    fn instant(&self) -> Instant {
        self.base + Duration::from_millis(self.now)
    }

    fn disturb(&mut self) {
        let (base, at) = (self.instant(), self.rng.below(self.nodes.len()));
        match self.rng.below(4_000) {
            0 => self.coordinator.forget_everyone(),
            1 => {
                let at = self.rng.below(self.coordinator.members.len().max(1));
                if let Some(id) = self.coordinator.members.keys().nth(at).cloned() {
                    self.coordinator.remove(self.now, &id);
                }
            }
            2 | 3 => self.nodes[at].machine.rejoin(),
            4 => self.nodes[at].machine.poll_expired(),
            5 => self.nodes[at].leave_and_come_back(),
            6 | 7 => {
                let away = self.rng.below(3_000) as u64;
                self.coordinator.moves(self.now, away);
            }
            8 => self.nodes[at].restart(base),
            _ => {}
        }
    }

    /// Delayed, and in the chaos sometimes lost or doubled; the sender of a lost request or answer hears of it.
    fn send(&mut self, message: Message) {
        let chaos = self.now < CHAOS_MS;
        let lossy = chaos && self.rng.below(25) == 0;
        let delay = 1 + self.rng.below(if lossy { 3_000 } else { 150 }) as u64;
        if chaos && matches!(message, Message::Reply { .. }) && self.rng.below(25) == 0 {
            let later = delay + self.rng.below(3_000) as u64;
            self.sent += 1;
            self.network.insert((self.now + later, self.sent), message.clone());
        }
        let message = if lossy { lost(message) } else { Some(message) };
        self.sent += 1;
        if let Some(message) = message {
            self.network.insert((self.now + delay, self.sent), message);
        }
    }

    fn send_replies(&mut self) {
        for (port, reply) in std::mem::take(&mut self.coordinator.replies) {
            self.send(Message::Reply { port, reply });
        }
    }

    fn deliver(&mut self) {
        let later = self.network.split_off(&(self.now + 1, 0));
        for message in std::mem::replace(&mut self.network, later).into_values() {
            match message {
                Message::Request { port, request } => {
                    self.coordinator.handle(self.now, port, request);
                    self.check_commits();
                }
                Message::Reply { port, reply } => {
                    let now = self.instant();
                    if let Some(node) = self.nodes.iter_mut().find(|node| node.port == port) {
                        node.take(now, reply);
                    }
                }
            }
        }
    }

    fn step(&mut self, at: usize) {
        let now = self.instant();
        let slow = self.rng.below(if self.now < CHAOS_MS { 2_000 } else { 300 }) as u64;
        let node = &mut self.nodes[at];
        node.prepare_further(self.now);
        if self.rng.below(20) == 0
            && let Some(commit) = node.commit()
        {
            let port = node.port;
            self.send(Message::Request { port, request: commit });
        }
        while let Some(action) = self.nodes[at].machine.next_action(now) {
            let seed = self.seed;
            let node = &mut self.nodes[at];
            let port = node.port;
            if let Some(request) = node.perform(seed, now, self.now + slow, action) {
                self.send(Message::Request { port, request });
            }
        }
    }

    /// Who owned a partition when another's commit of it was accepted?
    fn check_commits(&mut self) {
        for (member, partitions) in std::mem::take(&mut self.coordinator.committed) {
            self.commits += 1;
            for node in self.owners().filter(|node| node.member_id != member) {
                let stolen = partitions.iter().find(|p| node.owned.contains(p));
                assert_eq!(stolen, None, "seed {}: {member} commits what {} has", self.seed, node.member_id);
            }
        }
    }

    /// Those whom the coordinator still knows as members, and who have not heard that they are not.
    fn owners(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter().filter(|n| !n.lost && self.coordinator.members.contains_key(&n.member_id))
    }

    fn check_owners(&self) {
        let mut owned = BTreeMap::new();
        for node in self.owners() {
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
        assert!(self.commits > 0, "seed {seed}");
    }
}

/// What the sender of a lost message hears.
fn lost(message: Message) -> Option<Message> {
    let gone = ReplyError::Unreachable;
    let (port, reply) = match message {
        Message::Request { port, request } => match request {
            Request::Join { attempt, .. } => (port, Reply::Join(attempt, Err(gone))),
            Request::Sync { attempt, .. } => (port, Reply::Sync(attempt, Err(gone))),
            Request::Heartbeat { attempt, .. } => (port, Reply::Heartbeat(attempt, Err(gone))),
            Request::Commit { generation, .. } => (port, Reply::Commit(generation, Err(gone))),
            Request::Leave { .. } => return None,
        },
        Message::Reply { port, reply } => match reply {
            Reply::MemberId(attempt, _) | Reply::Join(attempt, _) => (port, Reply::Join(attempt, Err(gone))),
            Reply::Sync(attempt, _) => (port, Reply::Sync(attempt, Err(gone))),
            Reply::Heartbeat(attempt, _) => (port, Reply::Heartbeat(attempt, Err(gone))),
            Reply::Commit(generation, _) => (port, Reply::Commit(generation, Err(gone))),
        },
    };
    Some(Message::Reply { port, reply })
}

#[test]
fn members_share_without_overlap_and_settle() {
    for seed in 0..40 {
        World::new(seed, false).run();
    }
}

#[test]
fn members_that_keep_what_they_have_share_without_overlap_and_settle() {
    for seed in 0..60 {
        World::new(seed, true).run();
    }
}
