//! What follows a backslash.

use crate::SyntaxError;
use crate::assertion;
use crate::parser::Parser;

/// The meaning of an escape.
pub(crate) enum Escape {
    /// A character; half of a surrogate pair too, which no text has.
    Char(u32),
    /// A class of characters.
    Class(String),
    /// Something else that stands for itself.
    Node(String),
}

/// A class and the one of all other characters.
fn class(set: &str, negated: bool) -> Escape {
    Escape::Class(if negated { format!("[^{set}]") } else { format!("[{set}]") })
}

const HORIZONTAL: &str =
    "\\x{9}\\x{20}\\x{a0}\\x{1680}\\x{180e}\\x{2000}-\\x{200a}\\x{202f}\\x{205f}\\x{3000}";
const VERTICAL: &str = "\\x{a}-\\x{d}\\x{85}\\x{2028}\\x{2029}";
pub(crate) const UNICODE_WORD: &str = "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\p{Join_Control}";

impl Parser<'_> {
    /// Reads an escape; the place is its backslash. `for_range` says that it is an end of a range in a class.
    pub(crate) fn escape(&mut self, in_class: bool, for_range: bool) -> Result<Escape, SyntaxError> {
        let c = self.source.skip();
        let flags = self.source.flags;
        let unicode = flags.unicode_classes;
        let Some(kind) = char::from_u32(c) else { return Ok(Escape::Char(c)) };
        Ok(match kind {
            '0' => Escape::Char(self.octal()?),
            'a' => Escape::Char(0x07),
            'e' => Escape::Char(0x1b),
            'f' => Escape::Char(0x0c),
            'n' => Escape::Char(0x0a),
            'r' => Escape::Char(0x0d),
            't' => Escape::Char(0x09),
            'c' => {
                if self.source.is_at_end() {
                    return Err(self.source.error("Illegal control escape sequence"));
                }
                Escape::Char(self.source.read() ^ 64)
            }
            'x' => Escape::Char(self.hexadecimal()?),
            'u' => Escape::Char(self.utf16()?),
            'N' => Escape::Char(self.by_name()?),
            'd' | 'D' => class(if unicode { "\\p{Nd}" } else { "0-9" }, kind == 'D'),
            's' | 'S' => {
                class(if unicode { "\\p{White_Space}" } else { "\\x{9}-\\x{d}\\x{20}" }, kind == 'S')
            }
            'w' | 'W' => class(if unicode { UNICODE_WORD } else { "0-9A-Z_a-z" }, kind == 'W'),
            'h' | 'H' => class(HORIZONTAL, kind == 'H'),
            // As it was before there was a class.
            'v' if for_range => Escape::Char(0x0b),
            'v' | 'V' => class(VERTICAL, kind == 'V'),
            _ if !kind.is_ascii_alphanumeric() => Escape::Char(c),
            _ if !in_class => return self.escape_outside(kind),
            _ => return Err(self.source.error("Illegal/unsupported escape sequence")),
        })
    }

    fn escape_outside(&mut self, kind: char) -> Result<Escape, SyntaxError> {
        let flags = self.source.flags;
        Ok(Escape::Node(match kind {
            '1'..='9' => {
                let mut group = usize::from(kind as u8 - b'0');
                while let Some(digit) = char::from_u32(self.source.peek()).and_then(|c| c.to_digit(10)) {
                    let longer = group * 10 + digit as usize;
                    if self.groups < longer {
                        break;
                    }
                    group = longer;
                    self.source.read();
                }
                self.reference(group)
            }
            'A' => "(?:\\A)".to_owned(),
            // Where the last match ended; there was none.
            'G' => "(?:\\A)".to_owned(),
            'z' => "(?:\\z)".to_owned(),
            'Z' => assertion::dollar(crate::source::Flags { multiline: false, ..flags }),
            'b' if [0, 1].map(|ahead| self.source.char_at(self.source.at + ahead))
                == ['{', 'g'].map(u32::from) =>
            {
                return Err(self.source.error("The boundary \\b{…} is not supported"));
            }
            'b' | 'B' => assertion::word_boundary(kind == 'B', flags),
            'R' => assertion::LINE_END.to_owned(),
            'X' => assertion::grapheme(),
            'k' => {
                if self.source.read() != u32::from('<') {
                    let what = "\\k is not followed by '<' for named capturing group";
                    return Err(self.source.error(what));
                }
                let first = char::from_u32(self.source.read()).unwrap_or_default();
                let name = self.group_name(first)?;
                match self.names.get(&name).copied() {
                    Some(group) => self.reference(group),
                    None => {
                        let what = format!("named capturing group <{name}> does not exist");
                        return Err(self.source.error(what));
                    }
                }
            }
            _ => return Err(self.source.error("Illegal/unsupported escape sequence")),
        }))
    }

    /// `\0n`, `\0nn` or `\0mnn`, where m is at most 3.
    fn octal(&mut self) -> Result<u32, SyntaxError> {
        let digit = |c: u32| char::from_u32(c).and_then(|c| c.to_digit(8));
        let Some(first) = digit(self.source.read()) else {
            return Err(self.source.error("Illegal octal escape sequence"));
        };
        let mut number = first;
        for _ in 0..2 {
            match digit(self.source.read()) {
                Some(next) if number < 0o40 => number = number * 8 + next,
                _ => {
                    self.source.unread();
                    break;
                }
            }
        }
        Ok(number)
    }

    fn hex_digit(&mut self) -> Option<u32> {
        char::from_u32(self.source.read()).and_then(|c| c.to_digit(16))
    }

    /// `\xhh` or `\x{h…}`.
    fn hexadecimal(&mut self) -> Result<u32, SyntaxError> {
        let illegal = "Illegal hexadecimal escape sequence";
        let first = self.source.read();
        if let Some(high) = char::from_u32(first).and_then(|c| c.to_digit(16)) {
            return match self.hex_digit() {
                Some(low) => Ok(high * 16 + low),
                None => Err(self.source.error(illegal)),
            };
        }
        let has_digit = |c: u32| char::from_u32(c).is_some_and(|c| c.is_ascii_hexdigit());
        if first != u32::from('{') || !has_digit(self.source.peek()) {
            return Err(self.source.error(illegal));
        }
        let mut number = 0;
        while let Some(digit) = self.hex_digit() {
            number = number * 16 + digit;
            if number > 0x10_ffff {
                return Err(self.source.error("Hexadecimal codepoint is too big"));
            }
        }
        if self.source.char_at(self.source.at.saturating_sub(1)) != u32::from('}') {
            return Err(self.source.error("Unclosed hexadecimal escape sequence"));
        }
        Ok(number)
    }

    /// `\uhhhh`, or two of them that make a pair of surrogates.
    fn utf16(&mut self) -> Result<u32, SyntaxError> {
        let high = self.utf16_unit()?;
        let place = self.source.at;
        if (0xd800..0xdc00).contains(&high)
            && self.source.read() == u32::from('\\')
            && self.source.read() == u32::from('u')
        {
            let low = self.utf16_unit()?;
            if (0xdc00..0xe000).contains(&low) {
                return Ok(0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00));
            }
        }
        self.source.at = place;
        Ok(high)
    }

    fn utf16_unit(&mut self) -> Result<u32, SyntaxError> {
        let mut unit = 0;
        for _ in 0..4 {
            match self.hex_digit() {
                Some(digit) => unit = unit * 16 + digit,
                None => return Err(self.source.error("Illegal Unicode escape sequence")),
            }
        }
        Ok(unit)
    }

    /// `\N{…}`
    fn by_name(&mut self) -> Result<u32, SyntaxError> {
        if self.source.read() != u32::from('{') {
            return Err(self.source.error("Illegal character name escape sequence"));
        }
        let mut name = String::new();
        loop {
            if self.source.is_at_end() {
                return Err(self.source.error("Unclosed character name escape sequence"));
            }
            match char::from_u32(self.source.read()) {
                Some('}') => break,
                Some(c) => name.push(c),
                None => {}
            }
        }
        match unicode_names2::character(name.trim()) {
            Some(c) => Ok(u32::from(c)),
            None => Err(self.source.error(format!("Unknown character name [{name}]"))),
        }
    }
}
