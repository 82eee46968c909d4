//! Values into JSON, byte for byte as Connect's converter and Jackson write it.

use super::base64;
use super::logical::{DAY_MS, Logical, scale};
use super::text::append_string;
use bigdecimal::BigDecimal;
use crossdock_api::nesting::descend;
use crossdock_api::{ConnectError, Map, Schema, SchemaType, Strictness, Struct, Value, ValueRef, java_text};
use std::sync::Arc;

/// How values are written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Writer {
    /// Decimals as numbers instead of base 64.
    pub(super) numeric_decimals: bool,
    /// Whether the default of a schema stands in for null.
    pub(super) replace_null: bool,
    /// Whether floating-point numbers have the digits of Java 17.
    pub(super) strictness: Strictness,
}

type Result<T> = std::result::Result<T, ConnectError>;

fn bad(message: impl Into<String>) -> ConnectError {
    ConnectError::bad_record(message)
}

impl Writer {
    /// Appends a value. Mirrors `JsonConverter.convertToJson`.
    pub(super) fn value(
        &self,
        schema: Option<&Arc<Schema>>,
        value: ValueRef<'_>,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        if value.is_null() {
            return self.null(schema, out);
        }
        let Some(schema) = schema else { return self.schemaless(value, out) };
        if let Some(logical) = Logical::of(schema) {
            return self.logical(logical, schema, value, out);
        }
        match (schema.kind(), value) {
            (SchemaType::Int8, ValueRef::Int8(_))
            | (SchemaType::Int16, ValueRef::Int16(_))
            | (SchemaType::Int32, ValueRef::Int32(_))
            | (SchemaType::Int64, ValueRef::Int64(_))
            | (SchemaType::Float32, ValueRef::Float32(_))
            | (SchemaType::Float64, ValueRef::Float64(_))
            | (SchemaType::Boolean, ValueRef::Boolean(_))
            | (SchemaType::String, ValueRef::String(_))
            | (SchemaType::Bytes, ValueRef::Bytes(_)) => self.schemaless(value, out),
            (SchemaType::Array, ValueRef::Array(items)) => {
                descend(|| self.array(schema.value_schema(), items, out))
            }
            (SchemaType::Map, ValueRef::Map(map)) => {
                let strings = schema.key_schema().is_some_and(|k| k.kind() == SchemaType::String);
                descend(|| self.map(strings, schema.key_schema(), schema.value_schema(), map, out))
            }
            (SchemaType::Struct, ValueRef::Struct(record)) => descend(|| self.record(schema, record, out)),
            (SchemaType::Bytes, other) => {
                Err(bad(format!("Invalid type for bytes type: class {}", other.java_class())))
            }
            (kind, other) => Err(bad(format!(
                "Invalid type for {}: class {}",
                kind.name().to_ascii_uppercase(),
                other.java_class()
            ))),
        }
    }

    fn null(&self, schema: Option<&Arc<Schema>>, out: &mut Vec<u8>) -> Result<()> {
        if let Some(schema) = schema {
            match schema.default_value() {
                Some(default) if self.replace_null && !default.is_null() => {
                    return self.value(Some(schema), default.as_ref(), out);
                }
                _ if schema.is_optional() => {}
                _ => {
                    return Err(bad(
                        "Conversion error: null value for field that is required and has no default value",
                    ));
                }
            }
        }
        out.extend_from_slice(b"null");
        Ok(())
    }

    fn schemaless(&self, value: ValueRef<'_>, out: &mut Vec<u8>) -> Result<()> {
        match value {
            ValueRef::String(text) => append_string(out, text.as_bytes()),
            ValueRef::Bytes(bytes) => append_base64(out, bytes),
            ValueRef::Array(items) => return descend(|| self.array(None, items, out)),
            ValueRef::Map(map) => {
                let strings = map.shared_keys().is_none_or(|keys| keys.are_texts());
                return descend(|| self.map(strings, None, None, map, out));
            }
            // A struct has a schema, so it is not the one that it was given: none.
            ValueRef::Struct(_) => return Err(bad("Mismatching schema.")),
            // Not a number in JSON, so Jackson quotes them.
            ValueRef::Float32(v) if !v.is_finite() => append_quoted(out, |out| java_text::append_f32(out, v)),
            ValueRef::Float64(v) if !v.is_finite() => append_quoted(out, |out| java_text::append_f64(out, v)),
            ValueRef::Decimal(_) | ValueRef::Date(_) | ValueRef::Time(_) | ValueRef::Timestamp(_) => {
                return Err(bad(format!(
                    "Java class class {} does not have corresponding schema type.",
                    value.java_class()
                )));
            }
            other => java_text::append_value_as(out, other, self.strictness),
        }
        Ok(())
    }

    fn array(&self, items: Option<&Arc<Schema>>, values: &[Value], out: &mut Vec<u8>) -> Result<()> {
        out.push(b'[');
        for (index, value) in values.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            self.value(items, value.as_ref(), out)?;
        }
        out.push(b']');
        Ok(())
    }

    /// As an object if the keys are strings, else as an array of pairs.
    fn map(
        &self,
        strings: bool,
        keys: Option<&Arc<Schema>>,
        values: Option<&Arc<Schema>>,
        map: &Map,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        out.push(if strings { b'{' } else { b'[' });
        for (index, (key, value)) in map.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            if strings {
                self.name(keys, key.as_ref(), out)?;
                out.push(b':');
                self.value(values, value.as_ref(), out)?;
            } else {
                out.push(b'[');
                self.value(keys, key.as_ref(), out)?;
                out.push(b',');
                self.value(values, value.as_ref(), out)?;
                out.push(b']');
            }
        }
        out.push(if strings { b'}' } else { b']' });
        Ok(())
    }

    /// A key as the name of a member: Jackson's `asText` of what the key is as a value.
    fn name(&self, keys: Option<&Arc<Schema>>, key: ValueRef<'_>, out: &mut Vec<u8>) -> Result<()> {
        if let (None, ValueRef::String(text)) = (keys, key) {
            append_string(out, text.as_bytes());
            return Ok(());
        }
        let start = out.len();
        self.value(keys, key, out)?;
        if out.get(start) != Some(&b'"') {
            let text = out.split_off(start);
            append_string(out, &text);
        }
        Ok(())
    }

    fn record(&self, schema: &Arc<Schema>, record: &Struct, out: &mut Vec<u8>) -> Result<()> {
        if !Arc::ptr_eq(schema, record.schema()) && schema != record.schema() {
            return Err(bad("Mismatching schema."));
        }
        out.push(b'{');
        for (index, (field, value)) in schema.fields().iter().zip(record.values()).enumerate() {
            if index > 0 {
                out.push(b',');
            }
            append_string(out, field.name.as_bytes());
            out.push(b':');
            self.value(Some(&field.schema), value.as_ref(), out)?;
        }
        out.push(b'}');
        Ok(())
    }

    fn logical(
        &self,
        logical: Logical,
        schema: &Schema,
        value: ValueRef<'_>,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        let wrong = |class: &str| {
            bad(format!(
                "Invalid type for {}, expected {class} but was class {}",
                logical.name(),
                value.java_class()
            ))
        };
        match (logical, value) {
            (Logical::Decimal, ValueRef::Decimal(decimal)) => return self.decimal(schema, decimal, out),
            (Logical::Decimal, _) => return Err(wrong("BigDecimal")),
            (_, ValueRef::Date(ms) | ValueRef::Time(ms) | ValueRef::Timestamp(ms)) => {
                java_text::append_i64(out, date_number(logical, ms)?);
            }
            _ => return Err(wrong("Date")),
        }
        Ok(())
    }

    fn decimal(&self, schema: &Schema, value: &BigDecimal, out: &mut Vec<u8>) -> Result<()> {
        if self.numeric_decimals {
            java_text::append_decimal(out, value);
            return Ok(());
        }
        let expected = scale(schema).map_err(bad)?;
        let (unscaled, scale) = value.as_bigint_and_exponent();
        if scale != i64::from(expected) {
            return Err(bad(format!(
                "Decimal value has mismatching scale for given Decimal schema. Schema has scale {expected}, \
                 value has scale {scale}."
            )));
        }
        append_base64(out, &unscaled.to_signed_bytes_be());
        Ok(())
    }
}

/// The number that stands for a `java.util.Date`: days, or milliseconds.
fn date_number(logical: Logical, ms: i64) -> Result<i64> {
    match logical {
        Logical::Date if ms % DAY_MS != 0 => {
            Err(bad("Kafka Connect Date type should not have any time fields set to non-zero values."))
        }
        // Java keeps the days in an int.
        Logical::Date => Ok(i64::from((ms / DAY_MS) as i32)),
        Logical::Time if !(0..=DAY_MS).contains(&ms) => {
            Err(bad("Kafka Connect Time type should not have any date fields set to non-zero values."))
        }
        _ => Ok(ms),
    }
}

fn append_quoted(out: &mut Vec<u8>, append: impl FnOnce(&mut Vec<u8>)) {
    out.push(b'"');
    append(out);
    out.push(b'"');
}

fn append_base64(out: &mut Vec<u8>, bytes: &[u8]) {
    append_quoted(out, |out| base64::append(out, bytes));
}
