//! The crate krafka.

use bytes::Bytes;
use crossdock_client_benches::{BATCH_BYTES, Job, LINGER_MS, Outcome, Seen, report};
use krafka::consumer::AutoOffsetReset;
use krafka::{Compression, Kafka, Record};
use std::time::{Duration, Instant};

#[tokio::main]
async fn main() -> Outcome<()> {
    let job = Job::from_arguments()?;
    let kafka = Kafka::builder(&job.bootstrap).connect().await?;
    if job.is_produce { produce(job, kafka).await } else { consume(job, kafka).await }
}

async fn produce(job: Job, kafka: Kafka) -> Outcome<()> {
    let compression = match job.codec.as_str() {
        "lz4" => Compression::Lz4,
        "zstd" => Compression::Zstd,
        _ => Compression::None,
    };
    let builder = kafka.producer().batch_size(BATCH_BYTES).linger(Duration::from_millis(LINGER_MS));
    let producer = builder.compression(compression).build().await?;
    producer.partitions_for(&job.topic).await?;
    let payloads: Vec<Bytes> = job.payloads.iter().map(|p| Bytes::copy_from_slice(p)).collect();
    let started = Instant::now();
    for payload in payloads.iter().cycle().take(job.records as usize) {
        // Its handle is not awaited: flush waits for all.
        drop(producer.enqueue(Record::new(job.topic.as_str(), payload.clone())).await?);
    }
    producer.flush().await?;
    report(job.records, started);
    producer.close().await?;
    Ok(())
}

async fn consume(job: Job, kafka: Kafka) -> Outcome<()> {
    let builder = kafka.consumer_without_group().auto_offset_reset(AutoOffsetReset::Earliest);
    let consumer = builder.max_poll_records(10_000).build().await?;
    consumer.assign(&job.topic, (0..job.partitions).collect()).await?;
    let mut seen = Seen::default();
    while seen.records < job.records {
        for record in consumer.poll(Duration::from_secs(1)).await? {
            seen.record(record.value.as_deref().unwrap_or_default());
        }
    }
    seen.report();
    Ok(())
}
