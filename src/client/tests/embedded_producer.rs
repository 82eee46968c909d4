//! The producer against the embedded broker, with faults.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a failed set-up ends the test")]

mod support;

use crossdock_broker::{ApiKey, Broker, FaultAction, FaultRule, ResponseError};
use crossdock_client::admin::NewTopic;
use crossdock_client::producer::{AppendError, MetadataError, ProduceError, TopicRef};
use crossdock_client::{Admin, ClientConfig, Cluster, ErrorCode, Producer, ProducerConfig};
use std::collections::BTreeMap;
use std::iter;
use std::sync::Arc;
use std::time::Duration;
use support::{Sink, append, log_of};

struct Setup {
    broker: Broker,
    cluster: Cluster,
    producer: Producer,
    sink: Arc<Sink>,
    topic: TopicRef,
}

fn config(pairs: &[(&str, &str)]) -> ProducerConfig {
    let mut map: BTreeMap<String, String> = BTreeMap::new();
    map.insert("retry.backoff.ms".to_owned(), "5".to_owned());
    map.extend(pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())));
    ProducerConfig::from_map(&map).unwrap()
}

async fn setup(new: NewTopic, pairs: &[(&str, &str)]) -> Setup {
    let broker = Broker::builder().start().await.unwrap();
    let cluster = Cluster::new(ClientConfig::new(&broker.bootstrap().to_string()).unwrap());
    assert!(Admin::new(cluster.clone()).create_topic(&new).await.unwrap());
    let sink = Arc::new(Sink::default());
    let producer = Producer::start(cluster.clone(), config(pairs), sink.clone());
    let topic = producer.topic(&new.name);
    producer.wait_for_metadata(&topic).await.unwrap();
    Setup { broker, cluster, producer, sink, topic }
}

impl Setup {
    /// Appends values `from..to` with the value as token, a few at a time, so that there are many batches.
    async fn append(&self, from: u64, to: u64) {
        for value in from..to {
            append(&self.producer, &self.topic, 0, value).await;
            if value % 3 == 0 {
                tokio::task::yield_now().await;
            }
        }
    }

    async fn check(&self, records: u64) {
        let expected: Vec<u64> = (0..records).collect();
        let log = log_of(&self.cluster, self.topic.name(), 0).await;
        let log: Vec<u64> = log.iter().map(|v| std::str::from_utf8(v).unwrap().parse().unwrap()).collect();
        assert_eq!(log, expected, "the log");
        assert_eq!(self.sink.written(), expected, "the acknowledgements");
    }
}

#[tokio::test]
async fn records_are_written_and_acknowledged_in_order() {
    let setup = setup(NewTopic::new("t", 1, 1), &[]).await;
    setup.append(0, 5_000).await;
    setup.producer.flush().await;
    setup.check(5_000).await;
    let offsets: Vec<_> = setup.sink.seen().iter().map(|a| a.outcome.clone().unwrap().base_offset).collect();
    assert!(offsets.is_sorted() && offsets[0] == 0);
}

#[tokio::test]
async fn whatever_fails_each_record_is_written_once_and_in_order() {
    let setup = setup(NewTopic::new("t", 1, 1), &[("request.timeout.ms", "300"), ("linger.ms", "0")]).await;
    let faults = setup.broker.faults();
    for (n, action) in [
        FaultAction::CloseAfterProcessing,
        FaultAction::CloseConnection,
        FaultAction::CloseAfterBytes(3),
        FaultAction::DropReply,
        FaultAction::ReplyError(ResponseError::NotLeaderOrFollower),
        FaultAction::ReplyError(ResponseError::NotEnoughReplicas),
        FaultAction::ReplyError(ResponseError::RequestTimedOut),
        FaultAction::CloseAfterProcessing,
    ]
    .into_iter()
    .enumerate()
    {
        let from = n as u64 * 500;
        let hit = faults.add(FaultRule::new(action).api(ApiKey::Produce).after(2).times(2));
        setup.append(from, from + 500).await;
        setup.producer.flush().await;
        assert!(faults.hits(hit) > 0 || faults.requests(ApiKey::Produce) < 3, "{action:?} was not met");
        faults.remove(hit);
    }
    setup.check(8 * 500).await;
}

