//! FindCoordinator: it is this broker. There is none for transactions.

use super::{Answer, Api, Call, text};
use crate::config::NODE_ID;
use crossdock_wire::shape::{Field, INT8, TEXT, values};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::find_coordinator_response::Coordinator;
use kafka_protocol::messages::{BrokerId, FindCoordinatorRequest, FindCoordinatorResponse};
use kafka_protocol::protocol::StrBytes;
use std::ops::RangeInclusive;

const GROUP: i8 = 0;

pub(crate) struct FindCoordinator;

impl Api for FindCoordinator {
    type Request = FindCoordinatorRequest;
    const VERSIONS: RangeInclusive<i16> = 0..=6;
    const SHAPE: &'static [Field] = &[TEXT.until(3), INT8.since(1), values(&TEXT).since(4)];

    async fn handle(call: &Call, request: FindCoordinatorRequest) -> Answer<FindCoordinatorResponse> {
        let refusal = (request.key_type != GROUP).then_some(ResponseError::InvalidRequest);
        respond(call, request, refusal).into()
    }

    fn refuse(call: &Call, request: FindCoordinatorRequest, error: ResponseError) -> FindCoordinatorResponse {
        respond(call, request, Some(error))
    }
}

fn respond(
    call: &Call,
    request: FindCoordinatorRequest,
    refusal: Option<ResponseError>,
) -> FindCoordinatorResponse {
    if call.version >= 4 {
        let found = |key| coordinator(call, key, request.key_type, refusal);
        let coordinators = request.coordinator_keys.into_iter().map(found).collect();
        return FindCoordinatorResponse::default().with_coordinators(coordinators);
    }
    let found = coordinator(call, request.key, request.key_type, refusal);
    FindCoordinatorResponse::default()
        .with_error_code(found.error_code)
        .with_error_message(found.error_message.filter(|_| call.version >= 1))
        .with_node_id(found.node_id)
        .with_host(found.host)
        .with_port(found.port)
}

fn coordinator(call: &Call, key: StrBytes, key_type: i8, refusal: Option<ResponseError>) -> Coordinator {
    let coordinator = Coordinator::default().with_key(key);
    let Some(error) = refusal else {
        return coordinator.with_node_id(BrokerId(NODE_ID)).with_host(text(&call.host)).with_port(call.port);
    };
    let message = match key_type {
        GROUP => error.to_string(),
        _ => "this broker has no transactions and no share groups: use a real Kafka cluster for them".into(),
    };
    coordinator
        .with_node_id(BrokerId(-1))
        .with_port(-1)
        .with_error_code(error.code())
        .with_error_message(Some(text(message)))
}
