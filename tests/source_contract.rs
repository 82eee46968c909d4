//! What a source task can rely on: what it gives arrives once and in order, offsets are stored only for
//! what arrived, and a wait of any kind holds up nothing else.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use crossdock::{Engine, EngineBuilder};
use crossdock_broker::{ApiKey, Broker, FaultAction, FaultRule};
use crossdock_client::admin::ConfigResource;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};
use support::kafka::{Kafka, await_failure, state};
use support::source_script::{SourceScript, Step, source_plugin};
use support::until;

async fn start(builder: EngineBuilder, script: &Arc<SourceScript>, config: &[(&str, &str)]) -> Engine {
    let base = [("name", "source"), ("connector.class", "ScriptedSource")];
    let config = base.iter().chain(config).copied();
    builder.plugin(source_plugin(script)).connector(config).start().await.unwrap()
}

async fn await_stored(script: &SourceScript, offset: i64) {
    until(&format!("{offset} is stored"), async || script.stored() == Some(offset)).await;
}

/// Runs a source with these steps until so many records and this offset arrived; all came once and in order.
async fn deliver(steps: &[Step], records: i64) -> (Kafka, Engine, Arc<SourceScript>, tempfile::TempDir) {
    let (kafka, dir) = (Kafka::start().await, tempfile::tempdir().unwrap());
    let script = Arc::new(SourceScript::new(&support::topic("out"), steps.iter().copied()));
    let engine = start(kafka.worker(dir.path()), &script, &[]).await;
    let values = kafka.await_values(&script.topic, records as usize).await;
    assert_eq!(values, script.values(0..records));
    await_stored(&script, records).await;
    (kafka, engine, script, dir)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poll_that_takes_longer_than_the_flush_interval_delivers() {
    let slow = Step::GiveAfter(Duration::from_millis(300), 10);
    let (_kafka, engine, script, _dir) = deliver(&[slow, slow, slow], 30).await;
    // A poll that was started again at each flush would never have come to its end.
    assert_eq!(script.log().steps, 3);
    engine.stop().await;
    assert_eq!(script.log().stops, 1);
}

/// Runs a source whose polls come back at once with nothing on a runtime with a single thread; gives how
/// often it was polled in half a second. The runtime has a thread of its own: if the source kept that, the
/// wait for it would end all the same.
fn polls_of_a_restless_source() -> u64 {
    let (done, wait) = mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (kafka, dir) = (Kafka::start().await, tempfile::tempdir().unwrap());
            let mut script = SourceScript::new(&support::topic("out"), [Step::Give(1)]);
            script.restless = true;
            let script = Arc::new(script);
            let engine = start(kafka.worker(dir.path()), &script, &[]).await;
            await_stored(&script, 1).await;
            let before = script.log().polls;
            tokio::time::sleep(Duration::from_millis(500)).await;
            let polls = script.log().polls - before;
            // It soon gives again what there is.
            script.then(Step::Give(5));
            await_stored(&script, 6).await;
            engine.stop().await;
            assert_eq!(script.log().stops, 1);
            done.send(polls).unwrap();
        });
    });
    let polls = wait.recv_timeout(support::ENGINE_PATIENCE);
    polls.unwrap_or_else(|_| panic!("the source has kept the thread, or the test failed in it"))
}

#[test]
fn a_source_that_has_nothing_leaves_a_single_thread_to_others() {
    polls_of_a_restless_source();
}

