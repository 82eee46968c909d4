//! Connections, metadata and admin against a real broker.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a failed set-up ends the test")]

use crossdock_client::admin::{ConfigResource, IsolationLevel, NewTopic, OffsetSpec};
use crossdock_client::{
    Admin, ClientConfig, ClientError, Cluster, ErrorCode, TopicPartition, TopicSelection,
};
use crossdock_testcontainers::Kafka;
use std::time::Duration;
use uuid::Uuid;

async fn cluster() -> Cluster {
    let kafka = Kafka::shared().await.expect("a broker");
    Cluster::new(ClientConfig::new(kafka.bootstrap()).unwrap())
}

fn fresh(prefix: &str) -> String {
    format!("{prefix}-{}", Uuid::new_v4())
}

#[tokio::test]
async fn topics_are_created_described_and_deleted() {
    let cluster = cluster().await;
    let admin = Admin::new(cluster.clone());
    let name = fresh("admin");
    let topic = NewTopic::new(&name, 3, -1).config("cleanup.policy", "compact");
    assert!(admin.create_topic(&topic).await.unwrap());
    assert!(!admin.create_topic(&topic).await.unwrap(), "it exists already");

    // The broker may learn of the topic a moment after the controller.
    let known = || async { admin.describe_topics(&[&name]).await?.remove(0).1 };
    let described = cluster.retrying("describing", Duration::from_secs(30), known).await.unwrap();
    assert_eq!(described.partitions.len(), 3);
    let described = admin.describe_topics(&["no-such-topic"]).await.unwrap();
    assert_eq!(described[0].1.as_ref().unwrap_err().code(), Some(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION));
    assert!(admin.list_topics().await.unwrap().iter().any(|t| *t.name == *name));

    let configs = admin.describe_configs(&[ConfigResource::Topic(name.clone())]).await.unwrap();
    let entries = configs[0].1.as_ref().unwrap();
    let policy = entries.iter().find(|e| e.name == "cleanup.policy").unwrap();
    assert_eq!((policy.value.as_deref(), policy.is_default), (Some("compact"), false));

    let ends: Vec<_> = (0..3)
        .flat_map(|p| [OffsetSpec::Earliest, OffsetSpec::Latest].map(|s| (TopicPartition::new(&*name, p), s)))
        .collect();
    for (partition, offset) in admin.list_offsets(&ends, IsolationLevel::ReadUncommitted).await.unwrap() {
        assert_eq!(offset.unwrap().offset, 0, "{partition}");
    }
    for (_, deleted) in admin.delete_topics(&[&name]).await.unwrap() {
        deleted.unwrap();
    }
    let deleted = admin.delete_topics(&[&name]).await.unwrap();
    assert_eq!(deleted[0].1.as_ref().unwrap_err().code(), Some(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION));
}

#[tokio::test]
async fn the_cluster_describes_itself() {
    let kafka = Kafka::shared().await.expect("a broker");
    let cluster = cluster().await;
    assert_eq!(cluster.cluster_id().await.unwrap(), kafka.cluster_id());
    let description = Admin::new(cluster.clone()).describe_cluster().await.unwrap();
    assert_eq!(description.brokers.len(), kafka.nodes());
    assert!(description.controller.is_some());
}

#[tokio::test]
async fn the_coordinator_is_found_although_the_offsets_topic_is_missing() {
    let cluster = cluster().await;
    // Spawned, so that the future must be Send.
    let found = tokio::spawn(async move { cluster.coordinator("some-group").await });
    found.await.unwrap().unwrap();
}

#[tokio::test]
async fn concurrent_refreshes_share_requests() {
    let cluster = cluster().await;
    cluster.refresh(TopicSelection::None, false).await.unwrap();
    let before = cluster.metadata().generation;
    let refreshes = (0..50).map(|_| cluster.refresh(TopicSelection::None, false));
    for refreshed in futures_util::future::join_all(refreshes).await {
        assert!(refreshed.unwrap().generation > before);
    }
    let requests = cluster.metadata().generation - before;
    assert!(requests <= 2, "{requests} requests for 50 concurrent refreshes");
}

#[tokio::test]
async fn a_missing_topic_is_no_error_of_the_refresh_but_of_the_leader() {
    let cluster = cluster().await;
    let error = cluster.leader(&fresh("missing"), 0).await.unwrap_err();
    assert_eq!(error.code(), Some(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION), "{error}");
    assert!(matches!(error, ClientError::Broker(_)));
}
