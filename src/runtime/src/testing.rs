//! What conformance tests look into, with the feature `unstable-testing`: may change at any time.

use crate::errors::ErrorHandler;
use crate::herder::TaskId;
use crate::task::pipeline::Pipeline;
use crate::{ConnectorConfig, WorkerConfig};
use crossdock_api::registry::PluginKind;
use crossdock_api::{ConfigError, ConfigMap, ConnectError, Plugins, RecordBatch};
use futures_util::FutureExt;
use std::sync::Arc;

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
    let worker = WorkerConfig::parse(worker)?;
    let mut pipeline = Pipeline::build(plugins, &worker, &connector)?;
    let id = TaskId { connector: connector.name().to_owned(), task: 0 };
    let errors = ErrorHandler::new(id, &worker, &connector, Arc::default());
    // Nothing is tried again unless the connector asks for it, so nothing waits.
    let failed = pipeline.transform_only(batch, &errors).now_or_never().unwrap_or_default();
    Ok(failed.into_iter().min_by_key(|failed| failed.index).map(|failed| failed.error))
}
