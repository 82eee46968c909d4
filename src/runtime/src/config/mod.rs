//! Configurations: of the worker, of connectors, and the files that they come from.
//!
//! - [`definition`]: every key, with type, default and what is valid.
//! - [`mod@file`]: `.properties` and `.json` files, as `connect-standalone` takes them.
//! - [`properties`]: how properties files are read.
//! - [`worker`]: the keys of a worker, as [`WorkerConfig`].
//! - [`connector`]: the keys that every connector has, as [`ConnectorConfig`].
//! - [`transformer`]: values that configurations take from elsewhere.
//! - `providers`: where these values are: files, folders, the environment.
//! - [`topic_rules`]: how missing topics of sources are created.
//! - [`overrides`]: which client settings connectors may override.
//! - [`version_range`]: which versions of plugins are taken.
//! - `clients`: what producers, consumers and admin clients get from both.

pub(crate) mod clients;
pub mod connector;
pub mod definition;
pub mod file;
pub mod overrides;
pub mod properties;
pub(crate) mod providers;
pub mod topic_rules;
pub mod transformer;
pub mod version_range;
pub mod worker;

pub use connector::ConnectorConfig;
pub use file::ConfigFileError;
pub use worker::WorkerConfig;

use crossdock_api::ConfigMap;

/// The entries of `config` whose keys start with `prefix`, without it.
pub(crate) fn with_prefix(config: &ConfigMap, prefix: &str) -> ConfigMap {
    let stripped = config.iter().filter_map(|(k, v)| Some((k.strip_prefix(prefix)?.to_owned(), v.clone())));
    stripped.filter(|(k, _)| !k.is_empty()).collect()
}
