//! `GET /metrics`: what the worker measures, as Prometheus reads it.
//!
//! Connect shows MBeans, which an exporter turns into series by rules. The names here are those that the usual rules
//! give (`kafka_connect_source_task_source_record_poll_total`), so that dashboards made for them go on working:
//!
//! - `kafka_`, the MBean's type without `-metrics` (with `connect_` before, if it is one of Connect's), and the attribute,
//!   with `_` for `-`;
//! - the MBean's keys are labels, without their `-`: `clientid`;
//! - a text is a label of a series that is 1: `status="running"`.

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use crossdock_runtime::metrics::{MetricGroup, Reading};
use std::collections::BTreeMap;
use std::fmt::Write;

use crate::errors::bare;
use crate::server::App;

/// Version 0.0.4 of the text format.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

pub(crate) fn routes() -> Router<App> {
    // Whatever a client accepts: those that read metrics ask for formats of their own.
    let metrics = get(metrics).fallback(|| async { bare(StatusCode::METHOD_NOT_ALLOWED) });
    Router::new().route("/metrics", metrics)
}

async fn metrics(State(app): State<App>) -> Response {
    ([(CONTENT_TYPE, TEXT)], text(&app.herder.metrics().await)).into_response()
}

/// Series of one name, each as a line.
struct Family {
    is_counter: bool,
    help: String,
    lines: String,
}

/// The metrics in Prometheus' text format, sorted by name.
pub(crate) fn text(groups: &[MetricGroup]) -> String {
    let mut families = BTreeMap::new();
    for group in groups {
        let base = base(group);
        let labels: Vec<(String, &str)> =
            group.tags.iter().map(|(name, value)| (name.replace('-', ""), value.as_str())).collect();
        for (attribute, reading) in &group.attributes {
            add(&mut families, group, &base, &labels, attribute, reading);
        }
    }
    let mut text = String::new();
    for (name, Family { is_counter, help, lines }) in families {
        let kind = if is_counter { "counter" } else { "gauge" };
        // Writing to a string does not fail.
        let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n{lines}");
    }
    text
}

fn add(
    families: &mut BTreeMap<String, Family>,
    group: &MetricGroup,
    base: &str,
    labels: &[(String, &str)],
    attribute: &str,
    reading: &Reading,
) {
    let is_info = group.kind == "app-info";
    let own = attribute.replace('-', "_");
    let name = match (is_info, reading) {
        (true, Reading::Number(_)) => format!("{base}_start_time_seconds"),
        (true, Reading::Text(_)) => format!("{base}_{own}_info"),
        (false, _) => format!("{base}_{own}"),
    };
    let family = families.entry(name.clone()).or_insert_with(|| Family {
        is_counter: attribute.ends_with("-total"),
        help: format!("Attribute {attribute} of {}:type={}.", group.domain, group.kind),
        lines: String::new(),
    });
    let mut labels: Vec<(&str, &str)> = labels.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    let value = match reading {
        Reading::Number(value) if is_info => value / 1000.0,
        Reading::Number(value) => *value,
        Reading::Text(text) => {
            labels.push((&own, text));
            1.0
        }
    };
    line(&mut family.lines, &name, &labels, value);
}

/// What all names of a group's series begin with.
fn base(group: &MetricGroup) -> String {
    let domain = group.domain.strip_prefix("kafka.").unwrap_or(group.domain).replace('.', "_");
    let kind = group.kind.strip_suffix("-metrics").unwrap_or(group.kind).replace('-', "_");
    match group.kind {
        "app-info" => format!("kafka_{domain}"),
        _ if domain != "connect" || kind.starts_with("connect") && !kind.starts_with("connector") => {
            format!("kafka_{kind}")
        }
        _ => format!("kafka_connect_{kind}"),
    }
}

