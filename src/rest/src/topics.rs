//! `/connectors/{name}/topics` (`ConnectorsResource`, KIP-558).

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, put};
use axum::{Json, Router};
use serde::Serialize;
use std::collections::BTreeMap;

use crate::errors::{ApiError, answer};
use crate::negotiate::{Consumes, resource};
use crate::server::App;

pub(crate) fn routes() -> Router<App> {
    let topics = "/connectors/{name}/topics";
    Router::new()
        .route(topics, resource(get(list), Consumes::Json, "HEAD, GET, OPTIONS"))
        .route(&format!("{topics}/reset"), resource(put(reset), Consumes::Json, "OPTIONS, PUT"))
}

/// The topics of a connector (`ActiveTopicsInfo`).
#[derive(Debug, Serialize)]
struct ActiveTopics {
    topics: Vec<String>,
}

async fn list(
    State(app): State<App>,
    Path(name): Path<String>,
) -> Result<Json<BTreeMap<String, ActiveTopics>>, ApiError> {
    let topics = answer(app.herder.active_topics(&name)).await?;
    Ok(Json([(name, ActiveTopics { topics })].into()))
}

async fn reset(State(app): State<App>, Path(name): Path<String>) -> Result<StatusCode, ApiError> {
    answer(app.herder.reset_active_topics(&name)).await?;
    Ok(StatusCode::ACCEPTED)
}
