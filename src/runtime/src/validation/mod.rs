//! What is known of a connector's configuration before it runs: every key, its value, its mistakes
//! (`AbstractHerder.validateConnectorConfig`).
//!
//! ```text
//!  config ─▶ class and version ─▶ keys of sources or sinks, of transforms and predicates ─┐
//!                  │                                            the connector's own keys ─┤
//!                  └─ no such version: the common keys     overridden client settings ────┼─▶ ConfigInfos
//!                                                                     converters' keys ───┘
//! ```

mod infos;
mod overrides;
mod plugins;

pub(crate) use infos::key_info;
pub(crate) use plugins::{keys_of_plugin, list_plugins};

use crate::config::definition::{self, CONVERTERS, no_such_version};
use crate::config::overrides::OverridePolicy;
use crate::config::version_range::VersionRange;
use crate::config::{WorkerConfig, with_prefix};
use crate::guard::{Guard, caught};
use crate::herder::plugins::ConfigInfos;
use crate::standalone::AnyConnector;
use crossdock_api::config::{ConfigValue, NullableConfig};
use crossdock_api::registry::{Factory, Plugin, PluginKind};
use crossdock_api::{ConfigDef, ConfigError, ConfigMap, Plugins};
use infos::Part;
use std::collections::BTreeMap;
use std::time::Duration;

/// How long a connector's own validation may take.
const OWN_VALIDATION: Duration = Duration::from_secs(60);

/// By what a configuration is checked.
pub(crate) struct Rules<'w> {
    pub(crate) plugins: &'w Plugins,
    pub(crate) worker: &'w WorkerConfig,
    pub(crate) policy: &'w OverridePolicy,
    /// Whether to fail and to show just what Connect does.
    pub(crate) as_connect: bool,
    pub(crate) guard: &'w Guard,
}

/// Why a configuration could not be checked at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ValidationError {
    /// No class, or none that is there.
    #[error("{0}")]
    NoConnector(String),
    /// A client's setting is not of its type (only as Connect).
    #[error("{0}")]
    Override(String),
    /// The plugin panicked or took too long.
    #[error("{0}")]
    Plugin(String),
}

impl ValidationError {
    /// The same error with another text.
    pub(crate) fn map_text(self, change: impl FnOnce(&str) -> String) -> Self {
        match self {
            Self::NoConnector(text) => Self::NoConnector(change(&text)),
            Self::Override(text) => Self::Override(change(&text)),
            Self::Plugin(text) => Self::Plugin(change(&text)),
        }
    }
}

/// Checks a configuration.
///
/// # Errors
/// A class that is missing or not there, and plugins that fail. Mistakes of single keys are in the answer.
pub(crate) async fn validate(
    rules: &Rules<'_>,
    config: &NullableConfig,
) -> Result<ConfigInfos, ValidationError> {
    let given: ConfigMap =
        config.iter().filter_map(|(key, value)| Some((key.clone(), value.clone()?))).collect();
    let Some(class) = given.get("connector.class") else {
        return Err(ValidationError::NoConnector(no_class(config, rules.as_connect)));
    };
    let range = VersionRange::requirement(given.get("connector.plugin.version").map(String::as_str))
        .map_err(|error| ValidationError::NoConnector(error.to_string()))?;
    let plugin = rules
        .plugins
        .connector(class)
        .map_err(|unknown| ValidationError::NoConnector(unknown.to_string()))?;
    let part = match range.filter(|range| !range.contains(plugin.version())) {
        Some(range) => other_version(rules, plugin, &range, config, &given),
        None => {
            let (keys, mut values) = common(rules, plugin.kind(), config, &given)?;
            let converters = converters(rules, &given, &mut values)?;
            let overrides = overrides::check(rules, plugin.kind(), &given)?;
            let connector = connector(rules, plugin, config, &given, &keys, values).await?;
            connector.merge(overrides).merge(converters)
        }
    };
    let Part { error_count, groups, configs } = part;
    Ok(ConfigInfos { name: class.clone(), error_count, groups, configs })
}

/// Values may be secrets, so that only Connect shows them.
fn no_class(config: &NullableConfig, as_connect: bool) -> String {
    let shown = |(key, value): (&String, &Option<String>)| match as_connect {
        true => format!("{key}={}", value.as_deref().unwrap_or("null")),
        false => key.clone(),
    };
    let shown: Vec<String> = config.iter().map(shown).collect();
    format!("Connector config {{{}}} contains no connector type", shown.join(", "))
}

