//! Partitions of topics: more of them, other replicas, other leaders.

use super::rounds::{by_topic, in_order};
use super::{Admin, ItemResult};
use crate::error::{BrokerError, ClientError, ErrorCode};
use crate::metadata::{NodeId, TopicPartition};
use crate::text::topic_name;
use kafka_protocol::messages::alter_partition_reassignments_request::{
    ReassignablePartition, ReassignableTopic,
};
use kafka_protocol::messages::create_partitions_request::{
    CreatePartitionsAssignment, CreatePartitionsTopic,
};
use kafka_protocol::messages::elect_leaders_request::TopicPartitions;
use kafka_protocol::messages::list_partition_reassignments_request::ListPartitionReassignmentsTopics;
use kafka_protocol::messages::{
    AlterPartitionReassignmentsRequest, BrokerId, CreatePartitionsRequest, ElectLeadersRequest,
    ListPartitionReassignmentsRequest,
};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

const CREATE: &str = "CreatePartitions";
const ELECT: &str = "ElectLeaders";
const REASSIGN: &str = "AlterPartitionReassignments";
const LIST_REASSIGNMENTS: &str = "ListPartitionReassignments";

/// How many partitions a topic shall have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPartitions {
    /// All of them, those that are there included.
    pub total: i32,
    /// The brokers of each new partition, preferred leader first; `None` leaves it to the controller.
    pub replicas: Option<Vec<Vec<NodeId>>>,
}

impl NewPartitions {
    /// So many in all, placed by the controller.
    pub fn up_to(total: i32) -> Self {
        Self { total, replicas: None }
    }
}

/// Which leader is elected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ElectionKind {
    /// The first of the replicas, if it is in sync.
    Preferred,
    /// Any replica that is there, if none is in sync. Records may be lost.
    Unclean,
}

/// The brokers that a partition shall be at, preferred leader first; `None` takes back a move.
pub type Move = Option<Vec<NodeId>>;

/// Replicas that are being moved.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reassignment {
    /// All replicas at present.
    pub replicas: Vec<NodeId>,
    /// Those that are being added.
    pub adding: Vec<NodeId>,
    /// Those that will go.
    pub removing: Vec<NodeId>,
}

impl Admin {
    /// Adds partitions to topics. Records with keys may go to other partitions from then on.
    /// [`ErrorCode::INVALID_PARTITIONS`] means that a topic has as many or more already. With
    /// `validate_only` nothing is changed.
    pub async fn create_partitions(
        &self,
        topics: &BTreeMap<String, NewPartitions>,
        validate_only: bool,
    ) -> Result<Vec<ItemResult<String, ()>>, ClientError> {
        let names: Vec<_> = topics.keys().cloned().collect();
        let round = |open: Vec<String>| async move {
            let wanted = open.iter().filter_map(|name| Some((name, topics.get(name)?)));
            let request = CreatePartitionsRequest::default()
                .with_topics(wanted.map(|(name, new)| new.to_wire(name)).collect())
                .with_timeout_ms(self.broker_timeout_ms())
                .with_validate_only(validate_only);
            let timeout = self.cluster.config().request_timeout;
            let answer = self.cluster.call_controller(request, 3, timeout).await?;
            let result =
                |r: kafka_protocol::messages::create_partitions_response::CreatePartitionsTopicResult| {
                    let error = |code| {
                        let error = BrokerError::new(code, CREATE).topic(r.name.as_str());
                        error.message(r.error_message.as_deref()).into()
                    };
                    (r.name.as_str().to_owned(), ErrorCode(r.error_code).ok().map_err(error))
                };
            Ok(answer.results.into_iter().map(result).collect())
        };
        self.each(CREATE, &names, round).await
    }

    /// Elects leaders. [`ErrorCode::ELECTION_NOT_NEEDED`] means that the leader is the right one already.
    /// Each is tried once: an election that finds no leader now is for the caller to repeat.
    pub async fn elect_leaders(
        &self,
        kind: ElectionKind,
        partitions: &[TopicPartition],
    ) -> Result<Vec<ItemResult<TopicPartition, ()>>, ClientError> {
        let topic = |(name, partitions): (Arc<str>, Vec<(i32, ())>)| {
            TopicPartitions::default()
                .with_topic(topic_name(&name))
                .with_partitions(partitions.into_iter().map(|(index, ())| index).collect())
        };
        let topics = by_topic(partitions.iter().map(|p| (p.clone(), ()))).map(topic).collect();
        let request = ElectLeadersRequest::default()
            .with_election_type(i8::from(kind == ElectionKind::Unclean))
            .with_topic_partitions(Some(topics))
            .with_timeout_ms(self.broker_timeout_ms());
        let attempt = || async {
            let timeout = self.cluster.config().request_timeout;
            let answer = self.cluster.call_controller(request.clone(), 2, timeout).await?;
            ErrorCode(answer.error_code).ok().map_err(|code| BrokerError::new(code, ELECT))?;
            Ok(answer)
        };
        let answer = self.retrying(ELECT, attempt).await?;
        let mut results = Vec::new();
        for topic in answer.replica_election_results {
            for p in topic.partition_result {
                let error = |code| {
                    let error =
                        BrokerError::new(code, ELECT).topic(topic.topic.as_str()).partition(p.partition_id);
                    error.message(p.error_message.as_deref()).into()
                };
                let key = TopicPartition::new(topic.topic.as_str(), p.partition_id);
                results.push((key, ErrorCode(p.error_code).ok().map_err(error)));
            }
        }
        Ok(in_order(ELECT, partitions.iter().cloned(), results))
    }

