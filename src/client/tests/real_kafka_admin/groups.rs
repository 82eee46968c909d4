//! Groups, their members, and what they committed.

use super::{PATIENCE, admin, all_ok, cluster_with, code, eventually, fresh, tool, topic, tp};
use crossdock_client::admin::{GroupFilter, GroupKind, MemberToRemove, WantedOffsets};
use crossdock_client::{Consumer, ConsumerConfig, ConsumerEvent, ErrorCode, OffsetAndMetadata};
use std::collections::{BTreeMap, HashMap};
use tokio::task::JoinHandle;

fn offsets(
    topic: &str,
    offsets: &[(i32, i64)],
) -> HashMap<crossdock_client::TopicPartition, OffsetAndMetadata> {
    offsets.iter().map(|(p, offset)| (tp(topic, *p), OffsetAndMetadata::new(*offset))).collect()
}

/// A member that runs beside the test, once it has partitions.
async fn member(group: &str, topic: &str, protocol: &str) -> JoinHandle<()> {
    let settings = [("group.id", group), ("group.protocol", protocol), ("client.id", "tester")];
    let settings: BTreeMap<_, _> = settings.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let config = ConsumerConfig::from_map(&settings).unwrap();
    let mut consumer = Consumer::start(cluster_with(&[("client.id", "tester")]).await, config);
    consumer.subscribe(vec![topic.to_owned()]).unwrap();
    loop {
        let event = tokio::time::timeout(PATIENCE, consumer.next()).await.unwrap().unwrap();
        if matches!(event, ConsumerEvent::Assigned(partitions) if !partitions.is_empty()) {
            break;
        }
    }
    tokio::spawn(async move { while consumer.next().await.is_ok() {} })
}

#[tokio::test]
async fn offsets_of_groups_without_members() {
    let admin = admin().await;
    let name = topic(&admin, 3, &[]).await;
    let (one, two, none) = (fresh("one"), fresh("two"), fresh("none"));
    let mut annotated = offsets(&name, &[(0, 5), (1, 7)]);
    annotated.get_mut(&tp(&name, 1)).unwrap().metadata = "noted".to_owned();
    all_ok(admin.alter_group_offsets(&one, &annotated).await);
    all_ok(admin.alter_group_offsets(&two, &offsets(&name, &[(2, 9)])).await);
    let missing = admin.alter_group_offsets(&one, &offsets("missing", &[(0, 1)])).await.unwrap();
    assert_eq!(code(&missing, 0), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);

    let wanted: WantedOffsets = BTreeMap::from([
        (one.clone(), None),
        (two.clone(), Some(vec![tp(&name, 0), tp(&name, 2)])),
        (none.clone(), None),
    ]);
    let listed: HashMap<_, _> = admin.list_group_offsets(&wanted).await.unwrap().into_iter().collect();
    let listed = |group: &str| listed[group].as_ref().unwrap();
    assert_eq!(listed(&one).offsets[&tp(&name, 1)].metadata, "noted");
    assert_eq!(listed(&one).offsets[&tp(&name, 0)].offset, 5);
    assert_eq!(listed(&two).offsets.keys().collect::<Vec<_>>(), [&tp(&name, 2)]);
    assert!(listed(&none).offsets.is_empty());

    let arguments = ["--group", &one, "--describe", "--offsets"];
    let told = tool("org.apache.kafka.tools.consumer.group.ConsumerGroupCommand", &arguments).await;
    let row = |partition: &str, offset: &str| {
        told.lines().any(|l| {
            l.split_whitespace().collect::<Vec<_>>()[..].windows(2).any(|w| w == [partition, offset])
        })
    };
    assert!(row("0", "5") && row("1", "7"), "{told}");

    all_ok(admin.delete_group_offsets(&one, &[tp(&name, 0)]).await);
    let left = all_ok(admin.list_group_offsets(&BTreeMap::from([(one.clone(), None)])).await).remove(0);
    assert_eq!(left.offsets.len(), 1);
    let unknown = admin.delete_group_offsets(&none, &[tp(&name, 0)]).await.unwrap();
    assert_eq!(code(&unknown, 0), ErrorCode::GROUP_ID_NOT_FOUND);

    let deleted = admin.delete_groups(&[&one, &none, &two]).await.unwrap();
    assert!(deleted[0].1.is_ok() && deleted[2].1.is_ok(), "{deleted:?}");
    assert_eq!(code(&deleted, 1), ErrorCode::GROUP_ID_NOT_FOUND);
    assert!(deleted[1].1.as_ref().unwrap_err().to_string().contains(&none));
    let described = admin.describe_groups(&[&one]).await.unwrap();
    assert_eq!(code(&described, 0), ErrorCode::GROUP_ID_NOT_FOUND);
}

