//! `ValueToKey`: a new key of some fields of the value.

use crate::definition::Transformation;
use crate::fields::{Defaults, REPLACE_NULL, StructSchema, replace_null_key};
use crate::require;
use crate::schema_cache::SchemaCache;
use crossdock_api::Strictness;
use crossdock_api::config::{ConfigKey, Importance, Validator};
use crossdock_api::{
    Column, ConfigDef, ConfigError, ConnectError, Map, Outcome, ParsedConfig, RecordMut, Schema, Struct,
    Text, Value,
};
use std::sync::Arc;

const PURPOSE: &str = "copying fields from value to key";

pub(crate) struct ValueToKey {
    fields: Vec<Text>,
    replace_null: bool,
    schemas: SchemaCache<Plan>,
}

/// The key of a value schema: its schema, and where its fields are in the value.
struct Plan {
    schema: Arc<Schema>,
    places: Vec<usize>,
    defaults: Defaults,
}

impl Transformation for ValueToKey {
    const NAME: &'static str = "ValueToKey";
    const OVERVIEW: &'static str = "Replaces the key by a struct, or without a schema a map, of fields of the \
                                    value. The value stays as it is.";

    fn keys() -> ConfigDef {
        ConfigDef::new()
            .define(
                ConfigKey::list("fields")
                    .validator(Validator::Items { may_be_empty: false })
                    .importance(Importance::High)
                    .doc("Names of the fields of the value that make the key."),
            )
            .define(replace_null_key())
    }

    fn new(config: &ParsedConfig, _: Strictness) -> Result<Self, ConfigError> {
        Ok(Self {
            fields: config.list("fields")?.iter().map(|name| Text::from(name.as_str())).collect(),
            replace_null: config.boolean(REPLACE_NULL)?,
            schemas: SchemaCache::default(),
        })
    }

    fn apply(&mut self, mut record: RecordMut<'_>, _: Column) -> Result<Outcome, ConnectError> {
        let source = record.as_ref();
        if source.value_schema().is_none() {
            let value = require::map(source.value(), PURPOSE)?;
            let field = |name: &Text| {
                let found = value.get(name.as_str()).cloned().unwrap_or_default();
                (Value::String(name.clone()), found)
            };
            let key = Map::from_entries(self.fields.iter().map(field).collect());
            record.set(Column::Key, None, Value::Map(key))?;
            return Ok(Outcome::Keep);
        }
        let value = require::structure(source.value(), PURPOSE)?;
        let (fields, replace) = (&self.fields, self.replace_null);
        let plan = self.schemas.get(value.schema(), |schema| plan(schema, fields, replace))?;
        let field = |at: &usize| plan.defaults.value(value.values(), *at).clone();
        let key = Struct::from_values(Arc::clone(&plan.schema), plan.places.iter().map(field).collect())?;
        record.set(Column::Key, Some(&plan.schema), Value::Struct(Box::new(key)))?;
        Ok(Outcome::Keep)
    }
}

fn plan(schema: &Schema, fields: &[Text], replace: bool) -> Result<Plan, ConnectError> {
    let mut key = StructSchema::empty();
    let mut places = Vec::with_capacity(fields.len());
    for name in fields {
        let Some(at) = schema.field_index(name.as_str()) else {
            return Err(ConnectError::bad_record(format!("Field does not exist: {name}")));
        };
        key.add(name.as_str(), Arc::clone(&schema.fields()[at].schema))?;
        places.push(at);
    }
    Ok(Plan { schema: Arc::new(key.build()), places, defaults: Defaults::of(schema, replace) })
}
