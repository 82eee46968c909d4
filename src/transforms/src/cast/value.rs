//! One value into another type.
//!
//! Connect narrows numbers as Java's casts do: 300 becomes the INT8 44, NaN becomes 0, and every text but
//! "true" is false. In safe mode a value that does not fit is an error instead.

use crate::number;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crossdock_api::Strictness;
use crossdock_api::java_number;
use crossdock_api::values::append_text;
use crossdock_api::{
    BigDecimal, ConnectError, Exception, Schema, SchemaType, Text, Value, ValueRef, java_text,
};
use std::io::Write;

const DAY_MS: i64 = 86_400_000;

/// Names of Connect's logical types.
pub(crate) const LOGICAL: [&str; 4] = [
    "org.apache.kafka.connect.data.Date",
    "org.apache.kafka.connect.data.Decimal",
    "org.apache.kafka.connect.data.Time",
    "org.apache.kafka.connect.data.Timestamp",
];

/// How values are cast.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Caster {
    /// What happens to values that do not fit.
    pub(crate) strictness: Strictness,
}

/// A value as a number, where it is one.
enum Number<'v> {
    Integer(i64),
    Float(f64),
    Decimal(&'v BigDecimal),
}

impl Caster {
    /// Casts a value of a schema, if it has one. `None` says that it stays as it is.
    ///
    /// # Errors
    /// A value that cannot become one of that type.
    pub(crate) fn cast(
        self,
        schema: Option<&Schema>,
        value: ValueRef<'_>,
        to: SchemaType,
    ) -> Result<Option<Value>, ConnectError> {
        if value.is_null() {
            return Ok(None);
        }
        check_source(schema, value)?;
        if to == SchemaType::String {
            return self.text(value);
        }
        let number = match encoded(schema, value)? {
            Some(number) => number,
            None => return self.cast_other(value, to),
        };
        let (min, max) = match to {
            SchemaType::Int8 => (i64::from(i8::MIN), i64::from(i8::MAX)),
            SchemaType::Int16 => (i64::from(i16::MIN), i64::from(i16::MAX)),
            SchemaType::Int32 => (i64::from(i32::MIN), i64::from(i32::MAX)),
            SchemaType::Int64 => (i64::MIN, i64::MAX),
            SchemaType::Float32 => return self.float32(&number, value).map(Some),
            SchemaType::Float64 => return self.float64(&number, value).map(Some),
            _ => return self.boolean(&number, value).map(Some),
        };
        let integer = match self.strictness {
            Strictness::AsConnect => narrowed(&number, to),
            Strictness::Safe => {
                whole(&number).filter(|v| (min..=max).contains(v)).ok_or_else(|| does_not_fit(value, to))?
            }
        };
        Ok(Some(integer_of(integer, to)))
    }

    /// Texts and booleans, and what cannot be cast.
    fn cast_other(self, value: ValueRef<'_>, to: SchemaType) -> Result<Option<Value>, ConnectError> {
        match value {
            ValueRef::Boolean(value) => Ok(match to {
                SchemaType::Boolean => None,
                SchemaType::Float32 => Some(Value::Float32(f32::from(value))),
                SchemaType::Float64 => Some(Value::Float64(f64::from(value))),
                _ => Some(integer_of(i64::from(value), to)),
            }),
            ValueRef::String(text) => self.parsed(text.as_str(), to).map(Some),
            other => {
                let found = other.java_class();
                let message = format!("Unexpected type in Cast transformation: class {found}");
                Err(ConnectError::bad_record(message))
            }
        }
    }

    fn parsed(self, text: &str, to: SchemaType) -> Result<Value, ConnectError> {
        let integer = java_number::parse_i64;
        let parsed = match to {
            SchemaType::Int8 => integer(text).and_then(|v| v.try_into().ok()).map(Value::Int8),
            SchemaType::Int16 => integer(text).and_then(|v| v.try_into().ok()).map(Value::Int16),
            SchemaType::Int32 => integer(text).and_then(|v| v.try_into().ok()).map(Value::Int32),
            SchemaType::Int64 => integer(text).map(Value::Int64),
            SchemaType::Float32 => java_number::parse_f32(text).map(Value::Float32),
            SchemaType::Float64 => java_number::parse_f64(text).map(Value::Float64),
            _ if text.eq_ignore_ascii_case("true") => Some(Value::Boolean(true)),
            _ if self.strictness == Strictness::AsConnect || text.eq_ignore_ascii_case("false") => {
                Some(Value::Boolean(false))
            }
            _ => return Err(does_not_fit(ValueRef::String(text.into()), to)),
        };
        parsed.ok_or_else(|| {
            ConnectError::bad_record(format!("Value ({text}) was out of range for requested data type"))
        })
    }

