//! LeaveGroup: one member, or since version 3 several (KIP-345).

use super::{Answer, Api, Call, code};
use crate::group::Identity;
use crossdock_wire::shape::{Field, TEXT, structs};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::leave_group_response::MemberResponse;
use kafka_protocol::messages::{LeaveGroupRequest, LeaveGroupResponse};
use std::ops::RangeInclusive;

pub(crate) struct LeaveGroup;

impl Api for LeaveGroup {
    type Request = LeaveGroupRequest;
    const VERSIONS: RangeInclusive<i16> = 0..=5;
    const SHAPE: &'static [Field] = &[TEXT, TEXT.until(2), structs(&[TEXT, TEXT, TEXT.since(5)]).since(3)];

    async fn handle(call: &Call, request: LeaveGroupRequest) -> Answer<LeaveGroupResponse> {
        let leave = |member_id: &str, instance_id: Option<&str>| {
            call.shared.groups.leave(&request.group_id, Identity { member_id, instance_id })
        };
        if call.version < 3 {
            let left = leave(&request.member_id, None);
            return LeaveGroupResponse::default().with_error_code(code(left)).into();
        }
        let member = |member: MemberIdentity| {
            let left = leave(&member.member_id, member.group_instance_id.as_deref());
            MemberResponse::default()
                .with_member_id(member.member_id)
                .with_group_instance_id(member.group_instance_id)
                .with_error_code(code(left))
        };
        LeaveGroupResponse::default().with_members(request.members.into_iter().map(member).collect()).into()
    }

    fn refuse(_: &Call, _: LeaveGroupRequest, error: ResponseError) -> LeaveGroupResponse {
        LeaveGroupResponse::default().with_error_code(error.code())
    }
}
