//! Values of one type as those of another, with Connect's rules and messages.

use super::{append_text_as, number, parse_string};
use crate::java_date::calendar;
use crate::java_number::{decimal_to_f64, decimal_to_i64};
use crate::nesting::descend;
use crate::{
    BigDecimal, ConnectError, Exception, LogicalType, Schema, SchemaBuilder, SchemaType, Strictness, Text,
    Value, ValueRef, java_text,
};
use std::str::FromStr;
use std::sync::Arc;

const DAY_MS: i64 = 86_400_000;

/// Converts values. Text is read by [`parse_string`], with the given strictness.
///
/// `schema` is the schema that the value has, if it has one: it tells which logical type a date is. The messages of
/// errors are Connect's.
#[derive(Debug, Clone, Copy, Default)]
pub struct Values {
    strictness: Strictness,
}

type Converted = Result<Value, ConnectError>;

impl Values {
    /// Conversions that read text like this.
    pub fn new(strictness: Strictness) -> Self {
        Self { strictness }
    }

    /// A boolean: numbers other than 0 are true. Null stays null.
    ///
    /// # Errors
    /// If it is neither, nor text of either.
    pub fn to_boolean(&self, schema: Option<&Schema>, value: ValueRef<'_>) -> Converted {
        match value {
            ValueRef::Null => return Ok(Value::Null),
            ValueRef::Boolean(v) => return Ok(Value::Boolean(v)),
            ValueRef::String(text) => {
                if let (_, Value::Boolean(v)) = parse_string(text.as_str(), self.strictness) {
                    return Ok(Value::Boolean(v));
                }
            }
            _ => {}
        }
        as_i64(schema, value).map(|v| Value::Boolean(v != 0))
    }

    /// An int8, cut off as Java's casts do. Null stays null.
    ///
    /// # Errors
    /// If it is no number, nor text of one.
    pub fn to_int8(&self, schema: Option<&Schema>, value: ValueRef<'_>) -> Converted {
        integer(schema, value, |v| Value::Int8(v as i8))
    }

    /// An int16, see [`Values::to_int8`].
    pub fn to_int16(&self, schema: Option<&Schema>, value: ValueRef<'_>) -> Converted {
        integer(schema, value, |v| Value::Int16(v as i16))
    }

    /// An int32, see [`Values::to_int8`].
    pub fn to_int32(&self, schema: Option<&Schema>, value: ValueRef<'_>) -> Converted {
        integer(schema, value, |v| Value::Int32(v as i32))
    }

    /// An int64, see [`Values::to_int8`].
    pub fn to_int64(&self, schema: Option<&Schema>, value: ValueRef<'_>) -> Converted {
        integer(schema, value, Value::Int64)
    }

    /// A float32; numbers that are too large become infinite. Null stays null.
    ///
    /// # Errors
    /// If it is no number, nor text of one.
    pub fn to_float32(&self, schema: Option<&Schema>, value: ValueRef<'_>) -> Converted {
        match value {
            ValueRef::Null => Ok(Value::Null),
            ValueRef::Float32(v) => Ok(Value::Float32(v)),
            _ => as_f64(schema, value).map(|v| Value::Float32(v as f32)),
        }
    }

    /// A float64, see [`Values::to_float32`].
    pub fn to_float64(&self, schema: Option<&Schema>, value: ValueRef<'_>) -> Converted {
        match value {
            ValueRef::Null => Ok(Value::Null),
            _ => as_f64(schema, value).map(Value::Float64),
        }
    }

    /// Text, see [`append_text_as`]. Null stays null.
    pub fn to_string(&self, value: ValueRef<'_>) -> Value {
        if value.is_null() {
            return Value::Null;
        }
        let mut text = Vec::new();
        append_text_as(&mut text, value, self.strictness);
        Value::String(Text::from(String::from_utf8_lossy(&text).into_owned()))
    }

    /// A list.
    ///
    /// # Errors
    /// If it is none, nor text of one, or null.
    pub fn to_list(&self, value: ValueRef<'_>) -> Converted {
        match self.parsed(value)? {
            value @ Value::Array(_) => Ok(value),
            other => Err(refused(other.as_ref(), &Schema::new(SchemaType::Array))),
        }
    }

