//! Why JSON could not be read: what, at which byte, and at which place in the document.

use crossdock_api::{ConnectError, Exception, Strictness};
use std::fmt::Write;

/// A failure, on its way from the innermost value outwards. Boxed, so that what may fail hands over no more than a
/// value.
#[derive(Debug)]
pub(super) struct JsonError(Box<Failure>);

#[derive(Debug)]
struct Failure {
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
        Self(Box::new(Failure { exception: Exception::Data, message: message.into(), at, path: Vec::new() }))
    }

    /// The JSON is that of a schema that cannot be.
    #[cold]
    pub(super) fn schema(at: usize, message: impl Into<String>) -> Self {
        let mut error = Self::data(at, message);
        error.0.exception = Exception::SchemaBuilder;
        error
    }

    /// Notes that it happened in the member of that name.
    #[cold]
    pub(super) fn inside(mut self, name: &str) -> Self {
        self.0.path.push(format!(".{name}"));
        self
    }

    /// Notes that it happened in the element of that number.
    #[cold]
    pub(super) fn at_index(mut self, index: usize) -> Self {
        self.0.path.push(format!("[{index}]"));
        self
    }

    /// The error as the runtime gets it: with the place, unless Connect's words are asked for.
    pub(super) fn into_connect(self, strictness: Strictness) -> ConnectError {
        let Failure { exception, mut message, at, path } = *self.0;
        if strictness == Strictness::Safe {
            let path: String = path.iter().rev().map(String::as_str).collect();
            // Writing to a String cannot fail.
            let _ = write!(message, " (at ${path}, byte {at})");
        }
        ConnectError::bad_record(message).with_exception(exception)
    }
}
