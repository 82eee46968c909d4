//! What becomes of records that cannot be handled: the dead letter queue of a real Connect worker, record for
//! record; tries that help in the end; and no commit before a dead letter is safe.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use crossdock::Engine;
use crossdock::api::batch::{Parsed, RawSlice, Serialized};
use crossdock::api::registry::Plugin;
use crossdock::api::{ConnectError, Converter, RecordRef, Schema, ValueRef};
use crossdock::runtime::metrics::Reading;
use crossdock_broker::{ApiKey, FaultAction, FaultRule};
use crossdock_client::producer::LogFailures;
use crossdock_client::{Consumer, ConsumerConfig, ConsumerEvent, Producer, ProducerConfig, TopicPartition};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use support::kafka::{Kafka, await_failure, skipped, state};
use support::sink_script::{BAD, SinkScript, sink_plugin};
use support::until;

type Bytes = Option<Vec<u8>>;

/// A record as it is in a topic.
#[derive(Clone, PartialEq, Eq)]
struct Stored {
    key: Bytes,
    value: Bytes,
    timestamp: i64,
    headers: Vec<(String, Bytes)>,
}

impl std::fmt::Debug for Stored {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = |bytes: &Bytes| bytes.as_ref().map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        writeln!(f, "{:?} = {:?} at {}", text(&self.key), text(&self.value), self.timestamp)?;
        self.headers.iter().try_for_each(|(name, value)| writeln!(f, "    {name}: {:?}", text(value)))
    }
}

impl Stored {
    fn header(&self, name: &str) -> String {
        let found = self.headers.iter().rfind(|(key, _)| key == name).unwrap();
        String::from_utf8(found.1.clone().unwrap()).unwrap()
    }
}

fn stored(number: i64, key: Option<&[u8]>, value: Option<&[u8]>, headers: &[(&str, &[u8])]) -> Stored {
    let owned = |bytes: Option<&[u8]>| bytes.map(<[u8]>::to_vec);
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), Some(value.to_vec())));
    Stored {
        key: owned(key),
        value: owned(value),
        timestamp: 1_700_000_000_000 + number,
        headers: headers.collect(),
    }
}

/// The records that the worker was recorded with.
fn recorded_input() -> Vec<Stored> {
    vec![
        stored(0, Some(b"k0"), Some(b"{\"ok\":1}"), &[("h1", b"v1"), ("hb", b"\x00\xff")]),
        stored(
            1,
            Some(b"k1"),
            Some(b"not json"),
            &[("h1", b"v1"), ("__connect.errors.topic", b"already here")],
        ),
        stored(2, None, Some(b"\xff\xfe"), &[]),
        stored(3, Some(b"tomb"), None, &[]),
        stored(4, Some(b"{bad"), Some(b"{\"a\":"), &[]),
        stored(5, Some(b"k5"), Some(b"[1,2]"), &[]),
    ]
}

async fn write(kafka: &Kafka, topic: &str, records: &[Stored]) {
    let producer = Producer::start(kafka.cluster.clone(), ProducerConfig::default(), Arc::new(LogFailures));
    let to = producer.topic(topic);
    producer.wait_for_metadata(&to).await.unwrap();
    for record in records {
        let headers: Vec<_> =
            record.headers.iter().map(|(name, value)| (name.as_str(), value.as_deref())).collect();
        let (key, value) = (record.key.as_deref(), record.value.as_deref());
        let mut appender = producer.appender();
        appender.append(&to, Some(0), record.timestamp, key, value, headers.into_iter(), 0).unwrap();
    }
    producer.flush().await;
    producer.close(Duration::from_secs(5)).await;
}

/// All records of a topic's only partition.
async fn read(kafka: &Kafka, topic: &str) -> Vec<Stored> {
    let end = kafka.end_offset(topic, 0).await;
    let config = BTreeMap::from([("auto.offset.reset".to_owned(), "earliest".to_owned())]);
    let mut consumer = Consumer::start(kafka.cluster.clone(), ConsumerConfig::from_map(&config).unwrap());
    consumer.assign(vec![TopicPartition::new(Arc::from(topic), 0)]).unwrap();
    let mut records = Vec::new();
    let owned = |bytes: Option<&[u8]>| bytes.map(<[u8]>::to_vec);
    while (records.len() as i64) < end {
        let ConsumerEvent::Records(fetched) = consumer.next().await.unwrap() else { continue };
        for record in fetched.records() {
            let record = record.unwrap();
            let headers = record.headers.map(|h| (h.name.into_owned(), owned(h.value)));
            records.push(Stored {
                key: owned(record.key),
                value: owned(record.value),
                timestamp: record.timestamp,
                headers: headers.collect(),
            });
        }
    }
    records
}

