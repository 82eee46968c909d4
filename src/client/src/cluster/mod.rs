//! The handle to a cluster: connections, metadata and coordinators.
//!
//! # Layout
//!
//! - [`Cluster`]: calls to a given broker, or to any.
//! - `pool`: connections by broker and [`ConnectionClass`], with backoff between attempts.
//! - `refresh`: metadata: concurrent refreshes are merged into one request; a background task renews it.
//! - `coordinator`: which broker coordinates a group; `coordinators`: the same for several.
//! - `topic_ids`: names of topics that are known by id.
//!
//! # How data flows
//!
//! ```text
//! call(node, class) ─▶ snapshot: address of node ─▶ pool: connection ─▶ answer
//! refresh(topics) ─▶ any broker, else bootstrap.servers ─▶ new snapshot ─▶ watchers
//! ```
//!
//! # What it must never do
//!
//! Retry a call behind the caller's back once it may have been sent, or connect before it is asked to.

mod coordinator;
mod coordinators;
mod pool;
mod refresh;
mod retry;
mod topic_ids;

pub use coordinator::CoordinatorKind;

use crate::config::{Address, ClientConfig};
use crate::connection::{Connection, ConnectionClass};
use crate::error::{BrokerError, ClientError, ErrorCode};
use crate::metadata::{MetadataSnapshot, NodeId, TopicSelection};
use kafka_protocol::protocol::Request;
use pool::{Pool, Target};
use refresh::Refresher;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;

/// A cluster. Cheap to clone; all clones share connections and metadata.
///
/// A broker works on one request of a connection at a time. Clients whose requests may be held by the
/// broker (two consumers, two group members) must not share connections: [`Cluster::separate`] gives a
/// handle with connections of its own.
#[derive(Debug, Clone)]
pub struct Cluster {
    inner: Arc<Inner>,
    pool: Arc<Pool>,
}

#[derive(Debug)]
struct Inner {
    config: Arc<ClientConfig>,
    /// Connections for metadata, whichever handle asks.
    pool: Arc<Pool>,
    snapshot: watch::Sender<Arc<MetadataSnapshot>>,
    refresher: Refresher,
    coordinators: Mutex<HashMap<(CoordinatorKind, Arc<str>), NodeId>>,
}

impl Cluster {
    /// A handle. No I/O is done before the first call, and no runtime is needed yet.
    pub fn new(config: ClientConfig) -> Self {
        let config = Arc::new(config);
        let pool = Arc::new(Pool::new(config.clone()));
        let inner = Arc::new(Inner {
            pool: pool.clone(),
            snapshot: watch::Sender::new(Arc::default()),
            refresher: Refresher::default(),
            coordinators: Mutex::default(),
            config,
        });
        Self { inner, pool }
    }

    /// A handle that shares metadata with this one, but has connections of its own.
    pub fn separate(&self) -> Self {
        Self { inner: self.inner.clone(), pool: Arc::new(Pool::new(self.inner.config.clone())) }
    }

    /// The settings.
    pub fn config(&self) -> &ClientConfig {
        &self.inner.config
    }

    /// Calls a broker once. Connects first, if needed (within `socket.connection.setup.timeout.ms`); then
    /// the answer must come within `timeout`, or the connection is closed and the outcome unknown.
    ///
    /// The version is the highest that the broker, this client and `max_version` allow. Dropping the
    /// future gives the answer up, not the connection.
    pub async fn call<R: Request>(
        &self,
        node: NodeId,
        class: ConnectionClass,
        request: R,
        max_version: i16,
        timeout: Duration,
    ) -> Result<R::Response, ClientError> {
        self.call_with(node, class, max_version, timeout, |_| request).await
    }

    /// As [`Cluster::call`], for requests whose fields depend on the version.
    pub async fn call_with<R: Request>(
        &self,
        node: NodeId,
        class: ConnectionClass,
        max_version: i16,
        timeout: Duration,
        request: impl FnOnce(i16) -> R,
    ) -> Result<R::Response, ClientError> {
        self.connection(node, class).await?.call(max_version, timeout, request).await
    }

    /// Calls the least loaded broker that can be reached, else one of the bootstrap servers. A broker that
    /// cannot be connected to is passed over; a call that may have been sent is not repeated.
    pub async fn call_any<R: Request>(
        &self,
        request: R,
        max_version: i16,
        timeout: Duration,
    ) -> Result<R::Response, ClientError> {
        self.connection_to_any(&self.pool).await?.call(max_version, timeout, |_| request).await
    }

    /// Calls the controller, or any broker if none is known. For requests that change topics.
    pub async fn call_controller<R: Request>(
        &self,
        request: R,
        max_version: i16,
        timeout: Duration,
    ) -> Result<R::Response, ClientError> {
        self.controller_connection().await?.call(max_version, timeout, |_| request).await
    }

