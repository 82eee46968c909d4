//! `/connectors/{name}/tasks` (`ConnectorsResource`).

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use crossdock_runtime::herder::{TaskInfo, TaskStatus};

use crate::errors::{ApiError, answer};
use crate::internal::put_task_configs;
use crate::negotiate::{Consumes, resource};
use crate::server::App;

pub(crate) fn routes() -> Router<App> {
    let read = "HEAD, GET, OPTIONS";
    let task = "/connectors/{name}/tasks/{task}";
    Router::new()
        .route(
            "/connectors/{name}/tasks",
            resource(get(configs).post(put_task_configs), Consumes::Anything, "HEAD, POST, GET, OPTIONS"),
        )
        .route(&format!("{task}/status"), resource(get(status), Consumes::Json, read))
        .route(&format!("{task}/restart"), resource(post(restart), Consumes::Json, "POST, OPTIONS"))
}

async fn configs(State(app): State<App>, Path(name): Path<String>) -> Result<Json<Vec<TaskInfo>>, ApiError> {
    Ok(Json(answer(app.herder.task_configs(&name)).await?))
}

async fn status(
    State(app): State<App>,
    Path((name, task)): Path<(String, String)>,
) -> Result<Json<TaskStatus>, ApiError> {
    let task = number(&task)?;
    let missing = || ApiError::not_found(format!("No status found for task {name}-{task}"));
    let task = u32::try_from(task).map_err(|_| missing())?;
    Ok(Json(answer(app.herder.task_status(&name, task)).await?))
}

async fn restart(
    State(app): State<App>,
    Path((name, task)): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    let task = number(&task)?;
    let missing = || ApiError::not_found(format!("Task {name}-{task} not found"));
    let task = u32::try_from(task).map_err(|_| missing())?;
    answer(app.herder.restart_task(&name, task)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A task's number as Java's `Integer.valueOf` reads it: with sign and leading zeros. What is no number
/// is an unknown path.
fn number(text: &str) -> Result<i32, ApiError> {
    text.parse().map_err(|_| ApiError::not_found("HTTP 404 Not Found"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn task_numbers() {
        for (text, value) in [("0", 0), ("00", 0), ("+0", 0), ("-1", -1), ("2147483647", i32::MAX)] {
            assert_eq!(number(text).unwrap(), value);
        }
        for text in ["", " ", "1.5", "0x0", "abc", "2147483648", "+", "--1"] {
            assert!(number(text).is_err(), "{text}");
        }
    }
}
