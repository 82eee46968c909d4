//! Reads JSON into a tree with places. At a mistake the tree ends with it, so that a mistake of shape before it
//! is found first, as in a parser that converts while it reads.

use super::shape::Path;
use super::{JsonError, Place, source};

/// Most levels of nesting.
const MAX_DEPTH: usize = 1000;
/// Longest text.
const MAX_TEXT: usize = 20_000_000;
/// Longest number.
const MAX_NUMBER: usize = 1000;
const LITERALS: &str = "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')";

/// A value with its place.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub(crate) value: Value,
    /// Of its first byte.
    pub(crate) start: Place,
    /// Behind its last byte.
    pub(crate) end: Place,
}

/// What a value is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    /// As it is written.
    Number(String),
    Text(String),
    List(Vec<Node>),
    /// In their order; a name may come again.
    Object(Vec<(String, Node)>),
    /// Here reading ended.
    Broken(Box<JsonError>),
}

/// What was read: a value, and what is wrong behind it.
#[derive(Debug)]
pub(crate) struct Tree {
    pub(crate) root: Node,
    pub(crate) behind: Option<JsonError>,
}

/// Reads a document; `None` if there is nothing but white space. A byte order mark is passed over.
pub(crate) fn read(bytes: &[u8]) -> Option<Tree> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let mut reader = Reader { bytes, at: 0, line: 1, line_start: 0, depth: 0 };
    reader.space();
    reader.peek()?;
    let root = reader.value();
    reader.space();
    let has_more = !root.is_broken() && reader.peek().is_some();
    let behind = has_more.then(|| reader.value()).map(|node| match node.value {
        Value::Broken(error) => *error,
        _ => {
            let text = "Trailing token found after value";
            syntax("there is something behind the value", text.to_owned(), node.start)
        }
    });
    Some(Tree { root, behind })
}

impl Node {
    fn is_broken(&self) -> bool {
        match &self.value {
            Value::Broken(_) => true,
            Value::List(items) => items.last().is_some_and(Self::is_broken),
            Value::Object(members) => members.last().is_some_and(|(_, node)| node.is_broken()),
            _ => false,
        }
    }
}

fn syntax(message: &str, of_connect: String, place: Place) -> JsonError {
    JsonError {
        message: format!("the body is not JSON: {message}"),
        of_connect,
        place: Some(place),
        path: Path::default(),
        is_of_json: true,
    }
}

struct Reader<'b> {
    bytes: &'b [u8],
    at: usize,
    line: usize,
    line_start: usize,
    depth: usize,
}

