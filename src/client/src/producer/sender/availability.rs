//! Which brokers take requests, and which topics are in use.
//!
//! A broker to which something could be sent, but that takes no request for `partitioner.availability.timeout.ms`, gets
//! no more of the records that are spread, until it takes one or nothing waits for it any more (KIP-794). Keys and given
//! partitions are not asked. Topics that are in use are kept up to date for `metadata.max.idle.ms` from then on.

use super::Sender;
use crate::metadata::NodeId;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::Instant;

/// How often the topics in use are told, at most.
const TELLING: Duration = Duration::from_secs(1);

impl Sender {
    /// Takes note of brokers that became slow, or are no longer.
    pub(super) fn avoid_slow(&mut self, now: Instant) {
        let Some(patience) = self.config.partitioner_availability_timeout else { return };
        if self.nodes.values().all(|node| node.stuck_since.is_none()) && self.slow.is_empty() {
            return;
        }
        // Nothing is tried at brokers for which nothing waits, so nothing would be found out either.
        let waited_for: BTreeSet<NodeId> = { self.active.iter() }
            .filter_map(|id| self.lanes.get(id))
            .filter_map(|lane| self.snapshot.leader(&lane.topic, lane.partition).ok())
            .map(|(leader, _)| leader)
            .collect();
        let mut slow = BTreeSet::new();
        for (id, node) in &mut self.nodes {
            if !waited_for.contains(id) {
                node.stuck_since = None;
            }
            if node.stuck_since.is_some_and(|since| since + patience <= now) {
                slow.insert(*id);
            }
        }
        if slow != self.slow {
            tracing::debug!(brokers = ?slow, "records without a partition go to other brokers than these");
            self.slow = slow;
            self.shared.lock().topics.iter_mut().for_each(|topic| topic.avoid(&self.slow));
        }
    }

    /// When the next broker may turn out to be slow.
    pub(super) fn next_slow(&self) -> Option<Instant> {
        let patience = self.config.partitioner_availability_timeout?;
        let stuck = self.nodes.iter().filter(|(id, _)| !self.slow.contains(id));
        stuck.filter_map(|(_, node)| node.stuck_since).map(|since| since + patience).min()
    }

