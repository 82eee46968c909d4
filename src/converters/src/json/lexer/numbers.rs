//! Numbers.

use super::{JsonError, Lexer, Number, Result};

/// Characters of a number; Jackson's limit.
const MAX_NUMBER: usize = 1000;

/// Digits that fit an `i64` whatever they are.
const MOST_DIGITS: usize = 18;

/// Powers of ten that a double holds exactly, as many as there can be digits.
const POWERS: [f64; MOST_DIGITS + 1] =
    [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18];

/// A number of few digits, without an exponent; not the negative zero.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in super::super) enum Plain {
    /// Without a fraction.
    Int(i64),
    /// With a fraction.
    Float(f64),
}

impl<'a> Lexer<'a> {
    /// Passes over a number, if it is a plain one and nothing is wrong with it.
    #[inline]
    pub(in super::super) fn plain_number(&mut self) -> Option<Plain> {
        let negative = self.peek() == Some(b'-');
        let start = self.at + usize::from(negative);
        let (whole, mut end) = self.leading_digits(0, start);
        let int_digits = end - start;
        if int_digits == 0 || int_digits > MOST_DIGITS {
            return None;
        }
        let mut digits = whole;
        let mut fraction = 0;
        if self.bytes.get(end) == Some(&b'.') {
            (digits, end) = self.leading_digits(whole, end + 1);
            fraction = end - start - int_digits - 1;
            if fraction == 0 || int_digits + fraction > MOST_DIGITS {
                return None;
            }
        }
        if !matches!(self.bytes.get(end), None | Some(b',' | b']' | b'}' | b' ' | b'\t' | b'\n' | b'\r')) {
            return None;
        }
        if negative && digits == 0 {
            return None;
        }
        let number = if fraction == 0 {
            // At most 18 digits.
            let value = digits as i64;
            Plain::Int(if negative { -value } else { value })
        } else {
            // Of two numbers that a double holds exactly, the quotient is the double that is nearest.
            if digits > 1 << 53 {
                return None;
            }
            let value = digits as f64 / POWERS[fraction];
            Plain::Float(if negative { -value } else { value })
        };
        self.at = end;
        self.skip_space();
        Some(number)
    }

    /// Digits from `at` on put behind those of `value`, and where they end. More than 19 digits overflow.
    #[inline]
    fn leading_digits(&self, mut value: u64, at: usize) -> (u64, usize) {
        let mut len = 0;
        for byte in self.bytes.get(at..).unwrap_or_default() {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                break;
            }
            value = value.wrapping_mul(10).wrapping_add(u64::from(digit));
            len += 1;
        }
        (value, at + len)
    }

    pub(in super::super) fn number(&mut self) -> Result<Number<'a>> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        self.digits("a digit")?;
        let mut float = false;
        if self.peek() == Some(b'.') {
            float = true;
            self.at += 1;
            self.digits("a digit after the decimal point")?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            float = true;
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits("a digit of the exponent")?;
        }
        let bytes = &self.bytes[start..self.at];
        if bytes.len() > MAX_NUMBER {
            return Err(JsonError::syntax(start, &format!("a number of more than {MAX_NUMBER} characters")));
        }
        self.end_of_word()?;
        // Only ASCII was passed.
        Ok(Number { text: std::str::from_utf8(bytes).unwrap_or_default(), float })
    }

    fn digits(&mut self, wanted: &str) -> Result<()> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        if self.at == start { Err(self.unexpected(wanted)) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_numbers_are_what_the_standard_library_reads() {
        let texts = [
            "0",
            "1",
            "-1",
            "00012",
            "123456789012345678",
            "-999999999999999999",
            "0.5",
            "-0.0",
            "19.5",
            "1234.56",
            "0.1",
            "0.3",
            "-2.675",
            "9007199254740991.0",
            "9007199254740993.0",
            "0.000000000000000001",
            "123456789.987654321",
            "1e5",
            "-0",
            "1234567890123456789",
            "1.",
            ".5",
            "-",
            "1.5x",
            "1.2.3",
        ];
        for text in texts {
            let mut lexer = Lexer::new(text.as_bytes());
            match lexer.plain_number() {
                Some(Plain::Int(value)) => assert_eq!(text.parse(), Ok(value), "{text}"),
                Some(Plain::Float(value)) => {
                    assert_eq!(text.parse::<f64>().map(f64::to_bits), Ok(value.to_bits()), "{text}");
                }
                None => assert_eq!(lexer.at(), 0, "{text}"),
            }
        }
        let plain = |text: &str| Lexer::new(text.as_bytes()).plain_number();
        assert_eq!(plain("123456789012345678"), Some(Plain::Int(123456789012345678)));
        assert_eq!(plain("1234.56"), Some(Plain::Float(1234.56)));
        for text in
            ["1e5", "-0", "1234567890123456789", "1.", "-", "1.5x", "1.2.3", "9007199254740993.0", "-0.0"]
        {
            assert_eq!(plain(text), None, "{text}");
        }
    }
}
