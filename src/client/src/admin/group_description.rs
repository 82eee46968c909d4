//! Groups and their members, as their coordinators describe them.
//!
//! Groups of the consumer protocol (KIP-848) are described by one API, classic groups by another. Which
//! one a group is of is not known beforehand: as in Java, the newer API is asked first, and those that it
//! does not know are asked of the older one.

use super::groups::refused;
use super::{Admin, ItemResult};
use crate::cluster::CoordinatorKind;
use crate::error::{ClientError, ErrorCode};
use crate::group::protocol::Assignment;
use crate::metadata::{NodeId, TopicPartition};
use crate::text::str_bytes;
use bytes::Bytes;
use kafka_protocol::messages::consumer_group_describe_response as consumer;
use kafka_protocol::messages::describe_groups_response as classic;
use kafka_protocol::messages::{ConsumerGroupDescribeRequest, DescribeGroupsRequest, GroupId};

const CLASSIC: &str = "DescribeGroups";
const CONSUMER: &str = "ConsumerGroupDescribe";

/// Who assigns a group's partitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupKind {
    /// One of the members.
    Classic,
    /// The coordinator (KIP-848).
    Consumer,
}

/// A group.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct GroupDescription {
    /// The group's id.
    pub group: String,
    /// Who assigns its partitions.
    pub kind: GroupKind,
    /// Its state, such as `Stable`, `Empty` or `Dead`.
    pub state: String,
    /// What its members agreed on, such as `consumer` or `connect`.
    pub protocol_type: String,
    /// How partitions are assigned, such as `range`.
    pub assignor: String,
    /// Its members.
    pub members: Vec<MemberDescription>,
    /// Its coordinator.
    pub coordinator: NodeId,
}

/// A member of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemberDescription {
    /// The id that the coordinator gave it.
    pub member_id: String,
    /// Its `group.instance.id`, if it is static.
    pub instance_id: Option<String>,
    /// Its `client.id`.
    pub client_id: String,
    /// Where it connected from.
    pub host: String,
    /// Its partitions. Empty if the group's protocol is not that of consumers.
    pub assignment: Vec<TopicPartition>,
    /// The partitions that it shall have once others have given them up (consumer protocol).
    pub target_assignment: Option<Vec<TopicPartition>>,
    /// What it told the leader when it joined, in the group's own protocol (classic groups).
    pub metadata: Bytes,
    /// What the leader told it, in the group's own protocol (classic groups).
    pub raw_assignment: Bytes,
}

impl Admin {
    /// Describes groups of both protocols. A group that does not exist is an error of its item, with
    /// [`ErrorCode::GROUP_ID_NOT_FOUND`]; brokers older than 4.0 call it `Dead` instead.
    pub async fn describe_groups(
        &self,
        groups: &[&str],
    ) -> Result<Vec<ItemResult<String, GroupDescription>>, ClientError> {
        let groups: Vec<_> = groups.iter().map(|group| (*group).to_owned()).collect();
        let ask = |node, groups: Vec<String>| async move {
            let mut described = self.describe_consumer(node, &groups).await?;
            let is_left = |group: &String| !described.iter().any(|(known, _)| known == group);
            let left: Vec<_> = groups.iter().filter(|g| is_left(g)).cloned().collect();
            if !left.is_empty() {
                described.extend(self.describe_classic(node, &left).await?);
            }
            Ok(described)
        };
        self.at_coordinators(CLASSIC, CoordinatorKind::Group, &groups, ask).await
    }

