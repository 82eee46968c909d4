//! What can go wrong between this client and a cluster, and who erred.
//!
//! - [`ConfigError`]: the user's configuration.
//! - [`ClientError`]: everything else, each with the broker, API, topic or group it is about, and what
//!   to look at next.
//! - [`ErrorCode`]: the number that a broker answered with.
//!
//! All are cheap to clone, since one failed connection ends many calls.

mod code;

pub use code::ErrorCode;

use crate::metadata::NodeId;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// A wrong setting. The texts are those of Kafka's `ConfigException`, since operators search for them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A value that the key does not take.
    #[error("Invalid value {value} for configuration {key}: {reason}")]
    InvalidValue {
        /// The key.
        key: String,
        /// The value as given. Keys that hold secrets never get here.
        value: String,
        /// Why it was refused and what is allowed.
        reason: String,
    },
    /// A key without default that is not there.
    #[error("Missing required configuration \"{key}\" which has no default value.")]
    Missing {
        /// The key.
        key: String,
    },
    /// A file that a key names and that cannot be used.
    #[error("{key}={path} cannot be used: {reason}")]
    File {
        /// The key.
        key: String,
        /// The path as given.
        path: String,
        /// Why it was refused.
        reason: String,
    },
    /// Settings that are fine one by one but not together, or an address that cannot be read.
    #[error("{0}")]
    Invalid(String),
}

/// A call that failed. See [`ClientError::is_retriable`] and [`ClientError::outcome_unknown`].
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A connection to one broker could not be set up.
    #[error("cannot connect to {broker}: {source}")]
    Connect {
        /// Address of the broker.
        broker: Arc<str>,
        /// What the operating system said.
        source: Arc<io::Error>,
    },
    /// The broker and this client did not agree who they are. Trying again does not help (Kafka's
    /// `SaslAuthenticationException`).
    #[error("{broker}: authentication by {mechanism} failed: {reason}")]
    Authentication {
        /// Address of the broker, or of whoever should have given a token.
        broker: Arc<str>,
        /// The SASL mechanism.
        mechanism: &'static str,
        /// What was said, and what to do.
        reason: String,
    },
    /// The TLS handshake failed: one side refused the other. Trying again does not help (Kafka's
    /// `SslAuthenticationException`).
    #[error("{broker}: the TLS handshake failed: {reason}")]
    TlsHandshake {
        /// Address of the broker.
        broker: Arc<str>,
        /// What was wrong, and what to do.
        reason: String,
    },
    /// None of the brokers answered; lists what happened at each.
    #[error("no broker can be reached: {}; check bootstrap.servers, that the brokers run, and that \
             advertised.listeners names addresses that this host can reach", Attempts(.attempts))]
    Unreachable {
        /// Address and error of each attempt.
        attempts: Vec<(Arc<str>, String)>,
    },
    /// The connection was closed before the answer came.
    #[error("connection to {broker} was lost during {api}: {reason}{}", outcome(*.may_have_been_sent))]
    Disconnected {
        /// Address of the broker.
        broker: Arc<str>,
        /// Name of the API that was called.
        api: &'static str,
        /// Why the connection was closed.
        reason: Arc<str>,
        /// Whether the request may have reached the broker, so that its outcome is unknown.
        may_have_been_sent: bool,
    },
    /// No answer in time. The outcome is unknown; the connection is closed.
    #[error("{broker} did not answer {api} within {} ms; its outcome is unknown", .after.as_millis())]
    Timeout {
        /// Address of the broker.
        broker: Arc<str>,
        /// Name of the API that was called.
        api: &'static str,
        /// How long was waited.
        after: Duration,
    },
    /// The broker speaks no version of this API that this client speaks.
    #[error(
        "{broker} does not support {api} in a version between {min} and {max}; a broker of Kafka 2.1 or \
             newer is needed"
    )]
    UnsupportedVersion {
        /// Address of the broker.
        broker: Arc<str>,
        /// Name of the API.
        api: &'static str,
        /// Lowest version that this client speaks.
        min: i16,
        /// Highest version that this client speaks.
        max: i16,
    },
    /// The peer sent bytes that do not follow the protocol; the connection is closed.
    #[error(
        "{broker} broke the protocol in its answer to {api}: {reason}; is it a Kafka broker, and does \
             security.protocol fit its listener?"
    )]
    Protocol {
        /// Address of the broker.
        broker: Arc<str>,
        /// Name of the API that was called.
        api: &'static str,
        /// What was wrong.
        reason: String,
    },
    /// A request could not be encoded: a mistake of this client, not of the peer.
    #[error("cannot encode {api} version {version}: {reason}; this is a bug of the client")]
    Encode {
        /// Name of the API.
        api: &'static str,
        /// The version chosen.
        version: i16,
        /// What was wrong.
        reason: String,
    },
    /// The broker refused the call, or one item of it.
    #[error("{0}")]
    Broker(Box<BrokerError>),
    /// Metadata names no leader of the partition at present.
    #[error("partition {topic}-{partition} has no leader at present; check that its replicas are online")]
    NoLeader {
        /// The topic.
        topic: Arc<str>,
        /// The partition.
        partition: i32,
    },
    /// The topic has no such partition.
    #[error("topic {topic} has {count} partitions, so there is no partition {partition}")]
    UnknownPartition {
        /// The topic.
        topic: Arc<str>,
        /// The partition asked for.
        partition: i32,
        /// How many partitions the topic has.
        count: i32,
    },
    /// The broker is not, or no longer, part of the cluster.
    #[error("broker {0} is not in the cluster's metadata; it may have been shut down")]
    UnknownNode(NodeId),
    /// An operation with retries did not succeed in the time given.
    #[error("{what} did not succeed within {} ms; the last error was: {last}", .after.as_millis())]
    Exhausted {
        /// The operation.
        what: String,
        /// How long was tried.
        after: Duration,
        /// The error of the last attempt.
        last: Box<ClientError>,
    },
    /// The client was closed.
    #[error("the client was closed")]
    Closed,
}

