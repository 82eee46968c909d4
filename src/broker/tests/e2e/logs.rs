//! Produce, fetch and list offsets.

use crate::client::{
    Client, FETCH_VERSION, PRODUCE_VERSION, batch, batch_of, fetch_request, produce_request, start, text,
    topic, values_of, waiting_fetch,
};
use crossdock_broker::{Broker, ResponseError};
use crossdock_wire::ProducerStamp;
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::{
    CreateTopicsRequest, FetchRequest, MetadataRequest, ProduceRequest, TransactionalId,
};
use std::time::Duration;
use tokio::time::{Instant, timeout};

#[tokio::test]
async fn what_was_produced_is_fetched() {
    let (_broker, mut client) = start().await;
    client.create("t", 1).await;
    assert_eq!(client.produce("t", batch(&["a", "b"])).await.base_offset, 0);
    assert_eq!(client.produce("t", batch(&["c"])).await.base_offset, 2);
    assert_eq!(client.values("t").await, ["a", "b", "c"]);
    let data = client.fetch("t", 2).await;
    assert_eq!((values_of(&data), data.high_watermark, data.last_stable_offset), (vec!["c".into()], 3, 3));
    assert!(values_of(&client.fetch("t", 3).await).is_empty());
    for beyond in [-1, 4] {
        assert_eq!(client.fetch("t", beyond).await.error_code, ResponseError::OffsetOutOfRange.code());
    }
}

#[tokio::test]
async fn topics_are_found_by_id() {
    let (_broker, mut client) = start().await;
    client.create("t", 1).await;
    let id = client.call(12, MetadataRequest::default().with_topics(None)).await.topics[0].topic_id;
    let mut produce = produce_request("", 0, batch(&["a"]), -1);
    produce.topic_data[0].topic_id = id;
    let reply = client.call(13, produce.clone()).await;
    assert_eq!(reply.responses[0].partition_responses[0].error_code, 0);
    let mut fetch = fetch_request("", 0);
    fetch.topics[0].topic_id = id;
    let reply = client.call(13, fetch.clone()).await;
    assert_eq!(reply.responses[0].topic_id, id);
    assert_eq!(values_of(&reply.responses[0].partitions[0]), ["a"]);
    let unknown = ResponseError::UnknownTopicId.code();
    fetch.topics[0].topic_id = uuid::Uuid::from_u128(7);
    assert_eq!(client.call(13, fetch).await.responses[0].partitions[0].error_code, unknown);
    produce.topic_data[0].topic_id = uuid::Uuid::from_u128(7);
    assert_eq!(client.call(13, produce).await.responses[0].partition_responses[0].error_code, unknown);
}

#[tokio::test]
async fn byte_limits_cut_between_batches_but_never_starve() {
    let (_broker, mut client) = start().await;
    client.create("t", 1).await;
    for value in ["a", "b", "c"] {
        client.produce("t", batch(&[value])).await;
    }
    let len = batch(&["a"]).len() as i32;
    let mut request = fetch_request("t", 0);
    for (partition_max, max, expected) in
        [(2 * len, 9 * len, 2), (9 * len, 2 * len + 1, 2), (1, 9 * len, 1), (9 * len, 1, 1), (0, 0, 1)]
    {
        request.topics[0].partitions[0].partition_max_bytes = partition_max;
        request.max_bytes = max;
        let reply = client.call(FETCH_VERSION, request.clone()).await;
        let values = values_of(&reply.responses[0].partitions[0]);
        assert_eq!(values.len(), expected, "limits {partition_max} and {max}");
    }
}

#[tokio::test]
async fn a_fetch_waits_for_data() {
    let (broker, mut client) = start().await;
    client.create("t", 1).await;
    let mut waiting = waiting_fetch(&broker, "t").await;
    client.produce("t", batch(&["a"])).await;
    let reply = waiting.receive::<FetchRequest>(FETCH_VERSION);
    let (_, reply) = timeout(Duration::from_secs(30), reply).await.expect("long before max.wait").unwrap();
    assert_eq!(values_of(&reply.responses[0].partitions[0]), ["a"]);
}

