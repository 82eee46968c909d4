//! What the Kafka clients of tasks are configured with, as `Worker.baseProducerConfigs` and its
//! siblings put it together: the worker's prefix, then the connector's override.

use super::connector::ConnectorConfig;
use super::with_prefix;
use super::worker::WorkerConfig;
use crate::herder::TaskId;
use crossdock_api::ConfigMap;
use crossdock_client::{ClientConfig, ConsumerConfig, ProducerConfig};

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

/// Warnings about keys under the clients' prefixes that no client knows. Wrong values are found when the
/// clients are made.
pub(crate) fn warnings(worker: &WorkerConfig, connector: &ConnectorConfig, is_source: bool) -> Vec<String> {
    let task = TaskId { connector: connector.name().to_owned(), task: 0 };
    let (config, known, prefix) = if is_source {
        let config = producer(worker, connector, &task);
        let known = ProducerConfig::from_map(&config).map(|c| c.unused);
        (config, known, "producer")
    } else {
        let config = consumer(worker, connector, &task);
        let known = ConsumerConfig::from_map(&config).map(|c| c.unused);
        (config, known, "consumer")
    };
    let (Ok(client), Ok(own)) = (ClientConfig::from_map(&config), known) else { return Vec::new() };
    let unknown = client.unused.into_iter().filter(|key| own.contains(key));
    unknown.map(|key| format!("the {prefix} does not know the key {key} ({prefix}.{key} of the worker or {prefix}.override.{key} of the connector); it is ignored")).collect()
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

/// The consumer of a sink task.
pub(crate) fn consumer(worker: &WorkerConfig, connector: &ConnectorConfig, task: &TaskId) -> ConfigMap {
    let mut config = base(worker, format!("connector-consumer-{task}"));
    set(&mut config, "group.id", &format!("connect-{}", connector.name()));
    set(&mut config, "auto.offset.reset", "earliest");
    config.extend(with_prefix(worker.raw(), "consumer."));
    config.extend(with_prefix(connector.raw(), "consumer.override."));
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
