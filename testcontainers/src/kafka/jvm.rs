//! Nodes as local JVMs.
//!
//! All files of a cluster lie in one temporary folder: `node-1.properties`, `node-1.log`,
//! `node-1/` with its data, `log4j2.xml`. It goes with the cluster.

use super::distribution::Distribution;
use super::error::{KafkaError, tail};
use super::java::Java;
use super::probe;
use super::properties::{self, Wiring};
use super::{ClusterPlan, ToolOutput, run_tool};
use crate::guard::Guarded;
use base64::Engine as _;
use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

const LOG4J: &str = r#"<Configuration>
  <Appenders>
    <Console name="out"><PatternLayout pattern="[%d] %p %m (%c)%n"/></Console>
  </Appenders>
  <Loggers>
    <Root level="warn"><AppenderRef ref="out"/></Root>
  </Loggers>
</Configuration>
"#;

/// How often a state is looked at that changes without notice.
pub(crate) const PAUSE: Duration = Duration::from_millis(20);

/// How long a broker may take to archive its classes when it ends.
const ARCHIVING: Duration = Duration::from_secs(90);

/// A cluster of JVMs; some may be down. The processes come before the folder so that they are
/// dropped first.
#[derive(Debug)]
pub(crate) struct JvmCluster {
    nodes: Vec<Option<Guarded>>,
    java: Java,
    jars: Distribution,
    options: Vec<String>,
    folder: TempDir,
}

impl JvmCluster {
    /// Writes configurations and formatted data folders. Starts nothing.
    pub(crate) fn create(java: Java, jars: Distribution, plan: &ClusterPlan) -> Result<Self, KafkaError> {
        let folder = temporary_folder()?;
        write(&folder.path().join("log4j2.xml"), LOG4J)?;
        let mut cluster = Self { nodes: Vec::new(), options: plan.jvm_options(), java, jars, folder };
        for node in 1..=plan.nodes() {
            cluster.nodes.push(None);
            let data = cluster.data(node);
            fs::create_dir(&data).map_err(KafkaError::io(format!("create {}", data.display())))?;
            let mut own = plan.properties_of(node);
            own.entry("log.dirs".to_owned()).or_insert_with(|| data.display().to_string());
            let all = properties::of_node(node, plan.nodes(), &wiring(node, plan), &own);
            write_properties(&cluster.file(node, "properties"), all)?;
            write(&data.join("meta.properties"), &meta_properties(node, &plan.cluster_id))?;
            fs::copy(&cluster.jars.checkpoint, data.join("bootstrap.checkpoint"))
                .map_err(KafkaError::io(format!("copy {}", cluster.jars.checkpoint.display())))?;
        }
        Ok(cluster)
    }

