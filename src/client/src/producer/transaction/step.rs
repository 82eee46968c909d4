//! What goes between the machine and whoever carries out its requests.

use crate::error::ErrorCode;
use crate::group::{ConsumerGroupMetadata, OffsetAndMetadata};
use crate::metadata::TopicPartition;
use crate::producer::accumulator::LaneId;
use crate::producer::ordering::Identity;
use std::collections::HashMap;
use std::sync::Arc;

/// How transactions are spoken of with the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Protocol {
    /// `transaction.version` 2 (KIP-890).
    pub(crate) implicit: bool,
    /// InitProducerId takes the present id and epoch (version 3, Kafka 2.5).
    pub(crate) raises_epochs: bool,
}

/// Offsets that a transaction commits for a group.
#[derive(Debug)]
pub(crate) struct GroupOffsets {
    pub(crate) group: ConsumerGroupMetadata,
    pub(crate) offsets: HashMap<TopicPartition, OffsetAndMetadata>,
}

/// A request to be sent to a coordinator.
#[derive(Debug, Clone)]
pub(crate) enum Action {
    /// InitProducerId; with the present identity if only the epoch is to be raised.
    Init { identity: Option<Identity> },
    /// AddPartitionsToTxn.
    AddPartitions { identity: Identity, partitions: Vec<LaneId> },
    /// AddOffsetsToTxn.
    AddOffsets { identity: Identity, offsets: Arc<GroupOffsets> },
    /// TxnOffsetCommit, to the group's coordinator.
    CommitOffsets { identity: Identity, offsets: Arc<GroupOffsets>, implicit: bool },
    /// EndTxn.
    End { identity: Identity, commit: bool, implicit: bool },
}

/// The kind of an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Request {
    Init,
    AddPartitions,
    AddOffsets,
    CommitOffsets,
    End { commit: bool },
}

/// What became of an action.
#[derive(Debug)]
pub(crate) enum Answer {
    Initialized {
        identity: Identity,
        protocol: Protocol,
    },
    /// Carried out.
    Done,
    /// The transaction has ended; the identity of the next one, if it is another.
    Ended {
        identity: Option<Identity>,
    },
    Refused {
        code: ErrorCode,
        reason: String,
    },
    /// No answer. `sent` tells whether it may have been carried out.
    Lost {
        sent: bool,
        reason: String,
    },
    /// It cannot be sent to these brokers, or their answer makes no sense.
    Impossible {
        reason: String,
    },
}

/// How long to wait before the next action, and whether its coordinator must be looked for again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pause {
    None,
    /// The coordinator completes the transaction before; that takes milliseconds.
    Short,
    /// As before any other repetition.
    Backoff {
        forget: bool,
    },
}

/// A call of the handle that takes its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    Init,
    Commit,
    Abort,
}

impl Call {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Init => "init_transactions",
            Self::Commit => "commit_transaction",
            Self::Abort => "abort_transaction",
        }
    }
}

impl Action {
    pub(super) fn request(&self) -> Request {
        match self {
            Self::Init { .. } => Request::Init,
            Self::AddPartitions { .. } => Request::AddPartitions,
            Self::AddOffsets { .. } => Request::AddOffsets,
            Self::CommitOffsets { .. } => Request::CommitOffsets,
            Self::End { commit, .. } => Request::End { commit: *commit },
        }
    }
}
