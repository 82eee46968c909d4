//! The order of commits: one request at a time, so that an older commit never comes after a newer one.
//!
//! ```text
//! commit ──────────┐                    (alone)
//! commit_async ────┼─▶ queue ─▶ task ─▶ OffsetCommit ─▶ handles
//! automatic ───────┘                    (those that wait are made as one)
//! ```
//!
//! Partitions that are given up go to others only when all that was asked for before is committed
//! ([`Commits::when_done`]), so that nothing of it comes after the next owner has begun. What is asked for later,
//! for partitions that are kept, does not hold that up. What waits when the membership is lost is not
//! committed at all.

use super::membership::Membership;
use crate::cluster::Cluster;
use crate::error::{ClientError, ErrorCode};
use crate::group::offsets::{self, TOPIC_PATIENCE};
use crate::group::{CommitError, OffsetAndMetadata};
use crate::metadata::TopicPartition;
use crate::sync::lock;
use std::collections::{HashMap, VecDeque};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::{Notify, oneshot};

pub(super) type Offsets = HashMap<TopicPartition, OffsetAndMetadata>;

/// The outcome of a commit that goes on by itself. Dropping it changes nothing.
#[derive(Debug)]
pub struct CommitHandle(oneshot::Receiver<Result<(), CommitError>>);

impl Future for CommitHandle {
    type Output = Result<(), CommitError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        // The sender is only dropped with the consumer.
        Pin::new(&mut self.0).poll(context).map(|outcome| outcome.unwrap_or(Err(ClientError::Closed.into())))
    }
}

impl CommitHandle {
    /// A commit that was refused before it began.
    pub(super) fn failed(error: CommitError) -> Self {
        let (tell, outcome) = oneshot::channel();
        let _ = tell.send(Err(error));
        Self(outcome)
    }
}

/// How a commit is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// By a request of its own, whose outcome is about these offsets only.
    Alone,
    /// With others that wait.
    Together,
    /// As before; nobody waits for the outcome.
    Automatic,
}

#[derive(Debug)]
pub(super) struct Commit {
    /// Number of the first of those that are made as one.
    first: u64,
    offsets: Offsets,
    alone: bool,
    automatic: bool,
    as_member: bool,
    waiting: Vec<oneshot::Sender<Result<(), CommitError>>>,
}

/// The queue.
#[derive(Debug, Default)]
pub(super) struct Commits {
    inner: Mutex<Inner>,
    added: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    queue: VecDeque<Commit>,
    /// The commit under way, by the number of its first.
    busy: Option<u64>,
    /// The number of the next commit that is asked for.
    next: u64,
    /// Who waits for all commits below a number.
    waiting: Vec<(u64, oneshot::Sender<()>)>,
}

impl Commits {
    /// Adds a commit, as a member of the group or without membership.
    pub(super) fn push(&self, offsets: Offsets, kind: Kind, as_member: bool) -> CommitHandle {
        let (tell, outcome) = oneshot::channel();
        let alone = kind == Kind::Alone;
        let mut inner = lock(&self.inner);
        let commit = Commit {
            first: inner.next,
            offsets,
            alone,
            automatic: kind == Kind::Automatic,
            as_member,
            waiting: if kind == Kind::Automatic { Vec::new() } else { vec![tell] },
        };
        inner.next += 1;
        match inner.queue.back_mut() {
            Some(last) if !last.alone && !alone && last.as_member == as_member => {
                last.offsets.extend(commit.offsets);
                last.automatic |= commit.automatic;
                last.waiting.extend(commit.waiting);
            }
            _ => inner.queue.push_back(commit),
        }
        drop(inner);
        self.added.notify_one();
        CommitHandle(outcome)
    }

    /// Tells `done` once all commits that were asked for so far are made.
    pub(super) fn when_done(&self, done: oneshot::Sender<()>) {
        let mut inner = lock(&self.inner);
        let below = inner.next;
        inner.waiting.push((below, done));
        inner.tell_done();
    }

    /// The membership was lost: others may have the partitions.
    pub(super) fn lose(&self, group: &Arc<str>) {
        let mut inner = lock(&self.inner);
        let (lost, rest) = std::mem::take(&mut inner.queue).into_iter().partition(|commit| commit.as_member);
        inner.queue = rest;
        inner.tell_done();
        drop(inner);
        let code = ErrorCode::UNKNOWN_MEMBER_ID;
        let lost: VecDeque<Commit> = lost;
        for commit in lost {
            commit.settle(group, &Err(CommitError::IllegalGeneration { group: group.clone(), code }));
        }
    }

    async fn next(&self) -> Commit {
        loop {
            {
                let mut inner = lock(&self.inner);
                if let Some(commit) = inner.queue.pop_front() {
                    inner.busy = Some(commit.first);
                    return commit;
                }
            }
            self.added.notified().await;
        }
    }

    fn finish(&self, group: &Arc<str>, commit: Commit, outcome: &Result<(), CommitError>) {
        commit.settle(group, outcome);
        let mut inner = lock(&self.inner);
        inner.busy = None;
        inner.tell_done();
    }
}

