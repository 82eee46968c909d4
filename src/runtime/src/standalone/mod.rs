//! The herder of a single worker (`StandaloneHerder`): connectors come from files or the embedder, and
//! nothing is shared with other workers.
//!
//! Each connector has a lock of its own, so that one whose plugin hangs holds up no other; the REST API
//! reads the board and waits for nobody.
//!
//! - `connector`: one connector with its tasks.
//! - `host`: what a connector may ask of the worker.
//! - `slot`: its lock, and what is under way.
//! - `config`: connectors come, change and go.
//! - `life`: pauses, stops and restarts.
//! - `offsets`: what connectors have done, seen and changed.
//! - `reload`: restarts when values from configuration providers change.
//! - `read`: what there is and how it does.
//! - `topics`: the topics that connectors use.
//! - `validate`: plugins and the checks of configurations.
//! - `delegate`: the [`Herder`](crate::Herder) trait, over the others.

mod config;
mod connector;
mod delegate;
mod host;
mod life;
mod offsets;
mod read;
mod reload;
mod slot;
mod topics;
mod validate;

use crate::board::{Board, TaskProgress};
use crate::config::overrides::OverridePolicy;
use crate::config::{WorkerConfig, clients};
use crate::context;
use crate::guard::Guard;
use crate::herder::HerderError;
use crate::metrics::Startups;
use crate::offsets::file_store::FileOffsetStore;
use crate::offsets::store::{MemoryOffsetStore, OffsetStore, OffsetStoreError};
use crate::task::{PLUGIN_STOP, pipeline};
use crate::worker::Worker;
pub(crate) use connector::AnyConnector;
use crossdock_api::{ConfigError, Plugins};
use crossdock_client::{ClientConfig, Cluster};
use host::{Asked, answer};
use slot::Slot;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex as StdMutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::Instrument;

