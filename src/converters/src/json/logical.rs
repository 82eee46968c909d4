//! The logical types Decimal, Date, Time and Timestamp.

use super::error::{JsonError, Result};
use super::lexer::Kind;
use super::read::Reader;
use bigdecimal::num_bigint::BigInt;
use bigdecimal::{BigDecimal, RoundingMode, ToPrimitive};
use crossdock_api::{Schema, Value};
use std::str::FromStr;

pub(super) const DAY_MS: i64 = 86_400_000;

/// A logical type, by the name of a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Logical {
    Date,
    Decimal,
    Time,
    Timestamp,
}

impl Logical {
    #[inline]
    pub(super) fn of(schema: &Schema) -> Option<Self> {
        match schema.name()?.strip_prefix("org.apache.kafka.connect.data.")? {
            "Date" => Some(Self::Date),
            "Decimal" => Some(Self::Decimal),
            "Time" => Some(Self::Time),
            "Timestamp" => Some(Self::Timestamp),
            _ => None,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Date => "Date",
            Self::Decimal => "Decimal",
            Self::Time => "Time",
            Self::Timestamp => "Timestamp",
        }
    }
}

/// The scale that a Decimal's schema gives, in Connect's words if it does not.
pub(super) fn scale(schema: &Schema) -> std::result::Result<i32, &'static str> {
    match schema.parameters().find(|(key, _)| *key == "scale") {
        None => Err("Invalid Decimal schema: scale parameter not found."),
        Some((_, text)) => text.parse().map_err(|_| "Invalid scale parameter found in Decimal schema: "),
    }
}

impl Reader<'_> {
    /// A value, not null, of a logical type.
    pub(super) fn logical(&mut self, logical: Logical, schema: &Schema, kind: Kind) -> Result<Value> {
        let start = self.lexer.at();
        let invalid = |what: &str| {
            JsonError::data(
                start,
                format!(
                    "Invalid type for {}, underlying representation should be {what} but was {}",
                    logical.name(),
                    kind.name()
                ),
            )
        };
        match logical {
            Logical::Decimal => match kind {
                Kind::Number => {
                    let text = self.lexer.number()?.text;
                    decimal(text, start).map(|d| Value::Decimal(Box::new(d)))
                }
                Kind::String => {
                    let text = self.lexer.string()?;
                    let bytes = super::base64::decode(text.as_bytes()).filter(|b| !b.is_empty());
                    match (bytes, scale(schema)) {
                        (Some(bytes), Ok(scale)) => {
                            let unscaled = BigInt::from_signed_bytes_be(&bytes);
                            Ok(Value::Decimal(Box::new(BigDecimal::new(unscaled, i64::from(scale)))))
                        }
                        _ => Err(JsonError::data(start, "Invalid bytes for Decimal field")),
                    }
                }
                _ => Err(invalid("numeric or bytes")),
            },
            Logical::Date | Logical::Time => {
                let number = match kind {
                    Kind::Number => self.lexer.number()?,
                    _ => return Err(invalid("integer")),
                };
                let value: i32 = match number.text.parse() {
                    Ok(value) if !number.float => value,
                    _ => return Err(invalid("integer")),
                };
                if logical == Logical::Date {
                    return Ok(Value::Date(i64::from(value) * DAY_MS));
                }
                if !(0..=DAY_MS).contains(&i64::from(value)) {
                    return Err(JsonError::data(
                        start,
                        "Time values must use number of milliseconds greater than 0 and less than 86400000",
                    ));
                }
                Ok(Value::Time(i64::from(value)))
            }
            Logical::Timestamp => {
                let number = match kind {
                    Kind::Number => self.lexer.number()?,
                    _ => return Err(invalid("integral")),
                };
                if number.float {
                    return Err(invalid("integral"));
                }
                self.integer(number.text, start, crossdock_api::SchemaType::Int64).map(Value::Timestamp)
            }
        }
    }
}

/// The exact value of a number, its scale as written.
fn decimal(text: &str, at: usize) -> Result<BigDecimal> {
    let parsed =
        BigDecimal::from_str(text).ok().filter(|d| i32::try_from(d.as_bigint_and_exponent().1).is_ok());
    parsed.ok_or_else(|| {
        let shown: String = text.chars().take(60).collect();
        JsonError::data(at, format!("the number {shown} does not fit a decimal"))
    })
}

/// The low 64 bits of the whole part of a number, as Java's narrowing conversions give them.
pub(super) fn low_bits(text: &str) -> i64 {
    // Past this the low bits are zero, as 10ⁿ is a multiple of 2ⁿ.
    const MOST_DIGITS: i64 = 2000;
    let Ok(decimal) = BigDecimal::from_str(text) else { return 0 };
    let (unscaled, scale) = decimal.as_bigint_and_exponent();
    if !(-MOST_DIGITS..=MOST_DIGITS).contains(&scale) {
        return 0;
    }
    let whole = BigDecimal::new(unscaled, scale).with_scale_round(0, RoundingMode::Down);
    let modulus = BigInt::from(1) << 64;
    let (whole, _) = whole.into_bigint_and_exponent();
    let low: BigInt = ((whole % &modulus) + &modulus) % &modulus;
    low.to_u64().map_or(0, |bits| bits as i64)
}
