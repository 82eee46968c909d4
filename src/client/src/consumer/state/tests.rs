use super::*;
use crate::consumer::config::IsolationLevel;
use crate::consumer::records::{ReadOptions, read_region};
use crate::error::BrokerError;
use crate::metadata::MetadataSnapshot;
use crossdock_wire::{BatchBuilder, ProducerStamp};
use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::{BrokerId, MetadataResponse, TopicName};
use kafka_protocol::protocol::StrBytes;
use std::collections::HashMap;
use uuid::Uuid;

mod leaders;

const NODE: NodeId = NodeId(1);

fn tp(partition: i32) -> TopicPartition {
    TopicPartition::new("t", partition)
}

/// Topic `t` whose partition `p` is led by `leaders[p]` in epoch 5.
fn metadata(leaders: &[i32]) -> MetadataSnapshot {
    led(&MetadataSnapshot::default(), 1, leaders, 5)
}

/// The snapshot after `last`: topic `t` with this id, these leaders, all in the same epoch.
fn led(last: &MetadataSnapshot, id: u128, leaders: &[i32], epoch: i32) -> MetadataSnapshot {
    let partitions = (0..).zip(leaders).map(|(partition, leader)| {
        MetadataResponsePartition::default()
            .with_partition_index(partition)
            .with_leader_id(BrokerId(*leader))
            .with_leader_epoch(epoch)
    });
    let topic = MetadataResponseTopic::default()
        .with_name(Some(TopicName(StrBytes::from_static_str("t"))))
        .with_topic_id(Uuid::from_u128(id))
        .with_partitions(partitions.collect());
    let broker = |id| MetadataResponseBroker::default().with_node_id(BrokerId(id)).with_port(9092);
    let answer =
        MetadataResponse::default().with_topics(vec![topic]).with_brokers((1..=3).map(broker).collect());
    last.updated(answer, false)
}

fn limits() -> Limits {
    Limits {
        buffer_bytes: 1000,
        retry_backoff: Duration::from_millis(100),
        retry_backoff_max: Duration::from_secs(1),
        replica_max_age: Duration::from_secs(60),
        reset: OffsetReset::Earliest,
        has_group: false,
    }
}

fn committed(offset: i64, leader_epoch: i32) -> Located {
    Located { offset, leader_epoch }
}

struct Script {
    state: State,
    now: Instant,
    metadata: MetadataSnapshot,
}

impl Script {
    /// Partitions that were sought to 0 and may be fetched.
    fn active(leaders: &[i32]) -> Self {
        let mut script = Self::assigned(leaders, limits());
        for partition in 0..leaders.len() as i32 {
            script.state.seek(&tp(partition), 0);
        }
        script.state.release();
        script
    }

    fn assigned(leaders: &[i32], limits: Limits) -> Self {
        let mut state = State::new(limits);
        state.assign(&(0..leaders.len() as i32).map(tp).collect::<Vec<_>>());
        state.tell_all();
        Self { state, now: Instant::now(), metadata: metadata(leaders) }
    }

    fn plan(&mut self) -> Vec<Question> {
        self.state.plan(self.now, &self.metadata).questions
    }

    /// The partitions of the fetches that are planned.
    fn fetches(&mut self) -> Vec<Asked> {
        let partitions = |question| match question {
            Question::Fetch { partitions, .. } => partitions,
            other => panic!("{other:?}"),
        };
        self.plan().into_iter().flat_map(partitions).collect()
    }

    fn answer(&mut self, asked: Asked, fetched: Fetched) {
        let node = self.metadata.leader(&asked.tp.topic, asked.tp.partition).unwrap().0;
        self.state.on_fetched(self.now, node, vec![(asked, fetched)]);
    }

    /// One fetch of one partition that brings a record.
    fn fetch_one(&mut self) {
        let mut asked = self.fetches();
        assert_eq!(asked.len(), 1, "{asked:?}");
        let asked = asked.remove(0);
        let brought = records(&asked, 1);
        self.answer(asked, brought);
    }

    fn take(&mut self) -> Option<(i32, i64)> {
        self.state.take().map(|item| item.map(|r| (r.partition, r.start_offset)).unwrap())
    }
}

/// A batch of 300 bytes at the asked offset that is a transaction's marker.
fn marker(asked: &Asked) -> Fetched {
    let Fetched::Region(records) = records(asked, 1) else { panic!() };
    let mut bytes = records.records.batches[0].bytes().to_vec();
    bytes[22] = 0x30;
    crossdock_wire::header::seal(&mut bytes).unwrap();
    region(asked, bytes)
}

