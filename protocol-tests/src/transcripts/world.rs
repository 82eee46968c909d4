//! What placeholders stand for.

use serde::Serialize;
use serde_json::Value;
use serde_json::ser::{CharEscape, Formatter, Serializer};
use std::io;

/// What a transcript's placeholders stand for in this run.
#[derive(Debug, Clone)]
pub struct World {
    /// `host:port` of the workers: `<worker1>` and on.
    pub workers: Vec<String>,
    /// `<broker>`.
    pub broker: String,
    /// `<dir>`.
    pub dir: String,
    /// `<kafka_cluster_id>`.
    pub cluster_id: String,
}

impl World {
    /// A text with the placeholders whose value is known replaced.
    pub fn fill(&self, text: &str) -> String {
        let mut filled = text.to_owned();
        for (number, worker) in self.workers.iter().enumerate() {
            filled = filled.replace(&format!("<worker{}>", number + 1), worker);
        }
        for (placeholder, value) in
            [("<broker>", &self.broker), ("<dir>", &self.dir), ("<kafka_cluster_id>", &self.cluster_id)]
        {
            filled = filled.replace(placeholder, value);
        }
        repeated(&filled)
    }

    /// As [`World::fill`], for all texts in a JSON value, names of members included.
    pub fn fill_json(&self, json: &Value) -> Value {
        match json {
            Value::String(text) => Value::String(self.fill(text)),
            Value::Array(items) => items.iter().map(|item| self.fill_json(item)).collect(),
            Value::Object(members) => {
                members.iter().map(|(name, value)| (self.fill(name), self.fill_json(value))).collect()
            }
            other => other.clone(),
        }
    }
}

/// `<repeat:x:3>` is `xxx`.
fn repeated(text: &str) -> String {
    let Some((before, rest)) = text.split_once("<repeat:") else { return text.to_owned() };
    let Some((what, after)) = rest.split_once('>') else { return text.to_owned() };
    match what.rsplit_once(':').and_then(|(unit, times)| Some(unit.repeat(times.parse().ok()?))) {
        Some(long) => format!("{before}{long}{}", repeated(after)),
        None => format!("{before}<repeat:{what}>{}", repeated(after)),
    }
}

/// Whether a text is what a pattern with the placeholders `<time>`, `<commit>`, `<ms>`, `<hash>` and `<stack>`
/// says.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    type Kind = (&'static str, fn(char) -> bool);
    const KINDS: &[Kind] = &[
        ("<time>", |c| c.is_ascii_digit() || "-:.TZ+".contains(c)),
        ("<commit>", |c| !c.is_whitespace()),
        ("<ms>", |c| c.is_ascii_digit()),
        ("<hash>", |c| c.is_ascii_hexdigit()),
        ("<stack>", |_| true),
    ];
    let next =
        KINDS.iter().filter_map(|(name, kind)| Some((pattern.find(name)?, *name, kind))).min_by_key(|f| f.0);
    let Some((at, name, kind)) = next else { return pattern == text };
    let Some(rest) = text.strip_prefix(&pattern[..at]) else { return false };
    let after = &pattern[at + name.len()..];
    let taken = rest.char_indices().take_while(|(_, c)| kind(*c));
    let mut ends = taken.map(|(at, c)| at + c.len_utf8());
    ends.any(|end| matches(after, &rest[end..]))
}

/// JSON as the recorder sent it: positions in the texts of errors count every byte.
pub(super) fn as_it_was_sent(json: &Value) -> String {
    struct Spaced;
    impl Formatter for Spaced {
        fn begin_array_value<W: io::Write + ?Sized>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
            if first { Ok(()) } else { out.write_all(b", ") }
        }
        fn begin_object_key<W: io::Write + ?Sized>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
            if first { Ok(()) } else { out.write_all(b", ") }
        }
        fn begin_object_value<W: io::Write + ?Sized>(&mut self, out: &mut W) -> io::Result<()> {
            out.write_all(b": ")
        }
        fn write_string_fragment<W: io::Write + ?Sized>(
            &mut self,
            out: &mut W,
            text: &str,
        ) -> io::Result<()> {
            for unit in text.chars() {
                if unit.is_ascii() && unit != '\x7f' {
                    out.write_all(&[unit as u8])?;
                } else {
                    for half in unit.encode_utf16(&mut [0; 2]) {
                        write!(out, "\\u{half:04x}")?;
                    }
                }
            }
            Ok(())
        }
        fn write_char_escape<W: io::Write + ?Sized>(
            &mut self,
            out: &mut W,
            escape: CharEscape,
        ) -> io::Result<()> {
            serde_json::ser::CompactFormatter.write_char_escape(out, escape)
        }
    }
    let mut out = Vec::new();
    // Writing to memory does not fail, and what is written is ASCII.
    let _ = json.serialize(&mut Serializer::with_formatter(&mut out, Spaced));
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn placeholders() {
        let world = World {
            workers: vec!["h:1".into()],
            broker: "b:9".into(),
            dir: "/d".into(),
            cluster_id: "id".into(),
        };
        assert_eq!(world.fill("<worker1> <dir>/x <b> <repeat:xy:2>!<repeat:z:3>"), "h:1 /d/x <b> xyxy!zzz");
        assert_eq!(world.fill_json(&json!({"<dir>": ["<broker>", 1]})), json!({"/d": ["b:9", 1]}));
        assert!(matches("E: x\n\t<stack>\nCaused by: y", "E: x\n\tat a\n\tat b\nCaused by: y"));
        assert!(matches("a<ms>b<ms>", "a1b23"));
        assert!(!matches("a<ms>b", "ab"));
        assert!(!matches("a<ms>b", "a1c"));
        assert!(matches("<time>", "2026-01-01T00:00:00.000Z"));
        assert!(!matches("x", "y"));
    }

    #[test]
    fn json_is_spaced_and_ascii() {
        let json: Value = serde_json::from_str("{\"a\":[1.50,\"ü☃\\n\"],\"b\":{}}").unwrap();
        assert_eq!(as_it_was_sent(&json), "{\"a\": [1.50, \"\\u00fc\\u2603\\n\"], \"b\": {}}");
    }
}
