//! Text into values whose types are guessed. Mirrors `Values.parseString` of Kafka 4.3.

use super::tokens::{Tokens, trim};
use super::{number, time};
use crate::{Map, Schema, SchemaType, Strictness, Text, Value};
use std::sync::Arc;

/// Lists and maps inside each other; text nested deeper stays text.
const MAX_DEPTH: usize = 100;

/// A value with its schema; `None` is null.
type Parsed = Option<(Arc<Schema>, Value)>;

/// The text is no list or map after all, and is taken for something else.
struct NotThat;

/// The value that `text` looks like: null, boolean, number, date, time, timestamp, list or map, else the
/// string itself. Where only the beginning looks like one, Connect drops the rest; that is done only if
/// its behaviour is asked for.
pub fn parse_string(text: &str, strictness: Strictness) -> (Option<Arc<Schema>>, Value) {
    let string = || (Some(Arc::clone(Schema::string())), Value::String(Text::from(text)));
    if text.is_empty() {
        return string();
    }
    let mut parser = Parser { tokens: Tokens::new(text), depth: 0, strictness };
    match parser.parse(false) {
        Ok(_) if strictness == Strictness::Safe && !trim(parser.tokens.rest()).is_empty() => string(),
        Ok(None) => (None, Value::Null),
        Ok(Some((schema, value))) => (Some(schema), value),
        Err(NotThat) => string(),
    }
}

struct Parser<'a> {
    tokens: Tokens<'a>,
    depth: usize,
    strictness: Strictness,
}

impl Parser<'_> {
    fn parse(&mut self, embedded: bool) -> Result<Parsed, NotThat> {
        if !self.tokens.has_next() {
            return Ok(None);
        }
        if embedded && self.tokens.take("\"") {
            return Ok(Some(self.quoted()));
        }
        if self.literal(embedded, "null") {
            return Ok(None);
        }
        for (word, value) in [("true", true), ("false", false)] {
            if self.literal(embedded, word) {
                return Ok(Some((Arc::new(Schema::new(SchemaType::Boolean)), Value::Boolean(value))));
            }
        }
        let start = self.tokens.mark();
        match self.collection() {
            Ok(Some(collection)) => return Ok(Some(collection)),
            Ok(None) => {}
            Err(NotThat) => self.tokens.rewind(start),
        }
        let token = self.tokens.next();
        let trimmed = trim(token);
        if trimmed.is_empty() {
            return Ok(Some((Arc::clone(Schema::string()), Value::string(token))));
        }
        self.token(embedded, trimmed)
    }

    /// A single word; at the top nothing may follow it.
    fn literal(&mut self, embedded: bool, word: &str) -> bool {
        let start = self.tokens.mark();
        if self.tokens.take(word) && (embedded || !self.tokens.has_next()) {
            return true;
        }
        self.tokens.rewind(start);
        false
    }

    fn quoted(&mut self) -> (Arc<Schema>, Value) {
        let mut content = String::new();
        // Connect drops white space before a quote, as before any delimiter.
        let lenient = self.strictness == Strictness::AsConnect;
        while self.tokens.has_next() {
            if if lenient { self.tokens.take("\"") } else { self.tokens.take_exactly("\"") } {
                break;
            }
            content.push_str(self.tokens.next());
        }
        time::parse(&content)
            .unwrap_or_else(|| (Arc::clone(Schema::string()), Value::String(Text::from(content))))
    }

    fn token(&mut self, embedded: bool, token: &str) -> Result<Parsed, NotThat> {
        let first = token.chars().next().unwrap_or_default();
        let is_digit = crate::java_number::digit(first).is_some();
        if is_digit {
            // A time has colons, which end words.
            let mark = self.tokens.mark();
            if let Some(rest) = self.tokens.next_words(4)
                && let Some(found) = time::parse(&format!("{token}{rest}"))
            {
                return Ok(Some(found));
            }
            self.tokens.rewind(mark);
            if let Some(found) = time::parse(token) {
                return Ok(Some(found));
            }
        }
        if (is_digit || matches!(first, '+' | '-'))
            && let Some(found) = number::parse(token)
        {
            return Ok(Some(found));
        }
        if embedded {
            return Err(NotThat);
        }
        Ok(Some((Arc::clone(Schema::string()), Value::string(self.tokens.text()))))
    }

    fn collection(&mut self) -> Result<Parsed, NotThat> {
        let is_list = self.tokens.take("[");
        if !is_list && !self.tokens.take("{") {
            return Ok(None);
        }
        if self.depth >= MAX_DEPTH {
            return Err(NotThat);
        }
        self.depth += 1;
        let found = if is_list { self.list() } else { self.map() };
        self.depth -= 1;
        found.map(Some)
    }

    fn list(&mut self) -> Result<(Arc<Schema>, Value), NotThat> {
        let mut items = Vec::new();
        let mut common = Common::default();
        while self.tokens.has_next() {
            if self.tokens.take("]") {
                if let Some(schema) = &common.schema {
                    items = items.into_iter().map(|item| align(schema, item)).collect::<Result<_, _>>()?;
                }
                let schema = Schema::inferred(SchemaType::Array, None, common.schema);
                return Ok((Arc::new(schema), Value::Array(items.into())));
            }
            if self.tokens.take(",") {
                return Err(NotThat);
            }
            items.push(common.add(self.parse(true)?));
            let mark = self.tokens.mark();
            if self.tokens.take("]") {
                self.tokens.rewind(mark);
            } else if !self.tokens.take(",") {
                return Err(NotThat);
            }
        }
        Err(NotThat)
    }

    fn map(&mut self) -> Result<(Arc<Schema>, Value), NotThat> {
        let mut entries = Vec::new();
        let (mut keys, mut values) = (Common::default(), Common::default());
        while self.tokens.has_next() {
            if self.tokens.take("}") {
                return aligned_map(entries, keys.schema, values.schema);
            }
            if self.tokens.take(",") {
                return Err(NotThat);
            }
            let key = self.parse(true)?;
            if key.is_none() || !self.tokens.take(":") {
                return Err(NotThat);
            }
            let value = self.parse(true)?;
            self.tokens.take(",");
            entries.push((keys.add(key), values.add(value)));
        }
        Err(NotThat)
    }
}

