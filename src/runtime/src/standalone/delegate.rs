//! The [`Herder`] trait, over the inherent methods of the files by concern.

use super::StandaloneHerder;
use crate::herder::{
    ConnectorInfo, ConnectorStatus, Herder, HerderError, RestartRequest, ServerInfo, TaskInfo, TaskStatus,
};
use async_trait::async_trait;

#[async_trait]
impl Herder for StandaloneHerder {
    async fn server_info(&self) -> ServerInfo {
        self.server_info().await
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

    async fn restart_task(&self, connector: &str, task: u32) -> Result<(), HerderError> {
        self.restart_task(connector, task).await
    }

    async fn restart_connector(&self, connector: &str, request: RestartRequest) -> Result<(), HerderError> {
        self.restart_connector(connector, request).await
    }
}
