//! Scripted answers, one rule a test.

use super::*;

const HEARTBEAT: Duration = Duration::from_secs(3);

struct Script {
    machine: Membership,
    now: Instant,
}

impl Script {
    fn new(instance_id: Option<&str>) -> Self {
        let now = Instant::now();
        let config = MembershipConfig {
            instance_id: instance_id.map(str::to_owned),
            heartbeat_interval: HEARTBEAT,
            retry_backoff: Duration::from_millis(100),
            retry_backoff_max: Duration::from_secs(1),
        };
        Self { machine: Membership::new(config, now), now }
    }

    fn actions(&mut self) -> Vec<Action> {
        std::iter::from_fn(|| self.machine.next_action(self.now)).collect()
    }

    fn one(&mut self) -> Action {
        let mut actions = self.actions();
        assert_eq!(actions.len(), 1, "{actions:?}");
        actions.remove(0)
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
    }

    fn join_attempt(&mut self, member: &str) -> u64 {
        match self.one() {
            Action::Join { attempt, member_id } if &*member_id == member => attempt,
            other => panic!("{other:?}"),
        }
    }

    fn heartbeat_attempt(&mut self) -> u64 {
        match self.one() {
            Action::Heartbeat { attempt, .. } => attempt,
            other => panic!("{other:?}"),
        }
    }

    /// From `Idle` to `Stable` in generation 1, as a follower.
    fn stable(instance_id: Option<&str>) -> Self {
        let mut script = Self::new(instance_id);
        script.machine.join();
        assert_eq!(script.one(), Action::Prepare(GenerationEnd::Rebalance));
        script.machine.prepared(false);
        let attempt = script.join_attempt("");
        script.machine.on_member_id(attempt, "m");
        let attempt = script.join_attempt("m");
        script.follow(attempt, 1);
        script
    }

    fn follow(&mut self, attempt: u64, id: i32) {
        self.machine.on_join(self.now, attempt, Ok(joined(id, None)));
        let Action::Sync { attempt, assignments, .. } = self.one() else { panic!() };
        assert!(assignments.is_empty());
        self.machine.on_sync(self.now, attempt, Ok(Bytes::from_static(b"a")));
        let Action::Assigned { generation, .. } = self.one() else { panic!() };
        assert_eq!(generation.id, id);
    }

    fn beat(&mut self, answer: Result<(), ReplyError>) {
        self.pass(HEARTBEAT);
        let attempt = self.heartbeat_attempt();
        self.machine.on_heartbeat(self.now, attempt, answer);
    }
}

fn joined(id: i32, members: Option<Vec<Member>>) -> Joined {
    let generation = Generation { id, member_id: "m".into(), protocol: "range".into() };
    Joined { generation, members, skip_assignment: false }
}

fn left(joining: bool, reason: LeaveReason) -> Action {
    Action::Leave { member_id: "m".into(), joining, reason }
}

fn code(code: ErrorCode) -> ReplyError {
    ReplyError::Code(code)
}

#[test]
fn the_leader_assigns_before_it_syncs() {
    let mut script = Script::new(None);
    script.machine.join();
    script.actions();
    script.machine.prepared(false);
    let attempt = script.join_attempt("");
    let me = Member { member_id: "m".into(), instance_id: None, metadata: Bytes::new() };
    script.machine.on_join(script.now, attempt, Ok(joined(1, Some(vec![me.clone()]))));
    let Action::Assign { attempt, members, .. } = script.one() else { panic!() };
    assert_eq!(members, [me]);
    assert_eq!(script.machine.standing(), Standing::Rebalancing);
    let assignments = vec![("m".to_owned(), Bytes::from_static(b"x"))];
    script.machine.assign(script.now, attempt, Some(assignments.clone()));
    let Action::Sync { assignments: sent, .. } = script.one() else { panic!() };
    assert_eq!(sent, assignments);
}

/// A leader of generation 1 that was asked to assign by this attempt.
fn assigning() -> (Script, u64) {
    let mut script = Script::new(None);
    script.machine.join();
    script.actions();
    script.machine.prepared(false);
    let attempt = script.join_attempt("");
    script.machine.on_join(script.now, attempt, Ok(joined(1, Some(Vec::new()))));
    let Action::Assign { attempt, .. } = script.one() else { panic!() };
    (script, attempt)
}

