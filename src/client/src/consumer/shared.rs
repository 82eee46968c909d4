//! What the handle, the fetcher and the group's hooks share: the state of the partitions and what the
//! application has to be told.
//!
//! A change of the assignment is told in two steps: it is *delivered* by one call of `next`, and
//! *finished* by the following one, which shows that the application is done with it.

use super::config::{ConsumerConfig, OffsetReset};
use super::error::ConsumerError;
use super::state::{Limits, State};
use super::{ConsumerEvent, IsolationLevel};
use crate::cluster::Cluster;
use crate::metadata::TopicPartition;
use crate::sync::lock;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::{Notify, oneshot};

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) cluster: Cluster,
    pub(super) config: ConsumerConfig,
    inner: Mutex<Inner>,
    /// Wakes the fetcher: there may be something to ask.
    pub(super) to_fetcher: Notify,
    /// Wakes the application: there may be something to take.
    pub(super) to_application: Notify,
}

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) state: State,
    pending: Option<Change>,
    delivered: Option<Delivered>,
    /// Errors that are told once and end nothing.
    notices: VecDeque<ConsumerError>,
    fatal: Option<ConsumerError>,
}

/// A change of the assignment that the application has not been told of.
#[derive(Debug)]
enum Change {
    Revoked(oneshot::Sender<()>),
    Lost(oneshot::Sender<()>),
    /// Lost for good: the error follows.
    LostForGood,
    Assigned,
}

#[derive(Debug)]
enum Delivered {
    Ended(Option<oneshot::Sender<()>>),
    Assigned,
}

impl Shared {
    pub(super) fn new(cluster: Cluster, config: ConsumerConfig) -> Arc<Self> {
        let limits = Limits {
            buffer_bytes: usize::try_from(config.fetch_max_bytes).unwrap_or(0).max(1),
            retry_backoff: cluster.config().retry_backoff,
            retry_backoff_max: cluster.config().retry_backoff_max,
            reset: config.auto_offset_reset,
            has_group: config.group_id.is_some(),
        };
        let inner = Inner {
            state: State::new(limits),
            pending: None,
            delivered: None,
            notices: VecDeque::new(),
            fatal: None,
        };
        Arc::new(Self {
            cluster,
            config,
            inner: Mutex::new(inner),
            to_fetcher: Notify::new(),
            to_application: Notify::new(),
        })
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        lock(&self.inner)
    }

    /// The application is done with what it was told last.
    pub(super) fn finish_delivered(&self) {
        let mut inner = self.lock();
        match inner.delivered.take() {
            None => return,
            Some(Delivered::Ended(done)) => {
                inner.state.clear();
                if let Some(done) = done {
                    // Nobody waits if the group was left meanwhile.
                    let _ = done.send(());
                }
            }
            Some(Delivered::Assigned) => {
                inner.state.release();
            }
        }
        self.to_fetcher.notify_one();
    }

    /// Lets partitions that were assigned by hand go to work; those of a group wait for their event.
    pub(super) fn release_manual(&self, subscribed: bool) {
        if !subscribed && self.lock().state.release() {
            self.to_fetcher.notify_one();
        }
    }

    /// The next thing for the application that is not records: changes of the assignment, then errors.
    pub(super) fn take_change(&self) -> Option<Result<ConsumerEvent, ConsumerError>> {
        let mut inner = self.lock();
        if let Some(change) = inner.pending.take() {
            return Some(Ok(inner.deliver(change)));
        }
        if let Some(notice) = inner.notices.pop_front() {
            return Some(Err(notice));
        }
        inner.fatal.as_ref().map(|error| Err(error.clone()))
    }

    /// The next thing for the application: changes before records, errors of the group last.
    pub(super) fn take(&self) -> Option<Result<ConsumerEvent, ConsumerError>> {
        if let Some(change) = self.take_change() {
            return Some(change);
        }
        let mut inner = self.lock();
        let taken = inner.state.take()?;
        if inner.state.is_blocked() {
            self.to_fetcher.notify_one();
        }
        Some(taken.map(ConsumerEvent::Records))
    }

    /// The assignment ends. `None` if the application has nothing to give up; else it answers.
    pub(super) fn end_assignment(&self, lost: bool) -> Option<oneshot::Receiver<()>> {
        let mut inner = self.lock();
        let never_told = matches!(inner.pending.take(), Some(Change::Assigned));
        if never_told || inner.state.assignment().is_empty() {
            inner.state.clear();
            return None;
        }
        inner.state.rest_all();
        let (done, wait) = oneshot::channel();
        inner.pending = Some(if lost { Change::Lost(done) } else { Change::Revoked(done) });
        self.to_application.notify_one();
        Some(wait)
    }

    /// The assignment that is being given up is lost already; matters only if nobody was told yet.
    pub(super) fn lose_meanwhile(&self) {
        let mut inner = self.lock();
        inner.pending = match inner.pending.take() {
            Some(Change::Revoked(done)) => Some(Change::Lost(done)),
            other => other,
        };
    }

    pub(super) fn begin_assignment(&self, partitions: &[TopicPartition]) {
        let mut inner = self.lock();
        inner.state.assign(partitions);
        inner.pending = Some(Change::Assigned);
        self.to_application.notify_one();
    }

    /// Tells the application of an error that ends nothing.
    pub(super) fn report(&self, error: ConsumerError) {
        self.lock().notices.push_back(error);
        self.to_application.notify_one();
    }

    /// The membership has ended by an error.
    pub(super) fn fail(&self, error: ConsumerError) {
        let mut inner = self.lock();
        let told = !matches!(inner.pending.take(), Some(Change::Assigned))
            && !matches!(inner.delivered, Some(Delivered::Ended(_)));
        if told && !inner.state.assignment().is_empty() {
            inner.state.rest_all();
            inner.pending = Some(Change::LostForGood);
        } else {
            inner.state.clear();
        }
        inner.fatal = Some(error);
        self.to_application.notify_one();
    }

    /// Forgets the assignment and all that the application was not told of.
    pub(super) fn reset(&self) {
        let mut inner = self.lock();
        inner.state.clear();
        inner.pending = None;
        inner.delivered = None;
        inner.notices.clear();
        inner.fatal = None;
    }
}

impl Inner {
    /// Whether all positions are known, or there is something to be taken first.
    pub(super) fn is_located(&self) -> bool {
        self.pending.is_some() || !self.notices.is_empty() || self.fatal.is_some() || self.state.all_located()
    }

    fn deliver(&mut self, change: Change) -> ConsumerEvent {
        let partitions = self.state.assignment();
        let (delivered, event) = match change {
            Change::Revoked(done) => (Delivered::Ended(Some(done)), ConsumerEvent::Revoked(partitions)),
            Change::Lost(done) => (Delivered::Ended(Some(done)), ConsumerEvent::Lost(partitions)),
            Change::LostForGood => (Delivered::Ended(None), ConsumerEvent::Lost(partitions)),
            Change::Assigned => (Delivered::Assigned, ConsumerEvent::Assigned(partitions)),
        };
        self.delivered = Some(delivered);
        event
    }
}

impl OffsetReset {
    /// The timestamp that ListOffsets takes for it.
    pub(super) fn timestamp(self) -> i64 {
        match self {
            Self::Earliest => -2,
            Self::Latest | Self::None => -1,
        }
    }
}

impl IsolationLevel {
    /// The protocol's number.
    pub(super) fn number(self) -> i8 {
        match self {
            Self::ReadUncommitted => 0,
            Self::ReadCommitted => 1,
        }
    }
}
