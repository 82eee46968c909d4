//! The keys of a connector with those of its transforms and predicates (`ConnectorConfig.enrich`).

use super::with_plugins::{Classes, VersionsOf, no_such_version};
use crate::config::version_range::VersionRange;
use crossdock_api::config::{Check, ConfigKey, ConfigType, Importance, Setting, Validator, Width};
use crossdock_api::registry::{Factory, Plugin, PluginKind};
use crossdock_api::{ConfigDef, ConfigError, ConfigMap, Plugins};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What transforms and predicates differ in.
struct Family {
    /// The key that lists them, and the prefix of theirs.
    list: &'static str,
    kind: PluginKind,
    interface: &'static str,
    title: &'static str,
}

const FAMILIES: [Family; 2] = [
    Family {
        list: "transforms",
        kind: PluginKind::Transform,
        interface: "Transformation",
        title: "Transforms",
    },
    Family { list: "predicates", kind: PluginKind::Predicate, interface: "Predicate", title: "Predicates" },
];

/// Adds the keys of the transforms and predicates that `config` names to those of its connector. Those of a class
/// that is missing or wrong are left out, unless it has to be `complete`.
///
/// # Errors
/// If it has to be complete, and a class is missing or wrong, or a transform negates no predicate.
pub fn enrich(
    plugins: &Plugins,
    base: ConfigDef,
    config: &ConfigMap,
    complete: bool,
) -> Result<ConfigDef, ConfigError> {
    let all = plugins.clone();
    let mut enriched = base.with_classes(move |name| class_of(&all, name));
    for family in &FAMILIES {
        let Some(listed) = config.get(family.list) else { continue };
        let Setting::List(listed) = ConfigType::List.parse(family.list, listed)? else { continue };
        let mut seen = BTreeSet::new();
        for alias in listed.iter().filter(|alias| seen.insert(alias.as_str())) {
            let one = Named { family, plugins, config, prefix: format!("{}.{alias}.", family.list), alias };
            enriched = one.add_to(enriched, complete)?;
        }
    }
    Ok(enriched)
}

/// One transform or predicate of a configuration.
struct Named<'c> {
    family: &'static Family,
    plugins: &'c Plugins,
    config: &'c ConfigMap,
    /// Prefix of its keys.
    prefix: String,
    alias: &'c str,
}

impl<'c> Named<'c> {
    fn add_to(&self, def: ConfigDef, complete: bool) -> Result<ConfigDef, ConfigError> {
        let group = format!("{}: {}", self.family.title, self.alias);
        let def = def.define(self.type_key(&group)).define(self.version_key(&group));
        let found = self.found().and_then(|plugin| self.check_version(plugin).map(|()| plugin));
        match found {
            Ok(plugin) => Ok(def.embed(&self.prefix, &group, 2, self.own_keys(plugin))),
            Err(error) if complete => Err(error),
            Err(_) => Ok(def),
        }
    }

    fn found(&self) -> Result<&'c Plugin, ConfigError> {
        let key = self.type_name();
        match self.config.get(&key) {
            Some(class) => resolve(self.plugins, self.family.kind, self.family.interface, &key, class),
            None => {
                let reason = format!("Not a {}", self.family.interface);
                Err(ConfigError::invalid(&key, "null", reason))
            }
        }
    }

    fn type_name(&self) -> String {
        format!("{}type", self.prefix)
    }

    fn version_name(&self) -> String {
        format!("{}plugin.version", self.prefix)
    }

    fn check_version(&self, plugin: &Plugin) -> Result<(), ConfigError> {
        let asked = self.config.get(&self.version_name()).map(String::as_str);
        check_version(self.plugins, plugin, asked)
    }

    fn type_key(&self, group: &str) -> ConfigKey {
        let (plugins, family) = (self.plugins.clone(), self.family);
        let (prefix, config) = (self.prefix.clone(), self.config.clone());
        let check = Check::new(move |key, value| {
            if family.kind == PluginKind::Transform {
                check_negation(&config, &prefix)?;
            }
            let Setting::String(class) = value else { return Ok(()) };
            let plugin = resolve(&plugins, family.kind, family.interface, key, class)?;
            let asked = config.get(&format!("{prefix}plugin.version")).map(String::as_str);
            check_version(&plugins, plugin, asked)
        });
        let shown = format!("{} type for {}", self.family.interface, self.alias);
        ConfigKey::class(&self.type_name())
            .validator(Validator::Dynamic(check))
            .recommender(Arc::new(Classes { plugins: self.plugins.clone(), kind: self.family.kind }))
            .importance(Importance::High)
            .shown(group, 0, Width::Long, &shown)
            .doc("Class of the plugin.")
    }

    fn version_key(&self, group: &str) -> ConfigKey {
        let (plugins, family, class_key) = (self.plugins.clone(), self.family, self.type_name());
        let class = self.config.get(&class_key).cloned();
        let check = Check::new(move |_, value| {
            let (Setting::String(asked), Some(class)) = (value, &class) else { return Ok(()) };
            match plugins.of_kind(family.kind, class.trim()) {
                Ok(plugin) => check_version(&plugins, plugin, Some(asked)),
                // The key of the class says that it is not there.
                Err(_) => Ok(()),
            }
        });
        let key = ConfigKey::string(&self.version_name());
        let key = match self.found() {
            Ok(plugin) => key.default(plugin.version()),
            Err(_) => key.default_null(),
        };
        let versions = VersionsOf {
            plugins: self.plugins.clone(),
            kind: self.family.kind,
            class: self.type_name(),
            hides: false,
        };
        let shown = format!("{} version for {}", self.family.interface, self.alias);
        key.validator(Validator::Dynamic(check))
            .recommender(Arc::new(versions))
            .importance(Importance::High)
            .shown(group, 1, Width::Long, &shown)
            .doc("Version of the plugin; the only one there is if it is not set.")
    }

    fn own_keys(&self, plugin: &Plugin) -> ConfigDef {
        let own = keys_of(plugin);
        if self.family.kind != PluginKind::Transform {
            return own;
        }
        // A transform's own keys of these names are hidden by those of every transform.
        own.define(predicate_key()).define(negate_key())
    }
}

