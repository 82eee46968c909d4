//! Schemas as JSON: `{"type":"struct","fields":[...],"optional":false,...}`.

use super::error::{JsonError, Result};
use super::lexer::{Kind, check_utf8};
use super::read::Reader;
use super::text::append_string;
use super::write::Writer;
use crossdock_api::Strictness;
use crossdock_api::nesting::descend;
use crossdock_api::{ConnectError, Schema, SchemaType, Value};
use std::sync::Arc;

/// Schemas inside each other. Real ones have a few; the limit bounds the stack.
const MAX_DEPTH: u16 = 200;

/// The name of a type in JSON; floats differ from [`SchemaType::name`].
fn type_name(kind: SchemaType) -> &'static str {
    match kind {
        SchemaType::Float32 => "float",
        SchemaType::Float64 => "double",
        other => other.name(),
    }
}

fn type_of(name: &str) -> Option<SchemaType> {
    match name {
        "float" => Some(SchemaType::Float32),
        "double" => Some(SchemaType::Float64),
        "float32" | "float64" => None,
        other => SchemaType::from_name(other),
    }
}

/// Members of a schema's object as they were found. Those of a wrong kind count as missing, as in
/// Connect. Inner schemas stay where they are until the type says whether they matter.
#[derive(Default)]
struct Members<'a> {
    kind: Option<String>,
    optional: bool,
    name: Option<String>,
    version: Option<i32>,
    doc: Option<String>,
    field: Option<String>,
    parameters: Option<Reader<'a>>,
    default: Option<Reader<'a>>,
    items: Option<Reader<'a>>,
    keys: Option<Reader<'a>>,
    values: Option<Reader<'a>>,
    fields: Option<Reader<'a>>,
}

/// Reads a schema; null is none.
pub(super) fn read_schema(reader: &mut Reader<'_>) -> Result<Option<Arc<Schema>>> {
    read_schema_at(reader, 0)
}

fn read_schema_at(reader: &mut Reader<'_>, depth: u16) -> Result<Option<Arc<Schema>>> {
    if reader.lexer.kind()? == Kind::Null {
        reader.lexer.null()?;
        return Ok(None);
    }
    read_field(reader, depth).map(|(schema, _)| Some(Arc::new(schema)))
}

/// Reads a schema and the name of the field that it is the schema of, if one is given.
fn read_field(reader: &mut Reader<'_>, depth: u16) -> Result<(Schema, Option<String>)> {
    let start = reader.lexer.at();
    if depth >= MAX_DEPTH {
        return Err(JsonError::data(start, format!("schemas are nested more than {MAX_DEPTH} levels deep")));
    }
    let untyped = || JsonError::data(start, "Schema must contain 'type' field");
    if reader.lexer.kind()? != Kind::Object {
        reader.lexer.skip_value()?;
        return Err(untyped());
    }
    let members = read_members(reader)?;
    let Some(type_name) = &members.kind else { return Err(untyped()) };
    let Some(kind) = type_of(type_name) else {
        return Err(JsonError::data(start, format!("Unknown schema type: {type_name}")));
    };
    let mut schema = match kind {
        SchemaType::Array => {
            let missing = "Array schema did not specify the element type";
            Schema::array(inner_schema(members.items, start, depth, missing)?)
        }
        SchemaType::Map => {
            let keys = inner_schema(members.keys, start, depth, "Map schema did not specify the key type")?;
            let values =
                inner_schema(members.values, start, depth, "Map schema did not specify the value type")?;
            Schema::map(keys, values)
        }
        SchemaType::Struct => struct_schema(members.fields, start, depth)?,
        primitive => Schema::new(primitive),
    };
    if members.optional {
        schema = schema.optional();
    }
    if let Some(name) = &members.name {
        schema = schema.with_name(name);
    }
    if let Some(version) = members.version {
        schema = schema.with_version(version);
    }
    if let Some(doc) = &members.doc {
        schema = schema.with_doc(doc);
    }
    if let Some(parameters) = members.parameters {
        schema = with_parameters(schema, parameters)?;
    }
    if let Some(default) = members.default {
        schema = with_default(schema, default)?;
    }
    Ok((schema, members.field))
}

