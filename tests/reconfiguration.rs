//! Restarts and other task configs: what is restarted, and what is left alone.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use crossdock::Engine;
use crossdock::api::registry::Plugin;
use crossdock::api::source::Connector;
use crossdock::api::{
    ConfigDef, ConfigMap, ConnectError, ConnectorContext, SourceBatch, SourceConnector, SourceTask,
    SourceTaskContext, async_trait,
};
use crossdock::runtime::herder::RestartRequest;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use support::kafka::Kafka;
use support::until;

/// The tables that a connector finds, one for each task, and what happened.
#[derive(Default)]
struct Tables {
    now: Mutex<Vec<&'static str>>,
    context: Mutex<Option<ConnectorContext>>,
    events: Mutex<Vec<String>>,
    /// The table whose task fails at its next poll.
    failing: Mutex<Option<String>>,
}

impl Tables {
    fn note(&self, event: String) {
        self.events.lock().unwrap().push(event);
    }

    /// What happened since this was asked last; of tasks that are stopped or started together, in the
    /// order of their names.
    fn take_events(&self) -> Vec<String> {
        let mut events = std::mem::take(&mut *self.events.lock().unwrap());
        events.retain(|event| event != "asked");
        let kind = |event: &String| event.split(' ').next().unwrap_or_default().to_owned();
        events.chunk_by_mut(|a, b| kind(a) == kind(b)).for_each(<[String]>::sort);
        events
    }

    fn request(&self, tables: &[&'static str]) {
        *self.now.lock().unwrap() = tables.to_vec();
        self.context.lock().unwrap().as_ref().unwrap().request_task_reconfiguration();
    }
}

struct TableConnector(Arc<Tables>);

#[async_trait]
impl Connector for TableConnector {
    fn version(&self) -> &str {
        "test"
    }

    fn config_def(&self) -> ConfigDef {
        ConfigDef::new()
    }

    async fn start(&mut self, context: ConnectorContext, _: &ConfigMap) -> Result<(), ConnectError> {
        *self.0.context.lock().unwrap() = Some(context);
        self.0.note("connector".to_owned());
        Ok(())
    }

    async fn task_configs(&mut self, _: usize) -> Result<Vec<ConfigMap>, ConnectError> {
        self.0.note("asked".to_owned());
        let tables = self.0.now.lock().unwrap().clone();
        Ok(tables.iter().map(|table| ConfigMap::from([("table".to_owned(), table.to_string())])).collect())
    }
}

impl SourceConnector for TableConnector {
    fn task(&self) -> Box<dyn SourceTask> {
        Box::new(TableTask { tables: Arc::clone(&self.0), table: String::new() })
    }
}

struct TableTask {
    tables: Arc<Tables>,
    table: String,
}

#[async_trait]
impl SourceTask for TableTask {
    async fn start(&mut self, _: SourceTaskContext, config: &ConfigMap) -> Result<(), ConnectError> {
        self.table = config["table"].clone();
        self.tables.note(format!("start {}", self.table));
        Ok(())
    }

    async fn poll(&mut self, _: &mut SourceBatch) -> Result<(), ConnectError> {
        tokio::time::sleep(Duration::from_millis(2)).await;
        let mut failing = self.tables.failing.lock().unwrap();
        match failing.take_if(|table| *table == self.table) {
            Some(_) => Err(ConnectError::fatal("told to fail")),
            None => Ok(()),
        }
    }

    async fn stop(&mut self) -> Result<(), ConnectError> {
        self.tables.note(format!("stop {}", self.table));
        Ok(())
    }
}

struct Scene {
    engine: Engine,
    tables: Arc<Tables>,
    _kafka: Kafka,
    _dir: tempfile::TempDir,
}

impl Scene {
    /// A connector with tasks for the tables a and b, at work.
    async fn start() -> Self {
        let (kafka, dir) = (Kafka::start().await, tempfile::tempdir().unwrap());
        let tables = Arc::new(Tables::default());
        *tables.now.lock().unwrap() = vec!["a", "b"];
        let plugin = Plugin::source("test.TableConnector", "test", {
            let tables = Arc::clone(&tables);
            move || Box::new(TableConnector(Arc::clone(&tables)))
        });
        let config = [("name", "tables"), ("connector.class", "Table"), ("tasks.max", "3")];
        let engine = kafka.worker(dir.path()).plugin(plugin).connector(config).start().await.unwrap();
        let scene = Self { engine, tables, _kafka: kafka, _dir: dir };
        scene.await_tasks(&["a", "b"]).await;
        assert_eq!(scene.tables.take_events(), ["connector", "start a", "start b"]);
        scene
    }

