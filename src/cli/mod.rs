//! The command line.
//!
//! - `standalone`: a worker from the files that `connect-standalone` takes.
//! - `dev`: the embedded broker and a worker, for trying things out.
//! - `connectors`: connectors from files, started and stopped.
//! - `live`: what `dev` shows while it runs.
//! - `signals`: Ctrl-C and SIGTERM.
//! - `logging`: where logs go, and their levels.

mod connectors;
mod dev;
mod live;
mod logging;
mod signals;
mod standalone;

use clap::{Parser, Subcommand};

/// Kafka Connect without the JVM.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true)]
pub(crate) struct Arguments {
    /// What is logged: error, warn, info, debug, trace, or a list such as info,crossdock_client=debug.
    /// Without it info, and warn in dev.
    #[arg(long, global = true, env = "CROSSDOCK_LOG")]
    log: Option<String>,
    /// Form of log lines.
    #[arg(long, global = true, env = "CROSSDOCK_LOG_FORMAT", value_enum, default_value_t)]
    log_format: logging::LogFormat,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs connectors in one worker, from the files that connect-standalone takes.
    Standalone(standalone::StandaloneArguments),
    /// Runs connectors with an embedded broker: nothing else is needed. For development.
    Dev(dev::DevArguments),
}

impl Arguments {
    /// Runs until the work is done or a signal comes.
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        match self.command {
            Command::Standalone(arguments) => {
                let levels = logging::init(self.log.as_deref().unwrap_or("info"), self.log_format, None)?;
                standalone::run(arguments, levels).await
            }
            Command::Dev(arguments) => dev::run(arguments, self.log.as_deref(), self.log_format).await,
        }
    }
}
