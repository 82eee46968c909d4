//! `MaskField`: fields get an empty value of their type, or a given one.

use crate::definition::Transformation;
use crate::fields::{Defaults, REPLACE_NULL, replace_null_key};
use crate::number;
use crate::require;
use crate::schema_cache::SchemaCache;
use crossdock_api::Strictness;
use crossdock_api::config::{ConfigKey, Importance, Validator};
use crossdock_api::java_number;
use crossdock_api::values::java_decimal;
use crossdock_api::{
    BigDecimal, Column, ConfigDef, ConfigError, ConnectError, List, Map, Outcome, ParsedConfig, RecordMut,
    Schema, SchemaType, Text, Value, ValueRef,
};
use std::sync::Arc;

const PURPOSE: &str = "mask fields";

pub(crate) struct MaskField {
    fields: Vec<Text>,
    mask: Mask,
    replace_null: bool,
    schemas: SchemaCache<Plan>,
    /// Values on their way into fields; kept for its memory.
    scratch: Vec<Value>,
}

/// What stands in for a value.
struct Mask {
    /// Text, and the number that it is, if a replacement is given.
    replacement: Option<(Text, Option<BigDecimal>)>,
    strictness: Strictness,
}

/// The fields of a schema that are masked, with the scale of decimals.
struct Plan {
    places: Vec<(usize, Option<i64>)>,
    defaults: Defaults,
}

impl Transformation for MaskField {
    const NAME: &'static str = "MaskField";
    const OVERVIEW: &'static str = "Replaces values of fields of a struct, or without a schema of a map, by 0, \
                                    false, an empty text and so on, or by a given replacement. Null stays null.";

    fn keys() -> ConfigDef {
        ConfigDef::new()
            .define(
                ConfigKey::list("fields")
                    .validator(Validator::Items { may_be_empty: false })
                    .importance(Importance::High)
                    .doc("Names of the fields that are masked."),
            )
            .define(
                ConfigKey::string("replacement")
                    .default_null()
                    .validator(Validator::NonEmpty)
                    .importance(Importance::Low)
                    .doc("Text or number that the fields get instead; only for texts and numbers."),
            )
            .define(replace_null_key())
    }

    fn new(config: &ParsedConfig, strictness: Strictness) -> Result<Self, ConfigError> {
        let replacement = config.string_opt("replacement")?;
        Ok(Self {
            fields: config.list("fields")?.iter().map(|name| Text::from(name.as_str())).collect(),
            mask: Mask {
                replacement: replacement.map(|text| (Text::from(text), java_decimal(text))),
                strictness,
            },
            replace_null: config.boolean(REPLACE_NULL)?,
            schemas: SchemaCache::default(),
            scratch: Vec::new(),
        })
    }

    fn apply(&mut self, mut record: RecordMut<'_>, column: Column) -> Result<Outcome, ConnectError> {
        self.scratch.clear();
        if record.as_ref().schema(column).is_none() {
            let map = require::map(record.as_ref().datum(column), PURPOSE)?;
            for name in &self.fields {
                let value = map.get(name.as_str()).map_or(ValueRef::Null, Value::as_ref);
                self.scratch.push(self.mask.masked(value, None)?);
            }
            let map = require::map_mut(record.owned_mut(column), PURPOSE)?;
            self.fields.iter().zip(self.scratch.drain(..)).for_each(|(name, value)| map.put(name, value));
            return Ok(Outcome::Keep);
        }
        let source = require::structure(record.as_ref().datum(column), PURPOSE)?;
        let (fields, replace) = (&self.fields, self.replace_null);
        let plan = self.schemas.get(source.schema(), |schema| Ok(Plan::new(schema, fields, replace)))?;
        for (at, scale) in &plan.places {
            let value = plan.defaults.value(source.values(), *at);
            self.scratch.push(self.mask.masked(value.as_ref(), *scale)?);
        }
        if let Some(Value::Struct(value)) = record.owned_mut(column) {
            let values = value.values_mut();
            plan.defaults.fill(values);
            for ((at, _), masked) in plan.places.iter().zip(self.scratch.drain(..)) {
                values[*at] = masked;
            }
        }
        Ok(Outcome::Keep)
    }
}

impl Plan {
    fn new(schema: &Schema, fields: &[Text], replace: bool) -> Self {
        let masked = schema
            .fields()
            .iter()
            .enumerate()
            .filter(|(_, field)| fields.iter().any(|name| name.as_bytes() == field.name.as_bytes()));
        Self {
            places: masked.map(|(at, field)| (at, scale_of(&field.schema))).collect(),
            defaults: Defaults::of(schema, replace),
        }
    }
}

