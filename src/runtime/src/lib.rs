//! The Connect engine: worker, tasks, herders, offset stores.
//!
//! # Layout
//!
//! - [`config`]: configurations of workers and connectors, and the files that they come from.
//! - [`herder`]: [`Herder`], what the REST API and embedders can ask of a worker.
//! - [`standalone`]: [`StandaloneHerder`], a worker that runs alone.
//! - `worker`: makes connectors and tasks from plugins, and runs them.
//! - `task`: one source or sink task at work: poll or fetch, pipeline, offsets.
//! - `errors`: records that cannot be handled.
//! - [`offsets`]: where source offsets are stored.
//! - `validation`: what is known of a configuration before it runs.
//! - `guard`: calls into connectors, made safe.
//! - [`metrics`]: what a worker measures of itself.
//! - [`loggers`]: levels of loggers, changed while the worker runs.
//! - `active_topics`: which topics connectors use.
//! - [`context`]: what log lines are about.
//! - `board`: the state of everything, readable at any time.
//!
//! # How data flows
//!
//! ```text
//! SourceTask ─▶ Pipeline ─▶ Producer ═▶ Kafka ═▶ Consumer ─▶ Pipeline ─▶ SinkTask
//!      ▲            offsets ◀─ acks                offsets ◀─ pre_commit      │
//!      └── OffsetStore ◀──────┘                      └─▶ group offsets ◀──────┘
//! ```
//!
//! # What it must never do
//!
//! Commit an offset of a record that is not safe yet, let a failing or slow task touch another, or know
//! how Kafka's bytes look: that is the client's.

mod active_topics;
mod blocking;
mod board;
pub mod config;
pub mod context;
mod errors;
mod guard;
pub mod herder;
mod lent;
pub mod loggers;
pub mod metrics;
pub mod offsets;
pub mod standalone;
mod task;
#[cfg(feature = "unstable-testing")]
pub mod testing;
mod validation;
mod worker;

pub use board::TaskProgress;
pub use config::{ConnectorConfig, WorkerConfig};
pub use herder::{Herder, HerderError};
pub use standalone::{StandaloneHerder, StartError};
pub use task::Counters;

/// What this was built from: what `GET /` answers as its commit.
pub const BUILD: &str = concat!("crossdock-", env!("CARGO_PKG_VERSION"));
