//! Values as text, exactly as Java's `toString` writes them.
//!
//! Connect's string converter, file sink and casts are defined by `String.valueOf(value)`, so users see
//! this text in their topics and files. Dates are shown in UTC.

mod few_decimals;
mod java17;

use crate::java_date::calendar::{Date, date_of};
use crate::nesting::descend;
use crate::{Map, Strictness, Struct, Value, ValueRef};
use bigdecimal::BigDecimal;
use std::borrow::Cow;
use std::io::Write;

/// Appends `value` as `String.valueOf` gives it: `1.0E10`, `[1, 2]`, `{a=1}`, `Struct{a=1}`.
///
/// Bytes come out as `[B@0`: Java prints the address of the array, which means nothing. Callers that
/// must not lose data check for bytes first, see [`holds_bytes`].
pub fn append_value(out: &mut Vec<u8>, value: ValueRef<'_>) {
    append_value_as(out, value, Strictness::Safe);
}

/// As [`append_value`], with the digits of Java 17 for floating-point numbers if it is to be as Connect's.
pub fn append_value_as(out: &mut Vec<u8>, value: ValueRef<'_>, strictness: Strictness) {
    match value {
        ValueRef::Null => out.extend_from_slice(b"null"),
        ValueRef::Int8(v) => append_i64(out, i64::from(v)),
        ValueRef::Int16(v) => append_i64(out, i64::from(v)),
        ValueRef::Int32(v) => append_i64(out, i64::from(v)),
        ValueRef::Int64(v) => append_i64(out, v),
        ValueRef::Float32(v) => append_f32_as(out, v, strictness),
        ValueRef::Float64(v) => append_f64_as(out, v, strictness),
        ValueRef::Boolean(v) => out.extend_from_slice(if v { b"true" } else { b"false" }),
        ValueRef::String(v) => out.extend_from_slice(v.as_bytes()),
        ValueRef::Bytes(_) => out.extend_from_slice(b"[B@0"),
        ValueRef::Array(items) => descend(|| append_array(out, items, strictness)),
        ValueRef::Map(map) => descend(|| append_map(out, map, strictness)),
        ValueRef::Struct(record) => descend(|| append_struct(out, record, strictness)),
        ValueRef::Decimal(v) => append_decimal(out, v),
        ValueRef::Date(ms) | ValueRef::Time(ms) | ValueRef::Timestamp(ms) => append_date(out, ms),
    }
}

/// Whether there are bytes anywhere in `value`: then Java's text for it loses them.
pub fn holds_bytes(value: ValueRef<'_>) -> bool {
    let inside = |v: &Value| holds_bytes(v.as_ref());
    match value {
        ValueRef::Bytes(_) => true,
        ValueRef::Array(items) => descend(|| items.iter().any(inside)),
        ValueRef::Map(map) => descend(|| map.iter().any(|(k, v)| inside(k) || inside(v))),
        ValueRef::Struct(record) => descend(|| record.values().iter().any(inside)),
        _ => false,
    }
}

fn append_array(out: &mut Vec<u8>, items: &[Value], strictness: Strictness) {
    out.push(b'[');
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.extend_from_slice(b", ");
        }
        append_value_as(out, item.as_ref(), strictness);
    }
    out.push(b']');
}

fn append_map(out: &mut Vec<u8>, map: &Map, strictness: Strictness) {
    out.push(b'{');
    for (index, (key, value)) in map.iter().enumerate() {
        if index > 0 {
            out.extend_from_slice(b", ");
        }
        append_value_as(out, key.as_ref(), strictness);
        out.push(b'=');
        append_value_as(out, value.as_ref(), strictness);
    }
    out.push(b'}');
}

/// As `Struct.toString`: null fields are left out.
pub(crate) fn append_struct(out: &mut Vec<u8>, record: &Struct, strictness: Strictness) {
    out.extend_from_slice(b"Struct{");
    let fields = record.schema().fields().iter().zip(record.values());
    for (index, (field, value)) in fields.filter(|(_, v)| !v.is_null()).enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.extend_from_slice(field.name.as_bytes());
        out.push(b'=');
        append_value_as(out, value.as_ref(), strictness);
    }
    out.push(b'}');
}

/// Appends an integer.
pub fn append_i64(out: &mut Vec<u8>, value: i64) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// As [`append_f64`], with the digits of Java 17 if it is to be as Connect's.
pub fn append_f64_as(out: &mut Vec<u8>, value: f64, strictness: Strictness) {
    if strictness == Strictness::Safe || !value.is_finite() || value == 0.0 {
        return append_f64(out, value);
    }
    append_decimal_digits(out, value < 0.0, &java17::of_f64(value.abs()));
}

