//! A consumer's part in its classic group: what it subscribes to, what it gives up and gets, and how it leads.
//!
//! If all its strategies are cooperative (KIP-429), it keeps its partitions while the group is joined. An
//! assignment that lacks some of them is a demand to give these up: it does, and joins again, and only then does
//! another member get them. Mirrors `ConsumerCoordinator`.

use super::ConsumerError;
use super::shared::Shared;
use crate::error::{ClientError, ConfigError};
use crate::group::assignor::{Strategy, Subscriber, TopicLayout, Topics, user_data};
use crate::group::protocol::{Assignment, Subscription};
use crate::group::{Generation, GenerationEnd, GroupHooks, Member};
use crate::metadata::{TopicPartition, TopicSelection};
use crate::sync::lock;
use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::{Notify, oneshot};

/// The hooks of a consumer's membership.
#[derive(Debug)]
pub(super) struct ConsumerMember {
    shared: Arc<Shared>,
    cooperative: bool,
    inner: Mutex<Inner>,
    /// Wakes the task that watches the topics.
    pub(super) to_watcher: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    topics: Vec<Arc<str>>,
    /// What the last assignment by this member was computed from.
    assigned_from: Option<Topics>,
    leads: bool,
    /// The last assignment and its generation, which the sticky strategies tell the next leader.
    had: Option<(Vec<TopicPartition>, i32)>,
    /// The application gives up what the last assignment took away.
    revoking: Option<oneshot::Receiver<()>>,
}

impl ConsumerMember {
    pub(super) fn new(shared: Arc<Shared>) -> Arc<Self> {
        let cooperative = shared.config.assignment_strategies.iter().all(|s| s.is_cooperative());
        Arc::new(Self { shared, cooperative, inner: Mutex::default(), to_watcher: Notify::new() })
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

    /// What to watch for changes: as the leader, the topics of all members, as they were when the
    /// assignment was computed.
    pub(super) fn led(&self) -> Option<Topics> {
        let inner = self.lock();
        inner.assigned_from.clone().filter(|_| inner.leads)
    }

    /// The assignment that was computed from `topics` is out of date; false if there is a newer one.
    pub(super) fn disown(&self, topics: &Option<Topics>) -> bool {
        let mut inner = self.lock();
        let current = inner.leads && inner.assigned_from == *topics;
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
        let strategy = strategy(&generation.protocol)?;
        let subscribers: Vec<Subscriber> = members.into_iter().map(subscriber).collect();
        let topics: BTreeSet<Arc<str>> =
            subscribers.iter().flat_map(|s| s.subscription.topics.iter().cloned()).collect();
        let create = self.shared.config.allow_auto_create_topics;
        let named = TopicSelection::Named(topics.iter().cloned().collect());
        let metadata = self.shared.cluster.refresh(named, create).await?;
        let topics: Topics =
            topics.into_iter().map(|t| (t.clone(), TopicLayout::from_metadata(&metadata, &t))).collect();
        let shares = strategy.assignor().assign(&topics, &subscribers);
        self.lock().assigned_from = Some(topics);
        let encode = |partitions| Assignment { partitions, user_data: None }.encode();
        Ok(shares.into_iter().map(|(member, partitions)| (member, encode(partitions))).collect())
    }

    /// What the strategy tells the leader beside the subscription.
    fn user_data(&self, strategy: Strategy) -> Option<Bytes> {
        let inner = self.lock();
        match (strategy, &inner.had) {
            (Strategy::Sticky, Some((had, generation))) => Some(user_data::sticky(had, *generation)),
            (Strategy::CooperativeSticky, had) => {
                let generation = had.as_ref().map_or(user_data::NO_GENERATION, |(_, generation)| *generation);
                Some(user_data::cooperative(generation))
            }
            _ => None,
        }
    }

    /// The application gives up what the end of the generation takes; true if it keeps anything.
    async fn give_up(self: Arc<Self>, end: GenerationEnd) -> bool {
        let revoking = self.lock().revoking.take();
        let giving_up = if end == GenerationEnd::Lost || !self.cooperative {
            self.shared.end_assignment(end == GenerationEnd::Lost)
        } else {
            let topics = self.topics();
            let mut gone = self.shared.lock().state.assignment();
            gone.retain(|tp| !topics.contains(&tp.topic));
            self.shared.revoke(&gone)
        };
        for given_up in [revoking, giving_up].into_iter().flatten() {
            // An error says that the consumer is gone: nothing is held then.
            let _ = given_up.await;
        }
        self.cooperative && !self.shared.lock().state.assignment().is_empty()
    }

    /// Keeps what is assigned again, has the application give up the rest, and adds what is new. Tells whether
    /// something has to be given up.
    fn change_assignment(&self, partitions: &[TopicPartition]) -> bool {
        let target: BTreeSet<_> = partitions.iter().collect();
        let mut gone = self.shared.lock().state.assignment();
        gone.retain(|tp| !target.contains(tp));
        self.lock().revoking = self.shared.revoke(&gone);
        self.shared.extend_assignment(partitions);
        !gone.is_empty()
    }
}

impl GroupHooks for Arc<ConsumerMember> {
    fn protocols(&self, generation: Option<&Generation>) -> Vec<(Arc<str>, Bytes)> {
        // In the eager protocols everything was given up before.
        let owned = if self.cooperative { self.shared.lock().state.assignment() } else { Vec::new() };
        let subscription = Subscription {
            topics: self.topics(),
            user_data: None,
            owned,
            generation: generation.map_or(user_data::NO_GENERATION, |g| g.id),
            rack: self.shared.config.client_rack.clone(),
        };
        let protocol = |strategy: &Strategy| {
            let subscription = Subscription { user_data: self.user_data(*strategy), ..subscription.clone() };
            (Arc::from(strategy.name()), subscription.encode())
        };
        self.shared.config.assignment_strategies.iter().map(protocol).collect()
    }

