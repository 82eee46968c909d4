//! Members of ours and of the Java consumer in one group, at a real broker.
//!
//! - `member`: a member of either kind, and what it tells.
//! - `world`: a topic, a group, its members, and the checks that hold whoever they are.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a failed set-up ends the test")]

mod member;
mod world;

use world::{Kind, World};

/// Both sides understand each other's subscriptions and assignments, whoever leads.
async fn shares_in_turn(first: Kind, second: Kind, settings: &[(&str, &str)]) {
    let mut world = World::new(6, settings).await;
    world.produce(3).await;
    let one = world.join(first).await;
    world.until("the first has all", |w| w.held(one) == 6 && w.all_read()).await;
    let two = world.join(second).await;
    world.until("each has its half", |w| w.held(one) == 3 && w.held(two) == 3).await;
    world.produce(3).await;
    world.until("all is read", World::all_read).await;
    world.stop(one).await;
    world.until("the second has all", |w| w.held(two) == 6).await;
    world.produce(3).await;
    world.until("all is read", World::all_read).await;
    world.stop(two).await;
    world.check();
}

#[tokio::test]
async fn range_is_shared_whoever_leads() {
    let settings = [("partition.assignment.strategy", "org.apache.kafka.clients.consumer.RangeAssignor")];
    shares_in_turn(Kind::Ours, Kind::Java, &settings).await;
    shares_in_turn(Kind::Java, Kind::Ours, &settings).await;
}

const COOPERATIVE: [(&str, &str); 1] =
    [("partition.assignment.strategy", "org.apache.kafka.clients.consumer.CooperativeStickyAssignor")];

/// Members come, go and are killed: only what must move is given up, and nothing is read twice.
async fn moves_only_what_must(first: Kind, second: Kind) {
    let mut world = World::new(6, &COOPERATIVE).await;
    world.produce(3).await;
    let one = world.join(first).await;
    world.until("the first has all", |w| w.held(one) == 6 && w.all_read()).await;
    let two = world.join(second).await;
    world.until("each has its half", |w| w.held(one) == 3 && w.held(two) == 3).await;
    assert_eq!(world.given_up(one).len(), 3, "no more than its halves");
    world.produce(3).await;
    world.until("all is read", World::all_read).await;
    // The third is Java's: it will be killed.
    let three = world.join(Kind::Java).await;
    world.until("each has its third", |w| [one, two, three].iter().all(|m| w.held(*m) == 2)).await;
    assert_eq!((world.given_up(one).len(), world.given_up(two).len()), (4, 1));
    world.produce(3).await;
    world.until("all is read", World::all_read).await;
    world.kill(three).await;
    world.produce(3).await;
    world.until("the others share what it had", |w| w.held(one) == 3 && w.held(two) == 3).await;
    world.until("all is read", World::all_read).await;
    assert_eq!(
        (world.given_up(one).len(), world.given_up(two).len()),
        (4, 1),
        "nothing that stays is revoked"
    );
    world.stop(one).await;
    world.until("the second has all", |w| w.held(two) == 6).await;
    assert_eq!(world.given_up(two).len(), 1);
    world.produce(3).await;
    world.until("all is read", World::all_read).await;
    world.stop(two).await;
    world.check();
}

#[tokio::test]
async fn ours_leads_a_cooperative_group() {
    moves_only_what_must(Kind::Ours, Kind::Java).await;
}

#[tokio::test]
async fn java_leads_a_cooperative_group() {
    moves_only_what_must(Kind::Java, Kind::Ours).await;
}
