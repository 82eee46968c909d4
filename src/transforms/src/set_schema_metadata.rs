//! `SetSchemaMetadata`: another name or version for the schema.

use crate::definition::Transformation;
use crate::fields::{Defaults, REPLACE_NULL, replace_null_key};
use crate::require;
use crate::schema_cache::SchemaCache;
use crossdock_api::Strictness;
use crossdock_api::config::{ConfigKey, Importance, Setting};
use crossdock_api::{
    Column, ConfigDef, ConfigError, ConnectError, Outcome, ParsedConfig, RecordMut, Schema, SchemaType, Value,
};
use std::sync::Arc;

pub(crate) struct SetSchemaMetadata {
    name: Option<String>,
    version: Option<i32>,
    replace_null: bool,
    schemas: SchemaCache<(Arc<Schema>, Defaults)>,
}

impl Transformation for SetSchemaMetadata {
    const NAME: &'static str = "SetSchemaMetadata";
    const OVERVIEW: &'static str = "Sets name, version or both of the schema of a struct.";

    fn keys() -> ConfigDef {
        ConfigDef::new()
            .define(
                ConfigKey::string("schema.name")
                    .default_null()
                    .importance(Importance::High)
                    .doc("The new name of the schema. One of the two must be set."),
            )
            .define(
                ConfigKey::int("schema.version")
                    .default_null()
                    .importance(Importance::High)
                    .doc("The new version of the schema."),
            )
            .define(replace_null_key())
    }

    fn new(config: &ParsedConfig, _: Strictness) -> Result<Self, ConfigError> {
        let name = config.string_opt("schema.name")?.map(str::to_owned);
        let version = match config.get("schema.version")? {
            Setting::Null => None,
            _ => Some(config.int("schema.version")?),
        };
        if name.is_none() && version.is_none() {
            return Err(ConfigError::Other("Neither schema name nor version configured".to_owned()));
        }
        let replace_null = config.boolean(REPLACE_NULL)?;
        Ok(Self { name, version, replace_null, schemas: SchemaCache::default() })
    }

    fn apply(&mut self, mut record: RecordMut<'_>, column: Column) -> Result<Outcome, ConnectError> {
        let Some(schema) = record.as_ref().schema(column) else {
            if record.as_ref().datum(column).is_null() {
                return Ok(Outcome::Keep);
            }
            return Err(ConnectError::bad_record("Schema required for [updating schema metadata]"));
        };
        if schema.kind() != SchemaType::Struct {
            return Err(require::cannot_list_fields());
        }
        let (name, version, replace) = (self.name.as_deref(), self.version, self.replace_null);
        let (updated, defaults) = self.schemas.get(schema, |schema| {
            let mut made = Schema::clone(schema);
            if let Some(name) = name {
                made = made.with_name(name);
            }
            if let Some(version) = version {
                made = made.with_version(version);
            }
            Ok((Arc::new(made), Defaults::of(schema, replace)))
        })?;
        if let Some(Value::Struct(value)) = record.owned_mut(column) {
            value.become_of(Arc::clone(updated), |values| defaults.fill(values))?;
        }
        record.set_schema(column, Some(updated));
        Ok(Outcome::Keep)
    }
}
