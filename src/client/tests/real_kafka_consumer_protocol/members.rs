//! What single members can do and meet: names and patterns, being away, static members, errors.

use crate::{CONSUMER, broker};
use crossdock_client::admin::NewTopic;
use crossdock_client::group::Standing;
use crossdock_client::{
    Admin, ClientConfig, Cluster, CommitError, Consumer, ConsumerConfig, ConsumerEvent, OffsetAndMetadata,
    TopicPartition, TopicPattern,
};
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;
use uuid::Uuid;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

fn fresh(prefix: &str) -> String {
    format!("{prefix}-{}", Uuid::new_v4())
}

async fn cluster() -> Cluster {
    let pairs = [("bootstrap.servers", broker().await.bootstrap()), ("metadata.max.age.ms", "200")];
    Cluster::new(ClientConfig::from_map(&map(&pairs)).unwrap())
}

async fn create(cluster: &Cluster, topic: &str, partitions: i32) {
    let new = NewTopic::new(topic, partitions, -1);
    assert!(Admin::new(cluster.clone()).create_topic(&new).await.unwrap());
}

fn consumer(cluster: &Cluster, group: &str, settings: &[(&str, &str)]) -> Consumer {
    let defaults = [CONSUMER, ("group.id", group), ("auto.offset.reset", "earliest")];
    let config = ConsumerConfig::from_map(&map(&[&defaults[..], settings].concat())).unwrap();
    Consumer::start(cluster.clone(), config)
}

async fn next(consumer: &mut Consumer) -> ConsumerEvent {
    tokio::time::timeout(PATIENCE, consumer.next()).await.expect("an event in time").unwrap()
}

/// The error that comes next, after what leads to it.
async fn error(consumer: &mut Consumer) -> String {
    loop {
        match tokio::time::timeout(PATIENCE, consumer.next()).await.expect("an event in time") {
            Ok(ConsumerEvent::Assigned(_) | ConsumerEvent::Lost(_)) => {}
            Ok(other) => panic!("{other:?}"),
            Err(error) => return error.to_string(),
        }
    }
}

/// The assignment that comes once the events until then are dealt with, and has as many partitions.
async fn assigned(consumer: &mut Consumer, count: usize) -> Vec<TopicPartition> {
    loop {
        if let ConsumerEvent::Assigned(all) = next(consumer).await
            && all.len() == count
        {
            return all;
        }
    }
}

/// Deals with what is revoked until this many partitions are left; nothing is told of the rest.
async fn shrinks_to(consumer: &mut Consumer, count: usize) {
    let shrink = async {
        while consumer.assignment().len() != count {
            let _ = tokio::time::timeout(Duration::from_millis(50), consumer.next_change()).await;
        }
    };
    tokio::time::timeout(PATIENCE, shrink).await.expect("partitions are revoked in time");
}

