//! librdkafka, by the crate rdkafka.

use crossdock_client_benches::{BATCH_BYTES, Job, LINGER_MS, Outcome, Seen, report};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Message};
use rdkafka::producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer};
use rdkafka::{ClientConfig, ClientContext, Offset, TopicPartitionList};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

fn main() -> Outcome<()> {
    let job = Job::from_arguments()?;
    if job.is_produce { produce(job) } else { consume(job) }
}

#[derive(Clone, Default)]
struct Acknowledged(Arc<AtomicU64>);

impl ClientContext for Acknowledged {}

impl ProducerContext for Acknowledged {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        match result {
            Ok(_) => {
                self.0.fetch_add(1, Ordering::Relaxed);
            }
            Err((error, _)) => eprintln!("{error}"),
        }
    }
}

fn produce(job: Job) -> Outcome<()> {
    let acknowledged = Acknowledged::default();
    let producer: ThreadedProducer<Acknowledged> = ClientConfig::new()
        .set("bootstrap.servers", &job.bootstrap)
        .set("enable.idempotence", "true")
        .set("linger.ms", LINGER_MS.to_string())
        .set("batch.size", BATCH_BYTES.to_string())
        // Its default would end a batch sooner.
        .set("batch.num.messages", "1000000")
        .set("queue.buffering.max.messages", "500000")
        .set("compression.codec", &job.codec)
        .create_with_context(acknowledged.clone())?;
    producer.client().fetch_metadata(Some(&job.topic), Duration::from_secs(10))?;
    let started = Instant::now();
    for payload in job.payloads.iter().cycle().take(job.records as usize) {
        let mut record = BaseRecord::<(), [u8]>::to(&job.topic).payload(payload);
        loop {
            match producer.send(record) {
                Ok(()) => break,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                    record = back;
                    std::thread::sleep(Duration::from_millis(1));
                }
                Err((error, _)) => return Err(error.into()),
            }
        }
    }
    producer.flush(Duration::from_secs(60))?;
    report(acknowledged.0.load(Ordering::Relaxed), started);
    Ok(())
}

fn consume(job: Job) -> Outcome<()> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", &job.bootstrap)
        .set("group.id", "unused")
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("queued.min.messages", "1000000")
        .create()?;
    let mut partitions = TopicPartitionList::new();
    for partition in 0..job.partitions {
        partitions.add_partition_offset(&job.topic, partition, Offset::Beginning)?;
    }
    consumer.assign(&partitions)?;
    let mut seen = Seen::default();
    while seen.records < job.records {
        if let Some(message) = consumer.poll(Duration::from_secs(1)) {
            seen.record(message?.payload().unwrap_or_default());
        }
    }
    seen.report();
    Ok(())
}
