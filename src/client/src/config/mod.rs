//! Settings of producers, consumers and admin clients, each defined once.
//!
//! # Layout
//!
//! - [`ClientConfig`]: the settings that all kinds of clients have in common.
//! - [`Definition`]: all that is known about a key. `keys`: the tables of them, all of Kafka 4.3's.
//! - `key`: the Rust type of a key's values. `reader`: a map, checked and read by the tables; warnings.
//! - `duration`: ISO 8601 durations. `page`: the reference page, written from the tables.
//!
//! Producers and consumers fill their own settings from the same tables: see
//! [`crate::producer::ProducerConfig`] and [`crate::ConsumerConfig`].
//!
//! # What it must never do
//!
//! Say a name, a default or a range a second time, show a secret, or ignore a setting silently whose
//! absence would do harm.

mod address;
mod definition;
pub(crate) mod duration;
mod key;
pub(crate) mod keys;
mod page;
mod reader;

pub use address::Address;
pub use definition::{ClientKind, DefaultValue, Definition, Importance, Kind, State, Valid};
pub use keys::definitions;
pub use page::reference_page;
pub use reader::{ConfigWarning, warnings};
pub(crate) use reader::{Reader, invalid};

use crate::error::ConfigError;
use crate::security::Security;
use keys::common::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// How to reach a cluster, and how patiently.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ClientConfig {
    /// `bootstrap.servers`: at least one address.
    pub bootstrap_servers: Vec<Address>,
    /// `client.id`: sent with each request, seen in the brokers' logs and quotas.
    pub client_id: Arc<str>,
    /// `request.timeout.ms`: how long an answer may take; afterwards the connection is closed.
    pub request_timeout: Duration,
    /// `default.api.timeout.ms`: how long an operation may take with all its retries.
    pub default_api_timeout: Duration,
    /// `retry.backoff.ms`: wait before the first retry; doubles up to [`Self::retry_backoff_max`].
    pub retry_backoff: Duration,
    /// `retry.backoff.max.ms`.
    pub retry_backoff_max: Duration,
    /// `reconnect.backoff.ms`: wait before a broker is connected to again; doubles up to
    /// [`Self::reconnect_backoff_max`].
    pub reconnect_backoff: Duration,
    /// `reconnect.backoff.max.ms`.
    pub reconnect_backoff_max: Duration,
    /// `metadata.max.age.ms`: metadata older than this is fetched again without being asked for.
    pub metadata_max_age: Duration,
    /// `metadata.recovery.strategy` (KIP-899): whether to go back to `bootstrap.servers` when no known broker can be reached, or a
    /// broker asks for it; `true` for `rebootstrap`, the default.
    pub rebootstrap: bool,
    /// `metadata.recovery.rebootstrap.trigger.ms` (KIP-1102): when metadata could not be had for this long,
    /// `bootstrap.servers` are asked before the known brokers.
    pub rebootstrap_trigger: Duration,
    /// `connections.max.idle.ms`: a connection without requests is closed after this; `None` (a negative value) never.
    pub connections_max_idle: Option<Duration>,
    /// `socket.connection.setup.timeout.ms`: how long the first attempt to connect may take; grows with
    /// each failure up to [`Self::connection_setup_timeout_max`].
    pub connection_setup_timeout: Duration,
    /// `socket.connection.setup.timeout.max.ms`.
    pub connection_setup_timeout_max: Duration,
    /// `send.buffer.bytes`: `SO_SNDBUF`; `None` (-1) leaves it to the operating system.
    pub send_buffer: Option<u32>,
    /// `receive.buffer.bytes`: `SO_RCVBUF`; `None` (-1) leaves it to the operating system.
    pub receive_buffer: Option<u32>,
    /// `security.protocol`, `ssl.*` and `sasl.*`: how connections are encrypted and authenticated.
    pub security: Security,
    /// Keys that mean nothing here. Not an error, since one map often configures several clients.
    pub unused: BTreeSet<String>,
}

