//! What the topics of a sink must satisfy together (`SinkConnectorConfig.validate`).

use crossdock_api::{ConfigError, ConfigMap};
use crossdock_client::consumer::JavaPattern;

/// Where a sink's records come from, and where bad ones go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SinkTopicKeys {
    /// The topics of `topics`, without empty names.
    pub topics: Vec<String>,
    /// Whether `topics` is set, rather than `topics.regex`.
    pub has_topics: bool,
    /// Whether there is a dead letter queue.
    pub has_dead_letter_queue: bool,
}

/// Checks `topics`, `topics.regex` and the dead letter queue of a sink.
///
/// # Errors
/// If none or both of the first two are set, or the sink would read its own dead letter queue.
pub fn check_sink(config: &ConfigMap) -> Result<SinkTopicKeys, ConfigError> {
    let given = |key: &str| config.get(key).map(String::as_str).filter(|text| !text.trim().is_empty());
    let (topics, regex) = (given("topics"), given("topics.regex"));
    let queue = given("errors.deadletterqueue.topic.name").map(str::trim);
    let names: Vec<String> = topics
        .unwrap_or_default()
        .split(',')
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty())
        .collect();
    match (topics, regex) {
        (Some(topics), Some(_)) => {
            let reason = "topics and topics.regex are mutually exclusive options, but both are set.";
            return Err(ConfigError::invalid("topics", topics, reason));
        }
        (None, None) => {
            let reason = "Must configure one of topics or topics.regex";
            return Err(ConfigError::invalid("topics", "null", reason));
        }
        (Some(topics), None) => {
            if let Some(queue) = queue.filter(|queue| names.iter().any(|name| name == queue)) {
                let list = names.join(", ");
                let reason = format!(
                    "The DLQ topic '{queue}' may not be included in the list of topics ('topics=[{list}]') consumed by \
                     the connector"
                );
                return Err(ConfigError::invalid("topics", topics, reason));
            }
        }
        (None, Some(regex)) => {
            let pattern = JavaPattern::new(regex.trim()).map_err(|error| {
                ConfigError::invalid("topics.regex", regex, format!("Invalid regex: {error}"))
            })?;
            if let Some(queue) = queue.filter(|queue| pattern.matches(queue)) {
                let reason = format!(
                    "The DLQ topic '{queue}' may not be matched by the regex for the topics ('topics.regex={regex}') \
                     consumed by the connector"
                );
                return Err(ConfigError::invalid("topics.regex", regex, reason));
            }
        }
    }
    Ok(SinkTopicKeys { topics: names, has_topics: topics.is_some(), has_dead_letter_queue: queue.is_some() })
}
