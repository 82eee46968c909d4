//! How a herder stops and observes a task.

use crate::active_topics::{ActiveTopics, TopicNotes};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What a task has done since it was started. Cheap to read while it runs.
#[derive(Debug, Default)]
pub struct Counters {
    records: AtomicU64,
    bytes: AtomicU64,
    skipped: AtomicU64,
    topics: Option<Arc<ActiveTopics>>,
}

impl Counters {
    /// Of a task that notes the topics that it uses.
    pub(crate) fn noting(topics: Option<Arc<ActiveTopics>>) -> Self {
        Self { topics, ..Self::default() }
    }

    /// Notes that the task has used a topic; `notes` is what it has noted before.
    pub(crate) fn note_topic(&self, notes: &mut TopicNotes, topic: &str) {
        if let Some(topics) = &self.topics {
            notes.note(topics, topic);
        }
    }

    /// Records that are done: acknowledged by Kafka (source) or put (sink).
    pub fn records(&self) -> u64 {
        self.records.load(Ordering::Relaxed)
    }

    /// Bytes of their keys and values in Kafka's form.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Records that were skipped because `errors.tolerance` is `all`.
    pub fn skipped(&self) -> u64 {
        self.skipped.load(Ordering::Relaxed)
    }

    pub(crate) fn add_records(&self, records: u64) {
        self.records.fetch_add(records, Ordering::Relaxed);
    }

    pub(crate) fn add_bytes(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn add_skipped(&self, records: u64) {
        self.skipped.fetch_add(records, Ordering::Relaxed);
    }
}

/// The task's end of its control: it ends when [`TaskControl::stopped`] does.
#[derive(Debug, Clone)]
pub(crate) struct TaskControl {
    stop: watch::Receiver<bool>,
}

impl TaskControl {
    /// Waits until the task shall stop. Cancel-safe.
    pub(crate) async fn stopped(&mut self) {
        // An error means that the handle is gone, which also ends the task.
        let _ = self.stop.wait_for(|stop| *stop).await;
    }
}

/// The herder's end of a running task.
#[derive(Debug)]
pub(crate) struct TaskHandle {
    stop: watch::Sender<bool>,
    join: JoinHandle<()>,
}

impl TaskHandle {
    /// Runs a task. `run` must come to its end soon after its control says so.
    pub(crate) fn spawn<F>(run: impl FnOnce(TaskControl) -> F) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (stop, receiver) = watch::channel(false);
        Self { stop, join: tokio::spawn(run(TaskControl { stop: receiver })) }
    }

    /// Asks the task to stop, without waiting.
    pub(crate) fn request_stop(&self) {
        let _ = self.stop.send(true);
    }

    /// Waits until the task has ended; after `limit` it is abandoned where it is. `false` says that it
    /// was. Call [`TaskHandle::request_stop`] first.
    pub(crate) async fn ended(mut self, limit: Duration) -> bool {
        let ended = tokio::time::timeout(limit, &mut self.join).await.is_ok();
        if !ended {
            self.join.abort();
        }
        ended
    }
}
