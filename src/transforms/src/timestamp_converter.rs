//! `TimestampConverter`: a timestamp as text, as a number, or as one of the logical types.

use crate::definition::Transformation;
use crate::fields::{REPLACE_NULL, StructSchema, replace_null_key};
use crate::require;
use crate::schema_cache::SchemaCache;
use crossdock_api::Strictness;
use crossdock_api::config::{ConfigKey, Importance, Validator};
use crossdock_api::java_date::DateFormat;
use crossdock_api::{
    Column, ConfigDef, ConfigError, ConnectError, Exception, Map, Outcome, ParsedConfig, RecordMut, Schema,
    SchemaType, Struct, Text, Value, ValueRef,
};
use std::sync::Arc;

const PURPOSE: &str = "converting timestamp formats";
const DAY: i64 = 86_400_000;
const LOGICAL: [(&str, Form); 3] = [
    ("org.apache.kafka.connect.data.Timestamp", Form::Timestamp),
    ("org.apache.kafka.connect.data.Date", Form::Date),
    ("org.apache.kafka.connect.data.Time", Form::Time),
];

/// What a timestamp is given as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Date,
    Text,
    Time,
    Timestamp,
    Unix,
}

impl Form {
    fn named(name: &str) -> Self {
        match name {
            "string" => Self::Text,
            "unix" => Self::Unix,
            "Date" => Self::Date,
            "Time" => Self::Time,
            _ => Self::Timestamp,
        }
    }

    /// The form of the values of a schema.
    fn of(schema: &Schema) -> Result<Self, ConnectError> {
        if let Some((_, form)) = LOGICAL.iter().find(|(name, _)| schema.name() == Some(name)) {
            return Ok(*form);
        }
        match schema.kind() {
            SchemaType::String => Ok(Self::Text),
            SchemaType::Int64 => Ok(Self::Unix),
            kind => {
                let name = schema.name().map(|name| format!("{name}:")).unwrap_or_default();
                let kind = kind.name().to_uppercase();
                let message = format!(
                    "Schema Schema{{{name}{kind}}} does not correspond to a known timestamp type format"
                );
                Err(ConnectError::bad_record(message).with_exception(Exception::Connect))
            }
        }
    }

    /// The form of a value without a schema.
    fn of_value(value: ValueRef<'_>) -> Result<Self, ConnectError> {
        match value {
            ValueRef::Date(_) | ValueRef::Time(_) | ValueRef::Timestamp(_) => Ok(Self::Timestamp),
            ValueRef::Int64(_) => Ok(Self::Unix),
            ValueRef::String(_) => Ok(Self::Text),
            other => Err(ConnectError::bad_record(format!(
                "TimestampConverter does not support class {} objects as timestamps",
                other.java_class()
            ))),
        }
    }

    fn schema(self, is_optional: bool) -> Arc<Schema> {
        let logical = |form: Form| LOGICAL.iter().find(|(_, other)| *other == form).map(|(name, _)| *name);
        let kind = match self {
            Self::Text => SchemaType::String,
            Self::Unix | Self::Timestamp => SchemaType::Int64,
            Self::Date | Self::Time => SchemaType::Int32,
        };
        let made = Schema::new(kind);
        let made = match logical(self) {
            Some(name) => made.with_name(name).with_version(1),
            None => made,
        };
        Arc::new(if is_optional { made.optional() } else { made })
    }
}

/// What a schema becomes: for whole values the form they have and the new schema, for structs the place of the
/// field too.
struct Plan {
    schema: Arc<Schema>,
    field: Option<usize>,
}

pub(crate) struct TimestampConverter {
    field: String,
    target: Form,
    format: Option<DateFormat>,
    /// Units of a Unix time in a second: 1, or a power of 1000.
    units: i64,
    replace_null: bool,
    strictness: Strictness,
    plans: SchemaCache<Plan>,
}

impl Transformation for TimestampConverter {
    const NAME: &'static str = "TimestampConverter";
    const OVERVIEW: &'static str = "Converts a timestamp, the whole key or value or one of its fields, between \
                                    text, Unix time and the logical types Date, Time and Timestamp.";

    fn keys() -> ConfigDef {
        ConfigDef::new()
            .define(
                ConfigKey::string("field")
                    .default("")
                    .importance(Importance::High)
                    .doc("The field with the timestamp; empty if the whole key or value is one."),
            )
            .define(
                ConfigKey::string("target.type")
                    .validator(Validator::OneOf(&["string", "unix", "Date", "Time", "Timestamp"]))
                    .importance(Importance::High)
                    .doc("What the timestamp becomes: string, unix, Date, Time or Timestamp."),
            )
            .define(ConfigKey::string("format").default("").importance(Importance::Medium).doc(
                "How a timestamp is written that is text, in the syntax of java.text.SimpleDateFormat. UTC \
                 where the text has no zone.",
            ))
            .define(
                ConfigKey::string("unix.precision")
                    .default("milliseconds")
                    .validator(Validator::OneOf(&["nanoseconds", "microseconds", "milliseconds", "seconds"]))
                    .importance(Importance::Low)
                    .doc("The unit of Unix times. What is finer than a millisecond is cut off."),
            )
            .define(replace_null_key())
    }

