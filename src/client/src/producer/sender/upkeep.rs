//! Metadata, the producer id, batches that took too long, the end.

use super::{Event, IdentityState, Sender};
use crate::error::{ClientError, ErrorCode};
use crate::metadata::TopicSelection;
use crate::producer::accumulator::LaneId;
use crate::producer::config::Idempotence;
use crate::producer::error::ProduceError;
use crate::producer::identity;
use crate::producer::ordering::Identity;
use crate::sync::lock;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

impl Sender {
    /// Asks for what is missing, and gives up what took too long.
    pub(super) fn tend(&mut self, now: Instant) {
        self.ask_metadata(now);
        self.keep_topics(now);
        self.ask_identity(now);
        self.ask_transaction(now);
        if self.next_expiry <= now {
            let check = self.config.delivery_timeout / 20;
            self.next_expiry = now + check.clamp(Duration::from_millis(10), Duration::from_secs(1));
            self.expire(now);
        }
    }

    fn ask_metadata(&mut self, now: Instant) {
        let state = &mut self.metadata;
        if state.asking || state.wanted.is_empty() || state.not_before.is_some_and(|at| at > now) {
            return;
        }
        state.asking = true;
        let until = now + self.config.metadata_max_idle;
        self.cluster.keep_topics(state.wanted.iter().map(|name| (name, until)), now);
        let topics = TopicSelection::Once(state.wanted.iter().cloned().collect());
        let cluster = self.cluster.clone();
        self.events
            .push(Box::pin(async move { Event::Metadata(cluster.refresh(topics, true).await.map(|_| ())) }));
    }

    pub(super) fn metadata_answered(&mut self, outcome: Result<(), ClientError>, now: Instant) {
        self.metadata.asking = false;
        match &outcome {
            Ok(()) => self.metadata.unreachable.over(),
            Err(error) => {
                self.note_error(error);
                if self.metadata.unreachable.allows(now.into_std()) {
                    let topics = self.metadata.wanted.iter().map(|t| &**t).collect::<Vec<_>>().join(", ");
                    tracing::warn!(%error, topics, "the brokers cannot be asked about topics; records wait, and it is tried again");
                }
            }
        }
        if let Some(error) = outcome.as_ref().err().filter(|e| e.is_authentication()) {
            self.refuse_all(error);
        }
        *lock(&self.shared.metadata_error) = outcome.err();
        self.take_snapshot();
        if self.metadata.wanted.is_empty() {
            self.metadata.backoff.reset();
            self.metadata.not_before = None;
            self.metadata.missing.over();
        } else {
            // Also after a success: the answer may still lack the topic, or leaders.
            self.metadata.not_before = Some(now + self.metadata.backoff.next());
        }
        self.warn_of_missing(now);
        self.shared.topics.notify_waiters();
    }

    /// Takes over the newest snapshot: partitions of topics, and topics that cannot be written to.
    pub(super) fn take_snapshot(&mut self) {
        self.snapshot = self.snapshots.borrow_and_update().clone();
        let shared = self.shared.clone();
        let mut refused = Vec::new();
        {
            let mut accumulator = shared.lock();
            for (at, topic) in accumulator.topics.iter_mut().enumerate() {
                let Some(info) = self.snapshot.topics.get(&topic.name) else { continue };
                topic.update(info);
                topic.avoid(&self.slow);
                if !info.error.is_ok() && !info.error.is_retriable() {
                    refused.push((at, info.error));
                }
            }
        }
        let snapshot = &self.snapshot;
        // Also of partitions that are gone: a topic may be created anew with fewer. Else it is asked for again without a pause.
        let waiting = self.active.iter().filter_map(|id| self.lanes.get(id));
        let without_leader = waiting.filter(|l| snapshot.leader(&l.topic, l.partition).is_err());
        let without_leader: BTreeSet<_> = without_leader.map(|l| l.topic.clone()).collect();
        self.metadata.wanted.retain(|name| match snapshot.topics.get(name) {
            Some(info) if info.error.is_ok() => {
                info.partitions.iter().any(|p| p.leader.is_none()) || without_leader.contains(name)
            }
            Some(info) => info.error.is_retriable(),
            None => true,
        });
        for (topic, code) in refused {
            self.refuse_topic(topic, code);
        }
        shared.topics.notify_waiters();
    }

