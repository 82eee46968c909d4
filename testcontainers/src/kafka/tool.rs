//! Kafka's command line tools, run to their end.

use super::error::KafkaError;
use std::process::{Command, Stdio};
use std::time::Duration;
use tokio::io::AsyncWriteExt;

/// Longer than any tool takes that is not stuck.
const LIMIT: Duration = Duration::from_secs(120);

/// What a tool printed and whether it succeeded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolOutput {
    /// Whether its exit status was 0.
    pub success: bool,
    /// Its standard output; bytes that are not UTF-8 are replaced.
    pub stdout: String,
    /// Its standard error, likewise.
    pub stderr: String,
}

/// Runs `command`, feeds it `input`, and collects what it prints.
pub(crate) async fn run_tool(command: Command, name: &str, input: &[u8]) -> Result<ToolOutput, KafkaError> {
    let failed = || KafkaError::io(format!("run {name}"));
    let mut command = tokio::process::Command::from(command);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().map_err(failed())?;
    let stdin = child.stdin.take();
    let feed = async {
        if let Some(mut stdin) = stdin {
            // A tool may end without reading all: its own output says whether that was well.
            let _ = stdin.write_all(input).await;
        }
    };
    let run = async { tokio::join!(feed, child.wait_with_output()).1 };
    let output = tokio::time::timeout(LIMIT, run).await.map_err(|_| KafkaError::Command {
        command: name.to_owned(),
        output: format!("it did not end within {LIMIT:?}; give it a limit of its own, such as --timeout-ms"),
    })?;
    let output = output.map_err(failed())?;
    Ok(ToolOutput {
        success: output.status.success(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}
