//! Three real brokers that are restarted and killed one after the other, while keyed records are produced and consumed:
//! nothing is lost, nothing is there twice, and the records of a key keep their order.
//!
//! Each step of the chaos waits for records that were acknowledged since the last one, so that all of it happens to traffic;
//! the producer goes slowly until the chaos is over, then at full speed.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a failed set-up ends the test")]

use crossdock_client::admin::NewTopic;
use crossdock_client::producer::{AckRun, AckSink, AppendError, BatchMetadata, ProduceError, TopicRef};
use crossdock_client::{
    Admin, ClientConfig, Cluster, Consumer, ConsumerConfig, ConsumerEvent, FetchedRecords, OffsetAndMetadata,
    Producer, ProducerConfig, TopicPartition,
};
use crossdock_testcontainers::Kafka;
use futures_util::future::select_all;
use std::collections::{BTreeMap, HashMap};
use std::iter;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;

const PARTITIONS: i32 = 6;
const KEYS: u64 = 997;
/// Records that must be acknowledged between two steps of the chaos.
const BETWEEN: u64 = 1000;

/// What happens to a node.
#[derive(Debug, Clone, Copy)]
enum Step {
    Restart(usize),
    Kill(usize),
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_and_a_kill_lose_and_double_nothing() {
    survives(100_000, 2, &[Step::Restart(1), Step::Kill(2)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: a million records, every broker restarted and killed"]
async fn rolling_restarts_and_kills_lose_and_double_nothing() {
    use Step::{Kill, Restart};
    let steps = [Restart(1), Restart(2), Restart(3), Kill(1), Kill(2), Kill(3)];
    survives(1_000_000, 20, &steps).await;
}

/// `pace` is how many records are produced a millisecond while the chaos lasts.
async fn survives(records: u64, pace: u64, steps: &[Step]) {
    let mut kafka = Kafka::builder().nodes(3).start().await.expect("three brokers");
    let cluster = Cluster::new(ClientConfig::new(kafka.bootstrap()).unwrap());
    let new = NewTopic::new("t", PARTITIONS, 3).config("min.insync.replicas", "2");
    Admin::new(cluster.clone()).create_topic(&new).await.unwrap();

    let log = Arc::new(Log::default());
    let group = Arc::new(Log::default());
    let mut readers = vec![read_all(cluster.separate(), log.clone())];
    readers.extend((0..2).map(|_| member(&cluster, group.clone())));
    let acked = Arc::new(Acked::default());
    let calm = Arc::new(AtomicBool::new(false));
    let producing = tokio::spawn(produce(cluster.clone(), acked.clone(), calm.clone(), records, pace));

    let begin = std::time::Instant::now();
    let note = |what: &str| {
        println!("{:.1} s: {what}, {} records acknowledged", begin.elapsed().as_secs_f64(), acked.count())
    };
    for step in steps {
        acked.wait_for_more(BETWEEN).await;
        note(&format!("{step:?}"));
        let node = match *step {
            Step::Restart(node) => {
                kafka.stop_node(node).await.unwrap();
                node
            }
            Step::Kill(node) => {
                kafka.kill_node(node).await.unwrap();
                node
            }
        };
        note("it is down");
        acked.wait_for_more(BETWEEN).await;
        note("it is started");
        kafka.start_node(node).await.unwrap();
        note("it is up");
    }
    acked.wait_for_more(BETWEEN).await;
    calm.store(true, Ordering::Relaxed);
    let produced = producing.await.unwrap();
    note("all is produced");
    assert_eq!(acked.count(), produced);
    let all_read = async {
        log.wait_for(produced).await;
        note("all is read");
        group.wait_for(produced).await;
        note("all is read by the group");
    };
    tokio::select! {
        () = all_read => {}
        (ended, ..) = select_all(readers.iter_mut()) => panic!("a reader ended: {ended:?}"),
    }
    for reader in readers {
        reader.abort();
    }
    log.check(produced);
    // The group commits when it gives partitions up: only a loss, or a commit that failed, lets it read anything again.
    let again = group.again.load(Ordering::Relaxed);
    let losses = group.losses.load(Ordering::Relaxed);
    println!("the group read {again} records again after {losses} losses");
    assert!(again == 0 || losses > 0);
    log.check_same(&group);
    let committed = group.committed.lock().unwrap();
    assert!(committed.values().any(|offset| *offset > 0), "the group committed nothing: {committed:?}");
}

/// Counts acknowledged records; an error ends the test.
#[derive(Debug, Default)]
struct Acked {
    count: watch::Sender<u64>,
}

impl AckSink for Acked {
    fn acknowledged(&self, runs: &[AckRun], outcome: Result<&BatchMetadata, &ProduceError>) {
        if let Err(error) = outcome {
            eprintln!("not produced: {error}");
            return;
        }
        let more: u64 = runs.iter().map(|run| u64::from(run.count)).sum();
        self.count.send_modify(|count| *count += more);
    }
}

impl Acked {
    fn count(&self) -> u64 {
        *self.count.borrow()
    }

    async fn wait_for_more(&self, more: u64) {
        let target = self.count() + more;
        let mut counts = self.count.subscribe();
        in_time("acknowledged records", counts.wait_for(|count| *count >= target)).await.unwrap();
    }
}

async fn in_time<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(120), future)
        .await
        .unwrap_or_else(|_| panic!("no {what} in time"))
}

/// Produces at least `records`, and as long as the chaos lasts; gives their number.
async fn produce(cluster: Cluster, acked: Arc<Acked>, calm: Arc<AtomicBool>, records: u64, pace: u64) -> u64 {
    let producer = Producer::start(cluster, ProducerConfig::default(), acked);
    let topic = producer.topic("t");
    producer.wait_for_metadata(&topic).await.unwrap();
    let mut pulse = tokio::time::interval(Duration::from_millis(5));
    let mut next = 0;
    loop {
        let is_calm = calm.load(Ordering::Relaxed);
        if is_calm && next >= records {
            break;
        }
        let until = next + if is_calm { 1000 } else { 5 * pace };
        while next < until {
            append(&producer, &topic, next).await;
            next += 1;
        }
        if is_calm {
            tokio::task::yield_now().await;
        } else {
            pulse.tick().await;
        }
    }
    in_time("flush", producer.flush()).await;
    next
}

async fn append(producer: &Producer, topic: &TopicRef, number: u64) {
    let (key, value) = ((number % KEYS).to_string(), number.to_string());
    // Brokers delete what is older than a week.
    let now = i64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap();
    loop {
        let (key, value) = (Some(key.as_bytes()), Some(value.as_bytes()));
        let appended = producer.appender().append(topic, None, now, key, value, iter::empty(), number);
        match appended {
            Ok(()) => return,
            Err(AppendError::BufferFull) => producer.wait_for_space().await,
            Err(error) => panic!("{error}"),
        }
    }
}

/// The numbers that were read, by partition and offset.
#[derive(Debug, Default)]
struct Log {
    partitions: Mutex<BTreeMap<i32, BTreeMap<i64, u64>>>,
    count: watch::Sender<u64>,
    again: AtomicU64,
    losses: AtomicU64,
    /// What the group committed, by partition.
    committed: Mutex<BTreeMap<i32, i64>>,
}

impl Log {
    /// Takes records; those of an offset that is known must be the same.
    fn add(&self, fetched: &FetchedRecords) {
        let mut partitions = self.partitions.lock().unwrap();
        let partition = partitions.entry(fetched.partition).or_default();
        let mut new = 0;
        for record in fetched.records() {
            let record = record.unwrap();
            let number = std::str::from_utf8(record.value.unwrap()).unwrap().parse().unwrap();
            match partition.insert(record.offset, number) {
                None => new += 1,
                Some(known) => {
                    assert_eq!(known, number, "another record at offset {}", record.offset);
                    self.again.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
        self.count.send_modify(|count| *count += new);
    }

    /// Whoever gets a partition goes on behind what was committed, whatever was lost.
    fn check_behind_commits(&self, fetched: &FetchedRecords) {
        let committed = self.committed.lock().unwrap().get(&fetched.partition).copied().unwrap_or(0);
        let (partition, start) = (fetched.partition, fetched.start_offset);
        assert!(start >= committed, "partition {partition} is read from {start}, {committed} is committed");
    }

    async fn wait_for(&self, count: u64) {
        let mut counts = self.count.subscribe();
        let reached = in_time("records", counts.wait_for(|read| *read >= count)).await;
        reached.unwrap();
    }

    /// Each record is there once, and those of a key in order.
    fn check(&self, records: u64) {
        let partitions = self.partitions.lock().unwrap();
        assert_eq!(self.again.load(Ordering::Relaxed), 0, "nothing is handed out twice");
        let mut last: HashMap<u64, u64> = HashMap::new();
        for (partition, log) in &*partitions {
            for (offset, number) in log {
                let expected = last.get(&(number % KEYS)).map_or(number % KEYS, |last| last + KEYS);
                assert_eq!(*number, expected, "partition {partition}, offset {offset}");
                last.insert(number % KEYS, *number);
            }
        }
        assert_eq!(partitions.values().map(|log| log.len() as u64).sum::<u64>(), records);
    }

    fn check_same(&self, other: &Log) {
        assert!(*self.partitions.lock().unwrap() == *other.partitions.lock().unwrap());
    }
}

fn consumer(cluster: &Cluster, settings: &[(&str, &str)]) -> Consumer {
    let settings = settings.iter().chain(&[("auto.offset.reset", "earliest")]);
    let map = settings.map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    Consumer::start(cluster.clone(), ConsumerConfig::from_map(&map).unwrap())
}

/// Reads all partitions by hand; every offset must follow the last one.
fn read_all(cluster: Cluster, log: Arc<Log>) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut consumer = consumer(&cluster, &[]);
        consumer.assign((0..PARTITIONS).map(|p| TopicPartition::new("t", p)).collect()).unwrap();
        let mut next: HashMap<i32, i64> = HashMap::new();
        loop {
            let ConsumerEvent::Records(fetched) = consumer.next().await.unwrap() else { panic!() };
            let expected = next.insert(fetched.partition, fetched.next_offset).unwrap_or(0);
            assert_eq!(fetched.start_offset, expected, "partition {}", fetched.partition);
            log.add(&fetched);
        }
    })
}

/// A member of a group, which commits now and then, and when it gives partitions up.
fn member(cluster: &Cluster, log: Arc<Log>) -> JoinHandle<()> {
    let settings = [("group.id", "g"), ("heartbeat.interval.ms", "500"), ("session.timeout.ms", "10000")];
    let mut consumer = consumer(cluster, &settings);
    tokio::spawn(async move {
        consumer.subscribe(vec!["t".to_owned()]).unwrap();
        for turn in 1u64.. {
            match consumer.next().await {
                Ok(ConsumerEvent::Records(fetched)) => {
                    log.check_behind_commits(&fetched);
                    log.add(&fetched);
                    if turn % 200 == 0 {
                        commit(&consumer, &log).await;
                    }
                }
                Ok(ConsumerEvent::Revoked(_)) => commit(&consumer, &log).await,
                Ok(ConsumerEvent::Lost(_)) => drop(log.losses.fetch_add(1, Ordering::Relaxed)),
                Ok(_) => {}
                Err(error) => panic!("{error}"),
            }
        }
    })
}

async fn commit(consumer: &Consumer, log: &Log) {
    let position = |tp| consumer.position_to_commit(&tp).map(|position| (tp, position));
    let positions: HashMap<TopicPartition, OffsetAndMetadata> =
        consumer.assignment().into_iter().filter_map(position).collect();
    if let Err(error) = consumer.commit(&positions).await {
        println!("not committed: {error}");
        log.losses.fetch_add(1, Ordering::Relaxed);
        return;
    }
    let mut committed = log.committed.lock().unwrap();
    for (tp, position) in positions {
        let known = committed.entry(tp.partition).or_default();
        *known = position.offset.max(*known);
    }
}
