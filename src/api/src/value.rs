//! Values of Connect's data model (`org.apache.kafka.connect.data`), owned and borrowed.

use crate::text::{Str, Text};
use crate::{ConnectError, Schema, SchemaType};
use bigdecimal::BigDecimal;
use bytes::Bytes;
use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::sync::Arc;

/// An owned value. Strings and bytes are slices of shared buffers, so cloning one is cheap.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Value {
    /// Null.
    #[default]
    Null,
    /// `Byte`.
    Int8(i8),
    /// `Short`.
    Int16(i16),
    /// `Integer`.
    Int32(i32),
    /// `Long`.
    Int64(i64),
    /// `Float`.
    Float32(f32),
    /// `Double`.
    Float64(f64),
    /// `Boolean`.
    Boolean(bool),
    /// `String`.
    String(Text),
    /// `byte[]` or `ByteBuffer`.
    Bytes(Bytes),
    /// `List`.
    Array(Vec<Value>),
    /// `Map`, in insertion order.
    Map(Map),
    /// `Struct`.
    Struct(Box<Struct>),
    /// `BigDecimal`: the logical type Decimal, of any precision.
    Decimal(Box<BigDecimal>),
    /// The logical type Date: milliseconds since the epoch at midnight UTC.
    Date(i64),
    /// The logical type Time: milliseconds since midnight.
    Time(i64),
    /// The logical type Timestamp: milliseconds since the epoch.
    Timestamp(i64),
}

impl Value {
    /// A string, copied.
    pub fn string(text: &str) -> Self {
        Self::String(Text::from(text))
    }

    /// Whether it is null.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// A borrowed view.
    pub fn as_ref(&self) -> ValueRef<'_> {
        match self {
            Self::Null => ValueRef::Null,
            Self::Int8(v) => ValueRef::Int8(*v),
            Self::Int16(v) => ValueRef::Int16(*v),
            Self::Int32(v) => ValueRef::Int32(*v),
            Self::Int64(v) => ValueRef::Int64(*v),
            Self::Float32(v) => ValueRef::Float32(*v),
            Self::Float64(v) => ValueRef::Float64(*v),
            Self::Boolean(v) => ValueRef::Boolean(*v),
            Self::String(v) => ValueRef::String(v.as_ref()),
            Self::Bytes(v) => ValueRef::Bytes(v),
            Self::Array(v) => ValueRef::Array(v),
            Self::Map(v) => ValueRef::Map(v),
            Self::Struct(v) => ValueRef::Struct(v),
            Self::Decimal(v) => ValueRef::Decimal(v),
            Self::Date(v) => ValueRef::Date(*v),
            Self::Time(v) => ValueRef::Time(*v),
            Self::Timestamp(v) => ValueRef::Timestamp(*v),
        }
    }
}

