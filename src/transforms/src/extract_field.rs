//! `ExtractField`: one field takes the place of the key or value.

use crate::definition::Transformation;
use crate::field_path::{FieldPath, syntax_key};
use crate::fields::{REPLACE_NULL, replace_null_key};
use crate::require;
use crate::schema_cache::SchemaCache;
use crossdock_api::Strictness;
use crossdock_api::config::{ConfigKey, Importance};
use crossdock_api::{
    Column, ConfigDef, ConfigError, ConnectError, Exception, Outcome, ParsedConfig, RecordMut, Schema,
    Struct, Value, ValueRef,
};
use std::sync::Arc;

const PURPOSE: &str = "field extraction";

pub(crate) struct ExtractField {
    name: String,
    path: FieldPath,
    replace_null: bool,
    schemas: SchemaCache<Found>,
}

/// The schema of the field in a schema, and where it is, if it is a field of the struct itself.
struct Found {
    place: Option<usize>,
    schema: Arc<Schema>,
}

impl Found {
    fn take(&self, value: &mut Struct, at: usize, with_default: bool) -> Value {
        match value.values_mut().get_mut(at).map(std::mem::take) {
            None | Some(Value::Null) if with_default => {
                self.schema.default_value().cloned().unwrap_or_default()
            }
            value => value.unwrap_or_default(),
        }
    }
}

fn unknown(name: &str) -> ConnectError {
    let message = format!("Unknown field: {name}");
    ConnectError::bad_record(message).with_exception(Exception::IllegalArgument)
}

impl Transformation for ExtractField {
    const NAME: &'static str = "ExtractField";
    const OVERVIEW: &'static str = "Replaces the key or value, a struct or without a schema a map, by one of \
                                    its fields. Null stays null.";

    fn keys() -> ConfigDef {
        ConfigDef::new()
            .define(
                ConfigKey::string("field").importance(Importance::Medium).doc("The field that is extracted."),
            )
            .define(replace_null_key())
            .define(syntax_key())
    }

    fn new(config: &ParsedConfig, _: Strictness) -> Result<Self, ConfigError> {
        Ok(Self {
            name: config.string("field")?.to_owned(),
            path: FieldPath::of(config, "field")?,
            replace_null: config.boolean(REPLACE_NULL)?,
            schemas: SchemaCache::default(),
        })
    }

    fn apply(&mut self, mut record: RecordMut<'_>, column: Column) -> Result<Outcome, ConnectError> {
        let Some(schema) = record.as_ref().schema(column) else {
            let found = match record.owned_mut(column) {
                Some(Value::Map(map)) => self.path.take_from_map(map)?,
                _ => match record.as_ref().datum(column) {
                    ValueRef::Null => Value::Null,
                    other => return Err(require::no_map(other, PURPOSE)),
                },
            };
            record.set(column, None, found)?;
            return Ok(Outcome::Keep);
        };
        if !matches!(record.as_ref().datum(column), ValueRef::Null | ValueRef::Struct(_)) {
            return Err(require::no_struct(record.as_ref().datum(column), PURPOSE));
        }
        let (path, name, outer) = (&self.path, &self.name, Arc::as_ptr(schema));
        let found = self.schemas.get(schema, |schema| {
            let found = path.schema_in(schema)?.cloned().ok_or_else(|| unknown(name))?;
            Ok(Found { place: path.place_in(schema), schema: found })
        })?;
        let value = match record.owned_mut(column) {
            Some(Value::Struct(value)) => match found.place {
                Some(at) if Arc::as_ptr(value.schema()) == outer => found.take(value, at, self.replace_null),
                _ => self.path.take_from(value, self.replace_null)?,
            },
            _ => Value::Null,
        };
        record.set(column, Some(&found.schema), value)?;
        Ok(Outcome::Keep)
    }
}
