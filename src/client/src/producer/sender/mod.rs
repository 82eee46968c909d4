//! The one task that owns all that is being sent.
//!
//! # Layout
//!
//! - [`Sender`] and its loop: what it waits for.
//! - `dispatch`: from lanes with something to send to requests.
//! - `availability`: brokers that take no requests, and topics that are in use.
//! - `settle`: from answers to acknowledgements, or back to the lanes.
//! - `upkeep`: metadata, the producer id, batches that took too long, the end.
//! - `transact`: what the state machine of transactions asks for.
//!
//! Each turn of the loop is a few events and as many requests as there are free slots. The
//! accumulator's lock is held only to take batches and to give memory back; checksums, encoding and the
//! sink's calls happen outside.

mod availability;
mod dispatch;
mod settle;
mod transact;
mod upkeep;

use super::Shared;
use super::accumulator::LaneId;
use super::ack::AckSink;
use super::compress::Compressor;
use super::config::{Idempotence, ProducerConfig};
use super::lane::Lane;
use super::node::{Answer, Node};
use super::ordering::{Identity, Ordering};
use super::transaction::{Action, Answer as TransactionAnswer};
use crate::backoff::Backoff;
use crate::cluster::Cluster;
use crate::connection::Connection;
use crate::error::ClientError;
use crate::metadata::{MetadataSnapshot, NodeId};
use crate::seldom::Seldom;
use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::{FuturesUnordered, StreamExt};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;
use transact::Transactor;

pub(super) struct Sender {
    cluster: Cluster,
    config: Arc<ProducerConfig>,
    shared: Arc<Shared>,
    acks: Arc<dyn AckSink>,
    lanes: HashMap<LaneId, Lane>,
    /// Lanes with something to send; those that were served last are at the end.
    active: Vec<LaneId>,
    nodes: HashMap<NodeId, Node>,
    events: FuturesUnordered<BoxFuture<'static, Event>>,
    next_request: u64,
    snapshots: watch::Receiver<Arc<MetadataSnapshot>>,
    snapshot: Arc<MetadataSnapshot>,
    metadata: MetadataState,
    identity: IdentityState,
    identity_backoff: Backoff,
    compressor: Compressor,
    /// Lanes with batches that were taken and are not compressed yet.
    uncompressed: Vec<LaneId>,
    transactor: Option<Transactor>,
    max_in_flight: usize,
    next_expiry: Instant,
    /// Brokers that take no requests (`partitioner.availability.timeout.ms`).
    slow: BTreeSet<NodeId>,
    /// When the topics in use are told next.
    next_use: Instant,
}

/// Something that the sender waited for.
enum Event {
    Connected(NodeId, Result<Arc<Connection>, ClientError>),
    Answered { node: NodeId, number: u64, answer: Answer },
    Identity(Result<Identity, ClientError>),
    Transaction(Action, TransactionAnswer),
    Metadata(Result<(), ClientError>),
}

/// Topics whose metadata is missing or known to be wrong.
struct MetadataState {
    wanted: BTreeSet<Arc<str>>,
    asking: bool,
    not_before: Option<Instant>,
    backoff: Backoff,
    missing: Seldom,
    unreachable: Seldom,
}

enum IdentityState {
    /// Batches are sent without one.
    Off,
    /// The transaction coordinator's.
    Transactional,
    Wanted {
        not_before: Option<Instant>,
    },
    Asking,
    Known(Identity),
    /// Required, but refused for good.
    Refused(ClientError),
}

impl Sender {
    pub(super) fn new(
        cluster: Cluster,
        config: Arc<ProducerConfig>,
        shared: Arc<Shared>,
        acks: Arc<dyn AckSink>,
    ) -> Self {
        let snapshots = cluster.watch_metadata();
        let snapshot = snapshots.borrow().clone();
        let backoff = Backoff::new(config.retry_backoff, config.retry_backoff_max);
        Self {
            lanes: HashMap::new(),
            active: Vec::new(),
            nodes: HashMap::new(),
            events: FuturesUnordered::new(),
            next_request: 0,
            snapshot,
            snapshots,
            metadata: MetadataState {
                wanted: BTreeSet::new(),
                asking: false,
                not_before: None,
                backoff: backoff.clone(),
                // Brokers that create topics need a moment for it.
                missing: Seldom::after(Duration::from_secs(5)),
                unreachable: Seldom::after(Duration::ZERO),
            },
            identity: match config.idempotence {
                _ if config.transactional_id.is_some() => IdentityState::Transactional,
                Idempotence::Off => IdentityState::Off,
                Idempotence::IfPossible | Idempotence::Required => IdentityState::Wanted { not_before: None },
            },
            identity_backoff: backoff,
            transactor: Transactor::new(&cluster, &config),
            // A connection queues as many.
            max_in_flight: config.max_in_flight.min(crate::connection::QUEUE_LEN),
            next_expiry: Instant::now(),
            slow: BTreeSet::new(),
            next_use: Instant::now(),
            compressor: Compressor::new(config.codec, shared.clone()),
            uncompressed: Vec::new(),
            cluster,
            config,
            shared,
            acks,
        }
    }

