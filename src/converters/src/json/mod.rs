//! `JsonConverter`: JSON with its schema in every record, or without.
//!
//! # Layout
//!
//! - [`encoding`]: documents in UTF-16 and UTF-32.
//! - [`lexer`]: the words of JSON. [`read`]: values, with or without a schema. [`logical`]: decimals
//!   and dates. [`base64`]: bytes.
//! - [`schema`]: schemas as JSON, both ways. [`cache`]: those seen before.
//! - [`write`]: values into JSON.
//! - [`error`]: what was wrong, and where.
//!
//! With `schemas.enable=true` a document is an envelope `{"schema":…,"payload":…}`; the members may come
//! in any order, and the payload is read in the same pass if the schema comes first.

mod base64;
mod cache;
mod encoding;
mod error;
mod lexer;
mod logical;
mod read;
mod schema;
mod write;

use crate::settings::{converter_type, parse};
use cache::{ReadCache, WriteCache};
use crossdock_api::Strictness;
use crossdock_api::batch::{Column, Parsed, RawSlice, RecordRef, Serialized};
use crossdock_api::config::{ConfigDef, ConfigKey, ConfigMap, Importance, Validator, Width};
use crossdock_api::{Bytes, ConfigError, ConnectError, Converter, HeaderConverter, Schema, Value, ValueRef};
use error::{JsonError, Result};
use lexer::Kind;
use read::{ReadOptions, Reader};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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
    seen: Mutex<ReadCache>,
    written: Mutex<WriteCache>,
}

impl Default for JsonConverter {
    fn default() -> Self {
        Self {
            envelope: true,
            fixed_schema: None,
            read: ReadOptions { strictness: Strictness::Safe, replace_null: true },
            writer: Writer { numeric_decimals: false, replace_null: true, strictness: Strictness::Safe },
            seen: Mutex::new(ReadCache::new(1000)),
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
        self.seen = Mutex::new(ReadCache::new(cache_size));
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

    fn read(&self, raw: RawSlice<'_>) -> std::result::Result<(Option<Arc<Schema>>, Value), ConnectError> {
        let decoded = encoding::to_utf8(raw.as_bytes(), self.read.strictness);
        match decoded.map_err(|e| e.into_connect(self.read.strictness))? {
            Some(utf8) => self.read_utf8(RawSlice::whole(&utf8)),
            None => self.read_utf8(raw),
        }
    }

    fn read_utf8(
        &self,
        raw: RawSlice<'_>,
    ) -> std::result::Result<(Option<Arc<Schema>>, Value), ConnectError> {
        let mut reader = Reader::new(raw, self.read);
        let read = match (&self.fixed_schema, self.envelope) {
            (Some(schema), true) => reader.typed(schema).map(|value| (Some(Arc::clone(schema)), value)),
            (_, true) => self.read_envelope(&mut reader),
            // Jackson takes no document at all for a missing value.
            (_, false) if reader.lexer.is_at_end() => Ok((None, Value::Null)),
            (_, false) => reader.value(None).map(|value| (None, value)),
        };
        let read = read.and_then(|read| reader.check_end().map(|()| read));
        read.map_err(|e| e.into_connect(self.read.strictness))
    }

    fn read_envelope(&self, reader: &mut Reader<'_>) -> Result<(Option<Arc<Schema>>, Value)> {
        let start = reader.lexer.at();
        let no_envelope = || {
            JsonError::data(
                start,
                "JsonConverter with schemas.enable requires \"schema\" and \"payload\" fields and may not \
                 contain additional fields. If you are trying to deserialize plain JSON data, set \
                 schemas.enable=false in your converter configuration.",
            )
        };
        if reader.lexer.is_at_end() {
            return Err(no_envelope());
        }
        if reader.lexer.kind()? != Kind::Object {
            reader.lexer.skip_value()?;
            return Err(no_envelope());
        }
        let mut schema: Option<Option<Arc<Schema>>> = None;
        // Where the payload is, and what it is if its schema was known by then.
        let mut payload: Option<(Reader<'_>, Option<Value>)> = None;
        let mut others = false;
        let mut more = reader.lexer.enter()?;
        while more {
            let name = reader.lexer.member()?;
            let here = reader.clone();
            match (name.as_bytes(), &schema) {
                (b"schema", _) => {
                    schema = Some(self.member_schema(reader).map_err(|e| e.inside("schema"))?);
                    // A second schema counts instead of the first.
                    payload = payload.map(|(reader, _)| (reader, None));
                }
                (b"payload", Some(schema)) => {
                    let value = reader.value(schema.as_ref()).ok();
                    if value.is_none() {
                        // Another schema or payload may follow; if not, this one is read again.
                        *reader = here.clone();
                        reader.lexer.skip_value()?;
                    }
                    payload = Some((here, value));
                }
                (b"payload", None) => {
                    reader.lexer.skip_value()?;
                    payload = Some((here, None));
                }
                _ => {
                    reader.lexer.skip_value()?;
                    others = true;
                }
            }
            more = reader.lexer.another(b'}')?;
        }
        match (schema, payload) {
            (Some(schema), Some((_, Some(value)))) if !others => Ok((schema, value)),
            (Some(schema), Some((mut reader, None))) if !others => {
                let value = reader.value(schema.as_ref()).map_err(|e| e.inside("payload"))?;
                Ok((schema, value))
            }
            _ => Err(no_envelope()),
        }
    }

    /// The schema in an envelope, from the cache if it was there before.
    fn member_schema(&self, reader: &mut Reader<'_>) -> Result<Option<Arc<Schema>>> {
        let rest = reader.lexer.rest();
        let start = reader.lexer.at();
        if let Some((length, schema)) = lock(&self.seen).last_at_start_of(rest) {
            reader.lexer.go_to(start + length);
            return Ok(Some(schema));
        }
        if reader.lexer.kind()? != Kind::Object {
            return schema::read_schema(reader);
        }
        reader.lexer.skip_value()?;
        let json = rest[..reader.lexer.at() - start].trim_ascii_end();
        if let Some(schema) = lock(&self.seen).get(json) {
            return Ok(Some(schema));
        }
        // Its own copy, so that a default value does not keep the record's buffer alive.
        let copy = Bytes::copy_from_slice(json);
        let schema = schema::read_schema(&mut Reader::new(RawSlice::whole(&copy), self.read))?;
        if let Some(schema) = &schema {
            lock(&self.seen).put(json, schema);
        }
        Ok(schema)
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
        let (schema, value) = self.read(raw)?;
        Ok((schema, Parsed::Value(value)))
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
        self.read(RawSlice::whole(&Bytes::copy_from_slice(raw)))
    }
}

#[cfg(test)]
mod tests;
