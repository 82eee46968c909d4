//! What conformance tests look into, with the feature `unstable-testing`: may change at any time.

use crate::task::pipeline::Pipeline;
use crate::{ConnectorConfig, WorkerConfig};
use crossdock_api::registry::PluginKind;
use crossdock_api::{ConfigError, ConfigMap, ConnectError, Plugins, RecordBatch};

/// Puts a batch through the transforms and predicates of a connector, as its tasks do, but not through converters.
/// Gives the error of the first record that could not be handled, if there is one.
///
/// # Errors
/// A configuration that would be refused.
pub fn transform(
    plugins: &Plugins,
    worker: &ConfigMap,
    connector: &ConfigMap,
    kind: PluginKind,
    batch: &mut RecordBatch,
) -> Result<Option<ConnectError>, ConfigError> {
    let connector = ConnectorConfig::parse(connector, kind)?;
    let mut pipeline = Pipeline::build(plugins, &WorkerConfig::parse(worker)?, &connector)?;
    Ok(pipeline.transform_only(batch).bad.map(|bad| bad.error))
}