    fn text(self, value: ValueRef<'_>) -> Result<Option<Value>, ConnectError> {
        let mut out = Vec::new();
        match value {
            ValueRef::String(_) => return Ok(None),
            ValueRef::Bytes(bytes) => out = STANDARD.encode(bytes).into_bytes(),
            ValueRef::Date(ms) | ValueRef::Timestamp(ms)
                if self.strictness == Strictness::Safe && ms < DAY_MS =>
            {
                // Connect writes only the time of day, as if it were a Time.
                append_early(&mut out, ms, matches!(value, ValueRef::Date(_)));
            }
            ValueRef::Date(_) | ValueRef::Time(_) | ValueRef::Timestamp(_) => append_text(&mut out, value),
            other => java_text::append_value(&mut out, other),
        }
        let text = Text::from_utf8(out.into()).map_err(|error| ConnectError::fatal(error.to_string()))?;
        Ok(Some(Value::String(text)))
    }

    fn float32(self, number: &Number<'_>, value: ValueRef<'_>) -> Result<Value, ConnectError> {
        let (float, finite) = match number {
            Number::Integer(v) => (*v as f32, true),
            Number::Float(v) => (*v as f32, v.is_finite()),
            Number::Decimal(v) => (java_number::decimal_to_f32(v), true),
        };
        if finite && !float.is_finite() && self.strictness == Strictness::Safe {
            return Err(does_not_fit(value, SchemaType::Float32));
        }
        Ok(Value::Float32(float))
    }

    fn float64(self, number: &Number<'_>, value: ValueRef<'_>) -> Result<Value, ConnectError> {
        let (float, finite) = match number {
            Number::Integer(v) => (*v as f64, true),
            Number::Float(v) => (*v, v.is_finite()),
            Number::Decimal(v) => (java_number::decimal_to_f64(v), true),
        };
        if finite && !float.is_finite() && self.strictness == Strictness::Safe {
            return Err(does_not_fit(value, SchemaType::Float64));
        }
        Ok(Value::Float64(float))
    }

    /// Zero is false. For Connect so is what becomes the INT64 0: NaN, 0.5.
    fn boolean(self, number: &Number<'_>, value: ValueRef<'_>) -> Result<Value, ConnectError> {
        let is_true = match (self.strictness, number) {
            (Strictness::AsConnect, number) => narrowed(number, SchemaType::Int64) != 0,
            (Strictness::Safe, Number::Integer(v)) => *v != 0,
            (Strictness::Safe, Number::Float(v)) if v.is_nan() => {
                return Err(does_not_fit(value, SchemaType::Boolean));
            }
            (Strictness::Safe, Number::Float(v)) => *v != 0.0,
            (Strictness::Safe, Number::Decimal(v)) => v.sign() != bigdecimal::num_bigint::Sign::NoSign,
        };
        Ok(Value::Boolean(is_true))
    }
}

/// Refuses types that cannot be cast from, by the schema, or without one by the value.
fn check_source(schema: Option<&Schema>, value: ValueRef<'_>) -> Result<(), ConnectError> {
    let kind = match (schema, value) {
        (Some(schema), _) => schema.kind(),
        (None, ValueRef::Array(_)) => SchemaType::Array,
        (None, ValueRef::Map(_)) => SchemaType::Map,
        (None, ValueRef::Struct(_)) => SchemaType::Struct,
        (None, ValueRef::Decimal(_) | ValueRef::Date(_) | ValueRef::Time(_) | ValueRef::Timestamp(_)) => {
            return Err(ConnectError::bad_record(format!(
                "Cast transformation was passed a value of type class {} which is not supported by Connect's data \
                 API",
                value.java_class()
            )));
        }
        (None, _) => return Ok(()),
    };
    match kind {
        SchemaType::Array | SchemaType::Map | SchemaType::Struct => Err(ConnectError::bad_record(format!(
            "Cast transformation does not support casting from {}; supported types are [INT8, INT16, INT32, INT64, \
             FLOAT32, FLOAT64, BOOLEAN, STRING, BYTES]",
            kind.name().to_uppercase()
        ))),
        _ => Ok(()),
    }
}

