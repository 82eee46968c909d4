//! The herder of a single worker (`StandaloneHerder`): connectors come from files or the embedder, and
//! nothing is shared with other workers.

use crate::board::{Board, TaskProgress};
use crate::config::{ConnectorConfig, WorkerConfig};
use crate::herder::{
    ConnectorInfo, ConnectorKind, ConnectorStatus, Herder, HerderError, RestartRequest, ServerInfo, State,
    TaskId, TaskInfo, TaskStatus,
};
use crate::offsets::file_store::FileOffsetStore;
use crate::offsets::store::{MemoryOffsetStore, OffsetStore, OffsetStoreError};
use crate::task::TaskHandle;
use crate::worker::{PluginTask, Worker, panic_message};
use async_trait::async_trait;
use crossdock_api::registry::{Factory, PluginKind};
use crossdock_api::source::{Connector, ConnectorHost, OffsetReader};
use crossdock_api::{
    ConfigError, ConfigMap, ConnectError, ConnectorContext, Plugins, SinkConnector, SourceConnector,
};
use crossdock_client::{ClientConfig, Cluster};
use futures_util::FutureExt;
use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::{Mutex, mpsc};
use tokio::time::Instant;

/// How long `GET /` waits for the cluster's id before it answers without.
const CLUSTER_ID_WAIT: Duration = Duration::from_secs(5);

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
    /// The worker's client settings.
    #[error(transparent)]
    Client(#[from] crossdock_client::ConfigError),
}

/// A connector of either kind.
enum AnyConnector {
    Sink(Box<dyn SinkConnector>),
    Source(Box<dyn SourceConnector>),
}

impl AnyConnector {
    fn as_connector(&mut self) -> &mut dyn Connector {
        match self {
            Self::Sink(connector) => &mut **connector,
            Self::Source(connector) => &mut **connector,
        }
    }

    fn task(&self) -> PluginTask {
        match self {
            Self::Sink(connector) => PluginTask::Sink(connector.task()),
            Self::Source(connector) => PluginTask::Source(connector.task()),
        }
    }
}

struct RunningConnector {
    config: Arc<ConnectorConfig>,
    connector: AnyConnector,
    task_configs: Vec<ConfigMap>,
    tasks: Vec<Option<TaskHandle>>,
}

/// A worker that runs alone.
pub struct StandaloneHerder {
    this: Weak<Self>,
    worker: Arc<Worker>,
    cluster: Cluster,
    connectors: Mutex<BTreeMap<String, RunningConnector>>,
    reconfigure: mpsc::UnboundedSender<String>,
}

impl StandaloneHerder {
    /// A worker without connectors. `worker_id` is the host and port of its REST API. Does not connect
    /// to Kafka yet, and so does not fail when no broker is there. Needs a tokio runtime.
    ///
    /// # Errors
    /// A wrong client setting, or a file of source offsets that cannot be used.
    pub fn start(config: WorkerConfig, plugins: Plugins, worker_id: String) -> Result<Arc<Self>, StartError> {
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
        let mut client = crate::config::with_prefix(config.raw(), "admin.");
        client.insert("bootstrap.servers".to_owned(), config.bootstrap_servers().to_owned());
        client.insert("client.id".to_owned(), "crossdock-worker".to_owned());
        let cluster = Cluster::new(ClientConfig::from_map(&client)?);
        let board = Arc::new(Board::new(worker_id));
        let worker = Arc::new(Worker { config, plugins, offsets, board });
        let (reconfigure, requests) = mpsc::unbounded_channel();
        let herder = Arc::new_cyclic(|this| Self {
            this: Weak::clone(this),
            worker,
            cluster,
            connectors: Mutex::default(),
            reconfigure,
        });
        tokio::spawn(answer_reconfigurations(Arc::downgrade(&herder), requests));
        Ok(herder)
    }

