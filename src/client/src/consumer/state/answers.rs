//! What answers of the brokers mean for partitions: records, positions, refusals.
//!
//! An answer to an older stamp is dropped. What may pass is asked again after a pause; what does not makes the partition
//! rest, and the application gets the error after what is queued.

use super::{Asked, Fetched, Limits, Located, Partition, Phase, Ready, State};
use crate::consumer::config::OffsetReset;
use crate::consumer::error::ConsumerError;
use crate::consumer::records::Region;
use crate::error::{BrokerError, ClientError, ErrorCode};
use crate::metadata::{MetadataSnapshot, NodeId, TopicPartition};
use std::collections::HashMap;
use std::time::Instant;

impl State {
    /// Committed offsets were looked up; `None` if that has to be tried again.
    pub(in crate::consumer) fn on_committed(
        &mut self,
        now: Instant,
        asked: Vec<Asked>,
        offsets: Result<Option<HashMap<TopicPartition, Located>>, ConsumerError>,
    ) {
        self.followed = None;
        for asked in asked {
            let reset = self.limits.reset;
            let Some(partition) = self.current(&asked) else { continue };
            partition.asked = false;
            match &offsets {
                Ok(Some(offsets)) => match offsets.get(&asked.tp) {
                    Some(located) => partition.locate(*located),
                    None => {
                        partition.phase = Phase::NeedsReset(reset);
                        self.refuse_reset_none(&asked, None);
                    }
                },
                Ok(None) => self.retry(now, &asked),
                Err(error) => self.failed(now, asked, error.clone()),
            }
        }
    }

    /// Offsets were looked up by ListOffsets.
    pub(in crate::consumer) fn on_offsets(
        &mut self,
        now: Instant,
        asked: Vec<Asked>,
        mut offsets: HashMap<TopicPartition, Result<i64, ErrorCode>>,
    ) {
        self.followed = None;
        for asked in asked {
            let answer = offsets.remove(&asked.tp);
            let Some(partition) = self.current(&asked) else { continue };
            partition.asked = false;
            match answer {
                // Every record is older than that: there is nothing to read yet.
                Some(Ok(offset)) if offset < 0 => partition.phase = Phase::NeedsReset(OffsetReset::Latest),
                // Without an epoch: what was looked up just now need not be checked.
                Some(Ok(offset)) => partition.locate(Located { offset, leader_epoch: -1 }),
                Some(Err(code)) if !code.is_retriable() => self.refused(now, asked, code, "ListOffsets"),
                _ => self.retry(now, &asked),
            }
        }
    }

    /// A fetch at `node` is over. Tells whether leaders may have changed.
    pub(in crate::consumer) fn on_fetched(
        &mut self,
        now: Instant,
        node: NodeId,
        answers: Vec<(Asked, Fetched)>,
    ) -> bool {
        self.busy.remove(&node);
        let mut moved = false;
        for (asked, fetched) in answers {
            // The leader moved meanwhile, and the new one was asked for the same.
            if self.current(&asked).is_none_or(|p| p.following.asked != Some(node)) {
                continue;
            }
            moved |= self.on_fetched_one(now, node, asked, fetched);
        }
        moved
    }

    pub(super) fn on_fetched_one(
        &mut self,
        now: Instant,
        node: NodeId,
        asked: Asked,
        fetched: Fetched,
    ) -> bool {
        let code = match fetched {
            Fetched::Region(region) => {
                self.on_region(asked, *region);
                return false;
            }
            Fetched::Diverging(agreement) => {
                self.agree(&asked, agreement);
                return false;
            }
            Fetched::Replica(replica) => {
                // Only leaders recommend others. Whoever recommends itself, or is a recommended one, would be asked again at once.
                if self.leave_replica(&asked, node) || replica == node {
                    self.retry(now, &asked);
                    return false;
                }
                let until = now + self.limits.replica_max_age;
                if let Some(partition) = self.current(&asked) {
                    partition.following.replica = Some((replica, until));
                }
                return false;
            }
            Fetched::Failed(error) => {
                self.rest(asked, error);
                return false;
            }
            Fetched::Moved => return false,
            Fetched::Refused(code) => Some(code),
            Fetched::Nothing => None,
        };
        // Whatever is wrong with a replica, the leader is asked next.
        let at_replica = self.leave_replica(&asked, node);
        match code {
            Some(ErrorCode::OFFSET_OUT_OF_RANGE) if at_replica => false,
            Some(ErrorCode::OFFSET_OUT_OF_RANGE) => {
                self.out_of_range(&asked);
                false
            }
            // As Java's FetchCollector; a broker's mishap is not the end of a partition, a broken batch is.
            Some(ErrorCode::OFFSET_NOT_AVAILABLE | ErrorCode::UNKNOWN_SERVER_ERROR) | None => {
                self.retry(now, &asked);
                true
            }
            Some(code) if code.is_retriable() && code != ErrorCode::CORRUPT_MESSAGE => {
                self.retry(now, &asked);
                code.refreshes_metadata()
            }
            Some(code) => {
                self.refused(now, asked, code, "Fetch");
                false
            }
        }
    }

    /// Forgets the recommended replica; tells whether it was `node`.
    pub(super) fn leave_replica(&mut self, asked: &Asked, node: NodeId) -> bool {
        let Some(partition) = self.current(asked) else { return false };
        partition.following.replica.take().is_some_and(|(replica, _)| replica == node)
    }

