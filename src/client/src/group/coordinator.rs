//! The handle of a membership, and the application's part in it.
//!
//! A task of its own (`driver`) carries out what the state machine says, so that heartbeats go on while the
//! application works. The application gives its part as [`GroupHooks`] (what Java's
//! `AbstractCoordinator` leaves to its subclasses) and steers by [`Group`].

use super::driver::Driver;
use super::membership::{Generation, GenerationEnd, Member, Standing};
use super::poll_clock::{Attendance, PollClock};
use crate::cluster::Cluster;
use crate::error::{ClientError, ErrorCode};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot, watch};
use tracing::Instrument;

/// A group and how to be a member of it.
#[derive(Debug, Clone)]
pub struct GroupConfig {
    /// `group.id`.
    pub group_id: Arc<str>,
    /// Protocol type; all members of a group have the same: `consumer`, `connect`.
    pub protocol_type: &'static str,
    /// `group.instance.id` of a static member.
    pub instance_id: Option<Arc<str>>,
    /// `session.timeout.ms`.
    pub session_timeout: Duration,
    /// `heartbeat.interval.ms`.
    pub heartbeat_interval: Duration,
    /// How long the other members wait for this one in a rebalance (`max.poll.interval.ms` of a
    /// consumer, `rebalance.timeout.ms` of a worker).
    pub rebalance_timeout: Duration,
    /// How long the application may be away (see [`Group::attend`]) before the membership is given up.
    pub max_poll_interval: Duration,
}

/// The application's part of a membership. The futures run in the driver's task; the other methods
/// must not block.
pub trait GroupHooks: Send + Sync + 'static {
    /// Protocols by preference, with this member's metadata for each; asked for at every join. `generation` is
    /// the last one that this member was part of, unless it was lost.
    fn protocols(&self, generation: Option<&Generation>) -> Vec<(Arc<str>, Bytes)>;

    /// The assignment ends; in a cooperative protocol, unless it is lost, only what has to be given up. The
    /// group moves on when the future is done, so the application may commit within it, unless the generation
    /// is lost. The answer tells whether a part of the assignment is kept while the group is joined. Called
    /// before the first join too.
    fn prepare(&self, end: GenerationEnd) -> BoxFuture<'static, bool>;

    /// The generation was lost while the application still prepares. What it keeps after that is lost too: if
    /// there is any, [`GroupHooks::prepare`] is called again.
    fn lost_meanwhile(&self);

    /// This member leads: assignments by member id. On an error the group is joined again, after a while.
    fn assign(
        &self,
        generation: Generation,
        members: Vec<Member>,
    ) -> BoxFuture<'static, Result<Vec<(String, Bytes)>, ClientError>>;

    /// A new generation begins with this assignment. `leader` tells whether this member leads. The answer is
    /// why the group must be joined again at once, if it must: a cooperative protocol takes something away, or
    /// the assignment is out of date already.
    fn assigned(&self, generation: &Generation, leader: bool, assignment: Bytes) -> Option<&'static str>;

    /// The membership has ended for good, by an error that trying again cannot mend.
    fn failed(&self, error: ClientError);
}

/// Handle of a membership. Dropping it leaves the group as well, without waiting for it.
#[derive(Debug)]
pub struct Group {
    cluster: Cluster,
    config: GroupConfig,
    commands: mpsc::UnboundedSender<Command>,
    shared: Arc<Shared>,
}

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) standing: watch::Sender<Published>,
    pub(super) clock: PollClock,
}

/// What the driver tells of the membership.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Published {
    pub(super) standing: Standing,
    /// The application keeps an assignment while the group is joined.
    pub(super) keeps: bool,
    /// How often the assignment was lost.
    pub(super) losses: u64,
}

#[derive(Debug)]
pub(super) enum Command {
    Join,
    Rejoin(Cow<'static, str>),
    Leave(oneshot::Sender<()>),
    CommitRefused { generation: i32, code: ErrorCode },
}

impl Group {
    /// Starts the driver; the group is joined with [`Group::join`]. Must be called within a tokio runtime.
    pub fn start(cluster: Cluster, config: GroupConfig, hooks: Arc<dyn GroupHooks>) -> Self {
        let now = Instant::now();
        let clock = PollClock::new(config.max_poll_interval, now);
        let published = Published { standing: Standing::None, keeps: false, losses: 0 };
        let shared = Arc::new(Shared { standing: watch::Sender::new(published), clock });
        let (commands, inbox) = mpsc::unbounded_channel();
        let driver = Driver::new(cluster.clone(), config.clone(), hooks, shared.clone(), inbox);
        tokio::spawn(driver.run().in_current_span());
        Self { cluster, config, commands, shared }
    }

    /// Becomes a member; assignments come through [`GroupHooks::assigned`].
    pub fn join(&self) {
        self.send(Command::Join);
    }

    /// Asks for a new generation; `reason` is for the logs, that of the coordinator too (KIP-800).
    pub fn rejoin(&self, reason: impl Into<Cow<'static, str>>) {
        self.send(Command::Rejoin(reason.into()));
    }

    /// Leaves the group and waits until the coordinator knows, so that others take over at once, but no
    /// longer than one request timeout. A static member just stops. Cancel-safe: the
    /// group is left in any case.
    pub async fn leave(&self) {
        let (done, wait) = oneshot::channel();
        self.send(Command::Leave(done));
        // An error says that the driver has ended: nothing is left to leave.
        let _ = wait.await;
    }

    /// Whether, and as what, offsets can be committed.
    pub fn standing(&self) -> Standing {
        self.shared.standing.borrow().standing.clone()
    }

    pub(super) fn published(&self) -> watch::Receiver<Published> {
        self.shared.standing.subscribe()
    }

    /// The application attends to the group until the guard is dropped; see
    /// [`GroupConfig::max_poll_interval`].
    pub fn attend(&self) -> Attendance<'_> {
        self.shared.clock.enter()
    }

    /// The cluster that the group is coordinated by.
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// How the group was configured.
    pub fn config(&self) -> &GroupConfig {
        &self.config
    }

    pub(super) fn commit_refused(&self, generation: i32, code: ErrorCode) {
        self.send(Command::CommitRefused { generation, code });
    }

    fn send(&self, command: Command) {
        // The driver ends only when this handle, the sender, is dropped.
        let _ = self.commands.send(command);
    }
}
