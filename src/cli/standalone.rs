//! `crossdock standalone`: the files of `connect-standalone`.

use super::connectors;
use super::signals::Signals;
use anyhow::{Context, ensure};
use clap::Args;
use crossdock::Engine;
use crossdock::runtime::config::file;
use crossdock::runtime::loggers::Loggers;
use std::path::PathBuf;
use std::sync::Arc;

/// Arguments of `standalone`, in the order of `connect-standalone`.
#[derive(Debug, Args)]
pub(crate) struct StandaloneArguments {
    /// The worker's properties file.
    worker: PathBuf,
    /// Connectors: .properties files, or .json files of one flat object or of {"name", "config"}.
    connectors: Vec<PathBuf>,
}

/// Runs a worker until a signal comes.
pub(crate) async fn run(arguments: StandaloneArguments, levels: Arc<Loggers>) -> anyhow::Result<()> {
    let mut signals = Signals::listen()?;
    let worker_file = || format!("worker file {}", arguments.worker.display());
    let config = file::read_worker(&arguments.worker)?;
    let offsets = "offset.storage.file.filename";
    ensure!(
        config.get(offsets).is_some_and(|path| !path.trim().is_empty()),
        "{}: Missing required configuration \"{offsets}\" which has no default value.",
        worker_file()
    );
    let connectors = connectors::read(&arguments.connectors)?;
    let builder = Engine::builder().config(config).rest(true).log_levels(levels);
    let engine = builder.start().await.with_context(worker_file)?;
    for address in engine.rest_addresses() {
        tracing::info!("REST API at http://{address}");
    }
    match connectors::start(&engine, &connectors, &mut signals).await {
        Ok(true) => {
            let signal = signals.received().await;
            tracing::info!("{signal}: stopping; a second one ends the process at once");
        }
        Ok(false) => {}
        Err(error) => {
            engine.stop().await;
            return Err(error);
        }
    }
    connectors::stop(engine, &mut signals).await?;
    tracing::info!("stopped");
    Ok(())
}
