//! Brokers that die: the leader of a partition, and the coordinator of the group.

use crate::support::*;
use crossdock_client::admin::NewTopic;
use crossdock_client::group::Standing;
use crossdock_client::{Admin, ClientConfig, Cluster, Consumer, ConsumerEvent, OffsetAndMetadata};
use crossdock_testcontainers::Kafka;
use std::collections::HashMap;

#[tokio::test]
async fn the_group_goes_on_when_leader_and_coordinator_die() {
    let mut kafka = Kafka::builder().nodes(3).start().await.unwrap();
    let cluster = Cluster::new(ClientConfig::new(kafka.bootstrap()).unwrap());
    let (topic, group) = (fresh("survives"), fresh("group"));
    let admin = Admin::new(cluster.clone());
    assert!(admin.create_topic(&NewTopic::new(&topic, 3, 3)).await.unwrap());
    let mut consumer = Consumer::start(cluster.clone(), config(&group, &[]));
    consumer.subscribe(vec![topic.clone()]).unwrap();
    assert_eq!(assigned(&mut consumer).await.len(), 3);
    produce_round(&cluster, &topic, 0).await;
    assert_eq!(values(&mut consumer, 3).await.len(), 3);
    consumer.commit(&positions(&consumer)).await.unwrap();

    let coordinator = cluster.coordinator(&group).await.unwrap();
    kafka.kill_node(usize::try_from(coordinator.0).unwrap()).await.unwrap();
    // Neither membership nor positions are lost: the new coordinator has both.
    produce_round(&cluster, &topic, 1).await;
    let mut seen = Vec::new();
    while seen.len() < 3 {
        match next(&mut consumer).await {
            ConsumerEvent::Records(fetched) => {
                let offsets = fetched.records().map(|record| record.unwrap().offset);
                seen.extend(offsets.map(|offset| (fetched.partition, offset)));
            }
            other => panic!("{other:?}"),
        }
    }
    seen.sort_unstable();
    assert_eq!(seen, [(0, 1), (1, 1), (2, 1)]);
    consumer.commit(&positions(&consumer)).await.unwrap();
    assert!(matches!(consumer.standing(), Standing::Member(_)));
    let committed = consumer.committed(&consumer.assignment()).await.unwrap();
    assert!(committed.values().all(|committed| committed.offset == 2), "{committed:?}");
    let moved = cluster.separate().coordinator(&group).await.unwrap();
    assert_ne!(moved, coordinator);
}

async fn produce_round(cluster: &Cluster, topic: &str, round: usize) {
    for partition in 0..3 {
        produce(cluster, topic, partition, &[&round.to_string()]).await;
    }
}

fn positions(consumer: &Consumer) -> HashMap<crossdock_client::TopicPartition, OffsetAndMetadata> {
    let position = |tp| consumer.position(&tp).map(|offset| (tp, OffsetAndMetadata::new(offset)));
    consumer.assignment().into_iter().filter_map(position).collect()
}