fn member(consumer: &Consumer) -> (i32, String) {
    match consumer.standing() {
        Standing::Member(generation) => (generation.id, generation.member_id.to_string()),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_new_subscription_moves_at_once() {
    let cluster = cluster().await;
    let (first, second) = (fresh("first"), fresh("second"));
    create(&cluster, &first, 2).await;
    create(&cluster, &second, 1).await;
    let mut consumer = consumer(&cluster, &fresh("group"), &[]);
    consumer.subscribe(vec![first.clone()]).unwrap();
    assert!(assigned(&mut consumer, 2).await.iter().all(|tp| *tp.topic == *first));
    consumer.subscribe(vec![first.clone(), second.clone()]).unwrap();
    assert_eq!(assigned(&mut consumer, 3).await.len(), 3);
    consumer.subscribe(vec![second.clone()]).unwrap();
    let ConsumerEvent::Revoked(gone) = next(&mut consumer).await else { panic!() };
    assert!(gone.len() == 2 && gone.iter().all(|tp| *tp.topic == *first), "{gone:?}");
    let offsets = HashMap::from([(gone[0].clone(), OffsetAndMetadata::new(0))]);
    consumer.commit(&offsets).await.unwrap();
    shrinks_to(&mut consumer, 1).await;
    consumer.close(PATIENCE).await;
}

#[tokio::test]
async fn patterns_are_matched_by_the_coordinator_or_here() {
    let cluster = cluster().await;
    let prefix = fresh("pattern");
    for name in ["a", "b", "x1"] {
        create(&cluster, &format!("{prefix}-{name}"), 1).await;
    }
    let names = |all: Vec<TopicPartition>| -> Vec<String> {
        all.iter().map(|tp| tp.topic.rsplit('-').next().unwrap().to_owned()).collect()
    };
    let mut consumer = consumer(&cluster, &fresh("group"), &[]);
    consumer.subscribe_pattern(TopicPattern::re2j(&format!("{prefix}-[ab]")).unwrap()).unwrap();
    assert_eq!(names(assigned(&mut consumer, 2).await), ["a", "b"]);
    // RE2/J has no look-ahead; this side has.
    consumer.subscribe_pattern(TopicPattern::java(&format!("{prefix}-(?!b)\\w+")).unwrap()).unwrap();
    let mut found = names(assigned(&mut consumer, 2).await);
    if found == ["a", "b"] {
        // Told once more before the new subscription took effect.
        found = names(assigned(&mut consumer, 2).await);
    }
    assert_eq!(found, ["a", "x1"]);
    create(&cluster, &format!("{prefix}-new"), 1).await;
    assert_eq!(names(assigned(&mut consumer, 3).await), ["a", "new", "x1"]);
    consumer.subscribe_pattern(TopicPattern::re2j("(?!b)x").unwrap()).unwrap();
    let error = loop {
        match tokio::time::timeout(PATIENCE, consumer.next()).await.expect("an event in time") {
            Ok(_) => {}
            Err(error) => break error.to_string(),
        }
    };
    assert!(error.contains("INVALID_REGULAR_EXPRESSION") && error.contains("(?!b)x"), "{error}");
}

#[tokio::test]
async fn who_is_away_for_too_long_loses_its_partitions_and_comes_back() {
    let cluster = cluster().await;
    let (topic, group) = (fresh("away"), fresh("group"));
    create(&cluster, &topic, 1).await;
    let mut one = consumer(&cluster, &group, &[("max.poll.interval.ms", "1000")]);
    one.subscribe(vec![topic.clone()]).unwrap();
    assigned(&mut one, 1).await;
    let (_, id) = member(&one);
    let mut other = consumer(&cluster, &group, &[]);
    other.subscribe(vec![topic.clone()]).unwrap();
    assigned(&mut other, 1).await;
    let offsets = HashMap::from([(TopicPartition::new(&*topic, 0), OffsetAndMetadata::new(0))]);
    assert!(matches!(one.commit(&offsets).await, Err(CommitError::IllegalGeneration { .. })));
    assert!(matches!(next(&mut one).await, ConsumerEvent::Lost(lost) if lost.len() == 1));
    let back = tokio::spawn(async move {
        while !matches!(one.standing(), Standing::Member(_)) {
            // An assignment of nothing is told as well.
            let _ = tokio::time::timeout(Duration::from_millis(50), one.next()).await;
        }
        one
    });
    let one = tokio::time::timeout(PATIENCE, back).await.unwrap().unwrap();
    assert_eq!(member(&one).1, id, "a member keeps the id that it gave itself");
}

#[tokio::test]
async fn a_static_member_keeps_its_place_over_a_restart() {
    let cluster = cluster().await;
    let (topic, group) = (fresh("static"), fresh("group"));
    create(&cluster, &topic, 2).await;
    let start = |instance: &str| {
        let mut consumer = consumer(&cluster, &group, &[("group.instance.id", instance)]);
        consumer.subscribe(vec![topic.clone()]).unwrap();
        consumer
    };
    let mut a = start("a");
    assigned(&mut a, 2).await;
    let b = tokio::spawn({
        let mut b = start("b");
        async move {
            let share = assigned(&mut b, 1).await;
            (b, share)
        }
    });
    shrinks_to(&mut a, 1).await;
    let (mut b, others) = b.await.unwrap();
    let share = a.assignment();
    a.close(PATIENCE).await;
    let mut a = start("a");
    assert_eq!(assigned(&mut a, 1).await, share);
    let quiet = tokio::time::timeout(Duration::from_millis(500), b.next()).await;
    assert!(quiet.is_err() && b.assignment() == others, "nothing moved: {quiet:?}");
    let mut thief = start("a");
    let refused = error(&mut thief).await;
    assert!(refused.contains("UNRELEASED_INSTANCE_ID"), "{refused}");
}

#[tokio::test]
async fn an_assignor_that_the_coordinator_does_not_have_is_an_error() {
    let cluster = cluster().await;
    let mut consumer = consumer(&cluster, &fresh("group"), &[("group.remote.assignor", "fair")]);
    consumer.subscribe(vec![fresh("any")]).unwrap();
    let refused = error(&mut consumer).await;
    assert!(refused.contains("UNSUPPORTED_ASSIGNOR") && refused.contains("fair"), "{refused}");
}
