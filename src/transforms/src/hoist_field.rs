//! `HoistField`: the key or value becomes the only field of a struct, or of a map.

use crate::definition::Transformation;
use crate::fields::StructSchema;
use crate::schema_cache::SchemaCache;
use crossdock_api::Strictness;
use crossdock_api::config::{ConfigKey, Importance};
use crossdock_api::{
    Column, ConfigDef, ConfigError, ConnectError, Map, Outcome, ParsedConfig, RecordMut, Schema, Struct,
    Text, Value,
};
use std::sync::Arc;

pub(crate) struct HoistField {
    field: Text,
    schemas: SchemaCache<Arc<Schema>>,
}

impl Transformation for HoistField {
    const NAME: &'static str = "HoistField";
    const OVERVIEW: &'static str =
        "Wraps the key or value into a struct, or without a schema into a map, with one field.";

    fn keys() -> ConfigDef {
        ConfigDef::new().define(
            ConfigKey::string("field")
                .importance(Importance::Medium)
                .doc("Name of the one field of the struct or map that is made."),
        )
    }

    fn new(config: &ParsedConfig, _: Strictness) -> Result<Self, ConfigError> {
        Ok(Self { field: Text::from(config.string("field")?), schemas: SchemaCache::default() })
    }

    fn apply(&mut self, mut record: RecordMut<'_>, column: Column) -> Result<Outcome, ConnectError> {
        let Some(schema) = record.as_ref().schema(column) else {
            let (_, value) = record.take(column);
            let hoisted = Map::from_entries(vec![(Value::String(self.field.clone()), value)]);
            record.set(column, None, Value::Map(hoisted))?;
            return Ok(Outcome::Keep);
        };
        let hoisted = self.schemas.get(schema, |schema| {
            let mut made = StructSchema::empty();
            made.add(self.field.as_str(), Arc::clone(schema))?;
            Ok(Arc::new(made.build()))
        })?;
        if record.as_ref().datum(column).is_null() && !schema.is_optional() {
            let kind = schema.kind().name().to_uppercase();
            return Err(ConnectError::bad_record(format!(
                "Invalid value: null used for required field: \"{}\", schema type: {kind}",
                self.field
            )));
        }
        let (_, value) = record.take(column);
        let value = Struct::from_values(Arc::clone(hoisted), vec![value])?;
        record.set(column, Some(hoisted), Value::Struct(Box::new(value)))?;
        Ok(Outcome::Keep)
    }
}
