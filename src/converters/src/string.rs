//! Strings as they are, and anything else as Java's `toString`.

use crate::charset::{Charset, charset};
use crate::settings::{converter_type, parse};
use crossdock_api::Strictness;
use crossdock_api::batch::{Column, Parsed, RawSlice, RecordBatch, RecordRef, Serialized};
use crossdock_api::config::{ConfigDef, ConfigKey, ConfigMap, Importance, Setting, Validator, Width};
use crossdock_api::java_text;
use crossdock_api::{
    ConfigError, ConnectError, Converter, Failures, HeaderConverter, Schema, Text, Value, ValueRef,
};
use std::sync::Arc;

/// Passes strings through without copying; writes other values as text. Mirrors
/// `org.apache.kafka.connect.storage.StringConverter`, apart from two silent losses: bytes that are not
/// UTF-8 fail unless `crossdock.invalid.utf8=replace`, and byte arrays, which Java writes as an
/// address in memory, fail unless `crossdock.compatibility=strict`.
#[derive(Debug, Clone, Default)]
pub struct StringConverter {
    /// Encodings other than UTF-8.
    write_as: Option<Charset>,
    read_as: Option<Charset>,
    replace_invalid: bool,
    strictness: Strictness,
}

const ENCODING: &str = "converter.encoding";
const INVALID_UTF8: &str = "crossdock.invalid.utf8";

fn config_def() -> ConfigDef {
    ConfigDef::new()
        .define(converter_type())
        .define(
            ConfigKey::string(ENCODING)
                .default("UTF-8")
                .importance(Importance::High)
                .doc("The name of the character set to use for encoding/decoding strings, as Java knows it. Only UTF-8 is \
                     passed through without a copy.")
                .shown("", -1, Width::Medium, "Encoding"),
        )
        .define(
            ConfigKey::string(INVALID_UTF8)
                .default_null()
                .validator(Validator::Custom(fail_or_replace))
                .importance(Importance::Low)
                .doc(
                    "What to do with bytes from Kafka that are not UTF-8: 'fail' (the default) makes the \
                     record fail and says where; 'replace' puts U+FFFD in their place, as Kafka Connect \
                     does, and so loses them.",
                ),
        )
        .define(Strictness::key())
}

fn fail_or_replace(choice: &Setting) -> Result<(), String> {
    match choice {
        Setting::Null => Ok(()),
        Setting::String(choice) if matches!(choice.as_str(), "fail" | "replace") => Ok(()),
        _ => Err("String must be one of: fail, replace".to_owned()),
    }
}

impl StringConverter {
    fn configure(&mut self, config: &ConfigMap, column: Option<Column>) -> Result<(), ConfigError> {
        let parsed = parse(config_def(), config)?;
        let encoding = parsed.string(ENCODING)?;
        let chosen = |side: &str| {
            let key =
                format!("{}.{side}.encoding", if column == Some(Column::Key) { "key" } else { "value" });
            let name = config.get(&key).map_or(encoding, String::as_str);
            charset(name).ok_or_else(|| ConfigError::Encoding(name.to_owned()))
        };
        self.write_as = chosen("serializer")?;
        self.read_as = chosen("deserializer")?;
        self.strictness = Strictness::of(&parsed)?;
        self.replace_invalid = match parsed.string_opt(INVALID_UTF8)? {
            Some(choice) => choice == "replace",
            None => self.strictness == Strictness::AsConnect,
        };
        Ok(())
    }

    /// The text of a value that is neither null nor a string.
    fn append(&self, value: ValueRef<'_>, out: &mut Vec<u8>) -> Result<(), ConnectError> {
        if self.strictness == Strictness::Safe && java_text::holds_bytes(value) {
            return Err(ConnectError::bad_record(
                "StringConverter cannot write byte arrays as text without losing them; use \
                 org.apache.kafka.connect.converters.ByteArrayConverter for bytes, or a converter that \
                 keeps the structure, such as org.apache.kafka.connect.json.JsonConverter",
            ));
        }
        match self.write_as {
            None => java_text::append_value_as(out, value, self.strictness),
            Some(charset) => {
                let mut text = Vec::new();
                java_text::append_value_as(&mut text, value, self.strictness);
                self.encode(charset, &String::from_utf8_lossy(&text), out)?;
            }
        }
        Ok(())
    }

