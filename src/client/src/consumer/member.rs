//! A consumer's part in its group: what it subscribes to, what it gives up and gets, and how it leads.

use super::ConsumerError;
use super::shared::Shared;
use crate::error::{ClientError, ConfigError};
use crate::group::assignor::{Assignor, RangeAssignor, Subscriber};
use crate::group::protocol::{Assignment, Subscription};
use crate::group::{Generation, GenerationEnd, GroupHooks, Member};
use crate::metadata::TopicSelection;
use crate::sync::lock;
use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::Notify;

/// Topics with their numbers of partitions.
pub(super) type PartitionCounts = BTreeMap<Arc<str>, i32>;

/// The hooks of a consumer's membership.
#[derive(Debug)]
pub(super) struct ConsumerMember {
    shared: Arc<Shared>,
    inner: Mutex<Inner>,
    /// Wakes the task that watches the topics.
    pub(super) to_watcher: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    topics: Vec<Arc<str>>,
    /// What the last assignment by this member was computed from.
    assigned_from: Option<PartitionCounts>,
    leads: bool,
}

impl ConsumerMember {
    pub(super) fn new(shared: Arc<Shared>) -> Arc<Self> {
        Arc::new(Self { shared, inner: Mutex::default(), to_watcher: Notify::new() })
    }

    /// Replaces the subscription; false if it is the same.
    pub(super) fn subscribe(&self, topics: Vec<Arc<str>>) -> bool {
        let mut inner = self.lock();
        let changed = inner.topics != topics;
        inner.topics = topics;
        self.to_watcher.notify_one();
        changed
    }

    pub(super) fn topics(&self) -> Vec<Arc<str>> {
        self.lock().topics.clone()
    }

    /// What to watch for changes: as the leader, the topics of all members, and their partitions when
    /// the assignment was computed.
    pub(super) fn led(&self) -> Option<PartitionCounts> {
        let inner = self.lock();
        inner.assigned_from.clone().filter(|_| inner.leads)
    }

    /// The assignment that was computed from `counts` is out of date; false if there is a newer one.
    pub(super) fn disown(&self, counts: &Option<PartitionCounts>) -> bool {
        let mut inner = self.lock();
        let current = inner.leads && inner.assigned_from == *counts;
        if current {
            inner.assigned_from = None;
        }
        current
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        lock(&self.inner)
    }

    async fn lead(
        self: Arc<Self>,
        generation: Generation,
        members: Vec<Member>,
    ) -> Result<Vec<(String, Bytes)>, ClientError> {
        let assignor = assignor(&generation.protocol)?;
        let subscribers: Vec<Subscriber> = members.into_iter().map(subscriber).collect();
        let topics: BTreeSet<Arc<str>> =
            subscribers.iter().flat_map(|s| s.subscription.topics.iter().cloned()).collect();
        let create = self.shared.config.allow_auto_create_topics;
        let named = TopicSelection::Named(topics.iter().cloned().collect());
        let metadata = self.shared.cluster.refresh(named, create).await?;
        let count = |topic: &Arc<str>| metadata.partition_count(topic).unwrap_or(0);
        let counts: PartitionCounts = topics.iter().map(|t| (t.clone(), count(t))).collect();
        let shares = assignor.assign(&counts, &subscribers);
        self.lock().assigned_from = Some(counts);
        let encode = |partitions| Assignment { partitions, user_data: None }.encode();
        Ok(shares.into_iter().map(|(member, partitions)| (member, encode(partitions))).collect())
    }
}

impl GroupHooks for Arc<ConsumerMember> {
    fn protocols(&self) -> Vec<(Arc<str>, Bytes)> {
        let subscription = Subscription {
            topics: self.topics(),
            user_data: None,
            // The eager protocol: everything was given up before.
            owned: Vec::new(),
            generation: -1,
            rack: self.shared.config.client_rack.clone(),
        };
        vec![(Arc::from(RangeAssignor.name()), subscription.encode())]
    }

    fn prepare(&self, end: GenerationEnd) -> BoxFuture<'static, ()> {
        match self.shared.end_assignment(end == GenerationEnd::Lost) {
            None => futures_util::future::ready(()).boxed(),
            // An error says that the consumer is gone: nothing is held then.
            Some(done) => done.map(drop).boxed(),
        }
    }

    fn lost_meanwhile(&self) {
        self.shared.lose_meanwhile();
    }

    fn assign(
        &self,
        generation: Generation,
        members: Vec<Member>,
    ) -> BoxFuture<'static, Result<Vec<(String, Bytes)>, ClientError>> {
        self.clone().lead(generation, members).boxed()
    }

    fn assigned(&self, generation: &Generation, leader: bool, assignment: Bytes) {
        self.lock().leads = leader;
        self.to_watcher.notify_one();
        let partitions = match Assignment::decode(assignment) {
            Ok(assignment) => assignment.partitions,
            Err(error) => {
                // Only this member goes without; the others are not to blame.
                tracing::error!(member = &*generation.member_id, generation = generation.id, %error,
                    "the group's leader sent an assignment that cannot be read; nothing is consumed until the next rebalance");
                Vec::new()
            }
        };
        self.shared.begin_assignment(&partitions);
    }

    fn failed(&self, error: ClientError) {
        self.shared.fail(ConsumerError::Client(error));
    }
}

fn assignor(protocol: &str) -> Result<&'static dyn Assignor, ClientError> {
    if protocol == RangeAssignor.name() {
        return Ok(&RangeAssignor);
    }
    let reason = format!(
        "the group uses the assignor {protocol}, which is not supported; set partition.assignment.strategy \
         of all members to range"
    );
    Err(ConfigError::Invalid(reason).into())
}

fn subscriber(member: Member) -> Subscriber {
    let subscription = Subscription::decode(member.metadata).unwrap_or_else(|error| {
        tracing::warn!(member = member.member_id, %error, "a member's subscription cannot be read; it gets nothing");
        Subscription::default()
    });
    Subscriber { member_id: member.member_id, instance_id: member.instance_id, subscription }
}
