//! `SimpleHeaderConverter`: header values as text, their types guessed when they are read. What text and types are
//! is in [`crossdock_api::values`].

use crossdock_api::values::{append_text_as, parse_string};
use crossdock_api::{
    Bytes, ConfigDef, ConfigError, ConfigMap, ConnectError, HeaderConverter, Schema, Strictness, Value,
    ValueRef, java_text,
};
use std::sync::Arc;

/// Converts header values to and from text. Mirrors
/// `org.apache.kafka.connect.storage.SimpleHeaderConverter`, apart from two silent losses: bytes that are
/// not UTF-8 stay bytes, and text of which only a beginning looks like a value (`14:34:54`, `[1]x`) stays
/// text, unless `crossdock.compatibility=strict`.
#[derive(Debug, Clone, Copy, Default)]
pub struct SimpleHeaderConverter {
    strictness: Strictness,
}

impl HeaderConverter for SimpleHeaderConverter {
    fn config_def(&self) -> ConfigDef {
        ConfigDef::new().define(Strictness::key())
    }

    fn configure(&mut self, config: &ConfigMap) -> Result<(), ConfigError> {
        self.strictness = Strictness::of(&self.config_def().parse(config)?)?;
        Ok(())
    }

    fn serialize(
        &self,
        _topic: &str,
        _name: &str,
        _schema: Option<&Arc<Schema>>,
        value: ValueRef<'_>,
    ) -> Result<Option<Vec<u8>>, ConnectError> {
        if value.is_null() {
            return Ok(None);
        }
        let mut out = Vec::new();
        append_text_as(&mut out, value, self.strictness);
        Ok(Some(out))
    }

    fn parse(
        &self,
        _topic: &str,
        _name: &str,
        raw: Option<&[u8]>,
    ) -> Result<(Option<Arc<Schema>>, Value), ConnectError> {
        let Some(raw) = raw else { return Ok((None, Value::Null)) };
        match std::str::from_utf8(raw) {
            Ok(text) => Ok(parse_string(text, self.strictness)),
            Err(_) if self.strictness == Strictness::AsConnect => {
                Ok(parse_string(&java_text::decode_utf8(raw), self.strictness))
            }
            Err(_) => Ok((Some(Arc::clone(Schema::bytes())), Value::Bytes(Bytes::copy_from_slice(raw)))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossdock_api::values::append_text;
    use proptest::prelude::*;

    fn parse(text: &[u8]) -> Value {
        SimpleHeaderConverter::default().parse("t", "h", Some(text)).unwrap().1
    }

    /// Connect takes the beginning for the value and loses the rest.
    #[test]
    fn kafka_20892_no_text_is_cut_off() {
        for text in ["1::2", "1,2", "12]", "true:1"] {
            assert_eq!(parse(text.as_bytes()), Value::string(text));
        }
        let strict = SimpleHeaderConverter { strictness: Strictness::AsConnect };
        assert_eq!(strict.parse("t", "h", Some(b"1::2")).unwrap().1, Value::Int8(1));
    }

    /// A small text for a huge number is neither expanded nor slow.
    #[test]
    fn kafka_17792_huge_exponents_are_read_at_once() {
        let begin = std::time::Instant::now();
        let Value::Decimal(value) = parse(b"1e+100000000") else { panic!() };
        assert_eq!(value.as_bigint_and_exponent().1, -100_000_000);
        assert!(begin.elapsed() < std::time::Duration::from_secs(1));
    }

    #[test]
    fn what_only_begins_like_a_value_stays_text() {
        for text in ["14:34:54.346", "[1]x", "[1],[2]", "-7}},[", "1:2", "{\"a\":1}{}"] {
            assert_eq!(parse(text.as_bytes()), Value::string(text));
        }
        let strict = SimpleHeaderConverter { strictness: Strictness::AsConnect };
        assert_eq!(strict.parse("t", "h", Some(b"14:34:54.346")).unwrap().1, Value::Int8(14));
        assert_eq!(parse(b" 7 "), Value::Int8(7));
        assert_eq!(parse(b" [1] "), Value::Array(vec![Value::Int8(1)].into()));
    }

    #[test]
    fn binary_headers_stay_bytes() {
        assert_eq!(parse(b"\x80\x01"), Value::Bytes(Bytes::from_static(b"\x80\x01")));
    }

    #[test]
    fn hostile_text_is_read_quickly() {
        for text in ["[".repeat(100_000), "{1:".repeat(50_000), "[{".repeat(50_000), "\"".repeat(100_001)] {
            assert_eq!(parse(text.as_bytes()), Value::string(&text));
        }
        for number in ["1e999999999", "1e-999999999", "-1e2147483647"] {
            assert!(!matches!(parse(number.as_bytes()), Value::String(_)), "{number}");
        }
        assert!(matches!(parse(b"1e99999999999999999999"), Value::String(_)));
        let long: String = (0..100_000).map(|i| format!("{i}:1,")).collect();
        let Value::Map(map) = parse(format!("{{{long}}}").as_bytes()) else { panic!() };
        assert_eq!(map.len(), 100_000);
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[\\[\\]{},:\"\\\\0-9eE+. tru-]{0,30}") {
            for strictness in [Strictness::Safe, Strictness::AsConnect] {
                parse_string(&text, strictness);
            }
        }

        #[test]
        fn strings_in_a_list_are_read_back(strings in prop::collection::vec("[a-z0-9 ]{0,8}", 1..5)) {
            let list = Value::Array(strings.iter().map(|s| Value::string(s)).collect());
            let mut text = Vec::new();
            append_text(&mut text, list.as_ref());
            prop_assert_eq!(parse(&text), list);
        }
    }
}
