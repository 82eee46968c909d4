use super::*;
use crate::backoff::Rng;
use std::collections::BTreeMap;

fn asked(partition: i32, offset: i64) -> Asked {
    Asked {
        tp: TopicPartition::new("t", partition),
        topic_id: Uuid::from_u128(7),
        stamp: 0,
        offset,
        offset_epoch: -1,
        leader_epoch: 3,
    }
}

/// A session that the broker numbered 50, over partitions 0 to 2 at offset 0.
fn open() -> FetchSession {
    let mut session = FetchSession::default();
    let first = session.ask(&[asked(0, 0), asked(1, 0), asked(2, 0)], true);
    assert_eq!((first.id, first.epoch, first.send.len()), (0, 0, 3));
    assert!(first.is_full() && !session.answered(ErrorCode::NONE, 50, true));
    session
}

#[test]
fn it_is_quiet_while_nothing_changes() {
    let mut session = open();
    for round in 1..=3 {
        assert!(!session.is_quiet(round));
        session.ask(&[asked(0, 0), asked(1, 0), asked(2, 0)], true);
        session.answered(ErrorCode::NONE, 50, true);
        assert!(session.is_quiet(round));
    }
    session.ask(&[asked(0, 1), asked(1, 0), asked(2, 0)], true);
    assert!(!session.is_quiet(1), "something came");
    session.answered(ErrorCode::NONE, 50, true);
    session.ask(&[asked(0, 1), asked(1, 0), asked(2, 0)], true);
    session.answered(ErrorCode::NONE, 50, true);
    assert!(session.is_quiet(1));
    session.ask(&[asked(0, 1), asked(2, 0)], true);
    assert!(!session.is_quiet(1), "a partition was given up");
}

#[test]
fn only_changes_are_sent() {
    let mut session = open();
    let same = session.ask(&[asked(0, 0), asked(1, 0), asked(2, 0)], true);
    assert_eq!((same.id, same.epoch, &*same.send, &*same.forget), (50, 1, &[][..], &[][..]));
    assert!(!same.is_full() && !session.answered(ErrorCode::NONE, 50, true));
    let moved = session.ask(&[asked(3, 9), asked(0, 0), asked(1, 5)], true);
    assert_eq!((moved.epoch, &*moved.send), (2, &[0, 2][..]), "added and changed");
    assert_eq!(moved.forget, [(TopicPartition::new("t", 2), Uuid::from_u128(7))]);
    session.answered(ErrorCode::NONE, 50, true);
    let led = Asked { leader_epoch: 4, ..asked(0, 0) };
    let request = session.ask(&[led], true);
    assert_eq!((&*request.send, request.forget.len()), (&[0][..], 2), "another leader epoch");
}

#[test]
fn a_topic_that_was_created_anew_replaces_the_old_one() {
    let mut session = open();
    let anew = Asked { topic_id: Uuid::from_u128(8), ..asked(1, 0) };
    let request = session.ask(&[asked(0, 0), anew, asked(2, 0)], true);
    assert_eq!(request.send, [1]);
    assert_eq!(request.forget, [(TopicPartition::new("t", 1), Uuid::from_u128(7))]);
}

#[test]
fn a_refusal_of_the_session_begins_another() {
    for (code, old) in [
        (ErrorCode::FETCH_SESSION_ID_NOT_FOUND, 0),
        (ErrorCode::INVALID_FETCH_SESSION_EPOCH, 50),
        (ErrorCode::FETCH_SESSION_TOPIC_ID_ERROR, 50),
    ] {
        let mut session = open();
        session.ask(&[asked(0, 0)], true);
        assert!(session.answered(code, 0, true), "{code} is asked again at once");
        let full = session.ask(&[asked(0, 0)], true);
        assert_eq!((full.id, full.epoch, &*full.send), (old, 0, &[0][..]), "{code}");
        assert!(!session.answered(code, 0, true), "a full request is not");
    }
    let mut session = open();
    session.ask(&[asked(0, 0)], true);
    assert!(!session.answered(ErrorCode::UNKNOWN_TOPIC_ID, 0, true), "the partitions are told");
    assert!(session.ask(&[asked(0, 0)], true).is_full());
}