    /// Adds a connector and starts it with its tasks. That it or a task fails after its configuration
    /// was found valid is no error here: it shows in its status.
    ///
    /// # Errors
    /// A configuration that is not valid, with the key; a name that is taken.
    pub async fn add_connector(&self, raw: ConfigMap) -> Result<(), StartError> {
        let (plugin_kind, mut connector) = self.make_connector(ConnectorConfig::class_of(&raw)?)?;
        let config = Arc::new(ConnectorConfig::parse(&raw, plugin_kind)?);
        let own = connector.as_connector().config_def();
        own.parse(&raw)?;
        if let Some((key, message)) = connector.as_connector().validate(&raw).await.into_iter().next() {
            let value = raw.get(&key).map_or("", String::as_str);
            return Err(ConfigError::invalid(&key, value, message).into());
        }
        let name = config.name().to_owned();
        let mut connectors = self.connectors.lock().await;
        if connectors.contains_key(&name) {
            return Err(StartError::Exists(name));
        }
        for warning in config.warnings(plugin_kind, &own) {
            tracing::warn!("{warning}");
        }
        let kind = match plugin_kind {
            PluginKind::Source => ConnectorKind::Source,
            _ => ConnectorKind::Sink,
        };
        self.worker.board.add(&name, raw, kind, connector.as_connector().version());
        let mut running = RunningConnector { config, connector, task_configs: Vec::new(), tasks: Vec::new() };
        self.start_connector(&mut running).await;
        self.start_tasks(&mut running).await;
        connectors.insert(name, running);
        Ok(())
    }

    fn make_connector(&self, class: &str) -> Result<(PluginKind, AnyConnector), ConfigError> {
        let plugin = self.worker.plugins.connector(class).map_err(|e| ConfigError::Other(e.to_string()))?;
        let connector = match plugin.factory() {
            Factory::Source(make) => AnyConnector::Source(make()),
            Factory::Sink(make) => AnyConnector::Sink(make()),
            _ => return Err(ConfigError::Other(format!("{class} is not a connector"))),
        };
        Ok((plugin.kind(), connector))
    }

    /// Stops all tasks and connectors, each within `task.shutdown.graceful.timeout.ms` of this call.
    pub async fn stop(&self) {
        let mut connectors = self.connectors.lock().await;
        let limit = self.worker.config.shutdown_timeout();
        let mut tasks = Vec::new();
        for running in connectors.values_mut() {
            for (number, task) in running.tasks.iter_mut().enumerate() {
                if let Some(handle) = task.take() {
                    handle.request_stop();
                    tasks.push((
                        TaskId { connector: running.config.name().to_owned(), task: number as u32 },
                        handle,
                    ));
                }
            }
        }
        // A task takes up to the limit for each of: draining, last commit, leaving its group.
        let deadline = Instant::now() + limit * 2 + Duration::from_secs(1);
        for (id, task) in tasks {
            if !task.ended(deadline.saturating_duration_since(Instant::now())).await {
                tracing::error!(task = %id, "the task did not stop in time and was abandoned; what it had not committed is done again at the next start");
            }
        }
        for mut running in std::mem::take(&mut *connectors).into_values() {
            self.stop_connector(&mut running).await;
        }
    }

