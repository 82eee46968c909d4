//! What source and sink tasks have in common at their end: panics of the plugin, and its stop.

use super::failure::TaskFailure;
use crossdock_api::ConnectError;
use futures_util::FutureExt;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

/// How long the plugin may take to stop at the end.
pub(crate) const PLUGIN_STOP: Duration = Duration::from_secs(1);

/// Runs a task's work; a panic of the plugin becomes its failure.
pub(super) async fn caught(work: impl Future<Output = Result<(), TaskFailure>>) -> Result<(), TaskFailure> {
    AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(|panic| Err(TaskFailure::panicked(&*panic)))
}

/// Stops the plugin, or gives it up after [`PLUGIN_STOP`]. What goes wrong is logged: the task ends anyway.
pub(super) async fn stop_plugin(stopping: impl Future<Output = Result<(), ConnectError>>) {
    match tokio::time::timeout(PLUGIN_STOP, AssertUnwindSafe(stopping).catch_unwind()).await {
        Ok(Ok(Ok(()))) => {}
        Ok(Ok(Err(error))) => tracing::warn!(%error, "the plugin did not stop cleanly"),
        Ok(Err(panic)) => {
            let failure = TaskFailure::panicked(&*panic);
            tracing::warn!(%failure, "the plugin panicked while it was stopped");
        }
        Err(_) => tracing::warn!("the plugin took too long to stop and was abandoned"),
    }
}