#[test]
fn what_is_lost_or_does_not_fit_closes_the_session() {
    let mut session = open();
    session.ask(&[asked(0, 1)], true);
    session.lost();
    let full = session.ask(&[asked(0, 1), asked(1, 0)], true);
    assert_eq!((full.id, full.epoch, full.send.len(), full.forget.len()), (50, 0, 2, 0));
    assert!(!session.answered(ErrorCode::NONE, 51, false));
    let full = session.ask(&[], true);
    assert_eq!((full.id, full.epoch), (51, 0), "the answer lacked a partition; what it opened is closed");
    let mut session = open();
    assert_eq!(session.ask(&[asked(0, 0), asked(1, 0), asked(2, 0)], false).epoch, 0, "names instead of ids");
}

#[test]
fn without_a_session_all_requests_are_full() {
    let mut session = FetchSession::default();
    for _ in 0..3 {
        let request = session.ask(&[asked(0, 0)], false);
        assert_eq!((request.id, request.epoch, &*request.send), (0, 0, &[0][..]));
        session.answered(ErrorCode::NONE, 0, true);
    }
    let mut session = open();
    session.ask(&[], true);
    session.answered(ErrorCode::NONE, 0, true);
    let request = session.ask(&[asked(0, 0)], true);
    assert_eq!((request.id, request.epoch), (0, 0), "the broker closed it");
}

#[test]
fn epochs_go_round() {
    let mut session = open();
    session.epoch = i32::MAX;
    session.ask(&[], true);
    session.answered(ErrorCode::NONE, 50, true);
    assert_eq!(session.ask(&[], true).epoch, 1);
}

type Partitions = BTreeMap<i32, (i64, i32)>;

/// What Kafka's broker remembers, and how it judges requests.
#[derive(Default)]
struct Broker {
    next_id: i32,
    /// Id, the epoch that is expected next, and offset and leader epoch by partition.
    session: Option<(i32, i32, Partitions)>,
}

impl Broker {
    fn take(&mut self, request: &SessionRequest, wanted: &[Asked]) -> (ErrorCode, i32) {
        let named = request.send.iter().map(|at| &wanted[*at]);
        let named = named.map(|a| (a.tp.partition, (a.offset, a.leader_epoch)));
        if request.is_full() {
            self.next_id += 1;
            self.session = Some((self.next_id, 1, named.collect()));
            return (ErrorCode::NONE, self.next_id);
        }
        let Some((id, epoch, held)) = &mut self.session else {
            return (ErrorCode::FETCH_SESSION_ID_NOT_FOUND, 0);
        };
        if *id != request.id {
            return (ErrorCode::FETCH_SESSION_ID_NOT_FOUND, 0);
        }
        if *epoch != request.epoch {
            return (ErrorCode::INVALID_FETCH_SESSION_EPOCH, 0);
        }
        *epoch += 1;
        held.extend(named);
        for (tp, _) in &request.forget {
            held.remove(&tp.partition);
        }
        (ErrorCode::NONE, *id)
    }
}

#[test]
fn whatever_happens_the_broker_fetches_what_is_wanted_and_nothing_else() {
    let seed = Rng::random().next();
    println!("seed {seed}");
    let mut rng = Rng::seeded(seed);
    let (mut session, mut broker) = (FetchSession::default(), Broker::default());
    let mut again_in_a_row = 0;
    for _ in 0..20_000 {
        let mut wanted: Vec<_> = (0..20).filter(|_| rng.below(4) > 0).map(|p| asked(p, 0)).collect();
        for asked in &mut wanted {
            asked.offset = rng.below(3) as i64;
            asked.leader_epoch = rng.below(2) as i32;
        }
        let request = session.ask(&wanted, true);
        match rng.below(30) {
            0 => session.lost(), // Never sent.
            1 => {
                broker.take(&request, &wanted);
                session.lost();
            }
            2 => broker.session = None, // Evicted; then this request is answered.
            _ => {}
        }
        if session.held.is_empty() && !wanted.is_empty() {
            continue;
        }
        let (code, id) = broker.take(&request, &wanted);
        let again = session.answered(code, id, true);
        again_in_a_row = if again { again_in_a_row + 1 } else { 0 };
        assert!(again_in_a_row < 2);
        if code.is_ok() {
            let held = broker.session.as_ref().map(|s| s.2.clone()).unwrap();
            let expected = wanted.iter().map(|a| (a.tp.partition, (a.offset, a.leader_epoch))).collect();
            assert_eq!(held, expected);
        }
    }
}
