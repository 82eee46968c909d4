//! `JsonConverter`: JSON with its schema in every record, or without.
//!
//! # Layout
//!
//! - [`encoding`]: documents in UTF-16 and UTF-32.
//! - [`lexer`]: the words of JSON. [`envelope`]: schema and payload.
//! - [`read`]: values as their schema says. [`number`], [`logical`] (decimals and dates), [`base64`] (bytes).
//! - [`schemaless`]: values without a schema. [`layouts`]: the members of objects seen before.
//! - [`schema`]: schemas as JSON, both ways. [`cache`]: those seen before.
//! - [`write`]: values into JSON. [`text`]: strings.
//! - [`error`]: what was wrong, and where.
//!
//! With `schemas.enable=true` a document is an envelope `{"schema":…,"payload":…}`; the members may come
//! in any order, and the payload is read in the same pass if the schema comes first.

mod base64;
mod cache;
mod encoding;
mod envelope;
mod error;
mod layouts;
mod lexer;
mod logical;
mod number;
mod read;
mod schema;
mod schemaless;
mod text;
mod write;

use crate::settings::{converter_type, parse};
use cache::{Seen, WriteCache};
use crossdock_api::Strictness;
use crossdock_api::batch::{Column, Parsed, RawSlice, RecordBatch, RecordRef, Serialized};
use crossdock_api::config::{ConfigDef, ConfigKey, ConfigMap, Importance, Validator, Width};
use crossdock_api::{
    Bytes, ConfigError, ConnectError, Converter, Failures, HeaderConverter, Schema, Value, ValueRef,
};
use read::{ReadOptions, Reader};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use write::Writer;

const SCHEMAS_ENABLE: &str = "schemas.enable";
const SCHEMAS_CACHE_SIZE: &str = "schemas.cache.size";
const SCHEMA_CONTENT: &str = "schema.content";
const DECIMAL_FORMAT: &str = "decimal.format";
const REPLACE_NULL: &str = "replace.null.with.default";

/// Converts to and from JSON. Mirrors `org.apache.kafka.connect.json.JsonConverter`, apart from what
/// Jackson does silently: numbers that do not fit are not cut off, values of another type than the
/// schema says are not taken for zero, and what follows the document is not passed over, unless
/// `crossdock.compatibility=strict`.
#[derive(Debug)]
pub struct JsonConverter {
    envelope: bool,
    /// The schema of all messages, if they come without one (KIP-1054).
    fixed_schema: Option<Arc<Schema>>,
    read: ReadOptions,
    writer: Writer,
    seen: Mutex<Seen>,
    written: Mutex<WriteCache>,
}

impl Default for JsonConverter {
    fn default() -> Self {
        Self {
            envelope: true,
            fixed_schema: None,
            read: ReadOptions { strictness: Strictness::Safe, replace_null: true },
            writer: Writer { numeric_decimals: false, replace_null: true, strictness: Strictness::Safe },
            seen: Mutex::default(),
            written: Mutex::new(WriteCache::new(1000)),
        }
    }
}

fn config_def() -> ConfigDef {
    let schemas = |key: ConfigKey, order: i32, name: &str| {
        key.shown("Schemas", order, Width::Medium, name).importance(Importance::High)
    };
    let serialization = |key: ConfigKey, order: i32, name: &str| {
        key.shown("Serialization", order, Width::Medium, name).importance(Importance::Low)
    };
    ConfigDef::new()
        .define(converter_type())
        .define(schemas(
            ConfigKey::boolean(SCHEMAS_ENABLE)
                .default("true")
                .doc("Include schemas within each of the serialized values and keys."),
            0,
            "Enable Schemas",
        ))
        .define(schemas(
            ConfigKey::int(SCHEMAS_CACHE_SIZE)
                .default("1000")
                .doc("The maximum number of schemas that can be cached in this converter instance."),
            1,
            "Schema Cache Size",
        ))
        .define(schemas(
            ConfigKey::string(SCHEMA_CONTENT).default_null().doc(
                "The schema of all messages, as JSON, for messages that come without one. Used when \
                 'schemas.enable' is true; messages are then read as plain payloads.",
            ),
            2,
            "Schema Content",
        ))
        .define(serialization(
            ConfigKey::string(DECIMAL_FORMAT)
                .default("BASE64")
                .validator(Validator::OneOfIgnoringCase(&["NUMERIC", "BASE64"]))
                .doc(
                    "How decimals are written: BASE64, the bytes of the unscaled value, or NUMERIC, a JSON \
                     number. Both are read.",
                ),
            0,
            "Decimal Format",
        ))
        .define(serialization(
            ConfigKey::boolean(REPLACE_NULL).default("true").doc(
                "Whether the default value of a schema takes the place of null in a field that has one.",
            ),
            1,
            "Replace null with default",
        ))
        .define(Strictness::key())
}

