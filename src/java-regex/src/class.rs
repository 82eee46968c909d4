//! Characters and classes of them, in the syntax of the engine.

use crate::SyntaxError;
use crate::escape::Escape;
use crate::parser::{NEVER, Parser};
use crate::source::Flags;
use std::fmt::Write;

/// A character as it is meant, or both cases of it.
pub(crate) fn literal(c: u32, flags: Flags) -> String {
    match char::from_u32(c) {
        None => NEVER.to_owned(),
        Some(c) if flags.ignore_case && flags.unicode_case => format!("(?i:\\x{{{:x}}})", u32::from(c)),
        Some(c) if flags.ignore_case && c.is_ascii_alphabetic() => {
            format!("[{}{}]", c.to_ascii_uppercase(), c.to_ascii_lowercase())
        }
        Some(c) if c.is_ascii_alphanumeric() => c.to_string(),
        Some(c) => format!("\\x{{{:x}}}", u32::from(c)),
    }
}

/// All characters from one to another. Halves of surrogate pairs are left out: no text has them.
fn range(first: u32, last: u32, flags: Flags) -> String {
    let mut out = String::from("[");
    let mut add = |first: u32, last: u32| {
        if first <= last {
            // Writing to a string cannot fail.
            let _ = write!(out, "\\x{{{first:x}}}-\\x{{{last:x}}}");
        }
    };
    add(first, last.min(0xd7ff));
    add(first.max(0xe000), last);
    if flags.ignore_case {
        for (from, to, other) in [('A', 'Z', 'a'), ('a', 'z', 'A')] {
            let (from, to, other) = (u32::from(from), u32::from(to), u32::from(other));
            let (low, high) = (first.max(from), last.min(to));
            if low <= high {
                add(low - from + other, high - from + other);
            }
        }
    }
    if out.len() == 1 {
        return NEVER.to_owned();
    }
    out.push(']');
    out
}

/// A class that is being read: what was made of it, and the single characters that Java keeps apart.
#[derive(Default)]
struct Reading {
    made: Option<String>,
    singles: String,
    has_singles: bool,
}

impl Reading {
    fn add(&mut self, class: &str) {
        self.made = Some(match self.made.take() {
            None => class.to_owned(),
            Some(made) => union(&made, class),
        });
    }

    fn take_singles(&mut self) {
        if std::mem::take(&mut self.has_singles) {
            let singles = format!("[{}]", self.singles);
            self.add(&singles);
        }
    }
}

/// Keeps the nesting flat, since the engine bounds it.
fn union(a: &str, b: &str) -> String {
    let inner = |class: &str| {
        class
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
            .filter(|rest| !rest.starts_with('^') && !rest.contains("&&") && is_flat_or_list(rest))
            .map(str::to_owned)
    };
    let a = inner(a).unwrap_or_else(|| a.to_owned());
    let b = inner(b).unwrap_or_else(|| b.to_owned());
    format!("[{a}{b}]")
}

/// Whether brackets are balanced at each place, so that the outer ones belong together.
fn is_flat_or_list(text: &str) -> bool {
    let mut depth = 0i32;
    for byte in text.bytes() {
        match byte {
            b'[' => depth += 1,
            b']' => depth -= 1,
            _ => {}
        }
        if depth < 0 {
            return false;
        }
    }
    depth == 0
}

