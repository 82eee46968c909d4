//! Tasks: what happens between a plugin and Kafka.
//!
//! - [`pipeline`]: converters and transforms of a task, and what is done about records that they
//!   cannot handle.
//! - [`source`]: polls a source task, sends what it gives, stores offsets; with `acks` and `topic_creation`.
//! - [`source_offsets`]: which source offsets may be stored; a state machine without I/O.
//! - [`sink`]: fetches, puts, commits; with `sink_chunk` and `sink_host`.
//! - [`sink_offsets`]: which consumer offsets may be committed; a state machine without I/O.
//! - `ending`, `failure`: how a task ends, and why.
//! - [`control`]: how a herder stops, pauses and observes a task.

pub(crate) mod acks;
pub(crate) mod control;
mod ending;
mod failure;
pub(crate) mod pipeline;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
mod simulations;
pub(crate) mod sink;
mod sink_chunk;
mod sink_host;
pub(crate) mod sink_offsets;
pub(crate) mod source;
pub(crate) mod source_offsets;
pub(crate) mod topic_creation;

pub use control::Counters;
pub(crate) use control::TaskHandle;
pub(crate) use ending::PLUGIN_STOP;
pub(crate) use failure::TaskFailure;
