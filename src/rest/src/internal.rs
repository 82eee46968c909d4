//! What workers ask of each other (`InternalClusterResource`, KIP-507): to take task configs, to fence old tasks.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path as UrlPath, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::put;
use base64::DecodeError;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crossdock_api::ConfigMap;
use crossdock_api::config::NullableConfig;
use crossdock_runtime::herder::RequestSignature;

use crate::bodies::JsonBody;
use crate::errors::{ApiError, answer};
use crate::json::{Node, Path, Step};
use crate::negotiate::{Consumes, resource};
use crate::server::App;

/// Header of the signature, base64.
const AUTHORIZATION: &str = "x-connect-authorization";
/// Header of its algorithm.
const ALGORITHM: &str = "x-connect-request-signature-algorithm";
/// Algorithms of signatures.
const ALGORITHMS: &[&str] = &["HmacMD5", "HmacSHA1", "HmacSHA224", "HmacSHA256", "HmacSHA384", "HmacSHA512"];
/// Class of a list of task configs.
const TASK_CONFIGS: &str = "java.util.ArrayList<java.util.Map<java.lang.String,java.lang.String>>";

pub(crate) fn routes() -> Router<App> {
    Router::new().route("/connectors/{name}/fence", resource(put(fence), Consumes::Anything, "OPTIONS, PUT"))
}

/// `POST /connectors/{name}/tasks`.
pub(crate) async fn put_task_configs(
    State(app): State<App>,
    UrlPath(name): UrlPath<String>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<StatusCode, ApiError> {
    let body = JsonBody::of(bytes.clone(), app.as_connect);
    let configs = body.shaped(task_configs)?.ok_or_else(|| {
        let place = "[Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: 1]";
        body.mistake(
            "the body is missing or null",
            &format!("No content to map due to end-of-input\n at {place}"),
        )
    })?;
    let signature = signature(&headers, bytes)?;
    answer(app.herder.put_task_configs(&name, configs, signature)).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn fence(
    State(app): State<App>,
    UrlPath(name): UrlPath<String>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<StatusCode, ApiError> {
    let signature = signature(&headers, bytes)?;
    answer(app.herder.fence_zombie_source_tasks(&name, signature)).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn task_configs(root: &Node) -> Result<Option<Vec<ConfigMap>>, crate::json::JsonError> {
    let path = Path::default();
    let Some(items) = root.list(TASK_CONFIGS, &path)? else { return Ok(None) };
    let config = |(number, item): (usize, &Node)| {
        let texts = item.texts(&path.to(Step::Item(number)))?.unwrap_or_default();
        let config: NullableConfig = texts.into_iter().collect();
        Ok(config.into_iter().filter_map(|(key, value)| Some((key, value?))).collect())
    };
    items.iter().enumerate().map(config).collect::<Result<_, _>>().map(Some)
}

/// The signature of a request, if it has one.
fn signature(headers: &HeaderMap, body: Bytes) -> Result<Option<RequestSignature>, ApiError> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let (Some(algorithm), Some(encoded)) = (header(ALGORITHM), header(AUTHORIZATION)) else {
        return Ok(None);
    };
    let bad = |message: String| ApiError::new(StatusCode::BAD_REQUEST, message);
    if !ALGORITHMS.iter().any(|known| known.eq_ignore_ascii_case(algorithm)) {
        return Err(bad(format!("Algorithm {algorithm} not available")));
    }
    let signature = STANDARD.decode(encoded).map_err(|error| match error {
        DecodeError::InvalidByte(_, byte) => bad(format!("Illegal base64 character {byte:x}")),
        other => bad(format!("{AUTHORIZATION}: {other}")),
    })?;
    Ok(Some(RequestSignature { algorithm: algorithm.to_owned(), signature, body: body.to_vec() }))
}
