//! The handle of a membership in the consumer protocol, and the application's part in it.

use super::driver::Driver;
use super::membership::Subscription;
use crate::backoff::Backoff;
use crate::cluster::Cluster;
use crate::error::{ClientError, ErrorCode};
use crate::group::membership::Standing;
use crate::group::offsets::{self, CommitError, Identity, OffsetAndMetadata, TOPIC_PATIENCE};
use crate::group::poll_clock::{Attendance, PollClock};
use crate::metadata::TopicPartition;
use crate::sync::lock;
use futures_util::future::BoxFuture;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};
use tracing::Instrument;

/// A group and how to be a member of it. Timeouts of sessions and the pace of heartbeats are the group's
/// settings, at the coordinator.
#[derive(Debug, Clone)]
pub struct ConsumerGroupConfig {
    /// `group.id`.
    pub group_id: Arc<str>,
    /// `group.instance.id` of a static member.
    pub instance_id: Option<Arc<str>>,
    /// `group.remote.assignor`; the coordinator's choice if it is `None`.
    pub remote_assignor: Option<Arc<str>>,
    /// `client.rack`.
    pub rack: Option<Arc<str>>,
    /// `max.poll.interval.ms`: how long the application may be away before the membership is given up, and how
    /// long the coordinator waits for it to give partitions up.
    pub max_poll_interval: Duration,
}

/// The application's part of a membership. The futures run in the driver's task; the other methods
/// must not block.
pub trait AssignmentHooks: Send + Sync + 'static {
    /// These partitions, and no others, are to be given up; they are free when the future is done, so the
    /// application may commit within it.
    fn revoke(&self, partitions: Vec<TopicPartition>) -> BoxFuture<'static, ()>;

    /// These are all partitions that the application has now; those that it had before it keeps as they were.
    fn assign(&self, partitions: Vec<TopicPartition>);

    /// All partitions are lost, others may have them already. The group is joined again when the future is done.
    /// A future of [`AssignmentHooks::revoke`] that is not done yet is given up.
    fn lose(&self) -> BoxFuture<'static, ()>;

    /// An error that the application has to know of, but that does not end the membership.
    fn report(&self, error: ClientError);

    /// The membership has ended for good, by an error that trying again cannot mend.
    fn failed(&self, error: ClientError);
}

/// Handle of a membership. Dropping it leaves the group as well, without waiting for it.
#[derive(Debug)]
pub struct ConsumerGroup {
    cluster: Cluster,
    config: Arc<ConsumerGroupConfig>,
    commands: mpsc::UnboundedSender<Command>,
    shared: Arc<Shared>,
}

/// What the driver and the handle share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) published: Mutex<Published>,
    pub(super) clock: PollClock,
}

/// What the driver tells of the membership.
#[derive(Debug, Clone)]
pub(super) struct Published {
    pub(super) standing: Standing,
    /// How often the membership has ended.
    pub(super) losses: u64,
}

#[derive(Debug)]
pub(super) enum Command {
    Subscribe(Subscription),
    Leave(oneshot::Sender<()>),
}

impl ConsumerGroup {
    /// Starts the driver; the group is joined with [`ConsumerGroup::subscribe`]. Must be called within a tokio
    /// runtime.
    pub fn start(cluster: Cluster, config: ConsumerGroupConfig, hooks: Arc<dyn AssignmentHooks>) -> Self {
        let clock = PollClock::new(config.max_poll_interval, Instant::now());
        let shared = Arc::new(Shared {
            published: Mutex::new(Published { standing: Standing::None, losses: 0 }),
            clock,
        });
        let (commands, inbox) = mpsc::unbounded_channel();
        let config = Arc::new(config);
        let driver = Driver::new(cluster.clone(), config.clone(), hooks, shared.clone(), inbox);
        tokio::spawn(driver.run().in_current_span());
        Self { cluster, config, commands, shared }
    }

    /// Subscribes to this instead of what was before, and joins the group if it is not a member.
    pub fn subscribe(&self, subscription: Subscription) {
        self.send(Command::Subscribe(subscription));
    }

    /// Leaves the group and waits until the coordinator knows, so that others take over at once, but no
    /// longer than a few seconds. A static member's partitions are kept for it. Cancel-safe: the group is left in
    /// any case.
    pub async fn leave(&self) {
        let (done, wait) = oneshot::channel();
        self.send(Command::Leave(done));
        // An error says that the driver has ended: nothing is left to leave.
        let _ = wait.await;
    }

    /// Whether, and under which epoch, offsets can be committed.
    pub fn standing(&self) -> Standing {
        lock(&self.shared.published).standing.clone()
    }

