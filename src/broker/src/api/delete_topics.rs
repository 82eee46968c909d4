//! DeleteTopics, by name or by id.

use super::{Answer, Api, Call, text};
use crate::shared::Shared;
use crossdock_wire::shape::{Field, INT32, TEXT, UUID, structs, values};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::delete_topics_response::DeletableTopicResult;
use kafka_protocol::messages::{DeleteTopicsRequest, DeleteTopicsResponse, TopicName};
use std::ops::RangeInclusive;
use uuid::Uuid;

pub(crate) struct DeleteTopics;

impl Api for DeleteTopics {
    type Request = DeleteTopicsRequest;
    const VERSIONS: RangeInclusive<i16> = 1..=6;
    const SHAPE: &'static [Field] = &[structs(&[TEXT, UUID]).since(6), values(&TEXT).until(5), INT32];

    async fn handle(call: &Call, request: DeleteTopicsRequest) -> Answer<DeleteTopicsResponse> {
        let version = call.version;
        let delete = move |shared: &Shared| {
            let delete = |topic| delete(shared, topic, version);
            named(request).into_iter().map(delete).collect()
        };
        DeleteTopicsResponse::default().with_responses(call.shared.blocking(delete).await).into()
    }

    fn refuse(call: &Call, request: DeleteTopicsRequest, error: ResponseError) -> DeleteTopicsResponse {
        let refused = |topic: DeleteTopicState| result(topic.name, topic.topic_id, Err(error), call.version);
        DeleteTopicsResponse::default().with_responses(named(request).into_iter().map(refused).collect())
    }
}

/// The topics of the request, whichever way its version names them.
fn named(request: DeleteTopicsRequest) -> Vec<DeleteTopicState> {
    let by_name = |name| DeleteTopicState::default().with_name(Some(name));
    request.topics.into_iter().chain(request.topic_names.into_iter().map(by_name)).collect()
}

fn delete(shared: &Shared, topic: DeleteTopicState, version: i16) -> DeletableTopicResult {
    if let Some(name) = topic.name {
        let id = shared.topic(&name).map_or(Uuid::nil(), |known| known.id);
        let deleted = shared.delete_topic(&name);
        return result(Some(name), id, deleted, version);
    }
    match shared.topic_by_id(topic.topic_id) {
        None => result(None, topic.topic_id, Err(ResponseError::UnknownTopicId), version),
        Some(known) => {
            let deleted = shared.delete_topic(&known.name);
            result(Some(TopicName(text(&known.name))), topic.topic_id, deleted, version)
        }
    }
}

fn result(
    name: Option<TopicName>,
    id: Uuid,
    outcome: Result<(), ResponseError>,
    version: i16,
) -> DeletableTopicResult {
    let message = outcome.err().filter(|_| version >= 5).map(|error| text(error.to_string()));
    DeletableTopicResult::default()
        .with_name(name)
        .with_topic_id(if version >= 6 { id } else { Uuid::nil() })
        .with_error_code(super::code(outcome))
        .with_error_message(message)
}
