//! The characters of a pattern and the place in it, with the flags that are on there. Mirrors how
//! `java.util.regex.Pattern` walks its array, since the places of errors depend on it.

use crate::SyntaxError;

/// The flags that can be turned on within a pattern.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Flags {
    /// `i`
    pub(crate) ignore_case: bool,
    /// `m`
    pub(crate) multiline: bool,
    /// `s`
    pub(crate) dot_all: bool,
    /// `d`
    pub(crate) unix_lines: bool,
    /// `u`
    pub(crate) unicode_case: bool,
    /// `x`
    pub(crate) comments: bool,
    /// `U`
    pub(crate) unicode_classes: bool,
}

/// See the module. The characters end with zeros that are not part of the pattern.
#[derive(Debug)]
pub(crate) struct Source<'p> {
    pattern: &'p str,
    chars: Vec<u32>,
    len: usize,
    pub(crate) at: usize,
    pub(crate) flags: Flags,
}

impl<'p> Source<'p> {
    pub(crate) fn new(pattern: &'p str) -> Self {
        let mut chars = without_quotations(pattern);
        let len = chars.len();
        chars.extend([0; 2]);
        Self { pattern, chars, len, at: 0, flags: Flags::default() }
    }

    /// The character at `place`, 0 past the end.
    pub(crate) fn char_at(&self, place: usize) -> u32 {
        self.chars.get(place).copied().unwrap_or(0)
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.at >= self.len
    }

    /// The character here.
    pub(crate) fn peek(&mut self) -> u32 {
        if self.flags.comments { self.past_comments() } else { self.char_at(self.at) }
    }

    /// The character here, and goes past it.
    pub(crate) fn read(&mut self) -> u32 {
        let c = self.peek();
        self.at += 1;
        c
    }

    /// Goes to the next character, and gives it.
    pub(crate) fn next(&mut self) -> u32 {
        self.at += 1;
        self.peek()
    }

    /// The next character, even if it is white space in a pattern with comments.
    pub(crate) fn next_escaped(&mut self) -> u32 {
        self.at += 1;
        self.char_at(self.at)
    }

    /// The character after this one, and goes past both.
    pub(crate) fn skip(&mut self) -> u32 {
        let c = self.char_at(self.at + 1);
        self.at += 2;
        c
    }

    pub(crate) fn unread(&mut self) {
        self.at = self.at.saturating_sub(1);
    }

    fn past_comments(&mut self) -> u32 {
        loop {
            let c = self.char_at(self.at);
            if self.at >= self.len {
                return 0;
            }
            match c {
                0x20 | 0x09..=0x0d => self.at += 1,
                0x23 => {
                    while self.at < self.len && !self.ends_line(self.char_at(self.at)) {
                        self.at += 1;
                    }
                }
                _ => return c,
            }
        }
    }

    fn ends_line(&self, c: u32) -> bool {
        c == 0x0a || !self.flags.unix_lines && matches!(c, 0x0d | 0x85 | 0x2028 | 0x2029)
    }

    /// A mistake just before the place.
    pub(crate) fn error(&self, description: impl Into<String>) -> SyntaxError {
        self.error_at(description, self.at.saturating_sub(1))
    }

    /// A mistake at a place.
    pub(crate) fn error_at(&self, description: impl Into<String>, index: usize) -> SyntaxError {
        SyntaxError { description: description.into(), index: Some(index), pattern: self.pattern.to_owned() }
    }
}

/// `\Q…\E` with every character escaped.
fn without_quotations(pattern: &str) -> Vec<u32> {
    let mut out = Vec::with_capacity(pattern.len() + 2);
    let mut chars = pattern.chars().peekable();
    let mut quoted = false;
    let mut first = false;
    while let Some(c) = chars.next() {
        let was_first = std::mem::take(&mut first);
        match (c, quoted, chars.peek().copied()) {
            ('\\', true, Some('E')) => {
                chars.next();
                quoted = false;
            }
            ('\\', true, _) => out.extend(['\\', '\\']),
            ('\\', false, Some('Q')) => {
                chars.next();
                (quoted, first) = (true, true);
            }
            ('\\', false, Some(next)) => {
                chars.next();
                out.extend(['\\', next]);
            }
            // It must not be read as part of what is before the quotation.
            (digit @ '0'..='9', true, _) if was_first => out.extend(['\\', 'x', '3', digit]),
            (c, true, _) if c.is_ascii() && !c.is_ascii_alphanumeric() => out.extend(['\\', c]),
            (c, ..) => out.push(c),
        }
    }
    out.into_iter().map(u32::from).collect()
}
