//! The keys of a connector on a certain worker: with the defaults that the worker gives, and with the plugins that there
//! are (`ConnectorConfig.enrichedConfigDef`, KIP-891).

use super::enriched::{class_of, resolve};
use super::{any_connector, sink_connector, source_connector};
use crate::config::WorkerConfig;
use crossdock_api::config::{Check, Recommender, Setting, Validator};
use crossdock_api::registry::{Plugin, PluginKind};
use crossdock_api::{ConfigDef, ConfigError, ConfigMap, ParsedConfig, Plugins};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The converters of a connector: the key of the class, and what it has to be.
pub(crate) const CONVERTERS: [(&str, PluginKind, &str); 3] = [
    ("key.converter", PluginKind::Converter, "Converter"),
    ("value.converter", PluginKind::Converter, "Converter"),
    ("header.converter", PluginKind::HeaderConverter, "HeaderConverter"),
];

/// The keys of a connector of that kind, for `config` on this worker.
pub fn of_worker(
    plugins: &Plugins,
    worker: &WorkerConfig,
    kind: PluginKind,
    config: &ConfigMap,
) -> ConfigDef {
    let base = match kind {
        PluginKind::Source => source_connector(),
        PluginKind::Sink => sink_connector(),
        _ => any_connector(),
    };
    let base = with_version(plugins, base, config);
    CONVERTERS.iter().fold(base, |def, (key, kind, interface)| {
        let of_worker = match *key {
            "key.converter" => worker.key_converter().0,
            "value.converter" => worker.value_converter().0,
            _ => worker.header_converter().0,
        };
        with_converter(plugins, def, (key, *kind, interface), of_worker, config)
    })
}

/// The keys of every connector of the kind of `plugin`, as they are without a configuration: only the version is known.
pub fn of_class(plugins: &Plugins, plugin: &Plugin) -> ConfigDef {
    let base = match plugin.kind() {
        PluginKind::Source => source_connector(),
        _ => sink_connector(),
    };
    with_version(plugins, base, &[("connector.class".to_owned(), plugin.class().to_owned())].into())
}

/// The keys of a connector whose version is not there, of which only the version is known
/// (`AbstractHerder.invalidVersionedConnectorValidation`).
pub fn of_version(plugins: &Plugins, config: &ConfigMap) -> ConfigDef {
    let all = plugins.clone();
    with_version(plugins, any_connector(), config).with_classes(move |name| class_of(&all, name))
}

fn with_version(plugins: &Plugins, def: ConfigDef, config: &ConfigMap) -> ConfigDef {
    let found = config.get("connector.class").and_then(|class| plugins.connector(class).ok());
    let (Some(key), Some(plugin)) = (def.key("connector.plugin.version").cloned(), found) else { return def };
    def.define(key.default(plugin.version()).recommender(Arc::new(ConnectorVersions(plugins.clone()))))
}

fn with_converter(
    plugins: &Plugins,
    def: ConfigDef,
    (name, kind, interface): (&str, PluginKind, &'static str),
    of_worker: &str,
    config: &ConfigMap,
) -> ConfigDef {
    let version_name = format!("{name}.plugin.version");
    let (Some(class), Some(version)) = (def.key(name).cloned(), def.key(&version_name).cloned()) else {
        return def;
    };
    let default = class_of(plugins, of_worker).unwrap_or_else(|| of_worker.to_owned());
    let chosen = config.get(name).map_or(of_worker, String::as_str).trim();
    let version = match plugins.of_kind(kind, chosen) {
        Ok(plugin) => version.default(plugin.version()),
        Err(_) => version,
    };
    let class = class
        .default(&default)
        .validator(Validator::Dynamic(of_interface(plugins, kind, interface)))
        .recommender(Arc::new(Classes { plugins: plugins.clone(), kind }));
    let of_class = VersionsOf { plugins: plugins.clone(), kind, class: name.to_owned(), hides: true };
    def.define(class).define(version.recommender(Arc::new(of_class)))
}

/// Whether a class is of a kind.
fn of_interface(plugins: &Plugins, kind: PluginKind, interface: &'static str) -> Check {
    let plugins = plugins.clone();
    Check::new(move |key, value| match value {
        Setting::String(class) => resolve(&plugins, kind, interface, key, class).map(drop),
        _ => Ok(()),
    })
}

/// Recommends the versions of the connector.
#[derive(Debug)]
struct ConnectorVersions(Plugins);

impl Recommender for ConnectorVersions {
    fn valid_values(&self, _key: &str, parsed: &ParsedConfig) -> Result<Vec<String>, ConfigError> {
        let class = parsed.string_opt("connector.class")?;
        let plugin = class.and_then(|class| self.0.connector(class).ok());
        Ok(plugin.map(|plugin| plugin.version().to_owned()).into_iter().collect())
    }

    fn is_visible(&self, _key: &str, parsed: &ParsedConfig) -> bool {
        parsed.get("connector.class").is_ok_and(|class| *class != Setting::Null)
    }
}

/// Recommends all classes of a kind.
#[derive(Debug)]
pub(super) struct Classes {
    pub(super) plugins: Plugins,
    pub(super) kind: PluginKind,
}

impl Recommender for Classes {
    fn valid_values(&self, _key: &str, _parsed: &ParsedConfig) -> Result<Vec<String>, ConfigError> {
        let classes = self.plugins.iter().filter(|plugin| plugin.kind() == self.kind).map(Plugin::class);
        let classes: BTreeSet<&str> = classes.collect();
        Ok(classes.into_iter().map(str::to_owned).collect())
    }

    fn is_visible(&self, _key: &str, _parsed: &ParsedConfig) -> bool {
        true
    }
}

/// Recommends the versions of the plugin that another key names.
#[derive(Debug)]
pub(super) struct VersionsOf {
    pub(super) plugins: Plugins,
    pub(super) kind: PluginKind,
    /// The key of the class.
    pub(super) class: String,
    /// Whether it is hidden while there is no class.
    pub(super) hides: bool,
}

impl Recommender for VersionsOf {
    fn valid_values(&self, _key: &str, parsed: &ParsedConfig) -> Result<Vec<String>, ConfigError> {
        let class = parsed.string_opt(&self.class)?;
        let plugin = class.and_then(|class| self.plugins.of_kind(self.kind, class).ok());
        Ok(plugin.map(|plugin| plugin.version().to_owned()).into_iter().collect())
    }

    fn is_visible(&self, _key: &str, parsed: &ParsedConfig) -> bool {
        !self.hides || parsed.get(&self.class).is_ok_and(|class| *class != Setting::Null)
    }
}

/// All versions of a class that there are, one for each kind that it is.
pub(crate) fn versions(plugins: &Plugins, class: &str) -> Vec<String> {
    plugins
        .iter()
        .filter(|plugin| plugin.class() == class)
        .map(|plugin| plugin.version().to_owned())
        .collect()
}

/// What is said when a class is there, but not in the version that is asked for.
pub(crate) fn no_such_version(plugins: &Plugins, class: &str, range: &str) -> String {
    let versions = versions(plugins, class).join(", ");
    format!(
        "Plugin {class} not found that matches the version range {range}, available versions: [{versions}]"
    )
}
