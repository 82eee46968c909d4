//! What the calls of a transactional producer fail with.

use crate::error::ErrorCode;
use std::sync::Arc;
use std::time::Duration;

/// Why a call of a transactional producer, or an append, failed. [`TransactionError::is_abortable`] and
/// [`TransactionError::is_fatal`] tell what to do next.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TransactionError {
    /// The producer has no `transactional.id`.
    #[error("{call} needs a transactional producer; set transactional.id")]
    NotTransactional {
        /// What was called.
        call: &'static str,
    },
    /// The call does not fit the state that the producer is in. Nothing was done.
    #[error("{call} is not possible now: {reason}")]
    Misuse {
        /// What was called.
        call: &'static str,
        /// What the state is, and which call is missing.
        reason: &'static str,
    },
    /// An earlier call has not ended, or ended without anybody taking its outcome. Nothing was done.
    #[error(
        "{call} is not possible now: {pending} was not waited for to its end; call {pending} again for its outcome"
    )]
    Pending {
        /// What was called.
        call: &'static str,
        /// The call whose outcome is not taken.
        pending: &'static str,
    },
    /// This transaction cannot be committed. After `abort_transaction` the producer can go on with the next.
    #[error(
        "the transaction of {transactional_id} cannot be committed: {reason}; call abort_transaction, then begin anew"
    )]
    Abortable {
        /// The transactional id.
        transactional_id: Arc<str>,
        /// The failure that came first.
        reason: Arc<str>,
        /// The broker's code, if one was the reason.
        code: Option<ErrorCode>,
    },
    /// Another producer with the same transactional id has taken over, or the transaction took longer than
    /// `transaction.timeout.ms` and the coordinator aborted it (it does not tell one from the other). This
    /// producer is of no use any more.
    #[error(
        "producer {transactional_id} is fenced ({code}): another one with its transactional.id has taken over, or \
             its transaction took longer than transaction.timeout.ms; close this one{}", uncertain(*.may_have_been_committed)
    )]
    Fenced {
        /// The transactional id.
        transactional_id: Arc<str>,
        /// What the broker said: `PRODUCER_FENCED` or `INVALID_PRODUCER_EPOCH`.
        code: ErrorCode,
        /// Whether the transaction may have been committed all the same: an earlier attempt got no answer.
        may_have_been_committed: bool,
    },
    /// The producer cannot go on; close it and start another.
    #[error("producer {transactional_id} cannot go on: {reason}; close it{}", uncertain(*.may_have_been_committed))]
    Fatal {
        /// The transactional id.
        transactional_id: Arc<str>,
        /// What happened, and what to look at.
        reason: Arc<str>,
        /// The broker's code, if one was the reason.
        code: Option<ErrorCode>,
        /// Whether the transaction may have been committed all the same: an earlier attempt got no answer.
        may_have_been_committed: bool,
    },
    /// `init_transactions` was refused, and may be called again once the reason is gone.
    #[error("transactions of {transactional_id} cannot be initialized: {reason}")]
    Refused {
        /// The transactional id.
        transactional_id: Arc<str>,
        /// What the coordinator said.
        reason: Arc<str>,
        /// Its code.
        code: Option<ErrorCode>,
    },
    /// `max.block.ms` is over. The call goes on in the background: call it again to go on waiting.
    #[error("{call} did not end within {} ms and goes on; call it again to wait for it{}", .after.as_millis(),
            .last.as_ref().map(|l| format!(". The last error was: {l}")).unwrap_or_default())]
    Timeout {
        /// What was called.
        call: &'static str,
        /// How long was waited.
        after: Duration,
        /// What stood in the way last.
        last: Option<Arc<str>>,
    },
    /// The producer was closed or dropped meanwhile.
    #[error("the producer of {transactional_id} was closed{}", uncertain(*.may_have_been_committed))]
    Closed {
        /// The transactional id.
        transactional_id: Arc<str>,
        /// Whether a commit was under way, whose outcome is unknown.
        may_have_been_committed: bool,
    },
}

impl TransactionError {
    /// Whether `abort_transaction` puts things right.
    pub fn is_abortable(&self) -> bool {
        matches!(self, Self::Abortable { .. })
    }

    /// Whether another instance has taken over (or the coordinator aborted a transaction that took too long).
    pub fn is_fenced(&self) -> bool {
        matches!(self, Self::Fenced { .. })
    }

    /// Whether this producer can do nothing more than be closed.
    pub fn is_fatal(&self) -> bool {
        matches!(self, Self::Fenced { .. } | Self::Fatal { .. } | Self::Closed { .. })
    }

    /// Whether the transaction may have been committed although this is an error: it ended for this producer
    /// while a commit was without answer, or still goes on.
    pub fn may_have_been_committed(&self) -> bool {
        match self {
            Self::Fenced { may_have_been_committed, .. }
            | Self::Fatal { may_have_been_committed, .. }
            | Self::Closed { may_have_been_committed, .. } => *may_have_been_committed,
            Self::Timeout { call, .. } => *call == "commit_transaction",
            _ => false,
        }
    }

    /// The broker's code, if one was the reason.
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Abortable { code, .. } | Self::Fatal { code, .. } | Self::Refused { code, .. } => *code,
            Self::Fenced { code, .. } => Some(*code),
            _ => None,
        }
    }
}

fn uncertain(may_have_been_committed: bool) -> &'static str {
    if may_have_been_committed { "; the transaction may or may not have been committed" } else { "" }
}