/// A broker's refusal, with what it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BrokerError {
    /// The number.
    pub code: ErrorCode,
    /// Name of the API that was called.
    pub api: &'static str,
    /// Topic, if the refusal is about one.
    pub topic: Option<Arc<str>>,
    /// Partition, if the refusal is about one.
    pub partition: Option<i32>,
    /// Group, if the refusal is about one.
    pub group: Option<Arc<str>>,
    /// What else it is about, such as "transactional id x".
    pub about: Option<Arc<str>>,
    /// The broker's own words, if it sent any.
    pub message: Option<String>,
    /// What to do next, where this client knows more than the code says.
    pub hint: Option<&'static str>,
}

impl BrokerError {
    /// A refusal of a whole call.
    pub fn new(code: ErrorCode, api: &'static str) -> Self {
        Self { code, api, topic: None, partition: None, group: None, about: None, message: None, hint: None }
    }

    /// About this topic.
    pub fn topic(mut self, topic: impl Into<Arc<str>>) -> Self {
        self.topic = Some(topic.into());
        self
    }

    /// About this partition of the topic.
    pub fn partition(mut self, partition: i32) -> Self {
        self.partition = Some(partition);
        self
    }

    /// About this group.
    pub fn group(mut self, group: impl Into<Arc<str>>) -> Self {
        self.group = Some(group.into());
        self
    }

    /// About something that is no topic, partition or group; with its kind, as "transactional id x".
    pub fn about(mut self, what: impl Into<Arc<str>>) -> Self {
        self.about = Some(what.into());
        self
    }

    /// With what to do next.
    pub fn hint(mut self, hint: &'static str) -> Self {
        self.hint = Some(hint);
        self
    }

    /// With the broker's own words; empty ones are ignored.
    pub fn message(mut self, message: Option<&str>) -> Self {
        self.message = message.filter(|m| !m.is_empty()).map(str::to_owned);
        self
    }
}

