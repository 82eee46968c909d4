//! The document at `/openapi.json`: it has the methods that there are, and answers, of a real Connect worker and our
//! own, are as it says.

// Helpers of tests may panic as tests do; each test uses a part of them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub, dead_code)]

mod support;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;

use crossdock_rest::{Listener, RestConfig, RestServer};
use crossdock_runtime::herder::{ConnectorKind, State};
use crossdock_runtime::loggers::Loggers;
use serde_json::{Map, Value};
use support::{Answer, Scripted, ScriptedHerder, send};

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

async fn server() -> RestServer {
    let herder = ScriptedHerder::default();
    let scripted = Scripted {
        config: [("name".to_owned(), "c".to_owned())].into(),
        task_config: Default::default(),
        kind: ConnectorKind::Source,
        task_state: State::Running,
        trace: Some("a trace".to_owned()),
    };
    herder.connectors.lock().unwrap().insert("c".to_owned(), scripted);
    let mut config = RestConfig::new(Listener::parse_list("http://127.0.0.1:0").unwrap());
    config.log_levels = Some(Arc::new(Loggers::new("info", &["a"], |_| {})));
    RestServer::start(config, Arc::new(herder)).await.unwrap()
}

/// The document, as it is served.
struct Document(Value);

impl Document {
    async fn read(from: SocketAddr) -> Self {
        let answer = send(from, "GET", "/openapi.json", &[], "").await;
        assert_eq!((answer.status, answer.headers["content-type"].as_str()), (200, "application/json"));
        Self(serde_json::from_str(&answer.body).unwrap())
    }

    fn paths(&self) -> &Map<String, Value> {
        self.0["paths"].as_object().unwrap()
    }

    /// The path that a request's path is an instance of: the one with the fewest parameters.
    fn template(&self, path: &str) -> Option<&str> {
        let path = path.strip_suffix('/').filter(|path| !path.is_empty()).unwrap_or(path);
        let given: Vec<&str> = path.split('/').collect();
        let fits = |template: &&String| {
            let parts: Vec<&str> = template.split('/').collect();
            let mut pairs = parts.iter().zip(&given);
            parts.len() == given.len()
                && pairs.all(|(part, given)| part == given || part.starts_with('{') && !given.is_empty())
        };
        let found = self.paths().keys().filter(fits).min_by_key(|template| template.matches('{').count());
        found.map(String::as_str)
    }

    /// What is wrong with an answer; nothing if it is as it should be.
    fn differs(&self, method: &str, path: &str, status: u16, is_json: bool, body: &Value) -> Option<String> {
        let operation = &self.paths()[path][method.to_lowercase()];
        let responses = operation["responses"].as_object()?;
        if status >= 400 && !is_json {
            // What is refused before it reaches a resource has no type, whatever it has.
            return None;
        }
        let response = match responses.get(&status.to_string()) {
            Some(response) => response,
            None if status >= 400 => &responses["default"],
            None => return Some(format!("{status} is not documented")),
        };
        let Some(content) = response.get("content").and_then(Value::as_object) else {
            return (!body.is_null()).then(|| format!("a body where none is documented: {body}"));
        };
        let json = content.get("application/json")?;
        let mut schema = json["schema"].clone();
        schema["components"] = self.0["components"].clone();
        let validator = jsonschema::validator_for(&schema).unwrap();
        let errors: Vec<String> = validator.iter_errors(body).map(|error| error.to_string()).collect();
        (!errors.is_empty()).then(|| errors.join("; "))
    }
}

#[tokio::test]
async fn methods_are_those_that_there_are() {
    let server = server().await;
    let to = server.local_addrs()[0];
    let document = Document::read(to).await;
    for (template, item) in document.paths() {
        let documented: BTreeSet<&str> = item.as_object().unwrap().keys().map(String::as_str).collect();
        let target = template.replace("{name}", "c").replace("{task}", "0");
        let target = target.replace("{plugin}", "p").replace("{logger}", "a");
        let mut taken = BTreeSet::new();
        for method in METHODS {
            let answer = send(to, &method.to_uppercase(), &target, &[], "").await;
            if answer.status != 405 {
                taken.insert(method);
            }
        }
        assert_eq!(documented, taken, "{template}");
        let operations = item.as_object().unwrap().values();
        for parameters in operations.filter_map(|operation| operation["parameters"].as_array()) {
            let in_path =
                parameters.iter().filter(|p| p["in"] == "path").map(|p| p["name"].as_str().unwrap());
            let named = template.split('{').skip(1).map(|part| part.split('}').next().unwrap());
            assert_eq!(in_path.collect::<Vec<_>>(), named.collect::<Vec<_>>(), "{template}");
        }
    }
}

