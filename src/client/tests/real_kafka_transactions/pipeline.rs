//! Consume, transform, produce: exactly once, although processes are killed and the group rebalances.

use crate::support::*;
use crate::zombies::{arguments, spawn};
use crossdock_client::{ClientConfig, Cluster, Consumer, ConsumerConfig, ConsumerEvent, OffsetAndMetadata};
use crossdock_testcontainers::Kafka;
use std::collections::{BTreeMap, HashMap};
use std::process::Child;
use std::time::{Duration, Instant};

const PARTITIONS: i32 = 3;
const RECORDS: usize = 1_500;

at_each_broker!(records_pass_exactly_once_although_processes_are_killed,);

async fn records_pass_exactly_once_although_processes_are_killed(kafka: &Kafka) {
    let cluster = cluster(kafka);
    let (input, output) = (new_topic(&cluster, PARTITIONS).await, new_topic(&cluster, PARTITIONS).await);
    let group = fresh("group");
    let source = Writer::new(&cluster, &input, &[]);
    for n in 0..RECORDS {
        source.append(i32::try_from(n).unwrap() % PARTITIONS, &n.to_string()).await;
    }
    source.producer.flush().await;

    let start = |slot: usize| {
        let id = format!("{group}-{slot}");
        spawn("pipeline::a_process_that_copies", &[kafka.bootstrap(), &input, &output, &group, &id])
    };
    let mut workers: Vec<Child> = (0..2).map(start).collect();
    let begin = Instant::now();
    let mut kills = 0;
    loop {
        tokio::time::sleep(Duration::from_millis(300)).await;
        if kills < 4 {
            let slot = kills % 2;
            workers[slot].kill().unwrap();
            workers[slot].wait().unwrap();
            workers[slot] = start(slot);
            kills += 1;
        }
        let mut total = 0;
        for partition in 0..PARTITIONS {
            total += committed(&cluster, &output, partition).await.len();
        }
        if total >= RECORDS {
            break;
        }
        assert!(begin.elapsed() < Duration::from_secs(60), "only {total} records after {kills} kills");
    }
    for worker in &mut workers {
        worker.kill().unwrap();
        worker.wait().unwrap();
    }
    for partition in 0..PARTITIONS {
        let copied = committed(&cluster, &output, partition).await;
        let expected: Vec<String> = { 0..RECORDS }
            .filter(|n| i32::try_from(*n).unwrap() % PARTITIONS == partition)
            .map(|n| n.to_string())
            .collect();
        assert_eq!(copied, expected, "partition {partition}: each once and in order");
    }
}

/// Not a test by itself: copies a few records a transaction, until it is killed.
#[tokio::test]
async fn a_process_that_copies() {
    let Some(arguments) = arguments() else { return };
    let [bootstrap, input, output, group, id] = arguments.try_into().unwrap();
    let cluster = Cluster::new(ClientConfig::new(&bootstrap).unwrap());
    loop {
        // An abort takes back what was consumed; starting anew goes on at the committed offsets.
        if let Err(error) = copy(&cluster, &input, &output, &group, &id).await {
            eprintln!("{id} starts anew: {error}");
        }
    }
}

async fn copy(
    cluster: &Cluster,
    input: &str,
    output: &str,
    group: &str,
    id: &str,
) -> Result<(), Box<dyn std::error::Error>> {
    let settings = BTreeMap::from(
        [
            ("group.id", group),
            ("auto.offset.reset", "earliest"),
            ("isolation.level", "read_committed"),
            ("session.timeout.ms", "1000"),
            ("heartbeat.interval.ms", "100"),
            ("max.partition.fetch.bytes", "1000"),
            ("fetch.max.bytes", "1000"),
        ]
        .map(|(k, v)| (k.to_owned(), v.to_owned())),
    );
    let writer = Writer::transactional(cluster, output, id).await;
    let mut consumer = Consumer::start(cluster.clone(), ConsumerConfig::from_map(&settings)?);
    consumer.subscribe(vec![input.to_owned()])?;
    loop {
        let ConsumerEvent::Records(fetched) = consumer.next().await? else { continue };
        // Small transactions, so that many are cut off.
        let mut values = Vec::new();
        for record in fetched.records() {
            let record = record?;
            values.push((record.offset, String::from_utf8(record.value.unwrap_or_default().to_vec())?));
        }
        for chunk in values.chunks(20) {
            let member = consumer.group_metadata()?;
            writer.producer.begin_transaction()?;
            for (_, value) in chunk {
                writer.try_append(fetched.partition, value).await?;
            }
            let next = chunk.last().map_or(fetched.next_offset, |(offset, _)| offset + 1);
            let offsets = HashMap::from([(fetched.topic_partition(), OffsetAndMetadata::new(next))]);
            writer.producer.send_offsets_to_transaction(&offsets, &member).await?;
            writer.producer.commit_transaction().await?;
        }
    }
}
