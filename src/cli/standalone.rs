//! `crossdock standalone`: the files of `connect-standalone`.

use super::signals::Signals;
use anyhow::Context;
use clap::Args;
use crossdock::Engine;
use crossdock::runtime::config::file;
use std::path::PathBuf;

/// Arguments of `standalone`, in the order of `connect-standalone`.
#[derive(Debug, Args)]
pub(crate) struct StandaloneArguments {
    /// The worker's properties file.
    worker: PathBuf,
    /// Connectors: .properties files, or .json files of one flat object or of {"name", "config"}.
    connectors: Vec<PathBuf>,
}

/// Runs a worker until a signal comes.
pub(crate) async fn run(arguments: StandaloneArguments) -> anyhow::Result<()> {
    let mut signals = Signals::listen()?;
    let mut builder = Engine::builder().config(file::read_worker(&arguments.worker)?).rest(true);
    let mut readable = 0;
    for path in &arguments.connectors {
        match file::read_connector(path) {
            Ok(config) => {
                builder = builder.connector(config);
                readable += 1;
            }
            Err(error) if arguments.connectors.len() == 1 => return Err(error.into()),
            Err(error) => tracing::error!("{error}; the other connectors go on"),
        }
    }
    anyhow::ensure!(
        readable > 0 || arguments.connectors.is_empty(),
        "none of the connector files can be used; the log says why"
    );
    let starting = builder.skip_invalid_connectors(true).start();
    let engine = tokio::select! {
        engine = starting => engine.with_context(|| format!("worker file {}", arguments.worker.display()))?,
        signal = signals.received() => {
            tracing::info!("{signal} while starting");
            return Ok(());
        }
    };
    for address in engine.rest_addresses() {
        tracing::info!("REST API at http://{address}");
    }
    let signal = signals.received().await;
    tracing::info!("{signal}: stopping; a second one ends the process at once");
    tokio::select! {
        () = engine.stop() => tracing::info!("stopped"),
        signal = signals.received() => anyhow::bail!("{signal} again: ended before everything was committed"),
    }
    Ok(())
}
