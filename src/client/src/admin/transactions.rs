//! Transactional ids: fence their producers, look at transactions, and abort those that hang (KIP-664).

use super::rounds::all_failed;
use super::{Admin, ItemResult};
use crate::cluster::CoordinatorKind;
use crate::connection::ConnectionClass;
use crate::error::{BrokerError, ClientError, ErrorCode};
use crate::metadata::{NodeId, TopicPartition};
use crate::text::{str_bytes, topic_name};
use futures_util::future::join_all;
use kafka_protocol::messages::describe_transactions_response::TransactionState as Described;
use kafka_protocol::messages::list_transactions_response::TransactionState as Listed;
use kafka_protocol::messages::write_txn_markers_request::{WritableTxnMarker, WritableTxnMarkerTopic};
use kafka_protocol::messages::{
    DescribeTransactionsRequest, InitProducerIdRequest, ListTransactionsRequest, ProducerId, TransactionalId,
    WriteTxnMarkersRequest,
};
use std::time::Duration;

const FENCE: &str = "InitProducerId";
const LIST: &str = "ListTransactions";
const DESCRIBE: &str = "DescribeTransactions";
const ABORT: &str = "WriteTxnMarkers";
/// The fenced producer never writes, so its own timeout matters only while the old transaction ends.
const FENCED_TIMEOUT_MS: i32 = 60_000;

/// Who owns a transactional id after a fence: nobody who writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct FencedProducer {
    /// The producer id.
    pub producer_id: i64,
    /// The epoch that others are fenced by.
    pub producer_epoch: i16,
}

/// A transaction as a list shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TransactionListing {
    /// The transactional id.
    pub transactional_id: String,
    /// The producer's id.
    pub producer_id: i64,
    /// Its state, such as `Ongoing` or `CompleteCommit`.
    pub state: String,
    /// The broker that told of it: its coordinator.
    pub coordinator: NodeId,
}

/// All transactions, and the brokers that could not tell of theirs.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TransactionList {
    /// Ordered by transactional id.
    pub transactions: Vec<TransactionListing>,
    /// Brokers that failed: transactions may be missing.
    pub failed: Vec<(NodeId, ClientError)>,
}

/// Which transactions are listed; all by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TransactionFilter {
    /// Only those in one of these states, unless empty.
    pub states: Vec<String>,
    /// Only those of one of these producer ids, unless empty.
    pub producer_ids: Vec<i64>,
    /// Only those that run for longer than this (Kafka 3.8 and newer).
    pub longer_than: Option<Duration>,
    /// Only transactional ids that match this RE2 pattern (Kafka 4.1 and newer).
    pub id_pattern: Option<String>,
}

/// A transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TransactionDescription {
    /// Its coordinator.
    pub coordinator: NodeId,
    /// Its state, such as `Ongoing` or `CompleteCommit`.
    pub state: String,
    /// The producer's id.
    pub producer_id: i64,
    /// The producer's epoch.
    pub producer_epoch: i16,
    /// After which time the coordinator aborts it.
    pub timeout: Duration,
    /// When it began, in milliseconds since the epoch, if it is open.
    pub started: Option<i64>,
    /// The partitions that were written to.
    pub partitions: Vec<TopicPartition>,
}

/// A transaction that hangs: open at a partition, unknown to its coordinator. From
/// [`Admin::describe_producers`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HangingTransaction {
    /// Where it is open.
    pub partition: TopicPartition,
    /// The producer's id.
    pub producer_id: i64,
    /// The producer's epoch.
    pub producer_epoch: i16,
    /// The coordinator's epoch as the partition knows it; -1 is taken for 0.
    pub coordinator_epoch: i32,
}

