//! What the transcripts do not show: names that Connect's server refuses, limits, start and end.

// Helpers of tests may panic as tests do; each test uses a part of them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub, dead_code)]

mod support;

use std::sync::Arc;
use std::time::Duration;

use crossdock_rest::{Listener, RestConfig, RestServer};
use crossdock_runtime::herder::{ConnectorKind, State};
use crossdock_runtime::loggers::Loggers;
use support::{Scripted, ScriptedHerder, parse, send, send_raw};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

fn config() -> RestConfig {
    RestConfig::new(Listener::parse_list("http://127.0.0.1:0").unwrap())
}

fn with(names: &[&str]) -> Arc<ScriptedHerder> {
    let scripted = Scripted {
        config: Default::default(),
        task_config: Default::default(),
        kind: ConnectorKind::Source,
        task_state: State::Running,
        trace: None,
    };
    let herder = ScriptedHerder::default();
    herder.connectors.lock().unwrap().extend(names.iter().map(|n| (n.to_string(), scripted.clone())));
    Arc::new(herder)
}

#[tokio::test]
async fn names_that_connects_server_refuses() {
    let server = RestServer::start(config(), with(&["a/b", "a%2Fb", "a\\b", "v%w"])).await.unwrap();
    let to = server.local_addrs()[0];
    for (path, name) in [("a%2Fb", "a/b"), ("a%252Fb", "a%2Fb"), ("a%5Cb", "a\\b"), ("v%25w", "v%w")] {
        for target in [format!("/connectors/{path}"), format!("/connectors/{path}/status")] {
            let answer = send(to, "GET", &target, &[], "").await;
            let body: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
            assert_eq!((answer.status, body["name"].as_str()), (200, Some(name)));
        }
    }
    for target in ["/connectors/%ZZ", "/connectors/%FF", "//", "/connectors//status"] {
        let answer = send(to, "GET", target, &[], "").await;
        assert_eq!(answer.status, 400);
        assert!(answer.body.starts_with("{\"error_code\":400,\"message\":"), "{}", answer.body);
    }
}

#[tokio::test]
async fn a_connector_that_vanishes_is_left_out_of_expanded_lists() {
    let herder = with(&["stays"]);
    herder.vanishing.lock().unwrap().insert("gone".into());
    let server = RestServer::start(config(), herder).await.unwrap();
    let answer = send(server.local_addrs()[0], "GET", "/connectors?expand=status&expand=x", &[], "").await;
    let body: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(body.as_object().unwrap().keys().collect::<Vec<_>>(), ["stays"]);
}

#[tokio::test]
async fn restarts_reach_the_herder() {
    let herder = with(&["c"]);
    let server = RestServer::start(config(), herder.clone()).await.unwrap();
    let to = server.local_addrs()[0];
    for target in [
        "restart",
        "restart?includeTasks=true",
        "restart?onlyFailed=TRUE&onlyFailed=false",
        "tasks/0/restart",
    ] {
        assert!(send(to, "POST", &format!("/connectors/c/{target}"), &[], "").await.status < 300);
    }
    let expected =
        ["c tasks=false failed=false", "c tasks=true failed=false", "c tasks=false failed=true", "c-0"];
    assert_eq!(*herder.restarts.lock().unwrap(), expected);
}

#[tokio::test]
async fn bodies_and_heads_have_limits() {
    let server = RestServer::start(config(), with(&["c"])).await.unwrap();
    let to = server.local_addrs()[0];
    let head = "POST /connectors/c/restart HTTP/1.1\r\nHost: x\r\nConnection: close\r\n";
    let answer = send_raw(to, &format!("{head}Content-Length: 1048577\r\n\r\n")).await;
    assert_eq!(answer.status, 413);
    assert!(answer.body.contains("1048576"), "{}", answer.body);
    let answer = send_raw(to, &format!("GET / HTTP/1.1\r\n{}\r\n", "X: x\r\n".repeat(200))).await;
    assert_eq!(answer.status, 431);
}