    /// Has topics that were appended to lately kept up to date.
    pub(super) fn keep_topics(&mut self, now: Instant) {
        if self.next_use > now {
            return;
        }
        self.next_use = now + TELLING;
        let idle = self.config.metadata_max_idle;
        let accumulator = self.shared.lock();
        let used = accumulator.topics.iter().filter(|topic| topic.partition_count > 0);
        self.cluster.keep_topics(used.map(|topic| (&topic.name, topic.used + idle)), now);
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::Cluster;
    use crate::config::ClientConfig;
    use crate::error::ErrorCode;
    use crate::metadata::{MetadataSnapshot, PartitionInfo, TopicInfo};
    use crate::producer::accumulator::{LaneId, Limits, Record};
    use crate::producer::partitioner::Spread;
    use crate::producer::{LogFailures, ProducerConfig, Shared};
    use std::collections::BTreeMap;
    use std::iter;
    use std::sync::Arc;

    const PATIENCE: Duration = Duration::from_millis(50);

    fn led_by(partition: i32, node: i32) -> PartitionInfo {
        PartitionInfo {
            partition,
            error: ErrorCode::NONE,
            leader: Some(NodeId(node)),
            leader_epoch: 0,
            replicas: vec![],
            in_sync: vec![],
        }
    }

    /// A topic whose partitions are led by these brokers in turn, none of which can be reached.
    pub(in crate::producer::sender) fn sender(leaders: &[i32]) -> Sender {
        let settings = [("partitioner.availability.timeout.ms", "50"), ("batch.size", "100")];
        let settings = settings.map(|(k, v)| (k.to_owned(), v.to_owned()));
        let config = ProducerConfig::from_map(&BTreeMap::from(settings)).unwrap();
        let limits = Limits { batch: config.batch_limit(), memory: 1 << 20, record: 1 << 20 };
        let shared = Arc::new(Shared::new(limits, None));
        let cluster = Cluster::new(ClientConfig::new("127.0.0.1:1").unwrap());
        let info = TopicInfo {
            name: "t".into(),
            id: uuid::Uuid::nil(),
            error: ErrorCode::NONE,
            internal: false,
            partitions: (0..).zip(leaders).map(|(partition, node)| led_by(partition, *node)).collect(),
            former: Default::default(),
        };
        {
            let mut accumulator = shared.lock();
            accumulator.spread = Spread { adaptive: true, ..Spread::default() };
            let (at, _) = accumulator.intern("t");
            accumulator.topics[at].update(&info);
        }
        let mut sender = Sender::new(cluster, Arc::new(config), shared, Arc::new(LogFailures));
        let mut snapshot = MetadataSnapshot::default();
        snapshot.topics.insert(info.name.clone(), Arc::new(info));
        sender.snapshot = Arc::new(snapshot);
        // Else batches wait for a producer id.
        sender.identity = super::super::IdentityState::Off;
        sender
    }

    pub(in crate::producer::sender) fn append(sender: &Sender, partition: Option<i32>) {
        let record =
            Record { timestamp: 0, key: None, value: Some(&[0; 60][..]), headers: iter::empty(), token: 0 };
        sender.shared.lock().append(0, partition, record).unwrap();
    }

    fn turn(sender: &mut Sender, now: Instant) {
        assert!(!sender.collect());
        sender.dispatch(now);
        sender.avoid_slow(now);
    }

    fn waiting(sender: &Sender) -> Vec<usize> {
        let accumulator = sender.shared.lock();
        let lanes = (0..3).map(|partition| LaneId { topic: 0, partition });
        lanes.map(|lane| usize::from(accumulator.peek(lane).is_some())).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_broker_that_takes_nothing_for_too_long_gets_no_more() {
        let mut sender = sender(&[1, 2, 2]);
        let start = Instant::now();
        append(&sender, Some(0));
        turn(&mut sender, start);
        assert!(sender.slow.is_empty() && sender.next_slow() == Some(start + PATIENCE));
        turn(&mut sender, start + PATIENCE - Duration::from_millis(1));
        assert!(sender.slow.is_empty());
        turn(&mut sender, start + PATIENCE);
        assert_eq!(sender.slow, BTreeSet::from([NodeId(1)]));
        assert_eq!(sender.next_slow(), None, "it is known");
        let batch = sender.shared.lock().take(LaneId { topic: 0, partition: 0 });
        assert!(batch.is_some());
        for _ in 0..200 {
            append(&sender, None);
        }
        assert_eq!(waiting(&sender), [0, 1, 1], "only partitions of the other broker");
        append(&sender, Some(0));
        assert_eq!(waiting(&sender)[0], 1, "whoever names a partition gets it");
    }

    #[tokio::test(start_paused = true)]
    async fn a_broker_is_asked_again_once_nothing_waits_for_it() {
        let mut sender = sender(&[1, 2, 2]);
        let start = Instant::now();
        append(&sender, Some(0));
        turn(&mut sender, start);
        turn(&mut sender, start + PATIENCE);
        assert!(!sender.slow.is_empty());
        sender.shared.lock().take(LaneId { topic: 0, partition: 0 });
        turn(&mut sender, start + PATIENCE * 2);
        assert!(sender.slow.is_empty() && sender.next_slow().is_none());
        for _ in 0..200 {
            append(&sender, None);
        }
        assert_eq!(waiting(&sender), [1, 1, 1]);
    }

    #[tokio::test(start_paused = true)]
    async fn if_all_are_slow_all_are_tried() {
        let mut sender = sender(&[1, 2, 2]);
        let start = Instant::now();
        (0..3).for_each(|partition| append(&sender, Some(partition)));
        turn(&mut sender, start);
        turn(&mut sender, start + PATIENCE);
        assert_eq!(sender.slow, BTreeSet::from([NodeId(1), NodeId(2)]));
        for partition in 0..3 {
            sender.shared.lock().take(LaneId { topic: 0, partition });
        }
        for _ in 0..200 {
            append(&sender, None);
        }
        assert_eq!(waiting(&sender), [1, 1, 1]);
    }
}
