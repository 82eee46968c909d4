//! Config definitions: one definition a setting gives parsing, validation, REST output and reference
//! pages. Mirrors `org.apache.kafka.common.config.ConfigDef`, its messages included.
//!
//! - [`ConfigKey`]: name, type, default, validator, documentation of one setting.
//! - [`ConfigDef`]: the keys of a component; [`ConfigDef::parse`] gives a [`ParsedConfig`].
//! - [`types`]: the types and how their text is read.
//! - [`Validator`]: what a value must satisfy beyond its type. [`Recommender`]: which values make sense.
//! - [`ConfigDef::validate`]: every value with every error, as the REST API shows them.

mod key;
mod parsed;
pub mod types;
mod validation;
mod validator;

pub use key::{ConfigKey, Importance, Width};
pub use parsed::ParsedConfig;
pub use types::{ConfigType, Password, Setting};
pub use validation::{ConfigValue, Recommender};
pub use validator::{Check, Validator};

use crate::Exception;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A configuration as it was given: text by key.
pub type ConfigMap = BTreeMap<String, String>;

/// A configuration as it may be sent: a value can also be null.
pub type NullableConfig = BTreeMap<String, Option<String>>;

/// A wrong configuration. The operator is at fault; the message names the key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A value that the key does not allow.
    #[error("Invalid value {value} for configuration {key}: {reason}")]
    Invalid {
        /// The key.
        key: String,
        /// The value, `[hidden]` for secrets.
        value: String,
        /// Why.
        reason: String,
    },
    /// A key that must be set is not.
    #[error("Missing required configuration \"{key}\" which has no default value.")]
    Missing {
        /// The key.
        key: String,
    },
    /// A character set that nobody knows.
    #[error("Unsupported encoding {0}")]
    Encoding(String),
    /// A version of a plugin, or a range of versions, that cannot be.
    #[error("{0}")]
    PluginVersion(String),
    /// Something that is not about one key.
    #[error("{0}")]
    Other(String),
}

impl ConfigError {
    /// Which Java exception it stands for.
    pub fn exception(&self) -> Exception {
        match self {
            Self::Encoding(_) => Exception::Serialization,
            Self::PluginVersion(_) => Exception::PluginVersion,
            _ => Exception::Config,
        }
    }

    /// A value that `key` does not allow.
    pub fn invalid(key: &str, value: &str, reason: impl Into<String>) -> Self {
        Self::Invalid { key: key.to_owned(), value: value.to_owned(), reason: reason.into() }
    }
}

/// The keys of a component, in the order of definition.
#[derive(Debug, Clone, Default)]
pub struct ConfigDef {
    keys: Vec<ConfigKey>,
    classes: Option<Classes>,
}

/// Which classes there are: the full name of the class that a name stands for.
#[derive(Clone)]
struct Classes(Arc<ClassOf>);

type ClassOf = dyn Fn(&str) -> Option<String> + Send + Sync;

impl std::fmt::Debug for Classes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Classes")
    }
}

impl ConfigDef {
    /// No keys.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a key; one of the same name is replaced in its place.
    #[must_use]
    pub fn define(mut self, key: ConfigKey) -> Self {
        match self.keys.iter_mut().find(|k| k.name() == key.name()) {
            Some(old) => *old = key,
            None => self.keys.push(key),
        }
        self
    }

    /// Adds all keys of another definition.
    #[must_use]
    pub fn extend(self, other: ConfigDef) -> Self {
        other.keys.into_iter().fold(self, ConfigDef::define)
    }

    /// Makes keys of type CLASS take only the names for which `class_of` knows the full name of a class, which
    /// becomes the value.
    #[must_use]
    pub fn with_classes(mut self, class_of: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        self.classes = Some(Classes(Arc::new(class_of)));
        self
    }

    /// Adds the keys of another definition under a prefix, as forms of that component alone would show them: by group,
    /// place, importance and name. They get `group` and places from `first_order` on (`ConfigDef.embed`).
    #[must_use]
    pub fn embed(self, prefix: &str, group: &str, first_order: i32, child: ConfigDef) -> Self {
        let groups: Vec<String> = child.groups().iter().map(|group| (*group).to_owned()).collect();
        let place = |key: &ConfigKey| key.group().and_then(|group| groups.iter().position(|g| g == group));
        let mut keys = child.keys;
        keys.sort_by_cached_key(|key| {
            let importance = match key.importance_level() {
                Importance::High => 0,
                Importance::Medium => 1,
                Importance::Low => 2,
            };
            (place(key), key.order(), !key.is_required(), importance, key.name().to_owned())
        });
        let placed = keys.into_iter().zip(first_order..).map(|(key, order)| {
            let group = match key.group() {
                Some(own) => format!("{group}: {own}"),
                None => group.to_owned(),
            };
            key.under(prefix).placed(&group, order)
        });
        placed.fold(self, ConfigDef::define)
    }

