//! What the handle, the fetcher and the group's hooks share: the state of the partitions and what the
//! application has to be told.
//!
//! A change of the assignment is told in two steps: it is *delivered* by one call of `next`, and
//! *finished* by the following one, which shows that the application is done with it.
//!
//! Group protocols give an assignment either as a whole ([`Shared::end_assignment`], then
//! [`Shared::begin_assignment`]) or step by step ([`Shared::revoke`], [`Shared::extend_assignment`]), where
//! the other partitions go on meanwhile.

use super::commits::{Commits, Kind, Offsets};
use super::config::{ConsumerConfig, OffsetReset};
use super::error::ConsumerError;
use super::expansion::Expansion;
use super::state::{Limits, State};
use super::{ConsumerEvent, IsolationLevel};
use crate::cluster::Cluster;
use crate::error::ClientError;
use crate::group::OffsetAndMetadata;
use crate::metadata::TopicPartition;
use crate::sync::lock;
use std::collections::{HashSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, oneshot};

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) cluster: Cluster,
    pub(super) config: ConsumerConfig,
    pub(super) commits: Arc<Commits>,
    inner: Mutex<Inner>,
    /// Whether topics are subscribed to, rather than partitions assigned by hand.
    subscribed: AtomicBool,
    /// Wakes the fetcher: there may be something to ask.
    pub(super) to_fetcher: Notify,
    /// Wakes the application: there may be something to take.
    pub(super) to_application: Notify,
    pub(super) expansion: Expansion,
}

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) state: State,
    /// What is given up, and was not told yet. Comes before `assigned`.
    ended: Option<Ended>,
    /// The assignment has to be told.
    assigned: bool,
    /// An assignment was told since the group was joined.
    announced: bool,
    delivered: Option<Delivered>,
    /// For automatic commits: the partition of which the application has records in hand, and where they begin.
    in_hand: Option<(TopicPartition, i64)>,
    auto_commit_at: Option<Instant>,
    /// Errors that are told once and end nothing.
    notices: VecDeque<ConsumerError>,
    fatal: Option<ConsumerError>,
}

/// Partitions that are given up. The application was told that they were assigned.
#[derive(Debug)]
struct Ended {
    partitions: Vec<TopicPartition>,
    lost: bool,
    /// Who waits until the application is done with it; nobody after an error that ends the membership.
    waiting: Vec<oneshot::Sender<()>>,
}

#[derive(Debug)]
enum Delivered {
    Ended(Ended),
    Assigned,
}

impl Shared {
    pub(super) fn new(cluster: Cluster, config: ConsumerConfig) -> Arc<Self> {
        let limits = Limits {
            buffer_bytes: usize::try_from(config.fetch_max_bytes).unwrap_or(0).max(1),
            retry_backoff: cluster.config().retry_backoff,
            retry_backoff_max: cluster.config().retry_backoff_max,
            replica_max_age: cluster.config().metadata_max_age,
            reset: config.auto_offset_reset,
            has_group: config.group_id.is_some(),
        };
        let inner = Inner {
            state: State::new(limits),
            ended: None,
            assigned: false,
            announced: false,
            delivered: None,
            in_hand: None,
            auto_commit_at: None,
            notices: VecDeque::new(),
            fatal: None,
        };
        Arc::new(Self {
            cluster,
            config,
            commits: Arc::default(),
            inner: Mutex::new(inner),
            subscribed: AtomicBool::new(false),
            to_fetcher: Notify::new(),
            to_application: Notify::new(),
            expansion: Expansion::new(),
        })
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        lock(&self.inner)
    }

    pub(super) fn set_subscribed(&self, subscribed: bool) {
        self.subscribed.store(subscribed, Ordering::Relaxed);
    }

    /// Whether commits are made as a member of the group.
    pub(super) fn is_member(&self) -> bool {
        self.subscribed.load(Ordering::Relaxed)
    }

