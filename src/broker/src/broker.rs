//! A running broker: its builder, its listener, and its end.

use crate::config::{Config, MAX_CONNECTIONS};
use crate::connection;
use crate::error::BrokerError;
use crate::faults::{FaultHandle, FaultPlan};
use crate::shared::Shared;
use crate::sync::outcome;
use kafka_protocol::messages::ApiKey;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// Pause after a failed accept (mostly for want of file descriptors).
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// Settings of a [`Broker`] that is about to start.
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct BrokerBuilder {
    config: Config,
    faults: FaultPlan,
}

impl BrokerBuilder {
    /// Where to listen; `127.0.0.1:0`, a free port, by default. Clients are told to come back to the
    /// address that they reached the broker by.
    pub fn listen(mut self, addr: SocketAddr) -> Self {
        self.config.listen = addr;
        self
    }

    /// Keeps all data in this directory, which is created if it is missing and locked as long as the broker runs.
    /// Without it, data is in memory and goes with the broker.
    pub fn data_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.config.data_dir = Some(dir.into());
        self
    }

    /// Whether a topic comes into being when a client asks for its metadata (and allows that); true by default.
    pub fn auto_create_topics(mut self, auto_create: bool) -> Self {
        self.config.auto_create_topics = auto_create;
        self
    }

    /// Partitions of a topic that was created without a number; 1 by default.
    pub fn default_partitions(mut self, partitions: i32) -> Self {
        self.config.default_partitions = partitions;
        self
    }

    /// Shortest session timeout that a group member may ask for, as `group.min.session.timeout.ms`; 6 s
    /// by default. Tests of lost members set it lower.
    pub fn min_session_timeout(mut self, timeout: Duration) -> Self {
        self.config.min_session_timeout = timeout;
        self
    }

    /// How long the first rebalance of a group waits for more members, as
    /// `group.initial.rebalance.delay.ms`; 0 by default.
    pub fn initial_rebalance_delay(mut self, delay: Duration) -> Self {
        self.config.initial_rebalance_delay = delay;
        self
    }

    /// Serves only these APIs, and no version above the given one: an older broker. ApiVersions should be among them.
    pub fn max_versions(mut self, versions: impl IntoIterator<Item = (ApiKey, i16)>) -> Self {
        self.config.max_versions = Some(versions.into_iter().collect());
        self
    }

    /// Faults from the start on; see [`Broker::faults`] for those at run time.
    pub fn faults(mut self, plan: FaultPlan) -> Self {
        self.faults = plan;
        self
    }

    /// Recovers the data, binds the address and serves connections, on the tokio runtime that this is
    /// called on.
    pub async fn start(self) -> Result<Broker, BrokerError> {
        let Self { config, faults } = self;
        if config.default_partitions < 1 {
            return Err(BrokerError::Setting {
                setting: "default_partitions",
                expected: "at least 1",
                value: i64::from(config.default_partitions),
            });
        }
        let listen = config.listen;
        let bind = |source| BrokerError::Bind { addr: listen, source };
        let listener = TcpListener::bind(listen).await.map_err(bind)?;
        let addr = listener.local_addr().map_err(bind)?;
        let faults = FaultHandle::new(faults);
        let opened = tokio::task::spawn_blocking({
            let faults = faults.clone();
            move || Shared::open(config, faults)
        });
        let shared = Arc::new(outcome(opened).await?);
        let (stop, stopped) = watch::channel(false);
        let server = tokio::spawn(run(Arc::clone(&shared), listener, stopped));
        tracing::info!(%addr, cluster_id = shared.cluster_id, "the embedded broker is listening");
        Ok(Broker { addr, shared, faults, stop, server: Some(server) })
    }
}

/// An embedded Kafka broker: the only node of its cluster. Dropping it stops it without waiting, and
/// without a flush to the device; what it has acknowledged is then still safe from the end of the process.
/// To start another one on the same data directory, wait for [`Broker::shutdown`].
#[derive(Debug)]
pub struct Broker {
    addr: SocketAddr,
    shared: Arc<Shared>,
    faults: FaultHandle,
    stop: watch::Sender<bool>,
    server: Option<JoinHandle<()>>,
}

impl Broker {
    /// The settings of a new broker; in memory and on a free port unless they are changed.
    pub fn builder() -> BrokerBuilder {
        BrokerBuilder::default()
    }

    /// The address that is bound, with its real port.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The address as clients on this machine write it in `bootstrap.servers`.
    pub fn bootstrap(&self) -> String {
        let mut addr = self.addr;
        if addr.ip().is_unspecified() {
            addr.set_ip(match addr.ip() {
                IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
                IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
            });
        }
        addr.to_string()
    }

    /// The id of the cluster. It stays the same in a data directory.
    pub fn cluster_id(&self) -> &str {
        &self.shared.cluster_id
    }

    /// Scripts faults while the broker runs.
    pub fn faults(&self) -> FaultHandle {
        self.faults.clone()
    }

    /// Stops accepting, closes all connections, flushes the data to the device and unlocks the data
    /// directory. If the future is dropped, the broker stops without the flush.
    pub async fn shutdown(mut self) {
        self.stop.send_replace(true);
        if let Some(server) = self.server.take() {
            // An error is a panic that has been reported already, or the end of the runtime.
            let _ = server.await;
        }
        let shared = Arc::clone(&self.shared);
        drop(self);
        shared.settled().await;
        shared.blocking(Shared::sync_all).await;
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}

/// Accepts connections until the broker stops; then all of them have been closed.
async fn run(shared: Arc<Shared>, listener: TcpListener, mut stopped: watch::Receiver<bool>) {
    let mut tasks = JoinSet::new();
    tasks.spawn(Arc::clone(&shared.groups).run());
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            // An error means that the broker was dropped.
            () = raised(&mut stopped) => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => accept(&shared, &mut connections, stream, peer),
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_RETRY).await;
                }
            },
        }
    }
    drop(listener);
    connections.shutdown().await;
    tasks.shutdown().await;
}

/// Waits until the flag is raised, or its owner has gone.
async fn raised(flag: &mut watch::Receiver<bool>) {
    let _ = flag.wait_for(|raised| *raised).await;
}

fn accept(shared: &Arc<Shared>, connections: &mut JoinSet<()>, stream: TcpStream, peer: SocketAddr) {
    let mut paused = shared.faults.paused();
    if *paused.borrow() {
        return;
    }
    if connections.len() >= MAX_CONNECTIONS {
        tracing::warn!(%peer, "the connection was closed: there are {MAX_CONNECTIONS} already");
        return;
    }
    let shared = Arc::clone(shared);
    connections.spawn(async move {
        tokio::select! {
            () = connection::serve(shared, stream, peer) => {}
            () = raised(&mut paused) => {}
        }
    });
}
