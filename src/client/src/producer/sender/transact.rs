//! What the state machine of transactions asks for, and what it is told.

use super::{Event, Sender};
use crate::backoff::Backoff;
use crate::cluster::Cluster;
use crate::error::ErrorCode;
use crate::producer::accumulator::LaneId;
use crate::producer::config::ProducerConfig;
use crate::producer::error::ProduceError;
use crate::producer::request::{IMPLICIT_VERSION, MAX_VERSION};
use crate::producer::transaction::request::{Partitions, Requests};
use crate::producer::transaction::{Action, Answer, Machine, Pause};
use std::time::Duration;
use tokio::time::Instant;

/// How long to wait while the coordinator completes the transaction before, as Java.
pub(super) const SOON: Duration = Duration::from_millis(20);

/// The I/O side of a transactional producer.
pub(super) struct Transactor {
    requests: Requests,
    /// No request before this.
    pub(super) not_before: Option<Instant>,
    backoff: Backoff,
    implicit: bool,
}

impl Transactor {
    /// `None` if the producer is not transactional.
    pub(super) fn new(cluster: &Cluster, config: &ProducerConfig) -> Option<Self> {
        let requests = Requests {
            cluster: cluster.clone(),
            transactional_id: config.transactional_id.as_deref()?.into(),
            transaction_timeout: config.transaction_timeout,
            request_timeout: config.request_timeout,
        };
        let backoff = Backoff::new(config.retry_backoff, config.retry_backoff_max);
        Some(Self { requests, not_before: None, backoff, implicit: false })
    }

    pub(super) fn id(&self) -> &str {
        &self.requests.transactional_id
    }

    /// By the version brokers tell the two protocols apart.
    pub(super) fn max_produce_version(&self) -> i16 {
        if self.implicit { MAX_VERSION } else { MAX_VERSION.min(IMPLICIT_VERSION - 1) }
    }

    fn pause(&mut self, pause: Pause, action: &Action, now: Instant) {
        self.not_before = match pause {
            Pause::None => {
                self.backoff.reset();
                None
            }
            Pause::Short => Some(now + SOON),
            Pause::Backoff { .. } => Some(now + self.backoff.next()),
        };
        if pause == (Pause::Backoff { forget: true }) {
            match action {
                Action::CommitOffsets { offsets, .. } => {
                    self.requests.forget_group_coordinator(&offsets.group.group_id);
                }
                _ => self.requests.forget_coordinator(),
            }
        }
    }
}

impl Sender {
    /// Drops what was not sent of a transaction that will not be committed.
    pub(super) fn drop_with_transaction(&mut self) {
        if self.transactor.is_none() {
            return;
        }
        let Some((reason, keep)) = self.shared.lock().transaction.as_ref().and_then(|m| m.dropping()) else {
            return;
        };
        let shared = self.shared.clone();
        let lanes = self.active.clone();
        for id in &lanes {
            let Some(lane) = self.lanes.get_mut(id) else { continue };
            while let Some(batch) = shared.lock().take(*id) {
                let count = batch.count;
                lane.order.push(batch, count);
            }
            lane.drop_unsent(keep, &reason);
        }
        self.report(lanes.into_iter());
    }

    /// Sends the next request of the transaction, if there is one.
    pub(super) fn ask_transaction(&mut self, now: Instant) {
        let Some(transactor) = &mut self.transactor else { return };
        let due = transactor.not_before.is_none_or(|at| at <= now);
        let mut told = false;
        let action = {
            let mut accumulator = self.shared.lock();
            let drained = accumulator.is_drained();
            accumulator.transaction.as_mut().and_then(|machine| {
                let action = if due { machine.next_action(drained) } else { None };
                transactor.implicit = machine.is_implicit();
                told = machine.take_news();
                action
            })
        };
        if told {
            self.shared.transactions.notify_waiters();
        }
        let Some(action) = action else { return };
        let requests = transactor.requests.clone();
        let partitions = match &action {
            Action::AddPartitions { partitions, .. } => self.named(partitions),
            _ => Vec::new(),
        };
        tracing::trace!(?action, "a step of the transaction");
        self.events.push(Box::pin(async move {
            let answer = carry_out(requests, action.clone(), partitions).await;
            Event::Transaction(action, answer)
        }));
    }

    pub(super) fn transaction_answered(&mut self, action: &Action, answer: Answer, now: Instant) {
        let pause = self.with_machine(|machine| machine.answered(answer));
        if let (Some(transactor), Some(pause)) = (&mut self.transactor, pause) {
            transactor.pause(pause, action, now);
        }
    }

    /// Batches that were given up break their transaction, unless they were dropped because of it.
    pub(super) fn note_failures(&mut self, failures: &[ProduceError]) {
        if self.transactor.is_none() {
            return;
        }
        for failure in failures.iter().filter(|f| !matches!(f, ProduceError::Aborted { .. })) {
            self.with_machine(|machine| machine.batch_failed(failure.code(), &failure.to_string()));
        }
    }

    /// A partition whose batches do not follow each other breaks its transaction.
    pub(super) fn note_gap(&mut self, id: LaneId) {
        let Some(lane) = self.lanes.get(&id).filter(|lane| lane.order.is_broken()) else { return };
        let last = lane.last_error.as_deref().unwrap_or("a batch before them was not written");
        let reason = format!("batches of partition {}-{} are missing: {last}", lane.topic, lane.partition);
        let code = Some(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
        self.with_machine(|machine| machine.batch_failed(code, &reason));
    }

    fn with_machine<T>(&self, tell: impl FnOnce(&mut Machine) -> T) -> Option<T> {
        self.shared.lock().transaction.as_deref_mut().map(tell)
    }

    fn named(&self, partitions: &[LaneId]) -> Partitions {
        let name = |id: &LaneId| Some((self.lanes.get(id)?.topic.clone(), id.partition));
        partitions.iter().filter_map(name).collect()
    }
}

async fn carry_out(requests: Requests, action: Action, partitions: Partitions) -> Answer {
    match action {
        Action::Init { identity } => requests.init(identity).await,
        Action::AddPartitions { identity, .. } => requests.add_partitions(identity, partitions).await,
        Action::AddOffsets { identity, offsets } => requests.add_offsets(identity, offsets).await,
        Action::CommitOffsets { identity, offsets, implicit } => {
            requests.commit_offsets(identity, offsets, implicit).await
        }
        Action::End { identity, commit, implicit } => requests.end(identity, commit, implicit).await,
    }
}