impl Parser<'_> {
    /// Reads a class; the place is its bracket.
    pub(crate) fn class(&mut self) -> Result<String, SyntaxError> {
        let class = self.class_to(true)?;
        let flags = self.source.flags;
        Ok(if flags.ignore_case && flags.unicode_case { format!("(?i:{class})") } else { class })
    }

    /// Reads up to a closing bracket, and with `consume` past it.
    fn class_to(&mut self, consume: bool) -> Result<String, SyntaxError> {
        self.enter()?;
        let mut reading = Reading::default();
        let mut negated = false;
        let mut c = self.source.next();
        loop {
            match char::from_u32(c).unwrap_or_default() {
                '^' if self.source.char_at(self.source.at.saturating_sub(1)) == u32::from('[')
                    && !negated
                    && reading.is_new() =>
                {
                    negated = true;
                    c = self.source.next();
                    continue;
                }
                '[' => {
                    let inner = self.class_to(true)?;
                    reading.add(&inner);
                    c = self.source.peek();
                    continue;
                }
                '&' => {
                    if self.source.next() == u32::from('&') {
                        self.intersect(&mut reading)?;
                        c = self.source.peek();
                        continue;
                    }
                    self.source.unread();
                }
                '\0' if self.source.is_at_end() => {
                    return Err(self.source.error("Unclosed character class"));
                }
                ']' if reading.made.is_some() || reading.has_singles => {
                    if consume {
                        self.source.next();
                    }
                    break;
                }
                _ => {}
            }
            self.member(&mut reading)?;
            c = self.source.peek();
        }
        self.leave();
        reading.take_singles();
        let made = reading.made.unwrap_or_else(|| NEVER.to_owned());
        Ok(if negated { format!("[^{made}]") } else { made })
    }

    /// What follows `&&`; the place is the second of them.
    fn intersect(&mut self, reading: &mut Reading) -> Result<(), SyntaxError> {
        let mut c = self.source.next();
        let mut right: Option<String> = None;
        while c != u32::from(']') && c != u32::from('&') {
            if c == 0 && self.source.is_at_end() {
                return Err(self.source.error("Unclosed character class"));
            }
            let is_class = c == u32::from('[');
            if !is_class {
                self.source.unread();
            }
            let more = self.class_to(is_class)?;
            right = Some(right.map_or_else(|| more.clone(), |right| union(&right, &more)));
            c = self.source.peek();
        }
        reading.take_singles();
        match (reading.made.take(), right) {
            (None, None) => return Err(self.source.error("Bad class syntax")),
            (None, Some(right)) => reading.made = Some(right),
            (Some(made), None) => reading.made = Some(made),
            (Some(made), Some(right)) => reading.made = Some(format!("[{made}&&{right}]")),
        }
        Ok(())
    }

    /// A character, a range or an escape.
    fn member(&mut self, reading: &mut Reading) -> Result<(), SyntaxError> {
        let mut c = self.source.peek();
        if c == u32::from('\\') {
            if let Some(class) = self.property()? {
                reading.add(&class);
                return Ok(());
            }
            let is_range = self.source.char_at(self.source.at + 2) == u32::from('-');
            match self.escape(true, is_range)? {
                Escape::Char(escaped) => c = escaped,
                Escape::Class(class) | Escape::Node(class) => {
                    reading.add(&class);
                    return Ok(());
                }
            }
        } else {
            self.source.next();
        }
        let flags = self.source.flags;
        if self.source.peek() == u32::from('-') {
            let end = self.source.char_at(self.source.at + 1);
            if end != u32::from('[') && end != u32::from(']') {
                self.source.next();
                let last = self.range_end()?;
                if last.is_none_or(|last| last < c) {
                    return Err(self.source.error("Illegal character range"));
                }
                reading.add(&range(c, last.unwrap_or(c), flags));
                return Ok(());
            }
        }
        reading.singles.push_str(&range(c, c, flags));
        reading.has_singles = true;
        Ok(())
    }

    fn range_end(&mut self) -> Result<Option<u32>, SyntaxError> {
        let c = self.source.peek();
        if c != u32::from('\\') {
            self.source.next();
            return Ok(Some(c));
        }
        Ok(match self.escape(true, true)? {
            Escape::Char(c) => Some(c),
            Escape::Class(_) | Escape::Node(_) => None,
        })
    }
}

impl Reading {
    fn is_new(&self) -> bool {
        self.made.is_none() && !self.has_singles
    }
}
