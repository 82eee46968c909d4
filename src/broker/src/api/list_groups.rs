//! ListGroups: groups with members, and those that only have committed offsets.

use super::{Answer, Api, Call, text};
use crate::sync::lock;
use crossdock_wire::shape::{Field, TEXT, values};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::list_groups_response::ListedGroup;
use kafka_protocol::messages::{GroupId, ListGroupsRequest, ListGroupsResponse};
use kafka_protocol::protocol::StrBytes;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

pub(crate) struct ListGroups;

impl Api for ListGroups {
    type Request = ListGroupsRequest;
    const VERSIONS: RangeInclusive<i16> = 0..=5;
    const SHAPE: &'static [Field] = &[values(&TEXT).since(4), values(&TEXT).since(5)];

    async fn handle(call: &Call, request: ListGroupsRequest) -> Answer<ListGroupsResponse> {
        let mut groups: BTreeMap<String, (String, &str)> = BTreeMap::new();
        for id in lock(&call.shared.offsets).group_ids() {
            groups.insert(id.clone(), (String::new(), "Empty"));
        }
        for (id, protocol_type, state) in call.shared.groups.list() {
            groups.insert(id, (protocol_type, state));
        }
        let passes = |filter: &[StrBytes], value: &str| {
            filter.is_empty() || filter.iter().any(|wanted| wanted.eq_ignore_ascii_case(value))
        };
        groups.retain(|_, (_, state)| {
            passes(&request.states_filter, state) && passes(&request.types_filter, "classic")
        });
        let listed = |(id, (protocol_type, state)): (String, (String, &str))| {
            ListedGroup::default()
                .with_group_id(GroupId(text(id)))
                .with_protocol_type(text(protocol_type))
                .with_group_state(if call.version >= 4 { text(state) } else { StrBytes::default() })
                .with_group_type(if call.version >= 5 { text("classic") } else { StrBytes::default() })
        };
        ListGroupsResponse::default().with_groups(groups.into_iter().map(listed).collect()).into()
    }

    fn refuse(_: &Call, _: ListGroupsRequest, error: ResponseError) -> ListGroupsResponse {
        ListGroupsResponse::default().with_error_code(error.code())
    }
}
