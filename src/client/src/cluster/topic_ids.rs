//! Names of topics that are known by their ids only, as in the assignments of KIP-848.

use super::Cluster;
use crate::error::ClientError;
use kafka_protocol::messages::MetadataRequest;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use uuid::Uuid;

/// The first version that takes an id without a name.
const VERSION: i16 = 12;

impl Cluster {
    /// The names of the topics with these ids; those that the cluster does not know are left out. Asks one
    /// broker for those that the last metadata do not have. Cancel-safe.
    pub async fn topic_names(&self, ids: &BTreeSet<Uuid>) -> Result<BTreeMap<Uuid, Arc<str>>, ClientError> {
        let mut names = self.names_in_snapshot(ids);
        let missing: BTreeSet<Uuid> = ids.iter().filter(|id| !names.contains_key(id)).copied().collect();
        if !missing.is_empty() {
            let topic = |id: &Uuid| MetadataRequestTopic::default().with_topic_id(*id).with_name(None);
            let request = MetadataRequest::default()
                .with_topics(Some(missing.iter().map(topic).collect()))
                .with_allow_auto_topic_creation(false);
            let connection = self.connection_to_any(&self.inner.pool).await?;
            let answer = connection.call(VERSION, self.config().request_timeout, |_| request).await?;
            let told = answer.topics.iter().filter(|topic| topic.error_code == 0);
            for topic in told.filter(|topic| missing.contains(&topic.topic_id)) {
                if let Some(name) = &topic.name {
                    names.insert(topic.topic_id, Arc::from(name.0.as_str()));
                }
            }
        }
        Ok(names)
    }

    fn names_in_snapshot(&self, ids: &BTreeSet<Uuid>) -> BTreeMap<Uuid, Arc<str>> {
        let metadata = self.metadata();
        let known = metadata.topics.values().filter(|topic| topic.error.is_ok() && ids.contains(&topic.id));
        known.map(|topic| (topic.id, topic.name.clone())).collect()
    }
}
