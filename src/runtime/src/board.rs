//! The state of all connectors and tasks of a worker, readable at any time.
//!
//! Tasks and the herder write it, the REST API reads it. No lock is held while a plugin runs, so a slow
//! connector never holds up an answer.

use crate::active_topics::ActiveTopics;
use crate::herder::{
    ConnectorInfo, ConnectorKind, ConnectorState, ConnectorStatus, State, TaskId, TaskInfo, TaskStatus,
};
use crate::task::Counters;
use crossdock_api::ConfigMap;
use std::collections::BTreeMap;
use std::sync::{Arc, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// A state with the error that led to it.
#[derive(Debug, Clone)]
struct Condition {
    state: State,
    trace: Option<String>,
}

impl Condition {
    fn new(state: State) -> Self {
        Self { state, trace: None }
    }
}

#[derive(Debug)]
struct TaskEntry {
    config: ConfigMap,
    condition: Condition,
    counters: Arc<Counters>,
    /// Whether all that the task needs could be made.
    is_made: bool,
}

#[derive(Debug)]
struct ConnectorEntry {
    config: ConfigMap,
    kind: ConnectorKind,
    version: String,
    condition: Condition,
    topics: Arc<ActiveTopics>,
    tasks: Vec<TaskEntry>,
}

/// What one task has done, for whoever watches an engine.
#[derive(Debug, Clone)]
pub struct TaskProgress {
    /// The task.
    pub id: TaskId,
    /// Source or sink.
    pub kind: ConnectorKind,
    /// Its state.
    pub state: State,
    /// Its counters; they go on counting after this answer.
    pub counters: Arc<Counters>,
}

/// A connector as metrics show it.
pub(crate) struct ConnectorView {
    pub(crate) name: String,
    pub(crate) config: ConfigMap,
    pub(crate) kind: ConnectorKind,
    pub(crate) version: String,
    pub(crate) state: State,
    pub(crate) tasks: Vec<TaskView>,
}

/// A task as metrics show it.
pub(crate) struct TaskView {
    pub(crate) config: ConfigMap,
    pub(crate) state: State,
    pub(crate) counters: Arc<Counters>,
}

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Board {
    worker_id: String,
    connectors: RwLock<BTreeMap<String, ConnectorEntry>>,
}

impl Board {
    pub(crate) fn new(worker_id: String) -> Self {
        Self { worker_id, connectors: RwLock::default() }
    }

    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<String, ConnectorEntry>> {
        self.connectors.read().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, BTreeMap<String, ConnectorEntry>> {
        self.connectors.write().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Adds a connector, or gives it another configuration; its state, topics and tasks stay.
    pub(crate) fn put(&self, name: &str, config: ConfigMap, kind: ConnectorKind, version: &str) {
        let mut connectors = self.write();
        let version = version.to_owned();
        if let Some(entry) = connectors.get_mut(name) {
            (entry.config, entry.kind, entry.version) = (config, kind, version);
            return;
        }
        let condition = Condition::new(State::Unassigned);
        let (topics, tasks) = (Arc::default(), Vec::new());
        connectors
            .insert(name.to_owned(), ConnectorEntry { config, kind, version, condition, topics, tasks });
    }

    pub(crate) fn remove(&self, name: &str) {
        self.write().remove(name);
    }

    pub(crate) fn set_tasks(&self, name: &str, configs: &[ConfigMap]) {
        if let Some(entry) = self.write().get_mut(name) {
            let task = |config: &ConfigMap| TaskEntry {
                config: config.clone(),
                condition: Condition::new(State::Unassigned),
                counters: Arc::default(),
                is_made: false,
            };
            entry.tasks = configs.iter().map(task).collect();
        }
    }

    /// Sets a task's counters at its start.
    pub(crate) fn set_counters(&self, id: &TaskId, counters: Arc<Counters>) {
        self.with_task(id, |task| (task.counters, task.is_made) = (counters, false));
    }

    /// Notes that all that the task needs was made: what goes wrong from now on is the plugin's or Kafka's.
    pub(crate) fn set_made(&self, id: &TaskId) {
        self.with_task(id, |task| task.is_made = true);
    }

    pub(crate) fn set_connector(&self, name: &str, state: State, trace: Option<String>) {
        if let Some(entry) = self.write().get_mut(name) {
            entry.condition = Condition { state, trace };
        }
    }

    pub(crate) fn set_task(&self, id: &TaskId, state: State, trace: Option<String>) {
        self.with_task(id, |task| {
            task.counters.metrics().entered(state);
            task.condition = Condition { state, trace };
        });
    }

    /// As [`Self::set_task`], by the task itself; without effect once another one was started in its place.
    pub(crate) fn set_task_of(&self, id: &TaskId, own: &Arc<Counters>, state: State, trace: Option<String>) {
        self.with_task(id, |task| {
            if Arc::ptr_eq(&task.counters, own) {
                task.counters.metrics().entered(state);
                task.condition = Condition { state, trace };
            }
        });
    }

    fn with_task(&self, id: &TaskId, change: impl FnOnce(&mut TaskEntry)) {
        let mut connectors = self.write();
        if let Some(task) = connectors.get_mut(&id.connector).and_then(|c| c.tasks.get_mut(id.task as usize))
        {
            change(task);
        }
    }

    /// The topics that a connector uses; they outlast restarts of its tasks.
    pub(crate) fn active_topics(&self, name: &str) -> Option<Arc<ActiveTopics>> {
        self.read().get(name).map(|entry| Arc::clone(&entry.topics))
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.read().keys().cloned().collect()
    }

    pub(crate) fn connector_state(&self, name: &str) -> Option<State> {
        self.read().get(name).map(|entry| entry.condition.state)
    }

    pub(crate) fn task_state(&self, id: &TaskId) -> Option<State> {
        self.read().get(&id.connector)?.tasks.get(id.task as usize).map(|task| task.condition.state)
    }

    pub(crate) fn info(&self, name: &str) -> Option<ConnectorInfo> {
        let connectors = self.read();
        let entry = connectors.get(name)?;
        let id = |task: usize| TaskId { connector: name.to_owned(), task: task as u32 };
        Some(ConnectorInfo {
            name: name.to_owned(),
            config: entry.config.clone(),
            tasks: (0..entry.tasks.len()).map(id).collect(),
            kind: entry.kind,
        })
    }

    pub(crate) fn status(&self, name: &str) -> Option<ConnectorStatus> {
        let connectors = self.read();
        let entry = connectors.get(name)?;
        let tasks = entry.tasks.iter().enumerate();
        Some(ConnectorStatus {
            name: name.to_owned(),
            connector: ConnectorState {
                state: entry.condition.state,
                worker_id: self.worker_id.clone(),
                trace: entry.condition.trace.clone(),
                version: entry.version.clone(),
            },
            tasks: tasks.map(|(id, task)| self.task_status_of(id, task, &entry.version)).collect(),
            kind: entry.kind,
        })
    }

    pub(crate) fn task_status(&self, id: &TaskId) -> Option<TaskStatus> {
        let connectors = self.read();
        let entry = connectors.get(&id.connector)?;
        let task = entry.tasks.get(id.task as usize)?;
        Some(self.task_status_of(id.task as usize, task, &entry.version))
    }

    fn task_status_of(&self, id: usize, task: &TaskEntry, version: &str) -> TaskStatus {
        let is_there = task.is_made || task.condition.state != State::Failed;
        TaskStatus {
            id: id as u32,
            state: task.condition.state,
            worker_id: self.worker_id.clone(),
            version: is_there.then(|| version.to_owned()),
            trace: task.condition.trace.clone(),
        }
    }

    pub(crate) fn task_infos(&self, name: &str) -> Option<Vec<TaskInfo>> {
        let connectors = self.read();
        let tasks = connectors.get(name)?.tasks.iter().enumerate();
        let info = |(task, entry): (usize, &TaskEntry)| TaskInfo {
            id: TaskId { connector: name.to_owned(), task: task as u32 },
            config: entry.config.clone(),
        };
        Some(tasks.map(info).collect())
    }

    /// All that metrics are made of.
    pub(crate) fn views(&self) -> Vec<ConnectorView> {
        let task = |task: &TaskEntry| TaskView {
            config: task.config.clone(),
            state: task.condition.state,
            counters: Arc::clone(&task.counters),
        };
        let connectors = self.read();
        let view = |(name, entry): (&String, &ConnectorEntry)| ConnectorView {
            name: name.clone(),
            config: entry.config.clone(),
            kind: entry.kind,
            version: entry.version.clone(),
            state: entry.condition.state,
            tasks: entry.tasks.iter().map(task).collect(),
        };
        connectors.iter().map(view).collect()
    }

    pub(crate) fn worker_id(&self) -> &str {
        &self.worker_id
    }

    pub(crate) fn progress(&self) -> Vec<TaskProgress> {
        let connectors = self.read();
        let tasks = connectors.iter().flat_map(|(name, entry)| {
            entry.tasks.iter().enumerate().map(move |(task, t)| TaskProgress {
                id: TaskId { connector: name.clone(), task: task as u32 },
                kind: entry.kind,
                state: t.condition.state,
                counters: Arc::clone(&t.counters),
            })
        });
        tasks.collect()
    }
}