    fn new(config: &ParsedConfig, strictness: Strictness) -> Result<Self, ConfigError> {
        let target = Form::named(config.string("target.type")?);
        let pattern = config.string("format")?;
        let format = match pattern.trim() {
            "" if target == Form::Text => {
                let message = "TimestampConverter requires format option to be specified when using string timestamps";
                return Err(ConfigError::Other(message.to_owned()));
            }
            "" => None,
            _ => Some(DateFormat::new(pattern).map_err(|reason| {
                // Connect's arguments are in another order than meant.
                let key = format!(
                    "TimestampConverter requires a SimpleDateFormat-compatible pattern for string timestamps: {pattern}"
                );
                let cause = format!("java.lang.IllegalArgumentException: {reason}");
                ConfigError::Other(format!("Invalid value {cause} for configuration {key}"))
            })?),
        };
        let units = match config.string("unix.precision")? {
            "seconds" => 1,
            "microseconds" => 1_000_000,
            "nanoseconds" => 1_000_000_000,
            _ => 1_000,
        };
        Ok(Self {
            field: config.string("field")?.to_owned(),
            target,
            format,
            units,
            replace_null: config.boolean(REPLACE_NULL)?,
            strictness,
            plans: SchemaCache::default(),
        })
    }

    fn apply(&mut self, mut record: RecordMut<'_>, column: Column) -> Result<Outcome, ConnectError> {
        match record.as_ref().schema(column).cloned() {
            None => self.apply_schemaless(&mut record, column)?,
            Some(schema) if self.field.is_empty() => {
                let form = Form::of(&schema)?;
                let converted = self.convert(record.as_ref().datum(column), form)?;
                let optional = schema.is_optional();
                let plan = Plan { schema: self.target.schema(optional), field: None };
                let plan = self.plans.get(&schema, |_| Ok(plan))?;
                record.set(column, Some(&Arc::clone(&plan.schema)), converted)?;
            }
            Some(schema) => self.apply_to_struct(&mut record, column, &schema)?,
        }
        Ok(Outcome::Keep)
    }
}

impl TimestampConverter {
    fn apply_schemaless(&self, record: &mut RecordMut<'_>, column: Column) -> Result<(), ConnectError> {
        let value = record.as_ref().datum(column);
        if value.is_null() {
            return Ok(());
        }
        if self.field.is_empty() {
            let converted = self.convert(value, Form::of_value(value)?)?;
            return record.set(column, None, converted);
        }
        let map = require::map(value, PURPOSE)?;
        let converted = match map.get(&self.field) {
            None | Some(Value::Null) => Value::Null,
            Some(value) => self.convert(value.as_ref(), Form::of_value(value.as_ref())?)?,
        };
        let key = Value::String(Text::from(self.field.as_str()));
        match record.owned_mut(column) {
            Some(Value::Map(map)) => map.insert(key, converted),
            // It was a map just now.
            _ => {
                let mut map = Map::new();
                map.insert(key, converted);
                record.set(column, None, Value::Map(map))?;
            }
        }
        Ok(())
    }

    fn apply_to_struct(
        &mut self,
        record: &mut RecordMut<'_>,
        column: Column,
        schema: &Arc<Schema>,
    ) -> Result<(), ConnectError> {
        let value = record.as_ref().datum(column);
        if !matches!(value, ValueRef::Null | ValueRef::Struct(_)) {
            return Err(require::no_struct(value, PURPOSE));
        }
        let mut plans = std::mem::take(&mut self.plans);
        let planned = plans.get(schema, |schema| self.plan(schema));
        let made = planned.and_then(|plan| {
            let made = match value {
                ValueRef::Struct(structure) => {
                    let values = self.converted(structure, plan)?;
                    Value::Struct(Box::new(Struct::from_values(Arc::clone(&plan.schema), values)?))
                }
                _ => Value::Null,
            };
            Ok((Arc::clone(&plan.schema), made))
        });
        self.plans = plans;
        let (schema, made) = made?;
        record.set(column, Some(&schema), made)
    }

