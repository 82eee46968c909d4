//! Heartbeat of a group member.

use super::{Answer, Api, Call, code};
use crate::group::Identity;
use crossdock_wire::shape::{Field, INT32, TEXT};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::{HeartbeatRequest, HeartbeatResponse};
use std::ops::RangeInclusive;

pub(crate) struct Heartbeat;

impl Api for Heartbeat {
    type Request = HeartbeatRequest;
    const VERSIONS: RangeInclusive<i16> = 0..=4;
    const SHAPE: &'static [Field] = &[TEXT, INT32, TEXT, TEXT.since(3)];

    async fn handle(call: &Call, request: HeartbeatRequest) -> Answer<HeartbeatResponse> {
        let instance_id = request.group_instance_id.as_deref();
        let who = Identity { member_id: &request.member_id, instance_id };
        let heard = call.shared.groups.heartbeat(&request.group_id, who, request.generation_id);
        HeartbeatResponse::default().with_error_code(code(heard)).into()
    }

    fn refuse(_: &Call, _: HeartbeatRequest, error: ResponseError) -> HeartbeatResponse {
        HeartbeatResponse::default().with_error_code(error.code())
    }
}
