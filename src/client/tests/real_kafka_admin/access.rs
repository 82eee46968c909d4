//! Access control lists.

use super::{admin, all_ok, code, eventually, fresh, tool};
use crossdock_client::ErrorCode;
use crossdock_client::admin::{AclBinding, AclFilter, AclOperation, AclPattern, AclPermission, AclResource};

#[tokio::test]
async fn acls_are_created_described_and_deleted() {
    let admin = admin().await;
    let (topic, alice) = (fresh("guarded"), format!("User:{}", fresh("alice")));
    let read = AclBinding::allow(&*alice, AclOperation::Read, AclResource::Topic, &*topic);
    let write = AclBinding {
        pattern: AclPattern::Prefixed,
        operation: AclOperation::Write,
        permission: AclPermission::Deny,
        host: "10.0.0.1".to_owned(),
        ..read.clone()
    };
    let wrong = AclBinding { resource: AclResource::Cluster, name: "elsewhere".to_owned(), ..read.clone() };
    let created = admin.create_acls(&[read.clone(), wrong.clone(), write.clone()]).await.unwrap();
    assert!(created[0].1.is_ok() && created[2].1.is_ok(), "{created:?}");
    assert_eq!((created[1].0.clone(), code(&created, 1)), (wrong, ErrorCode::INVALID_REQUEST));
    let text = created[1].1.as_ref().unwrap_err().to_string();
    assert!(text.contains("CLUSTER elsewhere") && text.contains(&alice), "{text}");

    let of_alice = AclFilter { principal: Some(alice.clone()), ..AclFilter::default() };
    let mut found = eventually(|| async {
        let found = admin.describe_acls(&of_alice).await.unwrap();
        (found.len() == 2).then_some(found)
    })
    .await;
    found.sort_by_key(|acl| acl.operation);
    assert_eq!(found, [read.clone(), write.clone()]);
    let told = tool("org.apache.kafka.tools.AclCommand", &["--list", "--topic", &topic]).await;
    assert!(
        told.contains(&format!("principal={alice}, host=*, operation=READ, permissionType=ALLOW")),
        "{told}"
    );

    let only_read = AclFilter { operation: AclOperation::Read, ..of_alice.clone() };
    let nobody = AclFilter { principal: Some("User:nobody".to_owned()), ..AclFilter::default() };
    let deleted = all_ok(admin.delete_acls(&[only_read, nobody]).await);
    assert_eq!(deleted.iter().map(Vec::len).collect::<Vec<_>>(), [1, 0]);
    assert_eq!(deleted[0][0].0, read);
    let left = || async { (admin.describe_acls(&of_alice).await.unwrap() == [write.clone()]).then_some(()) };
    eventually(left).await;
    all_ok(admin.delete_acls(&[of_alice]).await);
}
