//! `GET /` and `GET /health` (`RootResource`).

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use crossdock_runtime::HerderError;
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
    let answered = tokio::time::timeout(HEALTH_TIMEOUT, app.herder.connectors()).await;
    match verdict(answered.ok().map(|names| names.map(drop)), &app.has_answered) {
        Ok((status, body)) => (status, Json(body)).into_response(),
        Err(error) => ApiError::from(error).into_response(),
    }
}

/// What to say about an answer; `None` is none in time.
fn verdict(
    answered: Option<Result<(), HerderError>>,
    has_answered: &AtomicBool,
) -> Result<(StatusCode, WorkerStatus), HerderError> {
    match answered {
        Some(Ok(())) => {
            has_answered.store(true, Ordering::Relaxed);
            Ok((StatusCode::OK, HEALTHY))
        }
        Some(Err(error)) => Err(error),
        None if has_answered.load(Ordering::Relaxed) => Ok((StatusCode::INTERNAL_SERVER_ERROR, UNHEALTHY)),
        None => Ok((StatusCode::SERVICE_UNAVAILABLE, STARTING)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_herder_is_starting_until_it_has_answered() {
        let has_answered = AtomicBool::default();
        let said =
            |answered| verdict(answered, &has_answered).map(|(code, body)| (code.as_u16(), body.status));
        assert_eq!(said(None), Ok((503, "starting")));
        let error = HerderError::Conflict("rebalance".into());
        assert_eq!(said(Some(Err(error.clone()))), Err(error));
        assert_eq!(said(None), Ok((503, "starting")));
        assert_eq!(said(Some(Ok(()))), Ok((200, "healthy")));
        assert_eq!(said(None), Ok((500, "unhealthy")));
    }
}