    /// Stops the connector itself; its tasks are left alone.
    async fn stop_connector(&self, running: &mut RunningConnector) {
        let name = running.config.name();
        let stopping = AssertUnwindSafe(running.connector.as_connector().stop()).catch_unwind();
        match tokio::time::timeout(self.worker.config.shutdown_timeout(), stopping).await {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(error))) => {
                tracing::warn!(connector = name, %error, "the connector did not stop cleanly")
            }
            Ok(Err(panic)) => {
                let panic = panic_message(&*panic);
                tracing::warn!(connector = name, panic, "the connector panicked while it was stopped");
            }
            Err(_) => {
                tracing::warn!(connector = name, "the connector did not stop in time and was abandoned")
            }
        }
    }

    /// What every task has done and its state.
    pub fn progress(&self) -> Vec<TaskProgress> {
        self.worker.board.progress()
    }

    /// Starts the connector itself and asks for its task configs; the outcome goes to the board.
    async fn start_connector(&self, running: &mut RunningConnector) {
        let name = running.config.name().to_owned();
        let host = Arc::new(Host {
            herder: Weak::clone(&self.this),
            worker: Arc::clone(&self.worker),
            name: name.clone(),
        });
        let context = ConnectorContext::new(&name, host);
        let config = Arc::clone(&running.config);
        let started = AssertUnwindSafe(async {
            let connector = running.connector.as_connector();
            connector.start(context, config.raw()).await?;
            connector.task_configs(config.tasks_max()).await
        });
        let trace = match started.catch_unwind().await {
            Ok(Ok(configs)) => match check_task_configs(&config, configs) {
                Ok(configs) => {
                    running.task_configs = configs;
                    self.worker.board.set_connector(&name, State::Running, None);
                    return;
                }
                Err(error) => error,
            },
            Ok(Err(error)) => chain(&error),
            Err(panic) => format!("the connector panicked while it was started: {}", panic_message(&*panic)),
        };
        tracing::error!(connector = name, "the connector has failed: {trace}");
        self.worker.board.set_connector(&name, State::Failed, Some(trace));
    }

    async fn start_tasks(&self, running: &mut RunningConnector) {
        let name = running.config.name();
        self.worker.board.set_tasks(name, &running.task_configs);
        running.tasks = Vec::new();
        for number in 0..running.task_configs.len() {
            let handle = self.start_task(running, number);
            running.tasks.push(Some(handle));
        }
    }

    fn start_task(&self, running: &RunningConnector, number: usize) -> TaskHandle {
        let id = TaskId { connector: running.config.name().to_owned(), task: number as u32 };
        let config = running.task_configs[number].clone();
        self.worker.start_task(id, Arc::clone(&running.config), config, running.connector.task())
    }

    async fn stop_tasks(&self, running: &mut RunningConnector) {
        let limit = self.worker.config.shutdown_timeout() * 2 + Duration::from_secs(1);
        let handles: Vec<TaskHandle> = running.tasks.iter_mut().filter_map(Option::take).collect();
        handles.iter().for_each(TaskHandle::request_stop);
        for handle in handles {
            handle.ended(limit).await;
        }
    }

    /// Asks a connector for its task configs again and restarts its tasks if they changed.
    async fn reconfigure(&self, name: &str) {
        let mut connectors = self.connectors.lock().await;
        let Some(running) = connectors.get_mut(name) else { return };
        let tasks_max = running.config.tasks_max();
        let asked =
            AssertUnwindSafe(running.connector.as_connector().task_configs(tasks_max)).catch_unwind().await;
        let configs = match asked {
            Ok(Ok(configs)) => check_task_configs(&running.config, configs),
            Ok(Err(error)) => Err(chain(&error)),
            Err(panic) => Err(format!("the connector panicked: {}", panic_message(&*panic))),
        };
        match configs {
            Ok(configs) if configs == running.task_configs => {}
            Ok(configs) => {
                tracing::info!(
                    connector = name,
                    tasks = configs.len(),
                    "the connector asked for other tasks"
                );
                self.stop_tasks(running).await;
                running.task_configs = configs;
                self.start_tasks(running).await;
            }
            Err(trace) => {
                tracing::error!(
                    connector = name,
                    "the connector asked for other tasks but did not give them: {trace}"
                );
                self.worker.board.set_connector(name, State::Failed, Some(trace));
            }
        }
    }

    fn missing(&self, connector: &str) -> HerderError {
        HerderError::NotFound(format!("Connector {connector} not found"))
    }
}

/// Adds what Connect adds to task configs, and refuses more than `tasks.max`.
fn check_task_configs(config: &ConnectorConfig, configs: Vec<ConfigMap>) -> Result<Vec<ConfigMap>, String> {
    if configs.len() > config.tasks_max() {
        return Err(format!(
            "The connector {} has generated {} tasks, which is greater than {}, the maximum number of tasks it is \
             configured to create. This behaviour should be considered a bug of the connector; raise tasks.max to go on.",
            config.name(),
            configs.len(),
            config.tasks_max()
        ));
    }
    Ok(configs)
}

