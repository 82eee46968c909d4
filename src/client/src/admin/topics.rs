//! Topics: create, delete, list, describe.

use super::rounds::missing_item;
use super::{Admin, ItemResult, shared_text};
use crate::error::{BrokerError, ClientError, ErrorCode};
use crate::metadata::{TopicInfo, TopicSelection};
use crate::text::{str_bytes, topic_name};
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::create_topics_response::CreatableTopicResult;
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::delete_topics_response::DeletableTopicResult;
use kafka_protocol::messages::{CreateTopicsRequest, DeleteTopicsRequest};
use std::collections::BTreeMap;
use std::sync::Arc;
use uuid::Uuid;

const CREATE: &str = "CreateTopics";
const DELETE: &str = "DeleteTopics";

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

/// What the controller says of a topic that was to be created.
fn created(topic: CreatableTopicResult) -> ItemResult<String, CreatedTopic> {
    let refused = |code| {
        let error = BrokerError::new(code, CREATE).topic(shared_text(&topic.name.0));
        error.message(topic.error_message.as_deref()).into()
    };
    let made = CreatedTopic {
        id: topic.topic_id,
        partitions: topic.num_partitions,
        replication_factor: topic.replication_factor,
    };
    let result = ErrorCode(topic.error_code).ok().map(|()| made).map_err(refused);
    (topic.name.0.as_str().to_owned(), result)
}

/// What it says of one that was to be deleted.
fn deleted(topic: DeletableTopicResult) -> Option<ItemResult<String, ()>> {
    let name = topic.name.as_ref()?.0.as_str().to_owned();
    let refused = |code| {
        let error = BrokerError::new(code, DELETE).topic(&*name);
        error.message(topic.error_message.as_deref()).into()
    };
    let result = ErrorCode(topic.error_code).ok().map_err(refused);
    Some((name, result))
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
        let names: Vec<String> = topics.iter().map(|t| t.name.clone()).collect();
        let round = |open: Vec<String>| async move {
            let wanted = topics.iter().filter(|topic| open.contains(&topic.name));
            let request = CreateTopicsRequest::default()
                .with_topics(wanted.map(NewTopic::to_wire).collect())
                .with_timeout_ms(self.broker_timeout_ms())
                .with_validate_only(validate_only);
            let timeout = self.cluster.config().request_timeout;
            let answer = self.cluster.call_controller(request, 7, timeout).await?;
            Ok(answer.topics.into_iter().map(created).collect())
        };
        self.each(CREATE, &names, round).await
    }

    /// Creates one topic; true if it was created, false if it was there already.
    pub async fn create_topic(&self, topic: &NewTopic) -> Result<bool, ClientError> {
        let results = self.create_topics(std::slice::from_ref(topic), false).await?;
        match results.into_iter().find(|(name, _)| *name == topic.name) {
            Some((_, Ok(_))) => Ok(true),
            Some((_, Err(error))) if error.code() == Some(ErrorCode::TOPIC_ALREADY_EXISTS) => Ok(false),
            Some((_, Err(error))) => Err(error),
            None => Err(missing_item(CREATE, &topic.name)),
        }
    }

    /// Deletes topics with all their records.
    pub async fn delete_topics(&self, names: &[&str]) -> Result<Vec<ItemResult<String, ()>>, ClientError> {
        let timeout = self.cluster.config().request_timeout;
        let broker_timeout = self.broker_timeout_ms();
        let round = |open: Vec<String>| async move {
            let controller = self.cluster.controller_connection().await?;
            let request = |version: i16| {
                let request = DeleteTopicsRequest::default().with_timeout_ms(broker_timeout);
                let wire = open.iter().map(|n| topic_name(n));
                if version < 6 {
                    return request.with_topic_names(wire.collect());
                }
                request.with_topics(wire.map(|n| DeleteTopicState::default().with_name(Some(n))).collect())
            };
            let answer = controller.call(6, timeout, request).await?;
            Ok(answer.responses.into_iter().filter_map(deleted).collect())
        };
        let names: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
        self.each(DELETE, &names, round).await
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
