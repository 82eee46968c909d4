//! The consumer: fetched batches of the partitions that a group, or the caller, assigned.
//!
//! # Layout
//!
//! - [`Consumer`]: the handle; everything the application does.
//! - [`config`], [`error`]: settings, and what can go wrong.
//! - [`records`]: [`FetchedRecords`], whole batches that are read as borrowed records.
//! - `state`: positions, buffers and what to ask next, without I/O.
//! - `fetcher`: the task that asks; `session`: what a broker remembers of a fetch, `lookup`: offsets and epochs.
//! - `commits`: the order of commits, also of those that are made by themselves.
//! - `membership`: its place in the group, whichever group protocol it speaks.
//! - `member`, `remote_member`: its part in a group of the classic and of the consumer protocol.
//! - [`pattern`]: subscribing by a pattern; `watcher`: the topics that it watches.
//! - `expansion`: how much larger fetched bytes become when they are decompressed.
//! - `shared`: what these share, and the events for the application.
//!
//! # How data flows
//!
//! ```text
//! broker ─▶ fetcher ─ batches, checked ─▶ state: ready queue ─▶ Consumer::next ─▶ FetchedRecords
//!              ▲                             │ plan
//!              └──────── questions ──────────┘ ◀─ assigned, revoked, lost ─ group ─▶ coordinator
//! ```
//!
//! # What it must never do
//!
//! Hand out records of a partition after it was told to be revoked or lost, let a partition that is
//! paused, corrupt or without leader hold up the others, skip an offset silently, or copy records.

mod commits;
pub mod config;
pub mod error;
mod expansion;
mod fetch;
mod fetcher;
#[cfg(feature = "unstable-fuzzing")]
pub(crate) mod fuzzing;
mod lookup;
mod member;
mod membership;
mod offsets_api;
pub mod pattern;
pub mod records;
mod remote_member;
mod session;
mod shared;
mod state;
mod watcher;

pub use commits::CommitHandle;
pub use config::{ConsumerConfig, GroupProtocol, IsolationLevel, OffsetReset};
pub use error::ConsumerError;
pub use pattern::{JavaPattern, PatternError, TopicPattern};
pub use records::{FetchedRecords, RecordIter};

use crate::cluster::Cluster;
use crate::error::{ClientError, ConfigError, ErrorCode};
use crate::group::{CommitError, ConsumerGroupMetadata, OffsetAndMetadata, Standing, offsets};
use crate::metadata::{NodeId, TopicPartition};
use membership::Membership;
use pattern::Matching;
use shared::Shared;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tracing::Instrument;

/// How long leaving the group waits for commits.
const LAST_COMMIT: Duration = Duration::from_secs(5);

/// What a consumer tells the application.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConsumerEvent {
    /// Records of one partition.
    Records(FetchedRecords),
    /// These partitions are about to be given up: all, or in a cooperative group (and in the consumer protocol)
    /// only those that move, while the others go on. Offsets can still be committed; the group goes on when
    /// [`Consumer::next`] is called again.
    Revoked(Vec<TopicPartition>),
    /// The membership was lost, and others may have these partitions already: offsets must not be
    /// committed. Always all that were assigned. The group is joined again when [`Consumer::next`] is called
    /// again.
    Lost(Vec<TopicPartition>),
    /// These partitions are all that is assigned now. Those that are new can be sought and paused before the
    /// next call of [`Consumer::next`], with which fetching of them starts: at the position that was sought,
    /// else the committed offset, else by `auto.offset.reset`.
    ///
    /// In an eager group all are new, since all that was assigned before was told as revoked or lost. In a
    /// cooperative group (all of `partition.assignment.strategy` are cooperative; also in the consumer
    /// protocol) those that were assigned before and not revoked since go on undisturbed: they keep position,
    /// buffered records and pause. The event comes only if something is new, or with the first assignment after
    /// joining, even if that is empty.
    Assigned(Vec<TopicPartition>),
}

/// A consumer. Its tasks (heartbeats, fetches) run beside the application; dropping it stops them and
/// leaves the group without waiting for it.
#[derive(Debug)]
pub struct Consumer {
    shared: Arc<Shared>,
    group: Option<Arc<Membership>>,
    fetcher: JoinHandle<()>,
    committer: Option<JoinHandle<()>>,
    subscribed: bool,
    /// Looks for topics, while the subscription is a pattern that is matched here.
    matching: Option<Matching>,
}

