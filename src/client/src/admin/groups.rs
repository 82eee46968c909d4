//! Groups: list, describe, delete, remove members.

use super::rounds::all_failed;
use super::{Admin, ItemResult};
use crate::cluster::CoordinatorKind;
use crate::connection::ConnectionClass;
use crate::error::{BrokerError, ClientError, ErrorCode};
use crate::metadata::NodeId;
use crate::text::str_bytes;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::list_groups_response::ListedGroup;
use kafka_protocol::messages::{DeleteGroupsRequest, GroupId, LeaveGroupRequest, ListGroupsRequest};
use std::fmt;

const LIST: &str = "ListGroups";
const DELETE: &str = "DeleteGroups";
const LEAVE: &str = "LeaveGroup";

/// A group as a list shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct GroupListing {
    /// The group's id.
    pub group: String,
    /// What its members agreed on, such as `consumer` or `connect`; empty for a group that only has offsets.
    pub protocol_type: String,
    /// Its state, such as `Stable` or `Empty`; `None` from brokers older than 2.6.
    pub state: Option<String>,
    /// Its type, such as `classic` or `consumer`; `None` from brokers older than 3.8.
    pub kind: Option<String>,
    /// The broker that told of it: its coordinator.
    pub coordinator: NodeId,
}

/// All groups, and the brokers that could not tell of theirs.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct GroupList {
    /// Ordered by id.
    pub groups: Vec<GroupListing>,
    /// Brokers that failed: groups may be missing.
    pub failed: Vec<(NodeId, ClientError)>,
}

/// Which groups are listed; all by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GroupFilter {
    /// Only groups in one of these states, unless empty (Kafka 2.6 and newer).
    pub states: Vec<String>,
    /// Only groups of one of these types, unless empty (Kafka 3.8 and newer).
    pub kinds: Vec<String>,
}

/// A member that is to leave its group.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum MemberToRemove {
    /// A static member, by its `group.instance.id`.
    Instance(String),
    /// Any member, by the id that the coordinator gave it.
    Member(String),
}

impl fmt::Display for MemberToRemove {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Instance(id) => write!(f, "instance {id}"),
            Self::Member(id) => write!(f, "member {id}"),
        }
    }
}

impl Admin {
    /// Lists the groups of all brokers, whatever their type.
    ///
    /// A broker that is too old for a filter fails with [`ErrorCode::UNSUPPORTED_VERSION`], since it would
    /// list others too.
    pub async fn list_groups(&self, filter: &GroupFilter) -> Result<GroupList, ClientError> {
        let ask = |node| self.list_groups_of(node, filter);
        let mut list = GroupList { groups: Vec::new(), failed: Vec::new() };
        for (node, listed) in self.at_all_brokers(LIST, ask).await? {
            match listed {
                Ok(groups) => list.groups.extend(groups),
                Err(error) => list.failed.push((node, error)),
            }
        }
        list.groups.sort_by(|a, b| a.group.cmp(&b.group));
        list.groups.dedup_by(|a, b| a.group == b.group);
        Ok(list)
    }

    async fn list_groups_of(
        &self,
        node: NodeId,
        filter: &GroupFilter,
    ) -> Result<Vec<GroupListing>, ClientError> {
        let needed = if !filter.kinds.is_empty() {
            5
        } else if !filter.states.is_empty() {
            4
        } else {
            0
        };
        let connection = self.cluster.connection(node, ConnectionClass::Admin).await?;
        let version = connection.version_of::<ListGroupsRequest>(5)?;
        if version < needed {
            let error =
                BrokerError::new(ErrorCode::UNSUPPORTED_VERSION, LIST).about(format!("broker {node}"));
            return Err(error
                .hint("it cannot filter by state before Kafka 2.6, nor by type before 3.8")
                .into());
        }
        let texts = |all: &[String]| all.iter().map(|text| str_bytes(text)).collect();
        let request = ListGroupsRequest::default();
        let request = if version >= 4 { request.with_states_filter(texts(&filter.states)) } else { request };
        let request = if version >= 5 { request.with_types_filter(texts(&filter.kinds)) } else { request };
        let answer = connection.call(5, self.cluster.config().request_timeout, |_| request).await?;
        let error = |code| BrokerError::new(code, LIST).about(format!("broker {node}"));
        ErrorCode(answer.error_code).ok().map_err(error)?;
        let listing = |g: ListedGroup| GroupListing {
            group: g.group_id.as_str().to_owned(),
            protocol_type: g.protocol_type.as_str().to_owned(),
            state: (version >= 4).then(|| g.group_state.as_str().to_owned()),
            kind: (version >= 5).then(|| g.group_type.as_str().to_owned()),
            coordinator: node,
        };
        Ok(answer.groups.into_iter().map(listing).collect())
    }

