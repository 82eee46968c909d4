use super::*;
use crate::metadata::TopicPartition;
use std::collections::BTreeSet;

const INTERVAL: Duration = Duration::from_secs(5);

fn config() -> MembershipConfig {
    MembershipConfig {
        member_id: Arc::from("m"),
        is_static: false,
        retry_backoff: Duration::from_millis(100),
        retry_backoff_max: Duration::from_millis(1_000),
    }
}

fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

fn partitions(of: &[(u128, &[i32])]) -> IdPartitions {
    of.iter().map(|(topic, numbers)| (id(*topic), numbers.iter().copied().collect())).collect()
}

fn tp(topic: &str, partition: i32) -> TopicPartition {
    TopicPartition::new(topic, partition)
}

fn topics(names: &[&str]) -> Subscription {
    Subscription { topics: names.iter().map(|name| Arc::from(*name)).collect(), regex: None }
}

fn answer(epoch: i32, assignment: Option<IdPartitions>) -> Answered {
    Ok(HeartbeatAnswer { epoch, interval: INTERVAL, assignment })
}

/// The heartbeat that the machine sends now, as its only action.
fn beat(machine: &mut ConsumerMembership, now: Instant) -> (u64, Heartbeat) {
    match machine.next_action(now) {
        Some(Action::Heartbeat { attempt, heartbeat }) => (attempt, heartbeat),
        other => panic!("{other:?}"),
    }
}

/// A member of epoch 1 that holds partitions 0 and 1 of topic 1, called `a`, and has told so.
fn member(now: Instant) -> ConsumerMembership {
    let mut machine = ConsumerMembership::new(config(), now);
    machine.subscribe(now, topics(&["a"]));
    let (attempt, _) = beat(&mut machine, now);
    machine.on_heartbeat(now, attempt, answer(1, Some(partitions(&[(1, &[0, 1])]))));
    assert_eq!(machine.next_action(now), Some(Action::Resolve(BTreeSet::from([id(1)]))));
    machine.on_names(now, BTreeMap::from([(id(1), Arc::from("a"))]));
    assert_eq!(machine.next_action(now), Some(Action::Assign(vec![tp("a", 0), tp("a", 1)])));
    let (attempt, told) = beat(&mut machine, now);
    assert_eq!(told.owned, Some(partitions(&[(1, &[0, 1])])));
    machine.on_heartbeat(now, attempt, answer(1, None));
    assert_eq!(machine.next_action(now), None);
    machine
}

#[test]
fn the_first_heartbeat_says_everything_and_the_next_ones_what_changed() {
    let now = Instant::now();
    let mut machine = ConsumerMembership::new(config(), now);
    assert_eq!(machine.next_action(now), None);
    machine.subscribe(now, topics(&["a"]));
    let (attempt, joins) = beat(&mut machine, now);
    let all = Some(topics(&["a"]).topics);
    let expected =
        Heartbeat { epoch: 0, topics: all, regex: None, owned: Some(IdPartitions::new()), full: true };
    assert_eq!(joins, expected);
    assert_eq!(machine.standing(), Standing::Rebalancing);
    machine.on_heartbeat(now, attempt, answer(3, Some(IdPartitions::new())));
    assert!(matches!(machine.standing(), Standing::Member(generation) if generation.id == 3));
    assert_eq!(machine.next_action(now), Some(Action::Assign(Vec::new())), "that there is nothing is told");
    assert_eq!(machine.next_action(now), None);
    assert_eq!(machine.deadline(), Some(now + INTERVAL), "the pace is the coordinator's");
    let (_, short) = beat(&mut machine, now + INTERVAL);
    assert_eq!(short, Heartbeat { epoch: 3, topics: None, regex: None, owned: None, full: false });
}

#[test]
fn that_nothing_is_left_is_told() {
    let now = Instant::now();
    let mut machine = member(now);
    let (attempt, _) = beat(&mut machine, now + INTERVAL);
    machine.on_heartbeat(now, attempt, answer(2, Some(IdPartitions::new())));
    let Some(Action::Revoke { step, .. }) = machine.next_action(now) else { panic!() };
    machine.revoked(step);
    assert_eq!(machine.next_action(now), Some(Action::Assign(Vec::new())));
    let (_, told) = beat(&mut machine, now);
    assert_eq!(told.owned, Some(IdPartitions::new()));
}

#[test]
fn a_new_subscription_is_told_at_once() {
    let now = Instant::now();
    let mut machine = member(now);
    let pattern = Subscription { topics: BTreeSet::new(), regex: Some(Arc::from("a.*")) };
    machine.subscribe(now, pattern.clone());
    let (attempt, told) = beat(&mut machine, now);
    assert_eq!((told.topics, told.regex), (Some(BTreeSet::new()), Some(Arc::from("a.*"))));
    // Another one meanwhile waits for the answer, but no longer.
    machine.subscribe(now, topics(&["a"]));
    assert_eq!(machine.next_action(now), None);
    machine.on_heartbeat(now, attempt, answer(1, None));
    let (_, told) = beat(&mut machine, now);
    assert_eq!(told.regex, Some(Arc::from("")), "the pattern is taken back");
}