impl Reader<'_> {
    fn place(&self) -> Place {
        self.place_of(self.at)
    }

    fn place_of(&self, at: usize) -> Place {
        Place { line: self.line, column: at - self.line_start + 1 }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn space(&mut self) {
        while let Some(byte) = self.peek() {
            match byte {
                b' ' | b'\t' | b'\r' => self.at += 1,
                b'\n' => {
                    self.at += 1;
                    self.line += 1;
                    self.line_start = self.at;
                }
                _ => return,
            }
        }
    }

    /// The character here, however the bytes are.
    fn character(&self) -> char {
        let rest = &self.bytes[self.at..self.bytes.len().min(self.at + 4)];
        String::from_utf8_lossy(rest).chars().next().unwrap_or('\u{FFFD}')
    }

    fn broken(&self, error: JsonError) -> Node {
        let place = self.place();
        Node { value: Value::Broken(Box::new(error)), start: place, end: place }
    }

    fn ends_early(&self, what: &str, of_connect: String) -> Node {
        self.broken(syntax(what, format!("Unexpected end-of-input{of_connect}"), self.place()))
    }

    fn unexpected(&self, expected: &str) -> Node {
        let unit = self.character();
        let text = if unit.is_control() {
            format!("Unexpected character ((CTRL-CHAR, code {})): {expected}", unit as u32)
        } else {
            format!("Unexpected character ('{unit}' (code {})): {expected}", shown_code(unit))
        };
        let message = format!("unexpected {unit:?}, {expected}");
        self.broken(syntax(&message, text, self.place()))
    }

    fn value(&mut self) -> Node {
        let start = self.place();
        let value = match self.peek() {
            None => return self.ends_early("it ends where a value is expected", String::new()),
            Some(b'{') => return self.nested(start, Self::object),
            Some(b'[') => return self.nested(start, Self::list),
            Some(b'"') => match self.text() {
                Ok(text) => Value::Text(text),
                Err(node) => return node,
            },
            Some(b'-' | b'0'..=b'9') => match self.number() {
                Ok(number) => Value::Number(number),
                Err(node) => return node,
            },
            Some(b'}' | b']' | b',') => return self.unexpected("expected a value"),
            Some(_) => match self.word() {
                Ok(value) => value,
                Err(node) => return node,
            },
        };
        Node { value, start, end: self.place() }
    }

    fn nested(&mut self, start: Place, read: fn(&mut Self, Place) -> Value) -> Node {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            let text = format!(
                "Document nesting depth ({}) exceeds the maximum allowed ({MAX_DEPTH}, from \
                 `StreamReadConstraints.getMaxNestingDepth()`)",
                self.depth
            );
            return self.broken(syntax("it is nested too deeply", text, start));
        }
        self.at += 1;
        let value = read(self, start);
        self.depth -= 1;
        Node { value, start, end: self.place() }
    }

    fn object(&mut self, start: Place) -> Value {
        let mut members = Vec::new();
        let broken = |mut members: Vec<(String, Node)>, node| {
            members.push((String::new(), node));
            Value::Object(members)
        };
        self.space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Value::Object(members);
        }
        loop {
            self.space();
            let name = match self.peek() {
                Some(b'"') => self.text(),
                None => Err(self.unclosed("Object", start)),
                Some(_) => Err(self.unexpected("was expecting double-quote to start field name")),
            };
            let name = match name {
                Ok(name) => name,
                Err(node) => return broken(members, node),
            };
            self.space();
            match self.peek() {
                Some(b':') => self.at += 1,
                None => {
                    let node = self.ends_early(
                        "a colon is missing",
                        format!(": expected close marker for Object (start marker at {})", source(start)),
                    );
                    return broken(members, node);
                }
                Some(_) => {
                    let node = self.unexpected("was expecting a colon to separate field name and value");
                    return broken(members, node);
                }
            }
            self.space();
            let node = match self.peek() {
                None => self.unclosed("Object", start),
                Some(_) => self.value(),
            };
            let is_broken = node.is_broken();
            members.push((name, node));
            if is_broken {
                return Value::Object(members);
            }
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Value::Object(members);
                }
                None => {
                    let node = self.unclosed("Object", start);
                    return broken(members, node);
                }
                Some(_) => {
                    let node = self.unexpected("was expecting comma to separate Object entries");
                    return broken(members, node);
                }
            }
        }
    }

    fn list(&mut self, start: Place) -> Value {
        let mut items = Vec::new();
        self.space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Value::List(items);
        }
        loop {
            self.space();
            let node = match self.peek() {
                None => self.unclosed("Array", start),
                Some(_) => self.value(),
            };
            let is_broken = node.is_broken();
            items.push(node);
            if is_broken {
                return Value::List(items);
            }
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Value::List(items);
                }
                None => items.push(self.unclosed("Array", start)),
                Some(_) => items.push(self.unexpected("was expecting comma to separate Array entries")),
            }
            if items.last().is_some_and(Node::is_broken) {
                return Value::List(items);
            }
        }
    }

    fn unclosed(&self, what: &str, start: Place) -> Node {
        let text = format!(": expected close marker for {what} (start marker at {})", source(start));
        let message = format!(
            "it ends before the {} that starts at line {} column {} is closed",
            what.to_lowercase(),
            start.line,
            start.column
        );
        self.ends_early(&message, text)
    }

    /// A text, from its quote on.
    fn text(&mut self) -> Result<String, Node> {
        let first = self.at + 1;
        self.at = first;
        let mut text = Vec::new();
        loop {
            match self.peek() {
                None => {
                    return Err(self.ends_early(
                        "a text is not closed",
                        ": was expecting closing quote for a string value".to_owned(),
                    ));
                }
                Some(b'"') => break,
                Some(b'\\') => self.escape(&mut text)?,
                Some(byte) if byte < 0x20 => {
                    let text = format!(
                        "Illegal unquoted character ((CTRL-CHAR, code {byte})): has to be escaped using backslash to be \
                         included in string value"
                    );
                    return Err(self.broken(syntax(
                        "a control character in a text is not escaped",
                        text,
                        self.place(),
                    )));
                }
                Some(byte) => {
                    text.push(byte);
                    self.at += 1;
                }
            }
        }
        self.at += 1;
        if text.len() > MAX_TEXT {
            let message = format!(
                "String value length ({}) exceeds the maximum allowed ({MAX_TEXT}, from \
                 `StreamReadConstraints.getMaxStringLength()`)",
                text.len()
            );
            let mut error = syntax("a text is too long", message, self.place());
            error.place = None;
            return Err(self.broken(error));
        }
        String::from_utf8(text).map_err(|error| {
            let bad = error.as_bytes().get(error.utf8_error().valid_up_to()).copied().unwrap_or_default();
            self.broken(syntax(
                "a text is not UTF-8",
                format!("Invalid UTF-8 start byte 0x{bad:x}"),
                self.place_of(first),
            ))
        })
    }

    /// What a backslash starts.
    fn escape(&mut self, text: &mut Vec<u8>) -> Result<(), Node> {
        self.at += 1;
        let plain = match self.peek() {
            Some(b'u') => {
                let unit = self.code_unit()?;
                let unit = match unit {
                    0xD800..0xDC00 if self.bytes[self.at..].starts_with(b"\\u") => {
                        self.at += 1;
                        let low = self.code_unit()?;
                        let pair = 0x10000
                            + ((u32::from(unit) - 0xD800) << 10)
                            + (u32::from(low).wrapping_sub(0xDC00) & 0x3FF);
                        char::from_u32(pair)
                    }
                    unit => char::from_u32(u32::from(unit)),
                };
                // Half a pair is no character.
                let unit = unit.unwrap_or('\u{FFFD}');
                text.extend_from_slice(unit.encode_utf8(&mut [0; 4]).as_bytes());
                return Ok(());
            }
            Some(b'n') => b'\n',
            Some(b't') => b'\t',
            Some(b'r') => b'\r',
            Some(b'b') => 8,
            Some(b'f') => 12,
            Some(byte @ (b'"' | b'\\' | b'/')) => byte,
            None => {
                return Err(
                    self.ends_early("a text is not closed", " in character escape sequence".to_owned())
                );
            }
            Some(_) => {
                let unit = self.character();
                let text = format!("Unrecognized character escape '{unit}' (code {})", shown_code(unit));
                return Err(self.broken(syntax(&format!("no such escape: \\{unit}"), text, self.place())));
            }
        };
        self.at += 1;
        text.push(plain);
        Ok(())
    }

    /// Four hexadecimal digits behind a `u`.
    fn code_unit(&mut self) -> Result<u16, Node> {
        self.at += 1;
        let mut unit = 0;
        for _ in 0..4 {
            let Some(byte) = self.peek() else {
                return Err(
                    self.ends_early("a text is not closed", " in character escape sequence".to_owned())
                );
            };
            let Some(digit) = char::from(byte).to_digit(16) else {
                return Err(self.unexpected("expected a hex-digit for character escape sequence"));
            };
            unit = unit << 4 | digit as u16;
            self.at += 1;
        }
        Ok(unit)
    }

    fn number(&mut self) -> Result<String, Node> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
            self.digit("expected digit (0-9) to follow minus sign, for valid numeric value")?;
        }
        if self.peek() == Some(b'0') && self.bytes.get(self.at + 1).is_some_and(u8::is_ascii_digit) {
            let text = "Invalid numeric value: Leading zeroes not allowed".to_owned();
            return Err(self.broken(syntax("a number starts with 0", text, self.place())));
        }
        self.digits();
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digit("Decimal point not followed by a digit")?;
            self.digits();
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digit("Exponent indicator not followed by a digit")?;
            self.digits();
        }
        if self.depth == 0 && self.peek().is_some_and(|byte| !b" \t\r\n".contains(&byte)) {
            return Err(self.unexpected("Expected space separating root-level values"));
        }
        // Only digits, signs and the like.
        let number = String::from_utf8_lossy(&self.bytes[start..self.at]).into_owned();
        if number.len() > MAX_NUMBER {
            let text = format!(
                "Number value length ({}) exceeds the maximum allowed ({MAX_NUMBER}, from \
                 `StreamReadConstraints.getMaxNumberLength()`)",
                number.len()
            );
            return Err(self.broken(syntax("a number is too long", text, self.place_of(start))));
        }
        Ok(number)
    }

    fn digit(&mut self, expected: &str) -> Result<(), Node> {
        match self.peek() {
            Some(b'0'..=b'9') => Ok(()),
            None => {
                Err(self.ends_early("a number is not complete", format!(" in numeric value: {expected}")))
            }
            Some(_) => {
                let unit = self.character();
                let text = format!(
                    "Unexpected character ('{unit}' (code {})) in numeric value: {expected}",
                    shown_code(unit)
                );
                Err(self.broken(syntax("a number is not complete", text, self.place())))
            }
        }
    }

    fn digits(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
    }

    fn word(&mut self) -> Result<Value, Node> {
        let start = self.at;
        let is_part = |unit: char| unit.is_alphanumeric() || unit == '_' || unit == '$';
        if !is_part(self.character()) {
            return Err(self.unexpected(&format!("expected a valid value {LITERALS}")));
        }
        let rest =
            String::from_utf8_lossy(&self.bytes[start..self.bytes.len().min(start + 256)]).into_owned();
        let word: String = rest.chars().take_while(|unit| is_part(*unit)).collect();
        let value = match word.as_str() {
            "null" => Value::Null,
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            _ => {
                let text = format!("Unrecognized token '{word}': was expecting {LITERALS}");
                return Err(self.broken(syntax(&format!("{word:?} is no value"), text, self.place())));
            }
        };
        self.at += word.len();
        Ok(value)
    }
}

