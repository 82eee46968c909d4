//! A topic of the producer: where its records go, and how large its batches become.

use super::{Chosen, Queue, Topic};
use crate::metadata::{NodeId, TopicInfo};
use crate::producer::error::AppendError;
use crate::producer::partitioner::{Spread, partition_for_key};
use crossdock_wire::header::HEADER_LEN;
use std::collections::BTreeSet;

/// Capacity that a partition's first batch starts with, in bytes.
const FIRST_CAPACITY: usize = 16 << 10;

/// Steps of the estimated ratio of compression, and what is added to it for safety; Java's numbers.
const IMPROVING: f32 = 0.005;
const DETERIORATING: f32 = 0.05;
const ESTIMATE_MARGIN: f32 = 1.05;

impl Topic {
    /// Takes over what metadata tells. Batches of partitions that are gone stay, and fail in time.
    pub(in crate::producer) fn update(&mut self, info: &TopicInfo) {
        self.error = info.error;
        if !info.error.is_ok() {
            return;
        }
        self.partition_count = i32::try_from(info.partitions.len()).unwrap_or(i32::MAX);
        let led = info.partitions.iter().filter_map(|p| Some((p.partition, p.leader?)));
        (self.available, self.leaders) = led.unzip();
        self.responsive.clear();
        if self.queues.len() < info.partitions.len() {
            self.queues.resize_with(info.partitions.len(), Queue::default);
        }
    }

    /// Spreads no records to partitions that these brokers lead, if others are left.
    pub(in crate::producer) fn avoid(&mut self, brokers: &BTreeSet<NodeId>) {
        self.responsive.clear();
        if !brokers.is_empty() {
            let led = self.available.iter().zip(&self.leaders);
            self.responsive.extend(led.filter(|(_, leader)| !brokers.contains(leader)).map(|(p, _)| *p));
        }
    }

    /// Moves the estimate towards what a batch was compressed to: quickly to the worse, slowly to the better, as
    /// Java's `CompressionRatioEstimator`.
    pub(super) fn observe(&mut self, ratio: f32) {
        self.ratio = if ratio > self.ratio {
            (self.ratio + DETERIORATING).max(ratio)
        } else {
            (self.ratio - IMPROVING).max(ratio)
        };
    }

    /// Lets open batches grow until they are likely to fill a batch when compressed; to `most` at most, so that
    /// they are not too large even if they do not compress at all.
    pub(super) fn estimate(&mut self, most: usize) {
        let likely = self.batch_limit as f32 / (self.ratio * ESTIMATE_MARGIN).max(0.01);
        self.open_limit = (likely as usize).min(most).max(self.batch_limit);
    }

    /// The partition of a record, and what chose it.
    pub(super) fn choose(
        &mut self,
        explicit: Option<i32>,
        key: Option<&[u8]>,
        spread: Spread,
    ) -> Result<(i32, Chosen), AppendError> {
        let count = self.partition_count;
        if count <= 0 {
            return Err(AppendError::MetadataMissing { topic: self.name.clone() });
        }
        let key = key.filter(|_| !spread.ignore_keys && !spread.round_robin);
        match (explicit, key) {
            (Some(partition), _) if (0..count).contains(&partition) => Ok((partition, Chosen::Given)),
            (Some(partition), _) => {
                Err(AppendError::UnknownPartition { topic: self.name.clone(), partition, count })
            }
            (None, Some(key)) => Ok((partition_for_key(key, count), Chosen::Given)),
            (None, None) if spread.round_robin => {
                Ok((self.turns.partition(count, &self.available), Chosen::InTurn))
            }
            (None, None) => {
                let queues = &self.queues;
                let queued = |partition: i32| queues.get(partition as usize).map_or(0, |q| q.batches.len());
                let queued = spread.adaptive.then_some(queued);
                let responsive = spread.adaptive && !self.responsive.is_empty();
                let among = if responsive { &self.responsive } else { &self.available };
                Ok((self.sticky.partition(count, among, self.open_limit, queued), Chosen::Sticky))
            }
        }
    }
}

impl Queue {
    /// Room for what the last batch needed, so that growing (and copying) is rare.
    pub(super) fn next_capacity(&self, limit: usize, record: usize) -> usize {
        let expected = (self.last_len + self.last_len / 4).max(FIRST_CAPACITY).min(limit);
        expected.max(HEADER_LEN + record)
    }
}
