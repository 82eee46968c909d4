//! JSON of requests, with the place of every value, so that a mistake can be told by its place.
//!
//! ```text
//! bytes ─▶ reader: a tree with places ─▶ shape: what the resource needs ─▶ resource
//!             │ ends at the first mistake     │ finds that mistake, or one of shape before it
//! ```
//!
//! - `reader`: syntax, as Jackson's parser takes it, with its texts.
//! - `shape`: texts, maps and lists of what was read, as Jackson's databind converts, with its texts.

mod reader;
mod shape;

pub(crate) use reader::{Node, Value, read};
pub(crate) use shape::{Members, Path, Step};

use std::fmt;

/// A line and a column, in bytes, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

/// Why a body cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct JsonError {
    /// For whoever sent it.
    pub(crate) message: String,
    /// As Connect says it, without place and path.
    pub(crate) of_connect: String,
    /// Where.
    pub(crate) place: Option<Place>,
    /// The members that led there, for mistakes of shape.
    pub(crate) path: Path,
    /// Whether Connect's text has a place; it has none where its own code failed.
    pub(crate) is_of_json: bool,
}

impl JsonError {
    /// The text as Connect answers it.
    pub(crate) fn connects_text(&self) -> String {
        let mut text = self.of_connect.clone();
        if let Some(place) = self.place.filter(|_| self.is_of_json) {
            text += &format!("\n at {}", source(place));
        }
        if !self.path.is_empty() {
            text += &format!(" (through reference chain: {})", self.path.of_connect());
        }
        text
    }
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if !self.path.is_empty() {
            write!(f, " at {}", self.path)?;
        }
        match self.place {
            Some(place) => write!(f, " (line {} column {})", place.line, place.column),
            None => Ok(()),
        }
    }
}

/// How Jackson writes a place.
fn source(place: Place) -> String {
    format!(
        "[Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: {}, column: {}]",
        place.line, place.column
    )
}
