//! Equality as Java's: 1.0 is not 1.00, -0.0 is not 0.0, NaN is NaN, and maps have no order. It is that of contents also
//! for bytes, and a date is never equal to a timestamp, though both are a `java.util.Date` there.

use super::{Value, ValueRef};
use crate::nesting::descend;

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::String(a), Self::String(b)) => a == b,
            _ => self.as_ref() == other.as_ref(),
        }
    }
}

impl PartialEq for ValueRef<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Int8(a), Self::Int8(b)) => a == b,
            (Self::Int16(a), Self::Int16(b)) => a == b,
            (Self::Int32(a), Self::Int32(b)) => a == b,
            (Self::Int64(a), Self::Int64(b))
            | (Self::Date(a), Self::Date(b))
            | (Self::Time(a), Self::Time(b))
            | (Self::Timestamp(a), Self::Timestamp(b)) => a == b,
            (Self::Float32(a), Self::Float32(b)) => float_bits(f64::from(*a)) == float_bits(f64::from(*b)),
            (Self::Float64(a), Self::Float64(b)) => float_bits(*a) == float_bits(*b),
            (Self::Boolean(a), Self::Boolean(b)) => a == b,
            (Self::String(a), Self::String(b)) => a == b,
            (Self::Bytes(a), Self::Bytes(b)) => a == b,
            (Self::Array(a), Self::Array(b)) => descend(|| a == b),
            (Self::Map(a), Self::Map(b)) => a == b,
            (Self::Struct(a), Self::Struct(b)) => a == b,
            (Self::Decimal(a), Self::Decimal(b)) => a.as_bigint_and_scale() == b.as_bigint_and_scale(),
            _ => false,
        }
    }
}

/// As `Double.doubleToLongBits`: every NaN is the same.
pub(super) fn float_bits(value: f64) -> u64 {
    if value.is_nan() { f64::NAN.to_bits() } else { value.to_bits() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equality_is_javas() {
        let decimal = |text: &str| Value::Decimal(Box::new(text.parse().unwrap()));
        for (a, b) in [
            (Value::Float64(0.0), Value::Float64(-0.0)),
            (Value::Float32(0.0), Value::Float32(-0.0)),
            (decimal("1.0"), decimal("1.00")),
            (Value::Int8(1), Value::Int16(1)),
        ] {
            assert_ne!(a, b);
            assert_eq!(a, a.clone());
        }
        assert_eq!(Value::Float64(f64::NAN), Value::Float64(-f64::NAN));
    }
}
