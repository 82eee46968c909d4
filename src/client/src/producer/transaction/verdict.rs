//! What a coordinator's error code means for the transaction, by request (Kafka's `TransactionManager`).

use super::step::Request;
use crate::error::ErrorCode;

/// What to do after a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The same request again, at another coordinator if this one is to be forgotten; `soon` if the
    /// coordinator is only completing the transaction before.
    Retry { forget: bool, soon: bool },
    /// The transaction can only be aborted.
    Abort,
    /// Another producer has taken over.
    Fenced,
    /// The producer cannot go on.
    Fatal,
}

pub(super) fn judge(request: Request, code: ErrorCode) -> Verdict {
    match code {
        ErrorCode::COORDINATOR_NOT_AVAILABLE | ErrorCode::NOT_COORDINATOR => {
            Verdict::Retry { forget: true, soon: false }
        }
        ErrorCode::CONCURRENT_TRANSACTIONS => Verdict::Retry { forget: false, soon: true },
        code if code.is_retriable() => {
            let forget = request == Request::CommitOffsets && code == ErrorCode::REQUEST_TIMED_OUT;
            Verdict::Retry { forget, soon: false }
        }
        // Coordinators before KIP-588 use the one code for both.
        ErrorCode::INVALID_PRODUCER_EPOCH | ErrorCode::PRODUCER_FENCED => Verdict::Fenced,
        ErrorCode::TRANSACTION_ABORTABLE | ErrorCode::UNKNOWN_PRODUCER_ID => Verdict::Abort,
        code if is_abortable(request, code) => Verdict::Abort,
        _ => Verdict::Fatal,
    }
}

/// Refusals that another attempt, in a new transaction, need not meet again.
fn is_abortable(request: Request, code: ErrorCode) -> bool {
    match request {
        Request::Init => matches!(
            code,
            ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED | ErrorCode::CLUSTER_AUTHORIZATION_FAILED
        ),
        Request::AddPartitions => !matches!(
            code,
            ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED
                | ErrorCode::INVALID_TXN_STATE
                | ErrorCode::INVALID_PRODUCER_ID_MAPPING
        ),
        Request::AddOffsets => code == ErrorCode::GROUP_AUTHORIZATION_FAILED,
        Request::CommitOffsets => matches!(
            code,
            ErrorCode::GROUP_AUTHORIZATION_FAILED
                | ErrorCode::TOPIC_AUTHORIZATION_FAILED
                | ErrorCode::FENCED_INSTANCE_ID
                | ErrorCode::UNKNOWN_MEMBER_ID
                | ErrorCode::ILLEGAL_GENERATION
                | ErrorCode::STALE_MEMBER_EPOCH
                | ErrorCode::OFFSET_METADATA_TOO_LARGE
        ),
        Request::End { .. } => false,
    }
}

/// Whether a refused batch ends the producer, rather than only its transaction.
pub(super) fn of_batch(code: Option<ErrorCode>) -> Verdict {
    match code {
        Some(ErrorCode::PRODUCER_FENCED) => Verdict::Fenced,
        Some(
            ErrorCode::CLUSTER_AUTHORIZATION_FAILED
            | ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED
            | ErrorCode::UNSUPPORTED_VERSION
            | ErrorCode::INVALID_PRODUCER_ID_MAPPING,
        ) => Verdict::Fatal,
        // INVALID_PRODUCER_EPOCH too: the coordinator knows whether the producer is fenced (KIP-588).
        _ => Verdict::Abort,
    }
}