#[tokio::test]
async fn classic_groups_with_members() {
    let admin = admin().await;
    let name = topic(&admin, 2, &[]).await;
    let group = fresh("classic");
    let member = member(&group, &name, "classic").await;
    let described = eventually(|| async {
        let group = all_ok(admin.describe_groups(&[&group]).await).remove(0);
        (group.state == "Stable").then_some(group)
    })
    .await;
    assert_eq!((described.kind, described.protocol_type.as_str()), (GroupKind::Classic, "consumer"));
    assert_eq!((described.assignor.as_str(), described.members.len()), ("range", 1));
    let only = &described.members[0];
    assert_eq!(only.client_id, "tester");
    assert_eq!(only.assignment, [tp(&name, 0), tp(&name, 1)]);
    assert!(!only.raw_assignment.is_empty() && only.target_assignment.is_none());

    let filter = GroupFilter { states: vec!["Stable".to_owned()], kinds: vec!["Classic".to_owned()] };
    let listed = admin.list_groups(&filter).await.unwrap();
    assert!(listed.failed.is_empty());
    let listing = listed.groups.iter().find(|g| g.group == group).unwrap();
    assert_eq!((listing.protocol_type.as_str(), listing.kind.as_deref()), ("consumer", Some("classic")));
    let filter = GroupFilter { states: vec!["Empty".to_owned()], kinds: Vec::new() };
    assert!(!admin.list_groups(&filter).await.unwrap().groups.iter().any(|g| g.group == group));

    let refused = admin.delete_groups(&[&group]).await.unwrap();
    assert_eq!(code(&refused, 0), ErrorCode::NON_EMPTY_GROUP);
    let refused = admin.alter_group_offsets(&group, &offsets(&name, &[(0, 1)])).await.unwrap();
    assert_eq!(code(&refused, 0), ErrorCode::UNKNOWN_MEMBER_ID);
    let error = refused[0].1.as_ref().unwrap_err().to_string();
    assert!(error.contains("stop them first") && error.contains(&group), "{error}");
    let refused = admin.delete_group_offsets(&group, &[tp(&name, 0)]).await.unwrap();
    assert_eq!(code(&refused, 0), ErrorCode::GROUP_SUBSCRIBED_TO_TOPIC);

    let leaving =
        [MemberToRemove::Member(only.member_id.clone()), MemberToRemove::Instance("stranger".to_owned())];
    let removed = admin.remove_members(&group, &leaving, "tested").await.unwrap();
    assert!(removed[0].1.is_ok(), "{removed:?}");
    assert_eq!(code(&removed, 1), ErrorCode::UNKNOWN_MEMBER_ID);
    member.abort();
}

#[tokio::test]
async fn groups_of_the_consumer_protocol() {
    let admin = admin().await;
    let name = topic(&admin, 2, &[]).await;
    let group = fresh("consumer");
    let member = member(&group, &name, "consumer").await;
    let classic = fresh("empty");
    all_ok(admin.alter_group_offsets(&classic, &offsets(&name, &[(0, 1)])).await);
    let described = eventually(|| async {
        let groups = all_ok(admin.describe_groups(&[&group, &classic]).await);
        (groups[0].state == "Stable").then_some(groups)
    })
    .await;
    assert_eq!((described[0].kind, described[1].kind), (GroupKind::Consumer, GroupKind::Classic));
    assert_eq!(described[1].state, "Empty");
    let only = &described[0].members[0];
    assert_eq!(only.assignment, [tp(&name, 0), tp(&name, 1)]);
    assert_eq!(only.target_assignment.as_ref(), Some(&only.assignment));
    let filter = GroupFilter { states: Vec::new(), kinds: vec!["consumer".to_owned()] };
    let listed = admin.list_groups(&filter).await.unwrap();
    assert!(
        listed.groups.iter().any(|g| g.group == group) && !listed.groups.iter().any(|g| g.group == classic)
    );
    member.abort();
}
