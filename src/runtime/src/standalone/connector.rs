//! One connector of a standalone worker: its life and that of its tasks.

use crate::config::ConnectorConfig;
use crate::guard::{Guard, caught};
use crate::herder::{ConnectorKind, State, TargetState, TaskId};
use crate::lent::Lent;
use crate::task::TaskHandle;
use crate::worker::{PluginTask, Worker};
use crossdock_api::registry::{Factory, Plugin, PluginKind};
use crossdock_api::source::Connector;
use crossdock_api::{ConfigError, ConfigMap, ConnectorContext, SinkConnector, SourceConnector};
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

    /// A new task.
    fn task(&self) -> PluginTask {
        match self {
            Self::Sink(connector) => PluginTask::Sink(connector.task()),
            Self::Source(connector) => PluginTask::Source(connector.task()),
        }
    }
}

/// What a connector is made of, as its configuration says.
pub(super) struct Definition {
    pub(super) plugin: Plugin,
    pub(super) config: Arc<ConnectorConfig>,
    pub(super) connector: AnyConnector,
    /// What the plugin says of its version.
    pub(super) version: String,
}

/// A connector with its tasks, whatever their states.
pub(super) struct RunningConnector {
    pub(super) worker: Arc<Worker>,
    pub(super) guard: Guard,
    pub(super) plugin: Plugin,
    pub(super) config: Arc<ConnectorConfig>,
    pub(super) connector: Lent<AnyConnector>,
    pub(super) version: String,
    pub(super) context: ConnectorContext,
    /// What an operator wants of it.
    pub(super) target: TargetState,
    /// Whether the plugin was started and not stopped since.
    pub(super) is_started: bool,
    /// Whether the plugin was never started.
    pub(super) is_fresh: bool,
    /// Whether it is gone: who waited for its lock comes too late.
    pub(super) is_deleted: bool,
    pub(super) task_configs: Vec<ConfigMap>,
    /// The connector's configuration that the tasks were made for.
    pub(super) applied: Option<Arc<ConnectorConfig>>,
    pub(super) tasks: Vec<Option<TaskHandle>>,
}

impl RunningConnector {
    /// Brings the connector itself to its target state; its tasks are left alone. The outcome goes to the board.
    ///
    /// # Errors
    /// The trace, if it could not be started, or has failed before and was not restarted since.
    pub(super) async fn enter_target(&mut self) -> Result<(), String> {
        let (board, name) = (Arc::clone(&self.worker.board), self.config.name().to_owned());
        let has_failed = board.connector_state(&name) == Some(State::Failed);
        match self.target {
            TargetState::Stopped => {
                self.stop_connector().await;
                board.set_connector(&name, State::Stopped, None);
                Ok(())
            }
            _ if has_failed => Err("it has failed; restart it".to_owned()),
            TargetState::Paused => {
                self.stop_connector().await;
                board.set_connector(&name, State::Paused, None);
                Ok(())
            }
            TargetState::Started if self.is_started => Ok(()),
            TargetState::Started => {
                let started = self.start().await;
                self.worker.startups.connector(started.is_ok());
                self.settle(started, "it could not be started")
            }
        }
    }

    async fn start(&mut self) -> Result<(), String> {
        if !self.is_fresh {
            self.make_anew()?;
        }
        self.is_fresh = false;
        let (config, context) = (Arc::clone(&self.config), self.context.clone());
        // Even one that fails may have taken something that its stop gives back.
        self.is_started = true;
        let starting = self.connector.call(&self.guard, Duration::MAX, move |connector| {
            Box::pin(async move { connector.as_connector().start(context, config.raw()).await })
        });
        starting.await
    }

    fn make_anew(&mut self) -> Result<(), String> {
        let made = AnyConnector::make(&self.plugin)?;
        self.connector = Lent::new(made.ok_or_else(|| "it is no connector".to_owned())?);
        Ok(())
    }

    /// Stops the connector and starts it anew, if its target state is that; tasks are left alone.
    ///
    /// # Errors
    /// As [`Self::enter_target`].
    pub(super) async fn restart(&mut self) -> Result<(), String> {
        self.stop_connector().await;
        self.look_up_again();
        self.worker.board.set_connector(self.config.name(), State::Unassigned, None);
        self.enter_target().await
    }

