//! Rules of the sticky strategies: balance, stickiness, conflicting claims, and the cooperative detour.

use super::*;
use crate::group::assignor::support::{check_owners, member, shares, topics};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

fn tp(topic: &str, partition: i32) -> TopicPartition {
    TopicPartition::new(topic, partition)
}

/// A member that has partitions since a generation, in both ways of telling it.
fn holder(id: &str, topics: &[&str], had: &[TopicPartition], generation: i32) -> Subscriber {
    let mut member = member(id, None, topics);
    member.subscription.owned = had.to_vec();
    member.subscription.generation = generation;
    member.subscription.user_data = Some(user_data::sticky(had, generation));
    member
}

#[test]
fn first_shares_are_dealt_in_turn() {
    let members = [member("b", None, &["t", "u"]), member("a", None, &["t", "u"])];
    let topics = topics(&[("t", 3), ("u", 2)]);
    assert_eq!(shares(&StickyAssignor, &topics, &members), ["t-1 u-1", "t-0 t-2 u-0"]);
    assert_eq!(shares(&CooperativeStickyAssignor, &topics, &members), ["t-1 u-1", "t-0 t-2 u-0"]);
    assert!(StickyAssignor.assign(&topics, &[]).is_empty());
}

#[test]
fn a_new_member_takes_only_its_share_and_in_the_cooperative_way_only_later() {
    let topics = topics(&[("t", 6)]);
    let had = [[tp("t", 0), tp("t", 1), tp("t", 2)], [tp("t", 3), tp("t", 4), tp("t", 5)]];
    let members =
        [holder("a", &["t"], &had[0], 1), holder("b", &["t"], &had[1], 1), member("c", None, &["t"])];
    assert_eq!(shares(&StickyAssignor, &topics, &members), ["t-0 t-1", "t-3 t-4", "t-2 t-5"]);
    assert_eq!(shares(&CooperativeStickyAssignor, &topics, &members), ["t-0 t-1", "t-3 t-4", ""]);
    let members = [
        holder("a", &["t"], &had[0][..2], 2),
        holder("b", &["t"], &had[1][..2], 2),
        holder("c", &["t"], &[], 2),
    ];
    assert_eq!(shares(&CooperativeStickyAssignor, &topics, &members), ["t-0 t-1", "t-3 t-4", "t-2 t-5"]);
}

#[test]
fn the_claim_of_the_newer_generation_counts() {
    let topics = topics(&[("t", 2)]);
    let members = [holder("a", &["t"], &[tp("t", 0), tp("t", 1)], 3), holder("b", &["t"], &[tp("t", 1)], 4)];
    assert_eq!(shares(&StickyAssignor, &topics, &members), ["t-0", "t-1"]);
    assert_eq!(shares(&CooperativeStickyAssignor, &topics, &members), ["t-0", "t-1"]);
}

#[test]
fn claims_of_one_generation_that_contradict_each_other_do_not_count() {
    let topics = topics(&[("t", 2)]);
    let members = [holder("a", &["t"], &[tp("t", 0)], 3), holder("b", &["t"], &[tp("t", 0)], 3)];
    let owners = check_owners(&topics, &members, &StickyAssignor.assign(&topics, &members));
    assert_eq!(owners.len(), 2);
    // One of them holds it without right: both have to give it up first.
    assert_eq!(shares(&CooperativeStickyAssignor, &topics, &members).concat(), "t-1");
}

#[test]
fn a_stale_claim_keeps_others_from_the_partition_until_it_is_given_up() {
    let topics = topics(&[("t", 2)]);
    let members = [
        holder("a", &["t"], &[tp("t", 0), tp("t", 1)], 3),
        holder("b", &["t"], &[], 4),
        holder("c", &["t"], &[], 4),
    ];
    assert_eq!(shares(&CooperativeStickyAssignor, &topics, &members), ["t-0", "", ""]);
}

#[test]
fn who_gives_up_a_topic_loses_only_that() {
    let topics = topics(&[("t", 2), ("u", 2)]);
    let members = [
        holder("a", &["t"], &[tp("t", 0), tp("u", 0)], 1),
        holder("b", &["t", "u"], &[tp("t", 1), tp("u", 1)], 1),
    ];
    assert_eq!(shares(&StickyAssignor, &topics, &members), ["t-0 t-1", "u-0 u-1"]);
}

/// Members with random subscriptions and claims.
fn group() -> impl Strategy<Value = (Topics, Vec<Subscriber>)> {
    let names = ["t0", "t1", "t2", "t3"];
    let counts = prop::collection::vec(0..9i32, names.len());
    let member = (any::<u8>(), prop::collection::vec((0..4usize, 0..9i32), 0..12), 0..4i32);
    (counts, prop::collection::vec(member, 1..9), any::<bool>()).prop_map(move |(counts, members, equal)| {
        let topics = topics(&names.iter().copied().zip(counts).collect::<Vec<_>>());
        let members = members.into_iter().enumerate().map(|(at, (wants, had, generation))| {
            let wants: Vec<&str> =
                (0..4).filter(|t| equal || wants & (1 << t) != 0).map(|t| names[t]).collect();
            let had: BTreeSet<_> = had.into_iter().map(|(t, p)| tp(names[t], p)).collect();
            holder(&format!("m{}", (at * 7) % 10), &wants, &had.into_iter().collect::<Vec<_>>(), generation)
        });
        (topics, members.collect())
    })
}

