//! The state machine in virtual time: events in, actions out.

use super::coordinator::Coordinator;
use super::{Action, Identity, Join, Joined, Limits, Millis, Sync, Synced, Token};
use crate::random::Random;
use bytes::Bytes;
use kafka_protocol::ResponseError;

const SESSION: Millis = 10_000;
const REBALANCE: Millis = 60_000;

/// A coordinator with its clock, and the actions that nobody has looked at yet.
struct Sim {
    coordinator: Coordinator,
    now: Millis,
    next_token: Token,
    actions: Vec<Action>,
}

impl Sim {
    fn new() -> Self {
        Self::with_delay(0)
    }

    fn with_delay(initial_rebalance_delay: Millis) -> Self {
        let limits =
            Limits { min_session_timeout: 6_000, max_session_timeout: 1_800_000, initial_rebalance_delay };
        Self { coordinator: Coordinator::new(limits), now: 0, next_token: 0, actions: Vec::new() }
    }

    fn token(&mut self) -> Token {
        self.next_token += 1;
        self.next_token
    }

    fn join(&mut self, join: Join) -> Token {
        let token = self.token();
        self.coordinator.join(self.now, token, join, &mut self.actions);
        token
    }

    fn sync(&mut self, member: &Joined, assignments: &[(&str, &str)]) -> Token {
        let token = self.token();
        let own = |&(member, assignment): &(&str, &str)| {
            (member.to_owned(), Bytes::copy_from_slice(assignment.as_bytes()))
        };
        let sync = Sync {
            member_id: member.member_id.clone(),
            instance_id: None,
            generation: member.generation,
            protocol_type: None,
            protocol: None,
            assignments: assignments.iter().map(own).collect(),
        };
        self.coordinator.sync(self.now, token, "g", sync, &mut self.actions);
        token
    }

    fn heartbeat(&mut self, member: &Joined) -> Result<(), ResponseError> {
        self.coordinator.heartbeat(self.now, "g", identity(&member.member_id), member.generation)
    }

    fn leave(&mut self, member_id: &str) -> Result<(), ResponseError> {
        self.coordinator.leave(self.now, "g", identity(member_id), &mut self.actions)
    }

    fn commit(&mut self, member_id: &str, generation: i32) -> Result<(), ResponseError> {
        self.coordinator.check_commit(self.now, "g", identity(member_id), generation)
    }

    /// Lets time pass, deadline by deadline.
    fn advance(&mut self, by: Millis) {
        let until = self.now + by;
        while let Some(deadline) = self.coordinator.next_deadline().filter(|deadline| *deadline <= until) {
            self.now = self.now.max(deadline);
            self.coordinator.tick(self.now, &mut self.actions);
            assert_ne!(self.coordinator.next_deadline(), Some(deadline), "a deadline was not dealt with");
        }
        self.now = until;
    }

    fn joined(&mut self, token: Token) -> Option<Joined> {
        let found = self.actions.iter().position(|a| matches!(a, Action::Joined(t, _) if *t == token))?;
        match self.actions.remove(found) {
            Action::Joined(_, joined) => Some(joined),
            Action::Synced(..) => None,
        }
    }

    fn synced(&mut self, token: Token) -> Option<Synced> {
        let found = self.actions.iter().position(|a| matches!(a, Action::Synced(t, _) if *t == token))?;
        match self.actions.remove(found) {
            Action::Synced(_, synced) => Some(synced),
            Action::Joined(..) => None,
        }
    }

    /// A stable group of one member.
    fn stable(&mut self, member: &str) -> Joined {
        let token = self.join(new_member(member));
        let joined = self.joined(token).unwrap();
        let token = self.sync(&joined, &[(member, "all")]);
        assert_eq!(self.synced(token).unwrap().assignment, "all");
        joined
    }

    /// A stable group of two members, the first of them its leader.
    fn stable_two(&mut self) -> (Joined, Joined) {
        let first = self.stable("a");
        let b = self.join(new_member("b"));
        assert_eq!(self.heartbeat(&first), Err(ResponseError::RebalanceInProgress));
        let a = self.join(known_member("a"));
        let (a, b) = (self.joined(a).unwrap(), self.joined(b).unwrap());
        let waits = self.sync(&b, &[]);
        assert!(self.synced(waits).is_none());
        let leads = self.sync(&a, &[("a", "1"), ("b", "2")]);
        assert_eq!(self.synced(leads).unwrap().assignment, "1");
        assert_eq!(self.synced(waits).unwrap().assignment, "2");
        (a, b)
    }
}

