//! The keys of a connector with those of its transforms and predicates (`ConnectorConfig.enrich`).

use crossdock_api::config::{Check, ConfigKey, Importance, Recommender, Setting, Validator, Width};
use crossdock_api::registry::{Factory, Plugin, PluginKind};
use crossdock_api::{ConfigDef, ConfigError, ConfigMap, ParsedConfig, Plugins};
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
    let mut enriched = base.with_classes(move |name| is_class(&all, name));
    for family in &FAMILIES {
        let listed =
            ConfigKey::list(family.list).parse(Some(config.get(family.list).map_or("", String::as_str)))?;
        let Setting::List(listed) = listed else { continue };
        let mut seen = BTreeSet::new();
        for alias in listed.iter().filter(|alias| seen.insert(alias.as_str())) {
            enriched = family.add(plugins, enriched, config, alias, complete)?;
        }
    }
    Ok(enriched)
}

impl Family {
    fn add(
        &self,
        plugins: &Plugins,
        mut def: ConfigDef,
        config: &ConfigMap,
        alias: &str,
        complete: bool,
    ) -> Result<ConfigDef, ConfigError> {
        let prefix = format!("{}.{alias}.", self.list);
        let type_key = format!("{prefix}type");
        let found = match config.get(&type_key) {
            Some(class) => self.resolve(plugins, &type_key, class).map(Some),
            None if complete => {
                Err(ConfigError::invalid(&type_key, "null", format!("Not a {}", self.interface)))
            }
            None => Ok(None),
        };
        def = def.define(self.type_key(plugins, &type_key, alias));
        let plugin = match found {
            Ok(plugin) => plugin,
            Err(error) if complete => return Err(error),
            Err(_) => None,
        };
        let version = ConfigKey::string(&format!("{prefix}plugin.version"))
            .importance(Importance::Medium)
            .doc("Version of the plugin; the only one there is if it is not set.");
        let Some(plugin) = plugin else { return Ok(def.define(version.default_null())) };
        def = def.define(
            version.default(plugin.version()).recommender(Arc::new(OneVersion(plugin.version().to_owned()))),
        );
        for key in keys_of(plugin).keys() {
            def = def.define(key.clone().under(&prefix));
        }
        if self.kind == PluginKind::Transform {
            def = def.define(predicate_key().under(&prefix)).define(negate_key().under(&prefix));
            check_negation(config, &prefix, complete)?;
        }
        Ok(def)
    }

    fn type_key(&self, plugins: &Plugins, name: &str, alias: &str) -> ConfigKey {
        let (all, interface, kind) = (plugins.clone(), self.interface, self.kind);
        let check = Check::new(move |key, value| match value {
            Setting::String(class) => resolve(&all, kind, interface, key, class).map(drop),
            _ => Ok(()),
        });
        let (group, shown) = (format!("{}: {alias}", self.title), format!("{interface} type for {alias}"));
        ConfigKey::class(name)
            .validator(Validator::Dynamic(check))
            .importance(Importance::High)
            .shown(&group, 0, Width::Long, &shown)
            .doc("Class of the plugin.")
    }

    fn resolve<'p>(&self, plugins: &'p Plugins, key: &str, class: &str) -> Result<&'p Plugin, ConfigError> {
        resolve(plugins, self.kind, self.interface, key, class)
    }
}

/// The plugin of a class; Connect's texts say why there is none.
fn resolve<'p>(
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

fn is_class(plugins: &Plugins, name: &str) -> bool {
    let answers =
        |plugin: &Plugin| is_short(name) && [plugin.simple_name(), plugin.short_name()].contains(&name);
    plugins.iter().any(|plugin| plugin.class() == name || answers(plugin))
        || nested_in(plugins, name).next().is_some()
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

fn check_negation(config: &ConfigMap, prefix: &str, complete: bool) -> Result<(), ConfigError> {
    let given = |name: &str| config.contains_key(&format!("{prefix}{name}"));
    if complete && given("negate") && !given("predicate") {
        return Err(ConfigError::Other(format!(
            "Config '{prefix}negate' was provided but there is no config '{prefix}predicate' defining a predicate to be \
             negated."
        )));
    }
    Ok(())
}

#[derive(Debug)]
struct OneVersion(String);

impl Recommender for OneVersion {
    fn valid_values(&self, _key: &str, _parsed: &ParsedConfig) -> Result<Vec<String>, ConfigError> {
        Ok(vec![self.0.clone()])
    }

    fn is_visible(&self, _key: &str, _parsed: &ParsedConfig) -> bool {
        true
    }
}
