//! Replays the reading half of the transcripts of Connect 4.3.1 against a scripted herder.

// Helpers of tests may panic as tests do; each test uses a part of them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub, dead_code)]

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;

use crossdock_rest::{Listener, RestConfig, RestServer};
use crossdock_runtime::herder::{ConnectorKind, State};
use serde_json::Value;
use support::{Scripted, ScriptedHerder, send};

/// A line of a transcript.
struct Call(Value);

impl Call {
    fn text(&self, member: &str) -> &str {
        self.0[member].as_str().unwrap_or_default()
    }

    fn target(&self) -> String {
        match self.0["query"].as_str() {
            Some(query) => format!("{}?{query}", self.text("path")),
            None => self.text("path").to_owned(),
        }
    }

    fn headers(&self, member: &str) -> BTreeMap<String, String> {
        serde_json::from_value(self.0[member].clone()).unwrap()
    }
}

fn transcript(file: &str) -> Vec<Call> {
    let path = format!("{}/../../protocol-tests/golden/rest/{file}.jsonl", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap();
    text.lines().map(|line| Call(serde_json::from_str(line).unwrap())).collect()
}

/// A FileStream connector as the scenarios create it.
fn connector(name: &str, kind: ConnectorKind) -> (String, Scripted) {
    let map = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
    let (class, file, topic) = match kind {
        ConnectorKind::Sink => {
            ("FileStreamSink", format!("<dir>/out-{name}.txt"), ("topics", "standalone-e1"))
        }
        _ => ("FileStreamSource", "<dir>/in.txt".to_owned(), ("topic", "")),
    };
    let own = format!("standalone-{name}");
    let topic = (topic.0, if topic.1.is_empty() { own.as_str() } else { topic.1 });
    let common = [("name", name), ("connector.class", class), ("tasks.max", "1"), ("file", &file), topic];
    let task =
        [&common[..], &[("task.class", "org.apache.kafka.connect.file.FileStreamSourceTask")]].concat();
    let (config, task_config) = (map(&common), map(&task));
    (name.to_owned(), Scripted { config, task_config, kind, task_state: State::Running, trace: None })
}

/// Replays the calls and compares status, headers and body of each.
async fn replay(connectors: Vec<(String, Scripted)>, calls: impl IntoIterator<Item = Call>) {
    let herder = ScriptedHerder { connectors: BTreeMap::from_iter(connectors).into(), ..Default::default() };
    let listeners = Listener::parse_list("http://127.0.0.1:0").unwrap();
    let server = RestServer::start(RestConfig::new(listeners), Arc::new(herder)).await.unwrap();
    let address = server.local_addrs()[0];
    let mut replayed = 0;
    for call in calls {
        let headers = call.headers("headers");
        let headers: Vec<_> = headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        let (method, body) = (call.text("method"), call.text("request_raw"));
        let answer = send(address, method, &call.target(), &headers, body).await;
        let id = call.text("id");
        assert_eq!(answer.status, call.0["status"], "{id}: {}", answer.body);
        let mut headers = answer.headers;
        headers.retain(|name, _| ["content-type", "allow", "location"].contains(&name.as_str()));
        assert_eq!(headers, call.headers("response_headers"), "{id}");
        match &call.0["response_body"] {
            Value::Null => assert_eq!(answer.body, "", "{id}"),
            Value::String(text) => assert_eq!(&answer.body, text, "{id}"),
            json => assert_eq!(&serde_json::from_str::<Value>(&answer.body).unwrap(), json, "{id}"),
        }
        replayed += 1;
    }
    assert!(replayed > 0, "no call was replayed");
    server.shutdown().await;
}

fn scenario(file: &str, name: &str, wanted: impl Fn(&Call) -> bool) -> Vec<Call> {
    let ours = |call: &Call| call.text("scenario") == name && wanted(call);
    transcript(file).into_iter().filter(ours).collect()
}

/// Resources that there are; the others come later.
fn is_read(call: &Call) -> bool {
    let path = call.text("path");
    let later =
        ["/connector-plugins", "/admin/", "/topics", "/offsets", "/pause", "/resume", "/stop", "/fence"];
    !later.iter().any(|part| path.contains(part))
}

#[tokio::test]
async fn root_and_health() {
    // An empty segment is answered by Jetty itself, with a page.
    replay(vec![], scenario("standalone_root", "root_get", |call| call.text("path") != "//")).await;
}

#[tokio::test]
async fn methods() {
    // OPTIONS on /connectors lists POST, which is not there yet.
    let wanted =
        |call: &Call| is_read(call) && (call.text("method"), call.text("path")) != ("OPTIONS", "/connectors");
    replay(vec![], scenario("standalone_root", "root_methods", wanted)).await;
    // Methods on `.../config` and `/connectors/{name}` that are not there yet are among these too.
    replay(vec![], scenario("standalone_root", "every_405", is_read)).await;
}

#[tokio::test]
async fn accept_headers() {
    replay(vec![], scenario("standalone_root", "accept_header", |_| true)).await;
}

#[tokio::test]
async fn unknown_connectors() {
    let get = |call: &Call| is_read(call) && call.text("method") == "GET";
    replay(vec![], scenario("standalone_connectors", "connector_404", get)).await;
    let restart_plan = |call: &Call| call.text("query").contains("includeTasks");
    replay(vec![], scenario("standalone_connectors", "connector_404", restart_plan)).await;
}

#[tokio::test]
async fn expanded_lists() {
    let both = vec![connector("e1", ConnectorKind::Source), connector("e2", ConnectorKind::Sink)];
    let before_deletion = |call: &Call| call.text("method") == "GET" && call.0["status"] == 200;
    let mut calls = scenario("standalone_connectors", "expand", before_deletion);
    let after_deletion = calls.pop();
    replay(both, calls).await;
    replay(vec![], after_deletion).await;
}

#[tokio::test]
async fn restarts() {
    let running = vec![connector("r1", ConnectorKind::Source)];
    let wanted =
        |call: &Call| call.text("path").starts_with("/connectors/r1") && call.text("method") != "DELETE";
    let mut calls = scenario("standalone_connectors", "restart", wanted);
    // The last call waits for the connector to be gone. Connect keeps a status of the tasks that were
    // restarted though there is none; a herder's matter.
    let left_out = [("/connectors/r1", 404), ("/connectors/r1/status", 200)];
    calls.retain(|call| {
        !left_out.iter().any(|(path, status)| call.text("path") == *path && call.0["status"] == *status)
    });
    replay(running, calls).await;
}

#[tokio::test]
async fn a_failed_task() {
    let status = |call: &Call| call.text("id") == "s.failed_task.5";
    let restart = |call: &Call| call.text("id") == "s.failed_task.9";
    let (name, mut sink) = connector("f1", ConnectorKind::Sink);
    let calls: Vec<_> = [
        scenario("standalone_connectors", "failed_task", status),
        scenario("standalone_connectors", "failed_task", restart),
    ]
    .into_iter()
    .flatten()
    .collect();
    sink.task_state = State::Failed;
    sink.trace = calls[0].0["response_body"]["trace"].as_str().map(str::to_owned);
    replay(vec![(name, sink)], calls).await;
}

#[tokio::test]
async fn odd_names() {
    for file_scenario in ["names_put", "names_odd"] {
        let reads = |call: &Call| call.text("method") == "GET" && call.text("path") != "/connectors";
        // Served with a page by Jetty; here these names can be addressed.
        let refused = |call: &Call| call.0["status"] == 400;
        let calls = scenario("standalone_names", file_scenario, |call| reads(call) && !refused(call));
        for call in calls {
            let body = &call.0["response_body"];
            let name = body["name"].as_str().map(str::to_owned);
            let scripted = name.map(|name| {
                let (_, mut scripted) = connector(&name, ConnectorKind::Source);
                if body["config"].is_object() {
                    scripted.config = serde_json::from_value(body["config"].clone()).unwrap();
                }
                (name, scripted)
            });
            replay(scripted.into_iter().collect(), [call]).await;
        }
    }
}