/// A borrowed value, as a record of a batch gives it.
#[derive(Debug, Clone, Copy, PartialEq)]
#[expect(missing_docs, reason = "the variants are those of `Value`")]
pub enum ValueRef<'a> {
    Null,
    Int8(i8),
    Int16(i16),
    Int32(i32),
    Int64(i64),
    Float32(f32),
    Float64(f64),
    Boolean(bool),
    String(Str<'a>),
    Bytes(&'a [u8]),
    Array(&'a [Value]),
    Map(&'a Map),
    Struct(&'a Struct),
    Decimal(&'a BigDecimal),
    Date(i64),
    Time(i64),
    Timestamp(i64),
}

impl<'a> ValueRef<'a> {
    /// Whether it is null.
    pub fn is_null(self) -> bool {
        matches!(self, Self::Null)
    }

    /// The string, if it is one.
    pub fn as_str(self) -> Option<&'a str> {
        match self {
            Self::String(text) => Some(text.as_str()),
            _ => None,
        }
    }

    /// The Java class that carries such a value, for messages as Connect words them.
    pub fn java_class(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Int8(_) => "java.lang.Byte",
            Self::Int16(_) => "java.lang.Short",
            Self::Int32(_) => "java.lang.Integer",
            Self::Int64(_) => "java.lang.Long",
            Self::Float32(_) => "java.lang.Float",
            Self::Float64(_) => "java.lang.Double",
            Self::Boolean(_) => "java.lang.Boolean",
            Self::String(_) => "java.lang.String",
            Self::Bytes(_) => "[B",
            Self::Array(_) => "java.util.ArrayList",
            Self::Map(_) => "java.util.HashMap",
            Self::Struct(_) => "org.apache.kafka.connect.data.Struct",
            Self::Decimal(_) => "java.math.BigDecimal",
            Self::Date(_) | Self::Time(_) | Self::Timestamp(_) => "java.util.Date",
        }
    }

    /// An owned value. Copies strings and bytes; use [`crate::RecordRef::value_owned`] to share the
    /// batch's buffer instead.
    pub fn to_owned(self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Int8(v) => Value::Int8(v),
            Self::Int16(v) => Value::Int16(v),
            Self::Int32(v) => Value::Int32(v),
            Self::Int64(v) => Value::Int64(v),
            Self::Float32(v) => Value::Float32(v),
            Self::Float64(v) => Value::Float64(v),
            Self::Boolean(v) => Value::Boolean(v),
            Self::String(v) => Value::String(Text::from_checked(Bytes::copy_from_slice(v.as_bytes()))),
            Self::Bytes(v) => Value::Bytes(Bytes::copy_from_slice(v)),
            Self::Array(v) => Value::Array(v.to_vec()),
            Self::Map(v) => Value::Map(v.clone()),
            Self::Struct(v) => Value::Struct(Box::new(v.clone())),
            Self::Decimal(v) => Value::Decimal(Box::new(v.clone())),
            Self::Date(v) => Value::Date(v),
            Self::Time(v) => Value::Time(v),
            Self::Timestamp(v) => Value::Timestamp(v),
        }
    }
}

/// A map of values in insertion order. Equality is Java's: without order.
#[derive(Debug, Clone, Default)]
pub struct Map {
    entries: Vec<(Value, Value)>,
}

impl Map {
    /// An empty map.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets `key`, in its old place if it is there already.
    pub fn insert(&mut self, key: Value, value: Value) {
        match self.entries.iter_mut().find(|(k, _)| *k == key) {
            Some((_, old)) => *old = value,
            None => self.entries.push((key, value)),
        }
    }

    /// A map of `entries`; of equal keys the last value counts, in the place of the first. Linear in
    /// their number, so that it can be given what a peer sent.
    pub fn from_entries(entries: Vec<(Value, Value)>) -> Self {
        const FEW: usize = 16;
        if entries.len() <= FEW && has_distinct_texts(&entries) {
            return Self { entries };
        }
        let is_repeated = |at: usize| entries[..at].iter().any(|(key, _)| *key == entries[at].0);
        if entries.len() <= FEW && !(1..entries.len()).any(is_repeated) {
            return Self { entries };
        }
        let mut map = Self { entries: Vec::with_capacity(entries.len()) };
        if entries.len() <= FEW {
            for (key, value) in entries {
                map.insert(key, value);
            }
            return map;
        }
        let mut places: HashMap<u64, Vec<usize>> = HashMap::with_capacity(entries.len());
        let state = RandomState::new();
        for (key, value) in entries {
            let mut hasher = state.build_hasher();
            hash_key(&key, &mut hasher);
            let same_hash = places.entry(hasher.finish()).or_default();
            match same_hash.iter().find(|at| map.entries[**at].0 == key) {
                Some(at) => map.entries[*at].1 = value,
                None => {
                    same_hash.push(map.entries.len());
                    map.entries.push((key, value));
                }
            }
        }
        map
    }

    /// A map of `entries`, of which the caller knows that their keys differ.
    pub fn from_distinct(entries: Vec<(Value, Value)>) -> Self {
        Self { entries }
    }

    /// Makes room for so many more entries, and no more.
    pub fn reserve(&mut self, more: usize) {
        self.entries.reserve_exact(more);
    }

    /// The value of a string key.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.entries.iter().find(|(k, _)| is_text(k, key)).map(|(_, v)| v)
    }

    /// The value of a string key, for changing.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Value> {
        self.entries.iter_mut().find(|(k, _)| is_text(k, key)).map(|(_, v)| v)
    }

    /// Sets the value of a string key, in its old place if it is there already.
    pub fn put(&mut self, key: &Text, value: Value) {
        match self.entries.iter_mut().find(|(k, _)| matches!(k, Value::String(k) if k == key)) {
            Some((_, old)) => *old = value,
            None => self.entries.push((Value::String(key.clone()), value)),
        }
    }

    /// Removes a string key and gives its value.
    pub fn remove(&mut self, key: &str) -> Option<Value> {
        let at = self.entries.iter().position(|(k, _)| is_text(k, key))?;
        Some(self.entries.remove(at).1)
    }

    /// Keeps the entries for which `keep` is true; it may change their values, and their keys into others
    /// that do not repeat.
    pub fn retain_mut(&mut self, mut keep: impl FnMut(&mut Value, &mut Value) -> bool) {
        self.entries.retain_mut(|(key, value)| keep(key, value));
    }

    /// All entries in order.
    pub fn entries(&self) -> &[(Value, Value)] {
        &self.entries
    }

    /// All entries in order, without the map.
    pub fn into_entries(mut self) -> Vec<(Value, Value)> {
        std::mem::take(&mut self.entries)
    }

    /// All entries in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Value, &Value)> {
        self.entries.iter().map(|(k, v)| (k, v))
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it has no entry.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

/// Whether all keys are strings that differ, as far as their lengths and ends tell.
fn has_distinct_texts(entries: &[(Value, Value)]) -> bool {
    let mut seen = 0u64;
    entries.iter().all(|(key, _)| {
        let Value::String(text) = key else { return false };
        let bytes = text.as_bytes();
        let end = |byte: Option<&u8>| byte.copied().map_or(0, usize::from);
        let mark = 1u64 << ((bytes.len() * 17 + end(bytes.first()) * 5 + end(bytes.last())) % 64);
        let is_new = seen & mark == 0;
        seen |= mark;
        is_new
    })
}

fn is_text(value: &Value, text: &str) -> bool {
    matches!(value, Value::String(v) if v.as_bytes() == text.as_bytes())
}

/// Feeds what equal keys have in common: -0.0 equals 0.0, and 1.0 equals 1.00.
fn hash_key(key: &Value, hasher: &mut impl Hasher) {
    std::mem::discriminant(key).hash(hasher);
    match key {
        Value::Int8(v) => v.hash(hasher),
        Value::Int16(v) => v.hash(hasher),
        Value::Int32(v) => v.hash(hasher),
        Value::Int64(v) | Value::Date(v) | Value::Time(v) | Value::Timestamp(v) => v.hash(hasher),
        Value::String(v) => v.hash(hasher),
        Value::Bytes(v) => v.hash(hasher),
        Value::Array(items) => items.iter().for_each(|item| hash_key(item, hasher)),
        Value::Struct(record) => record.values().iter().for_each(|value| hash_key(value, hasher)),
        Value::Float32(v) => (*v + 0.0).to_bits().hash(hasher),
        Value::Float64(v) => (*v + 0.0).to_bits().hash(hasher),
        Value::Decimal(v) => v.normalized().as_bigint_and_exponent().hash(hasher),
        Value::Map(v) => v.len().hash(hasher),
        Value::Null | Value::Boolean(_) => {}
    }
}

impl PartialEq for Map {
    fn eq(&self, other: &Self) -> bool {
        const FEW: usize = 16;
        if self.len() != other.len() {
            return false;
        }
        // Maps that come from one place have their entries in one order.
        let pairs = self.entries.iter().zip(&other.entries);
        let in_order = pairs.take_while(|(a, b)| a.0 == b.0).count();
        let values = self.entries.iter().zip(&other.entries).take(in_order);
        if !values.into_iter().all(|(a, b)| a.1 == b.1) {
            return false;
        }
        let (ours, theirs) = (&self.entries[in_order..], &other.entries[in_order..]);
        if ours.len() <= FEW {
            return ours.iter().all(|(k, v)| theirs.iter().any(|(ok, ov)| k == ok && v == ov));
        }
        let state = RandomState::new();
        let hash = |key: &Value| {
            let mut hasher = state.build_hasher();
            hash_key(key, &mut hasher);
            hasher.finish()
        };
        let mut places: HashMap<u64, Vec<&(Value, Value)>> = HashMap::with_capacity(theirs.len());
        for entry in theirs {
            places.entry(hash(&entry.0)).or_default().push(entry);
        }
        let found = |key: &Value| places.get(&hash(key))?.iter().find(|(k, _)| k == key).map(|(_, v)| v);
        ours.iter().all(|(key, value)| found(key) == Some(value))
    }
}

impl<K: Into<Text>> FromIterator<(K, Value)> for Map {
    fn from_iter<I: IntoIterator<Item = (K, Value)>>(entries: I) -> Self {
        let mut map = Self::new();
        for (key, value) in entries {
            map.insert(Value::String(key.into()), value);
        }
        map
    }
}

/// A struct: one value a field of its schema, in the schema's order.
#[derive(Debug, Clone, PartialEq)]
pub struct Struct {
    schema: Arc<Schema>,
    values: Vec<Value>,
}

impl Struct {
    /// A struct with every field null.
    ///
    /// # Errors
    /// If `schema` is not of type STRUCT.
    pub fn new(schema: Arc<Schema>) -> Result<Self, ConnectError> {
        if schema.kind() != SchemaType::Struct {
            return Err(ConnectError::bad_record(format!("Not a struct schema: {schema}")));
        }
        let values = vec![Value::Null; schema.fields().len()];
        Ok(Self { schema, values })
    }

    /// A struct of one value a field, in the schema's order.
    ///
    /// # Errors
    /// If `schema` is not of type STRUCT or has another number of fields.
    pub fn from_values(schema: Arc<Schema>, values: Vec<Value>) -> Result<Self, ConnectError> {
        if schema.kind() != SchemaType::Struct || schema.fields().len() != values.len() {
            return Err(ConnectError::bad_record(format!(
                "{} values do not make a struct of {} fields",
                values.len(),
                schema.fields().len()
            )));
        }
        Ok(Self { schema, values })
    }

    /// Its schema.
    pub fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// Sets a field by name.
    ///
    /// # Errors
    /// If the schema has no such field, or the value does not fit the field's schema. The struct is as before then.
    pub fn put(&mut self, field: &str, value: Value) -> Result<(), ConnectError> {
        let index = self.index(field)?;
        self.schema.fields()[index].schema.validate_field(field, value.as_ref())?;
        self.values[index] = value;
        Ok(())
    }

    /// The value of a field, or the default of its schema if it is null.
    ///
    /// # Errors
    /// If the schema has no such field.
    pub fn get(&self, field: &str) -> Result<&Value, ConnectError> {
        let index = self.index(field)?;
        let value = &self.values[index];
        match self.schema.fields()[index].schema.default_value() {
            Some(default) if value.is_null() => Ok(default),
            _ => Ok(value),
        }
    }

    /// The value of a field; the default of its schema is not applied.
    ///
    /// # Errors
    /// If the schema has no such field.
    pub fn get_without_default(&self, field: &str) -> Result<&Value, ConnectError> {
        Ok(&self.values[self.index(field)?])
    }

    /// As [`Struct::get_without_default`], for a field that should be of that type (Java's `getInt8`, `getString`
    /// and so on).
    ///
    /// # Errors
    /// If the schema has no such field, or it is of another type.
    pub fn get_of(&self, field: &str, kind: SchemaType) -> Result<&Value, ConnectError> {
        let index = self.index(field)?;
        if self.schema.fields()[index].schema.kind() != kind {
            let kind = kind.java_name();
            return Err(ConnectError::bad_record(format!("Field '{field}' is not of type {kind}")));
        }
        Ok(&self.values[index])
    }

    /// The values in the order of the schema's fields.
    pub fn values(&self) -> &[Value] {
        &self.values
    }

    /// The values in the order of the schema's fields, for changing.
    pub fn values_mut(&mut self) -> &mut [Value] {
        &mut self.values
    }

    /// The values, without the struct.
    pub fn into_values(mut self) -> Vec<Value> {
        std::mem::take(&mut self.values)
    }

    /// Makes it a struct of another schema, in place: `change` turns the values into those of its fields.
    /// Fields that it leaves without a value are null, values without a field are dropped.
    ///
    /// # Errors
    /// If `schema` is not of type STRUCT; the struct is then unchanged.
    pub fn become_of(
        &mut self,
        schema: Arc<Schema>,
        change: impl FnOnce(&mut Vec<Value>),
    ) -> Result<(), ConnectError> {
        if schema.kind() != SchemaType::Struct {
            return Err(ConnectError::bad_record(format!("Not a struct schema: {schema}")));
        }
        change(&mut self.values);
        self.values.resize(schema.fields().len(), Value::Null);
        self.schema = schema;
        Ok(())
    }

    fn index(&self, field: &str) -> Result<usize, ConnectError> {
        let index = self.schema.field_index(field);
        index.ok_or_else(|| ConnectError::bad_record(format!("{field} is not a valid field name")))
    }
}

/// As Java shows it: `Struct{a=1,b=[2]}`, without fields that are null.
impl fmt::Display for Struct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = Vec::new();
        crate::java_text::append_struct(&mut text, self, crate::Strictness::Safe);
        f.write_str(&String::from_utf8_lossy(&text))
    }
}

