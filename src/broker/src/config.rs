//! Settings of a broker, made by its builder.

use kafka_protocol::messages::ApiKey;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Id of the one node of the cluster.
pub(crate) const NODE_ID: i32 = 1;
/// Largest request in bytes, as `socket.request.max.bytes`.
pub(crate) const MAX_REQUEST_BYTES: usize = 100 << 20;
/// Connections that are served at the same time; more are closed at once.
pub(crate) const MAX_CONNECTIONS: usize = 1000;
/// Partitions of all topics together.
pub(crate) const MAX_PARTITIONS: usize = 10_000;

#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub(crate) listen: SocketAddr,
    pub(crate) data_dir: Option<PathBuf>,
    pub(crate) auto_create_topics: bool,
    pub(crate) default_partitions: i32,
    pub(crate) min_session_timeout: Duration,
    pub(crate) max_session_timeout: Duration,
    pub(crate) initial_rebalance_delay: Duration,
    /// The APIs that are served and their highest versions; `None` for all that there is.
    pub(crate) max_versions: Option<HashMap<ApiKey, i16>>,
}

impl Config {
    /// The highest version to serve of an API of which there are versions up to `max`; `None` if it is not to be served.
    pub(crate) fn max_version(&self, key: ApiKey, max: i16) -> Option<i16> {
        match &self.max_versions {
            None => Some(max),
            Some(versions) => versions.get(&key).map(|limit| max.min(*limit)),
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            data_dir: None,
            auto_create_topics: true,
            default_partitions: 1,
            min_session_timeout: Duration::from_secs(6),
            max_session_timeout: Duration::from_secs(1800),
            initial_rebalance_delay: Duration::ZERO,
            max_versions: None,
        }
    }
}
