//! The keys that every connector has (`ConnectorConfig`, `SourceConnectorConfig`,
//! `SinkConnectorConfig`).

use super::providers::Resolved;
use super::topic_rules::TopicRules;
use super::{definition, with_prefix};
use crate::errors::Retry;
use crossdock_api::registry::PluginKind;
use crossdock_api::{ConfigDef, ConfigError, ConfigMap, ParsedConfig};
use crossdock_client::consumer::JavaPattern;
use std::sync::Arc;

/// Keys of Connect that are checked but change nothing yet.
const WITHOUT_EFFECT: &[&str] = &["offsets.storage.topic", "transaction.boundary.interval.ms"];

/// What to do about records that cannot be handled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorTolerance {
    /// Skip them.
    All,
    /// Fail the task.
    None,
}

/// A transform of a connector: name, class, own keys, and the predicate that guards it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransformConfig {
    /// Its name in `transforms`.
    pub alias: String,
    /// Its class.
    pub class: String,
    /// Its own keys, without the prefix.
    pub config: ConfigMap,
    /// Name of the predicate that guards it, its class and own keys.
    pub predicate: Option<(String, String, ConfigMap)>,
    /// Whether it is applied where the predicate does not match.
    pub negate: bool,
}

/// The topics of a sink.
#[derive(Debug, Clone)]
pub enum SinkTopics {
    /// `topics`, ordered and without duplicates.
    Named(Vec<String>),
    /// `topics.regex`: all that match now or later.
    Matching(JavaPattern),
}

/// Where records go that cannot be handled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetterQueue {
    /// `errors.deadletterqueue.topic.name` of a sink, `crossdock.errors.deadletterqueue.topic.name` of a source; the
    /// other keys likewise.
    pub topic: String,
    /// `errors.deadletterqueue.topic.replication.factor`, if the topic has to be created.
    pub replication_factor: i16,
    /// `errors.deadletterqueue.context.headers.enable`.
    pub context_headers: bool,
}

/// The common part of a connector's configuration after parsing.
#[derive(Debug, Clone)]
pub struct ConnectorConfig {
    raw: ConfigMap,
    resolved: Option<Arc<Resolved>>,
    reloads: bool,
    name: String,
    class: String,
    tasks_max: usize,
    enforces_tasks_max: bool,
    tolerance: ErrorTolerance,
    log_errors: bool,
    log_messages: bool,
    retry: Retry,
    dead_letter_queue: Option<DeadLetterQueue>,
    transforms: Vec<TransformConfig>,
    topics: SinkTopics,
    topic_creation: Option<TopicRules>,
    defect: Option<ConfigError>,
}

impl ConnectorConfig {
    /// The keys of every connector, plus those of its kind.
    pub fn definition(kind: PluginKind) -> ConfigDef {
        match kind {
            PluginKind::Source => definition::source_connector(),
            PluginKind::Sink => definition::sink_connector(),
            _ => definition::any_connector(),
        }
    }

    /// The class that a configuration names, for finding its plugin and so its kind.
    pub fn class_of(raw: &ConfigMap) -> Result<&str, ConfigError> {
        match raw.get("connector.class").map(|c| c.trim()) {
            None | Some("") => Err(ConfigError::Missing { key: "connector.class".to_owned() }),
            Some(class) => Ok(class),
        }
    }

    /// Parses and checks the keys of a connector of that kind; its own are checked by the plugin.
    ///
    /// # Errors
    /// The first missing or wrong key, or a feature that this version does not have and whose absence
    /// would lose records.
    pub fn parse(raw: &ConfigMap, kind: PluginKind) -> Result<Self, ConfigError> {
        let parsed = Self::definition(kind).parse(raw)?;
        let tolerance = match parsed.string("errors.tolerance")? {
            "all" => ErrorTolerance::All,
            _ => ErrorTolerance::None,
        };
        let mut config = Self {
            raw: raw.clone(),
            resolved: None,
            reloads: !raw.get("config.action.reload").is_some_and(|v| v.trim().eq_ignore_ascii_case("none")),
            name: parsed.string("name")?.to_owned(),
            class: parsed.string("connector.class")?.to_owned(),
            // At least 1 by its validator.
            tasks_max: parsed.int("tasks.max")?.max(1) as usize,
            enforces_tasks_max: parsed.boolean("tasks.max.enforce")?,
            tolerance,
            log_errors: parsed.boolean("errors.log.enable")?,
            log_messages: parsed.boolean("errors.log.include.messages")?,
            retry: Retry::new(
                parsed.long("errors.retry.timeout")?,
                parsed.long("errors.retry.delay.max.ms")?,
            ),
            dead_letter_queue: None,
            transforms: parse_transforms(raw, parsed.list("transforms")?, parsed.list("predicates")?)?,
            topics: SinkTopics::Named(Vec::new()),
            topic_creation: None,
            defect: None,
        };
        match kind {
            PluginKind::Sink => {
                config.topics = sink_topics(raw)?;
                config.dead_letter_queue = dead_letter_queue(&parsed, "")?;
            }
            PluginKind::Source => {
                refuse_exactly_once(raw)?;
                let own = definition::own_source_keys().parse(raw)?;
                config.dead_letter_queue = dead_letter_queue(&own, "crossdock.")?;
                config.topic_creation = TopicRules::of(raw)?;
            }
            _ => {}
        }
        Ok(config)
    }

