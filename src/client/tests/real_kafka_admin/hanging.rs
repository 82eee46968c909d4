//! A transaction that hangs: open at a partition, unknown to its coordinator (KIP-664, KIP-890). Brokers write such
//! a batch only if they do not ask the coordinator first.

use super::{KEPT, PATIENCE, admin, all_ok, cluster_with, eventually, fresh, produce, tool, topic, tp};
use crossdock_client::admin::{HangingTransaction, IsolationLevel, OffsetSpec, TransactionFilter};
use crossdock_client::{ConnectionClass, Consumer, ConsumerConfig, ConsumerEvent, ErrorCode, TopicPartition};
use crossdock_wire::{BatchBuilder, ProducerStamp};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{ProduceRequest, TopicName, TransactionalId};
use kafka_protocol::protocol::StrBytes;
use std::collections::BTreeMap;
use std::time::{Duration, UNIX_EPOCH};

const TRANSACTIONS: &str = "org.apache.kafka.tools.TransactionsCommand";

/// Writes a record as part of a transaction, past the coordinator. Dated an hour ago: Kafka's own tool finds only what
/// is older than the longest transaction.
async fn write_past_the_coordinator(partition: &TopicPartition, id: &str, producer_id: i64, epoch: i16) {
    let cluster = cluster_with(&[]).await;
    let long_ago = UNIX_EPOCH.elapsed().unwrap() - Duration::from_secs(3600);
    let mut batch = BatchBuilder::with_capacity(100);
    let timestamp = i64::try_from(long_ago.as_millis()).unwrap();
    assert!(batch.append(timestamp, None, Some(b"hanging".as_slice()), std::iter::empty()));
    let stamp = ProducerStamp { producer_id, producer_epoch: epoch, base_sequence: 0 };
    let records = batch.finish(stamp, true);
    let name = TopicName(StrBytes::from_string(partition.topic.to_string()));
    let data = PartitionProduceData::default().with_index(partition.partition).with_records(Some(records));
    let data = TopicProduceData::default().with_name(name).with_partition_data(vec![data]);
    let request = ProduceRequest::default()
        .with_transactional_id(Some(TransactionalId(StrBytes::from_string(id.to_owned()))))
        .with_acks(-1)
        .with_timeout_ms(10_000)
        .with_topic_data(vec![data]);
    let (leader, _) = cluster.leader(&partition.topic, partition.partition).await.unwrap();
    // From version 12 on the leader adds the partition to the transaction itself.
    let answer = cluster.call(leader, ConnectionClass::Produce, request, 11, PATIENCE).await.unwrap();
    let code = ErrorCode(answer.responses[0].partition_responses[0].error_code);
    assert_eq!(code, ErrorCode::NONE);
}

async fn end(partition: &TopicPartition, isolation: IsolationLevel) -> i64 {
    let wanted = [(partition.clone(), OffsetSpec::Latest)];
    all_ok(admin().await.list_offsets(&wanted, isolation).await).remove(0).offset
}

#[tokio::test]
async fn a_transaction_that_hangs_is_found_and_aborted() {
    let admin = admin().await;
    let name = topic(&admin, 1, &[KEPT]).await;
    let partition = tp(&name, 0);
    let id = fresh("hangs");
    // Known to the coordinator, with no transaction open.
    let owner = all_ok(admin.fence_producers(&[&id]).await).remove(0);
    write_past_the_coordinator(&partition, &id, owner.producer_id, owner.producer_epoch).await;
    produce(&name, 2).await;
    assert_eq!(end(&partition, IsolationLevel::ReadUncommitted).await, 3);
    assert_eq!(end(&partition, IsolationLevel::ReadCommitted).await, 0, "readers wait for its end");

    // Open at the partition, and not at the coordinator.
    let states = all_ok(admin.describe_producers(std::slice::from_ref(&partition), None).await).remove(0);
    let open: Vec<_> = states.into_iter().filter(|state| state.transaction_start.is_some()).collect();
    assert_eq!((open.len(), open[0].producer_id, open[0].transaction_start), (1, owner.producer_id, Some(0)));
    let filter = TransactionFilter { producer_ids: vec![owner.producer_id], ..TransactionFilter::default() };
    let known = admin.list_transactions(&filter).await.unwrap().transactions;
    assert_eq!(known.iter().map(|t| &*t.state).collect::<Vec<_>>(), ["Empty"]);
    let described = all_ok(admin.describe_transactions(&[&id]).await).remove(0);
    assert!(described.started.is_none() && described.partitions.is_empty(), "{described:?}");
    // Kafka's tool says the same.
    let find = ["find-hanging", "--broker-id", "1", "--topic", &name, "--max-transaction-timeout", "1"];
    let told = tool(TRANSACTIONS, &find).await;
    assert!(told.contains(&name) && told.contains(&owner.producer_id.to_string()), "{told}");

    let hanging = HangingTransaction {
        partition: partition.clone(),
        producer_id: open[0].producer_id,
        producer_epoch: i16::try_from(open[0].producer_epoch).unwrap(),
        coordinator_epoch: open[0].coordinator_epoch,
    };
    admin.abort_transaction(&hanging).await.unwrap();

    let moved = || async { (end(&partition, IsolationLevel::ReadCommitted).await == 4).then_some(()) };
    eventually(moved).await;
    let states = all_ok(admin.describe_producers(std::slice::from_ref(&partition), None).await).remove(0);
    assert!(states.iter().all(|state| state.transaction_start.is_none()), "{states:?}");
    let told = tool(TRANSACTIONS, &find).await;
    assert!(!told.contains(&name), "{told}");
    // Readers of what is committed get past it, without its record.
    assert_eq!(values(&partition, "read_committed", 2).await, ["x", "x"]);
    assert_eq!(values(&partition, "read_uncommitted", 3).await, ["hanging", "x", "x"]);
}

/// The first values of the partition.
async fn values(partition: &TopicPartition, isolation: &str, count: usize) -> Vec<String> {
    let settings = [("auto.offset.reset", "earliest"), ("isolation.level", isolation)];
    let settings: BTreeMap<_, _> = settings.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
    let mut consumer = Consumer::start(cluster_with(&[]).await, ConsumerConfig::from_map(&settings).unwrap());
    consumer.assign(vec![partition.clone()]).unwrap();
    let mut values = Vec::new();
    let read = async {
        while values.len() < count {
            let ConsumerEvent::Records(fetched) = consumer.next().await.unwrap() else { continue };
            let each = fetched.records().map(|record| record.unwrap().value.unwrap().to_vec());
            values.extend(each.map(|value| String::from_utf8(value).unwrap()));
        }
    };
    tokio::time::timeout(PATIENCE, read).await.expect("records in time");
    values
}
