//! What a group has consumed: committing offsets and reading them back.
//!
//! A member commits under its generation, which the coordinator checks; without membership (manual
//! assignment) there is no check. Moves of the coordinator are followed until `default.api.timeout.ms`.

use crate::cluster::Cluster;
use crate::connection::ConnectionClass;
use crate::error::{BrokerError, ClientError, ErrorCode};
use crate::metadata::TopicPartition;
use crate::sync::lock;
use crate::text::{str_bytes, topic_name};
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::offset_fetch_request::OffsetFetchRequestTopic;
use kafka_protocol::messages::{
    GroupId, OffsetCommitRequest, OffsetCommitResponse, OffsetFetchRequest, OffsetFetchResponse,
};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::Instant;

/// Of members of a classic group. Version 9 only has other error codes.
const COMMIT_MAX_VERSION: i16 = 8;
/// With the epoch of a member in the consumer protocol. Version 10 names topics by id.
const COMMIT_BY_EPOCH_VERSION: i16 = 9;
/// Version 8 asks for several groups at once.
const FETCH_MAX_VERSION: i16 = 7;
/// How long a coordinator may need to learn of a new topic. A deleted one must not hold up the commits that follow,
/// nor those who wait for partitions; the other offsets of its request are committed.
pub(crate) const TOPIC_PATIENCE: Duration = Duration::from_secs(2);

/// A position to be committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OffsetAndMetadata {
    /// Offset of the next record to be consumed: one more than the last one that is done with.
    pub offset: i64,
    /// Leader epoch of that last record; -1 if unknown.
    pub leader_epoch: i32,
    /// Free text for the application.
    pub metadata: String,
}

impl OffsetAndMetadata {
    /// An offset without epoch and metadata.
    pub fn new(offset: i64) -> Self {
        Self { offset, leader_epoch: -1, metadata: String::new() }
    }
}

/// Whom offsets are committed as within a transaction (Kafka's `ConsumerGroupMetadata`). The coordinator refuses
/// a member that the group has moved on from (KIP-447).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsumerGroupMetadata {
    /// `group.id`.
    pub group_id: Arc<str>,
    /// Generation of the membership; -1 without one.
    pub generation: i32,
    /// The member's id; empty without membership.
    pub member_id: Arc<str>,
    /// `group.instance.id` of a static member.
    pub instance_id: Option<Arc<str>>,
}

impl ConsumerGroupMetadata {
    /// Of a group without membership: nothing is checked, so zombies are not kept out.
    pub fn without_membership(group_id: impl Into<Arc<str>>) -> Self {
        Self { group_id: group_id.into(), generation: -1, member_id: Arc::from(""), instance_id: None }
    }
}

/// Why offsets were not committed.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum CommitError {
    /// The group is between two generations. The partitions may come back to this member: go on
    /// asking for events, and commit again after [`crate::consumer::ConsumerEvent::Assigned`].
    #[error("cannot commit offsets of group {group} while it rebalances; ask for events and commit again")]
    RebalanceInProgress {
        /// The group.
        group: Arc<str>,
    },
    /// This member is not part of the group's generation any more, so the partitions may be with
    /// others, who consume again what was not committed.
    #[error(
        "cannot commit offsets of group {group}: the member is no longer part of it ({code}); either it was away \
         for longer than max.poll.interval.ms, or its heartbeats did not arrive within session.timeout.ms"
    )]
    IllegalGeneration {
        /// The group.
        group: Arc<str>,
        /// What the coordinator said; `UNKNOWN_MEMBER_ID` also if this side knew already.
        code: ErrorCode,
    },
    /// Anything else; names group, topic and partition.
    #[error(transparent)]
    Client(#[from] ClientError),
}

/// Whom a commit is made as.
#[derive(Debug)]
pub(super) struct Identity {
    /// Generation of a classic group, or epoch of the member.
    pub(super) generation: i32,
    pub(super) member_id: Arc<str>,
    pub(super) instance_id: Option<Arc<str>>,
    /// Whether `generation` is an epoch (KIP-848).
    pub(super) by_epoch: bool,
}

/// Commits offsets for a group without being a member; refused while the group has members.
pub async fn commit_without_membership(
    cluster: &Cluster,
    group: &Arc<str>,
    offsets: &HashMap<TopicPartition, OffsetAndMetadata>,
) -> Result<(), CommitError> {
    commit_without_membership_within(cluster, group, offsets, TOPIC_PATIENCE).await
}

/// As [`commit_without_membership`]; a topic that the coordinator does not know is given up after `patience`.
pub(crate) async fn commit_without_membership_within(
    cluster: &Cluster,
    group: &Arc<str>,
    offsets: &HashMap<TopicPartition, OffsetAndMetadata>,
    patience: Duration,
) -> Result<(), CommitError> {
    let identity = Identity { generation: -1, member_id: Arc::from(""), instance_id: None, by_epoch: false };
    commit(cluster, group, &identity, offsets, patience).await
}

