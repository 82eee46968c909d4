//! All that happens to the failed records of one task.

use super::capture::Capture;
use super::dead_letters::DeadLetters;
use super::report::{Shown, message, trace};
use super::{Failed, Original, Originals, Retry, Stage};
use crate::config::connector::ErrorTolerance;
use crate::config::{ConnectorConfig, WorkerConfig};
use crate::herder::TaskId;
use crate::metrics::ErrorMetrics;
use crate::task::{Counters, TaskFailure};
use crossdock_api::{ConnectError, ErrorKind, Plugins, RecordRef};
use std::sync::Arc;

/// Where failed records are from.
pub(crate) enum Origin<'a> {
    /// From Kafka.
    Kafka(&'a Originals),
    /// From a source; gives where in it the record of an ordinal is.
    Source(&'a (dyn Fn(u32) -> String + Sync)),
}

/// Tries again, logs, sends to the dead letter queue, and decides what is skipped.
pub(crate) struct ErrorHandler {
    id: TaskId,
    tolerance: ErrorTolerance,
    retry: Retry,
    log: bool,
    log_messages: bool,
    as_connect: bool,
    dead_letters: Option<DeadLetters>,
    /// For sources with a dead letter queue.
    capture: Option<Capture>,
    counters: Arc<Counters>,
}

impl ErrorHandler {
    /// A handler by a connector's `errors.*` keys, with no dead letter queue yet.
    pub(crate) fn new(
        id: TaskId,
        worker: &WorkerConfig,
        connector: &ConnectorConfig,
        counters: Arc<Counters>,
    ) -> Self {
        Self {
            id,
            tolerance: connector.tolerance(),
            retry: connector.retry(),
            log: connector.log_errors(),
            log_messages: connector.log_messages(),
            as_connect: worker.is_strict(),
            dead_letters: None,
            capture: None,
            counters,
        }
    }

    /// The same with the dead letter queue, if the connector has one. Waits for Kafka. Cancel-safe.
    pub(crate) async fn with_dead_letters(
        mut self,
        worker: &WorkerConfig,
        connector: &ConnectorConfig,
    ) -> Result<Self, TaskFailure> {
        if let Some(queue) = connector.dead_letter_queue() {
            let started =
                DeadLetters::start(self.id.clone(), worker, connector, queue, Arc::clone(&self.counters))
                    .await?;
            self.dead_letters = Some(started);
        }
        Ok(self)
    }

    /// The same for a source: its dead letters are made of what it gave.
    ///
    /// # Errors
    /// If the plugins lack what that takes.
    pub(crate) fn with_capture(mut self, plugins: &Plugins) -> Result<Self, TaskFailure> {
        self.capture = self.dead_letters.is_some().then(|| Capture::new(plugins)).transpose()?;
        Ok(self)
    }

    /// What the dead letter of a record will be, if it is of a source that has a queue.
    pub(crate) fn capture(&self, record: RecordRef<'_>) -> Option<Original> {
        self.capture.as_ref().map(|capture| capture.of(record))
    }

    /// How to try again what failed for now.
    pub(crate) fn retry(&self) -> Retry {
        self.retry
    }

    /// `errors.tolerance`.
    pub(crate) fn tolerance(&self) -> ErrorTolerance {
        self.tolerance
    }

    /// Whether a record that failed like this is skipped.
    pub(crate) fn tolerates(&self, error: &ConnectError) -> bool {
        // Connect does not count what failed for now and was given up, and so skips it whatever is tolerated.
        self.tolerance == ErrorTolerance::All || (self.as_connect && error.kind() == ErrorKind::Retriable)
    }

    /// Counts of failed records.
    pub(crate) fn metrics(&self) -> &ErrorMetrics {
        self.counters.metrics().errors()
    }

    /// Whether logs need what records of sources were.
    pub(crate) fn shows_records(&self) -> bool {
        self.log && self.log_messages
    }

    /// Reports failed records in their order, up to the first that is not tolerated, which is given back.
    /// What is sent to a dead letter queue is under way after this: see [`ErrorHandler::settled`].
    pub(crate) async fn report(
        &self,
        mut failed: Vec<Failed>,
        origin: Origin<'_>,
    ) -> Result<Option<Failed>, TaskFailure> {
        failed.sort_by_key(|failed| failed.index);
        for failed in failed {
            let metrics = self.metrics();
            metrics.stamp();
            let reported = failed.stage == Stage::TaskPut;
            if reported {
                metrics.failure();
            }
            self.log(&failed, &origin);
            if let Some(queue) = &self.dead_letters {
                self.bury(queue, &failed, &origin).await?;
            }
            let tolerated = self.tolerates(&failed.error);
            // As Connect counts: what a task reports is an error only if it ends the task, and is not skipped.
            if !(reported && tolerated) {
                metrics.error();
            }
            if !tolerated {
                return Ok(Some(failed));
            }
            if !reported {
                metrics.skipped();
            }
            self.counters.add_skipped(1);
        }
        Ok(None)
    }

    async fn bury(
        &self,
        queue: &DeadLetters,
        failed: &Failed,
        origin: &Origin<'_>,
    ) -> Result<(), TaskFailure> {
        match (origin, &failed.captured) {
            (Origin::Kafka(originals), _) => {
                let Some(original) = originals.find(failed.offset) else { return Ok(()) };
                self.metrics().dead_letter();
                queue.send(failed, originals.partition(), original).await
            }
            (Origin::Source(place), Some(captured)) => {
                self.metrics().dead_letter();
                queue.send_captured(failed, &place(failed.ordinal), captured).await
            }
            (Origin::Source(_), None) => Ok(()),
        }
    }

    /// Waits until all dead letters are in Kafka: before offsets of their records are committed.
    pub(crate) async fn settled(&self) -> Result<(), TaskFailure> {
        match &self.dead_letters {
            Some(queue) => queue.settled().await,
            None => Ok(()),
        }
    }

    fn log(&self, failed: &Failed, origin: &Origin<'_>) {
        if !self.log {
            return;
        }
        self.metrics().logged();
        let shown = match origin {
            _ if !self.log_messages => Shown::Nothing,
            Origin::Kafka(originals) => originals
                .find(failed.offset)
                .map_or(Shown::Nothing, |original| Shown::Consumed(originals.partition(), original)),
            Origin::Source(place) => {
                Shown::Source(place(failed.ordinal), failed.text.as_deref().unwrap_or_default())
            }
        };
        tracing::error!("{}\n{}", message(&self.id, failed, &shown), trace(&failed.error).trim_end());
    }
}
