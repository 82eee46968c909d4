//! One partition, as the sender sees it.

use super::accumulator::{Accumulator, LaneId};
use super::ack::BatchMetadata;
use super::batch::Batch;
use super::config::ProducerConfig;
use super::error::ProduceError;
use super::ordering::{Departure, Ordering, Outcome};
use crate::backoff::Backoff;
use crate::error::{ClientError, ErrorCode};
use crate::metadata::NodeId;
use kafka_protocol::messages::produce_response::PartitionProduceResponse;
use std::sync::Arc;
use tokio::time::Instant;

pub(super) type Resolution = Result<BatchMetadata, ProduceError>;

#[derive(Debug)]
pub(super) struct Lane {
    pub(super) topic: Arc<str>,
    pub(super) partition: i32,
    pub(super) order: Ordering<Batch, Resolution>,
    /// The broker that the batches in flight were sent to.
    pub(super) node: Option<NodeId>,
    /// No attempt before this, after a failure.
    pub(super) not_before: Option<Instant>,
    /// Whether the lane is in the sender's list of those that have something to send.
    pub(super) active: bool,
    pub(super) last_error: Option<String>,
    backoff: Backoff,
}

/// What an answer means for a batch, beside its outcome.
#[derive(Debug)]
pub(super) struct Verdict {
    pub(super) outcome: Outcome<Resolution>,
    /// What went wrong, if the batch is to be sent again.
    pub(super) error: Option<String>,
    pub(super) refresh: bool,
    pub(super) too_large: bool,
    pub(super) pause: Pause,
}

/// How long a batch waits before it is sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pause {
    /// As `retry.backoff.ms` has it.
    Backoff,
    /// The reason passes within milliseconds.
    Short,
    /// There is nothing to wait for.
    None,
}

/// Batches of a partition that are taken before their turn, to be compressed.
const TAKEN_AHEAD: usize = 3;

impl Lane {
    pub(super) fn new(
        topic: Arc<str>,
        partition: i32,
        order: Ordering<Batch, Resolution>,
        config: &ProducerConfig,
    ) -> Self {
        Self {
            topic,
            partition,
            order,
            node: None,
            not_before: None,
            active: false,
            last_error: None,
            backoff: Backoff::new(config.retry_backoff, config.retry_backoff_max),
        }
    }

    /// Whether sending must wait: for what is in flight, or for another broker to answer first.
    pub(super) fn is_blocked(&self, leader: NodeId) -> bool {
        self.order.is_blocked() || (self.node != Some(leader) && self.order.has_in_flight())
    }

    /// Takes full batches before their turn, a few at most, so that they are compressed when a request can be made.
    pub(super) fn take_ahead(&mut self, id: LaneId, accumulator: &mut Accumulator) {
        while accumulator.peek(id).is_some_and(|(_, _, full)| full)
            && self.order.waiting_mut().count() < TAKEN_AHEAD
            && let Some(batch) = accumulator.take(id)
        {
            let count = batch.count;
            self.order.push(batch, count);
        }
    }

    /// Puts the oldest waiting batch in flight, which is an attempt; see [`Ordering::depart`].
    pub(super) fn depart(&mut self) -> Option<(Departure, &mut Batch)> {
        let (departure, batch) = self.order.depart()?;
        batch.attempts = batch.attempts.saturating_add(1);
        Some((departure, batch))
    }

    /// The request of a batch in flight failed as a whole. One of which no byte was written, since the broker has just closed
    /// the connection, is no attempt: `retries` are about what brokers got.
    pub(super) fn lost(&mut self, batch: u64, error: &ClientError) -> Outcome<Resolution> {
        let sent = error.outcome_unknown();
        if let Some(batch) = self.order.in_flight_mut(batch).filter(|_| !sent) {
            batch.attempts = batch.attempts.saturating_sub(1);
        }
        Outcome::Lost { sent }
    }

    /// An attempt failed for a reason that may pass.
    pub(super) fn back_off(&mut self, now: Instant, reason: String) {
        self.last_error = Some(reason);
        // Batches that fail together count as one failure.
        if self.not_before.is_none_or(|at| at <= now) {
            self.not_before = Some(now + self.backoff.next());
        }
    }