    /// A map.
    ///
    /// # Errors
    /// If it is none, nor text of one, or null.
    pub fn to_map(&self, value: ValueRef<'_>) -> Converted {
        match self.parsed(value)? {
            value @ Value::Map(_) => Ok(value),
            other => Err(refused(other.as_ref(), &Schema::new(SchemaType::Map))),
        }
    }

    /// A struct.
    ///
    /// # Errors
    /// If it is none, or null.
    pub fn to_struct(&self, value: ValueRef<'_>) -> Converted {
        match value {
            ValueRef::Null => Err(null_refused()),
            ValueRef::Struct(_) => Ok(value.to_owned()),
            other => Err(refused(other, &Schema::new(SchemaType::Struct))),
        }
    }

    /// A date: of a timestamp its day, of a number so many days.
    ///
    /// # Errors
    /// If it is neither, nor text of either, or null.
    pub fn to_date(&self, schema: Option<&Schema>, value: ValueRef<'_>) -> Converted {
        let value = self.parsed(value)?;
        let days = match (ms_of(value.as_ref()), schema.map(Schema::logical_type)) {
            (Some(ms), None | Some(Some(LogicalType::Date))) => return Ok(Value::Date(ms)),
            (Some(ms), Some(Some(LogicalType::Timestamp))) => ms / DAY_MS,
            _ => as_i64(schema, value.as_ref())?,
        };
        Ok(Value::Date(i64::from(days as i32) * DAY_MS))
    }

    /// A time: of a timestamp its time of day, of a number so many milliseconds.
    ///
    /// # Errors
    /// If it is neither, nor text of either, not within a day, or null.
    pub fn to_time(&self, schema: Option<&Schema>, value: ValueRef<'_>) -> Converted {
        let value = self.parsed(value)?;
        let ms = match (ms_of(value.as_ref()), schema.map(Schema::logical_type)) {
            (Some(ms), None | Some(Some(LogicalType::Time))) => return Ok(Value::Time(ms)),
            (Some(ms), Some(Some(LogicalType::Timestamp))) => self.time_of_day(ms),
            _ => as_i64(schema, value.as_ref())?,
        };
        match i64::from(ms as i32) {
            ms @ 0..=DAY_MS => Ok(Value::Time(ms)),
            _ => Err(ConnectError::bad_record(
                "Time values must use number of milliseconds greater than 0 and less than 86400000",
            )),
        }
    }

    /// A timestamp: of a date its midnight, of a time that on the first of January 1970, of a number so many
    /// milliseconds.
    ///
    /// # Errors
    /// If it is none of these, nor text of one, or null.
    pub fn to_timestamp(&self, schema: Option<&Schema>, value: ValueRef<'_>) -> Converted {
        let value = self.parsed(value)?;
        let Some(ms) = ms_of(value.as_ref()) else {
            return as_i64(schema, value.as_ref()).map(Value::Timestamp);
        };
        match schema.map(Schema::logical_type) {
            None | Some(Some(LogicalType::Timestamp)) => Ok(Value::Timestamp(ms)),
            Some(Some(LogicalType::Date)) => Ok(Value::Timestamp(LogicalType::Date.encode(ms)? * DAY_MS)),
            Some(Some(LogicalType::Time)) => Ok(Value::Timestamp(LogicalType::Time.encode(ms)?)),
            _ => as_i64(schema, value.as_ref()).map(Value::Timestamp),
        }
    }

