//! Crossdock's client. Everything runs on one thread.

use crossdock_client::producer::{AckRun, AckSink, AppendError, BatchMetadata, ProduceError};
use crossdock_client::{
    ClientConfig, Cluster, Consumer, ConsumerConfig, ConsumerEvent, Producer, ProducerConfig, TopicPartition,
};
use crossdock_client_benches::{BATCH_BYTES, Job, LINGER_MS, Outcome, Seen, report};
use std::collections::BTreeMap;
use std::iter;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Records that are appended before the other tasks get the thread.
const RUN: u64 = 2_000;

#[derive(Default)]
struct Acknowledged(AtomicU64);

impl AckSink for Acknowledged {
    fn acknowledged(&self, runs: &[AckRun], outcome: Result<&BatchMetadata, &ProduceError>) {
        match outcome {
            Ok(_) => {
                let records: u64 = runs.iter().map(|run| u64::from(run.count)).sum();
                self.0.fetch_add(records, Ordering::Relaxed);
            }
            Err(error) => eprintln!("{error}"),
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome<()> {
    let job = Job::from_arguments()?;
    let cluster = Cluster::new(ClientConfig::new(&job.bootstrap)?);
    if job.is_produce { produce(job, cluster).await } else { consume(job, cluster).await }
}

fn settings(pairs: &[(&str, String)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect()
}

async fn produce(job: Job, cluster: Cluster) -> Outcome<()> {
    let config = ProducerConfig::from_map(&settings(&[
        ("batch.size", BATCH_BYTES.to_string()),
        ("linger.ms", LINGER_MS.to_string()),
        ("compression.type", job.codec),
    ]))?;
    let acknowledged = Arc::new(Acknowledged::default());
    let producer = Producer::start(cluster, config, acknowledged.clone());
    let topic = producer.topic(&job.topic);
    producer.wait_for_metadata(&topic).await?;
    let mut payloads = job.payloads.iter().cycle();
    let started = Instant::now();
    let mut appended = 0;
    let mut next = payloads.next().ok_or("no payloads")?;
    while appended < job.records {
        let end = (appended + RUN).min(job.records);
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis() as i64;
        let is_full = {
            let mut appender = producer.appender();
            loop {
                if appended == end {
                    break false;
                }
                match appender.append(&topic, None, now, None, Some(next), iter::empty(), 0) {
                    Ok(()) => {
                        appended += 1;
                        next = payloads.next().ok_or("no payloads")?;
                    }
                    Err(AppendError::BufferFull) => break true,
                    Err(error) => return Err(error.into()),
                }
            }
        };
        if is_full {
            producer.wait_for_space().await;
        } else {
            tokio::task::yield_now().await;
        }
    }
    producer.flush().await;
    report(acknowledged.0.load(Ordering::Relaxed), started);
    producer.close(Duration::from_secs(10)).await;
    Ok(())
}

async fn consume(job: Job, cluster: Cluster) -> Outcome<()> {
    let config = settings(&[("auto.offset.reset", "earliest".to_owned())]);
    let mut consumer = Consumer::start(cluster, ConsumerConfig::from_map(&config)?);
    let topic: Arc<str> = job.topic.as_str().into();
    let partitions = (0..job.partitions).map(|partition| TopicPartition { topic: topic.clone(), partition });
    consumer.assign(partitions.collect())?;
    let mut seen = Seen::default();
    while seen.records < job.records {
        if let ConsumerEvent::Records(fetched) = consumer.next().await? {
            for record in fetched.records() {
                seen.record(record?.value.unwrap_or_default());
            }
        }
    }
    seen.report();
    Ok(())
}