/// As [`append_f32`], with the digits of Java 17 if it is to be as Connect's.
pub fn append_f32_as(out: &mut Vec<u8>, value: f32, strictness: Strictness) {
    if strictness == Strictness::Safe || !value.is_finite() || value == 0.0 {
        return append_f32(out, value);
    }
    append_decimal_digits(out, value < 0.0, &java17::of_f32(value.abs()));
}

fn append_decimal_digits(out: &mut Vec<u8>, negative: bool, decimal: &java17::Decimal) {
    let (first, rest) = decimal.digits.split_first().unwrap_or((&0, &[]));
    let rest: String = rest.iter().map(|digit| char::from(b'0' + digit)).collect();
    let fraction = if rest.is_empty() { "0" } else { &rest };
    let text = format!("{first}.{fraction}e{}", decimal.exponent - 1);
    append_float(out, negative, false, false, &text);
}

/// Appends a double as `Double.toString` gives it (of Java 19 and later: always the shortest digits).
pub fn append_f64(out: &mut Vec<u8>, value: f64) {
    // Without an exponent the shortest text is the same everywhere.
    if (1e-3..1e7).contains(&value.abs()) {
        if !few_decimals::append(out, value) {
            out.extend_from_slice(ryu::Buffer::new().format_finite(value).as_bytes());
        }
        return;
    }
    let mut digits = Digits::default();
    // Writing to Digits cannot fail: the longest is 1.7976931348623157e-308.
    let _ = write!(digits, "{:e}", value.abs());
    // One digit is not enough for Java: 4.9E-324, not 5E-324.
    if !digits.text().contains('.') {
        digits = Digits::default();
        let _ = write!(digits, "{:.1e}", value.abs());
    }
    append_float(out, value.is_sign_negative(), value.is_nan(), value.is_infinite(), digits.text());
}

/// Appends a float as `Float.toString` gives it.
pub fn append_f32(out: &mut Vec<u8>, value: f32) {
    if (1e-3..1e7).contains(&value.abs()) {
        return out.extend_from_slice(ryu::Buffer::new().format_finite(value).as_bytes());
    }
    let mut digits = Digits::default();
    let _ = write!(digits, "{:e}", value.abs());
    if !digits.text().contains('.') {
        digits = Digits::default();
        let _ = write!(digits, "{:.1e}", value.abs());
    }
    append_float(out, value.is_sign_negative(), value.is_nan(), value.is_infinite(), digits.text());
}

/// A float's text on the stack.
#[derive(Default)]
struct Digits {
    bytes: [u8; 32],
    len: usize,
}

impl Digits {
    fn text(&self) -> &str {
        // Only ASCII is written.
        std::str::from_utf8(&self.bytes[..self.len]).unwrap_or_default()
    }
}

