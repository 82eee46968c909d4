//! A Kafka client: connections, metadata, producer, consumer, groups and admin.
//!
//! # Layout
//!
//! - [`config`]: what all kinds of clients can be configured with, checked once, at the start.
//! - [`error`]: who erred, with broker, topic and partition, and what to do next.
//! - [`connection`]: one TCP connection: frames, pipelining, negotiated API versions.
//! - [`cluster`]: [`Cluster`], the one handle to a cluster: connections by broker and class, metadata,
//!   coordinators. All else is built on it.
//! - [`metadata`]: brokers, topics, partitions and leaders, as immutable snapshots.
//! - [`admin`]: topics, offsets and configurations.
//! - [`producer`]: batches by partition, idempotent and in order; transactions.
//! - `seldom`: warnings about what lasts, now and then.
//! - [`security`]: TLS and SASL.
//! - [`group`]: membership in a group, and the offsets that a group commits.
//! - [`consumer`]: fetched batches of the partitions that a group, or the caller, assigned.
//! - `backoff`, `sync`, `text`: waits between attempts, locks, strings as messages take them.
//!
//! # How data flows
//!
//! ```text
//! Producer ─ open batches ─▶ sender ─┐
//! Consumer ◀─ fetched regions ─ fetcher ─┼─ Cluster ─ Connection (broker × class) ─▶ broker
//! group membership, Admin ───────────┘     └ metadata, coordinators
//! ```
//!
//! # What it must never do
//!
//! Say that something failed when its outcome is unknown, let one slow broker or partition hold up the
//! others, grow without bound, or trust a count from the wire. It knows nothing of Connect.

pub mod admin;
mod backoff;
pub mod cluster;
pub mod config;
pub mod connection;
pub mod consumer;
pub mod error;
#[cfg(feature = "unstable-fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
pub mod group;
pub mod metadata;
pub mod producer;
pub mod security;
mod seldom;
mod sync;
mod text;

pub use admin::Admin;
pub use cluster::Cluster;
pub use config::ClientConfig;
pub use connection::ConnectionClass;
pub use consumer::{
    CommitHandle, Consumer, ConsumerConfig, ConsumerError, ConsumerEvent, FetchedRecords, TopicPattern,
};
pub use error::{BrokerError, ClientError, ConfigError, ErrorCode};
pub use group::{CommitError, ConsumerGroupMetadata, OffsetAndMetadata};
pub use metadata::{MetadataSnapshot, NodeId, TopicPartition, TopicSelection};
pub use producer::{Producer, ProducerConfig, TransactionError};
