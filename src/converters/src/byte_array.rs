//! Bytes as they are.

use crate::settings::converter_type;
use crossdock_api::batch::{Column, Parsed, RawSlice, RecordBatch, RecordRef, Serialized};
use crossdock_api::{
    ConfigDef, ConnectError, Converter, Failures, HeaderConverter, Schema, SchemaType, Value, ValueRef,
};
use std::sync::Arc;

/// Passes bytes through in both directions, without copying. Mirrors
/// `org.apache.kafka.connect.converters.ByteArrayConverter`.
#[derive(Debug, Clone, Copy, Default)]
pub struct ByteArrayConverter;

/// Bytes or null, with a schema of type BYTES or none; anything else is a bad record.
fn check(schema: Option<&Arc<Schema>>, value: ValueRef<'_>) -> Result<(), ConnectError> {
    if let Some(schema) = schema.filter(|s| s.kind() != SchemaType::Bytes) {
        return Err(ConnectError::bad_record(format!(
            "Invalid schema type for ByteArrayConverter: {}",
            schema.kind().name().to_ascii_uppercase()
        )));
    }
    match value {
        ValueRef::Null | ValueRef::Bytes(_) => Ok(()),
        other => Err(ConnectError::bad_record(format!(
            "ByteArrayConverter is not compatible with objects of type class {}",
            other.java_class()
        ))),
    }
}

impl Converter for ByteArrayConverter {
    fn config_def(&self) -> ConfigDef {
        ConfigDef::new().define(converter_type())
    }

    fn serialize(
        &self,
        _record: RecordRef<'_>,
        schema: Option<&Arc<Schema>>,
        value: ValueRef<'_>,
        _out: &mut Vec<u8>,
    ) -> Result<Serialized, ConnectError> {
        check(schema, value)?;
        Ok(if value.is_null() { Serialized::Null } else { Serialized::Same })
    }

    fn parse(
        &self,
        _record: RecordRef<'_>,
        raw: Option<RawSlice<'_>>,
    ) -> Result<(Option<Arc<Schema>>, Parsed), ConnectError> {
        let parsed = if raw.is_some() { Parsed::Bytes } else { Parsed::Null };
        Ok((Some(Arc::clone(Schema::optional_bytes())), parsed))
    }

    fn parse_batch(&self, batch: &mut RecordBatch, column: Column, _failures: &mut Failures) {
        batch.reinterpret_column(column, Schema::optional_bytes(), false);
    }
}

impl HeaderConverter for ByteArrayConverter {
    fn config_def(&self) -> ConfigDef {
        ConfigDef::new().define(converter_type())
    }

    fn serialize(
        &self,
        _topic: &str,
        _name: &str,
        schema: Option<&Arc<Schema>>,
        value: ValueRef<'_>,
    ) -> Result<Option<Vec<u8>>, ConnectError> {
        check(schema, value)?;
        Ok(match value {
            ValueRef::Bytes(bytes) => Some(bytes.to_vec()),
            _ => None,
        })
    }

    fn parse(
        &self,
        _topic: &str,
        _name: &str,
        raw: Option<&[u8]>,
    ) -> Result<(Option<Arc<Schema>>, Value), ConnectError> {
        let value = raw.map_or(Value::Null, |bytes| Value::Bytes(bytes.to_vec().into()));
        Ok((Some(Arc::clone(Schema::optional_bytes())), value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{fetched, single, values};

    #[test]
    fn bytes_pass_and_keep_their_place() {
        let mut batch = fetched(&[Some(b"ab\xff"), None, Some(b"")]);
        let mut failures = Failures::new();
        Converter::parse_batch(&ByteArrayConverter, &mut batch, Column::Value, &mut failures);
        let record = batch.get(0).unwrap();
        assert!(Arc::ptr_eq(record.value_schema().unwrap(), Schema::optional_bytes()));
        Converter::serialize_batch(&ByteArrayConverter, &mut batch, Column::Value, &mut failures);
        assert!(failures.is_empty());
        let bytes = |v: &'static [u8]| Value::Bytes(crossdock_api::Bytes::from_static(v));
        assert_eq!(values(&batch), [bytes(b"ab\xff"), Value::Null, bytes(b"")]);
    }

    #[test]
    fn other_types_are_refused_in_connects_words() {
        let error = |schema: Option<&Arc<Schema>>, value: Value| {
            let mut failures = Failures::new();
            let mut batch = single(schema, value);
            Converter::serialize_batch(&ByteArrayConverter, &mut batch, Column::Value, &mut failures);
            failures.take().remove(0).1.to_string()
        };
        assert_eq!(
            error(Some(Schema::string()), Value::string("x")),
            "Invalid schema type for ByteArrayConverter: STRING"
        );
        assert_eq!(
            error(None, Value::Float32(1.0)),
            "ByteArrayConverter is not compatible with objects of type class java.lang.Float"
        );
        assert_eq!(
            error(Some(&Arc::new(Schema::new(SchemaType::Int8).optional())), Value::Null),
            "Invalid schema type for ByteArrayConverter: INT8"
        );
    }
}
