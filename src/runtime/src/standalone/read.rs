//! What there is and how it does, from the board: nothing here waits for a plugin.

use super::{StandaloneHerder, missing};
use crate::herder::{ConnectorInfo, ConnectorStatus, HerderError, ServerInfo, TaskId, TaskInfo, TaskStatus};
use crate::metrics::{self, MetricGroup, Shown};
use std::time::Duration;

/// How long `GET /` waits for the cluster's id before it answers without.
const CLUSTER_ID_WAIT: Duration = Duration::from_secs(5);

impl StandaloneHerder {
    pub(super) fn metrics(&self) -> Vec<MetricGroup> {
        metrics::groups(&Shown {
            worker_id: self.worker.board.worker_id(),
            started: self.started,
            config: &self.worker.config,
            plugins: &self.worker.plugins,
            startups: &self.worker.startups,
            connectors: &self.worker.board.views(),
        })
    }

    pub(super) async fn server_info(&self) -> ServerInfo {
        let cluster_id = tokio::time::timeout(CLUSTER_ID_WAIT, self.cluster.cluster_id()).await;
        ServerInfo {
            version: crossdock_api::CONNECT_VERSION.to_owned(),
            commit: crate::BUILD.to_owned(),
            kafka_cluster_id: cluster_id.ok().and_then(Result::ok),
        }
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.worker.board.names()
    }

    pub(super) fn connector_info(&self, connector: &str) -> Result<ConnectorInfo, HerderError> {
        self.worker.board.info(connector).ok_or_else(|| missing(connector))
    }

    pub(super) fn connector_status(&self, connector: &str) -> Result<ConnectorStatus, HerderError> {
        let status = self.worker.board.status(connector);
        status.ok_or_else(|| HerderError::NotFound(format!("No status found for connector {connector}")))
    }

    pub(super) fn task_configs(&self, connector: &str) -> Result<Vec<TaskInfo>, HerderError> {
        self.worker.board.task_infos(connector).ok_or_else(|| missing(connector))
    }

    pub(super) fn task_status(&self, connector: &str, task: u32) -> Result<TaskStatus, HerderError> {
        let id = TaskId { connector: connector.to_owned(), task };
        let status = self.worker.board.task_status(&id);
        status.ok_or_else(|| HerderError::NotFound(format!("No status found for task {id}")))
    }
}
