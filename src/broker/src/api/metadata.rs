//! Metadata: the one broker, and the topics asked for.

use super::{Answer, Api, Call, text};
use crate::config::NODE_ID;
use crate::log::LEADER_EPOCH;
use crate::topics::{Topic, missing};
use crossdock_wire::shape::{BOOL, Field, TEXT, UUID, structs};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::{BrokerId, MetadataRequest, MetadataResponse, TopicName};
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use uuid::Uuid;

pub(crate) struct Metadata;

impl Api for Metadata {
    type Request = MetadataRequest;
    const VERSIONS: RangeInclusive<i16> = 0..=13;
    const SHAPE: &'static [Field] =
        &[structs(&[UUID.since(10), TEXT]), BOOL.since(4), BOOL.since(8).until(10), BOOL.since(8)];

    async fn handle(call: &Call, request: MetadataRequest) -> Answer<MetadataResponse> {
        let create = request.allow_auto_topic_creation && call.shared.config.auto_create_topics;
        // Null asks for all topics; in version 0, where null cannot be sent, an empty list does.
        let asked = request.topics.filter(|topics| call.version > 0 || !topics.is_empty());
        let topics = match asked {
            None => call.shared.all_topics().iter().map(|topic| found(call, topic)).collect(),
            Some(asked) => {
                let mut topics = Vec::with_capacity(asked.len());
                for topic in asked {
                    topics.push(look_up(call, topic, create).await);
                }
                topics
            }
        };
        response(call).with_topics(topics).into()
    }

    fn refuse(call: &Call, request: MetadataRequest, error: ResponseError) -> MetadataResponse {
        let topics = request.topics.unwrap_or_default();
        let refused = topics.into_iter().map(|topic| failed(call, topic.name, topic.topic_id, error));
        let code = if call.version >= 13 { error.code() } else { 0 };
        response(call).with_topics(refused.collect()).with_error_code(code)
    }
}

fn response(call: &Call) -> MetadataResponse {
    let broker = MetadataResponseBroker::default()
        .with_node_id(BrokerId(NODE_ID))
        .with_host(text(&call.host))
        .with_port(call.port);
    MetadataResponse::default()
        .with_brokers(vec![broker])
        .with_cluster_id(Some(text(&call.shared.cluster_id)))
        .with_controller_id(BrokerId(NODE_ID))
}

async fn look_up(call: &Call, asked: MetadataRequestTopic, create: bool) -> MetadataResponseTopic {
    let Some(name) = asked.name else {
        return match call.shared.topic_by_id(asked.topic_id) {
            Some(topic) => found(call, &topic),
            None => failed(call, None, asked.topic_id, ResponseError::UnknownTopicId),
        };
    };
    if let Some(topic) = call.shared.topic(&name) {
        return found(call, &topic);
    }
    let error = missing(&name);
    if !create || error != ResponseError::UnknownTopicOrPartition {
        return failed(call, Some(name), Uuid::nil(), error);
    }
    let partitions = call.shared.config.default_partitions;
    let wanted = name.to_string();
    let created =
        call.shared.blocking(move |shared| shared.create_topic(&wanted, partitions, BTreeMap::new(), false));
    match created.await {
        Ok(Some(topic)) => found(call, &topic),
        Ok(None) => failed(call, Some(name), Uuid::nil(), error),
        // Another request was faster.
        Err(refused) if refused.error == ResponseError::TopicAlreadyExists => {
            match call.shared.topic(&name) {
                Some(topic) => found(call, &topic),
                None => failed(call, Some(name), Uuid::nil(), error),
            }
        }
        Err(refused) => failed(call, Some(name), Uuid::nil(), refused.error),
    }
}

fn found(call: &Call, topic: &Topic) -> MetadataResponseTopic {
    let partition = |number| {
        let replicas = vec![BrokerId(NODE_ID)];
        MetadataResponsePartition::default()
            .with_partition_index(number)
            .with_leader_id(BrokerId(NODE_ID))
            .with_leader_epoch(LEADER_EPOCH)
            .with_replica_nodes(replicas.clone())
            .with_isr_nodes(replicas)
    };
    MetadataResponseTopic::default()
        .with_name(Some(TopicName(text(&topic.name))))
        .with_topic_id(if call.version >= 10 { topic.id } else { Uuid::nil() })
        .with_partitions((0..topic.partitions.len() as i32).map(partition).collect())
}

fn failed(call: &Call, name: Option<TopicName>, id: Uuid, error: ResponseError) -> MetadataResponseTopic {
    // The name can be null only since version 12.
    let name = name.or_else(|| (call.version < 12).then(TopicName::default));
    MetadataResponseTopic::default().with_error_code(error.code()).with_name(name).with_topic_id(id)
}