    /// As [`Lane::back_off`], for a reason that passes within a time that is known.
    pub(super) fn wait_until(&mut self, at: Instant, reason: String) {
        self.last_error = Some(reason);
        self.not_before = Some(at);
    }

    pub(super) fn succeeded(&mut self) {
        self.backoff.reset();
        self.not_before = None;
        self.last_error = None;
    }

    /// Gives up what has been tried for too long, or too often.
    pub(super) fn give_up_expired(&mut self, now: Instant, config: &ProducerConfig) {
        let (topic, partition, last) = (&self.topic, self.partition, &self.last_error);
        let after = config.delivery_timeout;
        let expired = |b: &Batch| b.created + after <= now || b.attempts > config.retries;
        self.order.give_up(expired, |batch, may_have_been_written| {
            Err(ProduceError::NotDelivered {
                topic: topic.clone(),
                partition,
                after: now.saturating_duration_since(batch.created),
                may_have_been_written,
                last: last.clone().unwrap_or_else(|| "the batch was not sent".to_owned()),
            })
        });
    }

    /// Gives up everything that is not in flight.
    pub(super) fn give_up_all(&mut self, error: impl Fn(&Arc<str>, i32, bool) -> ProduceError) {
        let (topic, partition) = (&self.topic, self.partition);
        self.order.give_up(|_| true, |_, sent| Err(error(topic, partition, sent)));
    }

    /// Gives up what is not in flight, since its transaction is not committed.
    pub(super) fn drop_unsent(&mut self, keep_ambiguous: bool, reason: &Arc<str>) {
        let (topic, partition) = (&self.topic, self.partition);
        self.order.drop_unsent(keep_ambiguous, |_, may_have_been_written| {
            let (topic, reason) = (topic.clone(), reason.clone());
            Err(ProduceError::Aborted { topic, partition, may_have_been_written, reason })
        });
    }

    /// What the broker's answer for this partition means.
    pub(super) fn judge(&self, batch: u64, answer: &PartitionProduceResponse) -> Verdict {
        let code = ErrorCode(answer.error_code);
        let outcome = match code {
            ErrorCode::NONE => {
                Outcome::Written(Ok(self.written(answer.base_offset, answer.log_append_time_ms)))
            }
            // Written by an earlier attempt; its offset is no longer known.
            ErrorCode::DUPLICATE_SEQUENCE_NUMBER => Outcome::Written(Ok(self.written(-1, -1))),
            ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER => Outcome::OutOfOrder,
            ErrorCode::UNKNOWN_PRODUCER_ID
            | ErrorCode::INVALID_PRODUCER_EPOCH
            | ErrorCode::INVALID_PRODUCER_ID_MAPPING
                if !self.order.is_transactional() =>
            {
                Outcome::IdentityRefused
            }
            // The batch is in the leader's log, but not on enough replicas: sent again, it is recognised.
            ErrorCode::NOT_ENOUGH_REPLICAS_AFTER_APPEND | ErrorCode::REQUEST_TIMED_OUT => {
                Outcome::Lost { sent: true }
            }
            // Also told of batches that were appended and waited for their replicas when the broker lost the partition
            // (`DelayedProduce`).
            ErrorCode::NOT_LEADER_OR_FOLLOWER
            | ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
            | ErrorCode::KAFKA_STORAGE_ERROR => Outcome::Lost { sent: true },
            // It may have been met after the batch was appended.
            ErrorCode::UNKNOWN_SERVER_ERROR => Outcome::Unclear(Err(self.rejected(batch, code, answer))),
            code if code.is_retriable() => Outcome::Retry,
            code => Outcome::Rejected(Err(self.rejected(batch, code, answer))),
        };
        let too_large = matches!(code, ErrorCode::MESSAGE_TOO_LARGE | ErrorCode::RECORD_LIST_TOO_LARGE);
        let error = (!code.is_ok()).then(|| format!("{code}: {}", code.message()));
        // The coordinator completes the transaction before (KIP-890).
        let soon = code == ErrorCode::CONCURRENT_TRANSACTIONS;
        let pause = if soon { Pause::Short } else { Pause::Backoff };
        Verdict { outcome, error, refresh: code.refreshes_metadata(), too_large, pause }
    }

