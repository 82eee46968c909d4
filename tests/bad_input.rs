//! What people get wrong, and what goes wrong around them: every case ends in an error that names the
//! connector and says what to do, nothing is lost, and the other connector goes on.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use crossdock_broker::Broker;
use std::io::Write;
use std::path::PathBuf;
use support::{Worker, await_that, sink, size, source, write_lines};

/// A broker, a folder, and a healthy pair of connectors that must go on whatever the others do.
struct Scene {
    broker: Broker,
    dir: tempfile::TempDir,
}

impl Scene {
    async fn new() -> Self {
        Self::with(Broker::builder().start().await.unwrap())
    }

    fn with(broker: Broker) -> Self {
        let scene = Self { broker, dir: tempfile::tempdir().unwrap() };
        write_lines(&scene.path("healthy-in.txt"), 0..10);
        scene
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Starts a worker with the healthy pair and these connectors.
    fn start(&self, connectors: &[String]) -> Worker {
        let healthy = [
            source("healthy-in", &self.path("healthy-in.txt"), "healthy"),
            sink("healthy-out", &self.path("healthy-out.txt"), "healthy"),
        ];
        let all: Vec<&str> = healthy.iter().chain(connectors).map(String::as_str).collect();
        Worker::start(self.dir.path(), &self.broker.bootstrap(), &[], &all)
    }

    /// The healthy pair still carries new lines.
    fn assert_healthy(&self, worker: &mut Worker) {
        let before = size(&self.path("healthy-in.txt")) / 100;
        write_lines(&self.path("healthy-in.txt"), before..before + 10);
        await_that("the healthy connectors to go on", || {
            worker.assert_alive();
            size(&self.path("healthy-out.txt")) == size(&self.path("healthy-in.txt"))
        });
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_default()
    }
}

/// The trace of the only task of a connector, once it has failed.
fn trace(worker: &mut Worker, connector: &str) -> String {
    let status = worker.await_status(connector, |s| s["tasks"][0]["state"] == "FAILED");
    status["tasks"][0]["trace"].as_str().unwrap().to_owned()
}

/// Waits until one line of the log holds all these parts.
fn await_line(worker: &Worker, parts: &[&str]) {
    await_that(&format!("a line of the log with {parts:?}"), || {
        worker.log().lines().any(|line| parts.iter().all(|part| line.contains(part)))
    });
}

fn assert_says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in: {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_class_that_does_not_exist() {
    let scene = Scene::new().await;
    let config = "name=typo\nconnector.class=FileStreamSourse\ntopic=t\n".to_owned();
    let mut worker = scene.start(&[config]);
    scene.assert_healthy(&mut worker);
    await_line(
        &worker,
        &[
            "connector typo",
            "FileStreamSourse",
            "did you mean org.apache.kafka.connect.file.FileStreamSourceConnector?",
            "org.apache.kafka.connect.file.FileStreamSinkConnector",
        ],
    );
    assert_eq!(worker.get("/connectors").unwrap().1, serde_json::json!(["healthy-in", "healthy-out"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_connectors_that_cannot_be_started() {
    let scene = Scene::new().await;
    let config = "name=typo\nconnector.class=FileStreamSourse\ntopic=t\n";
    let worker = Worker::start(scene.dir.path(), &scene.broker.bootstrap(), &[], &[config]);
    let (code, log) = worker.ended();
    assert_eq!(code, Some(1));
    assert_says(&log, &["connector typo cannot be started", "none of the connectors can be started"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn misspelt_and_missing_and_wrong_keys() {
    let scene = Scene::new().await;
    let file = scene.path("in.txt");
    write_lines(&file, 0..1);
    let misspelt = source("misspelt", &file, "t") + "batchsize=10\n";
    let missing = format!("name=missing\nconnector.class=FileStreamSource\nfile={}\n", file.display());
    let wrong = source("wrong", &file, "t") + "batch.size=many\n";
    let mut worker = scene.start(&[misspelt, missing, wrong]);
    worker.await_status("misspelt", |s| s["tasks"][0]["state"] == "RUNNING");
    scene.assert_healthy(&mut worker);
    for line in [
        "batchsize of connector misspelt is not known and ignored; did you mean batch.size?",
        "connector missing cannot be started: Missing required configuration \"topic\" which has no default value.",
        "connector wrong cannot be started: Invalid value many for configuration batch.size: Not a number of type INT",
    ] {
        await_line(&worker, &[line]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn misspelt_keys_under_a_prefix() {
    let scene = Scene::new().await;
    let file = scene.path("in.txt");
    write_lines(&file, 0..1);
    let json = "value.converter=org.apache.kafka.connect.json.JsonConverter\nvalue.converter.schemas.enabled=false\n";
    let connector = source("prefixed", &file, "t") + json + "producer.override.liger.ms=5\n";
    let connector = [connector.as_str()];
    let settings = [("producer.batch.sise", "5")];
    let mut worker = Worker::start(scene.dir.path(), &scene.broker.bootstrap(), &settings, &connector);
    worker.await_status("prefixed", |s| s["tasks"][0]["state"] == "RUNNING");
    let log = worker.log();
    assert_says(&log, &["value.converter.schemas.enabled", "did you mean value.converter.schemas.enable?"]);
    assert_says(
        &log,
        &["the key liger.ms is not known", "did you mean linger.ms?", "the key batch.sise is not known"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_done_is_refused() {
    let scene = Scene::new().await;
    let file = scene.path("in.txt");
    write_lines(&file, 0..1);
    let with = |name: &str, more: &str| source(name, &file, "t") + more + "\n";
    let mut worker = scene.start(&[
        with("once", "exactly.once.support=required"),
        with("smt", "transforms=a\ntransforms.a.type=InsertField$Value"),
        with("nosmt", "transforms=a\ntransforms.a.type=org.apache.kafka.connect.transforms.InsertFeld$Value"),
        with("conv", "value.converter=nope.Nope"),
        sink("regex", &scene.path("out.txt"), "a)b").replace("topics=", "topics.regex="),
    ]);
    scene.assert_healthy(&mut worker);
    for parts in [
        ["connector once cannot be started", "exactly.once.support", "not supported in this version"],
        ["connector smt cannot be started", "transforms.a:", "No field insertion configured"],
        ["connector nosmt cannot be started", "transforms.a.type", "did you mean"],
        ["connector conv cannot be started", "for configuration value.converter", "nope.Nope"],
        ["connector regex cannot be started", "topics.regex", "Invalid regex"],
    ] {
        await_line(&worker, &parts);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_whose_brokers_cannot_be_reached_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("in.txt");
    write_lines(&file, 0..1);
    let plain = source("plain", &file, "t");
    let creation = "topic.creation.default.partitions=1\ntopic.creation.default.replication.factor=1\n";
    let creating = source("creating", &file, "u") + creation;
    let mut worker = Worker::start(dir.path(), "127.0.0.1:1", &[], &[&plain, &creating]);
    for connector in ["plain", "creating"] {
        await_that("the log to name connector, address and reason", || {
            let named = format!("[{connector}|task-0] ");
            let says = |l: &str| l.contains(&named) && l.contains("127.0.0.1:1") && l.contains("refused");
            worker.log().lines().any(says)
        });
        worker.await_status(connector, |s| s["tasks"][0]["state"] == "RUNNING");
    }
    assert_eq!(worker.terminate(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_file_is_waited_for() {
    let scene = Scene::new().await;
    let (file, out) = (scene.path("later.txt"), scene.path("out.txt"));
    let mut worker = scene.start(&[source("waiting", &file, "t"), sink("out", &out, "t")]);
    await_that("the log to say so", || worker.log().contains("later.txt"));
    scene.assert_healthy(&mut worker);
    write_lines(&file, 0..5);
    await_that("its lines to arrive", || scene.read("out.txt") == scene.read("later.txt") && size(&out) > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_instead_of_a_file() {
    let scene = Scene::new().await;
    std::fs::create_dir(scene.path("folder")).unwrap();
    let folder = scene.path("folder");
    let mut worker = scene.start(&[source("dir-in", &folder, "t"), sink("dir-out", &folder, "healthy")]);
    for connector in ["dir-in", "dir-out"] {
        let trace = trace(&mut worker, connector);
        assert_says(&trace, &["folder", "directory"]);
    }
    await_line(&worker, &["[dir-in|task-0] ", "POST /connectors/dir-in/tasks/0/restart"]);
    scene.assert_healthy(&mut worker);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_every_shape() {
    let scene = Scene::new().await;
    std::fs::write(scene.path("crlf.txt"), "one\r\ntwo\r\n\r\nfour\r\n").unwrap();
    std::fs::write(scene.path("open.txt"), "whole\nheld ba").unwrap();
    std::fs::write(scene.path("empty.txt"), "").unwrap();
    let mut connectors = Vec::new();
    for name in ["crlf", "open", "empty"] {
        connectors.push(source(name, &scene.path(&format!("{name}.txt")), name));
        connectors.push(sink(&format!("{name}-out"), &scene.path(&format!("{name}.out")), name));
    }
    let mut worker = scene.start(&connectors);
    await_that("lines with CRLF to arrive", || scene.read("crlf.out") == "one\ntwo\n\nfour\n");
    await_that("the whole line to arrive", || scene.read("open.out") == "whole\n");
    await_line(&worker, &["open.txt"]);
    let mut file = std::fs::File::options().append(true).open(scene.path("open.txt")).unwrap();
    file.write_all(b"ck\n").unwrap();
    await_that("the held back line to arrive whole", || scene.read("open.out") == "whole\nheld back\n");
    let status = worker.get("/connectors/empty/status").unwrap().1;
    assert_eq!(status["tasks"][0]["state"], "RUNNING");
    scene.assert_healthy(&mut worker);
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_utf8_is_an_error_that_says_where_unless_told_otherwise() {
    let scene = Scene::new().await;
    let file = scene.path("latin1.txt");
    std::fs::write(&file, b"good\nna\xefve\nlater\n").unwrap();
    let replace = source("replacing", &file, "replaced") + "crossdock.invalid.utf8=replace\n";
    let mut worker = scene.start(&[
        source("strict", &file, "strict"),
        sink("strict-out", &scene.path("strict.out"), "strict"),
        replace,
        sink("replaced-out", &scene.path("replaced.out"), "replaced"),
    ]);
    let trace = trace(&mut worker, "strict");
    assert_says(&trace, &["latin1.txt", "UTF-8", "crossdock.invalid.utf8"]);
    await_that("the line before to arrive", || scene.read("strict.out") == "good\n");
    await_that("all lines to arrive", || scene.read("replaced.out") == "good\nna\u{fffd}ve\nlater\n");
    scene.assert_healthy(&mut worker);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_of_5_mb() {
    let scene = Scene::new().await;
    let file = scene.path("long.txt");
    let long = "x".repeat(5_000_000);
    std::fs::write(&file, format!("short\n{long}\nafter\n")).unwrap();
    let raised = "producer.override.max.request.size=6000000\n";
    let room = "topic.creation.default.partitions=1\ntopic.creation.default.replication.factor=1\n\
                topic.creation.default.max.message.bytes=6000000\n";
    let mut worker = scene.start(&[
        source("refused-here", &file, "a"),
        source("refused-there", &file, "b") + raised,
        source("fits", &file, "c") + raised + room,
        // It must not create the topic with the broker's defaults first.
        sink("fits-out", &scene.path("fits.out"), "c") + "consumer.override.allow.auto.create.topics=false\n",
    ]);
    let here = trace(&mut worker, "refused-here");
    assert_says(&here, &["max.request.size", "1048576"]);
    let there = trace(&mut worker, "refused-there");
    assert_says(&there, &["max.message.bytes"]);
    await_that("the long line to arrive", || scene.read("fits.out") == format!("short\n{long}\nafter\n"));
    scene.assert_healthy(&mut worker);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_at_the_sink_loses_nothing() {
    let scene = Scene::new().await;
    let file = scene.path("in.txt");
    write_lines(&file, 0..1000);
    // A link, so that the very same connector can go on when there is space again.
    let target = scene.path("target");
    std::os::unix::fs::symlink("/dev/full", &target).unwrap();
    let mut worker = scene.start(&[source("in", &file, "t"), sink("full", &target, "t")]);
    let trace = trace(&mut worker, "full");
    assert_says(&trace, &["target", "No space left on device"]);
    scene.assert_healthy(&mut worker);
    let output = scene.path("with-space.txt");
    std::fs::remove_file(&target).unwrap();
    std::os::unix::fs::symlink(&output, &target).unwrap();
    assert_eq!(worker.post("/connectors/full/tasks/0/restart").unwrap().0, 204);
    await_that("every line to arrive", || scene.read("with-space.txt") == scene.read("in.txt"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_the_broker_does_not_create() {
    let scene = Scene::with(Broker::builder().auto_create_topics(false).start().await.unwrap());
    let file = scene.path("in.txt");
    write_lines(&file, 0..10);
    let creation = "topic.creation.default.partitions=3\ntopic.creation.default.replication.factor=1\n";
    let connectors = [
        source("lost", &file, "nowhere"),
        source("creating", &file, "created") + creation,
        sink("created-out", &scene.path("created.out"), "created"),
    ];
    let all: Vec<&str> = connectors.iter().map(String::as_str).collect();
    let worker = Worker::start(scene.dir.path(), &scene.broker.bootstrap(), &[], &all);
    await_that("the lines of the created topic to arrive", || {
        size(&scene.path("created.out")) == size(&file)
    });
    await_that("the log to name connector and topic", || {
        let log = worker.log();
        log.lines().any(|l| l.contains("nowhere") && l.contains("[lost|task-0] "))
    });
    assert_eq!(worker.terminate(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn worker_files_that_cannot_be_used() {
    let scene = Scene::new().await;
    for (settings, part) in [
        (&[("offset.flush.interval.ms", "soon")][..], "offset.flush.interval.ms"),
        (&[("bootstrap.servers", "nohost")], "bootstrap.servers"),
        (&[("listeners", "http//:1")], "listeners"),
        (&[("offset.storage.file.filename", "/")], "not a regular file"),
        (
            &[("offset.storage.file.filename", " ")],
            "Missing required configuration \"offset.storage.file.filename\"",
        ),
        (&[("value.converter", "nope.Nope")], "Invalid value nope.Nope for configuration value.converter"),
        (&[("security.protocol", "SASL_PLAINTEXT")], "sasl.mechanism"),
    ] {
        let worker = Worker::start(scene.dir.path(), &scene.broker.bootstrap(), settings, &[]);
        let (code, log) = worker.ended();
        assert_eq!(code, Some(1), "{log}");
        assert_says(&log, &[part]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn offsets_of_a_file_that_was_cut_short() {
    let scene = Scene::new().await;
    let (file, out) = (scene.path("in.txt"), scene.path("out.txt"));
    write_lines(&file, 0..10);
    let connectors = [source("in", &file, "t"), sink("out", &out, "t")];
    let worker = scene.start(&connectors);
    await_that("the lines to arrive", || size(&out) == 1000);
    assert_eq!(worker.terminate(), Some(0));
    std::fs::write(&file, "new\n").unwrap();
    let mut worker = scene.start(&connectors);
    let trace = trace(&mut worker, "in");
    assert_says(&trace, &["in.txt", "1000"]);
    scene.assert_healthy(&mut worker);
}
