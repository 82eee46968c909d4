//! What the Kafka clients of tasks are configured with, as `Worker.baseProducerConfigs` and its
//! siblings put it together: the worker's prefix, then the connector's override.

use super::connector::ConnectorConfig;
use super::with_prefix;
use super::worker::WorkerConfig;
use crate::herder::TaskId;
use crossdock_api::ConfigMap;

fn base(worker: &WorkerConfig, client_id: String) -> ConfigMap {
    ConfigMap::from([
        ("bootstrap.servers".to_owned(), worker.bootstrap_servers().to_owned()),
        ("client.id".to_owned(), client_id),
    ])
}

fn set(config: &mut ConfigMap, key: &str, value: &str) {
    config.insert(key.to_owned(), value.to_owned());
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
    let mut config = base(worker, format!("connector-adminclient-{}", connector.name()));
    config.extend(with_prefix(worker.raw(), "admin."));
    config.extend(with_prefix(connector.raw(), "admin.override."));
    config
}
