//! A log that can be shared, and waited for.

use super::{AppendError, Appended, PartitionLog};
use crate::sync::lock;
use crossdock_wire::Batch;
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use tokio::sync::Notify;

/// One partition. Fetches that wait for data register a [`Notify`], which the next append wakes.
#[derive(Debug)]
pub(crate) struct Partition {
    log: Mutex<PartitionLog>,
    waiting: Mutex<Vec<Weak<Notify>>>,
}

impl Partition {
    pub(crate) fn new(log: PartitionLog) -> Self {
        Self { log: Mutex::new(log), waiting: Mutex::new(Vec::new()) }
    }

    /// The log, for reads.
    pub(crate) fn log(&self) -> MutexGuard<'_, PartitionLog> {
        lock(&self.log)
    }

    /// Appends a validated batch and wakes the fetches that wait.
    pub(crate) fn append(&self, batch: &Batch, append_time: Option<i64>) -> Result<Appended, AppendError> {
        let appended = self.log().append(batch.bytes(), batch.header(), append_time)?;
        self.wake();
        Ok(appended)
    }

    /// Wakes `waiter` at the next append. A waiter must be registered before the log is looked at, so
    /// that no append falls between.
    pub(crate) fn register(&self, waiter: &Arc<Notify>) {
        let mut waiting = lock(&self.waiting);
        waiting.retain(|known| known.strong_count() > 0);
        waiting.push(Arc::downgrade(waiter));
    }

    /// Wakes all who wait: after an append, or when the partition is deleted.
    pub(crate) fn wake(&self) {
        for waiter in lock(&self.waiting).drain(..).filter_map(|known| known.upgrade()) {
            waiter.notify_one();
        }
    }
}
