//! Makes and configures the plugins of a [`Pipeline`](super::Pipeline).

use crate::config::connector::TransformConfig;
use crate::config::worker::COMPATIBILITY;
use crate::config::{ConnectorConfig, WorkerConfig};
use crossdock_api::registry::{Factory, Plugin, PluginKind};
use crossdock_api::{
    Column, ConfigDef, ConfigError, ConfigMap, Converter, HeaderConverter, Plugins, Predicate, Transform,
};

/// A plugin with the Java class that it goes by.
pub(super) struct Made<T: ?Sized> {
    pub(super) plugin: Box<T>,
    pub(super) class: String,
}

/// A transform with the predicate that guards it.
pub(super) struct Guarded {
    pub(super) alias: String,
    pub(super) transform: Made<dyn Transform>,
    pub(super) predicate: Option<Box<dyn Predicate>>,
    pub(super) negate: bool,
}

/// All plugins of a pipeline.
pub(super) struct Parts {
    pub(super) key: Made<dyn Converter>,
    pub(super) value: Made<dyn Converter>,
    pub(super) header: Made<dyn HeaderConverter>,
    pub(super) transforms: Vec<Guarded>,
    pub(super) warnings: Vec<String>,
}

/// Makes and configures all plugins of a task.
///
/// # Errors
/// A class that does not exist, or a wrong key of a plugin.
pub(super) fn make(
    plugins: &Plugins,
    worker: &WorkerConfig,
    connector: &ConnectorConfig,
) -> Result<Parts, ConfigError> {
    let mut warnings = Vec::new();
    let own = |key: &str| connector.converter(key);
    let key =
        Chosen::new("key.converter", own("key.converter").unwrap_or_else(|| worker.key_converter()), worker);
    let value = Chosen::new(
        "value.converter",
        own("value.converter").unwrap_or_else(|| worker.value_converter()),
        worker,
    );
    let header = Chosen::new(
        "header.converter",
        own("header.converter").unwrap_or_else(|| worker.header_converter()),
        worker,
    );
    let transforms = connector.transforms().iter();
    let transforms =
        transforms.map(|t| stage(plugins, worker, t, &mut warnings)).collect::<Result<_, _>>()?;
    Ok(Parts {
        key: key.converter(plugins, Column::Key, &mut warnings)?,
        value: value.converter(plugins, Column::Value, &mut warnings)?,
        header: header.header_converter(plugins, &mut warnings)?,
        transforms,
        warnings,
    })
}

/// Checks that the worker's converters exist and take their keys, so that it does not start in vain.
pub(crate) fn check_worker(plugins: &Plugins, worker: &WorkerConfig) -> Result<(), ConfigError> {
    let mut warnings = Vec::new();
    let key = Chosen::new("key.converter", worker.key_converter(), worker);
    key.converter(plugins, Column::Key, &mut warnings)?;
    let value = Chosen::new("value.converter", worker.value_converter(), worker);
    value.converter(plugins, Column::Value, &mut warnings)?;
    let header = Chosen::new("header.converter", worker.header_converter(), worker);
    header.header_converter(plugins, &mut warnings)?;
    Ok(())
}

/// A converter that was chosen by a key of the connector or the worker.
struct Chosen<'a> {
    key: &'static str,
    class: &'a str,
    config: ConfigMap,
}

impl<'a> Chosen<'a> {
    fn new(key: &'static str, (class, mut config): (&'a str, ConfigMap), worker: &WorkerConfig) -> Self {
        worker.add_compatibility(&mut config);
        Self { key, class, config }
    }

    fn converter(
        &self,
        plugins: &Plugins,
        column: Column,
        warnings: &mut Vec<String>,
    ) -> Result<Made<dyn Converter>, ConfigError> {
        let plugin = plugins.of_kind(PluginKind::Converter, self.class).map_err(|e| self.wrong(&e))?;
        let Factory::Converter(make) = plugin.factory() else {
            return Err(self.wrong(&"it is no converter"));
        };
        let mut converter = make();
        self.check_keys(&converter.config_def(), warnings);
        converter.configure(&self.config, column).map_err(|e| under_key(self.key, e))?;
        Ok(Made { plugin: converter, class: plugin.class().to_owned() })
    }

    fn header_converter(
        &self,
        plugins: &Plugins,
        warnings: &mut Vec<String>,
    ) -> Result<Made<dyn HeaderConverter>, ConfigError> {
        let plugin = plugins.of_kind(PluginKind::HeaderConverter, self.class).map_err(|e| self.wrong(&e))?;
        let Factory::HeaderConverter(make) = plugin.factory() else {
            return Err(self.wrong(&"it is no header converter"));
        };
        let mut converter = make();
        self.check_keys(&converter.config_def(), warnings);
        converter.configure(&self.config).map_err(|e| under_key(self.key, e))?;
        Ok(Made { plugin: converter, class: plugin.class().to_owned() })
    }

    fn check_keys(&self, def: &ConfigDef, warnings: &mut Vec<String>) {
        warn_of_unknown(self.key, self.class, def, &self.config, warnings);
    }

    fn wrong(&self, reason: &dyn std::fmt::Display) -> ConfigError {
        ConfigError::invalid(self.key, self.class, reason.to_string())
    }
}

