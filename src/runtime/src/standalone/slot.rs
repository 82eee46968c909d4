//! The place of a connector in the herder: its lock, and what is under way there.

use super::connector::RunningConnector;
use std::sync::{Mutex as StdMutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Mutex, MutexGuard, watch};

/// One connector. What is done to it is done one at a time, in the order in which it was asked for.
pub(super) struct Slot {
    connector: Mutex<RunningConnector>,
    interruptions: watch::Sender<u64>,
    doing: StdMutex<Option<(&'static str, Instant)>>,
}

impl Slot {
    /// `interruptions` ends the calls into the plugin that the connector's guard has under way.
    pub(super) fn new(connector: RunningConnector, interruptions: watch::Sender<u64>) -> Self {
        Self { connector: Mutex::new(connector), interruptions, doing: StdMutex::default() }
    }

    /// Waits for its turn.
    pub(super) async fn lock(&self) -> MutexGuard<'_, RunningConnector> {
        self.connector.lock().await
    }

    /// As [`Self::lock`] if nobody else has it.
    pub(super) fn try_lock(&self) -> Option<MutexGuard<'_, RunningConnector>> {
        self.connector.try_lock().ok()
    }

    /// As [`Self::lock`], to do this.
    pub(super) async fn lock_to(&self, what: &'static str) -> MutexGuard<'_, RunningConnector> {
        let connector = self.connector.lock().await;
        self.note(what);
        connector
    }

    /// As [`Self::lock_to`], but a call into the plugin that takes longer than `patience` ends: for what makes it
    /// pointless.
    pub(super) async fn seize_to(
        &self,
        what: &'static str,
        patience: Duration,
    ) -> MutexGuard<'_, RunningConnector> {
        let locking = self.connector.lock();
        tokio::pin!(locking);
        loop {
            match tokio::time::timeout(patience, &mut locking).await {
                Ok(connector) => {
                    self.note(what);
                    return connector;
                }
                Err(_) => self.interruptions.send_modify(|count| *count += 1),
            }
        }
    }

    fn note(&self, what: &'static str) {
        *self.doing.lock().unwrap_or_else(PoisonError::into_inner) = Some((what, Instant::now()));
    }

    /// What was begun last, and how long ago.
    pub(super) fn doing(&self) -> Option<(&'static str, Duration)> {
        let doing = self.doing.lock().unwrap_or_else(PoisonError::into_inner);
        doing.map(|(what, since)| (what, since.elapsed()))
    }
}
