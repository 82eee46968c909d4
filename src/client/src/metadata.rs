//! What is known of a cluster: its brokers, topics, partitions and leaders.
//!
//! A [`MetadataSnapshot`] never changes; each refresh makes a new one out of the last and the answer.

use crate::config::Address;
use crate::error::ErrorCode;
use kafka_protocol::messages::MetadataResponse;
use kafka_protocol::messages::metadata_response::{MetadataResponsePartition, MetadataResponseTopic};
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;
use uuid::Uuid;

/// A broker's id within its cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub i32);

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// One partition of one topic.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicPartition {
    /// The topic's name.
    pub topic: Arc<str>,
    /// The partition's number, from 0.
    pub partition: i32,
}

impl TopicPartition {
    /// The partition `partition` of `topic`.
    pub fn new(topic: impl Into<Arc<str>>, partition: i32) -> Self {
        Self { topic: topic.into(), partition }
    }
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}

/// Which topics a refresh asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TopicSelection {
    /// Only brokers and cluster id.
    None,
    /// The topics that were asked for by name before.
    Known,
    /// These topics; they are known from then on.
    Named(Vec<Arc<str>>),
    /// These topics, this time; they are not kept up to date afterwards.
    Once(Vec<Arc<str>>),
    /// All topics of the cluster; topics that the answer lacks are forgotten.
    All,
}

/// A leader that a broker named in the answer to another request (KIP-951).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LeaderHint {
    pub(crate) tp: TopicPartition,
    pub(crate) leader: NodeId,
    pub(crate) epoch: i32,
}

/// The cluster as it was at the last refresh.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct MetadataSnapshot {
    /// The cluster's id; `None` before the first refresh.
    pub cluster_id: Option<Arc<str>>,
    /// The broker that admin requests go to.
    pub controller: Option<NodeId>,
    /// The brokers by id.
    pub brokers: BTreeMap<NodeId, BrokerInfo>,
    /// The topics by name, also those that the cluster refused (see [`TopicInfo::error`]).
    pub topics: HashMap<Arc<str>, Arc<TopicInfo>>,
    /// Counts the refreshes; 0 before the first.
    pub generation: u64,
}

/// A broker.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BrokerInfo {
    /// The id.
    pub node: NodeId,
    /// Where it listens.
    pub address: Address,
    /// Its rack, if it is configured.
    pub rack: Option<Arc<str>>,
}

impl BrokerInfo {
    /// As brokers name each other; `None` if there is no such port.
    pub(crate) fn named(node: i32, host: &str, port: i32, rack: Option<&str>) -> Option<Self> {
        let address = Address { host: host.into(), port: u16::try_from(port).ok()? };
        Some(Self { node: NodeId(node), address, rack: rack.map(Arc::from) })
    }
}

/// A topic.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TopicInfo {
    /// The name.
    pub name: Arc<str>,
    /// The topic's id; nil from brokers older than 2.8.
    pub id: Uuid,
    /// [`ErrorCode::NONE`], or why the cluster told nothing of this topic.
    pub error: ErrorCode,
    /// Whether the topic belongs to Kafka itself.
    pub internal: bool,
    /// The partitions, ordered by number from 0, without holes.
    pub partitions: Vec<PartitionInfo>,
    pub(crate) former: Former,
}

/// The topics that had the name before. A broker that lags behind may still tell of them: without this, its answers and
/// those of others would let positions begin anew again and again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Former {
    /// The id that was told last, nil before the first.
    last: Uuid,
    /// Those that it replaced, the newest last.
    ids: Vec<Uuid>,
    /// Answers in a row that told of one of them.
    again: u32,
}

impl Former {
    const MOST: usize = 4;
    /// So many answers in a row are believed: then it was the other one that came from a broker that lags behind.
    const BELIEVED: u32 = 5;

    /// Whether the topic of this id was replaced, as far as is known.
    fn holds(&self, id: Uuid) -> bool {
        self.ids.contains(&id) && self.again + 1 < Self::BELIEVED
    }