/// The committed offsets of `partitions`; those without one are left out.
pub async fn committed(
    cluster: &Cluster,
    group: &Arc<str>,
    partitions: &[TopicPartition],
) -> Result<HashMap<TopicPartition, OffsetAndMetadata>, ClientError> {
    if partitions.is_empty() {
        return Ok(HashMap::new());
    }
    let reading = Mutex::new(Reading { left: partitions.to_vec(), found: HashMap::new() });
    let what = format!("reading the committed offsets of group {group}");
    with_retries(cluster, group, &what, || async {
        let request = fetch_request(group, &lock(&reading).left);
        // Brokers before 2.5 know nothing of offsets in open transactions (KIP-447).
        let request = |version: i16| request.with_require_stable(version >= 7);
        let response = attempt(cluster, group, FETCH_MAX_VERSION, request).await?;
        lock(&reading).take(group, response)
    })
    .await?;
    Ok(std::mem::take(&mut lock(&reading).found))
}

fn fetch_request(group: &Arc<str>, partitions: &[TopicPartition]) -> OffsetFetchRequest {
    let topics = by_topic(partitions.iter().map(|tp| (tp, tp.partition))).map(|(topic, partitions)| {
        OffsetFetchRequestTopic::default().with_name(topic_name(topic)).with_partition_indexes(partitions)
    });
    OffsetFetchRequest::default().with_group_id(GroupId(str_bytes(group))).with_topics(Some(topics.collect()))
}

/// Committed offsets that are read in one or more requests.
#[derive(Debug)]
struct Reading {
    /// What was not answered yet, or was refused.
    left: Vec<TopicPartition>,
    found: HashMap<TopicPartition, OffsetAndMetadata>,
}

impl Reading {
    /// Takes in an answer. Those partitions stay that were refused, for example since a transaction is open
    /// (UNSTABLE_OFFSET_COMMIT); of several errors one that trying again cannot mend counts first.
    fn take(&mut self, group: &Arc<str>, response: OffsetFetchResponse) -> Result<(), ClientError> {
        let refused = |code| BrokerError::new(code, "OffsetFetch").group(group.clone());
        ErrorCode(response.error_code).ok().map_err(refused)?;
        let mut failed: Option<ClientError> = None;
        let mut left = Vec::new();
        for topic in response.topics {
            let name: Arc<str> = topic.name.as_str().into();
            for p in topic.partitions {
                let partition = TopicPartition::new(name.clone(), p.partition_index);
                if let Err(code) = ErrorCode(p.error_code).ok() {
                    let error: ClientError =
                        refused(code).topic(name.clone()).partition(p.partition_index).into();
                    if failed.as_ref().is_none_or(|before| before.is_retriable() && !error.is_retriable()) {
                        failed = Some(error);
                    }
                    left.push(partition);
                } else if p.committed_offset >= 0 {
                    let committed = OffsetAndMetadata {
                        offset: p.committed_offset,
                        leader_epoch: p.committed_leader_epoch,
                        metadata: p.metadata.map(|m| m.to_string()).unwrap_or_default(),
                    };
                    self.found.insert(partition, committed);
                }
            }
        }
        self.left = left;
        failed.map_or(Ok(()), Err)
    }
}

/// Commits as `identity`; moves of the coordinator are followed. What was committed is not sent again with what was
/// not. A topic that the coordinator does not know is given up after `patience`.
pub(super) async fn commit(
    cluster: &Cluster,
    group: &Arc<str>,
    identity: &Identity,
    offsets: &HashMap<TopicPartition, OffsetAndMetadata>,
    patience: Duration,
) -> Result<(), CommitError> {
    if offsets.is_empty() {
        return Ok(());
    }
    let left = Mutex::new(offsets.clone());
    let what = format!("committing offsets of group {group}");
    let begun = Instant::now();
    let committed = with_retries(cluster, group, &what, || async {
        let version = if identity.by_epoch { COMMIT_BY_EPOCH_VERSION } else { COMMIT_MAX_VERSION };
        let request = commit_request(group, identity, &lock(&left));
        let response = attempt(cluster, group, version, |_| request).await?;
        match settle(group, &response, &mut lock(&left)) {
            Err(error) if is_of_no_topic(&error) && begun.elapsed() >= patience => Ok(Err(error)),
            checked => checked.map(Ok),
        }
    });
    committed.await.flatten().map_err(|error| match error.code() {
        Some(ErrorCode::REBALANCE_IN_PROGRESS) => CommitError::RebalanceInProgress { group: group.clone() },
        Some(code @ (ErrorCode::UNKNOWN_MEMBER_ID | ErrorCode::ILLEGAL_GENERATION)) => {
            CommitError::IllegalGeneration { group: group.clone(), code }
        }
        _ => error.into(),
    })
}

