//! A broker that is started again on the same data directory.

use crate::client::{Client, batch, batch_of};
use crate::groups::{commit_from_outside, committed};
use crossdock_broker::{Broker, BrokerError};
use crossdock_wire::ProducerStamp;
use kafka_protocol::messages::{DeleteTopicsRequest, MetadataRequest};
use std::path::Path;

async fn open(dir: &Path) -> (Broker, Client) {
    let broker = Broker::builder().data_dir(dir).start().await.unwrap();
    let client = Client::connect(&broker).await;
    (broker, client)
}

#[tokio::test]
async fn it_goes_on_where_it_stopped() {
    let dir = tempfile::tempdir().unwrap();
    let (broker, mut client) = open(dir.path()).await;
    client.create("t", 2).await;
    client.create("gone", 1).await;
    client.call(5, DeleteTopicsRequest::default().with_topic_names(vec![crate::client::topic("gone")])).await;
    let producer_id = client.producer_id().await;
    let stamp = |base_sequence| ProducerStamp { producer_id, producer_epoch: 0, base_sequence };
    assert_eq!(client.produce("t", batch_of(&["a"], 1, stamp(0))).await.base_offset, 0);
    assert_eq!(client.produce("t", batch_of(&["b"], 1, stamp(1))).await.base_offset, 1);
    assert_eq!(commit_from_outside(&mut client, 1).await, 0);
    let metadata = client.call(12, MetadataRequest::default().with_topics(None)).await;
    broker.shutdown().await;

    let (broker, mut client) = open(dir.path()).await;
    assert_eq!(client.call(12, MetadataRequest::default().with_topics(None)).await.topics, metadata.topics);
    assert_eq!(Some(broker.cluster_id()), metadata.cluster_id.as_deref());
    assert_eq!(client.values("t").await, ["a", "b"]);
    assert_eq!(committed(&mut client).await, 1);
    // A retry across the restart is still known, and its id is not given out again.
    assert_eq!(client.produce("t", batch_of(&["b"], 1, stamp(1))).await.base_offset, 1);
    assert_eq!(client.produce("t", batch_of(&["c"], 1, stamp(2))).await.base_offset, 2);
    assert_ne!(client.producer_id().await, producer_id);
}

#[tokio::test]
async fn a_half_written_batch_is_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    let (broker, mut client) = open(dir.path()).await;
    client.create("t", 1).await;
    client.produce("t", batch(&["a"])).await;
    client.produce("t", batch(&["b"])).await;
    broker.shutdown().await;
    let path = dir.path().join("t-0/00000000000000000000.log");
    let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.set_len(file.metadata().unwrap().len() - 1).unwrap();
    let (_broker, mut client) = open(dir.path()).await;
    assert_eq!(client.values("t").await, ["a"]);
    assert_eq!(client.produce("t", batch(&["c"])).await.base_offset, 1);
    assert_eq!(client.values("t").await, ["a", "c"]);
}

#[tokio::test]
async fn a_topic_that_was_deleted_comes_back_empty() {
    let dir = tempfile::tempdir().unwrap();
    let (_broker, mut client) = open(dir.path()).await;
    client.create("t", 1).await;
    client.produce("t", batch(&["a"])).await;
    commit_from_outside(&mut client, 1).await;
    client.call(5, DeleteTopicsRequest::default().with_topic_names(vec![crate::client::topic("t")])).await;
    assert!(!dir.path().join("t-0").exists());
    client.create("t", 1).await;
    assert!(client.values("t").await.is_empty());
    assert_eq!(committed(&mut client).await, -1);
}

#[tokio::test]
async fn the_directory_belongs_to_one_broker() {
    let dir = tempfile::tempdir().unwrap();
    let (first, _client) = open(dir.path()).await;
    let second = Broker::builder().data_dir(dir.path()).start().await;
    assert!(matches!(second, Err(BrokerError::InUse { .. })));
    first.shutdown().await;
    open(dir.path()).await;
}
