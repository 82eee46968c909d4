//! Fetching: positions, pauses, errors of single partitions.

use crate::support::*;
use crossdock_client::{Admin, Consumer, ConsumerError, ConsumerEvent, OffsetAndMetadata};
use crossdock_wire::{BatchBuilder, ProducerStamp};
use std::collections::HashMap;

#[tokio::test]
async fn a_group_reads_on_where_it_committed() {
    let cluster = cluster().await;
    let (topic, group) = (topic(&cluster, 1).await, fresh("group"));
    produce(&cluster, &topic, 0, &["a", "b", "c"]).await;
    let mut consumer = Consumer::start(cluster.clone(), config(&group, &[]));
    consumer.subscribe(vec![topic.clone()]).unwrap();
    assert_eq!(assigned(&mut consumer).await, [tp(&topic, 0)]);
    consumer.locate().await;
    assert_eq!(consumer.position(&tp(&topic, 0)), Some(0));
    assert_eq!(values(&mut consumer, 3).await, ["a", "b", "c"]);
    assert_eq!(consumer.position(&tp(&topic, 0)), Some(3));

    let offset = OffsetAndMetadata { offset: 2, leader_epoch: 0, metadata: "why".to_owned() };
    consumer.commit(&HashMap::from([(tp(&topic, 0), offset.clone())])).await.unwrap();
    let committed = consumer.committed(&[tp(&topic, 0), tp(&topic, 7)]).await.unwrap();
    assert_eq!(committed, HashMap::from([(tp(&topic, 0), offset)]));
    consumer.close(PATIENCE).await;

    let mut consumer = Consumer::start(cluster, config(&group, &[]));
    consumer.subscribe(vec![topic]).unwrap();
    assigned(&mut consumer).await;
    assert_eq!(values(&mut consumer, 1).await, ["c"]);
}

#[tokio::test]
async fn partitions_are_assigned_sought_and_paused_by_hand() {
    let cluster = cluster().await;
    let topic = topic(&cluster, 2).await;
    produce(&cluster, &topic, 0, &["a0", "a1", "a2"]).await;
    produce(&cluster, &topic, 1, &["b0", "b1"]).await;
    let mut consumer = Consumer::start(cluster.clone(), config(&fresh("group"), &[]));
    consumer.assign(vec![tp(&topic, 0), tp(&topic, 1)]).unwrap();
    assert!(consumer.seek(&tp(&topic, 0), 1));
    consumer.pause(&[tp(&topic, 1)]);
    assert_eq!(values(&mut consumer, 2).await, ["a1", "a2"]);
    consumer.resume(&[tp(&topic, 1)]);
    assert_eq!(values(&mut consumer, 2).await, ["b0", "b1"]);
    consumer.seek(&tp(&topic, 1), 1);
    assert_eq!(values(&mut consumer, 1).await, ["b1"]);

    let offsets = HashMap::from([(tp(&topic, 0), OffsetAndMetadata::new(2))]);
    consumer.commit(&offsets).await.unwrap();
    assert_eq!(consumer.committed(&[tp(&topic, 0)]).await.unwrap(), offsets);
    consumer.assign(vec![tp(&topic, 0)]).unwrap();
    assert_eq!(values(&mut consumer, 1).await, ["a2"], "the commit counts without membership too");
    assert!(consumer.subscribe(vec![topic]).is_err());
}

#[tokio::test]
async fn latest_starts_at_the_end() {
    let cluster = cluster().await;
    let topic = topic(&cluster, 1).await;
    produce(&cluster, &topic, 0, &["old"]).await;
    let settings = [("auto.offset.reset", "latest")];
    let mut consumer = Consumer::start(cluster.clone(), config(&fresh("group"), &settings));
    consumer.subscribe(vec![topic.clone()]).unwrap();
    assigned(&mut consumer).await;
    consumer.locate().await;
    assert_eq!(consumer.position(&tp(&topic, 0)), Some(1));
    produce(&cluster, &topic, 0, &["new"]).await;
    assert_eq!(values(&mut consumer, 1).await, ["new"]);
}

