//! What a worker measures of itself: the metrics of Connect, with its names and meanings
//! (`ConnectMetricsRegistry`).
//!
//! ```text
//! task loops ─▶ TaskMetrics ──┐
//! starts ─────▶ Startups ─────┼─▶ groups() ─▶ Vec<MetricGroup> ─▶ the REST API's /metrics
//! board ──────▶ states ───────┘
//! ```
//!
//! Tasks note what they do once a batch, not once a record. What is shown is put together when somebody asks.
//!
//! - `sampled`: values over the last samples in time.
//! - `errors`: counts of records that failed.
//! - `task`: what one task has done.
//! - `fetched`: what the consumer of a sink task has fetched.
//! - `lags`: which records of a sink are not committed.
//! - `startups`: how starts went.
//! - `group`: what is shown, as Java's MBeans have it.
//! - `view`: puts it together.

mod errors;
mod fetched;
mod group;
mod lags;
mod sampled;
mod startups;
mod task;
mod view;

pub(crate) use errors::ErrorMetrics;
pub(crate) use fetched::Fetch;
pub use group::{MetricGroup, Reading};
pub(crate) use sampled::Windows;
pub(crate) use startups::Startups;
pub(crate) use task::TaskMetrics;
pub(crate) use view::{Shown, groups};
