//! The metrics of a worker against the MBeans of a real Connect worker, recorded while it ran a source and a sink
//! with a transform, a predicate and a dead letter queue. Every MBean of the recording that a worker alone has must be
//! there with the same attributes, and nothing else; and `/metrics` must have every series that the usual rules for
//! the JMX exporter make of the recording, so that dashboards find what they look for.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use crossdock::Engine;
use crossdock::runtime::metrics::{MetricGroup, Reading};
use crossdock_broker::Broker;
use crossdock_java_regex::{Pattern, Replacement};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::Command;

/// Lines that go from the source to the sink.
const LINES: usize = 3;

/// Types of MBeans that only workers of a group have.
const OF_GROUPS: &[&str] = &[
    "connect-coordinator-metrics",
    "connect-metrics",
    "connect-node-metrics",
    "connect-worker-rebalance-metrics",
];

/// What the usual rules make of an MBean's attribute: a pattern for it, and the series' name and labels, with `|`
/// between. The first that matches counts.
const RULES: &[(&str, &str)] = &[
    (
        r"kafka\.(\w+)<type=app-info, client-id=(.+)><>start-time-ms",
        "kafka_$1_start_time_seconds|clientid=$2",
    ),
    (
        r"kafka\.(\w+)<type=app-info, client-id=(.+)><>(commit-id|version): (.+)",
        "kafka_$1_$3_info|clientid=$2|$3=$4",
    ),
    (
        r"kafka\.connect<type=connector-metrics, connector=(.+)><>([a-z-]+): (.+)",
        "kafka_connect_connector_$2|connector=$1|$2=$3",
    ),
    (
        r"kafka\.connect<type=connector-task-metrics, connector=(.+), task=(.+)><>status: (.+)",
        "kafka_connect_connector_task_status|connector=$1|task=$2|status=$3",
    ),
    (
        r"kafka\.connect<type=([a-z-]+)-metrics, connector=([^,]+), task=([^,]+)><>([a-z-]+-(?:total|count|ms|ratio|seq-no|rate|max|avg|failures|requests|timestamp|logged|errors|retries|skipped))",
        "kafka_connect_$1_$4|connector=$2|task=$3",
    ),
    (
        r"kafka\.connect<type=connect-worker-metrics, connector=(.+)><>([a-z-]+)",
        "kafka_connect_worker_$2|connector=$1",
    ),
    (r"kafka\.connect<type=connect-worker-metrics><>([a-z-]+)", "kafka_connect_worker_$1"),
];

/// Attributes of an MBean: text, or `None` for a number.
type Attributes = BTreeMap<String, Option<String>>;

/// The recording.
fn beans() -> BTreeMap<String, BTreeMap<String, String>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/metrics/mbeans_eos_disabled.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// The recording, of MBeans of Connect that a worker alone has.
fn recorded(worker_id: &str) -> BTreeMap<String, Attributes> {
    let kind = |name: &str| name.split_once("type=").unwrap().1.split(',').next().unwrap().to_owned();
    let own = beans().into_iter().filter(|(name, _)| {
        // Two of its four records of versions are those of its group, and two the same under older names.
        let other =
            name.contains("client-id=\"connect-") || name.contains(",id=") || name.ends_with("app-info");
        name.starts_with("kafka.connect:") && !other && !OF_GROUPS.contains(&kind(name).as_str())
    });
    let text = |value: String| value.split_once('=').map(|(_, text)| text.to_owned());
    own.map(|(name, attributes)| {
        let name = name.replace("\"<worker1>\"", worker_id);
        (name, attributes.into_iter().map(|(attribute, value)| (attribute, text(value))).collect())
    })
    .collect()
}

fn name_of(group: &MetricGroup) -> String {
    let tags = group.tags.iter().map(|(name, value)| format!(",{name}={value}"));
    format!("{}:type={}{}", group.domain, group.kind, tags.collect::<String>())
}

fn as_recorded(groups: &[MetricGroup]) -> BTreeMap<String, Attributes> {
    let attribute = |(name, reading): &(&'static str, Reading)| {
        let text = match reading {
            Reading::Number(_) => None,
            Reading::Text(text) => Some(text.clone()),
        };
        ((*name).to_owned(), text)
    };
    groups.iter().map(|group| (name_of(group), group.attributes.iter().map(attribute).collect())).collect()
}

/// What the rules make of MBeans: series as Prometheus writes them, with sorted labels.
fn by_rules(beans: &BTreeMap<String, Attributes>) -> BTreeSet<String> {
    let rules: Vec<(Pattern, &str)> =
        RULES.iter().map(|(pattern, made)| (Pattern::new(&format!("^{pattern}$")).unwrap(), *made)).collect();
    let mut series = BTreeSet::new();
    for (name, attributes) in beans {
        let (domain, keys) = name.split_once(':').unwrap();
        for (attribute, text) in attributes {
            let text = text.as_ref().map(|text| format!(": {text}")).unwrap_or_default();
            let subject = format!("{domain}<{}><>{attribute}{text}", keys.replace(',', ", "));
            let Some((pattern, made)) = rules.iter().find(|(pattern, _)| pattern.matches(&subject).unwrap())
            else {
                continue;
            };
            let made = pattern.replace_first(&subject, &Replacement::new(made)).unwrap();
            let (name, labels) = made.split_once('|').unwrap_or((&made, ""));
            let labels = labels.split('|').filter_map(|label| label.split_once('='));
            let labels = labels.map(|(name, value)| (name.replace('-', "_"), value.to_owned()));
            series.insert(written(&name.replace('-', "_"), labels.collect()));
        }
    }
    series
}

