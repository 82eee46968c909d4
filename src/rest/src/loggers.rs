//! `/admin/loggers` (`LoggingResource`).

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use crossdock_runtime::loggers::{LogLevel, LoggerLevel};
use std::collections::BTreeMap;

use crate::bodies::{JsonBody, null_map};
use crate::connectors::Parameters;
use crate::errors::ApiError;
use crate::negotiate::{Consumes, resource};
use crate::server::App;

pub(crate) fn routes() -> Router<App> {
    let one = get(level).put(set);
    Router::new()
        .route("/admin/loggers", resource(get(list), Consumes::Json, "HEAD, GET, OPTIONS"))
        .route("/admin/loggers/{logger}", resource(one, Consumes::Json, "HEAD, GET, OPTIONS, PUT"))
}

async fn list(State(app): State<App>) -> Json<BTreeMap<String, LoggerLevel>> {
    Json(app.log_levels.map(|levels| levels.levels()).unwrap_or_default())
}

async fn level(State(app): State<App>, Path(logger): Path<String>) -> Result<Json<LoggerLevel>, ApiError> {
    let found = app.log_levels.and_then(|levels| levels.level(&logger));
    found.map(Json).ok_or_else(|| ApiError::not_found(format!("Logger {logger} not found.")))
}

/// A worker that is alone is its whole cluster; only the answer differs. A scope that nobody knows is the worker.
async fn set(
    State(app): State<App>,
    Path(logger): Path<String>,
    Query(query): Parameters,
    body: JsonBody,
) -> Result<Response, ApiError> {
    let wanted = body.config(&null_map("get(Object)", "levelMap"))?;
    let Some(Some(name)) = wanted.get("level") else {
        let message = "Desired 'level' parameter was not specified in request.";
        return Err(ApiError::new(StatusCode::BAD_REQUEST, message));
    };
    if name.is_empty() {
        let message = "Illegal null or empty Level name.";
        return Err(body.mistake(message, message));
    }
    let wanted =
        LogLevel::named(name).ok_or_else(|| ApiError::not_found(format!("invalid log level '{name}'.")))?;
    let changed = app.log_levels.map(|levels| levels.set(&logger, wanted)).unwrap_or_default();
    let scope = query.iter().find(|(key, _)| key == "scope").map_or("worker", |(_, scope)| scope);
    match scope.eq_ignore_ascii_case("cluster") {
        true => Ok(StatusCode::NO_CONTENT.into_response()),
        false => Ok(Json(changed).into_response()),
    }
}
