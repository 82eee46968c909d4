//! `Flatten`: fields of nested structs or maps become fields of the outermost one.
//!
//! Nothing here recurses: records may be nested deeper than the stack reaches.

use crate::definition::Transformation;
use crate::fields::{StructSchema, with_basics_of};
use crate::require;
use crate::schema_cache::SchemaCache;
use crossdock_api::Strictness;
use crossdock_api::config::{ConfigKey, Importance};
use crossdock_api::{
    Column, ConfigDef, ConfigError, ConnectError, Exception, Map, Outcome, ParsedConfig, RecordMut, Schema,
    SchemaType, Struct, Text, Value, ValueRef,
};
use smallvec::SmallVec;
use std::collections::HashSet;
use std::sync::Arc;

const PURPOSE: &str = "flattening";

pub(crate) struct Flatten {
    delimiter: String,
    strictness: Strictness,
    schemas: SchemaCache<Plan>,
    /// The structs that are being taken apart; kept for its memory.
    stack: Vec<std::vec::IntoIter<Value>>,
}

/// The flat schema, and how to come by its values.
struct Plan {
    schema: Arc<Schema>,
    steps: Vec<Step>,
}

/// One field on the way through all structs, the outer before the inner ones.
enum Step {
    /// A field that stays one; with its default.
    Leaf(Option<Value>),
    /// A struct: the steps inside it, and how many of them are leaves.
    Down { fields: usize, steps: usize, leaves: usize },
}

impl Transformation for Flatten {
    const NAME: &'static str = "Flatten";
    const OVERVIEW: &'static str = "Makes one struct of nested ones, or without a schema one map of nested maps. \
                                    The names of fields are joined. Arrays stay as they are, and so does null.";

    fn keys() -> ConfigDef {
        ConfigDef::new().define(
            ConfigKey::string("delimiter")
                .default(".")
                .importance(Importance::Medium)
                .doc("What stands between the names of the outer and the inner field."),
        )
    }

    fn new(config: &ParsedConfig, strictness: Strictness) -> Result<Self, ConfigError> {
        let delimiter = config.string("delimiter")?.to_owned();
        Ok(Self { delimiter, strictness, schemas: SchemaCache::default(), stack: Vec::new() })
    }

    fn apply(&mut self, mut record: RecordMut<'_>, column: Column) -> Result<Outcome, ConnectError> {
        let source = record.as_ref();
        if source.datum(column).is_null() {
            return Ok(Outcome::Keep);
        }
        if source.schema(column).is_none() {
            let ambiguous = self.check_map(require::map(source.datum(column), PURPOSE)?)?;
            let map = require::map_mut(record.owned_mut(column), PURPOSE)?;
            *map = self.flat_map(std::mem::take(map), ambiguous);
            return Ok(Outcome::Keep);
        }
        let value = require::structure(source.datum(column), PURPOSE)?;
        let delimiter = &self.delimiter;
        let plan = self.schemas.get(value.schema(), |schema| Plan::new(schema, delimiter))?;
        plan.check(value)?;
        if let Some(Value::Struct(value)) = record.owned_mut(column) {
            let stack = &mut self.stack;
            value.become_of(Arc::clone(&plan.schema), |values| plan.flatten(values, stack))?;
        }
        record.set_schema(column, Some(&plan.schema));
        Ok(Outcome::Keep)
    }
}

fn joined(prefix: &str, delimiter: &str, name: &str) -> String {
    if prefix.is_empty() { name.to_owned() } else { [prefix, delimiter, name].concat() }
}

impl Flatten {
    /// Checks that every value in a map can be a field of the flat one. Gives whether two fields may get one name.
    fn check_map(&self, map: &Map) -> Result<bool, ConnectError> {
        let mut seen: SmallVec<[_; 8]> = SmallVec::new();
        seen.push(map.iter());
        let mut ambiguous = self.delimiter.is_empty();
        while let Some(entries) = seen.last_mut() {
            let Some((key, value)) = entries.next() else {
                seen.pop();
                continue;
            };
            if !matches!(key, Value::String(_) | Value::Null) {
                let found = key.as_ref().java_class();
                let message =
                    format!("{found} cannot be cast to java.lang.String: keys of maps must be text");
                return Err(ConnectError::bad_record(message).with_exception(Exception::ClassCast));
            }
            if let Value::String(name) = key {
                let in_delimiter = |byte: &u8| name.as_bytes().contains(byte);
                ambiguous |= name.as_bytes().is_empty() || self.delimiter.as_bytes().iter().any(in_delimiter);
            }
            match value {
                Value::Map(inner) => seen.push(inner.iter()),
                Value::Decimal(_) | Value::Date(_) | Value::Time(_) | Value::Timestamp(_) => {
                    return Err(ConnectError::bad_record(format!(
                        "Flatten transformation was passed a value of type class {} which is not supported by \
                         Connect's data API",
                        value.as_ref().java_class()
                    )));
                }
                Value::Struct(_) => {
                    let found = value.as_ref().java_class();
                    let field = self.find_name(map, |_, value| matches!(value, Value::Struct(_)));
                    let field = field.unwrap_or_default();
                    return Err(ConnectError::bad_record(format!(
                        "Flatten transformation does not support class {found} for record without schemas (for \
                         field {field})."
                    )));
                }
                _ => {}
            }
        }
        if ambiguous && self.strictness == Strictness::Safe {
            self.check_names(map)?;
        }
        Ok(ambiguous)
    }

