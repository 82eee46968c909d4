//! Replicas that are nearer than the leader (KIP-392).

use crate::support::*;
use crossdock_client::admin::NewTopic;
use crossdock_client::{Admin, ClientConfig, Cluster, Consumer, ConsumerConfig};
use crossdock_testcontainers::Kafka;
use std::collections::BTreeMap;

#[tokio::test]
async fn a_replica_of_the_own_rack_is_read_from() {
    let kafka = Kafka::builder()
        .nodes(2)
        .property("replica.selector.class", "org.apache.kafka.common.replica.RackAwareReplicaSelector")
        .node_property(1, "broker.rack", "rack-1")
        .node_property(2, "broker.rack", "rack-2")
        .start()
        .await
        .unwrap();
    let cluster = Cluster::new(ClientConfig::new(kafka.bootstrap()).unwrap());
    assert!(Admin::new(cluster.clone()).create_topic(&NewTopic::new("t", 1, 2)).await.unwrap());
    produce(&cluster, "t", 0, &["one"]).await;
    let (leader, _) = cluster.leader("t", 0).await.unwrap();
    let follower = crossdock_client::NodeId(3 - leader.0);
    for node in [follower, leader] {
        let settings =
            [("auto.offset.reset", "earliest".to_owned()), ("client.rack", format!("rack-{node}"))];
        let settings: BTreeMap<_, _> = settings.map(|(k, v)| (k.to_owned(), v)).into();
        let mut consumer = Consumer::start(cluster.clone(), ConsumerConfig::from_map(&settings).unwrap());
        consumer.assign(vec![tp("t", 0)]).unwrap();
        assert_eq!(values(&mut consumer, 1).await, ["one"]);
        assert_eq!(consumer.read_from(&tp("t", 0)), Some(node));
    }
}