    /// The cluster refuses the client itself: what waits is given up at once, as in Java; what comes later is
    /// tried anew.
    pub(super) fn refuse_all(&mut self, error: &ClientError) {
        let lanes = self.active.clone();
        self.fail(&lanes, |topic, partition, may_have_been_written| ProduceError::Authentication {
            topic: topic.clone(),
            partition,
            may_have_been_written,
            source: error.clone(),
        });
    }

    fn refuse_topic(&mut self, topic: usize, code: ErrorCode) {
        let lanes: Vec<_> = self.lanes.keys().filter(|id| id.topic == topic).copied().collect();
        self.fail(&lanes, |topic, _, may_have_been_written| ProduceError::Topic {
            topic: topic.clone(),
            code,
            may_have_been_written,
        });
    }

    fn warn_of_missing(&mut self, now: Instant) {
        let unknown = |name: &&Arc<str>| {
            self.snapshot.topics.get(*name).is_some_and(|t| t.error == ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)
        };
        let missing: Vec<&str> = self.metadata.wanted.iter().filter(unknown).map(|name| &**name).collect();
        if !missing.is_empty() && self.metadata.missing.allows(now.into_std()) {
            tracing::warn!(
                topics = missing.join(", "),
                "the topic does not exist and the brokers do not create it; records wait for it until delivery.timeout.ms: \
                 create it, or check its name and the permission to describe it"
            );
        }
    }

    fn ask_identity(&mut self, now: Instant) {
        let starved = matches!(self.identity, IdentityState::Known(_))
            && self.active.iter().filter_map(|id| self.lanes.get(id)).any(|l| l.order.needs_identity());
        if starved {
            // The epochs of the present id are used up.
            self.identity = IdentityState::Wanted { not_before: None };
        }
        let IdentityState::Wanted { not_before } = self.identity else { return };
        if self.active.is_empty() || not_before.is_some_and(|at| at > now) {
            return;
        }
        self.identity = IdentityState::Asking;
        let (cluster, timeout) = (self.cluster.clone(), self.config.request_timeout);
        self.events
            .push(Box::pin(async move { Event::Identity(identity::request(&cluster, timeout).await) }));
    }

    pub(super) fn identity_answered(&mut self, answer: Result<Identity, ClientError>, now: Instant) {
        let error = match answer {
            Ok(identity) => {
                self.identity = IdentityState::Known(identity);
                self.identity_backoff.reset();
                self.lanes.values_mut().for_each(|lane| lane.order.set_identity(identity));
                return;
            }
            Err(error) => error,
        };
        if error.is_retriable() || error.outcome_unknown() || error.is_authentication() {
            if error.is_authentication() {
                self.refuse_all(&error);
            }
            let not_before = Some(now + self.identity_backoff.next());
            self.identity = IdentityState::Wanted { not_before };
            return self.note_error(&error);
        }
        match self.config.idempotence {
            Idempotence::Required => {
                self.identity = IdentityState::Refused(error);
                self.next_expiry = now;
            }
            Idempotence::IfPossible | Idempotence::Off => {
                tracing::warn!(
                    %error,
                    "the brokers do not grant an idempotent producer; records are sent without, one request at a \
                     time, and may be written twice: grant IdempotentWrite, or set enable.idempotence=false"
                );
                self.identity = IdentityState::Off;
                self.max_in_flight = 1;
                self.lanes.values_mut().for_each(|lane| lane.order.go_plain());
            }
        }
    }

