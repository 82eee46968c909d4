//! Carries values over to another version of their schema (`org.apache.kafka.connect.data.SchemaProjector`).
//!
//! Numbers may become wider, fields may come with a default or go; anything else is an error.

use crate::nesting::descend;
use crate::{ConnectError, Exception, Map, Schema, SchemaType, Struct, Value};
use std::sync::Arc;

/// `value`, which is of `source`, as one of `target`.
///
/// # Errors
/// If the schemas are of different types that no number can be promoted between, differ in name or parameters, or
/// a required field is new and has no default; the messages are Connect's.
pub fn project(source: &Schema, value: Value, target: &Arc<Schema>) -> Result<Value, ConnectError> {
    check_compatible(source, target)?;
    if value.is_null() {
        return match target.default_value() {
            Some(default) if source.is_optional() && !target.is_optional() => Ok(default.clone()),
            None if source.is_optional() && !target.is_optional() => Err(no_default()),
            _ => Ok(Value::Null),
        };
    }
    if source.is_optional() && !target.is_optional() && target.default_value().is_none() {
        return Err(no_default());
    }
    match (target.kind(), value) {
        (SchemaType::Struct, Value::Struct(record)) => descend(|| project_struct(source, *record, target)),
        (SchemaType::Array, Value::Array(items)) => {
            let (from, to) = (inner(source.value_schema())?, inner(target.value_schema())?);
            let items = items.into_vec().into_iter();
            let items = descend(|| items.map(|item| project(from, item, to)).collect::<Result<_, _>>());
            Ok(Value::Array(items?))
        }
        (SchemaType::Map, Value::Map(map)) => descend(|| project_map(source, map, target)),
        (SchemaType::Struct | SchemaType::Array | SchemaType::Map, other) => {
            let message = format!("{} is no {}", other.as_ref().java_class(), target.kind().java_name());
            Err(ConnectError::bad_record(message).with_exception(Exception::ClassCast))
        }
        (kind, value) if can_promote(source.kind(), kind) => Ok(promote(value, kind)),
        (_, value) => Ok(value),
    }
}

fn check_compatible(source: &Schema, target: &Schema) -> Result<(), ConnectError> {
    let (from, to) = (source.kind(), target.kind());
    if from != to && !can_promote(from, to) {
        let (from, to) = (from.java_name(), to.java_name());
        return Err(refused(format!("Schema type mismatch. source type: {from} and target type: {to}")));
    }
    if source.name() != target.name() {
        let (from, to) = (source.name().unwrap_or("null"), target.name().unwrap_or("null"));
        return Err(refused(format!("Schema name mismatch. source name: {from} and target name: {to}")));
    }
    if !source.has_same_parameters(target) {
        return Err(refused(format!(
            "Schema parameters not equal. source parameters: {} and target parameters: {}",
            parameters(source),
            parameters(target)
        )));
    }
    Ok(())
}

fn project_struct(source: &Schema, record: Struct, target: &Arc<Schema>) -> Result<Value, ConnectError> {
    let schema = Arc::clone(record.schema());
    let mut given = record.into_values();
    let mut values = Vec::with_capacity(target.fields().len());
    for field in target.fields() {
        let value = match source.field_schema(&field.name) {
            Some(from) => {
                let value = take(&schema, &mut given, &field.name)?;
                let projected =
                    project(from, value, &field.schema).map_err(|error| match error.exception() {
                        Exception::SchemaProjector => {
                            refused(format!("Error projecting {}", field.name)).caused_by(error)
                        }
                        _ => error,
                    })?;
                // A struct that was made of that very schema was checked then.
                let is_checked =
                    matches!(&projected, Value::Struct(s) if Arc::ptr_eq(s.schema(), &field.schema));
                if !is_checked {
                    field.schema.validate_field(&field.name, projected.as_ref())?;
                }
                projected
            }
            None if field.schema.is_optional() => Value::Null,
            None => field.schema.default_value().cloned().ok_or_else(|| {
                refused(format!("Required field `{}` is missing from source schema: {source}", field.name))
            })?,
        };
        values.push(value);
    }
    Ok(Value::Struct(Box::new(Struct::from_values(Arc::clone(target), values)?)))
}

/// The value of a field, or its default if it is null.
fn take(schema: &Schema, values: &mut [Value], field: &str) -> Result<Value, ConnectError> {
    let found = schema.field_index(field).and_then(|at| Some((values.get_mut(at)?, &schema.fields()[at])));
    let Some((value, field)) = found else {
        return Err(ConnectError::bad_record(format!("{field} is not a valid field name")));
    };
    Ok(match field.schema.default_value() {
        Some(default) if value.is_null() => default.clone(),
        _ => std::mem::take(value),
    })
}

fn project_map(source: &Schema, map: Map, target: &Schema) -> Result<Value, ConnectError> {
    let (from_key, to_key) = (inner(source.key_schema())?, inner(target.key_schema())?);
    let (from_value, to_value) = (inner(source.value_schema())?, inner(target.value_schema())?);
    let entries = map
        .into_entries()
        .map(|(key, value)| Ok((project(from_key, key, to_key)?, project(from_value, value, to_value)?)));
    Ok(Value::Map(Map::from_entries(entries.collect::<Result<_, ConnectError>>()?)))
}

fn inner(schema: Option<&Arc<Schema>>) -> Result<&Arc<Schema>, ConnectError> {
    schema.ok_or_else(|| {
        let message = "a list or map without schemas of its parts cannot be projected";
        ConnectError::bad_record(message).with_exception(Exception::NullPointer)
    })
}

fn rank(kind: SchemaType) -> Option<u8> {
    match kind {
        SchemaType::Int8 => Some(0),
        SchemaType::Int16 => Some(1),
        SchemaType::Int32 => Some(2),
        SchemaType::Int64 => Some(3),
        SchemaType::Float32 => Some(4),
        SchemaType::Float64 => Some(5),
        _ => None,
    }
}

/// Whether a number of `from` may become one of `to`.
fn can_promote(from: SchemaType, to: SchemaType) -> bool {
    matches!((rank(from), rank(to)), (Some(from), Some(to)) if from <= to)
}

/// The number as one of another type, as Java's `Number.longValue` and so on give it.
fn promote(value: Value, to: SchemaType) -> Value {
    let whole = match value {
        Value::Int8(v) => i64::from(v),
        Value::Int16(v) => i64::from(v),
        Value::Int32(v) => i64::from(v),
        Value::Int64(v) => v,
        Value::Float32(v) if to == SchemaType::Float64 => return Value::Float64(f64::from(v)),
        // Floats of the same type, and what is no number at all.
        other => return other,
    };
    match to {
        SchemaType::Int8 => Value::Int8(whole as i8),
        SchemaType::Int16 => Value::Int16(whole as i16),
        SchemaType::Int32 => Value::Int32(whole as i32),
        SchemaType::Int64 => Value::Int64(whole),
        SchemaType::Float32 => Value::Float32(whole as f32),
        _ => Value::Float64(whole as f64),
    }
}

fn parameters(schema: &Schema) -> String {
    if schema.parameters().len() == 0 {
        return "null".to_owned();
    }
    let all: Vec<_> = schema.parameters().map(|(key, value)| format!("{key}={value}")).collect();
    format!("{{{}}}", all.join(", "))
}

fn no_default() -> ConnectError {
    refused("Writer schema is optional, however, target schema does not provide a default value.".to_owned())
}

fn refused(message: String) -> ConnectError {
    ConnectError::bad_record(message).with_exception(Exception::SchemaProjector)
}
