//! Where logs go: to standard error, so that standard output belongs to connectors and results.

use anyhow::Context;
use indicatif::ProgressBar;
use std::io::{self, IsTerminal, Write};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

/// Starts logging by `filter`. With a live line, log lines appear above it.
pub(crate) fn init(filter: &str, live: Option<ProgressBar>) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(filter).with_context(|| format!("--log {filter} is not a filter"))?;
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(io::stderr().is_terminal())
        .with_writer(AboveLive { live })
        .finish();
    tracing::subscriber::set_global_default(subscriber).context("logging was started twice")
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