    /// The application attends to the group until the guard is dropped; see
    /// [`ConsumerGroupConfig::max_poll_interval`].
    pub fn attend(&self) -> Attendance<'_> {
        self.shared.clock.enter()
    }

    /// How the group was configured.
    pub fn config(&self) -> &ConsumerGroupConfig {
        &self.config
    }

    /// Commits offsets as a member. If the epoch was outdated (STALE_MEMBER_EPOCH) it is tried again with the next
    /// one until `default.api.timeout.ms`, as Java's `CommitRequestManager` does: the partitions are still here,
    /// since they would have to be given up first. A membership that begins meanwhile does not go on with it. If
    /// the future is dropped the outcome is unknown.
    pub async fn commit(
        &self,
        offsets: &HashMap<TopicPartition, OffsetAndMetadata>,
    ) -> Result<(), CommitError> {
        self.commit_within(offsets, TOPIC_PATIENCE).await
    }

    /// As [`Self::commit`]; a topic that the coordinator does not know is given up after `patience`.
    pub(crate) async fn commit_within(
        &self,
        offsets: &HashMap<TopicPartition, OffsetAndMetadata>,
        patience: Duration,
    ) -> Result<(), CommitError> {
        let group = &self.config.group_id;
        let losses = lock(&self.shared.published).losses;
        let (begun, timeout) = (Instant::now(), self.cluster.config().default_api_timeout);
        let mut backoff =
            Backoff::new(self.cluster.config().retry_backoff, self.cluster.config().retry_backoff_max);
        loop {
            let identity = self.identity(losses)?;
            let error = match offsets::commit(&self.cluster, group, &identity, offsets, patience).await {
                Err(CommitError::Client(error)) if error.code() == Some(ErrorCode::STALE_MEMBER_EPOCH) => {
                    error
                }
                outcome => return outcome,
            };
            let wait = backoff.next();
            if begun.elapsed() + wait >= timeout {
                return Err(error.into());
            }
            tracing::debug!(group = &**group, epoch = identity.generation, "committing under the next epoch");
            tokio::time::sleep(wait).await;
        }
    }

    /// Whom commits are made as now; an error if that is another membership than the one after `losses`.
    fn identity(&self, losses: u64) -> Result<Identity, CommitError> {
        let group = self.config.group_id.clone();
        let now = lock(&self.shared.published).clone();
        if now.losses != losses {
            return Err(CommitError::IllegalGeneration { group, code: ErrorCode::UNKNOWN_MEMBER_ID });
        }
        match now.standing {
            Standing::Member(generation) => Ok(Identity {
                generation: generation.id,
                member_id: generation.member_id,
                instance_id: self.config.instance_id.clone(),
                by_epoch: true,
            }),
            Standing::Rebalancing => Err(CommitError::RebalanceInProgress { group }),
            Standing::None => {
                Err(CommitError::IllegalGeneration { group, code: ErrorCode::UNKNOWN_MEMBER_ID })
            }
        }
    }

    fn send(&self, command: Command) {
        // The driver ends only when this handle, the sender, is dropped.
        let _ = self.commands.send(command);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ClientConfig;
    use crate::group::membership::Generation;

    struct NoHooks;

    impl AssignmentHooks for NoHooks {
        fn revoke(&self, _: Vec<TopicPartition>) -> BoxFuture<'static, ()> {
            Box::pin(std::future::ready(()))
        }
        fn assign(&self, _: Vec<TopicPartition>) {}
        fn lose(&self) -> BoxFuture<'static, ()> {
            Box::pin(std::future::ready(()))
        }
        fn report(&self, _: ClientError) {}
        fn failed(&self, _: ClientError) {}
    }

    #[tokio::test]
    async fn a_commit_does_not_go_on_under_a_later_membership() {
        let cluster = Cluster::new(ClientConfig::new("127.0.0.1:1").unwrap());
        let config = ConsumerGroupConfig {
            group_id: Arc::from("g"),
            instance_id: None,
            remote_assignor: None,
            rack: None,
            max_poll_interval: Duration::from_secs(300),
        };
        let group = ConsumerGroup::start(cluster, config, Arc::new(NoHooks));
        let member = |id, losses| {
            let generation = Generation { id, member_id: Arc::from("m"), protocol: Arc::from("") };
            Published { standing: Standing::Member(generation), losses }
        };
        *lock(&group.shared.published) = member(5, 0);
        assert_eq!(group.identity(0).unwrap().generation, 5);
        *lock(&group.shared.published) = member(6, 0);
        assert_eq!(group.identity(0).unwrap().generation, 6, "the next epoch of the same membership");
        *lock(&group.shared.published) = member(1, 1);
        let refused = group.identity(0).unwrap_err();
        assert!(matches!(refused, CommitError::IllegalGeneration { .. }), "{refused}");
    }
}
