//! What a consumer can report. Errors about one partition do not stop the others.

use crate::error::{ClientError, ConfigError};
use crossdock_wire::WireError;
use std::sync::Arc;

/// Why a consumer cannot go on, with one partition or at all. An error about one partition is told
/// once; the partition then rests until [`crate::Consumer::seek`]. What can be mended from outside does not make it rest: a
/// lacking permission is told once and asked for again until it is there; a refused login or TLS handshake is told each
/// time that it is tried again, with the pauses of `retry.backoff.max.ms`.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ConsumerError {
    /// The records of a partition cannot be read: a batch is corrupt, or compressed in a way that this
    /// build cannot read.
    #[error(
        "cannot read partition {topic}-{partition} at offset {offset}: {source}; seek past the batch to go on without it"
    )]
    Records {
        /// The topic.
        topic: Arc<str>,
        /// The partition.
        partition: i32,
        /// Offset at which reading stopped.
        offset: i64,
        /// What is wrong with the bytes.
        source: WireError,
    },
    /// The next batch does not fit into one fetch.
    #[error(
        "the batch of partition {topic}-{partition} at offset {offset} is larger than max.partition.fetch.bytes \
         ({limit}) and the broker does not send it whole; raise max.partition.fetch.bytes"
    )]
    BatchTooLarge {
        /// The topic.
        topic: Arc<str>,
        /// The partition.
        partition: i32,
        /// Offset of the batch.
        offset: i64,
        /// The limit in bytes.
        limit: i32,
    },
    /// There is no committed offset, and `auto.offset.reset` is `none`.
    #[error(
        "partition {topic}-{partition} has no committed offset and auto.offset.reset is none; commit or seek to an \
         offset, or set auto.offset.reset to earliest or latest"
    )]
    NoOffset {
        /// The topic.
        topic: Arc<str>,
        /// The partition.
        partition: i32,
    },
    /// The position lies outside of what the broker keeps, and `auto.offset.reset` is `none`.
    #[error(
        "offset {offset} of partition {topic}-{partition} is out of range (deleted by retention, or the topic was \
         created anew) and auto.offset.reset is none; seek to an offset that exists, or set auto.offset.reset to \
         earliest or latest"
    )]
    OffsetOutOfRange {
        /// The topic.
        topic: Arc<str>,
        /// The partition.
        partition: i32,
        /// The position.
        offset: i64,
    },
    /// The leader's log agrees with what was consumed only up to an offset below the position: an unclean leader election cut
    /// records off, and others may have taken their offsets (KIP-320). Only if `auto.offset.reset` is `none`.
    #[error(
        "the log of partition {topic}-{partition} was cut off: the position is {offset}, and the leader's log agrees with what \
         was consumed {}; auto.offset.reset is none: seek to where to go on, or set auto.offset.reset to earliest or latest",
        agreement(*.agrees_to)
    )]
    LogTruncated {
        /// The topic.
        topic: Arc<str>,
        /// The partition.
        partition: i32,
        /// The position.
        offset: i64,
        /// The first offset that differs; `None` if the leader does not know.
        agrees_to: Option<i64>,
    },
    /// The topic was deleted and created anew, and `auto.offset.reset` is `none`.
    #[error(
        "topic {topic} was deleted and created anew, so that the position {offset} of partition {partition} means nothing in it, \
         and auto.offset.reset is none; seek to an offset of the new topic, or set auto.offset.reset to earliest or latest"
    )]
    TopicRecreated {
        /// The topic.
        topic: Arc<str>,
        /// The partition.
        partition: i32,
        /// The position in the old topic.
        offset: i64,
    },
    /// A broker's refusal or a failed call; it names topic, partition or group.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The consumer was asked for something that its configuration does not allow.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

fn agreement(agrees_to: Option<i64>) -> String {
    match agrees_to {
        Some(offset) => format!("only below offset {offset}"),
        None => "nowhere that it knows of".to_owned(),
    }
}
