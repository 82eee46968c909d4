//! `/connectors/{name}/offsets` (`ConnectorsResource`, KIP-875).

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use crossdock_runtime::herder::offsets::{ConnectorOffset, ConnectorOffsets, Message};
use serde::Deserialize;

use crate::bodies::JsonBody;
use crate::errors::{ApiError, answer};
use crate::negotiate::{Consumes, resource};
use crate::server::App;

pub(crate) fn routes() -> Router<App> {
    let methods = get(list).patch(alter).delete(reset);
    let allow = "HEAD, DELETE, GET, OPTIONS, PATCH";
    Router::new().route("/connectors/{name}/offsets", resource(methods, Consumes::Json, allow))
}

/// The body of a request that alters offsets.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Alteration {
    #[serde(default)]
    offsets: Option<Vec<ConnectorOffset>>,
}

async fn list(State(app): State<App>, Path(name): Path<String>) -> Result<Json<ConnectorOffsets>, ApiError> {
    Ok(Json(answer(app.herder.connector_offsets(&name)).await?))
}

async fn alter(
    State(app): State<App>,
    Path(name): Path<String>,
    body: JsonBody,
) -> Result<Json<Message>, ApiError> {
    let Alteration { offsets } = body.required()?;
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
