//! Membership: sharing, handing over, being kicked out.

use crate::support::*;
use crossdock_client::group::Standing;
use crossdock_client::{CommitError, Consumer, ConsumerEvent, OffsetAndMetadata};
use crossdock_testcontainers::Kafka;
use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

#[tokio::test]
async fn a_second_member_takes_its_share_and_gives_it_back() {
    let cluster = cluster().await;
    let (topic, group) = (topic(&cluster, 4).await, fresh("group"));
    let start = || {
        let mut consumer = Consumer::start(cluster.clone(), config(&group, &[]));
        consumer.subscribe(vec![topic.clone()]).unwrap();
        Application::start(consumer)
    };
    for partition in 0..4 {
        produce(&cluster, &topic, partition, &[&format!("first-{partition}")]).await;
    }
    let mut one = start();
    assert_eq!(one.next().await, Seen::Assigned((0..4).map(|p| tp(&topic, p)).collect()));
    let mut values = HashSet::new();
    while values.len() < 4 {
        let Seen::Value(value) = one.next().await else { panic!() };
        assert!(values.insert(value));
    }

    let mut two = start();
    assert_eq!(one.next().await, Seen::Revoked((0..4).map(|p| tp(&topic, p)).collect()));
    let Seen::Assigned(ones) = one.next().await else { panic!() };
    let Seen::Assigned(twos) = two.next().await else { panic!() };
    assert_eq!((ones.len(), twos.len()), (2, 2));
    let all: HashSet<_> = ones.iter().chain(&twos).collect();
    assert_eq!(all.len(), 4);

    // What was consumed was committed when it was revoked, so nothing comes twice.
    for partition in 0..4 {
        produce(&cluster, &topic, partition, &[&format!("second-{partition}")]).await;
    }
    for application in [&mut one, &mut two] {
        for _ in 0..2 {
            let Seen::Value(value) = application.next().await else { panic!() };
            assert!(value.starts_with("second-") && values.insert(value));
        }
    }

    let begun = Instant::now();
    two.stop().await;
    assert_eq!(one.next().await, Seen::Revoked(ones));
    assert_eq!(one.next().await, Seen::Assigned((0..4).map(|p| tp(&topic, p)).collect()));
    // By leaving, not by the session of 45 s.
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    one.stop().await;
}

