//! Predicates: by the topic, by a header, and whether the value is null.

use crate::java_pattern::{self, pattern_of};
use crossdock_api::config::{ConfigKey, Importance, Validator};
use crossdock_api::registry::{Factory, Plugin};
use crossdock_api::{CONNECT_VERSION, ConfigDef, ConfigError, ConfigMap, ConnectError, Predicate, RecordRef};
use crossdock_java_regex::Pattern;
use std::sync::Arc;

const PACKAGE: &str = "org.apache.kafka.connect.transforms.predicates";

/// All predicates, by name.
pub(crate) fn plugins() -> Vec<Plugin> {
    let plugin = |name: &str, make: fn() -> Box<dyn Predicate>| {
        Plugin::new(&format!("{PACKAGE}.{name}"), CONNECT_VERSION, Factory::Predicate(Arc::new(make)))
    };
    vec![
        plugin("HasHeaderKey", || Box::new(HasHeaderKey::default())),
        plugin("RecordIsTombstone", || Box::new(RecordIsTombstone)),
        plugin("TopicNameMatches", || Box::new(TopicNameMatches::default())),
    ]
}

/// Whether the record has a header of a name.
#[derive(Default)]
struct HasHeaderKey {
    name: String,
}

impl Predicate for HasHeaderKey {
    fn config_def(&self) -> ConfigDef {
        ConfigDef::new().define(
            ConfigKey::string("name")
                .validator(Validator::NonEmpty)
                .importance(Importance::Medium)
                .doc("The name of the header."),
        )
    }

    fn configure(&mut self, config: &ConfigMap) -> Result<(), ConfigError> {
        self.name = self.config_def().parse(config)?.string("name")?.to_owned();
        Ok(())
    }

    fn test(&self, record: RecordRef<'_>) -> Result<bool, ConnectError> {
        Ok(record.headers().any(|header| header.name.as_str() == self.name))
    }
}

/// Whether the value is null.
struct RecordIsTombstone;

impl Predicate for RecordIsTombstone {
    fn config_def(&self) -> ConfigDef {
        ConfigDef::new()
    }

    fn configure(&mut self, _: &ConfigMap) -> Result<(), ConfigError> {
        Ok(())
    }

    fn test(&self, record: RecordRef<'_>) -> Result<bool, ConnectError> {
        Ok(record.value().is_null())
    }
}

/// Whether the topic as a whole matches a regular expression.
#[derive(Default)]
struct TopicNameMatches {
    pattern: Option<Pattern>,
}

fn check_pattern(setting: &crossdock_api::config::Setting) -> Result<(), String> {
    match setting {
        crossdock_api::config::Setting::String(text) if text.is_empty() => {
            Err("String must be non-empty".to_owned())
        }
        setting => java_pattern::check(setting),
    }
}

impl Predicate for TopicNameMatches {
    fn config_def(&self) -> ConfigDef {
        ConfigDef::new().define(
            ConfigKey::string("pattern")
                .validator(Validator::Custom(check_pattern))
                .importance(Importance::Medium)
                .doc("The regular expression, in the syntax of java.util.regex."),
        )
    }

    fn configure(&mut self, config: &ConfigMap) -> Result<(), ConfigError> {
        self.pattern = Some(pattern_of(&self.config_def().parse(config)?, "pattern")?);
        Ok(())
    }

    fn test(&self, record: RecordRef<'_>) -> Result<bool, ConnectError> {
        match &self.pattern {
            Some(pattern) => pattern.matches(record.topic()).map_err(java_pattern::too_complex),
            None => Err(ConnectError::fatal("TopicNameMatches is used before it is configured")),
        }
    }
}