#[test]
fn a_source_that_has_nothing_is_asked_less_and_less_often() {
    let polls = polls_of_a_restless_source();
    assert!(polls <= 50, "{polls} polls in half a second");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_offset_moves_on_without_a_record() {
    let (kafka, dir) = (Kafka::start().await, tempfile::tempdir().unwrap());
    let script = Arc::new(SourceScript::new(&support::topic("out"), [Step::Progress(3)]));
    let engine = start(kafka.worker(dir.path()), &script, &[]).await;
    await_stored(&script, 3).await;
    script.then(Step::Give(2));
    await_stored(&script, 5).await;
    script.then(Step::Progress(10));
    await_stored(&script, 15).await;
    engine.stop().await;
    assert_eq!(kafka.read(&script.topic).await, script.values(3..5));
    let engine = start(kafka.worker(dir.path()), &script, &[]).await;
    until("the second start", async || script.log().starts == [0, 15]).await;
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn progress_behind_records_under_way_waits_for_them() {
    let (kafka, dir) = (Kafka::start().await, tempfile::tempdir().unwrap());
    let script = Arc::new(SourceScript::new(&support::topic("out"), []));
    let engine = start(kafka.worker(dir.path()), &script, &[]).await;
    script.then(Step::Give(1));
    await_stored(&script, 1).await;
    let faults = kafka.broker.faults();
    let away = faults.add(FaultRule::new(FaultAction::CloseConnection).api(ApiKey::Produce));
    script.then(Step::Give(1));
    script.then(Step::Progress(10));
    until("all steps are done", async || script.log().steps == 3).await;
    // Many flushes later, nothing of it is stored.
    faults.wait_for_hits(away, faults.hits(away) + 3).await;
    assert_eq!(script.stored(), Some(1));
    faults.clear();
    await_stored(&script, 12).await;
    engine.stop().await;
    assert_eq!(kafka.read(&script.topic).await, script.values(0..2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_without_an_offset_fails_the_task() {
    let (kafka, dir) = (Kafka::start().await, tempfile::tempdir().unwrap());
    let script = Arc::new(SourceScript::new(&support::topic("out"), [Step::Give(5), Step::Unplaced]));
    let engine = start(kafka.worker(dir.path()), &script, &[]).await;
    let trace = await_failure(&engine, "source").await;
    assert!(trace.contains("no source offset") && trace.contains("SourceBatch::record"), "{trace}");
    // What came before it has arrived, and it goes on after that.
    assert_eq!(kafka.await_values(&script.topic, 5).await, script.values(0..5));
    assert_eq!((script.stored(), script.log().stops), (Some(5), 1));
    script.then(Step::Give(5));
    engine.herder().restart_task("source", 0).await.unwrap();
    await_stored(&script, 10).await;
    engine.stop().await;
    assert_eq!(kafka.read(&script.topic).await, script.values(0..10));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poll_that_fails_for_now_after_it_gave_records_loses_and_doubles_none() {
    let steps = [Step::Give(3), Step::GiveAndRetry(4), Step::Give(3)];
    let (kafka, engine, script, _dir) = deliver(&steps, 10).await;
    assert_eq!(state(&engine, "source").await.0, "Running");
    engine.stop().await;
    assert_eq!(kafka.read(&script.topic).await, script.values(0..10));
}

/// A source with 200 records of a kilobyte a poll, and a producer that has memory for a few of them.
async fn start_large(kafka: &Kafka, dir: &tempfile::TempDir, timeout: &str) -> (Engine, Arc<SourceScript>) {
    let mut script = SourceScript::new(&support::topic("out"), [Step::Give(1)]);
    script.width = 1000;
    let script = Arc::new(script);
    let engine = start_again(kafka, dir, timeout, &script).await;
    await_stored(&script, 1).await;
    (engine, script)
}

async fn start_again(
    kafka: &Kafka,
    dir: &tempfile::TempDir,
    timeout: &str,
    script: &Arc<SourceScript>,
) -> Engine {
    let worker = kafka.worker(dir.path()).set("task.shutdown.graceful.timeout.ms", timeout);
    let small = [("producer.override.buffer.memory", "32768"), ("producer.override.batch.size", "8192")];
    start(worker, script, &small).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_in_the_middle_of_a_batch_while_kafka_is_away_loses_nothing_after_a_restart() {
    let (kafka, dir) = (Kafka::start().await, tempfile::tempdir().unwrap());
    let (engine, script) = start_large(&kafka, &dir, "200").await;
    let faults = kafka.broker.faults();
    // The first requests with a part of the batch are taken.
    let away = faults.add(FaultRule::new(FaultAction::CloseConnection).api(ApiKey::Produce).after(2));
    script.then(Step::Give(200));
    faults.wait_for_hits(away, 2).await;
    let began = Instant::now();
    engine.stop().await;
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    faults.clear();
    let sent = kafka.end_offset(&script.topic, 0).await;
    assert!((1..201).contains(&sent), "the stop was not in the middle: {sent}");
    let stored = script.stored().unwrap();
    assert!(stored <= sent, "stored {stored}, but Kafka has {sent}");

    // The batch is polled again as a whole, so what was sent of it comes again, and nothing is missing.
    let engine = start_again(&kafka, &dir, "5000", &script).await;
    until("the second start", async || script.log().starts.len() == 2).await;
    assert_eq!(script.log().starts[1], stored);
    script.then(Step::Give(201 - stored));
    await_stored(&script, 201).await;
    engine.stop().await;
    let values = kafka.read(&script.topic).await;
    assert_eq!(values[..sent as usize], script.values(0..sent));
    assert_eq!(values[sent as usize..], script.values(stored..201));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_in_the_middle_of_a_batch_sends_the_rest() {
    let (kafka, dir) = (Kafka::start().await, tempfile::tempdir().unwrap());
    let (engine, script) = start_large(&kafka, &dir, "20000").await;
    let faults = kafka.broker.faults();
    let slow = FaultAction::Delay(Duration::from_millis(30));
    let slow = faults.add(FaultRule::new(slow).api(ApiKey::Produce));
    script.then(Step::Give(200));
    faults.wait_for_hits(slow, 1).await;
    let sent = kafka.end_offset(&script.topic, 0).await;
    assert!(sent < 201, "the stop would not be in the middle: {sent}");
    engine.stop().await;
    assert_eq!(kafka.read(&script.topic).await, script.values(0..201));
    assert_eq!(script.stored(), Some(201));
    let engine = start_again(&kafka, &dir, "5000", &script).await;
    until("the second start", async || script.log().starts == [0, 201]).await;
    engine.stop().await;
}

const CREATION: [(&str, &str); 3] = [
    ("topic.creation.default.partitions", "3"),
    ("topic.creation.default.replication.factor", "-1"),
    ("topic.creation.default.retention.ms", "1234567"),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_is_created_once_kafka_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let kafka = Kafka::of(Broker::builder().auto_create_topics(false)).await;
    kafka.broker.faults().pause();
    let script = Arc::new(SourceScript::new(&support::topic("out"), [Step::Give(5)]));
    let engine = start(kafka.worker(dir.path()), &script, &CREATION).await;
    until("the first poll", async || script.log().steps == 1).await;
    assert_eq!((state(&engine, "source").await.0.as_str(), script.stored()), ("Running", None));
    kafka.broker.faults().resume();
    await_stored(&script, 5).await;
    assert_eq!(state(&engine, "source").await.0, "Running");
    engine.stop().await;
    let described = kafka.admin.describe_topics(&[&script.topic]).await.unwrap();
    assert_eq!(described[0].1.as_ref().unwrap().partitions.len(), 3);
    let configs = kafka.admin.describe_configs(&[ConfigResource::Topic(script.topic.clone())]).await.unwrap();
    let configs = configs.into_iter().next().unwrap().1.unwrap();
    let retention = configs.iter().find(|config| config.name == "retention.ms").unwrap();
    assert_eq!(retention.value.as_deref(), Some("1234567"));
    assert_eq!(kafka.read(&script.topic).await, script.values(0..5));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_is_created_by_the_group_that_it_is_in() {
    let dir = tempfile::tempdir().unwrap();
    let kafka = Kafka::of(Broker::builder().auto_create_topics(false)).await;
    let script = Arc::new(SourceScript::new(&support::topic("out"), [Step::Give(5)]));
    let group = [
        ("topic.creation.groups", "wide"),
        ("topic.creation.wide.include", "no, out.*"),
        ("topic.creation.wide.partitions", "5"),
    ];
    let engine = start(kafka.worker(dir.path()), &script, &[&CREATION[..], &group[..]].concat()).await;
    await_stored(&script, 5).await;
    engine.stop().await;
    let described = kafka.admin.describe_topics(&[&script.topic]).await.unwrap();
    assert_eq!(described[0].1.as_ref().unwrap().partitions.len(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_while_a_topic_waits_for_kafka_ends_and_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let kafka = Kafka::of(Broker::builder().auto_create_topics(false)).await;
    kafka.broker.faults().pause();
    let script = Arc::new(SourceScript::new(&support::topic("out"), [Step::Give(5)]));
    let worker = kafka.worker(dir.path()).set("task.shutdown.graceful.timeout.ms", "100");
    let engine = start(worker, &script, &CREATION).await;
    until("the first poll", async || script.log().steps == 1).await;
    let began = Instant::now();
    engine.stop().await;
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert_eq!((script.stored(), script.log().stops), (None, 1));
    kafka.broker.faults().resume();
    script.then(Step::Give(5));
    let engine = start(kafka.worker(dir.path()), &script, &CREATION).await;
    await_stored(&script, 5).await;
    engine.stop().await;
    assert_eq!(script.log().starts, [0, 0]);
    assert_eq!(kafka.read(&script.topic).await, script.values(0..5));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_cannot_be_created_fails_the_task() {
    let dir = tempfile::tempdir().unwrap();
    let kafka = Kafka::of(Broker::builder().auto_create_topics(false)).await;
    let script = Arc::new(SourceScript::new(&support::topic("out"), [Step::Give(5)]));
    let mut three_copies = CREATION;
    three_copies[1].1 = "3";
    let engine = start(kafka.worker(dir.path()), &script, &three_copies).await;
    let trace = await_failure(&engine, "source").await;
    assert!(trace.contains(&script.topic) && trace.contains("REPLICATION"), "{trace}");
    assert_eq!(script.stored(), None);
    engine.stop().await;
}
