//! schemathesis asks a worker whatever its OpenAPI document allows, and what it does not: in the default mode no
//! request may be answered with a server's error.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use crossdock::Engine;
use crossdock_broker::Broker;
use std::path::Path;
use tokio::process::Command;

const VERSION: &str = "schemathesis==4.32.5";
/// So that a failure comes again.
const SEED: &str = "20260101";

async fn run(program: &Path, arguments: &[&str]) -> (bool, String) {
    let output = Command::new(program).args(arguments).kill_on_drop(true).output().await;
    let output = output.unwrap_or_else(|error| panic!("{}: {error}", program.display()));
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: schemathesis is installed and asks for minutes"]
async fn no_request_makes_a_server_error() {
    let dir = tempfile::tempdir().unwrap();
    let venv = dir.path().join("venv");
    let (made, said) = run(Path::new("python3"), &["-m", "venv", venv.to_str().unwrap()]).await;
    assert!(made, "{said}");
    let (installed, said) = run(&venv.join("bin/pip"), &["install", "-q", VERSION]).await;
    assert!(installed, "{said}");

    let broker = Broker::builder().start().await.unwrap();
    let file = dir.path().join("in.txt");
    std::fs::write(&file, "a line\n").unwrap();
    let engine = Engine::builder()
        .set("bootstrap.servers", &broker.bootstrap())
        .set("listeners", "http://127.0.0.1:0")
        .set("key.converter", "StringConverter")
        .set("value.converter", "StringConverter")
        .set("task.shutdown.graceful.timeout.ms", "500")
        .rest(true)
        .connector([
            // As the examples of the document name it.
            ("name", "my-connector"),
            ("connector.class", "FileStreamSource"),
            ("file", file.to_str().unwrap()),
            ("topic", "t"),
        ])
        .start()
        .await
        .unwrap();
    let document = format!("http://{}/openapi.json", engine.rest_addresses()[0]);
    let arguments = [
        "run",
        &document,
        "--checks=not_a_server_error",
        "--mode=all",
        "--max-examples=25",
        "--request-timeout=60",
        "--generation-database=none",
        &format!("--seed={SEED}"),
        "--no-color",
    ];
    let (passed, said) = run(&venv.join("bin/schemathesis"), &arguments).await;
    engine.stop().await;
    assert!(passed, "{said}");
    assert!(said.contains("Test cases"), "it has asked nothing: {said}");
}
