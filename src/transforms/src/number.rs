//! Numbers as Java reads and narrows them.

use bigdecimal::num_bigint::BigInt;
use bigdecimal::{BigDecimal, ToPrimitive, Zero};
use crossdock_converters::digit;

/// A decimal may be written out to this many digits: what is larger is zero or out of range anyway.
const MOST_DIGITS: i64 = 4096;

/// `Long.parseLong` and its kin: a sign, and digits of any script.
pub(crate) fn parse_integer(text: &str, min: i64, max: i64) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if digits.is_empty() {
        return None;
    }
    let value = digits.chars().try_fold(0i64, |value, character| {
        let digit = i64::from(digit(character)?);
        let tens = value.checked_mul(10)?;
        if negative { tens.checked_sub(digit) } else { tens.checked_add(digit) }
    })?;
    (min..=max).contains(&value).then_some(value)
}

/// The text that `Double.parseDouble` and `Float.parseFloat` read, in a form that Rust reads to the same
/// number. Hexadecimal numbers are not read.
pub(crate) fn float_text(text: &str) -> Option<&str> {
    let text = text.trim_matches(|c: char| c <= ' ');
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if matches!(unsigned, "NaN" | "Infinity") {
        return Some(text);
    }
    let text = text.strip_suffix(['f', 'F', 'd', 'D']).unwrap_or(text);
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.strip_prefix(['+', '-']).unwrap_or(exponent)),
        None => (unsigned, "0"),
    };
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let is_number = digits(whole) && digits(fraction) && digits(exponent);
    (is_number && !exponent.is_empty() && !(whole.is_empty() && fraction.is_empty())).then_some(text)
}

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

/// `BigDecimal.longValue`: the lowest 64 bits of the whole part.
pub(crate) fn java_i64(decimal: &BigDecimal) -> i64 {
    // A number with 64 or more zeros at its end has none of its lowest 64 bits set.
    let Some(whole) = whole(decimal) else { return 0 };
    let low = whole.iter_u64_digits().next().unwrap_or(0);
    let low = if whole.sign() == bigdecimal::num_bigint::Sign::Minus { low.wrapping_neg() } else { low };
    low as i64
}

/// The whole part of a decimal, if it fits.
pub(crate) fn exact_i64(decimal: &BigDecimal) -> Option<i64> {
    whole(decimal)?.to_i64()
}

/// `BigDecimal.doubleValue`: the nearest double, or infinity.
pub(crate) fn java_f64(decimal: &BigDecimal) -> f64 {
    let (unscaled, scale) = decimal.as_bigint_and_exponent();
    // The exponent has a point before it, so that the text is always that of a float.
    format!("{unscaled}.0e{}", -i128::from(scale)).parse().unwrap_or(f64::NAN)
}

/// `BigDecimal.floatValue`: the nearest float, or infinity.
pub(crate) fn java_f32(decimal: &BigDecimal) -> f32 {
    let (unscaled, scale) = decimal.as_bigint_and_exponent();
    format!("{unscaled}.0e{}", -i128::from(scale)).parse().unwrap_or(f32::NAN)
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
    fn decimals_are_narrowed_as_in_java() {
        for (text, expected) in [
            ("1.9", 1),
            ("-1.9", -1),
            ("1e-5000", 0),
            ("18446744073709551617", 1),
            ("-18446744073709551617", -1),
            ("9223372036854775808", i64::MIN),
            ("1e2000000000", 0),
            ("1e100", 0),
        ] {
            assert_eq!(java_i64(&BigDecimal::from_str(text).unwrap()), expected, "{text}");
        }
        assert_eq!(exact_i64(&BigDecimal::from_str("1e2000000000").unwrap()), None);
        assert_eq!(java_f64(&BigDecimal::from_str("1e2000000000").unwrap()), f64::INFINITY);
        assert_eq!(java_f64(&BigDecimal::from_str("-12.5").unwrap()), -12.5);
    }

    #[test]
    fn floats_are_read_as_in_java() {
        for good in ["1", " 1.5 ", "+1.", ".5", "1e3", "-1E-3f", "1d", "NaN", "-Infinity"] {
            let text = float_text(good).unwrap_or_else(|| panic!("{good}"));
            assert!(text.parse::<f64>().is_ok(), "{good}");
        }
        for bad in ["", " ", ".", "1e", "inf", "nan", "infinity", "1_0", "e5", "1.5.5", "f", "NaNd"] {
            assert_eq!(float_text(bad), None, "{bad}");
        }
    }

    #[test]
    fn integers_are_read_as_in_java() {
        assert_eq!(parse_integer("-128", -128, 127), Some(-128));
        assert_eq!(parse_integer("+7", -128, 127), Some(7));
        assert_eq!(parse_integer("١٢", -128, 127), Some(12));
        assert_eq!(parse_integer("-9223372036854775808", i64::MIN, i64::MAX), Some(i64::MIN));
        for bad in ["", "-", "128", " 1", "1.0", "9223372036854775808"] {
            assert_eq!(parse_integer(bad, -128, 127), None, "{bad}");
        }
    }
}