    /// The application is done with what it was told last.
    pub(super) fn finish_delivered(&self) {
        let mut inner = self.lock();
        match inner.delivered.take() {
            None => return,
            Some(Delivered::Ended(ended)) => {
                inner.state.remove(&ended.partitions);
                if let Some(group) = self.config.group_id.as_ref().filter(|_| ended.lost) {
                    self.commits.lose(group);
                }
                for done in ended.waiting {
                    self.commits.when_done(done);
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
        if subscribed {
            return;
        }
        let mut inner = self.lock();
        inner.state.tell_all();
        if inner.state.release() {
            self.to_fetcher.notify_one();
        }
    }

    /// The next thing for the application that is not records: changes of the assignment, then errors.
    pub(super) fn take_change(&self) -> Option<Result<ConsumerEvent, ConsumerError>> {
        let mut inner = self.lock();
        if let Some(change) = inner.deliver() {
            if let ConsumerEvent::Revoked(partitions) = &change {
                self.auto_commit(&mut inner, partitions);
            }
            return Some(Ok(change));
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
        if let (Ok(records), Some(_)) = (&taken, self.config.auto_commit_interval) {
            inner.in_hand = Some((records.topic_partition(), records.start_offset));
        }
        if inner.state.is_blocked() {
            self.to_fetcher.notify_one();
        }
        Some(taken.map(ConsumerEvent::Records))
    }

    pub(super) fn seek(&self, partition: &TopicPartition, offset: i64) -> bool {
        let mut inner = self.lock();
        // What is in hand of it does not count any more.
        inner.in_hand.take_if(|(in_hand, _)| in_hand == partition);
        inner.state.seek(partition, offset)
    }

    /// The application asks for records: it is done with those that it had. Commits the positions of a group's
    /// member if they are to be committed by themselves and it is time.
    pub(super) fn auto_commit_at_interval(&self) {
        let Some(interval) = self.config.auto_commit_interval else { return };
        let mut inner = self.lock();
        inner.in_hand = None;
        let now = Instant::now();
        let at = *inner.auto_commit_at.get_or_insert(now + interval);
        if now >= at {
            inner.auto_commit_at = Some(now + interval);
            let all = inner.state.told();
            self.auto_commit(&mut inner, &all);
        }
    }

    /// When positions are to be committed next, if that happens by itself.
    pub(super) fn auto_commit_due(&self) -> Option<Instant> {
        self.config.auto_commit_interval?;
        self.lock().auto_commit_at
    }

    /// Commits all positions at the end, if that happens by itself.
    pub(super) fn auto_commit_last(&self) {
        let mut inner = self.lock();
        inner.in_hand = None;
        let all = inner.state.told();
        self.auto_commit(&mut inner, &all);
    }

    fn auto_commit(&self, inner: &mut Inner, partitions: &[TopicPartition]) {
        if self.config.auto_commit_interval.is_none() || self.config.group_id.is_none() {
            return;
        }
        let position = |tp: &TopicPartition| match &inner.in_hand {
            // Records that the application still works on do not count.
            Some((in_hand, start)) if in_hand == tp => Some((*start, -1)),
            _ => Some((inner.state.position(tp)?, inner.state.position_epoch(tp))),
        };
        let offset = |tp: &TopicPartition| {
            let (offset, leader_epoch) = position(tp)?;
            Some((tp.clone(), OffsetAndMetadata { leader_epoch, ..OffsetAndMetadata::new(offset) }))
        };
        let offsets: Offsets = partitions.iter().filter_map(offset).collect();
        if !offsets.is_empty() {
            drop(self.commits.push(offsets, Kind::Automatic, self.is_member()));
        }
    }

    /// The whole assignment ends. `None` if the application has nothing to give up; else it answers.
    pub(super) fn end_assignment(&self, lost: bool) -> Option<oneshot::Receiver<()>> {
        let mut inner = self.lock();
        if lost {
            inner.announced = false;
        }
        let all = inner.state.assignment();
        self.end(&mut inner, &all, lost)
    }

    /// These partitions are given up, the others stay. `None` if the application was told of none of them;
    /// else it answers.
    pub(super) fn revoke(&self, partitions: &[TopicPartition]) -> Option<oneshot::Receiver<()>> {
        self.end(&mut self.lock(), partitions, false)
    }

    fn end(
        &self,
        inner: &mut Inner,
        partitions: &[TopicPartition],
        lost: bool,
    ) -> Option<oneshot::Receiver<()>> {
        if !inner.end(partitions, lost) {
            return None;
        }
        let (done, wait) = oneshot::channel();
        inner.ended.as_mut()?.waiting.push(done);
        self.to_application.notify_one();
        Some(wait)
    }

    /// What is being given up is lost already, and so is the rest; matters only if nobody was told yet.
    pub(super) fn lose_meanwhile(&self) {
        let mut inner = self.lock();
        if inner.ended.is_some() {
            let all = inner.state.assignment();
            inner.end(&all, true);
        }
    }

    /// A new assignment begins, after the last one has ended.
    pub(super) fn begin_assignment(&self, partitions: &[TopicPartition]) {
        let mut inner = self.lock();
        inner.state.assign(partitions);
        inner.assigned = true;
        self.to_application.notify_one();
    }

    /// Adds partitions; those that are assigned already go on undisturbed. The application is told if any
    /// is new, or if nothing was told since the group was joined. What was revoked must have been answered.
    pub(super) fn extend_assignment(&self, partitions: &[TopicPartition]) {
        let mut inner = self.lock();
        let added = inner.state.add(partitions);
        if added || !inner.announced {
            inner.assigned = true;
            self.to_application.notify_one();
        }
    }

    /// Tells the application of an error that ends nothing.
    pub(super) fn report(&self, error: ConsumerError) {
        self.lock().notices.push_back(error);
        self.to_application.notify_one();
    }

    /// Tells the application that the cluster refuses the client, unless it has yet to hear that.
    pub(super) fn report_refusal(&self, error: ClientError) {
        let told =
            |notice: &ConsumerError| matches!(notice, ConsumerError::Client(e) if e.is_authentication());
        let known = self.lock().notices.iter().any(told);
        if !known {
            self.report(error.into());
        }
    }

    /// As [`Self::report_refusal`], if it is one.
    pub(super) fn report_if_refused(&self, error: ClientError) {
        if error.is_authentication() {
            self.report_refusal(error);
        }
    }

    /// The membership has ended by an error.
    pub(super) fn fail(&self, error: ConsumerError) {
        let mut inner = self.lock();
        let all = inner.state.assignment();
        inner.end(&all, true);
        inner.announced = false;
        inner.fatal = Some(error);
        self.to_application.notify_one();
    }

    /// Forgets the assignment and all that the application was not told of.
    pub(super) fn reset(&self) {
        let mut inner = self.lock();
        inner.state.clear();
        inner.ended = None;
        (inner.assigned, inner.announced) = (false, false);
        inner.delivered = None;
        inner.in_hand = None;
        inner.notices.clear();
        inner.fatal = None;
    }
}

impl Inner {
    /// Whether all positions are known, or there is something to be taken first.
    pub(super) fn is_located(&self) -> bool {
        self.ended.is_some()
            || self.assigned
            || !self.notices.is_empty()
            || self.fatal.is_some()
            || self.state.all_located()
    }

    /// Gives partitions up: at once those that the application was not told of; the others are to be told.
    /// False if there are none of these.
    fn end(&mut self, partitions: &[TopicPartition], lost: bool) -> bool {
        let ending: HashSet<_> = partitions.iter().collect();
        let (told, untold): (Vec<_>, Vec<_>) = {
            let told: HashSet<_> = self.state.told().into_iter().collect();
            partitions.iter().cloned().partition(|tp| told.contains(tp))
        };
        let anything_else = self.state.assignment().iter().any(|tp| !ending.contains(tp));
        self.state.remove(&untold);
        self.assigned &= anything_else;
        // The application is busy giving these up.
        let busy = match &self.delivered {
            Some(Delivered::Ended(ended)) => &ended.partitions[..],
            _ => &[],
        };
        let mut told: Vec<_> = told.into_iter().filter(|tp| !busy.contains(tp)).collect();
        let before = self.ended.take();
        told.extend(before.iter().flat_map(|e| e.partitions.iter().cloned()));
        told.sort_unstable();
        told.dedup();
        self.state.rest_these(&told);
        let (was_lost, waiting) = before.map_or((false, Vec::new()), |e| (e.lost, e.waiting));
        if told.is_empty() {
            return false;
        }
        self.ended = Some(Ended { partitions: told, lost: lost || was_lost, waiting });
        true
    }

    fn deliver(&mut self) -> Option<ConsumerEvent> {
        if let Some(ended) = self.ended.take() {
            let partitions = ended.partitions.clone();
            let lost = ended.lost;
            self.delivered = Some(Delivered::Ended(ended));
            return Some(if lost {
                ConsumerEvent::Lost(partitions)
            } else {
                ConsumerEvent::Revoked(partitions)
            });
        }
        if std::mem::take(&mut self.assigned) {
            self.announced = true;
            self.state.tell_all();
            self.delivered = Some(Delivered::Assigned);
            return Some(ConsumerEvent::Assigned(self.state.assignment()));
        }
        None
    }
}

impl OffsetReset {
    /// The timestamp that ListOffsets takes for it, `now` being the time since 1970.
    pub(super) fn timestamp(self, now: Duration) -> i64 {
        match self {
            Self::Earliest => -2,
            Self::Latest | Self::None => -1,
            // Negative timestamps have other meanings.
            Self::ByDuration(ago) => i64::try_from(now.saturating_sub(ago).as_millis()).unwrap_or(i64::MAX),
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

#[cfg(test)]
mod tests;
