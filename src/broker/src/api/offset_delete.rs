//! OffsetDelete: forgets some committed offsets of a group that nobody is in.

use super::{Answer, Api, Call};
use crate::shared::Shared;
use crate::sync::lock;
use crate::topics::missing;
use crossdock_wire::shape::{Field, INT32, TEXT, structs};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::offset_delete_request::{
    OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use kafka_protocol::messages::offset_delete_response::{
    OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};
use kafka_protocol::messages::{OffsetDeleteRequest, OffsetDeleteResponse};
use std::ops::RangeInclusive;

pub(crate) struct OffsetDelete;

impl Api for OffsetDelete {
    type Request = OffsetDeleteRequest;
    const VERSIONS: RangeInclusive<i16> = 0..=0;
    const SHAPE: &'static [Field] = &[TEXT, structs(&[TEXT, structs(&[INT32])])];

    async fn handle(call: &Call, request: OffsetDeleteRequest) -> Answer<OffsetDeleteResponse> {
        call.shared.blocking(move |shared| delete(shared, request)).await.into()
    }

    fn refuse(_: &Call, _: OffsetDeleteRequest, error: ResponseError) -> OffsetDeleteResponse {
        OffsetDeleteResponse::default().with_error_code(error.code())
    }
}

fn delete(shared: &Shared, request: OffsetDeleteRequest) -> OffsetDeleteResponse {
    let known = |topic: &str, partition: i32| {
        let found = shared.topic(topic).ok_or_else(|| missing(topic))?;
        found.partition(partition).map(|_| ()).ok_or(ResponseError::UnknownTopicOrPartition)
    };
    let mut wanted = Vec::new();
    for topic in &request.topics {
        let numbers = topic.partitions.iter().map(|partition| partition.partition_index);
        wanted
            .extend(numbers.filter(|n| known(&topic.name, *n).is_ok()).map(|n| (topic.name.to_string(), n)));
    }
    let group = &request.group_id;
    let forget = || {
        let mut offsets = lock(&shared.offsets);
        offsets.group(group).is_some().then(|| offsets.delete(group, wanted))
    };
    let refused = |error: ResponseError| OffsetDeleteResponse::default().with_error_code(error.code());
    match shared.groups.while_empty(group, forget) {
        Err(error) => return refused(error),
        Ok(None) => return refused(ResponseError::GroupIdNotFound),
        Ok(Some(Err(error))) => {
            tracing::error!(group = group.as_str(), %error, "committed offsets could not be deleted");
            return refused(ResponseError::CoordinatorNotAvailable);
        }
        Ok(Some(Ok(()))) => {}
    }
    let topic = |topic: OffsetDeleteRequestTopic| {
        let partition = |partition: OffsetDeleteRequestPartition| {
            OffsetDeleteResponsePartition::default()
                .with_partition_index(partition.partition_index)
                .with_error_code(super::code(known(&topic.name, partition.partition_index)))
        };
        let partitions = topic.partitions.into_iter().map(partition).collect();
        OffsetDeleteResponseTopic::default().with_name(topic.name.clone()).with_partitions(partitions)
    };
    OffsetDeleteResponse::default().with_topics(request.topics.into_iter().map(topic).collect())
}