#[test]
fn a_leader_that_takes_its_time_to_assign_stays_a_member() {
    let (mut script, assign) = assigning();
    for answer in [Ok(()), Err(code(ErrorCode::REBALANCE_IN_PROGRESS)), Ok(())] {
        assert_eq!(script.machine.deadline(), Some(script.now + HEARTBEAT));
        script.beat(answer);
        assert!(script.actions().is_empty());
    }
    script.pass(HEARTBEAT);
    let beat = script.heartbeat_attempt();
    script.machine.assign(script.now, assign, Some(Vec::new()));
    let Action::Sync { attempt, .. } = script.one() else { panic!() };
    script.machine.on_heartbeat(script.now, beat, Ok(()));
    script.pass(HEARTBEAT * 2);
    assert!(script.actions().is_empty(), "the coordinator keeps whoever waits for SyncGroup");
    script.machine.on_sync(script.now, attempt, Ok(Bytes::new()));
    assert!(matches!(script.one(), Action::Assigned { .. }));
}

#[test]
fn a_leader_that_is_no_member_any_more_joins_again() {
    for (verdict, member) in [(ErrorCode::UNKNOWN_MEMBER_ID, ""), (ErrorCode::ILLEGAL_GENERATION, "m")] {
        let (mut script, assign) = assigning();
        script.beat(Err(code(verdict)));
        script.machine.assign(script.now, assign, Some(Vec::new()));
        assert!(script.actions().is_empty(), "of a generation that is over");
        script.pass(Duration::from_secs(1));
        script.join_attempt(member);
    }
    // An answer that comes when the group is about to be joined again says nothing of the next generation.
    let (mut script, assign) = assigning();
    script.pass(HEARTBEAT);
    let beat = script.heartbeat_attempt();
    script.machine.assign(script.now, assign, None);
    script.machine.on_heartbeat(script.now, beat, Err(code(ErrorCode::UNKNOWN_MEMBER_ID)));
    script.pass(Duration::from_secs(1));
    script.join_attempt("m");
}

#[test]
fn a_rebalance_waits_for_the_application_while_heartbeats_go_on() {
    let mut script = Script::stable(None);
    script.beat(Err(code(ErrorCode::REBALANCE_IN_PROGRESS)));
    assert_eq!(script.one(), Action::Prepare(GenerationEnd::Rebalance));
    for _ in 0..3 {
        assert!(matches!(script.machine.standing(), Standing::Member(g) if g.id == 1));
        script.beat(Err(code(ErrorCode::REBALANCE_IN_PROGRESS)));
        assert!(script.actions().is_empty());
    }
    script.machine.prepared(false);
    let attempt = script.join_attempt("m");
    assert_eq!(script.machine.standing(), Standing::Rebalancing);
    script.follow(attempt, 2);
}

#[test]
fn who_is_unknown_loses_and_joins_as_a_new_member() {
    let mut script = Script::stable(None);
    script.beat(Err(code(ErrorCode::UNKNOWN_MEMBER_ID)));
    assert_eq!(script.one(), Action::Prepare(GenerationEnd::Lost));
    assert_eq!(script.machine.standing(), Standing::None);
    script.pass(HEARTBEAT * 2);
    assert!(script.actions().is_empty(), "no heartbeats without a generation");
    script.machine.prepared(false);
    script.join_attempt("");
}

#[test]
fn an_old_generation_is_lost_but_the_member_id_is_kept() {
    let mut script = Script::stable(None);
    script.beat(Err(code(ErrorCode::ILLEGAL_GENERATION)));
    assert_eq!(script.one(), Action::Prepare(GenerationEnd::Lost));
    script.machine.prepared(false);
    script.join_attempt("m");
}

#[test]
fn a_loss_is_told_while_the_application_prepares() {
    let mut script = Script::stable(None);
    script.machine.rejoin();
    assert_eq!(script.one(), Action::Prepare(GenerationEnd::Rebalance));
    script.beat(Err(code(ErrorCode::UNKNOWN_MEMBER_ID)));
    assert_eq!(script.one(), Action::LostMeanwhile);
    script.machine.prepared(false);
    script.join_attempt("");
}

#[test]
fn a_refused_commit_counts_as_the_coordinators_word() {
    let mut script = Script::stable(None);
    script.machine.on_commit_refused(0, ErrorCode::ILLEGAL_GENERATION);
    assert!(script.actions().is_empty(), "that was about an older generation");
    script.machine.on_commit_refused(1, ErrorCode::REBALANCE_IN_PROGRESS);
    assert_eq!(script.one(), Action::Prepare(GenerationEnd::Rebalance));
    script.machine.on_commit_refused(1, ErrorCode::UNKNOWN_MEMBER_ID);
    assert_eq!(script.one(), Action::LostMeanwhile);
}

