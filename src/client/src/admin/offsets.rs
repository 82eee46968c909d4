//! Offsets of partitions: earliest, latest, or by timestamp.

use super::rounds::missing_item;
use super::{Admin, ItemResult};
use crate::backoff::Backoff;
use crate::cluster::Cluster;
use crate::connection::ConnectionClass;
use crate::error::{BrokerError, ClientError, ErrorCode};
use crate::metadata::{NodeId, TopicPartition, TopicSelection};
use crate::text::topic_name;
use futures_util::future::join_all;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::{BrokerId, ListOffsetsRequest, ListOffsetsResponse};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use tokio::time::Instant;

/// ListOffsets 9 has all kinds of offsets below; 10 adds a timeout.
const MAX_VERSION: i16 = 9;
const API: &str = "ListOffsets";

/// Which offset of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum OffsetSpec {
    /// The first one that is there.
    Earliest,
    /// The one that the next record gets (or the last stable one, see [`IsolationLevel`]).
    Latest,
    /// The first one whose timestamp, in milliseconds since the epoch, is this or later.
    Timestamp(i64),
    /// That of the record with the largest timestamp (Kafka 3.0 and newer, KIP-734).
    MaxTimestamp,
    /// The first one that the leader has on its own disk (Kafka 3.4 and newer, KIP-405).
    EarliestLocal,
    /// The last one that is in tiered storage; -1 if none is (Kafka 3.9 and newer, KIP-1005).
    LatestTiered,
}

impl OffsetSpec {
    /// As the protocol has it, and the first version that knows it.
    fn to_wire(self) -> (i64, i16) {
        match self {
            Self::Timestamp(at) => (at, 1),
            Self::Latest => (-1, 1),
            Self::Earliest => (-2, 1),
            Self::MaxTimestamp => (-3, 7),
            Self::EarliestLocal => (-4, 8),
            Self::LatestTiered => (-5, 9),
        }
    }
}

/// Whether records of open transactions count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum IsolationLevel {
    /// They do.
    #[default]
    ReadUncommitted,
    /// They do not: the latest offset is the last stable one.
    ReadCommitted,
}

/// An offset that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListedOffset {
    /// The offset; -1 if no record has such a timestamp.
    pub offset: i64,
    /// Timestamp of the record, in milliseconds; -1 unless it was asked for by timestamp.
    pub timestamp: i64,
    /// Leader epoch of the record; -1 if unknown.
    pub leader_epoch: i32,
}

type Found = Result<ListedOffset, ClientError>;

impl Admin {
    /// Offsets of partitions, each asked of its leader. Partitions whose leader moves or is missing are
    /// retried for `default.api.timeout.ms`.
    pub async fn list_offsets(
        &self,
        partitions: &[(TopicPartition, OffsetSpec)],
        isolation: IsolationLevel,
    ) -> Result<Vec<ItemResult<TopicPartition, ListedOffset>>, ClientError> {
        let cluster = &self.cluster;
        let topics: BTreeSet<Arc<str>> = partitions.iter().map(|(p, _)| p.topic.clone()).collect();
        let topics = TopicSelection::Once(topics.into_iter().collect());
        let deadline = Instant::now() + cluster.config().default_api_timeout;
        let mut backoff = Backoff::new(cluster.config().retry_backoff, cluster.config().retry_backoff_max);
        let mut results: HashMap<(TopicPartition, OffsetSpec), Found> = HashMap::new();
        let mut open: Vec<_> = partitions.to_vec();
        if partitions.iter().any(|(p, _)| cluster.metadata().partition(&p.topic, p.partition).is_none()) {
            self.retrying("finding the leaders of partitions", || cluster.refresh(topics.clone(), false))
                .await?;
        }
        loop {
            for (item, found) in self.list_offsets_once(&open, isolation).await {
                results.insert(item, found);
            }
            open.retain(|item| {
                results.get(item).is_some_and(|r| r.as_ref().is_err_and(ClientError::is_retriable))
            });
            let wait = backoff.next();
            if open.is_empty() || Instant::now() + wait >= deadline {
                break;
            }
            tokio::time::sleep(wait).await;
            if let Err(error) = cluster.refresh(topics.clone(), false).await {
                if !error.is_retriable() {
                    return Err(error);
                }
                // The leaders that were known are asked again: one of them may answer.
                tracing::debug!(%error, "leaders could not be looked up; it is tried again");
            }
        }
        let missing = |p: &TopicPartition| Err(missing_item(API, p));
        let take = |item: &(TopicPartition, OffsetSpec)| {
            (item.0.clone(), results.get(item).cloned().unwrap_or_else(|| missing(&item.0)))
        };
        Ok(partitions.iter().map(take).collect())
    }

