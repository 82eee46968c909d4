//! The requests of a transaction, each sent once; what comes back is for the machine to judge.

use super::step::{Answer, GroupOffsets, Protocol};
use crate::cluster::{Cluster, CoordinatorKind};
use crate::connection::{Connection, ConnectionClass};
use crate::error::{BrokerError, ClientError, ErrorCode};
use crate::group::offsets::by_topic;
use crate::metadata::NodeId;
use crate::producer::ordering::Identity;
use crate::text::{str_bytes, topic_name};
use kafka_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use kafka_protocol::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use kafka_protocol::messages::{
    AddOffsetsToTxnRequest, AddPartitionsToTxnRequest, EndTxnRequest, GroupId, InitProducerIdRequest,
    ProducerId, TransactionalId, TxnOffsetCommitRequest,
};
use kafka_protocol::protocol::Request;
use std::sync::Arc;
use std::time::Duration;

/// InitProducerId 5; 6 is about two-phase commits.
const INIT_MAX_VERSION: i16 = 5;
/// InitProducerId 3 takes the present id and epoch (KIP-360).
const RAISES_EPOCHS_SINCE: i16 = 3;
/// AddPartitionsToTxn 3; later versions are for brokers.
const ADD_PARTITIONS_MAX_VERSION: i16 = 3;
const ADD_OFFSETS_MAX_VERSION: i16 = 4;
/// By these versions brokers tell the implicit protocol from the classic one.
const END_IMPLICIT_VERSION: i16 = 5;
const COMMIT_OFFSETS_IMPLICIT_VERSION: i16 = 5;
/// TxnOffsetCommit 3 names the member, so that a zombie of the group is refused (KIP-447).
const COMMIT_OFFSETS_MEMBER_VERSION: i16 = 3;

/// Partitions by the name of their topic.
pub(in crate::producer) type Partitions = Vec<(Arc<str>, i32)>;

/// What all requests of a producer have in common.
#[derive(Debug, Clone)]
pub(in crate::producer) struct Requests {
    pub(in crate::producer) cluster: Cluster,
    pub(in crate::producer) transactional_id: Arc<str>,
    pub(in crate::producer) transaction_timeout: Duration,
    pub(in crate::producer) request_timeout: Duration,
}

impl Requests {
    /// Has the coordinator looked for again, after it turned out to be gone.
    pub(in crate::producer) fn forget_coordinator(&self) {
        self.cluster.forget_coordinator_of(CoordinatorKind::Transaction, &self.transactional_id);
    }

    /// As [`Requests::forget_coordinator`], of a group.
    pub(in crate::producer) fn forget_group_coordinator(&self, group: &str) {
        self.cluster.forget_coordinator(group);
    }

    /// A new identity, which fences all others of the transactional id; or, given the present one, a higher epoch.
    pub(in crate::producer) async fn init(self, present: Option<Identity>) -> Answer {
        let connection = match self.coordinator().await {
            Ok(connection) => connection,
            Err(error) => return failed(&error),
        };
        let versions = connection.versions();
        let (_, highest) = versions.range(InitProducerIdRequest::KEY).unwrap_or((0, 0));
        let raises_epochs = highest >= RAISES_EPOCHS_SINCE;
        let protocol = Protocol { implicit: versions.transaction_version() >= 2, raises_epochs };
        let timeout_ms = i32::try_from(self.transaction_timeout.as_millis()).unwrap_or(i32::MAX);
        let request = |_| {
            let present = present.unwrap_or(Identity { id: -1, epoch: -1 });
            InitProducerIdRequest::default()
                .with_transactional_id(Some(self.id()))
                .with_transaction_timeout_ms(timeout_ms)
                .with_producer_id(ProducerId(present.id))
                .with_producer_epoch(present.epoch)
        };
        match connection.call(INIT_MAX_VERSION, self.request_timeout, request).await {
            Ok(answer) => match ErrorCode(answer.error_code) {
                ErrorCode::NONE => {
                    let identity = Identity { id: answer.producer_id.0, epoch: answer.producer_epoch };
                    Answer::Initialized { identity, protocol }
                }
                code => refused(code, "InitProducerId"),
            },
            Err(error) => failed(&error),
        }
    }