    /// Whether all fields of the flat map have names of their own.
    fn check_names(&self, map: &Map) -> Result<(), ConnectError> {
        let mut names = HashSet::new();
        let is_leaf = |value: &Value| !matches!(value, Value::Map(_));
        let repeated = self.find_name(map, |name, value| is_leaf(value) && !names.insert(name.to_owned()));
        repeated.map_or(Ok(()), |name| {
            Err(ConnectError::bad_record(format!(
                "Two fields would both be called {name}; choose another delimiter, or set \
                 crossdock.compatibility=strict to lose one of them as Kafka Connect does"
            )))
        })
    }

    /// The name in the flat map of the first field for which `is_it` is true.
    fn find_name(&self, map: &Map, mut is_it: impl FnMut(&str, &Value) -> bool) -> Option<String> {
        let mut seen = vec![(map.iter(), String::new())];
        while let Some((entries, prefix)) = seen.last_mut() {
            let Some((key, value)) = entries.next() else {
                seen.pop();
                continue;
            };
            let name = joined(prefix, &self.delimiter, &key_text(key));
            if is_it(&name, value) {
                return Some(name);
            }
            if let Value::Map(inner) = value {
                seen.push((inner.iter(), name));
            }
        }
        None
    }

    /// The flat form of a map that [`Flatten::check_map`] let pass. In Connect, of fields with one name the
    /// last one stays.
    fn flat_map(&self, map: Map, ambiguous: bool) -> Map {
        if !map.values().iter().any(|value| matches!(value, Value::Map(_))) {
            return map;
        }
        let inner = |value: &Value| if let Value::Map(inner) = value { inner.len() } else { 1 };
        let mut flat = Vec::with_capacity(map.values().iter().map(inner).sum());
        let mut stack = vec![(map.into_entries(), String::new())];
        while let Some((entries, prefix)) = stack.last_mut() {
            let Some((key, value)) = entries.next() else {
                stack.pop();
                continue;
            };
            match value {
                Value::Map(inner) => {
                    let name = joined(prefix, &self.delimiter, &key_text(&key));
                    stack.push((inner.into_entries(), name));
                }
                value if prefix.is_empty() => flat.push((key, value)),
                value => {
                    let name = joined(prefix, &self.delimiter, &key_text(&key));
                    flat.push((Value::String(Text::from(name)), value));
                }
            }
        }
        if ambiguous { Map::from_entries(flat) } else { Map::from_distinct(flat) }
    }
}

/// A key as Java's concatenation shows it.
fn key_text(key: &Value) -> std::borrow::Cow<'_, str> {
    match key {
        Value::String(text) => text.as_str().into(),
        _ => "null".into(),
    }
}

/// A struct schema on the way through nested ones.
struct Level<'s> {
    schema: &'s Schema,
    next: usize,
    /// Length of the prefix before this level.
    prefix: usize,
    optional: bool,
    default: Option<&'s Struct>,
    /// Its own step; the outermost has none.
    step: Option<usize>,
    leaves_before: usize,
}