/// Refuses a version that a plugin is not of.
pub(crate) fn check_version(
    plugins: &Plugins,
    plugin: &Plugin,
    asked: Option<&str>,
) -> Result<(), ConfigError> {
    match VersionRange::requirement(asked)? {
        Some(range) if !range.contains(plugin.version()) => {
            let message = no_such_version(plugins, plugin.class(), &range.to_string());
            Err(ConfigError::PluginVersion(message))
        }
        _ => Ok(()),
    }
}

/// The plugin of a class; Connect's texts say why there is none.
pub(super) fn resolve<'p>(
    plugins: &'p Plugins,
    kind: PluginKind,
    interface: &str,
    key: &str,
    class: &str,
) -> Result<&'p Plugin, ConfigError> {
    let name = class.trim();
    if let Some(plugin) = plugins.iter().find(|p| p.kind() == kind && p.class() == name) {
        return Ok(plugin);
    }
    if is_short(name)
        && let Ok(plugin) = plugins.of_kind(kind, name)
    {
        return Ok(plugin);
    }
    let nested: Vec<&str> = nested_in(plugins, name).collect();
    if !nested.is_empty() {
        return Err(ConfigError::Other(format!(
            "This class is abstract and cannot be created. Did you mean {}?",
            nested.join(", ")
        )));
    }
    if plugins.iter().any(|p| p.class() == name) {
        return Err(ConfigError::Other(format!(
            "Class class {name} does not implement the {interface} interface"
        )));
    }
    Err(ConfigError::invalid(key, class, format!("Class {class} could not be found.")))
}

/// The full name of the class that a name stands for, if it is there. Abstract classes of transforms are: they are
/// refused for what they are.
pub(crate) fn class_of(plugins: &Plugins, name: &str) -> Option<String> {
    let answers =
        |plugin: &Plugin| is_short(name) && [plugin.simple_name(), plugin.short_name()].contains(&name);
    let found =
        plugins.iter().find(|plugin| plugin.class() == name).or_else(|| plugins.iter().find(|p| answers(p)));
    match found {
        Some(plugin) => Some(plugin.class().to_owned()),
        None => nested_in(plugins, name).next().map(|_| name.to_owned()),
    }
}

/// Whether it can be the name of a class without its package; nested classes have none.
fn is_short(name: &str) -> bool {
    !name.is_empty() && !name.contains(['.', '$'])
}

fn nested_in<'p>(plugins: &'p Plugins, name: &str) -> impl Iterator<Item = &'p str> {
    let prefix = format!("{name}$");
    plugins.iter().map(Plugin::class).filter(move |class| class.starts_with(&prefix))
}

fn keys_of(plugin: &Plugin) -> ConfigDef {
    match plugin.factory() {
        Factory::Transform(make) => make().config_def(),
        Factory::Predicate(make) => make().config_def(),
        _ => ConfigDef::new(),
    }
}

fn predicate_key() -> ConfigKey {
    ConfigKey::string("predicate")
        .default_null()
        .importance(Importance::Medium)
        .doc("Name of the predicate that chooses the records to transform.")
}

fn negate_key() -> ConfigKey {
    ConfigKey::boolean("negate")
        .default("false")
        .importance(Importance::Medium)
        .doc("Whether the records are transformed for which the predicate does not hold.")
}

fn check_negation(config: &ConfigMap, prefix: &str) -> Result<(), ConfigError> {
    let given = |name: &str| config.contains_key(&format!("{prefix}{name}"));
    if given("negate") && !given("predicate") {
        return Err(ConfigError::Other(format!(
            "Config '{prefix}negate' was provided but there is no config '{prefix}predicate' defining a predicate to be \
             negated."
        )));
    }
    Ok(())
}