    pub(in crate::producer) async fn add_partitions(
        self,
        identity: Identity,
        partitions: Partitions,
    ) -> Answer {
        let mut topics: Vec<AddPartitionsToTxnTopic> = Vec::new();
        for (topic, partition) in partitions {
            match topics.last_mut().filter(|t| t.name.0.as_str() == &*topic) {
                Some(known) => known.partitions.push(partition),
                None => topics.push(
                    AddPartitionsToTxnTopic::default()
                        .with_name(topic_name(&topic))
                        .with_partitions(vec![partition]),
                ),
            }
        }
        let request = AddPartitionsToTxnRequest::default()
            .with_v3_and_below_transactional_id(self.id())
            .with_v3_and_below_producer_id(ProducerId(identity.id))
            .with_v3_and_below_producer_epoch(identity.epoch)
            .with_v3_and_below_topics(topics);
        let answer = match self.call(ADD_PARTITIONS_MAX_VERSION, request).await {
            Ok(answer) => answer,
            Err(error) => return failed(&error),
        };
        let results = answer.results_by_topic_v3_and_below.iter().flat_map(|topic| {
            let name = topic.name.0.as_str();
            topic
                .results_by_partition
                .iter()
                .map(move |p| (name, p.partition_index, ErrorCode(p.partition_error_code)))
        });
        decisive("AddPartitionsToTxn", results)
    }

    pub(in crate::producer) async fn add_offsets(
        self,
        identity: Identity,
        offsets: Arc<GroupOffsets>,
    ) -> Answer {
        let request = AddOffsetsToTxnRequest::default()
            .with_transactional_id(self.id())
            .with_producer_id(ProducerId(identity.id))
            .with_producer_epoch(identity.epoch)
            .with_group_id(GroupId(str_bytes(&offsets.group.group_id)));
        match self.call(ADD_OFFSETS_MAX_VERSION, request).await {
            Ok(answer) => match ErrorCode(answer.error_code) {
                ErrorCode::NONE => Answer::Done,
                code => refused(code, "AddOffsetsToTxn"),
            },
            Err(error) => failed(&error),
        }
    }

    pub(in crate::producer) async fn commit_offsets(
        self,
        identity: Identity,
        offsets: Arc<GroupOffsets>,
        implicit: bool,
    ) -> Answer {
        let group = &offsets.group;
        let max_version =
            if implicit { COMMIT_OFFSETS_IMPLICIT_VERSION } else { COMMIT_OFFSETS_IMPLICIT_VERSION - 1 };
        let called = async {
            let node = self.cluster.coordinator(&group.group_id).await?;
            let connection = self.cluster.connection(node, ConnectionClass::Admin).await?;
            let version = connection.version_of::<TxnOffsetCommitRequest>(max_version)?;
            let too_old = version < COMMIT_OFFSETS_MEMBER_VERSION && !group.member_id.is_empty();
            if too_old || (implicit && version < max_version) {
                let min = if implicit { max_version } else { COMMIT_OFFSETS_MEMBER_VERSION };
                let (broker, api) = (connection.broker().clone(), "TxnOffsetCommit");
                return Err(ClientError::UnsupportedVersion { broker, api, min, max: max_version });
            }
            connection
                .call(max_version, self.request_timeout, |_| self.offsets_request(identity, &offsets))
                .await
        };
        let answer = match called.await {
            Ok(answer) => answer,
            Err(error) => return failed(&error),
        };
        let results = answer.topics.iter().flat_map(|topic| {
            let name = topic.name.0.as_str();
            topic.partitions.iter().map(move |p| (name, p.partition_index, ErrorCode(p.error_code)))
        });
        decisive("TxnOffsetCommit", results)
    }

