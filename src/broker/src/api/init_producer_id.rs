//! InitProducerId for idempotent producers. Transactional ids are refused.

use super::{Answer, Api, Call};
use crossdock_wire::shape::{Field, INT16, INT32, INT64, TEXT};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::{InitProducerIdRequest, InitProducerIdResponse, ProducerId};
use std::ops::RangeInclusive;

pub(crate) struct InitProducerId;

impl Api for InitProducerId {
    type Request = InitProducerIdRequest;
    const VERSIONS: RangeInclusive<i16> = 0..=5;
    const SHAPE: &'static [Field] = &[TEXT, INT32, INT64.since(3), INT16.since(3)];

    async fn handle(call: &Call, request: InitProducerIdRequest) -> Answer<InitProducerIdResponse> {
        if request.transactional_id.is_some() {
            return Self::refuse(call, request, ResponseError::InvalidRequest).into();
        }
        match call.shared.blocking(|shared| shared.next_producer_id()).await {
            Ok(id) => InitProducerIdResponse::default()
                .with_producer_id(ProducerId(id))
                .with_producer_epoch(0)
                .into(),
            Err(error) => {
                tracing::error!(%error, "producer ids could not be reserved");
                Self::refuse(call, request, ResponseError::KafkaStorageError).into()
            }
        }
    }

    fn refuse(_: &Call, _: InitProducerIdRequest, error: ResponseError) -> InitProducerIdResponse {
        InitProducerIdResponse::default()
            .with_error_code(error.code())
            .with_producer_id(ProducerId(-1))
            .with_producer_epoch(-1)
    }
}
