//! Nodes as containers of the image `apache/kafka`, run by the command line of Docker or Podman.
//!
//! The containers of a cluster share a network of their own, where each is known by its name. From
//! the host each is reached at a fixed port of loopback, so that a node that was stopped comes back
//! at the same address and with the same data.

use super::error::{KafkaError, tail};
use super::properties::{self, Wiring};
use super::{ClusterPlan, ToolOutput, run_tool};
use crate::guard::AtEnd;
use std::process::{Command, Stdio};
use std::time::Duration;

/// The listeners that only the network of the cluster can reach.
const INTERNAL_PORT: u16 = 9092;
const CONTROLLER_PORT: u16 = 9093;

/// How long an engine may take to say that it is there.
const ANSWER: Duration = Duration::from_secs(10);

/// A container engine that answers.
#[derive(Debug, Clone)]
pub(crate) struct ContainerEngine {
    program: &'static str,
}

impl ContainerEngine {
    /// Docker, else Podman. The error tells how each failed.
    pub(crate) async fn find() -> Result<Self, String> {
        let mut reasons = Vec::new();
        for program in ["docker", "podman"] {
            let mut info = tokio::process::Command::new(program);
            info.arg("info").stdin(Stdio::null()).kill_on_drop(true);
            match tokio::time::timeout(ANSWER, info.output()).await {
                Ok(Ok(output)) if output.status.success() => return Ok(Self { program }),
                Ok(Ok(output)) => {
                    reasons.push(format!("{program}: {}", tail(&String::from_utf8_lossy(&output.stderr), 1)));
                }
                Ok(Err(error)) => reasons.push(format!("{program}: {error}")),
                Err(_) => reasons.push(format!("{program}: no answer in {ANSWER:?}")),
            }
        }
        Err(reasons.join("; "))
    }

    /// Runs the engine; its standard output if it succeeds.
    async fn run(&self, arguments: &[String]) -> Result<String, KafkaError> {
        let mut command = tokio::process::Command::new(self.program);
        command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
        let output = command.output().await.map_err(KafkaError::io(format!("run {}", self.program)))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let shown: Vec<&str> = arguments.iter().take(2).map(String::as_str).collect();
        Err(KafkaError::Command {
            command: format!("{} {}", self.program, shown.join(" ")),
            output: tail(&String::from_utf8_lossy(&output.stderr), 12),
        })
    }
}

/// A cluster of containers; some may be down.
#[derive(Debug)]
pub(crate) struct ContainerCluster {
    engine: ContainerEngine,
    /// Names of containers begin with it; it is also the network's name.
    name: String,
    image: String,
    nodes: Vec<Node>,
    bootstrap: String,
    _cleanup: AtEnd,
}

#[derive(Debug)]
struct Node {
    environment: Vec<String>,
    /// For clients outside.
    ports: Vec<u16>,
    created: bool,
    runs: bool,
}

impl ContainerCluster {
    /// Fetches the image if it is missing and makes the network. Starts no node.
    pub(crate) async fn create(engine: ContainerEngine, plan: &ClusterPlan) -> Result<Self, KafkaError> {
        let image = image(&plan.version);
        if engine.run(&strings(&["image", "inspect", &image])).await.is_err() {
            engine.run(&strings(&["pull", "--quiet", &image])).await?;
        }
        let name = format!("crossdock-kafka-{}", uuid::Uuid::new_v4().simple());
        let containers: Vec<String> = (1..=plan.nodes()).map(|node| format!("{name}-{node}")).collect();
        let cleanup = AtEnd::run(&format!(
            "{program} rm -f -v {}; {program} network rm {name}",
            containers.join(" "),
            program = engine.program
        ))
        .map_err(KafkaError::io("start sh"))?;
        let nodes = (1..=plan.nodes()).map(|node| Node {
            environment: environment(node, &name, plan),
            ports: std::iter::once(plan.brokers[node - 1])
                .chain(plan.listeners.iter().map(|l| l.ports[node - 1]))
                .collect(),
            created: false,
            runs: false,
        });
        let cluster = Self {
            nodes: nodes.collect(),
            bootstrap: plan.bootstrap(),
            _cleanup: cleanup,
            engine,
            image,
            name,
        };
        cluster.engine.run(&strings(&["network", "create", &cluster.name])).await?;
        Ok(cluster)
    }

    /// Creates the container of a node, or starts the one that was stopped.
    pub(crate) async fn spawn(&mut self, node: usize) -> Result<(), KafkaError> {
        let container = self.container(node);
        let state = &self.nodes[node - 1];
        let arguments = if state.created {
            strings(&["start", &container])
        } else {
            let mut arguments = strings(&["run", "--detach", "--name", &container, "--hostname", &container]);
            arguments.extend(strings(&["--network", &self.name]));
            for port in &state.ports {
                arguments.extend(strings(&["--publish", &format!("127.0.0.1:{port}:{port}")]));
            }
            for variable in &state.environment {
                arguments.extend(strings(&["--env", variable]));
            }
            arguments.push(self.image.clone());
            arguments
        };
        self.engine.run(&arguments).await?;
        let state = &mut self.nodes[node - 1];
        (state.created, state.runs) = (true, true);
        Ok(())
    }

    pub(crate) fn runs(&self, node: usize) -> bool {
        self.nodes[node - 1].runs
    }

