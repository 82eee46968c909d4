//! Ranges of every topic's partitions, as `org.apache.kafka.clients.consumer.RangeAssignor` without racks.

use super::{Assignor, Subscriber};
use crate::metadata::TopicPartition;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Cuts the partitions of each topic into one range for each of its subscribers, who are put in order
/// by instance id, or else by member id. The first ones get the partitions that are left over, so
/// topics with as many partitions are shared out alike (co-partitioned).
#[derive(Debug, Clone, Copy, Default)]
pub struct RangeAssignor;

impl Assignor for RangeAssignor {
    fn name(&self) -> &'static str {
        "range"
    }

    fn assign(
        &self,
        partitions: &BTreeMap<Arc<str>, i32>,
        members: &[Subscriber],
    ) -> Vec<(String, Vec<TopicPartition>)> {
        let mut order: Vec<usize> = (0..members.len()).collect();
        order.sort_by(|a, b| by_identity(&members[*a], &members[*b]));
        let mut assigned: Vec<_> = members.iter().map(|m| (m.member_id.clone(), Vec::new())).collect();
        for (topic, count) in partitions {
            let subscribers: Vec<usize> =
                order.iter().copied().filter(|m| members[*m].subscription.topics.contains(topic)).collect();
            let shares = subscribers.len() as i32;
            if shares == 0 {
                continue;
            }
            let (each, extra) = (count / shares, count % shares);
            for (rank, member) in (0..).zip(subscribers) {
                let start = each * rank + extra.min(rank);
                let len = each + i32::from(rank < extra);
                let range = start..start + len;
                assigned[member]
                    .1
                    .extend(range.map(|p| TopicPartition { topic: topic.clone(), partition: p }));
            }
        }
        assigned
    }
}

/// Java's `MemberInfo.compareTo`: static members come first.
fn by_identity(a: &Subscriber, b: &Subscriber) -> Ordering {
    match (&a.instance_id, &b.instance_id) {
        (Some(a), Some(b)) => a.cmp(b),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => a.member_id.cmp(&b.member_id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::group::protocol::Subscription;
    use proptest::prelude::*;

    fn member(id: &str, instance: Option<&str>, topics: &[&str]) -> Subscriber {
        let topics = topics.iter().map(|t| Arc::from(*t)).collect();
        Subscriber {
            member_id: id.to_owned(),
            instance_id: instance.map(str::to_owned),
            subscription: Subscription { topics, ..Subscription::default() },
        }
    }

    fn shares(topics: &[(&str, i32)], members: &[Subscriber]) -> Vec<String> {
        let partitions = topics.iter().map(|(t, n)| (Arc::from(*t), *n)).collect();
        let assigned = RangeAssignor.assign(&partitions, members);
        let show =
            |tps: Vec<TopicPartition>| tps.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        assigned.into_iter().map(|(_, tps)| show(tps)).collect()
    }

    #[test]
    fn the_first_members_take_what_is_left_over() {
        let members = [member("b", None, &["t", "u"]), member("a", None, &["t", "u"])];
        assert_eq!(shares(&[("t", 3), ("u", 3)], &members), ["t-2 u-2", "t-0 t-1 u-0 u-1"]);
    }

    #[test]
    fn only_subscribers_share_a_topic() {
        let members = [member("a", None, &["t"]), member("b", None, &["t", "u"]), member("c", None, &[])];
        assert_eq!(shares(&[("t", 2), ("u", 2)], &members), ["t-0", "t-1 u-0 u-1", ""]);
    }

    #[test]
    fn static_members_come_first_by_instance_id() {
        let members =
            [member("a", None, &["t"]), member("z", Some("2"), &["t"]), member("y", Some("3"), &["t"])];
        assert_eq!(shares(&[("t", 3)], &members), ["t-2", "t-0", "t-1"]);
    }

    #[test]
    fn members_beyond_the_partitions_go_without() {
        let members = [member("a", None, &["t"]), member("b", None, &["t"])];
        assert_eq!(shares(&[("t", 1), ("missing", 0)], &members), ["t-0", ""]);
    }

    proptest! {
        #[test]
        fn every_partition_has_one_owner(count in 0..50i32, wants in prop::collection::vec(any::<bool>(), 1..12)) {
            let members: Vec<_> = wants.iter().enumerate()
                .map(|(i, wants)| member(&format!("m{i}"), None, if *wants { &["t"] } else { &[] })).collect();
            let assigned = RangeAssignor.assign(&BTreeMap::from([("t".into(), count)]), &members);
            let mut all: Vec<_> = assigned.iter().flat_map(|(_, tps)| tps.iter().map(|tp| tp.partition)).collect();
            all.sort_unstable();
            let expected: Vec<i32> = if wants.contains(&true) { (0..count).collect() } else { Vec::new() };
            prop_assert_eq!(all, expected);
            for ((_, tps), wants) in assigned.iter().zip(&wants) {
                prop_assert!(*wants || tps.is_empty());
            }
        }
    }
}
