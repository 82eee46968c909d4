//! Acknowledged means written: the idempotent producer under seeded schedules of faults.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a failed set-up ends the test")]

#[allow(dead_code, reason = "the reports are looked at one by one here")]
mod support;

use crossdock_broker::{ApiKey, Broker, FaultAction, FaultRule, ResponseError};
use crossdock_client::admin::NewTopic;
use crossdock_client::{Admin, ClientConfig, Cluster, Producer, ProducerConfig};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;
use support::{Sink, append, log_of};

const PARTITIONS: u64 = 3;
const RECORDS: u64 = 3_000;

/// A small generator (splitmix64), so that a seed gives the same schedule everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}

fn fault(random: &mut Random) -> FaultRule {
    let error = |error| FaultAction::ReplyError(error);
    let action = match random.below(16) {
        0 | 1 => FaultAction::CloseAfterProcessing,
        2 | 3 => FaultAction::CloseConnection,
        4 => FaultAction::CloseAfterBytes(usize::try_from(random.below(40)).unwrap()),
        5 | 6 => FaultAction::DropReply,
        7 | 8 => FaultAction::Delay(Duration::from_millis(random.below(40))),
        9 => error(ResponseError::NotLeaderOrFollower),
        10 => error(ResponseError::RequestTimedOut),
        11 => error(ResponseError::NotEnoughReplicas),
        12 => error(ResponseError::KafkaStorageError),
        13 => error(ResponseError::NotEnoughReplicasAfterAppend),
        14 => error(ResponseError::TopicAuthorizationFailed),
        // Not retriable: these records are refused for good.
        _ => error(ResponseError::InvalidRecord),
    };
    let api = if random.below(8) == 0 { ApiKey::Metadata } else { ApiKey::Produce };
    FaultRule::new(action).api(api).after(random.below(4)).times(1 + random.below(2))
}

/// Appends all records while faults come and go, then compares what was reported with the logs.
async fn run(seed: u64, delivery_timeout_ms: u64) {
    let broker = Broker::builder().start().await.unwrap();
    let cluster = Cluster::new(ClientConfig::new(&broker.bootstrap().to_string()).unwrap());
    let new = NewTopic::new("t", i32::try_from(PARTITIONS).unwrap(), 1);
    assert!(Admin::new(cluster.clone()).create_topic(&new).await.unwrap());
    let settings = [
        ("enable.idempotence", "true".to_owned()),
        ("retry.backoff.ms", "2".to_owned()),
        ("retry.backoff.max.ms", "20".to_owned()),
        ("request.timeout.ms", "100".to_owned()),
        ("delivery.timeout.ms", delivery_timeout_ms.to_string()),
        ("batch.size", "400".to_owned()),
    ];
    let settings: BTreeMap<String, String> = settings.map(|(k, v)| (k.to_owned(), v)).into();
    let sink = Arc::new(Sink::default());
    let config = ProducerConfig::from_map(&settings).unwrap();
    let producer = Producer::start(cluster.clone(), config, sink.clone());
    let topic = producer.topic("t");
    producer.wait_for_metadata(&topic).await.unwrap();

    let mut random = Random(seed);
    for value in 0..RECORDS {
        append(&producer, &topic, i32::try_from(value % PARTITIONS).unwrap(), value).await;
        if random.below(4) == 0 {
            tokio::task::yield_now().await;
        }
        if value % 150 == 0 {
            broker.faults().add(fault(&mut random));
        }
        match random.below(400) {
            0 => broker.faults().pause(),
            1 | 2 => broker.faults().resume(),
            3 => {
                broker.faults().resume();
                producer.flush().await;
            }
            _ => {}
        }
        if random.below(400) == 0 {
            broker.faults().resume();
        }
    }
    broker.faults().resume();
    broker.faults().clear();
    producer.flush().await;
    compare(seed, &cluster, &sink).await;
}

async fn compare(seed: u64, cluster: &Cluster, sink: &Sink) {
    let mut acknowledged: HashMap<u64, Vec<u64>> = HashMap::new();
    let mut not_written = HashSet::new();
    let mut reported = HashSet::new();
    for seen in sink.seen() {
        let value = seen.run.token;
        assert_eq!(seen.run.count, 1, "seed {seed}");
        assert!(reported.insert(value), "seed {seed}: {value} is reported twice");
        match seen.outcome {
            Ok(_) => acknowledged.entry(value % PARTITIONS).or_default().push(value),
            Err(error) if !error.may_have_been_written() => assert!(not_written.insert(value)),
            Err(_) => {}
        }
    }
    assert_eq!(reported.len() as u64, RECORDS, "seed {seed}: records without a report");
    let mut total = 0;
    for partition in 0..PARTITIONS {
        let log = log_of(cluster, "t", i32::try_from(partition).unwrap()).await;
        let log: Vec<u64> = log.iter().map(|v| std::str::from_utf8(v).unwrap().parse().unwrap()).collect();
        let acknowledged = acknowledged.remove(&partition).unwrap_or_default();
        total += acknowledged.len();
        assert!(log.is_sorted_by(|a, b| a < b), "seed {seed}: {partition} has duplicates or is out of order");
        assert!(acknowledged.is_sorted(), "seed {seed}: acknowledgements of {partition} out of order");
        let there: HashSet<u64> = log.iter().copied().collect();
        let lost: Vec<u64> = acknowledged.into_iter().filter(|v| !there.contains(v)).collect();
        assert!(lost.is_empty(), "seed {seed}: acknowledged and not in {partition}: {lost:?}");
        let lied: Vec<&u64> = log.iter().filter(|v| not_written.contains(v)).collect();
        assert!(lied.is_empty(), "seed {seed}: said not to be written and in {partition}: {lied:?}");
    }
    assert!(total > 100, "seed {seed}: only {total} records were written, which shows nothing");
}

#[tokio::test]
async fn whatever_fails_what_is_acknowledged_is_written_once_and_in_order() {
    for seed in 0..6 {
        run(seed, 60_000).await;
    }
}

#[tokio::test]
async fn records_that_are_given_up_early_are_reported_truthfully() {
    for seed in 100..106 {
        run(seed, 150).await;
    }
}
