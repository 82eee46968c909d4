//! From answers to acknowledgements, or back to the lanes.

use super::Sender;
use super::transact::SOON;
use crate::error::ClientError;
use crate::metadata::NodeId;
use crate::producer::accumulator::LaneId;
use crate::producer::error::ProduceError;
use crate::producer::lane::{Lane, Verdict};
use crate::producer::node::{Answer, Item};
use crate::producer::ordering::Outcome;
use kafka_protocol::messages::ProduceResponse;
use kafka_protocol::messages::produce_response::PartitionProduceResponse;
use std::collections::HashMap;
use std::time::Duration;
use tokio::time::Instant;

impl Sender {
    pub(super) fn answered(&mut self, node: NodeId, number: u64, answer: Answer, now: Instant) {
        if let Some(node) = self.nodes.get_mut(&node) {
            node.answered(number, answer);
        }
        self.settle_answered(node, now);
    }

    /// Works on all answers that are next in order.
    pub(super) fn settle_answered(&mut self, id: NodeId, now: Instant) {
        while let Some((items, answer)) = self.nodes.get_mut(&id).and_then(|n| n.pop_answered()) {
            match answer {
                Ok(Some(response)) => {
                    self.mute(id, response.throttle_time_ms, now);
                    self.settle_response(&items, &response, now);
                }
                Ok(None) => self.settle_unanswered(&items),
                Err(error) => self.settle_error(&items, &error, now),
            }
            self.report(items.iter().map(|item| item.0));
        }
    }

    /// A broker that throttles is given the time that it asks for (KIP-219).
    fn mute(&mut self, id: NodeId, throttle_time_ms: i32, now: Instant) {
        let millis = u64::try_from(throttle_time_ms).unwrap_or(0);
        if millis > 0
            && let Some(node) = self.nodes.get_mut(&id)
        {
            node.not_before = Some(now + Duration::from_millis(millis));
        }
    }

    fn settle_response(&mut self, items: &[Item], response: &ProduceResponse, now: Instant) {
        let mut answers: HashMap<(&str, i32), &PartitionProduceResponse> = HashMap::new();
        for topic in &response.responses {
            for partition in &topic.partition_responses {
                answers.insert((topic.name.0.as_str(), partition.index), partition);
            }
        }
        let mut refresh = false;
        for (id, batch) in items {
            let Some(lane) = self.lanes.get_mut(id) else { continue };
            let verdict = match answers.get(&(&*lane.topic, lane.partition)) {
                Some(answer) => lane.judge(*batch, answer),
                None => Verdict {
                    outcome: Outcome::Lost { sent: true },
                    error: Some("the broker's answer lacks the partition".to_owned()),
                    refresh: false,
                    too_large: false,
                    soon: false,
                },
            };
            refresh |= verdict.refresh;
            if verdict.too_large && self.split(*id, *batch) {
                continue;
            }
            self.apply(*id, *batch, verdict, now);
        }
        if refresh {
            self.cluster.request_refresh();
        }
    }

    fn apply(&mut self, id: LaneId, batch: u64, verdict: Verdict, now: Instant) {
        let Some(lane) = self.lanes.get_mut(&id) else { return };
        match verdict.outcome {
            Outcome::Written(_) => lane.succeeded(),
            Outcome::Rejected(_) | Outcome::Unclear(_) => {}
            Outcome::Retry | Outcome::Lost { .. } | Outcome::OutOfOrder | Outcome::IdentityRefused => {
                let reason = verdict.error.unwrap_or_default();
                tracing::debug!(
                    topic = &*lane.topic,
                    partition = lane.partition,
                    reason,
                    "a batch is sent again"
                );
                match verdict.soon {
                    true => lane.wait_until(now + SOON, reason),
                    false => lane.back_off(now, reason),
                }
            }
        }
        lane.order.arrived(batch, verdict.outcome);
        lane.give_up_expired(now, &self.config);
        self.note_gap(id);
        self.activate(id);
    }

