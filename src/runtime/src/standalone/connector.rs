//! One connector of a standalone worker: its life and that of its tasks.

use crate::config::ConnectorConfig;
use crate::guard::{Guard, caught};
use crate::herder::{State, TaskId};
use crate::task::TaskHandle;
use crate::worker::{PluginTask, Worker};
use crossdock_api::registry::{Factory, Plugin, PluginKind};
use crossdock_api::source::Connector;
use crossdock_api::{ConfigMap, ConnectorContext, SinkConnector, SourceConnector};
use std::sync::Arc;
use std::time::Duration;

/// A connector of either kind.
pub(crate) enum AnyConnector {
    Sink(Box<dyn SinkConnector>),
    Source(Box<dyn SourceConnector>),
}

impl AnyConnector {
    /// Makes a connector of a plugin; `None` if the plugin is not a connector.
    pub(crate) fn make(plugin: &Plugin) -> Result<Option<Self>, String> {
        caught(|| match plugin.factory() {
            Factory::Source(make) => Some(Self::Source(make())),
            Factory::Sink(make) => Some(Self::Sink(make())),
            _ => None,
        })
    }

    pub(crate) fn as_connector(&mut self) -> &mut dyn Connector {
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

/// A connector that was started, with its tasks.
pub(super) struct RunningConnector {
    pub(super) worker: Arc<Worker>,
    pub(super) guard: Guard,
    pub(super) plugin: Plugin,
    pub(super) config: Arc<ConnectorConfig>,
    pub(super) connector: AnyConnector,
    pub(super) context: ConnectorContext,
    pub(super) task_configs: Vec<ConfigMap>,
    pub(super) tasks: Vec<Option<TaskHandle>>,
}

impl RunningConnector {
    /// Starts the connector itself and takes its task configs; the outcome goes to the board. `false`
    /// if it failed.
    pub(super) async fn start(&mut self) -> bool {
        let (config, context) = (Arc::clone(&self.config), self.context.clone());
        let connector = self.connector.as_connector();
        let started = self.guard.call(async move {
            connector.start(context, config.raw()).await?;
            connector.task_configs(config.tasks_max()).await
        });
        let outcome = started.await.and_then(|configs| self.check(configs));
        self.settle(outcome, "it could not be started").is_some_and(|configs| {
            self.task_configs = configs;
            true
        })
    }

    /// Stops the connector, makes a new one and starts it; tasks are restarted if their configs changed.
    pub(super) async fn restart(&mut self) {
        self.stop_connector().await;
        match AnyConnector::make(&self.plugin) {
            Ok(Some(connector)) => self.connector = connector,
            Ok(None) => return,
            Err(trace) => {
                self.settle(Err::<(), _>(trace), "it could not be made again");
                return;
            }
        }
        let before = self.task_configs.clone();
        if self.start().await && self.task_configs != before {
            self.stop_tasks().await;
            self.start_tasks();
        }
    }

    /// Asks the connector for its task configs again and restarts its tasks if they changed.
    pub(super) async fn reconfigure(&mut self) {
        let tasks_max = self.config.tasks_max();
        let asked = self.guard.call(self.connector.as_connector().task_configs(tasks_max)).await;
        let outcome = asked.and_then(|configs| self.check(configs));
        let Some(configs) = self.settle(outcome, "it asked for other tasks but did not give them") else {
            return;
        };
        if configs != self.task_configs {
            tracing::info!(
                connector = self.config.name(),
                tasks = configs.len(),
                "the connector asked for other tasks"
            );
            self.stop_tasks().await;
            self.task_configs = configs;
            self.start_tasks();
        }
    }

    pub(super) fn start_tasks(&mut self) {
        self.worker.board.set_tasks(self.config.name(), &self.task_configs);
        self.tasks = (0..self.task_configs.len()).map(|number| self.start_task(number)).collect();
    }

    pub(super) async fn restart_task(&mut self, number: usize) {
        if let Some(handle) = self.tasks.get_mut(number).and_then(Option::take) {
            end(self.task_id(number), handle, self.worker.abandon_after()).await;
        }
        let started = self.start_task(number);
        if let Some(task) = self.tasks.get_mut(number) {
            *task = started;
        }
    }

    /// Stops all tasks, side by side.
    pub(super) async fn stop_tasks(&mut self) {
        let limit = self.worker.abandon_after();
        let mut ending = Vec::new();
        for (number, task) in self.tasks.iter_mut().enumerate() {
            if let Some(handle) = task.take() {
                handle.request_stop();
                let id = TaskId { connector: self.config.name().to_owned(), task: number as u32 };
                ending.push(end(id, handle, limit));
            }
        }
        futures_util::future::join_all(ending).await;
    }

    /// Stops the connector itself; its tasks are left alone.
    pub(super) async fn stop_connector(&mut self) {
        let limit = self.worker.config.shutdown_timeout();
        let name = self.config.name();
        // Not by `self.guard`: it ends its calls when the worker stops, which is when this is called.
        let (_running, guard) = Guard::new();
        match tokio::time::timeout(limit, guard.call(self.connector.as_connector().stop())).await {
            Ok(Ok(())) => {}
            Ok(Err(trace)) => tracing::warn!(connector = name, "the connector did not stop cleanly: {trace}"),
            Err(_) => {
                tracing::warn!(connector = name, "the connector did not stop in time and was abandoned")
            }
        }
    }

    fn start_task(&self, number: usize) -> Option<TaskHandle> {
        let id = self.task_id(number);
        let config = self.task_configs.get(number)?.clone();
        match caught(|| self.connector.task()) {
            Ok(task) => Some(self.worker.start_task(id, Arc::clone(&self.config), config, task)),
            Err(trace) => {
                tracing::error!(task = %id, "the task could not be made: {trace}");
                self.worker.board.set_task(&id, State::Failed, Some(trace));
                None
            }
        }
    }

    fn task_id(&self, number: usize) -> TaskId {
        TaskId { connector: self.config.name().to_owned(), task: number as u32 }
    }

    /// Adds what Connect adds to task configs, and refuses more than `tasks.max`.
    fn check(&self, mut configs: Vec<ConfigMap>) -> Result<Vec<ConfigMap>, String> {
        let (wanted, most) = (configs.len(), self.config.tasks_max());
        if wanted > most && self.config.enforces_tasks_max() {
            return Err(format!(
                "The connector {} has generated {wanted} tasks, which is greater than {most}, the maximum number of \
                 tasks it is configured to create. This behaviour should be considered a bug of the connector; raise \
                 tasks.max, or set tasks.max.enforce to false.",
                self.config.name(),
            ));
        }
        // Java's connectors name the class of their tasks; it shows in the REST API.
        let class = self.plugin.class();
        let task_class =
            class.strip_suffix("Connector").map_or_else(|| class.to_owned(), |base| format!("{base}Task"));
        for config in &mut configs {
            config.insert("task.class".to_owned(), task_class.clone());
        }
        Ok(configs)
    }

    /// Writes the outcome of a call into the connector to the board.
    fn settle<T>(&self, outcome: Result<T, String>, what: &str) -> Option<T> {
        let name = self.config.name();
        match outcome {
            Ok(value) => {
                self.worker.board.set_connector(name, State::Running, None);
                Some(value)
            }
            Err(trace) => {
                tracing::error!(connector = name, "the connector has failed, {what}: {trace}");
                self.worker.board.set_connector(name, State::Failed, Some(trace));
                None
            }
        }
    }
}

/// Stops a task and waits for it, up to a limit.
async fn end(task: TaskId, handle: TaskHandle, limit: Duration) {
    handle.request_stop();
    if !handle.ended(limit).await {
        tracing::error!(
            %task,
            "the task did not stop within task.shutdown.graceful.timeout.ms and was abandoned; what it had not committed \
             is done again at its next start"
        );
    }
}

/// Whether a plugin of that kind is a source; connectors are of two kinds.
pub(super) fn is_source(kind: PluginKind) -> bool {
    kind == PluginKind::Source
}