impl JsonConverter {
    fn configure(&mut self, config: &ConfigMap) -> std::result::Result<(), ConfigError> {
        let parsed = parse(config_def(), config)?;
        let cache_size = usize::try_from(parsed.int(SCHEMAS_CACHE_SIZE)?).unwrap_or_default();
        let replace_null = parsed.boolean(REPLACE_NULL)?;
        self.envelope = parsed.boolean(SCHEMAS_ENABLE)?;
        self.read = ReadOptions { strictness: Strictness::of(&parsed)?, replace_null };
        self.writer = Writer {
            strictness: self.read.strictness,
            numeric_decimals: parsed.string(DECIMAL_FORMAT)?.eq_ignore_ascii_case("NUMERIC"),
            replace_null,
        };
        self.seen = Mutex::new(Seen::new(cache_size));
        self.written = Mutex::new(WriteCache::new(cache_size));
        if let Some(content) = parsed.string_opt(SCHEMA_CONTENT)?.filter(|c| !c.is_empty()) {
            let schema = self.read_schema(content).map_err(|e| {
                ConfigError::invalid(
                    SCHEMA_CONTENT,
                    content,
                    format!("it must be a schema as JSON: {}", e.message()),
                )
            })?;
            self.fixed_schema = schema;
        }
        Ok(())
    }

    /// Reads a schema from its JSON form; `null` is none. Mirrors `JsonConverter.asConnectSchema`.
    ///
    /// # Errors
    /// `BadRecord` if it is not JSON or not a schema.
    pub fn read_schema(&self, json: &str) -> std::result::Result<Option<Arc<Schema>>, ConnectError> {
        let bytes = Bytes::copy_from_slice(json.as_bytes());
        let mut reader = Reader::new(RawSlice::whole(&bytes), self.read);
        let read = schema::read_schema(&mut reader).and_then(|schema| reader.check_end().map(|()| schema));
        read.map_err(|e| e.into_connect(self.read.strictness))
    }

    /// Appends the JSON form of a schema. Mirrors `JsonConverter.asJsonSchema`.
    ///
    /// # Errors
    /// `BadRecord` if its default value does not fit it.
    pub fn write_schema(
        &self,
        schema: &Arc<Schema>,
        out: &mut Vec<u8>,
    ) -> std::result::Result<(), ConnectError> {
        let cached = lock(&self.written).get(schema);
        let json = match cached {
            Some(json) => json,
            None => {
                let mut json = Vec::new();
                self.writer.schema(schema, None, &mut json)?;
                let json: Arc<[u8]> = json.into();
                lock(&self.written).put(schema, Arc::clone(&json));
                json
            }
        };
        out.extend_from_slice(&json);
        Ok(())
    }

    /// Appends a value, which is not null or has a schema.
    fn write(
        &self,
        schema: Option<&Arc<Schema>>,
        value: ValueRef<'_>,
        out: &mut Vec<u8>,
    ) -> std::result::Result<(), ConnectError> {
        if !self.envelope {
            return self.writer.value(schema, value, out);
        }
        out.extend_from_slice(b"{\"schema\":");
        match schema {
            Some(schema) => self.write_schema(schema, out)?,
            None => out.extend_from_slice(b"null"),
        }
        out.extend_from_slice(b",\"payload\":");
        self.writer.value(schema, value, out)?;
        out.push(b'}');
        Ok(())
    }

    /// Hands over what was read before. A thread that comes while another one reads does not wait for it, but reads as if
    /// there were nothing.
    fn with_seen<T>(&self, read: impl FnOnce(&mut Seen) -> T) -> T {
        match self.seen.try_lock() {
            Ok(mut seen) => read(&mut seen),
            Err(TryLockError::Poisoned(seen)) => read(&mut seen.into_inner()),
            Err(TryLockError::WouldBlock) => read(&mut Seen::default()),
        }
    }

