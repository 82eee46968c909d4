use super::*;
use crate::metadata::{PartitionInfo, TopicInfo};
use std::iter;
use uuid::Uuid;

fn accumulator(batch: usize, memory: usize, partitions: i32) -> Accumulator {
    let mut acc = Accumulator::new(Limits { batch, memory, record: 1000 });
    let (at, name) = acc.intern("t");
    let partition = |partition| PartitionInfo {
        partition,
        error: ErrorCode::NONE,
        leader: Some(NodeId(1)),
        leader_epoch: 0,
        replicas: vec![],
        in_sync: vec![],
    };
    let partitions = (0..partitions).map(partition).collect();
    let error = ErrorCode::NONE;
    acc.topics[at].update(&TopicInfo {
        name,
        id: Uuid::nil(),
        error,
        internal: false,
        partitions,
        former: Default::default(),
    });
    acc
}

fn append(acc: &mut Accumulator, partition: i32, value: &[u8], token: u64) -> Result<bool, AppendError> {
    let headers = iter::empty();
    let record = Record { timestamp: 0, key: None, value: Some(value), headers, token };
    acc.append(0, Some(partition), record)
}

const LANE: LaneId = LaneId { topic: 0, partition: 0 };

#[tokio::test]
async fn the_sender_is_woken_once_until_it_looked() {
    let mut acc = accumulator(10_000, 100_000, 1);
    assert_eq!(append(&mut acc, 0, b"a", 1), Ok(true));
    assert_eq!(append(&mut acc, 0, b"b", 1), Ok(false));
    let batch = acc.take(LANE).unwrap();
    assert_eq!(batch.count, 2);
    assert_eq!(append(&mut acc, 0, b"c", 1), Ok(false), "still announced");
    acc.take(LANE).unwrap();
    acc.retract(LANE);
    assert_eq!(append(&mut acc, 0, b"d", 1), Ok(true));
}

#[tokio::test]
async fn batches_are_closed_at_their_limit() {
    let mut acc = accumulator(400, 100_000, 1);
    for _ in 0..10 {
        append(&mut acc, 0, &[0; 100], 1).unwrap();
    }
    let mut counts = Vec::new();
    while let Some(batch) = acc.take(LANE) {
        assert!(batch.len() <= 400);
        counts.push(batch.count);
    }
    assert_eq!(counts.iter().sum::<i32>(), 10);
    assert!(counts.len() >= 4);
    // Larger than batch.size but not than max.request.size: alone in a batch.
    append(&mut acc, 0, &[0; 800], 1).unwrap();
    append(&mut acc, 0, &[0; 1], 1).unwrap();
    assert_eq!(acc.take(LANE).unwrap().count, 1);
}

#[tokio::test]
async fn keys_decide_unless_they_are_ignored() {
    let mut acc = accumulator(10_000, 1_000_000, 8);
    let with_key = |acc: &mut Accumulator| {
        let headers = iter::empty();
        let record = Record { timestamp: 0, key: Some(b"s"), value: Some(&[0; 50]), headers, token: 0 };
        acc.append(0, None, record).unwrap();
    };
    let filled = |acc: &Accumulator| acc.topics[0].queues.iter().filter(|q| !q.batches.is_empty()).count();
    for _ in 0..1_000 {
        with_key(&mut acc);
    }
    assert_eq!(filled(&acc), 1);
    acc.spread.ignore_keys = true;
    for _ in 0..5_000 {
        with_key(&mut acc);
    }
    assert!(filled(&acc) > 4, "{}", filled(&acc));
}

#[tokio::test]
async fn memory_is_bounded_and_given_back() {
    let mut acc = accumulator(400, 1_000, 1);
    let mut appended = 0;
    while append(&mut acc, 0, &[0; 100], 1).is_ok() {
        appended += 1;
    }
    assert!((5..=9).contains(&appended), "{appended}");
    assert_eq!(append(&mut acc, 0, &[0; 100], 1), Err(AppendError::BufferFull));
    assert!(!acc.has_space());
    let high = acc.high_serial();
    while let Some(batch) = acc.take(LANE) {
        acc.release(batch.charged);
        acc.resolved(batch.serial);
    }
    assert!(acc.has_space() && acc.is_resolved_below(high));
    assert_eq!(acc.used, 0);
}