#[test]
fn a_coordinator_that_moved_is_looked_up_and_nothing_is_lost() {
    let mut script = Script::stable(None);
    for error in [code(ErrorCode::NOT_COORDINATOR), ReplyError::Unreachable] {
        script.pass(HEARTBEAT);
        let attempt = script.heartbeat_attempt();
        script.machine.on_heartbeat(script.now, attempt, Err(error));
        assert_eq!(script.one(), Action::ForgetCoordinator);
        assert!(matches!(script.machine.standing(), Standing::Member(_)));
        script.pass(Duration::from_secs(1));
        let attempt = script.heartbeat_attempt();
        script.machine.on_heartbeat(script.now, attempt, Ok(()));
    }
}

#[test]
fn joining_is_tried_again_with_growing_pauses() {
    let mut script = Script::new(None);
    script.machine.join();
    script.actions();
    script.machine.prepared(false);
    for pause in [100, 200, 400, 800, 1000, 1000] {
        let attempt = script.join_attempt("");
        script.machine.on_join(script.now, attempt, Err(ReplyError::Unreachable));
        assert_eq!(script.one(), Action::ForgetCoordinator);
        assert_eq!(script.machine.deadline(), Some(script.now + Duration::from_millis(pause)));
        script.pass(Duration::from_millis(pause - 1));
        assert!(script.actions().is_empty());
        script.pass(Duration::from_millis(1));
    }
}

#[test]
fn what_cannot_be_mended_ends_the_membership() {
    for error in [ErrorCode::GROUP_AUTHORIZATION_FAILED, ErrorCode::INCONSISTENT_GROUP_PROTOCOL] {
        let mut script = Script::new(None);
        script.machine.join();
        script.actions();
        script.machine.prepared(false);
        let attempt = script.join_attempt("");
        script.machine.on_join(script.now, attempt, Err(code(error)));
        assert_eq!(script.one(), Action::Failed(error));
        assert!(!script.machine.is_active());
    }
    let mut script = Script::stable(Some("i"));
    script.beat(Err(code(ErrorCode::FENCED_INSTANCE_ID)));
    assert_eq!(script.one(), Action::Failed(ErrorCode::FENCED_INSTANCE_ID));
}

#[test]
fn an_answer_to_an_attempt_that_was_given_up_is_ignored() {
    let mut script = Script::stable(None);
    script.pass(HEARTBEAT);
    let beat = script.heartbeat_attempt();
    script.machine.rejoin();
    script.actions();
    script.machine.prepared(false);
    let join = script.join_attempt("m");
    script.machine.on_heartbeat(script.now, beat, Err(code(ErrorCode::UNKNOWN_MEMBER_ID)));
    script.machine.on_join(script.now, join - 1, Err(code(ErrorCode::UNKNOWN_MEMBER_ID)));
    assert!(script.actions().is_empty());
    script.follow(join, 2);
}

#[test]
fn leaving_is_told_at_once_even_while_joining() {
    let mut script = Script::stable(None);
    script.machine.rejoin();
    script.actions();
    script.machine.prepared(false);
    script.join_attempt("m");
    script.machine.leave();
    assert_eq!(script.machine.losses(), 1, "commits that wait must not be made later");
    assert_eq!(script.one(), left(true, LeaveReason::Asked));
    assert!(!script.machine.is_active());
}

#[test]
fn who_failed_still_leaves() {
    let mut script = Script::stable(None);
    script.beat(Err(code(ErrorCode::UNKNOWN_SERVER_ERROR)));
    assert_eq!(script.one(), Action::Failed(ErrorCode::UNKNOWN_SERVER_ERROR));
    script.machine.leave();
    assert_eq!(script.one(), left(false, LeaveReason::Asked));
}

#[test]
fn a_static_leader_that_restarts_assigns_but_does_not_tell() {
    let mut script = Script::new(Some("i"));
    script.machine.join();
    script.actions();
    script.machine.prepared(false);
    let attempt = script.join_attempt("");
    let joined = Joined { skip_assignment: true, ..joined(1, Some(Vec::new())) };
    script.machine.on_join(script.now, attempt, Ok(joined));
    let Action::Assign { attempt, .. } = script.one() else { panic!() };
    script.machine.assign(script.now, attempt, Some(vec![("m".to_owned(), Bytes::new())]));
    assert!(matches!(script.one(), Action::Sync { assignments, .. } if assignments.is_empty()));
}

#[test]
fn a_static_member_does_not_leave() {
    let mut script = Script::stable(Some("i"));
    script.machine.leave();
    assert!(script.actions().is_empty());
}

