//! How fast one core produces: `cargo run --release -p crossdock-client --example produce --
//! localhost:9092 topic [records] [bytes a record] [partitions] [--compression codec]`.
//!
//! Everything of the client runs on this one thread: appending, checksums, sockets, acknowledgements; only
//! compression has others. Records are pieces of text with numbers in them, which compress about as logs do.

use crossdock_client::admin::NewTopic;
use crossdock_client::producer::{AckRun, AckSink, AppendError, BatchMetadata, ProduceError};
use crossdock_client::{Admin, ClientConfig, Cluster, Producer, ProducerConfig};
use std::error::Error;
use std::iter;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Records that are appended before others get the thread.
const RUN: u64 = 2_000;

#[derive(Default)]
struct Counts {
    records: AtomicU64,
    batches: AtomicU64,
    failed: AtomicU64,
}

impl AckSink for Counts {
    fn acknowledged(&self, runs: &[AckRun], outcome: Result<&BatchMetadata, &ProduceError>) {
        let records: u64 = runs.iter().map(|r| u64::from(r.count)).sum();
        self.batches.fetch_add(1, Ordering::Relaxed);
        let counter = if outcome.is_ok() { &self.records } else { &self.failed };
        counter.fetch_add(records, Ordering::Relaxed);
        if let Err(error) = outcome {
            eprintln!("{error}");
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    let mut config = ProducerConfig::default();
    if let Some(at) = args.iter().position(|arg| arg == "--compression") {
        let codec = args.get(at + 1).cloned().unwrap_or_default();
        config = ProducerConfig::from_map(&[("compression.type".to_owned(), codec)].into())?;
        args.drain(at..at + 2);
    }
    let [bootstrap, topic, ..] = &args[..] else {
        return Err("usage: produce BOOTSTRAP TOPIC [RECORDS] [BYTES] [PARTITIONS]".into());
    };
    let number = |at: usize, default: u64| args.get(at).map_or(Ok(default), |a| a.parse());
    let (records, bytes, partitions) = (number(2, 10_000_000)?, number(3, 100)?, number(4, 1)?);

    let cluster = Cluster::new(ClientConfig::new(bootstrap)?);
    let new = NewTopic::new(topic, i32::try_from(partitions)?, -1);
    Admin::new(cluster.clone()).create_topic(&new).await?;
    let counts = Arc::new(Counts::default());
    let producer = Producer::start(cluster, config, counts.clone());
    let topic = producer.topic(topic);
    producer.wait_for_metadata(&topic).await?;

    let values = values(usize::try_from(bytes)?);
    let (start, cpu) = (Instant::now(), cpu_time());
    let mut appended = 0;
    while appended < records {
        let end = (appended + RUN).min(records);
        let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?;
        let full = {
            let mut appender = producer.appender();
            loop {
                if appended == end {
                    break false;
                }
                let value = Some(&*values[(appended % VALUES) as usize]);
                match appender.append(&topic, None, now, None, value, iter::empty(), appended / RUN) {
                    Ok(()) => appended += 1,
                    Err(AppendError::BufferFull) => break true,
                    Err(error) => return Err(error.into()),
                }
            }
        };
        if full {
            producer.wait_for_space().await;
        } else {
            tokio::task::yield_now().await;
        }
    }
    producer.flush().await;
    let (took, cpu) = (start.elapsed(), cpu_time().saturating_sub(cpu));
    producer.close(Duration::from_secs(10)).await;

    let (done, batches) = (counts.records.load(Ordering::Relaxed), counts.batches.load(Ordering::Relaxed));
    println!(
        "{done} records of {bytes} bytes acknowledged in {:.2} s: {:.2} M records/s, {:.0} MB/s; \
         {:.0} records a batch; {:.2} s CPU, so {:.2} M records a CPU second; {} failed",
        took.as_secs_f64(),
        done as f64 / took.as_secs_f64() / 1e6,
        (done * bytes) as f64 / took.as_secs_f64() / 1e6,
        done as f64 / batches.max(1) as f64,
        cpu.as_secs_f64(),
        done as f64 / cpu.as_secs_f64().max(1e-9) / 1e6,
        counts.failed.load(Ordering::Relaxed),
    );
    Ok(())
}

/// Different values; more than lz4 looks back on.
const VALUES: u64 = 10_000;

fn values(bytes: usize) -> Vec<Vec<u8>> {
    let mut random = 1u64;
    let mut next = || {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        random >> 40
    };
    let mut value = || {
        let mut text = String::new();
        while text.len() < bytes {
            text += &format!(
                "level=info user={} took={}ms path=/orders/{} ",
                next() % 5_000,
                next() % 90,
                next()
            );
        }
        text.truncate(bytes);
        text.into_bytes()
    };
    (0..VALUES).map(|_| value()).collect()
}

/// CPU time of this process so far, user and system; zero where /proc is missing. In ticks of 10 ms.
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|f| f.parse::<u64>().ok()).unwrap_or(0);
    Duration::from_millis((ticks(11) + ticks(12)) * 10)
}