    /// As [`Self::parse`], but takes a configuration of which tasks cannot be made: they fail with its
    /// [`defect`](Self::defect). The name is given, since the key may name another.
    pub(crate) fn lenient(name: &str, raw: &ConfigMap, kind: PluginKind) -> Self {
        let parsed = Self::parse(raw, kind).unwrap_or_else(|defect| {
            let text = |key: &str| raw.get(key).map_or("", |value| value.trim());
            Self {
                raw: raw.clone(),
                resolved: None,
                reloads: true,
                name: String::new(),
                class: text("connector.class").to_owned(),
                tasks_max: text("tasks.max").parse().unwrap_or(1),
                enforces_tasks_max: !text("tasks.max.enforce").eq_ignore_ascii_case("false"),
                tolerance: ErrorTolerance::None,
                log_errors: false,
                log_messages: false,
                retry: Retry::new(0, 0),
                dead_letter_queue: None,
                transforms: Vec::new(),
                topics: SinkTopics::Named(Vec::new()),
                topic_creation: None,
                defect: Some(defect),
            }
        });
        Self { name: name.to_owned(), ..parsed }
    }

    /// Why no task can be made of this; `None` for what [`Self::parse`] has taken.
    pub(crate) fn defect(&self) -> Option<&ConfigError> {
        self.defect.as_ref()
    }

    /// Warnings about keys that neither the connector nor Connect know, with the nearest known one.
    pub fn warnings(&self, kind: PluginKind, own: &ConfigDef) -> Vec<String> {
        let prefixes = [
            "admin.override.",
            "consumer.override.",
            "header.converter.",
            "key.converter.",
            "predicates.",
            "producer.override.",
            "topic.creation.",
            "transforms.",
            "value.converter.",
        ];
        let mut def = Self::definition(kind).extend(own.clone());
        if kind == PluginKind::Source {
            def = def.extend(definition::own_source_keys());
        }
        let without_effect = WITHOUT_EFFECT.iter().filter(|key| self.raw.contains_key(**key));
        let mut warnings: Vec<String> = without_effect
            .map(|key| format!("the key {key} of connector {} has no effect in this version", self.name))
            .collect();
        let unknown = def.unknown(&self.raw).into_iter();
        let unknown = unknown.filter(|(key, _)| !prefixes.iter().any(|prefix| key.starts_with(prefix)));
        let warning = |(key, nearest): (&str, Option<&str>)| {
            let hint = nearest.map(|n| format!("; did you mean {n}?")).unwrap_or_default();
            format!("the key {key} of connector {} is not known and ignored{hint}", self.name)
        };
        warnings.extend(unknown.map(warning));
        warnings
    }

    /// Notes what its values come from, for [`Self::given`] and [`Self::hide`].
    pub(crate) fn resolved_from(mut self, resolved: Resolved) -> Self {
        self.resolved = Some(Arc::new(resolved));
        self
    }

    /// The configuration as it was given, with references to configuration providers: what may be shown.
    pub(crate) fn given(&self) -> &ConfigMap {
        self.resolved.as_ref().map_or(&self.raw, |resolved| resolved.given())
    }

    /// A text without the values that configuration providers gave.
    pub(crate) fn hide(&self, text: &str) -> String {
        self.resolved.as_ref().map_or_else(|| text.to_owned(), |resolved| resolved.hide(text))
    }

    /// Puts references in the place of values that a task's config has of the connector's.
    pub(crate) fn restore(&self, task: &mut ConfigMap) {
        if let Some(resolved) = &self.resolved {
            resolved.restore(task);
        }
    }

    /// `config.action.reload`: whether to restart it when a value from a configuration provider changes.
    pub fn reloads(&self) -> bool {
        self.reloads
    }

