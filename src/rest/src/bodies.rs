//! What requests bring: JSON, read with the place of each mistake.
//!
//! Connect takes malformed JSON, wrong shapes and bodies that are missing for its own mistake: 500. They are the
//! caller's, so 400, unless Connect's behaviour is asked for.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use crossdock_api::config::NullableConfig;
use crossdock_runtime::herder::TargetState;

use crate::errors::ApiError;
use crate::json::{self, JsonError, Members, Node, Path};
use crate::server::App;

/// The body of a request that reads JSON.
pub(crate) struct JsonBody {
    bytes: Bytes,
    as_connect: bool,
}

impl FromRequest<App> for JsonBody {
    type Rejection = Response;

    async fn from_request(request: Request, app: &App) -> Result<Self, Response> {
        let says_json = says_json(request.headers());
        let bytes = Bytes::from_request(request, app).await.map_err(IntoResponse::into_response)?;
        if !bytes.is_empty() && !says_json {
            let unsupported = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            return Err(ApiError::new(unsupported, "HTTP 415 Unsupported Media Type").into_response());
        }
        Ok(Self { bytes, as_connect: app.as_connect })
    }
}

/// A body needs a type; that it is JSON, if it is one, was checked before.
fn says_json(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).is_some_and(|value| !value.contains('*'))
}

impl JsonBody {
    /// A body that was read before.
    pub(crate) fn of(bytes: Bytes, as_connect: bool) -> Self {
        Self { bytes, as_connect }
    }

    /// What `shape` makes of the body; `None` if it is empty or null.
    ///
    /// # Errors
    /// What is not JSON, or of another shape, with its place.
    pub(crate) fn shaped<T>(
        &self,
        shape: impl FnOnce(&Node) -> Result<Option<T>, JsonError>,
    ) -> Result<Option<T>, ApiError> {
        let Some(tree) = json::read(&self.bytes) else { return Ok(None) };
        let shaped = shape(&tree.root).and_then(|shaped| tree.behind.map_or(Ok(shaped), Err));
        shaped.map_err(|error| self.mistake(&error.to_string(), &error.connects_text()))
    }

    /// The body as a configuration. `null_text` is what Connect says if there is none.
    ///
    /// # Errors
    /// As [`Self::shaped`]; a body that is empty or null.
    pub(crate) fn config(&self, null_text: &str) -> Result<NullableConfig, ApiError> {
        self.shaped(|root| config(root, &Path::default()))?.ok_or_else(|| self.missing(null_text))
    }

    /// The body of `POST /connectors`.
    ///
    /// # Errors
    /// As [`Self::config`].
    pub(crate) fn new_connector(&self) -> Result<NewConnector, ApiError> {
        let null_text = format!("Cannot invoke \"{NEW_CONNECTOR}.name()\" because \"createRequest\" is null");
        let asked = self.shaped(|root| {
            let members =
                root.record(NEW_CONNECTOR, &["config", "name", "initial_state"], &Path::default())?;
            members.map(|members| new_connector(&members)).transpose()
        })?;
        let (name, config, initial_state) = asked.ok_or_else(|| self.missing(&null_text))?;
        let config = config.ok_or_else(|| {
            self.mistake("the body has no \"config\"", &null_map("get(Object)", "connectorConfig"))
        })?;
        Ok(NewConnector { name, config, initial_state: initial_state.unwrap_or_default() })
    }

    /// Whether there is nothing, or null.
    pub(crate) fn is_null(&self) -> bool {
        json::read(&self.bytes)
            .is_none_or(|tree| tree.behind.is_none() && tree.root.value == json::Value::Null)
    }

    /// That there is no body.
    pub(crate) fn missing(&self, null_text: &str) -> ApiError {
        self.mistake("the body is missing or null", null_text)
    }

    /// A mistake of the caller, as it is answered.
    pub(crate) fn mistake(&self, message: &str, of_connect: &str) -> ApiError {
        match self.as_connect {
            true => ApiError::internal(of_connect),
            false => ApiError::new(StatusCode::BAD_REQUEST, message),
        }
    }
}

/// What Java says of a map that is null.
pub(crate) fn null_map(method: &str, variable: &str) -> String {
    format!("Cannot invoke \"java.util.Map.{method}\" because \"{variable}\" is null")
}

/// Body of `POST /connectors` (`CreateConnectorRequest`).
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NewConnector {
    pub(crate) name: Option<String>,
    pub(crate) config: NullableConfig,
    pub(crate) initial_state: TargetState,
}