    /// After an answer that told of this id.
    fn after(&self, id: Uuid) -> Self {
        let mut next = Self { again: 0, ..self.clone() };
        if id.is_nil() || id == self.last {
            return next;
        }
        next.ids.retain(|former| *former != id);
        if !self.last.is_nil() {
            next.ids.push(self.last);
        }
        if next.ids.len() > Self::MOST {
            next.ids.remove(0);
        }
        next.last = id;
        next
    }
}

/// A partition.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PartitionInfo {
    /// The number.
    pub partition: i32,
    /// [`ErrorCode::NONE`], or what is wrong at present.
    pub error: ErrorCode,
    /// The leader, if there is one.
    pub leader: Option<NodeId>,
    /// The leader's epoch; -1 from brokers that do not tell.
    pub leader_epoch: i32,
    /// All replicas.
    pub replicas: Vec<NodeId>,
    /// The replicas in sync.
    pub in_sync: Vec<NodeId>,
}

impl MetadataSnapshot {
    /// A topic that the cluster told of; `None` if it is unknown or was refused.
    pub fn topic(&self, name: &str) -> Option<&Arc<TopicInfo>> {
        self.topics.get(name).filter(|t| t.error.is_ok())
    }

    /// A partition.
    pub fn partition(&self, topic: &str, partition: i32) -> Option<&PartitionInfo> {
        self.topic(topic)?.partitions.get(usize::try_from(partition).ok()?)
    }

    /// How many partitions the topic has; `None` if it is unknown.
    pub fn partition_count(&self, topic: &str) -> Option<i32> {
        i32::try_from(self.topic(topic)?.partitions.len()).ok()
    }

    /// The next snapshot, with leaders of newer epochs that brokers named, and with their addresses. `None` if nothing
    /// is new; a leader whose address is not known is left out.
    pub(crate) fn with_leaders(
        &self,
        hints: &[LeaderHint],
        endpoints: impl IntoIterator<Item = BrokerInfo>,
    ) -> Option<Self> {
        let mut next = self.clone();
        next.brokers.extend(endpoints.into_iter().map(|broker| (broker.node, broker)));
        let mut changed = false;
        for hint in hints {
            let (tp, at) = (&hint.tp, usize::try_from(hint.tp.partition).ok());
            let Some(topic) = next.topics.get_mut(&tp.topic) else { continue };
            let known = at.and_then(|at| topic.partitions.get(at));
            let newer = known.is_some_and(|p| p.leader_epoch < hint.epoch);
            if newer
                && next.brokers.contains_key(&hint.leader)
                && let Some(partition) = at.and_then(|at| Arc::make_mut(topic).partitions.get_mut(at))
            {
                partition.leader = Some(hint.leader);
                partition.leader_epoch = hint.epoch;
                partition.error = ErrorCode::NONE;
                changed = true;
            }
        }
        next.generation += 1;
        changed.then_some(next)
    }

    /// The next snapshot, after an answer. `all` tells that the answer lists every topic. A partition
    /// whose leader epoch in the answer is older than the known one keeps what is known (KIP-320): the
    /// answer came from a broker that lags behind.
    pub(crate) fn updated(&self, answer: MetadataResponse, all: bool) -> Self {
        let mut topics = if all { HashMap::new() } else { self.topics.clone() };
        for topic in answer.topics {
            let Some(name) = topic.name.as_ref() else { continue };
            let known = self.topics.get(name.0.as_str());
            let info = topic_info(topic, known.map(Arc::as_ref));
            if let Some(info) = info {
                topics.insert(info.name.clone(), Arc::new(info));
            }
        }
        let brokers = answer.brokers.into_iter().filter_map(|b| {
            let port = u16::try_from(b.port).ok()?;
            let address = Address { host: b.host.as_str().into(), port };
            let node = NodeId(b.node_id.0);
            Some((node, BrokerInfo { node, address, rack: b.rack.map(|r| r.as_str().into()) }))
        });
        Self {
            cluster_id: answer.cluster_id.map(|id| id.as_str().into()).or_else(|| self.cluster_id.clone()),
            controller: Some(NodeId(answer.controller_id.0)).filter(|n| n.0 >= 0),
            brokers: brokers.collect(),
            topics,
            generation: self.generation + 1,
        }
    }
}

