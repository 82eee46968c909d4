//! Typed reading of settings, with the error texts of Kafka's `ConfigDef`.

use crate::error::ConfigError;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;
use std::time::Duration;

/// Reads typed values out of a map and remembers which keys were asked for, so that the others can be
/// reported as unknown.
pub(crate) struct Reader<'a> {
    map: &'a BTreeMap<String, String>,
    used: RefCell<BTreeSet<&'static str>>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(map: &'a BTreeMap<String, String>) -> Self {
        Self { map, used: RefCell::new(BTreeSet::new()) }
    }

    /// The trimmed value, if the key is there.
    pub(crate) fn text(&self, key: &'static str) -> Option<&'a str> {
        self.used.borrow_mut().insert(key);
        self.map.get(key).map(|v| v.trim())
    }

    /// A 32-bit number of at least `min`.
    pub(crate) fn int(&self, key: &'static str, default: i32, min: i32) -> Result<i32, ConfigError> {
        self.number(key, default, min, "INT")
    }

    /// A 64-bit number of at least `min`.
    pub(crate) fn long(&self, key: &'static str, default: i64, min: i64) -> Result<i64, ConfigError> {
        self.number(key, default, min, "LONG")
    }

    /// Milliseconds, at least 0, as Kafka's INT or LONG; the difference shows only in values past 24 days.
    pub(crate) fn millis(&self, key: &'static str, default: u64) -> Result<Duration, ConfigError> {
        let default = i64::try_from(default).unwrap_or(i64::MAX);
        let millis = self.number::<i64>(key, default, 0, "LONG")?;
        Ok(Duration::from_millis(millis.unsigned_abs()))
    }

    /// Milliseconds, at least 0 and at most `i32::MAX`.
    pub(crate) fn int_millis(&self, key: &'static str, default: i32) -> Result<Duration, ConfigError> {
        Ok(Duration::from_millis(self.int(key, default, 0)?.unsigned_abs().into()))
    }

    /// `true` or `false`, in any case.
    pub(crate) fn boolean(&self, key: &'static str, default: bool) -> Result<bool, ConfigError> {
        match self.text(key) {
            None => Ok(default),
            Some(v) if v.eq_ignore_ascii_case("true") => Ok(true),
            Some(v) if v.eq_ignore_ascii_case("false") => Ok(false),
            Some(v) => Err(invalid(key, v, "Expected value to be either true or false")),
        }
    }

    /// One of the given words; the first of them is the default if `default` is `None`.
    pub(crate) fn one_of(
        &self,
        key: &'static str,
        default: &'static str,
        allowed: &[&'static str],
    ) -> Result<&'static str, ConfigError> {
        let Some(value) = self.text(key) else { return Ok(default) };
        match allowed.iter().find(|a| **a == value) {
            Some(known) => Ok(known),
            None => Err(invalid(key, value, &format!("String must be one of: {}", allowed.join(", ")))),
        }
    }

    /// A comma-separated list, its items trimmed; an empty value is an empty list.
    pub(crate) fn list(&self, key: &'static str) -> Option<Vec<&'a str>> {
        let value = self.text(key)?;
        if value.is_empty() {
            return Some(Vec::new());
        }
        Some(value.split(',').map(str::trim).collect())
    }

    /// Keys of the map that were never asked for.
    pub(crate) fn unused(&self) -> BTreeSet<String> {
        let used = self.used.borrow();
        self.map.keys().filter(|k| !used.contains(k.as_str())).cloned().collect()
    }

    fn number<N>(&self, key: &'static str, default: N, min: N, kind: &'static str) -> Result<N, ConfigError>
    where
        N: FromStr + PartialOrd + std::fmt::Display,
    {
        let Some(value) = self.text(key) else { return Ok(default) };
        let number =
            value.parse().map_err(|_| invalid(key, value, &format!("Not a number of type {kind}")))?;
        if number < min {
            return Err(invalid(key, value, &format!("Value must be at least {min}")));
        }
        Ok(number)
    }
}

/// A value that `key` does not take.
pub(crate) fn invalid(key: &str, value: &str, reason: &str) -> ConfigError {
    ConfigError::InvalidValue { key: key.to_owned(), value: value.to_owned(), reason: reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn errors_name_key_value_and_reason() {
        let map = map(&[("a.ms", "abc"), ("b", "-2"), ("c", "yes"), ("d", "x")]);
        let reader = Reader::new(&map);
        let text = |e: ConfigError| e.to_string();
        assert_eq!(
            text(reader.int_millis("a.ms", 1).unwrap_err()),
            "Invalid value abc for configuration a.ms: Not a number of type INT"
        );
        assert_eq!(
            text(reader.long("b", 1, -1).unwrap_err()),
            "Invalid value -2 for configuration b: Value must be at least -1"
        );
        assert!(text(reader.boolean("c", true).unwrap_err()).contains("either true or false"));
        assert!(
            text(reader.one_of("d", "y", &["y", "z"]).unwrap_err()).ends_with("String must be one of: y, z")
        );
        assert!(reader.unused().is_empty());
    }

    #[test]
    fn values_are_trimmed_and_unused_keys_reported() {
        let map = map(&[("n", " +7 "), ("l", " a , b,"), ("other", "1")]);
        let reader = Reader::new(&map);
        assert_eq!(reader.int("n", 0, 0), Ok(7));
        assert_eq!(reader.list("l"), Some(vec!["a", "b", ""]));
        assert_eq!(reader.list("missing"), None);
        assert_eq!(reader.unused(), BTreeSet::from(["other".to_owned()]));
    }
}
