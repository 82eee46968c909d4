//! Properties files, as `java.util.Properties.load` reads a stream: bytes are ISO-8859-1.

use std::iter::Peekable;

/// An escape `\u` without four hexadecimal digits: the only mistake that there is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Malformed \\uxxxx encoding in line {line}")]
pub struct MalformedEscape {
    /// The line, from 1.
    pub line: usize,
}

/// The entries in the order of the file, also those whose key comes again. Half of a surrogate pair becomes U+FFFD.
///
/// # Errors
/// See [`MalformedEscape`].
pub fn parse(bytes: &[u8]) -> Result<Vec<(String, String)>, MalformedEscape> {
    let mut entries = Vec::new();
    let mut rest = bytes.iter().copied().peekable();
    let mut number = 1;
    loop {
        let begin = number;
        let Some((line, ends_open)) = logical_line(&mut rest, &mut number) else { return Ok(entries) };
        if !line.is_empty() || ends_open {
            entries.push(entry(&line).ok_or(MalformedEscape { line: begin })?);
        }
    }
}

/// As [`parse`], of text that was decoded already (`Properties.load` of a reader).
///
/// # Errors
/// See [`MalformedEscape`].
pub fn parse_text(text: &str) -> Result<Vec<(String, String)>, MalformedEscape> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut escaped = false;
    for character in text.chars() {
        if character.is_ascii() {
            bytes.push(character as u8);
            escaped = character == '\\' && !escaped;
            continue;
        }
        // A character that is escaped stands for itself; so does the escape that it gets here.
        if std::mem::take(&mut escaped) {
            bytes.pop();
        }
        for unit in character.encode_utf16(&mut [0; 2]) {
            bytes.extend_from_slice(format!("\\u{unit:04x}").as_bytes());
        }
    }
    parse(&bytes)
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\x0c')
}

fn ends_line(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\r')
}

/// A line with those that continue it, without the blanks that each begins with; empty for a comment. Also whether the
/// file ends where a line should have continued it: that is an entry even if nothing else is. `None` is the end.
fn logical_line(
    rest: &mut Peekable<impl Iterator<Item = u8>>,
    number: &mut usize,
) -> Option<(Vec<u8>, bool)> {
    rest.peek()?;
    let mut line = Vec::new();
    let mut is_continuation = false;
    loop {
        while rest.next_if(|byte| is_blank(*byte)).is_some() {}
        let is_comment = !is_continuation && rest.peek().is_some_and(|byte| matches!(byte, b'#' | b'!'));
        let mut escaped = false;
        while let Some(byte) = rest.next_if(|byte| !ends_line(*byte)) {
            if !is_comment {
                line.push(byte);
                escaped = byte == b'\\' && !escaped;
            }
        }
        *number += 1;
        let end = rest.next();
        if end == Some(b'\r') {
            rest.next_if_eq(&b'\n');
        }
        // A backslash before the end of the file is lost too.
        if escaped {
            line.pop();
        }
        let ends_open = escaped && rest.peek().is_none();
        if !escaped || end.is_none() || ends_open {
            return Some((line, ends_open));
        }
        // After a backslash alone a comment is one.
        is_continuation = !line.is_empty();
    }
}

/// Key and value of a line; `None` if an escape is wrong.
fn entry(line: &[u8]) -> Option<(String, String)> {
    let mut escaped = false;
    let ends_key = |byte: &u8| {
        let ends = !escaped && (matches!(byte, b'=' | b':') || is_blank(*byte));
        escaped = *byte == b'\\' && !escaped;
        ends
    };
    let end = line.iter().position(ends_key).unwrap_or(line.len());
    let (key, mut value) = line.split_at(end);
    let mut has_separator = false;
    while let Some((byte, rest)) = value.split_first() {
        let is_separator = !has_separator && matches!(byte, b'=' | b':');
        if !is_separator && !is_blank(*byte) {
            break;
        }
        has_separator |= is_separator;
        value = rest;
    }
    Some((unescape(key)?, unescape(value)?))
}

fn unescape(text: &[u8]) -> Option<String> {
    let mut units: Vec<u16> = Vec::with_capacity(text.len());
    let mut bytes = text.iter().copied();
    while let Some(byte) = bytes.next() {
        if byte != b'\\' {
            units.push(u16::from(byte));
            continue;
        }
        units.push(match bytes.next()? {
            b'u' => {
                let mut unit = 0;
                for _ in 0..4 {
                    unit = unit * 16 + char::from(bytes.next()?).to_digit(16)? as u16;
                }
                unit
            }
            b't' => u16::from(b'\t'),
            b'n' => u16::from(b'\n'),
            b'r' => u16::from(b'\r'),
            b'f' => 0x0c,
            other => u16::from(other),
        });
    }
    Some(String::from_utf16_lossy(&units))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn entries_stay_in_order_and_repeat() {
        let text = b"b=1\r\n# c\na = 2 \\\n   3\nb:\\u00e4\xe4\x80\n\\=\\:=x";
        let entries = parse(text).unwrap();
        let expected = [("b", "1"), ("a", "2 3"), ("b", "\u{e4}\u{e4}\u{80}"), ("=:", "x")]
            .map(|(k, v)| (k.to_owned(), v.to_owned()));
        assert_eq!(entries, expected);
        assert_eq!(parse(b"a=1\n\nb=\\u12").unwrap_err().line, 3);
    }

    proptest! {
        #[test]
        fn nothing_panics(bytes: Vec<u8>) {
            let _ = parse(&bytes);
        }
    }
}
