//! Topics that a source writes to first (KIP-158).

use crate::config::topic_rules::TopicCreation;
use crossdock_client::admin::{Admin, NewTopic};
use crossdock_client::{ClientError, Cluster, ErrorCode, TopicSelection};
use std::time::Duration;

/// Wait before the cluster is asked again.
const RETRY_BACKOFF: Duration = Duration::from_secs(1);

/// Creates a topic, unless it is there. Waits for brokers that cannot be reached. Cancel-safe.
pub(crate) async fn ensure(
    cluster: &Cluster,
    name: &str,
    creation: &TopicCreation,
) -> Result<(), ClientError> {
    loop {
        match try_once(cluster, name, creation).await {
            Err(error) if error.is_retriable() => {
                tracing::warn!(%error, topic = name, "the topic could not be looked up or created for now; it is tried again");
                tokio::time::sleep(RETRY_BACKOFF).await;
            }
            done => return done,
        }
    }
}

async fn try_once(cluster: &Cluster, name: &str, creation: &TopicCreation) -> Result<(), ClientError> {
    let known = cluster.refresh(TopicSelection::Named(vec![name.into()]), false).await?;
    if known.topic(name).is_some_and(|topic| topic.error.is_ok()) {
        return Ok(());
    }
    let mut topic = NewTopic::new(name, creation.partitions, creation.replication_factor);
    topic.configs = creation.configs.clone();
    for (_, created) in Admin::new(cluster.clone()).create_topics(&[topic], false).await? {
        match created {
            Ok(_) => tracing::info!(topic = name, partitions = creation.partitions, "created the topic"),
            Err(error) if error.code() == Some(ErrorCode::TOPIC_ALREADY_EXISTS) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