impl Consumer {
    /// Starts a consumer with connections of its own, since the brokers hold its fetches. Nothing is
    /// consumed before [`Consumer::subscribe`] or [`Consumer::assign`]. Must be called within a tokio runtime.
    pub fn start(cluster: Cluster, config: ConsumerConfig) -> Self {
        let shared = Shared::new(cluster.separate(), config);
        let fetcher = tokio::spawn(fetcher::run(shared.clone()).in_current_span());
        let group = shared.config.group_id.clone().map(|id| Arc::new(Membership::start(&shared, id)));
        let committer = group.clone().map(|membership| {
            let run = commits::run(shared.commits.clone(), shared.cluster.clone(), membership);
            tokio::spawn(run.in_current_span())
        });
        Self { shared, group, fetcher, committer, subscribed: false, matching: None }
    }

    /// Subscribes to these topics instead of those before, as a member of the group: partitions come with
    /// [`ConsumerEvent::Assigned`]. No topics at all: see [`Consumer::leave`].
    ///
    /// An error if there is no `group.id`, or partitions were assigned by [`Consumer::assign`].
    pub fn subscribe(&mut self, topics: Vec<String>) -> Result<(), ConfigError> {
        self.subscribable()?;
        // First: it must not subscribe any more.
        self.matching = None;
        let membership = self.subscribable()?;
        membership.subscribe(topics.into_iter().map(Arc::from).collect(), !self.subscribed);
        self.subscribed = true;
        self.shared.set_subscribed(true);
        Ok(())
    }

    /// Subscribes to the topics that match, instead of what was subscribed to before; topics that are created later
    /// are found within `metadata.max.age.ms` by this consumer, or by the coordinator. The group is joined even if
    /// nothing matches.
    ///
    /// An error as in [`Consumer::subscribe`], and if the coordinator is to match but the group protocol is classic.
    pub fn subscribe_pattern(&mut self, pattern: TopicPattern) -> Result<(), ConfigError> {
        let membership = self.subscribable()?;
        let matching = match pattern {
            TopicPattern::Re2j(regex) => {
                membership.subscribe_regex(regex)?;
                None
            }
            TopicPattern::Java(pattern) => {
                Some(Matching::start(self.shared.clone(), pattern, membership.subscriber()))
            }
        };
        self.subscribed = true;
        self.shared.set_subscribed(true);
        self.matching = matching;
        Ok(())
    }

    /// The membership, if topics can be subscribed to.
    fn subscribable(&self) -> Result<&Membership, ConfigError> {
        let Some(membership) = self.group.as_deref() else {
            return Err(ConfigError::Missing { key: "group.id".to_owned() });
        };
        if !self.subscribed && !self.shared.lock().state.assignment().is_empty() {
            let reason = "partitions were assigned by hand; assign none before topics are subscribed to";
            return Err(ConfigError::Invalid(reason.to_owned()));
        }
        Ok(membership)
    }

    /// Consumes these partitions, and no others, without being a member of a group. They start as after
    /// [`ConsumerEvent::Assigned`], which is not sent. An error while topics are subscribed to.
    pub fn assign(&mut self, partitions: Vec<TopicPartition>) -> Result<(), ConfigError> {
        if self.subscribed {
            let reason = "topics are subscribed to; leave the group before partitions are assigned by hand";
            return Err(ConfigError::Invalid(reason.to_owned()));
        }
        self.shared.reset();
        self.shared.lock().state.assign(&partitions);
        Ok(())
    }

    /// Waits for the next event. Changes of the assignment come before records, and calling again after
    /// one of them says that it was dealt with.
    ///
    /// An error about one partition or topic comes once and leaves the others alone; an error that ends the
    /// membership comes again with every call. Cancel-safe: no event is lost when the future is dropped.
    pub async fn next(&mut self) -> Result<ConsumerEvent, ConsumerError> {
        let _inside = self.group.as_deref().map(Membership::attend);
        self.shared.finish_delivered();
        self.shared.release_manual(self.subscribed);
        self.shared.auto_commit_at_interval();
        loop {
            if let Some(event) = self.shared.take() {
                return event;
            }
            let notified = self.shared.to_application.notified();
            match self.shared.auto_commit_due() {
                None => notified.await,
                Some(at) => tokio::select! {
                    () = notified => {}
                    () = tokio::time::sleep_until(at.into()) => self.shared.auto_commit_at_interval(),
                },
            }
        }
    }

