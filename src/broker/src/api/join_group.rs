//! JoinGroup: answered when the rebalance is through.

use super::{Answer, Api, Call, kept, text};
use crate::group::{Join, Joined, JoinedMember};
use crossdock_wire::shape::{BLOB, Field, INT32, TEXT, structs};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::join_group_response::JoinGroupResponseMember;
use kafka_protocol::messages::{JoinGroupRequest, JoinGroupResponse};
use std::ops::RangeInclusive;
use uuid::Uuid;

pub(crate) struct JoinGroup;

impl Api for JoinGroup {
    type Request = JoinGroupRequest;
    const VERSIONS: RangeInclusive<i16> = 0..=9;
    const SHAPE: &'static [Field] =
        &[TEXT, INT32, INT32.since(1), TEXT, TEXT.since(5), TEXT, structs(&[TEXT, BLOB]), TEXT.since(8)];

    async fn handle(call: &Call, request: JoinGroupRequest) -> Answer<JoinGroupResponse> {
        let instance_id = request.group_instance_id.map(|id| id.to_string());
        let prefix = instance_id.as_deref().unwrap_or(&call.client_id);
        let millis = |millis: i32| u64::try_from(millis).unwrap_or(0);
        // Version 0 has no rebalance timeout of its own.
        let rebalance =
            if call.version >= 1 { request.rebalance_timeout_ms } else { request.session_timeout_ms };
        let join = Join {
            group_id: request.group_id.to_string(),
            member_id: request.member_id.to_string(),
            new_member_id: format!("{prefix}-{}", Uuid::new_v4()),
            instance_id,
            client_id: call.client_id.clone(),
            client_host: call.client_host.clone(),
            session_timeout: millis(request.session_timeout_ms),
            rebalance_timeout: millis(rebalance),
            protocol_type: request.protocol_type.to_string(),
            protocols: request
                .protocols
                .into_iter()
                .map(|p| (p.name.to_string(), kept(&p.metadata)))
                .collect(),
            require_known_id: call.version >= 4,
            can_skip_assignment: call.version >= 9,
        };
        respond(call, call.shared.groups.join(join).await).into()
    }

    fn refuse(call: &Call, request: JoinGroupRequest, error: ResponseError) -> JoinGroupResponse {
        respond(call, Joined::refused(error, &request.member_id))
    }
}

fn respond(call: &Call, joined: Joined) -> JoinGroupResponse {
    let member = |member: JoinedMember| {
        JoinGroupResponseMember::default()
            .with_member_id(text(member.member_id))
            .with_group_instance_id(member.instance_id.filter(|_| call.version >= 5).map(text))
            .with_metadata(member.metadata)
    };
    // The protocol can be null only since version 7.
    let protocol = joined.protocol.or_else(|| (call.version < 7).then(String::new));
    JoinGroupResponse::default()
        .with_error_code(joined.error.map_or(0, |error| error.code()))
        .with_generation_id(joined.generation)
        .with_protocol_type(joined.protocol_type.filter(|_| call.version >= 7).map(text))
        .with_protocol_name(protocol.map(text))
        .with_leader(text(joined.leader))
        .with_skip_assignment(joined.skip_assignment)
        .with_member_id(text(joined.member_id))
        .with_members(joined.members.into_iter().map(member).collect())
}
