//! DeleteGroups: groups without members, with their committed offsets.

use super::{Answer, Api, Call, code};
use crate::shared::Shared;
use crate::sync::lock;
use crossdock_wire::shape::{Field, TEXT, values};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::delete_groups_response::DeletableGroupResult;
use kafka_protocol::messages::{DeleteGroupsRequest, DeleteGroupsResponse, GroupId};
use std::ops::RangeInclusive;

pub(crate) struct DeleteGroups;

impl Api for DeleteGroups {
    type Request = DeleteGroupsRequest;
    const VERSIONS: RangeInclusive<i16> = 0..=2;
    const SHAPE: &'static [Field] = &[values(&TEXT)];

    async fn handle(call: &Call, request: DeleteGroupsRequest) -> Answer<DeleteGroupsResponse> {
        let delete = move |shared: &Shared| respond(request, |id| delete(shared, id));
        call.shared.blocking(delete).await.into()
    }

    fn refuse(_: &Call, request: DeleteGroupsRequest, error: ResponseError) -> DeleteGroupsResponse {
        respond(request, |_| Err(error))
    }
}

fn respond(
    request: DeleteGroupsRequest,
    delete: impl Fn(&str) -> Result<(), ResponseError>,
) -> DeleteGroupsResponse {
    let result = |id: GroupId| {
        let deleted = delete(&id);
        DeletableGroupResult::default().with_group_id(id).with_error_code(code(deleted))
    };
    DeleteGroupsResponse::default().with_results(request.groups_names.into_iter().map(result).collect())
}

fn delete(shared: &Shared, id: &str) -> Result<(), ResponseError> {
    match shared.groups.delete(id, || lock(&shared.offsets).delete_group(id))? {
        Ok(true) => Ok(()),
        Ok(false) => Err(ResponseError::GroupIdNotFound),
        Err(error) => {
            tracing::error!(group = id, %error, "the offsets of the group could not be deleted");
            Err(ResponseError::CoordinatorNotAvailable)
        }
    }
}
