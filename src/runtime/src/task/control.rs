//! How a herder stops and observes a task.

use crate::active_topics::{ActiveTopics, TopicNotes};
use crate::metrics::{TaskMetrics, Windows};
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
    metrics: TaskMetrics,
}

impl Counters {
    /// Of a task that notes the topics that it uses.
    pub(crate) fn noting(topics: Option<Arc<ActiveTopics>>, windows: Windows) -> Self {
        Self { topics, metrics: TaskMetrics::new(windows), ..Self::default() }
    }

    /// What Connect measures of a task.
    pub(crate) fn metrics(&self) -> &TaskMetrics {
        &self.metrics
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

/// What a herder wants of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Running,
    Paused,
    Stopped,
    /// Nobody waits for it any more, and another task may have taken its place.
    Abandoned,
}

impl Wanted {
    fn is_end(self) -> bool {
        matches!(self, Self::Stopped | Self::Abandoned)
    }
}

/// The task's end of its control: it ends when [`TaskControl::stopped`] does.
#[derive(Debug, Clone)]
pub(crate) struct TaskControl {
    wanted: watch::Receiver<Wanted>,
}

impl TaskControl {
    /// Waits until the task shall stop. Cancel-safe.
    pub(crate) async fn stopped(&mut self) {
        // An error means that the handle is gone, which also ends the task.
        let _ = self.wanted.wait_for(|wanted| wanted.is_end()).await;
    }

    /// Waits until the task shall pause or stop; at once, if it shall already. Cancel-safe.
    pub(crate) async fn interrupted(&mut self) -> Interruption {
        match self.wanted.wait_for(|wanted| *wanted != Wanted::Running).await.map(|wanted| *wanted) {
            Ok(Wanted::Paused) => Interruption::Pause,
            _ => Interruption::Stop,
        }
    }

    /// Waits until the task shall no longer pause: `false` if it shall stop. Cancel-safe.
    pub(crate) async fn resumed(&mut self) -> bool {
        let wanted = self.wanted.wait_for(|wanted| *wanted != Wanted::Paused).await;
        wanted.is_ok_and(|wanted| *wanted == Wanted::Running)
    }

    /// Whether the task shall pause.
    pub(crate) fn is_paused(&self) -> bool {
        *self.wanted.borrow() == Wanted::Paused
    }

    /// Whether the task was given up, so that it must leave nothing behind.
    pub(crate) fn is_abandoned(&self) -> bool {
        *self.wanted.borrow() == Wanted::Abandoned
    }
}

/// What a running task shall do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interruption {
    /// Do no work, but keep everything, until [`TaskControl::resumed`].
    Pause,
    /// End.
    Stop,
}

/// The herder's end of a running task.
#[derive(Debug)]
pub(crate) struct TaskHandle {
    wanted: watch::Sender<Wanted>,
    join: JoinHandle<()>,
}

impl TaskHandle {
    /// Runs a task, paused or not at first. `run` must come to its end soon after its control says so.
    pub(crate) fn spawn<F>(paused: bool, run: impl FnOnce(TaskControl) -> F) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (sender, wanted) = watch::channel(if paused { Wanted::Paused } else { Wanted::Running });
        Self { wanted: sender, join: tokio::spawn(run(TaskControl { wanted })) }
    }

    /// Asks the task to pause or to go on, without waiting. Nothing once it was asked to stop.
    pub(crate) fn set_paused(&self, paused: bool) {
        self.want(if paused { Wanted::Paused } else { Wanted::Running });
    }

    /// Asks the task to stop, without waiting.
    pub(crate) fn request_stop(&self) {
        self.want(Wanted::Stopped);
    }

    fn want(&self, new: Wanted) {
        self.wanted.send_if_modified(|wanted| {
            let changes = !wanted.is_end() && *wanted != new;
            if changes {
                *wanted = new;
            }
            changes
        });
    }

    /// Waits until the task has ended; after `limit` it is abandoned where it is. `false` says that it
    /// was. Call [`TaskHandle::request_stop`] first.
    pub(crate) async fn ended(mut self, limit: Duration) -> bool {
        let ended = tokio::time::timeout(limit, &mut self.join).await.is_ok();
        if !ended {
            // One that blocks its thread only sees this when it comes back.
            self.wanted.send_replace(Wanted::Abandoned);
            self.join.abort();
        }
        ended
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn pauses_end_with_a_stop() {
        let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
        let task = TaskHandle::spawn(true, |mut control| async move {
            assert!(control.is_paused());
            for _ in 0..2 {
                assert_eq!(control.interrupted().await, Interruption::Pause);
                tell.send("paused").unwrap();
                let resumed = control.resumed().await;
                tell.send(if resumed { "on" } else { "stop" }).unwrap();
            }
            control.stopped().await;
            assert_eq!(control.interrupted().await, Interruption::Stop);
        });
        assert_eq!(told.recv().await, Some("paused"));
        task.set_paused(false);
        assert_eq!(told.recv().await, Some("on"));
        task.set_paused(true);
        assert_eq!(told.recv().await, Some("paused"));
        task.request_stop();
        task.set_paused(true);
        assert_eq!(told.recv().await, Some("stop"));
        assert!(task.ended(Duration::from_secs(60)).await);
    }
}