fn written(name: &str, labels: BTreeMap<String, String>) -> String {
    let labels: Vec<_> = labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
    format!("{name}{{{}}}", labels.join(","))
}

/// A strict reading of the text format: the series, each under a name whose type was given before.
fn series(text: &str) -> BTreeMap<String, f64> {
    let (mut series, mut kinds) = (BTreeMap::new(), BTreeMap::new());
    let mut family = String::new();
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            assert!(help.split_once(' ').is_some(), "{line}");
            continue;
        }
        if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').unwrap();
            assert!(["counter", "gauge"].contains(&kind), "{line}");
            assert!(kinds.insert(name.to_owned(), kind.to_owned()).is_none(), "twice: {line}");
            name.clone_into(&mut family);
            continue;
        }
        let (id, value) = line.rsplit_once(' ').unwrap();
        let (name, labels) = id.split_once('{').unwrap_or((id, "}"));
        assert_eq!(name, family, "a series is not below its family: {line}");
        assert!(is_name(name), "{line}");
        let id = written(name, labels_of(labels));
        let value = if value == "NaN" { f64::NAN } else { value.parse().unwrap() };
        assert!(series.insert(id, value).is_none(), "twice: {line}");
    }
    series
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

/// Reads `name="value",…}`.
fn labels_of(text: &str) -> BTreeMap<String, String> {
    let (mut labels, mut rest) = (BTreeMap::new(), text.strip_suffix('}').unwrap());
    while !rest.is_empty() {
        let (name, value) = rest.split_once("=\"").unwrap();
        assert!(is_name(name), "{text}");
        let (mut read, mut chars) = (String::new(), value.char_indices());
        let end = loop {
            match chars.next().unwrap() {
                (at, '"') => break at + 1,
                (_, '\\') => match chars.next().unwrap().1 {
                    'n' => read.push('\n'),
                    escaped @ ('\\' | '"') => read.push(escaped),
                    other => panic!("an escape that is none: {other}"),
                },
                (_, other) => read.push(other),
            }
        };
        assert!(labels.insert(name.to_owned(), read).is_none(), "twice: {text}");
        rest = &value[end..];
        rest = rest.strip_prefix(',').unwrap_or(rest);
    }
    labels
}

async fn get(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(head.contains("content-type: text/plain; version=0.0.4"), "{head}");
    body.to_owned()
}

/// The worker that was recorded, with its two connectors.
async fn worker(broker: &Broker, dir: &Path) -> Engine {
    let file = |name: &str| dir.join(name).display().to_string();
    let lines: Vec<String> = (0..LINES).map(|line| format!("line {line}\n")).collect();
    std::fs::write(file("in.txt"), lines.concat()).unwrap();
    Engine::builder()
        .set("bootstrap.servers", &broker.bootstrap())
        .set("listeners", "http://127.0.0.1:0")
        .set("key.converter", "org.apache.kafka.connect.json.JsonConverter")
        .set("value.converter", "org.apache.kafka.connect.json.JsonConverter")
        .set("offset.storage.file.filename", &file("offsets"))
        .set("offset.flush.interval.ms", "20")
        .rest(true)
        .connector([
            ("name", "src"),
            ("connector.class", "FileStreamSource"),
            ("file", &file("in.txt")),
            ("topic", "jmx-data"),
        ])
        .connector([
            ("name", "snk"),
            ("connector.class", "FileStreamSink"),
            ("tasks.max", "2"),
            ("file", &file("out.txt")),
            ("topics", "jmx-data"),
            ("transforms", "t"),
            ("transforms.t.type", "org.apache.kafka.connect.transforms.HoistField$Value"),
            ("transforms.t.field", "line"),
            ("transforms.t.predicate", "p"),
            ("transforms.t.negate", "true"),
            ("predicates", "p"),
            ("predicates.p.type", "org.apache.kafka.connect.transforms.predicates.RecordIsTombstone"),
            ("errors.tolerance", "all"),
            ("errors.deadletterqueue.topic.name", "jmx-dlq"),
            ("errors.deadletterqueue.topic.replication.factor", "1"),
        ])
        .start()
        .await
        .unwrap()
}

fn sum(series: &BTreeMap<String, f64>, name: &str) -> f64 {
    let family = format!("{name}{{");
    series.iter().filter(|(id, _)| id.starts_with(&family)).map(|(_, value)| value).sum()
}

