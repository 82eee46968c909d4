//! Connectors of the command line: read from files and started one by one, so that a mistake in one leaves
//! the others alone.

use super::signals::Signals;
use crossdock::Engine;
use crossdock::api::ConfigMap;
use crossdock::runtime::config::file;
use std::path::PathBuf;

/// Reads connector files. Those that cannot be used are logged; an error if none can.
pub(crate) fn read(files: &[PathBuf]) -> anyhow::Result<Vec<ConfigMap>> {
    let mut configs = Vec::new();
    for path in files {
        match file::read_connector(path) {
            Ok(config) => configs.push(config),
            Err(error) if files.len() == 1 => return Err(error.into()),
            Err(error) => tracing::error!("{error}; the other connectors go on"),
        }
    }
    let usable = !configs.is_empty() || files.is_empty();
    anyhow::ensure!(usable, "none of the connector files can be used; the log says why");
    Ok(configs)
}

/// Starts connectors. Those whose configuration is not valid are logged; an error if none is.
/// `false` if a signal came meanwhile.
pub(crate) async fn start(
    engine: &Engine,
    configs: &[ConfigMap],
    signals: &mut Signals,
) -> anyhow::Result<bool> {
    let mut failed = 0;
    for config in configs {
        let name = config.get("name").map_or("without a name", String::as_str);
        let added = tokio::select! {
            added = engine.add_connector(config.clone()) => added,
            signal = signals.received() => {
                tracing::info!("{signal} while starting");
                return Ok(false);
            }
        };
        if let Err(error) = added {
            failed += 1;
            tracing::error!("connector {name} cannot be started: {error}");
        }
    }
    let usable = failed < configs.len() || configs.is_empty();
    anyhow::ensure!(usable, "none of the connectors can be started; the log says why");
    Ok(true)
}

/// Stops an engine, or not to the end if another signal comes.
pub(crate) async fn stop(engine: Engine, signals: &mut Signals) -> anyhow::Result<()> {
    tokio::select! {
        () = engine.stop() => Ok(()),
        signal = signals.received() => anyhow::bail!("{signal} again: ended before everything was committed"),
    }
}
