//! Debezium's transforms, which configurations of sinks and sources of Debezium name: `io.debezium.transforms`, as
//! of Debezium 3.2.
//!
//! - `extract_new_record_state`: the row out of a change event. `field_reference`: what else of the event goes
//!   along.
//! - `by_logical_table_router`: events of several tables to one topic. `schema_name`: names that Avro allows.

pub(crate) mod by_logical_table_router;
pub(crate) mod extract_new_record_state;
mod field_reference;
mod schema_name;

use crossdock_api::{ConnectError, Exception, RecordRef, Schema, Struct, Value, ValueRef};
use std::sync::Arc;

/// The Java package of the transforms.
const PACKAGE: &str = "io.debezium.transforms";
const ENVELOPE: &str = ".Envelope";

/// The change event of a record, if it is one by its schema.
///
/// # Errors
/// The schema says so, but the value is no struct.
fn envelope<'r>(record: RecordRef<'r>) -> Result<Option<&'r Struct>, ConnectError> {
    let name = record.value_schema().and_then(|schema| schema.name());
    if !name.is_some_and(|name| name.ends_with(ENVELOPE)) {
        return Ok(None);
    }
    match record.value() {
        ValueRef::Struct(event) => Ok(Some(event)),
        other => Err(ConnectError::bad_record(format!(
            "the schema says that the value is a change event, but it is a {}",
            other.java_class()
        ))
        .with_exception(Exception::ClassCast)),
    }
}

/// A struct of values, none of them null where the schema does not allow it.
fn checked(schema: &Arc<Schema>, values: Vec<Value>) -> Result<Value, ConnectError> {
    for (field, value) in schema.fields().iter().zip(&values) {
        if value.is_null() && !field.schema.is_optional() {
            let kind = field.schema.kind().name().to_uppercase();
            return Err(ConnectError::bad_record(format!(
                "Invalid value: null used for required field: \"{}\", schema type: {kind}",
                field.name
            )));
        }
        // A copied schema has the basics of a struct, but not its fields.
        if let Value::Struct(inner) = value
            && inner.schema().fields().len() != field.schema.fields().len()
        {
            return Err(ConnectError::bad_record("Struct schemas do not match."));
        }
    }
    Ok(Value::Struct(Box::new(Struct::from_values(Arc::clone(schema), values)?)))
}

/// The values of a struct, with defaults in the place of nulls if that is asked for.
fn values_of(row: &Struct, with_defaults: bool) -> Vec<Value> {
    let fields = row.schema().fields().iter().zip(row.values());
    let value = |(field, value): (&crossdock_api::Field, &Value)| match field.schema.default_value() {
        Some(default) if with_defaults && value.is_null() => default.clone(),
        _ => value.clone(),
    };
    fields.map(value).collect()
}
