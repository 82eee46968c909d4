//! The task that looks for the topics that match a pattern.

use super::JavaPattern;
use crate::consumer::shared::Shared;
use crate::metadata::{MetadataSnapshot, TopicSelection};
use crate::seldom::Seldom;
use crate::sync::lock;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;
use tracing::Instrument;

/// Takes the topics that match; must not block.
pub(crate) type Subscriber = Box<dyn Fn(Vec<Arc<str>>) + Send>;

/// A subscription by a pattern. It ends when this is dropped, at once: nothing is subscribed to afterwards.
#[derive(Debug)]
pub(crate) struct Matching {
    wanted: Arc<Mutex<bool>>,
    task: JoinHandle<()>,
}

impl Matching {
    /// Looks for topics at once, and then every `metadata.max.age.ms`, and gives them to `subscribe` when they
    /// have changed; the first time even if there are none.
    pub(crate) fn start(shared: Arc<Shared>, pattern: JavaPattern, subscribe: Subscriber) -> Self {
        let wanted = Arc::new(Mutex::new(true));
        let task = tokio::spawn(run(shared, pattern, subscribe, wanted.clone()).in_current_span());
        Self { wanted, task }
    }
}

impl Drop for Matching {
    fn drop(&mut self) {
        // The task may be about to subscribe, on another thread.
        *lock(&self.wanted) = false;
        self.task.abort();
    }
}

async fn run(shared: Arc<Shared>, pattern: JavaPattern, subscribe: Subscriber, wanted: Arc<Mutex<bool>>) {
    let mut unreachable = Seldom::after(Duration::ZERO);
    let mut subscribed = None;
    loop {
        let wait = match shared.cluster.refresh(TopicSelection::All, false).await {
            Ok(metadata) => {
                unreachable.over();
                let found = matching(&metadata, &pattern, shared.config.exclude_internal_topics);
                if subscribed.as_ref() != Some(&found) {
                    tracing::info!(pattern = pattern.as_str(), topics = ?found, "topics that match the pattern");
                    let wanted = lock(&wanted);
                    if !*wanted {
                        return;
                    }
                    subscribe(found.iter().cloned().collect());
                    subscribed = Some(found);
                }
                shared.cluster.config().metadata_max_age
            }
            Err(error) => {
                if unreachable.allows(Instant::now()) {
                    tracing::warn!(%error, pattern = pattern.as_str(),
                        "topics could not be looked for; it is tried again");
                }
                Duration::from_secs(1)
            }
        };
        tokio::time::sleep(wait).await;
    }
}

fn matching(
    metadata: &MetadataSnapshot,
    pattern: &JavaPattern,
    exclude_internal: bool,
) -> BTreeSet<Arc<str>> {
    let topics = metadata.topics.values();
    let may_be_read = topics.filter(|topic| topic.error.is_ok() && !(exclude_internal && topic.internal));
    may_be_read.filter(|topic| pattern.matches(&topic.name)).map(|topic| topic.name.clone()).collect()
}