    /// Leaves out the groups that are not of this protocol; all of them if the broker does not have it.
    async fn describe_consumer(
        &self,
        node: NodeId,
        groups: &[String],
    ) -> Result<Vec<ItemResult<String, GroupDescription>>, ClientError> {
        let names = groups.iter().map(|group| GroupId(str_bytes(group))).collect();
        let answer = self.ask(node, ConsumerGroupDescribeRequest::default().with_group_ids(names), 1).await;
        let answer = match answer {
            Err(ClientError::UnsupportedVersion { .. }) => return Ok(Vec::new()),
            answer => answer?,
        };
        let mut described = Vec::new();
        for group in answer.groups {
            let name = group.group_id.as_str().to_owned();
            let result = match ErrorCode(group.error_code) {
                ErrorCode::GROUP_ID_NOT_FOUND | ErrorCode::UNSUPPORTED_VERSION => continue,
                code => code.ok(),
            };
            let error = |code| refused(CONSUMER, code, &name).message(group.error_message.as_deref()).into();
            let result = result.map_err(error).map(|()| consumer_group(node, group));
            described.push((name, result));
        }
        Ok(described)
    }

    async fn describe_classic(
        &self,
        node: NodeId,
        groups: &[String],
    ) -> Result<Vec<ItemResult<String, GroupDescription>>, ClientError> {
        let names = groups.iter().map(|group| GroupId(str_bytes(group))).collect();
        let answer = self.ask(node, DescribeGroupsRequest::default().with_groups(names), 6).await?;
        let describe = |group: classic::DescribedGroup| {
            let name = group.group_id.as_str().to_owned();
            let error = |code| refused(CLASSIC, code, &name).message(group.error_message.as_deref()).into();
            let result = ErrorCode(group.error_code).ok().map_err(error);
            let result = result.map(|()| classic_group(node, group));
            (name, result)
        };
        Ok(answer.groups.into_iter().map(describe).collect())
    }
}

fn classic_group(coordinator: NodeId, group: classic::DescribedGroup) -> GroupDescription {
    let is_consumer = group.protocol_type.as_str() == "consumer";
    let member = |m: classic::DescribedGroupMember| MemberDescription {
        member_id: m.member_id.as_str().to_owned(),
        instance_id: m.group_instance_id.map(|id| id.as_str().to_owned()),
        client_id: m.client_id.as_str().to_owned(),
        host: m.client_host.as_str().to_owned(),
        // Bytes of another make are not ours to judge: they stay readable as they are.
        assignment: if is_consumer {
            Assignment::decode(m.member_assignment.clone()).unwrap_or_default().partitions
        } else {
            Vec::new()
        },
        target_assignment: None,
        metadata: m.member_metadata,
        raw_assignment: m.member_assignment,
    };
    GroupDescription {
        group: group.group_id.as_str().to_owned(),
        kind: GroupKind::Classic,
        state: group.group_state.as_str().to_owned(),
        protocol_type: group.protocol_type.as_str().to_owned(),
        assignor: group.protocol_data.as_str().to_owned(),
        members: group.members.into_iter().map(member).collect(),
        coordinator,
    }
}

fn consumer_group(coordinator: NodeId, group: consumer::DescribedGroup) -> GroupDescription {
    let member = |m: consumer::Member| MemberDescription {
        member_id: m.member_id.as_str().to_owned(),
        instance_id: m.instance_id.map(|id| id.as_str().to_owned()),
        client_id: m.client_id.as_str().to_owned(),
        host: m.client_host.as_str().to_owned(),
        assignment: partitions(&m.assignment),
        target_assignment: Some(partitions(&m.target_assignment)),
        metadata: Bytes::new(),
        raw_assignment: Bytes::new(),
    };
    GroupDescription {
        group: group.group_id.as_str().to_owned(),
        kind: GroupKind::Consumer,
        state: group.group_state.as_str().to_owned(),
        protocol_type: "consumer".to_owned(),
        assignor: group.assignor_name.as_str().to_owned(),
        members: group.members.into_iter().map(member).collect(),
        coordinator,
    }
}

fn partitions(assignment: &consumer::Assignment) -> Vec<TopicPartition> {
    let topics = assignment.topic_partitions.iter();
    topics
        .flat_map(|topic| {
            let name: std::sync::Arc<str> = topic.topic_name.as_str().into();
            topic.partitions.iter().map(move |p| TopicPartition::new(name.clone(), *p))
        })
        .collect()
}
