//! Produce: batches are checked and appended. With `acks=0` there is no reply, and an error closes the
//! connection, as that is the only way to tell.

use super::{Answer, Api, Call, text};
use crate::log::{AppendError, Appended, Invalid, validate};
use crate::shared::Shared;
use crate::topics::{Topic, missing};
use crossdock_wire::Compression;
use crossdock_wire::shape::{BLOB, Field, INT16, INT32, TEXT, UUID, structs};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::produce_response::{PartitionProduceResponse, TopicProduceResponse};
use kafka_protocol::messages::{ProduceRequest, ProduceResponse};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

pub(crate) struct Produce;

impl Api for Produce {
    type Request = ProduceRequest;
    const VERSIONS: RangeInclusive<i16> = 3..=13;
    const SHAPE: &'static [Field] =
        &[TEXT, INT16, INT32, structs(&[TEXT.until(12), UUID.since(13), structs(&[INT32, BLOB])])];

    fn wants_reply(request: &ProduceRequest) -> bool {
        request.acks != 0
    }

    async fn handle(call: &Call, request: ProduceRequest) -> Answer<ProduceResponse> {
        let acks = request.acks;
        let refusal = if request.transactional_id.is_some() {
            Some(ResponseError::InvalidTxnState)
        } else {
            (!(-1..=1).contains(&acks)).then_some(ResponseError::InvalidRequiredAcks)
        };
        let response = match refusal {
            Some(error) => Self::refuse(call, request, error),
            None => {
                let version = call.version;
                call.shared.blocking(move |shared| append_all(shared, request, version)).await
            }
        };
        if acks != 0 {
            return response.into();
        }
        let mut partitions = response.responses.iter().flat_map(|topic| &topic.partition_responses);
        match partitions.find(|partition| partition.error_code != 0) {
            None => Answer::Nothing,
            Some(failed) => Answer::Close(format!(
                "a batch with acks=0 was refused with error {}: {}",
                failed.error_code,
                failed.error_message.as_deref().unwrap_or("no details")
            )),
        }
    }

    fn refuse(_: &Call, request: ProduceRequest, error: ResponseError) -> ProduceResponse {
        let partition = |partition: PartitionProduceData| refused(partition.index, error, None);
        respond(request, |_, partitions| partitions.into_iter().map(partition).collect())
    }
}

fn respond(
    request: ProduceRequest,
    mut append: impl FnMut(&TopicProduceData, Vec<PartitionProduceData>) -> Vec<PartitionProduceResponse>,
) -> ProduceResponse {
    let topic = |mut topic: TopicProduceData| {
        let partitions = std::mem::take(&mut topic.partition_data);
        let responses = append(&topic, partitions);
        TopicProduceResponse::default()
            .with_name(topic.name)
            .with_topic_id(topic.topic_id)
            .with_partition_responses(responses)
    };
    ProduceResponse::default().with_responses(request.topic_data.into_iter().map(topic).collect())
}

fn append_all(shared: &Shared, request: ProduceRequest, version: i16) -> ProduceResponse {
    respond(request, |asked, partitions| {
        let topic = if version >= 13 {
            shared.topic_by_id(asked.topic_id).ok_or(ResponseError::UnknownTopicId)
        } else {
            shared.topic(&asked.name).ok_or_else(|| missing(&asked.name))
        };
        let append = |data: PartitionProduceData| match &topic {
            Ok(topic) => append(topic, data, version),
            Err(error) => refused(data.index, *error, None),
        };
        partitions.into_iter().map(append).collect()
    })
}

fn append(topic: &Arc<Topic>, data: PartitionProduceData, version: i16) -> PartitionProduceResponse {
    let Some(partition) = topic.partition(data.index) else {
        return refused(data.index, ResponseError::UnknownTopicOrPartition, None);
    };
    let effects = topic.effects;
    let batch = match validate(data.records, effects.max_message_bytes, effects.compacted) {
        Ok(batch) => batch,
        Err(invalid) => return invalid_batch(data.index, invalid),
    };
    // KIP-110.
    if version < 7 && batch.header().compression() == Compression::Zstd {
        return refused(data.index, ResponseError::UnsupportedCompressionType, None);
    }
    match partition.append(&batch, effects.log_append_time.then(now)) {
        Ok(Appended { base_offset, append_time }) => PartitionProduceResponse::default()
            .with_index(data.index)
            .with_base_offset(base_offset)
            .with_log_append_time_ms(append_time)
            .with_log_start_offset(0),
        Err(AppendError::OldEpoch) => refused(data.index, ResponseError::InvalidProducerEpoch, None),
        Err(AppendError::OutOfOrder) => refused(data.index, ResponseError::OutOfOrderSequenceNumber, None),
        Err(AppendError::Io(error)) => {
            tracing::error!(topic = topic.name, partition = data.index, %error, "a batch could not be written");
            refused(data.index, ResponseError::KafkaStorageError, Some(error.to_string()))
        }
    }
}

fn invalid_batch(index: i32, invalid: Invalid) -> PartitionProduceResponse {
    let (error, message) = match invalid {
        Invalid::Corrupt(message) => (ResponseError::CorruptMessage, message),
        Invalid::Record(message) => (ResponseError::InvalidRecord, message),
        Invalid::TooLarge(message) => (ResponseError::MessageTooLarge, message),
    };
    refused(index, error, Some(message))
}

fn refused(index: i32, error: ResponseError, message: Option<String>) -> PartitionProduceResponse {
    PartitionProduceResponse::default()
        .with_index(index)
        .with_error_code(error.code())
        .with_base_offset(-1)
        .with_log_append_time_ms(-1)
        .with_log_start_offset(-1)
        .with_error_message(message.map(text))
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
