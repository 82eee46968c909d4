//! The engine with plugins that misbehave on demand: what each failure does to its own task, and that
//! it does nothing to the others.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use crossdock::Engine;
use crossdock::api::registry::Plugin;
use crossdock::api::source::Connector;
use crossdock::api::{
    ConfigDef, ConfigMap, ConnectError, ConnectorContext, Map, OffsetMap, Schema, SinkBatch, SinkConnector,
    SinkTask, SinkTaskContext, SourceBatch, SourceConnector, SourceOffset, SourceTask, SourceTaskContext,
    TopicPartition, Value, async_trait,
};
use crossdock_broker::{ApiKey, FaultAction, FaultRule};
use crossdock_client::Admin;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;
use support::kafka::{Kafka, await_failure, end_offset, state};
use support::until;

/// What a scripted task does next; afterwards it behaves well.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Act {
    Fail,
    Panic,
    Retry,
}

#[derive(Default)]
struct Shared {
    acts: Mutex<VecDeque<Act>>,
    put: Mutex<Vec<String>>,
    /// One past the last record that was put.
    next: AtomicI64,
    committed: Mutex<Vec<i64>>,
    /// Commits of what was not put, or not in Kafka.
    early: Mutex<Vec<String>>,
    events: Mutex<Vec<String>>,
    kafka: OnceLock<Admin>,
}

impl Shared {
    fn act(&self) -> Option<Act> {
        self.acts.lock().unwrap().pop_front()
    }

    /// Notes a commit; nothing from `done` on may be in it.
    fn commit(&self, offset: i64, done: i64) {
        if offset > done {
            self.early.lock().unwrap().push(format!("{offset} was committed when only {done} were done"));
        }
        self.committed.lock().unwrap().push(offset);
    }

    fn note(&self, event: impl Into<String>) {
        self.events.lock().unwrap().push(event.into());
    }
}

fn perform(act: Option<Act>) -> Result<(), ConnectError> {
    match act {
        None => Ok(()),
        Some(Act::Fail) => Err(ConnectError::fatal("told to fail")),
        Some(Act::Panic) => panic!("told to panic"),
        Some(Act::Retry) => Err(ConnectError::retriable("told to retry")),
    }
}

/// A connector of either kind whose tasks follow a script.
struct Scripted(Arc<Shared>);

#[async_trait]
impl Connector for Scripted {
    fn version(&self) -> &str {
        "test"
    }

    fn config_def(&self) -> ConfigDef {
        ConfigDef::new()
    }

    async fn start(&mut self, _: ConnectorContext, config: &ConfigMap) -> Result<(), ConnectError> {
        match config.get("connector.act").map(String::as_str) {
            Some("fail") => Err(ConnectError::fatal("told to fail at the start")),
            Some("panic") => panic!("told to panic at the start"),
            _ => Ok(()),
        }
    }

    async fn task_configs(&mut self, _: usize) -> Result<Vec<ConfigMap>, ConnectError> {
        Ok(vec![ConfigMap::new()])
    }

    async fn stop(&mut self) -> Result<(), ConnectError> {
        self.0.note("connector stopped");
        Ok(())
    }
}

impl SourceConnector for Scripted {
    fn task(&self) -> Box<dyn SourceTask> {
        Box::new(Numbers { shared: Arc::clone(&self.0), next: 0, partition: Map::new() })
    }
}

impl SinkConnector for Scripted {
    fn task(&self) -> Box<dyn SinkTask> {
        Box::new(Collector { shared: Arc::clone(&self.0) })
    }
}

/// Gives ten numbers a poll to topic `numbers`, going on at its stored offset.
struct Numbers {
    shared: Arc<Shared>,
    next: i64,
    partition: Map,
}

#[async_trait]
impl SourceTask for Numbers {
    async fn start(&mut self, context: SourceTaskContext, _: &ConfigMap) -> Result<(), ConnectError> {
        self.partition = [("of", Value::string("numbers"))].into_iter().collect();
        if let Some(Value::Int64(next)) =
            context.offset(&self.partition).await?.and_then(|o| o.get("next").cloned())
        {
            self.next = next;
        }
        self.shared.note(format!("source starts at {}", self.next));
        Ok(())
    }

    async fn poll(&mut self, batch: &mut SourceBatch) -> Result<(), ConnectError> {
        tokio::time::sleep(Duration::from_millis(5)).await;
        perform(self.shared.act())?;
        let topic = batch.topic("numbers");
        let partition = batch.partition(&self.partition);
        let field = batch.offset_field("next");
        for _ in 0..10 {
            let offset = SourceOffset::Long { field, value: self.next + 1 };
            let text = self.next.to_string();
            batch.record(topic, partition, offset).value(Some(Schema::string()), text.as_str()).finish()?;
            self.next += 1;
        }
        Ok(())
    }

