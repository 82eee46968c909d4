//! `GET /` and `GET /health` (`RootResource`).

use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use crossdock_runtime::herder::ServerInfo;
use serde::Serialize;

use crate::errors::{ApiError, answer};
use crate::negotiate::{Consumes, resource};
use crate::server::App;

/// How long a health check waits for the herder (`DEFAULT_HEALTH_CHECK_TIMEOUT_MS`).
const HEALTH_TIMEOUT: Duration = Duration::from_secs(10);

pub(crate) fn routes() -> Router<App> {
    let methods = "HEAD, GET, OPTIONS";
    Router::new()
        .route("/", resource(get(server_info), Consumes::Anything, methods))
        .route("/health", resource(get(health), Consumes::Anything, methods))
}

async fn server_info(State(app): State<App>) -> Result<Json<ServerInfo>, ApiError> {
    Ok(Json(answer(async { Ok(app.herder.server_info().await) }).await?))
}

/// Body of `GET /health` (`WorkerStatus`, KIP-1017).
#[derive(Debug, Serialize)]
struct WorkerStatus {
    status: &'static str,
    message: &'static str,
}

const HEALTHY: WorkerStatus = WorkerStatus {
    status: "healthy",
    message: "Worker has completed startup and is ready to handle requests.",
};
const STARTING: WorkerStatus = WorkerStatus { status: "starting", message: "Worker is still starting up." };
const UNHEALTHY: WorkerStatus = WorkerStatus {
    status: "unhealthy",
    message: "Worker was unable to handle this request and may be unable to handle other requests.",
};

/// A worker is healthy if its herder answers. One that does not is taken to be starting until it has
/// answered once.
async fn health(State(app): State<App>) -> Response {
    check_within(HEALTH_TIMEOUT, &app).await
}

async fn check_within(limit: Duration, app: &App) -> Response {
    match tokio::time::timeout(limit, app.herder.connectors()).await {
        Ok(Ok(_)) => {
            app.has_answered.store(true, Ordering::Relaxed);
            Json(HEALTHY).into_response()
        }
        Ok(Err(error)) => ApiError::from(error).into_response(),
        Err(_) if app.has_answered.load(Ordering::Relaxed) => {
            (StatusCode::INTERNAL_SERVER_ERROR, Json(UNHEALTHY)).into_response()
        }
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, Json(STARTING)).into_response(),
    }
}
