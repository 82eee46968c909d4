//! Regular expressions and replacement strings with the syntax and the meaning of `java.util.regex` (Java 17).
//!
//! # Layout
//!
//! - this module: [`Pattern`], what callers use.
//! - `parser`: reads Java's syntax, in the order and with the errors of `java.util.regex.Pattern`, and writes
//!   what the engine (`fancy-regex`) understands.
//! - `source`: the characters of a pattern and the place in it.
//! - `escape`: what follows a backslash.
//! - `class`: `[…]`, with unions, intersections and ranges.
//! - `property`: `\p{…}`.
//! - `assertion`: `^`, `$`, `\b`, `\X` and what else has a meaning of its own in Java.
//! - `replacement`: [`Replacement`], `$1` and `${name}`.
//!
//! # How data flows
//!
//! Pattern → `parser` → text for the engine, in which every character that is not syntax is escaped, so that
//! the engine reads nothing in another way than Java. Groups keep their numbers; names stay on this side.
//!
//! # What it must never do
//!
//! Panic, recurse without a bound, or take time without a bound: nesting is limited, and a match that takes too
//! many steps ends in [`TooComplex`] (Java's ends in a `StackOverflowError` or does not end).
//!
//! Classes of characters are those of this side's Unicode tables, which are newer than Java 17's.

mod assertion;
mod class;
mod escape;
mod parser;
mod property;
mod replacement;
mod source;
#[cfg(test)]
mod tests;

pub use replacement::{ReplaceError, Replacement};

use fancy_regex::{Regex, RegexBuilder};
use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

/// Steps back that a match may take.
const MOST_STEPS: usize = 1_000_000;

/// A compiled pattern (`java.util.regex.Pattern`, compiled without flags).
#[derive(Clone)]
pub struct Pattern {
    pattern: String,
    /// Finds the first match.
    first: Regex,
    /// Matches the text as a whole.
    whole: Regex,
    groups: usize,
    names: HashMap<String, usize>,
}

/// A pattern with a mistake. It is shown as Java shows it: what is wrong, the place, the pattern, and a mark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyntaxError {
    /// What is wrong.
    pub description: String,
    /// Where, in UTF-16 units from 0; `None` if that is not known.
    pub index: Option<usize>,
    /// The pattern as given.
    pub pattern: String,
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.description)?;
        match self.index {
            Some(index) => {
                write!(f, " near index {index}\n{}", self.pattern)?;
                let within = index < self.pattern.encode_utf16().count();
                if within { write!(f, "\n{:index$}^", "") } else { Ok(()) }
            }
            None => write!(f, "\n{}", self.pattern),
        }
    }
}

impl std::error::Error for SyntaxError {}

/// A pattern that takes too many steps for a text, as one with nested repetitions may.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the pattern \"{pattern}\" takes too many steps for a text of {length} bytes; simplify it, \
     for example by removing a repetition within a repetition"
)]
pub struct TooComplex {
    /// The pattern.
    pub pattern: String,
    /// Length of the text.
    pub length: usize,
}

impl Pattern {
    /// Reads and compiles a pattern.
    ///
    /// # Errors
    /// A mistake; something that this side does not have (`\b{g}`, `javaMirrored`); groups nested too deeply; or
    /// a pattern that is too large once its repetitions are written out.
    pub fn new(pattern: &str) -> Result<Self, SyntaxError> {
        // The guard costs the engine its faster ways, and few patterns need it.
        match Self::compile(pattern, parser::parse(pattern, false)?) {
            Err(_) => Self::compile(pattern, parser::parse(pattern, true)?),
            compiled => compiled,
        }
    }

    fn compile(pattern: &str, parsed: parser::Parsed) -> Result<Self, SyntaxError> {
        let compile = |text: &str| {
            let mut builder = RegexBuilder::new(text);
            builder.backtrack_limit(MOST_STEPS).build().map_err(|error| SyntaxError {
                description: refused(&error),
                index: None,
                pattern: pattern.to_owned(),
            })
        };
        Ok(Self {
            first: compile(&parsed.text)?,
            whole: compile(&format!("\\A(?:{})\\z", parsed.text))?,
            pattern: pattern.to_owned(),
            groups: parsed.groups,
            names: parsed.names,
        })
    }

    /// The pattern as given.
    pub fn as_str(&self) -> &str {
        &self.pattern
    }

    /// Number of groups, without the one that is the whole match (`Matcher.groupCount`).
    pub fn group_count(&self) -> usize {
        self.groups
    }

    /// Whether the whole text matches (`Matcher.matches`).
    ///
    /// # Errors
    /// If that takes too many steps.
    pub fn matches(&self, text: &str) -> Result<bool, TooComplex> {
        self.whole.is_match(text).map_err(|_| self.too_complex(text))
    }

    /// Whether a part of the text matches (`Matcher.find`).
    ///
    /// # Errors
    /// If that takes too many steps.
    pub fn finds(&self, text: &str) -> Result<bool, TooComplex> {
        self.first.is_match(text).map_err(|_| self.too_complex(text))
    }

    /// The text with the first match replaced (`Matcher.replaceFirst`): note that it need not be the whole text
    /// even where [`Pattern::matches`] is true.
    ///
    /// # Errors
    /// A mistake in the replacement, only if there is a match, as in Java; or too many steps.
    pub fn replace_first<'t>(
        &self,
        text: &'t str,
        replacement: &Replacement,
    ) -> Result<Cow<'t, str>, ReplaceError> {
        let found = self.first.captures(text).map_err(|_| self.too_complex(text))?;
        let Some(found) = found else { return Ok(Cow::Borrowed(text)) };
        let group = |number: usize| found.get(number).map_or("", |group| group.as_str());
        // Group 0 is always there.
        let Some(whole) = found.get(0) else { return Ok(Cow::Borrowed(text)) };
        let mut out = text[..whole.start()].to_owned();
        replacement.expand(self.groups, &self.names, &group, &mut out)?;
        out.push_str(&text[whole.end()..]);
        Ok(Cow::Owned(out))
    }

    fn too_complex(&self, text: &str) -> TooComplex {
        TooComplex { pattern: self.pattern.clone(), length: text.len() }
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pattern").field(&self.pattern).finish()
    }
}

/// What the engine says about a text that this side wrote: that it is too large, mostly.
fn refused(error: &fancy_regex::Error) -> String {
    let text = match error {
        fancy_regex::Error::CompileError(reason) => match &**reason {
            fancy_regex::CompileError::InnerError(inner) => inner.to_string(),
            other => other.to_string(),
        },
        other => other.to_string(),
    };
    let last = text.lines().last().unwrap_or_default().trim();
    format!("This pattern cannot be used: {}", last.trim_start_matches("error: "))
}
