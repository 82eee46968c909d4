//! What log lines are about: spans that name the connector and task that is at work (KIP-449).
//!
//! A subscriber reads the fields `connector`, `task` and `scope` of spans with the target [`TARGET`]; all lines inside,
//! of plugins and clients too, belong to them. They are of the level error, so that a filter that shows anything
//! shows them.

use crate::herder::TaskId;
use tracing::Span;

/// Target of the spans; a filter should always let it pass.
pub const TARGET: &str = "crossdock_context";

/// The connector itself is at work.
pub(crate) fn of_connector(name: &str) -> Span {
    tracing::error_span!(target: TARGET, "connector", connector = name)
}

/// A task is at work.
pub(crate) fn of_task(id: &TaskId) -> Span {
    tracing::error_span!(target: TARGET, "task", connector = id.connector, task = id.task)
}

/// The offsets of a task are committed.
pub(crate) fn of_offsets(id: &TaskId) -> Span {
    tracing::error_span!(target: TARGET, "task", connector = id.connector, task = id.task, scope = "offsets")
}
