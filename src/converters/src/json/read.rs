//! JSON into values as their schema says, in one pass and without a tree in between.

use super::error::{JsonError, Result};
use super::layouts::Layouts;
use super::lexer::{JsonStr, Kind, Lexer, check_utf8, is_plain};
use super::logical::Logical;
use crossdock_api::Strictness;
use crossdock_api::batch::RawSlice;
use crossdock_api::{Bytes, Field, List, Map, Schema, SchemaType, Struct, Text, Value};
use std::sync::Arc;

/// How values are read.
#[derive(Debug, Clone, Copy)]
pub(super) struct ReadOptions {
    pub(super) strictness: Strictness,
    /// Whether the default of a schema stands in for null.
    pub(super) replace_null: bool,
}

/// Reads values at the place where the lexer is.
#[derive(Debug, Clone)]
pub(super) struct Reader<'a> {
    pub(super) lexer: Lexer<'a>,
    raw: RawSlice<'a>,
    /// The whole document, if it is UTF-8: then its strings need no check of their own.
    utf8: Option<&'a str>,
    pub(super) options: ReadOptions,
}

impl<'a> Reader<'a> {
    pub(super) fn new(raw: RawSlice<'a>, options: ReadOptions) -> Self {
        let utf8 = std::str::from_utf8(raw.as_bytes()).ok();
        Self { lexer: Lexer::new(raw.as_bytes()), raw, utf8, options }
    }

    pub(super) fn lenient(&self) -> bool {
        self.options.strictness == Strictness::AsConnect
    }

    /// A whole document: nothing may follow the value, unless Connect's behaviour is asked for, which
    /// does not look.
    pub(super) fn check_end(&self) -> Result<()> {
        if self.lexer.is_at_end() || self.lenient() {
            return Ok(());
        }
        Err(JsonError::syntax(self.lexer.at(), "there is something after the end of the JSON value"))
    }

    /// A value with a schema, or without one.
    pub(super) fn value(&mut self, schema: Option<&Arc<Schema>>, layouts: &mut Layouts) -> Result<Value> {
        match schema {
            None => self.schemaless(layouts),
            Some(schema) => self.typed(schema),
        }
    }

    /// A string as a slice of the input if it has no escapes.
    pub(super) fn text(&self, text: JsonStr<'a>, start: usize) -> Result<Text> {
        let bytes = match text {
            JsonStr::Plain(part) => match self.checked(part) {
                Some(part) => return Ok(self.raw.share_str(part)),
                None => self.raw.share(part),
            },
            JsonStr::Unescaped(bytes) => Bytes::from(bytes),
        };
        Text::from_utf8(bytes).map_err(|e| {
            JsonError::syntax(
                start,
                &format!("a string is not valid UTF-8 from its byte {}", e.valid_up_to()),
            )
        })
    }

