//! The worker, its connectors and their tasks as they are configured.

use crossdock_api::ConfigMap;
use serde::Serialize;

/// Body of `GET /`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ServerInfo {
    /// Version of Kafka Connect whose behaviour is implemented.
    pub version: String,
    /// Name and version of Crossdock itself.
    pub commit: String,
    /// Id of the Kafka cluster; null while no broker was reached.
    pub kafka_cluster_id: Option<String>,
}

/// Body of `GET /connectors/{name}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConnectorInfo {
    /// Name.
    pub name: String,
    /// Config as submitted, with `name`.
    pub config: ConfigMap,
    /// Tasks by number.
    pub tasks: Vec<TaskId>,
    /// Source or sink.
    #[serde(rename = "type")]
    pub kind: ConnectorKind,
}

/// A task of a connector.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct TaskId {
    /// Connector.
    pub connector: String,
    /// Number, from 0.
    pub task: u32,
}

impl std::fmt::Display for TaskId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.connector, self.task)
    }
}

/// Source, sink, or not known because the class was not found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ConnectorKind {
    /// Brings records out of Kafka.
    Sink,
    /// Brings records into Kafka.
    Source,
    /// The class was not found.
    Unknown,
}

/// An element of the body of `GET /connectors/{name}/tasks`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TaskInfo {
    /// The task.
    pub id: TaskId,
    /// Its config.
    pub config: ConfigMap,
}
