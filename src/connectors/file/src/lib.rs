//! FileStreamSource and FileStreamSink: the lines of a file as records, and records as lines.
//!
//! # Layout
//!
//! - `source`: the source connector and its settings. `source_task`: its task.
//! - `lines`: bytes as they are read, turned into blocks of complete lines.
//! - `reader`: a regular file, read block by block. `stream`: standard input and pipes.
//! - `sink`: the sink connector. `sink_task`: its task. `output`: the file it appends to.
//! - `error`: what can go wrong with files, and what an operator can do about it.
//!
//! # How data flows
//!
//! ```text
//! file ─▶ read ahead, in a blocking thread ─▶ Block (whole lines, checked UTF-8) ─▶ slices in SourceBatch
//! SinkBatch ─▶ lines in a buffer ─▶ written in a blocking thread ─▶ fdatasync at flush ─▶ offsets
//! ```
//!
//! A block is read once and never copied: its lines are slices of it until they are in a produce
//! request.
//!
//! # What it must never do
//!
//! Block a thread of the async runtime, give a line twice or not at all after a restart, glue two lines
//! together, or let offsets be committed for lines that are not on disk.

mod error;
mod lines;
mod output;
mod reader;
mod sink;
mod sink_task;
mod source;
mod source_task;
mod stream;
#[cfg(test)]
mod testing;

pub use sink::FileStreamSinkConnector;
pub use source::FileStreamSourceConnector;

use crossdock_api::Plugins;
use crossdock_api::registry::Plugin;

pub(crate) const VERSION: &str = crossdock_api::CONNECT_VERSION;

/// Registers both connectors under the class names that Connect knows them by.
pub fn register(plugins: &mut Plugins) {
    const SOURCE: &str = "org.apache.kafka.connect.file.FileStreamSourceConnector";
    const SINK: &str = "org.apache.kafka.connect.file.FileStreamSinkConnector";
    plugins.register(Plugin::source(SOURCE, VERSION, || Box::<FileStreamSourceConnector>::default()));
    plugins.register(Plugin::sink(SINK, VERSION, || Box::<FileStreamSinkConnector>::default()));
}
