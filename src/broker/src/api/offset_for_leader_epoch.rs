//! OffsetForLeaderEpoch: a consumer asks whether its position is still in the log (KIP-320). It always is.

use super::fetch::check_epoch;
use super::{Answer, Api, Call};
use crate::log::LEADER_EPOCH;
use crate::topics::missing;
use crossdock_wire::shape::{Field, INT32, TEXT, structs};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::offset_for_leader_epoch_request::{
    OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use kafka_protocol::messages::offset_for_leader_epoch_response::{
    EpochEndOffset, OffsetForLeaderTopicResult,
};
use kafka_protocol::messages::{OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse};
use std::ops::RangeInclusive;

pub(crate) struct OffsetForLeaderEpoch;

impl Api for OffsetForLeaderEpoch {
    type Request = OffsetForLeaderEpochRequest;
    const VERSIONS: RangeInclusive<i16> = 2..=4;
    const SHAPE: &'static [Field] = &[INT32.since(3), structs(&[TEXT, structs(&[INT32, INT32, INT32])])];

    async fn handle(
        call: &Call,
        request: OffsetForLeaderEpochRequest,
    ) -> Answer<OffsetForLeaderEpochResponse> {
        respond(request, |topic, asked| {
            end_offset(call, topic, asked).unwrap_or_else(|error| failed(asked, error))
        })
        .into()
    }

    fn refuse(
        _: &Call,
        request: OffsetForLeaderEpochRequest,
        error: ResponseError,
    ) -> OffsetForLeaderEpochResponse {
        respond(request, |_, asked| failed(asked, error))
    }
}

fn respond(
    request: OffsetForLeaderEpochRequest,
    mut answer: impl FnMut(&str, &OffsetForLeaderPartition) -> EpochEndOffset,
) -> OffsetForLeaderEpochResponse {
    let topic = |topic: OffsetForLeaderTopic| {
        let partitions = topic.partitions.iter().map(|asked| answer(&topic.topic, asked)).collect();
        OffsetForLeaderTopicResult::default().with_topic(topic.topic).with_partitions(partitions)
    };
    OffsetForLeaderEpochResponse::default().with_topics(request.topics.into_iter().map(topic).collect())
}

fn end_offset(
    call: &Call,
    topic: &str,
    asked: &OffsetForLeaderPartition,
) -> Result<EpochEndOffset, ResponseError> {
    let topic = call.shared.topic(topic).ok_or_else(|| missing(topic))?;
    let partition = topic.partition(asked.partition).ok_or(ResponseError::UnknownTopicOrPartition)?;
    check_epoch(asked.current_leader_epoch)?;
    let end = EpochEndOffset::default().with_partition(asked.partition);
    if asked.leader_epoch != LEADER_EPOCH {
        return Ok(end.with_leader_epoch(-1).with_end_offset(-1));
    }
    Ok(end.with_leader_epoch(LEADER_EPOCH).with_end_offset(partition.log().end_offset()))
}

fn failed(asked: &OffsetForLeaderPartition, error: ResponseError) -> EpochEndOffset {
    EpochEndOffset::default()
        .with_partition(asked.partition)
        .with_error_code(error.code())
        .with_leader_epoch(-1)
        .with_end_offset(-1)
}
