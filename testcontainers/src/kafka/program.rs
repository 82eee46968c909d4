//! Java programs of the tests' own, against Kafka's jars: what a Java client does beside ours.

use super::KAFKA_VERSION;
use super::distribution::Distribution;
use super::error::{KafkaError, tail};
use super::java::Java;
use std::path::Path;
use std::process::Stdio;
use tempfile::TempDir;
use tokio::process::Command;

/// Java programs that are compiled and can be run, as often as one likes.
#[derive(Debug)]
pub struct JavaProgram {
    java: Java,
    class_path: String,
    /// Holds the classes.
    _folder: TempDir,
}

impl JavaProgram {
    /// Compiles one Java source file against Kafka's jars, which are downloaded if they are missing.
    ///
    /// # Errors
    ///
    /// [`KafkaError::NoRuntime`] without a JDK; [`KafkaError::Command`] with the compiler's output if it
    /// does not take the source.
    pub async fn compile(source: &Path) -> Result<Self, KafkaError> {
        let java = Java::find().await.map_err(|reasons| KafkaError::NoRuntime { reasons })?;
        let home = std::env::var_os("CROSSDOCK_KAFKA_HOME").map(std::path::PathBuf::from);
        let jars = Distribution::prepare(&java, home.as_deref(), KAFKA_VERSION).await?;
        let folder = tempfile::tempdir().map_err(KafkaError::io("create a temporary folder"))?;
        // The compiler is a module of the JDK, so its launcher need not be on the path.
        let output = Command::new(&java.program)
            .args(["--module", "jdk.compiler/com.sun.tools.javac.Main", "-nowarn", "-proc:none", "-cp"])
            .arg(&jars.class_path)
            .arg("-d")
            .arg(folder.path())
            .arg(source)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .map_err(KafkaError::io("run the Java compiler"))?;
        if !output.status.success() {
            let text = format!(
                "{}{}",
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            );
            return Err(KafkaError::Command {
                command: format!("javac {}", source.display()),
                output: tail(&text, 20),
            });
        }
        let class_path = format!("{}:{}", folder.path().display(), jars.class_path);
        Ok(Self { java, class_path, _folder: folder })
    }

    /// A command that runs `class`; arguments come next. The process is killed when its handle is dropped. It
    /// should end at the end of its standard input, lest it outlive a test process that was killed.
    pub fn command(&self, class: &str) -> Command {
        let mut command = Command::new(&self.java.program);
        // Started often and short-lived: thorough compilation does not pay.
        command.args(["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp"]).arg(&self.class_path).arg(class);
        command.kill_on_drop(true);
        command
    }
}
