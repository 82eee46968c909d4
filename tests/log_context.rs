//! What plugins log is about their connector or task: the spans that they are called in say so.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use crossdock::Engine;
use crossdock::api::registry::Plugin;
use crossdock::api::source::Connector;
use crossdock::api::{
    ConfigDef, ConfigMap, ConnectError, ConnectorContext, SourceBatch, SourceConnector, SourceTask,
    SourceTaskContext, async_trait,
};
use crossdock::runtime::context::TARGET;
use crossdock_broker::Broker;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Calls with the name of the span that they came in.
type Calls = Arc<Mutex<BTreeSet<String>>>;

#[derive(Clone)]
struct Chatty(Calls);

impl Chatty {
    fn note(&self, call: &str) {
        let span = tracing::Span::current();
        let span = span.metadata().filter(|metadata| metadata.target() == TARGET);
        let about = span.map_or("nothing", |metadata| metadata.name());
        self.0.lock().unwrap().insert(format!("{call}: {about}"));
    }
}

#[async_trait]
impl Connector for Chatty {
    fn version(&self) -> &str {
        "test"
    }

    fn config_def(&self) -> ConfigDef {
        ConfigDef::new()
    }

    async fn start(&mut self, _: ConnectorContext, _: &ConfigMap) -> Result<(), ConnectError> {
        self.note("start");
        Ok(())
    }

    async fn task_configs(&mut self, _: usize) -> Result<Vec<ConfigMap>, ConnectError> {
        self.note("task_configs");
        Ok(vec![ConfigMap::new()])
    }

    async fn stop(&mut self) -> Result<(), ConnectError> {
        self.note("stop");
        Ok(())
    }
}

impl SourceConnector for Chatty {
    fn task(&self) -> Box<dyn SourceTask> {
        Box::new(self.clone())
    }
}

#[async_trait]
impl SourceTask for Chatty {
    async fn start(&mut self, _: SourceTaskContext, _: &ConfigMap) -> Result<(), ConnectError> {
        self.note("task start");
        Ok(())
    }

    async fn poll(&mut self, _: &mut SourceBatch) -> Result<(), ConnectError> {
        self.note("task poll");
        std::future::pending().await
    }

    async fn stop(&mut self) -> Result<(), ConnectError> {
        self.note("task stop");
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plugins_are_called_in_the_spans_of_what_they_do() {
    tracing::subscriber::set_global_default(tracing_subscriber::registry()).unwrap();
    let broker = Broker::builder().start().await.unwrap();
    let calls = Calls::default();
    let made = Chatty(Arc::clone(&calls));
    let plugin = Plugin::source("test.ChattyConnector", "test", move || Box::new(made.clone()));
    let config = [("name", "chatty"), ("connector.class", "Chatty")];
    let builder = Engine::builder()
        .set("bootstrap.servers", &broker.bootstrap())
        .set("key.converter", "StringConverter")
        .set("value.converter", "StringConverter");
    let engine = builder.plugin(plugin).connector(config).start().await.unwrap();
    let until = Instant::now() + Duration::from_secs(60);
    while !calls.lock().unwrap().iter().any(|call| call.starts_with("task poll")) {
        assert!(Instant::now() < until, "{calls:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    engine.stop().await;
    let calls: Vec<String> = calls.lock().unwrap().iter().cloned().collect();
    let expected = [
        "start: connector",
        "stop: connector",
        "task poll: task",
        "task start: task",
        "task stop: task",
        "task_configs: connector",
    ];
    assert_eq!(calls, expected);
}
