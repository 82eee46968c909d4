//! Dates as text by a pattern of `java.text.SimpleDateFormat`, in UTC, with the words of the locale en_US.
//!
//! # Layout
//!
//! - `pattern`: from the text of a pattern to its parts.
//! - `calendar`: days, months and weeks of Java's calendar: Julian until 1582-10-04, Gregorian after it.
//! - `format`, `parse`: from a time to text and back; `fields` has what was parsed, and makes a time of it.
//! - `number`, `zone`: what is read of numbers and of time zones.
//!
//! # How data flows
//!
//! A pattern is compiled once. Parsing reads its parts from left to right and collects fields; the fields that
//! were set last win where they contradict each other. As in Java, parsing is lenient: month 13 is January of the
//! next year, and text that follows is left alone.

#[cfg(test)]
mod tests;

pub(crate) mod calendar;
mod fields;
mod format;
mod number;
mod parse;
mod pattern;
mod zone;

use crate::{ConnectError, Exception};
use pattern::Part;
use std::time::{SystemTime, UNIX_EPOCH};

/// A compiled pattern.
#[derive(Debug, Clone)]
pub struct DateFormat {
    pattern: String,
    parts: Vec<Part>,
    /// Years of two digits are in the hundred years from here; milliseconds since the epoch.
    century_start: i64,
}

impl DateFormat {
    /// Compiles a pattern. Years of two digits are taken to be within 80 years before and 20 years after now.
    ///
    /// # Errors
    /// A letter without a meaning, or a quotation without an end: Java's `IllegalArgumentException`, with its
    /// message.
    pub fn new(pattern: &str) -> Result<Self, String> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
        Self::at(pattern, i64::try_from(now).unwrap_or(i64::MAX))
    }

    /// As [`DateFormat::new`], with the time that is now, in milliseconds since the epoch.
    pub fn at(pattern: &str, now: i64) -> Result<Self, String> {
        let parts = pattern::compile(pattern)?;
        Ok(Self { pattern: pattern.to_owned(), parts, century_start: calendar::years_before(now, 80) })
    }

    /// The pattern as given.
    pub fn pattern(&self) -> &str {
        &self.pattern
    }
}

/// The error that a wrong pattern becomes where Java compiles it only for a record.
pub fn illegal(message: &str) -> ConnectError {
    ConnectError::bad_record(message).with_exception(Exception::IllegalArgument)
}
