//! Which methods a resource has, what it reads and what it may answer, as Jersey decides it: an
//! unknown method is 405, then a wrong `Content-Type` 415, then an `Accept` without JSON 406.

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{ACCEPT, ALLOW, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, options};

use crate::errors::{bare, bare_because};
use crate::jetty;
use crate::server::AsConnect;

/// What a resource reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Consumes {
    /// Whatever it is sent.
    Anything,
    /// JSON only; a request without content type passes.
    Json,
}

/// Completes the handlers of a resource with negotiation, OPTIONS and the answer to unknown methods.
/// `allow` names its methods as an OPTIONS request lists them, with `, ` between. Connect's order is
/// HEAD, DELETE, POST, GET, OPTIONS, PATCH, PUT.
pub(crate) fn resource<S>(
    handlers: MethodRouter<S>,
    consumes: Consumes,
    allow: &'static str,
) -> MethodRouter<S>
where
    S: Clone + Send + Sync + 'static,
{
    handlers
        .route_layer(middleware::from_fn(move |request, next| negotiate(consumes, request, next)))
        .merge(options(move || async move { allowed(allow) }))
        .fallback(|| async { bare(StatusCode::METHOD_NOT_ALLOWED) })
}

fn allowed(allow: &'static str) -> Response {
    let headers = [(ALLOW, allow.replace(", ", ",")), (CONTENT_TYPE, "text/plain".to_owned())];
    (headers, Body::from(allow)).into_response()
}

async fn negotiate(consumes: Consumes, request: Request, next: Next) -> Response {
    if let (Consumes::Json, Some(given)) = (consumes, request.headers().get(CONTENT_TYPE)) {
        match given.to_str().ok().and_then(MediaRange::parse) {
            None if request.extensions().get::<AsConnect>().is_some() => return jetty::bad_header(&request),
            None => return bare_because(StatusCode::BAD_REQUEST, "The Content-Type is not a media type"),
            Some(range) if !range.takes_json() => return bare(StatusCode::UNSUPPORTED_MEDIA_TYPE),
            Some(_) => {}
        }
    }
    let Some(content_type) = accepted(request.headers()) else {
        return bare(StatusCode::NOT_ACCEPTABLE);
    };
    let mut response = next.run(request).await;
    if let (Some(echo), Some(own)) = (content_type, response.headers_mut().get_mut(CONTENT_TYPE)) {
        *own = echo;
    }
    response
}

/// Whether JSON is accepted; with the content type to answer, if the client asked for parameters
/// (`application/json;charset=utf-8`), which Connect repeats. `q=0` is not understood as a refusal.
fn accepted(headers: &HeaderMap) -> Option<Option<HeaderValue>> {
    let values: Vec<&str> = headers.get_all(ACCEPT).iter().filter_map(|v| v.to_str().ok()).collect();
    if values.iter().all(|v| v.trim().is_empty()) {
        return Some(None);
    }
    let mut ranges = values.iter().flat_map(|v| v.split(','));
    let range = ranges.find_map(|text| {
        let range = MediaRange::parse_lenient(text);
        range.takes_json().then_some(range)
    })?;
    Some(range.echo())
}

/// `type/subtype;parameters`.
struct MediaRange<'t> {
    kind: &'t str,
    subtype: &'t str,
    parameters: Vec<&'t str>,
}

impl<'t> MediaRange<'t> {
    fn parse(text: &'t str) -> Option<Self> {
        let range = Self::parse_lenient(text);
        (!range.kind.is_empty() && !range.subtype.is_empty()).then_some(range)
    }

    fn parse_lenient(text: &'t str) -> Self {
        let mut parts = text.split(';').map(str::trim);
        let (kind, subtype) = parts.next().unwrap_or_default().split_once('/').unwrap_or_default();
        let parameters = parts.filter(|p| !p.is_empty() && !p.starts_with("q=")).collect();
        Self { kind: kind.trim(), subtype: subtype.trim(), parameters }
    }

    fn takes_json(&self) -> bool {
        let is = |given: &str, own: &str| given == "*" || given.eq_ignore_ascii_case(own);
        is(self.kind, "application") && is(self.subtype, "json")
    }

    fn echo(&self) -> Option<HeaderValue> {
        if self.parameters.is_empty() || self.kind == "*" || self.subtype == "*" {
            return None;
        }
        HeaderValue::from_str(&format!("application/json;{}", self.parameters.join(";"))).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accept(value: &str) -> Option<Option<String>> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, value.parse().unwrap());
        accepted(&headers).map(|echo| echo.map(|v| v.to_str().unwrap().to_owned()))
    }

    #[test]
    fn accept_headers() {
        for taken in
            ["", "*/*", "application/*", "application/JSON", "text/html,*/*;q=0.8", "application/json;q=0"]
        {
            assert_eq!(accept(taken), Some(None), "{taken}");
        }
        for refused in ["text/plain", "garbage", "application/xml", "json", ";", "/"] {
            assert_eq!(accept(refused), None, "{refused}");
        }
        let echoed = Some(Some("application/json;charset=utf-8".to_owned()));
        assert_eq!(accept("application/json; charset=utf-8;q=1"), echoed);
    }
}