    /// Becomes what a definition says, in the target state; tasks are left alone.
    ///
    /// # Errors
    /// As [`Self::enter_target`].
    pub(super) async fn redefine(&mut self, definition: Definition) -> Result<(), String> {
        self.stop_connector().await;
        let Definition { plugin, config, connector, version } = definition;
        (self.plugin, self.config, self.version) = (plugin, config, version);
        (self.connector, self.is_fresh) = (Lent::new(connector), true);
        self.publish();
        self.worker.board.set_connector(self.config.name(), State::Unassigned, None);
        self.enter_target().await
    }

    /// Shows its configuration on the board.
    pub(super) fn publish(&self) {
        let kind = if is_source(self.plugin.kind()) { ConnectorKind::Source } else { ConnectorKind::Sink };
        self.worker.board.put(self.config.name(), self.config.given().clone(), kind, &self.version);
    }

    /// Asks the connector for its task configs and restarts its tasks if anything has changed for them
    /// (`AbstractHerder.taskConfigsChanged`). Nothing unless it runs.
    ///
    /// # Errors
    /// The trace, if it did not give them.
    pub(super) async fn update_tasks(&mut self) -> Result<(), String> {
        if self.target != TargetState::Started || !self.is_started || self.has_failed() {
            return Ok(());
        }
        let tasks_max = self.config.tasks_max();
        let asked = self.connector.call(&self.guard, Duration::MAX, move |connector| {
            Box::pin(async move { connector.as_connector().task_configs(tasks_max).await })
        });
        let asked = asked.await;
        let asked = asked.and_then(|configs| self.check(configs));
        let configs = self.settle(asked, "it did not give the configs of its tasks")?;
        let is_applied = self.applied.as_ref().is_some_and(|applied| applied.raw() == self.config.raw());
        if configs == self.task_configs && is_applied {
            return Ok(());
        }
        tracing::info!(connector = self.config.name(), tasks = configs.len(), "tasks are (re)started");
        self.stop_tasks().await;
        self.task_configs = configs;
        self.applied = Some(Arc::clone(&self.config));
        self.start_tasks().await;
        Ok(())
    }

    fn has_failed(&self) -> bool {
        self.worker.board.connector_state(self.config.name()) == Some(State::Failed)
    }

    /// Says what the connector shall do, tasks included; what goes wrong shows in its status.
    pub(super) async fn set_target(&mut self, target: TargetState) {
        if target == TargetState::Stopped {
            self.drop_tasks().await;
        }
        self.target = target;
        let entered = self.enter_target().await;
        if target != TargetState::Stopped {
            for task in self.tasks.iter().flatten() {
                task.set_paused(target == TargetState::Paused);
            }
        }
        let outcome = match entered {
            Ok(()) => self.update_tasks().await,
            failed => failed,
        };
        if let Err(trace) = outcome {
            let (connector, target) = (self.config.name(), target.connects_name());
            tracing::error!(connector, "the connector could not become {target}: {trace}");
        }
    }

    /// Asks the configuration providers again. Tasks are not restarted, but get the new values when they are.
    fn look_up_again(&mut self) {
        match self.looked_up() {
            Ok(config) if config.raw() == self.config.raw() => {}
            Ok(config) => {
                let old = std::mem::replace(&mut self.config, Arc::new(config));
                for task in &mut self.task_configs {
                    old.restore(task);
                    // What the connector made of other values stays as it is until it is asked for tasks.
                    if let Ok(resolved) = self.worker.config.providers().resolve(task) {
                        task.clone_from(resolved.config());
                    }
                }
            }
            Err(error) => tracing::error!(
                connector = self.config.name(),
                "configuration providers cannot be asked again; the values from before are used on: {error}"
            ),
        }
    }

    fn looked_up(&self) -> Result<ConnectorConfig, ConfigError> {
        let resolved = self.worker.config.providers().resolve(self.config.given())?;
        let parsed = ConnectorConfig::parse(resolved.config(), self.plugin.kind());
        parsed.map_err(|error| resolved.hide_in(error)).map(|config| config.resolved_from(resolved))
    }