    fn read(
        &self,
        raw: RawSlice<'_>,
        seen: &mut Seen,
    ) -> std::result::Result<(Option<Arc<Schema>>, Value), ConnectError> {
        let decoded = encoding::to_utf8(raw.as_bytes(), self.read.strictness);
        match decoded.map_err(|e| e.into_connect(self.read.strictness))? {
            Some(utf8) => self.read_utf8(RawSlice::whole(&utf8), seen),
            None => self.read_utf8(raw, seen),
        }
    }

    fn read_utf8(
        &self,
        raw: RawSlice<'_>,
        seen: &mut Seen,
    ) -> std::result::Result<(Option<Arc<Schema>>, Value), ConnectError> {
        let mut reader = Reader::new(raw, self.read);
        let read = match (&self.fixed_schema, self.envelope) {
            (Some(schema), true) => reader.typed(schema).map(|value| (Some(Arc::clone(schema)), value)),
            (_, true) => envelope::read(&mut reader, seen),
            // Jackson takes no document at all for a missing value.
            (_, false) if reader.lexer.is_at_end() => Ok((None, Value::Null)),
            (_, false) => reader.value(None, &mut seen.layouts).map(|value| (None, value)),
        };
        let read = read.and_then(|read| reader.check_end().map(|()| read));
        read.map_err(|e| e.into_connect(self.read.strictness))
    }
}

/// The caches stay consistent if a thread panics between two calls.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Converter for JsonConverter {
    fn config_def(&self) -> ConfigDef {
        config_def()
    }

    fn configure(&mut self, config: &ConfigMap, _column: Column) -> std::result::Result<(), ConfigError> {
        Self::configure(self, config)
    }

    fn serialize(
        &self,
        _record: RecordRef<'_>,
        schema: Option<&Arc<Schema>>,
        value: ValueRef<'_>,
        out: &mut Vec<u8>,
    ) -> std::result::Result<Serialized, ConnectError> {
        if schema.is_none() && value.is_null() {
            return Ok(Serialized::Null);
        }
        self.write(schema, value, out).map(|()| Serialized::Written)
    }

    fn parse(
        &self,
        _record: RecordRef<'_>,
        raw: Option<RawSlice<'_>>,
    ) -> std::result::Result<(Option<Arc<Schema>>, Parsed), ConnectError> {
        let Some(raw) = raw else { return Ok((None, Parsed::Null)) };
        let (schema, value) = self.with_seen(|seen| self.read(raw, seen))?;
        Ok((schema, Parsed::Value(value)))
    }

    fn parse_batch(&self, batch: &mut RecordBatch, column: Column, failures: &mut Failures) {
        self.with_seen(|seen| {
            batch.parse_column(column, failures, |_, raw| {
                let Some(raw) = raw else { return Ok((None, Parsed::Null)) };
                let (schema, value) = self.read(raw, seen)?;
                Ok((schema, Parsed::Value(value)))
            });
        });
    }
}

impl HeaderConverter for JsonConverter {
    fn config_def(&self) -> ConfigDef {
        config_def()
    }

    fn configure(&mut self, config: &ConfigMap) -> std::result::Result<(), ConfigError> {
        Self::configure(self, config)
    }

    fn serialize(
        &self,
        _topic: &str,
        _name: &str,
        schema: Option<&Arc<Schema>>,
        value: ValueRef<'_>,
    ) -> std::result::Result<Option<Vec<u8>>, ConnectError> {
        if schema.is_none() && value.is_null() {
            return Ok(None);
        }
        let mut out = Vec::new();
        self.write(schema, value, &mut out)?;
        Ok(Some(out))
    }

    fn parse(
        &self,
        _topic: &str,
        _name: &str,
        raw: Option<&[u8]>,
    ) -> std::result::Result<(Option<Arc<Schema>>, Value), ConnectError> {
        let Some(raw) = raw else { return Ok((None, Value::Null)) };
        self.with_seen(|seen| self.read(RawSlice::whole(&Bytes::copy_from_slice(raw)), seen))
    }
}

#[cfg(test)]
mod tests;