    pub(super) fn written(&self, base_offset: i64, log_append_time_ms: i64) -> BatchMetadata {
        BatchMetadata {
            topic: self.topic.clone(),
            partition: self.partition,
            base_offset,
            log_append_time: Some(log_append_time_ms).filter(|t| *t >= 0),
        }
    }

    fn rejected(&self, batch: u64, code: ErrorCode, answer: &PartitionProduceResponse) -> ProduceError {
        let first_bad = answer.record_errors.first();
        let first_bad = first_bad.and_then(|r| {
            Some(format!(
                "record {} of the batch: {}",
                r.batch_index,
                r.batch_index_error_message.as_deref()?
            ))
        });
        let message = answer.error_message.as_deref().filter(|m| !m.is_empty()).map(str::to_owned);
        let message = match (message, first_bad) {
            (Some(message), Some(bad)) => Some(format!("{message}; {bad}")),
            (message, bad) => message.or(bad),
        };
        ProduceError::Rejected {
            topic: self.topic.clone(),
            partition: self.partition,
            code,
            message,
            may_have_been_written: code == ErrorCode::UNKNOWN_SERVER_ERROR || self.order.is_ambiguous(batch),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::producer::ordering::Identity;
    use std::collections::BTreeMap;

    /// As when the broker closes an idle connection just before.
    #[test]
    fn a_request_that_was_never_written_is_no_attempt() {
        for sent in [false, true] {
            let config = BTreeMap::from([("retries".to_owned(), "0".to_owned())]);
            let config = ProducerConfig::from_map(&config).unwrap();
            let mut lane = Lane::new("t".into(), 0, Ordering::plain(), &config);
            let now = Instant::now();
            lane.order.push(Batch::open(0, now, 0), 1);
            let (departure, _) = lane.depart().unwrap();
            let error = ClientError::Disconnected {
                broker: "b:1".into(),
                api: "Produce",
                reason: "it was closed".into(),
                may_have_been_sent: sent,
            };
            let outcome = lane.lost(departure.id, &error);
            lane.order.arrived(departure.id, outcome);
            lane.give_up_expired(now, &config);
            assert_eq!(lane.order.first_waiting().is_none(), sent);
        }
    }

    /// A broker gives these codes also for batches that are in its log and waited for their replicas.
    #[test]
    fn what_may_have_been_appended_does_not_give_its_number_to_the_next() {
        for code in [
            ErrorCode::NOT_LEADER_OR_FOLLOWER,
            ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
            ErrorCode::KAFKA_STORAGE_ERROR,
            ErrorCode::UNKNOWN_SERVER_ERROR,
        ] {
            let config = ProducerConfig::from_map(&BTreeMap::new()).unwrap();
            let order = Ordering::idempotent(Some(Identity { id: 7, epoch: 0 }));
            let mut lane = Lane::new("t".into(), 0, order, &config);
            for serial in 0..2 {
                lane.order.push(Batch::open(serial, Instant::now(), 0), 1);
            }
            let (first, _) = lane.order.depart().unwrap();
            let answer = PartitionProduceResponse::default().with_error_code(code.0);
            let verdict = lane.judge(first.id, &answer);
            lane.order.arrived(first.id, verdict.outcome);
            // delivery.timeout.ms is over for the first one alone.
            lane.order.give_up(
                |batch| batch.serial == 0,
                |_, may_have_been_written| {
                    Err(ProduceError::Closed { topic: "t".into(), partition: 0, may_have_been_written })
                },
            );
            let (_, given_up) = lane.order.pop_resolved().unwrap();
            assert!(given_up.unwrap_err().may_have_been_written(), "{code}");
            let (next, _) = lane.order.depart().unwrap();
            assert_ne!(first.stamp, next.stamp, "{code}: the broker would take it for the first one");
        }
    }
}
