//! Envelopes: `{"schema":…,"payload":…}`, the members in any order.

use super::cache::{ReadCache, Seen};
use super::error::{JsonError, Result};
use super::lexer::Kind;
use super::read::Reader;
use super::schema;
use crossdock_api::batch::RawSlice;
use crossdock_api::{Bytes, Schema, Value};
use std::sync::Arc;

/// Reads an envelope, or says that it is none.
pub(super) fn read(reader: &mut Reader<'_>, seen: &mut Seen) -> Result<(Option<Arc<Schema>>, Value)> {
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
                schema = Some(member_schema(reader, &mut seen.schemas).map_err(|e| e.inside("schema"))?);
                // A second schema counts instead of the first.
                payload = payload.map(|(reader, _)| (reader, None));
            }
            (b"payload", Some(schema)) => {
                let value = reader.value(schema.as_ref(), &mut seen.layouts).ok();
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
            let value = reader.value(schema.as_ref(), &mut seen.layouts).map_err(|e| e.inside("payload"))?;
            Ok((schema, value))
        }
        _ => Err(no_envelope()),
    }
}

/// The schema in an envelope, from the cache if it was there before.
fn member_schema(reader: &mut Reader<'_>, schemas: &mut ReadCache) -> Result<Option<Arc<Schema>>> {
    let rest = reader.lexer.rest();
    let start = reader.lexer.at();
    if let Some((length, schema)) = schemas.last_at_start_of(rest) {
        reader.lexer.go_to(start + length);
        return Ok(Some(schema));
    }
    if reader.lexer.kind()? != Kind::Object {
        return schema::read_schema(reader);
    }
    reader.lexer.skip_value()?;
    let json = rest[..reader.lexer.at() - start].trim_ascii_end();
    if let Some(schema) = schemas.get(json) {
        return Ok(Some(schema));
    }
    // Its own copy, so that a default value does not keep the record's buffer alive.
    let copy = Bytes::copy_from_slice(json);
    let schema = schema::read_schema(&mut Reader::new(RawSlice::whole(&copy), reader.options))?;
    if let Some(schema) = &schema {
        schemas.put(json, schema);
    }
    Ok(schema)
}
