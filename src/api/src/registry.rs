//! Which plugins there are: Java class names and short names, mapped to factories.
//!
//! A class is found by its full name (`org.apache.kafka.connect.file.FileStreamSourceConnector`), its
//! simple name (`FileStreamSourceConnector`) or that without the suffix of its kind
//! (`FileStreamSource`), as `PluginUtils.pluginAliases` has it.

use crate::sink::SinkConnector;
use crate::source::SourceConnector;
use crate::{Converter, HeaderConverter, Predicate, Transform};
use std::fmt;
use std::sync::Arc;

/// How a plugin is made. Factories are cheap and do no I/O.
#[derive(Clone)]
pub enum Factory {
    /// A converter of keys and values.
    Converter(Arc<dyn Fn() -> Box<dyn Converter> + Send + Sync>),
    /// A converter of headers.
    HeaderConverter(Arc<dyn Fn() -> Box<dyn HeaderConverter> + Send + Sync>),
    /// A predicate.
    Predicate(Arc<dyn Fn() -> Box<dyn Predicate> + Send + Sync>),
    /// A sink connector.
    Sink(Arc<dyn Fn() -> Box<dyn SinkConnector> + Send + Sync>),
    /// A source connector.
    Source(Arc<dyn Fn() -> Box<dyn SourceConnector> + Send + Sync>),
    /// A transform.
    Transform(Arc<dyn Fn() -> Box<dyn Transform> + Send + Sync>),
}

/// The kind of a plugin, as the REST API names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PluginKind {
    /// `converter`
    Converter,
    /// `header_converter`
    HeaderConverter,
    /// `predicate`
    Predicate,
    /// `sink`
    Sink,
    /// `source`
    Source,
    /// `transformation`
    Transform,
}

impl PluginKind {
    /// The name in the REST API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Converter => "converter",
            Self::HeaderConverter => "header_converter",
            Self::Predicate => "predicate",
            Self::Sink => "sink",
            Self::Source => "source",
            Self::Transform => "transformation",
        }
    }

    fn suffix(self) -> &'static str {
        match self {
            Self::Converter => "Converter",
            Self::HeaderConverter => "HeaderConverter",
            Self::Predicate => "Predicate",
            Self::Sink | Self::Source => "Connector",
            Self::Transform => "Transformation",
        }
    }
}

/// A plugin: its class name, version and factory.
#[derive(Clone)]
pub struct Plugin {
    class: Arc<str>,
    version: Arc<str>,
    factory: Factory,
}

impl Plugin {
    /// A plugin under its full class name.
    pub fn new(class: &str, version: &str, factory: Factory) -> Self {
        Self { class: class.into(), version: version.into(), factory }
    }

    /// A source connector.
    pub fn source<F>(class: &str, version: &str, make: F) -> Self
    where
        F: Fn() -> Box<dyn SourceConnector> + Send + Sync + 'static,
    {
        Self::new(class, version, Factory::Source(Arc::new(make)))
    }

    /// A sink connector.
    pub fn sink<F>(class: &str, version: &str, make: F) -> Self
    where
        F: Fn() -> Box<dyn SinkConnector> + Send + Sync + 'static,
    {
        Self::new(class, version, Factory::Sink(Arc::new(make)))
    }

    /// A converter of keys and values.
    pub fn converter<F>(class: &str, version: &str, make: F) -> Self
    where
        F: Fn() -> Box<dyn Converter> + Send + Sync + 'static,
    {
        Self::new(class, version, Factory::Converter(Arc::new(make)))
    }

    /// A converter of headers.
    pub fn header_converter<F>(class: &str, version: &str, make: F) -> Self
    where
        F: Fn() -> Box<dyn HeaderConverter> + Send + Sync + 'static,
    {
        Self::new(class, version, Factory::HeaderConverter(Arc::new(make)))
    }

    /// The full class name.
    pub fn class(&self) -> &str {
        &self.class
    }

    /// The version.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// How it is made.
    pub fn factory(&self) -> &Factory {
        &self.factory
    }

    /// Its kind.
    pub fn kind(&self) -> PluginKind {
        match self.factory {
            Factory::Converter(_) => PluginKind::Converter,
            Factory::HeaderConverter(_) => PluginKind::HeaderConverter,
            Factory::Predicate(_) => PluginKind::Predicate,
            Factory::Sink(_) => PluginKind::Sink,
            Factory::Source(_) => PluginKind::Source,
            Factory::Transform(_) => PluginKind::Transform,
        }
    }

    /// The class name without its package.
    pub fn simple_name(&self) -> &str {
        self.class.rsplit('.').next().unwrap_or(&self.class)
    }

    /// The simple name without the suffix of its kind.
    pub fn short_name(&self) -> &str {
        let simple = self.simple_name();
        match simple.strip_suffix(self.kind().suffix()) {
            Some("") | None => simple,
            Some(short) => short,
        }
    }

    fn answers_to(&self, name: &str) -> bool {
        name == &*self.class || name == self.simple_name() || name == self.short_name()
    }
}

impl fmt::Debug for Plugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Plugin({} {} {})", self.kind().name(), self.class, self.version)
    }
}

