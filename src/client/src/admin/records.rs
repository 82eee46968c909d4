//! Records of partitions: deleting them, and who is producing them.

use super::rounds::by_topic;
use super::{Admin, ItemResult};
use crate::error::{BrokerError, ClientError, ErrorCode};
use crate::metadata::{NodeId, TopicPartition};
use crate::text::topic_name;
use kafka_protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use kafka_protocol::messages::describe_producers_request::TopicRequest;
use kafka_protocol::messages::describe_producers_response::PartitionResponse;
use kafka_protocol::messages::{DeleteRecordsRequest, DescribeProducersRequest, DescribeProducersResponse};
use std::collections::HashMap;
use std::sync::Arc;

const DELETE_RECORDS: &str = "DeleteRecords";
const DESCRIBE_PRODUCERS: &str = "DescribeProducers";

/// Instead of an offset: up to the high watermark, so that all records go.
pub const HIGH_WATERMARK: i64 = -1;

/// A producer that has written to a partition not long ago.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProducerState {
    /// Its id.
    pub producer_id: i64,
    /// Its epoch.
    pub producer_epoch: i32,
    /// Sequence number of its last batch; -1 if unknown.
    pub last_sequence: i32,
    /// When that was, in milliseconds since the epoch; -1 if unknown.
    pub last_timestamp: i64,
    /// Epoch of the coordinator that last ended one of its transactions; -1 if none did.
    pub coordinator_epoch: i32,
    /// First offset of its open transaction, if one is open.
    pub transaction_start: Option<i64>,
}

impl Admin {
    /// Deletes the records of partitions before an offset, or all with [`HIGH_WATERMARK`]; gives the first
    /// offset that is left. [`ErrorCode::POLICY_VIOLATION`] means that the topic is only compacted.
    pub async fn delete_records(
        &self,
        before: &HashMap<TopicPartition, i64>,
    ) -> Result<Vec<ItemResult<TopicPartition, i64>>, ClientError> {
        let mut partitions: Vec<_> = before.keys().cloned().collect();
        partitions.sort();
        let ask = |node, items: Vec<(TopicPartition, i32)>| async move {
            let offsets = items.into_iter().filter_map(|(p, _)| before.get(&p).map(|offset| (p, *offset)));
            let topic = |(name, partitions): (Arc<str>, Vec<(i32, i64)>)| {
                let partition = |(index, offset)| {
                    DeleteRecordsPartition::default().with_partition_index(index).with_offset(offset)
                };
                DeleteRecordsTopic::default()
                    .with_name(topic_name(&name))
                    .with_partitions(partitions.into_iter().map(partition).collect())
            };
            let request = DeleteRecordsRequest::default()
                .with_topics(by_topic(offsets).map(topic).collect())
                .with_timeout_ms(self.broker_timeout_ms());
            let answer = self.ask(node, request, 2).await?;
            let mut results = Vec::new();
            for topic in answer.topics {
                let name: Arc<str> = topic.name.as_str().into();
                for p in topic.partitions {
                    let code = ErrorCode(p.error_code).ok();
                    let error = |code| refused(DELETE_RECORDS, code, &name, p.partition_index).into();
                    let key = TopicPartition::new(name.clone(), p.partition_index);
                    results.push((key, code.map(|()| p.low_watermark).map_err(error)));
                }
            }
            Ok(results)
        };
        self.at_leaders(DELETE_RECORDS, &partitions, ask).await
    }

    /// Who has written to partitions not long ago, idempotently or in transactions. Asked of the leaders,
    /// or of the replica at `broker`. Kafka 2.8 and newer (KIP-664).
    pub async fn describe_producers(
        &self,
        partitions: &[TopicPartition],
        broker: Option<NodeId>,
    ) -> Result<Vec<ItemResult<TopicPartition, Vec<ProducerState>>>, ClientError> {
        let ask = |node, items: Vec<TopicPartition>| async move {
            let topic = |(name, partitions): (Arc<str>, Vec<(i32, ())>)| {
                TopicRequest::default()
                    .with_name(topic_name(&name))
                    .with_partition_indexes(partitions.into_iter().map(|(index, ())| index).collect())
            };
            let topics = by_topic(items.into_iter().map(|p| (p, ()))).map(topic).collect();
            Ok(read(self.ask(node, DescribeProducersRequest::default().with_topics(topics), 0).await?))
        };
        let ask = &ask;
        match broker {
            Some(node) => self.each(DESCRIBE_PRODUCERS, partitions, |open| ask(node, open)).await,
            None => {
                let led = |node, items: Vec<(TopicPartition, i32)>| {
                    ask(node, items.into_iter().map(|(partition, _)| partition).collect())
                };
                self.at_leaders(DESCRIBE_PRODUCERS, partitions, led).await
            }
        }
    }
}

fn read(answer: DescribeProducersResponse) -> Vec<ItemResult<TopicPartition, Vec<ProducerState>>> {
    let mut results = Vec::new();
    for topic in answer.topics {
        let name: Arc<str> = topic.name.as_str().into();
        for p in topic.partitions {
            let key = TopicPartition::new(name.clone(), p.partition_index);
            let error = |code| {
                let error = refused(DESCRIBE_PRODUCERS, code, &name, p.partition_index);
                error.message(p.error_message.as_deref()).into()
            };
            let result = ErrorCode(p.error_code).ok().map_err(error).map(|()| states(&p));
            results.push((key, result));
        }
    }
    results
}

fn states(partition: &PartitionResponse) -> Vec<ProducerState> {
    let state = |p: &kafka_protocol::messages::describe_producers_response::ProducerState| ProducerState {
        producer_id: p.producer_id.0,
        producer_epoch: p.producer_epoch,
        last_sequence: p.last_sequence,
        last_timestamp: p.last_timestamp,
        coordinator_epoch: p.coordinator_epoch,
        transaction_start: Some(p.current_txn_start_offset).filter(|offset| *offset >= 0),
    };
    partition.active_producers.iter().map(state).collect()
}

fn refused(api: &'static str, code: ErrorCode, topic: &Arc<str>, partition: i32) -> BrokerError {
    let error = BrokerError::new(code, api).topic(topic.clone()).partition(partition);
    match code {
        ErrorCode::POLICY_VIOLATION => {
            error.hint("records of a topic with cleanup.policy=compact cannot be deleted; add delete to it")
        }
        _ => error,
    }
}
