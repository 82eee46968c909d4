//! Several memberships against a model of the coordinator, over a network that delays and loses, for many
//! seeds. A failing seed is printed and can be run alone.
//!
//! Requests of one member arrive in order, as on a connection; answers may be lost, late, doubled and out of
//! order, and the sender of a request may give it up although it arrives. Every second member is a static one.

mod coordinator;

use super::*;
use crate::backoff::Rng;
use crate::metadata::TopicPartition;
use coordinator::{Coordinator, PARTITIONS, TOPICS};
use std::collections::BTreeSet;

const CHAOS_MS: u64 = 60_000;
const CALM_MS: u64 = 60_000;
const TICK_MS: u64 = 20;

#[derive(Debug, Clone)]
enum Message {
    Heartbeat { node: usize, attempt: u64, heartbeat: Heartbeat },
    Leave { node: usize, epoch: i32 },
    Commit { node: usize, epoch: i32, partition: TopicPartition },
    Answer { node: usize, attempt: u64, answer: Answered },
    Names { node: usize, names: BTreeMap<Uuid, Arc<str>> },
}

/// A machine and its application.
struct Node {
    machine: ConsumerMembership,
    held: BTreeSet<TopicPartition>,
    /// When the application will have answered, and what.
    revoking: Option<(u64, u64, Vec<TopicPartition>)>,
    losing: Option<(u64, u64)>,
    /// When the last request will have arrived.
    last_arrival: u64,
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
    /// Until when nobody is the coordinator.
    moving_until: u64,
    commits: u32,
}

fn topic_id(number: u8) -> Uuid {
    Uuid::from_u128(u128::from(number) + 1)
}

fn topic_name(id: &Uuid) -> Arc<str> {
    Arc::from(format!("t{}", id.as_u128()))
}

fn wanted() -> Subscription {
    Subscription { topics: (0..TOPICS).map(|t| topic_name(&topic_id(t))).collect(), regex: None }
}