#[tokio::test]
async fn open_batches_grow_by_what_compression_gains() {
    let mut acc = accumulator(400, 100_000, 1);
    let filled = |acc: &mut Accumulator| {
        while acc.peek(LANE).is_none_or(|(_, _, full)| !full) {
            append(acc, 0, &[0; 50], 1).unwrap();
        }
        let len = acc.take(LANE).unwrap().len();
        acc.take(LANE);
        len
    };
    assert!(filled(&mut acc) <= 400);
    // The estimate improves slowly, and the limit of a request is not passed.
    acc.compressed(0, Compressed { from: 400, to: 40, freed: 0 });
    assert!(filled(&mut acc) <= 450);
    (0..200).for_each(|_| acc.compressed(0, Compressed { from: 400, to: 40, freed: 0 }));
    assert!((900..=1000).contains(&filled(&mut acc)));
    // It worsens quickly.
    acc.compressed(0, Compressed { from: 400, to: 400, freed: 0 });
    assert!(filled(&mut acc) <= 400);
    // What the broker refused was compressed: half of that is the new aim.
    (0..200).for_each(|_| acc.compressed(0, Compressed { from: 400, to: 100, freed: 0 }));
    acc.shrink_batches(0, 200);
    assert!((280..=400).contains(&filled(&mut acc)));
}

/// Headers that are more than their iterator said before: the batch refuses what its lengths cannot hold.
#[derive(Clone)]
struct Endless<'a>(&'a str, usize);

impl<'a> Iterator for Endless<'a> {
    type Item = (&'a str, Option<&'a [u8]>);

    fn next(&mut self) -> Option<Self::Item> {
        self.1 = self.1.checked_sub(1)?;
        Some((self.0, None))
    }
}

impl ExactSizeIterator for Endless<'_> {
    fn len(&self) -> usize {
        0
    }
}

#[tokio::test]
async fn a_record_that_its_batch_refuses_is_an_error_and_leaves_nothing() {
    let mut acc = accumulator(400, 100_000, 1);
    let name = "n".repeat(1 << 20);
    let refused = |acc: &mut Accumulator| {
        let headers = Endless(&name, 4096);
        acc.append(0, Some(0), Record { timestamp: 0, key: None, value: None, headers, token: 0 })
    };
    let error = refused(&mut acc).unwrap_err();
    assert!(matches!(error, AppendError::RecordTooLarge { .. }), "{error}");
    assert!(acc.is_drained() && acc.used == 0 && acc.peek(LANE).is_none() && acc.ready.is_empty());
    assert_eq!(append(&mut acc, 0, b"a", 1), Ok(true));
    refused(&mut acc).unwrap_err();
    let batch = acc.take(LANE).unwrap();
    assert_eq!((batch.count, batch.charged), (1, acc.used));
}

#[tokio::test]
async fn records_that_never_fit_are_refused_with_the_key_to_change() {
    let mut acc = accumulator(400, 100_000, 1);
    let error = append(&mut acc, 0, &[0; 1000], 1).unwrap_err();
    assert!(matches!(error, AppendError::RecordTooLarge { key: "max.request.size", limit: 1000, .. }));
    let mut acc = accumulator(400, 500, 1);
    let error = append(&mut acc, 0, &[0; 600], 1).unwrap_err();
    assert!(matches!(error, AppendError::RecordTooLarge { key: "buffer.memory", .. }));
    let error = append(&mut acc, 1, &[0; 10], 1).unwrap_err();
    assert!(matches!(error, AppendError::UnknownPartition { partition: 1, count: 1, .. }));
}
