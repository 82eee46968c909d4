//! Counts of the records of a task that failed (`ErrorHandlingMetrics`).

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Counts of one task since its start.
#[derive(Debug, Default)]
pub(crate) struct ErrorMetrics {
    failures: AtomicU64,
    errors: AtomicU64,
    skipped: AtomicU64,
    retries: AtomicU64,
    logged: AtomicU64,
    dead_letters: AtomicU64,
    dead_letter_failures: AtomicU64,
    /// Milliseconds since the epoch; 0 before the first.
    last: AtomicI64,
}

fn add(counter: &AtomicU64, count: u64) {
    counter.fetch_add(count, Ordering::Relaxed);
}

impl ErrorMetrics {
    /// A try has failed, whatever comes of it.
    pub(crate) fn failure(&self) {
        add(&self.failures, 1);
    }

    /// A record has failed for good.
    pub(crate) fn error(&self) {
        add(&self.errors, 1);
    }

    /// Notes when a record has failed for good.
    pub(crate) fn stamp(&self) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as i64);
        self.last.store(now, Ordering::Relaxed);
    }

    /// A record that failed was skipped.
    pub(crate) fn skipped(&self) {
        add(&self.skipped, 1);
    }

    /// Something that had failed was tried again.
    pub(crate) fn retry(&self) {
        add(&self.retries, 1);
    }

    /// A failed record was logged.
    pub(crate) fn logged(&self) {
        add(&self.logged, 1);
    }

    /// A record was sent to the dead letter queue.
    pub(crate) fn dead_letter(&self) {
        add(&self.dead_letters, 1);
    }

    /// Records did not get into the dead letter queue.
    pub(crate) fn dead_letters_failed(&self, count: u64) {
        add(&self.dead_letter_failures, count);
    }

    pub(super) fn readings(&self) -> [(&'static str, f64); 8] {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed) as f64;
        [
            ("deadletterqueue-produce-failures", of(&self.dead_letter_failures)),
            ("deadletterqueue-produce-requests", of(&self.dead_letters)),
            ("last-error-timestamp", self.last.load(Ordering::Relaxed) as f64),
            ("total-errors-logged", of(&self.logged)),
            ("total-record-errors", of(&self.errors)),
            ("total-record-failures", of(&self.failures)),
            ("total-records-skipped", of(&self.skipped)),
            ("total-retries", of(&self.retries)),
        ]
    }
}