fn aligned_map(
    entries: Vec<(Value, Value)>,
    keys: Option<Arc<Schema>>,
    values: Option<Arc<Schema>>,
) -> Result<(Arc<Schema>, Value), NotThat> {
    // Without a common key the values have none either.
    let values = values.filter(|_| keys.is_some());
    let entries = Map::from_entries(entries);
    let mut aligned = Vec::with_capacity(entries.len());
    for (key, value) in entries.iter() {
        let (mut key, mut value) = (key.clone(), value.clone());
        if let Some(schema) = &keys {
            key = align(schema, key)?;
        }
        if let Some(schema) = &values {
            value = align(schema, value)?;
        }
        aligned.push((key, value));
    }
    let schema = Schema::inferred(SchemaType::Map, keys, values);
    Ok((Arc::new(schema), Value::Map(Map::from_entries(aligned))))
}

/// The schema that the elements seen so far have in common.
#[derive(Default)]
struct Common {
    schema: Option<Arc<Schema>>,
    mixed: bool,
}

impl Common {
    fn add(&mut self, parsed: Parsed) -> Value {
        let Some((schema, value)) = parsed else { return Value::Null };
        if !self.mixed {
            self.schema = match self.schema.take() {
                None => Some(schema),
                Some(previous) => merge(previous, schema),
            };
            self.mixed = self.schema.is_none();
        }
        value
    }
}

/// The wider of two numeric schemas; of two of the same type the latter. Nothing if they do not mix.
fn merge(previous: Arc<Schema>, latest: Arc<Schema>) -> Option<Arc<Schema>> {
    let rank = |schema: &Schema| match schema.kind() {
        SchemaType::Int8 => Some(1),
        SchemaType::Int16 => Some(2),
        SchemaType::Int32 => Some(3),
        SchemaType::Int64 => Some(4),
        SchemaType::Float32 => Some(5),
        SchemaType::Float64 => Some(6),
        _ => None,
    };
    if previous.kind() == latest.kind() {
        return Some(latest);
    }
    match (rank(&previous), rank(&latest)) {
        (Some(a), Some(b)) => Some(if a > b { previous } else { latest }),
        _ => None,
    }
}

/// A value as the common schema has it. Null has no place in a list whose elements have a type.
fn align(schema: &Schema, value: Value) -> Result<Value, NotThat> {
    let integer = match value {
        Value::Int8(v) => Some(i64::from(v)),
        Value::Int16(v) => Some(i64::from(v)),
        Value::Int32(v) => Some(i64::from(v)),
        Value::Int64(v) => Some(v),
        _ => None,
    };
    let is_date = matches!(value, Value::Date(_) | Value::Time(_) | Value::Timestamp(_));
    let logical = schema.name().and_then(|n| n.strip_prefix("org.apache.kafka.connect.data."));
    Ok(match (schema.kind(), logical, integer) {
        _ if value.is_null() => return Err(NotThat),
        (SchemaType::Int32 | SchemaType::Int64, Some(_), None) if is_date => value,
        (SchemaType::Int32, Some("Date"), Some(days)) => Value::Date(i64::from(days as i32) * 86_400_000),
        (SchemaType::Int32, Some("Time"), Some(ms)) if (0..=86_400_000).contains(&ms) => Value::Time(ms),
        (SchemaType::Int32, Some("Time"), Some(_)) => return Err(NotThat),
        (SchemaType::Int64, Some("Timestamp"), Some(ms)) => Value::Timestamp(ms),
        (SchemaType::Int8, _, Some(v)) => Value::Int8(v as i8),
        (SchemaType::Int16, _, Some(v)) => Value::Int16(v as i16),
        (SchemaType::Int32, _, Some(v)) => Value::Int32(v as i32),
        (SchemaType::Int64, _, Some(v)) => Value::Int64(v),
        // By way of a double, as in Java.
        (SchemaType::Float32, _, Some(v)) => Value::Float32(v as f64 as f32),
        (SchemaType::Float64, _, Some(v)) => Value::Float64(v as f64),
        (SchemaType::Float64, _, None) if matches!(value, Value::Float32(_)) => match value {
            Value::Float32(v) => Value::Float64(f64::from(v)),
            other => other,
        },
        (
            SchemaType::Int8
            | SchemaType::Int16
            | SchemaType::Int32
            | SchemaType::Int64
            | SchemaType::Float32
            | SchemaType::Float64,
            ..,
        ) if is_date => return Err(NotThat),
        _ => value,
    })
}
