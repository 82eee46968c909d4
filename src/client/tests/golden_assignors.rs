//! The assignors against what Kafka's do with the same groups: protocol-tests/golden/assignors.txt, made by
//! protocol-tests/generators/Assignors.java (whose comment tells the format). CROSSDOCK_ASSIGNOR_CASES names
//! another file of cases.
//!
//! `range` and `roundrobin` must be equal. The sticky strategies must be as balanced or better, and, with equal
//! balance, not move more on the whole; with equal subscriptions never.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a broken case ends the test")]

use crossdock_client::TopicPartition;
use crossdock_client::group::assignor::{Strategy, Subscriber, TopicLayout, Topics, user_data};
use crossdock_client::group::protocol::Subscription;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

type Shares = BTreeMap<String, BTreeSet<TopicPartition>>;

struct Case {
    strategy: Strategy,
    topics: Topics,
    members: Vec<Subscriber>,
    owned: Shares,
    java: Shares,
}

fn partitions(text: &str) -> BTreeSet<TopicPartition> {
    let words = text.split(',').filter(|word| !word.is_empty());
    let read = |word: &str| {
        let (topic, partition) = word.rsplit_once('-').unwrap();
        TopicPartition::new(topic, partition.parse().unwrap())
    };
    words.map(read).collect()
}

fn optional(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

impl Case {
    fn parse(line: &str) -> Self {
        let parts: Vec<&str> = line.split('|').map(str::trim).collect();
        let [head, members, java] = parts[..] else { panic!("{line}") };
        let mut words = head.split(' ');
        let strategy = Strategy::parse(words.next().unwrap()).unwrap();
        let topics = words.map(topic).collect();
        let mut owned = Shares::new();
        let members = members.split(' ').map(|word| {
            let fields: Vec<&str> = word.split(':').collect();
            let had = partitions(fields[4]);
            owned.insert(fields[0].to_owned(), had.clone());
            let had: Vec<_> = had.into_iter().collect();
            let generation = fields[5].parse().unwrap();
            let subscription = Subscription {
                topics: fields[3].split(',').filter(|t| !t.is_empty()).map(Arc::from).collect(),
                user_data: (strategy == Strategy::Sticky).then(|| user_data::sticky(&had, generation)),
                owned: if strategy == Strategy::CooperativeSticky { had } else { Vec::new() },
                generation,
                rack: optional(fields[2]).map(Arc::from),
            };
            let instance_id = optional(fields[1]).map(str::to_owned);
            Subscriber { member_id: fields[0].to_owned(), instance_id, subscription }
        });
        let members = members.collect();
        let java = java.split(' ').map(|word| {
            let (member, share) = word.split_once('>').unwrap();
            (member.to_owned(), partitions(share))
        });
        Self { strategy, topics, members, owned, java: java.collect() }
    }

    fn ours(&self) -> Shares {
        let assigned = self.strategy.assignor().assign(&self.topics, &self.members);
        assigned.into_iter().map(|(member, share)| (member, share.into_iter().collect())).collect()
    }

    fn subscribe_alike(&self) -> bool {
        self.members.iter().all(|m| m.subscription.topics == self.members[0].subscription.topics)
    }

    /// Partitions that a member had, may still have, and does not get again.
    fn given_up(&self, shares: &Shares) -> usize {
        let wanted =
            |member: &Subscriber, tp: &&TopicPartition| member.subscription.topics.contains(&tp.topic);
        let given_up = self.members.iter().map(|member| {
            let had = self.owned[&member.member_id].difference(&shares[&member.member_id]);
            had.filter(|tp| wanted(member, tp)).count()
        });
        given_up.sum()
    }
}

/// As `t0=2=x/yz`.
fn topic(word: &str) -> (Arc<str>, TopicLayout) {
    let fields: Vec<&str> = word.split('=').collect();
    let partitions: i32 = fields[1].parse().unwrap();
    let racks =
        fields[2].split('/').map(|racks| racks.chars().map(|rack| Arc::from(rack.to_string())).collect());
    (Arc::from(fields[0]), TopicLayout { partitions, racks: racks.take(partitions as usize).collect() })
}

/// Java's balance score: the differences of all pairs.
fn score(shares: &Shares) -> usize {
    let sizes: Vec<usize> = shares.values().map(BTreeSet::len).collect();
    sizes
        .iter()
        .enumerate()
        .map(|(at, a)| sizes[at + 1..].iter().map(|b| a.abs_diff(*b)).sum::<usize>())
        .sum()
}

/// What the members have when a cooperative group has settled.
fn settled(case: &Case, mut shares: Shares) -> Shares {
    loop {
        let members = case.members.iter().map(|member| {
            let mut member = member.clone();
            member.subscription.owned = shares[&member.member_id].iter().cloned().collect();
            member
        });
        let again = Case {
            members: members.collect(),
            topics: case.topics.clone(),
            owned: Shares::new(),
            java: Shares::new(),
            ..*case
        };
        let next = again.ours();
        if next == shares {
            return next;
        }
        shares = next;
    }
}

#[test]
fn groups_are_shared_out_as_by_kafka() {
    let committed = concat!(env!("CARGO_MANIFEST_DIR"), "/../../protocol-tests/golden/assignors.txt");
    let file = std::env::var("CROSSDOCK_ASSIGNOR_CASES").unwrap_or_else(|_| committed.to_owned());
    let mut cases: BTreeMap<&str, usize> = BTreeMap::new();
    let (mut ours_moved, mut java_moved, mut more_moved, mut better) = (0, 0, Vec::new(), 0);
    for line in std::fs::read_to_string(file).unwrap().lines() {
        let case = Case::parse(line);
        *cases.entry(case.strategy.name()).or_default() += 1;
        let ours = case.ours();
        match case.strategy {
            Strategy::Range | Strategy::RoundRobin => assert_eq!(ours, case.java, "{line}"),
            Strategy::Sticky => {
                assert!(score(&ours) <= score(&case.java), "{line}\nours {ours:?}");
                let (moved, java) = (case.given_up(&ours), case.given_up(&case.java));
                if score(&ours) < score(&case.java) {
                    better += 1;
                    continue;
                }
                (ours_moved, java_moved) = (ours_moved + moved, java_moved + java);
                if moved > java {
                    assert!(!case.subscribe_alike(), "{line}\nours {ours:?}");
                    more_moved.push(format!("{moved} {java} {line}\nours {ours:?}"));
                }
            }
            Strategy::CooperativeSticky => {
                let (end, javas) = (settled(&case, ours.clone()), settled(&case, case.java.clone()));
                assert!(score(&end) <= score(&javas), "{line}\nours {end:?}");
                if score(&end) == score(&javas) && case.given_up(&ours) > case.given_up(&case.java) {
                    assert!(!case.subscribe_alike(), "{line}\nours {ours:?}");
                    more_moved.push(format!("{line}\nours {ours:?}"));
                }
            }
        }
    }
    println!(
        "{cases:?}; moved {ours_moved}, Kafka {java_moved}; better balanced {better}; moved more in {}",
        more_moved.len()
    );
    // Where subscriptions differ, both find some way to a balance, not always the shortest.
    assert!(more_moved.len() * 20 <= cases.values().sum(), "{} cases: {}", more_moved.len(), more_moved[0]);
    assert!(ours_moved * 100 <= java_moved * 102, "{ours_moved}, Kafka {java_moved}");
    assert!(cases.len() == 4 && cases.values().all(|count| *count >= 50), "{cases:?}");
}
