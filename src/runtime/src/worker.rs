//! The worker: makes connectors and tasks from plugins and configurations, and runs them.
//!
//! A task is built inside its own spawned future: whatever goes wrong there, a panic of a plugin
//! included, ends that task alone and becomes its status. It may also block its thread: nothing else waits for that.

use crate::blocking::may_block_in;
use crate::board::Board;
use crate::config::overrides::OverridePolicy;
use crate::config::{ConnectorConfig, WorkerConfig, clients};
use crate::context;
use crate::errors::ErrorHandler;
use crate::guard::panic_message;
use crate::herder::{State, TaskId};
use crate::metrics::Startups;
use crate::offsets::source::SourceOffsetStore;
use crate::offsets::store::OffsetStore;
use crate::task::TaskFailure;
use crate::task::acks::Acks;
use crate::task::control::{Counters, TaskControl, TaskHandle};
use crate::task::pipeline::Pipeline;
use crate::task::sink::{self, SinkTaskParts};
use crate::task::source::{self, SourceTaskParts};
use crossdock_api::{ConfigMap, Plugins, SinkTask, SourceTask};
use crossdock_client::{
    ClientConfig, Cluster, ConfigError as ClientConfigError, Consumer, ConsumerConfig, Producer,
    ProducerConfig,
};
use futures_util::FutureExt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use tracing::Instrument;

/// Everything that connectors and tasks share.
pub(crate) struct Worker {
    pub(crate) config: WorkerConfig,
    pub(crate) policy: OverridePolicy,
    pub(crate) plugins: Plugins,
    pub(crate) offsets: Arc<dyn OffsetStore>,
    pub(crate) board: Arc<Board>,
    pub(crate) startups: Startups,
}

/// A task of a plugin, not started yet.
pub(crate) enum PluginTask {
    Sink(Box<dyn SinkTask>),
    Source(Box<dyn SourceTask>),
}

impl Worker {
    /// The offsets of a source connector.
    pub(crate) fn source_offsets(&self, connector: &str) -> SourceOffsetStore {
        SourceOffsetStore::new(connector, Arc::clone(&self.offsets))
    }

    /// How long a task is waited for before it is abandoned: the time for a graceful stop, which it keeps
    /// by itself unless a plugin's call hangs, and a little.
    pub(crate) fn abandon_after(&self) -> Duration {
        self.config.shutdown_timeout() + Duration::from_secs(2)
    }

    /// Starts a task. Its state goes to the board: RUNNING or PAUSED when the plugin has started, FAILED when
    /// anything goes wrong.
    pub(crate) fn start_task(
        self: &Arc<Self>,
        id: TaskId,
        connector: Arc<ConnectorConfig>,
        config: ConfigMap,
        task: PluginTask,
        paused: bool,
    ) -> TaskHandle {
        let topics = self.board.active_topics(&id.connector).filter(|_| self.config.topic_tracking());
        let counters = Arc::new(Counters::noting(topics, self.config.metrics()));
        self.board.set_counters(&id, Arc::clone(&counters));
        self.board.set_task(&id, State::Unassigned, None);
        let worker = Arc::clone(self);
        let span = context::of_task(&id);
        TaskHandle::spawn(paused, move |control| {
            let run = async move {
                let board = Arc::clone(&worker.board);
                let work = Arc::clone(&worker).run_task(
                    id.clone(),
                    &connector,
                    config,
                    task,
                    Arc::clone(&counters),
                    control,
                );
                let outcome = AssertUnwindSafe(work).catch_unwind().await;
                if !matches!(outcome, Ok(Ok(()))) && !counters.metrics().has_started() {
                    worker.startups.task(false);
                }
                match outcome {
                    Ok(Ok(())) => {
                        tracing::info!("the task has stopped");
                        board.set_task_of(&id, &counters, State::Unassigned, None);
                    }
                    Ok(Err(failure)) => fail(&board, &id, &counters, connector.hide(&failure.trace())),
                    Err(panic) => {
                        let trace = format!("the plugin panicked: {}", panic_message(&*panic));
                        fail(&board, &id, &counters, trace);
                    }
                }
            };
            may_block_in(run.instrument(span))
        })
    }

