//! `InsertField`: topic, partition, offset, timestamp or a fixed text as new fields.

use crate::definition::Transformation;
use crate::fields::{Defaults, REPLACE_NULL, StructSchema, replace_null_key};
use crate::require;
use crate::schema_cache::SchemaCache;
use crossdock_api::Strictness;
use crossdock_api::config::{ConfigKey, Importance};
use crossdock_api::{
    Column, ConfigDef, ConfigError, ConnectError, Outcome, ParsedConfig, RecordMut, RecordRef, Schema,
    SchemaType, Text, Value,
};
use smallvec::SmallVec;
use std::sync::Arc;

const PURPOSE: &str = "field insertion";
const OPTIONALITY: &str =
    "A ! at the end of the name makes the field required, a ? optional, as it is without.";

/// What goes into a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    Topic,
    Partition,
    Offset,
    Timestamp,
    Fixed,
}

/// A field that is inserted.
#[derive(Debug, Clone)]
struct Insertion {
    source: Source,
    name: Text,
    optional: bool,
}

pub(crate) struct InsertField {
    insertions: Vec<Insertion>,
    fixed: Text,
    /// The topic of the last record, so that records of one topic share its text.
    topic: Text,
    replace_null: bool,
    schemas: SchemaCache<(Arc<Schema>, Defaults)>,
}

impl Transformation for InsertField {
    const NAME: &'static str = "InsertField";
    const OVERVIEW: &'static str = "Adds fields with what is known about the record, or with a fixed text, to a \
                                    struct or without a schema to a map. Null stays null.";

    fn keys() -> ConfigDef {
        let field = |key: &str, what: &str| {
            ConfigKey::string(key)
                .default_null()
                .importance(Importance::Medium)
                .doc(&format!("Name of the field for {what}. {OPTIONALITY}"))
        };
        ConfigDef::new()
            .define(field("topic.field", "the topic"))
            .define(field("partition.field", "the partition, where it is known"))
            .define(field("offset.field", "the offset; only for sinks"))
            .define(field("timestamp.field", "the timestamp, where there is one"))
            .define(field("static.field", "the text of static.value"))
            .define(
                ConfigKey::string("static.value")
                    .default_null()
                    .importance(Importance::Medium)
                    .doc("Text of the field that static.field names; required with it."),
            )
            .define(replace_null_key())
    }

    fn new(config: &ParsedConfig, strictness: Strictness) -> Result<Self, ConfigError> {
        let mut insertions = Vec::new();
        for (key, source) in [
            ("topic.field", Source::Topic),
            ("partition.field", Source::Partition),
            ("offset.field", Source::Offset),
            ("timestamp.field", Source::Timestamp),
            ("static.field", Source::Fixed),
        ] {
            insertions.extend(config.string_opt(key)?.map(|spec| Insertion::of(source, spec)));
        }
        let fixed = config.string_opt("static.value")?;
        if insertions.is_empty() {
            return Err(ConfigError::Other("No field insertion configured".to_owned()));
        }
        if let (Some(Insertion { source: Source::Fixed, name, .. }), None) = (insertions.last(), fixed) {
            // Java shows an object's address.
            let shown = match strictness {
                Strictness::Safe => name.to_string(),
                Strictness::AsConnect => {
                    format!("org.apache.kafka.connect.transforms.InsertField$InsertionSpec@{name}")
                }
            };
            let reason = format!("No value specified for static field: {shown}");
            return Err(ConfigError::invalid("static.value", "null", reason));
        }
        Ok(Self {
            insertions,
            fixed: Text::from(fixed.unwrap_or_default()),
            topic: Text::default(),
            replace_null: config.boolean(REPLACE_NULL)?,
            schemas: SchemaCache::default(),
        })
    }

