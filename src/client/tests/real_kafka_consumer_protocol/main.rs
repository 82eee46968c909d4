//! The consumer protocol (KIP-848) at a real broker: members of ours, and of the Java consumer, in one group.
//!
//! - `members`: what single members can do and meet.
//! - `member`, `world`: members of either kind and what must hold whoever they are; shared with the tests of
//!   the classic protocol.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a failed set-up ends the test")]

#[path = "../real_kafka_mixed_group/member.rs"]
mod member;
mod members;
#[path = "../real_kafka_mixed_group/world.rs"]
mod world;

use crossdock_testcontainers::{Kafka, KafkaBuilder};
use tokio::sync::OnceCell;
use world::{Kind, World};

const CONSUMER: (&str, &str) = ("group.protocol", "consumer");

/// Pace and sessions are the broker's choice in this protocol; Kafka's defaults are 5 s and 45 s.
fn builder() -> KafkaBuilder {
    Kafka::builder()
        .property("group.consumer.min.heartbeat.interval.ms", "100")
        .property("group.consumer.heartbeat.interval.ms", "200")
        .property("group.consumer.min.session.timeout.ms", "1000")
        .property("group.consumer.session.timeout.ms", "6000")
}

async fn broker() -> &'static Kafka {
    static BROKER: OnceCell<Kafka> = OnceCell::const_new();
    let start = || builder().start();
    BROKER.get_or_try_init(start).await.expect("a broker")
}

async fn world(partitions: i32, settings: &[(&str, &str)]) -> World {
    World::at(broker().await.bootstrap(), partitions, settings).await
}

async fn shares_in_turn(first: Kind, second: Kind, settings: &[(&str, &str)]) {
    let mut world = world(6, settings).await;
    world.produce(3).await;
    let one = world.join(first).await;
    world.until("the first has all", |w| w.held(one) == 6 && w.all_read()).await;
    let two = world.join(second).await;
    world.until("each has its half", |w| w.held(one) == 3 && w.held(two) == 3).await;
    assert_eq!(world.given_up(one).len(), 3, "the others stayed");
    world.produce(3).await;
    world.until("all is read", World::all_read).await;
    world.stop(one).await;
    world.until("the second has all", |w| w.held(two) == 6).await;
    assert!(world.given_up(two).is_empty(), "it only got more");
    world.produce(3).await;
    world.until("all is read", World::all_read).await;
    world.stop(two).await;
    world.check();
}

#[tokio::test]
async fn members_take_and_give_only_what_moves() {
    shares_in_turn(Kind::Ours, Kind::Ours, &[CONSUMER]).await;
}

#[tokio::test]
async fn it_shares_a_group_with_java() {
    shares_in_turn(Kind::Ours, Kind::Java, &[CONSUMER]).await;
    shares_in_turn(Kind::Java, Kind::Ours, &[CONSUMER, ("group.remote.assignor", "range")]).await;
}

#[tokio::test]
async fn who_is_killed_is_replaced_when_its_session_ends() {
    let mut world = world(4, &[CONSUMER]).await;
    world.produce(2).await;
    let (java, ours) = (world.join(Kind::Java).await, world.join(Kind::Ours).await);
    world.until("each has its half", |w| w.held(java) == 2 && w.held(ours) == 2 && w.all_read()).await;
    world.kill(java).await;
    world.produce(2).await;
    world.until("the other has all", |w| w.held(ours) == 4 && w.all_read()).await;
    world.stop(ours).await;
    world.check();
}

/// Classic members are replaced one by one, while the group goes on (KIP-848's online upgrade).
#[tokio::test]
async fn a_classic_group_is_upgraded_while_it_goes_on() {
    let mut world = world(4, &[]).await;
    let classic = [("heartbeat.interval.ms", "200"), ("session.timeout.ms", "6000")];
    world.produce(2).await;
    let (ours, java) =
        (world.join_with(Kind::Ours, &classic).await, world.join_with(Kind::Java, &classic).await);
    world.until("each has its half", |w| w.held(ours) == 2 && w.held(java) == 2 && w.all_read()).await;
    let next = world.join_with(Kind::Ours, &[CONSUMER]).await;
    world.until("the new one has some", |w| w.held(next) > 0).await;
    world.produce(2).await;
    world.until("all is read", World::all_read).await;
    world.stop(java).await;
    world.stop(ours).await;
    world.until("the new one has all", |w| w.held(next) == 4).await;
    world.produce(2).await;
    world.until("all is read", World::all_read).await;
    world.stop(next).await;
    world.check();
}

/// Three brokers, three members: one leaves, then the coordinator is restarted. Membership and positions are with the
/// other brokers too.
#[tokio::test]
async fn the_group_goes_on_while_its_coordinator_is_restarted() {
    let mut kafka = builder()
        .nodes(3)
        .heap_mb(384)
        .property("default.replication.factor", "3")
        .property("min.insync.replicas", "2")
        .start()
        .await
        .expect("three brokers");
    let mut world = World::at(kafka.bootstrap(), 6, &[CONSUMER]).await;
    world.produce(5).await;
    let [one, two] = [world.join(Kind::Ours).await, world.join(Kind::Ours).await];
    let java = world.join(Kind::Java).await;
    world.until("each has its third", |w| [one, two, java].iter().all(|m| w.held(*m) == 2)).await;
    world.until("all is read", World::all_read).await;
    world.stop(one).await;
    world.until("the others share what it had", |w| w.held(two) == 3 && w.held(java) == 3).await;
    world.produce(5).await;
    world.until("all is read", World::all_read).await;
    let before = [world.given_up(two), world.given_up(java)];

    let coordinator = world.coordinator().await;
    kafka.stop_node(coordinator).await.unwrap();
    world.produce(5).await;
    world.until("all is read while it is down", World::all_read).await;
    assert_ne!(world.coordinator().await, coordinator);
    kafka.start_node(coordinator).await.unwrap();
    world.produce(5).await;
    world.until("all is read", World::all_read).await;
    assert_eq!([world.given_up(two), world.given_up(java)], before, "nobody was put out");
    let late = world.join(Kind::Ours).await;
    world.until("a new one gets its third", |w| [two, java, late].iter().all(|m| w.held(*m) == 2)).await;
    world.produce(5).await;
    world.until("all is read", World::all_read).await;
    for member in [two, java, late] {
        world.stop(member).await;
    }
    world.check();
}