    /// Without acknowledgements a batch counts as written once it was sent.
    fn settle_unanswered(&mut self, items: &[Item]) {
        for (id, batch) in items {
            let Some(lane) = self.lanes.get_mut(id) else { continue };
            let written = lane.written(-1, -1);
            lane.succeeded();
            lane.order.arrived(*batch, Outcome::Written(Ok(written)));
            self.activate(*id);
        }
    }

    /// The whole request failed: mostly, the connection was lost.
    fn settle_error(&mut self, items: &[Item], error: &ClientError, now: Instant) {
        let hopeless = matches!(error, ClientError::Encode { .. } | ClientError::UnsupportedVersion { .. });
        for (id, batch) in items {
            let Some(lane) = self.lanes.get_mut(id) else { continue };
            let outcome = if hopeless {
                Outcome::Rejected(Err(not_deliverable(lane, *batch, error)))
            } else {
                lane.lost(*batch, error)
            };
            let verdict = Verdict {
                outcome,
                error: Some(error.to_string()),
                refresh: false,
                too_large: false,
                soon: false,
            };
            self.apply(*id, *batch, verdict, now);
        }
        self.cluster.request_refresh();
    }

    /// Replaces a batch that the broker finds too large by two, as Java does. False if it cannot be split.
    fn split(&mut self, id: LaneId, batch: u64) -> bool {
        let Some(lane) = self.lanes.get_mut(&id) else { return false };
        // Its halves would not be recognised, if the whole was written.
        if lane.order.is_ambiguous(batch) {
            return false;
        }
        let Some(refused) = lane.order.in_flight(batch) else { return false };
        let Some((first, second)) = refused.halves() else { return false };
        let len = refused.len();
        tracing::warn!(
            topic = &*lane.topic,
            partition = lane.partition,
            bytes = len,
            "the broker refuses batches of this size and it is split; set batch.size below the topic's max.message.bytes"
        );
        let (first_count, second_count) = (first.count, second.count);
        lane.order.split(batch, (first, first_count), (second, second_count));
        self.shared.lock().shrink_batches(id.topic, len);
        self.activate(id);
        true
    }

    /// Has the lane looked at in the next turn.
    pub(super) fn activate(&mut self, id: LaneId) {
        if let Some(lane) = self.lanes.get_mut(&id)
            && !lane.active
            && lane.order.first_waiting().is_some()
        {
            lane.active = true;
            self.active.push(id);
        }
    }

    /// Tells the sink of all batches that are resolved, in order, then gives their memory back.
    pub(super) fn report(&mut self, lanes: impl Iterator<Item = LaneId>) {
        let mut done = Vec::new();
        let mut failures = Vec::new();
        for id in lanes {
            let Some(lane) = self.lanes.get_mut(&id) else { continue };
            while let Some((batch, resolution)) = lane.order.pop_resolved() {
                self.acks.acknowledged(&batch.runs, resolution.as_ref());
                if let Err(error) = &resolution {
                    failures.push(error.clone());
                }
                done.push(batch);
            }
        }
        if done.is_empty() {
            return;
        }
        // Before the batches count as resolved, so that nothing is committed without them.
        self.note_failures(&failures);
        {
            let mut accumulator = self.shared.lock();
            for batch in &done {
                accumulator.release(batch.charged);
                if batch.last_part {
                    accumulator.resolved(batch.serial);
                }
            }
        }
        self.shared.space.notify_waiters();
        self.shared.resolved.notify_waiters();
    }
}

fn not_deliverable(lane: &Lane, batch: u64, error: &ClientError) -> ProduceError {
    ProduceError::NotDelivered {
        topic: lane.topic.clone(),
        partition: lane.partition,
        after: Duration::ZERO,
        may_have_been_written: lane.order.is_ambiguous(batch),
        last: error.to_string(),
    }
}
