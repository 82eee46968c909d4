//! The converters and transforms of a task.
//!
//! Sources go through transforms and then converters, sinks the other way round. A record that a stage
//! cannot handle is dropped when `errors.tolerance` is `all`; otherwise it ends the batch: the records
//! before it go on, and the task fails.

use crate::config::connector::{ErrorTolerance, TransformConfig};
use crate::config::worker::COMPATIBILITY;
use crate::config::{ConnectorConfig, WorkerConfig};
use crossdock_api::registry::{Factory, Plugin, PluginKind};
use crossdock_api::{
    Column, ConfigDef, ConfigError, ConfigMap, ConnectError, Converter, Failures, HeaderConverter, Plugins,
    Predicate, RecordBatch, Transform,
};

/// A transform with the predicate that guards it.
struct Stage {
    alias: String,
    transform: Box<dyn Transform>,
    predicate: Option<Box<dyn Predicate>>,
    negate: bool,
}

/// The first record that could not be handled: nothing from it on may be sent or put.
#[derive(Debug)]
pub(crate) struct BadRecord {
    /// Ordinal of the record in its batch.
    pub(crate) ordinal: u32,
    /// Offset of the record in Kafka; -1 for one of a source.
    pub(crate) offset: i64,
    /// Stage that failed, for messages.
    pub(crate) stage: String,
    /// Why.
    pub(crate) error: ConnectError,
}

/// What a batch went through.
#[derive(Debug, Default)]
pub(crate) struct Processed {
    /// Records that were skipped.
    pub(crate) skipped: u64,
    /// The record that ends the batch; it and all after it were dropped from it.
    pub(crate) bad: Option<BadRecord>,
}

/// Converters, transforms and error tolerance of one task.
pub(crate) struct Pipeline {
    key: Box<dyn Converter>,
    value: Box<dyn Converter>,
    header: Box<dyn HeaderConverter>,
    stages: Vec<Stage>,
    tolerance: ErrorTolerance,
    log_errors: bool,
    selected: Vec<bool>,
    warnings: Vec<String>,
}

impl Pipeline {
    /// Makes and configures all plugins of a task.
    ///
    /// # Errors
    /// A class that does not exist, or a wrong key of a plugin.
    pub(crate) fn build(
        plugins: &Plugins,
        worker: &WorkerConfig,
        connector: &ConnectorConfig,
    ) -> Result<Self, ConfigError> {
        let mut warnings = Vec::new();
        let own = |key: &str| connector.converter(key);
        let key = Chosen::new(
            "key.converter",
            own("key.converter").unwrap_or_else(|| worker.key_converter()),
            worker,
        );
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
        let stages = connector.transforms().iter();
        let stages = stages.map(|t| stage(plugins, worker, t, &mut warnings)).collect::<Result<_, _>>()?;
        Ok(Self {
            key: key.converter(plugins, Column::Key, &mut warnings)?,
            value: value.converter(plugins, Column::Value, &mut warnings)?,
            header: header.header_converter(plugins, &mut warnings)?,
            stages,
            tolerance: connector.tolerance(),
            log_errors: connector.log_errors(),
            selected: Vec::new(),
            warnings,
        })
    }

    /// Keys of converters, transforms and predicates that they do not know, for the log.
    pub(crate) fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Turns Connect data into bytes for Kafka: transforms, then converters.
    pub(crate) fn serialize(&mut self, batch: &mut RecordBatch) -> Processed {
        let mut processed = Processed::default();
        self.transform(batch, &mut processed);
        let mut failures = Failures::new();
        if batch.has_headers() {
            self.header.serialize_batch(batch, &mut failures);
            self.settle(batch, &mut failures, "header converter", &mut processed);
        }
        self.key.serialize_batch(batch, Column::Key, &mut failures);
        self.settle(batch, &mut failures, "key converter", &mut processed);
        self.value.serialize_batch(batch, Column::Value, &mut failures);
        self.settle(batch, &mut failures, "value converter", &mut processed);
        batch.compact();
        processed
    }

