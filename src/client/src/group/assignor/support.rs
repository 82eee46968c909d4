//! What the tests of the assignors have in common.

use super::{Assignor, Subscriber, TopicLayout, Topics};
use crate::group::protocol::Subscription;
use crate::metadata::TopicPartition;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub(super) fn member(id: &str, instance: Option<&str>, topics: &[&str]) -> Subscriber {
    let topics = topics.iter().map(|t| Arc::from(*t)).collect();
    Subscriber {
        member_id: id.to_owned(),
        instance_id: instance.map(str::to_owned),
        subscription: Subscription { topics, generation: -1, ..Subscription::default() },
    }
}

pub(super) fn topics(counts: &[(&str, i32)]) -> Topics {
    counts.iter().map(|(topic, count)| (Arc::from(*topic), TopicLayout::of(*count))).collect()
}

/// What each member gets, as text.
pub(super) fn shares(assignor: &dyn Assignor, topics: &Topics, members: &[Subscriber]) -> Vec<String> {
    let show = |tps: Vec<TopicPartition>| tps.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    assignor.assign(topics, members).into_iter().map(|(_, tps)| show(tps)).collect()
}

/// Checks that every partition that somebody subscribed to has one owner, who subscribed to it.
pub(super) fn check_owners(
    topics: &Topics,
    members: &[Subscriber],
    assigned: &[(String, Vec<TopicPartition>)],
) -> BTreeMap<TopicPartition, usize> {
    let mut owners = BTreeMap::new();
    for (at, (id, tps)) in assigned.iter().enumerate() {
        assert_eq!(*id, members[at].member_id);
        for tp in tps {
            assert!(members[at].subscription.topics.contains(&tp.topic), "{id} did not subscribe to {tp}");
            assert_eq!(owners.insert(tp.clone(), at), None, "{tp} has two owners");
        }
    }
    let wanted: BTreeSet<&Arc<str>> = members.iter().flat_map(|m| &m.subscription.topics).collect();
    let expected: i32 = topics.iter().filter(|(t, _)| wanted.contains(t)).map(|(_, l)| l.partitions).sum();
    assert_eq!(owners.len(), expected as usize, "a partition has no owner");
    owners
}
