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
/// The first of [`sink_mistakes`].
pub fn check_sink(config: &ConfigMap) -> Result<SinkTopicKeys, ConfigError> {
    if let Some((key, reason)) = sink_mistakes(config).into_iter().next() {
        return Err(ConfigError::invalid(key, given(config, key).unwrap_or("null"), reason));
    }
    let topics = given(config, "topics");
    Ok(SinkTopicKeys {
        topics: names(topics.unwrap_or_default()),
        has_topics: topics.is_some(),
        has_dead_letter_queue: given(config, QUEUE).is_some(),
    })
}

const QUEUE: &str = "errors.deadletterqueue.topic.name";

/// What is wrong with the topics of a sink, by key: none or both of `topics` and `topics.regex` are set, or the sink would read its own dead letter queue.
pub fn sink_mistakes(config: &ConfigMap) -> Vec<(&'static str, String)> {
    let (topics, regex) = (given(config, "topics"), given(config, "topics.regex"));
    let both = |reason: &str| vec![("topics", reason.to_owned()), ("topics.regex", reason.to_owned())];
    let queue = given(config, QUEUE).map(str::trim);
    match (topics, regex, queue) {
        (Some(_), Some(_), _) => {
            both("topics and topics.regex are mutually exclusive options, but both are set.")
        }
        (None, None, _) => both("Must configure one of topics or topics.regex"),
        (Some(topics), None, Some(queue)) if names(topics).iter().any(|name| name == queue) => {
            let list = names(topics).join(", ");
            let reason = format!(
                "The DLQ topic '{queue}' may not be included in the list of topics ('topics=[{list}]') consumed by the \
                 connector"
            );
            vec![("topics", reason)]
        }
        // What is no pattern is refused by the key itself.
        (None, Some(regex), Some(queue))
            if JavaPattern::new(regex.trim()).is_ok_and(|pattern| pattern.matches(queue)) =>
        {
            let reason = format!(
                "The DLQ topic '{queue}' may not be matched by the regex for the topics ('topics.regex={regex}') \
                 consumed by the connector"
            );
            vec![("topics.regex", reason)]
        }
        _ => Vec::new(),
    }
}

fn given<'c>(config: &'c ConfigMap, key: &str) -> Option<&'c str> {
    config.get(key).map(String::as_str).filter(|text| !text.trim().is_empty())
}

fn names(topics: &str) -> Vec<String> {
    topics.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect()
}
