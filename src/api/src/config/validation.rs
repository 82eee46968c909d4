//! All values of a configuration with all their errors (`ConfigDef.validate`), for forms and the REST API.

use super::{ConfigDef, ConfigError, ConfigKey, ConfigMap, NullableConfig, ParsedConfig, Setting};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Recommends values of a key by those of the others. Mirrors `ConfigDef.Recommender`.
pub trait Recommender: fmt::Debug + Send + Sync {
    /// The values that are valid for `key`, as text.
    ///
    /// # Errors
    /// Is shown at the key.
    fn valid_values(&self, key: &str, parsed: &ParsedConfig) -> Result<Vec<String>, ConfigError>;

    /// Whether forms show the key.
    fn is_visible(&self, key: &str, parsed: &ParsedConfig) -> bool;
}

/// What is known of a key's value. Mirrors `org.apache.kafka.common.config.ConfigValue`.
#[derive(Debug, Clone, PartialEq)]
pub struct ConfigValue {
    /// The key.
    pub name: String,
    /// The value, parsed; null if it is missing or wrong.
    pub value: Setting,
    /// Values that are valid, as text.
    pub recommended: Vec<String>,
    /// What is wrong.
    pub errors: Vec<String>,
    /// Whether forms show the key.
    pub visible: bool,
}

impl ConfigValue {
    /// A value of which nothing is known.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            value: Setting::Null,
            recommended: Vec::new(),
            errors: Vec::new(),
            visible: true,
        }
    }
}

impl ConfigDef {
    /// Checks all keys of this definition, and gives every value with its errors and recommendations, by name. A
    /// value that cannot be parsed is null for the other checks.
    pub fn validate(&self, config: &ConfigMap) -> BTreeMap<String, ConfigValue> {
        self.validate_by(|key| config.get(key).map(|text| Some(text.as_str())))
    }

    /// As [`Self::validate`], of a configuration whose values may be null: such a value is not missing, and not the
    /// default either.
    pub fn validate_nullable(&self, config: &NullableConfig) -> BTreeMap<String, ConfigValue> {
        self.validate_by(|key| config.get(key).map(Option::as_deref))
    }

    fn validate_by<'c>(
        &self,
        given: impl Fn(&str) -> Option<Option<&'c str>>,
    ) -> BTreeMap<String, ConfigValue> {
        let mut values = BTreeMap::new();
        let mut parsed = ParsedConfig::default();
        for key in self.keys() {
            let text = given(key.name());
            let value = match self.class_of(key, text.flatten()) {
                Ok(Some(class)) => value_of(key, Ok(Some(Some(&class)))),
                Ok(None) => value_of(key, Ok(text)),
                Err(error) => value_of(key, Err(error)),
            };
            parsed.insert(key.name(), value.value.clone());
            values.insert(key.name().to_owned(), value);
        }
        for key in self.keys() {
            let Some(value) = values.get_mut(key.name()) else { continue };
            let Some(recommender) = key.recommends() else { continue };
            match recommender.valid_values(key.name(), &parsed) {
                Ok(recommended) => {
                    value.recommended = recommended;
                    value.visible = recommender.is_visible(key.name(), &parsed);
                }
                Err(error) => value.errors.push(error.to_string()),
            }
        }
        for name in self.undefined_dependents() {
            let mut value = ConfigValue::new(&name);
            value.errors.push(format!("{name} is referred in the dependents, but not defined."));
            value.visible = false;
            values.insert(name, value);
        }
        values
    }

    fn undefined_dependents(&self) -> BTreeSet<String> {
        let all = self.keys().iter().flat_map(|key| key.dependent_keys());
        all.filter(|name| self.key(name).is_none()).cloned().collect()
    }
}

/// The value of a key that was not given, given as null, given as text, or whose class is not there.
fn value_of(key: &ConfigKey, given: Result<Option<Option<&str>>, ConfigError>) -> ConfigValue {
    let mut value = ConfigValue::new(key.name());
    let parsed = given.and_then(|given| match given {
        Some(Some(text)) => key.kind().parse(key.name(), text),
        Some(None) => Ok(Setting::Null),
        None if key.is_required() => Err(ConfigError::Missing { key: key.name().to_owned() }),
        None => key.default_setting(),
    });
    match parsed {
        Ok(setting) => value.value = setting,
        Err(error) => value.errors.push(error.to_string()),
    }
    if let Err(error) = key.check(&value.value) {
        value.errors.push(error.to_string());
    }
    value
}