    /// A decimal; of bytes those of its unscaled value, with `scale` digits after the point. Integers come by way of
    /// a double, as in Connect.
    ///
    /// # Errors
    /// If it is no number, nor text of one, or null.
    pub fn to_decimal(&self, value: ValueRef<'_>, scale: i32) -> Converted {
        let of_double = |v: f64| {
            let mut text = Vec::new();
            java_text::append_f64_as(&mut text, v, self.strictness);
            decimal_of(&String::from_utf8_lossy(&text))
        };
        let decimal = match value {
            ValueRef::Null => return Err(null_refused()),
            ValueRef::Decimal(v) => v.clone(),
            ValueRef::Bytes(bytes) => {
                let unscaled = bigdecimal::num_bigint::BigInt::from_signed_bytes_be(bytes);
                BigDecimal::new(unscaled, i64::from(scale))
            }
            ValueRef::String(text) => decimal_of(text.as_str())?,
            ValueRef::Int8(v) => of_double(f64::from(v))?,
            ValueRef::Int16(v) => of_double(f64::from(v))?,
            ValueRef::Int32(v) => of_double(f64::from(v))?,
            ValueRef::Int64(v) => of_double(v as f64)?,
            ValueRef::Float32(v) => of_double(f64::from(v))?,
            ValueRef::Float64(v) => of_double(v)?,
            other => return Err(refused(other, &Schema::decimal(scale))),
        };
        Ok(Value::Decimal(Box::new(decimal)))
    }

    /// The time of day of a timestamp. Connect sets the year to 1970, which before our era is another one.
    fn time_of_day(&self, ms: i64) -> i64 {
        const OUR_ERA: i64 = -62_135_769_600_000;
        let time = ms.rem_euclid(DAY_MS);
        if self.strictness == Strictness::AsConnect && ms < OUR_ERA {
            return calendar::first_of(-1969, 0) * DAY_MS + time;
        }
        time
    }

    /// The value, or what its text looks like.
    fn parsed(&self, value: ValueRef<'_>) -> Converted {
        match value {
            ValueRef::Null => Err(null_refused()),
            ValueRef::String(text) => match parse_string(text.as_str(), self.strictness).1 {
                Value::Null => {
                    let message = "the text null is no value; leave it out or give another";
                    Err(ConnectError::bad_record(message).with_exception(Exception::NullPointer))
                }
                value => Ok(value),
            },
            value => Ok(value.to_owned()),
        }
    }
}

/// The schema that fits a value; `None` if none does: an empty list or map, or one whose parts are of several types.
///
/// # Errors
/// If a list or map has nothing but null.
pub fn infer_schema(value: ValueRef<'_>) -> Result<Option<Arc<Schema>>, ConnectError> {
    let shared = |schema: &'static Arc<Schema>| Ok(Some(Arc::clone(schema)));
    match value {
        ValueRef::String(_) => shared(Schema::string()),
        ValueRef::Boolean(_) => shared(Schema::boolean()),
        ValueRef::Int8(_) => shared(Schema::int8()),
        ValueRef::Int16(_) => shared(Schema::int16()),
        ValueRef::Int32(_) => shared(Schema::int32()),
        ValueRef::Int64(_) => shared(Schema::int64()),
        ValueRef::Float32(_) => shared(Schema::float32()),
        ValueRef::Float64(_) => shared(Schema::float64()),
        ValueRef::Bytes(_) => shared(Schema::bytes()),
        ValueRef::Struct(record) => Ok(Some(Arc::clone(record.schema()))),
        ValueRef::Array(items) => match descend(|| common(items.iter()))? {
            Some(items) => SchemaBuilder::array(items).build().map(Some),
            None => Ok(None),
        },
        ValueRef::Map(map) => {
            let keys = descend(|| common(map.iter().map(|(key, _)| key)))?;
            let values = descend(|| common(map.iter().map(|(_, value)| value)))?;
            match (keys, values) {
                (Some(keys), Some(values)) => SchemaBuilder::map(keys, values).build().map(Some),
                _ => Ok(None),
            }
        }
        _ => Ok(None),
    }
}

/// The type that all have, without what is inside.
fn common<'a>(values: impl Iterator<Item = &'a Value>) -> Result<Option<Arc<Schema>>, ConnectError> {
    let (mut kind, mut optional, mut any) = (None, false, false);
    for value in values {
        any = true;
        if value.is_null() {
            optional = true;
            continue;
        }
        let Some(schema) = infer_schema(value.as_ref())? else { return Ok(None) };
        if *kind.get_or_insert(schema.kind()) != schema.kind() {
            return Ok(None);
        }
    }
    if !any {
        return Ok(None);
    }
    let builder = SchemaBuilder::of(kind);
    if optional { builder.optional() } else { builder }.build().map(Some)
}

