//! Finds the Java and Maven of this machine.

use super::error::{KafkaError, tail};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;
use std::process::Stdio;
use tokio::process::Command;

/// The oldest Java that runs Kafka 4 brokers.
const OLDEST: u32 = 17;

/// A Java that can run Kafka.
#[derive(Debug, Clone)]
pub(crate) struct Java {
    /// The launcher.
    pub(crate) program: PathBuf,
    /// Differs between builds of Java, for files in the cache that only one build can read.
    pub(crate) build: String,
}

impl Java {
    /// Takes `$JAVA_HOME/bin/java` if it is there, else `java` on the path. The error says in a few
    /// words why neither will do.
    pub(crate) async fn find() -> Result<Self, String> {
        let at_home = std::env::var_os("JAVA_HOME").map(|home| PathBuf::from(home).join("bin/java"));
        let program = at_home.filter(|path| path.exists()).unwrap_or_else(|| PathBuf::from("java"));
        // macOS has a `java` that only tells the user to install one, so it is not enough that it exists.
        let output = Command::new(&program)
            .arg("-version")
            .stdin(Stdio::null())
            .output()
            .await
            .map_err(|error| format!("{}: {error}", program.display()))?;
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        let version = output.status.success().then(|| major_version(&text)).flatten();
        match version {
            Some(version) if version >= OLDEST => {
                let mut hasher = DefaultHasher::new();
                text.hash(&mut hasher);
                Ok(Self { program, build: format!("{version}-{:016x}", hasher.finish()) })
            }
            Some(version) => {
                Err(format!("{} is version {version}, Kafka needs {OLDEST} or later", program.display()))
            }
            None => Err(format!("{}: {}", program.display(), tail(&text, 2))),
        }
    }
}

/// 17 from `openjdk version "17.0.15" 2025-04-15`, 8 from `java version "1.8.0_401"`.
fn major_version(text: &str) -> Option<u32> {
    // Other lines may come first, such as the one about JAVA_TOOL_OPTIONS.
    let (_, quoted) = text.split_once(" version \"")?;
    let mut numbers = quoted.split(|letter: char| !letter.is_ascii_digit());
    match numbers.next()?.parse().ok()? {
        1 => numbers.next()?.parse().ok(),
        version => Some(version),
    }
}

/// Runs `mvn` with `arguments`.
///
/// # Errors
///
/// The end of its output if it fails; why it could not be started otherwise.
pub(crate) async fn maven(arguments: &[&std::ffi::OsStr]) -> Result<(), MavenFailure> {
    let output =
        Command::new("mvn").args(arguments).stdin(Stdio::null()).kill_on_drop(true).output().await.map_err(
            |error| match error.kind() {
                std::io::ErrorKind::NotFound => MavenFailure::Missing,
                _ => MavenFailure::Other(KafkaError::Io { doing: "run mvn".into(), source: error }),
            },
        )?;
    if output.status.success() {
        return Ok(());
    }
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    Err(MavenFailure::Failed(tail(&text, 12)))
}

/// Why Maven did nothing.
#[derive(Debug)]
pub(crate) enum MavenFailure {
    /// It is not installed.
    Missing,
    /// It ran and failed; the end of its output.
    Failed(String),
    /// Something else.
    Other(KafkaError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_old_and_new() {
        for (text, version) in [
            ("openjdk version \"17.0.15\" 2025-04-15\nmore \"x\"", Some(17)),
            ("openjdk version \"25-ea\" 2025-09-16", Some(25)),
            ("openjdk version \"21\" 2023-09-19", Some(21)),
            ("java version \"1.8.0_401\"", Some(8)),
            ("The operation couldn't be completed.", None),
            ("Picked up JAVA_TOOL_OPTIONS: -Da=\"b\"\nopenjdk version \"21.0.1\"", Some(21)),
            ("a version \"\"", None),
        ] {
            assert_eq!(major_version(text), version, "{text}");
        }
    }
}
