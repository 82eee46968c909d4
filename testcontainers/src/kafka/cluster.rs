//! The nodes of a cluster, wherever they run.

use super::ClusterPlan;
use super::container::{ContainerCluster, ContainerEngine};
use super::distribution::Distribution;
use super::error::KafkaError;
use super::java::Java;
use super::jvm::JvmCluster;
use super::tool::ToolOutput;
use std::path::PathBuf;
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
    /// Follows the environment if it has a say, else takes an engine before a JVM.
    pub(crate) async fn find() -> Result<Self, KafkaError> {
        let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let home = set("CROSSDOCK_KAFKA_HOME").map(PathBuf::from);
        let wanted = set("CROSSDOCK_KAFKA_RUNTIME").map(|value| value.to_string_lossy().into_owned());
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
            match ContainerEngine::find().await {
                Ok(engine) => return Ok(Self::Container(engine)),
                Err(reason) => reasons.push(reason),
            }
        }
        if jvm {
            match Java::find().await {
                Ok(java) => {
                    let jars = Distribution::prepare(&java, home.as_deref()).await?;
                    return Ok(Self::Jvm(java, jars));
                }
                Err(reason) => reasons.push(reason),
            }
        }
        Err(KafkaError::NoRuntime { reasons: reasons.join("; ") })
    }
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
