//! `/connector-plugins` (`ConnectorPluginsResource`).

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::routing::{get, put};
use axum::{Json, Router};
use crossdock_runtime::HerderError;
use crossdock_runtime::herder::plugins::{ConfigInfos, ConfigKeyInfo, PluginInfo};

use crate::bodies::{JsonBody, null_map};
use crate::connectors::Parameters;
use crate::errors::{ApiError, answer};
use crate::negotiate::{Consumes, resource};
use crate::server::App;

pub(crate) fn routes() -> Router<App> {
    let read = "HEAD, GET, OPTIONS";
    let plugin = "/connector-plugins/{plugin}/config";
    Router::new()
        .route("/connector-plugins", resource(get(list), Consumes::Json, read))
        .route(plugin, resource(get(config), Consumes::Json, read))
        .route(&format!("{plugin}/validate"), resource(put(validate), Consumes::Json, "OPTIONS, PUT"))
}

async fn list(State(app): State<App>, Query(query): Parameters) -> Result<Json<Vec<PluginInfo>>, ApiError> {
    // As Java reads a boolean: everything but true is false, and nothing is the default.
    let connectors_only =
        first(&query, "connectorsOnly").is_none_or(|text| text.eq_ignore_ascii_case("true"));
    Ok(Json(answer(async { Ok(app.herder.plugins(connectors_only).await) }).await?))
}

async fn config(
    State(app): State<App>,
    Path(plugin): Path<String>,
    Query(query): Query<Vec<(String, String)>>,
) -> Result<Json<Vec<ConfigKeyInfo>>, ApiError> {
    let version = query.iter().find(|(key, _)| key == "version").map_or("latest", |(_, value)| value);
    Ok(Json(answer(app.herder.plugin_config(&plugin, version)).await?))
}

/// The first value of a parameter, unless it is empty.
fn first<'q>(query: &'q [(String, String)], name: &str) -> Option<&'q str> {
    query
        .iter()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.as_str())
        .filter(|value| !value.is_empty())
}

async fn validate(
    State(app): State<App>,
    Path(plugin): Path<String>,
    body: JsonBody,
) -> Result<Json<ConfigInfos>, ApiError> {
    let config = body.config(&null_map("get(Object)", "connectorConfig"))?;
    if let Some(Some(class)) = config.get("connector.class")
        && !without_suffix(class).ends_with(without_suffix(&plugin))
    {
        let message = format!("Included connector type {class} does not match request type {plugin}");
        return Err(ApiError::new(StatusCode::BAD_REQUEST, message));
    }
    let validated = async { Ok(app.herder.validate_config(config).await) };
    match answer(validated).await? {
        Ok(infos) => Ok(Json(infos)),
        // Connect's own thread pool makes server errors of them.
        Err(HerderError::BadRequest(message)) if app.as_connect => Err(ApiError::internal(format!(
            "org.apache.kafka.connect.runtime.rest.errors.BadRequestException: {message}"
        ))),
        Err(HerderError::Internal(message)) if app.as_connect => {
            Err(ApiError::internal(format!("org.apache.kafka.common.config.ConfigException: {message}")))
        }
        Err(error) => Err(error.into()),
    }
}

/// Connect compares names without this suffix, so that short and simple names fit.
fn without_suffix(name: &str) -> &str {
    match name.strip_suffix("Connector") {
        Some("") | None => name,
        Some(short) => short,
    }
}
