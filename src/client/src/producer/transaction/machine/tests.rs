//! Scripted cases.

use super::*;
use crate::group::{ConsumerGroupMetadata, OffsetAndMetadata};
use crate::metadata::TopicPartition;
use std::collections::HashMap;

const CLASSIC: Protocol = Protocol { implicit: false, raises_epochs: true };
const OLD: Protocol = Protocol { implicit: false, raises_epochs: false };
const IMPLICIT: Protocol = Protocol { implicit: true, raises_epochs: true };
const ME: Identity = Identity { id: 7, epoch: 3 };
const LANE: LaneId = LaneId { topic: 0, partition: 0 };

fn ready(protocol: Protocol) -> Machine {
    let mut machine = Machine::new("me".into());
    machine.start(Call::Init).unwrap();
    assert!(matches!(machine.next_action(true), Some(Action::Init { identity: None })));
    assert_eq!(machine.answered(Answer::Initialized { identity: ME, protocol }), Pause::None);
    assert_eq!(machine.outcome(Call::Init), Some(Ok(())));
    machine
}

/// With one partition that may be written to.
fn open(protocol: Protocol) -> Machine {
    let mut machine = ready(protocol);
    machine.begin().unwrap();
    if !machine.may_produce(LANE) {
        assert!(matches!(machine.next_action(false), Some(Action::AddPartitions { .. })));
        machine.answered(Answer::Done);
        assert!(machine.may_produce(LANE));
    }
    machine
}

fn refused(code: ErrorCode) -> Answer {
    Answer::Refused { code, reason: code.to_string() }
}

fn lost() -> Answer {
    Answer::Lost { sent: true, reason: "lost".to_owned() }
}

fn offsets(machine: &mut Machine) -> Result<u64, TransactionError> {
    let offsets = HashMap::from([(TopicPartition::new("t", 0), OffsetAndMetadata::new(5))]);
    machine.send_offsets(GroupOffsets { group: ConsumerGroupMetadata::without_membership("g"), offsets })
}

fn text(error: &TransactionError) -> String {
    error.to_string()
}

#[test]
fn misuse_says_which_call_is_missing() {
    let mut machine = Machine::new("me".into());
    assert!(text(&machine.check_append().unwrap_err()).contains("call init_transactions first"));
    assert!(text(&machine.begin().unwrap_err()).contains("call init_transactions first"));
    machine.start(Call::Init).unwrap();
    assert!(matches!(machine.begin(), Err(TransactionError::Pending { pending: "init_transactions", .. })));

    let mut machine = ready(CLASSIC);
    assert!(text(&machine.check_append().unwrap_err()).contains("call begin_transaction first"));
    assert!(text(&machine.start(Call::Commit).unwrap_err()).contains("call begin_transaction first"));
    assert!(text(&machine.start(Call::Abort).unwrap_err()).contains("call begin_transaction first"));
    assert!(text(&offsets(&mut machine).unwrap_err()).contains("call begin_transaction first"));
    assert!(text(&machine.start(Call::Init).unwrap_err()).contains("it was called before"));
    machine.begin().unwrap();
    assert!(text(&machine.begin().unwrap_err()).contains("commit_transaction or abort_transaction first"));
    machine.start(Call::Commit).unwrap();
    assert!(text(&machine.check_append().unwrap_err()).contains("commit_transaction has not ended"));
}

#[test]
fn an_empty_transaction_ends_without_a_request() {
    for protocol in [CLASSIC, IMPLICIT] {
        for call in [Call::Commit, Call::Abort] {
            let mut machine = ready(protocol);
            machine.begin().unwrap();
            machine.start(call).unwrap();
            assert!(machine.next_action(true).is_none());
            assert_eq!(machine.outcome(call), Some(Ok(())));
            machine.begin().unwrap();
        }
    }
}

#[test]
fn classic_partitions_and_groups_are_announced_and_the_epoch_stays() {
    let mut machine = open(CLASSIC);
    let ticket = offsets(&mut machine).unwrap();
    assert!(matches!(machine.next_action(false), Some(Action::AddOffsets { .. })));
    machine.answered(Answer::Done);
    assert!(matches!(machine.next_action(false), Some(Action::CommitOffsets { implicit: false, .. })));
    machine.answered(Answer::Done);
    assert_eq!(machine.offsets_outcome(ticket), Some(Ok(())));
    machine.start(Call::Commit).unwrap();
    assert!(machine.next_action(false).is_none(), "batches are unresolved");
    assert!(matches!(machine.next_action(true), Some(Action::End { commit: true, implicit: false, .. })));
    machine.answered(Answer::Ended { identity: None });
    assert_eq!(machine.outcome(Call::Commit), Some(Ok(())));
    assert_eq!(machine.identity(), Some(ME));
    machine.begin().unwrap();
    assert!(!machine.may_produce(LANE), "the next transaction announces it anew");
}