fn chain(error: &ConnectError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.push_str("\nCaused by: ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

async fn answer_reconfigurations(
    herder: Weak<StandaloneHerder>,
    mut requests: mpsc::UnboundedReceiver<String>,
) {
    while let Some(name) = requests.recv().await {
        let Some(herder) = herder.upgrade() else { return };
        herder.reconfigure(&name).await;
    }
}

/// The worker's side of a connector's context.
struct Host {
    herder: Weak<StandaloneHerder>,
    worker: Arc<Worker>,
    name: String,
}

impl ConnectorHost for Host {
    fn request_task_reconfiguration(&self) {
        if let Some(herder) = self.herder.upgrade() {
            // Fails only when the worker is going away.
            let _ = herder.reconfigure.send(self.name.clone());
        }
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
        self.worker.board.info(connector).ok_or_else(|| self.missing(connector))
    }

    async fn connector_status(&self, connector: &str) -> Result<ConnectorStatus, HerderError> {
        let status = self.worker.board.status(connector);
        status.ok_or_else(|| HerderError::NotFound(format!("No status found for connector {connector}")))
    }

    async fn task_configs(&self, connector: &str) -> Result<Vec<TaskInfo>, HerderError> {
        self.worker.board.task_infos(connector).ok_or_else(|| self.missing(connector))
    }

    async fn task_status(&self, connector: &str, task: u32) -> Result<TaskStatus, HerderError> {
        let id = TaskId { connector: connector.to_owned(), task };
        let status = self.worker.board.task_status(&id);
        status.ok_or_else(|| HerderError::NotFound(format!("No status found for task {id}")))
    }

    async fn restart_task(&self, connector: &str, task: u32) -> Result<(), HerderError> {
        let mut connectors = self.connectors.lock().await;
        let running = connectors.get_mut(connector).ok_or_else(|| self.missing(connector))?;
        let number = task as usize;
        if number >= running.task_configs.len() {
            let id = TaskId { connector: connector.to_owned(), task };
            return Err(HerderError::NotFound(format!("Task {id} not found")));
        }
        self.restart_one(running, number).await;
        Ok(())
    }

    async fn restart_connector(&self, connector: &str, request: RestartRequest) -> Result<(), HerderError> {
        let mut connectors = self.connectors.lock().await;
        let running = connectors.get_mut(connector).ok_or_else(|| self.missing(connector))?;
        let board = &self.worker.board;
        let wanted = |state: Option<State>| !request.only_failed || state == Some(State::Failed);
        if wanted(board.connector_state(connector)) {
            self.stop_connector(running).await;
            let made = self.make_connector(running.config.class());
            running.connector = made.map_err(|e| HerderError::Internal(e.to_string()))?.1;
            let before = std::mem::take(&mut running.task_configs);
            self.start_connector(running).await;
            if board.connector_state(connector) == Some(State::Failed) {
                // The tasks that are there go on with what they have.
                running.task_configs = before;
            } else if running.task_configs != before {
                self.stop_tasks(running).await;
                self.start_tasks(running).await;
                return Ok(());
            }
        }
        if request.include_tasks {
            for number in 0..running.task_configs.len() {
                let id = TaskId { connector: connector.to_owned(), task: number as u32 };
                if wanted(board.task_state(&id)) {
                    self.restart_one(running, number).await;
                }
            }
        }
        Ok(())
    }
}

impl StandaloneHerder {
    async fn restart_one(&self, running: &mut RunningConnector, number: usize) {
        let limit = self.worker.config.shutdown_timeout() * 2 + Duration::from_secs(1);
        if let Some(handle) = running.tasks[number].take() {
            handle.request_stop();
            handle.ended(limit).await;
        }
        running.tasks[number] = Some(self.start_task(running, number));
    }
}