    /// As [`Consumer::next`], but without records: for an application that still works on those it has, and
    /// must hear of changes meanwhile. Fetching ahead goes on. Cancel-safe.
    pub async fn next_change(&mut self) -> Result<ConsumerEvent, ConsumerError> {
        let _inside = self.group.as_deref().map(Membership::attend);
        self.shared.finish_delivered();
        self.shared.release_manual(self.subscribed);
        loop {
            if let Some(event) = self.shared.take_change() {
                return event;
            }
            self.shared.to_application.notified().await;
        }
    }

    /// The next event if there is one already; as [`Consumer::next`] otherwise.
    pub fn try_next(&mut self) -> Option<Result<ConsumerEvent, ConsumerError>> {
        let _inside = self.group.as_deref().map(Membership::attend);
        self.shared.finish_delivered();
        self.shared.release_manual(self.subscribed);
        self.shared.auto_commit_at_interval();
        self.shared.take()
    }

    /// Hands out no records of these partitions until [`Consumer::resume`]. Does not outlive the assignment.
    pub fn pause(&mut self, partitions: &[TopicPartition]) {
        self.shared.lock().state.set_paused(partitions, true);
        // Others may not have to wait for them any longer.
        self.shared.to_fetcher.notify_one();
    }

    /// Ends a pause. What was buffered comes at once.
    pub fn resume(&mut self, partitions: &[TopicPartition]) {
        self.shared.lock().state.set_paused(partitions, false);
        self.shared.to_fetcher.notify_one();
    }

    /// Goes on at `offset`; also ends the rest of a partition after an error. False if the partition is
    /// not assigned.
    pub fn seek(&mut self, partition: &TopicPartition, offset: i64) -> bool {
        let sought = self.shared.seek(partition, offset);
        self.shared.to_fetcher.notify_one();
        sought
    }

    /// Offset of the next record of the partition that will be handed out; `None` if it is not assigned,
    /// or not known yet (see [`Consumer::locate`]).
    pub fn position(&self, partition: &TopicPartition) -> Option<i64> {
        self.shared.lock().state.position(partition)
    }

    /// The broker that the last fetch of the partition went to: its leader, or the replica that the leader recommended
    /// (`client.rack`); `None` if it was not fetched yet.
    pub fn read_from(&self, partition: &TopicPartition) -> Option<NodeId> {
        self.shared.lock().state.read_from(partition)
    }

    /// The position as it is to be committed, with the leader epoch that lets the next consumer notice a log that was cut off
    /// (KIP-320); `None` as [`Consumer::position`].
    pub fn position_to_commit(&self, partition: &TopicPartition) -> Option<OffsetAndMetadata> {
        let inner = self.shared.lock();
        let leader_epoch = inner.state.position_epoch(partition);
        let offset = inner.state.position(partition)?;
        Some(OffsetAndMetadata { leader_epoch, ..OffsetAndMetadata::new(offset) })
    }

    /// Waits until the positions of all assigned partitions are known, so that [`Consumer::position`] gives them; fetching
    /// starts. Call it after [`ConsumerEvent::Assigned`]. Returns early when there is an event or error to be
    /// taken. Cancel-safe.
    pub async fn locate(&mut self) {
        let _inside = self.group.as_deref().map(Membership::attend);
        self.shared.finish_delivered();
        self.shared.release_manual(self.subscribed);
        while !self.shared.lock().is_located() {
            self.shared.to_application.notified().await;
        }
        // The permit belongs to the next call of `next`.
        self.shared.to_application.notify_one();
    }

    /// The assigned partitions.
    pub fn assignment(&self) -> Vec<TopicPartition> {
        self.shared.lock().state.assignment()
    }

    /// Whether, and as which generation's member, offsets can be committed.
    pub fn standing(&self) -> Standing {
        self.group.as_deref().map_or(Standing::None, Membership::standing)
    }