#[test]
fn partitions_are_given_up_before_others_are_taken_and_both_before_it_is_told() {
    let now = Instant::now();
    let mut machine = member(now);
    let (attempt, _) = beat(&mut machine, now + INTERVAL);
    machine.on_heartbeat(now, attempt, answer(1, Some(partitions(&[(1, &[1, 2])]))));
    let Some(Action::Revoke { step, partitions: goes }) = machine.next_action(now) else { panic!() };
    assert_eq!(goes, [tp("a", 0)]);
    // Heartbeats go on while the application takes its time, and do not say that it is done.
    let later = now + 3 * INTERVAL;
    let (attempt, told) = beat(&mut machine, later);
    assert_eq!(told.owned, None);
    machine.on_heartbeat(later, attempt, answer(1, None));
    machine.revoked(step + 7);
    assert_eq!(machine.next_action(later), None, "that was another revocation");
    machine.revoked(step);
    assert_eq!(machine.next_action(later), Some(Action::Assign(vec![tp("a", 1), tp("a", 2)])));
    let (_, told) = beat(&mut machine, later);
    assert_eq!(told.owned, Some(partitions(&[(1, &[1, 2])])));
}

#[test]
fn topics_without_names_do_not_hold_up_the_others() {
    let now = Instant::now();
    let mut machine = member(now);
    let (attempt, _) = beat(&mut machine, now + INTERVAL);
    let target = partitions(&[(1, &[1]), (2, &[0])]);
    machine.on_heartbeat(now, attempt, answer(2, Some(target.clone())));
    assert_eq!(machine.next_action(now), Some(Action::Resolve(BTreeSet::from([id(2)]))));
    let Some(Action::Revoke { step, .. }) = machine.next_action(now) else { panic!() };
    machine.revoked(step);
    machine.on_names(now, BTreeMap::new());
    let (attempt, told) = beat(&mut machine, now);
    assert_eq!(told.owned, Some(partitions(&[(1, &[1])])));
    machine.on_heartbeat(now, attempt, answer(2, None));
    assert_eq!(machine.next_action(now), None);
    let again = machine.deadline().unwrap();
    assert!(again > now && again < now + INTERVAL, "names are asked for again after a while");
    assert_eq!(machine.next_action(again), Some(Action::Resolve(BTreeSet::from([id(2)]))));
    machine.on_names(again, BTreeMap::from([(id(2), Arc::from("b"))]));
    assert_eq!(machine.next_action(again), Some(Action::Assign(vec![tp("a", 1), tp("b", 0)])));
}

#[test]
fn nothing_is_taken_while_a_heartbeat_that_does_not_tell_of_it_is_under_way() {
    let now = Instant::now();
    let mut machine = member(now);
    let (attempt, _) = beat(&mut machine, now + INTERVAL);
    let target = partitions(&[(1, &[0, 1]), (2, &[0])]);
    machine.on_heartbeat(now, attempt, answer(2, Some(target.clone())));
    assert_eq!(machine.next_action(now), Some(Action::Resolve(BTreeSet::from([id(2)]))));
    // The heartbeat that follows a lost one says what is held: the coordinator may give the rest to others.
    let (attempt, _) = beat(&mut machine, now + 2 * INTERVAL);
    machine.on_heartbeat(now, attempt, Err(ReplyError::Unreachable));
    assert_eq!(machine.next_action(now), Some(Action::ForgetCoordinator));
    let (attempt, told) = beat(&mut machine, now + INTERVAL);
    assert_eq!(told.owned, Some(partitions(&[(1, &[0, 1])])));
    machine.on_names(now, BTreeMap::from([(id(2), Arc::from("b"))]));
    assert_eq!(machine.next_action(now), None);
    machine.on_heartbeat(now, attempt, answer(2, Some(target)));
    let all = vec![tp("a", 0), tp("a", 1), tp("b", 0)];
    assert_eq!(machine.next_action(now), Some(Action::Assign(all)));
}

#[test]
fn after_a_failure_everything_is_said_again() {
    let now = Instant::now();
    for error in [ReplyError::Unreachable, ReplyError::Code(ErrorCode::NOT_COORDINATOR)] {
        let mut machine = member(now);
        let (attempt, _) = beat(&mut machine, now + INTERVAL);
        machine.on_heartbeat(now, attempt, Err(error));
        assert_eq!(machine.next_action(now), Some(Action::ForgetCoordinator));
        assert_eq!(machine.next_action(now), None, "not at once");
        let (_, told) = beat(&mut machine, now + Duration::from_millis(100));
        assert!(told.full && told.topics.is_some());
        assert_eq!((told.epoch, told.owned), (1, Some(partitions(&[(1, &[0, 1])]))));
    }
}