    async fn start_tasks(&mut self) {
        let mut shown = self.task_configs.clone();
        shown.iter_mut().for_each(|config| self.config.restore(config));
        self.worker.board.set_tasks(self.config.name(), &shown);
        self.tasks.clear();
        for number in 0..self.task_configs.len() {
            let started = self.start_task(number).await;
            self.tasks.push(started);
        }
    }

    pub(super) async fn restart_task(&mut self, number: usize) {
        if let Some(handle) = self.tasks.get_mut(number).and_then(Option::take) {
            end(self.task_id(number), handle, self.worker.abandon_after()).await;
        }
        self.look_up_again();
        let started = self.start_task(number).await;
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

    /// Stops all tasks and forgets them.
    pub(super) async fn drop_tasks(&mut self) {
        self.stop_tasks().await;
        self.tasks.clear();
        self.task_configs.clear();
        self.applied = None;
        self.worker.board.set_tasks(self.config.name(), &[]);
    }

    /// Stops the connector itself, if it was started; its tasks are left alone.
    pub(super) async fn stop_connector(&mut self) {
        self.stop_connector_within(self.worker.config.shutdown_timeout()).await;
    }

    /// As [`Self::stop_connector`]; it is abandoned after that time.
    pub(super) async fn stop_connector_within(&mut self, limit: Duration) {
        if !std::mem::take(&mut self.is_started) {
            return;
        }
        let name = self.config.name();
        // Not by `self.guard`: it ends its calls when the worker stops, which is when this is called.
        let (_running, guard) = Guard::new();
        let stopping = self
            .connector
            .call(&guard, limit, |connector| Box::pin(async move { connector.as_connector().stop().await }));
        if let Err(trace) = stopping.await {
            tracing::warn!(connector = name, "the connector did not stop cleanly: {trace}");
        }
    }

    async fn start_task(&mut self, number: usize) -> Option<TaskHandle> {
        let id = self.task_id(number);
        let config = self.task_configs.get(number)?.clone();
        let made = match self.config.defect() {
            Some(defect) => Err(defect.to_string()),
            None => self.make_task().await,
        };
        let paused = self.target == TargetState::Paused;
        match made {
            Ok(task) => Some(self.worker.start_task(id, Arc::clone(&self.config), config, task, paused)),
            Err(trace) => {
                tracing::error!(
                    connector = id.connector,
                    task = id.task,
                    "the task could not be made: {trace}"
                );
                self.worker.startups.task(false);
                self.worker.board.set_task(&id, State::Failed, Some(trace));
                None
            }
        }
    }

    async fn make_task(&mut self) -> Result<PluginTask, String> {
        if self.connector.is_stuck() {
            // Tasks can be made by any instance.
            self.make_anew()?;
        }
        let making = self
            .connector
            .call(&self.guard, Duration::MAX, |connector| Box::pin(async move { Ok(connector.task()) }));
        making.await
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
    fn settle<T>(&self, outcome: Result<T, String>, what: &str) -> Result<T, String> {
        let name = self.config.name();
        let outcome = outcome.map_err(|trace| self.config.hide(&trace));
        match &outcome {
            Ok(_) => self.worker.board.set_connector(name, State::Running, None),
            Err(trace) => {
                tracing::error!(connector = name, "the connector has failed, {what}: {trace}");
                self.worker.board.set_connector(name, State::Failed, Some(trace.clone()));
            }
        }
        outcome
    }
}

/// Stops a task and waits for it, up to a limit.
async fn end(task: TaskId, handle: TaskHandle, limit: Duration) {
    handle.request_stop();
    if !handle.ended(limit).await {
        tracing::error!(
            connector = task.connector,
            task = task.task,
            "the task did not stop within task.shutdown.graceful.timeout.ms and was abandoned; what it had not committed \
             is done again at its next start"
        );
    }
}

/// Whether a plugin of that kind is a source; connectors are of two kinds.
pub(super) fn is_source(kind: PluginKind) -> bool {
    kind == PluginKind::Source
}