#[test]
fn answers_of_a_real_worker_are_as_the_document_says() {
    let document = Document(serde_json::from_str(include_str!("../src/openapi.json")).unwrap());
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../protocol-tests/golden/rest");
    let (mut seen, mut wrong) = (BTreeSet::new(), Vec::new());
    for file in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        // Times were taken out.
        let text = text.replace("\"<ms>\"", "0");
        for call in text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
            let (method, path) = (call["method"].as_str().unwrap(), call["path"].as_str().unwrap());
            let Some(template) = document.template(path) else { continue };
            if document.paths()[template].get(method.to_lowercase()).is_none() {
                continue;
            }
            let body = &call["response_body"];
            // Of long lists only a summary was recorded.
            let is_whole = !template.ends_with("/validate") || body.get("configs").is_some();
            let is_json =
                call["response_headers"]["content-type"].as_str().is_some_and(|t| t.contains("json"));
            let status = u16::try_from(call["status"].as_u64().unwrap()).unwrap();
            if status < 400 && !is_whole {
                continue;
            }
            match document.differs(method, template, status, is_json && !body.is_null(), body) {
                None => drop(seen.insert(format!("{method} {template} {status}"))),
                Some(why) => wrong.push(format!("{}: {method} {path} {status}: {why}", call["id"])),
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(seen.len() > 60, "{seen:#?}");
}

#[tokio::test]
async fn our_answers_are_as_the_document_says() {
    let server = server().await;
    let to = server.local_addrs()[0];
    let document = Document::read(to).await;
    let json = [("Content-Type", "application/json")];
    let level = r#"{"level":"DEBUG"}"#;
    let new = r#"{"name":"c","config":{"a":"b"}}"#;
    let calls = [
        ("GET", "/", ""),
        ("GET", "/health", ""),
        ("GET", "/connectors", ""),
        ("GET", "/connectors?expand=info&expand=status", ""),
        ("POST", "/connectors", new),
        ("POST", "/connectors", "{"),
        ("GET", "/connectors/c", ""),
        ("GET", "/connectors/none", ""),
        ("GET", "/connectors/c/config", ""),
        ("PUT", "/connectors/c/config", r#"{"a":"b"}"#),
        ("PATCH", "/connectors/c/config", r#"{"a":null}"#),
        ("GET", "/connectors/c/status", ""),
        ("POST", "/connectors/c/restart", ""),
        ("POST", "/connectors/c/restart?includeTasks=true", ""),
        ("PUT", "/connectors/c/pause", ""),
        ("PUT", "/connectors/c/resume", ""),
        ("PUT", "/connectors/c/stop", ""),
        ("GET", "/connectors/c/tasks", ""),
        ("GET", "/connectors/c/tasks/0/status", ""),
        ("POST", "/connectors/c/tasks/0/restart", ""),
        ("GET", "/connectors/c/offsets", ""),
        ("PATCH", "/connectors/c/offsets", r#"{"offsets":[{"partition":{"p":1},"offset":null}]}"#),
        ("DELETE", "/connectors/c/offsets", ""),
        ("GET", "/connectors/c/topics", ""),
        ("GET", "/connector-plugins?connectorsOnly=false", ""),
        ("GET", "/connector-plugins/p/config", ""),
        ("PUT", "/connector-plugins/p/config/validate", "{}"),
        ("GET", "/admin/loggers", ""),
        ("GET", "/admin/loggers/a", ""),
        ("PUT", "/admin/loggers/a", level),
        ("PUT", "/admin/loggers/a?scope=cluster", level),
        ("DELETE", "/connectors/c", ""),
    ];
    for (method, target, body) in calls {
        let headers: &[(&str, &str)] = if body.is_empty() { &[] } else { &json };
        let Answer { status, headers, body } = send(to, method, target, headers, body).await;
        let path = target.split('?').next().unwrap();
        let template = document.template(path).unwrap();
        let is_json = headers.get("content-type").is_some_and(|t| t == "application/json");
        let body = if body.is_empty() { Value::Null } else { serde_json::from_str(&body).unwrap() };
        let why = document.differs(method, template, status, is_json, &body);
        assert_eq!(why, None, "{method} {target} {status}: {body}");
    }
}