#[test]
fn an_application_that_is_away_leaves_and_comes_back_as_new() {
    let mut script = Script::stable(None);
    script.machine.poll_expired();
    assert_eq!(
        script.actions(),
        [left(false, LeaveReason::PollExpired), Action::Prepare(GenerationEnd::Lost)]
    );
    script.machine.poll_expired();
    assert!(script.actions().is_empty());
    script.machine.prepared(false);
    script.join_attempt("");
}

#[test]
fn a_static_member_whose_application_is_away_stops_without_leaving() {
    let mut script = Script::stable(Some("i"));
    script.machine.poll_expired();
    assert_eq!(script.actions(), [Action::Prepare(GenerationEnd::Lost)]);
    script.machine.prepared(false);
    script.join_attempt("");
}

#[test]
fn who_keeps_its_assignment_commits_under_the_old_generation_until_the_next_begins() {
    let mut script = Script::stable(None);
    script.machine.rejoin();
    script.actions();
    script.machine.prepared(true);
    let attempt = script.join_attempt("m");
    assert!(matches!(script.machine.standing(), Standing::Member(g) if g.id == 1));
    // The coordinator moves: nothing is lost.
    script.machine.on_join(script.now, attempt, Err(code(ErrorCode::NOT_COORDINATOR)));
    assert_eq!(script.one(), Action::ForgetCoordinator);
    assert!(matches!(script.machine.standing(), Standing::Member(g) if g.id == 1));
    script.pass(Duration::from_secs(1));
    let attempt = script.join_attempt("m");
    script.machine.on_join(script.now, attempt, Ok(joined(2, None)));
    assert_eq!(script.machine.standing(), Standing::Rebalancing);
    let Action::Sync { attempt, .. } = script.one() else { panic!() };
    script.machine.on_sync(script.now, attempt, Ok(Bytes::new()));
    assert!(matches!(script.machine.standing(), Standing::Member(g) if g.id == 2));
}

#[test]
fn what_was_kept_is_lost_when_the_coordinator_forgot_it() {
    for (refusal, member_id) in [(ErrorCode::UNKNOWN_MEMBER_ID, ""), (ErrorCode::ILLEGAL_GENERATION, "m")] {
        let mut script = Script::stable(None);
        script.machine.rejoin();
        script.actions();
        script.machine.prepared(true);
        let attempt = script.join_attempt("m");
        script.machine.on_join(script.now, attempt, Err(code(refusal)));
        assert_eq!(script.one(), Action::Prepare(GenerationEnd::Lost));
        assert_eq!((script.machine.standing(), script.machine.losses()), (Standing::None, 1));
        script.machine.prepared(false);
        assert!(script.actions().is_empty(), "after a pause");
        script.pass(Duration::from_secs(1));
        script.join_attempt(member_id);
    }
}

#[test]
fn a_loss_during_a_revocation_takes_the_rest_before_the_group_is_joined() {
    let mut script = Script::stable(None);
    script.machine.rejoin();
    script.actions();
    script.beat(Err(code(ErrorCode::UNKNOWN_MEMBER_ID)));
    assert_eq!(script.one(), Action::LostMeanwhile);
    script.machine.prepared(true);
    assert_eq!(script.one(), Action::Prepare(GenerationEnd::Lost));
    script.machine.prepared(false);
    script.join_attempt("");
}

#[test]
fn a_wish_to_rejoin_during_a_rebalance_is_kept() {
    let mut script = Script::stable(None);
    script.machine.rejoin();
    script.actions();
    script.machine.prepared(false);
    let attempt = script.join_attempt("m");
    script.machine.rejoin();
    script.machine.on_join(script.now, attempt, Ok(joined(2, None)));
    let Action::Sync { attempt, .. } = script.one() else { panic!() };
    script.machine.on_sync(script.now, attempt, Ok(Bytes::new()));
    let actions = script.actions();
    assert!(matches!(actions[0], Action::Assigned { .. }), "{actions:?}");
    assert_eq!(actions[1], Action::Prepare(GenerationEnd::Rebalance));
}

#[test]
fn a_rebalance_that_begins_during_sync_joins_again() {
    let mut script = Script::stable(None);
    script.machine.rejoin();
    script.actions();
    script.machine.prepared(false);
    let attempt = script.join_attempt("m");
    script.machine.on_join(script.now, attempt, Ok(joined(2, None)));
    let Action::Sync { attempt, .. } = script.one() else { panic!() };
    script.machine.on_sync(script.now, attempt, Err(code(ErrorCode::REBALANCE_IN_PROGRESS)));
    let attempt = script.join_attempt("m");
    script.follow(attempt, 3);
}