    /// The configuration to work with: what references stand for is in their place.
    pub fn raw(&self) -> &ConfigMap {
        &self.raw
    }

    /// `name`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// `connector.class`.
    pub fn class(&self) -> &str {
        &self.class
    }

    /// `tasks.max`.
    pub fn tasks_max(&self) -> usize {
        self.tasks_max
    }

    /// `tasks.max.enforce`.
    pub fn enforces_tasks_max(&self) -> bool {
        self.enforces_tasks_max
    }

    /// `errors.tolerance`.
    pub fn tolerance(&self) -> ErrorTolerance {
        self.tolerance
    }

    /// `errors.log.enable`.
    pub fn log_errors(&self) -> bool {
        self.log_errors
    }

    /// `errors.log.include.messages`.
    pub fn log_messages(&self) -> bool {
        self.log_messages
    }

    /// `errors.retry.timeout` and `errors.retry.delay.max.ms`.
    pub(crate) fn retry(&self) -> Retry {
        self.retry
    }

    /// The dead letter queue, if it has one.
    pub fn dead_letter_queue(&self) -> Option<&DeadLetterQueue> {
        self.dead_letter_queue.as_ref()
    }

    /// The transforms in order.
    pub fn transforms(&self) -> &[TransformConfig] {
        &self.transforms
    }

    /// `topics` or `topics.regex` of a sink.
    pub fn topics(&self) -> &SinkTopics {
        &self.topics
    }

    /// `topic.creation.*` of a source, if it is there.
    pub fn topic_creation(&self) -> Option<&TopicRules> {
        self.topic_creation.as_ref()
    }

    /// The converter that the connector sets itself, with its keys without the prefix.
    pub fn converter(&self, key: &str) -> Option<(&str, ConfigMap)> {
        let class = self.raw.get(key).map(|c| c.trim()).filter(|c| !c.is_empty())?;
        Some((class, with_prefix(&self.raw, &format!("{key}."))))
    }
}

fn dead_letter_queue(parsed: &ParsedConfig, prefix: &str) -> Result<Option<DeadLetterQueue>, ConfigError> {
    let key = |name: &str| format!("{prefix}errors.deadletterqueue.{name}");
    let topic = parsed.string(&key("topic.name"))?;
    if topic.is_empty() {
        return Ok(None);
    }
    // It fits: the key is a SHORT.
    let factor = parsed.int(&key("topic.replication.factor"))?;
    Ok(Some(DeadLetterQueue {
        topic: topic.to_owned(),
        replication_factor: i16::try_from(factor).unwrap_or(i16::MAX),
        context_headers: parsed.boolean(&key("context.headers.enable"))?,
    }))
}

fn sink_topics(raw: &ConfigMap) -> Result<SinkTopics, ConfigError> {
    let keys = definition::check_sink(raw)?;
    if !keys.has_topics {
        let pattern = raw.get("topics.regex").map_or("", |v| v.trim());
        return match JavaPattern::new(pattern) {
            Ok(pattern) => Ok(SinkTopics::Matching(pattern)),
            Err(error) => {
                Err(ConfigError::invalid("topics.regex", pattern, format!("Invalid regex: {error}")))
            }
        };
    }
    let mut names = keys.topics;
    names.sort();
    names.dedup();
    if names.is_empty() {
        let given = raw.get("topics").map_or("", String::as_str);
        return Err(ConfigError::invalid("topics", given, "Must configure one of topics or topics.regex"));
    }
    Ok(SinkTopics::Named(names))
}

/// What promises more than this version keeps.
fn refuse_exactly_once(raw: &ConfigMap) -> Result<(), ConfigError> {
    for (key, value) in [("exactly.once.support", "required"), ("transaction.boundary", "connector")] {
        if raw.get(key).is_some_and(|v| v.trim().eq_ignore_ascii_case(value)) {
            let reason =
                "exactly-once sources are not supported in this version; remove the key for at least once";
            return Err(ConfigError::invalid(key, value, reason));
        }
    }
    Ok(())
}

