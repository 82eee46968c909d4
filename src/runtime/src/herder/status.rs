//! States of connectors and tasks.

use super::ConnectorKind;
use serde::Serialize;

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
    /// Version of the plugin; null if the task failed before the plugin had anything to do with it.
    pub version: Option<String>,
    /// The error, if it is FAILED.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
}
