//! Strings, and their escapes.

use super::{JsonError, JsonStr, Lexer, Result};

impl<'a> Lexer<'a> {
    /// A string; the next byte must be its quote.
    #[inline]
    pub(in super::super) fn string(&mut self) -> Result<JsonStr<'a>> {
        let start = self.at + 1;
        let end = plain_end(self.bytes, start);
        if self.bytes.get(end) == Some(&b'"') {
            self.at = end + 1;
            self.skip_space();
            return Ok(JsonStr::Plain(&self.bytes[start..end]));
        }
        self.escaped_string(start, end)
    }

    #[cold]
    fn escaped_string(&mut self, start: usize, first_escape: usize) -> Result<JsonStr<'a>> {
        let mut text = self.bytes[start..first_escape].to_vec();
        self.at = first_escape;
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    self.skip_space();
                    return Ok(JsonStr::Unescaped(text));
                }
                Some(b'\\') => self.escape(&mut text)?,
                Some(0..=0x1f) => {
                    return Err(
                        self.unexpected("an escape, since control characters may not be in a string,")
                    );
                }
                Some(_) => {
                    let end = plain_end(self.bytes, self.at);
                    text.extend_from_slice(&self.bytes[self.at..end]);
                    self.at = end;
                }
                None => return Err(self.unexpected("the end of a string")),
            }
        }
    }

    fn escape(&mut self, text: &mut Vec<u8>) -> Result<()> {
        self.at += 1;
        let byte = match self.peek() {
            Some(byte @ (b'"' | b'\\' | b'/')) => byte,
            Some(b'b') => 0x08,
            Some(b'f') => 0x0c,
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(b'u') => return self.unicode_escape(text),
            _ => return Err(self.unexpected("one of \"\\/bfnrtu after a backslash")),
        };
        self.at += 1;
        text.push(byte);
        Ok(())
    }

    /// A UTF-16 unit, or two that make a character.
    fn unicode_escape(&mut self, text: &mut Vec<u8>) -> Result<()> {
        let start = self.at - 1;
        let first = self.hex_unit()?;
        let code = match first {
            0xd800..=0xdbff if self.rest().starts_with(b"\\u") => {
                self.at += 1;
                let second = self.hex_unit()?;
                if !(0xdc00..=0xdfff).contains(&second) {
                    return Err(JsonError::syntax(start, "half of a surrogate pair without the other half"));
                }
                0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)
            }
            _ => first,
        };
        let Some(character) = char::from_u32(code) else {
            return Err(JsonError::syntax(start, "half of a surrogate pair without the other half"));
        };
        text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        Ok(())
    }

    /// The four digits after `u`, which is the next byte.
    fn hex_unit(&mut self) -> Result<u32> {
        self.at += 1;
        let mut unit = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|b| (b as char).to_digit(16));
            let Some(digit) = digit else { return Err(self.unexpected("a hexadecimal digit")) };
            unit = unit << 4 | digit;
            self.at += 1;
        }
        Ok(unit)
    }
}

/// Whether a string is written in JSON as it is.
#[inline]
pub(in super::super) fn is_plain(text: &[u8]) -> bool {
    plain_end(text, 0) == text.len()
}

/// The first place from `at` on where there is a quote, a backslash or a control character; else the end.
#[inline]
fn plain_end(bytes: &[u8], mut at: usize) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    while let Some(chunk) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let word = u64::from_le_bytes(*chunk);
        // Of each, the lowest bit that is set is that of the first such byte: what is below it borrows nothing.
        let is_zero = |word: u64| word.wrapping_sub(ONES) & !word;
        let control = word.wrapping_sub(ONES * 0x20) & !word;
        let ends = (is_zero(word ^ (ONES * 0x22)) | is_zero(word ^ (ONES * 0x5c)) | control) & (ONES * 0x80);
        if ends != 0 {
            return at + (ends.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    let rest = bytes.get(at..).unwrap_or_default();
    at + rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | ..0x20)).unwrap_or(rest.len())
}

#[cfg(test)]
mod tests {
    use super::plain_end;

    #[test]
    fn the_first_byte_that_is_not_plain_is_found_at_every_place() {
        for end in *b"\"\\\0\x01\x1f\n" {
            for at in 0..40 {
                // Bytes that differ from those looked for in one bit or by one, in front and behind.
                let mut text: Vec<u8> =
                    (0..40).map(|i| [0x21, 0x23, 0x5b, 0x5d, 0x20, 0xa2, 0xdc, 0x80, 0xff][i % 9]).collect();
                for start in 0..9 {
                    assert_eq!(plain_end(&text, start), 40);
                }
                text[at] = end;
                text[at + 1..].iter_mut().for_each(|byte| *byte ^= 1);
                for start in 0..=at.min(9) {
                    assert_eq!(plain_end(&text, start), at, "{end} from {start}");
                }
            }
        }
    }
}