    fn offsets_request(&self, identity: Identity, offsets: &GroupOffsets) -> TxnOffsetCommitRequest {
        let partitions = offsets.offsets.iter().map(|(tp, offset)| {
            let partition = TxnOffsetCommitRequestPartition::default()
                .with_partition_index(tp.partition)
                .with_committed_offset(offset.offset)
                .with_committed_leader_epoch(offset.leader_epoch)
                .with_committed_metadata(Some(str_bytes(&offset.metadata)));
            (tp, partition)
        });
        let topics = by_topic(partitions).map(|(topic, partitions)| {
            TxnOffsetCommitRequestTopic::default().with_name(topic_name(topic)).with_partitions(partitions)
        });
        let group = &offsets.group;
        TxnOffsetCommitRequest::default()
            .with_transactional_id(self.id())
            .with_group_id(GroupId(str_bytes(&group.group_id)))
            .with_producer_id(ProducerId(identity.id))
            .with_producer_epoch(identity.epoch)
            .with_generation_id(group.generation)
            .with_member_id(str_bytes(&group.member_id))
            .with_group_instance_id(group.instance_id.as_deref().map(str_bytes))
            .with_topics(topics.collect())
    }

    pub(in crate::producer) async fn end(self, identity: Identity, commit: bool, implicit: bool) -> Answer {
        let request = EndTxnRequest::default()
            .with_transactional_id(self.id())
            .with_producer_id(ProducerId(identity.id))
            .with_producer_epoch(identity.epoch)
            .with_committed(commit);
        let max_version = if implicit { END_IMPLICIT_VERSION } else { END_IMPLICIT_VERSION - 1 };
        match self.call(max_version, request).await {
            Ok(answer) => match ErrorCode(answer.error_code) {
                // Before version 5 the answer names no identity.
                ErrorCode::NONE => {
                    let next = Identity { id: answer.producer_id.0, epoch: answer.producer_epoch };
                    Answer::Ended { identity: (next.id >= 0 && next.epoch >= 0).then_some(next) }
                }
                code => refused(code, "EndTxn"),
            },
            Err(error) => failed(&error),
        }
    }

    async fn call<R: Request>(&self, max_version: i16, request: R) -> Result<R::Response, ClientError> {
        self.coordinator().await?.call(max_version, self.request_timeout, |_| request).await
    }

    async fn coordinator(&self) -> Result<Arc<Connection>, ClientError> {
        let node: NodeId =
            self.cluster.coordinator_of(CoordinatorKind::Transaction, &self.transactional_id).await?;
        self.cluster.connection(node, ConnectionClass::Admin).await
    }

    fn id(&self) -> TransactionalId {
        TransactionalId(str_bytes(&self.transactional_id))
    }
}

/// The refusal that decides, of those of all partitions: others are only the consequence of it.
fn decisive<'a>(api: &'static str, results: impl Iterator<Item = (&'a str, i32, ErrorCode)>) -> Answer {
    let mut refusals = results.filter(|(_, _, code)| !code.is_ok());
    let Some(first) = refusals.next() else { return Answer::Done };
    let attempted = |r: &(&str, i32, ErrorCode)| r.2 != ErrorCode::OPERATION_NOT_ATTEMPTED;
    let (topic, partition, code) =
        if attempted(&first) { first } else { refusals.find(attempted).unwrap_or(first) };
    let reason = BrokerError::new(code, api).topic(topic).partition(partition).to_string();
    Answer::Refused { code, reason }
}

fn refused(code: ErrorCode, api: &'static str) -> Answer {
    Answer::Refused { code, reason: BrokerError::new(code, api).to_string() }
}

fn failed(error: &ClientError) -> Answer {
    let reason = error.to_string();
    match error {
        _ if error.outcome_unknown() => Answer::Lost { sent: true, reason },
        // Tried for long enough by itself, and to be tried on.
        ClientError::Exhausted { .. } => Answer::Lost { sent: false, reason },
        ClientError::Broker(refusal) => Answer::Refused { code: refusal.code, reason },
        _ if error.is_retriable() => Answer::Lost { sent: false, reason },
        _ => Answer::Impossible { reason },
    }
}