    /// Appends the bytes of a text in another encoding than UTF-8.
    fn encode(&self, charset: Charset, text: &str, out: &mut Vec<u8>) -> Result<(), ConnectError> {
        let start = out.len();
        match charset.encode(text, out) {
            Some(character) if self.strictness == Strictness::Safe => {
                out.truncate(start);
                Err(ConnectError::bad_record(format!(
                    "the encoding that {ENCODING} sets cannot write the character {character:?} (U+{:04X}); use \
                     UTF-8, or crossdock.compatibility=strict to have ? in its place as Kafka Connect does",
                    u32::from(character)
                )))
            }
            _ => Ok(()),
        }
    }

    /// The string that bytes which are not UTF-8 stand for, if they may stand for one.
    fn decode(&self, bytes: &[u8]) -> Result<Text, ConnectError> {
        if let Some(charset) = self.read_as {
            return match charset.decode(bytes) {
                (_, true) if !self.replace_invalid => Err(ConnectError::bad_record(format!(
                    "the {} bytes are not valid in the encoding that {ENCODING} sets; set {INVALID_UTF8}=replace to \
                     have U+FFFD in their place as Kafka Connect does",
                    bytes.len()
                ))),
                (text, _) => Ok(Text::from(text)),
            };
        }
        let Err(error) = std::str::from_utf8(bytes) else {
            return Ok(Text::from(java_text::decode_utf8(bytes).as_ref()));
        };
        if self.replace_invalid {
            return Ok(Text::from(java_text::decode_utf8(bytes).into_owned()));
        }
        let at = error.valid_up_to();
        Err(ConnectError::bad_record(format!(
            "the {} bytes are not valid UTF-8: byte 0x{:02X} at position {at} starts no character; if the \
             data is binary use org.apache.kafka.connect.converters.ByteArrayConverter, or set \
             {INVALID_UTF8}=replace to lose such bytes as Kafka Connect does",
            bytes.len(),
            bytes.get(at).copied().unwrap_or_default(),
        )))
    }
}

impl Converter for StringConverter {
    fn config_def(&self) -> ConfigDef {
        config_def()
    }

    fn configure(&mut self, config: &ConfigMap, column: Column) -> Result<(), ConfigError> {
        Self::configure(self, config, Some(column))
    }

    fn serialize(
        &self,
        _record: RecordRef<'_>,
        _schema: Option<&Arc<Schema>>,
        value: ValueRef<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Serialized, ConnectError> {
        match value {
            ValueRef::Null => Ok(Serialized::Null),
            ValueRef::String(text) => match self.write_as {
                None => Ok(Serialized::Same),
                Some(charset) => self.encode(charset, text.as_str(), out).map(|()| Serialized::Written),
            },
            other => self.append(other, out).map(|()| Serialized::Written),
        }
    }

    fn parse(
        &self,
        _record: RecordRef<'_>,
        raw: Option<RawSlice<'_>>,
    ) -> Result<(Option<Arc<Schema>>, Parsed), ConnectError> {
        let parsed = match raw {
            None => Parsed::Null,
            Some(raw) if self.read_as.is_none() && std::str::from_utf8(raw.as_bytes()).is_ok() => Parsed::Str,
            Some(raw) => Parsed::Value(Value::String(self.decode(raw.as_bytes())?)),
        };
        Ok((Some(Arc::clone(Schema::optional_string())), parsed))
    }

    fn parse_batch(&self, batch: &mut RecordBatch, column: Column, failures: &mut Failures) {
        if self.read_as.is_some() {
            return batch.parse_column(column, failures, |record, raw| Converter::parse(self, record, raw));
        }
        for index in batch.reinterpret_column(column, Schema::optional_string(), true) {
            let Some(mut record) = batch.record_mut(index) else { continue };
            let ValueRef::Bytes(bytes) = record.as_ref().datum(column) else { continue };
            let replaced = self
                .decode(bytes)
                .and_then(|text| record.set(column, Some(Schema::optional_string()), Value::String(text)));
            if let Err(error) = replaced {
                failures.push(index, error);
            }
        }
    }
}

impl HeaderConverter for StringConverter {
    fn config_def(&self) -> ConfigDef {
        config_def()
    }

