//! Source offsets of one connector in an [`OffsetStore`]: how keys and values are written.
//!
//! A key is the JSON array of the connector's name and the source partition, a value the JSON object of
//! the source offset, as `OffsetStorageWriter` writes them with a JsonConverter without schemas.

use super::store::{OffsetStore, OffsetStoreError};
use async_trait::async_trait;
use bytes::Bytes;
use crossdock_api::source::OffsetReader;
use crossdock_api::{ConnectError, Map, Value};
use std::sync::Arc;

/// Reads and writes the source offsets of one connector.
#[derive(Clone)]
pub(crate) struct SourceOffsetStore {
    connector: Arc<str>,
    store: Arc<dyn OffsetStore>,
}

impl SourceOffsetStore {
    pub(crate) fn new(connector: &str, store: Arc<dyn OffsetStore>) -> Self {
        Self { connector: connector.into(), store }
    }

    /// Stores offsets: pairs of source partition and offset.
    pub(crate) async fn write(&self, offsets: &[(Map, Map)]) -> Result<(), SourceOffsetError> {
        let mut entries = Vec::with_capacity(offsets.len());
        for (partition, offset) in offsets {
            let value = serde_json::to_vec(&to_json_object(offset)?)?;
            entries.push((self.key(partition)?, Some(Bytes::from(value))));
        }
        Ok(self.store.set(entries).await?)
    }

    fn key(&self, partition: &Map) -> Result<Bytes, SourceOffsetError> {
        let key = serde_json::json!([&*self.connector, to_json_object(partition)?]);
        Ok(Bytes::from(serde_json::to_vec(&key)?))
    }
}

#[async_trait]
impl OffsetReader for SourceOffsetStore {
    async fn offsets(&self, partitions: &[Map]) -> Result<Vec<Option<Map>>, ConnectError> {
        let keys: Result<Vec<Bytes>, _> = partitions.iter().map(|p| self.key(p)).collect();
        let keys = keys.map_err(|e| ConnectError::fatal(e.to_string()))?;
        let found = self.store.get(&keys).await;
        let found =
            found.map_err(|e| ConnectError::fatal("source offsets could not be read").caused_by(e))?;
        found.into_iter().zip(&keys).map(|(value, key)| parse_offset(value, key)).collect()
    }
}

/// Why source offsets could not be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SourceOffsetError {
    #[error(transparent)]
    Store(#[from] OffsetStoreError),
    #[error("a source partition or offset has the field {field} of a type that cannot be stored: {class}")]
    Field { field: String, class: &'static str },
    #[error("a source partition or offset has a field whose name is not a string")]
    FieldName,
    #[error("a source partition or offset cannot be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

/// Only primitives may be stored (`OffsetUtils.validateFormat`).
fn to_json_object(map: &Map) -> Result<serde_json::Value, SourceOffsetError> {
    use base64::Engine;
    let mut object = serde_json::Map::new();
    for (name, value) in map.iter() {
        let name = name.as_ref().as_str().ok_or(SourceOffsetError::FieldName)?;
        let json = match value {
            Value::Null => serde_json::Value::Null,
            Value::Int8(v) => (*v).into(),
            Value::Int16(v) => (*v).into(),
            Value::Int32(v) => (*v).into(),
            Value::Int64(v) => (*v).into(),
            Value::Float32(v) => f64::from(*v).into(),
            Value::Float64(v) => (*v).into(),
            Value::Boolean(v) => (*v).into(),
            Value::String(v) => v.as_str().into(),
            Value::Bytes(v) => base64::engine::general_purpose::STANDARD.encode(v).into(),
            other => {
                return Err(SourceOffsetError::Field {
                    field: name.to_owned(),
                    class: other.as_ref().java_class(),
                });
            }
        };
        object.insert(name.to_owned(), json);
    }
    Ok(serde_json::Value::Object(object))
}

fn parse_offset(value: Option<Bytes>, key: &Bytes) -> Result<Option<Map>, ConnectError> {
    let Some(value) = value else { return Ok(None) };
    let wrong = |what: &str| {
        ConnectError::fatal(format!(
            "the stored source offset of {} is {what}: {}",
            String::from_utf8_lossy(key),
            String::from_utf8_lossy(&value)
        ))
    };
    let object = match serde_json::from_slice(&value) {
        Ok(serde_json::Value::Object(object)) => object,
        Ok(serde_json::Value::Null) => return Ok(None),
        _ => return Err(wrong("not a JSON object")),
    };
    let mut map = Map::new();
    for (name, json) in object {
        let field = match json {
            serde_json::Value::Null => Value::Null,
            serde_json::Value::Bool(v) => Value::Boolean(v),
            serde_json::Value::String(v) => Value::String(v.into()),
            serde_json::Value::Number(n) => match (n.as_i64(), n.as_f64()) {
                (Some(v), _) => Value::Int64(v),
                (None, Some(v)) => Value::Float64(v),
                (None, None) => return Err(wrong("out of range")),
            },
            _ => return Err(wrong("not flat")),
        };
        map.insert(Value::String(name.into()), field);
    }
    Ok(Some(map))
}
