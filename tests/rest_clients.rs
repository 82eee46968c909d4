//! The REST API driven by the clients that people use, each in its own language: what they send is
//! understood, and what they read means to them what Connect's answers mean.
//!
//! The programs are in `tests/rest_clients/`; each takes the worker's URL and a folder. They need Python,
//! Go, and Java with Maven, and fetch their client from its registry.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use crossdock_testcontainers::Kafka;
use std::path::{Path, PathBuf};
use std::process::Command;
use support::{Worker, await_that};

const JSON: &str = "org.apache.kafka.connect.json.JsonConverter";

fn programs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rest_clients")
}

/// Runs a command to its end; all that it printed is in the failure.
fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        output.status.success(),
        "{command:?} ended with {}\n{}\n{}",
        output.status,
        text(&output.stdout),
        text(&output.stderr)
    );
}

/// Starts a worker, in both modes, and hands its URL and a folder to `drive`.
async fn driven(drive: impl Fn(&str, &Path)) {
    let broker = Kafka::shared().await.unwrap().bootstrap();
    for mode in ["safe", "strict"] {
        let dir = tempfile::tempdir().unwrap();
        let settings =
            [("crossdock.compatibility", mode), ("key.converter", JSON), ("value.converter", JSON)];
        let worker = Worker::start(dir.path(), broker, &settings, &[]);
        await_that("the REST API", || worker.get("/").is_some_and(|(status, _)| status == 200));
        drive(&format!("http://{}", worker.rest), dir.path());
        assert_eq!(worker.terminate(), Some(0));
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: fetches a client of PyPI"]
async fn kafka_connect_py() {
    let environment = tempfile::tempdir().unwrap();
    let python = environment.path().join("bin/python");
    run(Command::new("python3").args(["-m", "venv"]).arg(environment.path()));
    let requirements = programs().join("python/requirements.txt");
    run(Command::new(&python).args(["-m", "pip", "install", "--quiet", "-r"]).arg(requirements));
    let program = programs().join("python/drive.py");
    driven(|url, dir| run(Command::new(&python).arg(&program).arg(url).arg(dir))).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: fetches a client of the Go module proxy"]
async fn go_kafka_connect() {
    let built = tempfile::tempdir().unwrap();
    let program = built.path().join("drive");
    run(Command::new("go").args(["build", "-o"]).arg(&program).arg(".").current_dir(programs().join("go")));
    driven(|url, dir| run(Command::new(&program).arg(url).arg(dir))).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: fetches a client of Maven Central"]
async fn kafka_connect_client() {
    let built = tempfile::tempdir().unwrap();
    let (jars, java) = (built.path().join("jars"), programs().join("java"));
    let goal = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies";
    run(Command::new("mvn")
        .args(["--quiet", "--batch-mode", goal])
        .arg(format!("-DoutputDirectory={}", jars.display()))
        .current_dir(&java));
    let classes = format!("{}/*:{}", jars.display(), built.path().display());
    run(Command::new("javac").args(["-cp", &classes, "-d"]).arg(built.path()).arg(java.join("Drive.java")));
    driven(|url, dir| run(Command::new("java").args(["-cp", &classes, "Drive", url]).arg(dir))).await;
}
