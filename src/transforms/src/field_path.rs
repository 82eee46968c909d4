//! The way to a field, possibly a nested one. Mirrors `SingleFieldPath` and `FieldSyntaxVersion` (KIP-821).

use crate::require;
use crossdock_api::config::{ConfigKey, Importance, Validator};
use crossdock_api::{ConfigError, ConnectError, Map, ParsedConfig, Schema, SchemaType, Struct, Value};
use std::sync::Arc;

/// Name of the key that [`syntax_key`] defines.
const SYNTAX: &str = "field.syntax.version";
const PURPOSE: &str = "nested field access";

/// The key that says how the path is written.
pub(crate) fn syntax_key() -> ConfigKey {
    ConfigKey::string(SYNTAX)
        .default("V1")
        .validator(Validator::OneOfIgnoringCase(&["V1", "V2"]))
        .importance(Importance::High)
        .doc(
            "How fields are named. With V1 a name is that of a field of the key or value itself. With V2 \
             names of nested fields are joined by dots, and a name that has dots itself is put into \
             backticks: `foo.bar`.baz is the field baz in the field foo.bar.",
        )
}

/// The names on the way to a field, the last one its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FieldPath {
    outer: Vec<String>,
    last: String,
}

impl FieldPath {
    /// Reads the path in the setting `key` in the syntax that [`syntax_key`] says.
    ///
    /// # Errors
    /// A backtick without its partner.
    pub(crate) fn of(config: &ParsedConfig, key: &str) -> Result<Self, ConfigError> {
        let path = config.string(key)?;
        if config.string(SYNTAX)?.eq_ignore_ascii_case("V2") {
            return Self::nested(path);
        }
        Ok(Self { outer: Vec::new(), last: path.to_owned() })
    }

    fn nested(path: &str) -> Result<Self, ConfigError> {
        let mut outer = steps(path)?;
        // Java throws IndexOutOfBounds for every record instead.
        let last = outer.pop().unwrap_or_default();
        Ok(Self { outer, last })
    }

    /// The schema of the field, if `schema` has it.
    ///
    /// # Errors
    /// A step that leads into what is no struct.
    pub(crate) fn schema_in<'s>(
        &self,
        schema: &'s Arc<Schema>,
    ) -> Result<Option<&'s Arc<Schema>>, ConnectError> {
        let mut current = schema;
        for step in self.outer.iter().chain([&self.last]) {
            if current.kind() != SchemaType::Struct {
                return Err(ConnectError::bad_record("Cannot look up fields on non-struct type"));
            }
            match current.field_index(step) {
                Some(at) => current = &current.fields()[at].schema,
                None => return Ok(None),
            }
        }
        Ok(Some(current))
    }

    /// Takes the value of the field out of a struct, or null if something on the way is null or missing.
    /// Defaults stand in for null on the way, at its end only if `with_default`.
    ///
    /// # Errors
    /// A step that leads into what is no struct; the struct is then unchanged.
    pub(crate) fn take_from(&self, value: &mut Struct, with_default: bool) -> Result<Value, ConnectError> {
        let mut current = value;
        for step in &self.outer {
            let Some(at) = current.schema().field_index(step) else { return Ok(Value::Null) };
            if current.values()[at].is_null() {
                let default = current.schema().fields()[at].schema.default_value().cloned();
                current.values_mut()[at] = default.unwrap_or_default();
            }
            match &mut current.values_mut()[at] {
                Value::Struct(inner) => current = inner,
                Value::Null => return Ok(Value::Null),
                other => return Err(require::no_struct(other.as_ref(), PURPOSE)),
            }
        }
        let Some(at) = current.schema().field_index(&self.last) else { return Ok(Value::Null) };
        let value = std::mem::take(&mut current.values_mut()[at]);
        if value.is_null() && with_default {
            return Ok(current.schema().fields()[at].schema.default_value().cloned().unwrap_or_default());
        }
        Ok(value)
    }

    /// Where the field is, if it is one of the struct itself.
    pub(crate) fn place_in(&self, schema: &Schema) -> Option<usize> {
        if self.outer.is_empty() { schema.field_index(&self.last) } else { None }
    }

    /// Takes the value of the field out of a map, or null if something on the way is null or missing.
    ///
    /// # Errors
    /// A step that leads into what is no map; the map is then unchanged.
    pub(crate) fn take_from_map(&self, value: &mut Map) -> Result<Value, ConnectError> {
        let mut current = value;
        for step in &self.outer {
            match current.get_mut(step) {
                None | Some(Value::Null) => return Ok(Value::Null),
                Some(Value::Map(inner)) => current = inner,
                Some(other) => return Err(require::no_map(other.as_ref(), PURPOSE)),
            }
        }
        Ok(current.get_mut(&self.last).map(std::mem::take).unwrap_or_default())
    }
}

