//! JSON into values, in one pass and without a tree in between.
//!
//! Without a schema, integers are INT64, other numbers FLOAT64, objects maps with string keys. With a
//! schema, each value is read as what the schema says.

use super::error::{JsonError, Result};
use super::lexer::{JsonStr, Kind, Lexer, check_utf8};
use super::logical::Logical;
use crossdock_api::Strictness;
use crossdock_api::batch::RawSlice;
use crossdock_api::{Bytes, Map, Schema, SchemaType, Struct, Text, Value};
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

/// An array or object that is being read, with the name of the member that is.
enum Open {
    Array(Vec<Value>),
    Object(Vec<(Value, Value)>, Option<Text>),
}

impl<'a> Reader<'a> {
    pub(super) fn new(raw: RawSlice<'a>, options: ReadOptions) -> Self {
        let utf8 = std::str::from_utf8(raw.as_bytes()).ok();
        Self { lexer: Lexer::new(raw.as_bytes()), raw, utf8, options }
    }

    fn lenient(&self) -> bool {
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
    pub(super) fn value(&mut self, schema: Option<&Arc<Schema>>) -> Result<Value> {
        match schema {
            None => self.schemaless(),
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

    /// A value without a schema. Uses a stack of its own: documents may be nested deeply.
    fn schemaless(&mut self) -> Result<Value> {
        let mut open = Vec::new();
        self.schemaless_in(&mut open).map_err(|error| {
            open.iter().rev().fold(error, |error, outer| match outer {
                Open::Array(items) => error.at_index(items.len()),
                Open::Object(_, Some(key)) => error.inside(key.as_str()),
                Open::Object(_, None) => error,
            })
        })
    }

    fn schemaless_in(&mut self, open: &mut Vec<Open>) -> Result<Value> {
        loop {
            let mut value = match self.lexer.kind()? {
                Kind::Array if self.lexer.enter()? => {
                    open.push(Open::Array(Vec::new()));
                    continue;
                }
                Kind::Object if self.lexer.enter()? => {
                    let key = self.key()?;
                    open.push(Open::Object(Vec::with_capacity(8), Some(key)));
                    continue;
                }
                Kind::Array => Value::Array(Vec::new()),
                Kind::Object => Value::Map(Map::new()),
                scalar => self.scalar(scalar)?,
            };
            // Puts the value into what it is in, which may be complete with it, and so on outwards.
            loop {
                value = match open.last_mut() {
                    None => return Ok(value),
                    Some(Open::Array(items)) => {
                        items.push(value);
                        if self.lexer.another(b']')? {
                            break;
                        }
                        Value::Array(std::mem::take(items))
                    }
                    Some(Open::Object(entries, key)) => {
                        entries.push((key.take().map_or(Value::Null, Value::String), value));
                        if self.lexer.another(b'}')? {
                            *key = Some(self.key()?);
                            break;
                        }
                        Value::Map(Map::from_entries(std::mem::take(entries)))
                    }
                };
                open.pop();
            }
        }
    }

    fn key(&mut self) -> Result<Text> {
        let start = self.lexer.at();
        let name = self.lexer.member()?;
        self.text(name, start)
    }

    fn scalar(&mut self, kind: Kind) -> Result<Value> {
        let start = self.lexer.at();
        match kind {
            Kind::Boolean => self.lexer.boolean().map(Value::Boolean),
            Kind::Number => {
                let number = self.lexer.number()?;
                if number.float {
                    self.double(number.text, start).map(Value::Float64)
                } else {
                    self.integer(number.text, start, SchemaType::Int64).map(Value::Int64)
                }
            }
            Kind::String => {
                let text = self.lexer.string()?;
                self.text(text, start).map(Value::String)
            }
            Kind::Null | Kind::Array | Kind::Object => self.lexer.null().map(|()| Value::Null),
        }
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
                self.elements(|reader| reader.typed(items)).map(Value::Array)
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

    fn number(&mut self, kind: SchemaType, start: usize) -> Result<Value> {
        let text = self.lexer.number()?.text;
        Ok(match kind {
            SchemaType::Int8 => Value::Int8(self.integer(text, start, kind)? as i8),
            SchemaType::Int16 => Value::Int16(self.integer(text, start, kind)? as i16),
            SchemaType::Int32 => Value::Int32(self.integer(text, start, kind)? as i32),
            SchemaType::Int64 => Value::Int64(self.integer(text, start, kind)?),
            SchemaType::Float32 => match text.parse::<f32>() {
                Ok(value) if self.lenient() => Value::Float32(value + 0.0),
                Ok(value) if value.is_finite() => Value::Float32(value),
                _ => return Err(out_of_range(text, kind, start)),
            },
            _ => Value::Float64(self.double(text, start)?),
        })
    }

    fn double(&self, text: &str, start: usize) -> Result<f64> {
        match text.parse::<f64>() {
            // By way of a BigDecimal, Java loses the sign of zero.
            Ok(value) if self.lenient() => Ok(value + 0.0),
            Ok(value) if value.is_finite() => Ok(value),
            _ => Err(out_of_range(text, SchemaType::Float64, start)),
        }
    }

    /// An integer that fits the type. Where Connect's behaviour is asked for it is cut off as Java does.
    pub(super) fn integer(&self, text: &str, start: usize, kind: SchemaType) -> Result<i64> {
        let exact = match text.parse::<i64>() {
            Ok(value) => Some(value),
            Err(_) => exact_integer(text),
        };
        let (min, max) = match kind {
            SchemaType::Int8 => (i64::from(i8::MIN), i64::from(i8::MAX)),
            SchemaType::Int16 => (i64::from(i16::MIN), i64::from(i16::MAX)),
            SchemaType::Int32 => (i64::from(i32::MIN), i64::from(i32::MAX)),
            _ => (i64::MIN, i64::MAX),
        };
        match exact {
            Some(value) if (min..=max).contains(&value) => Ok(value),
            _ if self.lenient() => Ok(cut_off(text, kind)),
            _ => Err(out_of_range(text, kind, start)),
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
        let mut values: Vec<Option<Value>> = Vec::new();
        values.resize_with(fields.len(), || None);
        let mut expected = 0;
        let mut more = self.lexer.enter()?;
        while more {
            let member = self.lexer.at();
            let name = self.lexer.member()?;
            let is_named =
                |index: usize| fields.get(index).is_some_and(|f| f.name.as_bytes() == name.as_bytes());
            // Members mostly come in the order of the fields.
            let index = if is_named(expected) {
                Some(expected)
            } else {
                (0..fields.len()).find(|index| is_named(*index))
            };
            match index {
                Some(index) => {
                    let field = &fields[index];
                    let value = self.typed(&field.schema).map_err(|e| e.inside(&field.name))?;
                    self.check_required(field, &value, member)?;
                    values[index] = Some(value);
                    expected = index + 1;
                }
                None => {
                    check_utf8(name.as_bytes(), member)?;
                    self.lexer.skip_value()?;
                }
            }
            more = self.lexer.another(b'}')?;
        }
        let mut all = Vec::with_capacity(fields.len());
        for (field, value) in fields.iter().zip(values) {
            all.push(match value {
                Some(value) => value,
                None => self.null_of(&field.schema, start).map_err(|e| e.inside(&field.name))?,
            });
        }
        let record = Struct::from_values(Arc::clone(schema), all);
        record.map(|r| Value::Struct(Box::new(r))).map_err(|e| JsonError::data(start, e.message()))
    }

    /// Lenient reading can make null of something that is not; a required field refuses it, as
    /// `ConnectSchema.validateValue` does.
    fn check_required(&self, field: &crossdock_api::Field, value: &Value, at: usize) -> Result<()> {
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
            SchemaType::Array => Value::Array(Vec::new()),
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

#[cold]
fn out_of_range(text: &str, kind: SchemaType, at: usize) -> JsonError {
    let shown: String = text.chars().take(60).collect();
    JsonError::data(at, format!("the number {shown} does not fit {} without loss", kind.name()))
}

/// The value of a number such as `1.0` or `1e3` that is written as a float but is an integer.
fn exact_integer(text: &str) -> Option<i64> {
    let value: f64 = text.parse().ok()?;
    // Up to 2⁵³ every integer is exact, so a float text without fraction is what it says.
    (value.fract() == 0.0 && value.abs() <= 9_007_199_254_740_992.0 && is_written_as_integer(text))
        .then_some(value as i64)
}

/// Whether the digits themselves say an integer: `1.5e1` does, `1.0000000000000000000001` does not.
fn is_written_as_integer(text: &str) -> bool {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let Ok(exponent) = exponent.parse::<i64>() else { return false };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits: Vec<u8> = whole.bytes().filter(u8::is_ascii_digit).chain(fraction.bytes()).collect();
    let after_point = fraction.len() as i64 - exponent;
    let zeros = digits.iter().rev().take_while(|d| **d == b'0').count() as i64;
    zeros == digits.len() as i64 || zeros >= after_point
}

/// `JsonNode.intValue` and `longValue` of a number that does not fit: the low bits of the whole part.
fn cut_off(text: &str, kind: SchemaType) -> i64 {
    let low = super::logical::low_bits(text);
    match kind {
        SchemaType::Int64 => low,
        // byte and short are cut from int.
        SchemaType::Int8 => i64::from(low as i32 as i8),
        SchemaType::Int16 => i64::from(low as i32 as i16),
        _ => i64::from(low as i32),
    }
}