#[test]
fn implicit_transactions_announce_nothing_and_take_the_next_epoch() {
    let mut machine = open(IMPLICIT);
    offsets(&mut machine).unwrap();
    assert!(matches!(machine.next_action(false), Some(Action::CommitOffsets { implicit: true, .. })));
    machine.answered(Answer::Done);
    machine.start(Call::Commit).unwrap();
    assert!(matches!(machine.next_action(true), Some(Action::End { commit: true, implicit: true, .. })));
    let next = Identity { id: 7, epoch: 4 };
    machine.answered(Answer::Ended { identity: Some(next) });
    assert_eq!((machine.outcome(Call::Commit), machine.identity()), (Some(Ok(())), Some(next)));
}

#[test]
fn a_lost_end_is_repeated_with_the_same_result_until_it_is_known() {
    let mut machine = open(CLASSIC);
    machine.start(Call::Commit).unwrap();
    for answer in [
        lost(),
        refused(ErrorCode::NOT_COORDINATOR),
        refused(ErrorCode::CONCURRENT_TRANSACTIONS),
        refused(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS),
        refused(ErrorCode::REQUEST_TIMED_OUT),
    ] {
        assert!(matches!(machine.next_action(true), Some(Action::End { commit: true, .. })));
        assert_ne!(machine.answered(answer), Pause::None);
        assert_eq!(machine.outcome(Call::Commit), None);
    }
    machine.next_action(true);
    machine.answered(Answer::Ended { identity: None });
    assert_eq!(machine.outcome(Call::Commit), Some(Ok(())));
}

#[test]
fn fenced_after_a_lost_commit_the_outcome_is_unknown() {
    for (first, unknown) in [(lost(), true), (refused(ErrorCode::NOT_COORDINATOR), false)] {
        let mut machine = open(CLASSIC);
        machine.start(Call::Commit).unwrap();
        machine.next_action(true);
        machine.answered(first);
        machine.next_action(true);
        machine.answered(refused(ErrorCode::INVALID_PRODUCER_EPOCH));
        let error = machine.outcome(Call::Commit).unwrap().unwrap_err();
        assert!(error.is_fenced() && error.is_fatal());
        assert_eq!(error.may_have_been_committed(), unknown, "{error}");
        assert!(machine.begin().unwrap_err().is_fenced());
        assert!(machine.start(Call::Init).unwrap_err().is_fenced());
    }
}

#[test]
fn a_failed_batch_leaves_only_the_abort_and_then_a_new_epoch() {
    let mut machine = open(CLASSIC);
    machine.batch_failed(Some(ErrorCode::MESSAGE_TOO_LARGE), "too large");
    assert!(machine.check_append().unwrap_err().is_abortable());
    let error = machine.start(Call::Commit).unwrap_err();
    assert!(error.is_abortable() && text(&error).contains("too large"), "{error}");
    assert!(machine.dropping().is_some());
    machine.start(Call::Abort).unwrap();
    assert!(machine.next_action(false).is_none(), "batches are in flight");
    assert!(matches!(machine.next_action(true), Some(Action::End { commit: false, .. })));
    machine.answered(Answer::Ended { identity: None });
    assert_eq!(machine.outcome(Call::Abort), None);
    assert!(matches!(machine.next_action(true), Some(Action::Init { identity: Some(ME) })));
    let next = Identity { id: 7, epoch: 4 };
    machine.answered(Answer::Initialized { identity: next, protocol: CLASSIC });
    assert_eq!(machine.outcome(Call::Abort), Some(Ok(())));
    machine.begin().unwrap();
}

#[test]
fn a_failed_batch_during_the_commit_fails_it() {
    let mut machine = open(IMPLICIT);
    machine.start(Call::Commit).unwrap();
    machine.batch_failed(Some(ErrorCode::INVALID_PRODUCER_EPOCH), "epoch");
    assert!(machine.outcome(Call::Commit).unwrap().unwrap_err().is_abortable());
    machine.start(Call::Abort).unwrap();
    assert!(matches!(machine.next_action(true), Some(Action::End { commit: false, .. })));
    // Only the coordinator knows that the producer is fenced.
    machine.answered(refused(ErrorCode::PRODUCER_FENCED));
    assert!(machine.outcome(Call::Abort).unwrap().unwrap_err().is_fenced());
}

