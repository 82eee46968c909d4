//! Balanced shares that change as little as possible from one generation to the next, as Java's
//! `StickyAssignor` and `CooperativeStickyAssignor`.
//!
//! - `claims`: who had what, and who of several claimants is believed.
//! - `balance`: how many partitions of each topic each member gets, and which.
//!
//! As in Java's `AbstractStickyAssignor`: with equal subscriptions the shares differ by one at most; else no
//! single move to another subscriber makes them more equal. Racks do not break ties here.

mod balance;
mod claims;

use super::{Assignor, Subscriber, Topics, user_data};
use crate::metadata::TopicPartition;
use claims::Claims;
use std::collections::HashMap;
use std::sync::Arc;

/// Gives members what they had before they gave all up for the rebalance (an eager protocol).
#[derive(Debug, Clone, Copy, Default)]
pub struct StickyAssignor;

/// Leaves members what they have while they join (KIP-429). What has to move to another member is given to
/// nobody at first; its owner gives it up and joins again, and then the other gets it.
#[derive(Debug, Clone, Copy, Default)]
pub struct CooperativeStickyAssignor;

/// What a member says that it has, or had.
#[derive(Debug, Clone, Default)]
struct Claim {
    partitions: Vec<TopicPartition>,
    generation: i32,
}

impl Assignor for StickyAssignor {
    fn name(&self) -> &'static str {
        "sticky"
    }

    fn assign(&self, topics: &Topics, members: &[Subscriber]) -> Vec<(String, Vec<TopicPartition>)> {
        let claim = |member: &Subscriber| {
            let data = member.subscription.user_data.clone().unwrap_or_default();
            let (partitions, generation) = user_data::read_sticky(data);
            Claim { partitions, generation }
        };
        let table = Table::new(topics, members);
        let claims = Claims::new(&table, &members.iter().map(claim).collect::<Vec<_>>());
        table.assignment(members, &balance::owners(&table, &claims))
    }
}

impl Assignor for CooperativeStickyAssignor {
    fn name(&self) -> &'static str {
        "cooperative-sticky"
    }

    fn assign(&self, topics: &Topics, members: &[Subscriber]) -> Vec<(String, Vec<TopicPartition>)> {
        let claim = |member: &Subscriber| {
            let subscription = &member.subscription;
            // Before version 2 of the subscription the generation stands in the user data.
            let generation = match (subscription.generation, &subscription.user_data) {
                (generation, _) if generation >= 0 => generation,
                (_, Some(data)) => user_data::read_cooperative(data.clone()),
                (_, None) => user_data::NO_GENERATION,
            };
            Claim { partitions: subscription.owned.clone(), generation }
        };
        let table = Table::new(topics, members);
        let claims = Claims::new(&table, &members.iter().map(claim).collect::<Vec<_>>());
        let mut owners = balance::owners(&table, &claims);
        for (partition, owner) in owners.iter_mut().enumerate() {
            if owner.is_some_and(|owner| claims.is_held_by_another(partition, owner)) {
                *owner = None;
            }
        }
        table.assignment(members, &owners)
    }
}

/// Topics, partitions and members by number: what is counted with. Members are numbered by their ids, so that
/// the order in which they are listed does not matter.
struct Table<'a> {
    topics: Vec<(&'a Arc<str>, std::ops::Range<usize>)>,
    numbers: HashMap<&'a str, usize>,
    /// Position in the caller's list by number.
    order: Vec<usize>,
    /// Members that subscribed, by topic.
    subscribers: Vec<Vec<usize>>,
}

impl<'a> Table<'a> {
    fn new(topics: &'a Topics, members: &[Subscriber]) -> Self {
        let mut order: Vec<usize> = (0..members.len()).collect();
        order.sort_by(|a, b| members[*a].member_id.cmp(&members[*b].member_id));
        let mut table = Self { topics: Vec::new(), numbers: HashMap::new(), order, subscribers: Vec::new() };
        let mut end = 0;
        for (topic, layout) in topics {
            let start = end;
            end += usize::try_from(layout.partitions).unwrap_or(0);
            table.numbers.insert(topic, table.topics.len());
            table.topics.push((topic, start..end));
            table.subscribers.push(Vec::new());
        }
        for (number, at) in table.order.iter().enumerate() {
            for topic in &members[*at].subscription.topics {
                if let Some(topic) = table.numbers.get(&**topic)
                    && table.subscribers[*topic].last() != Some(&number)
                {
                    table.subscribers[*topic].push(number);
                }
            }
        }
        table
    }

    fn members(&self) -> usize {
        self.order.len()
    }

    fn partitions(&self) -> usize {
        self.topics.last().map_or(0, |(_, range)| range.end)
    }

    /// The partition's number and its topic's; `None` if it does not exist.
    fn find(&self, tp: &TopicPartition) -> Option<(usize, usize)> {
        let topic = *self.numbers.get(&*tp.topic)?;
        let range = &self.topics[topic].1;
        let partition = range.start.checked_add(usize::try_from(tp.partition).ok()?)?;
        range.contains(&partition).then_some((partition, topic))
    }

    fn assignment(
        &self,
        members: &[Subscriber],
        owners: &[Option<usize>],
    ) -> Vec<(String, Vec<TopicPartition>)> {
        let mut assigned: Vec<_> = members.iter().map(|m| (m.member_id.clone(), Vec::new())).collect();
        for (topic, range) in &self.topics {
            for (partition, owner) in (0..).zip(&owners[range.clone()]) {
                if let Some(owner) = owner {
                    let tp = TopicPartition { topic: Arc::clone(topic), partition };
                    assigned[self.order[*owner]].1.push(tp);
                }
            }
        }
        assigned
    }
}

#[cfg(test)]
mod tests;
