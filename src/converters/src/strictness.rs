//! Whether a converter repeats Connect's silent losses or refuses them.

use crossdock_api::config::{ConfigDef, ConfigKey, ConfigMap, Importance, Validator};
use crossdock_api::{ConfigError, ParsedConfig};

/// What a converter does where Connect's loses or changes data without a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Strictness {
    /// The record fails with a message that says where: `crossdock.compatibility=safe`, the default.
    #[default]
    Safe,
    /// As Connect does: `crossdock.compatibility=strict`.
    AsConnect,
}

const KEY: &str = "crossdock.compatibility";
const TYPE: &str = "converter.type";

impl Strictness {
    /// The key that sets it.
    pub(crate) fn key() -> ConfigKey {
        ConfigKey::string(KEY)
            .default("safe")
            .validator(Validator::OneOf(&["safe", "strict"]))
            .importance(Importance::Low)
            .doc(
                "What to do where Kafka Connect's converter changes or loses data silently: 'safe' fails \
                 the record and says why, 'strict' does as Kafka Connect. The worker's setting of the \
                 same name is the default.",
            )
    }

    /// Reads the key from a config as it was given.
    ///
    /// # Errors
    /// If it is neither `safe` nor `strict`.
    pub fn of_map(config: &ConfigMap) -> Result<Self, ConfigError> {
        Self::of(&ConfigDef::new().define(Self::key()).parse(config)?)
    }

    /// Reads the key from a config that was parsed by a definition with [`Strictness::key`].
    pub(crate) fn of(config: &ParsedConfig) -> Result<Self, ConfigError> {
        Ok(if config.string(KEY)? == "strict" { Self::AsConnect } else { Self::Safe })
    }
}

/// The key `converter.type`, which the worker sets, for the definition.
pub(crate) fn converter_type() -> ConfigKey {
    ConfigKey::string(TYPE)
        .validator(Validator::OneOf(&["key", "value", "header"]))
        .importance(Importance::Low)
        .doc("How this converter will be used.")
}

/// Parses what of `config` the definition knows, apart from `converter.type`: what the converter is
/// for is told by other means, and Connect overwrites what a user sets.
pub(crate) fn parse(def: ConfigDef, config: &ConfigMap) -> Result<ParsedConfig, ConfigError> {
    let keys = def.keys().iter().filter(|key| key.name() != TYPE).cloned();
    keys.fold(ConfigDef::new(), ConfigDef::define).parse(config)
}
