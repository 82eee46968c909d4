//! What the Kafka clients of tasks are configured with, as `Worker.baseProducerConfigs` and its
//! siblings put it together: the worker's prefix, then the connector's override.

use super::connector::ConnectorConfig;
use super::with_prefix;
use super::worker::WorkerConfig;
use crate::herder::TaskId;
use crossdock_api::ConfigMap;
use crossdock_client::config::{ClientKind, ConfigWarning, warnings as client_warnings};

fn base(worker: &WorkerConfig, client_id: String) -> ConfigMap {
    ConfigMap::from([
        ("bootstrap.servers".to_owned(), worker.bootstrap_servers().to_owned()),
        ("client.id".to_owned(), client_id),
    ])
}

fn set(config: &mut ConfigMap, key: &str, value: &str) {
    config.insert(key.to_owned(), value.to_owned());
}

/// The worker's own client, of which the REST API asks the cluster's id. Connect configures it by the
/// worker's own keys, so that a security setting there must not pass unheard.
pub(crate) fn worker(worker: &WorkerConfig) -> ConfigMap {
    let prefixed =
        |key: &str| ["producer.", "consumer.", "admin.", "config."].iter().any(|p| key.starts_with(p));
    let mut config: ConfigMap =
        worker.raw().iter().filter(|(k, _)| !prefixed(k)).map(|(k, v)| (k.clone(), v.clone())).collect();
    config.extend(base(worker, "crossdock-worker".to_owned()));
    config
}

/// Warnings about keys under the clients' prefixes that no client knows, or that do nothing. Wrong values
/// are found when the clients are made.
pub(crate) fn warnings(worker: &WorkerConfig, connector: &ConnectorConfig, is_source: bool) -> Vec<String> {
    let task = TaskId { connector: connector.name().to_owned(), task: 0 };
    let (config, kind, prefix) = if is_source {
        (producer(worker, connector, &task), ClientKind::Producer, "producer")
    } else {
        (consumer(worker, connector, &task), ClientKind::Consumer, "consumer")
    };
    let text = |warning: ConfigWarning| {
        let key = warning.key();
        format!(
            "the {kind}: {warning} ({prefix}.{key} of the worker or {prefix}.override.{key} of the connector)"
        )
    };
    client_warnings(kind, &config).into_iter().map(text).collect()
}

/// The producer of a source task.
pub(crate) fn producer(worker: &WorkerConfig, connector: &ConnectorConfig, task: &TaskId) -> ConfigMap {
    let mut config = base(worker, format!("connector-producer-{task}"));
    set(&mut config, "acks", "all");
    // A source waits for Kafka as long as it takes; stopping the task ends the wait.
    set(&mut config, "delivery.timeout.ms", &i32::MAX.to_string());
    set(&mut config, "max.block.ms", &i64::MAX.to_string());
    config.extend(with_prefix(worker.raw(), "producer."));
    config.extend(with_prefix(connector.raw(), "producer.override."));
    config
}

/// The producer of the dead letter queue of a sink task: with the connector's overrides, as Connect has it.
pub(crate) fn dead_letter_producer(
    worker: &WorkerConfig,
    connector: &ConnectorConfig,
    task: &TaskId,
) -> ConfigMap {
    let mut config = producer(worker, connector, task);
    if !set_by_user(worker, connector, "client.id") {
        set(&mut config, "client.id", &format!("connector-dlq-producer-{task}"));
    }
    config
}

fn set_by_user(worker: &WorkerConfig, connector: &ConnectorConfig, key: &str) -> bool {
    worker.raw().contains_key(&format!("producer.{key}"))
        || connector.raw().contains_key(&format!("producer.override.{key}"))
}

/// The admin client that makes the topic of a dead letter queue.
pub(crate) fn dead_letter_admin(
    worker: &WorkerConfig,
    connector: &ConnectorConfig,
    task: &TaskId,
) -> ConfigMap {
    let mut config = admin(worker, connector);
    set(&mut config, "client.id", &format!("connector-dlq-adminclient-{task}"));
    config
}

/// The consumer of a sink task.
pub(crate) fn consumer(worker: &WorkerConfig, connector: &ConnectorConfig, task: &TaskId) -> ConfigMap {
    let mut config = base(worker, format!("connector-consumer-{task}"));
    set(&mut config, "group.id", &format!("connect-{}", connector.name()));
    set(&mut config, "auto.offset.reset", "earliest");
    config.extend(with_prefix(worker.raw(), "consumer."));
    config.extend(with_prefix(connector.raw(), "consumer.override."));
    // What was handed out is not safe yet: only the task knows what is.
    set(&mut config, "enable.auto.commit", "false");
    config
}

/// The admin client of a connector.
pub(crate) fn admin(worker: &WorkerConfig, connector: &ConnectorConfig) -> ConfigMap {
    let mut config = self::worker(worker);
    set(&mut config, "client.id", &format!("connector-adminclient-{}", connector.name()));
    config.extend(with_prefix(worker.raw(), "admin."));
    config.extend(with_prefix(connector.raw(), "admin.override."));
    config
}