    /// Starts the process of a node that is down.
    pub(crate) fn spawn(&mut self, node: usize) -> Result<(), KafkaError> {
        let log = self.file(node, "log");
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&log)
            .map_err(KafkaError::io(format!("open {}", log.display())))?;
        let mut command = self.command();
        command.arg("kafka.Kafka").arg(self.file(node, "properties"));
        let guarded = Guarded::spawn(&command, self.folder.path(), log);
        self.nodes[node - 1] = Some(guarded.map_err(KafkaError::io("start sh"))?);
        Ok(())
    }

    pub(crate) fn runs(&self, node: usize) -> bool {
        self.nodes[node - 1].is_some()
    }

    pub(crate) fn pid(&self, node: usize) -> Option<u32> {
        self.nodes[node - 1].as_ref().map(Guarded::pid)
    }

    pub(crate) fn log(&self, node: usize) -> String {
        // No log yet reads as an empty one.
        fs::read(self.file(node, "log"))
            .map(|text| String::from_utf8_lossy(&text).into_owned())
            .unwrap_or_default()
    }

    /// An error if the node's process ended by itself.
    pub(crate) fn check(&mut self, node: usize) -> Result<(), KafkaError> {
        let Some(process) = &mut self.nodes[node - 1] else { return Ok(()) };
        let Some(status) = process.exited().map_err(KafkaError::io("wait for java"))? else { return Ok(()) };
        self.nodes[node - 1] = None;
        Err(KafkaError::Ended { node, status: status.to_string(), log: tail(&self.log(node), 30) })
    }

    /// Ends the node in order (SIGTERM); with SIGKILL if that takes longer than `patience`.
    pub(crate) async fn stop(&mut self, node: usize, patience: Duration) -> Result<(), KafkaError> {
        let Some(process) = &mut self.nodes[node - 1] else { return Ok(()) };
        process.terminate().map_err(KafkaError::io("send SIGTERM to java"))?;
        let ended = async {
            while process.exited()?.is_none() {
                sleep(PAUSE).await;
            }
            Ok(())
        };
        if let Ok(result) = timeout(patience, ended).await {
            result.map_err(KafkaError::io("wait for java"))?;
        }
        self.kill(node)
    }

    pub(crate) fn kill(&mut self, node: usize) -> Result<(), KafkaError> {
        let Some(mut process) = self.nodes[node - 1].take() else { return Ok(()) };
        process.kill().map_err(KafkaError::io("kill java"))
    }

    pub(crate) async fn tool(
        &self,
        class: &str,
        arguments: &[&str],
        input: &[u8],
    ) -> Result<ToolOutput, KafkaError> {
        let mut command = self.command();
        // A tool ends before thorough compilation pays. A repeated option is no error to Java.
        command.arg("-XX:TieredStopAtLevel=1").arg(class).args(arguments);
        run_tool(command, class, input).await
    }

    /// Java with its options and class path; the main class comes next.
    fn command(&self) -> Command {
        let mut command = java_command(&self.java, &self.jars, &self.folder.path().join("log4j2.xml"));
        command.args(&self.options).arg("-cp").arg(&self.jars.class_path);
        command
    }

    fn data(&self, node: usize) -> PathBuf {
        self.folder.path().join(format!("node-{node}"))
    }

    fn file(&self, node: usize, kind: &str) -> PathBuf {
        self.folder.path().join(format!("node-{node}.{kind}"))
    }
}

fn java_command(java: &Java, jars: &Distribution, log4j: &Path) -> Command {
    let mut command = Command::new(&java.program);
    command.arg(format!("-Dlog4j2.configurationFile={}", log4j.display()));
    // One collector for all, since the class archive remembers it; the serial one starts fastest.
    command.arg("-XX:+UseSerialGC");
    if let Some(archive) = &jars.class_archive {
        // An archive that does not fit any more is ignored.
        command.arg(format!("-XX:SharedArchiveFile={}", archive.display())).arg("-Xshare:auto");
    }
    command
}

fn wiring(node: usize, plan: &ClusterPlan) -> Wiring {
    let (broker, controller) = (plan.brokers[node - 1], plan.controllers[node - 1]);
    let voters: Vec<String> = (1..=plan.nodes())
        .map(|voter| format!("{voter}@127.0.0.1:{}", plan.controllers[voter - 1]))
        .collect();
    Wiring {
        listeners: format!(
            "PLAINTEXT://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}{}",
            plan.own_listeners(node, "127.0.0.1")
        ),
        advertised: format!("PLAINTEXT://127.0.0.1:{broker}{}", plan.own_listeners(node, "127.0.0.1")),
        voters: voters.join(","),
        protocols: plan.own_protocols(),
        inter_broker: "PLAINTEXT",
    }
}

/// An id as Kafka writes it: 16 random bytes in URL-safe base64, not starting with a dash.
pub(crate) fn random_id() -> String {
    loop {
        let id = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(uuid::Uuid::new_v4().as_bytes());
        if !id.starts_with('-') {
            return id;
        }
    }
}

fn meta_properties(node: usize, cluster_id: &str) -> String {
    format!("version=1\nnode.id={node}\ncluster.id={cluster_id}\ndirectory.id={}\n", random_id())
}

