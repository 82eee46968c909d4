//! Names and passwords: what Connect does with `BasicAuthSecurityRestExtension` and `PropertyFileLoginModule`
//! (KIP-285), `JaasBasicAuthFilter` above all.
//!
//! Which file has the credentials is said by the entry `KafkaConnect` of a JAAS file, as for Connect. Requests
//! between workers need none: they are signed.

use crate::RestError;
use crate::jaas;
use axum::body::Body;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crossdock_runtime::config::properties;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The class for `rest.extension.classes`.
pub(crate) const CLASS: &str =
    "org.apache.kafka.connect.rest.basic.auth.extension.BasicAuthSecurityRestExtension";
/// The entry of the JAAS file.
const ENTRY: &str = "KafkaConnect";

/// Who may use the REST API. Passwords are kept as hashes.
#[derive(Clone)]
pub(crate) struct BasicAuth {
    users: Arc<BTreeMap<String, [u8; 32]>>,
    challenges: bool,
}

impl std::fmt::Debug for BasicAuth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BasicAuth").field("users", &self.users.len()).finish_non_exhaustive()
    }
}

impl BasicAuth {
    /// Reads the JAAS file and the file of credentials that it names.
    ///
    /// # Errors
    /// Files that are missing or wrong; no credentials at all, unless `as_connect`, where that lets everybody in.
    pub(crate) fn load(jaas_file: Option<&str>, as_connect: bool) -> Result<Self, RestError> {
        let wrong = |reason: String| RestError::BasicAuth { reason };
        let path = jaas_file.ok_or_else(|| {
            wrong("set java.security.auth.login.config to a JAAS file with an entry KafkaConnect".to_owned())
        })?;
        let read = |path: &str| std::fs::read(path).map_err(|error| wrong(format!("{path}: {error}")));
        let text = String::from_utf8_lossy(&read(path)?).into_owned();
        let modules = jaas::entry(&text, ENTRY).map_err(|reason| wrong(format!("{path}: {reason}")))?;
        let modules = modules.ok_or_else(|| wrong(format!("{path} has no entry {ENTRY}")))?;
        let [module] = modules.as_slice() else {
            return Err(wrong(format!("{path}: the entry {ENTRY} must have one login module")));
        };
        if module.class.rsplit('.').next() != Some("PropertyFileLoginModule") {
            let class = &module.class;
            return Err(wrong(format!(
                "{path}: the login module {class} is a Java class that cannot be loaded; use \
                 org.apache.kafka.connect.rest.basic.auth.extension.PropertyFileLoginModule"
            )));
        }
        let file = module.options.get("file").filter(|file| !file.trim().is_empty());
        let file = file.ok_or_else(|| wrong(format!("{path}: {ENTRY} does not say file=\"…\"")))?;
        let entries = properties::parse(&read(file)?).map_err(|error| wrong(format!("{file}: {error}")))?;
        let users: BTreeMap<_, _> = entries.into_iter().map(|(name, word)| (name, hash(&word))).collect();
        if users.is_empty() && !as_connect {
            return Err(wrong(format!("{file} has no credentials, so that everybody would be let in")));
        }
        Ok(Self { users: Arc::new(users), challenges: !as_connect })
    }

