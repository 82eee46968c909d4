//! `/connectors/{name}/offsets` (`ConnectorsResource`, KIP-875).

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use crossdock_runtime::herder::offsets::{ConnectorOffset, ConnectorOffsets, Message};
use serde_json::{Map, Value};

use crate::bodies::JsonBody;
use crate::errors::{ApiError, answer};
use crate::json::{JsonError, Node, Path as Place, Step};
use crate::negotiate::{Consumes, resource};
use crate::server::App;

pub(crate) fn routes() -> Router<App> {
    let methods = get(list).patch(alter).delete(reset);
    let allow = "HEAD, DELETE, GET, OPTIONS, PATCH";
    Router::new().route("/connectors/{name}/offsets", resource(methods, Consumes::Json, allow))
}

async fn list(State(app): State<App>, Path(name): Path<String>) -> Result<Json<ConnectorOffsets>, ApiError> {
    Ok(Json(answer(app.herder.connector_offsets(&name)).await?))
}

async fn alter(
    State(app): State<App>,
    Path(name): Path<String>,
    body: JsonBody,
) -> Result<Json<Message>, ApiError> {
    let null_text = format!("Cannot invoke \"{OFFSETS}.offsets()\" because \"offsets\" is null");
    let offsets = body.shaped(alteration)?.ok_or_else(|| body.missing(&null_text))?;
    match offsets.filter(|offsets| !offsets.is_empty()) {
        Some(offsets) => Ok(Json(answer(app.herder.alter_connector_offsets(&name, offsets)).await?)),
        None => {
            let message = "Partitions / offsets need to be provided for an alter offsets request";
            Err(ApiError::new(StatusCode::BAD_REQUEST, message))
        }
    }
}

async fn reset(State(app): State<App>, Path(name): Path<String>) -> Result<Json<Message>, ApiError> {
    Ok(Json(answer(app.herder.reset_connector_offsets(&name)).await?))
}

const OFFSETS: &str = "org.apache.kafka.connect.runtime.rest.entities.ConnectorOffsets";
const OFFSET: &str = "org.apache.kafka.connect.runtime.rest.entities.ConnectorOffset";

/// The offsets of a body; none are an empty list.
fn alteration(root: &Node) -> Result<Option<Option<Vec<ConnectorOffset>>>, JsonError> {
    let Some(members) = root.record(OFFSETS, &["offsets"], &Place::default())? else { return Ok(None) };
    let mut offsets = None;
    for (_, node, path) in members.known() {
        let Some(items) = node.list(&format!("java.util.ArrayList<{OFFSET}>"), &path)? else { continue };
        let read = items.iter().enumerate().map(|(number, item)| offset(item, &path.to(Step::Item(number))));
        offsets = Some(read.collect::<Result<_, _>>()?);
    }
    members.checked()?;
    Ok(Some(offsets))
}

fn offset(node: &Node, path: &Place) -> Result<ConnectorOffset, JsonError> {
    let Some(members) = node.record(OFFSET, &["partition", "offset"], path)? else {
        let of_connect = format!("Cannot invoke \"{OFFSET}.partition()\" because \"offset\" is null");
        let mut mistake = node.mistake("an object is expected here, not null", of_connect, &Place::default());
        mistake.is_of_json = false;
        return Err(mistake);
    };
    let mut offset = ConnectorOffset { partition: None, offset: None };
    for (name, node, path) in members.known() {
        let map = object(node, &path)?;
        if name == "partition" { offset.partition = map } else { offset.offset = map }
    }
    members.checked()?;
    Ok(offset)
}

fn object(node: &Node, path: &Place) -> Result<Option<Map<String, Value>>, JsonError> {
    let class = "java.util.LinkedHashMap<java.lang.String,java.lang.Object>";
    let Some(members) = node.map(class, path)? else { return Ok(None) };
    let members = members.iter().map(|(name, node)| Ok((name.clone(), node.to_json()?)));
    members.collect::<Result<_, _>>().map(Some)
}