#[tokio::test]
async fn a_fetch_gives_up_after_its_wait() {
    let (_broker, mut client) = start().await;
    client.create("t", 1).await;
    client.produce("t", batch(&["a"])).await;
    let request = fetch_request("t", 0).with_max_wait_ms(50).with_min_bytes(1 << 20);
    let started = Instant::now();
    let reply = client.call(FETCH_VERSION, request).await;
    assert!(started.elapsed() >= Duration::from_millis(50));
    assert_eq!(values_of(&reply.responses[0].partitions[0]), ["a"], "what there is comes all the same");
    // An error is told at once.
    let request = fetch_request("t", 9).with_max_wait_ms(60_000).with_min_bytes(1);
    let reply = client.call(FETCH_VERSION, request).await;
    assert_eq!(reply.responses[0].partitions[0].error_code, ResponseError::OffsetOutOfRange.code());
}

#[tokio::test]
async fn bad_batches_are_refused() {
    let (_broker, mut client) = start().await;
    client.create("t", 1).await;
    let mut flipped = batch(&["abc"]).to_vec();
    *flipped.last_mut().unwrap() ^= 1;
    let huge = "x".repeat(1_048_588);
    for (records, error) in [
        (flipped.into(), ResponseError::CorruptMessage),
        (batch(&[&huge]), ResponseError::MessageTooLarge),
        ([batch(&["a"]), batch(&["b"])].concat().into(), ResponseError::InvalidRecord),
        (bytes::Bytes::new(), ResponseError::InvalidRecord),
    ] {
        let reply = client.produce("t", records).await;
        assert_eq!((reply.error_code, reply.base_offset), (error.code(), -1));
    }
    let reply = client.produce("nosuch", batch(&["a"])).await;
    assert_eq!(reply.error_code, ResponseError::UnknownTopicOrPartition.code());
    let reply = client.call(PRODUCE_VERSION, produce_request("t", 1, batch(&["a"]), -1)).await;
    let unknown = ResponseError::UnknownTopicOrPartition.code();
    assert_eq!(reply.responses[0].partition_responses[0].error_code, unknown);
    let reply = client.call(PRODUCE_VERSION, produce_request("t", 0, batch(&["a"]), 2)).await;
    let acks = ResponseError::InvalidRequiredAcks.code();
    assert_eq!(reply.responses[0].partition_responses[0].error_code, acks);
    let transactional: ProduceRequest =
        produce_request("t", 0, batch(&["a"]), -1).with_transactional_id(Some(TransactionalId(text("tx"))));
    let reply = client.call(PRODUCE_VERSION, transactional).await;
    assert_ne!(reply.responses[0].partition_responses[0].error_code, 0);
    assert!(client.values("t").await.is_empty());
}

#[tokio::test]
async fn acks_0_has_no_reply_and_an_error_closes_the_connection() {
    let (broker, mut client) = start().await;
    client.create("t", 1).await;
    client.send(PRODUCE_VERSION, &produce_request("t", 0, batch(&["a"]), 0)).await.unwrap();
    // The next reply is already that of the fetch.
    assert_eq!(client.values("t").await, ["a"]);
    client.send(PRODUCE_VERSION, &produce_request("t", 9, batch(&["a"]), 0)).await.unwrap();
    assert!(client.rest().await.is_empty());
    assert_eq!(Client::connect(&broker).await.values("t").await, ["a"]);
}