fn read_members<'a>(reader: &mut Reader<'a>) -> Result<Members<'a>> {
    let mut members = Members::default();
    let mut more = reader.lexer.enter()?;
    while more {
        let start = reader.lexer.at();
        let name = reader.lexer.member()?;
        let here = reader.clone();
        let kind = reader.lexer.kind()?;
        match check_utf8(name.as_bytes(), start)? {
            "type" => members.kind = string(reader, kind)?,
            "name" => members.name = string(reader, kind)?,
            "doc" => members.doc = string(reader, kind)?,
            "field" => members.field = string(reader, kind)?,
            "optional" if kind == Kind::Boolean => members.optional = reader.lexer.boolean()?,
            "optional" => {
                members.optional = false;
                reader.lexer.skip_value()?;
            }
            "version" if kind == Kind::Number => {
                let number = reader.lexer.number()?;
                members.version = (!number.float).then(|| super::logical::low_bits(number.text) as i32);
            }
            other => {
                reader.lexer.skip_value()?;
                match other {
                    "parameters" => members.parameters = Some(here),
                    "default" => members.default = Some(here),
                    "items" => members.items = Some(here),
                    "keys" => members.keys = Some(here),
                    "values" => members.values = Some(here),
                    "fields" => members.fields = Some(here),
                    _ => {}
                }
            }
        }
        more = reader.lexer.another(b'}')?;
    }
    Ok(members)
}

/// A string, or nothing if the value is of another kind.
fn string(reader: &mut Reader<'_>, kind: Kind) -> Result<Option<String>> {
    if kind != Kind::String {
        reader.lexer.skip_value()?;
        return Ok(None);
    }
    let start = reader.lexer.at();
    let text = reader.lexer.string()?;
    check_utf8(text.as_bytes(), start).map(|t| Some(t.to_owned()))
}

fn inner_schema(reader: Option<Reader<'_>>, at: usize, depth: u16, missing: &str) -> Result<Arc<Schema>> {
    let schema = match reader {
        Some(mut reader) => read_schema_at(&mut reader, depth + 1)?,
        None => None,
    };
    schema.ok_or_else(|| JsonError::data(at, missing))
}

fn struct_schema(fields: Option<Reader<'_>>, at: usize, depth: u16) -> Result<Schema> {
    let mut schema = Schema::new(SchemaType::Struct);
    let not_an_array = || JsonError::data(at, "Struct schema's \"fields\" argument is not an array.");
    let Some(mut reader) = fields else { return Err(not_an_array()) };
    if reader.lexer.kind()? != Kind::Array {
        return Err(not_an_array());
    }
    let mut names = std::collections::HashSet::new();
    let mut more = reader.lexer.enter()?;
    while more {
        let start = reader.lexer.at();
        let unnamed = || JsonError::data(start, "Struct schema's field name not specified properly");
        if reader.lexer.kind()? != Kind::Object {
            return Err(unnamed());
        }
        let (field, name) = read_field(&mut reader, depth + 1).map_err(|e| e.at_index(names.len()))?;
        let name = name.ok_or_else(unnamed)?;
        if name.is_empty() {
            return Err(JsonError::schema(start, "fieldName cannot be null."));
        }
        if !names.insert(name.clone()) {
            return Err(JsonError::schema(
                start,
                format!("Cannot create field because of field name duplication {name}"),
            ));
        }
        schema = schema.field(&name, Arc::new(field));
        more = reader.lexer.another(b']')?;
    }
    Ok(schema)
}

