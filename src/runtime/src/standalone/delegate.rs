//! The [`Herder`] trait, over the inherent methods of the files by concern.

use super::StandaloneHerder;
use crate::herder::offsets::{ConnectorOffset, ConnectorOffsets, Message};
use crate::herder::plugins::{ConfigInfos, ConfigKeyInfo, PluginInfo};
use crate::herder::{
    ConnectorInfo, ConnectorStatus, Herder, HerderError, RequestSignature, RestartRequest, ServerInfo,
    TargetState, TaskInfo, TaskStatus,
};
use crate::metrics::MetricGroup;
use async_trait::async_trait;
use crossdock_api::ConfigMap;
use crossdock_api::config::NullableConfig;

impl StandaloneHerder {
    /// The answer to what only workers of a group ask of each other: the caller's mistake, which Connect takes for its
    /// own.
    fn not_alone(&self, message: &str) -> HerderError {
        let message = message.to_owned();
        match self.worker.config.is_strict() {
            true => HerderError::Internal(message),
            false => HerderError::BadRequest(message),
        }
    }
}

#[async_trait]
impl Herder for StandaloneHerder {
    async fn server_info(&self) -> ServerInfo {
        self.server_info().await
    }

    async fn metrics(&self) -> Vec<MetricGroup> {
        self.metrics()
    }

    async fn plugins(&self, connectors_only: bool) -> Vec<PluginInfo> {
        self.list_plugins(connectors_only)
    }

    async fn plugin_config(&self, plugin: &str, version: &str) -> Result<Vec<ConfigKeyInfo>, HerderError> {
        self.keys_of_plugin(plugin, version)
    }

    async fn validate_config(&self, config: NullableConfig) -> Result<ConfigInfos, HerderError> {
        let name = config.get("name").cloned().flatten().unwrap_or_default();
        self.detached(&name, |this| async move { Ok(this.validated(&config).await?) }).await
    }

    async fn create_connector(
        &self,
        name: &str,
        config: NullableConfig,
        initial_state: TargetState,
    ) -> Result<ConnectorInfo, HerderError> {
        self.create_connector(name, config, initial_state).await
    }

    async fn put_connector_config(
        &self,
        name: &str,
        config: NullableConfig,
    ) -> Result<(bool, ConnectorInfo), HerderError> {
        self.put_connector_config(name, config).await
    }

    async fn patch_connector_config(
        &self,
        name: &str,
        patch: NullableConfig,
    ) -> Result<ConnectorInfo, HerderError> {
        self.patch_connector_config(name, patch).await
    }

    async fn delete_connector(&self, connector: &str) -> Result<(), HerderError> {
        self.delete_connector(connector).await
    }

    async fn set_target_state(&self, connector: &str, state: TargetState) -> Result<(), HerderError> {
        self.set_target_state(connector, state).await
    }

    async fn connectors(&self) -> Result<Vec<String>, HerderError> {
        Ok(self.names())
    }

    async fn connector_info(&self, connector: &str) -> Result<ConnectorInfo, HerderError> {
        self.connector_info(connector)
    }

    async fn connector_status(&self, connector: &str) -> Result<ConnectorStatus, HerderError> {
        self.connector_status(connector)
    }

    async fn task_configs(&self, connector: &str) -> Result<Vec<TaskInfo>, HerderError> {
        self.task_configs(connector)
    }

    async fn task_status(&self, connector: &str, task: u32) -> Result<TaskStatus, HerderError> {
        self.task_status(connector, task)
    }

    async fn connector_offsets(&self, connector: &str) -> Result<ConnectorOffsets, HerderError> {
        self.connector_offsets(connector).await
    }

    async fn alter_connector_offsets(
        &self,
        connector: &str,
        offsets: Vec<ConnectorOffset>,
    ) -> Result<Message, HerderError> {
        self.alter_connector_offsets(connector, offsets).await
    }

    async fn reset_connector_offsets(&self, connector: &str) -> Result<Message, HerderError> {
        self.reset_connector_offsets(connector).await
    }

    async fn active_topics(&self, connector: &str) -> Result<Vec<String>, HerderError> {
        self.active_topics(connector)
    }

    async fn reset_active_topics(&self, connector: &str) -> Result<(), HerderError> {
        self.reset_active_topics(connector)
    }

    async fn restart_task(&self, connector: &str, task: u32) -> Result<(), HerderError> {
        self.restart_task(connector, task).await
    }

    async fn restart_connector(&self, connector: &str, request: RestartRequest) -> Result<(), HerderError> {
        self.restart_connector(connector, request).await
    }

    async fn put_task_configs(
        &self,
        _: &str,
        _: Vec<ConfigMap>,
        _: Option<RequestSignature>,
    ) -> Result<(), HerderError> {
        let message =
            "Kafka Connect in standalone mode does not support externally setting task configurations.";
        Err(self.not_alone(message))
    }

    async fn fence_zombie_source_tasks(
        &self,
        _: &str,
        _: Option<RequestSignature>,
    ) -> Result<(), HerderError> {
        let message = "Kafka Connect in standalone mode does not support exactly-once source connectors.";
        Err(self.not_alone(message))
    }
}