fn stage(
    plugins: &Plugins,
    worker: &WorkerConfig,
    config: &TransformConfig,
    warnings: &mut Vec<String>,
) -> Result<Guarded, ConfigError> {
    let named = Named::new(format!("transforms.{}", config.alias), &config.class, &config.config, worker);
    let plugin = named.plugin(plugins, PluginKind::Transform)?;
    let Factory::Transform(make) = plugin.factory() else {
        return Err(not_that_kind(&config.class, "transform"));
    };
    let transform_class = plugin.class().to_owned();
    let mut transform = make();
    named.check_keys(&transform.config_def(), warnings);
    transform.configure(&named.config).map_err(|e| under_key(&named.prefix, e))?;
    let predicate = match &config.predicate {
        None => None,
        Some((name, class, own)) => {
            let named = Named::new(format!("predicates.{name}"), class, own, worker);
            let plugin = named.plugin(plugins, PluginKind::Predicate)?;
            let Factory::Predicate(make) = plugin.factory() else {
                return Err(not_that_kind(class, "predicate"));
            };
            let mut predicate = make();
            named.check_keys(&predicate.config_def(), warnings);
            predicate.configure(&named.config).map_err(|e| under_key(&named.prefix, e))?;
            Some(predicate)
        }
    };
    let transform = Made { plugin: transform, class: transform_class };
    Ok(Guarded { alias: config.alias.clone(), transform, predicate, negate: config.negate })
}

/// A transform or predicate that a connector names, with its own keys.
struct Named<'a> {
    /// What its keys begin with, without the last point.
    prefix: String,
    class: &'a str,
    config: ConfigMap,
}

impl<'a> Named<'a> {
    fn new(prefix: String, class: &'a str, own: &ConfigMap, worker: &WorkerConfig) -> Self {
        let mut config = own.clone();
        worker.add_compatibility(&mut config);
        Self { prefix, class, config }
    }

    fn plugin<'p>(&self, plugins: &'p Plugins, kind: PluginKind) -> Result<&'p Plugin, ConfigError> {
        let key = || format!("{}.type", self.prefix);
        plugins.of_kind(kind, self.class).map_err(|e| ConfigError::invalid(&key(), self.class, e.to_string()))
    }

    fn check_keys(&self, def: &ConfigDef, warnings: &mut Vec<String>) {
        warn_of_unknown(&self.prefix, self.class, def, &self.config, warnings);
    }
}

/// Warns of keys that a plugin does not know, with the nearest known one.
fn warn_of_unknown(
    prefix: &str,
    class: &str,
    def: &ConfigDef,
    config: &ConfigMap,
    warnings: &mut Vec<String>,
) {
    for (key, nearest) in def.unknown(config) {
        if key == COMPATIBILITY {
            continue;
        }
        let hint = nearest.map(|n| format!("; did you mean {prefix}.{n}?")).unwrap_or_default();
        warnings.push(format!("the key {prefix}.{key} is not known to {class} and ignored{hint}"));
    }
}

/// An error about a key of a plugin, with the prefix that it was given under.
fn under_key(prefix: &str, error: ConfigError) -> ConfigError {
    match error {
        ConfigError::Invalid { key, value, reason } => {
            ConfigError::Invalid { key: format!("{prefix}.{key}"), value, reason }
        }
        ConfigError::Missing { key } => ConfigError::Missing { key: format!("{prefix}.{key}") },
        other => ConfigError::Other(format!("{prefix}: {other}")),
    }
}

fn not_that_kind(class: &str, kind: &str) -> ConfigError {
    ConfigError::Other(format!("{class} is registered as a {kind} but its factory makes something else"))
}
