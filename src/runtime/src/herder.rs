//! What the REST API and embedders can ask of a worker: [`Herder`], and the answers' shapes.
//!
//! The shapes serialize to the bodies of Connect's REST API
//! (`org.apache.kafka.connect.runtime.rest.entities`).

use async_trait::async_trait;
use crossdock_api::ConfigMap;
use serde::Serialize;

/// Governs the connectors of a worker, alone (standalone) or in a group. Mirrors
/// `org.apache.kafka.connect.runtime.Herder`. All methods may be called at any time from any task and
/// are cancel-safe: a restart that was begun is carried through.
#[async_trait]
pub trait Herder: Send + Sync {
    /// Version, commit and the Kafka cluster's id. The id is waited for a few seconds, then null.
    async fn server_info(&self) -> ServerInfo;

    /// Names of all connectors, sorted.
    async fn connectors(&self) -> Result<Vec<String>, HerderError>;

    /// Config, tasks and type of a connector.
    async fn connector_info(&self, connector: &str) -> Result<ConnectorInfo, HerderError>;

    /// State of a connector and its tasks.
    async fn connector_status(&self, connector: &str) -> Result<ConnectorStatus, HerderError>;

    /// The configs of a connector's tasks, in the order of their numbers.
    async fn task_configs(&self, connector: &str) -> Result<Vec<TaskInfo>, HerderError>;

    /// State of one task.
    async fn task_status(&self, connector: &str, task: u32) -> Result<TaskStatus, HerderError>;

    /// Stops one task, if it runs, and starts it again.
    async fn restart_task(&self, connector: &str, task: u32) -> Result<(), HerderError>;

    /// Stops a connector, if it runs, and starts it again, as the request says also with tasks.
    async fn restart_connector(&self, connector: &str, request: RestartRequest) -> Result<(), HerderError>;
}

/// Which parts of a connector to restart (KIP-745).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RestartRequest {
    /// Also the tasks.
    pub include_tasks: bool,
    /// Only what is FAILED.
    pub only_failed: bool,
}

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

/// State of a connector or task (`AbstractStatus.State`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum State {
    /// Ended by an error; the trace says which.
    Failed,
    /// Keeps its resources but does no work.
    Paused,
    /// Is being restarted.
    Restarting,
    /// At work.
    Running,
    /// A connector without tasks, until it is resumed.
    Stopped,
    /// Not started yet.
    Unassigned,
}

/// Body of `GET /connectors/{name}/status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConnectorStatus {
    /// Name.
    pub name: String,
    /// State of the connector itself.
    pub connector: ConnectorState,
    /// States of its tasks by number.
    pub tasks: Vec<TaskStatus>,
    /// Source or sink.
    #[serde(rename = "type")]
    pub kind: ConnectorKind,
}

/// State of a connector, without its tasks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConnectorState {
    /// State.
    pub state: State,
    /// Worker that it runs on, `host:port` of its REST API.
    pub worker_id: String,
    /// The error, if it is FAILED.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
    /// Version of the plugin.
    pub version: String,
}

/// State of a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TaskStatus {
    /// Number, from 0.
    pub id: u32,
    /// State.
    pub state: State,
    /// Worker that it runs on, `host:port` of its REST API.
    pub worker_id: String,
    /// Version of the plugin.
    pub version: String,
    /// The error, if it is FAILED.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
}

/// An element of the body of `GET /connectors/{name}/tasks`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TaskInfo {
    /// The task.
    pub id: TaskId,
    /// Its config.
    pub config: ConfigMap,
}

/// Why a request cannot be answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HerderError {
    /// The caller gave something wrong: HTTP 400.
    #[error("{0}")]
    BadRequest(String),
    /// The request fits no state that can be reached by waiting, or something exists already: HTTP 409.
    #[error("{0}")]
    Conflict(String),
    /// Something went wrong in the worker: HTTP 500.
    #[error("{0}")]
    Internal(String),
    /// No such connector or task: HTTP 404.
    #[error("{0}")]
    NotFound(String),
}
