//! One batch on its way through a pipeline: what stages could not handle is tried again, and taken out.

use crate::errors::{ErrorHandler, Failed, Stage, describe};
use crossdock_api::{ConnectError, ErrorKind, Failures, RecordBatch};
use tokio::time::Instant;

/// One stage of the pipeline.
#[derive(Clone, Copy)]
pub(super) struct Operation<'a> {
    pub(super) stage: Stage,
    /// The part of the pipeline, for messages.
    pub(super) part: &'a str,
    /// Java class of the part.
    pub(super) class: &'a str,
}

/// A batch on its way.
pub(super) struct Run<'a> {
    errors: &'a ErrorHandler,
    failed: Vec<Failed>,
}

impl<'a> Run<'a> {
    pub(super) fn new(errors: &'a ErrorHandler) -> Self {
        Self { errors, failed: Vec::new() }
    }

    /// The records that could not be handled, by stage.
    pub(super) fn into_failed(self) -> Vec<Failed> {
        self.failed
    }

    /// Puts the batch through a stage.
    pub(super) async fn stage(
        &mut self,
        batch: &mut RecordBatch,
        operation: Operation<'_>,
        mut work: impl FnMut(&mut RecordBatch, &mut Failures) + Send,
    ) {
        let mut failures = Failures::new();
        work(batch, &mut failures);
        if failures.is_empty() {
            return;
        }
        let mut failed = failures.take();
        failed.sort_by_key(|(index, _)| *index);
        for (index, error) in failed {
            self.errors.metrics().failure();
            let Some(error) = self.retried(batch, index, error, &mut work).await else { continue };
            let ends = !self.errors.tolerates(&error);
            self.note(batch, index, operation, error);
            batch.drop_record(index);
            if ends {
                // The stages after this only see the records before, so what they find is earlier.
                (index..batch.len()).for_each(|later| batch.drop_record(later));
                return;
            }
        }
    }

    /// Tries again what failed for now, as long as that is wanted; gives the error that remains.
    async fn retried(
        &self,
        batch: &mut RecordBatch,
        index: usize,
        mut error: ConnectError,
        work: &mut (impl FnMut(&mut RecordBatch, &mut Failures) + Send),
    ) -> Option<ConnectError> {
        let (began, mut tries) = (Instant::now(), 1);
        while error.kind() == ErrorKind::Retriable
            && let Some(delay) = self.errors.retry().delay(tries, began.elapsed())
        {
            tracing::debug!(%error, ?delay, tries, "a record could not be handled for now");
            tokio::time::sleep(delay).await;
            tries += 1;
            self.errors.metrics().retry();
            let mut failures = Failures::new();
            batch.isolate(index, |batch| work(batch, &mut failures));
            error = failures.take().pop()?.1;
            self.errors.metrics().failure();
        }
        Some(error)
    }

    fn note(&mut self, batch: &RecordBatch, index: usize, operation: Operation<'_>, error: ConnectError) {
        let (ordinal, offset) = batch.position(index);
        let captured = batch.get(index).and_then(|record| self.errors.capture(record));
        let text = batch.get(index).filter(|_| self.errors.shows_records()).map(describe);
        let Operation { stage, part, class } = operation;
        let (part, class) = (part.to_owned(), class.to_owned());
        self.failed.push(Failed { index, ordinal, offset, stage, part, class, error, text, captured });
    }
}
