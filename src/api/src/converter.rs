//! Converters: between Connect data and the bytes in Kafka.

use crate::batch::{Column, HeaderCell, Parsed, RawSlice, RecordBatch, RecordRef, Serialized};
use crate::config::{ConfigDef, ConfigMap};
use crate::{ConfigError, ConnectError, Failures, Schema, Value, ValueRef};
use std::sync::Arc;

/// Converts keys or values. Mirrors `org.apache.kafka.connect.storage.Converter`.
///
/// Simple converters implement the two methods for one record; those that pass bytes through also
/// override the methods for a batch.
pub trait Converter: Send + Sync {
    /// The keys that it takes, without the prefix `key.converter.` or `value.converter.`.
    fn config_def(&self) -> ConfigDef {
        ConfigDef::new()
    }

    /// Configures it once, before anything else, for keys or for values.
    fn configure(&mut self, _config: &ConfigMap, _column: Column) -> Result<(), ConfigError> {
        Ok(())
    }

    /// Appends the bytes of one value to `out`, or says that they are null or unchanged.
    fn serialize(
        &self,
        record: RecordRef<'_>,
        schema: Option<&Arc<Schema>>,
        value: ValueRef<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Serialized, ConnectError>;

    /// Reads one value; `None` is Kafka's null.
    fn parse(
        &self,
        record: RecordRef<'_>,
        raw: Option<RawSlice<'_>>,
    ) -> Result<(Option<Arc<Schema>>, Parsed), ConnectError>;

    /// Turns a whole column into bytes.
    fn serialize_batch(&self, batch: &mut RecordBatch, column: Column, failures: &mut Failures) {
        batch.serialize_column(column, failures, |record, schema, value, out| {
            self.serialize(record, schema, value, out)
        });
    }

    /// Turns a whole column of bytes into Connect data.
    fn parse_batch(&self, batch: &mut RecordBatch, column: Column, failures: &mut Failures) {
        batch.parse_column(column, failures, |record, raw| self.parse(record, raw));
    }
}

/// Converts header values. Mirrors `org.apache.kafka.connect.storage.HeaderConverter`.
pub trait HeaderConverter: Send + Sync {
    /// The keys that it takes, without the prefix `header.converter.`.
    fn config_def(&self) -> ConfigDef {
        ConfigDef::new()
    }

    /// Configures it once, before anything else.
    fn configure(&mut self, _config: &ConfigMap) -> Result<(), ConfigError> {
        Ok(())
    }

    /// The bytes of a header's value; `None` is Kafka's null.
    fn serialize(
        &self,
        topic: &str,
        name: &str,
        schema: Option<&Arc<Schema>>,
        value: ValueRef<'_>,
    ) -> Result<Option<Vec<u8>>, ConnectError>;

    /// Reads a header's value; `None` is Kafka's null.
    fn parse(
        &self,
        topic: &str,
        name: &str,
        raw: Option<&[u8]>,
    ) -> Result<(Option<Arc<Schema>>, Value), ConnectError>;

    /// Turns all header values of a batch into bytes.
    fn serialize_batch(&self, batch: &mut RecordBatch, failures: &mut Failures) {
        batch.convert_headers(failures, |name, cell: HeaderCell<'_>| {
            let bytes = self.serialize(cell.topic, name, cell.schema, cell.value)?;
            Ok((None, bytes.map_or(Value::Null, |b| Value::Bytes(b.into()))))
        });
    }

    /// Turns all header values of a batch into Connect data.
    fn parse_batch(&self, batch: &mut RecordBatch, failures: &mut Failures) {
        batch.convert_headers(failures, |name, cell: HeaderCell<'_>| {
            let raw = match cell.value {
                ValueRef::Bytes(bytes) => Some(bytes),
                _ => None,
            };
            self.parse(cell.topic, name, raw)
        });
    }
}