async fn topics(kafka: &Kafka) -> Vec<String> {
    kafka.admin.list_topics().await.unwrap().into_iter().map(|topic| topic.name.to_string()).collect()
}

/// Bytes as the recording has them: text, or base64 of what is none.
fn recorded_bytes(json: &Json) -> Bytes {
    let text = json.as_str()?;
    Some(match text {
        "base64://4=" => vec![0xff, 0xfe],
        "base64:AP8=" => vec![0x00, 0xff],
        text => text.as_bytes().to_vec(),
    })
}

/// A stack trace without its frames, and without the causes: these are in the words of Java's JSON parser.
fn head_of_trace(name: &str, value: Bytes) -> Bytes {
    match value {
        Some(trace) if name.ends_with(".stacktrace") => {
            let text = String::from_utf8(trace).unwrap();
            Some(text.lines().next().unwrap_or_default().as_bytes().to_vec())
        }
        value => value,
    }
}

/// Connect's message about bad JSON ends with a colon, and its cause says more; ours goes on there, and says where the
/// mistake is.
fn cut_own_words(found: &mut Stored, expected: &Stored) {
    for ((_, found), (_, expected)) in found.headers.iter_mut().zip(&expected.headers) {
        if let (Some(found), Some(expected)) = (found, expected)
            && found.starts_with(expected)
            && (expected.ends_with(b"error: ") || found[expected.len()..].starts_with(b" (at $"))
        {
            found.truncate(expected.len());
        }
    }
}

fn recorded_record(json: &Json) -> Stored {
    let header = |pair: &Json| {
        let name = pair[0].as_str().unwrap().to_owned();
        let value = head_of_trace(&name, recorded_bytes(&pair[1]));
        (name, value)
    };
    Stored {
        key: recorded_bytes(&json["key"]),
        value: recorded_bytes(&json["value"]),
        timestamp: json["timestamp"].as_i64().unwrap(),
        headers: json["headers"].as_array().unwrap().iter().map(header).collect(),
    }
}

/// Runs a recorded configuration and compares the queue, the sink's file, and how the task ended.
async fn replay(kafka: &Kafka, name: &str, case: &Json) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("sink.txt");
    let own = case["config"].as_object().unwrap().iter();
    let own = own.map(|(key, value)| (key.as_str(), value.as_str().unwrap()));
    let path = file.display().to_string();
    let config = own.filter(|(key, _)| *key != "file").chain([("name", name), ("file", &*path)]);
    let worker = kafka.worker(dir.path()).set("crossdock.compatibility", "strict");
    let engine = worker.connector(config).start().await.unwrap();
    let failed = case["status"]["tasks"][0]["state"] == "FAILED";
    let trace = match failed {
        true => await_failure(&engine, name).await,
        false => {
            kafka.await_committed(name, "dlq-in", 0, 6).await;
            String::new()
        }
    };
    assert_eq!(state(&engine, name).await.0, if failed { "Failed" } else { "Running" }, "{name}");
    engine.stop().await;
    // Of a task that fails, Connect puts nothing that it polled with the bad record; here what is before it is put.
    if let Some(expected) = case["sink_file"].as_str().filter(|_| !failed) {
        assert_eq!(std::fs::read_to_string(&file).unwrap_or_default(), expected, "{name}: the sink's file");
    }
    let Some(partitions) = case["dlq_topic_config"]["partitions"].as_u64() else {
        if failed {
            let recorded = case["status"]["tasks"][0]["trace"].as_str().unwrap();
            let message = recorded.lines().next().unwrap().split_once(": ").unwrap().1;
            assert!(trace.contains(message), "{name}: {trace}");
        }
        return;
    };
    let topic = case["dlq_topic"].as_str().unwrap();
    let described = kafka.admin.describe_topics(&[topic]).await.unwrap();
    assert_eq!(described[0].1.as_ref().unwrap().partitions.len() as u64, partitions, "{name}");
    let records = case["dlq_records"].as_array().unwrap();
    let expected: Vec<Stored> = records.iter().map(recorded_record).collect();
    let mut found = read(kafka, topic).await;
    for (name, value) in found.iter_mut().flat_map(|record| &mut record.headers) {
        *value = head_of_trace(name, value.take());
    }
    for (found, expected) in found.iter_mut().zip(&expected) {
        cut_own_words(found, expected);
        assert_eq!(found, expected, "{name}: a dead letter");
    }
    assert_eq!(found.len(), expected.len(), "{name}: dead letters");
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_are_those_of_a_recorded_worker() {
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/protocol-tests/golden/internal_topics/dlq.json");
    let golden: Json = serde_json::from_slice(&std::fs::read(golden).unwrap()).unwrap();
    let cases = golden["cases"].as_object().unwrap();
    assert_eq!(cases.len(), 10);
    let kafka = Kafka::start().await;
    kafka.create_topic("dlq-in", 1).await;
    write(&kafka, "dlq-in", &recorded_input()).await;
    for (name, case) in cases {
        replay(&kafka, name, case).await;
    }
    assert!(!topics(&kafka).await.contains(&"dlq-7".to_owned()), "a topic that cannot be made is there");
}

