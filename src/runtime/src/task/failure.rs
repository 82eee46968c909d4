//! Why a task ended.

use crate::errors::Failed;
use crate::guard::panic_message;
use crossdock_api::{ConfigError, ConnectError};
use crossdock_client::producer::{AppendError, MetadataError};
use crossdock_client::{ClientError, ConfigError as ClientConfigError, ConsumerError};
use std::any::Any;

/// What ended a task: becomes the `trace` of its status. Each says who erred and what to do; connector
/// and task are added where it is logged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum TaskFailure {
    #[error("the Kafka client's configuration is wrong: {0}")]
    ClientConfig(#[from] ClientConfigError),
    #[error("{0}")]
    Config(#[from] ConfigError),
    #[error("reading from Kafka failed: {0}")]
    Consumer(#[from] ConsumerError),
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    #[error("Kafka did not take a record: {reason}")]
    Produce { reason: String },
    #[error("Kafka failed: {0}")]
    Client(#[from] ClientError),
    #[error(
        "a record cannot be sent ({place}): {source}; set producer keys as producer.override.<key> on the connector, or \
         producer.<key> on the worker"
    )]
    Append { place: String, source: AppendError },
    #[error(
        "a record that could not be handled was not taken by the dead letter queue {topic}: {reason}; its offset is not \
         committed"
    )]
    DeadLetter { topic: String, reason: String },
    #[error("Could not initialize dead letter queue with topic={topic}: {source}")]
    DeadLetterTopic { topic: String, source: ClientError },
    #[error("the plugin panicked: {message}")]
    Panic { message: String },
    #[error("a converter left a value of {class} where bytes are expected: report this to its author")]
    Unconverted { class: &'static str },
    #[error("{during} failed: {source}")]
    Plugin { during: &'static str, source: ConnectError },
    #[error("a record could not be handled ({stage}, {place}): {source}")]
    Record { stage: String, place: String, source: ConnectError },
}

impl TaskFailure {
    /// For `map_err` on calls into a plugin.
    pub(crate) fn plugin(during: &'static str) -> impl FnOnce(ConnectError) -> Self {
        move |source| Self::Plugin { during, source }
    }

    /// For a record that could not be handled, and that is not skipped.
    pub(crate) fn record(failed: Failed, place: String) -> Self {
        Self::Record { stage: failed.part, place, source: failed.error }
    }

    /// For what `catch_unwind` gives.
    pub(crate) fn panicked(panic: &(dyn Any + Send)) -> Self {
        Self::Panic { message: panic_message(panic) }
    }

    /// The whole chain of causes as text, one a line, in the style of a Java stack trace's heads.
    pub(crate) fn trace(&self) -> String {
        let mut trace = self.to_string();
        let mut cause = match self {
            // Their text is part of this error's own.
            Self::Plugin { source, .. } | Self::Record { source, .. } => std::error::Error::source(source),
            Self::Client(source) | Self::DeadLetterTopic { source, .. } => std::error::Error::source(source),
            Self::Consumer(source) => std::error::Error::source(source),
            _ => None,
        };
        while let Some(error) = cause {
            trace.push_str("\nCaused by: ");
            trace.push_str(&error.to_string());
            cause = error.source();
        }
        trace
    }
}
