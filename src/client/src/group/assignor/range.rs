//! Ranges of every topic's partitions, as `org.apache.kafka.clients.consumer.RangeAssignor`.

use super::{Assignor, Subscriber, TopicLayout, Topics, in_order};
use crate::metadata::TopicPartition;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

/// Cuts the partitions of each topic into one range for each of its subscribers, who are put in order
/// by instance id, or else by member id. The first ones get the partitions that are left over, so
/// topics with as many partitions are shared out alike (co-partitioned).
///
/// If members and brokers have racks, and not every rack has every partition, then partitions go first to
/// members on a rack of a replica (KIP-881), as far as shares stay equal and, among topics with the same
/// subscribers and number of partitions, the same numbers go to the same member.
#[derive(Debug, Clone, Copy, Default)]
pub struct RangeAssignor;

impl Assignor for RangeAssignor {
    fn name(&self) -> &'static str {
        "range"
    }

    fn assign(&self, topics: &Topics, members: &[Subscriber]) -> Vec<(String, Vec<TopicPartition>)> {
        let order = in_order(members);
        let wants: Vec<HashSet<&Arc<str>>> =
            members.iter().map(|m| m.subscription.topics.iter().collect()).collect();
        let mut shares: Vec<Share<'_>> = Vec::new();
        for (topic, layout) in topics.iter().filter(|(_, layout)| layout.partitions > 0) {
            let subscribers: Vec<usize> =
                order.iter().copied().filter(|m| wants[*m].contains(topic)).collect();
            if !subscribers.is_empty() {
                shares.push(Share::new(topic, layout, subscribers, members));
            }
        }
        if shares.iter().any(|share| share.by_rack) {
            match_racks(&mut shares);
        }
        let mut assigned: Vec<_> = members.iter().map(|m| (m.member_id.clone(), Vec::new())).collect();
        for mut share in shares {
            share.deal(|_, _| true);
            for (at, member) in share.members.iter().enumerate() {
                share.taken[at].sort_unstable();
                let topic = share.topic;
                let partitions = share.taken[at].iter();
                assigned[*member]
                    .1
                    .extend(partitions.map(|p| TopicPartition { topic: topic.clone(), partition: *p }));
            }
        }
        assigned
    }
}

/// One topic on its way to its subscribers.
struct Share<'a> {
    topic: &'a Arc<str>,
    layout: &'a TopicLayout,
    /// The subscribers, in order.
    members: Vec<usize>,
    racks: Vec<Option<Arc<str>>>,
    by_rack: bool,
    /// What everybody gets, and how many still get one more.
    each: usize,
    extras: usize,
    free: BTreeSet<i32>,
    taken: Vec<Vec<i32>>,
}

impl<'a> Share<'a> {
    fn new(topic: &'a Arc<str>, layout: &'a TopicLayout, members: Vec<usize>, all: &[Subscriber]) -> Self {
        let count = layout.partitions.max(0) as usize;
        let rack = |m: &usize| all[*m].subscription.rack.clone().filter(|rack| !rack.is_empty());
        let racks: Vec<_> = members.iter().map(rack).collect();
        Self {
            topic,
            layout,
            by_rack: racks_matter(layout, &racks),
            racks,
            each: count / members.len(),
            extras: count % members.len(),
            free: (0..layout.partitions).collect(),
            taken: vec![Vec::new(); members.len()],
            members,
        }
    }

    fn matches(&self, at: usize, partition: i32) -> bool {
        let replicas = usize::try_from(partition).ok().and_then(|p| self.layout.racks.get(p));
        match &self.racks[at] {
            None => true,
            Some(rack) => replicas.is_some_and(|racks| racks.contains(rack)),
        }
    }

    fn room(&self, at: usize) -> usize {
        (self.each + usize::from(self.extras > 0)).saturating_sub(self.taken[at].len())
    }

    fn take(&mut self, at: usize, partitions: &[i32]) {
        self.taken[at].extend(partitions);
        if self.taken[at].len() > self.each {
            self.extras = self.extras.saturating_sub(1);
        }
        for partition in partitions {
            self.free.remove(partition);
        }
    }

    /// Gives each member, in order, the first free partitions that it may have, as many as there is room for.
    fn deal(&mut self, may: impl Fn(&Self, (usize, i32)) -> bool) {
        for at in 0..self.members.len() {
            let room = self.room(at);
            let partitions: Vec<i32> =
                self.free.iter().copied().filter(|p| may(self, (at, *p))).take(room).collect();
            if !partitions.is_empty() {
                self.take(at, &partitions);
            }
        }
    }
}

/// Whether it makes a difference on which rack a member is.
fn racks_matter(layout: &TopicLayout, members: &[Option<Arc<str>>]) -> bool {
    let all: BTreeSet<&Arc<str>> = layout.racks.iter().flatten().collect();
    members.iter().flatten().any(|rack| all.contains(rack))
        && layout.racks.iter().any(|racks| racks.len() != all.len())
}

