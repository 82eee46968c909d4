//! The words of header text: delimiters, and what is between them.

use std::ops::Range;

/// Walks the words of a text and back. Mirrors `Values.Parser`.
#[derive(Debug)]
pub(super) struct Tokens<'a> {
    text: &'a str,
    at: usize,
    /// A word that was looked at but not taken.
    ahead: Option<Range<usize>>,
}

/// Java's `trim`: also control characters.
pub(super) fn trim(text: &str) -> &str {
    text.trim_matches(|c: char| c <= ' ')
}

impl<'a> Tokens<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0, ahead: None }
    }

    /// The whole text.
    pub(super) fn text(&self) -> &'a str {
        self.text
    }

    /// A place to come back to.
    pub(super) fn mark(&self) -> usize {
        self.at - self.ahead.as_ref().map_or(0, Range::len)
    }

    pub(super) fn rewind(&mut self, mark: usize) {
        self.at = mark;
        self.ahead = None;
    }

    pub(super) fn has_next(&self) -> bool {
        self.ahead.is_some() || self.at < self.text.len()
    }

    /// What was not taken yet.
    pub(super) fn rest(&self) -> &'a str {
        &self.text[self.mark()..]
    }

    pub(super) fn next(&mut self) -> &'a str {
        let range = self.ahead.take().unwrap_or_else(|| self.scan());
        &self.text[range]
    }

    /// The text of the next `count` words; takes none if there are fewer.
    pub(super) fn next_words(&mut self, count: usize) -> Option<&'a str> {
        let start = self.mark();
        for _ in 0..count {
            if !self.has_next() {
                self.rewind(start);
                return None;
            }
            self.next();
        }
        Some(&self.text[start..self.at])
    }

    /// Takes the next word if it is `expected`, apart from white space around it.
    pub(super) fn take(&mut self, expected: &str) -> bool {
        let Some(mut range) = self.ahead.clone().or_else(|| (self.at < self.text.len()).then(|| self.scan()))
        else {
            return false;
        };
        while trim(&self.text[range.clone()]).is_empty() && self.at < self.text.len() {
            range = self.scan();
        }
        let found = trim(&self.text[range.clone()]) == expected;
        self.ahead = if found { None } else { Some(range) };
        found
    }

    /// Takes the next word if it is `expected`.
    pub(super) fn take_exactly(&mut self, expected: &str) -> bool {
        let range = self.ahead.clone().unwrap_or_else(|| self.scan());
        let found = &self.text[range.clone()] == expected;
        self.ahead = if found { None } else { Some(range) };
        found
    }

    /// The next word: a delimiter, or all up to the next one that is not escaped.
    fn scan(&mut self) -> Range<usize> {
        let start = self.at;
        let mut escaped = false;
        for (offset, byte) in self.text.as_bytes()[start..].iter().enumerate() {
            match byte {
                b'\\' => escaped = !escaped,
                b':' | b',' | b'{' | b'}' | b'[' | b']' | b'"' if !escaped => {
                    self.at = start + offset.max(1);
                    return start..self.at;
                }
                _ => escaped = false,
            }
        }
        self.at = self.text.len();
        start..self.at
    }
}
