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

    /// All offsets of the connector, by the key that they are stored under.
    pub(crate) async fn all(&self) -> Result<Vec<StoredOffset>, OffsetStoreError> {
        let entries = self.store.all().await?.into_iter();
        Ok(entries.filter_map(|(key, value)| self.stored(key, value?)).collect())
    }

    /// An entry, if it is one of this connector. What is none of anybody's is passed over, as in Connect.
    fn stored(&self, key: Bytes, value: Bytes) -> Option<StoredOffset> {
        let (connector, partition): (String, JsonObject) = serde_json::from_slice(&key).ok()?;
        let offset = serde_json::from_slice::<Option<JsonObject>>(&value).ok()??;
        (*connector == *self.connector).then_some(StoredOffset { key, partition, offset })
    }

    /// Stores offsets that an operator gave; `None` deletes. A partition whose fields are stored in another order is the
    /// same one.
    pub(crate) async fn alter(&self, offsets: &[(Map, Option<Map>)]) -> Result<(), SourceOffsetError> {
        let stored = self.all().await?;
        let mut entries = Vec::with_capacity(offsets.len());
        for (partition, offset) in offsets {
            let fields = to_json_object(partition)?;
            let known = stored.iter().find(|stored| Some(&stored.partition) == fields.as_object());
            let key = match known {
                Some(stored) => stored.key.clone(),
                None => self.key(partition)?,
            };
            let value = match offset {
                Some(offset) => Some(Bytes::from(serde_json::to_vec(&to_json_object(offset)?)?)),
                None => None,
            };
            entries.push((key, value));
        }
        Ok(self.store.set(entries).await?)
    }

    fn key(&self, partition: &Map) -> Result<Bytes, SourceOffsetError> {
        let key = serde_json::json!([&*self.connector, to_json_object(partition)?]);
        Ok(Bytes::from(serde_json::to_vec(&key)?))
    }
}

type JsonObject = serde_json::Map<String, serde_json::Value>;

/// A source offset as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct StoredOffset {
    key: Bytes,
    pub(crate) partition: JsonObject,
    pub(crate) offset: JsonObject,
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
    from_json_object(object).map(Some).map_err(|field| wrong(&format!("out of range or not flat in {field}")))
}

/// Fields as Connect reads them: whole numbers are 64 bits, others doubles. The error is the field that is none.
pub(crate) fn from_json_object(object: JsonObject) -> Result<Map, String> {
    let mut map = Map::new();
    for (name, json) in object {
        let field = match json {
            serde_json::Value::Null => Value::Null,
            serde_json::Value::Bool(v) => Value::Boolean(v),
            serde_json::Value::String(v) => Value::String(v.into()),
            serde_json::Value::Number(n) => match (n.as_i64(), n.is_f64().then(|| n.as_f64()).flatten()) {
                (Some(v), _) => Value::Int64(v),
                (None, Some(v)) => Value::Float64(v),
                (None, None) => return Err(name),
            },
            _ => return Err(name),
        };
        map.insert(Value::String(name.into()), field);
    }
    Ok(map)
}
