//! What a plugin says when it cannot go on.

use crate::ConfigError;
use std::fmt;

/// What the runtime does about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The record cannot be handled and never will be. Counts against `errors.tolerance`; Java's
    /// `DataException`.
    BadRecord,
    /// The configuration is wrong: an operator has to change it.
    Config,
    /// The task cannot go on: it becomes FAILED. Java's `ConnectException`.
    Fatal,
    /// The same call may succeed later; it is made again after a backoff. Java's
    /// `RetriableException`.
    Retriable,
}

/// The Java exception that an error stands for: what Connect would have thrown in its place. The name shows where
/// users of Connect look for it: in headers of the dead letter queue, in traces and in answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Exception {
    /// A value of another type than the code takes.
    ClassCast,
    /// A wrong configuration.
    Config,
    /// Connect's general one.
    Connect,
    /// Data that does not fit its schema, or cannot be handled.
    Data,
    /// An argument that the callee does not allow.
    IllegalArgument,
    /// An index outside of its list, or a group that a pattern does not have.
    IndexOutOfBounds,
    /// Null where something must be.
    NullPointer,
    /// Text that is no number.
    NumberFormat,
    /// A version of a plugin that there is not.
    PluginVersion,
    /// What may succeed later.
    Retriable,
    /// A schema that cannot be.
    SchemaBuilder,
    /// A value that cannot be carried over to another schema.
    SchemaProjector,
    /// Bytes that cannot be read.
    Serialization,
}

impl Exception {
    /// The full name of the class.
    pub fn class_name(self) -> &'static str {
        match self {
            Self::ClassCast => "java.lang.ClassCastException",
            Self::Config => "org.apache.kafka.common.config.ConfigException",
            Self::Connect => "org.apache.kafka.connect.errors.ConnectException",
            Self::Data => "org.apache.kafka.connect.errors.DataException",
            Self::IllegalArgument => "java.lang.IllegalArgumentException",
            Self::IndexOutOfBounds => "java.lang.IndexOutOfBoundsException",
            Self::NullPointer => "java.lang.NullPointerException",
            Self::NumberFormat => "java.lang.NumberFormatException",
            Self::PluginVersion => {
                "org.apache.kafka.connect.runtime.isolation.VersionedPluginLoadingException"
            }
            Self::Retriable => "org.apache.kafka.connect.errors.RetriableException",
            Self::SchemaBuilder => "org.apache.kafka.connect.errors.SchemaBuilderException",
            Self::SchemaProjector => "org.apache.kafka.connect.errors.SchemaProjectorException",
            Self::Serialization => "org.apache.kafka.common.errors.SerializationException",
        }
    }
}

impl From<ErrorKind> for Exception {
    fn from(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::BadRecord => Self::Data,
            ErrorKind::Config => Self::Config,
            ErrorKind::Fatal => Self::Connect,
            ErrorKind::Retriable => Self::Retriable,
        }
    }
}

/// An error from a plugin: a kind, what happened with the next step for an operator, and a cause.
///
/// The runtime adds connector, task, topic, partition and offset; the message need not repeat them.
#[derive(Debug)]
pub struct ConnectError {
    kind: ErrorKind,
    exception: Exception,
    message: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl ConnectError {
    /// An error of the given kind.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, exception: kind.into(), message: message.into(), source: None }
    }

    /// An [`ErrorKind::BadRecord`].
    pub fn bad_record(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::BadRecord, message)
    }

    /// An [`ErrorKind::Config`].
    pub fn config(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Config, message)
    }

    /// An [`ErrorKind::Fatal`].
    pub fn fatal(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Fatal, message)
    }

    /// An [`ErrorKind::Retriable`].
    pub fn retriable(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Retriable, message)
    }

    /// Sets which Java exception it stands for; by default the one of its kind.
    #[must_use]
    pub fn with_exception(mut self, exception: Exception) -> Self {
        self.exception = exception;
        self
    }

    /// Adds the cause.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What the runtime does about it.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Which Java exception it stands for.
    pub fn exception(&self) -> Exception {
        self.exception
    }

    /// What happened, without the cause.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ConnectError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|s| &**s as &(dyn std::error::Error + 'static))
    }
}

impl From<ConfigError> for ConnectError {
    fn from(error: ConfigError) -> Self {
        Self::config(error.to_string()).with_exception(error.exception())
    }
}

/// The records of a batch that a stage could not handle: by their index in the batch, each with its
/// error. The stage goes on with the other records; the runtime decides by `errors.tolerance`.
#[derive(Debug, Default)]
pub struct Failures {
    failed: Vec<(usize, ConnectError)>,
}

impl Failures {
    /// No failures.
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes that the record at `index` failed.
    pub fn push(&mut self, index: usize, error: ConnectError) {
        self.failed.push((index, error));
    }

    /// Whether no record failed.
    pub fn is_empty(&self) -> bool {
        self.failed.is_empty()
    }

    /// The indices of the records that failed, in the order noted.
    pub fn indices(&self) -> impl Iterator<Item = usize> + '_ {
        self.failed.iter().map(|(index, _)| *index)
    }

    /// Takes all failures, in the order noted.
    pub fn take(&mut self) -> Vec<(usize, ConnectError)> {
        std::mem::take(&mut self.failed)
    }
}
