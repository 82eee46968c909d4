//! Reads a map by the definitions of its keys: checks all first, then gives typed values.

use super::definition::{ClientKind, State};
use super::key::{Key, Value};
use super::keys::definitions;
use crate::error::ConfigError;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// The settings of one client, checked.
pub(crate) struct Reader<'a> {
    map: &'a BTreeMap<String, String>,
    client: ClientKind,
}

impl<'a> Reader<'a> {
    /// Checks the values of all keys that the client knows. Keys that must be set but are not are the
    /// caller's business.
    pub(crate) fn new(map: &'a BTreeMap<String, String>, client: ClientKind) -> Result<Self, ConfigError> {
        for definition in definitions(client) {
            if let Some(value) = map.get(definition.name) {
                definition.check(value)?;
            }
        }
        Ok(Self { map, client })
    }

    /// Nothing is set.
    pub(crate) fn of_defaults(client: ClientKind) -> Self {
        static NOTHING: BTreeMap<String, String> = BTreeMap::new();
        Self { map: &NOTHING, client }
    }

    /// The value, or the default.
    pub(crate) fn get<T: Value>(&self, key: Key<T>) -> T::Read<'a> {
        let default = || T::of_default(key.definition.default_value());
        // A default that cannot be read is one of a key that must be set; a test reads all others.
        self.given(key).or_else(default).unwrap_or_default()
    }

    /// The value, if the key is set.
    pub(crate) fn given<T: Value>(&self, key: Key<T>) -> Option<T::Read<'a>> {
        debug_assert!(
            definitions(self.client).any(|d| d.name == key.name()),
            "{} is not checked",
            key.name()
        );
        let value = self.map.get(key.name())?;
        T::of_text(key.definition.trim(value))
    }

    /// The text of a key, checked and trimmed, if it is set.
    pub(crate) fn text(&self, key: &'static str) -> Option<&'a str> {
        self.map.get(key).map(|value| value.trim())
    }

    /// Keys of the map that the client does not know.
    pub(crate) fn unused(&self) -> BTreeSet<String> {
        let known = |key: &str| definitions(self.client).any(|d| d.name == key);
        self.map.keys().filter(|k| !known(k)).cloned().collect()
    }
}

/// A value that `key` does not take.
pub(crate) fn invalid(key: &str, value: &str, reason: &str) -> ConfigError {
    ConfigError::InvalidValue { key: key.to_owned(), value: value.to_owned(), reason: reason.to_owned() }
}

/// A setting that does not do what its user may think. Its text continues "the producer: ".
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigWarning {
    /// No client of this kind has such a key.
    Unknown {
        /// The key.
        key: String,
        /// The known key that is most like it, if one is like it at all.
        nearest: Option<&'static str>,
    },
    /// The key is known, but ignored.
    WithoutEffect {
        /// The key.
        key: &'static str,
        /// Why.
        reason: &'static str,
    },
}

impl ConfigWarning {
    /// The key that it is about.
    pub fn key(&self) -> &str {
        match self {
            Self::Unknown { key, .. } => key,
            Self::WithoutEffect { key, .. } => key,
        }
    }
}

impl fmt::Display for ConfigWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { key, nearest: None } => write!(f, "the key {key} is not known; it is ignored"),
            Self::Unknown { key, nearest: Some(nearest) } => {
                write!(f, "the key {key} is not known; it is ignored; did you mean {nearest}?")
            }
            Self::WithoutEffect { key, reason } => write!(f, "the key {key} has no effect: {reason}"),
        }
    }
}

/// What is set for a client of this kind and does nothing: unknown keys, and known ones that are ignored.
pub fn warnings(client: ClientKind, map: &BTreeMap<String, String>) -> Vec<ConfigWarning> {
    let warning = |(key, value): (&String, &String)| {
        let Some(known) = definitions(client).find(|d| d.name == *key) else {
            return Some(ConfigWarning::Unknown { key: key.clone(), nearest: nearest(client, key) });
        };
        match known.state {
            State::WithoutEffect(reason) if !known.is_default(value) => {
                Some(ConfigWarning::WithoutEffect { key: known.name, reason })
            }
            _ => None,
        }
    };
    map.iter().filter_map(warning).collect()
}

/// The key of this kind of client that is most like `name`, if one is like it at all.
fn nearest(client: ClientKind, name: &str) -> Option<&'static str> {
    definitions(client)
        .map(|d| (strsim::normalized_damerau_levenshtein(name, d.name), d.name))
        .filter(|(likeness, _)| *likeness >= 0.7)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::super::keys::common::{CLIENT_ID, REQUEST_TIMEOUT};
    use super::super::keys::producer::{BATCH_SIZE, INTERCEPTOR_CLASSES, LINGER};
    use super::*;
    use std::time::Duration;

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    /// Client, key, value, and what Kafka 4.3.1 says of it: `ok`, or `error` with its text.
    const JAVA: &str = include_str!("../../tests/golden/java-config-values.tsv");

    #[test]
    fn values_are_judged_as_in_java() {
        for line in JAVA.lines() {
            let columns: Vec<_> = line.split('\t').collect();
            let client = match columns[0] {
                "P" => ClientKind::Producer,
                "C" => ClientKind::Consumer,
                _ => ClientKind::Admin,
            };
            let definition = definitions(client).find(|d| d.name == columns[1]).unwrap();
            // What this client cannot do is refused whatever Java says.
            let own_limit = matches!(definition.state, State::Refused(_) | State::RefusedBut(..));
            match (definition.check(columns[2]), columns[3]) {
                (Ok(()), "ok") => {}
                (Err(error), "error") => {
                    assert!(own_limit || error.to_string() == columns[4], "{line}: {error}")
                }
                (Err(_), "ok") if own_limit => {}
                (result, _) => panic!("{line}: {result:?}"),
            }
        }
    }

    #[test]
    fn values_are_trimmed_and_defaults_taken() {
        let map = map(&[("batch.size", " +7 "), ("client.id", " a "), ("interceptor.classes", " b , c,b")]);
        let reader = Reader::new(&map, ClientKind::Producer).unwrap();
        assert_eq!(reader.get(BATCH_SIZE), 7);
        assert_eq!((reader.get(CLIENT_ID), reader.given(LINGER)), ("a", None));
        assert_eq!(reader.get(REQUEST_TIMEOUT), Duration::from_secs(30));
        assert_eq!(reader.get(INTERCEPTOR_CLASSES), ["b", "c"]);
    }

    #[test]
    fn what_does_nothing_is_warned_about() {
        let map = map(&[
            ("acks", "all"),
            ("interceptor.classes", "a.B"),
            ("linger.mss", "1"),
            ("metrics.num.samples", "2"),
            ("something.else.entirely", "1"),
        ]);
        let warnings = warnings(ClientKind::Producer, &map);
        let texts: Vec<_> = warnings.iter().map(ToString::to_string).collect();
        assert_eq!(texts.len(), 3, "{texts:?}");
        assert!(texts[0].starts_with("the key interceptor.classes has no effect: "), "{texts:?}");
        assert_eq!(texts[1], "the key linger.mss is not known; it is ignored; did you mean linger.ms?");
        assert_eq!(texts[2], "the key something.else.entirely is not known; it is ignored");
        let reader = Reader::new(&map, ClientKind::Producer).unwrap();
        assert_eq!(reader.unused().len(), 2);
    }
}
