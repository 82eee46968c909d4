//! Choices before the start.

use super::cluster::{Cluster, Runtime};
use super::error::KafkaError;
use super::{ClusterPlan, KAFKA_VERSION, Kafka};
use std::collections::BTreeMap;
use std::time::Duration;

/// How often a start is tried again because another process took a port in between.
const ATTEMPTS: usize = 4;

/// What a Kafka for a test should be like; see [`Kafka::builder`].
#[derive(Debug, Clone)]
#[must_use = "nothing runs before `start`"]
pub struct KafkaBuilder {
    version: Option<String>,
    nodes: usize,
    heap_mb: u32,
    port: Option<u16>,
    quick_compiler: bool,
    listeners: Vec<(String, String)>,
    properties: BTreeMap<String, String>,
    node_properties: BTreeMap<usize, BTreeMap<String, String>>,
    start_timeout: Duration,
}

impl Default for KafkaBuilder {
    fn default() -> Self {
        Self {
            version: None,
            nodes: 1,
            heap_mb: 512,
            port: None,
            quick_compiler: false,
            listeners: Vec::new(),
            properties: BTreeMap::new(),
            node_properties: BTreeMap::new(),
            start_timeout: Duration::from_secs(90),
        }
    }
}

impl KafkaBuilder {
    /// Another version of Apache Kafka than [`KAFKA_VERSION`], from 3.3.0 on, such as `3.9.1`. It cannot be chosen
    /// while `CROSSDOCK_KAFKA_HOME` names the jars. Tools have the class names of that version.
    ///
    /// [`KAFKA_VERSION`]: crate::KAFKA_VERSION
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = Some(version.into());
        self
    }

    /// How many nodes form the cluster, 1 (the default) to 9; each is both broker and controller.
    /// Internal topics have three replicas if there are as many nodes.
    pub fn nodes(mut self, nodes: usize) -> Self {
        self.nodes = nodes;
        self
    }

    /// Maximum heap of each node in MiB; 512 by default.
    pub fn heap_mb(mut self, heap_mb: u32) -> Self {
        self.heap_mb = heap_mb;
        self
    }

    /// Port of the first node for clients; the other nodes take the following ones. Random free ports
    /// by default, which tests should keep.
    pub fn port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// Stops the JVM's compiler at its quick first level: saves about half a second a start, but costs
    /// throughput. For tests that start many brokers and send little. Off by default.
    pub fn quick_compiler(mut self, on: bool) -> Self {
        self.quick_compiler = on;
        self
    }

    /// Adds a listener on a free port of each node, beside the one without security: see [`Kafka::listener`].
    /// `name` is in capitals, `protocol` one of Kafka's, such as `SASL_SSL`. What it needs beyond that is set
    /// as properties, for example `listener.name.<name in lower case>.ssl.keystore.key`; values that are PEM
    /// serve containers too, paths do not.
    pub fn listener(mut self, name: impl Into<String>, protocol: impl Into<String>) -> Self {
        self.listeners.push((name.into(), protocol.into()));
        self
    }

    /// Sets a broker property on every node, over the crate's own choice and Kafka's default.
    pub fn property(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.properties.insert(key.into(), value.into());
        self
    }

    /// Sets a broker property on one node, over that of [`KafkaBuilder::property`]. Nodes are numbered from 1.
    pub fn node_property(mut self, node: usize, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.node_properties.entry(node).or_default().insert(key.into(), value.into());
        self
    }

    /// How long the nodes may take until all of them list all of them; 90 s by default. Downloads do
    /// not count.
    pub fn start_timeout(mut self, limit: Duration) -> Self {
        self.start_timeout = limit;
        self
    }

    /// Starts the cluster and returns when every node lists every node. The first start on a machine
    /// downloads about 60 MB; the following take about two seconds.
    ///
    /// # Errors
    ///
    /// [`KafkaError`]; each says what to do. What was started by then is stopped.
    ///
    /// # Cancellation safety
    ///
    /// Dropping the future stops what was started.
    pub async fn start(self) -> Result<Kafka, KafkaError> {
        if !(1..=9).contains(&self.nodes) {
            return Err(KafkaError::Option {
                name: "nodes",
                value: self.nodes.to_string(),
                expected: "from 1 to 9",
            });
        }
        let runtime = Runtime::find(self.version.as_deref()).await?;
        let mut attempt = 1;
        loop {
            match self.attempt(runtime.clone()).await {
                Err(error) if self.port.is_none() && attempt < ATTEMPTS && error.is_port_taken() => {
                    attempt += 1;
                }
                result => return result,
            }
        }
    }

    async fn attempt(&self, runtime: Runtime) -> Result<Kafka, KafkaError> {
        let mut plan = ClusterPlan::new(self.nodes, self.port, self.properties.clone())?;
        plan.version = self.version.as_deref().unwrap_or(KAFKA_VERSION).to_owned();
        plan.node_properties = self.node_properties.clone();
        plan.heap_mb = self.heap_mb;
        plan.quick_compiler = self.quick_compiler;
        plan.listen(&self.listeners)?;
        let mut kafka = Kafka {
            cluster: Cluster::create(runtime, &plan).await?,
            bootstrap: plan.bootstrap(),
            cluster_id: plan.cluster_id,
            listeners: plan.listeners,
            ports: plan.brokers,
            start_timeout: self.start_timeout,
        };
        for node in 1..=self.nodes {
            kafka.cluster.spawn(node).await?;
        }
        kafka.wait_until_ready().await?;
        Ok(kafka)
    }
}