    /// Runs until the producer is closed or dropped.
    pub(super) async fn run(mut self) {
        loop {
            let now = Instant::now();
            if self.collect() {
                self.stop();
                return;
            }
            self.drop_with_transaction();
            self.dispatch(now);
            // Afterwards, since it finds out what is missing.
            self.tend(now);
            self.avoid_slow(now);
            self.wait(self.next_timer(now)).await;
        }
    }

    /// Takes note of what appenders and waiters left. True if the sender is to stop.
    fn collect(&mut self) -> bool {
        let shared = self.shared.clone();
        let mut accumulator = shared.lock();
        if accumulator.stopping {
            return true;
        }
        if std::mem::take(&mut accumulator.topics_wanted) {
            let missing = accumulator.topics.iter().filter(|t| t.partition_count == 0);
            self.metadata.wanted.extend(missing.map(|t| t.name.clone()));
        }
        let ready = std::mem::take(&mut accumulator.ready);
        for id in ready {
            let Some(topic) = accumulator.topics.get(id.topic) else { continue };
            let lane = self.lanes.entry(id).or_insert_with(|| {
                Lane::new(topic.name.clone(), id.partition, self.identity.order(), &self.config)
            });
            if !lane.active {
                lane.active = true;
                self.active.push(id);
            }
        }
        false
    }

    async fn wait(&mut self, timer: Option<Instant>) {
        // Far enough for "never"; the branch is disabled then.
        let at = timer.unwrap_or_else(Instant::now);
        tokio::select! {
            Some(event) = self.events.next(), if !self.events.is_empty() => {
                let now = Instant::now();
                self.handle(event, now);
                // All that came meanwhile, before the next requests are made.
                while let Some(Some(event)) = self.events.next().now_or_never() {
                    self.handle(event, now);
                }
            }
            () = self.shared.wake.notified() => {}
            changed = self.snapshots.changed() => {
                // An error would mean that the cluster is gone, but `self.cluster` holds it.
                if changed.is_ok() {
                    self.take_snapshot();
                }
            }
            () = tokio::time::sleep_until(at), if timer.is_some() => {}
        }
    }

    fn handle(&mut self, event: Event, now: Instant) {
        match event {
            Event::Answered { node, number, answer } => self.answered(node, number, answer, now),
            Event::Connected(node, connection) => self.connected(node, connection, now),
            Event::Identity(identity) => self.identity_answered(identity, now),
            Event::Transaction(action, answer) => self.transaction_answered(&action, answer, now),
            Event::Metadata(outcome) => self.metadata_answered(outcome, now),
        }
    }

    fn connected(&mut self, id: NodeId, connection: Result<Arc<Connection>, ClientError>, now: Instant) {
        let node = self.nodes.entry(id).or_default();
        node.connecting = false;
        match connection {
            Ok(connection) => node.connected(connection),
            Err(error) => {
                node.not_before = Some(now + self.config.retry_backoff);
                self.note_error(&error);
                if error.is_authentication() {
                    self.refuse_all(&error);
                }
            }
        }
    }

    /// Remembers, for lanes that wait, what stands in their way.
    fn note_error(&mut self, error: &ClientError) {
        let reason = error.to_string();
        for id in &self.active {
            if let Some(lane) = self.lanes.get_mut(id) {
                lane.last_error = Some(reason.clone());
            }
        }
    }

    /// When something is to be done although nothing happens.
    fn next_timer(&self, now: Instant) -> Option<Instant> {
        let lanes = self.active.iter().filter_map(|id| self.lanes.get(id));
        let retries = lanes.filter_map(|l| l.not_before);
        let lingering = self.next_linger();
        let nodes = self.nodes.values().filter_map(|n| n.not_before);
        let metadata = self.metadata.not_before.filter(|_| !self.metadata.wanted.is_empty());
        let identity = match self.identity {
            IdentityState::Wanted { not_before } => not_before,
            _ => None,
        };
        let transaction = self.transactor.as_ref().and_then(|t| t.not_before);
        let expiry = (!self.active.is_empty()).then_some(self.next_expiry);
        // What lies in the past waits for an event, not for time.
        let times = retries.chain(lingering).chain(nodes).chain(metadata).chain(identity);
        let times = times.chain(transaction).chain(expiry).chain(self.next_slow());
        times.filter(|at| *at > now).min()
    }
}

impl Drop for Sender {
    /// Nobody is left waiting, also after a panic of the sink: then batches that are not reported are
    /// lost to it.
    fn drop(&mut self) {
        let lost = {
            let mut accumulator = self.shared.lock();
            accumulator.closed = true;
            if let Some(machine) = &mut accumulator.transaction {
                machine.close();
            }
            accumulator.abandon()
        };
        if lost {
            tracing::error!(
                "the producer stopped in the middle of its work; some records were not acknowledged"
            );
        }
        let shared = &self.shared;
        for waiting in [&shared.space, &shared.resolved, &shared.topics, &shared.transactions] {
            waiting.notify_waiters();
        }
    }
}

impl IdentityState {
    /// What a new lane starts with.
    fn order<B, R>(&self) -> Ordering<B, R> {
        match self {
            Self::Off => Ordering::plain(),
            Self::Transactional => Ordering::transactional(),
            Self::Known(identity) => Ordering::idempotent(Some(*identity)),
            Self::Wanted { .. } | Self::Asking | Self::Refused(_) => Ordering::idempotent(None),
        }
    }
}