fn parse_transforms(
    raw: &ConfigMap,
    transforms: &[String],
    predicates: &[String],
) -> Result<Vec<TransformConfig>, ConfigError> {
    let class_of = |key: String| match raw.get(&key).map(|c| c.trim()).filter(|c| !c.is_empty()) {
        Some(class) => Ok(class.to_owned()),
        None => Err(ConfigError::Missing { key }),
    };
    let mut parsed: Vec<TransformConfig> = Vec::new();
    for alias in transforms {
        if parsed.iter().any(|t| t.alias == *alias) {
            let reason = format!("Duplicate alias provided: {alias}");
            return Err(ConfigError::invalid("transforms", &transforms.join(","), reason));
        }
        let mut config = with_prefix(raw, &format!("transforms.{alias}."));
        let class = class_of(format!("transforms.{alias}.type"))?;
        config.remove("type");
        let negate = match config.remove("negate").as_deref().map(str::trim) {
            None | Some("false") => false,
            Some("true") => true,
            Some(other) => {
                let key = format!("transforms.{alias}.negate");
                return Err(ConfigError::invalid(&key, other, "Expected value to be either true or false"));
            }
        };
        let predicate = match config.remove("predicate").filter(|p| !p.trim().is_empty()) {
            None => None,
            Some(name) if predicates.contains(&name) => {
                let class = class_of(format!("predicates.{name}.type"))?;
                let mut own = with_prefix(raw, &format!("predicates.{name}."));
                own.remove("type");
                Some((name, class, own))
            }
            Some(name) => {
                let key = format!("transforms.{alias}.predicate");
                return Err(ConfigError::invalid(
                    &key,
                    &name,
                    "no such predicate; name it in \"predicates\"",
                ));
            }
        };
        parsed.push(TransformConfig { alias: alias.clone(), class, config, predicate, negate });
    }
    Ok(parsed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossdock_api::config::ConfigKey;

    fn map(pairs: &[(&str, &str)]) -> ConfigMap {
        let base = [("name", "c"), ("connector.class", "X")];
        base.iter().chain(pairs).map(|(k, v)| (k.to_string(), v.to_string())).collect()
    }

    #[test]
    fn a_sink_needs_topics() {
        let error = |pairs| ConnectorConfig::parse(&map(pairs), PluginKind::Sink).unwrap_err().to_string();
        assert!(error(&[]).contains("Must configure one of topics"));
        assert!(error(&[("topics", "a"), ("topics.regex", "b")]).contains("mutually exclusive"));
        let own_queue = error(&[("topics", "d"), ("errors.deadletterqueue.topic.name", "d")]);
        assert!(own_queue.contains("DLQ topic 'd'"), "{own_queue}");
        let config = ConnectorConfig::parse(&map(&[("topics", "b, a,b")]), PluginKind::Sink).unwrap();
        assert!(matches!(config.topics(), SinkTopics::Named(names) if names == &["a", "b"]));
        let regex = ConnectorConfig::parse(&map(&[("topics.regex", "orders-.*")]), PluginKind::Sink).unwrap();
        assert!(matches!(regex.topics(), SinkTopics::Matching(pattern) if pattern.matches("orders-1")));
        let bad = error(&[("topics.regex", "a)b")]);
        assert!(
            bad.starts_with("Invalid value a)b for configuration topics.regex: Invalid regex: ")
                && bad.contains("Unmatched closing"),
            "{bad}"
        );
    }

    #[test]
    fn transforms_get_their_own_keys() {
        let config = map(&[
            ("transforms", "t"),
            ("transforms.t.type", "T"),
            ("transforms.t.x", "1"),
            ("transforms.t.predicate", "p"),
            ("transforms.t.negate", "true"),
            ("predicates", "p"),
            ("predicates.p.type", "P"),
            ("predicates.p.name", "n"),
        ]);
        let parsed = ConnectorConfig::parse(&config, PluginKind::Source).unwrap();
        let transform = &parsed.transforms()[0];
        assert_eq!(transform.config, [("x".to_owned(), "1".to_owned())].into_iter().collect());
        assert!(transform.negate);
        assert_eq!(transform.predicate.as_ref().unwrap().1, "P");
        let missing =
            map(&[("transforms", "t"), ("transforms.t.type", "T"), ("transforms.t.predicate", "p")]);
        let error = ConnectorConfig::parse(&missing, PluginKind::Source).unwrap_err().to_string();
        assert!(error.contains("transforms.t.predicate"), "{error}");
    }

    #[test]
    fn unknown_keys_are_warned_about() {
        let config = map(&[("task.max", "3"), ("file", "f"), ("producer.override.acks", "all")]);
        let parsed = ConnectorConfig::parse(&config, PluginKind::Source).unwrap();
        let own = ConfigDef::new().define(ConfigKey::string("file"));
        let warnings = parsed.warnings(PluginKind::Source, &own);
        assert_eq!(warnings.len(), 1);
        assert!(warnings[0].contains("did you mean tasks.max?"), "{warnings:?}");
    }
}
