//! Numbers as Java reads them from text, and narrows them.

use bigdecimal::{BigDecimal, ToPrimitive};

/// First digits of the scripts that have their own, as `Character.isDigit` knows them below U+10000.
const ZEROS: [u32; 36] = [
    0x0660, 0x06f0, 0x07c0, 0x0966, 0x09e6, 0x0a66, 0x0ae6, 0x0b66, 0x0be6, 0x0c66, 0x0ce6, 0x0d66, 0x0de6,
    0x0e50, 0x0ed0, 0x0f20, 0x1040, 0x1090, 0x17e0, 0x1810, 0x1946, 0x19d0, 0x1a80, 0x1a90, 0x1b50, 0x1bb0,
    0x1c40, 0x1c50, 0xa620, 0xa8d0, 0xa900, 0xa9d0, 0xa9f0, 0xaa50, 0xabf0, 0xff10,
];

/// The value of a decimal digit of any script (`Character.digit`).
pub fn digit(character: char) -> Option<u32> {
    if character.is_ascii() {
        return character.to_digit(10);
    }
    let code = u32::from(character);
    ZEROS.iter().find(|zero| (**zero..**zero + 10).contains(&code)).map(|zero| code - zero)
}

/// As `Long.parseLong`: digits with an optional sign, nothing around them.
pub fn parse_i64(text: &str) -> Option<i64> {
    if text.is_ascii() {
        return text.parse().ok();
    }
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let mut value = 0i64;
    for character in digits.chars() {
        let digit = i64::from(digit(character)?);
        let shifted = value.checked_mul(10)?;
        value = if negative { shifted.checked_sub(digit)? } else { shifted.checked_add(digit)? };
    }
    Some(value)
}

/// As `Double.parseDouble`: blanks around it, `NaN`, `Infinity`, an `f` or `d` behind it, hexadecimal.
pub fn parse_f64(text: &str) -> Option<f64> {
    match Literal::of(text)? {
        Literal::Decimal(digits) => digits.parse().ok(),
        Literal::Hexadecimal { negative, bits, exponent } => {
            let value = scaled(bits as f64, exponent);
            Some(if negative { -value } else { value })
        }
    }
}

/// As `Float.parseFloat`, see [`parse_f64`].
pub fn parse_f32(text: &str) -> Option<f32> {
    match Literal::of(text)? {
        Literal::Decimal(digits) => digits.parse().ok(),
        Literal::Hexadecimal { negative, bits, exponent } => {
            let value = scaled(bits as f64, exponent) as f32;
            Some(if negative { -value } else { value })
        }
    }
}

enum Literal<'a> {
    /// What Rust reads as well.
    Decimal(&'a str),
    Hexadecimal {
        negative: bool,
        bits: u64,
        exponent: i64,
    },
}

impl<'a> Literal<'a> {
    fn of(text: &'a str) -> Option<Self> {
        let text = text.trim_matches(|c: char| c <= ' ');
        let (negative, unsigned) = match text.as_bytes().first()? {
            b'-' => (true, &text[1..]),
            b'+' => (false, &text[1..]),
            _ => (false, text),
        };
        match unsigned.as_bytes() {
            b"NaN" | b"Infinity" => return Some(Self::Decimal(text)),
            [b'0', b'x' | b'X', ..] => return hexadecimal(negative, &unsigned[2..]),
            // Rust takes `inf` and the like too.
            [b'0'..=b'9' | b'.', ..] => {}
            _ => return None,
        }
        Some(Self::Decimal(text.strip_suffix(['f', 'F', 'd', 'D']).unwrap_or(text)))
    }
}

/// `1.8p3`, of which the sign and `0x` are gone.
fn hexadecimal(negative: bool, text: &str) -> Option<Literal<'_>> {
    let text = text.strip_suffix(['f', 'F', 'd', 'D']).filter(|t| t.contains(['p', 'P'])).unwrap_or(text);
    let (mantissa, exponent) = text.split_once(['p', 'P'])?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.len() + fraction.len() == 0 {
        return None;
    }
    let mut exponent = parse_i64(exponent.strip_prefix('+').unwrap_or(exponent))?;
    let mut bits = 0u64;
    for (at, character) in whole.chars().chain(fraction.chars()).enumerate() {
        let digit = u64::from(character.to_digit(16)?);
        if bits < 1 << 59 {
            bits = bits << 4 | digit;
            exponent = exponent.checked_sub(if at >= whole.len() { 4 } else { 0 })?;
        } else {
            // Beyond what a double holds; only whether there is more matters, for rounding.
            bits |= u64::from(digit != 0);
            exponent = exponent.checked_add(if at < whole.len() { 4 } else { 0 })?;
        }
    }
    Some(Literal::Hexadecimal { negative, bits, exponent })
}

