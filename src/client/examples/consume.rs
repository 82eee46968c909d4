//! Measures how fast a consumer reads a topic.
//!
//! ```text
//! cargo run --release -p crossdock-client --example consume -- BOOTSTRAP TOPIC RECORDS [fill]
//! ```
//!
//! With `fill` the topic is filled with RECORDS records of 100 bytes first. Then a new group reads
//! RECORDS records from the beginning, on one thread, and looks at every value.

use crossdock_client::admin::NewTopic;
use crossdock_client::{
    Admin, ClientConfig, Cluster, ConnectionClass, Consumer, ConsumerConfig, ConsumerEvent,
};
use crossdock_wire::{BatchBuilder, ProducerStamp};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{ProduceRequest, TopicName};
use kafka_protocol::protocol::StrBytes;
use std::collections::BTreeMap;
use std::error::Error;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

type Outcome<T> = Result<T, Box<dyn Error>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [bootstrap, topic, records, rest @ ..] = args.as_slice() else {
        return Err("usage: consume BOOTSTRAP TOPIC RECORDS [fill]".into());
    };
    let records: u64 = records.parse()?;
    let cluster = Cluster::new(ClientConfig::new(bootstrap)?);
    if rest.first().is_some_and(|arg| arg == "fill") {
        fill(&cluster, topic, records).await?;
    }
    consume(&cluster, topic, records).await
}

async fn fill(cluster: &Cluster, topic: &str, records: u64) -> Outcome<()> {
    Admin::new(cluster.clone()).create_topic(&NewTopic::new(topic, 1, 1)).await?;
    let started = Instant::now();
    // Old timestamps would make the broker delete the records.
    let timestamp = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
    let timestamp = i64::try_from(timestamp)?;
    let mut left = records;
    while left > 0 {
        let mut batch = BatchBuilder::with_capacity(512 << 10);
        while left > 0 && batch.len() < (512 << 10) - 200 {
            if !batch.append(timestamp, None, Some(&[b'x'; 100]), std::iter::empty()) {
                return Err("a record does not fit".into());
            }
            left -= 1;
        }
        let batch = batch.finish(ProducerStamp::NONE, false);
        let data = PartitionProduceData::default().with_index(0).with_records(Some(batch));
        let name = TopicName(StrBytes::from_string(topic.to_owned()));
        let data = TopicProduceData::default().with_name(name).with_partition_data(vec![data]);
        let request =
            ProduceRequest::default().with_acks(1).with_timeout_ms(10_000).with_topic_data(vec![data]);
        let mut tries = 0;
        loop {
            let (node, _) = cluster.leader(topic, 0).await?;
            let timeout = Duration::from_secs(10);
            let answer = cluster.call(node, ConnectionClass::Produce, request.clone(), 9, timeout).await?;
            let code =
                answer.responses.first().and_then(|t| t.partition_responses.first()).map(|p| p.error_code);
            match code {
                Some(0) => break,
                _ if tries < 50 => tokio::time::sleep(Duration::from_millis(100)).await,
                code => return Err(format!("produce failed: {code:?}").into()),
            }
            tries += 1;
        }
    }
    println!("filled {topic} with {records} records in {:?}", started.elapsed());
    Ok(())
}

async fn consume(cluster: &Cluster, topic: &str, records: u64) -> Outcome<()> {
    let group = format!("consume-{}", std::process::id());
    let config = BTreeMap::from([
        ("group.id".to_owned(), group),
        ("auto.offset.reset".to_owned(), "earliest".to_owned()),
    ]);
    let mut consumer = Consumer::start(cluster.clone(), ConsumerConfig::from_map(&config)?);
    consumer.subscribe(vec![topic.to_owned()])?;
    let (mut seen, mut bytes, mut fetches) = (0, 0, 0);
    let mut started = Instant::now();
    while seen < records {
        match consumer.next().await? {
            ConsumerEvent::Records(fetched) => {
                fetches += 1;
                for record in fetched.records() {
                    let record = record?;
                    bytes += record.value.map_or(0, <[u8]>::len);
                    seen += 1;
                }
            }
            event => {
                println!("{event:?} after {:?}", started.elapsed());
                started = Instant::now();
            }
        }
    }
    let elapsed = started.elapsed();
    let rate = seen as f64 / elapsed.as_secs_f64();
    println!("{seen} records, {bytes} bytes, {fetches} fetches in {elapsed:?}: {rate:.0} records/s");
    let closing = Instant::now();
    consumer.close(Duration::from_secs(5)).await;
    println!("left the group in {:?}", closing.elapsed());
    Ok(())
}
