//! The engine inside another program: a service that brings its own readings into Kafka.
//!
//! ```text
//! cargo run --example embed                      # with an embedded broker
//! cargo run --example embed -- localhost:9092    # with a Kafka cluster
//! ```
//!
//! The program brings a source of its own, starts the engine with it, does its own work for a while and
//! stops the engine cleanly. A second connector writes what arrived in the topic to a file.

use crossdock::Engine;
use crossdock::api::config::{ConfigKey, Validator};
use crossdock::api::registry::Plugin;
use crossdock::api::source::Connector;
use crossdock::api::{
    ConfigDef, ConfigMap, ConnectError, ConnectorContext, Map, Schema, SourceBatch, SourceConnector,
    SourceOffset, SourceTask, SourceTaskContext, Value, async_trait,
};
use crossdock_broker::Broker;
use std::time::Duration;

/// Counts up: one reading every few milliseconds, numbered without a gap over restarts.
#[derive(Default)]
struct Readings {
    config: ConfigMap,
}

#[async_trait]
impl Connector for Readings {
    fn version(&self) -> &str {
        "1.0"
    }

    fn config_def(&self) -> ConfigDef {
        ConfigDef::new()
            .define(ConfigKey::string("topic").validator(Validator::NonEmpty).doc("Topic to write to."))
            .define(
                ConfigKey::long("every.ms")
                    .default("10")
                    .validator(Validator::AtLeast(1))
                    .doc("Time between readings."),
            )
    }

    async fn start(&mut self, _context: ConnectorContext, config: &ConfigMap) -> Result<(), ConnectError> {
        self.config = config.clone();
        Ok(())
    }

    async fn task_configs(&mut self, _max_tasks: usize) -> Result<Vec<ConfigMap>, ConnectError> {
        Ok(vec![self.config.clone()])
    }
}

impl SourceConnector for Readings {
    fn task(&self) -> Box<dyn SourceTask> {
        Box::new(ReadingsTask::default())
    }
}

#[derive(Default)]
struct ReadingsTask {
    topic: String,
    every: Duration,
    partition: Map,
    next: i64,
}

#[async_trait]
impl SourceTask for ReadingsTask {
    async fn start(&mut self, context: SourceTaskContext, config: &ConfigMap) -> Result<(), ConnectError> {
        let parsed = Readings::default().config_def().parse(config)?;
        self.topic = parsed.string("topic")?.to_owned();
        self.every = Duration::from_millis(parsed.long("every.ms")? as u64);
        self.partition = [("meter", Value::string("m1"))].into_iter().collect();
        if let Some(Value::Int64(next)) =
            context.offset(&self.partition).await?.and_then(|o| o.get("next").cloned())
        {
            self.next = next;
        }
        Ok(())
    }

    // Cancel-safe: nothing is read before the wait, and nothing waits after it was.
    async fn poll(&mut self, batch: &mut SourceBatch) -> Result<(), ConnectError> {
        tokio::time::sleep(self.every).await;
        let topic = batch.topic(&self.topic);
        let partition = batch.partition(&self.partition);
        let field = batch.offset_field("next");
        let reading = format!("reading {}", self.next);
        self.next += 1;
        let offset = SourceOffset::Long { field, value: self.next };
        batch.record(topic, partition, offset).value(Some(Schema::string()), reading.as_str()).finish()?;
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let given = std::env::args().nth(1);
    let broker = match &given {
        Some(_) => None,
        None => Some(Broker::builder().start().await?),
    };
    let bootstrap = given.or(broker.as_ref().map(Broker::bootstrap)).unwrap_or_default();
    let output = std::env::temp_dir().join(format!("readings-{}.txt", std::process::id()));

    let engine = Engine::builder()
        .set("bootstrap.servers", &bootstrap)
        .set("key.converter", "StringConverter")
        .set("value.converter", "StringConverter")
        .plugin(Plugin::source("com.example.ReadingsConnector", "1.0", || Box::new(Readings::default())))
        .connector([("name", "readings"), ("connector.class", "Readings"), ("topic", "readings")])
        .connector([
            ("name", "archive"),
            ("connector.class", "FileStreamSink"),
            ("topics", "readings"),
            ("file", &output.display().to_string()),
        ])
        .start()
        .await?;
    println!("running against {bootstrap}");

    // The service's own work: here, waiting until the archive has some readings.
    let archived = || {
        engine.progress().iter().filter(|t| t.id.connector == "archive").map(|t| t.counters.records()).sum()
    };
    let mut seen: u64 = 0;
    while seen < 20 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        seen = archived();
    }
    let status = engine.herder().connector_status("readings").await?;
    println!(
        "{}: {:?}, {seen} readings archived in {}",
        status.name,
        status.connector.state,
        output.display()
    );

    engine.stop().await;
    if let Some(broker) = broker {
        broker.shutdown().await;
    }
    let text = std::fs::read_to_string(&output)?;
    assert!(
        text.lines().enumerate().all(|(number, line)| line == format!("reading {number}")),
        "a gap in the archive"
    );
    println!("stopped cleanly with {} lines", text.lines().count());
    Ok(())
}
