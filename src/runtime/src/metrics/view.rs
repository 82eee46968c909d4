//! Puts together what a worker shows of itself.

use super::group::{MetricGroup, Reading};
use super::startups::{StartReadings, Startups};
use crate::board::{ConnectorView, TaskView};
use crate::config::{ConnectorConfig, WorkerConfig};
use crate::herder::{ConnectorKind, State};
use crossdock_api::Plugins;
use crossdock_api::registry::PluginKind;

/// What the metrics are of.
pub(crate) struct Shown<'a> {
    pub(crate) worker_id: &'a str,
    /// Milliseconds since the epoch.
    pub(crate) started: i64,
    pub(crate) config: &'a WorkerConfig,
    pub(crate) plugins: &'a Plugins,
    pub(crate) startups: &'a Startups,
    pub(crate) connectors: &'a [ConnectorView],
}

/// All metrics of a worker.
pub(crate) fn groups(shown: &Shown<'_>) -> Vec<MetricGroup> {
    let mut groups = vec![app_info(shown), worker(shown)];
    for connector in shown.connectors {
        connector_groups(shown, connector, &mut groups);
    }
    let own = groups.iter().filter(|group| group.domain == "kafka.connect");
    let count: usize = own.map(|group| group.attributes.len()).sum();
    groups.push(MetricGroup::connect("kafka-metrics-count", &[]).numbers([("count", count as f64 + 1.0)]));
    groups
}

fn app_info(shown: &Shown<'_>) -> MetricGroup {
    MetricGroup::connect("app-info", &[("client-id", shown.worker_id)])
        .texts([("commit-id", crate::BUILD), ("version", crossdock_api::CONNECT_VERSION)])
        .numbers([("start-time-ms", shown.started as f64)])
}

fn worker(shown: &Shown<'_>) -> MetricGroup {
    let tasks: usize = shown.connectors.iter().map(|connector| connector.tasks.len()).sum();
    let StartReadings { successes, failures, failure_share, success_share } = shown.startups.of_connectors();
    let of_tasks = shown.startups.of_tasks();
    MetricGroup::connect("connect-worker-metrics", &[]).numbers([
        ("connector-count", shown.connectors.len() as f64),
        ("connector-startup-attempts-total", successes + failures),
        ("connector-startup-failure-percentage", failure_share),
        ("connector-startup-failure-total", failures),
        ("connector-startup-success-percentage", success_share),
        ("connector-startup-success-total", successes),
        ("task-count", tasks as f64),
        ("task-startup-attempts-total", of_tasks.successes + of_tasks.failures),
        ("task-startup-failure-percentage", of_tasks.failure_share),
        ("task-startup-failure-total", of_tasks.failures),
        ("task-startup-success-percentage", of_tasks.success_share),
        ("task-startup-success-total", of_tasks.successes),
    ])
}

fn connector_groups(shown: &Shown<'_>, connector: &ConnectorView, groups: &mut Vec<MetricGroup>) {
    let name = connector.name.as_str();
    let plugin_kind = match connector.kind {
        ConnectorKind::Sink => PluginKind::Sink,
        _ => PluginKind::Source,
    };
    let given = connector.config.get("connector.class").map_or("", String::as_str);
    let class = named(shown.plugins, plugin_kind, given).0;
    let connector_texts = [
        ("connector-class", class.as_str()),
        ("connector-type", kind(connector.kind)),
        ("connector-version", connector.version.as_str()),
    ];
    groups.push(
        MetricGroup::connect("connector-metrics", &[("connector", name)])
            .texts(connector_texts)
            .texts([("status", status(connector.state))]),
    );
    if connector.tasks.is_empty() {
        return;
    }
    groups.push(task_counts(name, &connector.tasks));
    let parts = Parts::of(shown, connector, plugin_kind);
    for (number, task) in connector.tasks.iter().enumerate() {
        let number = number.to_string();
        let tags = [("connector", name), ("task", number.as_str())];
        let mut common = MetricGroup::connect("connector-task-metrics", &tags)
            .texts(connector_texts)
            .texts([
                ("status", status(task.state)),
                ("task-class", task.config.get("task.class").map_or("", String::as_str)),
                ("task-version", connector.version.as_str()),
            ])
            .numbers(task.counters.metrics().common());
        for (class_key, version_key, class, version) in &parts.converters {
            common.attributes.push((class_key, Reading::Text(class.clone())));
            common.attributes.push((version_key, Reading::Text(version.clone())));
        }
        groups.push(common);
        let own = match connector.kind {
            ConnectorKind::Sink => {
                MetricGroup::connect("sink-task-metrics", &tags).numbers(task.counters.metrics().sink())
            }
            _ => MetricGroup::connect("source-task-metrics", &tags).numbers(task.counters.metrics().source()),
        };
        groups.push(own);
        groups.extend(task.counters.metrics().consumer());
        groups.push(
            MetricGroup::connect("task-error-metrics", &tags)
                .numbers(task.counters.metrics().errors().readings()),
        );
        for (alias, class, version) in &parts.transforms {
            let tags = [tags[0], tags[1], ("transform", alias.as_str())];
            groups.push(
                MetricGroup::connect("connector-transform-metrics", &tags)
                    .texts([("transform-class", class), ("transform-version", version)]),
            );
        }
        for (alias, class, version) in &parts.predicates {
            let tags = [tags[0], tags[1], ("predicate", alias.as_str())];
            groups.push(
                MetricGroup::connect("connector-predicate-metrics", &tags)
                    .texts([("predicate-class", class), ("predicate-version", version)]),
            );
        }
    }
}

