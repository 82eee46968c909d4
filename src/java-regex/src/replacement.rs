//! Replacement strings: `$1`, `${name}`, and a backslash before what is meant as it is.

use crate::TooComplex;
use std::collections::HashMap;

/// A replacement string. Any text makes one: its mistakes show when it is used, as in Java.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replacement {
    text: String,
}

/// A text in which nothing can be replaced.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReplaceError {
    /// Java's `IllegalArgumentException`: the replacement has a mistake.
    #[error("{0}")]
    Illegal(String),
    /// Java's `IndexOutOfBoundsException`: the pattern has no such group.
    #[error("No group {0}")]
    NoGroup(usize),
    /// The pattern takes too many steps.
    #[error(transparent)]
    TooComplex(#[from] TooComplex),
}

impl Replacement {
    /// Takes the text.
    pub fn new(text: &str) -> Self {
        Self { text: text.to_owned() }
    }

    /// The text as given.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Adds what it stands for to `out`.
    pub(crate) fn expand<'g>(
        &self,
        groups: usize,
        names: &HashMap<String, usize>,
        group: &dyn Fn(usize) -> &'g str,
        out: &mut String,
    ) -> Result<(), ReplaceError> {
        let illegal = |message: &str| Err(ReplaceError::Illegal(message.to_owned()));
        let mut rest = self.text.as_str();
        while let Some(at) = rest.find(['\\', '$']) {
            out.push_str(&rest[..at]);
            let is_escape = rest[at..].starts_with('\\');
            // Both are one byte.
            rest = &rest[at + 1..];
            let Some(next) = rest.chars().next() else {
                return illegal(if is_escape {
                    "character to be escaped is missing"
                } else {
                    "Illegal group reference: group index is missing"
                });
            };
            if is_escape {
                out.push(next);
                rest = &rest[next.len_utf8()..];
                continue;
            }
            let number = match next {
                '{' => {
                    let (number, after) = named(&rest[1..], names)?;
                    rest = after;
                    number
                }
                '0'..='9' => {
                    let (number, after) = numbered(rest, groups);
                    rest = after;
                    number
                }
                _ => return illegal("Illegal group reference"),
            };
            if number > groups {
                return Err(ReplaceError::NoGroup(number));
            }
            out.push_str(group(number));
        }
        out.push_str(rest);
        Ok(())
    }
}

/// The group `name}` and what follows.
fn named<'t>(text: &'t str, names: &HashMap<String, usize>) -> Result<(usize, &'t str), ReplaceError> {
    let illegal = |message: String| Err(ReplaceError::Illegal(message));
    let end = text.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(text.len());
    let (name, after) = text.split_at(end);
    if name.is_empty() {
        return illegal("named capturing group has 0 length name".to_owned());
    }
    let Some(after) = after.strip_prefix('}') else {
        return illegal("named capturing group is missing trailing '}'".to_owned());
    };
    if name.starts_with(|c: char| c.is_ascii_digit()) {
        return illegal(format!("capturing group name {{{name}}} starts with digit character"));
    }
    match names.get(name) {
        Some(number) => Ok((*number, after)),
        None => illegal(format!("No group with name {{{name}}}")),
    }
}

/// The largest number of a group that the text begins with, but at least one digit, and what follows.
fn numbered(text: &str, groups: usize) -> (usize, &str) {
    let mut number = 0;
    for (at, byte) in text.bytes().enumerate() {
        let longer = number * 10 + usize::from(byte.wrapping_sub(b'0'));
        if !byte.is_ascii_digit() || at > 0 && longer > groups {
            return (number, &text[at..]);
        }
        number = longer;
    }
    (number, "")
}