/// `count` records from the asked offset on, in one batch of 300 bytes.
fn records(asked: &Asked, count: i32) -> Fetched {
    let mut builder = BatchBuilder::with_capacity(0);
    for _ in 0..count {
        let filler = vec![0; 230 / count as usize];
        assert!(builder.append(1, None, Some(&filler), std::iter::empty()));
    }
    let mut bytes = builder.finish(ProducerStamp::NONE, false).to_vec();
    bytes[..8].copy_from_slice(&asked.offset.to_be_bytes());
    bytes[12..16].copy_from_slice(&asked.leader_epoch.to_be_bytes());
    region(asked, bytes)
}

fn region(asked: &Asked, bytes: Vec<u8>) -> Fetched {
    let isolation = IsolationLevel::ReadUncommitted;
    let options = ReadOptions {
        check_crcs: true,
        max_decompressed_bytes: 1 << 20,
        isolation,
        max_partition_bytes: 100,
    };
    Fetched::Region(Box::new(read_region(
        &asked.tp,
        bytes.into(),
        asked.offset,
        9,
        Vec::new(),
        options,
        &mut { usize::MAX },
    )))
}

#[test]
fn nothing_is_asked_before_the_assignment_is_released() {
    let mut script = Script::assigned(&[1], limits());
    assert!(script.plan().is_empty());
    assert!(script.state.release());
    assert!(!script.plan().is_empty());
}

#[test]
fn positions_come_from_commits_and_else_from_the_reset() {
    let mut script = Script::assigned(&[1, 1, 1], Limits { has_group: true, ..limits() });
    script.state.seek(&tp(2), 7);
    script.state.release();
    let mut questions = script.plan();
    assert!(matches!(&questions[1], Question::Fetch { partitions, .. } if partitions[0].offset == 7));
    let Question::Committed(asked) = questions.remove(0) else { panic!() };
    assert_eq!(asked.len(), 2);
    assert!(script.plan().is_empty(), "asked once");

    script.state.on_committed(script.now, asked, Ok(Some(HashMap::from([(tp(0), committed(40, -1))]))));
    assert_eq!((script.state.position(&tp(0)), script.state.position(&tp(1))), (Some(40), None));
    let Question::Offsets { to, partitions, .. } = script.plan().remove(0) else { panic!() };
    assert_eq!((to, partitions.len(), script.state.all_located()), (OffsetReset::Earliest, 1, false));
    script.state.on_offsets(script.now, partitions, HashMap::from([(tp(1), Ok(3))]));
    assert_eq!((script.state.position(&tp(1)), script.state.all_located()), (Some(3), true));
}

#[test]
fn lookups_that_fail_are_tried_again_later() {
    let mut script = Script::assigned(&[1], limits());
    script.state.release();
    for pause in [100, 200, 400] {
        let Question::Offsets { partitions, .. } = script.plan().remove(0) else { panic!() };
        script.state.on_offsets(script.now, partitions, HashMap::new());
        let plan = script.state.plan(script.now, &script.metadata);
        assert!(plan.questions.is_empty());
        script.now += Duration::from_millis(pause);
        assert_eq!(plan.wake_at, Some(script.now));
    }
}

#[test]
fn without_commit_and_reset_there_is_an_error_and_the_others_go_on() {
    let limits = Limits { has_group: true, reset: OffsetReset::None, ..limits() };
    let mut script = Script::assigned(&[1, 1], limits);
    script.state.release();
    let Question::Committed(asked) = script.plan().remove(0) else { panic!() };
    script.state.on_committed(script.now, asked, Ok(Some(HashMap::from([(tp(1), committed(4, -1))]))));
    let error = script.state.take().unwrap().unwrap_err();
    assert!(matches!(error, ConsumerError::NoOffset { partition: 0, .. }));
    assert!(script.state.take().is_none(), "told once");
    assert_eq!(script.fetches()[0].tp, tp(1));
}

#[test]
fn the_next_fetch_is_planned_while_the_last_is_worked_on_but_no_more_than_two_wait() {
    let mut script = Script::active(&[1]);
    script.fetch_one();
    script.fetch_one();
    assert!(script.plan().is_empty());
    assert!(script.state.is_blocked());
    assert_eq!(script.take(), Some((0, 0)));
    assert_eq!(script.state.position(&tp(0)), Some(1));
    assert_eq!(script.fetches()[0].offset, 2);
    assert!(script.plan().is_empty(), "one fetch a broker at a time");
}

