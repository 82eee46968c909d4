//! The words of JSON: as Jackson reads them, leading zeros of numbers included.
//!
//! - [`strings`] and [`numbers`]: those words.

mod numbers;
mod strings;

pub(super) use numbers::Plain;
pub(super) use strings::is_plain;

use super::error::{JsonError, Result};

/// Arrays and objects inside each other; Jackson's limit.
const MAX_DEPTH: u16 = 1000;

/// Walks the bytes of a document. Every method starts and ends at the first byte of a word.
#[derive(Debug, Clone)]
pub(super) struct Lexer<'a> {
    bytes: &'a [u8],
    at: usize,
    depth: u16,
}

/// A string of the document.
#[derive(Debug)]
pub(super) enum JsonStr<'a> {
    /// Without escapes: the bytes in the document, not checked to be UTF-8 yet.
    Plain(&'a [u8]),
    /// With its escapes replaced.
    Unescaped(Vec<u8>),
}

impl JsonStr<'_> {
    pub(super) fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Plain(bytes) => bytes,
            Self::Unescaped(bytes) => bytes,
        }
    }
}

/// A number of the document.
#[derive(Debug, Clone, Copy)]
pub(super) struct Number<'a> {
    pub(super) text: &'a str,
    /// Whether it has a fraction or an exponent.
    pub(super) float: bool,
}

/// The kind of a value, by its first byte. The names are those of Jackson's node types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Array,
    Boolean,
    Null,
    Number,
    Object,
    String,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Array => "ARRAY",
            Self::Boolean => "BOOLEAN",
            Self::Null => "NULL",
            Self::Number => "NUMBER",
            Self::Object => "OBJECT",
            Self::String => "STRING",
        }
    }
}