impl fmt::Display for BrokerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} was refused", self.api)?;
        match (&self.topic, self.partition) {
            (Some(topic), Some(partition)) => write!(f, " for partition {topic}-{partition}")?,
            (Some(topic), None) => write!(f, " for topic {topic}")?,
            (None, _) => {}
        }
        if let Some(group) = &self.group {
            write!(f, " for group {group}")?;
        }
        if let Some(about) = &self.about {
            write!(f, " for {about}")?;
        }
        write!(f, " with {}: {}", self.code.name(), self.code.message())?;
        if let Some(hint) = self.hint {
            write!(f, "; {hint}")?;
        }
        match &self.message {
            Some(message) => write!(f, " (the broker says: {message})"),
            None => Ok(()),
        }
    }
}

impl From<BrokerError> for ClientError {
    fn from(error: BrokerError) -> Self {
        Self::Broker(Box::new(error))
    }
}

impl ClientError {
    /// Whether the same call may succeed later without anybody changing anything. As in Kafka's
    /// `RetriableException`; lost connections and timeouts are, wrong settings are not.
    pub fn is_retriable(&self) -> bool {
        match self {
            Self::Connect { .. }
            | Self::Unreachable { .. }
            | Self::Disconnected { .. }
            | Self::Timeout { .. }
            | Self::NoLeader { .. }
            | Self::UnknownNode(_) => true,
            Self::Broker(error) => error.code.is_retriable(),
            Self::Exhausted { .. }
            | Self::Authentication { .. }
            | Self::TlsHandshake { .. }
            | Self::Config(_)
            | Self::UnsupportedVersion { .. }
            | Self::Protocol { .. }
            | Self::Encode { .. }
            | Self::UnknownPartition { .. }
            | Self::Closed => false,
        }
    }

    /// Whether one side refused the other's identity. Such errors end a call at once, whichever broker they
    /// come from, as in Kafka's clients.
    pub fn is_authentication(&self) -> bool {
        match self {
            Self::Authentication { .. } | Self::TlsHandshake { .. } => true,
            Self::Exhausted { last, .. } => last.is_authentication(),
            _ => false,
        }
    }

    /// Whether the broker may have carried out the call although it failed here.
    pub fn outcome_unknown(&self) -> bool {
        match self {
            Self::Disconnected { may_have_been_sent, .. } => *may_have_been_sent,
            Self::Timeout { .. } | Self::Protocol { .. } => true,
            Self::Exhausted { last, .. } => last.outcome_unknown(),
            _ => false,
        }
    }

    /// Whether the cluster's metadata (leaders, brokers) should be fetched again before a retry.
    pub fn refreshes_metadata(&self) -> bool {
        match self {
            Self::Broker(error) => error.code.refreshes_metadata(),
            Self::Connect { .. }
            | Self::Disconnected { .. }
            | Self::Timeout { .. }
            | Self::NoLeader { .. }
            | Self::UnknownNode(_)
            | Self::UnknownPartition { .. } => true,
            _ => false,
        }
    }

    /// The broker's code, if a broker answered.
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Broker(error) => Some(error.code),
            Self::Exhausted { last, .. } => last.code(),
            _ => None,
        }
    }
}

fn outcome(may_have_been_sent: bool) -> &'static str {
    if may_have_been_sent { "; its outcome is unknown" } else { "; it was not sent" }
}

struct Attempts<'a>(&'a [(Arc<str>, String)]);

impl fmt::Display for Attempts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, (address, error)) in self.0.iter().enumerate() {
            if n > 0 {
                f.write_str("; ")?;
            }
            write!(f, "{address}: {error}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_what_it_is_about() {
        let error =
            BrokerError::new(ErrorCode::NOT_LEADER_OR_FOLLOWER, "Produce").topic("orders").partition(3);
        let error = ClientError::from(error.message(Some("moved")));
        let text = error.to_string();
        assert!(text.contains("partition orders-3") && text.contains("NOT_LEADER_OR_FOLLOWER"), "{text}");
        assert!(text.ends_with("(the broker says: moved)"), "{text}");
        assert!(error.is_retriable() && error.refreshes_metadata() && !error.outcome_unknown());
    }

    #[test]
    fn unreachable_lists_every_attempt() {
        let attempts = vec![("a:1".into(), "refused".into()), ("b:2".into(), "timed out".into())];
        let text = ClientError::Unreachable { attempts }.to_string();
        assert!(text.starts_with("no broker can be reached: a:1: refused; b:2: timed out;"), "{text}");
    }
}
