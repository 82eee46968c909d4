//! The herder of a single worker (`StandaloneHerder`): connectors come from files or the embedder, and
//! nothing is shared with other workers.
//!
//! Each connector has a lock of its own, so that one whose plugin hangs holds up no other; the REST API
//! reads the board and waits for nobody.

mod connector;

use crate::board::{Board, TaskProgress};
use crate::config::{ConnectorConfig, WorkerConfig, clients};
use crate::guard::{Guard, caught, chain};
use crate::herder::{
    ConnectorInfo, ConnectorKind, ConnectorStatus, Herder, HerderError, RestartRequest, ServerInfo, State,
    TaskId, TaskInfo, TaskStatus,
};
use crate::offsets::file_store::FileOffsetStore;
use crate::offsets::store::{MemoryOffsetStore, OffsetStore, OffsetStoreError};
use crate::task::pipeline::{self, Pipeline};
use crate::worker::Worker;
use async_trait::async_trait;
use connector::{AnyConnector, RunningConnector, is_source};
use crossdock_api::config::ConfigType;
use crossdock_api::source::{ConnectorHost, OffsetReader};
use crossdock_api::{ConfigDef, ConfigError, ConfigMap, ConnectError, ConnectorContext, Plugins};
use crossdock_client::{ClientConfig, Cluster};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex as StdMutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::{Mutex, Notify, watch};

/// How long `GET /` waits for the cluster's id before it answers without.
const CLUSTER_ID_WAIT: Duration = Duration::from_secs(5);
/// How long a connector's own validation may take.
const VALIDATION: Duration = Duration::from_secs(60);

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

type Connectors = BTreeMap<String, Arc<Mutex<RunningConnector>>>;

/// A worker that runs alone.
pub struct StandaloneHerder {
    this: Weak<Self>,
    worker: Arc<Worker>,
    cluster: Cluster,
    connectors: StdMutex<Connectors>,
    stopping: watch::Sender<bool>,
    guard: Guard,
    asked: Arc<Asked>,
}

/// Connectors that asked for other tasks and were not answered yet.
#[derive(Default)]
struct Asked {
    names: StdMutex<BTreeSet<String>>,
    more: Notify,
}

impl StandaloneHerder {
    /// A worker without connectors. `worker_id` is the host and port of its REST API. Does not connect
    /// to Kafka yet, and so does not fail when no broker is there. Needs a tokio runtime.
    ///
    /// # Errors
    /// A wrong client setting, a converter that does not exist, or a file of source offsets that cannot be
    /// used.
    pub fn start(config: WorkerConfig, plugins: Plugins, worker_id: String) -> Result<Arc<Self>, StartError> {
        pipeline::check_worker(&plugins, &config)?;
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
        let worker = Arc::new(Worker { config, plugins, offsets, board });
        let (stopping, guard) = Guard::new();
        let asked = Arc::<Asked>::default();
        let herder = Arc::new_cyclic(|this| Self {
            this: Weak::clone(this),
            worker,
            cluster,
            connectors: StdMutex::default(),
            stopping,
            guard,
            asked: Arc::clone(&asked),
        });
        tokio::spawn(answer(Arc::downgrade(&herder), asked));
        Ok(herder)
    }