impl Admin {
    /// Ends the producers of transactional ids: their open transactions are aborted, and whoever writes
    /// under these ids gets [`ErrorCode::PRODUCER_FENCED`] (KIP-618).
    pub async fn fence_producers(
        &self,
        transactional_ids: &[&str],
    ) -> Result<Vec<ItemResult<String, FencedProducer>>, ClientError> {
        let ids: Vec<_> = transactional_ids.iter().map(|id| (*id).to_owned()).collect();
        let ask = |node, ids: Vec<String>| async move {
            let fence = |id: String| async move {
                let fenced = self.fence(node, &id).await;
                (id, fenced)
            };
            Ok(join_all(ids.into_iter().map(fence)).await)
        };
        self.at_coordinators(FENCE, CoordinatorKind::Transaction, &ids, ask).await
    }

    async fn fence(&self, node: NodeId, id: &str) -> Result<FencedProducer, ClientError> {
        let request = InitProducerIdRequest::default()
            .with_transactional_id(Some(TransactionalId(str_bytes(id))))
            .with_transaction_timeout_ms(FENCED_TIMEOUT_MS)
            .with_producer_id(ProducerId(-1))
            .with_producer_epoch(-1);
        let answer = self.ask(node, request, 5).await?;
        ErrorCode(answer.error_code).ok().map_err(|code| refused(FENCE, code, id))?;
        Ok(FencedProducer { producer_id: answer.producer_id.0, producer_epoch: answer.producer_epoch })
    }

    /// Lists the transactions of all brokers. Kafka 3.0 and newer; a broker that is too old for a filter
    /// fails, since it would list others too.
    pub async fn list_transactions(
        &self,
        filter: &TransactionFilter,
    ) -> Result<TransactionList, ClientError> {
        let ask = |node| self.list_transactions_of(node, filter);
        let mut list = TransactionList { transactions: Vec::new(), failed: Vec::new() };
        for (node, listed) in self.at_all_brokers(LIST, ask).await? {
            match listed {
                Ok(transactions) => list.transactions.extend(transactions),
                Err(error) => list.failed.push((node, error)),
            }
        }
        list.transactions.sort_by(|a, b| a.transactional_id.cmp(&b.transactional_id));
        Ok(list)
    }

    async fn list_transactions_of(
        &self,
        node: NodeId,
        filter: &TransactionFilter,
    ) -> Result<Vec<TransactionListing>, ClientError> {
        let connection = self.cluster.connection(node, ConnectionClass::Admin).await?;
        let version = connection.version_of::<ListTransactionsRequest>(2)?;
        let needed = match filter {
            TransactionFilter { id_pattern: Some(_), .. } => 2,
            TransactionFilter { longer_than: Some(_), .. } => 1,
            _ => 0,
        };
        let error = |code| BrokerError::new(code, LIST).about(format!("broker {node}"));
        if version < needed {
            let error = error(ErrorCode::UNSUPPORTED_VERSION);
            return Err(error
                .hint("it cannot filter by time before Kafka 3.8, nor by pattern before 4.1")
                .into());
        }
        let millis = |time: Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        let request = ListTransactionsRequest::default()
            .with_state_filters(filter.states.iter().map(|state| str_bytes(state)).collect())
            .with_producer_id_filters(filter.producer_ids.iter().map(|id| ProducerId(*id)).collect())
            .with_duration_filter(filter.longer_than.map_or(-1, millis))
            .with_transactional_id_pattern(filter.id_pattern.as_deref().map(str_bytes));
        let answer = connection.call(2, self.cluster.config().request_timeout, |_| request).await?;
        ErrorCode(answer.error_code).ok().map_err(error)?;
        if let Some(state) = answer.unknown_state_filters.first() {
            let message = format!("no transaction has a state {}", state.as_str());
            return Err(error(ErrorCode::INVALID_REQUEST).message(Some(&message)).into());
        }
        let listing = |t: Listed| TransactionListing {
            transactional_id: t.transactional_id.as_str().to_owned(),
            producer_id: t.producer_id.0,
            state: t.transaction_state.as_str().to_owned(),
            coordinator: node,
        };
        Ok(answer.transaction_states.into_iter().map(listing).collect())
    }

