//! Topics: create, delete, list, describe.

use super::rounds::{in_order, missing_item};
use super::{Admin, ItemResult, shared_text};
use crate::error::{BrokerError, ClientError, ErrorCode};
use crate::metadata::{TopicInfo, TopicSelection};
use crate::text::{str_bytes, topic_name};
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::{CreateTopicsRequest, DeleteTopicsRequest};
use std::collections::BTreeMap;
use std::sync::Arc;
use uuid::Uuid;

/// A topic to be created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTopic {
    /// The name.
    pub name: String,
    /// How many partitions; -1 for the broker's `num.partitions` (Kafka 2.4 and newer).
    pub partitions: i32,
    /// How many replicas; -1 for the broker's `default.replication.factor` (Kafka 2.4 and newer).
    pub replication_factor: i16,
    /// Settings of the topic, such as `cleanup.policy`.
    pub configs: BTreeMap<String, String>,
}

/// A topic that was created. Brokers older than 2.4 tell nothing of it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CreatedTopic {
    /// The topic's id; nil from brokers older than 2.8.
    pub id: Uuid,
    /// How many partitions; -1 if not told.
    pub partitions: i32,
    /// How many replicas; -1 if not told.
    pub replication_factor: i16,
}

impl NewTopic {
    /// A topic with the broker's defaults for the settings.
    pub fn new(name: impl Into<String>, partitions: i32, replication_factor: i16) -> Self {
        Self { name: name.into(), partitions, replication_factor, configs: BTreeMap::new() }
    }

    /// With a setting.
    pub fn config(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.configs.insert(key.into(), value.into());
        self
    }

    fn to_wire(&self) -> CreatableTopic {
        let config = |(key, value): (&String, &String)| {
            CreatableTopicConfig::default().with_name(str_bytes(key)).with_value(Some(str_bytes(value)))
        };
        CreatableTopic::default()
            .with_name(topic_name(&self.name))
            .with_num_partitions(self.partitions)
            .with_replication_factor(self.replication_factor)
            .with_configs(self.configs.iter().map(config).collect())
    }
}

impl Admin {
    /// Creates topics. A topic that is there already is an error of its item, with
    /// [`ErrorCode::TOPIC_ALREADY_EXISTS`]. With `validate_only` nothing is created.
    ///
    /// The leaders of new partitions may take a moment to be known.
    pub async fn create_topics(
        &self,
        topics: &[NewTopic],
        validate_only: bool,
    ) -> Result<Vec<ItemResult<String, CreatedTopic>>, ClientError> {
        let request = CreateTopicsRequest::default()
            .with_topics(topics.iter().map(NewTopic::to_wire).collect())
            .with_timeout_ms(self.broker_timeout_ms())
            .with_validate_only(validate_only);
        let answer = self.call_controller("creating topics", &request, 7).await?;
        let results = answer.topics.into_iter().map(|topic| {
            let created = CreatedTopic {
                id: topic.topic_id,
                partitions: topic.num_partitions,
                replication_factor: topic.replication_factor,
            };
            let refused = |code| {
                let error = BrokerError::new(code, "CreateTopics").topic(shared_text(&topic.name.0));
                error.message(topic.error_message.as_deref()).into()
            };
            let result = ErrorCode(topic.error_code).ok().map(|()| created).map_err(refused);
            (topic.name.0.as_str().to_owned(), result)
        });
        Ok(in_order("CreateTopics", topics.iter().map(|t| t.name.clone()), results))
    }

    /// Creates one topic; true if it was created, false if it was there already.
    pub async fn create_topic(&self, topic: &NewTopic) -> Result<bool, ClientError> {
        let results = self.create_topics(std::slice::from_ref(topic), false).await?;
        match results.into_iter().find(|(name, _)| *name == topic.name) {
            Some((_, Ok(_))) => Ok(true),
            Some((_, Err(error))) if error.code() == Some(ErrorCode::TOPIC_ALREADY_EXISTS) => Ok(false),
            Some((_, Err(error))) => Err(error),
            None => Err(missing_item("CreateTopics", &topic.name)),
        }
    }

    /// Deletes topics with all their records.
    pub async fn delete_topics(&self, names: &[&str]) -> Result<Vec<ItemResult<String, ()>>, ClientError> {
        let timeout = self.cluster.config().request_timeout;
        let broker_timeout = self.broker_timeout_ms();
        let attempt = || async {
            let controller = self.cluster.controller_connection().await?;
            let request = |version: i16| {
                let request = DeleteTopicsRequest::default().with_timeout_ms(broker_timeout);
                let wire = names.iter().map(|n| topic_name(n));
                if version < 6 {
                    return request.with_topic_names(wire.collect());
                }
                request.with_topics(wire.map(|n| DeleteTopicState::default().with_name(Some(n))).collect())
            };
            controller.call(6, timeout, request).await
        };
        let answer = self.retrying("deleting topics", attempt).await?;
        let results = answer.responses.into_iter().filter_map(|topic| {
            let name = topic.name.as_ref()?.0.as_str().to_owned();
            let refused = |code| {
                let error = BrokerError::new(code, "DeleteTopics").topic(&*name);
                error.message(topic.error_message.as_deref()).into()
            };
            let result = ErrorCode(topic.error_code).ok().map_err(refused);
            Some((name, result))
        });
        Ok(in_order("DeleteTopics", names.iter().map(|n| (*n).to_owned()), results))
    }

    /// All topics of the cluster that this client may see, ordered by name; internal ones included.
    pub async fn list_topics(&self) -> Result<Vec<Arc<TopicInfo>>, ClientError> {
        let snapshot =
            self.retrying("listing topics", || self.cluster.refresh(TopicSelection::All, false)).await?;
        let mut topics: Vec<_> = snapshot.topics.values().filter(|t| t.error.is_ok()).cloned().collect();
        topics.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(topics)
    }

    /// Partitions, leaders and replicas of topics. A topic that does not exist is an error of its item, with
    /// [`ErrorCode::UNKNOWN_TOPIC_OR_PARTITION`]; it is never created.
    pub async fn describe_topics(
        &self,
        names: &[&str],
    ) -> Result<Vec<ItemResult<String, Arc<TopicInfo>>>, ClientError> {
        let selection: Vec<Arc<str>> = names.iter().map(|n| Arc::from(*n)).collect();
        let refresh = || self.cluster.refresh(TopicSelection::Once(selection.clone()), false);
        let snapshot = self.retrying("describing topics", refresh).await?;
        let describe = |name: &&str| {
            let refused = |code| ClientError::from(BrokerError::new(code, "Metadata").topic(*name));
            let result = match snapshot.topics.get(*name) {
                Some(topic) => topic.error.ok().map(|()| topic.clone()).map_err(refused),
                None => Err(missing_item("Metadata", name)),
            };
            ((*name).to_owned(), result)
        };
        Ok(names.iter().map(describe).collect())
    }
}