impl ClientConfig {
    /// Reads the settings. Unknown keys end up in [`Self::unused`]; a value that its key does not take
    /// is an error that names both. The files of `ssl.*` are read here, if `security.protocol` needs them: a
    /// store that is missing or cannot be opened is an error at once. A changed file counts for the next client.
    pub fn from_map(map: &BTreeMap<String, String>) -> Result<Self, ConfigError> {
        let reader = Reader::new(map, ClientKind::Admin)?;
        let Some(servers) = reader.given(BOOTSTRAP_SERVERS) else {
            return Err(ConfigError::Missing { key: BOOTSTRAP_SERVERS.name().to_owned() });
        };
        let retry_backoff = reader.get(RETRY_BACKOFF);
        let reconnect_backoff = reader.get(RECONNECT_BACKOFF);
        let setup = reader.get(CONNECTION_SETUP_TIMEOUT);
        Ok(Self {
            bootstrap_servers: address::parse_bootstrap(&servers)?,
            client_id: reader.get(CLIENT_ID).into(),
            request_timeout: reader.get(REQUEST_TIMEOUT),
            default_api_timeout: reader.get(DEFAULT_API_TIMEOUT),
            retry_backoff,
            retry_backoff_max: reader.get(RETRY_BACKOFF_MAX).max(retry_backoff),
            reconnect_backoff,
            reconnect_backoff_max: reader.get(RECONNECT_BACKOFF_MAX).max(reconnect_backoff),
            metadata_max_age: reader.get(METADATA_MAX_AGE),
            rebootstrap: !reader.get(METADATA_RECOVERY_STRATEGY).eq_ignore_ascii_case("none"),
            rebootstrap_trigger: reader.get(METADATA_REBOOTSTRAP_TRIGGER),
            connections_max_idle: u64::try_from(reader.get(CONNECTIONS_MAX_IDLE))
                .ok()
                .map(Duration::from_millis),
            connection_setup_timeout: setup,
            connection_setup_timeout_max: reader.get(CONNECTION_SETUP_TIMEOUT_MAX).max(setup),
            send_buffer: u32::try_from(reader.get(SEND_BUFFER)).ok(),
            receive_buffer: u32::try_from(reader.get(RECEIVE_BUFFER)).ok(),
            security: Security::read(|key| reader.text(key))?,
            unused: reader.unused(),
        })
    }

    /// The defaults with these servers, written as in `bootstrap.servers`.
    pub fn new(bootstrap_servers: &str) -> Result<Self, ConfigError> {
        Self::from_map(&BTreeMap::from([("bootstrap.servers".to_owned(), bootstrap_servers.to_owned())]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::security::SecurityProtocol;

    fn config(pairs: &[(&str, &str)]) -> Result<ClientConfig, ConfigError> {
        ClientConfig::from_map(&pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect())
    }

    #[test]
    fn defaults_are_kafkas() {
        let config = ClientConfig::new("a:1").unwrap();
        assert_eq!(config.request_timeout, Duration::from_secs(30));
        assert_eq!(config.metadata_max_age, Duration::from_secs(300));
        assert_eq!((config.send_buffer, config.receive_buffer), (None, None));
        assert!(config.unused.is_empty());
    }

    #[test]
    fn wrong_values_name_the_key() {
        let error = config(&[("bootstrap.servers", "a:1"), ("request.timeout.ms", "abc")]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "Invalid value abc for configuration request.timeout.ms: Not a number of type INT"
        );
        let error = config(&[]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "Missing required configuration \"bootstrap.servers\" which has no default value."
        );
    }

    #[test]
    fn unknown_keys_are_listed() {
        let config = config(&[("bootstrap.servers", "a:1"), ("acks", "all")]).unwrap();
        assert_eq!(config.unused, BTreeSet::from(["acks".to_owned()]));
    }

    #[test]
    fn security_is_checked_by_the_protocol() {
        let servers = ("bootstrap.servers", "a:1");
        let protocol = |name| config(&[servers, ("security.protocol", name), ("ssl.truststore.type", "X")]);
        assert!(protocol("http").is_err());
        assert_eq!(protocol("plaintext").unwrap().security.protocol(), SecurityProtocol::Plaintext);
        let error = protocol("SASL_PLAINTEXT").unwrap_err().to_string();
        assert!(error.contains("GSSAPI") && error.contains("SCRAM-SHA-256"), "{error}");
        let location = ("ssl.truststore.location", "/none");
        let missing = config(&[servers, ("security.protocol", "ssl"), location]).unwrap_err().to_string();
        assert!(missing.starts_with("ssl.truststore.location=/none cannot be used: "), "{missing}");
        config(&[servers, location]).unwrap();
    }
}
