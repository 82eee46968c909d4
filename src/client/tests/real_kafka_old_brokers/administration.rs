//! What the Admin does that every supported broker can.

use crate::support::{PATIENCE, Writer, cluster, fresh};
use crossdock_client::admin::{
    ConfigChange, ConfigResource, GroupFilter, GroupKind, IsolationLevel, ItemResult, NewPartitions,
    NewTopic, OffsetSpec, TransactionFilter,
};
use crossdock_client::{Admin, ClientError, Cluster, ErrorCode, OffsetAndMetadata, TopicPartition};
use crossdock_testcontainers::Kafka;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

at_each_broker!(
    topics_and_configs,
    records_and_offsets,
    groups_and_their_offsets,
    producers_and_transactions,
    the_cluster_and_its_features,
);

fn all_ok<K, T>(results: Result<Vec<ItemResult<K, T>>, ClientError>) -> Vec<T> {
    results.unwrap().into_iter().map(|(_, result)| result.unwrap()).collect()
}

/// Asks until there is an answer: what one broker role knows comes to the other a moment later.
async fn eventually<T, F: Future<Output = Option<T>>>(mut ask: impl FnMut() -> F) -> T {
    let asking = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, asking).await.expect("it happens in time")
}

/// A new topic with these values in partition 0.
async fn topic(cluster: &Cluster, partitions: i32, values: usize) -> String {
    let name = fresh("administered");
    assert!(Admin::new(cluster.clone()).create_topic(&NewTopic::new(&name, partitions, 1)).await.unwrap());
    let writer = Writer::new(cluster, &name, &[]);
    for n in 0..values {
        writer.append(0, &n.to_string()).await;
    }
    writer.producer.flush().await;
    assert!(writer.failures.taken().is_empty());
    name
}

async fn topics_and_configs(kafka: &Kafka) {
    let cluster = cluster(kafka);
    let admin = Admin::new(cluster.clone());
    let name = topic(&cluster, 1, 0).await;
    assert!(!admin.create_topic(&NewTopic::new(&name, 1, 1)).await.unwrap(), "it exists already");
    all_ok(admin.create_partitions(&BTreeMap::from([(name.clone(), NewPartitions::up_to(3))]), false).await);
    let grown = || async {
        let described = admin.describe_topics(&[&name]).await.unwrap().remove(0).1;
        described.ok().filter(|t| t.partitions.len() == 3)
    };
    eventually(grown).await;
    assert!(admin.list_topics().await.unwrap().iter().any(|t| *t.name == *name));

    let resource = ConfigResource::Topic(name.clone());
    let change = ConfigChange::Set("12345".to_owned());
    let changes = BTreeMap::from([("max.message.bytes".to_owned(), change)]);
    all_ok(admin.alter_configs(&BTreeMap::from([(resource.clone(), changes)]), false).await);
    let changed = || async {
        let entries = all_ok(admin.describe_configs(std::slice::from_ref(&resource)).await).remove(0);
        let entry = entries.into_iter().find(|entry| entry.name == "max.message.bytes").unwrap();
        (entry.value.as_deref() == Some("12345") && !entry.is_default).then_some(())
    };
    eventually(changed).await;
    all_ok(admin.delete_topics(&[&name]).await);
    let gone = || async { admin.describe_topics(&[&name]).await.unwrap().remove(0).1.err() };
    assert_eq!(eventually(gone).await.code(), Some(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION));
}

async fn records_and_offsets(kafka: &Kafka) {
    let cluster = cluster(kafka);
    let admin = Admin::new(cluster.clone());
    let name = topic(&cluster, 1, 10).await;
    let partition = TopicPartition::new(&*name, 0);
    let ask = |spec| {
        let (admin, wanted) = (&admin, [(partition.clone(), spec)]);
        async move { all_ok(admin.list_offsets(&wanted, IsolationLevel::ReadCommitted).await).remove(0) }
    };
    let newest = ask(OffsetSpec::MaxTimestamp).await;
    assert!((0..10).contains(&newest.offset) && newest.timestamp > 0, "{newest:?}");
    assert_eq!(ask(OffsetSpec::Timestamp(newest.timestamp + 1)).await.offset, -1);
    assert_eq!(all_ok(admin.delete_records(&HashMap::from([(partition.clone(), 4)])).await), [4]);
    assert_eq!((ask(OffsetSpec::Earliest).await.offset, ask(OffsetSpec::Latest).await.offset), (4, 10));
}

