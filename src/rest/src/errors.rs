//! Errors as Connect answers them (`ErrorMessage`, `ConnectExceptionMapper`), and the limit on how long
//! a herder is waited for.

use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use crossdock_runtime::HerderError;
use serde::Serialize;

/// How long a herder may take for an answer (`RestRequestTimeout.DEFAULT_REST_REQUEST_TIMEOUT_MS`).
const HERDER_TIMEOUT: Duration = Duration::from_secs(90);

/// The body of an error.
#[derive(Debug, Serialize)]
struct ErrorMessage<'m> {
    error_code: u16,
    message: &'m str,
}

/// An error that a resource answers: JSON with its content type.
#[derive(Debug)]
pub(crate) struct ApiError {
    status: StatusCode,
    message: String,
}

impl ApiError {
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self { status: StatusCode::NOT_FOUND, message: message.into() }
    }

    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self { status: StatusCode::INTERNAL_SERVER_ERROR, message: message.into() }
    }
}

#[cfg(test)]
impl ApiError {
    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    pub(crate) fn message(&self) -> &str {
        &self.message
    }
}

impl From<HerderError> for ApiError {
    fn from(error: HerderError) -> Self {
        let status = match &error {
            HerderError::BadRequest(_) => StatusCode::BAD_REQUEST,
            HerderError::Conflict(_) => StatusCode::CONFLICT,
            HerderError::Forbidden(_) => StatusCode::FORBIDDEN,
            HerderError::NotFound(_) => StatusCode::NOT_FOUND,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self { status, message: error.to_string() }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = ErrorMessage { error_code: self.status.as_u16(), message: &self.message };
        (self.status, Json(body)).into_response()
    }
}

/// An error from before a resource is reached. Connect sends it as JSON too, but without a content
/// type, and tools that read its answers rely on neither.
pub(crate) fn bare(status: StatusCode) -> Response {
    let reason = status.canonical_reason().unwrap_or_default();
    bare_because(status, &format!("HTTP {} {reason}", status.as_u16()))
}

/// As [`bare`], with a message of our own.
pub(crate) fn bare_because(status: StatusCode, message: &str) -> Response {
    let error = ErrorMessage { error_code: status.as_u16(), message };
    // A number and a text always serialize.
    let body = serde_json::to_vec(&error).unwrap_or_default();
    (status, Body::from(body)).into_response()
}

/// Waits for a herder's answer, for at most 90 seconds.
pub(crate) async fn answer<T>(asked: impl Future<Output = Result<T, HerderError>>) -> Result<T, ApiError> {
    answer_within(HERDER_TIMEOUT, asked).await
}

async fn answer_within<T>(
    limit: Duration,
    asked: impl Future<Output = Result<T, HerderError>>,
) -> Result<T, ApiError> {
    match tokio::time::timeout(limit, asked).await {
        Ok(answered) => Ok(answered?),
        Err(_) => Err(ApiError::internal(
            "Request timed out. The worker is busy or cannot reach a Kafka broker; its log says more.",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_herder_that_never_answers_is_500() {
        let never = std::future::pending::<Result<(), HerderError>>();
        let error = answer_within(Duration::ZERO, never).await.unwrap_err();
        assert_eq!(error.status, StatusCode::INTERNAL_SERVER_ERROR);
        assert!(error.message.starts_with("Request timed out"));
    }

    #[test]
    fn herder_errors_have_their_status() {
        let status = |error: HerderError| ApiError::from(error).status.as_u16();
        assert_eq!(status(HerderError::BadRequest(String::new())), 400);
        assert_eq!(status(HerderError::Conflict(String::new())), 409);
        assert_eq!(status(HerderError::NotFound(String::new())), 404);
        assert_eq!(status(HerderError::Internal(String::new())), 500);
    }

    #[test]
    fn errors_before_a_resource_have_no_content_type() {
        assert!(bare(StatusCode::NOT_FOUND).headers().get("content-type").is_none());
        assert!(ApiError::not_found("x").into_response().headers().contains_key("content-type"));
    }
}
