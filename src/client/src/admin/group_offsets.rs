//! What groups have committed: read, change and delete it from outside.

use super::groups::refused;
use super::rounds::{all_failed, by_topic};
use super::{Admin, ItemResult};
use crate::cluster::CoordinatorKind;
use crate::connection::ConnectionClass;
use crate::error::{ClientError, ErrorCode};
use crate::group::OffsetAndMetadata;
use crate::metadata::{NodeId, TopicPartition};
use crate::text::{str_bytes, topic_name};
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::offset_delete_request::{
    OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartitions, OffsetFetchResponseTopics,
};
use kafka_protocol::messages::{
    GroupId, OffsetCommitRequest, OffsetDeleteRequest, OffsetFetchRequest, OffsetFetchResponse,
};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

const FETCH: &str = "OffsetFetch";
const COMMIT: &str = "OffsetCommit";
const DELETE: &str = "OffsetDelete";
/// Version 9 names topics by name, 10 by id.
const FETCH_MAX_VERSION: i16 = 9;
const COMMIT_MAX_VERSION: i16 = 8;
/// OffsetFetch 8 asks for several groups at once (KIP-709).
const SEVERAL: i16 = 8;

/// What a group has committed.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct GroupOffsets {
    /// Partitions with an offset.
    pub offsets: BTreeMap<TopicPartition, OffsetAndMetadata>,
    /// Partitions that could not be read.
    pub failed: Vec<(TopicPartition, ClientError)>,
}

/// Partitions of which groups' offsets are read; `None` for all that the group has.
pub type WantedOffsets = BTreeMap<String, Option<Vec<TopicPartition>>>;

impl Admin {
    /// The committed offsets of groups, each asked of its coordinator, with one request for all groups of
    /// a broker. A group that does not exist has none. Offsets of open transactions are waited for.
    pub async fn list_group_offsets(
        &self,
        wanted: &WantedOffsets,
    ) -> Result<Vec<ItemResult<String, GroupOffsets>>, ClientError> {
        let groups: Vec<_> = wanted.keys().cloned().collect();
        let ask = |node, groups: Vec<String>| async move {
            let connection = self.cluster.connection(node, ConnectionClass::Admin).await?;
            let several = connection.version_of::<OffsetFetchRequest>(FETCH_MAX_VERSION)? >= SEVERAL;
            let timeout = self.cluster.config().request_timeout;
            let mut results = Vec::new();
            for chunk in groups.chunks(if several { groups.len() } else { 1 }) {
                let request = |version| fetch_request(version, chunk, wanted);
                let answer = connection.call(FETCH_MAX_VERSION, timeout, request).await?;
                results.extend(read(chunk, several, answer));
            }
            Ok(results)
        };
        self.at_coordinators(FETCH, CoordinatorKind::Group, &groups, ask).await
    }

    /// Sets offsets of a group without members. Partitions that are not named stay as they are.
    /// [`ErrorCode::UNKNOWN_MEMBER_ID`] means that the group has members.
    pub async fn alter_group_offsets(
        &self,
        group: &str,
        offsets: &HashMap<TopicPartition, OffsetAndMetadata>,
    ) -> Result<Vec<ItemResult<TopicPartition, ()>>, ClientError> {
        let mut partitions: Vec<_> = offsets.keys().cloned().collect();
        partitions.sort();
        let ask = |node, open: Vec<TopicPartition>| async move {
            let request = commit_request(group, offsets, open);
            let answer = self.ask(node, request, COMMIT_MAX_VERSION).await?;
            let mut results = Vec::new();
            for topic in answer.topics {
                let name: Arc<str> = topic.name.as_str().into();
                for p in topic.partitions {
                    let code = ErrorCode(p.error_code);
                    results.push(item(COMMIT, group, &name, p.partition_index, code));
                }
            }
            Ok(results)
        };
        self.at_coordinator(COMMIT, group, &partitions, ask).await
    }

    /// Deletes offsets of a group. [`ErrorCode::GROUP_SUBSCRIBED_TO_TOPIC`] means that a member would soon
    /// commit there again. Kafka 2.4 and newer (KIP-496).
    pub async fn delete_group_offsets(
        &self,
        group: &str,
        partitions: &[TopicPartition],
    ) -> Result<Vec<ItemResult<TopicPartition, ()>>, ClientError> {
        let ask = |node, open: Vec<TopicPartition>| self.delete_offsets_at(node, group, open);
        self.at_coordinator(DELETE, group, partitions, ask).await
    }

    async fn delete_offsets_at(
        &self,
        node: NodeId,
        group: &str,
        open: Vec<TopicPartition>,
    ) -> Result<Vec<ItemResult<TopicPartition, ()>>, ClientError> {
        let topic = |(name, partitions): (Arc<str>, Vec<(i32, ())>)| {
            let partition = |(index, ())| OffsetDeleteRequestPartition::default().with_partition_index(index);
            OffsetDeleteRequestTopic::default()
                .with_name(topic_name(&name))
                .with_partitions(partitions.into_iter().map(partition).collect())
        };
        let request = OffsetDeleteRequest::default()
            .with_group_id(GroupId(str_bytes(group)))
            .with_topics(by_topic(open.iter().map(|p| (p.clone(), ()))).map(topic).collect());
        let answer = self.ask(node, request, 0).await?;
        if let Err(code) = ErrorCode(answer.error_code).ok() {
            return Ok(all_failed(open, &refused(DELETE, code, group).into()));
        }
        let mut results = Vec::new();
        for topic in answer.topics {
            let name: Arc<str> = topic.name.as_str().into();
            for p in topic.partitions {
                results.push(item(DELETE, group, &name, p.partition_index, ErrorCode(p.error_code)));
            }
        }
        Ok(results)
    }
}