    /// A connection to the controller, or to any broker if none is known.
    pub async fn controller_connection(&self) -> Result<Arc<Connection>, ClientError> {
        if self.metadata().generation == 0 {
            self.refresh(TopicSelection::None, false).await?;
        }
        match self.metadata().controller {
            Some(node) => self.connection(node, ConnectionClass::Admin).await,
            None => self.connection_to_any(&self.pool).await,
        }
    }

    /// The open connection to a broker, connected if needed. Cancel-safe.
    pub async fn connection(
        &self,
        node: NodeId,
        class: ConnectionClass,
    ) -> Result<Arc<Connection>, ClientError> {
        let address = self.address_of(node).await?;
        let connected = self.pool.connection(Target::Node(node), class, &address).await;
        if connected.is_err() {
            // The broker may have moved to another address.
            self.request_refresh();
        }
        connected
    }

    /// The leader of a partition and its epoch. Asks the cluster once if it is not known.
    pub async fn leader(&self, topic: &str, partition: i32) -> Result<(NodeId, i32), ClientError> {
        match self.metadata().leader(topic, partition) {
            Ok(leader) => Ok(leader),
            Err(_) => {
                let topics = TopicSelection::Named(vec![topic.into()]);
                self.refresh(topics, false).await?.leader(topic, partition)
            }
        }
    }

    /// The cluster's id. Asks the cluster if it is not known.
    pub async fn cluster_id(&self) -> Result<String, ClientError> {
        let mut snapshot = self.metadata();
        if snapshot.generation == 0 {
            snapshot = self.refresh(TopicSelection::None, false).await?;
        }
        // Every broker since 0.10.1 tells its cluster id.
        Ok(snapshot.cluster_id.as_deref().unwrap_or_default().to_owned())
    }

    async fn address_of(&self, node: NodeId) -> Result<Address, ClientError> {
        if let Some(broker) = self.metadata().brokers.get(&node) {
            return Ok(broker.address.clone());
        }
        let snapshot = self.refresh(TopicSelection::None, false).await?;
        snapshot.brokers.get(&node).map(|b| b.address.clone()).ok_or(ClientError::UnknownNode(node))
    }

    /// Tries the known brokers, best first, then the bootstrap servers.
    async fn connection_to_any(&self, pool: &Pool) -> Result<Arc<Connection>, ClientError> {
        let mut attempts = Vec::new();
        for (target, address) in self.candidates(pool) {
            match pool.connection(target, ConnectionClass::Admin, &address).await {
                Ok(connection) => return Ok(connection),
                // Another broker would say the same, and Kafka's clients do not ask it either.
                Err(error) if error.is_authentication() => return Err(error),
                Err(error) => attempts.push(attempt(&address, &error)),
            }
        }
        Err(ClientError::Unreachable { attempts })
    }

    /// Known brokers, best first, then bootstrap servers; those not if brokers are known and
    /// `metadata.recovery.strategy` is none.
    fn candidates(&self, pool: &Pool) -> Vec<(Target, Address)> {
        let snapshot = self.metadata();
        let known = snapshot.brokers.values().map(|b| (Target::Node(b.node), b.address.clone()));
        let mut candidates = pool.by_load(known.collect(), ConnectionClass::Admin);
        if candidates.is_empty() || self.inner.config.rebootstrap {
            candidates.extend(self.bootstrap(pool));
        }
        candidates
    }

    fn bootstrap(&self, pool: &Pool) -> Vec<(Target, Address)> {
        let servers = self.inner.config.bootstrap_servers.iter().enumerate();
        let servers = servers.map(|(n, a)| (Target::Bootstrap(n), a.clone()));
        pool.by_load(servers.collect(), ConnectionClass::Admin)
    }
}

impl MetadataSnapshot {
    /// The leader of a partition and its epoch, or what stands in the way.
    pub fn leader(&self, topic: &str, partition: i32) -> Result<(NodeId, i32), ClientError> {
        let refused = |code| ClientError::from(BrokerError::new(code, "Metadata").topic(topic));
        let Some(info) = self.topics.get(topic) else {
            return Err(refused(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION));
        };
        info.error.ok().map_err(refused)?;
        let Some(found) = usize::try_from(partition).ok().and_then(|at| info.partitions.get(at)) else {
            let count = i32::try_from(info.partitions.len()).unwrap_or(i32::MAX);
            return Err(ClientError::UnknownPartition { topic: info.name.clone(), partition, count });
        };
        match found.leader {
            Some(leader) => Ok((leader, found.leader_epoch)),
            None => Err(ClientError::NoLeader { topic: info.name.clone(), partition }),
        }
    }
}

/// An entry of [`ClientError::Unreachable`], without repeating the address.
fn attempt(address: &Address, error: &ClientError) -> (Arc<str>, String) {
    let text = match error {
        ClientError::Connect { source, .. } => source.to_string(),
        other => other.to_string(),
    };
    (address.to_string().into(), text)
}
