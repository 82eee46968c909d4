//! Where logs go: to standard error, so that standard output belongs to connectors and results. Their levels can be
//! changed while the program runs, through what [`init`] gives.

use anyhow::Context;
use crossdock::runtime::loggers::Loggers;
use indicatif::ProgressBar;
use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

/// The targets of this program, which are known to `/admin/loggers` before anything is set.
const TARGETS: &[&str] = &[
    "crossdock",
    "crossdock_broker",
    "crossdock_client",
    "crossdock_connector_file",
    "crossdock_converters",
    "crossdock_rest",
    "crossdock_runtime",
    "crossdock_transforms",
    "crossdock_wire",
];

/// Starts logging by `filter`. With a live line, log lines appear above it. Gives the levels, for the REST API.
pub(crate) fn init(filter: &str, live: Option<ProgressBar>) -> anyhow::Result<Arc<Loggers>> {
    let (subscriber, loggers) = subscriber(filter, AboveLive { live }, io::stderr().is_terminal())?;
    tracing::subscriber::set_global_default(subscriber).context("logging was started twice")?;
    Ok(loggers)
}

fn subscriber<W>(
    filter: &str,
    writer: W,
    ansi: bool,
) -> anyhow::Result<(impl tracing::Subscriber + Send + Sync, Arc<Loggers>)>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let parsed = EnvFilter::try_new(filter).with_context(|| format!("--log {filter} is not a filter"))?;
    let builder = tracing_subscriber::fmt()
        .with_ansi(ansi)
        .with_writer(writer)
        .with_env_filter(parsed)
        .with_filter_reloading();
    let handle = builder.reload_handle();
    let apply = move |filter: &str| {
        let reloaded = EnvFilter::try_new(filter).map_err(|e| e.to_string());
        if let Err(error) = reloaded.and_then(|filter| handle.reload(filter).map_err(|e| e.to_string())) {
            tracing::error!(filter, error, "the levels of loggers could not be changed");
        }
    };
    Ok((builder.finish(), Arc::new(Loggers::new(filter, TARGETS, apply))))
}

/// Writes whole lines to standard error, above the live line if there is one.
#[derive(Debug, Clone)]
struct AboveLive {
    live: Option<ProgressBar>,
}

impl<'a> MakeWriter<'a> for AboveLive {
    type Writer = AboveLive;

    fn make_writer(&'a self) -> Self::Writer {
        self.clone()
    }
}

impl Write for AboveLive {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let write = || io::stderr().write_all(line);
        match &self.live {
            Some(live) => live.suspend(write)?,
            None => write()?,
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossdock::runtime::loggers::{LogLevel, LogLevels};
    use std::sync::Mutex;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(line);
            Ok(line.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_level_that_is_set_changes_what_is_logged() {
        let kept = Kept::default();
        let writer = kept.clone();
        let (subscriber, loggers) = subscriber("info", move || writer.clone(), false).unwrap();
        let logged = || String::from_utf8(std::mem::take(&mut *kept.0.lock().unwrap())).unwrap();
        let log = || {
            tracing::debug!(target: "crossdock_client::connection", "client detail");
            tracing::debug!(target: "crossdock_rest", "rest detail");
            tracing::info!(target: "crossdock_rest", "rest event");
        };
        tracing::subscriber::with_default(subscriber, || {
            log();
            let lines = logged();
            assert!(lines.contains("rest event") && !lines.contains("detail"), "{lines}");
            loggers.set("org.apache.kafka.clients", LogLevel::Debug);
            log();
            let lines = logged();
            assert!(lines.contains("client detail") && !lines.contains("rest detail"), "{lines}");
            loggers.set("root", LogLevel::Off);
            log();
            assert_eq!(logged(), "");
            loggers.set("crossdock_rest", LogLevel::All);
            log();
            let lines = logged();
            assert!(lines.contains("rest detail") && !lines.contains("client detail"), "{lines}");
        });
    }

    #[test]
    fn a_filter_that_is_none_is_refused() {
        assert!(subscriber("crossdock=loud=er", io::stderr, false).is_err());
    }
}
