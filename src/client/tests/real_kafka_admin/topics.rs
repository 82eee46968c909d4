//! Partitions, records, configurations, features.

use super::{
    KEPT, admin, all_ok, cluster_with, code, eventually, fresh, impatient, kafka, produce, tool, topic, tp,
};
use crossdock_client::admin::{
    Admin, ConfigChange, ConfigResource, ElectionKind, HIGH_WATERMARK, IsolationLevel, NewPartitions,
    OffsetSpec,
};
use crossdock_client::metadata::NodeId;
use crossdock_client::{ErrorCode, TopicPartition};
use std::collections::{BTreeMap, HashMap};

#[tokio::test]
async fn partitions_are_added_but_never_taken_away() {
    let admin = admin().await;
    let (grown, shrunk) = (topic(&admin, 1, &[]).await, topic(&admin, 2, &[]).await);
    let wanted = BTreeMap::from([
        (grown.clone(), NewPartitions::up_to(3)),
        (shrunk.clone(), NewPartitions::up_to(1)),
        (fresh("missing"), NewPartitions::up_to(1)),
    ]);
    // Spawned, so that the future must be Send.
    let checked = {
        let (admin, wanted) = (admin.clone(), wanted.clone());
        tokio::spawn(async move { admin.create_partitions(&wanted, true).await }).await.unwrap().unwrap()
    };
    assert!(checked.iter().any(|(name, r)| *name == grown && r.is_ok()));
    for (name, result) in admin.create_partitions(&wanted, false).await.unwrap() {
        match result {
            Ok(()) => assert_eq!(name, grown),
            Err(error) if name == shrunk => {
                assert_eq!(error.code(), Some(ErrorCode::INVALID_PARTITIONS));
                assert!(error.to_string().contains(&name), "{error}");
            }
            Err(error) => assert_eq!(error.code(), Some(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)),
        }
    }
    let count = || async {
        let described = admin.describe_topics(&[&grown]).await.unwrap().remove(0).1;
        described.ok().filter(|t| t.partitions.len() == 3)
    };
    eventually(count).await;
}

