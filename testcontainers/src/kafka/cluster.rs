//! The nodes of a cluster, wherever they run.

use super::container::{ContainerCluster, ContainerEngine};
use super::distribution::Distribution;
use super::error::KafkaError;
use super::java::Java;
use super::jvm::JvmCluster;
use super::tool::ToolOutput;
use super::{ClusterPlan, KAFKA_VERSION};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What runs the nodes on this machine.
#[derive(Debug, Clone)]
pub(crate) enum Runtime {
    /// A container engine that answers.
    Container(ContainerEngine),
    /// Java, with jars that are ready.
    Jvm(Java, Distribution),
}

impl Runtime {
    /// Follows the environment if it has a say, else takes an engine before a JVM. `version` is the caller's own
    /// wish.
    pub(crate) async fn find(version: Option<&str>) -> Result<Self, KafkaError> {
        let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let home = set("CROSSDOCK_KAFKA_HOME").map(PathBuf::from);
        let wanted = set("CROSSDOCK_KAFKA_RUNTIME").map(|value| value.to_string_lossy().into_owned());
        let version = chosen(version, home.as_deref())?;
        let mut reasons = Vec::new();
        let (container, jvm) = match wanted.as_deref() {
            None => (home.is_none(), true),
            Some("container") => (true, false),
            Some("jvm") => (false, true),
            Some(other) => {
                return Err(KafkaError::Option {
                    name: "CROSSDOCK_KAFKA_RUNTIME",
                    value: other.to_owned(),
                    expected: "container or jvm",
                });
            }
        };
        if container {
            let engine = match has_image(version) {
                true => ContainerEngine::find().await,
                false => {
                    Err(format!("containers: there is no image of Kafka {version}, the first is of 3.7"))
                }
            };
            match engine {
                Ok(engine) => return Ok(Self::Container(engine)),
                Err(reason) => reasons.push(reason),
            }
        }
        if jvm {
            match Java::find().await {
                Ok(java) => {
                    let jars = Distribution::prepare(&java, home.as_deref(), version).await?;
                    return Ok(Self::Jvm(java, jars));
                }
                Err(reason) => reasons.push(reason),
            }
        }
        Err(KafkaError::NoRuntime { reasons: reasons.join("; ") })
    }
}

/// The version to run. Jars of the user's own are of one version, whichever.
fn chosen<'a>(wanted: Option<&'a str>, home: Option<&Path>) -> Result<&'a str, KafkaError> {
    let wrong = |version: &str, expected| {
        Err(KafkaError::Option { name: "KafkaBuilder::version", value: version.to_owned(), expected })
    };
    match wanted {
        None => Ok(KAFKA_VERSION),
        Some(version) if home.is_some() => wrong(
            version,
            "left out while CROSSDOCK_KAFKA_HOME names Kafka's jars; unset that to run versions by number",
        ),
        // It names a folder, too.
        Some(version) if numbers(version).is_some_and(|numbers| numbers >= (3, 3)) => Ok(version),
        Some(version) => wrong(version, "a version of Apache Kafka from 3.3.0 on, such as 3.9.1"),
    }
}

/// The first two numbers of a version of three.
fn numbers(version: &str) -> Option<(u32, u32)> {
    let mut numbers = version.split('.').map(|number| number.parse::<u32>().ok());
    let (major, minor, _) = (numbers.next()??, numbers.next()??, numbers.next()??);
    numbers.next().is_none().then_some((major, minor))
}

/// Apache publishes images since 3.7.0.
fn has_image(version: &str) -> bool {
    numbers(version).is_some_and(|numbers| numbers >= (3, 7))
}

/// The nodes, numbered from 1. Callers have checked the numbers.
#[derive(Debug)]
pub(crate) enum Cluster {
    Container(ContainerCluster),
    Jvm(JvmCluster),
}

impl Cluster {
    pub(crate) async fn create(runtime: Runtime, plan: &ClusterPlan) -> Result<Self, KafkaError> {
        Ok(match runtime {
            Runtime::Container(engine) => Self::Container(ContainerCluster::create(engine, plan).await?),
            Runtime::Jvm(java, jars) => Self::Jvm(JvmCluster::create(java, jars, plan)?),
        })
    }

    pub(crate) async fn spawn(&mut self, node: usize) -> Result<(), KafkaError> {
        match self {
            Self::Container(cluster) => cluster.spawn(node).await,
            Self::Jvm(cluster) => cluster.spawn(node),
        }
    }

    pub(crate) fn runs(&self, node: usize) -> bool {
        match self {
            Self::Container(cluster) => cluster.runs(node),
            Self::Jvm(cluster) => cluster.runs(node),
        }
    }

    pub(crate) fn pid(&self, node: usize) -> Option<u32> {
        match self {
            Self::Container(_) => None,
            Self::Jvm(cluster) => cluster.pid(node),
        }
    }

    pub(crate) async fn log(&self, node: usize) -> String {
        match self {
            Self::Container(cluster) => cluster.log(node).await,
            Self::Jvm(cluster) => cluster.log(node),
        }
    }

    pub(crate) async fn check(&mut self, node: usize) -> Result<(), KafkaError> {
        match self {
            Self::Container(cluster) => cluster.check(node).await,
            Self::Jvm(cluster) => cluster.check(node),
        }
    }

    pub(crate) async fn stop(&mut self, node: usize, patience: Duration) -> Result<(), KafkaError> {
        match self {
            Self::Container(cluster) => cluster.stop(node, patience).await,
            Self::Jvm(cluster) => cluster.stop(node, patience).await,
        }
    }

    pub(crate) async fn kill(&mut self, node: usize) -> Result<(), KafkaError> {
        match self {
            Self::Container(cluster) => cluster.kill(node).await,
            Self::Jvm(cluster) => cluster.kill(node),
        }
    }

    pub(crate) async fn tool(
        &self,
        class: &str,
        arguments: &[&str],
        input: &[u8],
    ) -> Result<ToolOutput, KafkaError> {
        match self {
            Self::Container(cluster) => cluster.tool(class, arguments, input).await,
            Self::Jvm(cluster) => cluster.tool(class, arguments, input).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_numbers_from_the_first_without_zookeeper() {
        assert_eq!(chosen(None, None).unwrap(), KAFKA_VERSION);
        for version in ["3.3.2", "3.9.1", "10.0.0"] {
            assert_eq!(chosen(Some(version), None).unwrap(), version);
        }
        for version in ["", "3.9", "3.2.3", "2.8.2", "latest", "4.0.0.0", "../4.0.0"] {
            let text = chosen(Some(version), None).unwrap_err().to_string();
            assert!(text.contains("KafkaBuilder::version") && text.contains("such as 3.9.1"), "{text}");
        }
        assert!(has_image("3.7.0") && has_image(KAFKA_VERSION) && !has_image("3.3.2"));
    }

    #[test]
    fn a_version_is_an_error_beside_jars_of_the_users_own() {
        let home = Some(Path::new("/opt/kafka"));
        assert_eq!(chosen(None, home).unwrap(), KAFKA_VERSION);
        let text = chosen(Some("3.9.1"), home).unwrap_err().to_string();
        assert!(text.contains("3.9.1") && text.contains("CROSSDOCK_KAFKA_HOME"), "{text}");
    }
}