    /// The groups of the keys, in the order of their first key.
    pub fn groups(&self) -> Vec<&str> {
        let mut groups = Vec::new();
        for group in self.keys.iter().filter_map(ConfigKey::group) {
            if !groups.contains(&group) {
                groups.push(group);
            }
        }
        groups
    }

    /// The class that a key of type CLASS names, if it has to be there; `None` for all others.
    fn class_of(&self, key: &ConfigKey, text: Option<&str>) -> Result<Option<String>, ConfigError> {
        let (Some(classes), Some(text), ConfigType::Class) = (&self.classes, text, key.kind()) else {
            return Ok(None);
        };
        match classes.0(text.trim()) {
            Some(class) => Ok(Some(class)),
            None => {
                let reason = format!("Class {text} could not be found.");
                Err(ConfigError::invalid(key.name(), text, reason))
            }
        }
    }

    /// The keys in the order of definition.
    pub fn keys(&self) -> &[ConfigKey] {
        &self.keys
    }

    /// The key of that name.
    pub fn key(&self, name: &str) -> Option<&ConfigKey> {
        self.keys.iter().find(|k| k.name() == name)
    }

    /// Parses and checks all defined keys; others are left alone.
    ///
    /// # Errors
    /// The first key, in the order of definition, that is missing or has a wrong value.
    pub fn parse(&self, config: &ConfigMap) -> Result<ParsedConfig, ConfigError> {
        let mut parsed = ParsedConfig::default();
        for key in &self.keys {
            let text = config.get(key.name()).map(String::as_str);
            let class = self.class_of(key, text)?;
            parsed.insert(key.name(), key.parse(class.as_deref().or(text))?);
        }
        Ok(parsed)
    }

    /// Checks all defined keys and gives every error.
    pub fn errors(&self, config: &ConfigMap) -> Vec<ConfigError> {
        let check = |key: &ConfigKey| key.parse(config.get(key.name()).map(String::as_str)).err();
        self.keys.iter().filter_map(check).collect()
    }

    /// The keys of `config` that this definition does not know, each with the nearest known key if
    /// one is near.
    pub fn unknown<'c>(&self, config: &'c ConfigMap) -> Vec<(&'c str, Option<&str>)> {
        let unknown = config.keys().filter(|k| self.key(k).is_none());
        unknown.map(|k| (k.as_str(), nearest(k, self.keys.iter().map(ConfigKey::name)))).collect()
    }
}

/// The name among `known` that is most like `name`, if one is like it at all.
pub fn nearest<'k>(name: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    known
        .map(|k| (strsim::normalized_damerau_levenshtein(name, k), k))
        .filter(|(likeness, _)| *likeness >= 0.7)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, k)| k)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> ConfigMap {
        pairs.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect()
    }

    fn def() -> ConfigDef {
        ConfigDef::new()
            .define(ConfigKey::string("topic").validator(Validator::NonEmpty).doc("Where to."))
            .define(ConfigKey::int("batch.size").default("2000").validator(Validator::AtLeast(1)))
            .define(ConfigKey::password("secret").default_null())
            .define(ConfigKey::list("things").default(""))
    }

    #[test]
    fn values_defaults_and_nulls() {
        let parsed = def().parse(&map(&[("topic", " t "), ("things", "a, b,,c")])).unwrap();
        assert_eq!(parsed.string("topic").unwrap(), "t");
        assert_eq!(parsed.int("batch.size").unwrap(), 2000);
        assert!(parsed.password_opt("secret").unwrap().is_none());
        assert_eq!(parsed.list("things").unwrap(), ["a", "b", "", "c"]);
        assert!(parsed.int("topic").is_err());
    }

    #[test]
    fn messages_are_kafkas() {
        let error = |pairs: &[(&str, &str)]| def().parse(&map(pairs)).unwrap_err().to_string();
        assert_eq!(error(&[]), "Missing required configuration \"topic\" which has no default value.");
        assert_eq!(
            error(&[("topic", "")]),
            "Invalid value  for configuration topic: String must be non-empty"
        );
        assert_eq!(
            error(&[("topic", "t"), ("batch.size", "abc")]),
            "Invalid value abc for configuration batch.size: Not a number of type INT"
        );
        assert_eq!(
            error(&[("topic", "t"), ("batch.size", "0")]),
            "Invalid value 0 for configuration batch.size: Value must be at least 1"
        );
    }

    #[test]
    fn misspelt_keys_are_found() {
        let config = map(&[("topic", "t"), ("batchsize", "1"), ("other", "x")]);
        assert_eq!(def().unknown(&config), [("batchsize", Some("batch.size")), ("other", None)]);
    }

    #[test]
    fn secrets_do_not_show() {
        let parsed = def().parse(&map(&[("topic", "t"), ("secret", "hunter2")])).unwrap();
        assert!(!format!("{parsed:?}").contains("hunter2"));
        assert_eq!(parsed.password_opt("secret").unwrap().unwrap().reveal(), "hunter2");
    }
}