    /// Adds a connector and starts it with its tasks. That it or a task fails after its configuration
    /// was found valid is no error here: it shows in its status.
    ///
    /// # Errors
    /// A configuration that is not valid, with the key; a name that is taken.
    pub async fn add_connector(&self, raw: ConfigMap) -> Result<(), StartError> {
        let class = ConnectorConfig::class_of(&raw)?;
        let found = self.worker.plugins.connector(class);
        let plugin = found.map_err(|e| ConfigError::Other(e.to_string()))?.clone();
        let made = AnyConnector::make(&plugin).map_err(StartError::Plugin)?;
        let mut connector = made.ok_or_else(|| ConfigError::Other(format!("{class} is not a connector")))?;
        let config = Arc::new(ConnectorConfig::parse(&raw, plugin.kind())?);
        let own = caught(|| connector.as_connector().config_def()).map_err(StartError::Plugin)?;
        own.parse(&raw)?;
        self.validate(&mut connector, &own, &raw).await?;
        // Also made by each task; here to refuse what cannot work at once.
        let pipeline = Pipeline::build(&self.worker.plugins, &self.worker.config, &config)?;
        let mut warnings = config.warnings(plugin.kind(), &own);
        warnings.extend(pipeline.warnings().iter().cloned());
        warnings.extend(clients::warnings(&self.worker.config, &config, is_source(plugin.kind())));

        let name = config.name().to_owned();
        let version = caught(|| connector.as_connector().version().to_owned()).map_err(StartError::Plugin)?;
        let kind = if is_source(plugin.kind()) { ConnectorKind::Source } else { ConnectorKind::Sink };
        let host =
            Host { asked: Arc::clone(&self.asked), worker: Arc::clone(&self.worker), name: name.clone() };
        let running = Arc::new(Mutex::new(RunningConnector {
            worker: Arc::clone(&self.worker),
            guard: self.guard.clone(),
            plugin,
            config,
            connector,
            context: ConnectorContext::new(&name, Arc::new(host)),
            task_configs: Vec::new(),
            tasks: Vec::new(),
        }));
        // Nobody else knows of it yet, so this does not wait.
        let mut running_now = running.lock().await;
        {
            let mut connectors = self.connectors();
            if connectors.contains_key(&name) {
                return Err(StartError::Exists(name));
            }
            self.worker.board.add(&name, raw, kind, &version);
            connectors.insert(name.clone(), Arc::clone(&running));
        }
        for warning in warnings {
            tracing::warn!(connector = name, "{warning}");
        }
        if running_now.start().await {
            running_now.start_tasks();
        }
        Ok(())
    }

    /// The checks of the plugin itself.
    async fn validate(
        &self,
        connector: &mut AnyConnector,
        own: &ConfigDef,
        raw: &ConfigMap,
    ) -> Result<(), StartError> {
        let connector = connector.as_connector();
        let checking = self.guard.call(async move { Ok(connector.validate(raw).await) });
        let checked = tokio::time::timeout(VALIDATION, checking).await;
        let checked =
            checked.map_err(|_| StartError::Plugin("its validation took more than a minute".to_owned()))?;
        let Some((key, message)) = checked.map_err(StartError::Plugin)?.into_iter().next() else {
            return Ok(());
        };
        // A key that is not defined may be anything, so its value is not shown either.
        let shown = match own.key(&key).map(|k| k.kind()) {
            None | Some(ConfigType::Password) => "[hidden]",
            Some(_) => raw.get(&key).map_or("null", String::as_str),
        };
        Err(ConfigError::invalid(&key, shown, message).into())
    }