fn identity(member_id: &str) -> Identity<'_> {
    Identity { member_id, instance_id: None }
}

fn new_member(id: &str) -> Join {
    Join {
        group_id: "g".into(),
        member_id: String::new(),
        instance_id: None,
        new_member_id: id.into(),
        client_id: "client".into(),
        client_host: "/127.0.0.1".into(),
        session_timeout: SESSION,
        rebalance_timeout: REBALANCE,
        protocol_type: "consumer".into(),
        protocols: vec![("range".into(), Bytes::from_static(b"meta"))],
        require_known_id: false,
        can_skip_assignment: true,
    }
}

fn known_member(id: &str) -> Join {
    Join { member_id: id.into(), new_member_id: "unused".into(), ..new_member(id) }
}

fn static_member(instance: &str, id: &str) -> Join {
    Join { instance_id: Some(instance.into()), ..new_member(id) }
}

#[test]
fn a_new_member_is_asked_to_come_back_with_its_id() {
    let mut sim = Sim::new();
    let token = sim.join(Join { require_known_id: true, ..new_member("a") });
    let refused = sim.joined(token).unwrap();
    assert_eq!((refused.error, refused.member_id.as_str()), (Some(ResponseError::MemberIdRequired), "a"));
    let token = sim.join(Join { require_known_id: true, ..known_member("a") });
    let joined = sim.joined(token).unwrap();
    assert_eq!((joined.error, joined.generation, joined.leader.as_str()), (None, 1, "a"));
    assert_eq!(joined.members.len(), 1);
    assert_eq!(joined.protocol.as_deref(), Some("range"));
}

#[test]
fn an_id_that_is_not_used_lapses_with_the_session() {
    let mut sim = Sim::new();
    sim.join(Join { require_known_id: true, ..new_member("a") });
    sim.advance(SESSION);
    let token = sim.join(known_member("a"));
    assert_eq!(sim.joined(token).unwrap().error, Some(ResponseError::UnknownMemberId));
    assert!(sim.coordinator.list().is_empty());
}

#[test]
fn two_members_rebalance_and_sync() {
    let mut sim = Sim::new();
    let (a, b) = sim.stable_two();
    assert_eq!((a.generation, b.generation), (2, 2));
    assert_eq!((a.members.len(), b.members.len()), (2, 0));
    assert_eq!(b.leader, "a");
    assert_eq!((sim.heartbeat(&a), sim.heartbeat(&b)), (Ok(()), Ok(())));
    assert_eq!(sim.coordinator.describe("g").unwrap().state, "Stable");
    let old = Joined { generation: 1, ..a };
    assert_eq!(sim.heartbeat(&old), Err(ResponseError::IllegalGeneration));
}

#[test]
fn a_silent_member_expires_and_the_others_rebalance() {
    let mut sim = Sim::new();
    let (a, b) = sim.stable_two();
    sim.advance(SESSION - 1);
    assert_eq!(sim.heartbeat(&a), Ok(()));
    sim.advance(1);
    assert_eq!(sim.heartbeat(&b), Err(ResponseError::UnknownMemberId));
    assert_eq!(sim.heartbeat(&a), Err(ResponseError::RebalanceInProgress));
    let token = sim.join(known_member("a"));
    let joined = sim.joined(token).unwrap();
    assert_eq!((joined.generation, joined.members.len()), (3, 1));
}

#[test]
fn a_leader_that_leaves_is_replaced() {
    let mut sim = Sim::new();
    let (_, b) = sim.stable_two();
    assert_eq!(sim.leave("a"), Ok(()));
    assert_eq!(sim.leave("a"), Err(ResponseError::UnknownMemberId));
    assert_eq!(sim.heartbeat(&b), Err(ResponseError::RebalanceInProgress));
    let token = sim.join(known_member("b"));
    assert_eq!(sim.joined(token).unwrap().leader, "b");
    assert_eq!(sim.leave("b"), Ok(()));
    assert!(sim.coordinator.describe("g").is_none());
}

