//! What happens to records that cannot be handled: tried again, logged, sent to a dead letter queue, and then
//! skipped or the end of the task. Mirrors `RetryWithToleranceOperator` and its reporters.
//!
//! ```text
//! a stage fails ─▶ retry (if that may help) ─▶ Failed ─▶ ErrorHandler ─▶ log
//!                                                            │    └────▶ dead letter queue
//!                                                            └─▶ skipped, or the task fails
//! ```
//!
//! - `retry`: how long to wait between tries; without I/O.
//! - `original`: records as they came from Kafka.
//! - `report`: what logs and headers say.
//! - `dead_letters`: the queue.
//! - `capture`: what a record of a source was when it failed, for the queue.
//! - `handler`: all of it, for one task.

mod capture;
mod dead_letters;
mod handler;
mod original;
mod report;
mod retry;

pub(crate) use handler::{ErrorHandler, Origin};
pub(crate) use original::{Original, Originals};
pub(crate) use report::describe;
pub(crate) use retry::Retry;

use crossdock_api::ConnectError;

/// Where a record failed (`Stage`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    HeaderConverter,
    KeyConverter,
    TaskPut,
    Transformation,
    ValueConverter,
}

impl Stage {
    /// As Connect names it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::HeaderConverter => "HEADER_CONVERTER",
            Self::KeyConverter => "KEY_CONVERTER",
            Self::TaskPut => "TASK_PUT",
            Self::Transformation => "TRANSFORMATION",
            Self::ValueConverter => "VALUE_CONVERTER",
        }
    }
}

/// A record that a stage could not handle, also not when it was tried again.
#[derive(Debug)]
pub(crate) struct Failed {
    /// Index in its batch before the dropped records were removed.
    pub(crate) index: usize,
    /// Ordinal in its batch.
    pub(crate) ordinal: u32,
    /// Offset in Kafka; -1 for a record of a source.
    pub(crate) offset: i64,
    /// Where it failed.
    pub(crate) stage: Stage,
    /// The part of the pipeline, for messages.
    pub(crate) part: String,
    /// Java class of the part.
    pub(crate) class: String,
    /// Why.
    pub(crate) error: ConnectError,
    /// What it was at the failure, for logs with messages of sources.
    pub(crate) text: Option<String>,
    /// What it was at the failure, for the dead letter queue of a source.
    pub(crate) captured: Option<Original>,
}
