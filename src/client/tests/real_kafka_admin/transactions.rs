//! Transactions of a Java producer, watched, aborted and fenced.

use super::{admin, all_ok, code, eventually, fresh, impatient, kafka, topic, tp};
use crossdock_client::ErrorCode;
use crossdock_client::admin::{HangingTransaction, TransactionFilter};
use std::time::Duration;

#[tokio::test]
async fn transactions_are_watched_aborted_and_fenced() {
    let admin = admin().await;
    let name = topic(&admin, 1, &[]).await;
    let id = fresh("txn");
    let kafka = kafka().await;
    // Writes a record now and then in one long transaction, until it is fenced.
    let arguments = [
        ["--topic".to_owned(), name.clone()],
        ["--transactional-id".to_owned(), id.clone()],
        ["--transaction-duration-ms".to_owned(), "100000".to_owned()],
        ["--num-records".to_owned(), "10000".to_owned()],
        ["--record-size".to_owned(), "10".to_owned()],
        ["--throughput".to_owned(), "20".to_owned()],
        ["--bootstrap-server".to_owned(), kafka.bootstrap().to_owned()],
    ];
    let producer = tokio::spawn(async move {
        let arguments: Vec<_> = arguments.iter().flatten().map(String::as_str).collect();
        kafka.tool("org.apache.kafka.tools.ProducerPerformance", &arguments).await
    });

    let description = eventually(|| async {
        let described = admin.describe_transactions(&[&id]).await.unwrap().remove(0).1.ok()?;
        (described.state == "Ongoing").then_some(described)
    })
    .await;
    assert_eq!(description.partitions, [tp(&name, 0)]);
    assert!(description.started.is_some());
    let ongoing = TransactionFilter { states: vec!["Ongoing".to_owned()], ..TransactionFilter::default() };
    let listed = admin.list_transactions(&ongoing).await.unwrap();
    assert!(listed.failed.is_empty());
    let listing = listed.transactions.iter().find(|t| t.transactional_id == id).unwrap();
    assert_eq!(listing.producer_id, description.producer_id);
    for filter in [
        TransactionFilter { producer_ids: vec![description.producer_id], ..ongoing.clone() },
        TransactionFilter { id_pattern: Some(format!("{}.*", &id[..8])), ..ongoing.clone() },
    ] {
        assert!(admin.list_transactions(&filter).await.unwrap().transactions.contains(listing));
    }
    let old = TransactionFilter { longer_than: Some(Duration::from_secs(600)), ..ongoing };
    assert!(admin.list_transactions(&old).await.unwrap().transactions.is_empty());
    let unknown = TransactionFilter { states: vec!["Asleep".to_owned()], ..TransactionFilter::default() };
    let failed = admin.list_transactions(&unknown).await.unwrap().failed;
    assert!(failed[0].1.to_string().contains("no transaction has a state Asleep"), "{failed:?}");

    let partition = [tp(&name, 0)];
    let open = eventually(|| async {
        let states = all_ok(admin.describe_producers(&partition, None).await).remove(0);
        states.into_iter().find(|s| s.transaction_start.is_some())
    })
    .await;
    assert_eq!(open.transaction_start, Some(0));
    let mut hanging = HangingTransaction {
        partition: tp(&name, 0),
        producer_id: open.producer_id,
        producer_epoch: i16::try_from(open.producer_epoch).unwrap() - 1,
        coordinator_epoch: open.coordinator_epoch,
    };
    if hanging.producer_epoch >= 0 {
        let error = admin.abort_transaction(&hanging).await.unwrap_err();
        assert_eq!(error.code(), Some(ErrorCode::INVALID_PRODUCER_EPOCH), "{error}");
    }
    hanging.producer_epoch += 1;

    let fenced = all_ok(admin.fence_producers(&[&id]).await).remove(0);
    assert_eq!(fenced.producer_id, description.producer_id);
    assert!(fenced.producer_epoch > description.producer_epoch, "{fenced:?}");
    // Its JVM ends with the task.
    producer.abort();
    let aborted = || async {
        let states = all_ok(admin.describe_producers(&partition, None).await).remove(0);
        states.iter().all(|s| s.transaction_start.is_none()).then_some(())
    };
    eventually(aborted).await;
    let described = all_ok(admin.describe_transactions(&[&id]).await).remove(0);
    assert_ne!(described.state, "Ongoing");
}

#[tokio::test]
async fn unknown_transactional_ids() {
    let admin = admin().await;
    let id = fresh("unknown");
    let described = admin.describe_transactions(&[&id]).await.unwrap();
    assert_eq!(code(&described, 0), ErrorCode::TRANSACTIONAL_ID_NOT_FOUND);
    assert!(described[0].1.as_ref().unwrap_err().to_string().contains(&format!("transactional id {id}")));
    // Fencing makes it known.
    let fenced = all_ok(admin.fence_producers(&[&id]).await).remove(0);
    assert_eq!(fenced.producer_epoch, 0);
    let described = all_ok(admin.describe_transactions(&[&id]).await).remove(0);
    assert_eq!((described.state.as_str(), described.producer_id), ("Empty", fenced.producer_id));
    let nowhere = HangingTransaction {
        partition: tp("missing", 0),
        producer_id: 1,
        producer_epoch: 0,
        coordinator_epoch: 0,
    };
    let error = impatient().await.abort_transaction(&nowhere).await.unwrap_err();
    assert_eq!(error.code(), Some(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION));
}
