//! Asks the brokers what the state's plan says, in a task of its own: fetches, offsets, metadata.
//!
//! The next fetch of a broker is on its way as soon as the last one is queued, while the application
//! works on it. Batches are split and checked here, once, outside of any lock.

use super::ConsumerError;
use super::config::OffsetReset;
use super::records::{Aborted, ReadOptions, read_region};
use super::shared::Shared;
use super::state::{Asked, Fetched, Question};
use crate::connection::ConnectionClass;
use crate::error::{ClientError, ErrorCode};
use crate::group::offsets;
use crate::metadata::{NodeId, TopicPartition, TopicSelection};
use crate::text::{str_bytes, topic_name};
use futures_util::StreamExt;
use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::FuturesUnordered;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::fetch_response::PartitionData;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::{BrokerId, FetchRequest, ListOffsetsRequest};
use kafka_protocol::protocol::StrBytes;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Version 13 names topics by id.
const FETCH_MAX_VERSION: i16 = 12;
const LIST_OFFSETS_MAX_VERSION: i16 = 7;
/// Well below the largest frame that a connection takes; the broker may send one batch more.
const MAX_FETCH_BYTES: i32 = 64 << 20;

/// The answer to a [`Question`].
enum Answer {
    Committed(Vec<Asked>, Result<Option<HashMap<TopicPartition, i64>>, ConsumerError>),
    Offsets(Vec<Asked>, HashMap<TopicPartition, Result<i64, ErrorCode>>),
    Fetched(NodeId, Vec<(Asked, Fetched)>),
    Metadata,
}

/// Runs until it is aborted.
pub(super) async fn run(shared: Arc<Shared>) {
    let mut work: FuturesUnordered<BoxFuture<'static, Answer>> = FuturesUnordered::new();
    loop {
        let now = Instant::now();
        let metadata = shared.cluster.metadata();
        let plan = shared.lock().state.plan(now, &metadata);
        for question in plan.questions {
            work.push(ask(shared.clone(), question).boxed());
        }
        let wake_at = plan.wake_at.unwrap_or(now + Duration::from_secs(3600));
        tokio::select! {
            Some(answer) = work.next() => settle(&shared, answer),
            () = shared.to_fetcher.notified() => {}
            () = tokio::time::sleep_until(wake_at.into()) => {}
        }
    }
}

fn settle(shared: &Shared, answer: Answer) {
    let now = Instant::now();
    let mut inner = shared.lock();
    match answer {
        Answer::Committed(asked, offsets) => inner.state.on_committed(now, asked, offsets),
        Answer::Offsets(asked, offsets) => inner.state.on_offsets(now, asked, offsets),
        Answer::Metadata => inner.state.on_metadata(now, &shared.cluster.metadata()),
        Answer::Fetched(node, answers) => {
            if inner.state.on_fetched(now, node, answers) {
                shared.cluster.request_refresh();
            }
        }
    }
    drop(inner);
    shared.to_application.notify_one();
}

async fn ask(shared: Arc<Shared>, question: Question) -> Answer {
    match question {
        Question::Committed(asked) => {
            let offsets = committed(&shared, &asked).await;
            Answer::Committed(asked, offsets)
        }
        Question::Offsets { node, to, partitions } => {
            let offsets = list_offsets(&shared, node, to, &partitions).await.unwrap_or_else(|error| {
                tracing::info!(%node, %error, "offsets could not be looked up and are asked for again");
                if error.refreshes_metadata() {
                    shared.cluster.request_refresh();
                }
                HashMap::new()
            });
            Answer::Offsets(partitions, offsets)
        }
        Question::Fetch { node, partitions } => Answer::Fetched(node, fetch(&shared, node, partitions).await),
        Question::Metadata(topics) => {
            let create = shared.config.allow_auto_create_topics;
            if let Err(error) = shared.cluster.refresh(TopicSelection::Named(topics), create).await {
                tracing::warn!(%error, "the leaders of partitions could not be looked up");
            }
            Answer::Metadata
        }
    }
}