    /// What this consumer is in its group, for [`crate::Producer::send_offsets_to_transaction`]. Ask for it anew with
    /// each transaction, after the records were taken: it must name the generation that they were consumed
    /// under. An error while the group rebalances, or after the membership was lost: the transaction must
    /// not commit offsets then. A consumer of partitions that were assigned by hand has no membership, and
    /// is not checked by the coordinator.
    pub fn group_metadata(&self) -> Result<ConsumerGroupMetadata, CommitError> {
        let Some(membership) = &self.group else { return Err(no_group().into()) };
        let group_id = membership.group_id().clone();
        if !self.subscribed {
            return Ok(ConsumerGroupMetadata::without_membership(group_id));
        }
        match membership.standing() {
            Standing::Member(generation) => Ok(ConsumerGroupMetadata {
                group_id,
                generation: generation.id,
                member_id: generation.member_id,
                instance_id: self.shared.config.group_instance_id.clone(),
            }),
            Standing::Rebalancing => Err(CommitError::RebalanceInProgress { group: group_id }),
            Standing::None => {
                let code = ErrorCode::UNKNOWN_MEMBER_ID;
                Err(CommitError::IllegalGeneration { group: group_id, code })
            }
        }
    }

    /// Commits offsets for the group, after what was asked for before. Moves of the coordinator are followed, and
    /// in a cooperative group the end of a rebalance is waited for, until `default.api.timeout.ms`. If the
    /// future is dropped the commit goes on.
    pub async fn commit(
        &self,
        offsets: &HashMap<TopicPartition, OffsetAndMetadata>,
    ) -> Result<(), CommitError> {
        self.push_commit(offsets.clone(), commits::Kind::Alone).await
    }

    /// As [`Consumer::commit`], but returns at once; the outcome can be awaited, or ignored. Commits are made in
    /// the order in which they are asked for, those that wait for an earlier one in a single request, so a newer
    /// offset is never overwritten by an older one; they have one outcome then. Partitions that are given up go
    /// to others only after what was asked for.
    pub fn commit_async(&self, offsets: HashMap<TopicPartition, OffsetAndMetadata>) -> CommitHandle {
        self.push_commit(offsets, commits::Kind::Together)
    }

    fn push_commit(&self, offsets: commits::Offsets, kind: commits::Kind) -> CommitHandle {
        if self.group.is_none() {
            return CommitHandle::failed(no_group().into());
        }
        self.shared.commits.push(offsets, kind, self.subscribed)
    }

    /// Asks for a rebalance of the group, for a reason that is logged here and by the coordinator (KIP-800).
    /// Does nothing without a group, and in the consumer protocol, where the coordinator assigns.
    pub fn enforce_rebalance(&self, reason: &str) {
        if let Some(membership) = &self.group {
            membership.enforce_rebalance(reason);
        }
    }

    /// The group's committed offsets of these partitions; those without one are left out. Cancel-safe.
    pub async fn committed(
        &self,
        partitions: &[TopicPartition],
    ) -> Result<HashMap<TopicPartition, OffsetAndMetadata>, ClientError> {
        let Some(membership) = &self.group else { return Err(no_group()) };
        let group = membership.group_id();
        offsets::committed(&self.shared.cluster, group, partitions).await
    }

    /// Gives the assignment up and leaves the group, so that other members take over at once. Commit
    /// before, unless that happens by itself (`enable.auto.commit`): no [`ConsumerEvent::Revoked`] comes. Waits
    /// for what is being committed, and for the coordinator's answer, a few seconds at most.
    pub async fn leave(&mut self) {
        self.matching = None;
        self.shared.auto_commit_last();
        let (done, idle) = oneshot::channel();
        self.shared.commits.when_done(done);
        if tokio::time::timeout(LAST_COMMIT, idle).await.is_err() {
            tracing::warn!("a commit takes long; the group is left without waiting for it");
        }
        self.shared.reset();
        self.subscribed = false;
        self.shared.set_subscribed(false);
        if let Some(membership) = &self.group {
            // What was not committed by now must not be under a later membership.
            self.shared.commits.lose(membership.group_id());
            membership.leave().await;
        }
        self.shared.reset();
    }

    /// Leaves the group, waits for that no longer than `timeout`, and ends.
    pub async fn close(mut self, timeout: Duration) {
        if tokio::time::timeout(timeout, self.leave()).await.is_err() {
            tracing::warn!(
                "the group could not be left in time; its session will time out if the coordinator does not learn of it"
            );
        }
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        self.fetcher.abort();
        if let Some(committer) = &self.committer {
            // It holds a handle of the group.
            committer.abort();
        }
    }
}

fn no_group() -> ClientError {
    ConfigError::Missing { key: "group.id".to_owned() }.into()
}
