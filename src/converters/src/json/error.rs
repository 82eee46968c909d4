//! Why JSON could not be read: what, at which byte, and at which place in the document.

use crossdock_api::{ConnectError, Exception, Strictness};
use std::fmt::Write;

/// A failure, on its way from the innermost value outwards.
#[derive(Debug)]
pub(super) struct JsonError {
    exception: Exception,
    message: String,
    /// Byte of the input.
    at: usize,
    /// Steps from the document to the value, the innermost first.
    path: Vec<String>,
}

pub(super) type Result<T> = std::result::Result<T, JsonError>;

/// What Connect says about bytes that are not JSON; the reason follows.
const NOT_JSON: &str = "Converting byte[] to Kafka Connect data failed due to serialization error: ";

impl JsonError {
    /// The bytes are not JSON.
    #[cold]
    pub(super) fn syntax(at: usize, reason: &str) -> Self {
        Self::data(at, format!("{NOT_JSON}{reason}"))
    }

    /// The JSON is not what was expected.
    #[cold]
    pub(super) fn data(at: usize, message: impl Into<String>) -> Self {
        Self { exception: Exception::Data, message: message.into(), at, path: Vec::new() }
    }

    /// The JSON is that of a schema that cannot be.
    #[cold]
    pub(super) fn schema(at: usize, message: impl Into<String>) -> Self {
        Self { exception: Exception::SchemaBuilder, ..Self::data(at, message) }
    }

    /// Notes that it happened in the member of that name.
    #[cold]
    pub(super) fn inside(mut self, name: &str) -> Self {
        self.path.push(format!(".{name}"));
        self
    }

    /// Notes that it happened in the element of that number.
    #[cold]
    pub(super) fn at_index(mut self, index: usize) -> Self {
        self.path.push(format!("[{index}]"));
        self
    }

    /// The error as the runtime gets it: with the place, unless Connect's words are asked for.
    pub(super) fn into_connect(mut self, strictness: Strictness) -> ConnectError {
        if strictness == Strictness::Safe {
            let path: String = self.path.iter().rev().map(String::as_str).collect();
            // Writing to a String cannot fail.
            let _ = write!(self.message, " (at ${path}, byte {})", self.at);
        }
        ConnectError::bad_record(self.message).with_exception(self.exception)
    }
}