/// No plugin has that name. Says which there are and which is nearest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Failed to find any class that implements {what} and which name matches {name}, available {}s are: {}{}",
    what.to_lowercase(), available.join(", "),
    nearest.as_ref().map(|n| format!("; did you mean {n}?")).unwrap_or_default())]
pub struct UnknownPlugin {
    what: &'static str,
    name: String,
    nearest: Option<String>,
    available: Vec<String>,
}

/// All plugins of a worker.
#[derive(Debug, Clone, Default)]
pub struct Plugins {
    plugins: Vec<Plugin>,
}

impl Plugins {
    /// No plugins.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a plugin; one of the same class and kind that is there already is replaced.
    pub fn register(&mut self, plugin: Plugin) {
        self.plugins.retain(|p| p.class != plugin.class || p.kind() != plugin.kind());
        self.plugins.push(plugin);
    }

    /// All plugins in the order of registration.
    pub fn iter(&self) -> impl Iterator<Item = &Plugin> {
        self.plugins.iter()
    }

    /// The connector of that name.
    pub fn connector(&self, name: &str) -> Result<&Plugin, UnknownPlugin> {
        self.find("Connector", name, |kind| matches!(kind, PluginKind::Source | PluginKind::Sink))
    }

    /// The plugin of one kind and that name.
    pub fn of_kind(&self, kind: PluginKind, name: &str) -> Result<&Plugin, UnknownPlugin> {
        self.find(kind.suffix(), name, |k| k == kind)
    }

    fn find(
        &self,
        what: &'static str,
        name: &str,
        accepts: impl Fn(PluginKind) -> bool,
    ) -> Result<&Plugin, UnknownPlugin> {
        let candidates: Vec<&Plugin> = self.plugins.iter().filter(|p| accepts(p.kind())).collect();
        // A short form stands for a class, whatever kind of plugin it comes from: String is StringConverter for headers
        // too.
        let class = self.plugins.iter().find(|p| p.answers_to(name)).map(Plugin::class);
        let by_class = || candidates.iter().find(|p| Some(p.class()) == class);
        if let Some(found) = candidates.iter().find(|p| p.answers_to(name)).or_else(by_class) {
            return Ok(found);
        }
        Err(UnknownPlugin {
            what,
            name: name.to_owned(),
            nearest: nearest_name(name, &candidates),
            available: candidates.iter().map(|p| p.class.to_string()).collect(),
        })
    }
}

/// The class whose full, simple or short name is most like `name`, if one is like it at all.
fn nearest_name(name: &str, candidates: &[&Plugin]) -> Option<String> {
    let likeness = |plugin: &Plugin| {
        let names = [plugin.class(), plugin.simple_name(), plugin.short_name()];
        let simple = name.rsplit('.').next().unwrap_or(name).to_lowercase();
        let pairs = names
            .iter()
            .flat_map(|n| [(n.to_lowercase(), name.to_lowercase()), (n.to_lowercase(), simple.clone())]);
        pairs.map(|(a, b)| strsim::normalized_damerau_levenshtein(&a, &b)).fold(0.0, f64::max)
    };
    candidates
        .iter()
        .map(|plugin| (likeness(plugin), plugin.class()))
        .filter(|(likeness, _)| *likeness >= 0.6)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, class)| class.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::{Parsed, RawSlice, RecordRef, Serialized};
    use crate::{ConnectError, Schema, ValueRef};

    struct Nothing;

    impl Converter for Nothing {
        fn serialize(
            &self,
            _: RecordRef<'_>,
            _: Option<&Arc<Schema>>,
            _: ValueRef<'_>,
            _: &mut Vec<u8>,
        ) -> Result<Serialized, ConnectError> {
            Ok(Serialized::Null)
        }
        fn parse(
            &self,
            _: RecordRef<'_>,
            _: Option<RawSlice<'_>>,
        ) -> Result<(Option<Arc<Schema>>, Parsed), ConnectError> {
            Ok((None, Parsed::Null))
        }
    }

    fn plugins() -> Plugins {
        let mut plugins = Plugins::new();
        for class in ["org.example.json.JsonConverter", "org.example.storage.StringConverter"] {
            plugins.register(Plugin::converter(class, "1", || Box::new(Nothing)));
        }
        plugins
    }

    #[test]
    fn all_three_names_work() {
        let plugins = plugins();
        for name in ["org.example.json.JsonConverter", "JsonConverter", "Json"] {
            assert_eq!(plugins.of_kind(PluginKind::Converter, name).unwrap().short_name(), "Json");
        }
    }

    #[test]
    fn an_unknown_name_lists_what_there_is_and_the_nearest() {
        let plugins = plugins();
        let error =
            plugins.of_kind(PluginKind::Converter, "org.example.json.JsonConvertor").unwrap_err().to_string();
        assert!(error.contains("did you mean org.example.json.JsonConverter?"), "{error}");
        assert!(error.contains("org.example.storage.StringConverter"), "{error}");
        let far = plugins.of_kind(PluginKind::Converter, "qqq").unwrap_err().to_string();
        assert!(!far.contains("did you mean"), "{far}");
        assert!(plugins.connector("Json").is_err());
    }
}
