//! A real Apache Kafka for tests.
//!
//! # Layout
//!
//! - [`builder`]: the choices before the start. [`plan`]: those choices with ports.
//! - [`cluster`]: what runs the nodes: [`container`]s or [`jvm`]s.
//! - [`distribution`]: jars in the user's cache; [`java`]: the Java and Maven to use them with.
//! - [`properties`]: the configuration of a node; [`ports`]: free ones.
//! - [`program`]: Java programs of the tests' own.
//! - [`probe`]: asks a broker who is in its cluster. [`tool`]: Kafka's command line tools.

mod builder;
mod cluster;
mod container;
mod distribution;
mod error;
mod java;
mod jvm;
mod plan;
mod ports;
mod probe;
mod program;
mod properties;
mod tool;

pub use builder::KafkaBuilder;
pub use error::KafkaError;
pub use program::JavaProgram;
pub use tool::ToolOutput;

use cluster::Cluster;
use error::tail;
use plan::{ClusterPlan, Listener};
use std::time::{Duration, Instant};
use tokio::sync::OnceCell;
use tokio::time::{sleep, timeout};
use tool::run_tool;

/// The version of Apache Kafka that is started, unless CROSSDOCK_KAFKA_HOME names other jars.
pub const KAFKA_VERSION: &str = "4.3.1";

/// How long a node may take to stop in order before it is killed.
const STOPPING: Duration = Duration::from_secs(30);

/// One probe; a node that is starting may accept connections and not answer.
const PROBE: Duration = Duration::from_secs(2);

/// A running Apache Kafka of one or more nodes on loopback, without authentication. Topics are created
/// on first use (Kafka's default). Nodes are numbered from 1, as their `node.id`.
///
/// It ends when this value is dropped, and when the process ends in whatever way; its data go with it.
///
/// ```no_run
/// # async fn example() -> Result<(), crossdock_testcontainers::KafkaError> {
/// use crossdock_testcontainers::Kafka;
///
/// let mut kafka = Kafka::builder().nodes(3).property("auto.create.topics.enable", "false").start().await?;
/// println!("{}", kafka.bootstrap());
/// kafka.kill_node(2).await?;
/// kafka.start_node(2).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Kafka {
    cluster: Cluster,
    bootstrap: String,
    cluster_id: String,
    listeners: Vec<Listener>,
    ports: Vec<u16>,
    start_timeout: Duration,
}

impl Kafka {
    /// One node with the defaults of [`KafkaBuilder`].
    ///
    /// # Errors
    ///
    /// See [`KafkaBuilder::start`].
    pub async fn start() -> Result<Self, KafkaError> {
        Self::builder().start().await
    }

    /// To choose the number of nodes, properties and more.
    pub fn builder() -> KafkaBuilder {
        KafkaBuilder::default()
    }

