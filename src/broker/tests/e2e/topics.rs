//! Metadata, topics and configs.

use crate::client::{Client, start, text, topic};
use crossdock_broker::{Broker, ResponseError};
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{
    CreateTopicsRequest, DeleteTopicsRequest, DescribeClusterRequest, DescribeConfigsRequest, MetadataRequest,
};

fn named(name: &str) -> MetadataRequest {
    let wanted = MetadataRequestTopic::default().with_name(Some(topic(name)));
    MetadataRequest::default().with_topics(Some(vec![wanted]))
}

#[tokio::test]
async fn null_asks_for_all_topics_and_an_empty_list_for_none() {
    let (broker, mut client) = start().await;
    client.create("a", 2).await;
    client.create("b", 1).await;
    for version in 1..=13 {
        let all = client.call(version, MetadataRequest::default().with_topics(None)).await;
        assert_eq!((all.topics.len(), all.topics[0].partitions.len()), (2, 2), "version {version}");
        assert_eq!(all.brokers[0].port, i32::from(broker.addr().port()));
        let none = client.call(version, MetadataRequest::default().with_topics(Some(Vec::new()))).await;
        assert!(none.topics.is_empty(), "version {version}");
    }
    let all = client.call(0, MetadataRequest::default().with_topics(Some(Vec::new()))).await;
    assert_eq!(all.topics.len(), 2, "version 0 has no null");
}

#[tokio::test]
async fn topics_come_into_being_only_when_both_sides_allow_it() {
    let (_broker, mut client) = start().await;
    let unknown = ResponseError::UnknownTopicOrPartition.code();
    let reply = client.call(12, named("t").with_allow_auto_topic_creation(false)).await;
    assert_eq!(reply.topics[0].error_code, unknown);
    let reply = client.call(12, named("t")).await;
    assert_eq!((reply.topics[0].error_code, reply.topics[0].partitions.len()), (0, 1));
    let reply = client.call(12, named("no/slash")).await;
    assert_eq!(reply.topics[0].error_code, ResponseError::InvalidTopicException.code());

    let strict = Broker::builder().auto_create_topics(false).start().await.unwrap();
    let reply = Client::connect(&strict).await.call(12, named("t")).await;
    assert_eq!(reply.topics[0].error_code, unknown);
}

#[tokio::test]
async fn metadata_is_found_by_topic_id() {
    let (_broker, mut client) = start().await;
    client.create("t", 1).await;
    let id = client.call(12, named("t")).await.topics[0].topic_id;
    for (asked, error) in [(id, 0), (uuid::Uuid::from_u128(1), ResponseError::UnknownTopicId.code())] {
        let wanted = MetadataRequestTopic::default().with_name(None).with_topic_id(asked);
        let reply = client.call(12, MetadataRequest::default().with_topics(Some(vec![wanted]))).await;
        assert_eq!((reply.topics[0].error_code, reply.topics[0].topic_id), (error, asked));
        assert_eq!(reply.topics[0].name.is_some(), error == 0);
    }
}

#[tokio::test]
async fn creation_is_checked() {
    let (_broker, mut client) = start().await;
    client.create("a.b", 1).await;
    let plain = CreatableTopic::default().with_num_partitions(1).with_replication_factor(1);
    let nonsense = CreatableTopicConfig::default().with_name(text("nonsense")).with_value(Some(text("1")));
    for (wanted, error) in [
        (plain.clone().with_name(topic("a.b")), ResponseError::TopicAlreadyExists),
        (plain.clone().with_name(topic("a_b")), ResponseError::InvalidTopicException),
        (plain.clone().with_name(topic("..")), ResponseError::InvalidTopicException),
        (plain.clone().with_name(topic("x")).with_num_partitions(0), ResponseError::InvalidPartitions),
        (plain.clone().with_name(topic("x")).with_num_partitions(i32::MAX), ResponseError::InvalidPartitions),
        (
            plain.clone().with_name(topic("x")).with_replication_factor(3),
            ResponseError::InvalidReplicationFactor,
        ),
        (plain.clone().with_name(topic("x")).with_configs(vec![nonsense]), ResponseError::InvalidConfig),
    ] {
        let reply = client.call(7, CreateTopicsRequest::default().with_topics(vec![wanted])).await;
        assert_eq!(reply.topics[0].error_code, error.code(), "{:?}", reply.topics[0].error_message);
        assert!(reply.topics[0].error_message.is_some());
    }
    let twice = vec![plain.clone().with_name(topic("x")), plain.clone().with_name(topic("x"))];
    let reply = client.call(7, CreateTopicsRequest::default().with_topics(twice)).await;
    assert!(reply.topics.iter().all(|topic| topic.error_code == ResponseError::InvalidRequest.code()));
    let check = CreateTopicsRequest::default().with_topics(vec![plain.with_name(topic("x"))]);
    let reply = client.call(7, check.with_validate_only(true)).await;
    assert_eq!(reply.topics[0].error_code, 0);
    let all = client.call(12, MetadataRequest::default().with_topics(None)).await;
    assert_eq!(all.topics.len(), 1, "nothing was created");
}

