//! `Cast`: fields, or the whole key or value, become values of other types.
//!
//! How a single value is cast is in [`value`].

pub(crate) mod value;

use crate::definition::Transformation;
use crate::fields::{Defaults, REPLACE_NULL, StructSchema, replace_null_key, with_basics_of};
use crate::require;
use crate::schema_cache::SchemaCache;
use crossdock_api::Strictness;
use crossdock_api::config::{ConfigKey, Importance, Setting, Validator};
use crossdock_api::{
    Column, ConfigDef, ConfigError, ConnectError, Outcome, ParsedConfig, RecordMut, Schema, SchemaType, Text,
    Value, ValueRef,
};
use std::sync::Arc;
use value::{Caster, LOGICAL};

const PAIRS: &str = "list of colon-delimited pairs, e.g. <code>foo:bar,abc:xyz</code>";
const PURPOSE: &str = "cast types";

pub(crate) struct Cast {
    spec: Spec,
    caster: Caster,
    replace_null: bool,
    schemas: SchemaCache<Plan>,
    /// Values on their way into fields, `None` for those that stay; kept for its memory.
    scratch: Vec<Option<Value>>,
}

/// What becomes what.
enum Spec {
    Whole(SchemaType),
    Fields(Vec<(Text, SchemaType)>),
}

/// The new schema, and the fields of the old one that are cast.
struct Plan {
    schema: Arc<Schema>,
    fields: Vec<(usize, Arc<Schema>, SchemaType)>,
    defaults: Defaults,
}

impl Transformation for Cast {
    const NAME: &'static str = "Cast";
    const OVERVIEW: &'static str = "Turns fields of a struct or map, or the whole key or value, into another \
                                    type. Null stays null.";

    fn keys() -> ConfigDef {
        ConfigDef::new()
            .define(
                ConfigKey::list("spec")
                    .validator(Validator::Described(PAIRS, |_, setting| match setting {
                        Setting::List(mappings) => parse(mappings).map(drop),
                        Setting::Null => parse(&[]).map(drop),
                        _ => Ok(()),
                    }))
                    .importance(Importance::High)
                    .doc(
                        "Pairs field:type separated by commas, or one type for the whole key or value. Types \
                         are int8, int16, int32, int64, float32, float64, boolean and string; bytes become \
                         only a string, in base 64.",
                    ),
            )
            .define(replace_null_key())
    }

    fn new(config: &ParsedConfig, strictness: Strictness) -> Result<Self, ConfigError> {
        Ok(Self {
            spec: parse(config.list("spec")?)?,
            caster: Caster { strictness },
            replace_null: config.boolean(REPLACE_NULL)?,
            schemas: SchemaCache::default(),
            scratch: Vec::new(),
        })
    }

    fn apply(&mut self, mut record: RecordMut<'_>, column: Column) -> Result<Outcome, ConnectError> {
        let source = record.as_ref();
        if source.datum(column).is_null() {
            return Ok(Outcome::Keep);
        }
        let schema = source.schema(column).cloned();
        match (&self.spec, schema) {
            (Spec::Whole(to), schema) => {
                let cast = self.caster.cast(schema.as_deref(), source.datum(column), *to);
                let updated = match &schema {
                    Some(schema) => {
                        let (spec, caster) = (&self.spec, self.caster);
                        Some(&self.schemas.get(schema, |schema| plan(schema, spec, caster, false))?.schema)
                    }
                    None => None,
                };
                match cast? {
                    Some(value) => record.set(column, updated, value)?,
                    None => record.set_schema(column, updated),
                }
            }
            (Spec::Fields(_), None) => self.cast_in_map(record, column)?,
            (Spec::Fields(_), Some(schema)) => self.cast_in_struct(record, column, &schema)?,
        }
        Ok(Outcome::Keep)
    }
}

impl Cast {
    fn cast_in_map(&mut self, mut record: RecordMut<'_>, column: Column) -> Result<(), ConnectError> {
        let Spec::Fields(fields) = &self.spec else { return Ok(()) };
        let map = require::map(record.as_ref().datum(column), PURPOSE)?;
        self.scratch.clear();
        for (name, to) in fields {
            let cast = match map.get(name.as_str()) {
                Some(value) => self.caster.cast(None, value.as_ref(), *to)?,
                None => Some(Value::Null),
            };
            self.scratch.push(cast);
        }
        let map = require::map_mut(record.owned_mut(column), PURPOSE)?;
        for ((name, _), cast) in fields.iter().zip(self.scratch.drain(..)) {
            if let Some(value) = cast {
                map.put(name, value);
            }
        }
        Ok(())
    }

