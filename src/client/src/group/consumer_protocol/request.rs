//! ConsumerGroupHeartbeat: from the machine's words to the message, and back.

use super::handle::ConsumerGroupConfig;
use super::membership::{Heartbeat, HeartbeatAnswer, IdPartitions};
use crate::text::{str_bytes, topic_name};
use kafka_protocol::messages::consumer_group_heartbeat_request::TopicPartitions;
use kafka_protocol::messages::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, GroupId};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

pub(super) const API: &str = "ConsumerGroupHeartbeat";
/// Version 1 has regular expressions and ids that members give themselves (KIP-1082).
pub(super) const MAX_VERSION: i16 = 1;
/// The first version with regular expressions.
pub(super) const REGEX_VERSION: i16 = 1;

/// The heartbeat of a member, for any version; without regular expression that is.
pub(super) fn heartbeat(
    config: &ConsumerGroupConfig,
    member_id: &str,
    heartbeat: &Heartbeat,
) -> ConsumerGroupHeartbeatRequest {
    let always = last_heartbeat(config, member_id, heartbeat.epoch);
    let names = |topics: &BTreeSet<Arc<str>>| topics.iter().map(|topic| topic_name(topic)).collect();
    let request = always
        .with_subscribed_topic_names(heartbeat.topics.as_ref().map(names))
        .with_topic_partitions(heartbeat.owned.as_ref().map(owned));
    if !heartbeat.full {
        return request;
    }
    let timeout = i32::try_from(config.max_poll_interval.as_millis()).unwrap_or(i32::MAX);
    request
        .with_rebalance_timeout_ms(timeout)
        .with_rack_id(config.rack.as_deref().map(str_bytes))
        .with_server_assignor(config.remote_assignor.as_deref().map(str_bytes))
}

/// The heartbeat that leaves: only who it is from, and the epoch that says how.
pub(super) fn last_heartbeat(
    config: &ConsumerGroupConfig,
    member_id: &str,
    epoch: i32,
) -> ConsumerGroupHeartbeatRequest {
    ConsumerGroupHeartbeatRequest::default()
        .with_group_id(GroupId(str_bytes(&config.group_id)))
        .with_member_id(str_bytes(member_id))
        .with_member_epoch(epoch)
        .with_instance_id(config.instance_id.as_deref().map(str_bytes))
        .with_rebalance_timeout_ms(-1)
        .with_subscribed_topic_names(None)
        .with_topic_partitions(None)
}

/// What a member takes from an answer without error; `None` if there is no epoch in it that a member can have.
pub(super) fn answer(response: ConsumerGroupHeartbeatResponse) -> Option<HeartbeatAnswer> {
    let assignment = response.assignment.map(|assignment| {
        let mut partitions = IdPartitions::new();
        for topic in assignment.topic_partitions {
            partitions.entry(topic.topic_id).or_default().extend(topic.partitions);
        }
        partitions.retain(|_, numbers| !numbers.is_empty());
        partitions
    });
    let interval = Duration::from_millis(u64::try_from(response.heartbeat_interval_ms).unwrap_or(0).max(1));
    (response.member_epoch > 0).then_some(HeartbeatAnswer {
        epoch: response.member_epoch,
        interval,
        assignment,
    })
}

fn owned(partitions: &IdPartitions) -> Vec<TopicPartitions> {
    let topic = |(id, numbers): (&Uuid, &BTreeSet<i32>)| {
        TopicPartitions::default().with_topic_id(*id).with_partitions(numbers.iter().copied().collect())
    };
    partitions.iter().map(topic).collect()
}
