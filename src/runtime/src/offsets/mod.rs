//! Where the source offsets of all connectors of a worker are stored.
//!
//! # Layout
//!
//! - [`store`]: [`OffsetStore`](store::OffsetStore), what every store can do, and the one in memory.
//! - [`file_store`]: the file of a standalone worker.
//! - `java_map`: that file's format.
//! - `group`: the offsets of a sink's consumer group.
//! - `source`: the offsets of one connector in a store, with keys and values as Connect writes them.
//!
//! # What it must never do
//!
//! Take a file or topic that it does not understand for an empty one, overwrite it, or report an offset as
//! stored before it would survive a crash.

pub mod file_store;
pub(crate) mod group;
mod java_map;
pub(crate) mod source;
pub mod store;