    fn cast_in_struct(
        &mut self,
        mut record: RecordMut<'_>,
        column: Column,
        schema: &Arc<Schema>,
    ) -> Result<(), ConnectError> {
        if schema.kind() != SchemaType::Struct {
            return Err(require::cannot_list_fields());
        }
        let source = record.as_ref().datum(column);
        let of_value = match source {
            ValueRef::Struct(value) => value.schema(),
            _ => schema,
        };
        let (spec, caster, replace) = (&self.spec, self.caster, self.replace_null);
        let plan = self.schemas.get(of_value, |schema| plan(schema, spec, caster, replace))?;
        let source = require::structure(source, PURPOSE)?;
        self.scratch.clear();
        for (at, field, to) in &plan.fields {
            let value = plan.defaults.value(source.values(), *at);
            self.scratch.push(self.caster.cast(Some(field), value.as_ref(), *to)?);
        }
        if let Some(Value::Struct(value)) = record.owned_mut(column) {
            value.become_of(Arc::clone(&plan.schema), |values| {
                plan.defaults.fill(values);
                for ((at, ..), cast) in plan.fields.iter().zip(self.scratch.drain(..)) {
                    if let (Some(place), Some(cast)) = (values.get_mut(*at), cast) {
                        *place = cast;
                    }
                }
            })?;
        }
        record.set_schema(column, Some(&plan.schema));
        Ok(())
    }
}

fn plan(schema: &Arc<Schema>, spec: &Spec, caster: Caster, replace: bool) -> Result<Plan, ConnectError> {
    let mut fields = Vec::new();
    let (mut made, to) = match spec {
        Spec::Whole(to) => (whole(schema, *to, caster.strictness), *to),
        Spec::Fields(casts) => {
            let mut made = StructSchema::like(schema);
            for (at, field) in schema.fields().iter().enumerate() {
                let cast = casts.iter().find(|(name, _)| name.as_bytes() == field.name.as_bytes());
                let Some((_, to)) = cast else {
                    made.add(&field.name, Arc::clone(&field.schema))?;
                    continue;
                };
                let cast = of_type(Schema::new(*to), &field.schema, *to, caster)?;
                made.add(&field.name, Arc::new(cast))?;
                fields.push((at, Arc::clone(&field.schema), *to));
            }
            (made.build(), SchemaType::Struct)
        }
    };
    made = of_type(made, schema, to, caster)?;
    Ok(Plan { schema: Arc::new(made), fields, defaults: Defaults::of(schema, replace) })
}

/// `made` as optional as `schema`, and with its default.
fn of_type(
    mut made: Schema,
    schema: &Schema,
    to: SchemaType,
    caster: Caster,
) -> Result<Schema, ConnectError> {
    if schema.is_optional() {
        made = made.optional();
    }
    if let Some(default) = schema.default_value() {
        let cast = caster.cast(Some(schema), default.as_ref(), to)?;
        made = made.with_default(cast.unwrap_or_else(|| default.clone()));
    }
    Ok(made)
}

/// The schema of a whole key or value that was cast. Connect keeps the name of a logical type, which then stands
/// for a value that is none.
fn whole(schema: &Schema, to: SchemaType, strictness: Strictness) -> Schema {
    let is_logical = schema.name().is_some_and(|name| LOGICAL.contains(&name));
    if is_logical && strictness == Strictness::Safe {
        return Schema::new(to);
    }
    with_basics_of(schema, Schema::new(to))
}

/// Reads the spec; of one field the last pair counts.
fn parse(mappings: &[String]) -> Result<Spec, ConfigError> {
    if mappings.is_empty() {
        return Err(ConfigError::Other("Must specify at least one field to cast.".to_owned()));
    }
    let mut whole = None;
    let mut fields: Vec<(Text, SchemaType)> = Vec::new();
    for mapping in mappings {
        // As in Java, empty parts at the end are none.
        match mapping.trim_end_matches(':').split(':').collect::<Vec<_>>()[..] {
            [to] => whole = Some(target(to)?),
            [field, to] => {
                let field = Text::from(field.trim_matches(|c: char| c <= ' '));
                let to = target(to)?;
                fields.retain(|(known, _)| *known != field);
                fields.push((field, to));
            }
            _ => {
                let shown = format!("[{}]", mappings.join(", "));
                let reason = format!("Invalid rename mapping: {mapping}");
                return Err(ConfigError::invalid("renames", &shown, reason));
            }
        }
    }
    match whole {
        Some(_) if mappings.len() > 1 => Err(ConfigError::Other(
            "Cast transformations that specify a type to cast the entire value to may only specify a single cast \
             in their spec"
                .to_owned(),
        )),
        Some(to) => Ok(Spec::Whole(to)),
        None => Ok(Spec::Fields(fields)),
    }
}

/// The type that a spec names.
fn target(name: &str) -> Result<SchemaType, ConfigError> {
    use SchemaType::*;
    let name = name.trim_matches(|c: char| c <= ' ');
    let upper = name.to_uppercase();
    let Some(found) = SchemaType::from_name(&upper.to_lowercase()) else {
        return Err(ConfigError::Other(format!(
            "Invalid value java.lang.IllegalArgumentException: No enum constant \
             org.apache.kafka.connect.data.Schema.Type.{upper} for configuration Invalid type found in casting \
             spec: {name}"
        )));
    };
    match found {
        Array | Bytes | Map | Struct => Err(ConfigError::Other(format!(
            "Cast transformation does not support casting to {upper}; supported types are [INT8, INT16, INT32, \
             INT64, FLOAT32, FLOAT64, BOOLEAN, STRING]"
        ))),
        _ => Ok(found),
    }
}
