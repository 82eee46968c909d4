//! Dead letters of sources, and that a dead letter that is refused late is never passed over.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use crossdock::Engine;
use crossdock::api::batch::{Parsed, RawSlice, Serialized};
use crossdock::api::registry::Plugin;
use crossdock::api::{ConnectError, Converter, RecordRef, Schema, ValueRef};
use crossdock_broker::{ApiKey, FaultAction, FaultRule, ResponseError};
use crossdock_client::{Consumer, ConsumerConfig, ConsumerEvent, TopicPartition};
use std::collections::BTreeMap;
use std::sync::Arc;
use support::kafka::{Kafka, await_failure, skipped};
use support::sink_script::{BAD, SinkScript, sink_plugin};
use support::source_script::{SourceScript, Step, source_plugin};
use support::until;

/// A converter of strings that does not take the value `3`.
struct Picky;

impl Converter for Picky {
    fn serialize(
        &self,
        _: RecordRef<'_>,
        _: Option<&Arc<Schema>>,
        value: ValueRef<'_>,
        _: &mut Vec<u8>,
    ) -> Result<Serialized, ConnectError> {
        match value.as_str() {
            Some("3") => Err(ConnectError::bad_record("it does not like 3")),
            _ => Ok(Serialized::Same),
        }
    }

    fn parse(
        &self,
        _: RecordRef<'_>,
        _: Option<RawSlice<'_>>,
    ) -> Result<(Option<Arc<Schema>>, Parsed), ConnectError> {
        Ok((None, Parsed::Str))
    }
}

const PICKY: (&str, &str) = ("value.converter", "test.PickyConverter");
const TOLERANT: (&str, &str) = ("errors.tolerance", "all");
const QUEUE: [(&str, &str); 3] = [
    ("crossdock.errors.deadletterqueue.topic.name", "dead"),
    ("crossdock.errors.deadletterqueue.topic.replication.factor", "1"),
    ("crossdock.errors.deadletterqueue.context.headers.enable", "true"),
];

async fn start(
    kafka: &Kafka,
    dir: &tempfile::TempDir,
    script: &Arc<SourceScript>,
    config: &[(&str, &str)],
) -> Engine {
    let base = [("name", "source"), ("connector.class", "ScriptedSource"), PICKY];
    let picky = Plugin::converter("test.PickyConverter", "test", || Box::new(Picky));
    let builder = kafka.worker(dir.path()).plugin(source_plugin(script)).plugin(picky);
    builder.connector(base.iter().chain(config).copied()).start().await.unwrap()
}