#[tokio::test]
async fn a_broker_that_goes_away_and_comes_back_gets_everything_once() {
    let setup = setup(NewTopic::new("t", 1, 1), &[]).await;
    setup.append(0, 1_000).await;
    setup.broker.faults().pause();
    setup.append(1_000, 2_000).await;
    setup.broker.faults().resume();
    setup.append(2_000, 3_000).await;
    setup.producer.flush().await;
    setup.check(3_000).await;
}

#[tokio::test]
async fn without_idempotence_one_lost_reply_may_write_twice_but_never_loses() {
    let setup = setup(NewTopic::new("t", 1, 1), &[("enable.idempotence", "false")]).await;
    let lost = FaultRule::new(FaultAction::CloseAfterProcessing).api(ApiKey::Produce).nth(2);
    setup.broker.faults().add(lost);
    setup.append(0, 1_000).await;
    setup.producer.flush().await;
    assert_eq!(setup.sink.written(), (0..1_000).collect::<Vec<_>>());
    assert!(log_of(&setup.cluster, "t", 0).await.len() > 1_000, "the batch was written again");
}

#[tokio::test]
async fn a_broker_without_producer_ids_is_produced_to_all_the_same() {
    let setup = setup(NewTopic::new("t", 1, 1), &[]).await;
    let refused = FaultAction::ReplyError(ResponseError::ClusterAuthorizationFailed);
    setup.broker.faults().add(FaultRule::new(refused).api(ApiKey::InitProducerId));
    setup.append(0, 500).await;
    setup.producer.flush().await;
    setup.check(500).await;
}

#[tokio::test]
async fn required_idempotence_that_is_refused_fails_the_records() {
    let setup = setup(NewTopic::new("t", 1, 1), &[("enable.idempotence", "true")]).await;
    let refused = FaultAction::ReplyError(ResponseError::ClusterAuthorizationFailed);
    setup.broker.faults().add(FaultRule::new(refused).api(ApiKey::InitProducerId));
    setup.append(0, 5).await;
    setup.producer.flush().await;
    let seen = setup.sink.seen();
    assert_eq!(seen.len(), 5);
    let error = seen[0].outcome.as_ref().unwrap_err();
    assert!(matches!(error, ProduceError::Identity { .. }) && !error.may_have_been_written(), "{error}");
}

#[tokio::test]
async fn a_refused_batch_is_reported_and_later_ones_go_on() {
    let setup = setup(NewTopic::new("t", 1, 1), &[]).await;
    setup.append(0, 1).await;
    setup.producer.flush().await;
    let refused = FaultAction::ReplyError(ResponseError::InvalidRecord);
    setup.broker.faults().add(FaultRule::new(refused).api(ApiKey::Produce).nth(1));
    setup.append(1, 2).await;
    setup.producer.flush().await;
    setup.append(2, 3).await;
    setup.producer.flush().await;
    let seen = setup.sink.seen();
    let error = seen[1].outcome.as_ref().unwrap_err();
    assert_eq!(error.code(), Some(ErrorCode::INVALID_RECORD));
    assert!(error.to_string().contains("t-0"), "{error}");
    assert!(seen[0].outcome.is_ok() && seen[2].outcome.is_ok());
    assert_eq!(log_of(&setup.cluster, "t", 0).await.len(), 2);
}

