//! A broker that offers no more than one of Kafka 2.1 does, the oldest that is supported: everything works in old versions.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a failed set-up ends the test")]

mod support;

use crossdock_broker::{ApiKey, Broker};
use crossdock_client::admin::{ConfigResource, IsolationLevel, NewTopic, OffsetSpec};
use crossdock_client::{
    Admin, ClientConfig, Cluster, Consumer, ConsumerConfig, ConsumerEvent, Producer, ProducerConfig,
    TopicPartition,
};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;
use support::{Sink, append, log_of};

const PATIENCE: Duration = Duration::from_secs(20);

/// The APIs of Kafka 2.1 that this client calls, and their highest versions there.
const KAFKA_2_1: [(ApiKey, i16); 20] = [
    (ApiKey::Produce, 7),
    (ApiKey::Fetch, 10),
    (ApiKey::ListOffsets, 4),
    (ApiKey::Metadata, 7),
    (ApiKey::OffsetCommit, 6),
    (ApiKey::OffsetFetch, 5),
    (ApiKey::FindCoordinator, 2),
    (ApiKey::JoinGroup, 3),
    (ApiKey::Heartbeat, 2),
    (ApiKey::LeaveGroup, 2),
    (ApiKey::SyncGroup, 2),
    (ApiKey::DescribeGroups, 2),
    (ApiKey::ListGroups, 2),
    (ApiKey::ApiVersions, 2),
    (ApiKey::CreateTopics, 3),
    (ApiKey::DeleteTopics, 3),
    (ApiKey::InitProducerId, 1),
    (ApiKey::OffsetForLeaderEpoch, 2),
    (ApiKey::DescribeConfigs, 2),
    (ApiKey::DeleteGroups, 1),
];

async fn next(consumer: &mut Consumer) -> ConsumerEvent {
    tokio::time::timeout(PATIENCE, consumer.next()).await.expect("an event in time").unwrap()
}

#[tokio::test]
async fn topics_records_groups_and_offsets_work_in_old_versions() {
    let broker = Broker::builder().max_versions(KAFKA_2_1).start().await.unwrap();
    let cluster = Cluster::new(ClientConfig::new(&broker.bootstrap()).unwrap());
    let admin = Admin::new(cluster.clone());
    assert!(admin.create_topic(&NewTopic::new("t", 2, 1)).await.unwrap());
    let configs = admin.describe_configs(&[ConfigResource::Topic("t".to_owned())]).await.unwrap();
    assert!(configs.into_iter().all(|(_, configs)| !configs.unwrap().is_empty()));

    let sink = Arc::new(Sink::default());
    let producer = Producer::start(cluster.clone(), ProducerConfig::default(), sink.clone());
    let topic = producer.topic("t");
    producer.wait_for_metadata(&topic).await.unwrap();
    for value in 0..100 {
        append(&producer, &topic, (value % 2) as i32, value).await;
    }
    producer.flush().await;
    assert_eq!(sink.written().len(), 100);
    assert_eq!(log_of(&cluster, "t", 1).await.len(), 50);

    let settings =
        [("group.id", "g"), ("auto.offset.reset", "earliest"), ("isolation.level", "read_committed")];
    let settings: BTreeMap<_, _> = settings.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
    let mut consumer = Consumer::start(cluster.clone(), ConsumerConfig::from_map(&settings).unwrap());
    consumer.subscribe(vec!["t".to_owned()]).unwrap();
    assert!(matches!(next(&mut consumer).await, ConsumerEvent::Assigned(assigned) if assigned.len() == 2));
    let mut read = 0;
    while read < 100 {
        let ConsumerEvent::Records(fetched) = next(&mut consumer).await else { panic!("only records") };
        read += fetched.records().map(Result::unwrap).count();
    }
    let position = |p| consumer.position_to_commit(&TopicPartition::new("t", p)).unwrap();
    let positions: HashMap<_, _> = (0..2).map(|p| (TopicPartition::new("t", p), position(p))).collect();
    consumer.commit(&positions).await.unwrap();
    let committed = consumer.committed(&consumer.assignment()).await.unwrap();
    assert!(committed.values().all(|committed| committed.offset == 50), "{committed:?}");
    consumer.close(PATIENCE).await;

    let latest = [(TopicPartition::new("t", 0), OffsetSpec::Latest)];
    let listed = admin.list_offsets(&latest, IsolationLevel::ReadCommitted).await.unwrap();
    assert_eq!(listed[0].1.as_ref().unwrap().offset, 50);
    assert!(admin.delete_topics(&["t"]).await.unwrap().into_iter().all(|(_, deleted)| deleted.is_ok()));
}