#[test]
fn the_position_moves_past_what_holds_no_records() {
    let mut script = Script::active(&[1]);
    let asked = script.fetches().remove(0);
    let brought = marker(&asked);
    script.answer(asked, brought);
    assert_eq!((script.take(), script.state.position(&tp(0))), (None, Some(1)));
    script.fetch_one();
    let asked = script.fetches().remove(0);
    let brought = marker(&asked);
    script.answer(asked, brought);
    assert_eq!(script.state.position(&tp(0)), Some(1), "not before the run is taken");
    assert_eq!((script.take(), script.state.position(&tp(0))), (Some((0, 1)), Some(3)));
}

#[test]
fn a_broker_is_not_asked_for_idle_partitions_alone() {
    let mut script = Script::active(&[1, 1, 2]);
    for _ in 0..2 {
        for asked in script.fetches() {
            let brought =
                if asked.tp.partition == 0 { records(&asked, 1) } else { region(&asked, Vec::new()) };
            script.answer(asked, brought);
        }
    }
    // Partition 0 waits to be taken: a fetch of partition 1 alone would be held by the broker.
    let fetched: Vec<_> = script.fetches().into_iter().map(|a| a.tp.partition).collect();
    assert_eq!(fetched, [2]);
    // Paused, it holds up nobody.
    script.state.set_paused(&[tp(0)], true);
    let fetched: Vec<_> = script.fetches().into_iter().map(|a| a.tp.partition).collect();
    assert_eq!(fetched, [1]);
}

#[test]
fn paused_partitions_keep_what_is_buffered_and_are_not_fetched() {
    let mut script = Script::active(&[1]);
    script.fetch_one();
    script.state.set_paused(&[tp(0)], true);
    assert_eq!(script.take(), None);
    assert!(script.plan().is_empty());
    script.state.set_paused(&[tp(0)], false);
    assert_eq!(script.take(), Some((0, 0)));
}

#[test]
fn a_full_buffer_of_paused_partitions_is_given_up() {
    let mut script = Script::active(&[1, 2, 3]);
    for _ in 0..2 {
        for asked in script.fetches().into_iter().filter(|a| a.tp.partition != 2) {
            let brought = records(&asked, 1);
            script.answer(asked, brought);
        }
    }
    // 4 batches of 300 bytes: above the limit of 1000.
    assert!(script.plan().is_empty() && script.state.is_blocked());
    script.state.set_paused(&[tp(0), tp(1)], true);
    script.state.on_fetched(script.now, NodeId(3), Vec::new());
    assert_eq!(script.fetches()[0].tp, tp(2), "others go on");
    script.state.set_paused(&[tp(0)], false);
    let asked = script.fetches();
    assert_eq!((asked[0].tp.partition, asked[0].offset), (0, 0), "fetched again");
    assert_eq!(script.take(), None);
}

#[test]
fn answers_from_before_a_seek_are_dropped() {
    let mut script = Script::active(&[1]);
    let asked = script.fetches().remove(0);
    script.state.seek(&tp(0), 50);
    let brought = records(&asked, 1);
    script.answer(asked, brought);
    assert_eq!(script.take(), None);
    assert_eq!(script.fetches()[0].offset, 50);
    assert_eq!(script.state.position(&tp(0)), Some(50));
}

#[test]
fn a_seek_discards_what_is_buffered() {
    let mut script = Script::active(&[1]);
    script.fetch_one();
    script.state.seek(&tp(0), 50);
    assert_eq!(script.take(), None);
    assert_eq!(script.state.buffered, 0);
    assert!(!script.state.seek(&tp(9), 0), "not assigned");
}

#[test]
fn nothing_is_handed_out_once_the_assignment_ends() {
    let mut script = Script::active(&[1]);
    script.fetch_one();
    assert_eq!(script.take(), Some((0, 0)));
    script.fetch_one();
    let asked = script.fetches().remove(0);
    script.state.rest_these(&[tp(0)]);
    let brought = records(&asked, 1);
    script.answer(asked, brought);
    assert_eq!(script.take(), None);
    assert!(script.plan().is_empty());
    assert_eq!(script.state.position(&tp(0)), Some(1), "for the last commit");
}

#[test]
fn what_stays_assigned_goes_on_while_others_come_and_go() {
    let mut script = Script::active(&[1, 1]);
    script.state.set_paused(&[tp(1)], true);
    script.fetch_one();
    let before = script.state.position(&tp(1));
    assert!(!script.state.add(&[tp(0), tp(1)]), "they are there already");
    assert!(script.state.add(&[tp(1), tp(2)]));
    assert!(!script.state.release(), "the application was not told of the new one");
    script.state.rest_these(&[tp(1)]);
    assert_eq!(script.take(), Some((0, 0)), "buffers are kept");
    assert_eq!(script.state.position(&tp(1)), before);
    script.state.remove(&[tp(1)]);
    assert_eq!(script.state.assignment(), [tp(0), tp(2)]);
    assert_eq!(script.state.told(), [tp(0)]);
    script.state.tell_all();
    assert!(script.state.release());
    script.state.add(&[tp(1)]);
    assert_eq!(script.state.position(&tp(1)), None, "begins anew");
}

