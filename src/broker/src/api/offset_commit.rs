//! OffsetCommit: by a member of the group, or for a group without members.

use super::{Answer, Api, Call};
use crate::group::Identity;
use crate::group::offsets::Committed;
use crate::shared::Shared;
use crate::sync::lock;
use crate::topics::missing;
use crossdock_wire::shape::{Field, INT32, INT64, TEXT, structs};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::offset_commit_response::{
    OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use kafka_protocol::messages::{OffsetCommitRequest, OffsetCommitResponse};
use std::ops::RangeInclusive;

/// Longest metadata of a commit in bytes, as `offset.metadata.max.bytes`.
const MAX_METADATA_BYTES: usize = 4096;

pub(crate) struct OffsetCommit;

impl Api for OffsetCommit {
    type Request = OffsetCommitRequest;
    const VERSIONS: RangeInclusive<i16> = 2..=9;
    const SHAPE: &'static [Field] = &[
        TEXT,
        INT32,
        TEXT,
        TEXT.since(7),
        INT64.until(4),
        structs(&[TEXT, structs(&[INT32, INT64, INT32.since(6), TEXT])]),
    ];

    async fn handle(call: &Call, request: OffsetCommitRequest) -> Answer<OffsetCommitResponse> {
        call.shared.blocking(move |shared| commit(shared, request)).await.into()
    }

    fn refuse(_: &Call, request: OffsetCommitRequest, error: ResponseError) -> OffsetCommitResponse {
        respond(request, |_, _| Err(error))
    }
}

fn commit(shared: &Shared, request: OffsetCommitRequest) -> OffsetCommitResponse {
    let mut accepted = Vec::new();
    for topic in &request.topics {
        for partition in &topic.partitions {
            if check(shared, &topic.name, partition).is_ok() {
                accepted.push((topic.name.to_string(), partition.partition_index, committed(partition)));
            }
        }
    }
    let who = Identity { member_id: &request.member_id, instance_id: request.group_instance_id.as_deref() };
    let generation = request.generation_id_or_member_epoch;
    let group = &request.group_id;
    let write = || lock(&shared.offsets).commit(group, accepted);
    let refusal = match shared.groups.commit(group, who, generation, write) {
        Ok(Ok(())) => None,
        Ok(Err(error)) => {
            tracing::error!(group = group.as_str(), %error, "a commit could not be written");
            Some(ResponseError::CoordinatorNotAvailable)
        }
        Err(error) => Some(error),
    };
    respond(request, |topic, partition| match refusal {
        Some(error) => Err(error),
        None => check(shared, topic, partition),
    })
}

fn check(
    shared: &Shared,
    topic: &str,
    partition: &OffsetCommitRequestPartition,
) -> Result<(), ResponseError> {
    let known = shared.topic(topic).ok_or_else(|| missing(topic))?;
    known.partition(partition.partition_index).ok_or(ResponseError::UnknownTopicOrPartition)?;
    match &partition.committed_metadata {
        Some(metadata) if metadata.len() > MAX_METADATA_BYTES => Err(ResponseError::OffsetMetadataTooLarge),
        _ => Ok(()),
    }
}

fn committed(partition: &OffsetCommitRequestPartition) -> Committed {
    Committed {
        offset: partition.committed_offset,
        leader_epoch: partition.committed_leader_epoch,
        metadata: partition.committed_metadata.as_deref().unwrap_or_default().to_owned(),
    }
}

fn respond(
    request: OffsetCommitRequest,
    outcome: impl Fn(&str, &OffsetCommitRequestPartition) -> Result<(), ResponseError>,
) -> OffsetCommitResponse {
    let topic = |topic: OffsetCommitRequestTopic| {
        let partition = |partition: &OffsetCommitRequestPartition| {
            OffsetCommitResponsePartition::default()
                .with_partition_index(partition.partition_index)
                .with_error_code(super::code(outcome(&topic.name, partition)))
        };
        let partitions = topic.partitions.iter().map(partition).collect();
        OffsetCommitResponseTopic::default().with_name(topic.name).with_partitions(partitions)
    };
    OffsetCommitResponse::default().with_topics(request.topics.into_iter().map(topic).collect())
}
