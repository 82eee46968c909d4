//! Fetch: whole batches from the offsets asked for, or a wait for them. There are no fetch sessions: the
//! session id is always 0, which keeps clients at full requests (KIP-227).

use super::{Answer, Api, Call};
use crate::log::{LEADER_EPOCH, Partition};
use crate::topics::{Topic, missing};
use bytes::Bytes;
use crossdock_wire::shape::{Field, INT8, INT32, INT64, TEXT, UUID, one, structs, tag, values};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::fetch_response::{FetchableTopicResponse, PartitionData};
use kafka_protocol::messages::{BrokerId, FetchRequest, FetchResponse, TopicName};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;
use uuid::Uuid;

/// Most bytes of records in one reply, as the broker's `fetch.max.bytes`.
const MAX_BYTES: i32 = 55 << 20;

pub(crate) struct Fetch;

impl Api for Fetch {
    type Request = FetchRequest;
    const VERSIONS: RangeInclusive<i16> = 4..=18;
    const SHAPE: &'static [Field] = &[
        INT32.until(14),
        INT32,
        INT32,
        INT32,
        INT8,
        INT32.since(7),
        INT32.since(7),
        structs(&[
            TEXT.until(12),
            UUID.since(13),
            structs(&[
                INT32,
                INT32.since(9),
                INT64,
                INT32.since(12),
                INT64.since(5),
                INT32,
                tag(0, &UUID).since(17),
                tag(1, &INT64).since(18),
            ]),
        ]),
        structs(&[TEXT.until(12), UUID.since(13), values(&INT32)]).since(7),
        TEXT.since(11),
        tag(0, &TEXT).since(12),
        tag(1, &one(&[INT32, INT64])).since(15),
    ];

    async fn handle(call: &Call, request: FetchRequest) -> Answer<FetchResponse> {
        if request.session_id != 0 {
            let error = ResponseError::FetchSessionIdNotFound.code();
            return FetchResponse::default().with_error_code(error).into();
        }
        let max_wait = Duration::from_millis(request.max_wait_ms.max(0) as u64);
        let min_bytes = request.min_bytes.max(0) as usize;
        let max_bytes = request.max_bytes.clamp(0, MAX_BYTES) as usize;
        let wanted: Vec<_> = request.topics.into_iter().map(|topic| look_up(call, topic)).collect();
        wait(&wanted, min_bytes, max_wait).await;
        let responses = call.shared.blocking(move |_| read(wanted, max_bytes)).await;
        FetchResponse::default().with_responses(responses).into()
    }

    fn refuse(call: &Call, request: FetchRequest, error: ResponseError) -> FetchResponse {
        let topic = |topic: FetchTopic| {
            let partitions = topic.partitions.iter().map(|p| failed(p.partition, error)).collect();
            FetchableTopicResponse::default()
                .with_topic(topic.topic)
                .with_topic_id(topic.topic_id)
                .with_partitions(partitions)
        };
        let code = if call.version >= 7 { error.code() } else { 0 };
        let responses = request.topics.into_iter().map(topic).collect();
        FetchResponse::default().with_error_code(code).with_responses(responses)
    }
}

/// A topic of the request, with its logs.
struct WantedTopic {
    name: TopicName,
    id: Uuid,
    partitions: Vec<Wanted>,
}

struct Wanted {
    number: i32,
    offset: i64,
    max_bytes: usize,
    topic: Result<Arc<Topic>, ResponseError>,
}

impl Wanted {
    fn partition(&self) -> Result<&Partition, ResponseError> {
        let topic = self.topic.as_ref().map_err(|error| *error)?;
        topic.partition(self.number).map(|log| &**log).ok_or(ResponseError::UnknownTopicOrPartition)
    }

    /// How many bytes could be read; an error if the reply will have one.
    fn available(&self) -> Result<usize, ResponseError> {
        let log = self.partition()?.log();
        if !(0..=log.end_offset()).contains(&self.offset) {
            return Err(ResponseError::OffsetOutOfRange);
        }
        Ok(log.available(self.offset))
    }
}

