//! What all converters do with their configuration.

use crossdock_api::config::{ConfigDef, ConfigKey, ConfigMap, Importance, Validator};
use crossdock_api::{ConfigError, ParsedConfig};

const TYPE: &str = "converter.type";

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

/// Checks `converter.type` if it is there.
pub(crate) fn check_type(config: &ConfigMap) -> Result<(), ConfigError> {
    match config.get(TYPE) {
        None => Ok(()),
        Some(given) => converter_type().parse(Some(given)).map(|_| ()),
    }
}
