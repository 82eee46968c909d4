//! From answers to acknowledgements, or back to the lanes.

use super::Sender;
use super::transact::SOON;
use crate::error::ClientError;
use crate::metadata::{BrokerInfo, LeaderHint, MetadataSnapshot, NodeId, TopicPartition};
use crate::producer::accumulator::LaneId;
use crate::producer::error::ProduceError;
use crate::producer::lane::{Lane, Pause, Verdict};
use crate::producer::node::{Answer, Item};
use crate::producer::ordering::Outcome;
use kafka_protocol::messages::ProduceResponse;
use kafka_protocol::messages::produce_response::PartitionProduceResponse;
use std::collections::{HashMap, HashSet};
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
        let moved = self.learn_leaders(items, response, &answers);
        let mut refresh = false;
        for (id, batch) in items {
            let Some(lane) = self.lanes.get_mut(id) else { continue };
            let verdict = match answers.get(&(&*lane.topic, lane.partition)) {
                Some(answer) => {
                    let mut verdict = lane.judge(*batch, answer);
                    if moved.contains(id) {
                        verdict.pause = Pause::None;
                    }
                    verdict
                }
                None => Verdict {
                    outcome: Outcome::Lost { sent: true },
                    error: Some("the broker's answer lacks the partition".to_owned()),
                    refresh: false,
                    too_large: false,
                    pause: Pause::Backoff,
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

    /// Takes over the leaders that an answer names (KIP-951); gives the lanes whose leader is another one, or in another
    /// epoch, by that.
    fn learn_leaders(
        &mut self,
        items: &[Item],
        response: &ProduceResponse,
        answers: &HashMap<(&str, i32), &PartitionProduceResponse>,
    ) -> HashSet<LaneId> {
        let mut hints = Vec::new();
        for (id, _) in items {
            let Some(lane) = self.lanes.get(id) else { continue };
            let Some(answer) = answers.get(&(&*lane.topic, lane.partition)) else { continue };
            let (leader, epoch) = (answer.current_leader.leader_id.0, answer.current_leader.leader_epoch);
            if leader >= 0 && epoch >= 0 {
                let tp = TopicPartition::new(lane.topic.clone(), lane.partition);
                hints.push((*id, LeaderHint { tp, leader: NodeId(leader), epoch }));
            }
        }
        if hints.is_empty() {
            return HashSet::new();
        }
        let before = self.snapshot.clone();
        let only: Vec<_> = hints.iter().map(|(_, hint)| hint.clone()).collect();
        let endpoints = response.node_endpoints.iter();
        self.cluster.learn_leaders(
            &only,
            endpoints.filter_map(|e| BrokerInfo::named(e.node_id.0, &e.host, e.port, e.rack.as_deref())),
        );
        self.take_snapshot();
        let after = &self.snapshot;
        let leader =
            |snapshot: &MetadataSnapshot, tp: &TopicPartition| snapshot.leader(&tp.topic, tp.partition).ok();
        let moved = |hint: &LeaderHint| {
            let now = leader(after, &hint.tp);
            now == Some((hint.leader, hint.epoch)) && now != leader(&before, &hint.tp)
        };
        hints.into_iter().filter(|(_, hint)| moved(hint)).map(|(id, _)| id).collect()
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
                match verdict.pause {
                    Pause::Backoff => lane.back_off(now, reason),
                    Pause::Short => lane.wait_until(now + SOON, reason),
                    Pause::None => lane.wait_until(now, reason),
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
                pause: Pause::Backoff,
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

#[cfg(test)]
mod tests {
    use super::super::availability::tests::{append, sender};
    use super::*;
    use crate::error::ErrorCode;
    use kafka_protocol::messages::produce_response::{LeaderIdAndEpoch, NodeEndpoint, TopicProduceResponse};
    use kafka_protocol::messages::{BrokerId, TopicName};
    use kafka_protocol::protocol::StrBytes;

    fn refused(leader: i32, epoch: i32) -> ProduceResponse {
        let leader = LeaderIdAndEpoch::default().with_leader_id(BrokerId(leader)).with_leader_epoch(epoch);
        let partition = PartitionProduceResponse::default()
            .with_error_code(ErrorCode::NOT_LEADER_OR_FOLLOWER.0)
            .with_current_leader(leader);
        let topic = TopicProduceResponse::default()
            .with_name(TopicName(StrBytes::from_static_str("t")))
            .with_partition_responses(vec![partition]);
        let endpoint = NodeEndpoint::default()
            .with_node_id(BrokerId(2))
            .with_host(StrBytes::from_static_str("other"))
            .with_port(9092);
        ProduceResponse::default().with_responses(vec![topic]).with_node_endpoints(vec![endpoint])
    }

    /// By KIP-951; a leader that is not newer than the known one is no reason to hurry.
    #[tokio::test(start_paused = true)]
    async fn a_batch_goes_at_once_to_the_leader_that_the_broker_names() {
        for (leader, epoch, leads) in [(2, 1, 2), (2, 0, 1), (-1, -1, 1), (3, 1, 1)] {
            let mut sender = sender(&[1]);
            sender.cluster.set_snapshot(sender.snapshot.clone());
            append(&sender, Some(0));
            sender.collect();
            let now = Instant::now();
            let id = LaneId { topic: 0, partition: 0 };
            let batch = sender.shared.lock().take(id).unwrap();
            let lane = sender.lanes.get_mut(&id).unwrap();
            lane.order.push(batch, 1);
            lane.order.go_plain();
            let (departure, _) = lane.depart().unwrap();
            sender.settle_response(&[(id, departure.id)], &refused(leader, epoch), now);
            let case = format!("leader {leader} in epoch {epoch}");
            assert_eq!(sender.snapshot.leader("t", 0).unwrap().0, NodeId(leads), "{case}");
            let lane = &sender.lanes[&id];
            let waits = lane.not_before.is_some_and(|at| at > now);
            assert_eq!(waits, leads == 1, "{case}");
            assert!(lane.order.first_waiting().is_some(), "{case}: it is sent again");
        }
    }
}
