//! What can keep a test's Kafka from running.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// Kafka could not be started, stopped or used. Each message ends with what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KafkaError {
    /// This machine has nothing that can run Kafka.
    #[error(
        "neither a container engine nor java and mvn can run Kafka here ({reasons}); start Docker or Podman, or \
         install a JDK of version 17 or later and Maven (Debian: `apt-get install default-jdk-headless maven`; \
         macOS: `brew install openjdk maven` and set JAVA_HOME), or set CROSSDOCK_KAFKA_HOME to a folder of \
         Kafka jars"
    )]
    NoRuntime {
        /// What was tried and how it failed.
        reasons: String,
    },
    /// An environment variable or an option of the builder has a value that cannot be used.
    #[error("{name} is {value:?}, but must be {expected}")]
    Option {
        /// The variable or option.
        name: &'static str,
        /// Its value.
        value: String,
        /// What it may be.
        expected: &'static str,
    },
    /// Maven could not download Kafka's jars.
    #[error(
        "Maven could not download Kafka's jars into {}: {output}\ncheck the network and ~/.m2/settings.xml, or set \
         CROSSDOCK_KAFKA_HOME to a folder of Kafka jars",
        folder.display()
    )]
    Download {
        /// The folder in the user's cache.
        folder: PathBuf,
        /// The end of Maven's output.
        output: String,
    },
    /// A command failed that should have worked.
    #[error("`{command}` failed: {output}")]
    Command {
        /// The command, shortened.
        command: String,
        /// The end of its output.
        output: String,
    },
    /// A node ended although nobody asked it to.
    #[error("Kafka node {node} ended ({status}); the end of its log:\n{log}")]
    Ended {
        /// The node's id, from 1.
        node: usize,
        /// How it ended.
        status: String,
        /// The end of its log, which usually names the cause.
        log: String,
    },
    /// A node did not answer in time.
    #[error(
        "Kafka node {node} was not ready after {waited:?} ({last}); give it more time with \
         KafkaBuilder::start_timeout, or see the end of its log:\n{log}"
    )]
    NotReady {
        /// The node's id, from 1.
        node: usize,
        /// How long it was given.
        waited: Duration,
        /// What the last probe saw.
        last: String,
        /// The end of its log.
        log: String,
    },
    /// The caller named a node that the cluster does not have.
    #[error("there is no node {node}: the nodes of this cluster are numbered from 1 to {nodes}")]
    NoSuchNode {
        /// The number given.
        node: usize,
        /// How many nodes there are.
        nodes: usize,
    },
    /// The caller started a node that runs.
    #[error("node {node} is running; stop or kill it before starting it again")]
    AlreadyRunning {
        /// The node's id, from 1.
        node: usize,
    },
    /// The operating system refused something.
    #[error("could not {doing}: {source}")]
    Io {
        /// What was attempted, with the path or program.
        doing: String,
        /// The refusal.
        source: io::Error,
    },
}

impl KafkaError {
    /// For `map_err`: an I/O error with what was attempted.
    pub(crate) fn io(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Io { doing, source }
    }

    /// Whether another process took the port between our choice and the node's start.
    pub(crate) fn is_port_taken(&self) -> bool {
        const PHRASES: [&str; 3] =
            ["Address already in use", "address already in use", "port is already allocated"];
        match self {
            Self::Ended { log: text, .. } | Self::Command { output: text, .. } => {
                PHRASES.iter().any(|phrase| text.contains(phrase))
            }
            _ => false,
        }
    }
}

/// The last lines of a text, for error messages.
pub(crate) fn tail(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_runtime_says_what_to_install() {
        let text = KafkaError::NoRuntime { reasons: "docker: not found".into() }.to_string();
        for part in ["docker: not found", "apt-get install", "brew install", "CROSSDOCK_KAFKA_HOME"] {
            assert!(text.contains(part), "{text}");
        }
    }

    #[test]
    fn tail_keeps_the_last_lines() {
        assert_eq!(tail("a\nb\nc\n", 2), "b\nc");
        assert_eq!(tail("a", 2), "a");
    }
}