#[tokio::test]
async fn topics_are_deleted_by_name_and_by_id() {
    let (_broker, mut client) = start().await;
    client.create("a", 1).await;
    client.create("b", 1).await;
    let delete = DeleteTopicsRequest::default().with_topic_names(vec![topic("a"), topic("x")]);
    let reply = client.call(5, delete).await;
    assert_eq!(reply.responses[0].error_code, 0);
    assert_eq!(reply.responses[1].error_code, ResponseError::UnknownTopicOrPartition.code());
    let id = client.call(12, named("b")).await.topics[0].topic_id;
    let delete = DeleteTopicsRequest::default()
        .with_topics(vec![DeleteTopicState::default().with_name(None).with_topic_id(id)]);
    let reply = client.call(6, delete.clone()).await;
    assert_eq!((reply.responses[0].error_code, reply.responses[0].name.clone()), (0, Some(topic("b"))));
    let reply = client.call(6, delete).await;
    assert_eq!(reply.responses[0].error_code, ResponseError::UnknownTopicId.code());
    assert!(client.call(12, MetadataRequest::default().with_topics(None)).await.topics.is_empty());
}

#[tokio::test]
async fn configs_are_described_with_type_and_source() {
    let (_broker, mut client) = start().await;
    let config =
        CreatableTopicConfig::default().with_name(text("cleanup.policy")).with_value(Some(text("compact")));
    let wanted = CreatableTopic::default()
        .with_name(topic("t"))
        .with_num_partitions(-1)
        .with_replication_factor(-1)
        .with_configs(vec![config]);
    client.call(7, CreateTopicsRequest::default().with_topics(vec![wanted])).await;
    let resource = |kind, name: &str, keys: Option<&[&str]>| {
        DescribeConfigsResource::default()
            .with_resource_type(kind)
            .with_resource_name(text(name))
            .with_configuration_keys(keys.map(|keys| keys.iter().map(|key| text(key)).collect()))
    };
    let resources = vec![
        resource(2, "t", Some(&["cleanup.policy", "retention.ms"])),
        resource(2, "nosuch", None),
        resource(4, "1", None),
        resource(4, "2", None),
    ];
    let request = DescribeConfigsRequest::default().with_resources(resources).with_include_synonyms(true);
    let reply = client.call(4, request).await;
    let configs = &reply.results[0].configs;
    let told: Vec<_> = configs
        .iter()
        .map(|c| (c.name.to_string(), c.value.clone().unwrap().to_string(), c.config_source, c.config_type))
        .collect();
    assert_eq!(
        told,
        [
            ("cleanup.policy".into(), "compact".into(), 1, 7),
            ("retention.ms".into(), "604800000".into(), 5, 5)
        ]
    );
    assert_eq!(configs[0].synonyms.len(), 2);
    assert_eq!(reply.results[1].error_code, ResponseError::UnknownTopicOrPartition.code());
    assert!(reply.results[2].configs.iter().any(|config| *config.name == *"num.partitions"));
    assert_eq!(reply.results[3].error_code, ResponseError::InvalidRequest.code());
}

#[tokio::test]
async fn the_cluster_is_described() {
    let (broker, mut client) = start().await;
    let reply = client.call(1, DescribeClusterRequest::default()).await;
    assert_eq!(*reply.cluster_id, *broker.cluster_id());
    assert_eq!((*reply.controller_id, reply.brokers.len()), (1, 1));
}
