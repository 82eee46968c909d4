//! What requests bring: JSON, read with the place of each mistake.
//!
//! Connect takes malformed JSON, wrong shapes and bodies that are missing for its own mistake: 500. They are the
//! caller's, so 400, unless Connect's behaviour is asked for.

use std::fmt;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use crossdock_api::config::NullableConfig;
use serde::de::{DeserializeOwned, Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::errors::ApiError;
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
    /// The body as `T`; `None` if it is empty or null.
    ///
    /// # Errors
    /// What is not JSON, or of another shape, with its place.
    pub(crate) fn read<T: DeserializeOwned>(&self) -> Result<Option<T>, ApiError> {
        if self.bytes.iter().all(u8::is_ascii_whitespace) {
            return Ok(None);
        }
        serde_json::from_slice(&self.bytes).map_err(|error| {
            let what = if error.is_data() { "is not as expected" } else { "is not JSON" };
            self.mistake(format!("The body of the request {what}: {error}"))
        })
    }

    /// As [`Self::read`], where there has to be something.
    ///
    /// # Errors
    /// Also a body that is empty or null.
    pub(crate) fn required<T: DeserializeOwned>(&self) -> Result<T, ApiError> {
        self.read()?.ok_or_else(|| self.mistake("The body of the request is missing or null".to_owned()))
    }

    /// A mistake of the caller, as it is answered.
    pub(crate) fn mistake(&self, message: String) -> ApiError {
        match self.as_connect {
            true => ApiError::internal(message),
            false => ApiError::new(StatusCode::BAD_REQUEST, message),
        }
    }
}

/// A configuration: an object whose values are text, numbers and booleans as they are written, or null.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Config(pub(crate) NullableConfig);

impl<'de> Deserialize<'de> for Config {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ConfigVisitor)
    }
}

struct ConfigVisitor;

impl<'de> Visitor<'de> for ConfigVisitor {
    type Value = Config;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of keys and values")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Config, A::Error> {
        let mut config = NullableConfig::new();
        while let Some(key) = map.next_key::<String>()? {
            let value = match map.next_value::<Value>()? {
                Value::Null => None,
                Value::Bool(value) => Some(value.to_string()),
                Value::Number(number) => Some(number.to_string()),
                Value::String(text) => Some(text),
                Value::Array(_) | Value::Object(_) => {
                    let message = format!("the value of {key:?} is no text, number or boolean");
                    return Err(A::Error::custom(message));
                }
            };
            config.insert(key, value);
        }
        Ok(Config(config))
    }
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
        let Config(config) = body(text, false).required().unwrap();
        let value = |key: &str| config[key].as_deref();
        assert_eq!((value("a"), value("n"), value("t")), (Some("c"), Some("1.50"), Some("true")));
        assert_eq!((value("big"), value("x")), (Some("12345678901234567890"), None));
    }

    #[test]
    fn mistakes_are_the_callers_and_have_a_place() {
        for text in ["{", "{\"a\":}", "[]", "1", "\"x\"", "{\"a\":{\"b\":1}}", "{'a':1}", "{} x"] {
            let error = body(text, false).required::<Config>().unwrap_err();
            assert_eq!(error.status(), StatusCode::BAD_REQUEST, "{text}");
            assert!(error.message().contains("at line 1 column"), "{text}: {}", error.message());
            let error = body(text, true).required::<Config>().unwrap_err();
            assert_eq!(error.status(), StatusCode::INTERNAL_SERVER_ERROR, "{text}");
        }
        for text in ["", " ", "null"] {
            assert!(body(text, false).required::<Config>().is_err(), "{text:?}");
        }
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