impl Plan {
    fn new(schema: &Arc<Schema>, delimiter: &str) -> Result<Self, ConnectError> {
        let mut made = StructSchema::like(schema);
        let mut steps: Vec<Step> = Vec::new();
        let mut leaves = 0;
        let mut prefix = String::new();
        let level = |schema| Level {
            schema,
            next: 0,
            prefix: 0,
            optional: Schema::is_optional(schema),
            default: as_struct(Schema::default_value(schema)),
            step: None,
            leaves_before: 0,
        };
        let mut levels = vec![level(schema)];
        while let Some(current) = levels.last_mut() {
            let Some(field) = current.schema.fields().get(current.next) else {
                prefix.truncate(current.prefix);
                let taken = steps.len();
                if let Some((at, Step::Down { steps: inside, leaves: found, .. })) =
                    current.step.and_then(|at| Some((at, steps.get_mut(at)?)))
                {
                    (*inside, *found) = (taken - at - 1, leaves - current.leaves_before);
                }
                levels.pop();
                continue;
            };
            let default = field.schema.default_value().or_else(|| {
                let parent = current.default?;
                let value = parent.values().get(current.next)?;
                Some(value).filter(|value| !value.is_null())
            });
            current.next += 1;
            let optional = current.optional || field.schema.is_optional();
            let name = joined(&prefix, delimiter, &field.name);
            match field.schema.kind() {
                SchemaType::Struct => {
                    steps.push(Step::Down { fields: field.schema.fields().len(), steps: 0, leaves: 0 });
                    let inner = Level {
                        prefix: prefix.len(),
                        optional,
                        default: as_struct(default),
                        step: Some(steps.len() - 1),
                        leaves_before: leaves,
                        ..level(&field.schema)
                    };
                    prefix = name;
                    levels.push(inner);
                }
                SchemaType::Map => {
                    return Err(ConnectError::bad_record(format!(
                        "Flatten transformation does not support MAP for record with schemas (for field {name})."
                    )));
                }
                _ => {
                    leaves += 1;
                    made.add(&name, leaf_schema(&field.schema, optional, default))?;
                    steps.push(Step::Leaf(field.schema.default_value().cloned()));
                }
            }
        }
        Ok(Self { schema: Arc::new(made.build()), steps })
    }

    /// Whether a struct is made as its schema says, in its nested ones too.
    fn check(&self, value: &Struct) -> Result<(), ConnectError> {
        let mut stack: SmallVec<[std::slice::Iter<'_, Value>; 8]> = SmallVec::new();
        let mut current = value.values().iter();
        let mut at = 0;
        while let Some(step) = self.steps.get(at) {
            at += 1;
            let value = loop {
                match current.next() {
                    Some(value) => break value,
                    None => current = stack.pop().unwrap_or_default(),
                }
            };
            if let Step::Down { fields, steps, .. } = step {
                match value {
                    Value::Null => at += steps,
                    Value::Struct(inner) if inner.values().len() == *fields => {
                        stack.push(std::mem::replace(&mut current, inner.values().iter()));
                    }
                    other => return Err(not_of_its_schema(other.as_ref())),
                }
            }
        }
        Ok(())
    }

    /// Turns the values of the outermost struct into those of the flat one.
    fn flatten(&self, values: &mut Vec<Value>, stack: &mut Vec<std::vec::IntoIter<Value>>) {
        let room = self.schema.fields().len();
        let mut current = std::mem::replace(values, Vec::with_capacity(room)).into_iter();
        stack.clear();
        let mut at = 0;
        while let Some(step) = self.steps.get(at) {
            at += 1;
            let mut next = current.next();
            while next.is_none() {
                // `check` saw that there is a value for each step.
                let Some(outer) = stack.pop() else { break };
                current = outer;
                next = current.next();
            }
            let value = next.unwrap_or_default();
            match (step, value) {
                (Step::Leaf(Some(default)), Value::Null) => values.push(default.clone()),
                (Step::Leaf(_), value) => values.push(value),
                (Step::Down { .. }, Value::Struct(inner)) => {
                    stack.push(std::mem::replace(&mut current, inner.into_values().into_iter()));
                }
                (Step::Down { steps, leaves, .. }, _) => {
                    at += steps;
                    values.extend(std::iter::repeat_n(Value::Null, *leaves));
                }
            }
        }
    }
}

fn not_of_its_schema(found: ValueRef<'_>) -> ConnectError {
    let found = found.java_class();
    ConnectError::bad_record(format!("{found} is in the place of a struct of the schema of its field"))
        .with_exception(Exception::ClassCast)
}

fn as_struct(value: Option<&Value>) -> Option<&Struct> {
    match value {
        Some(Value::Struct(value)) => Some(value),
        _ => None,
    }
}

/// The schema of a field in the flat struct: an outer struct may make it optional or give it a default.
fn leaf_schema(schema: &Arc<Schema>, optional: bool, default: Option<&Value>) -> Arc<Schema> {
    if optional == schema.is_optional() && default.is_some() == schema.default_value().is_some() {
        return Arc::clone(schema);
    }
    let plain = match (schema.kind(), schema.value_schema()) {
        (SchemaType::Array, Some(items)) => Schema::array(Arc::clone(items)),
        (kind, _) => Schema::new(kind),
    };
    let mut made = with_basics_of(schema, plain);
    if optional {
        made = made.optional();
    }
    if let Some(default) = default {
        made = made.with_default(default.clone());
    }
    Arc::new(made)
}