    async fn run_task(
        self: Arc<Self>,
        id: TaskId,
        connector: &ConnectorConfig,
        config: ConfigMap,
        task: PluginTask,
        counters: Arc<Counters>,
        mut control: TaskControl,
    ) -> Result<(), TaskFailure> {
        let tell = {
            let (id, worker, counters) = (id.clone(), Arc::clone(&self), Arc::clone(&counters));
            move |state: State| {
                // The first state is told when the plugin has started.
                if !counters.metrics().has_started() {
                    worker.startups.task(true);
                }
                tracing::info!("the task is {}", if state == State::Paused { "paused" } else { "running" });
                worker.board.set_task_of(&id, &counters, state, None);
            }
        };
        let errors = ErrorHandler::new(id.clone(), &self.config, connector, Arc::clone(&counters));
        let errors = tokio::select! {
            errors = errors.with_dead_letters(&self.config, connector) => errors?,
            () = control.stopped() => return Ok(()),
        };
        match task {
            PluginTask::Source(task) => {
                let errors = Arc::new(errors.with_capture(&self.plugins)?);
                let parts = self.source_parts(id.clone(), connector, config, counters, errors)?;
                let pipeline = Pipeline::build(&self.plugins, &self.config, connector)?;
                self.board.set_made(&id);
                source::run(task, pipeline, parts, control, tell).await
            }
            PluginTask::Sink(task) => {
                let errors = Arc::new(errors);
                let parts = self.sink_parts(id.clone(), connector, config, task, counters, errors)?;
                self.board.set_made(&id);
                sink::run(parts, control, tell).await
            }
        }
    }

    fn source_parts(
        &self,
        id: TaskId,
        connector: &ConnectorConfig,
        config: ConfigMap,
        counters: Arc<Counters>,
        errors: Arc<ErrorHandler>,
    ) -> Result<SourceTaskParts, TaskFailure> {
        let settings = clients::producer(&self.config, connector, &id);
        let cluster = cluster(&settings)?;
        let acks = Arc::new(Acks::new(Arc::clone(&counters), connector.tolerance()));
        let producer = Producer::start(cluster, ProducerConfig::from_map(&settings)?, Arc::clone(&acks) as _);
        let admin = self::cluster(&clients::admin(&self.config, connector))?;
        let creation = connector.topic_creation().filter(|_| self.config.topic_creation());
        Ok(SourceTaskParts {
            store: self.source_offsets(connector.name()),
            topic_creation: creation.cloned(),
            errors,
            flush_interval: self.config.offset_flush_interval(),
            flush_timeout: self.config.offset_flush_timeout(),
            shutdown_timeout: self.config.shutdown_timeout(),
            id,
            config,
            producer,
            acks,
            admin,
            counters,
        })
    }

    fn sink_parts(
        &self,
        id: TaskId,
        connector: &ConnectorConfig,
        config: ConfigMap,
        task: Box<dyn SinkTask>,
        counters: Arc<Counters>,
        errors: Arc<ErrorHandler>,
    ) -> Result<SinkTaskParts, TaskFailure> {
        let settings = clients::consumer(&self.config, connector, &id);
        let consumer_config = ConsumerConfig::from_map(&settings)?;
        counters.metrics().consumes_as(settings.get("client.id").map_or("", String::as_str));
        // Puts are as large as fetches unless somebody asks for less.
        let asked = settings.contains_key("max.poll.records");
        let max_put = asked.then(|| usize::try_from(consumer_config.max_poll_records).unwrap_or(1).max(1));
        Ok(SinkTaskParts {
            pipeline: Pipeline::build(&self.plugins, &self.config, connector)?,
            consumer: Consumer::start(cluster(&settings)?, consumer_config),
            topics: connector.topics().clone(),
            max_put,
            errors,
            commit_interval: self.config.offset_flush_interval(),
            shutdown_timeout: self.config.shutdown_timeout(),
            id,
            task,
            config,
            counters,
        })
    }
}

fn cluster(settings: &ConfigMap) -> Result<Cluster, ClientConfigError> {
    Ok(Cluster::new(ClientConfig::from_map(settings)?))
}

fn fail(board: &Board, id: &TaskId, own: &Arc<Counters>, trace: String) {
    tracing::error!(
        "the task has failed and stays so until it is restarted \
         (POST /connectors/{}/tasks/{}/restart): {trace}",
        id.connector,
        id.task
    );
    board.set_task_of(id, own, State::Failed, Some(trace));
}