/// How many tasks of a connector are in each state (`ConnectorStatusMetricsGroup`).
fn task_counts(name: &str, tasks: &[TaskView]) -> MetricGroup {
    let count = |state| tasks.iter().filter(|task| task.state == state).count() as f64;
    MetricGroup::connect("connect-worker-metrics", &[("connector", name)]).numbers([
        // A task that is destroyed is not there any more.
        ("connector-destroyed-task-count", 0.0),
        ("connector-failed-task-count", count(State::Failed)),
        ("connector-paused-task-count", count(State::Paused)),
        ("connector-restarting-task-count", count(State::Restarting)),
        ("connector-running-task-count", count(State::Running)),
        ("connector-total-task-count", tasks.len() as f64),
        ("connector-unassigned-task-count", count(State::Unassigned)),
    ])
}

/// What the pipelines of a connector's tasks are made of: classes with their versions.
struct Parts {
    converters: Vec<(&'static str, &'static str, String, String)>,
    transforms: Vec<(String, String, String)>,
    predicates: Vec<(String, String, String)>,
}

impl Parts {
    fn of(shown: &Shown<'_>, connector: &ConnectorView, kind: PluginKind) -> Self {
        let config = ConnectorConfig::lenient(&connector.name, &connector.config, kind);
        let class = |key: &str, worker: &str| config.converter(key).map_or(worker, |own| own.0).to_owned();
        let chosen = [
            (
                "header-converter-class",
                "header-converter-version",
                PluginKind::HeaderConverter,
                class("header.converter", shown.config.header_converter().0),
            ),
            (
                "key-converter-class",
                "key-converter-version",
                PluginKind::Converter,
                class("key.converter", shown.config.key_converter().0),
            ),
            (
                "value-converter-class",
                "value-converter-version",
                PluginKind::Converter,
                class("value.converter", shown.config.value_converter().0),
            ),
        ];
        let converters = chosen.into_iter().map(|(class_key, version_key, kind, class)| {
            let (class, version) = named(shown.plugins, kind, &class);
            (class_key, version_key, class, version)
        });
        let mut transforms = Vec::new();
        let mut predicates: Vec<(String, String, String)> = Vec::new();
        for transform in config.transforms() {
            let (class, version) = named(shown.plugins, PluginKind::Transform, &transform.class);
            transforms.push((transform.alias.clone(), class, version));
            if let Some((name, class, _)) = &transform.predicate
                && !predicates.iter().any(|(known, _, _)| known == name)
            {
                let (class, version) = named(shown.plugins, PluginKind::Predicate, class);
                predicates.push((name.clone(), class, version));
            }
        }
        Self { converters: converters.collect(), transforms, predicates }
    }
}

/// Class and version of a plugin that is named in one way or another.
fn named(plugins: &Plugins, kind: PluginKind, name: &str) -> (String, String) {
    match plugins.of_kind(kind, name) {
        Ok(plugin) => (plugin.class().to_owned(), plugin.version().to_owned()),
        Err(_) => (name.to_owned(), "undefined".to_owned()),
    }
}

fn kind(kind: ConnectorKind) -> &'static str {
    match kind {
        ConnectorKind::Sink => "sink",
        ConnectorKind::Source => "source",
        ConnectorKind::Unknown => "unknown",
    }
}

fn status(state: State) -> &'static str {
    match state {
        State::Failed => "failed",
        State::Paused => "paused",
        State::Restarting => "restarting",
        State::Running => "running",
        State::Stopped => "stopped",
        State::Unassigned => "unassigned",
    }
}
