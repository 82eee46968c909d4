//! Committed offsets, offsets by `auto.offset.reset`, and whether positions fit the log of a new leader.

use super::ConsumerError;
use super::config::OffsetReset;
use super::shared::Shared;
use super::state::{Agreement, Asked, Located};
use crate::connection::ConnectionClass;
use crate::error::{ClientError, ErrorCode};
use crate::group::{OffsetAndMetadata, offsets};
use crate::metadata::{NodeId, TopicPartition};
use crate::text::topic_name;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::offset_for_leader_epoch_request::{
    OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use kafka_protocol::messages::{BrokerId, ListOffsetsRequest, OffsetForLeaderEpochRequest};
use kafka_protocol::protocol::Request;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

const LIST_OFFSETS_MAX_VERSION: i16 = 7;
const AGREEMENTS_MAX_VERSION: i16 = 4;
/// Before it, only who may alter the cluster may ask (KIP-320).
const AGREEMENTS_MIN_VERSION: i16 = 3;

/// Up to where a leader's log agrees with positions.
#[derive(Debug, Default)]
pub(super) struct Agreements {
    pub(super) answers: HashMap<TopicPartition, Result<Agreement, ErrorCode>>,
    /// The broker cannot be asked.
    pub(super) too_old: bool,
}

/// `None` if it has to be tried again.
pub(super) async fn committed(
    shared: &Shared,
    asked: &[Asked],
) -> Result<Option<HashMap<TopicPartition, Located>>, ConsumerError> {
    let Some(group) = &shared.config.group_id else { return Ok(Some(HashMap::new())) };
    let partitions: Vec<_> = asked.iter().map(|a| a.tp.clone()).collect();
    match offsets::committed(&shared.cluster, group, &partitions).await {
        Ok(offsets) => {
            let located = |o: OffsetAndMetadata| Located { offset: o.offset, leader_epoch: o.leader_epoch };
            Ok(Some(offsets.into_iter().map(|(tp, o)| (tp, located(o))).collect()))
        }
        Err(error @ ClientError::Exhausted { .. }) => {
            tracing::warn!(group = &**group, %error, "committed offsets are asked for again");
            shared.report_if_refused(error);
            Ok(None)
        }
        Err(error) if error.is_authentication() => {
            shared.report_refusal(error);
            Ok(None)
        }
        Err(error) if error.is_retriable() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

pub(super) async fn offsets(
    shared: &Shared,
    node: NodeId,
    to: OffsetReset,
    partitions: &[Asked],
) -> Result<HashMap<TopicPartition, Result<i64, ErrorCode>>, ClientError> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let timestamp = to.timestamp(now);
    let topics = partitions.chunk_by(|a, b| a.tp.topic == b.tp.topic).map(|run| {
        let partitions = run.iter().map(|asked| {
            ListOffsetsPartition::default()
                .with_partition_index(asked.tp.partition)
                .with_current_leader_epoch(asked.leader_epoch)
                .with_timestamp(timestamp)
        });
        ListOffsetsTopic::default()
            .with_name(topic_name(&run[0].tp.topic))
            .with_partitions(partitions.collect())
    });
    let request = ListOffsetsRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_isolation_level(shared.config.isolation_level.number())
        .with_topics(topics.collect());
    let timeout = shared.cluster.config().request_timeout;
    let response =
        shared.cluster.call(node, ConnectionClass::Admin, request, LIST_OFFSETS_MAX_VERSION, timeout).await?;
    let mut offsets = HashMap::new();
    for topic in response.topics {
        let name: Arc<str> = topic.name.as_str().into();
        for p in topic.partitions {
            let answer = ErrorCode(p.error_code).ok().map(|()| p.offset);
            offsets.insert(TopicPartition::new(name.clone(), p.partition_index), answer);
        }
    }
    Ok(offsets)
}

/// Asks a leader about the epochs of the records before positions (KIP-320).
pub(super) async fn agreements(
    shared: &Shared,
    node: NodeId,
    partitions: &[Asked],
) -> Result<Agreements, ClientError> {
    let connection = shared.cluster.connection(node, ConnectionClass::Admin).await?;
    let offered = connection.versions().range(OffsetForLeaderEpochRequest::KEY);
    if offered.is_none_or(|(_, max)| max < AGREEMENTS_MIN_VERSION) {
        return Ok(Agreements { answers: HashMap::new(), too_old: true });
    }
    let topics = partitions.chunk_by(|a, b| a.tp.topic == b.tp.topic).map(|run| {
        let partitions = run.iter().map(|asked| {
            OffsetForLeaderPartition::default()
                .with_partition(asked.tp.partition)
                .with_current_leader_epoch(asked.leader_epoch)
                .with_leader_epoch(asked.offset_epoch)
        });
        OffsetForLeaderTopic::default()
            .with_topic(topic_name(&run[0].tp.topic))
            .with_partitions(partitions.collect())
    });
    let request =
        OffsetForLeaderEpochRequest::default().with_replica_id(BrokerId(-1)).with_topics(topics.collect());
    let timeout = shared.cluster.config().request_timeout;
    let response = connection.call(AGREEMENTS_MAX_VERSION, timeout, |_| request).await?;
    let mut answers = HashMap::new();
    for topic in response.topics {
        let name: Arc<str> = topic.topic.as_str().into();
        for p in topic.partitions {
            let known = p.leader_epoch >= 0 && p.end_offset >= 0;
            let agreement = known.then_some((p.leader_epoch, p.end_offset));
            let answer = ErrorCode(p.error_code).ok().map(|()| agreement);
            answers.insert(TopicPartition::new(name.clone(), p.partition), answer);
        }
    }
    Ok(Agreements { answers, too_old: false })
}
