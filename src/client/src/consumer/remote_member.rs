//! A consumer's part in a group of the consumer protocol (KIP-848), in which the coordinator assigns.

use super::ConsumerError;
use super::pattern::Subscriber;
use super::shared::Shared;
use super::watcher;
use crate::error::ClientError;
use crate::group::{AssignmentHooks, ConsumerGroup, ConsumerGroupConfig, Subscription};
use crate::metadata::TopicPartition;
use futures_util::future::{BoxFuture, FutureExt};
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tracing::Instrument;

/// A membership in the consumer protocol; dropping it leaves the group without waiting for it.
#[derive(Debug)]
pub(super) struct RemoteMember {
    pub(super) group: Arc<ConsumerGroup>,
    /// The topics that are subscribed to by name, for those who look after them.
    topics: watch::Sender<BTreeSet<Arc<str>>>,
    watcher: JoinHandle<()>,
}

impl RemoteMember {
    pub(super) fn start(shared: &Arc<Shared>, group_id: Arc<str>) -> Self {
        let config = ConsumerGroupConfig {
            group_id,
            instance_id: shared.config.group_instance_id.clone(),
            remote_assignor: shared.config.group_remote_assignor.clone(),
            rack: shared.config.client_rack.clone(),
            max_poll_interval: shared.config.max_poll_interval,
        };
        let hooks = Arc::new(Hooks { shared: shared.clone(), revoking: Arc::default() });
        let group = Arc::new(ConsumerGroup::start(shared.cluster.clone(), config, hooks));
        let (topics, watched) = watch::channel(BTreeSet::new());
        let watcher = tokio::spawn(watcher::look_after(shared.clone(), watched).in_current_span());
        Self { group, topics, watcher }
    }

    pub(super) fn subscribe(&self, topics: BTreeSet<Arc<str>>) {
        self.topics.send_replace(topics.clone());
        self.group.subscribe(Subscription { topics, regex: None });
    }

    pub(super) fn subscribe_regex(&self, regex: Arc<str>) {
        self.topics.send_replace(BTreeSet::new());
        self.group.subscribe(Subscription { topics: BTreeSet::new(), regex: Some(regex) });
    }

    /// Subscribes to topics that were found elsewhere.
    pub(super) fn subscriber(&self) -> Subscriber {
        let (group, topics) = (self.group.clone(), self.topics.clone());
        Box::new(move |found| {
            let found: BTreeSet<_> = found.into_iter().collect();
            topics.send_replace(found.clone());
            group.subscribe(Subscription { topics: found, regex: None });
        })
    }

    pub(super) async fn leave(&self) {
        self.topics.send_replace(BTreeSet::new());
        self.group.leave().await;
    }
}

impl Drop for RemoteMember {
    fn drop(&mut self) {
        self.watcher.abort();
    }
}

#[derive(Debug)]
struct Hooks {
    shared: Arc<Shared>,
    /// Held while the application gives partitions up.
    revoking: Arc<tokio::sync::Mutex<()>>,
}

impl AssignmentHooks for Hooks {
    fn revoke(&self, partitions: Vec<TopicPartition>) -> BoxFuture<'static, ()> {
        let Some(done) = self.shared.revoke(&partitions) else {
            return futures_util::future::ready(()).boxed();
        };
        // One revocation at a time is the group's promise, so the lock is free.
        let busy = self.revoking.clone().try_lock_owned();
        async move {
            // An error says that the group was left, or the consumer is gone: nothing is held then.
            let _ = done.await;
            drop(busy);
        }
        .boxed()
    }

    fn assign(&self, partitions: Vec<TopicPartition>) {
        self.shared.extend_assignment(&partitions);
    }

    fn lose(&self) -> BoxFuture<'static, ()> {
        let lost = self.shared.end_assignment(true);
        let revoking = self.revoking.clone();
        async move {
            if let Some(done) = lost {
                let _ = done.await;
            }
            // The application may still be giving up what it was asked for before; nothing may be assigned anew
            // until it is done.
            drop(revoking.lock().await);
        }
        .boxed()
    }

    fn report(&self, error: ClientError) {
        self.shared.report(ConsumerError::Client(error));
    }

    fn failed(&self, error: ClientError) {
        self.shared.fail(ConsumerError::Client(error));
    }
}