#[test]
fn brokers_that_cannot_raise_epochs_end_a_producer_with_its_first_failed_batch() {
    let mut machine = open(OLD);
    machine.batch_failed(None, "late");
    let error = machine.start(Call::Abort).unwrap_err();
    assert!(error.is_fatal() && text(&error).contains("before Kafka 2.5"), "{error}");
    // Without a failure an abort is fine.
    let mut machine = open(OLD);
    machine.start(Call::Abort).unwrap();
    machine.next_action(true);
    machine.answered(Answer::Ended { identity: None });
    assert_eq!(machine.outcome(Call::Abort), Some(Ok(())));
}

#[test]
fn an_abort_of_what_the_coordinator_never_heard_of_succeeds() {
    let mut machine = ready(CLASSIC);
    machine.begin().unwrap();
    assert!(!machine.may_produce(LANE));
    machine.next_action(false);
    machine.answered(lost());
    machine.start(Call::Abort).unwrap();
    assert!(matches!(machine.next_action(true), Some(Action::End { commit: false, .. })));
    machine.answered(refused(ErrorCode::INVALID_TXN_STATE));
    assert!(matches!(machine.next_action(true), Some(Action::Init { identity: Some(ME) })));
}

#[test]
fn each_refusal_ends_as_in_java() {
    use ErrorCode as E;
    let offsets_refused = |code| {
        let mut machine = open(IMPLICIT);
        let ticket = offsets(&mut machine).unwrap();
        machine.next_action(false);
        machine.answered(refused(code));
        machine.offsets_outcome(ticket).unwrap().unwrap_err()
    };
    for code in
        [E::ILLEGAL_GENERATION, E::UNKNOWN_MEMBER_ID, E::FENCED_INSTANCE_ID, E::GROUP_AUTHORIZATION_FAILED]
    {
        assert!(offsets_refused(code).is_abortable(), "{code}");
    }
    assert!(offsets_refused(E::PRODUCER_FENCED).is_fenced());
    assert!(offsets_refused(E::TRANSACTIONAL_ID_AUTHORIZATION_FAILED).is_fatal());

    let partition_refused = |code| {
        let mut machine = ready(CLASSIC);
        machine.begin().unwrap();
        machine.may_produce(LANE);
        machine.next_action(false);
        machine.answered(refused(code));
        machine.check_append().unwrap_err()
    };
    assert!(partition_refused(E::TOPIC_AUTHORIZATION_FAILED).is_abortable());
    assert!(partition_refused(E::TRANSACTION_ABORTABLE).is_abortable());
    assert!(partition_refused(E::INVALID_TXN_STATE).is_fatal());
    assert!(partition_refused(E::INVALID_PRODUCER_EPOCH).is_fenced());

    let mut machine = Machine::new("me".into());
    machine.start(Call::Init).unwrap();
    machine.next_action(true);
    machine.answered(refused(E::TRANSACTIONAL_ID_AUTHORIZATION_FAILED));
    let error = machine.outcome(Call::Init).unwrap().unwrap_err();
    assert!(matches!(error, TransactionError::Refused { .. }));
    machine.start(Call::Init).expect("it may be tried again");
    machine.next_action(true);
    machine.answered(refused(E::INVALID_TRANSACTION_TIMEOUT));
    assert!(machine.outcome(Call::Init).unwrap().unwrap_err().is_fatal());
}

#[test]
fn a_call_that_nobody_waits_for_keeps_its_outcome() {
    let mut machine = open(CLASSIC);
    machine.start(Call::Commit).unwrap();
    machine.next_action(true);
    machine.answered(Answer::Ended { identity: None });
    let error = machine.begin().unwrap_err();
    assert!(text(&error).contains("call commit_transaction again"), "{error}");
    machine.start(Call::Commit).unwrap();
    assert_eq!(machine.outcome(Call::Commit), Some(Ok(())));
    machine.begin().unwrap();
    // A failed one may be followed by the abort.
    machine.start(Call::Commit).unwrap();
    machine.batch_failed(None, "late");
    machine.start(Call::Abort).unwrap();
}

#[test]
fn closing_ends_every_call() {
    let mut machine = open(CLASSIC);
    machine.start(Call::Commit).unwrap();
    machine.next_action(true);
    machine.close();
    let error = machine.outcome(Call::Commit).unwrap().unwrap_err();
    assert!(error.may_have_been_committed(), "{error}");
    assert!(machine.take_news() && machine.next_action(true).is_none());
}