    fn expire(&mut self, now: Instant) {
        if let IdentityState::Refused(error) = &self.identity {
            let error = error.clone();
            let lanes = self.active.clone();
            return self.fail(&lanes, without_identity(&error));
        }
        let shared = self.shared.clone();
        let active = self.active.clone();
        for id in &active {
            let Some(lane) = self.lanes.get_mut(id) else { continue };
            {
                let mut accumulator = shared.lock();
                let old = now.checked_sub(self.config.delivery_timeout);
                while accumulator
                    .peek(*id)
                    .is_some_and(|(_, created, _)| old.is_some_and(|old| created <= old))
                {
                    let Some(batch) = accumulator.take(*id) else { break };
                    let count = batch.count;
                    lane.order.push(batch, count);
                }
            }
            lane.give_up_expired(now, &self.config);
        }
        self.report(active.into_iter());
    }

    /// Gives up everything of these lanes that is not in flight.
    pub(super) fn fail(&mut self, lanes: &[LaneId], error: impl Fn(&Arc<str>, i32, bool) -> ProduceError) {
        for id in lanes {
            let Some(lane) = self.lanes.get_mut(id) else { continue };
            while let Some(batch) = self.shared.lock().take(*id) {
                let count = batch.count;
                lane.order.push(batch, count);
            }
            lane.give_up_all(&error);
        }
        self.report(lanes.iter().copied());
    }

    /// Reports everything that is left. Batches in flight may have been written.
    pub(super) fn stop(&mut self) {
        // Partitions that were appended to since the last turn have no lane yet.
        self.shared.lock().stopping = false;
        self.collect();
        let lanes: Vec<_> = self.lanes.keys().copied().collect();
        self.lanes.values_mut().for_each(|lane| lane.order.abandon());
        self.fail(&lanes, |topic, partition, may_have_been_written| ProduceError::Closed {
            topic: topic.clone(),
            partition,
            may_have_been_written,
        });
        self.shared.resolved.notify_waiters();
    }
}

/// What becomes of batches that no producer id can be had for.
fn without_identity(error: &ClientError) -> impl Fn(&Arc<str>, i32, bool) -> ProduceError {
    |topic, partition, may_have_been_written| ProduceError::Identity {
        topic: topic.clone(),
        partition,
        may_have_been_written,
        source: error.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::BrokerError;
    use crate::producer::batch::Batch;
    use crate::producer::config::ProducerConfig;
    use crate::producer::lane::Lane;
    use crate::producer::ordering::{Ordering, Outcome};
    use std::collections::BTreeMap;

    /// The epochs of the first id are used up, and the cluster gives no other one.
    #[test]
    fn what_was_sent_under_an_earlier_id_may_have_been_written() {
        let config = ProducerConfig::from_map(&BTreeMap::new()).unwrap();
        let order = Ordering::idempotent(Some(Identity { id: 7, epoch: i16::MAX }));
        let mut lane = Lane::new("t".into(), 0, order, &config);
        for serial in 0..2 {
            lane.order.push(Batch::open(serial, Instant::now(), 0), 1);
        }
        for outcome in [Outcome::Lost { sent: true }, Outcome::IdentityRefused] {
            let (departure, _) = lane.order.depart().unwrap();
            lane.order.arrived(departure.id, outcome);
        }
        assert!(lane.order.depart().is_none() && lane.order.needs_identity());
        let refused = BrokerError::new(ErrorCode::CLUSTER_AUTHORIZATION_FAILED, "InitProducerId");
        lane.give_up_all(without_identity(&refused.into()));
        let errors: Vec<_> =
            std::iter::from_fn(|| lane.order.pop_resolved()).map(|(_, r)| r.unwrap_err()).collect();
        let may_have: Vec<_> = errors.iter().map(ProduceError::may_have_been_written).collect();
        assert_eq!(may_have, [true, false]);
        assert!(
            errors[0].to_string().contains("t-0") && errors[0].to_string().contains("may have written it"),
            "{}",
            errors[0]
        );
    }
}