    /// The answer to a request that is not let in; `None` if it is.
    pub(crate) fn refusal(&self, method: &Method, path: &str, headers: &HeaderMap) -> Option<Response> {
        if self.users.is_empty() || is_internal(method, path) || self.knows(headers) {
            return None;
        }
        let body = Body::from("User cannot access the resource.");
        let mut response = (StatusCode::UNAUTHORIZED, body).into_response();
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        if self.challenges {
            let challenge = HeaderValue::from_static("Basic realm=\"connect\", charset=\"UTF-8\"");
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        Some(response)
    }

    fn knows(&self, headers: &HeaderMap) -> bool {
        let Some((name, word)) = credentials(headers) else { return false };
        // Hashes of one length: how long comparing takes says nothing about the password.
        let given = hash(&word);
        self.users.get(&name).is_some_and(|known| {
            known.iter().zip(given).fold(0, |differs, (known, given)| differs | (known ^ given)) == 0
        })
    }
}

fn hash(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

fn credentials(headers: &HeaderMap) -> Option<(String, String)> {
    let (scheme, encoded) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("Basic") {
        return None;
    }
    let text = String::from_utf8_lossy(&STANDARD.decode(encoded.trim()).ok()?).into_owned();
    let (name, word) = text.split_once(':')?;
    (!name.is_empty()).then(|| (name.to_owned(), word.to_owned()))
}

/// What workers ask each other.
fn is_internal(method: &Method, path: &str) -> bool {
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    match parts.as_slice() {
        ["connectors", name, "tasks"] => method == Method::POST && !name.is_empty(),
        ["connectors", name, "fence"] => method == Method::PUT && !name.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn load(credentials: &str, as_connect: bool) -> Result<BasicAuth, String> {
        let folder = tempfile::tempdir().unwrap();
        let (jaas, file) = (folder.path().join("jaas.conf"), folder.path().join("users.properties"));
        fs::write(&file, credentials).unwrap();
        let module = "org.apache.kafka.connect.rest.basic.auth.extension.PropertyFileLoginModule";
        fs::write(&jaas, format!("KafkaConnect {{ {module} required\n file=\"{}\"; }};", file.display()))
            .unwrap();
        BasicAuth::load(jaas.to_str(), as_connect).map_err(|error| error.to_string())
    }

    fn with(text: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, text.parse().unwrap());
        headers
    }

    #[test]
    fn only_who_is_known_is_let_in() {
        let auth = load("ada=lovelace:1\ngrace = hopper\n", false).unwrap();
        let basic = |pair: &str| with(&format!("Basic {}", STANDARD.encode(pair)));
        let lets_in = |headers: &HeaderMap| auth.refusal(&Method::GET, "/connectors", headers).is_none();
        assert!(lets_in(&basic("ada:lovelace:1")) && lets_in(&basic("grace:hopper")));
        assert!(lets_in(&with(&format!("bAsIc {}", STANDARD.encode("grace:hopper")))));
        for pair in ["ada:hopper", "ada:", "eve:hopper", ":hopper", "grace"] {
            assert!(!lets_in(&basic(pair)), "{pair}");
        }
        for text in ["", "Basic", "Basic ???", "Bearer Z3JhY2U6aG9wcGVy"] {
            assert!(!lets_in(&with(text)), "{text}");
        }
        let refused = auth.refusal(&Method::GET, "/", &HeaderMap::new()).unwrap();
        assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
        assert!(refused.headers()[WWW_AUTHENTICATE].to_str().unwrap().starts_with("Basic"));
        assert!(!format!("{auth:?}").contains("hopper"));
    }

    #[test]
    fn workers_among_themselves_need_none() {
        let auth = load("a=b", false).unwrap();
        let lets_in = |method: Method, path: &str| auth.refusal(&method, path, &HeaderMap::new()).is_none();
        assert!(lets_in(Method::POST, "/connectors/c/tasks") && lets_in(Method::PUT, "/connectors/c/fence/"));
        assert!(
            !lets_in(Method::GET, "/connectors/c/tasks") && !lets_in(Method::POST, "/connectors/c/fence")
        );
        assert!(
            !lets_in(Method::POST, "/connectors//tasks") && !lets_in(Method::POST, "/connectors/a/b/tasks")
        );
    }

    #[test]
    fn no_credentials_let_nobody_in_unless_as_connect() {
        assert!(load("# none\n", false).unwrap_err().contains("no credentials"));
        let auth = load("# none\n", true).unwrap();
        assert!(auth.refusal(&Method::GET, "/", &HeaderMap::new()).is_none());
        let error = |file| BasicAuth::load(file, false).unwrap_err().to_string();
        assert!(error(None).contains("java.security.auth.login.config"));
        assert!(error(Some("/no/such/file")).contains("/no/such/file"));
    }
}