const NEW_CONNECTOR: &str = "org.apache.kafka.connect.runtime.rest.entities.CreateConnectorRequest";

type Asked = (Option<String>, Option<NullableConfig>, Option<TargetState>);

fn new_connector(members: &Members<'_>) -> Result<Asked, JsonError> {
    let mut asked: Asked = (None, None, None);
    for (member, node, path) in members.known() {
        match member {
            "name" => asked.0 = node.text(&path)?,
            "config" => asked.1 = config(node, &path)?,
            _ => asked.2 = initial_state(node, &path)?,
        }
    }
    members.checked()?;
    Ok(asked)
}

fn initial_state(node: &Node, path: &Path) -> Result<Option<TargetState>, JsonError> {
    let Some(text) = node.text(path)? else { return Ok(None) };
    let state = TargetState::of_initial_state(&text).ok_or_else(|| {
        let of_connect = format!(
            "Cannot construct instance of `{NEW_CONNECTOR}$InitialState`, problem: No enum constant \
             {NEW_CONNECTOR}.InitialState.{}",
            text.to_uppercase()
        );
        node.mistake("expected RUNNING, PAUSED or STOPPED", of_connect, path)
    })?;
    Ok(Some(state))
}

/// A configuration: an object whose values are text, numbers and booleans as they are written, or null.
fn config(node: &Node, path: &Path) -> Result<Option<NullableConfig>, JsonError> {
    Ok(node.texts(path)?.map(|texts| texts.into_iter().collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(text: &str, as_connect: bool) -> JsonBody {
        JsonBody { bytes: Bytes::copy_from_slice(text.as_bytes()), as_connect }
    }

    #[test]
    fn values_keep_their_text() {
        let text = r#"{"a":"b","n":1.50,"big":12345678901234567890,"t":true,"x":null,"a":"c"}"#;
        let config = body(text, false).config("").unwrap();
        let value = |key: &str| config[key].as_deref();
        assert_eq!((value("a"), value("n"), value("t")), (Some("c"), Some("1.50"), Some("true")));
        assert_eq!((value("big"), value("x")), (Some("12345678901234567890"), None));
    }

    #[test]
    fn mistakes_are_the_callers_and_have_a_place() {
        for text in ["{", "{\"a\":}", "[]", "1", "\"x\"", "{\"a\":{\"b\":1}}", "{'a':1}", "{} x"] {
            let error = body(text, false).config("").unwrap_err();
            assert_eq!(error.status(), StatusCode::BAD_REQUEST, "{text}");
            assert!(error.message().contains("(line 1 column"), "{text}: {}", error.message());
            let error = body(text, true).config("").unwrap_err();
            assert_eq!(error.status(), StatusCode::INTERNAL_SERVER_ERROR, "{text}");
            assert!(error.message().contains("[Source: REDACTED"), "{text}: {}", error.message());
        }
        for text in ["", " ", "null"] {
            assert_eq!(body(text, true).config("none").unwrap_err().message(), "none");
        }
    }

    #[test]
    fn new_connectors() {
        let read = |text: &str| body(text, false).new_connector();
        let full = read(r#"{"name":"n","initial_state":"paused","config":{"k":1}}"#).unwrap();
        assert_eq!((full.name.as_deref(), full.initial_state), (Some("n"), TargetState::Paused));
        let bare = read(r#"{"config":{}}"#).unwrap();
        assert_eq!((bare.name, bare.initial_state), (None, TargetState::Started));
        let message = |text: &str| read(text).unwrap_err().message().to_owned();
        let message_of = message(r#"{"name":"b1","config":{"a":{}}}"#);
        assert!(message_of.contains(r#"at "config"."a" (line 1 column 28)"#), "{message_of}");
        assert!(message(r#"{"Name":"b1","config":{}}"#).contains("\"Name\" is not known"));
        assert!(message(r#"{"initial_state":1,"config":{}}"#).contains("RUNNING"));
        assert!(message(r#"{"name":"x"}"#).contains("no \"config\""));
    }

    #[test]
    fn a_body_needs_a_type() {
        let of = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, value.parse().unwrap());
            says_json(&headers)
        };
        assert!(of("application/json; charset=utf-8"));
        assert!(!of("application/*") && !of("*/*") && !says_json(&HeaderMap::new()));
    }
}