impl Write for Digits {
    fn write(&mut self, text: &[u8]) -> std::io::Result<usize> {
        let room = &mut self.bytes[self.len..];
        let len = text.len().min(room.len());
        room[..len].copy_from_slice(&text[..len]);
        self.len += len;
        Ok(len)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// `scientific` is `d.ddde±x`: plain from 10⁻³ up to 10⁷, else with an exponent.
fn append_float(out: &mut Vec<u8>, negative: bool, nan: bool, infinite: bool, scientific: &str) {
    if nan {
        return out.extend_from_slice(b"NaN");
    }
    if negative {
        out.push(b'-');
    }
    if infinite {
        return out.extend_from_slice(b"Infinity");
    }
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((scientific, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let zero = whole == "0" && fraction.bytes().all(|b| b == b'0');
    match exponent {
        _ if zero => out.extend_from_slice(b"0.0"),
        -3..=-1 => {
            out.extend_from_slice(b"0.");
            out.extend(std::iter::repeat_n(b'0', (-exponent - 1) as usize));
            out.extend_from_slice(whole.as_bytes());
            if fraction != "0" {
                out.extend_from_slice(fraction.as_bytes());
            }
        }
        0..=6 => {
            let shift = exponent as usize;
            out.extend_from_slice(whole.as_bytes());
            let moved = &fraction.as_bytes()[..shift.min(fraction.len())];
            out.extend_from_slice(moved);
            out.extend(std::iter::repeat_n(b'0', shift - moved.len()));
            out.push(b'.');
            let rest = &fraction.as_bytes()[moved.len()..];
            out.extend_from_slice(if rest.is_empty() { b"0" } else { rest });
        }
        _ => {
            let _ = write!(out, "{whole}.{fraction}E{exponent}");
        }
    }
}

/// Appends a decimal as `BigDecimal.toString` gives it: with an exponent if the scale is negative or
/// there would be more than five zeros after the point.
pub fn append_decimal(out: &mut Vec<u8>, value: &BigDecimal) {
    let (unscaled, scale) = value.as_bigint_and_exponent();
    let text = unscaled.to_string();
    let digits = match text.strip_prefix('-') {
        Some(digits) => {
            out.push(b'-');
            digits
        }
        None => &text,
    };
    let adjusted = -i128::from(scale) + digits.len() as i128 - 1;
    if scale == 0 {
        out.extend_from_slice(digits.as_bytes());
    } else if scale > 0 && adjusted >= -6 {
        let scale = scale as usize;
        if digits.len() > scale {
            let (whole, fraction) = digits.split_at(digits.len() - scale);
            let _ = write!(out, "{whole}.{fraction}");
        } else {
            out.extend_from_slice(b"0.");
            out.extend(std::iter::repeat_n(b'0', scale - digits.len()));
            out.extend_from_slice(digits.as_bytes());
        }
    } else {
        let (whole, fraction) = digits.split_at(1);
        out.extend_from_slice(whole.as_bytes());
        if !fraction.is_empty() {
            let _ = write!(out, ".{fraction}");
        }
        if adjusted != 0 {
            let _ = write!(out, "E{adjusted:+}");
        }
    }
}

/// Appends milliseconds since the epoch as `java.util.Date.toString` gives them in UTC: `Thu Jan 01
/// 00:00:00 UTC 1970`. As there, dates before 15 October 1582 are in the Julian calendar.
fn append_date(out: &mut Vec<u8>, ms: i64) {
    const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let day = ms.div_euclid(86_400_000);
    let second = ms.rem_euclid(86_400_000) / 1000;
    let Date { year, month, day: date } = date_of(day);
    let weekday = WEEKDAYS[day.rem_euclid(7) as usize];
    // Years before 1 are counted backwards, without a sign.
    let year = if year > 0 { year } else { 1 - year };
    let month = MONTHS[month as usize];
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let _ = write!(out, "{weekday} {month} {date:02} {hour:02}:{minute:02}:{second:02} UTC {year}");
}

/// Decodes UTF-8 as `new String(bytes, UTF_8)` does: what is malformed becomes U+FFFD. It differs from
/// [`String::from_utf8_lossy`] in that an encoded surrogate is one replacement, not three.
pub fn decode_utf8(bytes: &[u8]) -> Cow<'_, str> {
    let mut rest = bytes;
    let mut decoded = String::new();
    loop {
        let error = match std::str::from_utf8(rest) {
            Ok(text) if decoded.is_empty() && rest.len() == bytes.len() => return Cow::Borrowed(text),
            Ok(text) => {
                decoded.push_str(text);
                return Cow::Owned(decoded);
            }
            Err(error) => error,
        };
        let (valid, malformed) = rest.split_at(error.valid_up_to());
        decoded.push_str(std::str::from_utf8(valid).unwrap_or_default());
        decoded.push('\u{fffd}');
        let skipped = match malformed {
            [0xed, 0xa0..=0xbf, 0x80..=0xbf, ..] => 3,
            [0xed, 0xa0..=0xbf, ..] => 2,
            _ => error.error_len().unwrap_or(malformed.len()),
        };
        rest = &malformed[skipped..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Schema, SchemaType, Text};
    use std::str::FromStr;
    use std::sync::Arc;

    /// The lines have the type, the bits, a blank, and the text; `protocol-tests/generators/FloatText.java` wrote them.
    #[test]
    fn digits_are_those_of_java_17() {
        let mut wrong = Vec::new();
        for line in include_str!("java_text/java17_cases.txt").lines() {
            let (bits, expected) = line[1..].split_once(' ').unwrap();
            let mut ours = Vec::new();
            if line.starts_with('d') {
                let value = f64::from_bits(u64::from_str_radix(bits, 16).unwrap());
                append_f64_as(&mut ours, value, Strictness::AsConnect);
            } else {
                let value = f32::from_bits(u32::from_str_radix(bits, 16).unwrap());
                append_f32_as(&mut ours, value, Strictness::AsConnect);
            }
            let ours = String::from_utf8(ours).unwrap();
            if ours != expected {
                wrong.push(format!("{line}: {ours}"));
            }
        }
        assert!(wrong.is_empty(), "{} wrong: {:?}", wrong.len(), &wrong[..wrong.len().min(20)]);
    }

    /// The short way and the long way give one text.
    #[test]
    fn plain_floats_are_the_shortest_digits() {
        let mut bits = 0x9e37_79b9_7f4a_7c15u64;
        for _ in 0..20_000 {
            bits = bits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let value = (bits >> 11) as f64 / 2f64.powi(53 - (bits % 24) as i32) * 0.0011;
            let mut out = Vec::new();
            append_f64(&mut out, value);
            let text = String::from_utf8(out).unwrap();
            assert_eq!(text.parse::<f64>().unwrap(), value, "{text}");
            assert_eq!(text.contains('E'), !(1e-3..1e7).contains(&value), "{text}");
        }
        for (value, text) in
            [(0.001, "0.001"), (9_999_999.0, "9999999.0"), (100.0, "100.0"), (-19.5, "-19.5")]
        {
            let mut out = Vec::new();
            append_f64(&mut out, value);
            assert_eq!(out, text.as_bytes());
        }
        let mut out = Vec::new();
        append_f32(&mut out, 16_777_216.0);
        append_f32(&mut out, 0.1);
        assert_eq!(out, b"1.6777216E70.1");
    }

    fn text(value: &Value) -> String {
        let mut out = Vec::new();
        append_value(&mut out, value.as_ref());
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn floats_are_javas() {
        for (value, expected) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.0, "1.0"),
            (100.0, "100.0"),
            (0.001, "0.001"),
            (0.00123, "0.00123"),
            (9.99e-4, "9.99E-4"),
            (1e7, "1.0E7"),
            (1_234_567.0, "1234567.0"),
            (1234.5678, "1234.5678"),
            (9_007_199_254_740_993.0, "9.007199254740992E15"),
            (f64::from_bits(1), "4.9E-324"),
            (f64::MAX, "1.7976931348623157E308"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-Infinity"),
        ] {
            assert_eq!(text(&Value::Float64(value)), expected);
        }
        for (value, expected) in [
            (1.1f32, "1.1"),
            (f32::from_bits(1), "1.4E-45"),
            (3.4e38, "3.4E38"),
            (16_777_216.0, "1.6777216E7"),
        ] {
            assert_eq!(text(&Value::Float32(value)), expected);
        }
    }

    #[test]
    fn decimals_keep_their_scale() {
        for (source, expected) in [
            ("1.50", "1.50"),
            ("-0.01", "-0.01"),
            ("0.000001", "0.000001"),
            ("1E-7", "1E-7"),
            ("1.2E+3", "1.2E+3"),
            ("0E+3", "0E+3"),
            ("0E-10", "0E-10"),
            ("18446744073709551616", "18446744073709551616"),
        ] {
            assert_eq!(text(&Value::Decimal(Box::new(BigDecimal::from_str(source).unwrap()))), expected);
        }
    }

    #[test]
    fn dates_are_in_utc_and_julian_before_1582() {
        for (ms, expected) in [
            (0, "Thu Jan 01 00:00:00 UTC 1970"),
            (-1, "Wed Dec 31 23:59:59 UTC 1969"),
            (1_234_567_890_123, "Fri Feb 13 23:31:30 UTC 2009"),
            (1_709_164_800_000, "Thu Feb 29 00:00:00 UTC 2024"),
            (-12_219_292_800_000, "Fri Oct 15 00:00:00 UTC 1582"),
            (-12_219_292_800_001, "Thu Oct 04 23:59:59 UTC 1582"),
            (-62_135_596_800_000, "Mon Jan 03 00:00:00 UTC 1"),
        ] {
            assert_eq!(text(&Value::Timestamp(ms)), expected);
        }
        text(&Value::Timestamp(i64::MIN));
        text(&Value::Timestamp(i64::MAX));
    }

    #[test]
    fn collections_nest() {
        let schema = Schema::new(SchemaType::Struct)
            .field("a", Schema::string().clone())
            .field("b", Schema::optional_string().clone())
            .field("c", Schema::string().clone());
        let mut record = Struct::new(Arc::new(schema)).unwrap();
        record.put("a", Value::string("x")).unwrap();
        record.put("c", Value::string("y")).unwrap();
        let map: Map = [("k", Value::Array(vec![Value::Int32(1), Value::Null].into()))].into_iter().collect();
        assert_eq!(text(&Value::Map(map.clone())), "{k=[1, null]}");
        assert_eq!(text(&Value::Struct(Box::new(record))), "Struct{a=x,c=y}");
        assert!(!holds_bytes(ValueRef::Map(&map)));
        assert!(holds_bytes(ValueRef::Array(&[Value::Array(
            vec![Value::Bytes(crate::Bytes::new())].into()
        )])));
    }

    #[test]
    fn malformed_utf8_is_replaced_as_java_does() {
        for (bytes, expected) in [
            (&b"abc"[..], "abc"),
            (b"a\xffb", "a\u{fffd}b"),
            (b"\xc0\x80", "\u{fffd}\u{fffd}"),
            (b"\xed\xa0\x80", "\u{fffd}"),
            (b"\xed\xa0", "\u{fffd}"),
            (b"\xed\xa0x", "\u{fffd}x"),
            (b"\xe2\x82", "\u{fffd}"),
            (b"\xf0\x9f\x98x", "\u{fffd}x"),
        ] {
            assert_eq!(decode_utf8(bytes), expected, "{bytes:x?}");
        }
        assert_eq!(Text::from("é").as_str(), decode_utf8("é".as_bytes()));
    }
}
