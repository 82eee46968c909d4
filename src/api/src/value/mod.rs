//! Values of Connect's data model (`org.apache.kafka.connect.data`), owned and borrowed.
//!
//! - [`Value`] owns, [`ValueRef`] borrows.
//! - [`List`]; [`Map`], and the [`Keys`] that maps share. [`Struct`], in `record`.
//! - `equality`: when values are the same. `drop`: values may be nested deeper than the stack reaches.

mod drop;
mod equality;
mod keys;
mod list;
mod map;
mod record;

pub use keys::Keys;
pub use list::List;
pub use map::Map;
pub use record::Struct;

use crate::text::{Str, Text};
use bigdecimal::BigDecimal;
use bytes::Bytes;

/// An owned value. Strings and bytes are slices of shared buffers, so cloning one is cheap.
#[derive(Debug, Clone, Default)]
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
    Array(List),
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
#[derive(Debug, Clone, Copy)]
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
            Self::String(v) => Value::String(Text::copy_of_checked(v.as_bytes())),
            Self::Bytes(v) => Value::Bytes(Bytes::copy_from_slice(v)),
            Self::Array(v) => Value::Array(v.iter().cloned().collect()),
            Self::Map(v) => Value::Map(v.clone()),
            Self::Struct(v) => Value::Struct(Box::new(v.clone())),
            Self::Decimal(v) => Value::Decimal(Box::new(v.clone())),
            Self::Date(v) => Value::Date(v),
            Self::Time(v) => Value::Time(v),
            Self::Timestamp(v) => Value::Timestamp(v),
        }
    }
}
