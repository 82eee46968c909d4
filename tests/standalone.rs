//! `crossdock standalone` with a real Kafka broker: what goes in comes out the same, also after kill -9
//! and while brokers go away.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use crossdock_testcontainers::Kafka;
use std::collections::HashSet;
use std::path::Path;

use support::{Worker, await_that, same_bytes, sink, size, source, topic, write_lines};

const JSON: &str = "org.apache.kafka.connect.json.JsonConverter";
const BYTES: &str = "org.apache.kafka.connect.converters.ByteArrayConverter";

async fn shared_broker() -> &'static str {
    Kafka::shared().await.unwrap().bootstrap()
}

/// Sends `lines` lines through a topic and compares the files.
async fn goes_through(settings: &[(&str, &str)], sink_settings: &str, lines: u64) {
    let dir = tempfile::tempdir().unwrap();
    let (input, output) = (dir.path().join("in.txt"), dir.path().join("out.txt"));
    write_lines(&input, 0..lines);
    let topic = topic("through");
    let connectors = [source("in", &input, &topic), sink("out", &output, &topic) + sink_settings];
    let connectors: Vec<&str> = connectors.iter().map(String::as_str).collect();
    let mut worker = Worker::start(dir.path(), shared_broker().await, settings, &connectors);
    await_that("the output to be as long as the input", || {
        worker.assert_alive();
        size(&output) >= size(&input)
    });
    assert_eq!(worker.terminate(), Some(0));
    assert!(same_bytes(&input, &output), "the output differs from the input");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_million_lines_come_out_byte_for_byte() {
    goes_through(&[], "", 2_000_000).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn json_with_schemas_and_without() {
    for enable in ["true", "false"] {
        let settings = [("value.converter", JSON), ("value.converter.schemas.enable", enable)];
        goes_through(&settings, "", 100_000).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_are_written_as_they_are() {
    goes_through(&[], &format!("value.converter={BYTES}\n"), 100_000).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn compressed_records_come_out_the_same() {
    for codec in ["gzip", "snappy", "lz4", "zstd"] {
        goes_through(&[("producer.compression.type", codec)], "", 50_000).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sink_finds_its_topics_by_their_names_also_later() {
    let dir = tempfile::tempdir().unwrap();
    let output = dir.path().join("out.txt");
    let prefix = topic("matched");
    let sink = sink("out", &output, &format!("{prefix}-[ab]")).replace("topics=", "topics.regex=")
        + "consumer.override.metadata.max.age.ms=300\n";
    let inputs = ["a", "b", "c"].map(|name| dir.path().join(format!("{name}.txt")));
    let connectors = ["a", "b", "c"]
        .map(|name| source(name, &dir.path().join(format!("{name}.txt")), &format!("{prefix}-{name}")));
    let connectors: Vec<&str> = connectors.iter().map(String::as_str).chain([sink.as_str()]).collect();
    // No topic is there yet. The one that does not match is written to first.
    write_lines(&inputs[2], 0..10);
    let mut worker = Worker::start(dir.path(), shared_broker().await, &[], &connectors);
    let mut expected = 0;
    for input in &inputs[..2] {
        write_lines(input, 0..1_000);
        expected += size(input);
        await_that("the topic's lines to be written", || {
            worker.assert_alive();
            size(&output) >= expected
        });
    }
    assert_eq!(worker.terminate(), Some(0));
    assert_eq!(size(&output), expected);
}

/// The first lines of the input that the output lacks. A kill may have cut a line there within a character.
fn missing(input: &Path, output: &Path) -> Vec<String> {
    let text = std::fs::read(output).unwrap();
    let text = String::from_utf8_lossy(&text);
    let written: HashSet<&str> = text.lines().collect();
    let input = std::fs::read_to_string(input).unwrap();
    input.lines().filter(|line| !written.contains(line)).take(20).map(str::to_owned).collect()
}

/// Kills the worker in the middle of each round's lines, `moment` telling how many bytes of them shall have
/// arrived by then, and looks for missing lines in the end.
async fn killed_again_and_again(rounds: u64, mut moment: impl FnMut() -> u64) {
    let dir = tempfile::tempdir().unwrap();
    let (input, output) = (dir.path().join("in.txt"), dir.path().join("out.txt"));
    let topic = topic("killed");
    let connectors = [source("in", &input, &topic), sink("out", &output, &topic)];
    let connectors: Vec<&str> = connectors.iter().map(String::as_str).collect();
    let bootstrap = shared_broker().await;
    // A killed member is only missed when its session has ended; the default is 45 s.
    let settings = [("consumer.session.timeout.ms", "6000"), ("consumer.heartbeat.interval.ms", "1000")];
    let mut lines = 0;
    for _ in 0..rounds {
        write_lines(&input, lines..lines + LINES_A_ROUND);
        lines += LINES_A_ROUND;
        let worker = Worker::start(dir.path(), bootstrap, &settings, &connectors);
        let goal = size(&output) + moment();
        await_that("some of the lines to arrive", || size(&output) >= goal);
        worker.kill();
    }
    let worker = Worker::start(dir.path(), bootstrap, &settings, &connectors);
    let last = format!("{:010} ", lines - 1);
    await_that("the last line to arrive", || {
        let text = std::fs::read(&output).unwrap_or_default();
        String::from_utf8_lossy(&text[text.len().saturating_sub(1000)..]).contains(&last)
    });
    assert_eq!(worker.terminate(), Some(0));
    assert_eq!(missing(&input, &output), Vec::<String>::new());
}

const LINES_A_ROUND: u64 = 200_000;

#[tokio::test(flavor = "multi_thread")]
async fn after_kill_9_no_line_is_missing() {
    let mut round = 0;
    killed_again_and_again(4, || {
        round += 1;
        round * 2_000_000
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: five minutes of kills"]
async fn fifty_kills_at_random_moments_lose_no_line() {
    let given = std::env::var("CROSSDOCK_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = given.unwrap_or_else(|| u64::from(std::process::id()) * 2_654_435_761);
    println!("CROSSDOCK_SEED={seed}");
    let mut state = seed | 1;
    killed_again_and_again(50, || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % (LINES_A_ROUND * 100)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_goes_away_and_comes_back_loses_and_doubles_nothing() {
    let mut kafka = Kafka::start().await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let (input, output) = (dir.path().join("in.txt"), dir.path().join("out.txt"));
    write_lines(&input, 0..100_000);
    let topic = topic("away");
    let connectors = [source("in", &input, &topic), sink("out", &output, &topic)];
    let connectors: Vec<&str> = connectors.iter().map(String::as_str).collect();
    let bootstrap = kafka.bootstrap().to_owned();
    let mut worker = Worker::start(dir.path(), &bootstrap, &[], &connectors);
    await_that("the first lines to arrive", || size(&output) > 1_000_000);
    kafka.stop_node(1).await.unwrap();
    write_lines(&input, 100_000..200_000);
    // The REST API answers, and tasks keep their state, while the broker is away.
    let status = worker.get("/connectors/in/status").unwrap().1;
    assert_eq!(status["tasks"][0]["state"], "RUNNING");
    kafka.start_node(1).await.unwrap();
    await_that("all lines to arrive", || {
        worker.assert_alive();
        size(&output) >= size(&input)
    });
    assert_eq!(worker.terminate(), Some(0));
    assert!(same_bytes(&input, &output), "lines are missing, doubled or out of order");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_down_at_the_start_is_waited_for() {
    let mut kafka = Kafka::start().await.unwrap();
    kafka.stop_node(1).await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let (input, output) = (dir.path().join("in.txt"), dir.path().join("out.txt"));
    write_lines(&input, 0..1000);
    let topic = topic("down");
    let connectors = [source("in", &input, &topic), sink("out", &output, &topic)];
    let connectors: Vec<&str> = connectors.iter().map(String::as_str).collect();
    let bootstrap = kafka.bootstrap().to_owned();
    let mut worker = Worker::start(dir.path(), &bootstrap, &[], &connectors);
    await_that("the log to say what is wrong", || {
        worker.assert_alive();
        let log = worker.log();
        log.contains(&bootstrap) && log.contains("[in|task-0] ")
    });
    let (status, names) = worker.get("/connectors").unwrap();
    assert_eq!((status, names), (200, serde_json::json!(["in", "out"])));
    kafka.start_node(1).await.unwrap();
    await_that("all lines to arrive", || size(&output) >= size(&input));
    assert_eq!(worker.terminate(), Some(0));
    assert!(same_bytes(&input, &output));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rest_api_answers_as_connect_does() {
    let dir = tempfile::tempdir().unwrap();
    let (input, output) = (dir.path().join("in.txt"), dir.path().join("out.txt"));
    write_lines(&input, 0..10);
    let topic = topic("rest");
    let connectors = [source("in", &input, &topic), sink("out", &output, &topic)];
    let connectors: Vec<&str> = connectors.iter().map(String::as_str).collect();
    let mut worker = Worker::start(dir.path(), shared_broker().await, &[], &connectors);
    let status = worker.await_status("out", |s| s["tasks"][0]["state"] == "RUNNING");
    let worker_id = worker.rest.to_string();
    let running = serde_json::json!({"state": "RUNNING", "worker_id": worker_id, "version": "4.3.1"});
    let mut task = running.clone();
    task["id"] = 0.into();
    assert_eq!(
        status,
        serde_json::json!({"name": "out", "connector": running, "tasks": [task], "type": "sink"})
    );

    let (code, root) = worker.get("/").unwrap();
    assert_eq!((code, &root["version"]), (200, &"4.3.1".into()));
    assert_eq!(root["kafka_cluster_id"], Kafka::shared().await.unwrap().cluster_id());
    assert!(root["commit"].is_string());

    let (code, info) = worker.get("/connectors/in").unwrap();
    let config = serde_json::json!({
        "name": "in", "connector.class": "FileStreamSource", "tasks.max": "1",
        "file": input.display().to_string(), "topic": topic,
    });
    let expected = serde_json::json!({
        "name": "in", "config": config, "tasks": [{"connector": "in", "task": 0}], "type": "source",
    });
    assert_eq!((code, info), (200, expected));

    let missing = worker.get("/connectors/none").unwrap();
    assert_eq!(missing, (404, serde_json::json!({"error_code": 404, "message": "Connector none not found"})));
    let missing = worker.get("/connectors/none/status").unwrap();
    let message = "No status found for connector none";
    assert_eq!(missing, (404, serde_json::json!({"error_code": 404, "message": message})));
}