fn integer(schema: Option<&Schema>, value: ValueRef<'_>, make: fn(i64) -> Value) -> Converted {
    if value.is_null() { Ok(Value::Null) } else { as_i64(schema, value).map(make) }
}

/// As `Values.asLong`.
fn as_i64(schema: Option<&Schema>, value: ValueRef<'_>) -> Result<i64, ConnectError> {
    let logical = schema.and_then(Schema::logical_type);
    match value {
        ValueRef::Int8(v) => Ok(i64::from(v)),
        ValueRef::Int16(v) => Ok(i64::from(v)),
        ValueRef::Int32(v) => Ok(i64::from(v)),
        ValueRef::Int64(v) => Ok(v),
        ValueRef::Float32(v) => Ok(v as i64),
        ValueRef::Float64(v) => Ok(v as i64),
        ValueRef::Decimal(v) => Ok(decimal_to_i64(v)),
        ValueRef::String(text) => match number::java_decimal(text.as_str()) {
            Some(decimal) => Ok(decimal_to_i64(&decimal)),
            None => Err(no_number(schema, value)),
        },
        ValueRef::Date(ms) | ValueRef::Time(ms) | ValueRef::Timestamp(ms) => match logical {
            Some(logical) if logical != LogicalType::Decimal => logical.encode(ms),
            _ => Err(no_number(schema, value)),
        },
        _ => Err(no_number(schema, value)),
    }
}

/// As `Values.asDouble`.
fn as_f64(schema: Option<&Schema>, value: ValueRef<'_>) -> Result<f64, ConnectError> {
    match value {
        ValueRef::Float32(v) => Ok(f64::from(v)),
        ValueRef::Float64(v) => Ok(v),
        ValueRef::Decimal(v) => Ok(decimal_to_f64(v)),
        ValueRef::String(text) => match number::java_decimal(text.as_str()) {
            Some(decimal) => Ok(decimal_to_f64(&decimal)),
            None => Err(no_number(schema, value)),
        },
        _ => as_i64(schema, value).map(|v| v as f64),
    }
}

fn ms_of(value: ValueRef<'_>) -> Option<i64> {
    match value {
        ValueRef::Date(ms) | ValueRef::Time(ms) | ValueRef::Timestamp(ms) => Some(ms),
        _ => None,
    }
}

fn decimal_of(text: &str) -> Result<BigDecimal, ConnectError> {
    let decimal = number::java_decimal(text).or_else(|| {
        // What Double.toString gives is a decimal, unless it is not finite.
        text.starts_with(|c: char| c.is_ascii_digit()).then(|| BigDecimal::from_str(text).ok()).flatten()
    });
    decimal.ok_or_else(|| {
        let shown: String = text.chars().take(100).collect();
        ConnectError::bad_record(format!("{shown} is no decimal number"))
            .with_exception(Exception::NumberFormat)
    })
}

fn shown(value: ValueRef<'_>) -> String {
    let mut text = Vec::new();
    // As the Java that Connect was recorded with, which nobody parses.
    java_text::append_value_as(&mut text, value, Strictness::AsConnect);
    format!("{} (class {})", String::from_utf8_lossy(&text), value.java_class())
}

fn refused(value: ValueRef<'_>, schema: &Schema) -> ConnectError {
    ConnectError::bad_record(format!("Unable to convert {} to {schema}", shown(value)))
}

fn no_number(schema: Option<&Schema>, value: ValueRef<'_>) -> ConnectError {
    match schema {
        Some(schema) => refused(value, schema),
        None => ConnectError::bad_record(format!("Unable to convert {} to a number", shown(value))),
    }
}

fn null_refused() -> ConnectError {
    ConnectError::bad_record("Unable to convert a null value to a schema that requires a value")
}