/// The answer for a connector that is there in other versions only.
fn other_version(
    rules: &Rules<'_>,
    plugin: &Plugin,
    range: &VersionRange,
    config: &NullableConfig,
    given: &ConfigMap,
) -> Part {
    let keys = definition::of_version(rules.plugins, given);
    let mut values = keys.validate_nullable(config);
    let message = no_such_version(rules.plugins, plugin.class(), &range.to_string());
    for key in ["connector.class", "connector.plugin.version"] {
        add_error(&mut values, key, message.clone());
    }
    add_nulls(&mut values, config);
    Part::of_connector(&keys, &ConfigDef::new(), values, !rules.as_connect)
}

/// The keys of sources or sinks with those of transforms and predicates, and their values.
fn common(
    rules: &Rules<'_>,
    kind: PluginKind,
    config: &NullableConfig,
    given: &ConfigMap,
) -> Result<(ConfigDef, BTreeMap<String, ConfigValue>), ValidationError> {
    let of_worker = definition::of_worker(rules.plugins, rules.worker, kind, given);
    let keys = definition::enrich(rules.plugins, of_worker, given, false)
        .map_err(|error: ConfigError| ValidationError::Plugin(error.to_string()))?;
    let mut values = keys.validate_nullable(config);
    if kind == PluginKind::Sink {
        for (key, message) in definition::sink_mistakes(given) {
            add_error(&mut values, key, message);
        }
    }
    add_nulls(&mut values, config);
    Ok((keys, values))
}

fn add_error(values: &mut BTreeMap<String, ConfigValue>, key: &str, message: String) {
    values.entry(key.to_owned()).or_insert_with(|| ConfigValue::new(key)).errors.push(message);
}

fn add_nulls(values: &mut BTreeMap<String, ConfigValue>, config: &NullableConfig) {
    for key in config.iter().filter(|(_, value)| value.is_none()).map(|(key, _)| key) {
        add_error(values, key, "Null value can not be supplied as the configuration value.".to_owned());
    }
}

/// The connector's own keys over the others, then what it says itself.
async fn connector(
    rules: &Rules<'_>,
    plugin: &Plugin,
    config: &NullableConfig,
    given: &ConfigMap,
    keys: &ConfigDef,
    mut values: BTreeMap<String, ConfigValue>,
) -> Result<Part, ValidationError> {
    let failed = |trace: String| ValidationError::Plugin(trace);
    let Some(mut connector) = AnyConnector::make(plugin).map_err(failed)? else {
        let message = format!("{} is not a connector", plugin.class());
        return Err(ValidationError::NoConnector(message));
    };
    let own = caught(|| connector.as_connector().config_def()).map_err(failed)?;
    let own_values = own.validate_nullable(config);
    let is_valid = own_values.values().all(|value| value.errors.is_empty());
    values.extend(own_values);
    if is_valid {
        let connector = connector.as_connector();
        let checking = rules.guard.call(async move { Ok(connector.validate(given).await) });
        let checked = tokio::time::timeout(OWN_VALIDATION, checking).await;
        let checked =
            checked.map_err(|_| failed("the connector's validation took more than a minute".to_owned()))?;
        for (key, message) in checked.map_err(failed)? {
            add_error(&mut values, &key, message);
        }
    }
    Ok(Part::of_connector(keys, &own, values, !rules.as_connect))
}

/// The keys of the converters that the connector sets itself, where nothing is wrong with their class: header, key and
/// value.
fn converters(
    rules: &Rules<'_>,
    given: &ConfigMap,
    values: &mut BTreeMap<String, ConfigValue>,
) -> Result<Part, ValidationError> {
    let mut all = Part::default();
    let [key, value, header] = CONVERTERS;
    for (name, kind, _) in [header, key, value] {
        let is_fine = |key: &str| values.get(key).is_some_and(|value| value.errors.is_empty());
        let version = format!("{name}.plugin.version");
        let Some(class) = given.get(name).filter(|_| is_fine(name) && is_fine(&version)) else { continue };
        let Ok(plugin) = rules.plugins.of_kind(kind, class.trim()) else { continue };
        let asked = given.get(&version).map(String::as_str);
        if let Err(error) = definition::check_version(rules.plugins, plugin, asked) {
            add_error(values, name, error.to_string());
            add_error(values, &version, error.to_string());
            continue;
        }
        let def = caught(|| match plugin.factory() {
            Factory::Converter(make) => make().config_def(),
            Factory::HeaderConverter(make) => make().config_def(),
            _ => ConfigDef::new(),
        });
        let def = def.map_err(ValidationError::Plugin)?;
        let prefix = format!("{name}.");
        let mut own = with_prefix(given, &prefix);
        let usage = name.strip_suffix(".converter").unwrap_or(name);
        own.entry("converter.type".to_owned()).or_insert_with(|| usage.to_owned());
        let checked = def.validate(&own);
        let in_order = def.keys().iter().filter_map(|key| checked.get(key.name()));
        all = all.merge(Part::of_component(&def, in_order, &prefix, !rules.as_connect));
    }
    Ok(all)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
mod tests;