/// A broker with a topic, and an engine whose sink follows the script.
async fn start(
    kafka: &Kafka,
    dir: &tempfile::TempDir,
    script: &Arc<SinkScript>,
    plugin: Option<Plugin>,
    config: &[(&str, &str)],
) -> Engine {
    let base = [("name", "sink"), ("connector.class", "ScriptedSink"), ("topics", "in")];
    let builder = kafka.worker(dir.path()).plugin(sink_plugin(script));
    let builder = match plugin {
        Some(plugin) => builder.plugin(plugin),
        None => builder,
    };
    builder.connector(base.iter().chain(config).copied()).start().await.unwrap()
}

async fn scene(values: &[&str]) -> (Kafka, tempfile::TempDir) {
    let kafka = Kafka::start().await;
    kafka.create_topic("in", 1).await;
    kafka.write("in", 0, values).await;
    (kafka, tempfile::tempdir().unwrap())
}

/// What was counted of failed records, of all tasks: failures, errors, skipped, retries, logged, and requests to the
/// dead letter queue.
async fn counted(engine: &Engine) -> [f64; 6] {
    let groups = engine.herder().metrics().await;
    let errors = groups.iter().filter(|group| group.kind == "task-error-metrics");
    let attributes: Vec<_> = errors.flat_map(|group| &group.attributes).collect();
    let of = |name: &str| {
        let found = attributes.iter().filter(|(attribute, _)| *attribute == name);
        found.map(|(_, reading)| if let Reading::Number(number) = reading { *number } else { f64::NAN }).sum()
    };
    [
        of("total-record-failures"),
        of("total-record-errors"),
        of("total-records-skipped"),
        of("total-retries"),
        of("total-errors-logged"),
        of("deadletterqueue-produce-requests"),
    ]
}