    async fn commit(&mut self, committed: &[(Map, Map)]) -> Result<(), ConnectError> {
        let in_kafka = end_offset(self.shared.kafka.get().unwrap(), "numbers", 0).await;
        for (_, offset) in committed {
            if let Some(Value::Int64(next)) = offset.get("next") {
                self.shared.commit(*next, in_kafka);
            }
        }
        Ok(())
    }

    async fn stop(&mut self) -> Result<(), ConnectError> {
        self.shared.note("source stopped");
        Ok(())
    }
}

/// Collects what it is given, and notes what it is asked to make safe.
struct Collector {
    shared: Arc<Shared>,
}

#[async_trait]
impl SinkTask for Collector {
    async fn start(&mut self, _: SinkTaskContext, _: &ConfigMap) -> Result<(), ConnectError> {
        Ok(())
    }

    async fn open(&mut self, partitions: &[TopicPartition]) -> Result<(), ConnectError> {
        self.shared.note(format!("open {}", partitions.len()));
        Ok(())
    }

    async fn put(&mut self, batch: SinkBatch) -> Result<(), ConnectError> {
        if batch.is_empty() {
            return Ok(());
        }
        perform(self.shared.act())?;
        let values = batch.iter().map(|r| r.value().as_str().unwrap_or_default().to_owned());
        self.shared.put.lock().unwrap().extend(values);
        let next = batch.iter().last().map_or(0, |record| record.offset() + 1);
        self.shared.next.fetch_max(next, Ordering::Relaxed);
        Ok(())
    }

    async fn pre_commit(&mut self, offsets: OffsetMap) -> Result<OffsetMap, ConnectError> {
        let next = self.shared.next.load(Ordering::Relaxed);
        offsets.values().for_each(|offset| self.shared.commit(*offset, next));
        Ok(offsets)
    }

    async fn close(&mut self, _: &[TopicPartition]) -> Result<(), ConnectError> {
        self.shared.note("close");
        Ok(())
    }

    async fn stop(&mut self) -> Result<(), ConnectError> {
        self.shared.note("sink stopped");
        Ok(())
    }
}

struct Scene {
    kafka: Kafka,
    engine: Engine,
    source: Arc<Shared>,
    sink: Arc<Shared>,
    _dir: tempfile::TempDir,
}

impl Scene {
    async fn start(extra: &[[(&str, &str); 3]]) -> Self {
        let (kafka, dir) = (Kafka::start().await, tempfile::tempdir().unwrap());
        let (source, sink) = (Arc::new(Shared::default()), Arc::new(Shared::default()));
        assert!(source.kafka.set(kafka.admin.clone()).is_ok());
        let (for_source, for_sink) = (Arc::clone(&source), Arc::clone(&sink));
        let mut builder = kafka
            .worker(dir.path())
            .plugin(Plugin::source("test.NumbersConnector", "test", move || {
                Box::new(Scripted(Arc::clone(&for_source)))
            }))
            .plugin(Plugin::sink("test.CollectorConnector", "test", move || {
                Box::new(Scripted(Arc::clone(&for_sink)))
            }))
            .connector([("name", "source"), ("connector.class", "Numbers")])
            .connector([("name", "sink"), ("connector.class", "Collector"), ("topics", "numbers")]);
        for config in extra {
            builder = builder.connector(config.iter().copied());
        }
        let engine = builder.start().await.unwrap();
        Self { kafka, engine, source, sink, _dir: dir }
    }

    async fn state(&self, connector: &str) -> (String, String) {
        state(&self.engine, connector).await
    }

    async fn await_failure(&self, connector: &str) -> String {
        await_failure(&self.engine, connector).await
    }

    /// Waits until the sink has `more` numbers than now.
    async fn await_more(&self, more: usize) {
        let before = self.sink.put.lock().unwrap().len();
        until("more numbers in the sink", async || self.sink.put.lock().unwrap().len() >= before + more)
            .await;
    }

    fn act(&self, shared: &Shared, act: Act) {
        shared.acts.lock().unwrap().push_back(act);
    }

