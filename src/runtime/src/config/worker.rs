//! The worker's configuration (`WorkerConfig`, `StandaloneConfig`).

use super::overrides::allowlist_key;
use super::providers::Providers;
use super::{definition, with_prefix};
use crate::metrics::Windows;
use crossdock_api::config::{ConfigKey, Importance, Validator};
use crossdock_api::{ConfigDef, ConfigError, ConfigMap};
use std::sync::Arc;
use std::time::Duration;

/// Keys of Connect that are known but change nothing here yet, or have no meaning without a JVM.
const WITHOUT_EFFECT: &[&str] = &[
    "client.dns.lookup",
    "auto.include.jmx.reporter",
    "metric.reporters",
    "metrics.recording.level",
    "plugin.discovery",
    "plugin.path",
];

/// Prefixes whose keys belong to a component and are checked there.
const PREFIXES: &[&str] = &[
    "admin.",
    "admin.listeners.https.",
    "config.providers.",
    "consumer.",
    "header.converter.",
    "key.converter.",
    "listeners.https.",
    "producer.",
    "sasl.",
    "security.",
    "ssl.",
    "value.converter.",
];

/// A worker's configuration after parsing.
#[derive(Debug, Clone)]
pub struct WorkerConfig {
    raw: ConfigMap,
    providers: Arc<Providers>,
    strict: bool,
    bootstrap_servers: String,
    key_converter: String,
    value_converter: String,
    header_converter: String,
    offset_file: Option<String>,
    offset_flush_interval: Duration,
    offset_flush_timeout: Duration,
    shutdown_timeout: Duration,
    metrics: Windows,
    topic_creation: bool,
    topic_tracking: bool,
    topic_tracking_reset: bool,
    listeners: String,
    advertised_host: Option<String>,
    advertised_port: Option<u16>,
}

impl WorkerConfig {
    /// The keys of a standalone worker.
    pub fn definition() -> ConfigDef {
        let broker = ConfigKey::list("bootstrap.servers")
            .default("localhost:9092")
            .validator(Validator::Items { may_be_empty: false })
            .importance(Importance::High)
            .doc("Brokers to connect to first, as host:port with commas between them.");
        let file = ConfigKey::string("offset.storage.file.filename")
            .default_null()
            .importance(Importance::High)
            .doc("File that source offsets are kept in. Without it they are in memory and lost at the end.");
        let own = [broker, file, compatibility_key(), allowlist_key(), login_config_key(), max_request_key()];
        own.into_iter().fold(definition::standalone(), ConfigDef::define)
    }

    /// Parses and checks a configuration.
    ///
    /// # Errors
    /// The first missing or wrong key, and what a configuration provider cannot read.
    pub fn parse(given: &ConfigMap) -> Result<Self, ConfigError> {
        let providers = Arc::new(Providers::of(given)?);
        let resolved = providers.resolve(given)?;
        Self::parse_resolved(resolved.config(), providers).map_err(|error| resolved.hide_in(error))
    }

    fn parse_resolved(raw: &ConfigMap, providers: Arc<Providers>) -> Result<Self, ConfigError> {
        let parsed = Self::definition().parse(raw)?;
        let millis = |key: &str| parsed.long(key).map(|ms| Duration::from_millis(ms.max(0) as u64));
        let listeners = match raw.get("listeners").map(|l| l.trim()) {
            None | Some("") => "http://:8083".to_owned(),
            Some(listeners) => listeners.to_owned(),
        };
        Ok(Self {
            raw: raw.clone(),
            providers,
            strict: parsed.string(COMPATIBILITY)? == "strict",
            bootstrap_servers: parsed.list("bootstrap.servers")?.join(","),
            key_converter: parsed.string("key.converter")?.to_owned(),
            value_converter: parsed.string("value.converter")?.to_owned(),
            header_converter: parsed.string("header.converter")?.to_owned(),
            offset_file: parsed.string_opt("offset.storage.file.filename")?.map(str::to_owned),
            offset_flush_interval: millis("offset.flush.interval.ms")?,
            offset_flush_timeout: millis("offset.flush.timeout.ms")?,
            shutdown_timeout: millis("task.shutdown.graceful.timeout.ms")?,
            metrics: Windows {
                samples: usize::try_from(parsed.int("metrics.num.samples")?).unwrap_or(1).max(1),
                // A window without length would hold nothing.
                width: millis("metrics.sample.window.ms")?.max(Duration::from_millis(1)),
            },
            topic_creation: parsed.boolean("topic.creation.enable")?,
            topic_tracking: parsed.boolean("topic.tracking.enable")?,
            topic_tracking_reset: parsed.boolean("topic.tracking.allow.reset")?,
            listeners,
            advertised_host: parsed.string_opt("rest.advertised.host.name")?.map(str::to_owned),
            advertised_port: advertised_port(raw)?,
        })
    }

