//! Which type a number in text is: the smallest integer that holds it, else FLOAT32, FLOAT64, Decimal.

use crate::java_number::digit;
use crate::{Schema, SchemaType, Value};
use bigdecimal::{BigDecimal, ToPrimitive};
use std::str::FromStr;
use std::sync::Arc;

/// The number that all of `text` is. Mirrors `ValueParser.parseAsNumber`.
pub(super) fn parse(text: &str) -> Option<(Arc<Schema>, Value)> {
    let decimal = java_decimal(text)?;
    let (unscaled, scale) = decimal.as_bigint_and_exponent();
    let digits = unscaled.magnitude().to_string().len() as i64;
    let is_zero = decimal.sign() == bigdecimal::num_bigint::Sign::NoSign;
    // The exponent of the first digit: comparing decimals of very different scale is costly.
    let leading = digits - 1 - scale;
    if is_zero || (0..=19).contains(&leading) {
        let whole = if is_zero { BigDecimal::from(0) } else { decimal.normalized() };
        if let (0, Some(integer)) = (whole.fractional_digit_count().max(0), whole.to_i64()) {
            return Some(smallest(integer));
        }
    }
    let schema = |kind| Arc::new(Schema::new(kind));
    let shown = || format!("{unscaled}e{}", -scale);
    if scale != 0 {
        if let Some(value) = shown().parse::<f32>().ok().filter(|v| v.is_finite()) {
            return Some((schema(SchemaType::Float32), Value::Float32(value + 0.0)));
        }
        if let Some(value) = shown().parse::<f64>().ok().filter(|v| v.is_finite()) {
            return Some((schema(SchemaType::Float64), Value::Float64(value)));
        }
    }
    let schema = Schema::new(SchemaType::Bytes)
        .with_name("org.apache.kafka.connect.data.Decimal")
        .with_version(1)
        .with_parameter("scale", &scale.to_string());
    Some((Arc::new(schema), Value::Decimal(Box::new(decimal))))
}

fn smallest(integer: i64) -> (Arc<Schema>, Value) {
    let (kind, value) = if let Ok(v) = i8::try_from(integer) {
        (SchemaType::Int8, Value::Int8(v))
    } else if let Ok(v) = i16::try_from(integer) {
        (SchemaType::Int16, Value::Int16(v))
    } else if let Ok(v) = i32::try_from(integer) {
        (SchemaType::Int32, Value::Int32(v))
    } else {
        (SchemaType::Int64, Value::Int64(integer))
    };
    (Arc::new(Schema::new(kind)), value)
}

/// `new BigDecimal(text)`: sign, digits with at most one point, exponent; the scale is an int.
pub fn java_decimal(text: &str) -> Option<BigDecimal> {
    const MOST: usize = 10_000;
    if text.len() > MOST {
        return None;
    }
    let ascii: String =
        text.chars().map(|c| digit(c).and_then(|d| char::from_digit(d, 10)).unwrap_or(c)).collect();
    let unsigned = ascii.strip_prefix(['+', '-']).unwrap_or(&ascii);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all_digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if whole.len() + fraction.len() == 0 || !all_digits(whole) || !all_digits(fraction) {
        return None;
    }
    if let Some(exponent) = exponent {
        let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        if digits.is_empty() || !all_digits(digits) || exponent.parse::<i32>().is_err() {
            return None;
        }
    }
    let sign = if ascii.starts_with('-') { "-" } else { "" };
    let whole = if whole.is_empty() { "0" } else { whole };
    let point = if fraction.is_empty() { "" } else { "." };
    let plain = format!("{sign}{whole}{point}{fraction}e{}", exponent.unwrap_or("0"));
    let decimal = BigDecimal::from_str(&plain).ok()?;
    i32::try_from(decimal.as_bigint_and_exponent().1).is_ok().then_some(decimal)
}
