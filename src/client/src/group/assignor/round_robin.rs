//! Partitions dealt out in turn, as `org.apache.kafka.clients.consumer.RoundRobinAssignor`.

use super::{Assignor, Subscriber, Topics, in_order};
use crate::metadata::TopicPartition;
use std::collections::HashSet;
use std::sync::Arc;

/// Deals the partitions of all topics, in order, to the members in turn (by instance id, or else by member
/// id); who has not subscribed to the topic is passed over.
#[derive(Debug, Clone, Copy, Default)]
pub struct RoundRobinAssignor;

impl Assignor for RoundRobinAssignor {
    fn name(&self) -> &'static str {
        "roundrobin"
    }

    fn assign(&self, topics: &Topics, members: &[Subscriber]) -> Vec<(String, Vec<TopicPartition>)> {
        let order = in_order(members);
        let wants: Vec<HashSet<&Arc<str>>> =
            members.iter().map(|m| m.subscription.topics.iter().collect()).collect();
        let mut assigned: Vec<_> = members.iter().map(|m| (m.member_id.clone(), Vec::new())).collect();
        let mut turn = 0;
        for (topic, layout) in topics {
            if !wants.iter().any(|wants| wants.contains(topic)) {
                continue;
            }
            for partition in 0..layout.partitions {
                // Somebody wants the topic, so this ends.
                while !wants[order[turn % order.len()]].contains(topic) {
                    turn += 1;
                }
                let member = order[turn % order.len()];
                assigned[member].1.push(TopicPartition { topic: topic.clone(), partition });
                turn += 1;
            }
        }
        assigned
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::group::assignor::support::{member, shares, topics};

    #[test]
    fn partitions_are_dealt_over_the_bounds_of_topics() {
        let members = [member("b", None, &["t", "u"]), member("a", None, &["t", "u"])];
        assert_eq!(
            shares(&RoundRobinAssignor, &topics(&[("t", 3), ("u", 3)]), &members),
            ["t-1 u-0 u-2", "t-0 t-2 u-1"]
        );
    }

    #[test]
    fn who_does_not_want_a_topic_is_passed_over() {
        let members = [
            member("a", None, &["t0"]),
            member("b", None, &["t0", "t1"]),
            member("c", None, &["t0", "t1", "t2"]),
            member("d", None, &[]),
        ];
        assert_eq!(
            shares(&RoundRobinAssignor, &topics(&[("t0", 1), ("t1", 2), ("t2", 3), ("x", 1)]), &members),
            ["t0-0", "t1-0", "t1-1 t2-0 t2-1 t2-2", ""]
        );
        assert!(RoundRobinAssignor.assign(&topics(&[("t", 1)]), &[]).is_empty());
    }
}