/// The number that a value is or is stored as: dates by the logical type of their schema.
fn encoded<'v>(schema: Option<&Schema>, value: ValueRef<'v>) -> Result<Option<Number<'v>>, ConnectError> {
    let logical =
        schema.and_then(Schema::name).and_then(|name| name.strip_prefix("org.apache.kafka.connect.data."));
    let ms = match value {
        ValueRef::Date(ms) | ValueRef::Time(ms) | ValueRef::Timestamp(ms) => Some(ms),
        _ => None,
    };
    Ok(Some(match (logical, ms) {
        (Some("Date"), Some(ms)) if ms.rem_euclid(DAY_MS) != 0 => {
            let message = "Kafka Connect Date type should not have any time fields set to non-zero values.";
            return Err(ConnectError::bad_record(message));
        }
        (Some("Date"), Some(ms)) => Number::Integer(i64::from((ms / DAY_MS) as i32)),
        (Some("Time"), Some(ms)) if !(0..=DAY_MS).contains(&ms) => {
            let message = "Kafka Connect Time type should not have any date fields set to non-zero values.";
            return Err(ConnectError::bad_record(message));
        }
        (Some("Time" | "Timestamp"), Some(ms)) => Number::Integer(ms),
        (Some("Date" | "Time" | "Timestamp"), None) => {
            let message = format!("{} cannot be cast to java.util.Date", value.java_class());
            return Err(ConnectError::bad_record(message).with_exception(Exception::ClassCast));
        }
        _ => match value {
            ValueRef::Int8(v) => Number::Integer(v.into()),
            ValueRef::Int16(v) => Number::Integer(v.into()),
            ValueRef::Int32(v) => Number::Integer(v.into()),
            ValueRef::Int64(v) => Number::Integer(v),
            ValueRef::Float32(v) => Number::Float(v.into()),
            ValueRef::Float64(v) => Number::Float(v),
            ValueRef::Decimal(v) => Number::Decimal(v),
            _ => return Ok(None),
        },
    }))
}

/// As `Number.longValue`, or for the smaller types `Number.intValue`, which for floats stops at its bounds.
fn narrowed(number: &Number<'_>, to: SchemaType) -> i64 {
    match number {
        Number::Integer(v) => *v,
        Number::Float(v) if to == SchemaType::Int64 => *v as i64,
        Number::Float(v) => i64::from(*v as i32),
        Number::Decimal(v) => java_number::decimal_to_i64(v),
    }
}

/// The whole part, if it is an INT64.
fn whole(number: &Number<'_>) -> Option<i64> {
    match number {
        Number::Integer(v) => Some(*v),
        // The bounds are powers of two, so they are exact.
        Number::Float(v) => {
            (*v >= -9_223_372_036_854_775_808.0 && *v < 9_223_372_036_854_775_808.0).then_some(*v as i64)
        }
        Number::Decimal(v) => number::exact_i64(v),
    }
}

/// The lowest bits of `value` as an integer of that type.
fn integer_of(value: i64, to: SchemaType) -> Value {
    match to {
        SchemaType::Int8 => Value::Int8(value as i8),
        SchemaType::Int16 => Value::Int16(value as i16),
        SchemaType::Int32 => Value::Int32(value as i32),
        _ => Value::Int64(value),
    }
}

fn does_not_fit(value: ValueRef<'_>, to: SchemaType) -> ConnectError {
    let mut shown = Vec::new();
    java_text::append_value(&mut shown, value);
    ConnectError::bad_record(format!(
        "Value ({}) does not fit the type {}; set crossdock.compatibility=strict to change it as Kafka Connect does",
        String::from_utf8_lossy(&shown),
        to.name()
    ))
}

/// A date, or a date with time, before 1970-01-02.
fn append_early(out: &mut Vec<u8>, ms: i64, is_date: bool) {
    // The calendar repeats every 400 years: what comes out is right but for the year.
    const CYCLE_MS: i64 = 146_097 * DAY_MS;
    let cycles = 1 - ms.div_euclid(CYCLE_MS);
    let later = i128::from(ms) + i128::from(cycles) * i128::from(CYCLE_MS);
    let mut shifted = Vec::new();
    append_text(&mut shifted, ValueRef::Timestamp(i64::try_from(later).unwrap_or(i64::MAX)));
    let text = String::from_utf8_lossy(&shifted);
    let (year, rest) = text.split_at(text.find('-').unwrap_or(0));
    let year = year.parse::<i64>().unwrap_or(0) - cycles * 400;
    // Writing to a Vec cannot fail.
    let _ = write!(out, "{year:04}{rest}");
    if !is_date && !rest.contains('T') {
        out.extend_from_slice(b"T00:00:00.000Z");
    }
}
