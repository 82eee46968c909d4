//! DescribeGroups: state, members and assignments.

use super::{Answer, Api, Call, text};
use crate::group::{DescribedMember, Description};
use crate::sync::lock;
use crossdock_wire::shape::{BOOL, Field, TEXT, values};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::describe_groups_response::{DescribedGroup, DescribedGroupMember};
use kafka_protocol::messages::{DescribeGroupsRequest, DescribeGroupsResponse, GroupId};
use std::ops::RangeInclusive;

pub(crate) struct DescribeGroups;

impl Api for DescribeGroups {
    type Request = DescribeGroupsRequest;
    const VERSIONS: RangeInclusive<i16> = 0..=6;
    const SHAPE: &'static [Field] = &[values(&TEXT), BOOL.since(3)];

    async fn handle(call: &Call, request: DescribeGroupsRequest) -> Answer<DescribeGroupsResponse> {
        let groups = request.groups.into_iter().map(|id| describe(call, id)).collect();
        DescribeGroupsResponse::default().with_groups(groups).into()
    }

    fn refuse(_: &Call, request: DescribeGroupsRequest, error: ResponseError) -> DescribeGroupsResponse {
        let refused = |id| DescribedGroup::default().with_group_id(id).with_error_code(error.code());
        DescribeGroupsResponse::default().with_groups(request.groups.into_iter().map(refused).collect())
    }
}

fn describe(call: &Call, id: GroupId) -> DescribedGroup {
    let group = DescribedGroup::default();
    if let Some(description) = call.shared.groups.describe(&id) {
        return described(call, group.with_group_id(id), description);
    }
    if lock(&call.shared.offsets).group(&id).is_some() {
        return group.with_group_id(id).with_group_state(text("Empty"));
    }
    let message = format!("Group {} not found.", &*id);
    let group = group.with_group_id(id).with_group_state(text("Dead"));
    if call.version < 6 {
        return group;
    }
    group.with_error_code(ResponseError::GroupIdNotFound.code()).with_error_message(Some(text(message)))
}

fn described(call: &Call, group: DescribedGroup, description: Description) -> DescribedGroup {
    let member = |member: DescribedMember| {
        DescribedGroupMember::default()
            .with_member_id(text(member.member_id))
            .with_group_instance_id(member.instance_id.filter(|_| call.version >= 4).map(text))
            .with_client_id(text(member.client_id))
            .with_client_host(text(member.client_host))
            .with_member_metadata(member.metadata)
            .with_member_assignment(member.assignment)
    };
    group
        .with_group_state(text(description.state))
        .with_protocol_type(text(description.protocol_type))
        .with_protocol_data(text(description.protocol))
        .with_members(description.members.into_iter().map(member).collect())
}
