//! Values into text, as `Values.convertToString` writes them.

use super::time::append_date;
use crate::nesting::descend;
use crate::{Strictness, Struct, Value, ValueRef, java_text};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Appends `value` as text: strings as they are, bytes in base 64, lists and maps much like JSON.
/// Mirrors `org.apache.kafka.connect.data.Values.convertToString`.
pub fn append_text(out: &mut Vec<u8>, value: ValueRef<'_>) {
    append(out, value, false, Strictness::Safe);
}

/// As [`append_text`], with the digits of Java 17 for floating-point numbers if it is to be as Connect's.
pub fn append_text_as(out: &mut Vec<u8>, value: ValueRef<'_>, strictness: Strictness) {
    append(out, value, false, strictness);
}

/// `embedded` values are inside a list, map or struct: strings have quotes there.
fn append(out: &mut Vec<u8>, value: ValueRef<'_>, embedded: bool, strictness: Strictness) {
    match value {
        ValueRef::String(text) if embedded => append_quoted(out, text.as_bytes()),
        ValueRef::Bytes(bytes) => {
            let text = STANDARD.encode(bytes);
            if embedded {
                append_quoted(out, text.as_bytes())
            } else {
                out.extend_from_slice(text.as_bytes())
            }
        }
        ValueRef::Array(items) => descend(|| {
            out.push(b'[');
            for (index, item) in items.iter().enumerate() {
                separate(out, index);
                append(out, item.as_ref(), true, strictness);
            }
            out.push(b']');
        }),
        ValueRef::Map(map) => descend(|| {
            out.push(b'{');
            for (index, (key, value)) in map.iter().enumerate() {
                separate(out, index);
                append(out, key.as_ref(), true, strictness);
                out.push(b':');
                append(out, value.as_ref(), true, strictness);
            }
            out.push(b'}');
        }),
        ValueRef::Struct(record) => descend(|| append_struct(out, record, strictness)),
        ValueRef::Date(ms) | ValueRef::Time(ms) | ValueRef::Timestamp(ms) => append_date(out, ms),
        other => java_text::append_value_as(out, other, strictness),
    }
}

/// As `Struct.get` gives them, the defaults of fields stand in for null.
fn append_struct(out: &mut Vec<u8>, record: &Struct, strictness: Strictness) {
    out.push(b'{');
    for (index, (field, value)) in record.schema().fields().iter().zip(record.values()).enumerate() {
        separate(out, index);
        append_quoted(out, field.name.as_bytes());
        out.push(b':');
        let value = match value {
            Value::Null => field.schema.default_value().unwrap_or(&Value::Null),
            value => value,
        };
        append(out, value.as_ref(), true, strictness);
    }
    out.push(b'}');
}

fn separate(out: &mut Vec<u8>, index: usize) {
    if index > 0 {
        out.push(b',');
    }
}

fn append_quoted(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    for byte in text {
        if matches!(byte, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(*byte);
    }
    out.push(b'"');
}
