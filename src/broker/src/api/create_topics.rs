//! CreateTopics.

use super::{Answer, Api, Call, text};
use crate::config::NODE_ID;
use crate::shared::{Refused, Shared};
use crate::topic_config;
use crate::topics::Topic;
use crossdock_wire::shape::{BOOL, Field, INT16, INT32, TEXT, structs, values};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::create_topics_response::{CreatableTopicConfigs, CreatableTopicResult};
use kafka_protocol::messages::{BrokerId, CreateTopicsRequest, CreateTopicsResponse, TopicName};
use std::collections::{BTreeMap, HashMap};
use std::ops::RangeInclusive;
use std::sync::Arc;
use uuid::Uuid;

/// Where a config's value is from, in replies.
const DYNAMIC_TOPIC: i8 = 1;
const DEFAULT: i8 = 5;

pub(crate) struct CreateTopics;

impl Api for CreateTopics {
    type Request = CreateTopicsRequest;
    const VERSIONS: RangeInclusive<i16> = 2..=7;
    const SHAPE: &'static [Field] = &[
        structs(&[TEXT, INT32, INT16, structs(&[INT32, values(&INT32)]), structs(&[TEXT, TEXT])]),
        INT32,
        BOOL,
    ];

    async fn handle(call: &Call, request: CreateTopicsRequest) -> Answer<CreateTopicsResponse> {
        let version = call.version;
        let create = move |shared: &Shared| {
            let mut named: HashMap<TopicName, usize> = HashMap::new();
            for topic in &request.topics {
                *named.entry(topic.name.clone()).or_default() += 1;
            }
            let result = |topic: CreatableTopic| match named.get(&topic.name) {
                Some(&times) if times > 1 => {
                    let refused = Refused::new(ResponseError::InvalidRequest, "Duplicate topic name.");
                    failed(topic.name, refused)
                }
                _ => create(shared, topic, version, request.validate_only),
            };
            request.topics.into_iter().map(result).collect()
        };
        CreateTopicsResponse::default().with_topics(call.shared.blocking(create).await).into()
    }

    fn refuse(_: &Call, request: CreateTopicsRequest, error: ResponseError) -> CreateTopicsResponse {
        let refused = |topic: CreatableTopic| failed(topic.name, Refused::new(error, error.to_string()));
        CreateTopicsResponse::default().with_topics(request.topics.into_iter().map(refused).collect())
    }
}

fn create(shared: &Shared, topic: CreatableTopic, version: i16, only_check: bool) -> CreatableTopicResult {
    let name = topic.name.clone();
    let create = || {
        let partitions = partitions(shared, &topic)?;
        let configs = configs(&topic)?;
        let created = shared.create_topic(&name, partitions, configs.clone(), only_check)?;
        Ok((partitions, configs, created))
    };
    match create() {
        Ok((partitions, configs, created)) => succeeded(name.clone(), version, partitions, &configs, created),
        Err(refused) => failed(name.clone(), refused),
    }
}

fn partitions(shared: &Shared, topic: &CreatableTopic) -> Result<i32, Refused> {
    if !topic.assignments.is_empty() {
        return assigned_partitions(topic);
    }
    if !matches!(topic.replication_factor, -1 | 1) {
        let message = format!(
            "Unable to replicate the partition {} time(s): this broker is the only one. Set the replication \
             factor to 1 or -1.",
            topic.replication_factor
        );
        return Err(Refused::new(ResponseError::InvalidReplicationFactor, message));
    }
    match topic.num_partitions {
        -1 => Ok(shared.config.default_partitions),
        partitions if partitions > 0 => Ok(partitions),
        _ => {
            let message = "Number of partitions was set to an invalid non-positive value.";
            Err(Refused::new(ResponseError::InvalidPartitions, message))
        }
    }
}

/// Partitions that were assigned by hand: all to this broker, numbered from 0.
fn assigned_partitions(topic: &CreatableTopic) -> Result<i32, Refused> {
    if topic.num_partitions != -1 || topic.replication_factor != -1 {
        let message = "A manual partition assignment was specified, so the number of partitions and the \
                       replication factor must be -1.";
        return Err(Refused::new(ResponseError::InvalidRequest, message));
    }
    let mut numbers: Vec<i32> = topic.assignments.iter().map(|a| a.partition_index).collect();
    numbers.sort_unstable();
    let consecutive = numbers.iter().enumerate().all(|(n, &number)| n as i32 == number);
    let all_here = topic.assignments.iter().all(|a| a.broker_ids == [BrokerId(NODE_ID)]);
    if consecutive && all_here {
        return Ok(numbers.len() as i32);
    }
    let message =
        format!("partitions must be numbered from 0, each with broker {NODE_ID} as its only replica");
    Err(Refused::new(ResponseError::InvalidReplicaAssignment, message))
}

fn configs(topic: &CreatableTopic) -> Result<BTreeMap<String, String>, Refused> {
    let mut configs = BTreeMap::new();
    for config in &topic.configs {
        let refused = |message: String| Refused::new(ResponseError::InvalidConfig, message);
        let Some(value) = &config.value else {
            return Err(refused(format!("Null value not supported for topic configs: {}", &*config.name)));
        };
        topic_config::check(&config.name, value).map_err(refused)?;
        configs.insert(config.name.to_string(), value.to_string());
    }
    Ok(configs)
}

fn succeeded(
    name: TopicName,
    version: i16,
    partitions: i32,
    configs: &BTreeMap<String, String>,
    created: Option<Arc<Topic>>,
) -> CreatableTopicResult {
    let result = CreatableTopicResult::default().with_name(name);
    if version < 5 {
        return result;
    }
    let config = |definition: &topic_config::Definition| {
        let set = configs.get(definition.name);
        CreatableTopicConfigs::default()
            .with_name(text(definition.name))
            .with_value(Some(text(set.map_or(definition.default, String::as_str))))
            .with_config_source(if set.is_some() { DYNAMIC_TOPIC } else { DEFAULT })
    };
    let id = created.filter(|_| version >= 7).map_or(Uuid::nil(), |topic| topic.id);
    result
        .with_topic_id(id)
        .with_num_partitions(partitions)
        .with_replication_factor(1)
        .with_configs(Some(topic_config::DEFINITIONS.iter().map(config).collect()))
}

fn failed(name: TopicName, refused: Refused) -> CreatableTopicResult {
    CreatableTopicResult::default()
        .with_name(name)
        .with_error_code(refused.error.code())
        .with_error_message(Some(text(refused.message)))
}