/// Splits a path of V2. Within backticks dots are part of a name; a backtick ends the name only before a dot
/// or at the end, and not after a backslash.
fn steps(path: &str) -> Result<Vec<String>, ConfigError> {
    let bytes = path.as_bytes();
    let mut steps = Vec::new();
    let mut at = 0;
    while at < path.len() {
        if bytes[at] != b'`' {
            let end = path[at..].find('.').map(|dot| at + dot);
            steps.push(path[at..end.unwrap_or(path.len())].to_owned());
            match end {
                Some(dot) => at = dot + 1,
                None => break,
            }
            continue;
        }
        let (name, next) = quoted(path, at)?;
        steps.push(name);
        at = next;
    }
    if path.ends_with('.') {
        steps.push(String::new());
    }
    Ok(steps)
}

/// The name between the backtick at `open` and its partner, and where the next one begins.
fn quoted(path: &str, open: usize) -> Result<(String, usize), ConfigError> {
    let incomplete = || {
        // Java counts UTF-16 units.
        let position: usize = path[..open].chars().map(char::len_utf16).sum();
        ConfigError::Other(format!(
            "Incomplete backtick pair in path: [{path}], consider adding a backslash before backtick at \
             position {position} to escape it"
        ))
    };
    let mut name = String::new();
    let (mut start, mut at) = (open + 1, open + 1);
    loop {
        let tick = path[at..].find('`').map(|tick| at + tick).ok_or_else(incomplete)?;
        let escaped = path.as_bytes()[tick - 1] == b'\\';
        at = tick + 1;
        match (path.as_bytes().get(at), escaped) {
            (None, true) => return Err(incomplete()),
            (None, false) => {
                name.push_str(&path[start..tick]);
                return Ok((name, at));
            }
            (Some(b'.'), false) => {
                name.push_str(&path[start..tick]);
                return Ok((name, at + 1));
            }
            (Some(b'.'), true) => {
                // The start may be past the backslash: then the name so far is kept as it is.
                name.push_str(path.get(start..tick - 1).unwrap_or_default());
                name.push('`');
                start = at;
            }
            (Some(_), _) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn backticks_hide_dots() {
        for (path, expected) in [
            ("a", &["a"][..]),
            ("a.b", &["a", "b"]),
            ("a.", &["a", ""]),
            (".a", &["", "a"]),
            ("`a.b`.c", &["a.b", "c"]),
            ("a.`b.c`", &["a", "b.c"]),
            ("a`b.c", &["a`b", "c"]),
            ("`a`b.c`.d", &["a`b.c", "d"]),
            (r"`a\`.b`.c", &["a`.b", "c"]),
            ("``", &[""]),
            ("`a`.", &["a", ""]),
        ] {
            assert_eq!(steps(path).unwrap(), expected, "{path}");
        }
        let error = steps("é.`b").unwrap_err().to_string();
        assert!(error.starts_with("Incomplete backtick pair in path: [é.`b]"), "{error}");
        assert!(error.contains("position 2"), "{error}");
    }

    proptest! {
        #[test]
        fn no_path_panics(path in "[`.\\\\aé]{0,12}") {
            let _ = FieldPath::nested(&path);
        }
    }
}