#[test]
fn who_is_fenced_joins_again_once_the_application_knows() {
    let now = Instant::now();
    for code in [ErrorCode::FENCED_MEMBER_EPOCH, ErrorCode::UNKNOWN_MEMBER_ID, ErrorCode::GROUP_ID_NOT_FOUND]
    {
        let mut machine = member(now);
        let (attempt, _) = beat(&mut machine, now + INTERVAL);
        machine.on_heartbeat(now, attempt, Err(ReplyError::Code(code)));
        let Some(Action::Lose { step }) = machine.next_action(now) else { panic!() };
        assert_eq!(machine.standing(), Standing::None);
        let later = now + 10 * INTERVAL;
        assert_eq!((machine.next_action(later), machine.deadline()), (None, None));
        machine.released(later, step);
        let (attempt, told) = beat(&mut machine, later);
        assert_eq!((told.epoch, told.owned), (0, Some(IdPartitions::new())));
        machine.on_heartbeat(later, attempt - 1, answer(9, None));
        assert_eq!(machine.standing(), Standing::Rebalancing, "an answer of the life before");
    }
}

#[test]
fn a_revocation_under_way_is_void_when_all_is_lost() {
    let now = Instant::now();
    let mut machine = member(now);
    let (attempt, _) = beat(&mut machine, now + INTERVAL);
    machine.on_heartbeat(now, attempt, answer(2, Some(IdPartitions::new())));
    let Some(Action::Revoke { step, .. }) = machine.next_action(now) else { panic!() };
    let (attempt, _) = beat(&mut machine, now + 2 * INTERVAL);
    machine.on_heartbeat(now, attempt, Err(ReplyError::Code(ErrorCode::UNKNOWN_MEMBER_ID)));
    assert!(matches!(machine.next_action(now), Some(Action::Lose { .. })));
    machine.revoked(step);
    assert_eq!(machine.next_action(now), None);
}

#[test]
fn who_is_away_leaves_and_comes_back() {
    let now = Instant::now();
    for (is_static, epoch) in [(false, -1), (true, -2)] {
        let mut machine = member(now);
        machine.config.is_static = is_static;
        machine.poll_expired();
        assert_eq!(machine.next_action(now), Some(Action::Leave { epoch }));
        let Some(Action::Lose { step }) = machine.next_action(now) else { panic!() };
        machine.poll_expired();
        assert_eq!(machine.next_action(now + INTERVAL), None);
        machine.released(now + INTERVAL, step);
        assert_eq!(beat(&mut machine, now + INTERVAL).1.epoch, 0);
    }
}

#[test]
fn leaving_is_told_if_the_coordinator_may_know_the_member() {
    let now = Instant::now();
    let mut machine = ConsumerMembership::new(config(), now);
    machine.subscribe(now, topics(&["a"]));
    machine.leave();
    assert_eq!(machine.next_action(now), None, "nothing was sent yet");
    machine.subscribe(now, topics(&["a"]));
    beat(&mut machine, now);
    machine.leave();
    assert_eq!(machine.next_action(now), Some(Action::Leave { epoch: -1 }));
    assert!(!machine.is_active() && machine.deadline().is_none());
    let mut machine = member(now);
    machine.leave();
    assert_eq!(machine.next_action(now), Some(Action::Leave { epoch: -1 }));
}

#[test]
fn errors_that_waiting_does_not_mend_end_the_membership() {
    let now = Instant::now();
    for code in [
        ErrorCode::UNRELEASED_INSTANCE_ID,
        ErrorCode::FENCED_INSTANCE_ID,
        ErrorCode::UNSUPPORTED_ASSIGNOR,
        ErrorCode::INVALID_REGULAR_EXPRESSION,
        ErrorCode::GROUP_MAX_SIZE_REACHED,
        ErrorCode::GROUP_AUTHORIZATION_FAILED,
        ErrorCode::UNSUPPORTED_VERSION,
        ErrorCode::GROUP_ID_NOT_FOUND,
    ] {
        let mut machine = ConsumerMembership::new(config(), now);
        machine.subscribe(now, topics(&["a"]));
        let (attempt, _) = beat(&mut machine, now);
        machine.on_heartbeat(now, attempt, Err(ReplyError::Code(code)));
        assert_eq!(machine.next_action(now), Some(Action::Failed(code)));
        assert!(!machine.is_active() && machine.deadline().is_none());
        machine.subscribe(now, topics(&["b"]));
        assert_eq!(machine.next_action(now + INTERVAL), None);
    }
}

#[test]
fn a_missing_permission_for_a_topic_is_told_once_and_waited_for() {
    let now = Instant::now();
    let mut machine = member(now);
    let refused = Err(ReplyError::Code(ErrorCode::TOPIC_AUTHORIZATION_FAILED));
    let (attempt, _) = beat(&mut machine, now + INTERVAL);
    machine.on_heartbeat(now, attempt, refused.clone());
    assert_eq!(machine.next_action(now), Some(Action::Report(ErrorCode::TOPIC_AUTHORIZATION_FAILED)));
    let (attempt, _) = beat(&mut machine, now + INTERVAL);
    machine.on_heartbeat(now, attempt, refused);
    assert_eq!(machine.next_action(now), None);
}