#[test]
fn the_rebalance_goes_on_without_a_member_that_does_not_join() {
    let mut sim = Sim::new();
    let a = sim.stable("a");
    let b = sim.join(new_member("b"));
    for _ in 0..REBALANCE / 5_000 {
        assert!(sim.joined(b).is_none());
        assert_eq!(sim.heartbeat(&a), Err(ResponseError::RebalanceInProgress));
        sim.advance(5_000);
    }
    let b = sim.joined(b).unwrap();
    assert_eq!((b.leader.as_str(), b.members.len()), ("b", 1));
    assert_eq!(sim.heartbeat(&a), Err(ResponseError::UnknownMemberId));
}

#[test]
fn a_member_that_does_not_sync_is_given_up() {
    let mut sim = Sim::new();
    let token = sim.join(new_member("a"));
    let a = sim.joined(token).unwrap();
    for _ in 0..REBALANCE / 5_000 {
        assert_eq!(sim.heartbeat(&a), Ok(()));
        sim.advance(5_000);
    }
    assert_eq!(sim.heartbeat(&a), Err(ResponseError::UnknownMemberId));
}

#[test]
fn a_join_during_the_sync_turns_waiting_members_away() {
    let mut sim = Sim::new();
    let first = sim.stable("a");
    let b = sim.join(new_member("b"));
    assert!(sim.heartbeat(&first).is_err());
    let a = sim.join(known_member("a"));
    let (_, b) = (sim.joined(a).unwrap(), sim.joined(b).unwrap());
    let waits = sim.sync(&b, &[]);
    sim.join(new_member("c"));
    assert_eq!(sim.synced(waits).unwrap().error, Some(ResponseError::RebalanceInProgress));
}

#[test]
fn a_repeated_join_gets_the_same_generation_again() {
    let mut sim = Sim::new();
    let (_, b) = sim.stable_two();
    let token = sim.join(known_member("b"));
    assert_eq!(sim.joined(token).unwrap(), b);
    // A leader, and a member with other metadata, want a rebalance.
    let changed = vec![("range".to_owned(), Bytes::from_static(b"other"))];
    let token = sim.join(Join { protocols: changed, ..known_member("b") });
    assert!(sim.joined(token).is_none());
    let leads = sim.join(known_member("a"));
    assert_eq!(sim.joined(leads).unwrap().generation, 3);
}

#[test]
fn the_protocol_is_one_that_all_support_and_most_prefer() {
    let named = |names: &[&str]| names.iter().map(|n| ((*n).to_owned(), Bytes::new())).collect::<Vec<_>>();
    let mut sim = Sim::with_delay(3_000);
    let tokens: Vec<_> = [("a", ["x", "y"]), ("b", ["y", "x"]), ("c", ["y", "x"])]
        .map(|(id, protocols)| sim.join(Join { protocols: named(&protocols), ..new_member(id) }))
        .into();
    sim.advance(3_000);
    for token in tokens {
        assert_eq!(sim.joined(token).unwrap().protocol.as_deref(), Some("y"));
    }
    let token = sim.join(Join { protocols: named(&["z"]), ..new_member("d") });
    assert_eq!(sim.joined(token).unwrap().error, Some(ResponseError::InconsistentGroupProtocol));
    let token = sim.join(Join { protocol_type: "connect".into(), ..new_member("d") });
    assert_eq!(sim.joined(token).unwrap().error, Some(ResponseError::InconsistentGroupProtocol));
}

#[test]
fn the_first_rebalance_waits_for_its_delay() {
    let mut sim = Sim::with_delay(3_000);
    let token = sim.join(new_member("a"));
    sim.advance(2_999);
    assert!(sim.joined(token).is_none());
    sim.advance(1);
    assert_eq!(sim.joined(token).unwrap().generation, 1);
}

#[test]
fn a_static_member_comes_back_without_a_rebalance_and_fences_its_past() {
    let mut sim = Sim::new();
    let token = sim.join(static_member("i1", "a"));
    let old = sim.joined(token).unwrap();
    let token = sim.sync(&old, &[("a", "all")]);
    assert!(sim.synced(token).unwrap().error.is_none());
    let token = sim.join(static_member("i1", "a2"));
    let back = sim.joined(token).unwrap();
    assert_eq!((back.generation, back.skip_assignment, back.leader.as_str()), (1, true, "a2"));
    let token = sim.sync(&back, &[]);
    assert_eq!(sim.synced(token).unwrap().assignment, "all");
    let past = Identity { member_id: "a", instance_id: Some("i1") };
    let fenced = sim.coordinator.heartbeat(sim.now, "g", past, 1);
    assert_eq!(fenced, Err(ResponseError::FencedInstanceId));
    let token = sim.join(Join { can_skip_assignment: false, ..static_member("i1", "a3") });
    let back = sim.joined(token).unwrap();
    assert_eq!((back.leader.as_str(), back.members.len()), ("a2", 0));
    let by_instance = Identity { member_id: "", instance_id: Some("i1") };
    assert_eq!(sim.coordinator.leave(sim.now, "g", by_instance, &mut sim.actions), Ok(()));
    assert!(sim.coordinator.list().is_empty());
}