/// Has Kafka's StorageTool format a data folder, and keeps the one file of it that is the same for
/// every folder. Formatting each new folder that way would cost a JVM start.
pub(crate) async fn format(java: &Java, class_path: &str, checkpoint: &Path) -> Result<(), KafkaError> {
    let folder = temporary_folder()?;
    let data = folder.path().join("data");
    let (log4j, config) = (folder.path().join("log4j2.xml"), folder.path().join("node.properties"));
    write(&log4j, LOG4J)?;
    let wiring = Wiring {
        listeners: "PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093".into(),
        advertised: "PLAINTEXT://127.0.0.1:9092".into(),
        voters: "1@127.0.0.1:9093".into(),
        protocols: String::new(),
        inter_broker: "PLAINTEXT",
    };
    let own = BTreeMap::from([("log.dirs".to_owned(), data.display().to_string())]);
    write_properties(&config, properties::of_node(1, 1, &wiring, &own))?;
    let mut command = Command::new(&java.program);
    command.arg(format!("-Dlog4j2.configurationFile={}", log4j.display())).arg("-cp").arg(class_path);
    command.args(["kafka.tools.StorageTool", "format", "-t", &random_id(), "-c"]).arg(&config);
    let output = run_tool(command, "kafka.tools.StorageTool", b"").await?;
    if !output.success {
        let output = tail(&format!("{}{}", output.stdout, output.stderr), 12);
        return Err(KafkaError::Command { command: "kafka.tools.StorageTool format".into(), output });
    }
    let naming = || format!("write {}", checkpoint.display());
    let part = checkpoint.with_extension("part");
    fs::copy(data.join("bootstrap.checkpoint"), &part).map_err(KafkaError::io(naming()))?;
    fs::rename(&part, checkpoint).map_err(KafkaError::io(naming()))
}

/// Starts one broker and stops it in order, so that the JVM writes the classes it used to `archive`.
pub(crate) async fn run_once_archiving(
    java: &Java,
    bare: Distribution,
    archive: &Path,
) -> Result<(), KafkaError> {
    let mut plan = ClusterPlan::new(1, None, BTreeMap::new())?;
    plan.extra_option = Some(format!("-XX:ArchiveClassesAtExit={}", archive.display()));
    let mut cluster = JvmCluster::create(java.clone(), bare, &plan)?;
    cluster.spawn(1)?;
    let address = format!("127.0.0.1:{}", plan.brokers[0]);
    let ready = async {
        while probe::cluster_view(&address).await.is_err() {
            cluster.check(1)?;
            sleep(PAUSE).await;
        }
        Ok::<_, KafkaError>(())
    };
    if let Ok(result) = timeout(ARCHIVING, ready).await {
        result?;
    }
    cluster.stop(1, ARCHIVING).await
}

fn temporary_folder() -> Result<TempDir, KafkaError> {
    let made = tempfile::Builder::new().prefix("crossdock-kafka-").tempdir();
    made.map_err(KafkaError::io("create a temporary folder"))
}

fn write(path: &Path, text: &str) -> Result<(), KafkaError> {
    fs::write(path, text).map_err(KafkaError::io(format!("write {}", path.display())))
}

fn write_properties(path: &Path, properties: BTreeMap<String, String>) -> Result<(), KafkaError> {
    let failed = || KafkaError::io(format!("write {}", path.display()));
    let file = File::create(path).map_err(failed())?;
    let properties: HashMap<String, String> = properties.into_iter().collect();
    java_properties::write(file, &properties).map_err(|error| failed()(std::io::Error::other(error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_look_like_kafkas() {
        for _ in 0..200 {
            let id = random_id();
            assert!(id.len() == 22 && !id.starts_with('-'), "{id}");
        }
    }

    #[test]
    fn every_node_knows_every_voter() {
        let mut plan = ClusterPlan::new(3, None, BTreeMap::new()).unwrap();
        plan.controllers = vec![11, 12, 13];
        assert_eq!(wiring(2, &plan).voters, "1@127.0.0.1:11,2@127.0.0.1:12,3@127.0.0.1:13");
    }
}