impl<'a> Lexer<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        let byte_order_mark = if bytes.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
        let mut lexer = Self { bytes, at: byte_order_mark, depth: 0 };
        lexer.skip_space();
        lexer
    }

    /// Number of the next byte.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// Goes to a byte where a word starts.
    pub(super) fn go_to(&mut self, at: usize) {
        self.at = at;
        self.skip_space();
    }

    /// The bytes from here on.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.at >= self.bytes.len()
    }

    #[inline]
    fn skip_space(&mut self) {
        // Mostly there is none.
        if self.bytes.get(self.at).is_none_or(|byte| *byte > b' ') {
            return;
        }
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.bytes.get(self.at) {
            self.at += 1;
        }
    }

    /// The next byte.
    #[inline]
    pub(super) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// The kind of the value that starts here.
    #[inline]
    pub(super) fn kind(&self) -> Result<Kind> {
        match self.peek() {
            Some(b'"') => Ok(Kind::String),
            Some(b'0'..=b'9' | b'-') => Ok(Kind::Number),
            Some(b'{') => Ok(Kind::Object),
            Some(b'[') => Ok(Kind::Array),
            Some(b't' | b'f') => Ok(Kind::Boolean),
            Some(b'n') => Ok(Kind::Null),
            _ => Err(self.unexpected("a value")),
        }
    }

    #[cold]
    fn unexpected(&self, wanted: &str) -> JsonError {
        let found = match self.peek() {
            None => "the input ends".to_owned(),
            Some(byte @ 0x21..=0x7e) => format!("there is '{}'", byte as char),
            Some(byte) => format!("there is byte 0x{byte:02X}"),
        };
        JsonError::syntax(self.at, &format!("expected {wanted} but {found}"))
    }

    fn word(&mut self, word: &str) -> Result<()> {
        if !self.rest().starts_with(word.as_bytes()) {
            return Err(self.unexpected(&format!("'{word}'")));
        }
        self.at += word.len();
        self.end_of_word()
    }

    /// After a word that is not quoted there must be white space or punctuation.
    fn end_of_word(&mut self) -> Result<()> {
        match self.peek() {
            None | Some(b',' | b']' | b'}' | b':' | b' ' | b'\t' | b'\n' | b'\r') => {
                self.skip_space();
                Ok(())
            }
            Some(_) => Err(self.unexpected("white space, ',', ']' or '}'")),
        }
    }

    pub(super) fn null(&mut self) -> Result<()> {
        self.word("null")
    }

    pub(super) fn boolean(&mut self) -> Result<bool> {
        if self.peek() == Some(b't') {
            self.word("true").map(|()| true)
        } else {
            self.word("false").map(|()| false)
        }
    }

    /// Goes into an array or object; `false` if it is empty, and then it was left again.
    #[inline]
    pub(super) fn enter(&mut self) -> Result<bool> {
        let close = if self.peek() == Some(b'{') { b'}' } else { b']' };
        if self.depth >= MAX_DEPTH {
            return Err(JsonError::syntax(
                self.at,
                &format!("arrays and objects are nested more than {MAX_DEPTH} levels deep"),
            ));
        }
        self.at += 1;
        self.skip_space();
        if self.peek() == Some(close) {
            self.at += 1;
            self.skip_space();
            return Ok(false);
        }
        self.depth += 1;
        Ok(true)
    }

    /// The name of a member; the next word is then its value.
    #[inline]
    pub(super) fn member(&mut self) -> Result<JsonStr<'a>> {
        if self.peek() != Some(b'"') {
            return Err(self.unexpected("the quoted name of a member"));
        }
        let name = self.string()?;
        if self.peek() != Some(b':') {
            return Err(self.unexpected("':'"));
        }
        self.at += 1;
        self.skip_space();
        Ok(name)
    }

    /// Passes over the name of a member and what follows it up to its value, if the name is written as it is.
    #[inline]
    pub(super) fn passed_member(&mut self, name: &[u8]) -> bool {
        let rest = self.rest();
        let after = rest.get(1..).and_then(|rest| rest.strip_prefix(name));
        let found = rest.first() == Some(&b'"') && after.is_some_and(|after| after.starts_with(b"\":"));
        if found {
            self.at += name.len() + 3;
            self.skip_space();
        }
        found
    }

    /// Passes over `len` bytes that are the name of a member and its colon.
    #[inline]
    pub(super) fn pass(&mut self, len: usize) {
        self.at += len;
        self.skip_space();
    }

    /// After a member or element: whether another one follows; if not, the object or array was left.
    #[inline]
    pub(super) fn another(&mut self, close: u8) -> Result<bool> {
        match self.peek() {
            Some(b',') => {
                self.at += 1;
                self.skip_space();
                Ok(true)
            }
            Some(byte) if byte == close => {
                self.at += 1;
                self.depth -= 1;
                self.skip_space();
                Ok(false)
            }
            _ => Err(self.unexpected(if close == b'}' { "',' or '}'" } else { "',' or ']'" })),
        }
    }

    /// Passes over a value, checking that it is JSON. Uses a stack of its own.
    pub(super) fn skip_value(&mut self) -> Result<()> {
        let mut open: Vec<u8> = Vec::new();
        loop {
            match self.kind()? {
                Kind::Null => self.null()?,
                Kind::Boolean => self.boolean().map(drop)?,
                Kind::Number => self.number().map(drop)?,
                Kind::String => {
                    let start = self.at;
                    check_utf8(self.string()?.as_bytes(), start)?;
                }
                Kind::Array => {
                    if self.enter()? {
                        open.push(b']');
                        continue;
                    }
                }
                Kind::Object => {
                    if self.enter()? {
                        open.push(b'}');
                        self.skip_name()?;
                        continue;
                    }
                }
            }
            loop {
                let Some(close) = open.last().copied() else { return Ok(()) };
                if self.another(close)? {
                    if close == b'}' {
                        self.skip_name()?;
                    }
                    break;
                }
                open.pop();
            }
        }
    }

    fn skip_name(&mut self) -> Result<()> {
        let start = self.at;
        check_utf8(self.member()?.as_bytes(), start).map(drop)
    }
}

/// The text of a string that starts at byte `start`.
pub(super) fn check_utf8(bytes: &[u8], start: usize) -> Result<&str> {
    std::str::from_utf8(bytes).map_err(|e| {
        JsonError::syntax(start, &format!("a string is not valid UTF-8 from its byte {}", e.valid_up_to()))
    })
}
