//! ListOffsets: the first, the last, or the one of a timestamp.

use super::fetch::check_epoch;
use super::{Answer, Api, Call};
use crate::log::{Found, LEADER_EPOCH, PartitionLog};
use crate::shared::Shared;
use crate::topics::missing;
use crossdock_wire::shape::{Field, INT8, INT32, INT64, TEXT, structs};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsTopicResponse,
};
use kafka_protocol::messages::{ListOffsetsRequest, ListOffsetsResponse};
use std::io;
use std::ops::RangeInclusive;

/// Timestamps with a meaning of their own.
const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const MAX_TIMESTAMP: i64 = -3;
const EARLIEST_LOCAL: i64 = -4;
const LATEST_TIERED: i64 = -5;

pub(crate) struct ListOffsets;

impl Api for ListOffsets {
    type Request = ListOffsetsRequest;
    const VERSIONS: RangeInclusive<i16> = 1..=10;
    const SHAPE: &'static [Field] =
        &[INT32, INT8.since(2), structs(&[TEXT, structs(&[INT32, INT32.since(4), INT64])]), INT32.since(10)];

    async fn handle(call: &Call, request: ListOffsetsRequest) -> Answer<ListOffsetsResponse> {
        let version = call.version;
        let find = move |shared: &Shared| {
            respond(request, |topic, asked| match find(shared, topic, asked) {
                Ok(found) => succeeded(asked.partition_index, found, version),
                Err(error) => failed(asked.partition_index, error),
            })
        };
        call.shared.blocking(find).await.into()
    }

    fn refuse(_: &Call, request: ListOffsetsRequest, error: ResponseError) -> ListOffsetsResponse {
        respond(request, |_, asked| failed(asked.partition_index, error))
    }
}

fn respond(
    request: ListOffsetsRequest,
    mut find: impl FnMut(&str, &ListOffsetsPartition) -> ListOffsetsPartitionResponse,
) -> ListOffsetsResponse {
    let topic = |topic: ListOffsetsTopic| {
        let partitions = topic.partitions.iter().map(|asked| find(&topic.name, asked)).collect();
        ListOffsetsTopicResponse::default().with_name(topic.name).with_partitions(partitions)
    };
    ListOffsetsResponse::default().with_topics(request.topics.into_iter().map(topic).collect())
}

fn find(shared: &Shared, topic: &str, asked: &ListOffsetsPartition) -> Result<Option<Found>, ResponseError> {
    let topic = shared.topic(topic).ok_or_else(|| missing(topic))?;
    let partition = topic.partition(asked.partition_index).ok_or(ResponseError::UnknownTopicOrPartition)?;
    check_epoch(asked.current_leader_epoch)?;
    find_in(&partition.log(), asked.timestamp).map_err(|error| {
        tracing::error!(topic = topic.name, partition = asked.partition_index, %error, "a log could not be read");
        ResponseError::KafkaStorageError
    })
}

fn find_in(log: &PartitionLog, timestamp: i64) -> io::Result<Option<Found>> {
    let at = |offset| Ok(Some(Found { timestamp: -1, offset }));
    match timestamp {
        LATEST => at(log.end_offset()),
        EARLIEST | EARLIEST_LOCAL => at(0),
        MAX_TIMESTAMP => log.find_max_timestamp(),
        LATEST_TIERED => Ok(None),
        timestamp => log.find_timestamp(timestamp),
    }
}

fn succeeded(index: i32, found: Option<Found>, version: i16) -> ListOffsetsPartitionResponse {
    let response = ListOffsetsPartitionResponse::default().with_partition_index(index);
    match found {
        None => response.with_offset(-1).with_timestamp(-1).with_leader_epoch(-1),
        Some(found) => response
            .with_offset(found.offset)
            .with_timestamp(found.timestamp)
            .with_leader_epoch(if version >= 4 { LEADER_EPOCH } else { -1 }),
    }
}

fn failed(index: i32, error: ResponseError) -> ListOffsetsPartitionResponse {
    succeeded(index, None, 0).with_error_code(error.code())
}
