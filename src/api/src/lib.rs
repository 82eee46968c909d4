//! What a plugin author sees of Crossdock: records, schemas, config definitions and the traits of
//! connectors, tasks, converters, transforms and predicates.
//!
//! # Layout
//!
//! - [`value`], [`schema`]: Connect's data model. [`Value`] owns, [`ValueRef`] borrows.
//! - [`batch`]: [`RecordBatch`], the unit of all work: records as small rows of slices of shared
//!   buffers. Strings and bytes stay where they arrived.
//! - [`source`], [`sink`]: the connector and task traits with their contexts.
//! - [`converter`], [`transform`]: what happens to batches between a task and Kafka.
//! - [`config`]: one definition a setting gives validation, REST output and reference pages.
//! - [`registry`]: Java class names and short names, mapped to plugins.
//! - [`java_date`]: dates as text, as `java.text.SimpleDateFormat` reads and writes them.
//! - [`java_number`]: numbers as Java reads and narrows them.
//! - [`java_text`]: values as text, as Java writes them. [`values`]: values out of text, and between types.
//! - [`nesting`]: recursion into values that may be nested deeply.
//! - [`projector`]: values carried over to a newer schema.
//!
//! # How data flows
//!
//! ```text
//! SourceTask::poll ─▶ SourceBatch ─▶ Transform* ─▶ Converter::serialize_batch ─▶ (bytes) Kafka
//! Kafka (bytes) ─▶ Converter::parse_batch ─▶ Transform* ─▶ SinkBatch ─▶ SinkTask::put
//! ```
//!
//! Every stage changes the batch in place. A stage that only passes strings or bytes through moves
//! neither: a record is then two spans into the buffer that came from the file or the socket.
//!
//! # What it must never do
//!
//! Know the client or the runtime, do I/O, or assume that a plugin lives in the same process: batches
//! are buffers plus fixed-size rows, so that they can be framed and sent.

pub mod batch;
pub mod config;
pub mod converter;
mod error;
pub mod java_date;
pub mod java_number;
pub mod java_text;
pub mod nesting;
pub mod projector;
pub mod registry;
pub mod schema;
pub mod sink;
pub mod source;
mod strictness;
pub mod text;
pub mod transform;
pub mod value;
pub mod values;

pub use async_trait::async_trait;
pub use batch::{Column, Datum, RecordBatch, RecordMut, RecordRef, SlabId, TopicId};
pub use bigdecimal::BigDecimal;
pub use bytes::Bytes;
pub use config::{ConfigDef, ConfigError, ConfigKey, ConfigMap, ParsedConfig};
pub use converter::{Converter, HeaderConverter};
pub use error::{ConnectError, ErrorKind, Exception, Failures};
pub use projector::project;
pub use registry::Plugins;
pub use schema::{Field, LogicalType, Schema, SchemaBuilder, SchemaType};
pub use sink::{OffsetMap, SinkBatch, SinkConnector, SinkTask, SinkTaskContext, TopicPartition};
pub use source::{
    ConnectorContext, SourceBatch, SourceConnector, SourceOffset, SourcePartitionId, SourceTask,
    SourceTaskContext,
};
pub use strictness::Strictness;
pub use text::{Str, Text};
pub use transform::{Outcome, Predicate, Transform};
pub use value::{Keys, List, Map, Struct, Value, ValueRef};

/// The version of Kafka Connect whose behaviour is implemented: what the REST API and the plugins that
/// stand for Connect's own report.
pub const CONNECT_VERSION: &str = "4.3.1";