/// Waits until all lines have gone through, and are committed.
async fn settled(address: SocketAddr) -> BTreeMap<String, f64> {
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        let series = series(&get(address, "/metrics").await);
        let running = sum(&series, "kafka_connect_worker_connector_running_task_count");
        let sent = sum(&series, "kafka_connect_sink_task_sink_record_send_total");
        let read = sum(&series, "kafka_connect_sink_task_sink_record_read_total");
        let active = sum(&series, "kafka_connect_sink_task_sink_record_active_count");
        if (running, read, sent, active) == (3.0, LINES as f64, LINES as f64, 0.0) {
            return series;
        }
        assert!(Instant::now() < until, "{running} tasks run, {read} read, {sent} sent, {active} active");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Of the clients not all that Java's have is shown; but what is shown has the names that it has there.
fn check_clients(shown: &BTreeMap<String, Attributes>) {
    // Which of the two tasks gets the partition is left to the group.
    let of_any_task = |name: &str| name.replace("snk-1", "snk-0");
    let mut recorded: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (name, attributes) in beans() {
        recorded.entry(of_any_task(&name)).or_default().extend(attributes.into_keys());
    }
    let mut found = 0;
    for (name, attributes) in shown.iter().filter(|(name, _)| !name.starts_with("kafka.connect:")) {
        let known = recorded.get(&of_any_task(name)).unwrap_or_else(|| panic!("{name} was not recorded"));
        let more: Vec<_> = attributes.keys().filter(|attribute| !known.contains(*attribute)).collect();
        assert!(more.is_empty(), "{name} was recorded without {more:?}");
        found += 1;
    }
    // Two consumers, and one topic with one partition.
    assert_eq!(found, 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_are_those_of_connect() {
    let broker = Broker::builder().start().await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let engine = worker(&broker, dir.path()).await;
    let address = engine.rest_addresses()[0];
    let series = settled(address).await;

    let status = engine.herder().connector_status("src").await.unwrap();
    let mut recorded = recorded(&status.connector.worker_id);
    let mut shown = as_recorded(&engine.herder().metrics().await);
    for beans in [&mut recorded, &mut shown] {
        // What this was built from is not what that was.
        for attributes in beans.values_mut() {
            attributes
                .entry("commit-id".to_owned())
                .and_modify(|commit| *commit = Some("<commit>".to_owned()));
        }
    }
    let differing: Vec<_> = recorded
        .iter()
        .filter(|(name, attributes)| shown.get(*name) != Some(*attributes))
        .map(|(name, attributes)| (name, attributes, shown.get(name)))
        .collect();
    assert!(differing.is_empty(), "recorded, and shown otherwise: {differing:#?}");
    check_clients(&shown);
    let own = shown.keys().filter(|name| name.starts_with("kafka.connect:"));
    let more: Vec<_> = own.filter(|name| !recorded.contains_key(*name)).collect();
    assert!(more.is_empty(), "shown, but not recorded: {more:?}");

    let wanted = by_rules(&recorded);
    assert!(wanted.len() > 100, "the rules match: {wanted:?}");
    let there = |id: &String| {
        series.contains_key(id) || id.contains("<commit>") && id.starts_with("kafka_connect_commit_id_info")
    };
    let missing: Vec<_> = wanted.iter().filter(|id| !there(id)).collect();
    assert!(missing.is_empty(), "no series {missing:#?}");

    let lines = LINES as f64;
    let total = |name: &str| sum(&series, name);
    assert_eq!(total("kafka_connect_source_task_source_record_poll_total"), lines);
    assert_eq!(total("kafka_connect_source_task_source_record_write_total"), lines);
    assert_eq!(total("kafka_connect_source_task_source_record_active_count"), 0.0);
    assert_eq!(total("kafka_connect_sink_task_partition_count"), 1.0);
    let lag = "kafka_consumer_fetch_manager_records_lag_max{clientid=\"connector-consumer-snk-0\"}";
    assert!(series.contains_key(lag), "{series:#?}");
    assert_eq!(total("kafka_consumer_fetch_manager_records_lag"), 0.0);
    assert_eq!(total("kafka_connect_worker_task_startup_success_total"), 3.0);
    assert_eq!(total("kafka_connect_worker_connector_startup_attempts_total"), 2.0);
    assert_eq!(total("kafka_connect_task_error_total_record_errors"), 0.0);
    engine.stop().await;
}

/// What promtool ends with if it can read everything, but does not like names; they are those of the rules.
const LINTED: i32 = 3;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: needs promtool"]
async fn promtool_reads_all_metrics() {
    let broker = Broker::builder().start().await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let engine = worker(&broker, dir.path()).await;
    let address = engine.rest_addresses()[0];
    settled(address).await;
    let text = get(address, "/metrics").await;
    engine.stop().await;
    let promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut promtool = promtool.expect("promtool (Debian: prometheus) in PATH");
    promtool.stdin.take().unwrap().write_all(text.as_bytes()).await.unwrap();
    let output = promtool.wait_with_output().await.unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!([0, LINTED].contains(&output.status.code().unwrap()), "{said}");
    assert!(!said.contains("error"), "{said}");
}