#[tokio::test]
async fn without_reset_missing_and_wrong_offsets_are_errors_of_their_partition() {
    let cluster = cluster().await;
    let topic = topic(&cluster, 3).await;
    produce(&cluster, &topic, 2, &["c"]).await;
    let settings = [("auto.offset.reset", "none")];
    let mut consumer = Consumer::start(cluster.clone(), config(&fresh("group"), &settings));
    consumer.assign((0..3).map(|p| tp(&topic, p)).collect()).unwrap();
    consumer.seek(&tp(&topic, 1), 1000);
    consumer.seek(&tp(&topic, 2), 0);
    let (mut no_offset, mut out_of_range, mut read) = (0, 0, 0);
    for _ in 0..3 {
        match tokio::time::timeout(PATIENCE, consumer.next()).await.unwrap() {
            Ok(ConsumerEvent::Records(records)) if records.partition == 2 => read += 1,
            Err(ConsumerError::NoOffset { partition: 0, .. }) => no_offset += 1,
            Err(ConsumerError::OffsetOutOfRange { partition: 1, offset: 1000, .. }) => out_of_range += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((no_offset, out_of_range, read), (1, 1, 1));
    consumer.seek(&tp(&topic, 1), 0);
    produce(&cluster, &topic, 1, &["b"]).await;
    assert_eq!(values(&mut consumer, 1).await, ["b"]);
}

#[tokio::test]
async fn an_offset_out_of_range_is_reset() {
    let cluster = cluster().await;
    let topic = topic(&cluster, 1).await;
    produce(&cluster, &topic, 0, &["a", "b"]).await;
    let mut consumer = Consumer::start(cluster, config(&fresh("group"), &[]));
    consumer.assign(vec![tp(&topic, 0)]).unwrap();
    consumer.seek(&tp(&topic, 0), 1000);
    assert_eq!(values(&mut consumer, 2).await, ["a", "b"]);
}

#[tokio::test]
async fn a_topic_may_come_later() {
    let settings = [("metadata.max.age.ms", "200")];
    let cluster = cluster_with(&settings).await;
    let name = fresh("later");
    let settings = [("allow.auto.create.topics", "false")];
    let mut consumer = Consumer::start(cluster.clone(), config(&fresh("group"), &settings));
    consumer.subscribe(vec![name.clone()]).unwrap();
    assert!(assigned(&mut consumer).await.is_empty());
    let topic = crossdock_client::admin::NewTopic::new(&name, 1, -1);
    let admin = Admin::new(cluster.clone());
    let created = tokio::spawn(async move { admin.create_topic(&topic).await });
    assert_eq!(assigned(&mut consumer).await, [tp(&name, 0)]);
    created.await.unwrap().unwrap();
    produce(&cluster, &name, 0, &["x"]).await;
    assert_eq!(values(&mut consumer, 1).await, ["x"]);
}

#[tokio::test]
async fn many_batches_and_partitions_arrive_complete_and_in_order() {
    let cluster = cluster().await;
    let topic = topic(&cluster, 3).await;
    for partition in 0..3 {
        for batch in 0..40 {
            let mut builder = BatchBuilder::with_capacity(0);
            for record in 0..50 {
                let value = format!("{:0200}", batch * 50 + record);
                assert!(builder.append(now(), None, Some(value.as_bytes()), std::iter::empty()));
            }
            let bytes = builder.finish(ProducerStamp::NONE, false).to_vec();
            produce_batch(&cluster, &topic, partition, bytes).await;
        }
    }
    // Small fetches, so that batches are cut off and buffers fill.
    let settings = [("max.partition.fetch.bytes", "30000"), ("fetch.max.bytes", "70000")];
    let mut consumer = Consumer::start(cluster, config(&fresh("group"), &settings));
    consumer.subscribe(vec![topic]).unwrap();
    assigned(&mut consumer).await;
    let mut seen = [0i64; 3];
    while seen != [2000; 3] {
        let ConsumerEvent::Records(fetched) = next(&mut consumer).await else { panic!() };
        let count = &mut seen[usize::try_from(fetched.partition).unwrap()];
        for record in fetched.records() {
            let record = record.unwrap();
            assert_eq!(record.offset, *count);
            assert_eq!(record.value.unwrap(), format!("{:0200}", *count).as_bytes());
            *count += 1;
        }
        assert_eq!(fetched.next_offset, *count);
    }
}