fn item(
    api: &'static str,
    group: &str,
    topic: &Arc<str>,
    partition: i32,
    code: ErrorCode,
) -> ItemResult<TopicPartition, ()> {
    let error = |code| refused(api, code, group).topic(topic.clone()).partition(partition).into();
    (TopicPartition::new(topic.clone(), partition), code.ok().map_err(error))
}

fn fetch_request(version: i16, groups: &[String], wanted: &WantedOffsets) -> OffsetFetchRequest {
    let partitions = |group: &String| wanted.get(group)?.as_ref();
    let topics = |all: &Vec<TopicPartition>| {
        by_topic(all.iter().map(|p| (p.clone(), ())))
            .map(|(name, items)| (topic_name(&name), items.into_iter().map(|(index, ())| index).collect()))
            .collect::<Vec<(_, Vec<i32>)>>()
    };
    // Brokers before 2.5 know nothing of offsets in open transactions (KIP-447).
    let request = OffsetFetchRequest::default().with_require_stable(version >= 7);
    if version < SEVERAL {
        let topic = |(name, indexes)| {
            OffsetFetchRequestTopic::default().with_name(name).with_partition_indexes(indexes)
        };
        // One group: see the caller.
        let Some(group) = groups.first() else { return request };
        let topics = partitions(group).map(|all| topics(all).into_iter().map(topic).collect());
        return request.with_group_id(GroupId(str_bytes(group))).with_topics(topics);
    }
    let topic =
        |(name, indexes)| OffsetFetchRequestTopics::default().with_name(name).with_partition_indexes(indexes);
    let group = |group: &String| {
        OffsetFetchRequestGroup::default()
            .with_group_id(GroupId(str_bytes(group)))
            .with_topics(partitions(group).map(|all| topics(all).into_iter().map(topic).collect()))
    };
    request.with_groups(groups.iter().map(group).collect())
}

fn read(
    groups: &[String],
    several: bool,
    answer: OffsetFetchResponse,
) -> Vec<ItemResult<String, GroupOffsets>> {
    if several {
        return answer.groups.into_iter().map(|g| (g.group_id.as_str().to_owned(), read_group(g))).collect();
    }
    let topic = |topic: kafka_protocol::messages::offset_fetch_response::OffsetFetchResponseTopic| {
        let partition = |p: kafka_protocol::messages::offset_fetch_response::OffsetFetchResponsePartition| {
            OffsetFetchResponsePartitions::default()
                .with_partition_index(p.partition_index)
                .with_committed_offset(p.committed_offset)
                .with_committed_leader_epoch(p.committed_leader_epoch)
                .with_metadata(p.metadata)
                .with_error_code(p.error_code)
        };
        OffsetFetchResponseTopics::default()
            .with_name(topic.name)
            .with_partitions(topic.partitions.into_iter().map(partition).collect())
    };
    let Some(group) = groups.first() else { return Vec::new() };
    let one = OffsetFetchResponseGroup::default()
        .with_group_id(GroupId(str_bytes(group)))
        .with_error_code(answer.error_code)
        .with_topics(answer.topics.into_iter().map(topic).collect());
    vec![(group.clone(), read_group(one))]
}

/// A partition whose offset is part of an open transaction makes the whole group be asked again.
fn read_group(group: OffsetFetchResponseGroup) -> Result<GroupOffsets, ClientError> {
    let name = group.group_id.as_str();
    ErrorCode(group.error_code).ok().map_err(|code| refused(FETCH, code, name))?;
    let mut offsets = GroupOffsets::default();
    for topic in &group.topics {
        let topic_name: Arc<str> = topic.name.as_str().into();
        for p in &topic.partitions {
            let key = TopicPartition::new(topic_name.clone(), p.partition_index);
            let error = |code| refused(FETCH, code, name).topic(topic_name.clone()).partition(key.partition);
            match ErrorCode(p.error_code).ok().map_err(|code| ClientError::from(error(code))) {
                Ok(()) if p.committed_offset < 0 => {}
                Ok(()) => {
                    let committed = OffsetAndMetadata {
                        offset: p.committed_offset,
                        leader_epoch: p.committed_leader_epoch,
                        metadata: p.metadata.as_ref().map(|m| m.to_string()).unwrap_or_default(),
                    };
                    offsets.offsets.insert(key, committed);
                }
                Err(error) if error.code() == Some(ErrorCode::UNSTABLE_OFFSET_COMMIT) => return Err(error),
                Err(error) => offsets.failed.push((key, error)),
            }
        }
    }
    Ok(offsets)
}

fn commit_request(
    group: &str,
    offsets: &HashMap<TopicPartition, OffsetAndMetadata>,
    partitions: Vec<TopicPartition>,
) -> OffsetCommitRequest {
    let wanted = partitions.into_iter().filter_map(|p| offsets.get(&p).map(|offset| (p, offset)));
    let topic = |(name, partitions): (Arc<str>, Vec<(i32, &OffsetAndMetadata)>)| {
        let partition = |(index, offset): (i32, &OffsetAndMetadata)| {
            OffsetCommitRequestPartition::default()
                .with_partition_index(index)
                .with_committed_offset(offset.offset)
                .with_committed_leader_epoch(offset.leader_epoch)
                .with_committed_metadata(Some(str_bytes(&offset.metadata)))
        };
        OffsetCommitRequestTopic::default()
            .with_name(topic_name(&name))
            .with_partitions(partitions.into_iter().map(partition).collect())
    };
    OffsetCommitRequest::default()
        .with_group_id(GroupId(str_bytes(group)))
        .with_generation_id_or_member_epoch(-1)
        .with_topics(by_topic(wanted).map(topic).collect())
}