const QUEUE: [(&str, &str); 4] = [
    ("errors.tolerance", "all"),
    ("errors.deadletterqueue.topic.name", "dead"),
    ("errors.deadletterqueue.topic.replication.factor", "1"),
    ("errors.deadletterqueue.context.headers.enable", "true"),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_the_sink_reports_is_a_dead_letter_before_its_offset_is_committed() {
    let (kafka, dir) = scene(&["a", BAD, "b", BAD]).await;
    kafka.create_topic("dead", 1).await;
    let faults = kafka.broker.faults();
    let away = FaultRule::new(FaultAction::CloseConnection)
        .api(ApiKey::Produce)
        .client_id("connector-dlq-producer-sink-0");
    let away = faults.add(away);
    let script = Arc::new(SinkScript::default());
    let engine = start(&kafka, &dir, &script, None, &QUEUE).await;
    until("the put", async || script.count() == 2).await;
    faults.wait_for_hits(away, 3).await;
    assert_eq!(kafka.committed("sink", "in", 0).await, None, "committed before the dead letter was safe");
    faults.clear();
    kafka.await_committed("sink", "in", 0, 4).await;
    assert_eq!((script.values(), skipped(&engine, "sink")), (vec!["a".into(), "b".into()], 2));
    // As Connect counts what tasks report.
    assert_eq!(counted(&engine).await, [2.0, 0.0, 0.0, 0.0, 0.0, 2.0]);
    engine.stop().await;
    let dead = read(&kafka, "dead").await;
    let offsets: Vec<String> = dead.iter().map(|record| record.header("__connect.errors.offset")).collect();
    assert_eq!(offsets, ["1", "3"]);
    assert_eq!(dead[0].value.as_deref(), Some(BAD.as_bytes()));
    assert_eq!(dead[0].header("__connect.errors.stage"), "TASK_PUT");
    assert_eq!(dead[0].header("__connect.errors.class.name"), "org.apache.kafka.connect.sink.SinkTask");
    assert_eq!(dead[0].header("__connect.errors.exception.message"), "the sink found it bad");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_that_kafka_does_not_take_fails_the_task_and_commits_nothing_of_it() {
    let (kafka, dir) = scene(&["a", BAD, "b"]).await;
    kafka.create_topic("dead", 1).await;
    let script = Arc::new(SinkScript::default());
    let small = [("producer.override.max.request.size", "10")];
    let config: Vec<_> = QUEUE.iter().chain(&small).copied().collect();
    let engine = start(&kafka, &dir, &script, None, &config).await;
    let trace = await_failure(&engine, "sink").await;
    assert!(trace.contains("dead letter queue dead"), "{trace}");
    engine.stop().await;
    assert!(kafka.committed("sink", "in", 0).await.is_none_or(|offset| offset <= 1));
}

/// A converter of strings to which the value `flaky` cannot be converted for now, so many times.
struct Flaky {
    left: Arc<AtomicU32>,
}

impl Converter for Flaky {
    fn serialize(
        &self,
        _: RecordRef<'_>,
        _: Option<&Arc<Schema>>,
        _: ValueRef<'_>,
        _: &mut Vec<u8>,
    ) -> Result<Serialized, ConnectError> {
        Ok(Serialized::Same)
    }

    fn parse(
        &self,
        _: RecordRef<'_>,
        raw: Option<RawSlice<'_>>,
    ) -> Result<(Option<Arc<Schema>>, Parsed), ConnectError> {
        let flaky = raw.is_some_and(|raw| raw.as_bytes() == b"flaky");
        let fails = |left: u32| left.checked_sub(1);
        if flaky && self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fails).is_ok() {
            return Err(ConnectError::retriable("the registry is away"));
        }
        Ok((Some(Arc::clone(Schema::optional_string())), Parsed::Str))
    }
}

fn flaky(times: u32) -> (Plugin, Arc<AtomicU32>) {
    let left = Arc::new(AtomicU32::new(times));
    let shared = Arc::clone(&left);
    let make = move || Box::new(Flaky { left: Arc::clone(&shared) }) as Box<dyn Converter>;
    (Plugin::converter("test.FlakyConverter", "test", make), left)
}

const FLAKY: (&str, &str) = ("value.converter", "test.FlakyConverter");

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_for_now_is_tried_again_and_keeps_its_place() {
    let (kafka, dir) = scene(&["a", "flaky", "b"]).await;
    let script = Arc::new(SinkScript::default());
    let (plugin, left) = flaky(2);
    let engine =
        start(&kafka, &dir, &script, Some(plugin), &[FLAKY, ("errors.retry.timeout", "60000")]).await;
    kafka.await_committed("sink", "in", 0, 3).await;
    assert_eq!((script.values().join(","), left.load(Ordering::Relaxed)), ("a,flaky,b".to_owned(), 0));
    assert_eq!(skipped(&engine, "sink"), 0);
    assert_eq!(counted(&engine).await, [2.0, 0.0, 0.0, 2.0, 0.0, 0.0]);
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_for_now_is_not_lost_when_it_is_given_up() {
    for (compatibility, lost) in [("safe", false), ("strict", true)] {
        let (kafka, dir) = scene(&["a", "flaky", "b"]).await;
        let script = Arc::new(SinkScript::default());
        let (plugin, _) = flaky(u32::MAX);
        let base = [("name", "sink"), ("connector.class", "ScriptedSink"), ("topics", "in"), FLAKY];
        let builder = kafka.worker(dir.path()).set("crossdock.compatibility", compatibility);
        let builder = builder.plugin(sink_plugin(&script)).plugin(plugin).connector(base);
        let engine = builder.start().await.unwrap();
        if lost {
            kafka.await_committed("sink", "in", 0, 3).await;
            assert_eq!((script.values().join(","), skipped(&engine, "sink")), ("a,b".to_owned(), 1));
            assert_eq!(counted(&engine).await, [1.0, 1.0, 1.0, 0.0, 0.0, 0.0]);
        } else {
            let trace = await_failure(&engine, "sink").await;
            assert!(trace.contains("the registry is away"), "{trace}");
            assert_eq!(counted(&engine).await, [1.0, 1.0, 0.0, 0.0, 0.0, 0.0]);
            assert_eq!(kafka.committed("sink", "in", 0).await, Some(1));
        }
        engine.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_does_not_wait_for_tries_without_end() {
    let (kafka, dir) = scene(&["a", "flaky", "b"]).await;
    let script = Arc::new(SinkScript::default());
    let (plugin, left) = flaky(u32::MAX);
    let engine = start(&kafka, &dir, &script, Some(plugin), &[FLAKY, ("errors.retry.timeout", "-1")]).await;
    until("tries", async || left.load(Ordering::Relaxed) < u32::MAX - 1).await;
    let began = Instant::now();
    engine.stop().await;
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    assert_eq!(kafka.committed("sink", "in", 0).await, None);
    // What was fetched with it comes again.
    let (plugin, _) = flaky(0);
    let engine = start(&kafka, &dir, &script, Some(plugin), &[FLAKY]).await;
    kafka.await_committed("sink", "in", 0, 3).await;
    assert_eq!(script.values().join(","), "a,flaky,b");
    engine.stop().await;
}