fn with_parameters(mut schema: Schema, mut reader: Reader<'_>) -> Result<Schema> {
    if reader.lexer.kind()? != Kind::Object {
        return Ok(schema);
    }
    let mut more = reader.lexer.enter()?;
    while more {
        let start = reader.lexer.at();
        let key = reader.lexer.member()?;
        let kind = reader.lexer.kind()?;
        let Some(value) = string(&mut reader, kind)? else {
            return Err(JsonError::data(start, "Schema parameters must have string values."));
        };
        schema = schema.with_parameter(check_utf8(key.as_bytes(), start)?, &value);
        more = reader.lexer.another(b'}')?;
    }
    Ok(schema)
}

fn with_default(schema: Schema, mut reader: Reader<'_>) -> Result<Schema> {
    let start = reader.lexer.at();
    let shared = Arc::new(schema);
    let default = reader.typed(&shared).map_err(|e| e.inside("default"))?;
    let schema = Arc::unwrap_or_clone(shared);
    let is_struct = schema.kind() == SchemaType::Struct;
    match default {
        Value::Null if schema.is_optional() => Ok(schema),
        // Connect cannot make a struct before its schema is complete, and so never takes it for a default.
        Value::Struct(_) if is_struct && reader.options.strictness == Strictness::AsConnect => {
            Err(JsonError::schema(start, "Invalid default value"))
        }
        Value::Null => Err(JsonError::schema(start, "Invalid default value")),
        default => Ok(schema.with_default(default)),
    }
}

impl Writer {
    /// Appends a schema. Mirrors `JsonConverter.asJsonSchema`, its order of members included.
    pub(super) fn schema(
        &self,
        schema: &Arc<Schema>,
        field: Option<&str>,
        out: &mut Vec<u8>,
    ) -> std::result::Result<(), ConnectError> {
        out.extend_from_slice(b"{\"type\":\"");
        out.extend_from_slice(type_name(schema.kind()).as_bytes());
        out.push(b'"');
        self.inner_schemas(schema, out)?;
        out.extend_from_slice(if schema.is_optional() {
            b",\"optional\":true"
        } else {
            b",\"optional\":false"
        });
        if let Some(name) = schema.name() {
            append_member(out, "name", name);
        }
        if let Some(version) = schema.version() {
            out.extend_from_slice(b",\"version\":");
            crossdock_api::java_text::append_i64(out, i64::from(version));
        }
        if let Some(doc) = schema.doc() {
            append_member(out, "doc", doc);
        }
        for (index, (key, value)) in schema.parameters().enumerate() {
            out.extend_from_slice(if index == 0 { b",\"parameters\":{" } else { b"," });
            append_string(out, key.as_bytes());
            out.push(b':');
            append_string(out, value.as_bytes());
        }
        if schema.parameters().len() > 0 {
            out.push(b'}');
        }
        if let Some(default) = schema.default_value() {
            out.extend_from_slice(b",\"default\":");
            self.value(Some(schema), default.as_ref(), out)?;
        }
        if let Some(field) = field {
            append_member(out, "field", field);
        }
        out.push(b'}');
        Ok(())
    }

    fn inner_schemas(&self, schema: &Schema, out: &mut Vec<u8>) -> std::result::Result<(), ConnectError> {
        let mut inner = |name: &str, schema: Option<&Arc<Schema>>| match schema {
            Some(schema) => {
                out.extend_from_slice(name.as_bytes());
                descend(|| self.schema(schema, None, out))
            }
            None => Err(ConnectError::bad_record("the schema of an array or map does not say of what")),
        };
        match schema.kind() {
            SchemaType::Array => inner(",\"items\":", schema.value_schema()),
            SchemaType::Map => {
                inner(",\"keys\":", schema.key_schema())?;
                inner(",\"values\":", schema.value_schema())
            }
            SchemaType::Struct => {
                out.extend_from_slice(b",\"fields\":[");
                for (index, field) in schema.fields().iter().enumerate() {
                    if index > 0 {
                        out.push(b',');
                    }
                    descend(|| self.schema(&field.schema, Some(&field.name), out))?;
                }
                out.push(b']');
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

fn append_member(out: &mut Vec<u8>, name: &str, value: &str) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
    append_string(out, value.as_bytes());
}