#[tokio::test]
async fn records_are_deleted_up_to_an_offset() {
    let admin = admin().await;
    let name = topic(&admin, 1, &[KEPT]).await;
    produce(&name, 10).await;
    let delete = |offset| HashMap::from([(tp(&name, 0), offset)]);
    assert_eq!(all_ok(admin.delete_records(&delete(4)).await), [4]);
    let wanted =
        [OffsetSpec::Earliest, OffsetSpec::Latest, OffsetSpec::MaxTimestamp, OffsetSpec::EarliestLocal];
    let wanted = wanted.map(|spec| (tp(&name, 0), spec));
    let listed = all_ok(admin.list_offsets(&wanted, IsolationLevel::ReadCommitted).await);
    let offsets: Vec<_> = listed.iter().map(|l| l.offset).collect();
    assert_eq!(offsets, [4, 10, 9, 4]);
    assert_eq!(listed[2].timestamp, 1_009);
    assert_eq!(code(&admin.delete_records(&delete(100)).await.unwrap(), 0), ErrorCode::OFFSET_OUT_OF_RANGE);
    assert_eq!(all_ok(admin.delete_records(&delete(HIGH_WATERMARK)).await), [10]);

    let compacted = topic(&admin, 1, &[("cleanup.policy", "compact")]).await;
    let refused = admin.delete_records(&HashMap::from([(tp(&compacted, 0), 0)])).await.unwrap();
    let error = refused[0].1.as_ref().unwrap_err();
    assert_eq!(error.code(), Some(ErrorCode::POLICY_VIOLATION));
    assert!(error.to_string().contains("add delete to it"), "{error}");
    let missing = impatient().await.delete_records(&HashMap::from([(tp("missing", 0), 0)])).await.unwrap();
    assert_eq!(code(&missing, 0), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
}

#[tokio::test]
async fn configs_are_changed_by_key() {
    let admin = admin().await;
    let name = topic(&admin, 1, &[("retention.ms", "1000")]).await;
    let resource = ConfigResource::Topic(name.clone());
    let set = |value: &str| ConfigChange::Set(value.to_owned());
    let changes = BTreeMap::from([
        ("retention.ms".to_owned(), ConfigChange::Delete),
        ("max.message.bytes".to_owned(), set("12345")),
        ("cleanup.policy".to_owned(), ConfigChange::Append("compact".to_owned())),
    ]);
    let wrong = BTreeMap::from([("retention.ms".to_owned(), set("soon"))]);
    let missing = ConfigResource::Topic(fresh("missing"));
    let all = BTreeMap::from([(resource.clone(), changes.clone()), (missing.clone(), changes.clone())]);
    for (altered, result) in admin.alter_configs(&all, false).await.unwrap() {
        match result {
            Ok(()) => assert_eq!(altered, resource),
            Err(error) => assert_eq!(
                (altered, error.code()),
                (missing.clone(), Some(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION))
            ),
        }
    }
    let refused = admin.alter_configs(&BTreeMap::from([(resource.clone(), wrong)]), false).await.unwrap();
    assert_eq!(code(&refused, 0), ErrorCode::INVALID_CONFIG);
    assert!(refused[0].1.as_ref().unwrap_err().to_string().contains(&name));

    let expected =
        [("cleanup.policy", "delete,compact"), ("max.message.bytes", "12345"), ("retention.ms", "604800000")];
    let settled = || async {
        let entries = all_ok(admin.describe_configs(std::slice::from_ref(&resource)).await).remove(0);
        let value = |key: &str| entries.iter().find(|e| e.name == key).and_then(|e| e.value.clone());
        expected.iter().all(|(key, wanted)| value(key).as_deref() == Some(*wanted)).then_some(())
    };
    eventually(settled).await;
    let arguments = ["--entity-type", "topics", "--entity-name", &name, "--describe"];
    let told = tool("kafka.admin.ConfigCommand", &arguments).await;
    assert!(
        told.contains("max.message.bytes=12345") && told.contains("cleanup.policy=delete,compact"),
        "{told}"
    );

    let subtract =
        BTreeMap::from([("cleanup.policy".to_owned(), ConfigChange::Subtract("delete".to_owned()))]);
    all_ok(admin.alter_configs(&BTreeMap::from([(resource, subtract)]), true).await);
}

#[tokio::test]
async fn other_resources_have_configs_too() {
    let admin = admin().await;
    let (group, metrics) = (fresh("configured"), fresh("metrics"));
    let loggers = ConfigResource::BrokerLoggers(NodeId(1));
    let known = all_ok(admin.describe_configs(std::slice::from_ref(&loggers)).await).remove(0);
    let logger = known.into_iter().map(|entry| entry.name).find(|name| name.starts_with("kafka.")).unwrap();
    let resources = [
        (ConfigResource::BrokerDefaults, "background.threads", "11"),
        (ConfigResource::Broker(NodeId(1)), "log.cleaner.threads", "2"),
        (loggers, &*logger, "WARN"),
        (ConfigResource::Group(group), "consumer.session.timeout.ms", "50000"),
        (ConfigResource::ClientMetrics(metrics), "interval.ms", "30000"),
    ];
    let change = |value: &str| ConfigChange::Set(value.to_owned());
    let changes = resources.iter().map(|(resource, key, value)| {
        (resource.clone(), BTreeMap::from([((*key).to_owned(), change(value))]))
    });
    all_ok(admin.alter_configs(&changes.collect(), false).await);
    let asked: Vec<_> = resources.iter().map(|(resource, ..)| resource.clone()).collect();
    for (at, (resource, key, value)) in resources.iter().enumerate() {
        let settled = || async {
            let described = admin.describe_configs(&asked).await.unwrap();
            assert_eq!(described[at].0, *resource);
            let entries = described[at].1.as_ref().ok()?;
            entries.iter().find(|e| e.name == *key)?.value.as_deref().filter(|v| v == value).map(|_| ())
        };
        eventually(settled).await;
    }
    let listed = admin.list_config_resources().await.unwrap();
    for resource in &asked[3..] {
        assert!(listed.contains(resource), "{resource} in {listed:?}");
    }
    let reset = resources.iter().map(|(resource, key, _)| {
        (resource.clone(), BTreeMap::from([((*key).to_owned(), ConfigChange::Delete)]))
    });
    all_ok(admin.alter_configs(&reset.collect(), false).await);
}

#[tokio::test]
async fn leaders_and_replicas_stay_where_they_are() {
    let admin = admin().await;
    let name = topic(&admin, 1, &[]).await;
    let partition = [tp(&name, 0)];
    let elected = admin.elect_leaders(ElectionKind::Preferred, &partition).await.unwrap();
    assert_eq!(code(&elected, 0), ErrorCode::ELECTION_NOT_NEEDED);
    let moved = HashMap::from([(tp(&name, 0), Some(vec![NodeId(1)]))]);
    all_ok(admin.alter_partition_reassignments(&moved).await);
    let nowhere = HashMap::from([(tp(&name, 0), Some(vec![NodeId(77)]))]);
    let refused = admin.alter_partition_reassignments(&nowhere).await.unwrap();
    assert_eq!(code(&refused, 0), ErrorCode::INVALID_REPLICA_ASSIGNMENT);
    let cancelled =
        admin.alter_partition_reassignments(&HashMap::from([(tp(&name, 0), None)])).await.unwrap();
    assert_eq!(code(&cancelled, 0), ErrorCode::NO_REASSIGNMENT_IN_PROGRESS);
    assert!(admin.list_partition_reassignments(Some(&partition)).await.unwrap().is_empty());
    assert!(admin.list_partition_reassignments(None).await.unwrap().is_empty());
}

#[tokio::test]
async fn features_are_told() {
    let features = admin().await.describe_features().await.unwrap();
    let (_, level) = features.finalized["metadata.version"];
    let (least, most) = features.supported["metadata.version"];
    assert!((least..=most).contains(&level) && features.epoch.is_some(), "{features:?}");
}

#[tokio::test]
async fn who_produced_is_told() {
    let admin = admin().await;
    let name = topic(&admin, 1, &[KEPT]).await;
    produce(&name, 3).await;
    for broker in [None, Some(NodeId(1))] {
        let states = all_ok(admin.describe_producers(&[tp(&name, 0)], broker).await).remove(0);
        assert_eq!((states.len(), states[0].last_sequence, states[0].transaction_start), (1, 2, None));
    }
}

#[tokio::test]
async fn a_cluster_that_cannot_be_reached_is_one_error() {
    let _ = kafka().await;
    let nobody =
        cluster_with(&[("bootstrap.servers", "127.0.0.1:1"), ("default.api.timeout.ms", "200")]).await;
    let admin = Admin::new(nobody);
    let error = admin.delete_records(&HashMap::from([(TopicPartition::new("t", 0), 1)])).await.unwrap_err();
    assert!(error.to_string().contains("no broker can be reached"), "{error}");
    assert!(admin.delete_groups(&["g"]).await.is_err());
    assert!(admin.list_groups(&Default::default()).await.is_err());
    // Nothing to ask is nothing to fail.
    assert!(admin.delete_groups(&[]).await.unwrap().is_empty());
}
