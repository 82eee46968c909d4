//! Booleans and numbers in the binary form of Kafka's own serializers: big-endian, of a fixed size.

use crate::settings::{check_type, converter_type};
use crossdock_api::batch::{Column, Parsed, RawSlice, RecordRef, Serialized};
use crossdock_api::{
    ConfigDef, ConfigError, ConfigMap, ConnectError, Converter, Exception, HeaderConverter, Schema,
    SchemaType, Value, ValueRef,
};
use std::sync::Arc;

/// What is special about a type.
trait Binary: Send + Sync + 'static {
    /// Its name in messages, and that of Kafka's deserializer.
    const NAME: &'static str;
    /// The schema of what is read.
    fn schema() -> &'static Arc<Schema>;
    /// Appends the bytes of a value; false if it is of another type.
    fn write(value: ValueRef<'_>, out: &mut Vec<u8>) -> bool;
    /// The value of these bytes.
    fn read(bytes: &[u8]) -> Option<Value>;
    /// Why bytes cannot be read.
    fn problem(bytes: &[u8]) -> String {
        format!("a {} has another size than the {} bytes that came", Self::NAME, bytes.len())
    }
    /// Whether the schema may be that of such values.
    fn check(_schema: Option<&Schema>) -> Result<(), ConnectError> {
        Ok(())
    }
    /// The error about a value of another class.
    fn refused(class: &str) -> String {
        format!("Failed to serialize to {} (was class {class}): ", Self::NAME)
    }
}

macro_rules! converters {
    ($($(#[$doc:meta])* $converter:ident, $binary:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, Default)]
        pub struct $converter;

        impl Converter for $converter {
            fn config_def(&self) -> ConfigDef {
                ConfigDef::new().define(converter_type())
            }

            fn configure(&mut self, config: &ConfigMap, _column: Column) -> Result<(), ConfigError> {
                check_type(config)
            }

            fn serialize(
                &self,
                _record: RecordRef<'_>,
                schema: Option<&Arc<Schema>>,
                value: ValueRef<'_>,
                out: &mut Vec<u8>,
            ) -> Result<Serialized, ConnectError> {
                write::<$binary>(schema, value, out)
            }

            fn parse(
                &self,
                _record: RecordRef<'_>,
                raw: Option<RawSlice<'_>>,
            ) -> Result<(Option<Arc<Schema>>, Parsed), ConnectError> {
                let value = raw.map(|raw| read::<$binary>(raw.as_bytes())).transpose()?;
                Ok((Some(Arc::clone($binary::schema())), value.map_or(Parsed::Null, Parsed::Value)))
            }
        }

        impl HeaderConverter for $converter {
            fn config_def(&self) -> ConfigDef {
                ConfigDef::new().define(converter_type())
            }

            fn configure(&mut self, config: &ConfigMap) -> Result<(), ConfigError> {
                check_type(config)
            }

            fn serialize(
                &self,
                _topic: &str,
                _name: &str,
                schema: Option<&Arc<Schema>>,
                value: ValueRef<'_>,
            ) -> Result<Option<Vec<u8>>, ConnectError> {
                let mut out = Vec::new();
                let written = write::<$binary>(schema, value, &mut out)?;
                Ok((written == Serialized::Written).then_some(out))
            }

            fn parse(
                &self,
                _topic: &str,
                _name: &str,
                raw: Option<&[u8]>,
            ) -> Result<(Option<Arc<Schema>>, Value), ConnectError> {
                let value = raw.map(read::<$binary>).transpose()?;
                Ok((Some(Arc::clone($binary::schema())), value.unwrap_or_default()))
            }
        }
    )*};
}

converters! {
    /// Booleans as one byte. Mirrors `org.apache.kafka.connect.converters.BooleanConverter`.
    BooleanConverter, Boolean;
    /// Float64 as eight bytes. Mirrors `org.apache.kafka.connect.converters.DoubleConverter`.
    DoubleConverter, Double;
    /// Float32 as four bytes. Mirrors `org.apache.kafka.connect.converters.FloatConverter`.
    FloatConverter, Float;
    /// Int32 as four bytes. Mirrors `org.apache.kafka.connect.converters.IntegerConverter`.
    IntegerConverter, Integer;
    /// Int64 as eight bytes. Mirrors `org.apache.kafka.connect.converters.LongConverter`.
    LongConverter, Long;
    /// Int16 as two bytes. Mirrors `org.apache.kafka.connect.converters.ShortConverter`.
    ShortConverter, Short;
}

macro_rules! numbers {
    ($($binary:ident $name:literal $variant:ident $schema:ident $type:ty;)*) => {$(
        struct $binary;

        impl Binary for $binary {
            const NAME: &'static str = $name;

            fn schema() -> &'static Arc<Schema> {
                Schema::$schema()
            }

            fn write(value: ValueRef<'_>, out: &mut Vec<u8>) -> bool {
                let ValueRef::$variant(value) = value else { return false };
                out.extend_from_slice(&value.to_be_bytes());
                true
            }

            fn read(bytes: &[u8]) -> Option<Value> {
                bytes.try_into().ok().map(|bytes| Value::$variant(<$type>::from_be_bytes(bytes)))
            }
        }
    )*};
}

numbers! {
    Double "double" Float64 optional_float64 f64;
    Float "float" Float32 optional_float32 f32;
    Integer "integer" Int32 optional_int32 i32;
    Long "long" Int64 optional_int64 i64;
    Short "short" Int16 optional_int16 i16;
}

struct Boolean;

impl Binary for Boolean {
    const NAME: &'static str = "boolean";

    fn schema() -> &'static Arc<Schema> {
        Schema::optional_boolean()
    }

    fn write(value: ValueRef<'_>, out: &mut Vec<u8>) -> bool {
        let ValueRef::Boolean(value) = value else { return false };
        out.push(u8::from(value));
        true
    }

    fn read(bytes: &[u8]) -> Option<Value> {
        match bytes {
            [0] => Some(Value::Boolean(false)),
            [1] => Some(Value::Boolean(true)),
            _ => None,
        }
    }

    fn problem(bytes: &[u8]) -> String {
        match bytes {
            [byte] => format!("a boolean is the byte 0 or 1, but 0x{byte:02X} came"),
            _ => format!("a boolean is one byte, but {} came", bytes.len()),
        }
    }

    fn check(schema: Option<&Schema>) -> Result<(), ConnectError> {
        match schema.map(Schema::kind) {
            None | Some(SchemaType::Boolean) => Ok(()),
            Some(kind) => Err(ConnectError::bad_record(format!(
                "Invalid schema type for BooleanConverter: {}",
                kind.java_name()
            ))),
        }
    }

    fn refused(class: &str) -> String {
        format!("BooleanConverter is not compatible with objects of type class {class}")
    }
}

fn write<B: Binary>(
    schema: Option<&Arc<Schema>>,
    value: ValueRef<'_>,
    out: &mut Vec<u8>,
) -> Result<Serialized, ConnectError> {
    B::check(schema.map(|s| &**s))?;
    if value.is_null() {
        return Ok(Serialized::Null);
    }
    match B::write(value, out) {
        true => Ok(Serialized::Written),
        false => Err(ConnectError::bad_record(B::refused(value.java_class()))),
    }
}

fn read<B: Binary>(bytes: &[u8]) -> Result<Value, ConnectError> {
    B::read(bytes).ok_or_else(|| {
        let cause = ConnectError::bad_record(B::problem(bytes)).with_exception(Exception::Serialization);
        let message = format!("Failed to deserialize {}: {}", B::NAME, cause.message());
        ConnectError::bad_record(message).caused_by(cause)
    })
}