/// The next round of the same members, who have what they were assigned.
fn again(
    members: &[Subscriber],
    assigned: &[(String, Vec<TopicPartition>)],
    generation: i32,
) -> Vec<Subscriber> {
    let next = members.iter().zip(assigned).map(|(member, (_, had))| {
        let topics: Vec<&str> = member.subscription.topics.iter().map(|t| &**t).collect();
        holder(&member.member_id, &topics, had, generation)
    });
    next.collect()
}

fn moves(
    before: &BTreeMap<TopicPartition, usize>,
    after: &BTreeMap<TopicPartition, usize>,
) -> Vec<TopicPartition> {
    after
        .iter()
        .filter(|(tp, owner)| before.get(*tp).is_some_and(|b| b != *owner))
        .map(|(tp, _)| tp.clone())
        .collect()
}

proptest! {
    #[test]
    fn all_is_shared_out_and_no_move_makes_it_more_equal((topics, members) in group()) {
        let assigned = StickyAssignor.assign(&topics, &members);
        let owners = check_owners(&topics, &members, &assigned);
        let load = |at: usize| assigned[at].1.len();
        for (tp, owner) in &owners {
            for (other, member) in members.iter().enumerate() {
                if member.subscription.topics.contains(&tp.topic) {
                    prop_assert!(load(*owner) <= load(other) + 1, "{tp} could move from {owner} to {other}");
                }
            }
        }
    }

    #[test]
    fn nothing_moves_without_a_reason((topics, members) in group(), leaves in any::<prop::sample::Index>()) {
        let first = StickyAssignor.assign(&topics, &members);
        let before = check_owners(&topics, &members, &first);
        let mut members = again(&members, &first, 9);
        prop_assert_eq!(&StickyAssignor.assign(&topics, &members), &first, "the same again");
        // A member leaves: only what it had moves, if subscriptions are equal.
        let equal = members.iter().all(|m| m.subscription.topics == members[0].subscription.topics);
        let gone = leaves.index(members.len());
        if equal && members.len() > 1 {
            members.remove(gone);
            let second = StickyAssignor.assign(&topics, &members);
            let shift = |at: usize| if at < gone { at } else { at + 1 };
            let after = check_owners(&topics, &members, &second).into_iter().map(|(tp, at)| (tp, shift(at))).collect();
            prop_assert!(moves(&before, &after).iter().all(|tp| before[tp] == gone));
        }
    }

    #[test]
    fn the_cooperative_way_gives_to_nobody_what_another_holds_and_settles((topics, members) in group()) {
        let first = CooperativeStickyAssignor.assign(&topics, &members);
        let held: Vec<BTreeSet<_>> = members.iter().map(|m| m.subscription.owned.iter().collect()).collect();
        for (at, (_, tps)) in first.iter().enumerate() {
            for tp in tps {
                // A newer claim of its own is better than what another believes to have.
                let as_good = |generation| !held[at].contains(tp) || generation >= members[at].subscription.generation;
                let others = members.iter().enumerate().any(|(other, m)| {
                    other != at && m.subscription.owned.contains(tp) && as_good(m.subscription.generation)
                });
                prop_assert!(!others, "{tp}");
            }
        }
        // What is dealt out late can make further moves worthwhile, if subscriptions differ; but it ends.
        let equal = members.iter().all(|m| m.subscription.topics == members[0].subscription.topics);
        let mut assigned = first;
        for round in 10.. {
            let next = CooperativeStickyAssignor.assign(&topics, &again(&members, &assigned, round));
            if next == assigned {
                break;
            }
            prop_assert!(round < if equal { 12 } else { 20 }, "it does not settle");
            assigned = next;
        }
        check_owners(&topics, &members, &assigned);
    }

    #[test]
    fn the_order_in_which_members_are_listed_does_not_matter((topics, mut members) in group()) {
        let sorted = |mut assigned: Vec<_>| { assigned.sort(); assigned };
        // Ids are unique in a group.
        members.sort_by(|a, b| a.member_id.cmp(&b.member_id));
        members.dedup_by(|a, b| a.member_id == b.member_id);
        let one = sorted(StickyAssignor.assign(&topics, &members));
        members.reverse();
        prop_assert_eq!(one, sorted(StickyAssignor.assign(&topics, &members)));
    }
}

#[test]
fn a_large_group_is_assigned_quickly() {
    let names: Vec<String> = (0..100).map(|t| format!("t{t:03}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let topics = topics(&names.iter().map(|t| (*t, 100)).collect::<Vec<_>>());
    let mut members: Vec<_> = (0..100).map(|m| member(&format!("m{m:03}"), None, &names)).collect();
    let begun = std::time::Instant::now();
    let first = StickyAssignor.assign(&topics, &members);
    members = again(&members, &first, 1);
    members.truncate(90);
    let second = StickyAssignor.assign(&topics, &members);
    check_owners(&topics, &members, &second);
    // Two assignments, without optimization and on a busy machine; optimized, each takes some 10 ms.
    assert!(begun.elapsed() < std::time::Duration::from_secs(20), "{:?}", begun.elapsed());
}
