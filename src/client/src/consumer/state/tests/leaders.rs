//! Leaders that change, logs that are cut off, topics that are created anew, replicas that are nearer.

use super::*;

impl Script {
    /// The partitions of the checks that are planned; nothing else is.
    fn checks(&mut self) -> Vec<Asked> {
        match self.plan().as_mut_slice() {
            [Question::Agreements { partitions, .. }] => std::mem::take(partitions),
            other => panic!("{other:?}"),
        }
    }

    fn agreed(&mut self, asked: Asked, agreement: Agreement) -> bool {
        let answers = HashMap::from([(asked.tp.clone(), Ok(agreement))]);
        self.state.on_agreements(self.now, vec![asked], answers, false)
    }

    /// One record from epoch 5 is consumed, another one is buffered, then the leader changes.
    fn moved(limits: Limits) -> Self {
        let mut script = Script::assigned(&[1], limits);
        script.state.seek(&tp(0), 0);
        script.state.release();
        script.fetch_one();
        script.fetch_one();
        assert_eq!(script.take(), Some((0, 0)));
        script.metadata = led(&script.metadata, 1, &[2], 6);
        script
    }
}

fn none() -> Limits {
    Limits { reset: OffsetReset::None, ..limits() }
}

#[test]
fn a_position_is_checked_when_the_leader_changed() {
    let mut script = Script::moved(limits());
    let asked = script.checks().remove(0);
    assert_eq!((asked.offset, asked.offset_epoch, asked.leader_epoch), (2, 5, 6));
    assert!(script.plan().is_empty(), "asked once, and nothing is fetched meanwhile");
    assert!(!script.agreed(asked, Some((5, 2))));
    let asked = script.fetches().remove(0);
    assert_eq!((asked.offset, asked.leader_epoch), (2, 6));
    assert_eq!(script.take(), Some((0, 1)), "what was buffered");
    assert_eq!((script.state.position(&tp(0)), script.state.position_epoch(&tp(0))), (Some(2), 5));
}

#[test]
fn a_position_without_epoch_is_not_checked() {
    let mut script = Script::active(&[1]);
    script.metadata = led(&script.metadata, 1, &[2], 6);
    assert_eq!(script.fetches()[0].leader_epoch, 6);
    let mut script = Script::moved(limits());
    let asked = script.checks();
    script.state.on_agreements(script.now, asked, HashMap::new(), true);
    assert_eq!(script.fetches().len(), 1, "a broker that cannot be asked");
}

#[test]
fn a_check_that_fails_is_made_again_or_told() {
    let mut script = Script::moved(limits());
    let asked = script.checks();
    let refused = |code| HashMap::from([(tp(0), Err(code))]);
    assert!(script.state.on_agreements(script.now, asked, refused(ErrorCode::FENCED_LEADER_EPOCH), false));
    assert!(script.plan().is_empty());
    script.now += Duration::from_millis(100);
    let asked = script.checks();
    script.metadata = led(&script.metadata, 1, &[3], 7);
    let again = script.checks().remove(0);
    assert_eq!(again.leader_epoch, 7, "at the next leader");
    script.state.on_agreements(script.now, asked, refused(ErrorCode::TOPIC_AUTHORIZATION_FAILED), false);
    assert_eq!(script.take(), Some((0, 1)), "an answer of the last one is too late");
    let denied = refused(ErrorCode::TOPIC_AUTHORIZATION_FAILED);
    script.state.on_agreements(script.now, vec![again], denied, false);
    assert!(script.state.take().unwrap().is_err());
}

#[test]
fn a_log_that_was_cut_off_above_the_position_is_fetched_again() {
    let mut script = Script::moved(none());
    let asked = script.checks().remove(0);
    script.agreed(asked, Some((5, 1)));
    assert_eq!(script.take(), None, "what was buffered is void");
    let asked = script.fetches().remove(0);
    assert_eq!((asked.offset, asked.offset_epoch), (1, 5));
}