/// `value` times 2 to the power of `exponent`.
fn scaled(value: f64, exponent: i64) -> f64 {
    // In steps, since a power of two overflows before the product does.
    let mut rest = exponent.clamp(-5000, 5000);
    let mut value = value;
    while rest != 0 && value != 0.0 && value.is_finite() {
        let step = rest.clamp(-1000, 1000);
        value *= 2f64.powi(step as i32);
        rest -= step;
    }
    value
}

/// As `BigDecimal.longValue`: without the fraction, the lowest 64 bits.
pub fn decimal_to_i64(value: &BigDecimal) -> i64 {
    let (unscaled, scale) = value.as_bigint_and_exponent();
    // Nothing before the point, or so many zeros there that the lowest 64 bits are none.
    let digits = i64::try_from(unscaled.magnitude().bits()).unwrap_or(i64::MAX) / 3 + 1;
    if scale <= -64 || scale > digits {
        return 0;
    }
    let whole = value.with_scale_round(0, bigdecimal::RoundingMode::Down).into_bigint_and_exponent().0;
    let low = whole.magnitude().iter_u64_digits().next().unwrap_or(0) as i64;
    if whole.sign() == bigdecimal::num_bigint::Sign::Minus { low.wrapping_neg() } else { low }
}

/// As `BigDecimal.doubleValue`: the nearest one, or infinity.
pub fn decimal_to_f64(value: &BigDecimal) -> f64 {
    scientific(value).parse().unwrap_or(f64::NAN)
}

/// As `BigDecimal.floatValue`.
pub fn decimal_to_f32(value: &BigDecimal) -> f32 {
    scientific(value).parse().unwrap_or(f32::NAN)
}

fn scientific(value: &BigDecimal) -> String {
    let (unscaled, scale) = value.as_bigint_and_exponent();
    match unscaled.to_i64() {
        Some(unscaled) => format!("{unscaled}e{}", -i128::from(scale)),
        None => format!("{unscaled}e{}", -i128::from(scale)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::str::FromStr;

    #[test]
    fn doubles_are_read_as_in_java() {
        for (text, value) in [
            ("0x1p3", 8.0),
            (" 0x1.8p1f ", 3.0),
            ("1f", 1.0),
            ("1e3d", 1000.0),
            (".5", 0.5),
            ("5.", 5.0),
            ("-Infinity", f64::NEG_INFINITY),
            ("0x1p-1074", 5e-324),
            ("0x1p99999", f64::INFINITY),
        ] {
            assert_eq!(parse_f64(text), Some(value), "{text}");
        }
        for text in ["inf", "nan", "1,5", "", "0x1", "1_000", "infinity", "--1", "0xp3", "1ff", "f"] {
            assert_eq!(parse_f64(text), None, "{text}");
        }
        assert!(parse_f64("NaN").unwrap().is_nan());
    }

    #[test]
    fn integers_may_have_digits_of_any_script() {
        assert_eq!(parse_i64("\u{661}\u{662}"), Some(12));
        assert_eq!(parse_i64("-\u{661}"), Some(-1));
        assert_eq!(parse_i64("+3"), Some(3));
        for text in ["", "+", "-", "1 ", "0x1", "9223372036854775808", "\u{661}x"] {
            assert_eq!(parse_i64(text), None, "{text}");
        }
    }

    #[test]
    fn decimals_are_narrowed_in_bounded_time() {
        let long = |text: &str| decimal_to_i64(&BigDecimal::from_str(text).unwrap());
        assert_eq!(long("12.99"), 12);
        assert_eq!(long("-12.99"), -12);
        assert_eq!(long("9223372036854775808"), i64::MIN);
        assert_eq!(long("18446744073709551617"), 1);
        assert_eq!(long("1e1000000000"), 0);
        assert_eq!(long("1e-1000000000"), 0);
        assert_eq!(long("1e20"), 7766279631452241920);
        assert_eq!(decimal_to_f64(&BigDecimal::from_str("1e1000000000").unwrap()), f64::INFINITY);
        assert_eq!(decimal_to_f32(&BigDecimal::from_str("0.1").unwrap()), 0.1);
    }
}