fn look_up(call: &Call, topic: FetchTopic) -> WantedTopic {
    let known = if call.version >= 13 {
        call.shared.topic_by_id(topic.topic_id).ok_or(ResponseError::UnknownTopicId)
    } else {
        call.shared.topic(&topic.topic).ok_or_else(|| missing(&topic.topic))
    };
    let partition = |asked: FetchPartition| Wanted {
        number: asked.partition,
        offset: asked.fetch_offset,
        max_bytes: asked.partition_max_bytes.max(0) as usize,
        topic: check_epoch(asked.current_leader_epoch).and(known.clone()),
    };
    let partitions = topic.partitions.into_iter().map(partition).collect();
    WantedTopic { name: topic.topic, id: topic.topic_id, partitions }
}

/// Compares the leader epoch that a client knows with ours (KIP-320); -1 is a client that knows none.
pub(super) fn check_epoch(epoch: i32) -> Result<(), ResponseError> {
    match epoch {
        -1 | LEADER_EPOCH => Ok(()),
        newer if newer > LEADER_EPOCH => Err(ResponseError::UnknownLeaderEpoch),
        _ => Err(ResponseError::FencedLeaderEpoch),
    }
}

/// Waits until there are `min_bytes` to send or an error to tell, at most `max_wait`.
async fn wait(wanted: &[WantedTopic], min_bytes: usize, max_wait: Duration) {
    let partitions = || wanted.iter().flat_map(|topic| &topic.partitions);
    let deadline = Instant::now() + max_wait;
    let waiter = Arc::new(Notify::new());
    while partitions().next().is_some() {
        // Before the look at the logs, so that no append falls between.
        for log in partitions().filter_map(|wanted| wanted.partition().ok()) {
            log.register(&waiter);
        }
        let sum =
            |sum: usize, wanted: &Wanted| Ok::<_, ResponseError>(sum.saturating_add(wanted.available()?));
        match partitions().try_fold(0, sum) {
            Ok(bytes) if bytes < min_bytes => {}
            _ => return,
        }
        if tokio::time::timeout_at(deadline, waiter.notified()).await.is_err() {
            return;
        }
    }
}

fn read(wanted: Vec<WantedTopic>, max_bytes: usize) -> Vec<FetchableTopicResponse> {
    let mut left = max_bytes;
    let mut is_empty = true;
    let mut topics = Vec::with_capacity(wanted.len());
    for topic in wanted {
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for partition in topic.partitions {
            let data = read_partition(&partition, left, is_empty);
            let bytes = data.records.as_ref().map_or(0, Bytes::len);
            left = left.saturating_sub(bytes);
            is_empty &= bytes == 0;
            partitions.push(data);
        }
        let response = FetchableTopicResponse::default().with_topic(topic.name).with_topic_id(topic.id);
        topics.push(response.with_partitions(partitions));
    }
    topics
}

fn read_partition(wanted: &Wanted, left: usize, at_least_one: bool) -> PartitionData {
    let log = match wanted.partition() {
        Ok(partition) => partition.log(),
        Err(error) => return failed(wanted.number, error),
    };
    let end = log.end_offset();
    if !(0..=end).contains(&wanted.offset) {
        return failed(wanted.number, ResponseError::OffsetOutOfRange);
    }
    match log.read(wanted.offset, left.min(wanted.max_bytes), at_least_one) {
        Ok(records) => PartitionData::default()
            .with_partition_index(wanted.number)
            .with_high_watermark(end)
            .with_last_stable_offset(end)
            .with_log_start_offset(0)
            .with_aborted_transactions(None)
            .with_preferred_read_replica(BrokerId(-1))
            .with_records(Some(records)),
        Err(error) => {
            let topic = wanted.topic.as_ref().map_or("", |topic| topic.name.as_str());
            let (partition, offset) = (wanted.number, wanted.offset);
            tracing::error!(topic, partition, offset, %error, "a log could not be read");
            failed(wanted.number, ResponseError::KafkaStorageError)
        }
    }
}

fn failed(number: i32, error: ResponseError) -> PartitionData {
    PartitionData::default()
        .with_partition_index(number)
        .with_error_code(error.code())
        .with_high_watermark(-1)
        .with_last_stable_offset(-1)
        .with_log_start_offset(-1)
        .with_aborted_transactions(None)
        .with_preferred_read_replica(BrokerId(-1))
        .with_records(Some(Bytes::new()))
}