#[tokio::test]
async fn batches_that_the_topic_finds_too_large_are_split() {
    let new = NewTopic::new("t", 1, 1).config("max.message.bytes", "2000");
    let setup = setup(new, &[]).await;
    {
        let mut appender = setup.producer.appender();
        for value in 0..1_000u64 {
            let text = value.to_string();
            appender
                .append(&setup.topic, Some(0), 1, None, Some(text.as_bytes()), iter::empty(), value)
                .unwrap();
        }
    }
    setup.producer.flush().await;
    setup.check(1_000).await;
    // A single record that is too large cannot be split.
    let large = vec![b'x'; 3_000];
    setup.producer.appender().append(&setup.topic, Some(0), 1, None, Some(&large), iter::empty(), 9).unwrap();
    setup.producer.flush().await;
    let last = setup.sink.seen().pop().unwrap();
    assert_eq!(last.outcome.unwrap_err().code(), Some(ErrorCode::MESSAGE_TOO_LARGE));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn compressed_batches_keep_their_order_through_faults() {
    for codec in ["gzip", "snappy", "lz4", "zstd"] {
        // Batches on both sides of what is compressed at once, and more than may be taken ahead.
        let pairs = [("compression.type", codec), ("batch.size", "30000"), ("buffer.memory", "200000")];
        let setup = setup(NewTopic::new("t", 1, 1), &pairs).await;
        let faults = setup.broker.faults();
        let lost = FaultRule::new(FaultAction::CloseAfterProcessing).api(ApiKey::Produce);
        faults.add(lost.after(3).times(1));
        let refused = FaultAction::ReplyError(ResponseError::NotLeaderOrFollower);
        faults.add(FaultRule::new(refused).api(ApiKey::Produce).after(6).times(2));
        setup.append(0, 10).await;
        let mut value = 10;
        while value < 20_000 {
            // Under one lock, so that batches become full.
            {
                let mut appender = setup.producer.appender();
                for _ in 0..2_000 {
                    let text = value.to_string();
                    let text = Some(text.as_bytes());
                    match appender.append(&setup.topic, Some(0), 1, None, text, iter::empty(), value) {
                        Ok(()) => value += 1,
                        Err(AppendError::BufferFull) => break,
                        Err(error) => panic!("{error}"),
                    }
                }
            }
            setup.producer.wait_for_space().await;
        }
        setup.producer.flush().await;
        setup.check(value).await;
    }
}

#[tokio::test]
async fn compressed_batches_that_are_too_large_are_split() {
    for codec in ["gzip", "snappy", "lz4", "zstd"] {
        let new = NewTopic::new("t", 1, 1).config("max.message.bytes", "2000");
        let setup = setup(new, &[("compression.type", codec)]).await;
        {
            let mut appender = setup.producer.appender();
            for value in 0..5_000u64 {
                let text = value.to_string();
                let text = Some(text.as_bytes());
                appender.append(&setup.topic, Some(0), 1, None, text, iter::empty(), value).unwrap();
            }
        }
        setup.producer.flush().await;
        setup.check(5_000).await;
    }
}

#[tokio::test]
async fn records_that_cannot_be_delivered_in_time_say_whether_they_may_be_written() {
    let pairs = [("request.timeout.ms", "100"), ("delivery.timeout.ms", "300"), ("linger.ms", "0")];
    let setup = setup(NewTopic::new("t", 1, 1), &pairs).await;
    setup.append(0, 1).await;
    setup.producer.flush().await;
    let dropped = setup.broker.faults().add(FaultRule::new(FaultAction::DropReply).api(ApiKey::Produce));
    setup.append(1, 2).await;
    setup.producer.flush().await;
    let error = setup.sink.seen().pop().unwrap().outcome.unwrap_err();
    assert!(error.may_have_been_written(), "{error}");
    setup.broker.faults().remove(dropped);
    // It was written; what follows fits its sequence.
    setup.append(2, 3).await;
    setup.producer.flush().await;
    assert!(setup.sink.seen().pop().unwrap().outcome.is_ok());
    assert_eq!(log_of(&setup.cluster, "t", 0).await.len(), 3);

    setup.broker.faults().pause();
    setup.append(3, 4).await;
    setup.producer.flush().await;
    let error = setup.sink.seen().pop().unwrap().outcome.unwrap_err();
    assert!(matches!(error, ProduceError::NotDelivered { .. }), "{error}");
}

#[tokio::test]
async fn memory_is_bounded_and_space_comes_back() {
    let setup = setup(NewTopic::new("t", 1, 1), &[("buffer.memory", "20000"), ("batch.size", "4000")]).await;
    setup.append(0, 5_000).await;
    setup.producer.flush().await;
    setup.check(5_000).await;
}

#[tokio::test]
async fn closing_reports_what_is_left() {
    let setup = setup(NewTopic::new("t", 1, 1), &[]).await;
    setup.append(0, 1).await;
    setup.producer.flush().await;
    setup.broker.faults().add(FaultRule::new(FaultAction::DropReply).api(ApiKey::Produce));
    setup.append(1, 3).await;
    setup.broker.faults().wait_for_requests(ApiKey::Produce, 2).await;
    assert!(!setup.producer.close(Duration::from_millis(50)).await);
    let seen = setup.sink.seen();
    assert_eq!(seen.len(), 3, "each record is reported once");
    for left in &seen[1..] {
        assert!(matches!(left.outcome, Err(ProduceError::Closed { .. })), "{left:?}");
    }
}

#[tokio::test]
async fn a_missing_topic_is_waited_for_until_max_block_ms() {
    let broker = Broker::builder().auto_create_topics(false).start().await.unwrap();
    let cluster = Cluster::new(ClientConfig::new(&broker.bootstrap().to_string()).unwrap());
    let producer =
        Producer::start(cluster.clone(), config(&[("max.block.ms", "200")]), Arc::new(Sink::default()));
    let topic = producer.topic("later");
    let error = producer.wait_for_metadata(&topic).await.unwrap_err();
    assert!(matches!(error, MetadataError::Timeout { .. }), "{error}");
    assert_eq!(error.to_string(), "Topic later not present in metadata after 200 ms.");
    let append = || producer.appender().append(&topic, None, 1, None, None, iter::empty(), 1);
    assert!(matches!(append(), Err(AppendError::MetadataMissing { .. })));
    Admin::new(cluster).create_topic(&NewTopic::new("later", 2, 1)).await.unwrap();
    producer.wait_for_metadata(&topic).await.unwrap();
    assert_eq!(producer.partition_count(&topic), Some(2));
    append().unwrap();
    producer.flush().await;
}

#[tokio::test]
async fn many_partitions_share_requests() {
    let setup = setup(NewTopic::new("t", 50, 1), &[]).await;
    for round in 0..20u64 {
        {
            let mut appender = setup.producer.appender();
            for partition in 0..50 {
                appender
                    .append(&setup.topic, Some(partition), 1, None, Some(b"v"), iter::empty(), round)
                    .unwrap();
            }
        }
        tokio::task::yield_now().await;
    }
    setup.producer.flush().await;
    assert_eq!(setup.sink.written().len(), 1_000);
    assert!(setup.broker.faults().requests(ApiKey::Produce) < 200);
    for partition in 0..50 {
        assert_eq!(log_of(&setup.cluster, "t", partition).await.len(), 20);
    }
}

#[tokio::test]
async fn fewer_acknowledgements_are_taken_at_their_word() {
    for (acks, base_offset) in [("0", -1), ("1", 0)] {
        let setup = setup(NewTopic::new("t", 1, 1), &[("acks", acks)]).await;
        setup.append(0, 1).await;
        setup.producer.flush().await;
        let written = setup.sink.seen().remove(0).outcome.unwrap();
        assert_eq!(written.base_offset, base_offset, "acks={acks}");
        setup.append(1, 500).await;
        setup.producer.flush().await;
        assert_eq!(setup.sink.written().len(), 500);
        assert!(setup.producer.close(Duration::from_secs(5)).await);
    }
}

#[tokio::test]
async fn linger_gathers_records_and_a_flush_ends_it() {
    let setup =
        setup(NewTopic::new("t", 1, 1), &[("linger.ms", "60000"), ("delivery.timeout.ms", "100000")]).await;
    setup.append(0, 100).await;
    tokio::task::yield_now().await;
    assert_eq!(setup.broker.faults().requests(ApiKey::Produce), 0);
    setup.producer.flush().await;
    assert_eq!(setup.broker.faults().requests(ApiKey::Produce), 1, "one batch");
    setup.check(100).await;
}

#[tokio::test]
async fn records_for_a_partition_that_is_gone_wait_without_asking_all_the_time() {
    let pairs = [("delivery.timeout.ms", "1500"), ("request.timeout.ms", "1000")];
    let s = setup(NewTopic::new("t", 2, 1), &pairs).await;
    let admin = Admin::new(s.cluster.clone());
    admin.delete_topics(&["t"]).await.unwrap();
    assert!(admin.create_topic(&NewTopic::new("t", 1, 1)).await.unwrap());
    append(&s.producer, &s.topic, 1, 7).await;
    s.producer.flush().await;
    assert!(matches!(s.sink.seen()[0].outcome, Err(ProduceError::NotDelivered { .. })));
    // With pauses of 5 ms that grow to a second there are about ten.
    let asked = s.broker.faults().requests(ApiKey::Metadata);
    assert!(asked < 60, "{asked} requests");
}

/// Appends a record with a key and no partition.
fn append_keyed(setup: &Setup, key: &str) {
    let (key, value) = (Some(key.as_bytes()), Some(b"v".as_slice()));
    setup.producer.appender().append(&setup.topic, None, 1, key, value, iter::empty(), 0).unwrap();
}

async fn sizes(setup: &Setup) -> [usize; 3] {
    setup.producer.flush().await;
    let mut sizes = [0; 3];
    for (partition, size) in (0..).zip(&mut sizes) {
        *size = log_of(&setup.cluster, setup.topic.name(), partition).await.len();
    }
    sizes
}

#[tokio::test]
async fn round_robin_takes_partitions_in_turn_whatever_the_key() {
    let class = ("partitioner.class", "org.apache.kafka.clients.producer.RoundRobinPartitioner");
    let new = || NewTopic::new("t", 3, 1);
    let turns = setup(new(), &[class]).await;
    (0..3).for_each(|_| append_keyed(&turns, "the same"));
    assert_eq!(sizes(&turns).await, [1, 1, 1]);
    (0..32).for_each(|_| append_keyed(&turns, "the same"));
    assert_eq!(sizes(&turns).await, [12, 12, 11]);
    let keyed = setup(new(), &[]).await;
    (0..12).for_each(|_| append_keyed(&keyed, "the same"));
    let mut sizes = sizes(&keyed).await;
    sizes.sort_unstable();
    assert_eq!(sizes, [0, 0, 12], "without it the key decides");
}

#[tokio::test]
async fn an_idle_topic_is_forgotten_and_asked_for_again() {
    let setup = setup(NewTopic::new("t", 1, 1), &[("metadata.max.idle.ms", "5000")]).await;
    setup.append(0, 1).await;
    setup.producer.flush().await;
    let is_known = || async {
        setup.cluster.refresh(crossdock_client::TopicSelection::Known, false).await.unwrap();
        setup.cluster.metadata().topics.contains_key("t")
    };
    assert!(is_known().await);
    let forgotten = async {
        while is_known().await {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), forgotten).await.expect("it is forgotten");
    setup.append(1, 2).await;
    setup.producer.flush().await;
    // The producer tells once a second what it uses.
    let known = async {
        while !is_known().await {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), known).await.expect("it is asked for again");
    setup.check(2).await;
}
