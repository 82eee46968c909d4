//! Records in and out, and groups.

use crate::appending::{Sink, append, log_of};
use crate::support::{PATIENCE, cluster, fresh};
use crate::world::{Kind, World};
use crossdock_client::admin::NewTopic;
use crossdock_client::{
    Admin, Consumer, ConsumerConfig, ConsumerEvent, Producer, ProducerConfig, TopicPartition,
};
use crossdock_testcontainers::Kafka;
use std::collections::BTreeMap;
use std::sync::Arc;

at_each_broker!(
    records_of_every_codec_are_written_and_read,
    a_group_is_shared_with_java_eagerly,
    a_group_is_shared_with_java_cooperatively,
    the_consumer_protocol_is_refused_with_what_to_do,
);

fn settings(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

async fn records_of_every_codec_are_written_and_read(kafka: &Kafka) {
    const RECORDS: u64 = 2_000;
    let cluster = cluster(kafka);
    let admin = Admin::new(cluster.clone());
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let name = fresh(codec);
        assert!(admin.create_topic(&NewTopic::new(&name, 2, -1)).await.unwrap());
        let sink = Arc::new(Sink::default());
        let config = ProducerConfig::from_map(&settings(&[("compression.type", codec)])).unwrap();
        let producer = Producer::start(cluster.clone(), config, sink.clone());
        let topic = producer.topic(&name);
        producer.wait_for_metadata(&topic).await.unwrap();
        for value in 0..RECORDS {
            append(&producer, &topic, i32::try_from(value % 2).unwrap(), value).await;
        }
        producer.flush().await;
        assert_eq!(sink.written().len() as u64, RECORDS, "{codec}");
        assert_eq!(log_of(&cluster, &name, 1).await.len() as u64, RECORDS / 2, "{codec}");

        let config = ConsumerConfig::from_map(&settings(&[("auto.offset.reset", "earliest")])).unwrap();
        let mut consumer = Consumer::start(cluster.clone(), config);
        consumer.assign((0..2).map(|p| TopicPartition::new(&*name, p)).collect()).unwrap();
        let mut next = [0, 1];
        while next.iter().sum::<u64>() < 2 * RECORDS + 1 {
            let event = tokio::time::timeout(PATIENCE, consumer.next()).await.expect("records in time");
            let ConsumerEvent::Records(fetched) = event.unwrap() else { continue };
            for record in fetched.records() {
                let expected = &mut next[usize::try_from(fetched.partition).unwrap()];
                assert_eq!(record.unwrap().value, Some(expected.to_string().as_bytes()), "{codec}");
                *expected += 2;
            }
        }
    }
}

async fn a_group_is_shared_with_java_eagerly(kafka: &Kafka) {
    a_group_is_shared_with_java(kafka, "RangeAssignor").await;
}

async fn a_group_is_shared_with_java_cooperatively(kafka: &Kafka) {
    a_group_is_shared_with_java(kafka, "CooperativeStickyAssignor").await;
}

async fn a_group_is_shared_with_java(kafka: &Kafka, assignor: &str) {
    let assignor = format!("org.apache.kafka.clients.consumer.{assignor}");
    let settings = [
        ("partition.assignment.strategy", &*assignor),
        ("heartbeat.interval.ms", "200"),
        ("session.timeout.ms", "6000"),
    ];
    let mut world = World::at(kafka.bootstrap(), 6, &settings).await;
    world.produce(3).await;
    let one = world.join(Kind::Ours).await;
    world.until("the first has all", |w| w.held(one) == 6 && w.all_read()).await;
    let java = world.join(Kind::Java).await;
    world.until("each has its half", |w| w.held(one) == 3 && w.held(java) == 3).await;
    world.produce(3).await;
    world.until("all is read", World::all_read).await;
    let late = world.join(Kind::Ours).await;
    world.until("each has its third", |w| [one, java, late].iter().all(|m| w.held(*m) == 2)).await;
    world.produce(3).await;
    world.until("all is read", World::all_read).await;
    world.stop(one).await;
    world.stop(java).await;
    world.until("the last has all", |w| w.held(late) == 6).await;
    world.produce(3).await;
    world.until("all is read", World::all_read).await;
    world.stop(late).await;
    world.check();
}

async fn the_consumer_protocol_is_refused_with_what_to_do(kafka: &Kafka) {
    let group = fresh("group");
    let settings = settings(&[("group.id", &*group), ("group.protocol", "consumer")]);
    let mut consumer = Consumer::start(cluster(kafka), ConsumerConfig::from_map(&settings).unwrap());
    consumer.subscribe(vec![fresh("any")]).unwrap();
    let error = loop {
        match tokio::time::timeout(PATIENCE, consumer.next()).await.expect("an error in time") {
            Ok(ConsumerEvent::Assigned(none)) if none.is_empty() => {}
            Ok(other) => panic!("{other:?}"),
            Err(error) => break error.to_string(),
        }
    };
    assert!(error.contains("group.protocol=classic"), "{error}");
}
