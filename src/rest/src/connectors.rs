//! `/connectors` and `/connectors/{name}` (`ConnectorsResource`), without the tasks.

use axum::extract::{Path, Query, State};
use axum::http::header::{HOST, LOCATION};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use crossdock_api::config::NullableConfig;
use crossdock_runtime::HerderError;
use crossdock_runtime::herder::{
    ConnectorInfo, ConnectorStatus, RestartRequest, State as RunState, TargetState,
};
use serde_json::{Map, Value};

use crate::bodies::{JsonBody, NewConnector, null_map};
use crate::errors::{ApiError, answer};
use crate::negotiate::{Consumes, resource};
use crate::path;
use crate::server::App;

/// The parameters of a query, decoded, in their order.
pub(crate) type Parameters = Query<Vec<(String, String)>>;

pub(crate) fn routes() -> Router<App> {
    let read = "HEAD, GET, OPTIONS";
    Router::new()
        .route("/connectors", resource(get(list).post(create), Consumes::Json, "HEAD, POST, GET, OPTIONS"))
        .route(
            "/connectors/{name}",
            resource(get(info).delete(delete), Consumes::Json, "HEAD, DELETE, GET, OPTIONS"),
        )
        .route(
            "/connectors/{name}/config",
            resource(
                get(config).put(put_config).patch(patch_config),
                Consumes::Json,
                "HEAD, GET, OPTIONS, PATCH, PUT",
            ),
        )
        .route("/connectors/{name}/pause", resource(put(pause), Consumes::Json, "OPTIONS, PUT"))
        .route("/connectors/{name}/resume", resource(put(resume), Consumes::Json, "OPTIONS, PUT"))
        .route("/connectors/{name}/stop", resource(put(stop), Consumes::Json, "OPTIONS, PUT"))
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

async fn create(State(app): State<App>, headers: HeaderMap, body: JsonBody) -> Result<Response, ApiError> {
    let NewConnector { name, mut config, initial_state } = body.new_connector()?;
    let name = name.as_deref().map(java_trim).unwrap_or_default();
    name_config(name, &mut config)?;
    let created = answer(app.herder.create_connector(name, config, initial_state)).await?;
    created_at(&app, &headers, name, created)
}

async fn put_config(
    State(app): State<App>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: JsonBody,
) -> Result<Response, ApiError> {
    let mut config = body.config(&null_map("get(Object)", "connectorConfig"))?;
    name_config(&name, &mut config)?;
    match answer(app.herder.put_connector_config(&name, config)).await? {
        (true, created) => created_at(&app, &headers, &name, created),
        (false, info) => Ok(Json(info).into_response()),
    }
}

async fn patch_config(
    State(app): State<App>,
    Path(name): Path<String>,
    body: JsonBody,
) -> Result<Json<ConnectorInfo>, ApiError> {
    let null_text = null_map("forEach(java.util.function.BiConsumer)", "patch");
    let patch = match body.config(&null_text) {
        Ok(patch) => patch,
        // That the connector is not there comes first, unless the body cannot be read.
        Err(error) if body.is_null() => {
            answer(app.herder.connector_info(&name)).await?;
            return Err(error);
        }
        Err(error) => return Err(error),
    };
    Ok(Json(answer(app.herder.patch_connector_config(&name, patch)).await?))
}

async fn delete(State(app): State<App>, Path(name): Path<String>) -> Result<StatusCode, ApiError> {
    answer(app.herder.delete_connector(&name)).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn pause(State(app): State<App>, Path(name): Path<String>) -> Result<StatusCode, ApiError> {
    answer(app.herder.set_target_state(&name, TargetState::Paused)).await?;
    Ok(StatusCode::ACCEPTED)
}

async fn resume(State(app): State<App>, Path(name): Path<String>) -> Result<StatusCode, ApiError> {
    answer(app.herder.set_target_state(&name, TargetState::Started)).await?;
    Ok(StatusCode::ACCEPTED)
}

async fn stop(State(app): State<App>, Path(name): Path<String>) -> Result<StatusCode, ApiError> {
    answer(app.herder.set_target_state(&name, TargetState::Stopped)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A name without what Java's `String.trim` takes away.
fn java_trim(name: &str) -> &str {
    name.trim_matches(|unit: char| unit <= ' ')
}

/// The name in a configuration is that of the request, and is set if it is missing.
fn name_config(name: &str, config: &mut NullableConfig) -> Result<(), ApiError> {
    if let Some(Some(included)) = config.get("name")
        && included != name
    {
        let message = format!(
            "Connector name configuration ({included}) doesn't match connector name in the URL ({name})"
        );
        return Err(ApiError::new(StatusCode::BAD_REQUEST, message));
    }
    config.insert("name".to_owned(), Some(name.to_owned()));
    Ok(())
}

/// 201, and where the connector is now.
fn created_at(app: &App, headers: &HeaderMap, name: &str, info: ConnectorInfo) -> Result<Response, ApiError> {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let path = path::segment(name, app.as_connect).map_err(ApiError::internal)?;
    let location = format!("http://{host}/connectors/{path}");
    Ok((StatusCode::CREATED, [(LOCATION, location)], Json(info)).into_response())
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