/// Gives out what can be matched by rack: topics that are co-partitioned together, others one by one.
fn match_racks(shares: &mut [Share<'_>]) {
    let mut alike: BTreeMap<(Vec<usize>, i32), Vec<usize>> = BTreeMap::new();
    for (at, share) in shares.iter().enumerate() {
        // Without a rack on the members' side there is nothing to match.
        if share.racks.iter().any(Option::is_some) {
            alike.entry((share.members.clone(), share.layout.partitions)).or_default().push(at);
        }
    }
    for ((members, partitions), together) in alike {
        if let [alone] = together[..] {
            if shares[alone].by_rack {
                shares[alone].deal(|share, (at, p)| share.matches(at, p));
            }
            continue;
        }
        for partition in 0..partitions {
            let fits = |at: &usize| {
                together.iter().all(|s| shares[*s].matches(*at, partition) && shares[*s].room(*at) > 0)
            };
            if let Some(at) = (0..members.len()).find(fits) {
                together.iter().for_each(|s| shares[*s].take(at, &[partition]));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::group::assignor::support::{check_owners, member, shares, topics};
    use proptest::prelude::*;

    #[test]
    fn the_first_members_take_what_is_left_over() {
        let members = [member("b", None, &["t", "u"]), member("a", None, &["t", "u"])];
        assert_eq!(
            shares(&RangeAssignor, &topics(&[("t", 3), ("u", 3)]), &members),
            ["t-2 u-2", "t-0 t-1 u-0 u-1"]
        );
    }

    #[test]
    fn only_subscribers_share_a_topic() {
        let members = [member("a", None, &["t"]), member("b", None, &["t", "u"]), member("c", None, &[])];
        assert_eq!(
            shares(&RangeAssignor, &topics(&[("t", 2), ("u", 2)]), &members),
            ["t-0", "t-1 u-0 u-1", ""]
        );
    }

    #[test]
    fn static_members_come_first_by_instance_id() {
        let members =
            [member("a", None, &["t"]), member("z", Some("2"), &["t"]), member("y", Some("3"), &["t"])];
        assert_eq!(shares(&RangeAssignor, &topics(&[("t", 3)]), &members), ["t-2", "t-0", "t-1"]);
    }

    #[test]
    fn members_beyond_the_partitions_go_without() {
        let members = [member("a", None, &["t"]), member("b", None, &["t"])];
        assert_eq!(shares(&RangeAssignor, &topics(&[("t", 1), ("missing", 0)]), &members), ["t-0", ""]);
    }

    fn on_rack(id: &str, rack: &str, topics: &[&str]) -> Subscriber {
        let mut member = member(id, None, topics);
        member.subscription.rack = Some(rack.into());
        member
    }

    fn layout(racks: &[&[&str]]) -> TopicLayout {
        let racks: Vec<_> = racks.iter().map(|r| r.iter().map(|r| Arc::from(*r)).collect()).collect();
        TopicLayout { partitions: racks.len() as i32, racks }
    }

    #[test]
    fn members_read_from_their_own_rack_where_that_is_fair() {
        let members = [on_rack("a", "x", &["t"]), on_rack("b", "y", &["t"])];
        let split = Topics::from([("t".into(), layout(&[&["y"], &["x"], &["y"], &["x"]]))]);
        assert_eq!(shares(&RangeAssignor, &split, &members), ["t-1 t-3", "t-0 t-2"]);
        let everywhere = Topics::from([("t".into(), layout(&[&["y", "x"], &["x", "y"]]))]);
        assert_eq!(shares(&RangeAssignor, &everywhere, &members), ["t-0", "t-1"], "it makes no difference");
        let one_sided = Topics::from([("t".into(), layout(&[&["y"], &["y"], &["y"], &["x"]]))]);
        assert_eq!(shares(&RangeAssignor, &one_sided, &members), ["t-2 t-3", "t-0 t-1"]);
    }

    proptest! {
        #[test]
        fn every_partition_has_one_owner(count in 0..50i32, wants in prop::collection::vec(any::<bool>(), 1..12),
                                         racks in prop::collection::vec(0..4u8, 12), replicas in prop::collection::vec(1..8u8, 50)) {
            let names = ["x", "y", "z"];
            let members: Vec<_> = wants.iter().enumerate().map(|(i, wants)| {
                let mut member = member(&format!("m{i}"), None, if *wants { &["t"] } else { &[] });
                member.subscription.rack = names.get(racks[i] as usize).map(|r| Arc::from(*r));
                member
            }).collect();
            let racks = replicas.iter().take(count as usize)
                .map(|bits| (0..3).filter(|r| bits & (1 << r) != 0).map(|r| Arc::from(names[r])).collect());
            let topics = Topics::from([("t".into(), TopicLayout { partitions: count, racks: racks.collect() })]);
            let assigned = RangeAssignor.assign(&topics, &members);
            check_owners(&topics, &members, &assigned);
            let sizes: Vec<_> = assigned.iter().zip(&wants).filter(|(_, w)| **w).map(|(a, _)| a.1.len()).collect();
            prop_assert!(sizes.iter().max().unwrap_or(&0) - sizes.iter().min().unwrap_or(&0) <= 1);
        }
    }
}