    /// Metadata was asked for the topics of partitions without a known leader.
    pub(in crate::consumer) fn on_metadata(&mut self, now: Instant, metadata: &MetadataSnapshot) {
        self.asking_metadata = false;
        for (tp, partition) in &mut self.partitions {
            let lags = partition.following.behind == Some(metadata.generation);
            if lags || metadata.leader(&tp.topic, tp.partition).is_err() {
                partition.pause_for_retry(now, &self.limits);
            }
        }
    }

    pub(super) fn on_region(&mut self, asked: Asked, region: Region) {
        let empty = region.has_no_records();
        let Region { records, error } = region;
        self.turns += 1;
        let turn = self.turns;
        let Some(partition) = self.partitions.get_mut(&asked.tp) else { return };
        if partition.fetch_offset != asked.offset {
            return;
        }
        partition.failures = 0;
        partition.told_refusal = None;
        if records.next_offset != partition.fetch_offset {
            partition.fetch_offset = records.next_offset;
            partition.fetch_epoch = records.leader_epoch;
        }
        if !records.batches.is_empty() {
            partition.served = turn;
        }
        if empty && partition.queued == 0 {
            partition.position = Some(records.next_offset);
            partition.position_epoch = partition.fetch_epoch;
        } else if !empty {
            partition.queued += 1;
            let bytes = records.byte_len();
            self.buffered += bytes;
            let tp = asked.tp.clone();
            self.ready.push_back(Ready { tp, bytes, item: Ok(records) });
        }
        if let Some(error) = error {
            self.rest(asked, error);
        }
    }

    pub(super) fn out_of_range(&mut self, asked: &Asked) {
        let reset = self.limits.reset;
        let Some(partition) = self.current(asked) else { return };
        partition.phase = Phase::NeedsReset(reset);
        if reset != OffsetReset::None {
            tracing::warn!(topic = &*asked.tp.topic, partition = asked.tp.partition, offset = asked.offset,
                to = ?reset, "the position is out of range and is set by auto.offset.reset");
        }
        self.refuse_reset_none(asked, Some(asked.offset));
    }

    pub(super) fn refuse_reset_none(&mut self, asked: &Asked, out_of_range: Option<i64>) {
        let none = Phase::NeedsReset(OffsetReset::None);
        if self.partitions.get(&asked.tp).is_none_or(|p| p.phase != none) {
            return;
        }
        let (topic, partition) = (asked.tp.topic.clone(), asked.tp.partition);
        let error = match out_of_range {
            Some(offset) => ConsumerError::OffsetOutOfRange { topic, partition, offset },
            None => ConsumerError::NoOffset { topic, partition },
        };
        self.rest(asked.clone(), error);
    }

    pub(super) fn refused(&mut self, now: Instant, asked: Asked, code: ErrorCode, api: &'static str) {
        let error = BrokerError::new(code, api).topic(asked.tp.topic.clone()).partition(asked.tp.partition);
        self.failed(now, asked, ConsumerError::Client(error.into()));
    }

    /// Permissions may be given back, so what lacks them is tried again and told once until it is read; anything else
    /// makes the partition rest.
    pub(super) fn failed(&mut self, now: Instant, asked: Asked, error: ConsumerError) {
        let denied = match &error {
            ConsumerError::Client(ClientError::Broker(refusal)) => Some(refusal.code),
            _ => None,
        };
        let Some(code) = denied.filter(|code| code.is_authorization()) else {
            return self.rest(asked, error);
        };
        self.retry(now, &asked);
        let Some(partition) = self.current(&asked) else { return };
        if partition.told_refusal.replace(code) != Some(code) {
            partition.queued += 1;
            self.ready.push_back(Ready { tp: asked.tp, bytes: 0, item: Err(error) });
        }
    }

    /// Nothing more is fetched of the partition; the application gets the error after what is queued.
    pub(super) fn rest(&mut self, asked: Asked, error: ConsumerError) {
        let Some(partition) = self.current(&asked) else { return };
        partition.phase = Phase::Resting;
        partition.asked = false;
        partition.queued += 1;
        self.ready.push_back(Ready { tp: asked.tp, bytes: 0, item: Err(error) });
    }

    pub(super) fn retry(&mut self, now: Instant, asked: &Asked) {
        if let Some(partition) = self.partitions.get_mut(&asked.tp).filter(|p| p.stamp == asked.stamp) {
            partition.pause_for_retry(now, &self.limits);
        }
    }
}

impl Partition {
    pub(super) fn pause_for_retry(&mut self, now: Instant, limits: &Limits) {
        let pause = limits.retry_backoff.saturating_mul(1 << self.failures.min(16));
        self.failures = self.failures.saturating_add(1);
        self.retry_at = Some(now + pause.min(limits.retry_backoff_max));
    }

    pub(super) fn locate(&mut self, Located { offset, leader_epoch }: Located) {
        self.phase = Phase::Active;
        self.fetch_offset = offset;
        self.fetch_epoch = leader_epoch;
        self.following.leader = None;
        self.failures = 0;
        if self.queued == 0 {
            self.position = Some(offset);
            self.position_epoch = leader_epoch;
        }
    }
}