#[test]
fn a_log_that_was_cut_off_below_the_position_resets_it_or_is_told() {
    let mut script = Script::moved(limits());
    let asked = script.checks().remove(0);
    script.agreed(asked, Some((4, 0)));
    assert_eq!((script.take(), script.state.position(&tp(0))), (None, Some(0)));
    assert_eq!(script.fetches()[0].offset, 0);

    let mut script = Script::moved(limits());
    let asked = script.checks().remove(0);
    script.agreed(asked, None);
    assert!(
        matches!(&script.plan()[0], Question::Offsets { to: OffsetReset::Earliest, .. }),
        "where is unknown"
    );

    for (agreement, agrees_to) in [(Some((4, 0)), Some(0)), (None, None)] {
        let mut script = Script::moved(none());
        let asked = script.checks().remove(0);
        script.agreed(asked, agreement);
        let error = script.state.take().unwrap().unwrap_err();
        let ConsumerError::LogTruncated { offset, agrees_to: told, .. } = error else { panic!("{error}") };
        assert_eq!((offset, told), (1, agrees_to));
        assert!(script.plan().is_empty(), "it rests");
        assert!(script.state.seek(&tp(0), 0));
        assert_eq!(script.fetches().len(), 1);
    }
}

#[test]
fn a_committed_epoch_is_checked_and_metadata_that_lags_behind_it_is_asked_again() {
    let mut script = Script::assigned(&[1, 1], Limits { has_group: true, ..limits() });
    script.state.release();
    let Question::Committed(asked) = script.plan().remove(0) else { panic!() };
    let offsets = HashMap::from([(tp(0), committed(40, 4)), (tp(1), committed(7, 6))]);
    script.state.on_committed(script.now, asked, Ok(Some(offsets)));
    let questions = script.plan();
    assert_eq!(questions[0], Question::Metadata(vec!["t".into()]), "of the epoch 6");
    let Question::Agreements { partitions, .. } = &questions[1] else { panic!("{questions:?}") };
    assert_eq!((partitions[0].offset, partitions[0].offset_epoch, partitions.len()), (40, 4, 1));
    script.state.on_metadata(script.now, &script.metadata.clone());
    assert!(script.plan().is_empty(), "after a pause");
    script.now += Duration::from_millis(100);
    assert_eq!(script.plan(), [Question::Metadata(vec!["t".into()])]);
    let newer = led(&script.metadata, 1, &[1, 1], 6);
    script.metadata = newer;
    script.state.on_metadata(script.now, &script.metadata.clone());
    let questions = script.plan();
    assert!(
        matches!(&questions[1], Question::Fetch { partitions, .. } if partitions[0].tp == tp(1)),
        "{questions:?}"
    );
}

#[test]
fn an_epoch_that_stays_newer_than_the_leaders_is_checked_there() {
    let mut script = Script::assigned(&[1], Limits { has_group: true, ..limits() });
    script.state.release();
    let Question::Committed(asked) = script.plan().remove(0) else { panic!() };
    script.state.on_committed(script.now, asked, Ok(Some(HashMap::from([(tp(0), committed(7, 9))]))));
    assert!(matches!(script.plan()[0], Question::Metadata(_)));
    script.metadata = led(&script.metadata, 1, &[1], 5);
    script.state.on_metadata(script.now, &script.metadata.clone());
    assert_eq!(script.checks()[0].offset_epoch, 9);
}