    /// One node for all tests of this process, started by the first that asks; it lives as long as the
    /// process. Since it is shared, nobody can stop it: tests that do so start their own. Give topics
    /// and groups names that no other test uses.
    ///
    /// # Errors
    ///
    /// See [`KafkaBuilder::start`]. The next call tries again.
    pub async fn shared() -> Result<&'static Self, KafkaError> {
        static SHARED: OnceCell<Kafka> = OnceCell::const_new();
        SHARED.get_or_try_init(Self::start).await
    }

    /// `host:port` of every node, separated by commas: a client's `bootstrap.servers`. Nodes that are
    /// down stay in it.
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// As [`Kafka::bootstrap`], for a listener that [`KafkaBuilder::listener`] added; `None` if there is none
    /// of that name.
    pub fn listener(&self, name: &str) -> Option<String> {
        let listener = self.listeners.iter().find(|l| l.name == name)?;
        let each: Vec<_> = listener.ports.iter().map(|port| format!("127.0.0.1:{port}")).collect();
        Some(each.join(","))
    }

    /// The cluster's id, as brokers tell it in their Metadata responses.
    pub fn cluster_id(&self) -> &str {
        &self.cluster_id
    }

    /// How many nodes there are, running or not.
    pub fn nodes(&self) -> usize {
        self.ports.len()
    }

    /// `host:port` of one node.
    ///
    /// # Errors
    ///
    /// [`KafkaError::NoSuchNode`].
    pub fn address(&self, node: usize) -> Result<String, KafkaError> {
        self.known(node)?;
        Ok(format!("127.0.0.1:{}", self.ports[node - 1]))
    }

    /// Process id of a node; `None` if it is down, runs in a container, or does not exist.
    pub fn pid(&self, node: usize) -> Option<u32> {
        self.known(node).ok().and_then(|()| self.cluster.pid(node))
    }

    /// The node's log so far: warnings and errors, or all if it runs in a container.
    ///
    /// # Errors
    ///
    /// [`KafkaError::NoSuchNode`].
    pub async fn log(&self, node: usize) -> Result<String, KafkaError> {
        self.known(node)?;
        Ok(self.cluster.log(node).await)
    }

    /// Stops a node in order (SIGTERM, controlled shutdown); kills it if that takes more than 30 s.
    /// Does nothing if it is down.
    ///
    /// # Errors
    ///
    /// [`KafkaError::NoSuchNode`]; [`KafkaError::Io`] or [`KafkaError::Command`] if the system refuses.
    pub async fn stop_node(&mut self, node: usize) -> Result<(), KafkaError> {
        self.known(node)?;
        self.cluster.stop(node, STOPPING).await
    }

    /// Kills a node (SIGKILL) and returns when it is gone. Does nothing if it is down.
    ///
    /// # Errors
    ///
    /// As [`Kafka::stop_node`].
    pub async fn kill_node(&mut self, node: usize) -> Result<(), KafkaError> {
        self.known(node)?;
        self.cluster.kill(node).await
    }

    /// Starts a node that was stopped or killed, on the same ports and data, and returns when every
    /// running node lists every running node. After a kill that takes some seconds: the controller
    /// first lets the node's old session end (`broker.session.timeout.ms`, here 3 s).
    ///
    /// # Errors
    ///
    /// [`KafkaError::NoSuchNode`], [`KafkaError::AlreadyRunning`], and those of [`KafkaBuilder::start`].
    pub async fn start_node(&mut self, node: usize) -> Result<(), KafkaError> {
        self.known(node)?;
        if self.cluster.runs(node) {
            return Err(KafkaError::AlreadyRunning { node });
        }
        self.cluster.spawn(node).await?;
        self.wait_until_ready().await
    }

    /// Runs a class of Kafka's tools to its end, for example `org.apache.kafka.tools.TopicCommand`
    /// with `["--bootstrap-server", kafka.bootstrap(), "--list"]`.
    ///
    /// # Errors
    ///
    /// [`KafkaError::Io`] if it could not be run, [`KafkaError::Command`] if it does not end within two
    /// minutes. A tool that ends with a failure is no error: see [`ToolOutput::success`].
    pub async fn tool(&self, class: &str, arguments: &[&str]) -> Result<ToolOutput, KafkaError> {
        self.tool_with_input(class, arguments, b"").await
    }

    /// As [`Kafka::tool`], with bytes for the tool's standard input.
    ///
    /// # Errors
    ///
    /// As [`Kafka::tool`].
    pub async fn tool_with_input(
        &self,
        class: &str,
        arguments: &[&str],
        input: &[u8],
    ) -> Result<ToolOutput, KafkaError> {
        self.cluster.tool(class, arguments, input).await
    }

    fn known(&self, node: usize) -> Result<(), KafkaError> {
        if (1..=self.nodes()).contains(&node) {
            return Ok(());
        }
        Err(KafkaError::NoSuchNode { node, nodes: self.nodes() })
    }

    /// Waits until every running node answers and lists every running node.
    async fn wait_until_ready(&mut self) -> Result<(), KafkaError> {
        let begin = Instant::now();
        let running: Vec<usize> = (1..=self.nodes()).filter(|&node| self.cluster.runs(node)).collect();
        for &node in &running {
            while let Err(last) = self.lists(node, &running).await {
                self.check(&running).await?;
                if begin.elapsed() > self.start_timeout {
                    let log = tail(&self.cluster.log(node).await, 30);
                    return Err(KafkaError::NotReady { node, waited: begin.elapsed(), last, log });
                }
                sleep(jvm::PAUSE).await;
            }
        }
        // A stranger on our port has another cluster id, but our node may have ended since it answered.
        self.check(&running).await
    }

    async fn check(&mut self, running: &[usize]) -> Result<(), KafkaError> {
        for &node in running {
            self.cluster.check(node).await?;
        }
        Ok(())
    }

    /// Whether `node` lists all of `expected`; the error says what it lacks.
    async fn lists(&self, node: usize, expected: &[usize]) -> Result<(), String> {
        let address = format!("127.0.0.1:{}", self.ports[node - 1]);
        let view = match timeout(PROBE, probe::cluster_view(&address)).await {
            Ok(Ok(view)) => view,
            Ok(Err(error)) => return Err(error.to_string()),
            Err(_) => return Err(format!("no answer within {PROBE:?}")),
        };
        if view.cluster_id != self.cluster_id {
            return Err(format!("another cluster answers at {address}"));
        }
        let missing =
            expected.iter().any(|&id| !view.brokers.iter().any(|&broker| usize::try_from(broker) == Ok(id)));
        if missing { Err(format!("it lists only the brokers {:?}", view.brokers)) } else { Ok(()) }
    }
}