    fn apply(&mut self, mut record: RecordMut<'_>, column: Column) -> Result<Outcome, ConnectError> {
        let source = record.as_ref();
        if source.datum(column).is_null() {
            return Ok(Outcome::Keep);
        }
        if source.schema(column).is_none() {
            let map = require::map(source.datum(column), PURPOSE).map(drop);
            let values =
                map.and_then(|()| values(&self.insertions, &self.fixed, &mut self.topic, source, true))?;
            let map = require::map_mut(record.owned_mut(column), PURPOSE)?;
            map.reserve(values.len());
            for (insertion, value) in self.insertions.iter().zip(values) {
                if let Some(value) = value {
                    map.put(&insertion.name, value);
                }
            }
            return Ok(Outcome::Keep);
        }
        let schema = require::structure(source.datum(column), PURPOSE)?.schema();
        let (insertions, replace) = (&self.insertions, self.replace_null);
        let (updated, defaults) =
            self.schemas.get(schema, |schema| with_insertions(schema, insertions, replace))?;
        let values = values(insertions, &self.fixed, &mut self.topic, source, false)?;
        if let Some(Value::Struct(value)) = record.owned_mut(column) {
            value.become_of(Arc::clone(updated), |fields| {
                defaults.fill(fields);
                fields.reserve_exact(values.len());
                fields.extend(values.into_iter().map(Option::unwrap_or_default));
            })?;
        }
        record.set_schema(column, Some(updated));
        Ok(Outcome::Keep)
    }
}

/// What goes into each field; `None` where the record does not have it.
fn values(
    insertions: &[Insertion],
    fixed: &Text,
    topic: &mut Text,
    record: RecordRef<'_>,
    schemaless: bool,
) -> Result<SmallVec<[Option<Value>; 5]>, ConnectError> {
    let mut values = SmallVec::new();
    for insertion in insertions {
        values.push(match insertion.source {
            Source::Topic => {
                if topic.as_bytes() != record.topic().as_bytes() {
                    *topic = Text::from(record.topic());
                }
                Some(Value::String(topic.clone()))
            }
            Source::Partition => record.partition().map(Value::Int32),
            Source::Offset if record.offset() < 0 => return Err(no_sink_record()),
            Source::Offset => Some(Value::Int64(record.offset())),
            Source::Timestamp if schemaless => record.timestamp().map(Value::Int64),
            Source::Timestamp => record.timestamp().map(Value::Timestamp),
            Source::Fixed => Some(Value::String(fixed.clone())),
        });
    }
    Ok(values)
}

fn no_sink_record() -> ConnectError {
    ConnectError::bad_record(format!(
        "Only SinkRecord supported for [{PURPOSE}], found: org.apache.kafka.connect.source.SourceRecord"
    ))
}

impl Insertion {
    fn of(source: Source, spec: &str) -> Self {
        let (name, optional) = match (spec.strip_suffix('?'), spec.strip_suffix('!')) {
            (Some(name), _) => (name, true),
            (None, Some(name)) => (name, false),
            (None, None) => (spec, true),
        };
        Self { source, name: Text::from(name), optional }
    }

    fn schema(&self) -> Schema {
        let schema = match self.source {
            Source::Topic | Source::Fixed => Schema::new(SchemaType::String),
            Source::Partition => Schema::new(SchemaType::Int32),
            Source::Offset => Schema::new(SchemaType::Int64),
            Source::Timestamp => Schema::new(SchemaType::Int64)
                .with_name("org.apache.kafka.connect.data.Timestamp")
                .with_version(1),
        };
        if self.optional { schema.optional() } else { schema }
    }
}

fn with_insertions(
    schema: &Schema,
    insertions: &[Insertion],
    replace: bool,
) -> Result<(Arc<Schema>, Defaults), ConnectError> {
    let mut made = StructSchema::like(schema);
    for field in schema.fields() {
        made.add(&field.name, Arc::clone(&field.schema))?;
    }
    for insertion in insertions {
        made.add(insertion.name.as_str(), Arc::new(insertion.schema()))?;
    }
    Ok((Arc::new(made.build()), Defaults::of(schema, replace)))
}