#[test]
fn a_topic_that_was_created_anew_is_read_by_the_reset_policy() {
    let mut script = Script::active(&[1]);
    script.fetch_one();
    let late = script.fetches().remove(0);
    script.metadata = led(&script.metadata, 2, &[1], 0);
    let questions = script.plan();
    let Question::Offsets { partitions, .. } = &questions[0] else { panic!("{questions:?}") };
    let brought = records(&late, 1);
    script.answer(late, brought);
    assert_eq!((script.take(), script.state.position(&tp(0))), (None, None), "nothing of the old topic");
    script.state.on_offsets(script.now, partitions.clone(), HashMap::from([(tp(0), Ok(0))]));
    let asked = script.fetches().remove(0);
    assert_eq!((asked.topic_id, asked.offset, asked.leader_epoch), (Uuid::from_u128(2), 0, 0));

    let mut script = Script::assigned(&[1], none());
    script.state.seek(&tp(0), 5);
    script.state.release();
    script.fetches();
    script.metadata = led(&script.metadata, 2, &[1], 0);
    assert!(script.plan().is_empty());
    let error = script.state.take().unwrap().unwrap_err();
    assert!(matches!(error, ConsumerError::TopicRecreated { offset: 5, .. }), "{error}");
}

#[test]
fn an_answer_of_the_old_leader_that_comes_late_is_dropped() {
    let mut script = Script::active(&[1]);
    let old = script.fetches().remove(0);
    script.metadata = led(&script.metadata, 1, &[2], 6);
    let new = script.fetches().remove(0);
    assert_eq!(new.offset, old.offset);
    let brought = records(&new, 1);
    script.answer(new, brought);
    let brought = records(&old, 1);
    script.state.on_fetched(script.now, NodeId(1), vec![(old, brought)]);
    assert_eq!((script.take(), script.take()), (Some((0, 0)), None), "nothing comes twice");
}

#[test]
fn a_leader_that_a_refusal_names_is_asked_at_once() {
    let mut script = Script::active(&[1]);
    let asked = script.fetches().remove(0);
    script.metadata = led(&script.metadata, 1, &[2], 6);
    assert!(!script.state.on_fetched(script.now, NodeId(1), vec![(asked, Fetched::Moved)]), "no refresh");
    assert!(matches!(script.plan()[0], Question::Fetch { node: NodeId(2), .. }));
}

#[test]
fn a_recommended_replica_is_read_from_until_it_fails_or_time_is_up() {
    let recommended = || {
        let mut script = Script::active(&[1]);
        let asked = script.fetches().remove(0);
        script.state.on_fetched(script.now, NODE, vec![(asked, Fetched::Replica(NodeId(2)))]);
        let questions = script.plan();
        let Question::Fetch { node: NodeId(2), partitions } = &questions[0] else { panic!("{questions:?}") };
        let asked = partitions[0].clone();
        (script, asked)
    };
    let fetched_from = |script: &mut Script| match &script.plan()[..] {
        [Question::Fetch { node, .. }] => Some(node.0),
        [] => None,
        other => panic!("{other:?}"),
    };
    let (mut script, asked) = recommended();
    let brought = records(&asked, 1);
    script.state.on_fetched(script.now, NodeId(2), vec![(asked, brought)]);
    script.now += Duration::from_secs(59);
    assert_eq!((script.take(), fetched_from(&mut script)), (Some((0, 0)), Some(2)));
    script.state.on_fetched(script.now, NodeId(2), Vec::new());
    script.now += Duration::from_secs(2);
    assert_eq!(fetched_from(&mut script), Some(1));

    // Out of range there says nothing of the leader, which is asked at once.
    let (mut script, asked) = recommended();
    let refused = Fetched::Refused(ErrorCode::OFFSET_OUT_OF_RANGE);
    script.state.on_fetched(script.now, NodeId(2), vec![(asked, refused)]);
    assert_eq!(fetched_from(&mut script), Some(1));

    for failure in [Fetched::Nothing, Fetched::Refused(ErrorCode::OFFSET_NOT_AVAILABLE)] {
        let (mut script, asked) = recommended();
        assert!(script.state.on_fetched(script.now, NodeId(2), vec![(asked, failure)]));
        script.now += Duration::from_millis(100);
        assert_eq!(fetched_from(&mut script), Some(1));
    }
    let (mut script, _) = recommended();
    script.state.on_fetched(script.now, NodeId(2), Vec::new());
    script.metadata = led(&script.metadata, 1, &[3], 6);
    assert_eq!(fetched_from(&mut script), Some(3), "a new leader is asked first");
}