/// The first record of a topic: value, and headers as text.
async fn first(kafka: &Kafka, topic: &str) -> (String, BTreeMap<String, String>) {
    let config = BTreeMap::from([("auto.offset.reset".to_owned(), "earliest".to_owned())]);
    let config = ConsumerConfig::from_map(&config).unwrap();
    let mut consumer = Consumer::start(kafka.cluster.clone(), config);
    consumer.assign(vec![TopicPartition::new(Arc::from(topic), 0)]).unwrap();
    loop {
        let ConsumerEvent::Records(fetched) = consumer.next().await.unwrap() else { continue };
        let record = fetched.records().next().unwrap().unwrap();
        let text = |bytes: Option<&[u8]>| String::from_utf8(bytes.unwrap_or_default().to_vec()).unwrap();
        let headers = record.headers.clone().map(|h| (h.name.clone().into_owned(), text(h.value)));
        return (text(record.value), headers.collect());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_a_source_cannot_send_is_a_dead_letter_before_its_offset_is_stored() {
    let (kafka, dir) = (Kafka::start().await, tempfile::tempdir().unwrap());
    kafka.create_topic("dead", 1).await;
    let faults = kafka.broker.faults();
    let away = FaultRule::new(FaultAction::CloseConnection)
        .api(ApiKey::Produce)
        .client_id("connector-dlq-producer-source-0");
    let away = faults.add(away);
    let script = Arc::new(SourceScript::new("out", [Step::Give(5)]));
    let config: Vec<_> = QUEUE.into_iter().chain([TOLERANT]).collect();
    let engine = start(&kafka, &dir, &script, &config).await;
    assert_eq!(kafka.await_values("out", 4).await, ["0", "1", "2", "4"]);
    faults.wait_for_hits(away, 3).await;
    assert_eq!(script.stored(), None, "stored before the dead letter was safe");
    faults.clear();
    until("the offset is stored", async || script.stored() == Some(5)).await;
    assert_eq!(skipped(&engine, "source"), 1);
    engine.stop().await;
    let (value, headers) = first(&kafka, "dead").await;
    assert_eq!(value, "3");
    assert_eq!(headers["__connect.errors.stage"], "VALUE_CONVERTER");
    assert_eq!(headers["__connect.errors.class.name"], "test.PickyConverter");
    assert_eq!(headers["__connect.errors.exception.message"], "it does not like 3");
    assert_eq!(headers["__connect.errors.connector.name"], "source");
    let place = &headers["__crossdock.errors.source"];
    assert!(place.contains("of=numbers") && place.contains("next=4"), "{place}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_keys_a_source_has_no_dead_letter_queue() {
    let (kafka, dir) = (Kafka::start().await, tempfile::tempdir().unwrap());
    kafka.create_topic("dead", 1).await;
    let script = Arc::new(SourceScript::new("out", [Step::Give(5)]));
    let as_sinks = [TOLERANT, ("errors.deadletterqueue.topic.name", "dead")];
    let engine = start(&kafka, &dir, &script, &as_sinks).await;
    until("the offset is stored", async || script.stored() == Some(5)).await;
    engine.stop().await;
    assert_eq!((kafka.end_offset("out", 0).await, kafka.end_offset("dead", 0).await), (4, 0));
}

/// Kafka refuses the first dead letter, and no other.
async fn refused_once(kafka: &Kafka, client: &str) {
    let refused = FaultAction::ReplyError(ResponseError::TopicAuthorizationFailed);
    kafka.broker.faults().add(FaultRule::new(refused).api(ApiKey::Produce).client_id(client).times(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_stores_nothing_behind_a_dead_letter_that_is_refused() {
    let (kafka, dir) = (Kafka::start().await, tempfile::tempdir().unwrap());
    kafka.create_topic("dead", 1).await;
    refused_once(&kafka, "connector-dlq-producer-source-0").await;
    let script = Arc::new(SourceScript::new("out", [Step::Give(5)]));
    let config: Vec<_> = QUEUE.into_iter().chain([TOLERANT]).collect();
    let engine = start(&kafka, &dir, &script, &config).await;
    let trace = await_failure(&engine, "source").await;
    assert!(trace.contains("dead letter queue dead"), "{trace}");
    assert_eq!(script.stored(), None);
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sink_commits_nothing_behind_a_dead_letter_that_is_refused() {
    let (kafka, dir) = (Kafka::start().await, tempfile::tempdir().unwrap());
    kafka.create_topic("in", 1).await;
    kafka.create_topic("dead", 1).await;
    kafka.write("in", 0, ["a", BAD, "b"]).await;
    refused_once(&kafka, "connector-dlq-producer-sink-0").await;
    let script = Arc::new(SinkScript::default());
    let config = [
        ("name", "sink"),
        ("connector.class", "ScriptedSink"),
        ("topics", "in"),
        TOLERANT,
        ("errors.deadletterqueue.topic.name", "dead"),
        ("errors.deadletterqueue.topic.replication.factor", "1"),
    ];
    let builder = kafka.worker(dir.path()).plugin(sink_plugin(&script)).connector(config);
    let engine = builder.start().await.unwrap();
    let trace = await_failure(&engine, "sink").await;
    assert!(trace.contains("dead letter queue dead"), "{trace}");
    engine.stop().await;
    assert_eq!(kafka.committed("sink", "in", 0).await, None);
}