fn topic_info(topic: MetadataResponseTopic, known: Option<&TopicInfo>) -> Option<TopicInfo> {
    let name: Arc<str> = match known {
        Some(known) => known.name.clone(),
        None => topic.name.as_ref()?.0.as_str().into(),
    };
    if let Some(known) = known.filter(|known| known.former.holds(topic.topic_id)) {
        let former = Former { again: known.former.again + 1, ..known.former.clone() };
        return Some(TopicInfo { former, ..known.clone() });
    }
    let former = known.map_or_else(Former::default, |known| known.former.clone()).after(topic.topic_id);
    // A topic that was deleted and created anew starts its epochs again.
    let known = known.filter(|k| k.id == topic.topic_id);
    let mut partitions: Vec<_> = topic.partitions.iter().map(|p| partition_info(p, known)).collect();
    partitions.sort_by_key(|p| p.partition);
    // Numbers are positions from here on: what does not fit is not a partition list.
    partitions.dedup_by_key(|p| p.partition);
    let dense = partitions.iter().enumerate().all(|(at, p)| usize::try_from(p.partition) == Ok(at));
    let error = if dense { ErrorCode(topic.error_code) } else { ErrorCode::UNKNOWN_SERVER_ERROR };
    if !dense {
        tracing::warn!(
            topic = &*name,
            "a broker listed the partitions of the topic with holes; its answer is ignored"
        );
        partitions.clear();
    }
    Some(TopicInfo { name, id: topic.topic_id, error, internal: topic.is_internal, partitions, former })
}