    /// Warnings about keys that are unknown, with the nearest known one, or have no effect yet.
    pub fn warnings(&self) -> Vec<String> {
        let def = Self::definition();
        let mut warnings = Vec::new();
        for key in self.raw.keys().filter(|key| WITHOUT_EFFECT.contains(&key.as_str())) {
            // Every file for Java workers has these two.
            if key != "plugin.path" && key != "plugin.discovery" {
                warnings.push(format!("the worker's key {key} has no effect in this version"));
            }
        }
        for (key, nearest) in def.unknown(&self.raw) {
            let known = WITHOUT_EFFECT.contains(&key);
            if known || PREFIXES.iter().any(|prefix| key.starts_with(prefix)) {
                continue;
            }
            let hint = nearest.map(|n| format!("; did you mean {n}?")).unwrap_or_default();
            warnings.push(format!("the worker's key {key} is not known and ignored{hint}"));
        }
        warnings
    }

    /// How samples of metrics are taken.
    pub(crate) fn metrics(&self) -> Windows {
        self.metrics
    }

    /// The configuration as it was given, with what its references stand for.
    pub fn raw(&self) -> &ConfigMap {
        &self.raw
    }

    /// The configuration providers that connectors may refer to.
    pub(crate) fn providers(&self) -> &Providers {
        &self.providers
    }

    /// Adds the worker's `crossdock.compatibility` to the config of a component that does not set it.
    pub(crate) fn add_compatibility(&self, config: &mut ConfigMap) {
        if let Some(mode) = self.raw.get(COMPATIBILITY) {
            config.entry(COMPATIBILITY.to_owned()).or_insert_with(|| mode.clone());
        }
    }

    /// `crossdock.compatibility=strict`: do as Connect also where that is wrong.
    pub fn is_strict(&self) -> bool {
        self.strict
    }

    /// `bootstrap.servers`.
    pub fn bootstrap_servers(&self) -> &str {
        &self.bootstrap_servers
    }

    /// Class of the default key converter, and its keys without the prefix.
    pub fn key_converter(&self) -> (&str, ConfigMap) {
        (&self.key_converter, with_prefix(&self.raw, "key.converter."))
    }

    /// Class of the default value converter, and its keys without the prefix.
    pub fn value_converter(&self) -> (&str, ConfigMap) {
        (&self.value_converter, with_prefix(&self.raw, "value.converter."))
    }

    /// Class of the default header converter, and its keys without the prefix.
    pub fn header_converter(&self) -> (&str, ConfigMap) {
        (&self.header_converter, with_prefix(&self.raw, "header.converter."))
    }

    /// `offset.storage.file.filename`.
    pub fn offset_file(&self) -> Option<&str> {
        self.offset_file.as_deref()
    }

    /// `offset.flush.interval.ms`.
    pub fn offset_flush_interval(&self) -> Duration {
        self.offset_flush_interval
    }

    /// `offset.flush.timeout.ms`.
    pub fn offset_flush_timeout(&self) -> Duration {
        self.offset_flush_timeout
    }

    /// `task.shutdown.graceful.timeout.ms`.
    pub fn shutdown_timeout(&self) -> Duration {
        self.shutdown_timeout
    }

    /// `topic.creation.enable`.
    pub fn topic_creation(&self) -> bool {
        self.topic_creation
    }

    /// `topic.tracking.enable`.
    pub fn topic_tracking(&self) -> bool {
        self.topic_tracking
    }