    fn configure(&mut self, config: &ConfigMap) -> Result<(), ConfigError> {
        Self::configure(self, config, None)
    }

    fn serialize(
        &self,
        _topic: &str,
        _name: &str,
        _schema: Option<&Arc<Schema>>,
        value: ValueRef<'_>,
    ) -> Result<Option<Vec<u8>>, ConnectError> {
        let mut out = Vec::new();
        match value {
            ValueRef::Null => return Ok(None),
            ValueRef::String(text) => match self.write_as {
                None => out.extend_from_slice(text.as_bytes()),
                Some(charset) => self.encode(charset, text.as_str(), &mut out)?,
            },
            other => self.append(other, &mut out)?,
        }
        Ok(Some(out))
    }

    fn parse(
        &self,
        _topic: &str,
        _name: &str,
        raw: Option<&[u8]>,
    ) -> Result<(Option<Arc<Schema>>, Value), ConnectError> {
        let value = raw.map(|bytes| self.decode(bytes)).transpose()?.map_or(Value::Null, Value::String);
        Ok((Some(Arc::clone(Schema::optional_string())), value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{fetched, single, values};
    use crossdock_api::{Bytes, ErrorKind};

    fn configured(pairs: &[(&str, &str)]) -> Result<StringConverter, ConfigError> {
        let mut converter = StringConverter::default();
        let config = pairs.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
        Converter::configure(&mut converter, &config, Column::Value)?;
        Ok(converter)
    }

    #[test]
    fn strings_stay_where_they_arrived() {
        let mut batch = fetched(&[Some("é".as_bytes()), None, Some(b"")]);
        let address = |batch: &RecordBatch| match batch.get(0).unwrap().value() {
            ValueRef::String(text) => text.as_bytes().as_ptr() as usize,
            ValueRef::Bytes(bytes) => bytes.as_ptr() as usize,
            other => panic!("{other:?}"),
        };
        let before = address(&batch);
        let mut failures = Failures::new();
        let converter = StringConverter::default();
        Converter::parse_batch(&converter, &mut batch, Column::Value, &mut failures);
        assert_eq!(values(&batch), [Value::string("é"), Value::Null, Value::string("")]);
        assert!(Arc::ptr_eq(batch.get(1).unwrap().value_schema().unwrap(), Schema::optional_string()));
        Converter::serialize_batch(&converter, &mut batch, Column::Value, &mut failures);
        assert!(failures.is_empty());
        assert_eq!(address(&batch), before);
        assert!(matches!(batch.get(1).unwrap().value(), ValueRef::Null));
    }

    #[test]
    fn invalid_utf8_fails_and_says_where() {
        let mut batch = fetched(&[Some(b"ok"), Some(b"ab\xffc"), Some(b"ok")]);
        let mut failures = Failures::new();
        Converter::parse_batch(&StringConverter::default(), &mut batch, Column::Value, &mut failures);
        let failed = failures.take();
        assert_eq!(failed.len(), 1);
        assert_eq!((failed[0].0, failed[0].1.kind()), (1, ErrorKind::BadRecord));
        let message = failed[0].1.to_string();
        assert!(
            message.contains("0xFF at position 2") && message.contains("ByteArrayConverter"),
            "{message}"
        );
        assert_eq!(batch.get(1).unwrap().value(), ValueRef::Bytes(b"ab\xffc"));
        assert_eq!(batch.get(2).unwrap().value().as_str(), Some("ok"));
    }

    #[test]
    fn invalid_utf8_is_replaced_where_that_is_asked_for() {
        for config in [(INVALID_UTF8, "replace"), ("crossdock.compatibility", "strict")] {
            let converter = configured(&[config]).unwrap();
            let mut batch = fetched(&[Some(b"ab\xffc")]);
            let mut failures = Failures::new();
            Converter::parse_batch(&converter, &mut batch, Column::Value, &mut failures);
            assert!(failures.is_empty());
            assert_eq!(values(&batch), [Value::string("ab\u{fffd}c")]);
            assert!(batch.get(0).unwrap().value_schema().unwrap().is_optional());
        }
    }

    #[test]
    fn other_values_are_written_as_java_prints_them() {
        let mut batch = single(None, Value::Array(vec![Value::Float64(1.0), Value::Null].into()));
        let mut failures = Failures::new();
        let converter = StringConverter::default();
        Converter::serialize_batch(&converter, &mut batch, Column::Value, &mut failures);
        assert!(failures.is_empty());
        assert_eq!(values(&batch), [Value::Bytes(Bytes::from_static(b"[1.0, null]"))]);
    }

    #[test]
    fn byte_arrays_are_refused_instead_of_written_as_an_address() {
        let value = || Value::Array(vec![Value::Bytes(Bytes::from_static(b"x"))].into());
        let mut failures = Failures::new();
        let mut batch = single(None, value());
        Converter::serialize_batch(&StringConverter::default(), &mut batch, Column::Value, &mut failures);
        assert!(failures.take()[0].1.to_string().contains("ByteArrayConverter"));
        let strict = configured(&[("crossdock.compatibility", "strict")]).unwrap();
        Converter::serialize_batch(&strict, &mut batch, Column::Value, &mut failures);
        assert!(failures.is_empty());
    }

    #[test]
    fn wrong_settings_are_config_errors() {
        let message = |pair| configured(&[pair]).unwrap_err().to_string();
        assert_eq!(message((ENCODING, "no-such")), "Unsupported encoding no-such");
        assert!(message((INVALID_UTF8, "ignore")).contains("fail, replace"));
        assert!(configured(&[(ENCODING, "utf8")]).is_ok());
    }

    #[test]
    fn other_encodings_fail_where_connect_loses_characters() {
        let latin = configured(&[(ENCODING, "latin1")]).unwrap();
        let mut failures = Failures::new();
        let mut batch = single(None, Value::string("é"));
        Converter::serialize_batch(&latin, &mut batch, Column::Value, &mut failures);
        assert_eq!(values(&batch), [Value::Bytes(Bytes::from_static(b"\xe9"))]);
        Converter::parse_batch(&latin, &mut batch, Column::Value, &mut failures);
        assert_eq!(values(&batch), [Value::string("é")]);
        assert!(failures.is_empty());
        let mut batch = single(None, Value::string("a中"));
        Converter::serialize_batch(&latin, &mut batch, Column::Value, &mut failures);
        assert!(failures.take()[0].1.to_string().contains("U+4E2D"));
        let ascii = configured(&[(ENCODING, "US-ASCII")]).unwrap();
        let mut batch = fetched(&[Some(b"a\xff")]);
        Converter::parse_batch(&ascii, &mut batch, Column::Value, &mut failures);
        assert!(failures.take()[0].1.to_string().contains("not valid"));
    }

    #[test]
    fn headers_are_converted_too() {
        let converter = StringConverter::default();
        let bytes = HeaderConverter::serialize(&converter, "t", "h", None, ValueRef::Boolean(true)).unwrap();
        assert_eq!(bytes.as_deref(), Some(&b"true"[..]));
        let (_, value) = HeaderConverter::parse(&converter, "t", "h", bytes.as_deref()).unwrap();
        assert_eq!(value, Value::string("true"));
        assert!(HeaderConverter::parse(&converter, "t", "h", Some(b"\xff")).is_err());
    }
}
