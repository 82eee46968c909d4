//! Numbers as what their schema says, without loss.

use super::error::{JsonError, Result};
use super::lexer::Plain;
use super::read::Reader;
use crossdock_api::{SchemaType, Value};

impl Reader<'_> {
    pub(super) fn number(&mut self, kind: SchemaType, start: usize) -> Result<Value> {
        if let Some(value) = self.plain_number(kind) {
            return Ok(value);
        }
        let text = self.lexer.number()?.text;
        Ok(match kind {
            SchemaType::Int8 => Value::Int8(self.integer(text, start, kind)? as i8),
            SchemaType::Int16 => Value::Int16(self.integer(text, start, kind)? as i16),
            SchemaType::Int32 => Value::Int32(self.integer(text, start, kind)? as i32),
            SchemaType::Int64 => Value::Int64(self.integer(text, start, kind)?),
            SchemaType::Float32 => match text.parse::<f32>() {
                Ok(value) if self.lenient() => Value::Float32(value + 0.0),
                Ok(value) if value.is_finite() => Value::Float32(value),
                _ => return Err(out_of_range(text, kind, start)),
            },
            _ => Value::Float64(self.double(text, start)?),
        })
    }

    pub(super) fn double(&self, text: &str, start: usize) -> Result<f64> {
        match text.parse::<f64>() {
            // By way of a BigDecimal, Java loses the sign of zero.
            Ok(value) if self.lenient() => Ok(value + 0.0),
            Ok(value) if value.is_finite() => Ok(value),
            _ => Err(out_of_range(text, SchemaType::Float64, start)),
        }
    }

    /// An integer that fits the type. Where Connect's behaviour is asked for it is cut off as Java does.
    pub(super) fn integer(&self, text: &str, start: usize, kind: SchemaType) -> Result<i64> {
        let exact = match text.parse::<i64>() {
            Ok(value) => Some(value),
            Err(_) => exact_integer(text),
        };
        let (min, max) = match kind {
            SchemaType::Int8 => (i64::from(i8::MIN), i64::from(i8::MAX)),
            SchemaType::Int16 => (i64::from(i16::MIN), i64::from(i16::MAX)),
            SchemaType::Int32 => (i64::from(i32::MIN), i64::from(i32::MAX)),
            _ => (i64::MIN, i64::MAX),
        };
        match exact {
            Some(value) if (min..=max).contains(&value) => Ok(value),
            _ if self.lenient() => Ok(cut_off(text, kind)),
            _ => Err(out_of_range(text, kind, start)),
        }
    }

    /// A number of few digits, if it is of the kind. Else nothing is read.
    #[inline]
    fn plain_number(&mut self, kind: SchemaType) -> Option<Value> {
        let mut ahead = self.lexer.clone();
        let value = match (kind, ahead.plain_number()?) {
            (SchemaType::Int8, Plain::Int(value)) => Value::Int8(value.try_into().ok()?),
            (SchemaType::Int16, Plain::Int(value)) => Value::Int16(value.try_into().ok()?),
            (SchemaType::Int32, Plain::Int(value)) => Value::Int32(value.try_into().ok()?),
            (SchemaType::Int64, Plain::Int(value)) => Value::Int64(value),
            // The nearest double, as if it were read from the text.
            (SchemaType::Float64, Plain::Int(value)) => Value::Float64(value as f64),
            (SchemaType::Float64, Plain::Float(value)) => Value::Float64(value),
            _ => return None,
        };
        self.lexer = ahead;
        Some(value)
    }
}

#[cold]
fn out_of_range(text: &str, kind: SchemaType, at: usize) -> JsonError {
    let shown: String = text.chars().take(60).collect();
    JsonError::data(at, format!("the number {shown} does not fit {} without loss", kind.name()))
}

/// The value of a number such as `1.0` or `1e3` that is written as a float but is an integer.
fn exact_integer(text: &str) -> Option<i64> {
    let value: f64 = text.parse().ok()?;
    // Up to 2⁵³ every integer is exact, so a float text without fraction is what it says.
    (value.fract() == 0.0 && value.abs() <= 9_007_199_254_740_992.0 && is_written_as_integer(text))
        .then_some(value as i64)
}

/// Whether the digits themselves say an integer: `1.5e1` does, `1.0000000000000000000001` does not.
fn is_written_as_integer(text: &str) -> bool {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let Ok(exponent) = exponent.parse::<i64>() else { return false };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits: Vec<u8> = whole.bytes().filter(u8::is_ascii_digit).chain(fraction.bytes()).collect();
    let after_point = fraction.len() as i64 - exponent;
    let zeros = digits.iter().rev().take_while(|d| **d == b'0').count() as i64;
    zeros == digits.len() as i64 || zeros >= after_point
}

/// `JsonNode.intValue` and `longValue` of a number that does not fit: the low bits of the whole part.
fn cut_off(text: &str, kind: SchemaType) -> i64 {
    let low = super::logical::low_bits(text);
    match kind {
        SchemaType::Int64 => low,
        // byte and short are cut from int.
        SchemaType::Int8 => i64::from(low as i32 as i8),
        SchemaType::Int16 => i64::from(low as i32 as i16),
        _ => i64::from(low as i32),
    }
}