    /// The schema with the field's new one in it, and a converted default.
    fn plan(&self, schema: &Arc<Schema>) -> Result<Plan, ConnectError> {
        let mut made = StructSchema::like(schema);
        let at = schema.field_index(&self.field);
        if schema.kind() != SchemaType::Struct {
            return Err(require::cannot_list_fields());
        }
        for (index, field) in schema.fields().iter().enumerate() {
            let is_it = at == Some(index);
            let new = if is_it {
                self.target.schema(field.schema.is_optional())
            } else {
                Arc::clone(&field.schema)
            };
            made.add(&field.name, new)?;
        }
        let mut made = made.build();
        if schema.is_optional() {
            made = made.optional();
        }
        let mut plan = Plan { schema: Arc::new(made.clone()), field: at };
        if let Some(Value::Struct(default)) = schema.default_value() {
            let values = self.converted(default, &plan)?;
            let default = Struct::from_values(Arc::clone(&plan.schema), values)?;
            plan.schema = Arc::new(made.with_default(Value::Struct(Box::new(default))));
        }
        Ok(plan)
    }

    /// The values of a struct, with the one of the field converted.
    fn converted(&self, structure: &Struct, plan: &Plan) -> Result<Vec<Value>, ConnectError> {
        let mut values = Vec::with_capacity(structure.values().len());
        for (index, (field, value)) in structure.schema().fields().iter().zip(structure.values()).enumerate()
        {
            let default = field.schema.default_value().filter(|_| self.replace_null && value.is_null());
            let value = default.unwrap_or(value);
            let new = if plan.field == Some(index) {
                self.convert(value.as_ref(), Form::of(&field.schema)?)?
            } else {
                value.clone()
            };
            let is_optional = plan.schema.fields().get(index).is_none_or(|field| field.schema.is_optional());
            if new.is_null() && !is_optional {
                let kind = plan.schema.fields()[index].schema.kind().name().to_uppercase();
                return Err(ConnectError::bad_record(format!(
                    "Invalid value: null used for required field: \"{}\", schema type: {kind}",
                    field.name
                )));
            }
            values.push(new);
        }
        Ok(values)
    }

    fn convert(&self, value: ValueRef<'_>, form: Form) -> Result<Value, ConnectError> {
        if value.is_null() {
            return Ok(Value::Null);
        }
        let time = self.time_of(value, form)?;
        Ok(match self.target {
            Form::Timestamp => Value::Timestamp(time),
            Form::Date => Value::Date(time.saturating_sub(time.rem_euclid(DAY))),
            Form::Time => Value::Time(time.rem_euclid(DAY)),
            Form::Unix => Value::Int64(self.units_of(time)?),
            Form::Text => match &self.format {
                Some(format) => Value::string(&format.format(time)),
                None => return Err(no_format()),
            },
        })
    }

    /// Milliseconds since the epoch.
    fn time_of(&self, value: ValueRef<'_>, form: Form) -> Result<i64, ConnectError> {
        let unexpected = |expected: &str, class: &str| {
            let found = value.java_class();
            Err(ConnectError::bad_record(format!(
                "Expected {expected} to be a {class}, but found class {found}"
            )))
        };
        match (form, value) {
            (Form::Text, ValueRef::String(text)) => {
                let format = self.format.as_ref().ok_or_else(no_format)?;
                format.parse(text.as_str()).ok_or_else(|| {
                    ConnectError::bad_record(format!(
                        "Could not parse timestamp: value ({}) does not match pattern ({})",
                        text.as_str(),
                        format.pattern()
                    ))
                })
            }
            (Form::Text, _) => unexpected("string timestamp", "String"),
            (Form::Unix, ValueRef::Int64(time)) => self.millis_of(time),
            (Form::Unix, _) => unexpected("Unix timestamp", "Long"),
            (_, ValueRef::Date(time) | ValueRef::Time(time) | ValueRef::Timestamp(time)) => Ok(time),
            (Form::Date, _) => unexpected("Date", "java.util.Date"),
            (Form::Time, _) => unexpected("Time", "java.util.Date"),
            (Form::Timestamp, _) => unexpected("Timestamp", "java.util.Date"),
        }
    }

    fn millis_of(&self, time: i64) -> Result<i64, ConnectError> {
        match self.units {
            1 => self.within(time.checked_mul(1_000), time),
            units => Ok(time / (units / 1_000)),
        }
    }

    fn units_of(&self, time: i64) -> Result<i64, ConnectError> {
        match self.units {
            1 => Ok(time / 1_000),
            units => self.within(time.checked_mul(units / 1_000), time),
        }
    }

    /// Connect's time is the nearest that there is, many years off.
    fn within(&self, result: Option<i64>, time: i64) -> Result<i64, ConnectError> {
        match result {
            Some(result) => Ok(result),
            None if self.strictness == Strictness::AsConnect => {
                Ok(if time < 0 { i64::MIN } else { i64::MAX })
            }
            None => Err(ConnectError::bad_record(format!(
                "The timestamp {time} does not fit into 64 bits in the other precision; correct unix.precision, or \
                 set crossdock.compatibility=strict to get the nearest time that fits, as in Connect"
            ))),
        }
    }
}

/// Connect fails at a null there.
fn no_format() -> ConnectError {
    ConnectError::bad_record(
        "TimestampConverter needs its option format to read or write a timestamp that is text",
    )
    .with_exception(Exception::NullPointer)
}
