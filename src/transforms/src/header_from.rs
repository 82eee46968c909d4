//! `HeaderFrom`: copies or moves fields of the key or value to headers.

use crate::definition::Transformation;
use crate::fields::{Defaults, REPLACE_NULL, StructSchema, replace_null_key};
use crate::require;
use crate::schema_cache::SchemaCache;
use crossdock_api::Strictness;
use crossdock_api::config::{ConfigKey, Importance, Validator};
use crossdock_api::{
    Column, ConfigDef, ConfigError, ConnectError, Exception, Outcome, ParsedConfig, RecordMut, Schema, Value,
};
use std::sync::Arc;

pub(crate) struct HeaderFrom {
    /// Name of the field and of its header.
    pairs: Vec<(String, String)>,
    moves: bool,
    replace_null: bool,
    strictness: Strictness,
    schemas: SchemaCache<Plan>,
    /// Values on their way to headers; kept for its memory.
    scratch: Vec<Value>,
}

struct Plan {
    /// Where the field of each header is, and its schema.
    sources: Vec<(usize, Arc<Schema>)>,
    /// For a move: the schema without the fields, and for each old field whether it stays.
    rest: Option<(Arc<Schema>, Vec<bool>)>,
    defaults: Defaults,
}

impl Transformation for HeaderFrom {
    const NAME: &'static str = "HeaderFrom";
    const OVERVIEW: &'static str =
        "Moves or copies fields of a struct, or without a schema of a map, to headers of the record.";

    fn keys() -> ConfigDef {
        let list = |key: &str, doc: &str| {
            ConfigKey::list(key).validator(Validator::NonEmptyList).importance(Importance::High).doc(doc)
        };
        ConfigDef::new()
            .define(list("fields", "Names of the fields."))
            .define(list("headers", "Names of the headers, one for each field in their order."))
            .define(
                ConfigKey::string("operation")
                    .validator(Validator::OneOf(&["move", "copy"]))
                    .importance(Importance::High)
                    .doc("Whether the fields are taken out of the key or value (move) or stay there (copy)."),
            )
            .define(replace_null_key())
    }

    fn new(config: &ParsedConfig, strictness: Strictness) -> Result<Self, ConfigError> {
        let (fields, headers) = (config.list("fields")?, config.list("headers")?);
        if fields.len() != headers.len() {
            return Err(ConfigError::Other(
                "'fields' config must have the same number of elements as 'headers' config.".to_owned(),
            ));
        }
        Ok(Self {
            pairs: fields.iter().cloned().zip(headers.iter().cloned()).collect(),
            moves: config.string("operation")? == "move",
            replace_null: config.boolean(REPLACE_NULL)?,
            strictness,
            schemas: SchemaCache::default(),
            scratch: Vec::new(),
        })
    }

    fn apply(&mut self, record: RecordMut<'_>, column: Column) -> Result<Outcome, ConnectError> {
        if record.as_ref().schema(column).is_none() {
            self.apply_schemaless(record, column)?;
        } else {
            self.apply_with_schema(record, column)?;
        }
        Ok(Outcome::Keep)
    }
}

impl HeaderFrom {
    fn purpose(&self) -> &'static str {
        if self.moves { "header move" } else { "header copy" }
    }

    fn apply_schemaless(&mut self, mut record: RecordMut<'_>, column: Column) -> Result<(), ConnectError> {
        let source = require::map(record.as_ref().datum(column), self.purpose())?;
        self.scratch.clear();
        self.scratch.extend(self.pairs.iter().map(|(name, _)| source.get(name).cloned().unwrap_or_default()));
        for ((_, header), value) in self.pairs.iter().zip(self.scratch.drain(..)) {
            record.add_header(header, None, value)?;
        }
        if self.moves {
            let map = require::map_mut(record.owned_mut(column), "header move")?;
            self.pairs.iter().for_each(|(name, _)| drop(map.remove(name)));
        }
        Ok(())
    }

    fn apply_with_schema(&mut self, mut record: RecordMut<'_>, column: Column) -> Result<(), ConnectError> {
        let source = require::structure(record.as_ref().datum(column), self.purpose())?;
        let (pairs, moves, replace) = (&self.pairs, self.moves, self.replace_null);
        let strictness = self.strictness;
        let plan = self
            .schemas
            .get(source.schema(), |schema| Plan::new(schema, pairs, moves, replace, strictness))?;
        self.scratch.clear();
        let value = |(at, _): &(usize, _)| plan.defaults.value(source.values(), *at).clone();
        self.scratch.extend(plan.sources.iter().map(value));
        for (((_, header), (_, schema)), value) in
            self.pairs.iter().zip(&plan.sources).zip(self.scratch.drain(..))
        {
            record.add_header(header, Some(schema), value)?;
        }
        let Some((schema, stays)) = &plan.rest else { return Ok(()) };
        if let Some(Value::Struct(value)) = record.owned_mut(column) {
            value.become_of(Arc::clone(schema), |values| {
                plan.defaults.fill(values);
                let mut stays = stays.iter();
                values.retain(|_| stays.next() != Some(&false));
            })?;
        }
        record.set_schema(column, Some(schema));
        Ok(())
    }
}

impl Plan {
    fn new(
        schema: &Schema,
        pairs: &[(String, String)],
        moves: bool,
        replace: bool,
        strictness: Strictness,
    ) -> Result<Self, ConnectError> {
        let mut sources = Vec::with_capacity(pairs.len());
        for (name, _) in pairs {
            let Some(at) = schema.field_index(name) else { return Err(no_field(name, strictness)) };
            sources.push((at, Arc::clone(&schema.fields()[at].schema)));
        }
        let mut rest = None;
        if moves {
            let mut made = StructSchema::like(schema);
            let stays = |name: &str| !pairs.iter().any(|(moved, _)| moved == name);
            for field in schema.fields().iter().filter(|field| stays(&field.name)) {
                made.add(&field.name, Arc::clone(&field.schema))?;
            }
            let kept = schema.fields().iter().map(|field| stays(&field.name)).collect();
            rest = Some((Arc::new(made.build()), kept));
        }
        Ok(Self { sources, rest, defaults: Defaults::of(schema, replace) })
    }
}

/// A field that the schema does not have. Java runs into a NullPointerException.
fn no_field(name: &str, strictness: Strictness) -> ConnectError {
    let error = ConnectError::bad_record(format!("Field does not exist: {name}"));
    match strictness {
        Strictness::AsConnect => error.with_exception(Exception::NullPointer),
        Strictness::Safe => error,
    }
}