/// `None` if it has to be tried again.
async fn committed(
    shared: &Shared,
    asked: &[Asked],
) -> Result<Option<HashMap<TopicPartition, i64>>, ConsumerError> {
    let Some(group) = &shared.config.group_id else { return Ok(Some(HashMap::new())) };
    let partitions: Vec<_> = asked.iter().map(|a| a.tp.clone()).collect();
    match offsets::committed(&shared.cluster, group, &partitions).await {
        Ok(offsets) => Ok(Some(offsets.into_iter().map(|(tp, o)| (tp, o.offset)).collect())),
        Err(error @ ClientError::Exhausted { .. }) => {
            tracing::warn!(group = &**group, %error, "committed offsets are asked for again");
            Ok(None)
        }
        Err(error) if error.is_retriable() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

async fn list_offsets(
    shared: &Shared,
    node: NodeId,
    to: OffsetReset,
    partitions: &[Asked],
) -> Result<HashMap<TopicPartition, Result<i64, ErrorCode>>, ClientError> {
    let topics = partitions.chunk_by(|a, b| a.tp.topic == b.tp.topic).map(|run| {
        let partitions = run.iter().map(|asked| {
            ListOffsetsPartition::default()
                .with_partition_index(asked.tp.partition)
                .with_current_leader_epoch(asked.leader_epoch)
                .with_timestamp(to.timestamp())
        });
        ListOffsetsTopic::default()
            .with_name(topic_name(&run[0].tp.topic))
            .with_partitions(partitions.collect())
    });
    let request = ListOffsetsRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_isolation_level(shared.config.isolation_level.number())
        .with_topics(topics.collect());
    let timeout = shared.cluster.config().request_timeout;
    let response =
        shared.cluster.call(node, ConnectionClass::Admin, request, LIST_OFFSETS_MAX_VERSION, timeout).await?;
    let mut offsets = HashMap::new();
    for topic in response.topics {
        let name: Arc<str> = topic.name.as_str().into();
        for p in topic.partitions {
            let answer = ErrorCode(p.error_code).ok().map(|()| p.offset);
            offsets.insert(TopicPartition::new(name.clone(), p.partition_index), answer);
        }
    }
    Ok(offsets)
}

async fn fetch(shared: &Shared, node: NodeId, partitions: Vec<Asked>) -> Vec<(Asked, Fetched)> {
    let request = fetch_request(shared, &partitions);
    let timeout = shared.cluster.config().request_timeout + shared.config.fetch_max_wait;
    let answer = shared.cluster.call(node, ConnectionClass::Fetch, request, FETCH_MAX_VERSION, timeout).await;
    let response = match answer {
        Ok(response) => response,
        // A broken answer may be an accident of this connection, which is closed now.
        Err(error) if error.is_retriable() || matches!(error, ClientError::Protocol { .. }) => {
            match error {
                ClientError::Protocol { .. } => {
                    tracing::warn!(%node, %error, "a fetch failed and is repeated")
                }
                _ => tracing::info!(%node, %error, "a fetch failed and is repeated"),
            }
            return partitions.into_iter().map(|asked| (asked, Fetched::Nothing)).collect();
        }
        Err(error) => {
            let failed = |asked| (asked, Fetched::Failed(error.clone().into()));
            return partitions.into_iter().map(failed).collect();
        }
    };
    if let Err(code) = ErrorCode(response.error_code).ok() {
        return partitions.into_iter().map(|asked| (asked, Fetched::Refused(code))).collect();
    }
    let mut answered: HashMap<(StrBytes, i32), PartitionData> = HashMap::new();
    for topic in response.responses {
        for data in topic.partitions {
            answered.insert((topic.topic.0.clone(), data.partition_index), data);
        }
    }
    let read = |asked: Asked| {
        let key = (str_bytes(&asked.tp.topic), asked.tp.partition);
        let fetched = match answered.remove(&key) {
            Some(data) => read_partition(shared, &asked, data),
            None => Fetched::Nothing,
        };
        (asked, fetched)
    };
    partitions.into_iter().map(read).collect()
}

fn fetch_request(shared: &Shared, partitions: &[Asked]) -> FetchRequest {
    let config = &shared.config;
    // In the plan's order: the broker fills partitions in the order of the request until fetch.max.bytes.
    let topics = partitions.chunk_by(|a, b| a.tp.topic == b.tp.topic).map(|run| {
        let partitions = run.iter().map(|asked| {
            FetchPartition::default()
                .with_partition(asked.tp.partition)
                .with_current_leader_epoch(asked.leader_epoch)
                .with_fetch_offset(asked.offset)
                .with_log_start_offset(-1)
                .with_partition_max_bytes(config.max_partition_fetch_bytes)
        });
        FetchTopic::default().with_topic(topic_name(&run[0].tp.topic)).with_partitions(partitions.collect())
    });
    FetchRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_max_wait_ms(i32::try_from(config.fetch_max_wait.as_millis()).unwrap_or(i32::MAX))
        .with_min_bytes(config.fetch_min_bytes)
        .with_max_bytes(config.fetch_max_bytes.min(MAX_FETCH_BYTES))
        .with_isolation_level(config.isolation_level.number())
        .with_session_id(0)
        .with_session_epoch(-1)
        .with_topics(topics.collect())
}

fn read_partition(shared: &Shared, asked: &Asked, data: PartitionData) -> Fetched {
    if let Err(code) = ErrorCode(data.error_code).ok() {
        return Fetched::Refused(code);
    }
    let options = ReadOptions {
        check_crcs: shared.config.check_crcs,
        isolation: shared.config.isolation_level,
        max_partition_bytes: shared.config.max_partition_fetch_bytes,
    };
    let aborted = data.aborted_transactions.unwrap_or_default().into_iter();
    let aborted =
        aborted.map(|a| Aborted { producer_id: a.producer_id.0, first_offset: a.first_offset }).collect();
    let region = data.records.unwrap_or_default();
    Fetched::Region(Box::new(read_region(
        &asked.tp,
        region,
        asked.offset,
        data.high_watermark,
        aborted,
        options,
    )))
}