impl World {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::seeded(seed);
        let base = Instant::now();
        let node = |number: usize| Node {
            machine: ConsumerMembership::new(
                MembershipConfig {
                    member_id: Arc::from(format!("m{number}")),
                    is_static: number % 2 == 1,
                    retry_backoff: Duration::from_millis(100),
                    retry_backoff_max: Duration::from_millis(1_000),
                },
                base,
            ),
            held: BTreeSet::new(),
            revoking: None,
            losing: None,
            last_arrival: 0,
        };
        let nodes = (0..=1 + rng.below(4)).map(node).collect();
        Self {
            seed,
            rng,
            base,
            now: 0,
            nodes,
            coordinator: Coordinator::default(),
            network: BTreeMap::new(),
            sent: 0,
            moving_until: 0,
            commits: 0,
        }
    }

    fn run(&mut self) {
        for node in &mut self.nodes {
            node.machine.subscribe(self.base, wanted());
        }
        while self.now < CHAOS_MS + CALM_MS {
            if self.now < CHAOS_MS {
                self.disturb();
            }
            self.deliver();
            self.coordinator.tick(self.now);
            for node in 0..self.nodes.len() {
                self.step(node);
            }
            self.check_owners();
            self.now += TICK_MS;
        }
        self.check_settled();
    }

    fn time(&self) -> Instant {
        self.base + Duration::from_millis(self.now)
    }

    fn disturb(&mut self) {
        let at = self.rng.below(self.nodes.len());
        let now = self.time();
        match self.rng.below(3_000) {
            0 => self.coordinator.forget_everyone(),
            1 => self.coordinator.remove(&format!("m{at}")),
            2 => self.nodes[at].machine.poll_expired(),
            3 => {
                let node = &mut self.nodes[at];
                node.held.clear();
                (node.revoking, node.losing) = (None, None);
                node.machine.leave();
                node.machine.subscribe(now, wanted());
            }
            4 => self.moving_until = self.now + 500,
            5 => {
                let mut other = wanted();
                other.topics.pop_last();
                self.nodes[at].machine.subscribe(now, other);
                self.nodes[at].machine.subscribe(now, wanted());
            }
            6..60 => self.commit(at),
            _ => {}
        }
    }

    fn commit(&mut self, at: usize) {
        let Standing::Member(generation) = self.nodes[at].machine.standing() else { return };
        let count = self.nodes[at].held.len();
        let Some(partition) = self.nodes[at].held.iter().nth(self.rng.below(count)).cloned() else { return };
        self.request(at, Message::Commit { node: at, epoch: generation.id, partition });
    }

    /// Arrives after the node's earlier requests; or not at all.
    fn request(&mut self, node: usize, message: Message) {
        let lossy = self.now < CHAOS_MS && self.rng.below(25) == 0;
        let delay = 1 + self.rng.below(if lossy { 3_000 } else { 150 }) as u64;
        let arrival = (self.now + delay).max(self.nodes[node].last_arrival);
        if lossy && let Message::Heartbeat { attempt, .. } = message {
            let answer = Err(ReplyError::Unreachable);
            self.push(self.now + delay / 2, Message::Answer { node, attempt, answer });
        }
        if !lossy || self.rng.below(2) == 0 {
            self.nodes[node].last_arrival = arrival;
            self.push(arrival, message);
        }
    }

    fn answer(&mut self, node: usize, attempt: u64, answer: Answered) {
        let lossy = self.now < CHAOS_MS && self.rng.below(25) == 0;
        let delay = 1 + self.rng.below(if lossy { 3_000 } else { 150 }) as u64;
        let lost = Message::Answer { node, attempt, answer: Err(ReplyError::Unreachable) };
        let message = Message::Answer { node, attempt, answer };
        match (lossy, self.rng.below(2)) {
            (true, 0) => self.push(self.now + delay, lost),
            (true, _) => {
                self.push(self.now + delay / 2, message.clone());
                self.push(self.now + delay, message);
            }
            _ => self.push(self.now + delay, message),
        }
    }

    fn push(&mut self, at: u64, message: Message) {
        self.sent += 1;
        self.network.insert((at, self.sent), message);
    }

    fn deliver(&mut self) {
        let later = self.network.split_off(&(self.now + 1, 0));
        for message in std::mem::replace(&mut self.network, later).into_values() {
            let now = self.time();
            match message {
                Message::Heartbeat { node, attempt, heartbeat } => {
                    let answer = if self.now < self.moving_until {
                        Err(ErrorCode::NOT_COORDINATOR)
                    } else {
                        self.coordinator.heartbeat(self.now, &format!("m{node}"), heartbeat)
                    };
                    self.answer(node, attempt, answer.map_err(ReplyError::Code));
                }
                Message::Leave { node, epoch: STATIC_LEAVE_EPOCH } => {
                    self.coordinator.keep_place(&format!("m{node}"));
                }
                Message::Leave { node, .. } => self.coordinator.remove(&format!("m{node}")),
                Message::Commit { node, epoch, partition } => {
                    let accepted = self.coordinator.commit(&format!("m{node}"), epoch, &partition);
                    let at = self.now;
                    let owner = accepted.unwrap_or_else(|()| {
                        panic!("seed {} at {at} ms: m{node} commits {partition}, which it has not", self.seed)
                    });
                    self.commits += u32::from(owner);
                }
                Message::Answer { node, attempt, answer } => {
                    self.nodes[node].machine.on_heartbeat(now, attempt, answer);
                }
                Message::Names { node, names } => self.nodes[node].machine.on_names(now, names),
            }
        }
    }

    fn step(&mut self, at: usize) {
        let (clock, now) = (self.now, self.time());
        let node = &mut self.nodes[at];
        if let Some((_, step, goes)) = node.revoking.take_if(|(when, ..)| clock >= *when) {
            node.held.retain(|tp| !goes.contains(tp));
            node.machine.revoked(step);
        }
        if let Some((_, step)) = node.losing.take_if(|(when, _)| clock >= *when) {
            node.held.clear();
            node.machine.released(now, step);
        }
        while let Some(action) = self.nodes[at].machine.next_action(now) {
            self.perform(at, action);
        }
    }

    fn perform(&mut self, at: usize, action: Action) {
        let (seed, now) = (self.seed, self.now);
        let slow = now + self.rng.below(if now < CHAOS_MS { 2_000 } else { 300 }) as u64;
        let node = &mut self.nodes[at];
        match action {
            Action::Heartbeat { attempt, heartbeat } => {
                if heartbeat.epoch == JOIN_EPOCH {
                    assert!(node.held.is_empty(), "seed {seed}: joins while it holds {:?}", node.held);
                    assert!(heartbeat.full && heartbeat.owned == Some(IdPartitions::new()));
                }
                self.request(at, Message::Heartbeat { node: at, attempt, heartbeat });
            }
            Action::Leave { epoch } => {
                assert_eq!(epoch, if at % 2 == 1 { STATIC_LEAVE_EPOCH } else { LEAVE_EPOCH });
                self.request(at, Message::Leave { node: at, epoch });
            }
            Action::Resolve(ids) => {
                let chaos = now < CHAOS_MS;
                let known = ids.into_iter().filter(|_| !chaos || self.rng.below(4) > 0);
                let names = known.map(|id| (id, topic_name(&id))).collect();
                self.push(slow, Message::Names { node: at, names });
            }
            Action::Revoke { step, partitions } => {
                assert!(partitions.iter().all(|tp| node.held.contains(tp)), "seed {seed}");
                assert!(node.revoking.is_none(), "seed {seed}: two revocations at once");
                node.revoking = Some((slow, step, partitions));
            }
            Action::Assign(all) => {
                let all: BTreeSet<_> = all.into_iter().collect();
                assert!(node.held.is_subset(&all), "seed {seed}: {:?} vanish from {:?}", all, node.held);
                node.held = all;
            }
            Action::Lose { step } => {
                node.revoking = None;
                node.losing = Some((slow, step));
            }
            Action::ForgetCoordinator => {}
            Action::Report(code) | Action::Failed(code) => panic!("seed {seed}: failed with {code}"),
        }
    }

    /// Those whom the coordinator still knows as members never hold the same partition.
    fn check_owners(&self) {
        let mut held = BTreeMap::new();
        for (at, node) in
            self.nodes.iter().enumerate().filter(|(at, _)| self.coordinator.knows(&format!("m{at}")))
        {
            for partition in &node.held {
                let other = held.insert(partition, at);
                assert!(
                    other.is_none(),
                    "seed {} at {} ms: {at} and {other:?} both hold {partition}",
                    self.seed,
                    self.now
                );
            }
        }
    }

    fn check_settled(&self) {
        let seed = self.seed;
        let mut held: Vec<_> = Vec::new();
        for node in &self.nodes {
            assert_eq!(
                node.machine.state,
                State::Stable,
                "seed {seed}: {:?}\n{:?}",
                node.machine,
                self.coordinator
            );
            held.extend(node.held.iter().cloned());
        }
        held.sort();
        let all = (0..TOPICS).flat_map(|topic| {
            (0..PARTITIONS).map(move |partition| TopicPartition::new(topic_name(&topic_id(topic)), partition))
        });
        assert_eq!(held, all.collect::<Vec<_>>(), "seed {seed}");
        assert!(self.commits > 0, "seed {seed}: no commit went through");
    }
}

#[test]
fn members_share_without_overlap_and_settle() {
    for seed in 0..40 {
        World::new(seed).run();
    }
}