    pub(crate) async fn log(&self, node: usize) -> String {
        let mut command = tokio::process::Command::new(self.engine.program);
        command.args(["logs", &self.container(node)]).stdin(Stdio::null()).kill_on_drop(true);
        match command.output().await {
            Ok(output) => {
                String::from_utf8_lossy(&output.stdout).into_owned()
                    + &String::from_utf8_lossy(&output.stderr)
            }
            Err(error) => format!("(no log: {error})"),
        }
    }

    /// An error if the node's container ended by itself.
    pub(crate) async fn check(&mut self, node: usize) -> Result<(), KafkaError> {
        if !self.runs(node) {
            return Ok(());
        }
        let container = self.container(node);
        let format = "{{.State.Running}} {{.State.ExitCode}}";
        let state = self.engine.run(&strings(&["inspect", "--format", format, &container])).await?;
        match state.trim().strip_prefix("false ") {
            None => Ok(()),
            Some(code) => {
                self.nodes[node - 1].runs = false;
                let log = tail(&self.log(node).await, 30);
                Err(KafkaError::Ended { node, status: format!("exit status: {code}"), log })
            }
        }
    }

    /// Ends the node in order; with SIGKILL if that takes longer than `patience`.
    pub(crate) async fn stop(&mut self, node: usize, patience: Duration) -> Result<(), KafkaError> {
        let seconds = patience.as_secs().to_string();
        self.end(node, &["stop", "-t", &seconds]).await
    }

    pub(crate) async fn kill(&mut self, node: usize) -> Result<(), KafkaError> {
        self.end(node, &["kill"]).await
    }

    async fn end(&mut self, node: usize, command: &[&str]) -> Result<(), KafkaError> {
        if self.runs(node) {
            let container = self.container(node);
            self.engine.run(&strings(&[command, &[container.as_str()]].concat())).await?;
            self.nodes[node - 1].runs = false;
        }
        Ok(())
    }

    /// Runs the tool in the first container that is up. There the brokers have other addresses, so
    /// the bootstrap address among the arguments is replaced.
    pub(crate) async fn tool(
        &self,
        class: &str,
        arguments: &[&str],
        input: &[u8],
    ) -> Result<ToolOutput, KafkaError> {
        let up = (1..=self.nodes.len()).find(|&node| self.runs(node)).unwrap_or(1);
        let inside: Vec<String> =
            (1..=self.nodes.len()).map(|node| format!("{}:{INTERNAL_PORT}", self.container(node))).collect();
        let inside = inside.join(",");
        let mut command = Command::new(self.engine.program);
        command.args([
            "exec",
            "--interactive",
            &self.container(up),
            "/opt/kafka/bin/kafka-run-class.sh",
            class,
        ]);
        command.args(arguments.iter().map(|argument| argument.replace(&self.bootstrap, &inside)));
        run_tool(command, class, input).await
    }

    fn container(&self, node: usize) -> String {
        format!("{}-{node}", self.name)
    }
}

fn image(version: &str) -> String {
    format!("docker.io/apache/kafka:{version}")
}

/// The whole configuration goes in the environment: as soon as one property is there, the image uses none of its own.
fn environment(node: usize, name: &str, plan: &ClusterPlan) -> Vec<String> {
    let port = plan.brokers[node - 1];
    let voters: Vec<String> =
        (1..=plan.nodes()).map(|voter| format!("{voter}@{name}-{voter}:{CONTROLLER_PORT}")).collect();
    let wiring = Wiring {
        listeners: format!(
            "INTERNAL://:{INTERNAL_PORT},CONTROLLER://:{CONTROLLER_PORT},PLAINTEXT://0.0.0.0:{port}{}",
            plan.own_listeners(node, "0.0.0.0")
        ),
        advertised: format!(
            "INTERNAL://{name}-{node}:{INTERNAL_PORT},PLAINTEXT://127.0.0.1:{port}{}",
            plan.own_listeners(node, "127.0.0.1")
        ),
        voters: voters.join(","),
        protocols: plan.own_protocols(),
        inter_broker: "INTERNAL",
    };
    let mut variables = vec![
        format!("CLUSTER_ID={}", plan.cluster_id),
        format!("KAFKA_HEAP_OPTS={}", plan.jvm_options().join(" ")),
    ];
    for (key, value) in properties::of_node(node, plan.nodes(), &wiring, &plan.properties_of(node)) {
        variables.push(format!("{}={value}", properties::environment_name(&key)));
    }
    variables
}

fn strings(parts: &[&str]) -> Vec<String> {
    parts.iter().map(|&part| part.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn nodes_see_each_other_by_name_and_the_host_by_port() {
        let own = BTreeMap::from([("auto.create.topics.enable".to_owned(), "false".to_owned())]);
        let plan = ClusterPlan::new(2, Some(20_000), own).unwrap();
        let variables = environment(2, "net", &plan);
        for expected in [
            "KAFKA_NODE_ID=2",
            "KAFKA_CONTROLLER_QUORUM_VOTERS=1@net-1:9093,2@net-2:9093",
            "KAFKA_ADVERTISED_LISTENERS=INTERNAL://net-2:9092,PLAINTEXT://127.0.0.1:20001",
            "KAFKA_INTER_BROKER_LISTENER_NAME=INTERNAL",
            "KAFKA_AUTO_CREATE_TOPICS_ENABLE=false",
        ] {
            assert!(variables.iter().any(|variable| variable == expected), "{expected} in {variables:?}");
        }
    }
}