#[tokio::test]
async fn a_dropped_consumer_leaves_as_well() {
    let cluster = cluster().await;
    let (topic, group) = (topic(&cluster, 1).await, fresh("group"));
    let mut one = Consumer::start(cluster.clone(), config(&group, &[]));
    one.subscribe(vec![topic.clone()]).unwrap();
    assigned(&mut one).await;
    drop(one);
    let begun = Instant::now();
    let mut two = Consumer::start(cluster, config(&group, &[]));
    two.subscribe(vec![topic.clone()]).unwrap();
    while assigned(&mut two).await.is_empty() {}
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn leaving_is_prompt_while_a_rebalance_waits_for_others() {
    let cluster = cluster().await;
    let (topic, group) = (topic(&cluster, 1).await, fresh("group"));
    let mut one = Consumer::start(cluster.clone(), config(&group, &[]));
    one.subscribe(vec![topic.clone()]).unwrap();
    assigned(&mut one).await;
    // The second has joined once the first is told, and waits for it to answer.
    let mut two = Consumer::start(cluster.clone(), config(&group, &[]));
    two.subscribe(vec![topic.clone()]).unwrap();
    assert!(matches!(next(&mut one).await, ConsumerEvent::Revoked(_)));
    let begun = Instant::now();
    two.leave().await;
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    assert_eq!(assigned(&mut one).await, [tp(&topic, 0)]);
}

#[tokio::test]
async fn heartbeats_go_on_while_the_application_is_slow() {
    let cluster = cluster().await;
    let (topic, group) = (topic(&cluster, 1).await, fresh("group"));
    // The broker's least session is 6 s.
    let settings = [("session.timeout.ms", "6000")];
    let mut consumer = Consumer::start(cluster, config(&group, &settings));
    consumer.subscribe(vec![topic.clone()]).unwrap();
    assigned(&mut consumer).await;
    tokio::time::sleep(Duration::from_secs(9)).await;
    consumer.commit(&HashMap::from([(tp(&topic, 0), OffsetAndMetadata::new(0))])).await.unwrap();
    assert!(matches!(consumer.standing(), Standing::Member(_)));
}

#[tokio::test]
async fn who_is_away_for_too_long_loses_its_partitions_and_may_not_commit() {
    let cluster = cluster().await;
    let (topic, group) = (topic(&cluster, 1).await, fresh("group"));
    let settings = [("max.poll.interval.ms", "1000")];
    let mut consumer = Consumer::start(cluster.clone(), config(&group, &settings));
    consumer.subscribe(vec![topic.clone()]).unwrap();
    assigned(&mut consumer).await;
    // The other one gets the partition although the first one is still there: it was away.
    let mut other = Consumer::start(cluster, config(&group, &[]));
    other.subscribe(vec![topic.clone()]).unwrap();
    while assigned(&mut other).await.is_empty() {}
    let offsets = HashMap::from([(tp(&topic, 0), OffsetAndMetadata::new(0))]);
    assert!(matches!(consumer.commit(&offsets).await, Err(CommitError::IllegalGeneration { .. })));
    assert!(matches!(next(&mut consumer).await, ConsumerEvent::Lost(lost) if lost == [tp(&topic, 0)]));
    let again = tokio::spawn(async move { next(&mut consumer).await });
    assert!(matches!(next(&mut other).await, ConsumerEvent::Revoked(_)));
    let mut shares = assigned(&mut other).await.len();
    let ConsumerEvent::Assigned(share) = again.await.unwrap() else { panic!() };
    shares += share.len();
    assert_eq!(shares, 1);
}

#[tokio::test]
async fn who_is_removed_by_an_operator_loses_its_partitions_and_comes_back() {
    let cluster = cluster().await;
    let (topic, group) = (topic(&cluster, 1).await, fresh("group"));
    let mut consumer = Consumer::start(cluster.clone(), config(&group, &[]));
    consumer.subscribe(vec![topic.clone()]).unwrap();
    assigned(&mut consumer).await;
    let Standing::Member(generation) = consumer.standing() else { panic!() };
    remove(&cluster, &group, &generation.member_id).await;
    assert!(matches!(next(&mut consumer).await, ConsumerEvent::Lost(lost) if lost == [tp(&topic, 0)]));
    assert_eq!(assigned(&mut consumer).await, [tp(&topic, 0)]);
    let Standing::Member(new) = consumer.standing() else { panic!() };
    assert_ne!(new.member_id, generation.member_id);
}

#[tokio::test]
async fn a_commit_tells_of_a_rebalance() {
    let cluster = cluster().await;
    let (topic, group) = (topic(&cluster, 1).await, fresh("group"));
    let mut one = Consumer::start(cluster.clone(), config(&group, &[]));
    one.subscribe(vec![topic.clone()]).unwrap();
    assigned(&mut one).await;
    let mut two = Consumer::start(cluster, config(&group, &[]));
    two.subscribe(vec![topic.clone()]).unwrap();
    assert!(matches!(next(&mut one).await, ConsumerEvent::Revoked(_)));
    let offsets = HashMap::from([(tp(&topic, 0), OffsetAndMetadata::new(0))]);
    one.commit(&offsets).await.unwrap();
    // The second has joined, or the first would not know; but it has no generation yet.
    assert!(matches!(two.commit(&offsets).await, Err(CommitError::RebalanceInProgress { .. })));
}

#[tokio::test]
async fn new_partitions_lead_to_a_rebalance() {
    let cluster = cluster_with(&[("metadata.max.age.ms", "200")]).await;
    let (topic, group) = (topic(&cluster, 1).await, fresh("group"));
    let mut consumer = Consumer::start(cluster, config(&group, &[]));
    consumer.subscribe(vec![topic.clone()]).unwrap();
    assert_eq!(assigned(&mut consumer).await, [tp(&topic, 0)]);
    let kafka = Kafka::shared().await.unwrap();
    let arguments =
        ["--bootstrap-server", kafka.bootstrap(), "--alter", "--topic", &topic, "--partitions", "3"];
    let output = kafka.tool("org.apache.kafka.tools.TopicCommand", &arguments).await.unwrap();
    assert!(output.success, "{output:?}");
    assert!(matches!(next(&mut consumer).await, ConsumerEvent::Revoked(_)));
    assert_eq!(assigned(&mut consumer).await.len(), 3);
}

#[tokio::test]
async fn a_new_subscription_leads_to_a_rebalance() {
    let cluster = cluster().await;
    let (first, second) = (topic(&cluster, 1).await, topic(&cluster, 1).await);
    let mut consumer = Consumer::start(cluster, config(&fresh("group"), &[]));
    consumer.subscribe(vec![first.clone()]).unwrap();
    assert_eq!(assigned(&mut consumer).await, [tp(&first, 0)]);
    consumer.subscribe(vec![second.clone()]).unwrap();
    assert!(matches!(next(&mut consumer).await, ConsumerEvent::Revoked(_)));
    assert_eq!(assigned(&mut consumer).await, [tp(&second, 0)]);
}

#[tokio::test]
async fn a_static_member_that_restarts_keeps_its_place() {
    let cluster = cluster().await;
    let (topic, group) = (topic(&cluster, 2).await, fresh("group"));
    let start = |instance: &str| {
        let mut consumer =
            Consumer::start(cluster.clone(), config(&group, &[("group.instance.id", instance)]));
        consumer.subscribe(vec![topic.clone()]).unwrap();
        consumer
    };
    let mut a = start("a");
    assert_eq!(assigned(&mut a).await.len(), 2);
    let mut b = Application::start(start("b"));
    assert!(matches!(next(&mut a).await, ConsumerEvent::Revoked(_)));
    let share = assigned(&mut a).await;
    assert_eq!(share.len(), 1);
    assert!(matches!(b.next().await, Seen::Assigned(_)));
    let generation = |consumer: &Consumer| match consumer.standing() {
        Standing::Member(generation) => generation.id,
        other => panic!("{other:?}"),
    };
    let before = generation(&a);
    a.close(PATIENCE).await;
    let mut a = start("a");
    assert_eq!(assigned(&mut a).await, share);
    assert_eq!(generation(&a), before, "there was no rebalance");
    // A second holder of the name takes over; the first one is fenced.
    let mut thief = start("a");
    assert_eq!(assigned(&mut thief).await, share);
    let fenced = loop {
        match tokio::time::timeout(PATIENCE, a.next()).await.unwrap() {
            Ok(ConsumerEvent::Lost(_)) => {}
            Ok(other) => panic!("{other:?}"),
            Err(error) => break error,
        }
    };
    assert!(fenced.to_string().contains("FENCED_INSTANCE_ID"), "{fenced}");
}

#[tokio::test]
async fn it_shares_a_group_with_a_java_consumer() {
    let cluster = cluster().await;
    let (topic, group) = (topic(&cluster, 2).await, fresh("group"));
    let mut consumer = Consumer::start(cluster.clone(), config(&group, &[]));
    consumer.subscribe(vec![topic.clone()]).unwrap();
    assert_eq!(assigned(&mut consumer).await.len(), 2);
    let kafka = Kafka::shared().await.unwrap();
    let arguments = ["--bootstrap-server", kafka.bootstrap(), "--topic", &topic, "--group", &group];
    let arguments = [&arguments[..], &["--max-messages", "1", "--timeout-ms", "60000"]].concat();
    let java = kafka.tool("org.apache.kafka.tools.consumer.ConsoleConsumer", &arguments);
    let ours = async {
        assert!(matches!(next(&mut consumer).await, ConsumerEvent::Revoked(_)));
        assert_eq!(assigned(&mut consumer).await.len(), 1, "the other partition is with Java");
        let mine = consumer.assignment();
        consumer.locate().await;
        let theirs = 1 - mine[0].partition;
        // It starts at the end, which it looks up once it is assigned.
        let started = Instant::now();
        while started.elapsed() < PATIENCE {
            produce(&cluster, &topic, theirs, &["for-java"]).await;
            let wait = tokio::time::timeout(Duration::from_millis(500), consumer.next()).await;
            if matches!(wait, Ok(Ok(ConsumerEvent::Revoked(_)))) {
                break;
            }
        }
        assert_eq!(assigned(&mut consumer).await.len(), 2, "Java has left");
    };
    let (java, ()) = tokio::join!(java, ours);
    let java = java.unwrap();
    assert!(java.success && java.stdout.contains("for-java"), "{java:?}");
}

/// As `kafka-consumer-groups --delete-member` would: the coordinator forgets the member.
async fn remove(cluster: &crossdock_client::Cluster, group: &str, member_id: &str) {
    use kafka_protocol::messages::{GroupId, LeaveGroupRequest};
    use kafka_protocol::protocol::StrBytes;
    let node = cluster.coordinator(group).await.unwrap();
    let request = LeaveGroupRequest::default()
        .with_group_id(GroupId(StrBytes::from_string(group.to_owned())))
        .with_member_id(StrBytes::from_string(member_id.to_owned()));
    let class = crossdock_client::ConnectionClass::Admin;
    let answer = cluster.call(node, class, request, 2, PATIENCE).await.unwrap();
    assert_eq!(answer.error_code, 0);
}
