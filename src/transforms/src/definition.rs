//! What a transform of this crate implements, and how it becomes a [`Transform`].

use crossdock_api::Strictness;
use crossdock_api::{
    Column, ConfigDef, ConfigError, ConfigMap, ConnectError, Outcome, ParsedConfig, RecordMut, Transform,
};

/// A transform: its name, its keys, and what it does to the key or the value of a record.
pub(crate) trait Transformation: Sized + Send + 'static {
    /// The Java package of its class.
    const PACKAGE: &'static str = "org.apache.kafka.connect.transforms";
    /// The name of its class, without `$Key` or `$Value`.
    const NAME: &'static str;
    /// What it does, for the reference page.
    const OVERVIEW: &'static str;

    /// The keys that it takes.
    fn keys() -> ConfigDef;

    /// Makes it from a configuration that [`Transformation::keys`] parsed.
    ///
    /// # Errors
    /// Keys that do not go together.
    fn new(config: &ParsedConfig, strictness: Strictness) -> Result<Self, ConfigError>;

    /// Changes the key or the value of a record. `column` is without meaning for a transform of whole records.
    ///
    /// # Errors
    /// The record is then as it was.
    fn apply(&mut self, record: RecordMut<'_>, column: Column) -> Result<Outcome, ConnectError>;
}

/// A [`Transformation`] of keys or of values, configured or not yet.
pub(crate) struct Configured<T> {
    column: Column,
    transformation: Option<T>,
}

impl<T> Configured<T> {
    pub(crate) fn new(column: Column) -> Self {
        Self { column, transformation: None }
    }
}

impl<T: Transformation> Transform for Configured<T> {
    fn config_def(&self) -> ConfigDef {
        T::keys()
    }

    fn configure(&mut self, config: &ConfigMap) -> Result<(), ConfigError> {
        let strictness = Strictness::of_map(config)?;
        self.transformation = Some(T::new(&T::keys().parse(config)?, strictness)?);
        Ok(())
    }

    fn apply_record(&mut self, record: RecordMut<'_>) -> Result<Outcome, ConnectError> {
        match &mut self.transformation {
            Some(transformation) => transformation.apply(record, self.column),
            None => Err(ConnectError::fatal(format!("{} is used before it is configured", T::NAME))),
        }
    }
}