    /// Describes the transactions of transactional ids. An id that is not known is an error of its item,
    /// with [`ErrorCode::TRANSACTIONAL_ID_NOT_FOUND`]. Kafka 3.0 and newer.
    pub async fn describe_transactions(
        &self,
        transactional_ids: &[&str],
    ) -> Result<Vec<ItemResult<String, TransactionDescription>>, ClientError> {
        let ids: Vec<_> = transactional_ids.iter().map(|id| (*id).to_owned()).collect();
        let ask = |node, ids: Vec<String>| async move {
            let wire = ids.iter().map(|id| TransactionalId(str_bytes(id))).collect();
            let request = DescribeTransactionsRequest::default().with_transactional_ids(wire);
            let answer = self.ask(node, request, 0).await?;
            let result = |t: Described| {
                let id = t.transactional_id.as_str().to_owned();
                let result = ErrorCode(t.error_code).ok().map_err(|code| refused(DESCRIBE, code, &id).into());
                (id, result.map(|()| description(node, t)))
            };
            Ok(answer.transaction_states.into_iter().map(result).collect())
        };
        self.at_coordinators(DESCRIBE, CoordinatorKind::Transaction, &ids, ask).await
    }

    /// Aborts a transaction that hangs at a partition, past its coordinator. Only for those that the
    /// coordinator does not know: it would lose records of one that goes on.
    pub async fn abort_transaction(&self, hanging: &HangingTransaction) -> Result<(), ClientError> {
        let ask = |node, items: Vec<(TopicPartition, i32)>| async move {
            let partitions: Vec<_> = items.into_iter().map(|(partition, _)| partition).collect();
            let result = self.write_abort_marker(node, hanging).await;
            Ok(match result {
                Ok(()) => partitions.into_iter().map(|partition| (partition, Ok(()))).collect(),
                Err(error) => all_failed(partitions, &error),
            })
        };
        let partition = std::slice::from_ref(&hanging.partition);
        let results = self.at_leaders(ABORT, partition, ask).await?;
        results.into_iter().try_for_each(|(_, result)| result)
    }

    async fn write_abort_marker(
        &self,
        node: NodeId,
        hanging: &HangingTransaction,
    ) -> Result<(), ClientError> {
        let TopicPartition { topic, partition } = &hanging.partition;
        let target = WritableTxnMarkerTopic::default()
            .with_name(topic_name(topic))
            .with_partition_indexes(vec![*partition]);
        let marker = WritableTxnMarker::default()
            .with_producer_id(ProducerId(hanging.producer_id))
            .with_producer_epoch(hanging.producer_epoch)
            .with_coordinator_epoch(hanging.coordinator_epoch.max(0))
            .with_transaction_result(false)
            .with_topics(vec![target]);
        let answer = self.ask(node, WriteTxnMarkersRequest::default().with_markers(vec![marker]), 1).await?;
        let error = |code| {
            let error = BrokerError::new(code, ABORT).topic(topic.clone()).partition(*partition);
            error.about(format!("producer {} epoch {}", hanging.producer_id, hanging.producer_epoch))
        };
        let mut topics = answer.markers.into_iter().flat_map(|marker| marker.topics);
        let code = topics.find_map(|t| t.partitions.first().map(|p| ErrorCode(p.error_code)));
        code.unwrap_or(ErrorCode::UNKNOWN_SERVER_ERROR).ok().map_err(|code| error(code).into())
    }
}

fn description(coordinator: NodeId, t: Described) -> TransactionDescription {
    let partitions = t.topics.iter().flat_map(|topic| {
        let name: std::sync::Arc<str> = topic.topic.as_str().into();
        topic.partitions.iter().map(move |p| TopicPartition::new(name.clone(), *p))
    });
    TransactionDescription {
        coordinator,
        state: t.transaction_state.as_str().to_owned(),
        producer_id: t.producer_id.0,
        producer_epoch: t.producer_epoch,
        timeout: Duration::from_millis(u64::try_from(t.transaction_timeout_ms).unwrap_or(0)),
        started: Some(t.transaction_start_time_ms).filter(|at| *at >= 0),
        partitions: partitions.collect(),
    }
}

fn refused(api: &'static str, code: ErrorCode, id: &str) -> BrokerError {
    BrokerError::new(code, api).about(format!("transactional id {id}"))
}
