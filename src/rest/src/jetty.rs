//! What Connect's HTTP server refuses before a resource is asked, in strict mode: paths that could be understood in
//! two ways, and heads that are too long. Its answers are pages.

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HOST};
use axum::http::{Method, Request, StatusCode};
use axum::response::{IntoResponse, Response};
use percent_encoding::percent_decode_str;

/// Longest request line, and longest head.
const MAX_HEAD: usize = 8192;
/// What pages call a request that could not be read.
const BAD_MESSAGE: &str = "/badMessage";

/// The answer to a request that Jetty does not let through; `None` if it does.
pub(crate) fn refusal(request: &Request<Body>) -> Option<Response> {
    let (method, uri) = (request.method(), request.uri());
    let line = method.as_str().len() + uri.path_and_query().map_or(1, |p| p.as_str().len()) + 10;
    if line > MAX_HEAD {
        return Some(page(StatusCode::URI_TOO_LONG, "URI Too Long", BAD_MESSAGE));
    }
    let fields = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4);
    if line + fields.sum::<usize>() > MAX_HEAD {
        let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
        return Some(page(status, "Request Header Fields Too Large", uri.path()));
    }
    match suspect(uri.path())? {
        Suspect::Message => Some(page(StatusCode::BAD_REQUEST, "Bad Request", BAD_MESSAGE)),
        Suspect::Uri(reason) => Some(for_method(method, page(StatusCode::BAD_REQUEST, reason, "/badURI"))),
    }
}

/// The answer to a header that cannot be read.
pub(crate) fn bad_header(request: &Request<Body>) -> Response {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let uri = format!("http://{host}{}", request.uri().path());
    for_method(request.method(), page(StatusCode::BAD_REQUEST, "Bad Request", &uri))
}

/// Jetty has pages for these methods only.
fn for_method(method: &Method, page: Response) -> Response {
    if [Method::GET, Method::POST, Method::HEAD].contains(method) {
        return page;
    }
    let (mut head, _) = page.into_parts();
    head.headers.remove(CONTENT_TYPE);
    Response::from_parts(head, Body::empty())
}

/// What is wrong with a path.
#[derive(Debug, PartialEq, Eq)]
enum Suspect {
    /// It cannot be read.
    Message,
    /// It can be understood in two ways.
    Uri(&'static str),
}

fn suspect(path: &str) -> Option<Suspect> {
    let inner = path.strip_prefix('/').unwrap_or(path);
    let last = inner.split('/').count() - 1;
    let mut found = None;
    for (number, segment) in inner.split('/').enumerate() {
        let name = segment.split_once(';').map_or(segment, |(name, _)| name);
        let Some(escapes) = escapes(name) else { return Some(Suspect::Message) };
        let decoded = percent_decode_str(name).collect::<Vec<u8>>();
        if std::str::from_utf8(&decoded).is_err() {
            return Some(Suspect::Message);
        }
        let is_dots = decoded == b"." || decoded == b"..";
        let reason = if segment.is_empty() && number < last {
            "Ambiguous URI empty segment"
        } else if escapes.contains(&b'/') {
            "Ambiguous URI path separator"
        } else if escapes.contains(&b'%') {
            "Ambiguous URI path encoding"
        } else if is_dots && !escapes.is_empty() {
            "Ambiguous URI path segment"
        } else if decoded.iter().any(|byte| byte.is_ascii_control() || *byte == b'\\') {
            "Suspicious Path Character"
        } else {
            continue;
        };
        found.get_or_insert(Suspect::Uri(reason));
    }
    found
}

/// The bytes that are escaped; `None` if something is no escape, or is one of a zero byte.
fn escapes(segment: &str) -> Option<Vec<u8>> {
    let mut escapes = Vec::new();
    let mut rest = segment.as_bytes();
    while let Some(at) = rest.iter().position(|byte| *byte == b'%') {
        let digits = rest.get(at + 1..at + 3).and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) if byte != 0 => escapes.push(byte),
            _ => return None,
        }
        rest = &rest[at + 3..];
    }
    Some(escapes)
}

/// Jetty's page.
fn page(status: StatusCode, message: &str, uri: &str) -> Response {
    let escaped = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let (code, uri) = (status.as_u16(), escaped(uri));
    let rows: String = [("URI", uri.as_str()), ("STATUS", &code.to_string()), ("MESSAGE", message)]
        .map(|(name, value)| format!("<tr><th>{name}:</th><td>{value}</td></tr>\n"))
        .concat();
    let head = "<meta http-equiv=\"Content-Type\" content=\"text/html;charset=ISO-8859-1\"/>";
    let body = format!(
        "<html>\n<head>\n{head}\n<title>Error {code} {message}</title>\n</head>\n<body>\n<h2>HTTP ERROR {code} \
         {message}</h2>\n<table>\n{rows}</table>\n<hr/><a href=\"https://jetty.org/\">Powered by Jetty:// \
         12.0.34</a><hr/>\n\n</body>\n</html>\n"
    );
    let headers = [
        (CACHE_CONTROL, "must-revalidate,no-cache,no-store"),
        (CONTENT_TYPE, "text/html;charset=iso-8859-1"),
    ];
    (status, headers, Body::from(body)).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suspect_paths() {
        for (path, reason) in [
            ("/connectors/a%2fb", "Ambiguous URI path separator"),
            ("/connectors/a%25b", "Ambiguous URI path encoding"),
            ("/connectors/%2e%2E", "Ambiguous URI path segment"),
            ("/connectors/a%0Ab", "Suspicious Path Character"),
            ("/connectors/%5C", "Suspicious Path Character"),
            ("//", "Ambiguous URI empty segment"),
        ] {
            assert_eq!(suspect(path), Some(Suspect::Uri(reason)), "{path}");
        }
        for path in ["/%ZZ", "/%", "/a%2", "/%00", "/%FF"] {
            assert_eq!(suspect(path), Some(Suspect::Message), "{path}");
        }
        for path in ["/", "/connectors/", "/connectors/..", "/connectors/a%3Bb;%ZZ", "/%C3%BC+"] {
            assert_eq!(suspect(path), None, "{path}");
        }
    }

    #[test]
    fn pages_depend_on_the_method() {
        let refused = |method: &str| {
            let request = Request::builder().method(method).uri("/a%2Fb").body(Body::empty()).unwrap();
            refusal(&request).unwrap()
        };
        assert!(refused("GET").headers().contains_key(CONTENT_TYPE));
        assert!(!refused("DELETE").headers().contains_key(CONTENT_TYPE));
        let fine = Request::builder().uri("/").body(Body::empty()).unwrap();
        assert!(refusal(&fine).is_none());
        let long = Request::builder().uri("/").header("x", "y".repeat(9000)).body(Body::empty()).unwrap();
        assert_eq!(refusal(&long).unwrap().status(), StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    }
}