fn line(lines: &mut String, name: &str, labels: &[(&str, &str)], value: f64) {
    lines.push_str(name);
    for (number, (label, text)) in labels.iter().enumerate() {
        lines.push(if number == 0 { '{' } else { ',' });
        lines.push_str(label);
        lines.push_str("=\"");
        for c in text.chars() {
            match c {
                '\\' => lines.push_str("\\\\"),
                '"' => lines.push_str("\\\""),
                '\n' => lines.push_str("\\n"),
                other => lines.push(other),
            }
        }
        lines.push('"');
    }
    if !labels.is_empty() {
        lines.push('}');
    }
    // Writing to a string does not fail. Rust writes NaN as the format asks for it, but not infinity.
    let _ = match value {
        value if value.is_infinite() => {
            writeln!(lines, " {}", if value > 0.0 { "+Inf" } else { "-Inf" })
        }
        value => writeln!(lines, " {value}"),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(
        kind: &'static str,
        tags: &[(&'static str, &str)],
        attribute: &'static str,
        value: f64,
    ) -> MetricGroup {
        MetricGroup {
            domain: "kafka.connect",
            kind,
            tags: tags.iter().map(|(name, value)| (*name, (*value).to_owned())).collect(),
            attributes: vec![(attribute, Reading::Number(value))],
        }
    }

    #[test]
    fn names_are_those_of_the_usual_rules() {
        let task = [("connector", "a\"\\\nb"), ("task", "0")];
        let mut status = group("connector-task-metrics", &task, "batch-size-avg", f64::NAN);
        status.attributes.push(("status", Reading::Text("running".to_owned())));
        let mut client =
            group("producer-metrics", &[("client-id", "c")], "buffer-total-bytes", f64::INFINITY);
        client.domain = "kafka.producer";
        let mut info = group("app-info", &[("client-id", "w:8083")], "start-time-ms", 1500.0);
        info.attributes.push(("commit-id", Reading::Text("x".to_owned())));
        let groups = [
            status,
            group("source-task-metrics", &task, "source-record-poll-total", 7.0),
            group("connect-worker-metrics", &[], "task-count", 2.0),
            group("connect-worker-metrics", &[("connector", "c")], "connector-total-task-count", 2.0),
            group("connect-worker-rebalance-metrics", &[], "epoch", 3.0),
            client,
            info,
        ];
        let text = text(&groups);
        let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with("# HELP")).collect();
        let task = r#"{connector="a\"\\\nb",task="0"#;
        let expected = [
            "# TYPE kafka_connect_commit_id_info gauge".to_owned(),
            r#"kafka_connect_commit_id_info{clientid="w:8083",commit_id="x"} 1"#.to_owned(),
            "# TYPE kafka_connect_connector_task_batch_size_avg gauge".to_owned(),
            format!(r#"kafka_connect_connector_task_batch_size_avg{task}"}} NaN"#),
            "# TYPE kafka_connect_connector_task_status gauge".to_owned(),
            format!(r#"kafka_connect_connector_task_status{task}",status="running"}} 1"#),
            "# TYPE kafka_connect_source_task_source_record_poll_total counter".to_owned(),
            format!(r#"kafka_connect_source_task_source_record_poll_total{task}"}} 7"#),
            "# TYPE kafka_connect_start_time_seconds gauge".to_owned(),
            r#"kafka_connect_start_time_seconds{clientid="w:8083"} 1.5"#.to_owned(),
            "# TYPE kafka_connect_worker_connector_total_task_count gauge".to_owned(),
            r#"kafka_connect_worker_connector_total_task_count{connector="c"} 2"#.to_owned(),
            "# TYPE kafka_connect_worker_rebalance_epoch gauge".to_owned(),
            "kafka_connect_worker_rebalance_epoch 3".to_owned(),
            "# TYPE kafka_connect_worker_task_count gauge".to_owned(),
            "kafka_connect_worker_task_count 2".to_owned(),
            "# TYPE kafka_producer_buffer_total_bytes gauge".to_owned(),
            r#"kafka_producer_buffer_total_bytes{clientid="c"} +Inf"#.to_owned(),
        ];
        assert_eq!(lines, expected);
    }
}