#[test]
fn an_offset_out_of_range_is_reset_or_told() {
    let mut script = Script::active(&[1]);
    let asked = script.fetches().remove(0);
    script.answer(asked, Fetched::Refused(ErrorCode::OFFSET_OUT_OF_RANGE));
    let Question::Offsets { partitions, .. } = script.plan().remove(0) else { panic!() };
    script.state.on_offsets(script.now, partitions, HashMap::from([(tp(0), Ok(12))]));
    assert_eq!(script.fetches()[0].offset, 12);

    let mut script = Script::assigned(&[1], Limits { reset: OffsetReset::None, ..limits() });
    script.state.seek(&tp(0), 5);
    script.state.release();
    let asked = script.fetches().remove(0);
    script.answer(asked, Fetched::Refused(ErrorCode::OFFSET_OUT_OF_RANGE));
    let error = script.state.take().unwrap().unwrap_err();
    assert!(matches!(error, ConsumerError::OffsetOutOfRange { offset: 5, .. }));
    assert!(script.plan().is_empty(), "it rests");
    script.state.seek(&tp(0), 6);
    assert_eq!(script.fetches()[0].offset, 6);
}

#[test]
fn a_leader_that_moved_is_asked_after_a_pause() {
    let mut script = Script::active(&[1]);
    let asked = script.fetches().remove(0);
    assert_eq!(asked.leader_epoch, 5);
    let answers = vec![(asked, Fetched::Refused(ErrorCode::NOT_LEADER_OR_FOLLOWER))];
    assert!(script.state.on_fetched(script.now, NODE, answers), "metadata is outdated");
    assert!(script.plan().is_empty());
    script.metadata = led(&script.metadata, 1, &[2], 6);
    script.now += Duration::from_millis(100);
    assert!(matches!(script.plan()[0], Question::Fetch { node: NodeId(2), .. }));
}

#[test]
fn a_partition_without_leader_makes_metadata_asked_and_holds_up_nobody() {
    let mut script = Script::active(&[1, -1]);
    let questions = script.plan();
    assert_eq!(questions[0], Question::Metadata(vec!["t".into()]));
    assert!(matches!(&questions[1], Question::Fetch { partitions, .. } if partitions.len() == 1));
    assert!(script.plan().is_empty(), "asked once");
    script.state.on_metadata(script.now, &script.metadata.clone());
    assert!(script.plan().is_empty(), "after a pause");
    script.now += Duration::from_millis(100);
    assert_eq!(script.plan(), [Question::Metadata(vec!["t".into()])]);
}

#[test]
fn an_error_comes_after_what_was_readable() {
    let mut script = Script::active(&[1, 1]);
    let asked = script.fetches().remove(0);
    let Fetched::Region(good) = records(&asked, 1) else { panic!() };
    let mut bytes = good.records.batches[0].bytes().to_vec();
    bytes.extend_from_within(..);
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    let brought = region(&asked, bytes);
    script.answer(asked, brought);
    assert_eq!(script.take(), Some((0, 0)));
    assert!(script.state.take().unwrap().is_err());
    let fetched: Vec<_> = script.fetches().into_iter().map(|a| a.tp.partition).collect();
    assert_eq!(fetched, [1], "the other partition goes on");
}

#[test]
fn who_waited_longest_comes_first_in_a_fetch() {
    let mut script = Script::active(&[1, 1]);
    let asked = script.fetches();
    let answers = asked.into_iter().map(|a| {
        let brought = if a.tp.partition == 0 { records(&a, 1) } else { region(&a, Vec::new()) };
        (a, brought)
    });
    let answers = answers.collect();
    script.state.on_fetched(script.now, NODE, answers);
    script.take();
    let order: Vec<_> = script.fetches().into_iter().map(|a| a.tp.partition).collect();
    assert_eq!(order, [1, 0]);
}