    /// Moves partitions to other brokers, preferred leader first; `None` takes a move that is under way
    /// back. The move itself goes on in the background: see [`Admin::list_partition_reassignments`].
    pub async fn alter_partition_reassignments(
        &self,
        moves: &HashMap<TopicPartition, Move>,
    ) -> Result<Vec<ItemResult<TopicPartition, ()>>, ClientError> {
        let mut partitions: Vec<_> = moves.keys().cloned().collect();
        partitions.sort();
        let round = |open: Vec<TopicPartition>| async move {
            let wanted = open.into_iter().filter_map(|p| moves.get(&p).cloned().map(|to| (p, to)));
            let topic = |(name, partitions): (Arc<str>, Vec<(i32, Move)>)| {
                let partition = |(index, to): (i32, Move)| {
                    let replicas = to.map(|nodes| nodes.into_iter().map(|n| BrokerId(n.0)).collect());
                    ReassignablePartition::default().with_partition_index(index).with_replicas(replicas)
                };
                ReassignableTopic::default()
                    .with_name(topic_name(&name))
                    .with_partitions(partitions.into_iter().map(partition).collect())
            };
            let request = AlterPartitionReassignmentsRequest::default()
                .with_timeout_ms(self.broker_timeout_ms())
                .with_topics(by_topic(wanted).map(topic).collect());
            let timeout = self.cluster.config().request_timeout;
            let answer = self.cluster.call_controller(request, 0, timeout).await?;
            let whole = |code| BrokerError::new(code, REASSIGN).message(answer.error_message.as_deref());
            ErrorCode(answer.error_code).ok().map_err(whole)?;
            let mut results = Vec::new();
            for topic in answer.responses {
                for p in topic.partitions {
                    let error = |code| {
                        let error = BrokerError::new(code, REASSIGN).topic(topic.name.as_str());
                        error.partition(p.partition_index).message(p.error_message.as_deref()).into()
                    };
                    let key = TopicPartition::new(topic.name.as_str(), p.partition_index);
                    results.push((key, ErrorCode(p.error_code).ok().map_err(error)));
                }
            }
            Ok(results)
        };
        self.each(REASSIGN, &partitions, round).await
    }

    /// Moves of replicas that are under way: of these partitions, or of all.
    pub async fn list_partition_reassignments(
        &self,
        partitions: Option<&[TopicPartition]>,
    ) -> Result<BTreeMap<TopicPartition, Reassignment>, ClientError> {
        let topic = |(name, partitions): (Arc<str>, Vec<(i32, ())>)| {
            ListPartitionReassignmentsTopics::default()
                .with_name(topic_name(&name))
                .with_partition_indexes(partitions.into_iter().map(|(index, ())| index).collect())
        };
        let topics = partitions.map(|all| by_topic(all.iter().map(|p| (p.clone(), ()))).map(topic).collect());
        let request = ListPartitionReassignmentsRequest::default()
            .with_timeout_ms(self.broker_timeout_ms())
            .with_topics(topics);
        let attempt = || async {
            let timeout = self.cluster.config().request_timeout;
            let answer = self.cluster.call_controller(request.clone(), 0, timeout).await?;
            let error =
                |code| BrokerError::new(code, LIST_REASSIGNMENTS).message(answer.error_message.as_deref());
            ErrorCode(answer.error_code).ok().map_err(error)?;
            Ok(answer)
        };
        let answer = self.retrying(LIST_REASSIGNMENTS, attempt).await?;
        let nodes = |ids: &[BrokerId]| ids.iter().map(|id| NodeId(id.0)).collect();
        let mut moves = BTreeMap::new();
        for topic in answer.topics {
            for p in topic.partitions {
                let reassignment = Reassignment {
                    replicas: nodes(&p.replicas),
                    adding: nodes(&p.adding_replicas),
                    removing: nodes(&p.removing_replicas),
                };
                moves.insert(TopicPartition::new(topic.name.as_str(), p.partition_index), reassignment);
            }
        }
        Ok(moves)
    }
}

impl NewPartitions {
    fn to_wire(&self, topic: &str) -> CreatePartitionsTopic {
        let assignment = |nodes: &Vec<NodeId>| {
            CreatePartitionsAssignment::default()
                .with_broker_ids(nodes.iter().map(|node| BrokerId(node.0)).collect())
        };
        CreatePartitionsTopic::default()
            .with_name(topic_name(topic))
            .with_count(self.total)
            .with_assignments(self.replicas.as_ref().map(|all| all.iter().map(assignment).collect()))
    }
}