#[tokio::test]
async fn a_retried_batch_is_stored_once() {
    let (_broker, mut client) = start().await;
    client.create("t", 1).await;
    let producer_id = client.producer_id().await;
    let numbered = |value: &str, base_sequence, producer_epoch| {
        batch_of(&[value], 1, ProducerStamp { producer_id, producer_epoch, base_sequence })
    };
    for (value, sequence, epoch, error, offset) in [
        ("a", 0, 0, None, 0),
        ("b", 1, 0, None, 1),
        ("a", 0, 0, None, 0),
        ("b", 1, 0, None, 1),
        ("d", 3, 0, Some(ResponseError::OutOfOrderSequenceNumber), -1),
        ("c", 0, 1, None, 2),
        ("b", 2, 0, Some(ResponseError::InvalidProducerEpoch), -1),
    ] {
        let reply = client.produce("t", numbered(value, sequence, epoch)).await;
        let expected = (error.map_or(0, |e| e.code()), offset);
        assert_eq!((reply.error_code, reply.base_offset), expected, "{value} at {sequence}, epoch {epoch}");
    }
    assert_eq!(client.values("t").await, ["a", "b", "c"]);
    assert_ne!(client.producer_id().await, producer_id);
}

#[tokio::test]
async fn offsets_are_listed() {
    let (_broker, mut client) = start().await;
    client.create("t", 1).await;
    assert_eq!(client.list_offset("t", -1).await, (0, -1));
    assert_eq!(client.list_offset("t", -3).await, (-1, -1));
    for (value, timestamp) in [("a", 10), ("b", 30), ("c", 20)] {
        client.produce("t", batch_of(&[value], timestamp, ProducerStamp::NONE)).await;
    }
    for (asked, expected) in
        [(-1, (3, -1)), (-2, (0, -1)), (-3, (1, 30)), (0, (0, 10)), (11, (1, 30)), (31, (-1, -1))]
    {
        assert_eq!(client.list_offset("t", asked).await, expected, "for {asked}");
    }
}

#[tokio::test]
async fn topic_configs_have_their_effect() {
    let (_broker, mut client) = start().await;
    let config = |name: &str, value: &str| {
        CreatableTopicConfig::default().with_name(text(name)).with_value(Some(text(value)))
    };
    let wanted = |name: &str, config| {
        CreatableTopic::default()
            .with_name(topic(name))
            .with_num_partitions(1)
            .with_replication_factor(-1)
            .with_configs(vec![config])
    };
    let topics = vec![
        wanted("compacted", config("cleanup.policy", "compact")),
        wanted("stamped", config("message.timestamp.type", "LogAppendTime")),
        wanted("small", config("max.message.bytes", "100")),
    ];
    let reply = client.call(7, CreateTopicsRequest::default().with_topics(topics)).await;
    assert!(reply.topics.iter().all(|topic| topic.error_code == 0));
    let mut keyless = crossdock_wire::BatchBuilder::with_capacity(0);
    assert!(keyless.append(1, None, Some(b"v"), std::iter::empty()));
    let keyless = keyless.finish(ProducerStamp::NONE, false);
    assert_eq!(client.produce("compacted", keyless).await.error_code, ResponseError::InvalidRecord.code());
    assert_eq!(client.produce("compacted", batch(&["v"])).await.error_code, 0);
    assert!(client.produce("stamped", batch(&["v"])).await.log_append_time_ms > 1_000);
    assert!(client.list_offset("stamped", -3).await.1 > 1_000);
    let large = "x".repeat(100);
    let reply = client.produce("small", batch(&[&large])).await;
    assert_eq!(reply.error_code, ResponseError::MessageTooLarge.code());
}

#[tokio::test]
async fn many_clients_produce_at_the_same_time() {
    let broker = Broker::builder().start().await.unwrap();
    Client::connect(&broker).await.create("t", 1).await;
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let mut client = Client::connect(&broker).await;
        clients.spawn(async move {
            for _ in 0..50 {
                assert_eq!(client.produce("t", batch(&["v"])).await.error_code, 0);
            }
        });
    }
    while let Some(done) = clients.join_next().await {
        done.unwrap();
    }
    assert_eq!(Client::connect(&broker).await.values("t").await.len(), 400);
}
