//! Whether a plugin repeats Connect's silent losses or refuses them.

use crate::config::{ConfigDef, ConfigKey, ConfigMap, Importance, Validator};
use crate::{ConfigError, ParsedConfig};

/// What a converter or transform does where Connect's loses or changes data without a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Strictness {
    /// The record fails with a message that says where: `crossdock.compatibility=safe`, the default.
    #[default]
    Safe,
    /// As Connect does: `crossdock.compatibility=strict`.
    AsConnect,
}

const KEY: &str = "crossdock.compatibility";

impl Strictness {
    /// The key that sets it.
    pub fn key() -> ConfigKey {
        ConfigKey::string(KEY)
            .default("safe")
            .validator(Validator::OneOf(&["safe", "strict"]))
            .importance(Importance::Low)
            .doc(
                "What to do where Kafka Connect changes or loses data silently: 'safe' fails \
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
    pub fn of(config: &ParsedConfig) -> Result<Self, ConfigError> {
        Ok(if config.string(KEY)? == "strict" { Self::AsConnect } else { Self::Safe })
    }
}