#[test]
fn a_permission_that_is_taken_away_is_told_once_and_asked_for_until_it_is_back() {
    let mut script = Script::active(&[1]);
    for _ in 0..2 {
        for round in 0..3 {
            let asked = script.fetches().remove(0);
            script.answer(asked, Fetched::Refused(ErrorCode::TOPIC_AUTHORIZATION_FAILED));
            assert_eq!(script.state.take().is_some_and(|item| item.is_err()), round == 0, "told once");
            assert!(script.plan().is_empty(), "not at once");
            script.now += Duration::from_secs(1);
        }
        script.fetch_one();
        assert!(script.take().is_some(), "goes on");
    }
}

#[test]
fn a_group_that_may_not_be_read_is_asked_for_again() {
    let mut script = Script::assigned(&[1], Limits { has_group: true, ..limits() });
    script.state.release();
    let Question::Committed(asked) = script.plan().remove(0) else { panic!() };
    let refusal = BrokerError::new(ErrorCode::GROUP_AUTHORIZATION_FAILED, "OffsetFetch");
    script.state.on_committed(script.now, asked, Err(ConsumerError::Client(refusal.into())));
    assert!(script.state.all_located(), "there is an error to be taken");
    assert!(script.state.take().unwrap().is_err());
    assert!(!script.state.all_located() && script.plan().is_empty());
    script.now += Duration::from_secs(1);
    let Question::Committed(asked) = script.plan().remove(0) else { panic!() };
    script.state.on_committed(script.now, asked, Ok(Some(HashMap::from([(tp(0), committed(4, -1))]))));
    assert_eq!(script.fetches()[0].offset, 4);
}

#[test]
fn a_paused_partition_that_rests_holds_up_nobody() {
    let mut script = Script::active(&[1, 2]);
    let asked = script.fetches().remove(0);
    let Fetched::Region(good) = records(&asked, 1) else { panic!() };
    let mut bytes = good.records.batches[0].bytes().repeat(5);
    let size = bytes.len() / 5;
    for (at, batch) in bytes.chunks_mut(size).enumerate() {
        batch[..8].copy_from_slice(&(at as i64).to_be_bytes());
    }
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    // 4 batches of 300 bytes, and an error.
    let brought = region(&asked, bytes);
    script.answer(asked, brought);
    script.state.on_fetched(script.now, NodeId(2), Vec::new());
    assert!(script.plan().is_empty() && script.state.is_blocked());
    script.state.set_paused(&[tp(0)], true);
    let fetched: Vec<_> = script.fetches().into_iter().map(|a| a.tp.partition).collect();
    assert_eq!(fetched, [1], "the other goes on");
    script.state.set_paused(&[tp(0)], false);
    let asked = script.fetches().remove(0);
    assert_eq!((asked.tp.partition, asked.offset), (0, 0), "fetched again");
    assert!(script.state.take().is_none());
}

#[test]
fn a_seek_does_not_bring_back_what_is_being_given_up() {
    let mut script = Script::active(&[1]);
    script.state.rest_these(&[tp(0)]);
    assert!(script.state.seek(&tp(0), 7));
    assert!(script.plan().is_empty());
    assert_eq!(script.state.position(&tp(0)), Some(7), "for the last commit");
}

#[test]
fn the_position_does_not_pass_a_record_that_cannot_be_read() {
    let mut script = Script::active(&[1, 1]);
    let asked = script.fetches().remove(0);
    let Fetched::Region(good) = records(&asked, 2) else { panic!() };
    let mut bytes = good.records.batches[0].bytes().to_vec();
    // It lies about its count.
    bytes[57..61].copy_from_slice(&9i32.to_be_bytes());
    crossdock_wire::header::seal(&mut bytes).unwrap();
    let brought = region(&asked, bytes);
    script.answer(asked, brought);
    let run = script.state.take().unwrap().unwrap();
    let passed = script.state.position(&tp(0));
    assert_eq!(passed, Some(run.next_offset));
    // The next run is there before the application comes to the record.
    let asked = script.fetches().into_iter().find(|asked| asked.tp == tp(0)).unwrap();
    let brought = records(&asked, 1);
    script.answer(asked, brought);
    let read: Vec<_> = run.records().map(|record| record.is_ok()).collect();
    assert_eq!(read, [true, true, false]);
    assert_eq!(script.state.position(&tp(0)), Some(2), "at once, for commits");
    assert_eq!(script.take(), None, "nothing behind it");
    assert_eq!(script.state.position(&tp(0)), Some(2));
    let fetched: Vec<_> = script.fetches().into_iter().map(|a| a.tp.partition).collect();
    assert!(!fetched.contains(&0), "it rests: {fetched:?}");
    script.state.seek(&tp(0), 5);
    assert_eq!(run.records().filter(Result::is_err).count(), 1);
    assert_eq!(script.state.position(&tp(0)), Some(5), "an old run moves nothing");
}