fn partition_info(partition: &MetadataResponsePartition, known: Option<&TopicInfo>) -> PartitionInfo {
    let known = known
        .and_then(|k| k.partitions.get(usize::try_from(partition.partition_index).ok()?))
        .filter(|k| partition.leader_epoch >= 0 && k.leader_epoch > partition.leader_epoch);
    if let Some(known) = known {
        return known.clone();
    }
    let nodes = |ids: &[kafka_protocol::messages::BrokerId]| ids.iter().map(|id| NodeId(id.0)).collect();
    PartitionInfo {
        partition: partition.partition_index,
        error: ErrorCode(partition.error_code),
        leader: Some(NodeId(partition.leader_id.0)).filter(|n| n.0 >= 0),
        leader_epoch: partition.leader_epoch,
        replicas: nodes(&partition.replica_nodes),
        in_sync: nodes(&partition.isr_nodes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kafka_protocol::messages::metadata_response::MetadataResponseBroker;
    use kafka_protocol::messages::{BrokerId, TopicName};
    use kafka_protocol::protocol::StrBytes;

    fn topic(name: &'static str, id: u128, partitions: &[(i32, i32, i32)]) -> MetadataResponseTopic {
        let partition = |&(index, leader, epoch): &(i32, i32, i32)| {
            MetadataResponsePartition::default()
                .with_partition_index(index)
                .with_leader_id(BrokerId(leader))
                .with_leader_epoch(epoch)
        };
        MetadataResponseTopic::default()
            .with_name(Some(TopicName(StrBytes::from_static_str(name))))
            .with_topic_id(Uuid::from_u128(id))
            .with_partitions(partitions.iter().map(partition).collect())
    }

    fn answer(topics: Vec<MetadataResponseTopic>) -> MetadataResponse {
        let broker = MetadataResponseBroker::default().with_node_id(BrokerId(1)).with_port(9092);
        MetadataResponse::default().with_brokers(vec![broker]).with_topics(topics)
    }

    #[test]
    fn an_answer_adds_to_what_is_known_unless_it_lists_everything() {
        let first = MetadataSnapshot::default().updated(answer(vec![topic("a", 1, &[(0, 1, 0)])]), false);
        let second = first.updated(answer(vec![topic("b", 2, &[(1, 1, 0), (0, 2, 0)])]), false);
        assert_eq!(second.partition_count("a"), Some(1));
        assert_eq!(second.partition_count("b"), Some(2), "in whatever order they are listed");
        assert_eq!(second.partition("b", 1).unwrap().leader, Some(NodeId(1)));
        let third = second.updated(answer(vec![topic("b", 2, &[(0, 1, 0)])]), true);
        assert!(third.topic("a").is_none() && third.generation == 3);
    }

    #[test]
    fn an_answer_that_lags_behind_does_not_bring_an_old_leader_back() {
        let known = MetadataSnapshot::default().updated(answer(vec![topic("a", 1, &[(0, 2, 7)])]), false);
        let late = known.updated(answer(vec![topic("a", 1, &[(0, 1, 6)])]), false);
        assert_eq!(late.leader("a", 0).unwrap(), (NodeId(2), 7));
        let anew = known.updated(answer(vec![topic("a", 9, &[(0, 1, 0)])]), false);
        assert_eq!(anew.leader("a", 0).unwrap(), (NodeId(1), 0), "another topic of the same name");
        let gone = known.updated(answer(vec![topic("a", 1, &[(0, -1, 8)])]), false);
        assert!(gone.leader("a", 0).unwrap_err().is_retriable());
    }

    #[test]
    fn a_broker_that_lags_behind_does_not_bring_a_deleted_topic_back() {
        let tell =
            |known: &MetadataSnapshot, id| known.updated(answer(vec![topic("a", id, &[(0, 1, 0)])]), false);
        let id = |known: &MetadataSnapshot| known.topic("a").unwrap().id.as_u128();
        let mut known = tell(&tell(&MetadataSnapshot::default(), 1), 2);
        for _ in 0..10 {
            known = tell(&known, 1);
            assert_eq!(id(&known), 2, "the old one, from a broker that lags behind");
            known = tell(&known, 2);
            assert_eq!(id(&known), 2);
        }
        // Nobody tells of the other one any more: it was not the newer one.
        for _ in 0..4 {
            known = tell(&known, 1);
            assert_eq!(id(&known), 2);
        }
        known = tell(&known, 1);
        assert_eq!(id(&known), 1);
        // A broker that does not know the topic yet replaces nothing.
        let mut unknown = topic("a", 0, &[]);
        unknown.error_code = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION.0;
        let known = known.updated(answer(vec![unknown]), false);
        assert!(known.topic("a").is_none());
        assert_eq!(id(&tell(&known, 1)), 1);
    }

    #[test]
    fn leaders_that_brokers_name_are_taken_over_if_they_are_newer() {
        let known =
            MetadataSnapshot::default().updated(answer(vec![topic("a", 1, &[(0, 1, 4), (1, 1, 4)])]), false);
        let hint = |partition, leader, epoch| LeaderHint {
            tp: TopicPartition::new("a", partition),
            leader: NodeId(leader),
            epoch,
        };
        let address = Address { host: "h".into(), port: 1 };
        let broker = BrokerInfo { node: NodeId(2), address, rack: None };
        let next = known.with_leaders(&[hint(0, 2, 5), hint(1, 2, 4)], [broker.clone()]).unwrap();
        assert_eq!(next.leader("a", 0).unwrap(), (NodeId(2), 5));
        assert_eq!(next.leader("a", 1).unwrap(), (NodeId(1), 4), "not newer");
        assert_eq!((next.brokers.get(&NodeId(2)), next.generation), (Some(&broker), 2));
        assert!(known.with_leaders(&[hint(0, 3, 5), hint(9, 1, 5), hint(-1, 1, 5)], []).is_none());
    }

    #[test]
    fn partitions_with_holes_are_not_taken() {
        let odd = answer(vec![topic("a", 1, &[(0, 1, 0), (2, 1, 0)]), topic("b", 2, &[(-1, 1, 0)])]);
        let snapshot = MetadataSnapshot::default().updated(odd, false);
        assert!(snapshot.topic("a").is_none() && snapshot.topic("b").is_none());
        let port = answer(vec![]).with_brokers(vec![MetadataResponseBroker::default().with_port(70_000)]);
        assert!(MetadataSnapshot::default().updated(port, false).brokers.is_empty());
    }
}