    /// `topic.tracking.allow.reset`.
    pub fn topic_tracking_reset(&self) -> bool {
        self.topic_tracking_reset
    }

    /// `listeners`, with Connect's default.
    pub fn listeners(&self) -> &str {
        &self.listeners
    }

    /// `rest.advertised.host.name`.
    pub fn advertised_host(&self) -> Option<&str> {
        self.advertised_host.as_deref()
    }

    /// `rest.advertised.port`.
    pub fn advertised_port(&self) -> Option<u16> {
        self.advertised_port
    }
}

/// The one key of Crossdock's own that every component may read.
pub(crate) const COMPATIBILITY: &str = "crossdock.compatibility";

fn compatibility_key() -> ConfigKey {
    ConfigKey::string(COMPATIBILITY)
        .default("safe")
        .validator(Validator::OneOf(&["safe", "strict"]))
        .importance(Importance::Low)
        .doc(
            "What to do where Connect loses or changes data without a word: safe fails the record and says why, \
             strict does as Connect.",
        )
}

/// Key of the JAAS file, named as the setting of Java that it stands for.
pub const LOGIN_CONFIG: &str = "java.security.auth.login.config";

/// Key of the largest body of a REST request.
pub const MAX_REQUEST_BYTES: &str = "crossdock.rest.max.request.bytes";

fn login_config_key() -> ConfigKey {
    ConfigKey::string(LOGIN_CONFIG).default_null().importance(Importance::Low).doc(
        "JAAS file with the entry KafkaConnect, for rest.extension.classes; also read out of KAFKA_OPTS.",
    )
}

fn max_request_key() -> ConfigKey {
    ConfigKey::long(MAX_REQUEST_BYTES)
        .default("1048576")
        .validator(Validator::AtLeast(1))
        .importance(Importance::Low)
        .doc("Largest body of a REST request, in bytes; larger ones are answered with 413.")
}

fn advertised_port(raw: &ConfigMap) -> Result<Option<u16>, ConfigError> {
    let key = "rest.advertised.port";
    let Some(text) = raw.get(key) else { return Ok(None) };
    match text.trim().parse() {
        Ok(port) => Ok(Some(port)),
        Err(_) => Err(ConfigError::invalid(key, text, "not a port from 0 to 65535")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minimal(extra: &[(&str, &str)]) -> ConfigMap {
        let mut config: ConfigMap = ConfigMap::new();
        for (k, v) in [("bootstrap.servers", "a:1, b:2"), ("key.converter", "K"), ("value.converter", "V")] {
            config.insert(k.into(), v.into());
        }
        config.extend(extra.iter().map(|(k, v)| (k.to_string(), v.to_string())));
        config
    }

    #[test]
    fn defaults_are_connects() {
        let config = WorkerConfig::parse(&minimal(&[("key.converter.schemas.enable", "false")])).unwrap();
        assert_eq!(config.bootstrap_servers(), "a:1,b:2");
        assert_eq!(config.offset_flush_interval(), Duration::from_secs(60));
        assert_eq!(config.listeners(), "http://:8083");
        assert_eq!(config.key_converter().1["schemas.enable"], "false");
        assert!(config.topic_creation());
        assert!(config.warnings().is_empty());
    }

    #[test]
    fn mistakes_name_the_key() {
        let parse = |extra| WorkerConfig::parse(&minimal(extra)).unwrap_err().to_string();
        assert!(parse(&[("offset.flush.interval.ms", "soon")]).contains("offset.flush.interval.ms"));
        assert!(parse(&[("rest.advertised.port", "70000")]).contains("rest.advertised.port"));
        let missing = WorkerConfig::parse(&ConfigMap::new()).unwrap_err().to_string();
        assert_eq!(missing, "Missing required configuration \"key.converter\" which has no default value.");
    }

    #[test]
    fn misspelt_keys_are_warned_about() {
        let config =
            WorkerConfig::parse(&minimal(&[("offset.flush.intervall.ms", "1"), ("plugin.path", "/x")]))
                .unwrap();
        let warnings = config.warnings();
        assert_eq!(warnings.len(), 1);
        assert!(warnings[0].contains("did you mean offset.flush.interval.ms?"), "{warnings:?}");
    }
}
