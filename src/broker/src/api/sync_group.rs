//! SyncGroup: answered when the leader has assigned.

use super::{Answer, Api, Call, kept, text};
use crate::group::{Sync, Synced};
use crossdock_wire::shape::{BLOB, Field, INT32, TEXT, structs};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::{SyncGroupRequest, SyncGroupResponse};
use std::ops::RangeInclusive;

pub(crate) struct SyncGroup;

impl Api for SyncGroup {
    type Request = SyncGroupRequest;
    const VERSIONS: RangeInclusive<i16> = 0..=5;
    const SHAPE: &'static [Field] =
        &[TEXT, INT32, TEXT, TEXT.since(3), TEXT.since(5), TEXT.since(5), structs(&[TEXT, BLOB])];

    async fn handle(call: &Call, request: SyncGroupRequest) -> Answer<SyncGroupResponse> {
        let assignments = request.assignments.into_iter();
        let sync = Sync {
            member_id: request.member_id.to_string(),
            instance_id: request.group_instance_id.map(|id| id.to_string()),
            generation: request.generation_id,
            protocol_type: request.protocol_type.map(|name| name.to_string()),
            protocol: request.protocol_name.map(|name| name.to_string()),
            assignments: assignments.map(|a| (a.member_id.to_string(), kept(&a.assignment))).collect(),
        };
        respond(call, call.shared.groups.sync(&request.group_id, sync).await).into()
    }

    fn refuse(call: &Call, _: SyncGroupRequest, error: ResponseError) -> SyncGroupResponse {
        respond(call, Synced::refused(error))
    }
}

fn respond(call: &Call, synced: Synced) -> SyncGroupResponse {
    SyncGroupResponse::default()
        .with_error_code(synced.error.map_or(0, |error| error.code()))
        .with_protocol_type(synced.protocol_type.filter(|_| call.version >= 5).map(text))
        .with_protocol_name(synced.protocol.filter(|_| call.version >= 5).map(text))
        .with_assignment(synced.assignment)
}