fn commit_request(
    group: &Arc<str>,
    identity: &Identity,
    offsets: &HashMap<TopicPartition, OffsetAndMetadata>,
) -> OffsetCommitRequest {
    let partitions = offsets.iter().map(|(tp, offset)| {
        let partition = OffsetCommitRequestPartition::default()
            .with_partition_index(tp.partition)
            .with_committed_offset(offset.offset)
            .with_committed_leader_epoch(offset.leader_epoch)
            .with_committed_metadata(Some(str_bytes(&offset.metadata)));
        (tp, partition)
    });
    let topics = by_topic(partitions).map(|(topic, partitions)| {
        OffsetCommitRequestTopic::default().with_name(topic_name(topic)).with_partitions(partitions)
    });
    OffsetCommitRequest::default()
        .with_group_id(GroupId(str_bytes(group)))
        .with_generation_id_or_member_epoch(identity.generation)
        .with_member_id(str_bytes(&identity.member_id))
        .with_group_instance_id(identity.instance_id.as_deref().map(str_bytes))
        .with_topics(topics.collect())
}

/// Takes what was committed out of `left`. Of several errors one that trying again cannot mend counts first, and
/// that a topic is not known, which is given up sooner than the others, counts last.
fn settle(
    group: &Arc<str>,
    response: &OffsetCommitResponse,
    left: &mut HashMap<TopicPartition, OffsetAndMetadata>,
) -> Result<(), ClientError> {
    let mut failed: Option<ClientError> = None;
    for topic in &response.topics {
        let name: Arc<str> = topic.name.as_str().into();
        for partition in &topic.partitions {
            let code = ErrorCode(partition.error_code);
            if code.ok().is_ok() {
                left.remove(&TopicPartition::new(name.clone(), partition.partition_index));
                continue;
            }
            let error: ClientError = BrokerError::new(code, "OffsetCommit")
                .group(group.clone())
                .topic(name.clone())
                .partition(partition.partition_index)
                .into();
            if failed.as_ref().is_none_or(|before| weight(before) < weight(&error)) {
                failed = Some(error);
            }
        }
    }
    failed.map_or(Ok(()), Err)
}

/// Which of several errors of an OffsetCommit counts: the heaviest.
fn weight(error: &ClientError) -> u8 {
    match error {
        error if is_of_no_topic(error) => 0,
        error if error.is_retriable() => 1,
        _ => 2,
    }
}

async fn attempt<R>(
    cluster: &Cluster,
    group: &Arc<str>,
    max_version: i16,
    request: impl FnOnce(i16) -> R,
) -> Result<R::Response, ClientError>
where
    R: kafka_protocol::protocol::Request,
{
    let node = cluster.coordinator(group).await?;
    let timeout = cluster.config().request_timeout;
    // Not the group's connection: a JoinGroup that waits for others would hold up what is behind it.
    cluster.call_with(node, ConnectionClass::Admin, max_version, timeout, request).await
}

/// Tries again until `default.api.timeout.ms`, at another coordinator if the error suggests it.
async fn with_retries<T, F>(
    cluster: &Cluster,
    group: &Arc<str>,
    what: &str,
    attempt: impl Fn() -> F,
) -> Result<T, ClientError>
where
    F: Future<Output = Result<T, ClientError>>,
{
    let attempt = || {
        let attempted = attempt();
        async move {
            let result = attempted.await;
            if let Err(error) = &result
                && error.is_retriable()
                && !stays_with_coordinator(error)
            {
                cluster.forget_coordinator(group);
            }
            result
        }
    };
    cluster.retrying(what, cluster.config().default_api_timeout, attempt).await
}

fn is_of_no_topic(error: &ClientError) -> bool {
    error.code() == Some(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)
}

fn stays_with_coordinator(error: &ClientError) -> bool {
    matches!(
        error.code(),
        Some(
            ErrorCode::COORDINATOR_LOAD_IN_PROGRESS
                | ErrorCode::UNSTABLE_OFFSET_COMMIT
                | ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
        )
    )
}

/// Collects the items of each topic.
pub(crate) fn by_topic<'a, T>(
    items: impl Iterator<Item = (&'a TopicPartition, T)>,
) -> impl Iterator<Item = (&'a str, Vec<T>)> {
    let mut topics: HashMap<&'a str, Vec<T>> = HashMap::new();
    for (tp, item) in items {
        topics.entry(&tp.topic).or_default().push(item);
    }
    topics.into_iter()
}

#[cfg(test)]
mod tests;