    /// Turns bytes of Kafka into Connect data: converters, then transforms.
    pub(crate) fn parse(&mut self, batch: &mut RecordBatch) -> Processed {
        let mut processed = Processed::default();
        let mut failures = Failures::new();
        self.key.parse_batch(batch, Column::Key, &mut failures);
        self.settle(batch, &mut failures, "key converter", &mut processed);
        self.value.parse_batch(batch, Column::Value, &mut failures);
        self.settle(batch, &mut failures, "value converter", &mut processed);
        if batch.has_headers() {
            self.header.parse_batch(batch, &mut failures);
            self.settle(batch, &mut failures, "header converter", &mut processed);
        }
        self.transform(batch, &mut processed);
        batch.compact();
        processed
    }

    /// The transforms without the converters.
    #[cfg(feature = "unstable-testing")]
    pub(crate) fn transform_only(&mut self, batch: &mut RecordBatch) -> Processed {
        let mut processed = Processed::default();
        self.transform(batch, &mut processed);
        batch.compact();
        processed
    }

    fn transform(&mut self, batch: &mut RecordBatch, processed: &mut Processed) {
        let mut failures = Failures::new();
        for index in 0..self.stages.len() {
            self.selected.clear();
            if let Some(predicate) = &self.stages[index].predicate {
                predicate.test_batch(batch, &mut self.selected, &mut failures);
                if self.stages[index].negate {
                    self.selected.iter_mut().for_each(|selected| *selected = !*selected);
                }
                if !failures.is_empty() {
                    let name = format!("predicate of transform {}", self.stages[index].alias);
                    self.settle(batch, &mut failures, &name, processed);
                }
            }
            let stage = &mut self.stages[index];
            stage.transform.apply(batch, &self.selected, &mut failures);
            if !failures.is_empty() {
                let name = format!("transform {}", self.stages[index].alias);
                self.settle(batch, &mut failures, &name, processed);
            }
        }
    }

    /// Decides about the records that a stage could not handle.
    fn settle(
        &self,
        batch: &mut RecordBatch,
        failures: &mut Failures,
        stage: &str,
        processed: &mut Processed,
    ) {
        if failures.is_empty() {
            return;
        }
        let mut failed = failures.take();
        failed.sort_by_key(|(index, _)| *index);
        if self.tolerance == ErrorTolerance::All {
            for (index, error) in failed {
                if self.log_errors
                    && let Some(record) = batch.get(index)
                {
                    let (topic, offset) = (record.topic(), record.offset());
                    tracing::error!(stage, topic, offset, %error, "skipped a record that could not be handled");
                }
                batch.drop_record(index);
                processed.skipped += 1;
            }
            return;
        }
        let Some((index, error)) = failed.into_iter().next() else { return };
        let (ordinal, offset) = batch.position(index);
        let bad = BadRecord { ordinal, offset, stage: stage.to_owned(), error };
        for later in index..batch.len() {
            batch.drop_record(later);
        }
        // A later stage only sees the records before, so what it finds is earlier.
        processed.bad = Some(bad);
    }
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
    ) -> Result<Box<dyn Converter>, ConfigError> {
        let plugin = plugins.of_kind(PluginKind::Converter, self.class).map_err(|e| self.wrong(&e))?;
        let Factory::Converter(make) = plugin.factory() else {
            return Err(self.wrong(&"it is no converter"));
        };
        let mut converter = make();
        self.check_keys(&converter.config_def(), warnings);
        converter.configure(&self.config, column).map_err(|e| under_key(self.key, e))?;
        Ok(converter)
    }

    fn header_converter(
        &self,
        plugins: &Plugins,
        warnings: &mut Vec<String>,
    ) -> Result<Box<dyn HeaderConverter>, ConfigError> {
        let plugin = plugins.of_kind(PluginKind::HeaderConverter, self.class).map_err(|e| self.wrong(&e))?;
        let Factory::HeaderConverter(make) = plugin.factory() else {
            return Err(self.wrong(&"it is no header converter"));
        };
        let mut converter = make();
        self.check_keys(&converter.config_def(), warnings);
        converter.configure(&self.config).map_err(|e| under_key(self.key, e))?;
        Ok(converter)
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
) -> Result<Stage, ConfigError> {
    let named = Named::new(format!("transforms.{}", config.alias), &config.class, &config.config, worker);
    let plugin = named.plugin(plugins, PluginKind::Transform)?;
    let Factory::Transform(make) = plugin.factory() else {
        return Err(not_that_kind(&config.class, "transform"));
    };
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
    Ok(Stage { alias: config.alias.clone(), transform, predicate, negate: config.negate })
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