    /// Waits until all tasks are those of these tables, and run.
    async fn await_tasks(&self, tables: &[&str]) {
        let herder = self.engine.herder();
        until(&format!("tasks for {tables:?} run"), async || {
            let infos = herder.task_configs("tables").await.unwrap();
            let status = herder.connector_status("tables").await.unwrap();
            infos.iter().map(|info| info.config["table"].as_str()).eq(tables.iter().copied())
                && status.tasks.len() == tables.len()
                && status.tasks.iter().all(|task| format!("{:?}", task.state) == "Running")
        })
        .await;
    }

    async fn restart(&self, include_tasks: bool, only_failed: bool) {
        let request = RestartRequest { include_tasks, only_failed };
        self.engine.herder().restart_connector("tables", request).await.unwrap();
    }

    async fn await_event(&self, event: &str) {
        until(event, async || self.tables.events.lock().unwrap().iter().any(|e| e == event)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn other_task_configs_restart_the_tasks_and_the_same_do_not() {
    let scene = Scene::start().await;
    scene.tables.request(&["a", "b"]);
    scene.await_event("asked").await;
    // Requests are answered one by one: with the second one the first is through.
    scene.tables.request(&["a", "c"]);
    scene.await_tasks(&["a", "c"]).await;
    assert_eq!(scene.tables.take_events(), ["stop a", "stop b", "start a", "start c"]);
    scene.tables.request(&["a", "c", "d"]);
    scene.await_tasks(&["a", "c", "d"]).await;
    assert_eq!(scene.tables.take_events(), ["stop a", "stop c", "start a", "start c", "start d"]);
    scene.tables.request(&[]);
    scene.await_tasks(&[]).await;
    scene.await_event("stop d").await;
    scene.tables.take_events();
    scene.tables.request(&["e"]);
    scene.await_tasks(&["e"]).await;
    assert_eq!(scene.tables.take_events(), ["start e"]);
    scene.engine.stop().await;
    assert_eq!(scene.tables.take_events(), ["stop e"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_tasks_than_allowed_fail_the_connector_and_not_its_tasks() {
    let scene = Scene::start().await;
    scene.tables.request(&["a", "b", "c", "d"]);
    let herder = scene.engine.herder();
    until("the connector fails", async || {
        let status = herder.connector_status("tables").await.unwrap();
        status.connector.trace.is_some_and(|trace| trace.contains("tasks.max"))
    })
    .await;
    scene.await_tasks(&["a", "b"]).await;
    assert_eq!(scene.tables.take_events(), Vec::<String>::new());
    scene.engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connector_restarts_without_its_tasks_unless_they_are_asked_for() {
    let scene = Scene::start().await;
    scene.restart(false, false).await;
    scene.await_event("connector").await;
    scene.await_tasks(&["a", "b"]).await;
    assert_eq!(scene.tables.take_events(), ["connector"]);

    scene.restart(true, false).await;
    scene.await_event("start b").await;
    scene.await_tasks(&["a", "b"]).await;
    let mut events = scene.tables.take_events();
    events.sort();
    assert_eq!(events, ["connector", "start a", "start b", "stop a", "stop b"]);
    scene.engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_connector_with_other_tasks_gets_them() {
    let scene = Scene::start().await;
    *scene.tables.now.lock().unwrap() = vec!["b", "c", "d"];
    scene.restart(false, false).await;
    scene.await_tasks(&["b", "c", "d"]).await;
    let events = scene.tables.take_events();
    assert_eq!(events, ["connector", "stop a", "stop b", "start b", "start c", "start d"]);
    scene.engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_has_failed_is_restarted_if_so_asked() {
    let scene = Scene::start().await;
    scene.restart(true, true).await;
    *scene.tables.failing.lock().unwrap() = Some("b".to_owned());
    let herder = scene.engine.herder();
    until("the task fails", async || {
        let status = herder.task_status("tables", 1).await.unwrap();
        status.trace.is_some_and(|trace| trace.contains("told to fail"))
    })
    .await;
    assert_eq!(scene.tables.take_events(), ["stop b"]);
    scene.restart(true, true).await;
    scene.await_tasks(&["a", "b"]).await;
    assert_eq!(scene.tables.take_events(), ["start b"]);
    scene.engine.stop().await;
}
