//! Where the producer's acknowledgements meet a source task's bookkeeping.

use super::control::Counters;
use super::failure::TaskFailure;
use super::source_offsets::{SourceOffsets, Token};
use crate::config::connector::ErrorTolerance;
use crossdock_client::ErrorCode;
use crossdock_client::producer::{AckRun, AckSink, BatchMetadata, ProduceError};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Notify;

/// Called by the producer; asked by the task.
pub(crate) struct Acks {
    offsets: Mutex<SourceOffsets>,
    failed: Mutex<Option<TaskFailure>>,
    changed: Notify,
    counters: Arc<Counters>,
    tolerance: ErrorTolerance,
}

impl Acks {
    pub(crate) fn new(counters: Arc<Counters>, tolerance: ErrorTolerance) -> Self {
        Self {
            offsets: Mutex::default(),
            failed: Mutex::default(),
            changed: Notify::new(),
            counters,
            tolerance,
        }
    }

    pub(super) fn offsets(&self) -> std::sync::MutexGuard<'_, SourceOffsets> {
        self.offsets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until Kafka has refused a record. Cancel-safe.
    pub(super) async fn failure(&self) -> TaskFailure {
        loop {
            let changed = self.changed.notified();
            if let Some(failure) = self.failed.lock().unwrap_or_else(PoisonError::into_inner).take() {
                return failure;
            }
            changed.await;
        }
    }
}

impl AckSink for Acks {
    fn acknowledged(&self, runs: &[AckRun], outcome: Result<&BatchMetadata, &ProduceError>) {
        let total: u64 = runs.iter().map(|run| u64::from(run.count)).sum();
        match outcome {
            Ok(_) => {
                self.counters.add_records(total);
                self.counters.metrics().done(total, total);
            }
            // The task is ending: what was not acknowledged is read again at the next start.
            Err(ProduceError::Closed { .. }) => return,
            Err(error) if self.tolerance == ErrorTolerance::All && is_about_records(error) => {
                tracing::error!(%error, records = total, "Kafka refused records; they are skipped as errors.tolerance is all");
                self.counters.add_skipped(total);
                self.counters.metrics().done(total, 0);
            }
            Err(error) => {
                let failure = TaskFailure::Produce { reason: error.to_string() };
                self.failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(failure);
                self.changed.notify_one();
                return;
            }
        }
        let mut offsets = self.offsets();
        for run in runs {
            offsets.acknowledged(Token::from_u64(run.token), u64::from(run.count));
        }
    }
}

/// Whether the broker refused the records for what they are. Anything else, such as a broker that could
/// not be reached, is no reason to skip them, whatever is tolerated.
fn is_about_records(error: &ProduceError) -> bool {
    let codes = [
        ErrorCode::MESSAGE_TOO_LARGE,
        ErrorCode::RECORD_LIST_TOO_LARGE,
        ErrorCode::INVALID_RECORD,
        ErrorCode::INVALID_TIMESTAMP,
    ];
    matches!(error, ProduceError::Rejected { code, .. } if codes.contains(code))
}