    /// A part of a document that is UTF-8 as a whole.
    #[inline]
    fn checked(&self, part: &'a [u8]) -> Option<&'a str> {
        let whole = self.utf8?;
        let start = (part.as_ptr() as usize).wrapping_sub(whole.as_ptr() as usize);
        whole.get(start..start.checked_add(part.len())?)
    }

    /// The name of a member.
    pub(super) fn key(&mut self) -> Result<Text> {
        let start = self.lexer.at();
        let name = self.lexer.member()?;
        self.text(name, start)
    }

    fn elements(&mut self, mut element: impl FnMut(&mut Self) -> Result<Value>) -> Result<Vec<Value>> {
        let mut elements = Vec::new();
        let mut more = self.lexer.enter()?;
        while more {
            let value = element(self).map_err(|e| e.at_index(elements.len()))?;
            elements.push(value);
            more = self.lexer.another(b']')?;
        }
        Ok(elements)
    }

    fn entries(&mut self, mut value: impl FnMut(&mut Self) -> Result<Value>) -> Result<Map> {
        let mut entries = Vec::new();
        let mut more = self.lexer.enter()?;
        while more {
            let key = self.key()?;
            let value = value(self).map_err(|e| e.inside(key.as_str()))?;
            entries.push((Value::String(key), value));
            more = self.lexer.another(b'}')?;
        }
        Ok(Map::from_entries(entries))
    }

    /// A value as its schema says.
    pub(super) fn typed(&mut self, schema: &Arc<Schema>) -> Result<Value> {
        let start = self.lexer.at();
        let kind = self.lexer.kind()?;
        if kind == Kind::Null {
            self.lexer.null()?;
            return self.null_of(schema, start);
        }
        if let Some(logical) = Logical::of(schema) {
            return self.logical(logical, schema, kind);
        }
        match (schema.kind(), kind) {
            (SchemaType::Boolean, Kind::Boolean) => self.lexer.boolean().map(Value::Boolean),
            (SchemaType::String, Kind::String) => {
                let text = self.lexer.string()?;
                self.text(text, start).map(Value::String)
            }
            (SchemaType::Bytes, Kind::String) => self.base64(start),
            (
                SchemaType::Int8
                | SchemaType::Int16
                | SchemaType::Int32
                | SchemaType::Int64
                | SchemaType::Float32
                | SchemaType::Float64,
                Kind::Number,
            ) => self.number(schema.kind(), start),
            (SchemaType::Array, Kind::Array) => {
                let items = inner(schema.value_schema(), start)?;
                self.elements(|reader| reader.typed(items)).map(|items| Value::Array(items.into()))
            }
            (SchemaType::Map, _) => self.map(schema, kind),
            (SchemaType::Struct, Kind::Object) => self.record(schema, start),
            (SchemaType::Struct, _) => Err(JsonError::data(
                start,
                format!("Structs should be encoded as JSON objects, but found {}", kind.name()),
            )),
            (expected, _) if self.lenient() => self.mismatch(schema, expected, kind),
            (expected, _) => Err(JsonError::data(
                start,
                format!("the schema says {} but the JSON value is {}", expected.name(), with_article(kind)),
            )),
        }
    }

    /// What null means for a schema.
    fn null_of(&self, schema: &Schema, at: usize) -> Result<Value> {
        match schema.default_value() {
            Some(default) if self.options.replace_null => Ok(default.clone()),
            _ if schema.is_optional() => Ok(Value::Null),
            _ => Err(JsonError::data(
                at,
                format!(
                    "Invalid null value for required {} field",
                    schema.kind().name().to_ascii_uppercase()
                ),
            )),
        }
    }

    fn base64(&mut self, start: usize) -> Result<Value> {
        let text = self.lexer.string()?;
        let bytes = super::base64::decode(text.as_bytes());
        bytes.map(|b| Value::Bytes(b.into())).ok_or_else(|| JsonError::data(start, "Invalid bytes field"))
    }

    fn map(&mut self, schema: &Schema, kind: Kind) -> Result<Value> {
        let start = self.lexer.at();
        let keys = inner(schema.key_schema(), start)?;
        let values = inner(schema.value_schema(), start)?;
        if keys.kind() == SchemaType::String {
            if kind != Kind::Object {
                return Err(JsonError::data(
                    start,
                    format!(
                        "Maps with string fields should be encoded as JSON objects, but found {}",
                        kind.name()
                    ),
                ));
            }
            return self.entries(|reader| reader.typed(values)).map(Value::Map);
        }
        if kind != Kind::Array {
            return Err(JsonError::data(
                start,
                format!(
                    "Maps with non-string fields should be encoded as JSON array of tuples, but found {}",
                    kind.name()
                ),
            ));
        }
        let mut entries = Vec::new();
        let mut more = self.lexer.enter()?;
        while more {
            let entry = self.pair(keys, values).map_err(|e| e.at_index(entries.len()))?;
            entries.push(entry);
            more = self.lexer.another(b']')?;
        }
        Ok(Value::Map(Map::from_entries(entries)))
    }

    /// A map's entry as an array of two.
    fn pair(&mut self, keys: &Arc<Schema>, values: &Arc<Schema>) -> Result<(Value, Value)> {
        let start = self.lexer.at();
        let kind = self.lexer.kind()?;
        if kind != Kind::Array {
            return Err(JsonError::data(
                start,
                format!("Found invalid map entry instead of array tuple: {}", kind.name()),
            ));
        }
        let length = {
            let mut ahead = self.clone();
            let mut length = 0;
            let mut more = ahead.lexer.enter()?;
            while more && length < 3 {
                ahead.lexer.skip_value()?;
                length += 1;
                more = ahead.lexer.another(b']')?;
            }
            length
        };
        if length != 2 {
            return Err(JsonError::data(
                start,
                format!("Found invalid map entry, expected length 2 but found :{length}"),
            ));
        }
        self.lexer.enter()?;
        let key = self.typed(keys).map_err(|e| e.at_index(0))?;
        self.lexer.another(b']')?;
        let value = self.typed(values).map_err(|e| e.at_index(1))?;
        self.lexer.another(b']')?;
        Ok((key, value))
    }

    /// A struct: members in any order, unknown ones passed over, missing ones null.
    fn record(&mut self, schema: &Arc<Schema>, start: usize) -> Result<Value> {
        let fields = schema.fields();
        let mut values = Vec::with_capacity(fields.len());
        let mut more = self.lexer.enter()?;
        // Members mostly come in the order of the fields, and are all there.
        while more && let Some(field) = fields.get(values.len()) {
            let member = self.lexer.at();
            let name = field.name.as_bytes();
            if !is_plain(name) || !self.lexer.passed_member(name) {
                break;
            }
            values.push(self.field(field, member)?);
            more = self.lexer.another(b'}')?;
        }
        if more {
            values = self.members_in_any_order(fields, values, start)?;
        }
        for field in fields.get(values.len()..).unwrap_or_default() {
            values.push(self.null_of(&field.schema, start).map_err(|e| e.inside(&field.name))?);
        }
        let record = Struct::from_values(Arc::clone(schema), values);
        record.map(|r| Value::Struct(Box::new(r))).map_err(|e| JsonError::data(start, e.message()))
    }
    /// The value of a field, whose member starts at `member`.
    fn field(&mut self, field: &Field, member: usize) -> Result<Value> {
        let value = self.typed(&field.schema).map_err(|e| e.inside(&field.name))?;
        self.check_required(field, &value, member)?;
        Ok(value)
    }

    /// The other members of a struct of which the `first` values are there, and what they all are.
    fn members_in_any_order(
        &mut self,
        fields: &[Field],
        first: Vec<Value>,
        start: usize,
    ) -> Result<Vec<Value>> {
        let mut expected = first.len();
        let mut values: Vec<Option<Value>> = first.into_iter().map(Some).collect();
        values.resize_with(fields.len(), || None);
        let mut more = true;
        while more {
            let member = self.lexer.at();
            let name = self.lexer.member()?;
            let is_named =
                |index: usize| fields.get(index).is_some_and(|f| f.name.as_bytes() == name.as_bytes());
            let index = if is_named(expected) {
                Some(expected)
            } else {
                (0..fields.len()).find(|index| is_named(*index))
            };
            match index {
                Some(index) => {
                    values[index] = Some(self.field(&fields[index], member)?);
                    expected = index + 1;
                }
                None => {
                    check_utf8(name.as_bytes(), member)?;
                    self.lexer.skip_value()?;
                }
            }
            more = self.lexer.another(b'}')?;
        }
        let missing = |field: &Field| self.null_of(&field.schema, start).map_err(|e| e.inside(&field.name));
        let values = fields.iter().zip(values);
        values.map(|(field, value)| value.map_or_else(|| missing(field), Ok)).collect()
    }

    /// Lenient reading can make null of something that is not; a required field refuses it, as
    /// `ConnectSchema.validateValue` does.
    fn check_required(&self, field: &Field, value: &Value, at: usize) -> Result<()> {
        if !self.lenient() || !value.is_null() || field.schema.is_optional() {
            return Ok(());
        }
        Err(JsonError::data(
            at,
            format!(
                "Invalid value: null used for required field: \"{}\", schema type: {}",
                field.name,
                field.schema.kind().name().to_ascii_uppercase()
            ),
        ))
    }

    /// What Jackson makes of a value of another kind than the schema says: false, zero, null or an
    /// empty list.
    fn mismatch(&mut self, schema: &Schema, expected: SchemaType, kind: Kind) -> Result<Value> {
        if let (SchemaType::Array, Kind::Object) = (expected, kind) {
            let start = self.lexer.at();
            let items = inner(schema.value_schema(), start)?;
            let map = self.entries(|reader| reader.typed(items))?;
            return Ok(Value::Array(map.iter().map(|(_, value)| value.clone()).collect()));
        }
        self.lexer.skip_value()?;
        Ok(match expected {
            SchemaType::Array => Value::Array(List::new()),
            SchemaType::Boolean => Value::Boolean(false),
            SchemaType::Float32 => Value::Float32(0.0),
            SchemaType::Float64 => Value::Float64(0.0),
            SchemaType::Int8 => Value::Int8(0),
            SchemaType::Int16 => Value::Int16(0),
            SchemaType::Int32 => Value::Int32(0),
            SchemaType::Int64 => Value::Int64(0),
            SchemaType::Bytes | SchemaType::String | SchemaType::Map | SchemaType::Struct => Value::Null,
        })
    }
}

fn with_article(kind: Kind) -> &'static str {
    match kind {
        Kind::Array => "an array",
        Kind::Boolean => "a boolean",
        Kind::Null => "null",
        Kind::Number => "a number",
        Kind::Object => "an object",
        Kind::String => "a string",
    }
}

/// The schema of elements, keys or values; made by hand, a schema may lack it.
fn inner(schema: Option<&Arc<Schema>>, at: usize) -> Result<&Arc<Schema>> {
    schema.ok_or_else(|| JsonError::data(at, "the schema of an array or map does not say of what"))
}
