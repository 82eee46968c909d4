//! A sink that is slower than its topic by far: it costs bounded memory, keeps its membership, and commits as it goes.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use crossdock::Engine;
use crossdock::api::registry::Plugin;
use crossdock::api::source::Connector;
use crossdock::api::{
    ConfigDef, ConfigMap, ConnectError, ConnectorContext, SinkBatch, SinkConnector, SinkTask,
    SinkTaskContext, TopicPartition, async_trait,
};
use crossdock_client::admin::NewTopic;
use crossdock_client::group::offsets;
use crossdock_client::producer::LogFailures;
use crossdock_client::{Admin, ClientConfig, Cluster, Producer, ProducerConfig};
use crossdock_testcontainers::Kafka;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const RECORDS: u64 = 10_000_000;
const PARTITIONS: i32 = 4;
const PUT_TIME: Duration = Duration::from_millis(100);
const WATCHED: Duration = Duration::from_secs(60);
/// Most that the memory of the process grows by while the sink is at work.
const MEMORY: usize = 256 << 20;

#[derive(Default)]
struct Counts {
    puts: AtomicUsize,
    records: AtomicUsize,
    opened: AtomicUsize,
    closed: AtomicUsize,
}

struct Slow(Arc<Counts>);

#[async_trait]
impl Connector for Slow {
    fn version(&self) -> &str {
        "test"
    }

    fn config_def(&self) -> ConfigDef {
        ConfigDef::new()
    }

    async fn start(&mut self, _: ConnectorContext, _: &ConfigMap) -> Result<(), ConnectError> {
        Ok(())
    }

    async fn task_configs(&mut self, _: usize) -> Result<Vec<ConfigMap>, ConnectError> {
        Ok(vec![ConfigMap::new()])
    }
}

impl SinkConnector for Slow {
    fn task(&self) -> Box<dyn SinkTask> {
        Box::new(Slow(Arc::clone(&self.0)))
    }
}

#[async_trait]
impl SinkTask for Slow {
    async fn start(&mut self, _: SinkTaskContext, _: &ConfigMap) -> Result<(), ConnectError> {
        Ok(())
    }

    async fn open(&mut self, _: &[TopicPartition]) -> Result<(), ConnectError> {
        self.0.opened.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    async fn put(&mut self, batch: SinkBatch) -> Result<(), ConnectError> {
        if !batch.is_empty() {
            tokio::time::sleep(PUT_TIME).await;
            self.0.puts.fetch_add(1, Ordering::Relaxed);
            self.0.records.fetch_add(batch.len(), Ordering::Relaxed);
        }
        Ok(())
    }

    async fn close(&mut self, _: &[TopicPartition]) -> Result<(), ConnectError> {
        self.0.closed.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

/// Memory of this process, in bytes.
fn memory() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() << 10
}

async fn write(cluster: &Cluster, topic: &str) {
    let producer = Producer::start(cluster.clone(), ProducerConfig::default(), Arc::new(LogFailures));
    let to = producer.topic(topic);
    producer.wait_for_metadata(&to).await.unwrap();
    // Old records would be deleted by the broker.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64;
    let mut text = String::new();
    for number in 0..RECORDS {
        use std::fmt::Write;
        text.clear();
        write!(text, "{number:0>20}").unwrap();
        let partition = (number % PARTITIONS as u64) as i32;
        loop {
            let value = Some(text.as_bytes());
            let appended =
                producer.appender().append(&to, Some(partition), now, None, value, std::iter::empty(), 0);
            match appended {
                Ok(()) => break,
                Err(_) => producer.wait_for_space().await,
            }
        }
    }
    producer.flush().await;
    producer.close(Duration::from_secs(30)).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: two minutes; ten million records"]
async fn a_slow_sink_costs_bounded_memory_and_keeps_its_membership() {
    let kafka = Kafka::start().await.unwrap();
    let cluster = Cluster::new(ClientConfig::new(kafka.bootstrap()).unwrap());
    let admin = Admin::new(cluster.clone());
    assert!(admin.create_topic(&NewTopic::new("many", PARTITIONS, 1)).await.unwrap());
    let began = Instant::now();
    write(&cluster, "many").await;
    println!("wrote {RECORDS} records in {:?}", began.elapsed());

    let counts = Arc::new(Counts::default());
    let shared = Arc::clone(&counts);
    let dir = tempfile::tempdir().unwrap();
    let before = memory();
    let engine = Engine::builder()
        .set("bootstrap.servers", kafka.bootstrap())
        .set("key.converter", "StringConverter")
        .set("value.converter", "StringConverter")
        .set("offset.flush.interval.ms", "1000")
        .set("offset.storage.file.filename", &dir.path().join("offsets").display().to_string())
        // A member that does not show itself for so long is out.
        .set("consumer.session.timeout.ms", "6000")
        .set("consumer.heartbeat.interval.ms", "1000")
        .set("consumer.max.poll.interval.ms", "10000")
        .plugin(Plugin::sink("test.SlowConnector", "test", move || Box::new(Slow(Arc::clone(&shared)))))
        .connector([("name", "slow"), ("connector.class", "Slow"), ("topics", "many")])
        .start()
        .await
        .unwrap();
    let (began, mut most) = (Instant::now(), before);
    while began.elapsed() < WATCHED {
        tokio::time::sleep(Duration::from_millis(200)).await;
        most = most.max(memory());
    }
    let (puts, records) = (counts.puts.load(Ordering::Relaxed), counts.records.load(Ordering::Relaxed));
    let (opened, closed) = (counts.opened.load(Ordering::Relaxed), counts.closed.load(Ordering::Relaxed));
    println!(
        "{puts} puts of {records} records; memory {} MiB before, {} MiB at most; opened {opened} times, closed {closed}",
        before >> 20,
        most >> 20
    );
    assert_eq!((opened, closed), (1, 0), "there was a rebalance");
    let full = (WATCHED.as_millis() / PUT_TIME.as_millis()) as usize;
    assert!(puts > full / 2, "only {puts} puts");
    assert!(most - before < MEMORY, "memory grew by {} MiB", (most - before) >> 20);
    engine.stop().await;
    let partitions: Vec<_> =
        (0..PARTITIONS).map(|p| crossdock_client::TopicPartition::new(Arc::from("many"), p)).collect();
    let committed = offsets::committed(&cluster, &"connect-slow".into(), &partitions).await.unwrap();
    let committed: i64 = committed.values().map(|committed| committed.offset).sum();
    assert_eq!(committed, counts.records.load(Ordering::Relaxed) as i64);
}