/// A code as Jackson writes it: hexadecimal too above a byte.
fn shown_code(unit: char) -> String {
    let code = unit as u32;
    if code > 255 { format!("{code} / 0x{code:x}") } else { code.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn plain(node: &Node) -> String {
        match &node.value {
            Value::Null => "null".into(),
            Value::Bool(value) => value.to_string(),
            Value::Number(number) => number.clone(),
            Value::Text(text) => serde_json::to_string(text).unwrap(),
            Value::List(items) => format!("[{}]", items.iter().map(plain).collect::<Vec<_>>().join(",")),
            Value::Object(members) => {
                let member = |(name, node): &(String, Node)| {
                    format!("{}:{}", serde_json::to_string(name).unwrap(), plain(node))
                };
                format!("{{{}}}", members.iter().map(member).collect::<Vec<_>>().join(","))
            }
            Value::Broken(error) => format!("!{}:{}", error.place.unwrap().line, error.place.unwrap().column),
        }
    }

    fn read_plain(text: &str) -> String {
        let tree = read(text.as_bytes()).unwrap();
        assert!(tree.behind.is_none(), "{text}");
        plain(&tree.root)
    }

    #[test]
    fn values() {
        for text in ["null", "[1.50,-0,1e9,\"a\\nb\"]", "{\"a\":{},\"a\":[true,false]}", "\"\u{1F600}\""] {
            assert_eq!(read_plain(text), text);
        }
        assert_eq!(read_plain(" \n{ \"a\" :\t1 } \n"), "{\"a\":1}");
        assert_eq!(read_plain("\u{FEFF}\"\\u00fc\\ud83d\\ude00\\/\""), "\"ü😀/\"");
        assert!(read(b" \n").is_none());
    }

    #[test]
    fn mistakes_have_their_place() {
        for (text, expected) in [
            ("{", "{\"\":!1:2}"),
            ("{\"a\":}", "{\"a\":!1:6}"),
            ("{'a':1}", "{\"\":!1:2}"),
            ("[1,\n x]", "[1,!2:2]"),
            ("[1 2]", "[1,!1:4]"),
            ("{\"a\":1,}", "{\"a\":1,\"\":!1:8}"),
            ("[01]", "[!1:2]"),
            ("\"a", "!1:3"),
            ("-", "!1:2"),
            ("\"\t\"", "!1:2"),
            ("\"\\x\"", "!1:3"),
        ] {
            assert_eq!(read_plain(text), expected, "{text}");
        }
        let behind = read(b"{} x").unwrap().behind.unwrap();
        assert_eq!(behind.place, Some(Place { line: 1, column: 4 }));
        assert!(read("[".repeat(100_000).as_bytes()).unwrap().root.is_broken());
    }

    proptest! {
        #[test]
        fn agrees_with_serde(text in "[\\[\\]{}\", :0-9a-e\\\\ntrufals.-]{0,12}") {
            let taken = serde_json::from_str::<serde_json::Value>(&text).is_ok();
            let ours = read(text.as_bytes()).is_some_and(|tree| tree.behind.is_none() && !tree.root.is_broken());
            prop_assert_eq!(ours, taken, "{}", text);
        }

        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = read(&bytes);
        }
    }
}