#[tokio::test]
async fn a_client_that_connects_before_there_is_a_herder_is_answered_later() {
    let bound = RestServer::bind(config()).await.unwrap();
    let to = bound.local_addrs()[0];
    assert_eq!(bound.advertised().worker_id(), to.to_string());
    let mut early = TcpStream::connect(to).await.unwrap();
    early.write_all(b"GET /connectors HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
    let server = bound.serve(with(&["c"]));
    assert_eq!(server.advertised_url(), format!("http://{to}/"));
    let mut text = String::new();
    early.read_to_string(&mut text).await.unwrap();
    assert_eq!(parse(&text).body, "[\"c\"]");
}

#[tokio::test]
async fn herder_errors_and_panics_are_answers() {
    let server =
        RestServer::start(config(), Arc::new(ScriptedHerder { stubborn: true, ..Default::default() }))
            .await
            .unwrap();
    let to = server.local_addrs()[0];
    for (target, status, message) in [
        ("/connectors/c", 500, "Internal error of the worker; its log says more"),
        ("/connectors/c/status", 500, "broken"),
        ("/connectors/c/tasks", 409, "rebalance"),
        ("/connectors/c/tasks/0/status", 400, "bad"),
    ] {
        let answer = send(to, "GET", target, &[], "").await;
        assert_eq!(answer.body, format!("{{\"error_code\":{status},\"message\":\"{message}\"}}"));
        assert_eq!(answer.status, status);
        assert_eq!(answer.headers["content-type"], "application/json");
    }
    let unknown = send(to, "GET", "/", &[], "").await;
    assert!(unknown.body.contains("\"kafka_cluster_id\":null"), "{}", unknown.body);
}

#[tokio::test]
async fn shutdown_lets_a_request_under_way_end() {
    let herder = Arc::new(ScriptedHerder { stubborn: true, ..Default::default() });
    let server = RestServer::start(config(), herder.clone()).await.unwrap();
    let to = server.local_addrs()[0];
    // An idle connection does not hold it up.
    let mut idle = TcpStream::connect(to).await.unwrap();
    let asking = tokio::spawn(async move { send(to, "GET", "/connectors", &[], "").await });
    herder.asked.notified().await;
    let ending = tokio::spawn(server.shutdown());
    assert_eq!(idle.read(&mut [0]).await.unwrap(), 0);
    assert!(!ending.is_finished());
    herder.released.notify_one();
    assert_eq!(asking.await.unwrap().body, "[]");
    ending.await.unwrap();
    assert!(TcpStream::connect(to).await.is_err());
}

#[tokio::test]
async fn shutdown_does_not_wait_for_ever() {
    let herder = Arc::new(ScriptedHerder { stubborn: true, ..Default::default() });
    let mut config = config();
    config.shutdown_timeout = Duration::from_millis(1);
    let server = RestServer::start(config, herder.clone()).await.unwrap();
    let mut asking = TcpStream::connect(server.local_addrs()[0]).await.unwrap();
    asking.write_all(b"GET /connectors HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    herder.asked.notified().await;
    server.shutdown().await;
    let mut rest = Vec::new();
    asking.read_to_end(&mut rest).await.unwrap();
    assert!(rest.is_empty());
}

#[tokio::test]
async fn dropping_the_server_closes_everything() {
    let server = RestServer::start(config(), with(&[])).await.unwrap();
    let to = server.local_addrs()[0];
    let mut idle = TcpStream::connect(to).await.unwrap();
    // Once this is answered, the connection before it has been accepted too.
    send(to, "GET", "/", &[], "").await;
    drop(server);
    assert_eq!(idle.read(&mut [0]).await.unwrap_or(0), 0);
}

#[tokio::test]
async fn plugins_are_listed_and_configurations_checked() {
    let json = [("Content-Type", "application/json")];
    let validate = "/connector-plugins/ASink/config/validate";
    for (as_connect, status) in [(false, 400), (true, 500)] {
        let mut settings = config();
        settings.as_connect = as_connect;
        let server = RestServer::start(settings, Arc::new(ScriptedHerder::default())).await.unwrap();
        let to = server.local_addrs()[0];
        for (query, count) in
            [("", 1), ("?connectorsOnly=", 1), ("?connectorsOnly=TRUE", 1), ("?connectorsOnly=0", 2)]
        {
            let answer = send(to, "GET", &format!("/connector-plugins{query}"), &[], "").await;
            let plugins: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
            assert_eq!(plugins.as_array().unwrap().len(), count, "{query}");
        }
        let unknown = send(to, "GET", "/connector-plugins/x%20y/config?version=1", &[], "").await;
        assert_eq!((unknown.status, unknown.body.contains("Unknown plugin x y. 1")), (404, true));
        let put = async |body: &'static str, headers: &'static [(&'static str, &'static str)]| {
            send(to, "PUT", validate, headers, body).await
        };
        let fine =
            send(to, "PUT", validate, &json, r#"{"connector.class":"org.example.ASinkConnector"}"#).await;
        assert_eq!((fine.status, fine.body.contains("org.example.ASinkConnector")), (200, true));
        let other = send(to, "PUT", validate, &json, r#"{"connector.class":"Other"}"#).await;
        assert_eq!(other.status, 400, "{}", other.body);
        for body in ["{}", "{", "null", "[1]"] {
            assert_eq!(send(to, "PUT", validate, &json, body).await.status, status, "{body}");
        }
        assert_eq!(put("{}", &[]).await.status, 415);
        assert_eq!(put("{}", &[("Content-Type", "text/plain")]).await.status, 415);
    }
}

#[tokio::test]
async fn offsets_reach_the_herder() {
    let server = RestServer::start(config(), with(&["c"])).await.unwrap();
    let to = server.local_addrs()[0];
    let json = [("Content-Type", "application/json")];
    let path = "/connectors/c/offsets";
    let listed = send(to, "GET", path, &[], "").await;
    assert_eq!(listed.body, r#"{"offsets":[{"partition":{"p":1},"offset":{"o":2}}]}"#);
    let altered = send(to, "PATCH", path, &json, r#"{"offsets":[{},{"partition":{"a":1}}]}"#).await;
    assert_eq!((altered.status, altered.body.as_str()), (200, r#"{"message":"altered 2"}"#));
    for body in ["{}", r#"{"offsets":[]}"#, r#"{"offsets":null}"#, r#"{"offsets":[null]}"#, r#"{"x":1}"#, ""]
    {
        assert_eq!(send(to, "PATCH", path, &json, body).await.status, 400, "{body}");
    }
    assert_eq!(send(to, "DELETE", path, &[], "").await.body, r#"{"message":"reset"}"#);
    assert_eq!(send(to, "DELETE", "/connectors/none/offsets", &[], "").await.status, 404);
    let allowed = send(to, "OPTIONS", path, &[], "").await;
    assert_eq!(allowed.headers["allow"], "HEAD,DELETE,GET,OPTIONS,PATCH");
}

#[tokio::test]
async fn active_topics_are_shown_and_what_is_forbidden_is_403() {
    let server = RestServer::start(config(), with(&["c"])).await.unwrap();
    let to = server.local_addrs()[0];
    let shown = send(to, "GET", "/connectors/c/topics", &[], "").await;
    assert_eq!(shown.body, r#"{"c":{"topics":["topic-of-c"]}}"#);
    let reset = send(to, "PUT", "/connectors/c/topics/reset", &[], "").await;
    assert_eq!((reset.status, reset.body.as_str()), (403, r#"{"error_code":403,"message":"not of c"}"#));
}

#[tokio::test]
async fn levels_of_loggers_are_shown_and_set() {
    let applied = Arc::new(std::sync::Mutex::new(Vec::new()));
    let seen = Arc::clone(&applied);
    let mut settings = config();
    let apply = move |filter: &str| seen.lock().unwrap().push(filter.to_owned());
    settings.log_levels = Some(Arc::new(Loggers::new("info", &[], apply)));
    let server = RestServer::start(settings, with(&[])).await.unwrap();
    let to = server.local_addrs()[0];
    let json = [("Content-Type", "application/json")];
    let root = send(to, "GET", "/admin/loggers/root", &[], "").await;
    assert_eq!(root.body, r#"{"level":"INFO","last_modified":null}"#);
    assert_eq!(send(to, "GET", "/admin/loggers/a", &[], "").await.status, 404);
    let set = send(to, "PUT", "/admin/loggers/a?scope=x", &json, r#"{"level":"debug"}"#).await;
    assert_eq!((set.status, set.body.as_str()), (200, r#"["a"]"#));
    let set = send(to, "PUT", "/admin/loggers/a?scope=Cluster", &json, r#"{"level":"TRACE"}"#).await;
    assert_eq!((set.status, set.body.as_str()), (204, ""));
    let all = send(to, "GET", "/admin/loggers", &[], "").await.body;
    assert!(all.contains(r#""a":{"level":"TRACE","last_modified":1"#), "{all}");
    assert_eq!(*applied.lock().unwrap(), ["info,a=debug", "info,a=trace"]);
    for (body, status) in [("{}", 400), (r#"{"level":"loud"}"#, 404), (r#"{"level":""}"#, 400), ("", 400)] {
        assert_eq!(send(to, "PUT", "/admin/loggers/a", &json, body).await.status, status, "{body}");
    }
    let none = RestServer::start(config(), with(&[])).await.unwrap();
    let set = send(none.local_addrs()[0], "PUT", "/admin/loggers/a", &json, r#"{"level":"debug"}"#).await;
    assert_eq!((set.status, set.body.as_str()), (200, "[]"));
}