impl Inner {
    fn tell_done(&mut self) {
        let oldest = self.busy.or_else(|| self.queue.front().map(|commit| commit.first));
        let is_done = |below: u64| oldest.is_none_or(|oldest| oldest >= below);
        for (_, done) in self.waiting.extract_if(.., |(below, _)| is_done(*below)) {
            // Nobody waits if the group was left meanwhile.
            let _ = done.send(());
        }
    }
}

impl Commit {
    /// How long the coordinator may need to learn of a topic. An automatic commit comes again soon; it must not
    /// hold up those that somebody waits for.
    fn patience(&self) -> Duration {
        if self.waiting.is_empty() { Duration::ZERO } else { TOPIC_PATIENCE }
    }

    fn settle(self, group: &Arc<str>, outcome: &Result<(), CommitError>) {
        if let Err(error) = outcome
            && self.automatic
        {
            tracing::warn!(group = &**group, %error, "positions were not committed");
        }
        for waiting in self.waiting {
            // Whoever does not want to know has dropped the handle.
            let _ = waiting.send(outcome.clone());
        }
    }
}

/// Makes one commit after the other. Runs until it is aborted.
pub(super) async fn run(commits: Arc<Commits>, cluster: Cluster, membership: Arc<Membership>) {
    let group = membership.group_id().clone();
    loop {
        let commit = commits.next().await;
        let patience = commit.patience();
        let outcome = if commit.as_member {
            membership.commit(&commit.offsets, patience).await
        } else {
            offsets::commit_without_membership_within(&cluster, &group, &commit.offsets, patience).await
        };
        commits.finish(&group, commit, &outcome);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(partition: i32, offset: i64) -> Offsets {
        HashMap::from([(TopicPartition::new("t", partition), OffsetAndMetadata::new(offset))])
    }

    fn show(commit: &Commit) -> Vec<(i32, i64)> {
        let mut all: Vec<_> = commit.offsets.iter().map(|(tp, o)| (tp.partition, o.offset)).collect();
        all.sort_unstable();
        all
    }

    #[tokio::test]
    async fn what_waits_is_made_as_one_and_newer_offsets_count() {
        let (commits, group) = (Commits::default(), Arc::from("g"));
        let first = commits.push(at(0, 1), Kind::Together, true);
        let under_way = commits.next().await;
        let second = commits.push(at(0, 2), Kind::Together, true);
        commits.push(at(1, 5), Kind::Automatic, true);
        let third = commits.push(at(0, 3), Kind::Together, true);
        let alone = commits.push(at(0, 4), Kind::Alone, true);
        assert_eq!(show(&under_way), [(0, 1)]);
        commits.finish(&group, under_way, &Ok(()));
        first.await.unwrap();
        let merged = commits.next().await;
        assert_eq!(show(&merged), [(0, 3), (1, 5)]);
        let refused = CommitError::RebalanceInProgress { group: group.clone() };
        commits.finish(&group, merged, &Err(refused));
        assert!(second.await.is_err() && third.await.is_err());
        let last = commits.next().await;
        assert_eq!(show(&last), [(0, 4)]);
        commits.finish(&group, last, &Ok(()));
        alone.await.unwrap();
    }

    #[tokio::test]
    async fn only_what_somebody_waits_for_is_patient_with_unknown_topics() {
        for as_member in [true, false] {
            let commits = Commits::default();
            drop(commits.push(at(0, 1), Kind::Automatic, as_member));
            assert_eq!(commits.next().await.patience(), Duration::ZERO);
            drop(commits.push(at(0, 2), Kind::Automatic, as_member));
            let _asked = commits.push(at(0, 3), Kind::Together, as_member);
            assert_eq!(commits.next().await.patience(), TOPIC_PATIENCE);
        }
    }

    #[tokio::test]
    async fn a_handover_waits_for_what_is_under_way_and_a_loss_commits_nothing() {
        let (commits, group) = (Commits::default(), Arc::from("g"));
        let idle = || {
            let (done, wait) = oneshot::channel();
            commits.when_done(done);
            wait
        };
        assert!(idle().try_recv().is_ok());
        drop(commits.push(at(0, 1), Kind::Alone, true));
        let mut wait = idle();
        let under_way = commits.next().await;
        assert!(wait.try_recv().is_err());
        let waiting = commits.push(at(0, 2), Kind::Together, true);
        commits.lose(&group);
        assert!(matches!(waiting.await, Err(CommitError::IllegalGeneration { .. })));
        assert!(wait.try_recv().is_err());
        commits.finish(&group, under_way, &Ok(()));
        assert!(wait.try_recv().is_ok());
    }

    #[tokio::test]
    async fn commits_that_follow_do_not_hold_up_a_handover() {
        let (commits, group) = (Commits::default(), Arc::from("g"));
        drop(commits.push(at(0, 1), Kind::Together, true));
        let mut under_way = commits.next().await;
        drop(commits.push(at(1, 1), Kind::Together, true));
        let (done, mut wait) = oneshot::channel();
        commits.when_done(done);
        // An application that goes on committing what it keeps: there is always one under way and one that waits.
        for offset in 2..4 {
            assert!(wait.try_recv().is_err(), "before the commit of partition 1");
            drop(commits.push(at(2, offset), Kind::Together, true));
            commits.finish(&group, under_way, &Ok(()));
            under_way = commits.next().await;
            drop(commits.push(at(2, offset + 10), Kind::Together, true));
        }
        assert!(wait.try_recv().is_ok());
    }
}