    /// Deletes groups with their offsets. [`ErrorCode::NON_EMPTY_GROUP`] means that a group has members.
    pub async fn delete_groups(&self, groups: &[&str]) -> Result<Vec<ItemResult<String, ()>>, ClientError> {
        let groups: Vec<_> = groups.iter().map(|group| (*group).to_owned()).collect();
        let ask = |node, groups: Vec<String>| async move {
            let names = groups.iter().map(|group| GroupId(str_bytes(group))).collect();
            let answer = self.ask(node, DeleteGroupsRequest::default().with_groups_names(names), 2).await?;
            let result = |r: kafka_protocol::messages::delete_groups_response::DeletableGroupResult| {
                let group = r.group_id.as_str().to_owned();
                let error = |code| refused(DELETE, code, &group).into();
                let result = ErrorCode(r.error_code).ok().map_err(error);
                (group, result)
            };
            Ok(answer.results.into_iter().map(result).collect())
        };
        self.at_coordinators(DELETE, CoordinatorKind::Group, &groups, ask).await
    }

    /// Makes members leave a classic group; the others share their partitions. A member that lives joins
    /// again. Kafka 2.4 and newer (KIP-345).
    pub async fn remove_members(
        &self,
        group: &str,
        members: &[MemberToRemove],
        reason: &str,
    ) -> Result<Vec<ItemResult<MemberToRemove, ()>>, ClientError> {
        let ask = |node, members: Vec<MemberToRemove>| self.leave(node, group, members, reason);
        self.at_coordinator(LEAVE, group, members, ask).await
    }

    async fn leave(
        &self,
        node: NodeId,
        group: &str,
        members: Vec<MemberToRemove>,
        reason: &str,
    ) -> Result<Vec<ItemResult<MemberToRemove, ()>>, ClientError> {
        let connection = self.cluster.connection(node, ConnectionClass::Admin).await?;
        let version = connection.version_of::<LeaveGroupRequest>(5)?;
        if version < 3 {
            let error = BrokerError::new(ErrorCode::UNSUPPORTED_VERSION, LEAVE).group(group);
            return Err(error.hint("Kafka 2.4 or newer is needed to remove members of others").into());
        }
        let identity = |member: &MemberToRemove| {
            let identity = match member {
                MemberToRemove::Instance(id) => {
                    MemberIdentity::default().with_group_instance_id(Some(str_bytes(id)))
                }
                MemberToRemove::Member(id) => MemberIdentity::default().with_member_id(str_bytes(id)),
            };
            if version >= 5 { identity.with_reason(Some(str_bytes(reason))) } else { identity }
        };
        let request = LeaveGroupRequest::default()
            .with_group_id(GroupId(str_bytes(group)))
            .with_members(members.iter().map(identity).collect());
        let answer = connection.call(5, self.cluster.config().request_timeout, |_| request).await?;
        if let Err(code) = ErrorCode(answer.error_code).ok() {
            return Ok(all_failed(members, &refused(LEAVE, code, group).into()));
        }
        let result = |m: kafka_protocol::messages::leave_group_response::MemberResponse| {
            let member = match m.group_instance_id.as_deref() {
                Some(id) => MemberToRemove::Instance(id.to_owned()),
                None => MemberToRemove::Member(m.member_id.as_str().to_owned()),
            };
            let error = |code| refused(LEAVE, code, group).about(member.to_string()).into();
            let result = ErrorCode(m.error_code).ok().map_err(error);
            (member, result)
        };
        Ok(answer.members.into_iter().map(result).collect())
    }
}

/// A refusal about a group, with what to do about it.
pub(super) fn refused(api: &'static str, code: ErrorCode, group: &str) -> BrokerError {
    let error = BrokerError::new(code, api).group(group);
    match code {
        ErrorCode::NON_EMPTY_GROUP => error.hint("stop its members first"),
        ErrorCode::UNKNOWN_MEMBER_ID if api != LEAVE => error
            .hint("its offsets can be changed from outside only while it has no members; stop them first"),
        ErrorCode::GROUP_SUBSCRIBED_TO_TOPIC => {
            error.hint("stop the members that are subscribed to the topic first")
        }
        _ => error,
    }
}