    /// One round: a request to each leader for each kind of offset, since a request may name a
    /// partition only once.
    async fn list_offsets_once(
        &self,
        items: &[(TopicPartition, OffsetSpec)],
        isolation: IsolationLevel,
    ) -> Vec<((TopicPartition, OffsetSpec), Found)> {
        let snapshot = self.cluster.metadata();
        let mut found = Vec::new();
        let mut by_leader: BTreeMap<(NodeId, OffsetSpec), Vec<_>> = BTreeMap::new();
        for item in items {
            match snapshot.leader(&item.0.topic, item.0.partition) {
                Ok((node, epoch)) => by_leader.entry((node, item.1)).or_default().push((item.clone(), epoch)),
                Err(error) => found.push((item.clone(), Err(error))),
            }
        }
        let asked =
            by_leader.into_iter().map(|((node, _), items)| ask(&self.cluster, node, items, isolation));
        found.extend(join_all(asked).await.into_iter().flatten());
        found
    }
}

async fn ask(
    cluster: &Cluster,
    node: NodeId,
    items: Vec<((TopicPartition, OffsetSpec), i32)>,
    isolation: IsolationLevel,
) -> Vec<((TopicPartition, OffsetSpec), Found)> {
    let answer = call(cluster, node, &items, isolation).await;
    let found = match answer {
        Ok(answer) => read(answer),
        Err(error) => return items.into_iter().map(|(item, _)| (item, Err(error.clone()))).collect(),
    };
    let take = |(item, _): ((TopicPartition, OffsetSpec), i32)| {
        let missing = || Err(missing_item(API, &item.0));
        let result = found.get(&item.0).cloned().unwrap_or_else(missing);
        (item, result)
    };
    items.into_iter().map(take).collect()
}

/// An older broker would take a kind that it does not know for a timestamp.
async fn call(
    cluster: &Cluster,
    node: NodeId,
    items: &[((TopicPartition, OffsetSpec), i32)],
    isolation: IsolationLevel,
) -> Result<ListOffsetsResponse, ClientError> {
    let connection = cluster.connection(node, ConnectionClass::Admin).await?;
    let needed = items.iter().map(|((_, spec), _)| spec.to_wire().1).max().unwrap_or_default();
    if connection.version_of::<ListOffsetsRequest>(MAX_VERSION)? < needed {
        let error = BrokerError::new(ErrorCode::UNSUPPORTED_VERSION, API).about(format!("broker {node}"));
        return Err(error.hint("it is too old for this kind of offset").into());
    }
    let request = request(items, isolation);
    connection.call(MAX_VERSION, cluster.config().request_timeout, |_| request).await
}

fn request(items: &[((TopicPartition, OffsetSpec), i32)], isolation: IsolationLevel) -> ListOffsetsRequest {
    let mut topics: BTreeMap<&str, Vec<ListOffsetsPartition>> = BTreeMap::new();
    for ((partition, spec), epoch) in items {
        let (timestamp, _) = spec.to_wire();
        let wire = ListOffsetsPartition::default()
            .with_partition_index(partition.partition)
            .with_current_leader_epoch(*epoch)
            .with_timestamp(timestamp);
        topics.entry(&partition.topic).or_default().push(wire);
    }
    let topic = |(name, partitions)| {
        ListOffsetsTopic::default().with_name(topic_name(name)).with_partitions(partitions)
    };
    ListOffsetsRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_isolation_level(i8::from(isolation == IsolationLevel::ReadCommitted))
        .with_topics(topics.into_iter().map(topic).collect())
}

fn read(answer: ListOffsetsResponse) -> HashMap<TopicPartition, Found> {
    let mut found = HashMap::new();
    for topic in answer.topics {
        let name: Arc<str> = topic.name.0.as_str().into();
        for partition in topic.partitions {
            let key = TopicPartition::new(name.clone(), partition.partition_index);
            let listed = ListedOffset {
                offset: partition.offset,
                timestamp: partition.timestamp,
                leader_epoch: partition.leader_epoch,
            };
            let refused =
                |code| BrokerError::new(code, API).topic(name.clone()).partition(key.partition).into();
            let result = ErrorCode(partition.error_code).ok().map(|()| listed).map_err(refused);
            found.insert(key, result);
        }
    }
    found
}
