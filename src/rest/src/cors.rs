//! Requests from pages of other origins: `access.control.allow.origin` and `access.control.allow.methods`, with the
//! rules of Jetty's `CrossOriginFilter`, which Connect uses.

use axum::http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use axum::http::{HeaderMap, HeaderValue, Method};

/// Headers that requests of other origins may have.
const HEADERS: [&str; 4] = ["X-Requested-With", "Content-Type", "Accept", "Origin"];
/// How long browsers may remember an answer, in seconds.
const MAX_AGE: &str = "1800";

/// Who may ask, and by which methods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cors {
    origins: Vec<String>,
    methods: Vec<String>,
}

impl Cors {
    /// Of the two keys; `None` if no other origin is let in.
    pub(crate) fn new(origins: &str, methods: &str) -> Option<Self> {
        let list = |text: &str| -> Vec<String> {
            text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
        };
        let (origins, mut methods) = (list(origins), list(methods));
        if methods.is_empty() {
            methods = list("GET,POST,HEAD");
        }
        (!origins.is_empty()).then_some(Self { origins, methods })
    }

    /// What an answer to this request says about other origins.
    pub(crate) fn answer(&self, method: &Method, request: &HeaderMap) -> HeaderMap {
        let mut answer = HeaderMap::new();
        let Some(origin) = request.get(ORIGIN) else { return answer };
        if !origin.to_str().is_ok_and(|origin| self.allows(origin)) {
            return answer;
        }
        let asked = request.get(ACCESS_CONTROL_REQUEST_METHOD);
        let is_preflight = method == Method::OPTIONS && asked.is_some();
        if is_preflight {
            let asked = asked.and_then(|method| method.to_str().ok()).unwrap_or_default();
            if !self.methods.iter().any(|method| method == asked) || !takes_headers(request) {
                return answer;
            }
        }
        answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        if !self.allows_all() {
            answer.insert(VARY, HeaderValue::from_static("Origin"));
        }
        answer.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        if is_preflight {
            answer.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(MAX_AGE));
            if let Ok(methods) = HeaderValue::from_str(&self.methods.join(",")) {
                answer.insert(ACCESS_CONTROL_ALLOW_METHODS, methods);
            }
            if let Ok(headers) = HeaderValue::from_str(&HEADERS.join(",")) {
                answer.insert(ACCESS_CONTROL_ALLOW_HEADERS, headers);
            }
        }
        answer
    }

    fn allows_all(&self) -> bool {
        self.origins.iter().any(|allowed| allowed == "*")
    }

    /// Of several origins with blanks between, one is enough.
    fn allows(&self, origin: &str) -> bool {
        let mut given = origin.split(' ').filter(|one| !one.is_empty());
        self.allows_all() || given.any(|one| self.origins.iter().any(|allowed| matches(allowed, one)))
    }
}

/// Whether an origin is allowed; `*` in `allowed` stands for any text.
fn matches(allowed: &str, origin: &str) -> bool {
    let mut parts = allowed.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = origin.strip_prefix(first) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    true
}

fn takes_headers(request: &HeaderMap) -> bool {
    let asked = request.get(ACCESS_CONTROL_REQUEST_HEADERS).map_or(Ok(""), HeaderValue::to_str);
    asked.is_ok_and(|asked| {
        let mut asked = asked.split(',').map(str::trim).filter(|name| !name.is_empty());
        asked.all(|name| HEADERS.iter().any(|known| known.eq_ignore_ascii_case(name)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(cors: &Cors, method: Method, headers: &[(&'static str, &str)]) -> Vec<(String, String)> {
        let mut request = HeaderMap::new();
        for (name, value) in headers {
            request.insert(*name, value.parse().unwrap());
        }
        let answer = cors.answer(&method, &request);
        answer.iter().map(|(n, v)| (n.to_string(), v.to_str().unwrap().to_owned())).collect()
    }

    #[test]
    fn origins() {
        assert_eq!(Cors::new(" ", "GET"), None);
        let cors = Cors::new("http://a.example, https://*.b.example", "").unwrap();
        let has = |origin: &str| !ask(&cors, Method::GET, &[("origin", origin)]).is_empty();
        assert!(has("http://a.example") && has("https://x.y.b.example") && has("null http://a.example"));
        assert!(!has("http://a.example.org") && !has("https://b.example") && !has("http://x.b.example"));
        assert!(ask(&cors, Method::GET, &[]).is_empty());
        let simple = ask(&cors, Method::DELETE, &[("origin", "http://a.example")]);
        let expected = [
            ("access-control-allow-origin", "http://a.example"),
            ("vary", "Origin"),
            ("access-control-allow-credentials", "true"),
        ];
        assert_eq!(simple, expected.map(|(n, v)| (n.to_owned(), v.to_owned())));
    }

    #[test]
    fn questions_before_the_request() {
        let cors = Cors::new("*", "GET,PUT").unwrap();
        let ask = |method: &str, headers: &str| {
            ask(
                &cors,
                Method::OPTIONS,
                &[
                    ("origin", "http://x"),
                    ("access-control-request-method", method),
                    ("access-control-request-headers", headers),
                ],
            )
        };
        let granted = ask("PUT", "content-type, accept");
        assert!(granted.contains(&("access-control-allow-methods".to_owned(), "GET,PUT".to_owned())));
        assert!(!granted.iter().any(|(name, _)| name == "vary"));
        assert!(ask("DELETE", "").is_empty());
        assert!(ask("PUT", "x-own").is_empty());
    }
}
