//! OffsetFetch: committed offsets of a group, or since version 8 of several.

use super::{Answer, Api, Call, text};
use crate::group::offsets::{Committed, GroupOffsets};
use crate::sync::lock;
use crossdock_wire::shape::{BOOL, Field, INT32, TEXT, structs, values};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::offset_fetch_request::OffsetFetchRequestGroup;
use kafka_protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions,
    OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};
use kafka_protocol::messages::{OffsetFetchRequest, OffsetFetchResponse, TopicName};
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

pub(crate) struct OffsetFetch;

/// Partitions by topic; `None` asks for all that have offsets.
type Asked = Option<Vec<(TopicName, Vec<i32>)>>;

impl Api for OffsetFetch {
    type Request = OffsetFetchRequest;
    const VERSIONS: RangeInclusive<i16> = 1..=9;
    const SHAPE: &'static [Field] = &[
        TEXT.until(7),
        structs(&[TEXT, values(&INT32)]).until(7),
        structs(&[TEXT, TEXT.since(9), INT32.since(9), structs(&[TEXT, values(&INT32)])]).since(8),
        BOOL.since(7),
    ];

    async fn handle(call: &Call, request: OffsetFetchRequest) -> Answer<OffsetFetchResponse> {
        let offsets = lock(&call.shared.offsets);
        if call.version >= 8 {
            let group = |group: OffsetFetchRequestGroup| {
                let (id, asked) = asked_of(group);
                let topics = look_up(offsets.group(&id), asked).into_iter().map(batched);
                OffsetFetchResponseGroup::default().with_group_id(id).with_topics(topics.collect())
            };
            let groups = request.groups.into_iter().map(group).collect();
            return OffsetFetchResponse::default().with_groups(groups).into();
        }
        let asked = request.topics.map(|topics| topics.into_iter().map(|t| (t.name, t.partition_indexes)));
        let topics = look_up(offsets.group(&request.group_id), asked.map(Iterator::collect));
        OffsetFetchResponse::default().with_topics(topics.into_iter().map(single).collect()).into()
    }

    fn refuse(call: &Call, request: OffsetFetchRequest, error: ResponseError) -> OffsetFetchResponse {
        let code = error.code();
        if call.version >= 8 {
            let refused = |group: OffsetFetchRequestGroup| {
                OffsetFetchResponseGroup::default().with_group_id(group.group_id).with_error_code(code)
            };
            return OffsetFetchResponse::default()
                .with_groups(request.groups.into_iter().map(refused).collect());
        }
        let asked = request.topics.unwrap_or_default().into_iter().map(|t| (t.name, t.partition_indexes));
        let topics = look_up(None, Some(asked.collect())).into_iter().map(single).map(|mut topic| {
            topic.partitions.iter_mut().for_each(|partition| partition.error_code = code);
            topic
        });
        // Version 1 has the error in the partitions only.
        OffsetFetchResponse::default().with_topics(topics.collect()).with_error_code(if call.version >= 2 {
            code
        } else {
            0
        })
    }
}

fn asked_of(group: OffsetFetchRequestGroup) -> (kafka_protocol::messages::GroupId, Asked) {
    let topics = group.topics.map(|topics| topics.into_iter().map(|t| (t.name, t.partition_indexes)));
    (group.group_id, topics.map(Iterator::collect))
}

/// The answer in a form that is common to all versions; a partition without an offset has -1.
fn look_up(known: Option<&GroupOffsets>, asked: Asked) -> Vec<(TopicName, Vec<(i32, Committed)>)> {
    let none = BTreeMap::new();
    let known = known.unwrap_or(&none);
    let Some(asked) = asked else {
        let topic = |(name, partitions): (&String, &BTreeMap<i32, Committed>)| {
            let partitions = partitions.iter().map(|(&number, committed)| (number, committed.clone()));
            (TopicName(text(name)), partitions.collect())
        };
        return known.iter().map(topic).collect();
    };
    let topic = |(name, numbers): (TopicName, Vec<i32>)| {
        let known = known.get(name.as_str());
        let missing = Committed { offset: -1, leader_epoch: -1, metadata: String::new() };
        let committed =
            |number: i32| (number, known.and_then(|known| known.get(&number)).unwrap_or(&missing).clone());
        (name, numbers.into_iter().map(committed).collect())
    };
    asked.into_iter().map(topic).collect()
}

fn single((name, partitions): (TopicName, Vec<(i32, Committed)>)) -> OffsetFetchResponseTopic {
    let partition = |(number, committed): (i32, Committed)| {
        OffsetFetchResponsePartition::default()
            .with_partition_index(number)
            .with_committed_offset(committed.offset)
            .with_committed_leader_epoch(committed.leader_epoch)
            .with_metadata(Some(text(committed.metadata)))
    };
    OffsetFetchResponseTopic::default()
        .with_name(name)
        .with_partitions(partitions.into_iter().map(partition).collect())
}

fn batched((name, partitions): (TopicName, Vec<(i32, Committed)>)) -> OffsetFetchResponseTopics {
    let partition = |(number, committed): (i32, Committed)| {
        OffsetFetchResponsePartitions::default()
            .with_partition_index(number)
            .with_committed_offset(committed.offset)
            .with_committed_leader_epoch(committed.leader_epoch)
            .with_metadata(Some(text(committed.metadata)))
    };
    OffsetFetchResponseTopics::default()
        .with_name(name)
        .with_partitions(partitions.into_iter().map(partition).collect())
}
