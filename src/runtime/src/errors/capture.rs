//! What a record of a source was when it failed, as its dead letter has it. It has no form in Kafka yet, so this is
//! one that people and other programs can read: bytes and text as they are, all else as JSON with its schema.

use super::{Original, describe};
use bytes::Bytes;
use crossdock_api::batch::Serialized;
use crossdock_api::registry::{Factory, PluginKind};
use crossdock_api::{Column, ConfigError, ConfigMap, Converter, Plugins, RecordRef, Schema, ValueRef};
use crossdock_wire::TimestampType;
use std::sync::Arc;

const JSON: &str = "org.apache.kafka.connect.json.JsonConverter";

/// Makes dead letters of records of sources.
pub(super) struct Capture {
    json: Box<dyn Converter>,
}

impl Capture {
    /// # Errors
    /// If there is no converter to JSON among the plugins.
    pub(super) fn new(plugins: &Plugins) -> Result<Self, ConfigError> {
        let missing =
            |reason: String| ConfigError::Other(format!("dead letters of sources need JSON: {reason}"));
        let plugin =
            plugins.of_kind(PluginKind::Converter, JSON).map_err(|error| missing(error.to_string()))?;
        let Factory::Converter(make) = plugin.factory() else {
            return Err(missing(format!("{JSON} is no converter")));
        };
        let mut json = make();
        json.configure(&ConfigMap::new(), Column::Value)?;
        Ok(Self { json })
    }

    /// The dead letter of a record as it is now.
    pub(super) fn of(&self, record: RecordRef<'_>) -> Original {
        let own = record.headers();
        let headers = own
            .map(|header| (header.name.as_str().to_owned(), self.bytes(record, header.schema, header.value)));
        Original {
            offset: record.offset(),
            timestamp: record.timestamp().unwrap_or(Original::NO_TIMESTAMP),
            timestamp_type: TimestampType::CreateTime,
            key: self.bytes(record, record.key_schema(), record.key()),
            value: self.bytes(record, record.value_schema(), record.value()),
            headers: headers.collect(),
        }
    }

    fn bytes(
        &self,
        record: RecordRef<'_>,
        schema: Option<&Arc<Schema>>,
        value: ValueRef<'_>,
    ) -> Option<Bytes> {
        match value {
            ValueRef::Null => None,
            ValueRef::Bytes(bytes) => Some(Bytes::copy_from_slice(bytes)),
            ValueRef::String(text) => Some(Bytes::copy_from_slice(text.as_bytes())),
            other => {
                let mut json = Vec::new();
                match self.json.serialize(record, schema, other, &mut json) {
                    Ok(Serialized::Written) => Some(json.into()),
                    Ok(Serialized::Null) => None,
                    // What JSON does not have is better seen in some form than lost.
                    Ok(Serialized::Same) | Err(_) => Some(describe(record).into()),
                }
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crossdock_api::{RecordBatch, SchemaBuilder, Struct, Value};

    #[test]
    fn text_stays_and_structs_become_json_with_their_schema() {
        let mut plugins = Plugins::new();
        crossdock_converters::register(&mut plugins);
        let capture = Capture::new(&plugins).unwrap();
        let mut batch = RecordBatch::new();
        let topic = batch.topic("t");
        let schema = SchemaBuilder::structure().field("n", Arc::clone(Schema::int32())).build().unwrap();
        let mut value = Struct::new(Arc::clone(&schema)).unwrap();
        value.put("n", Value::Int32(7)).unwrap();
        let record = batch.record(topic).key(Some(Schema::string()), "k").timestamp(5);
        record.value(Some(&schema), Value::Struct(Box::new(value))).finish().unwrap();
        let letter = capture.of(batch.get(0).unwrap());
        assert_eq!((letter.key.as_deref(), letter.timestamp), (Some(&b"k"[..]), 5));
        let json: serde_json::Value = serde_json::from_slice(&letter.value.unwrap()).unwrap();
        assert_eq!((&json["payload"]["n"], &json["schema"]["type"]), (&7.into(), &"struct".into()));
        assert!(Capture::new(&Plugins::new()).is_err());
    }
}
