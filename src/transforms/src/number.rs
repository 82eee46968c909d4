//! Decimals that are not changed by becoming something else.

use bigdecimal::num_bigint::BigInt;
use bigdecimal::{BigDecimal, ToPrimitive, Zero};

/// A decimal may be written out to this many digits: what is larger is zero or out of range anyway.
const MOST_DIGITS: i64 = 4096;

/// The whole part of a decimal, if it is not too long to be written out.
fn whole(decimal: &BigDecimal) -> Option<BigInt> {
    let (unscaled, scale) = decimal.as_bigint_and_exponent();
    if unscaled.is_zero() || scale == 0 {
        return Some(unscaled);
    }
    if scale.unsigned_abs() > MOST_DIGITS.unsigned_abs() {
        // Nothing is left before the point, unless the decimal is of that many digits.
        let digits = unscaled.bits() / 3;
        return (scale > 0 && digits < scale.unsigned_abs()).then(BigInt::zero);
    }
    Some(decimal.with_scale_round(0, bigdecimal::RoundingMode::Down).into_bigint_and_exponent().0)
}

/// The whole part of a decimal, if it fits.
pub(crate) fn exact_i64(decimal: &BigDecimal) -> Option<i64> {
    whole(decimal)?.to_i64()
}

/// The same number with another scale, if it has one that is not absurd.
pub(crate) fn rescaled(decimal: &BigDecimal, scale: i64) -> Option<BigDecimal> {
    let (_, old) = decimal.as_bigint_and_exponent();
    if old.abs() > MOST_DIGITS || scale.abs() > MOST_DIGITS {
        return None;
    }
    let scaled = decimal.with_scale(scale);
    (scaled == *decimal).then_some(scaled)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::str::FromStr;

    #[test]
    fn what_is_too_long_is_not_written_out() {
        for (text, whole, rescaled_to_2) in [
            ("1.999", Some(1), false),
            ("-1.9", Some(-1), true),
            ("1e3", Some(1000), true),
            ("9223372036854775808", None, true),
            ("1e-5000", Some(0), false),
            ("1e2000000000", None, false),
            ("1e-2000000000", Some(0), false),
        ] {
            let decimal = BigDecimal::from_str(text).unwrap();
            assert_eq!(exact_i64(&decimal), whole, "{text}");
            assert_eq!(rescaled(&decimal, 2).is_some(), rescaled_to_2, "{text}");
        }
    }
}
