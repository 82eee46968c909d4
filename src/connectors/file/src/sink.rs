//! The sink connector.

use crate::VERSION;
use crate::sink_task::FileSinkTask;
use crossdock_api::config::{ConfigDef, ConfigKey, ConfigMap, Importance};
use crossdock_api::source::Connector;
use crossdock_api::{
    ConfigError, ConnectError, ConnectorContext, SinkConnector, SinkTask, TopicPartition, async_trait,
};

const FILE: &str = "file";

/// Appends each value as a line to a file. Mirrors
/// `org.apache.kafka.connect.file.FileStreamSinkConnector`, apart from byte arrays, which are written
/// as they are (Java writes their address in memory).
#[derive(Debug, Default)]
pub struct FileStreamSinkConnector {
    config: ConfigMap,
}

fn config_def() -> ConfigDef {
    ConfigDef::new().define(
        ConfigKey::string(FILE)
            .default_null()
            .importance(Importance::High)
            .doc("Destination filename. If not specified, the standard output will be used"),
    )
}

/// The file of a config; `None` is standard output.
pub(crate) fn file_of(config: &ConfigMap) -> Result<Option<String>, ConfigError> {
    let parsed = config_def().parse(config)?;
    Ok(parsed.string_opt(FILE)?.filter(|f| !f.is_empty()).map(str::to_owned))
}

#[async_trait]
impl Connector for FileStreamSinkConnector {
    fn version(&self) -> &str {
        VERSION
    }

    fn config_def(&self) -> ConfigDef {
        config_def()
    }

    async fn start(&mut self, context: ConnectorContext, config: &ConfigMap) -> Result<(), ConnectError> {
        tracing::info!(
            connector = context.connector_name(),
            "starting file sink connector writing to {}",
            file_of(config)?.as_deref().unwrap_or("standard output")
        );
        self.config = config.clone();
        Ok(())
    }

    /// As many tasks as allowed: all append to the same file, whole lines at a time.
    async fn task_configs(&mut self, max_tasks: usize) -> Result<Vec<ConfigMap>, ConnectError> {
        Ok(vec![self.config.clone(); max_tasks])
    }
}

#[async_trait]
impl SinkConnector for FileStreamSinkConnector {
    fn task(&self) -> Box<dyn SinkTask> {
        Box::<FileSinkTask>::default()
    }

    /// Any offset will do: nothing in the file depends on it.
    async fn alter_offsets(
        &mut self,
        _config: &ConfigMap,
        _offsets: &[(TopicPartition, Option<i64>)],
    ) -> Result<bool, ConnectError> {
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{config, connector_context};

    #[tokio::test]
    async fn each_task_gets_the_connectors_config() {
        let mut connector = FileStreamSinkConnector::default();
        let given = config(&[("file", "f"), ("topics", "t")]);
        connector.start(connector_context(), &given).await.unwrap();
        assert_eq!(connector.task_configs(2).await.unwrap(), [given.clone(), given.clone()]);
        assert!(connector.alter_offsets(&given, &[]).await.unwrap());
        assert_eq!(file_of(&config(&[("file", " ")])).unwrap(), None);
    }
}
