//! Whether a value fits a schema (`ConnectSchema.validateValue`), with Connect's messages.
//!
//! A location is put together only for the message of an error: checking allocates nothing.

use super::{LogicalType, Schema, SchemaType};
use crate::nesting::descend;
use crate::{ConnectError, Struct, Value, ValueRef};
use std::fmt;
use std::sync::Arc;

/// Where in the data a value is.
#[derive(Clone, Copy)]
enum Location<'a> {
    Value,
    Field(&'a str),
    Element(&'a Location<'a>),
    Key(&'a Location<'a>),
    MapValue(&'a Location<'a>),
}

impl fmt::Display for Location<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value => f.write_str("value"),
            Self::Field(name) => write!(f, "field: \"{name}\""),
            Self::Element(of) => descend(|| write!(f, "element of array {of}")),
            Self::Key(of) => descend(|| write!(f, "key of map {of}")),
            Self::MapValue(of) => descend(|| write!(f, "value of map {of}")),
        }
    }
}

impl Schema {
    /// Checks that `value` fits: its type, null only where it is allowed, and the same inside.
    ///
    /// # Errors
    /// Says where the first value that does not fit is, what was expected and what came.
    pub fn validate(&self, value: ValueRef<'_>) -> Result<(), ConnectError> {
        check(self, value, Location::Value)
    }

    /// As [`Schema::validate`], for the value of a field; errors name it.
    pub fn validate_field(&self, field: &str, value: ValueRef<'_>) -> Result<(), ConnectError> {
        check(self, value, Location::Field(field))
    }
}

impl Struct {
    /// Checks every field: null is allowed where the schema has a default.
    ///
    /// # Errors
    /// As [`Schema::validate_field`], for the first field that does not fit.
    pub fn validate(&self) -> Result<(), ConnectError> {
        for (field, value) in self.schema().fields().iter().zip(self.values()) {
            let may_be_null = field.schema.is_optional() || field.schema.default_value().is_some();
            if !(value.is_null() && may_be_null) {
                check(&field.schema, value.as_ref(), Location::Field(&field.name))?;
            }
        }
        Ok(())
    }
}

fn check(schema: &Schema, value: ValueRef<'_>, at: Location<'_>) -> Result<(), ConnectError> {
    if value.is_null() {
        if schema.is_optional() {
            return Ok(());
        }
        let kind = schema.kind().java_name();
        return Err(ConnectError::bad_record(format!(
            "Invalid value: null used for required {at}, schema type: {kind}"
        )));
    }
    if !is_of(schema, value) {
        return Err(mismatch(schema, value, at));
    }
    match (schema.kind(), value) {
        (SchemaType::Struct, ValueRef::Struct(record)) => {
            if !std::ptr::eq(&**record.schema(), schema) && **record.schema() != *schema {
                return Err(ConnectError::bad_record("Struct schemas do not match."));
            }
            descend(|| record.validate())
        }
        (SchemaType::Array, ValueRef::Array(items)) => {
            let at = Location::Element(&at);
            let schema = defined(schema.value_schema(), at)?;
            descend(|| items.iter().try_for_each(|item| check(schema, item.as_ref(), at)))
        }
        (SchemaType::Map, ValueRef::Map(map)) => {
            let (key_at, value_at) = (Location::Key(&at), Location::MapValue(&at));
            let keys = defined(schema.key_schema(), key_at)?;
            let values = defined(schema.value_schema(), value_at)?;
            let mut entries = map.iter();
            descend(|| {
                entries.try_for_each(|(key, value): (&Value, &Value)| {
                    check(keys, key.as_ref(), key_at)?;
                    check(values, value.as_ref(), value_at)
                })
            })
        }
        _ => Ok(()),
    }
}

/// Whether the value's class is one of those that the schema stands for. The name counts before the type.
fn is_of(schema: &Schema, value: ValueRef<'_>) -> bool {
    let dates = matches!(value, ValueRef::Date(_) | ValueRef::Time(_) | ValueRef::Timestamp(_));
    match schema.logical_type() {
        Some(LogicalType::Decimal) => matches!(value, ValueRef::Decimal(_)),
        Some(LogicalType::Date | LogicalType::Time | LogicalType::Timestamp) => dates,
        None => matches!(
            (schema.kind(), value),
            (SchemaType::Array, ValueRef::Array(_))
                | (SchemaType::Boolean, ValueRef::Boolean(_))
                | (SchemaType::Bytes, ValueRef::Bytes(_))
                | (SchemaType::Float32, ValueRef::Float32(_))
                | (SchemaType::Float64, ValueRef::Float64(_))
                | (SchemaType::Int8, ValueRef::Int8(_))
                | (SchemaType::Int16, ValueRef::Int16(_))
                | (SchemaType::Int32, ValueRef::Int32(_))
                | (SchemaType::Int64, ValueRef::Int64(_))
                | (SchemaType::Map, ValueRef::Map(_))
                | (SchemaType::String, ValueRef::String(_))
                | (SchemaType::Struct, ValueRef::Struct(_))
        ),
    }
}

fn mismatch(schema: &Schema, value: ValueRef<'_>, at: Location<'_>) -> ConnectError {
    let name = schema.name().map(|name| format!(" \"{name}\"")).unwrap_or_default();
    let (kind, class) = (schema.kind().java_name(), value.java_class());
    ConnectError::bad_record(format!(
        "Invalid Java object for schema{name} with type {kind}: class {class} for {at}"
    ))
}

fn defined<'a>(schema: Option<&'a Arc<Schema>>, at: Location<'_>) -> Result<&'a Schema, ConnectError> {
    schema.map(|s| &**s).ok_or_else(|| ConnectError::bad_record(format!("No schema defined for {at}")))
}