#[test]
fn commits_are_checked_against_the_generation() {
    let mut sim = Sim::new();
    assert_eq!(sim.commit("", -1), Ok(()), "no group, no members");
    assert_eq!(sim.commit("a", 1), Err(ResponseError::IllegalGeneration));
    let a = sim.stable("a");
    assert_eq!(sim.commit("a", a.generation), Ok(()));
    assert_eq!(sim.commit("a", 0), Err(ResponseError::IllegalGeneration));
    assert_eq!(sim.commit("x", a.generation), Err(ResponseError::UnknownMemberId));
    assert_eq!(sim.commit("", -1), Err(ResponseError::UnknownMemberId));
    let b = sim.join(new_member("b"));
    assert_eq!(sim.commit("a", a.generation), Ok(()), "before the member joins again");
    let a = sim.join(known_member("a"));
    let (a, _) = (sim.joined(a).unwrap(), sim.joined(b).unwrap());
    assert_eq!(sim.commit("a", a.generation), Err(ResponseError::RebalanceInProgress));
}

#[test]
fn limits_are_checked() {
    let mut sim = Sim::new();
    for (join, error) in [
        (Join { group_id: String::new(), ..new_member("a") }, ResponseError::InvalidGroupId),
        (Join { session_timeout: 5_999, ..new_member("a") }, ResponseError::InvalidSessionTimeout),
        (Join { session_timeout: 1_800_001, ..new_member("a") }, ResponseError::InvalidSessionTimeout),
        (Join { protocols: Vec::new(), ..new_member("a") }, ResponseError::InconsistentGroupProtocol),
        (known_member("a"), ResponseError::UnknownMemberId),
    ] {
        let token = sim.join(join);
        assert_eq!(sim.joined(token).unwrap().error, Some(error));
    }
    assert!(sim.coordinator.list().is_empty(), "nothing is left behind");
}

/// Random events: no panic, no request without an answer in the end, no deadline that is not dealt with.
#[test]
fn any_order_of_events_answers_every_request() {
    for seed in 1..=200u64 {
        let mut sim = Sim::new();
        let mut random = Random::seeded(seed);
        let mut next = |below| random.below(below);
        let mut waiting: Vec<Token> = Vec::new();
        let mut members: Vec<Joined> = Vec::new();
        for event in 0..300 {
            let known = (!members.is_empty()).then(|| members[next(members.len() as u64) as usize].clone());
            match (next(8), known) {
                (0, _) => waiting.push(sim.join(new_member(&format!("m{event}")))),
                (1, _) => {
                    waiting.push(sim.join(static_member(&format!("i{}", next(3)), &format!("s{event}"))))
                }
                (2, Some(member)) => waiting.push(sim.join(known_member(&member.member_id))),
                (3 | 4, Some(member)) => {
                    let ids: Vec<_> = member.members.iter().map(|m| (m.member_id.as_str(), "x")).collect();
                    waiting.push(sim.sync(&member, &ids));
                }
                (5, Some(member)) => drop(sim.heartbeat(&member)),
                (6, Some(member)) => drop(sim.leave(&member.member_id)),
                _ => sim.advance(next(SESSION)),
            }
            for action in sim.actions.drain(..) {
                let token = match action {
                    Action::Joined(token, joined) => {
                        members.push(joined);
                        token
                    }
                    Action::Synced(token, _) => token,
                };
                let at = waiting.iter().position(|known| *known == token);
                waiting.swap_remove(at.unwrap_or_else(|| panic!("seed {seed}: {token} was answered twice")));
            }
        }
        sim.advance(10 * REBALANCE);
        for action in sim.actions.drain(..) {
            let (Action::Joined(token, _) | Action::Synced(token, _)) = action;
            waiting.retain(|known| *known != token);
        }
        assert!(waiting.is_empty(), "seed {seed}: never answered: {waiting:?}");
        assert!(sim.coordinator.list().is_empty(), "seed {seed}: silent members are still there");
    }
}