/// Without recursion: values may be nested deeper than the stack reaches.
impl Drop for Map {
    fn drop(&mut self) {
        if self.entries.iter().any(|(key, value)| is_nested_twice(key) || is_nested_twice(value)) {
            let inner = self.entries.drain(..).flat_map(|(key, value)| [key, value]);
            drop_flat(inner.collect());
        }
    }
}

/// As for a map.
impl Drop for Struct {
    fn drop(&mut self) {
        if self.values.iter().any(is_nested_twice) {
            drop_flat(std::mem::take(&mut self.values));
        }
    }
}

/// Whether there are values in values of `value`: then dropping it goes deeper than one call.
fn is_nested_twice(value: &Value) -> bool {
    let holds_any = |value: &Value| match value {
        Value::Array(items) => !items.is_empty(),
        Value::Map(map) => !map.entries.is_empty(),
        Value::Struct(record) => !record.values.is_empty(),
        _ => false,
    };
    match value {
        Value::Array(items) => items.iter().any(holds_any),
        Value::Map(map) => map.entries.iter().any(|(key, value)| holds_any(key) || holds_any(value)),
        Value::Struct(record) => record.values.iter().any(holds_any),
        _ => false,
    }
}

/// Drops values and what is in them, one after the other.
fn drop_flat(mut values: Vec<Value>) {
    while let Some(value) = values.pop() {
        match value {
            Value::Array(items) => values.extend(items),
            Value::Map(mut map) => values.extend(map.entries.drain(..).flat_map(|(key, value)| [key, value])),
            Value::Struct(mut record) => values.append(&mut record.values),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_equal_keys_counts_in_the_place_of_the_first() {
        for size in [3i64, 40] {
            let mut entries: Vec<_> = (0..size).map(|i| (Value::Int64(i), Value::Int64(i))).collect();
            entries.push((Value::Int64(1), Value::Boolean(true)));
            entries.push((Value::Float64(-0.0), Value::Null));
            entries.push((Value::Float64(0.0), Value::Int8(1)));
            let map = Map::from_entries(entries);
            assert_eq!(map.len(), size as usize + 1);
            assert_eq!(map.iter().nth(1), Some((&Value::Int64(1), &Value::Boolean(true))));
            assert_eq!(map.iter().last(), Some((&Value::Float64(-0.0), &Value::Int8(1))));
        }
    }
}