fn scale_of(schema: &Arc<Schema>) -> Option<i64> {
    if schema.kind() != SchemaType::Bytes {
        return None;
    }
    schema.parameters().find(|(key, _)| *key == "scale")?.1.parse().ok()
}

impl Mask {
    /// What stands in for `value`; `scale` is that of its schema.
    fn masked(&self, value: ValueRef<'_>, scale: Option<i64>) -> Result<Value, ConnectError> {
        if value.is_null() {
            return Ok(Value::Null);
        }
        match &self.replacement {
            None => self.empty(value, scale),
            Some((text, number)) => self.replaced(value, text, number.as_ref(), scale),
        }
    }

    fn empty(&self, value: ValueRef<'_>, scale: Option<i64>) -> Result<Value, ConnectError> {
        Ok(match value {
            ValueRef::Boolean(_) => Value::Boolean(false),
            ValueRef::Int8(_) => Value::Int8(0),
            ValueRef::Int16(_) => Value::Int16(0),
            ValueRef::Int32(_) => Value::Int32(0),
            ValueRef::Int64(_) => Value::Int64(0),
            ValueRef::Float32(_) => Value::Float32(0.0),
            ValueRef::Float64(_) => Value::Float64(0.0),
            ValueRef::Decimal(_) => self.decimal(&BigDecimal::from(0), scale)?,
            ValueRef::Date(_) => Value::Date(0),
            ValueRef::Time(_) => Value::Time(0),
            ValueRef::Timestamp(_) => Value::Timestamp(0),
            ValueRef::String(_) => Value::String(Text::default()),
            ValueRef::Array(_) => Value::Array(List::new()),
            ValueRef::Map(_) => Value::Map(Map::new()),
            ValueRef::Null | ValueRef::Bytes(_) | ValueRef::Struct(_) => {
                let found = value.java_class();
                return Err(ConnectError::bad_record(format!("Cannot mask value of type: class {found}")));
            }
        })
    }

    fn replaced(
        &self,
        value: ValueRef<'_>,
        text: &Text,
        number: Option<&BigDecimal>,
        scale: Option<i64>,
    ) -> Result<Value, ConnectError> {
        let number = || {
            let message = format!("Unable to convert {text} (class java.lang.String) to a number");
            number.ok_or_else(|| ConnectError::bad_record(message))
        };
        let integer = |min: i64, max: i64| {
            let number = number()?;
            match (number::exact_i64(number), self.strictness) {
                (_, Strictness::AsConnect) => Ok(java_number::decimal_to_i64(number)),
                (Some(exact), Strictness::Safe) if (min..=max).contains(&exact) => Ok(exact),
                _ => Err(ConnectError::bad_record(format!(
                    "The replacement {text} does not fit a {}; set crossdock.compatibility=strict to wrap around \
                     as Kafka Connect does",
                    value.java_class()
                ))),
            }
        };
        Ok(match value {
            ValueRef::Int8(_) => Value::Int8(integer(i8::MIN.into(), i8::MAX.into())? as i8),
            ValueRef::Int16(_) => Value::Int16(integer(i16::MIN.into(), i16::MAX.into())? as i16),
            ValueRef::Int32(_) => Value::Int32(integer(i32::MIN.into(), i32::MAX.into())? as i32),
            ValueRef::Int64(_) => Value::Int64(integer(i64::MIN, i64::MAX)?),
            ValueRef::Float32(_) => Value::Float32(java_number::decimal_to_f64(number()?) as f32),
            ValueRef::Float64(_) => Value::Float64(java_number::decimal_to_f64(number()?)),
            ValueRef::String(_) => Value::String(text.clone()),
            ValueRef::Decimal(_) => self.decimal(number()?, scale)?,
            other => {
                let found = other.java_class();
                return Err(ConnectError::bad_record(format!(
                    "Cannot mask value of type class {found} with custom replacement."
                )));
            }
        })
    }

    /// A decimal of the schema's scale. Connect leaves the one that it has, which no converter takes then.
    fn decimal(&self, number: &BigDecimal, scale: Option<i64>) -> Result<Value, ConnectError> {
        let scaled = match scale.filter(|_| self.strictness == Strictness::Safe) {
            None => number.clone(),
            Some(scale) => number::rescaled(number, scale).ok_or_else(|| {
                ConnectError::bad_record(format!("The replacement {number} has more than {scale} decimals"))
            })?,
        };
        Ok(Value::Decimal(Box::new(scaled)))
    }
}
