//! Brokers that die while transactions are committed.

use crate::support::*;
use crossdock_client::Admin;
use crossdock_client::admin::NewTopic;
use crossdock_client::cluster::CoordinatorKind;

#[tokio::test]
async fn commits_go_on_when_the_coordinator_dies() {
    const TRANSACTIONS: usize = 80;
    let mut kafka = builder().nodes(3).start().await.unwrap();
    let cluster = cluster(&kafka);
    let topic = fresh("survives");
    let new = NewTopic::new(&topic, 3, 3).config("min.insync.replicas", "2");
    assert!(Admin::new(cluster.clone()).create_topic(&new).await.unwrap());
    let id = fresh("id");
    let writer = Writer::transactional(&cluster, &topic, &id).await;
    let coordinator = cluster.coordinator_of(CoordinatorKind::Transaction, &id).await.unwrap();
    let coordinator = usize::try_from(coordinator.0).unwrap();
    let mut expected = Vec::new();
    for n in 0..TRANSACTIONS {
        match n {
            20 => kafka.kill_node(coordinator).await.unwrap(),
            60 => kafka.start_node(coordinator).await.unwrap(),
            _ => {}
        }
        let value = n.to_string();
        writer.producer.begin_transaction().unwrap();
        for partition in 0..3 {
            writer.append(partition, &value).await;
        }
        if n % 4 == 3 {
            writer.producer.abort_transaction().await.unwrap();
        } else {
            writer.producer.commit_transaction().await.unwrap();
            expected.push(value);
        }
    }
    for partition in 0..3 {
        assert_eq!(committed(&cluster, &topic, partition).await, expected, "partition {partition}");
    }
}