    /// Stops everything; every number below the last arrived, in order, and each just once if so told.
    async fn finish(self, exactly_once: bool) {
        self.engine.stop().await;
        self.kafka.broker.shutdown().await;
        let put: Vec<i64> = self.sink.put.lock().unwrap().iter().map(|n| n.parse().unwrap()).collect();
        let mut distinct = put.clone();
        distinct.sort_unstable();
        distinct.dedup();
        let expected: Vec<i64> = (0..distinct.len() as i64).collect();
        assert_eq!(distinct, expected, "a number is missing");
        if exactly_once {
            assert_eq!(put, expected, "a number came twice or out of order");
        }
        for shared in [&self.source, &self.sink] {
            assert_eq!(*shared.early.lock().unwrap(), Vec::<String>::new());
            assert!(!shared.committed.lock().unwrap().is_empty());
            assert!(shared.events.lock().unwrap().iter().any(|e| e == "connector stopped"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn healthy_tasks_deliver_each_number_once_and_commit_it() {
    let scene = Scene::start(&[]).await;
    scene.await_more(200).await;
    until("commits", async || !scene.sink.committed.lock().unwrap().is_empty()).await;
    until("stored offsets", async || !scene.source.committed.lock().unwrap().is_empty()).await;
    scene.finish(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_fails_or_panics_fails_alone_and_restarts_where_it_was() {
    for (act, part) in [(Act::Fail, "told to fail"), (Act::Panic, "panicked: told to panic")] {
        let scene = Scene::start(&[]).await;
        scene.await_more(50).await;
        scene.act(&scene.source, act);
        let trace = scene.await_failure("source").await;
        assert!(trace.contains(part), "{trace}");
        assert_eq!(scene.state("sink").await.0, "Running");
        scene.engine.herder().restart_task("source", 0).await.unwrap();
        scene.await_more(50).await;
        // A panic takes the unstored acknowledgements with it, so some may come again.
        scene.finish(act == Act::Fail).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_cannot_poll_for_now_goes_on() {
    let scene = Scene::start(&[]).await;
    scene.act(&scene.source, Act::Retry);
    scene.await_more(50).await;
    assert_eq!(scene.state("source").await.0, "Running");
    scene.finish(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_put_that_fails_for_now_is_made_again_with_the_same_records() {
    let scene = Scene::start(&[]).await;
    for _ in 0..4 {
        scene.act(&scene.sink, Act::Retry);
    }
    scene.await_more(100).await;
    assert_eq!(scene.state("sink").await.0, "Running");
    scene.finish(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sink_that_fails_or_panics_loses_nothing_after_a_restart() {
    for (act, part) in [(Act::Fail, "told to fail"), (Act::Panic, "panicked: told to panic")] {
        let scene = Scene::start(&[]).await;
        scene.await_more(50).await;
        scene.act(&scene.sink, act);
        let trace = scene.await_failure("sink").await;
        assert!(trace.contains(part), "{trace}");
        assert_eq!(scene.state("source").await.0, "Running");
        scene.engine.herder().restart_task("sink", 0).await.unwrap();
        scene.await_more(50).await;
        scene.finish(act == Act::Fail).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connector_that_cannot_start_shows_it_and_the_others_run() {
    let scene = Scene::start(&[
        [("name", "failing"), ("connector.class", "Numbers"), ("connector.act", "fail")],
        [("name", "panicking"), ("connector.class", "Numbers"), ("connector.act", "panic")],
    ])
    .await;
    for (connector, part) in
        [("failing", "told to fail at the start"), ("panicking", "told to panic at the start")]
    {
        let trace = scene.await_failure(connector).await;
        assert!(trace.contains(part), "{trace}");
    }
    scene.await_more(50).await;
    scene.finish(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_replies_and_cut_connections_double_nothing() {
    let scene = Scene::start(&[]).await;
    scene.await_more(50).await;
    let faults = scene.kafka.broker.faults();
    // The records are written and the answer is lost: idempotence must not write them again.
    let lost = faults.add(FaultRule::new(FaultAction::CloseAfterProcessing).api(ApiKey::Produce).times(3));
    faults.wait_for_hits(lost, 3).await;
    let cut = faults.add(FaultRule::new(FaultAction::CloseAfterBytes(20)).api(ApiKey::Fetch).times(3));
    faults.wait_for_hits(cut, 3).await;
    let refused = faults.add(FaultRule::new(FaultAction::CloseConnection).api(ApiKey::OffsetCommit).times(2));
    faults.wait_for_hits(refused, 2).await;
    scene.await_more(100).await;
    scene.finish(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_stored_while_kafka_does_not_acknowledge() {
    let scene = Scene::start(&[]).await;
    scene.await_more(50).await;
    let faults = scene.kafka.broker.faults();
    let silent = faults.add(FaultRule::new(FaultAction::CloseConnection).api(ApiKey::Produce));
    faults.wait_for_hits(silent, 3).await;
    let stored = scene.source.committed.lock().unwrap().last().copied();
    let hits = faults.hits(silent);
    // Several flush intervals later, nothing has moved, and the task is still at it.
    faults.wait_for_hits(silent, hits + 5).await;
    let in_sink = scene.sink.put.lock().unwrap().len() as i64;
    assert!(stored.unwrap_or(0) <= in_sink);
    assert!(scene.source.committed.lock().unwrap().last().copied() <= Some(in_sink));
    assert_eq!(scene.state("source").await.0, "Running");
    faults.clear();
    scene.await_more(100).await;
    scene.finish(true).await;
}
