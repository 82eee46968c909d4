//! `/connectors` and `/connectors/{name}` (`ConnectorsResource`), without the tasks.

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use crossdock_runtime::HerderError;
use crossdock_runtime::herder::{ConnectorInfo, ConnectorStatus, RestartRequest, State as RunState};
use serde_json::{Map, Value};

use crate::errors::{ApiError, answer};
use crate::negotiate::{Consumes, resource};
use crate::server::App;

/// The parameters of a query, decoded, in their order.
pub(crate) type Parameters = Query<Vec<(String, String)>>;

pub(crate) fn routes() -> Router<App> {
    let read = "HEAD, GET, OPTIONS";
    Router::new()
        .route("/connectors", resource(get(list), Consumes::Json, read))
        .route("/connectors/{name}", resource(get(info), Consumes::Json, read))
        .route("/connectors/{name}/config", resource(get(config), Consumes::Json, read))
        .route("/connectors/{name}/status", resource(get(status), Consumes::Json, read))
        .route("/connectors/{name}/restart", resource(post(restart), Consumes::Json, "POST, OPTIONS"))
}

async fn list(State(app): State<App>, Query(query): Parameters) -> Result<Response, ApiError> {
    let names = answer(app.herder.connectors()).await?;
    let expansions: Vec<&str> =
        query.iter().filter(|(key, _)| key == "expand").map(|(_, value)| value.as_str()).collect();
    if expansions.is_empty() {
        return Ok(Json(names).into_response());
    }
    let mut expanded = Map::new();
    for name in names {
        match expand(&app, &name, &expansions).await {
            Ok(parts) => drop(expanded.insert(name, Value::Object(parts))),
            // Deleted since the names were read.
            Err(Expansion::Gone) => {}
            Err(Expansion::Failed(error)) => return Err(error),
        }
    }
    Ok(Json(expanded).into_response())
}

/// Why a connector is not in an expanded list.
enum Expansion {
    Gone,
    Failed(ApiError),
}

impl From<HerderError> for Expansion {
    fn from(error: HerderError) -> Self {
        match error {
            HerderError::NotFound(_) => Self::Gone,
            other => Self::Failed(other.into()),
        }
    }
}

async fn expand(app: &App, name: &str, expansions: &[&str]) -> Result<Map<String, Value>, Expansion> {
    let mut parts = Map::new();
    for &expansion in expansions {
        let part = match expansion {
            _ if parts.contains_key(expansion) => continue,
            "info" => serde_json::to_value(waited(app.herder.connector_info(name)).await?),
            "status" => serde_json::to_value(waited(app.herder.connector_status(name)).await?),
            _ => continue,
        };
        let part = part.map_err(|e| Expansion::Failed(ApiError::internal(e.to_string())))?;
        parts.insert(expansion.to_owned(), part);
    }
    Ok(parts)
}

/// As [`answer`], but leaves it to the caller what a missing connector means.
async fn waited<T>(asked: impl Future<Output = Result<T, HerderError>>) -> Result<T, Expansion> {
    match answer(async { Ok(asked.await) }).await {
        Ok(answered) => Ok(answered?),
        Err(timed_out) => Err(Expansion::Failed(timed_out)),
    }
}

async fn info(State(app): State<App>, Path(name): Path<String>) -> Result<Json<ConnectorInfo>, ApiError> {
    Ok(Json(answer(app.herder.connector_info(&name)).await?))
}

async fn config(State(app): State<App>, Path(name): Path<String>) -> Result<Response, ApiError> {
    Ok(Json(answer(app.herder.connector_info(&name)).await?.config).into_response())
}

async fn status(State(app): State<App>, Path(name): Path<String>) -> Result<Json<ConnectorStatus>, ApiError> {
    Ok(Json(answer(app.herder.connector_status(&name)).await?))
}

/// KIP-745: without parameters only the connector is restarted and nothing is answered; else the answer
/// tells which parts will be restarted.
async fn restart(
    State(app): State<App>,
    Path(name): Path<String>,
    Query(query): Parameters,
) -> Result<Response, ApiError> {
    let request = RestartRequest {
        include_tasks: flag(&query, "includeTasks"),
        only_failed: flag(&query, "onlyFailed"),
    };
    if request == RestartRequest::default() {
        answer(app.herder.restart_connector(&name, request)).await?;
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let before = match waited(app.herder.connector_status(&name)).await {
        Ok(status) => status,
        Err(Expansion::Gone) => return Err(ApiError::not_found(format!("Unknown connector: {name}"))),
        Err(Expansion::Failed(error)) => return Err(error),
    };
    answer(app.herder.restart_connector(&name, request)).await?;
    Ok((StatusCode::ACCEPTED, Json(planned(before, request))).into_response())
}

/// The status with what is to be restarted as RESTARTING (`RestartPlan`); traces stay.
fn planned(mut status: ConnectorStatus, request: RestartRequest) -> ConnectorStatus {
    let restarts = |state: RunState| !request.only_failed || state == RunState::Failed;
    if restarts(status.connector.state) {
        status.connector.state = RunState::Restarting;
    }
    for task in &mut status.tasks {
        if request.include_tasks && restarts(task.state) {
            task.state = RunState::Restarting;
        }
    }
    status
}

/// The first value of a flag as Java's `Boolean.valueOf` reads it: everything but `true` is false.
fn flag(query: &[(String, String)], name: &str) -> bool {
    query.iter().find(|(key, _)| key == name).is_some_and(|(_, value)| value.eq_ignore_ascii_case("true"))
}
