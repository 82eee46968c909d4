//! What can go wrong with a record: when it is appended, and after.

use super::transaction::TransactionError;
use crate::error::{ClientError, ErrorCode};
use std::sync::Arc;
use std::time::Duration;

/// A record that was not taken. Nothing of it was kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AppendError {
    /// `buffer.memory` is used up; wait with [`super::Producer::wait_for_space`], then append again.
    #[error("the producer's buffer is full; brokers take records more slowly than they are appended")]
    BufferFull,
    /// The topic's partitions are not known yet; wait with [`super::Producer::wait_for_metadata`].
    #[error("the partitions of topic {topic} are not known yet")]
    MetadataMissing {
        /// The topic.
        topic: Arc<str>,
    },
    /// The record can never be sent with this configuration.
    #[error(
        "a record for topic {topic} has {size} bytes, more than {key}={limit} allows; raise {key} (and the \
             topic's max.message.bytes) or make the record smaller"
    )]
    RecordTooLarge {
        /// The topic.
        topic: Arc<str>,
        /// Upper bound of the record's size, in bytes.
        size: usize,
        /// The limit, in bytes.
        limit: usize,
        /// The setting to change.
        key: &'static str,
    },
    /// The topic has no such partition.
    #[error("topic {topic} has {count} partitions, so there is no partition {partition}")]
    UnknownPartition {
        /// The topic.
        topic: Arc<str>,
        /// The partition asked for.
        partition: i32,
        /// How many partitions the topic has.
        count: i32,
    },
    /// The producer was closed.
    #[error("the producer was closed")]
    Closed,
    /// The producer is transactional, and no transaction is open that could take the record.
    #[error(transparent)]
    Transaction(#[from] TransactionError),
}

/// A batch that was given up.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ProduceError {
    /// The broker refused it for good.
    #[error("a batch for partition {topic}-{partition} was refused with {code}: {}{}{}", .code.message(), 
            .message.as_ref().map(|m| format!(" (the broker says: {m})")).unwrap_or_default(),
            uncertain(*.may_have_been_written))]
    Rejected {
        /// The topic.
        topic: Arc<str>,
        /// The partition.
        partition: i32,
        /// The broker's code.
        code: ErrorCode,
        /// The broker's own words, about the batch or its first bad record.
        message: Option<String>,
        /// Whether an earlier attempt was left without an answer, and so may have written it.
        may_have_been_written: bool,
    },
    /// `delivery.timeout.ms` (or `retries`) is used up.
    #[error("a batch for partition {topic}-{partition} could not be delivered within {} ms{}; the last error was: \
             {last}", .after.as_millis(), if *.may_have_been_written { " and may or may not have been written" } else { "" })]
    NotDelivered {
        /// The topic.
        topic: Arc<str>,
        /// The partition.
        partition: i32,
        /// How long was tried.
        after: Duration,
        /// Whether an attempt was left without an answer.
        may_have_been_written: bool,
        /// What stood in the way last.
        last: String,
    },
    /// The topic cannot be written to at all.
    #[error("topic {topic} cannot be produced to: {code}: {}{}", .code.message(), uncertain(*.may_have_been_written))]
    Topic {
        /// The topic.
        topic: Arc<str>,
        /// The code of the topic's metadata.
        code: ErrorCode,
        /// Whether an earlier attempt was left without an answer, and so may have written the batch.
        may_have_been_written: bool,
    },
    /// The producer was closed or dropped before the batch was acknowledged.
    #[error("the producer was closed before a batch for partition {topic}-{partition} was acknowledged{}",
            if *.may_have_been_written { "; it may or may not have been written" } else { "" })]
    Closed {
        /// The topic.
        topic: Arc<str>,
        /// The partition.
        partition: i32,
        /// Whether the batch was sent.
        may_have_been_written: bool,
    },
    /// Its transaction was aborted, or can only be aborted: it was dropped.
    #[error("a batch for partition {topic}-{partition} was dropped with its transaction: {reason}")]
    Aborted {
        /// The topic.
        topic: Arc<str>,
        /// The partition.
        partition: i32,
        /// Whether it may be in the log, in a transaction that is aborted.
        may_have_been_written: bool,
        /// Why the transaction is not committed.
        reason: Arc<str>,
    },
    /// The cluster refuses the client, or the client the cluster.
    #[error("a batch for partition {topic}-{partition} was given up: {source}")]
    Authentication {
        /// The topic.
        topic: Arc<str>,
        /// The partition.
        partition: i32,
        /// Whether an earlier attempt was left without an answer.
        may_have_been_written: bool,
        /// Who refused whom, and what to do.
        source: ClientError,
    },
    /// No (further) producer id could be had, although `enable.idempotence=true` asks for one.
    #[error("a batch for partition {topic}-{partition} was given up, since the producer cannot be idempotent: {source}; grant \
             IdempotentWrite or set enable.idempotence=false{}", uncertain(*.may_have_been_written))]
    Identity {
        /// The topic.
        topic: Arc<str>,
        /// The partition.
        partition: i32,
        /// Whether an attempt under an earlier producer id was left without an answer.
        may_have_been_written: bool,
        /// Why there is none.
        source: ClientError,
    },
}

impl ProduceError {
    /// Whether the records may be in the log although this is an error.
    pub fn may_have_been_written(&self) -> bool {
        match self {
            Self::NotDelivered { may_have_been_written, .. }
            | Self::Rejected { may_have_been_written, .. }
            | Self::Topic { may_have_been_written, .. }
            | Self::Authentication { may_have_been_written, .. }
            | Self::Closed { may_have_been_written, .. }
            | Self::Identity { may_have_been_written, .. }
            | Self::Aborted { may_have_been_written, .. } => *may_have_been_written,
        }
    }

    /// Whether trying again later may help: the cluster was not reachable or not ready.
    pub fn is_retriable(&self) -> bool {
        match self {
            Self::NotDelivered { .. } => true,
            Self::Rejected { code, .. } | Self::Topic { code, .. } => code.is_retriable(),
            Self::Authentication { .. }
            | Self::Closed { .. }
            | Self::Aborted { .. }
            | Self::Identity { .. } => false,
        }
    }

    /// The broker's code, if it gave one.
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Rejected { code, .. } | Self::Topic { code, .. } => Some(*code),
            Self::Identity { source, .. } => source.code(),
            Self::Authentication { .. }
            | Self::NotDelivered { .. }
            | Self::Closed { .. }
            | Self::Aborted { .. } => None,
        }
    }
}

fn uncertain(may_have_been_written: bool) -> &'static str {
    if may_have_been_written { "; an earlier attempt may have written it" } else { "" }
}

/// The partitions of a topic did not become known.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum MetadataError {
    /// Not within `max.block.ms`.
    #[error("Topic {topic} not present in metadata after {} ms.{}", .after.as_millis(), 
            .last.as_ref().map(|l| format!(" The last error was: {l}")).unwrap_or_default())]
    Timeout {
        /// The topic.
        topic: Arc<str>,
        /// How long was waited.
        after: Duration,
        /// Why the last attempt failed; `None` if the cluster answered that there is no such topic.
        last: Option<String>,
    },
    /// The cluster refuses the client, or the client the cluster.
    #[error(transparent)]
    Client(ClientError),
    /// The cluster refuses the topic for good.
    #[error("topic {topic} cannot be produced to: {code}: {}", .code.message())]
    Refused {
        /// The topic.
        topic: Arc<str>,
        /// The code of the topic's metadata.
        code: ErrorCode,
    },
    /// The producer was closed.
    #[error("the producer was closed")]
    Closed,
}