    /// Stops all tasks and connectors, side by side, each within `task.shutdown.graceful.timeout.ms` and a
    /// little. What hangs is abandoned.
    pub async fn stop(&self) {
        // Calls into plugins that are under way end here, and with them what holds a connector's lock.
        let _ = self.stopping.send(true);
        let connectors = std::mem::take(&mut *self.connectors());
        let stop_one = async |name: String, running: Arc<Mutex<RunningConnector>>| {
            let limit = self.worker.abandon_after() * 2;
            let Ok(mut running) = tokio::time::timeout(limit, running.lock()).await else {
                tracing::error!(connector = name, "the connector was busy for too long and was abandoned");
                return;
            };
            running.stop_tasks().await;
            running.stop_connector().await;
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

    fn find(&self, connector: &str) -> Result<Arc<Mutex<RunningConnector>>, HerderError> {
        self.connectors().get(connector).cloned().ok_or_else(|| missing(connector))
    }

    /// Runs work to its end even if nobody waits for it any more: a client that goes away must not leave a
    /// task half restarted.
    async fn detached<F>(&self, work: impl FnOnce(Arc<Self>) -> F) -> Result<(), HerderError>
    where
        F: Future<Output = Result<(), HerderError>> + Send + 'static,
    {
        let this =
            self.this.upgrade().ok_or_else(|| HerderError::Internal("the worker is stopping".to_owned()))?;
        match tokio::spawn(work(this)).await {
            Ok(outcome) => outcome,
            Err(error) => Err(HerderError::Internal(error.to_string())),
        }
    }
}

fn missing(connector: &str) -> HerderError {
    HerderError::NotFound(format!("Connector {connector} not found"))
}

/// Gives connectors that asked for it other tasks, until the herder is gone.
async fn answer(herder: Weak<StandaloneHerder>, asked: Arc<Asked>) {
    loop {
        asked.more.notified().await;
        let names = std::mem::take(&mut *asked.names.lock().unwrap_or_else(PoisonError::into_inner));
        let Some(herder) = herder.upgrade() else { return };
        for name in names {
            let Ok(running) = herder.find(&name) else { continue };
            // Each on its own: one that hangs must not hold up the others.
            tokio::spawn(async move { running.lock().await.reconfigure().await });
        }
    }
}

/// The worker's side of a connector's context.
struct Host {
    asked: Arc<Asked>,
    worker: Arc<Worker>,
    name: String,
}

impl ConnectorHost for Host {
    fn request_task_reconfiguration(&self) {
        self.asked.names.lock().unwrap_or_else(PoisonError::into_inner).insert(self.name.clone());
        self.asked.more.notify_one();
    }

    fn raise_error(&self, error: ConnectError) {
        let trace = chain(&error);
        tracing::error!(connector = self.name, "the connector has raised an error: {trace}");
        self.worker.board.set_connector(&self.name, State::Failed, Some(trace));
    }

    fn offset_reader(&self) -> Arc<dyn OffsetReader> {
        Arc::new(self.worker.source_offsets(&self.name))
    }
}

#[async_trait]
impl Herder for StandaloneHerder {
    async fn server_info(&self) -> ServerInfo {
        let cluster_id = tokio::time::timeout(CLUSTER_ID_WAIT, self.cluster.cluster_id()).await;
        ServerInfo {
            version: crossdock_api::CONNECT_VERSION.to_owned(),
            commit: crate::BUILD.to_owned(),
            kafka_cluster_id: cluster_id.ok().and_then(Result::ok),
        }
    }

    async fn connectors(&self) -> Result<Vec<String>, HerderError> {
        Ok(self.worker.board.names())
    }

    async fn connector_info(&self, connector: &str) -> Result<ConnectorInfo, HerderError> {
        self.worker.board.info(connector).ok_or_else(|| missing(connector))
    }

    async fn connector_status(&self, connector: &str) -> Result<ConnectorStatus, HerderError> {
        let status = self.worker.board.status(connector);
        status.ok_or_else(|| HerderError::NotFound(format!("No status found for connector {connector}")))
    }

    async fn task_configs(&self, connector: &str) -> Result<Vec<TaskInfo>, HerderError> {
        self.worker.board.task_infos(connector).ok_or_else(|| missing(connector))
    }

    async fn task_status(&self, connector: &str, task: u32) -> Result<TaskStatus, HerderError> {
        let id = TaskId { connector: connector.to_owned(), task };
        let status = self.worker.board.task_status(&id);
        status.ok_or_else(|| HerderError::NotFound(format!("No status found for task {id}")))
    }

    async fn restart_task(&self, connector: &str, task: u32) -> Result<(), HerderError> {
        let running = self.find(connector)?;
        let id = TaskId { connector: connector.to_owned(), task };
        self.detached(|_| async move {
            let mut running = running.lock().await;
            if id.task as usize >= running.task_configs.len() {
                return Err(HerderError::NotFound(format!("Task {id} not found")));
            }
            running.restart_task(id.task as usize).await;
            Ok(())
        })
        .await
    }

    async fn restart_connector(&self, connector: &str, request: RestartRequest) -> Result<(), HerderError> {
        let running = self.find(connector)?;
        let name = connector.to_owned();
        self.detached(|this| async move {
            let mut running = running.lock().await;
            let board = &this.worker.board;
            let wanted = |state: Option<State>| !request.only_failed || state == Some(State::Failed);
            let failed: Vec<usize> = (0..running.task_configs.len())
                .filter(|n| wanted(board.task_state(&TaskId { connector: name.clone(), task: *n as u32 })))
                .collect();
            if wanted(board.connector_state(&name)) {
                running.restart().await;
            }
            if request.include_tasks {
                for number in failed {
                    if number < running.task_configs.len() {
                        running.restart_task(number).await;
                    }
                }
            }
            Ok(())
        })
        .await
    }
}