/// Why a worker or connector could not be started. Each names what to change.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The worker's or the connector's configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The file of source offsets.
    #[error(transparent)]
    Offsets(#[from] OffsetStoreError),
    /// A connector of that name is there already.
    #[error("Connector {0} already exists")]
    Exists(String),
    /// The plugin failed before it could be started.
    #[error("{0}")]
    Plugin(String),
    /// The worker's client settings.
    #[error(transparent)]
    Client(#[from] crossdock_client::ConfigError),
}

type Connectors = BTreeMap<String, Arc<Slot>>;

/// How long a caller waits for what is done to a connector: it goes on, but the caller is told. In strict mode the
/// REST API's own limit is the only one.
const CALLERS_PATIENCE: Duration = Duration::from_secs(30);

/// A worker that runs alone.
pub struct StandaloneHerder {
    this: Weak<Self>,
    worker: Arc<Worker>,
    cluster: Cluster,
    connectors: StdMutex<Connectors>,
    stopping: watch::Sender<bool>,
    guard: Guard,
    asked: Arc<Asked>,
    /// When the worker was started, in milliseconds since the epoch.
    started: i64,
}

impl StandaloneHerder {
    /// A worker without connectors. `worker_id` is the host and port of its REST API. Does not connect
    /// to Kafka yet, and so does not fail when no broker is there. Needs a tokio runtime.
    ///
    /// # Errors
    /// A wrong client setting, a policy of overrides that is none, a converter that does not exist, or a file of source offsets that cannot be
    /// used.
    pub fn start(config: WorkerConfig, plugins: Plugins, worker_id: String) -> Result<Arc<Self>, StartError> {
        pipeline::check_worker(&plugins, &config)?;
        let policy = OverridePolicy::of(&config)?;
        let offsets: Arc<dyn OffsetStore> = match config.offset_file() {
            Some(path) => Arc::new(FileOffsetStore::open(path)?),
            None => {
                tracing::warn!(
                    "offset.storage.file.filename is not set: source offsets are lost when the worker ends, and \
                     sources then start from the beginning"
                );
                Arc::new(MemoryOffsetStore::default())
            }
        };
        let cluster = Cluster::new(ClientConfig::from_map(&clients::worker(&config))?);
        let board = Arc::new(Board::new(worker_id));
        let startups = Startups::new(config.metrics());
        let worker = Arc::new(Worker { config, policy, plugins, offsets, board, startups });
        let (stopping, guard) = Guard::new();
        let started = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as i64);
        let asked = Arc::<Asked>::default();
        let herder = Arc::new_cyclic(|this| Self {
            this: Weak::clone(this),
            worker,
            cluster,
            connectors: StdMutex::default(),
            stopping,
            guard,
            asked: Arc::clone(&asked),
            started,
        });
        tokio::spawn(answer(Arc::downgrade(&herder), asked));
        if let Some(interval) = herder.worker.config.providers().shortest_ttl() {
            tokio::spawn(reload::watch(Arc::downgrade(&herder), interval));
        }
        Ok(herder)
    }

    /// Stops all tasks and connectors, side by side, each within `task.shutdown.graceful.timeout.ms` and a
    /// little. What hangs is abandoned.
    pub async fn stop(&self) {
        // Calls into plugins that are under way end here, and with them what holds a connector's lock.
        let _ = self.stopping.send(true);
        let connectors = std::mem::take(&mut *self.connectors());
        let stop_one = async |name: String, running: Arc<Slot>| {
            let limit = self.worker.abandon_after();
            let deadline = Instant::now() + limit;
            let Ok(mut running) = tokio::time::timeout(limit, running.lock()).await else {
                tracing::error!(connector = name, "the connector was busy for too long and was abandoned");
                return;
            };
            let stopping = async {
                running.stop_tasks().await;
                running.stop_connector_within((deadline - Instant::now()).max(PLUGIN_STOP)).await;
            };
            stopping.instrument(context::of_connector(&name)).await;
        };
        futures_util::future::join_all(connectors.into_iter().map(|(name, running)| stop_one(name, running)))
            .await;
    }

    /// What every task has done and its state.
    pub fn progress(&self) -> Vec<TaskProgress> {
        self.worker.board.progress()
    }

    fn connectors(&self) -> MutexGuard<'_, Connectors> {
        self.connectors.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, connector: &str) -> Result<Arc<Slot>, HerderError> {
        self.connectors().get(connector).cloned().ok_or_else(|| missing(connector))
    }

    /// How long a call into a plugin is waited for by a request that makes it pointless.
    fn patience(&self) -> Duration {
        self.worker.config.shutdown_timeout()
    }

    /// Does something to a connector, to its end even if nobody waits for it any more: a client that goes away must
    /// not leave a task half restarted.
    async fn detached<T, F>(&self, name: &str, work: impl FnOnce(Arc<Self>) -> F) -> Result<T, HerderError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, HerderError>> + Send + 'static,
    {
        let this =
            self.this.upgrade().ok_or_else(|| HerderError::Internal("the worker is stopping".to_owned()))?;
        let working = tokio::spawn(work(this).instrument(context::of_connector(name)));
        let limit = if self.worker.config.is_strict() { Duration::MAX } else { CALLERS_PATIENCE };
        match tokio::time::timeout(limit, working).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(error)) => Err(HerderError::Internal(error.to_string())),
            Err(_) => Err(HerderError::Internal(self.busy(name))),
        }
    }

    /// What keeps a connector busy.
    fn busy(&self, name: &str) -> String {
        let doing = self.connectors().get(name).and_then(|slot| slot.doing());
        let doing =
            doing.map_or_else(String::new, |(what, since)| format!(", {what} for {} s", since.as_secs()));
        format!(
            "Connector {name} is busy{doing}: its plugin does not answer. The request is carried out when it does; GET \
             /connectors/{name}/status shows the outcome"
        )
    }
}

fn missing(connector: &str) -> HerderError {
    HerderError::NotFound(format!("Connector {connector} not found"))
}