/// It would be asked again at once, over and over.
#[test]
fn a_broker_that_recommends_itself_is_asked_again_after_a_pause() {
    let mut script = Script::active(&[1]);
    for _ in 0..3 {
        let asked = script.fetches().remove(0);
        script.state.on_fetched(script.now, NODE, vec![(asked, Fetched::Replica(NODE))]);
        assert_eq!(script.plan(), [], "no pause");
        script.now += Duration::from_secs(1);
    }
    // Two that recommend each other are no better.
    for node in [NODE, NodeId(2), NODE, NodeId(2)] {
        let asked = script.fetches().remove(0);
        assert_eq!(script.state.read_from(&tp(0)), Some(node));
        let other = NodeId(3 - node.0);
        script.state.on_fetched(script.now, node, vec![(asked, Fetched::Replica(other))]);
        if node != NODE {
            assert_eq!(script.plan(), [], "no pause");
            script.now += Duration::from_secs(1);
        }
    }
}

#[test]
fn a_broken_batch_at_the_broker_is_told_and_a_mishap_is_not() {
    for (code, lasts) in [
        (ErrorCode::CORRUPT_MESSAGE, true),
        (ErrorCode::UNKNOWN_SERVER_ERROR, false),
        (ErrorCode::KAFKA_STORAGE_ERROR, false),
        (ErrorCode::UNKNOWN_LEADER_EPOCH, false),
        (ErrorCode::UNKNOWN_TOPIC_ID, false),
    ] {
        let mut script = Script::active(&[1]);
        let asked = script.fetches().remove(0);
        script.answer(asked, Fetched::Refused(code));
        assert_eq!(script.state.take().is_some(), lasts, "{code}");
        script.now += Duration::from_secs(1);
        assert_eq!(script.plan().len(), usize::from(!lasts), "{code}");
    }
}

#[test]
fn a_reset_by_duration_goes_to_the_end_if_all_is_older() {
    let reset = OffsetReset::ByDuration(Duration::from_secs(60));
    assert_eq!(reset.timestamp(Duration::from_secs(100)), 40_000);
    assert_eq!(reset.timestamp(Duration::from_secs(1)), 0);
    let mut script = Script::assigned(&[1], Limits { reset, ..limits() });
    script.state.release();
    let Question::Offsets { to, partitions, .. } = script.plan().remove(0) else { panic!() };
    assert_eq!(to, reset);
    script.state.on_offsets(script.now, partitions, HashMap::from([(tp(0), Ok(-1))]));
    assert!(matches!(script.plan()[0], Question::Offsets { to: OffsetReset::Latest, .. }));
}

#[test]
fn a_record_that_cannot_be_read_is_not_passed_although_the_leader_changes_meanwhile() {
    let mut script = Script::assigned(&[1], limits());
    script.state.seek(&tp(0), 0);
    script.state.release();
    let asked = script.fetches().remove(0);
    let Fetched::Region(brought) = records(&asked, 1) else { panic!() };
    let mut bytes = brought.records.batches[0].bytes().to_vec();
    bytes[62] = 0xff;
    crossdock_wire::header::seal(&mut bytes).unwrap();
    let broken = region(&asked, bytes);
    script.answer(asked, broken);
    let run = script.state.take().unwrap().unwrap();
    assert_eq!(script.state.position(&tp(0)), Some(1));
    script.metadata = led(&script.metadata, 1, &[2], 6);
    script.checks();
    assert!(run.records().any(|record| record.is_err()), "the scenario");
    assert_eq!(script.state.position(&tp(0)), Some(0), "before it is settled");
    assert!(script.plan().is_empty(), "it rests");
    assert_eq!(script.state.position(&tp(0)), Some(0), "and after");
}