    fn prepare(&self, end: GenerationEnd) -> BoxFuture<'static, bool> {
        self.clone().give_up(end).boxed()
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

    fn assigned(&self, generation: &Generation, leader: bool, assignment: Bytes) -> Option<&'static str> {
        self.lock().leads = leader;
        self.to_watcher.notify_one();
        let partitions = match Assignment::decode(assignment) {
            Ok(assignment) => assignment.partitions,
            Err(error) => {
                // Only this member goes without what is new; the others are not to blame.
                tracing::error!(member = &*generation.member_id, generation = generation.id, %error,
                    "the group's leader sent an assignment that cannot be read; nothing new is consumed until the next rebalance");
                self.shared.lock().state.assignment()
            }
        };
        self.lock().had = Some((partitions.clone(), generation.id));
        if !self.cooperative {
            self.shared.begin_assignment(&partitions);
            return None;
        }
        self.change_assignment(&partitions).then_some("partitions have to be given up before others get them")
    }

    fn failed(&self, error: ClientError) {
        self.shared.fail(ConsumerError::Client(error));
    }
}

fn strategy(protocol: &str) -> Result<Strategy, ClientError> {
    let known = Strategy::ALL.into_iter().find(|strategy| strategy.name() == protocol);
    known.ok_or_else(|| {
        let names = Strategy::ALL.map(Strategy::name).join(", ");
        let reason = format!(
            "the group uses the assignor {protocol}, which is not supported; set \
             partition.assignment.strategy of all members to one of {names}"
        );
        ConfigError::Invalid(reason).into()
    })
}

fn subscriber(member: Member) -> Subscriber {
    let subscription = Subscription::decode(member.metadata).unwrap_or_else(|error| {
        tracing::warn!(member = member.member_id, %error, "a member's subscription cannot be read; it gets nothing");
        Subscription::default()
    });
    Subscriber { member_id: member.member_id, instance_id: member.instance_id, subscription }
}
