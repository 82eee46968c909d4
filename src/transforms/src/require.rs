//! What a record must be for a transform. Mirrors `org.apache.kafka.connect.transforms.util.Requirements`,
//! its messages included.

use crossdock_api::{ConnectError, Map, Struct, Value, ValueRef};

/// The map that a schemaless key or value must be.
pub(crate) fn map<'v>(value: ValueRef<'v>, purpose: &str) -> Result<&'v Map, ConnectError> {
    match value {
        ValueRef::Map(map) => Ok(map),
        other => Err(no_map(other, purpose)),
    }
}

/// As [`map`], for changing; `None` is null or a slice of a buffer, and no map.
pub(crate) fn map_mut<'v>(value: Option<&'v mut Value>, purpose: &str) -> Result<&'v mut Map, ConnectError> {
    match value {
        Some(Value::Map(map)) => Ok(map),
        other => Err(no_map(other.map_or(ValueRef::Null, |value| value.as_ref()), purpose)),
    }
}

/// The struct that a key or value with a schema must be.
pub(crate) fn structure<'v>(value: ValueRef<'v>, purpose: &str) -> Result<&'v Struct, ConnectError> {
    match value {
        ValueRef::Struct(structure) => Ok(structure),
        other => Err(no_struct(other, purpose)),
    }
}

/// That a value is a map.
pub(crate) fn no_map(found: ValueRef<'_>, purpose: &str) -> ConnectError {
    let found = found.java_class();
    ConnectError::bad_record(format!(
        "Only Map objects supported in absence of schema for [{purpose}], found: {found}"
    ))
}

/// That a value is a struct.
pub(crate) fn no_struct(found: ValueRef<'_>, purpose: &str) -> ConnectError {
    let found = found.java_class();
    ConnectError::bad_record(format!("Only Struct objects supported for [{purpose}], found: {found}"))
}

/// Connect's answer to asking another type than a struct for its fields.
pub(crate) fn cannot_list_fields() -> ConnectError {
    ConnectError::bad_record("Cannot list fields on non-struct type")
}