async fn groups_and_their_offsets(kafka: &Kafka) {
    let cluster = cluster(kafka);
    let admin = Admin::new(cluster.clone());
    let name = topic(&cluster, 2, 0).await;
    let group = fresh("group");
    let [zero, one] = [0, 1].map(|p| TopicPartition::new(&*name, p));
    let committed = [(zero.clone(), 5), (one.clone(), 7)];
    let committed = committed.into_iter().map(|(tp, offset)| (tp, OffsetAndMetadata::new(offset)));
    all_ok(admin.alter_group_offsets(&group, &committed.collect()).await);
    let wanted = BTreeMap::from([(group.clone(), None)]);
    let listed = all_ok(admin.list_group_offsets(&wanted).await).remove(0);
    assert_eq!((listed.offsets[&zero].offset, listed.offsets[&one].offset), (5, 7));
    all_ok(admin.delete_group_offsets(&group, std::slice::from_ref(&zero)).await);
    let listed = all_ok(admin.list_group_offsets(&wanted).await).remove(0);
    assert_eq!(listed.offsets.keys().collect::<Vec<_>>(), [&one]);

    let filter = GroupFilter { states: vec!["Empty".to_owned()], kinds: Vec::new() };
    let groups = admin.list_groups(&filter).await.unwrap();
    assert!(groups.failed.is_empty() && groups.groups.iter().any(|g| g.group == group), "{groups:?}");
    let described = all_ok(admin.describe_groups(&[&group]).await).remove(0);
    assert_eq!((described.kind, &*described.state), (GroupKind::Classic, "Empty"));
    all_ok(admin.delete_groups(&[&group]).await);
    let deleted = admin.delete_groups(&[&group]).await.unwrap().remove(0).1;
    assert_eq!(deleted.unwrap_err().code(), Some(ErrorCode::GROUP_ID_NOT_FOUND));
}

async fn producers_and_transactions(kafka: &Kafka) {
    let cluster = cluster(kafka);
    let admin = Admin::new(cluster.clone());
    let name = topic(&cluster, 1, 0).await;
    let id = fresh("id");
    let writer = Writer::transactional(&cluster, &name, &id).await;
    writer.producer.begin_transaction().unwrap();
    writer.append(0, "open").await;
    writer.producer.flush().await;
    let states = all_ok(admin.describe_producers(&[TopicPartition::new(&*name, 0)], None).await).remove(0);
    assert_eq!((states.len(), states[0].transaction_start), (1, Some(0)));
    let described = all_ok(admin.describe_transactions(&[&id]).await).remove(0);
    assert_eq!((&*described.state, described.producer_id), ("Ongoing", states[0].producer_id));
    assert_eq!(described.partitions, [TopicPartition::new(&*name, 0)]);
    let filter = TransactionFilter { states: vec!["Ongoing".to_owned()], ..TransactionFilter::default() };
    let listed = admin.list_transactions(&filter).await.unwrap();
    assert!(listed.transactions.iter().any(|t| t.transactional_id == id), "{listed:?}");
    let fenced = all_ok(admin.fence_producers(&[&id]).await).remove(0);
    assert_eq!(fenced.producer_id, described.producer_id);
    assert!(writer.producer.commit_transaction().await.unwrap_err().is_fenced());
}

async fn the_cluster_and_its_features(kafka: &Kafka) {
    let cluster = cluster(kafka);
    let admin = Admin::new(cluster.clone());
    let described = admin.describe_cluster().await.unwrap();
    assert_eq!((described.brokers.len(), &*described.cluster_id), (1, kafka.cluster_id()));
    let features = admin.describe_features().await.unwrap();
    assert!(features.finalized["metadata.version"].1 >= 1, "{features:?}");
    // Neither has an authorizer, which they say.
    let error = admin.describe_acls(&Default::default()).await.unwrap_err();
    assert_eq!(error.code(), Some(ErrorCode::SECURITY_DISABLED), "{error}");
}
