//! Metadata: asked for on demand, by hint and by age.
//!
//! Every caller enters a ticket. One of them holds the lock, asks the cluster for the union of all open
//! tickets that let topics be created as its own does, and settles them; the others find theirs settled when
//! they get the lock. A caller that goes away takes its ticket with it, and the next one asks.

use super::pool::Target;
use super::{Cluster, Inner, attempt};
use crate::backoff::Backoff;
use crate::config::Address;
use crate::connection::ConnectionClass;
use crate::error::{BrokerError, ClientError, ErrorCode};
use crate::metadata::{BrokerInfo, LeaderHint, MetadataSnapshot, TopicSelection};
use crate::seldom::Seldom;
use crate::sync::lock;
use crate::text::topic_name;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{MetadataRequest, MetadataResponse};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tracing::Instrument;

/// Metadata 13: a broker may send clients back to their bootstrap servers (KIP-1102).
const MAX_VERSION: i16 = 13;

/// A topic that the cluster lacks is asked for at least this long after it was wanted last.
const MISSING_KEPT: Duration = Duration::from_secs(300);

#[derive(Debug, Default)]
pub(super) struct Refresher {
    asking: tokio::sync::Mutex<()>,
    state: Mutex<State>,
    hint: Arc<Notify>,
}

#[derive(Debug, Default)]
struct State {
    /// Topics that were asked for by name, and are kept up to date.
    known: BTreeMap<Arc<str>, Known>,
    next_ticket: u64,
    tickets: BTreeMap<u64, Ticket>,
    background_runs: bool,
    /// When a broker answered last.
    answered: Option<Instant>,
    /// A broker sent us back to the bootstrap servers, and none of them has answered yet.
    only_bootstrap: bool,
}

/// A topic that is kept up to date.
#[derive(Debug, Clone, Copy)]
struct Known {
    /// When it was asked for by name, or was there, last.
    seen: Instant,
    /// Until when it is kept if only producers want it; `None` if others do.
    until: Option<Instant>,
}

#[derive(Debug)]
struct Ticket {
    topics: TopicSelection,
    auto_create: bool,
    settled: Option<Result<(), ClientError>>,
}

/// What one request asks for.
#[derive(Debug, Default)]
struct Union {
    all: bool,
    auto_create: bool,
    names: BTreeSet<Arc<str>>,
    tickets: Vec<u64>,
}

impl Cluster {
    /// The snapshot of the last refresh; empty before the first.
    pub fn metadata(&self) -> Arc<MetadataSnapshot> {
        self.inner.snapshot.borrow().clone()
    }

    /// Tells of each new snapshot.
    pub fn watch_metadata(&self) -> watch::Receiver<Arc<MetadataSnapshot>> {
        self.inner.snapshot.subscribe()
    }

    /// Asks the cluster now, and gives a snapshot that is newer than this call. Concurrent calls share a
    /// request. `allow_auto_create` lets the broker create missing topics, if it is configured to.
    ///
    /// One pass over all known brokers and bootstrap servers; [`ClientError::Unreachable`] says what
    /// happened at each. A topic that the cluster does not know is no error here: see
    /// [`crate::metadata::TopicInfo::error`]. Cancel-safe.
    pub async fn refresh(
        &self,
        topics: TopicSelection,
        allow_auto_create: bool,
    ) -> Result<Arc<MetadataSnapshot>, ClientError> {
        self.ensure_background();
        let ticket = self.inner.refresher.enter(topics, allow_auto_create);
        let _asking = self.inner.refresher.asking.lock().await;
        if let Some(settled) = ticket.settled() {
            return settled.map(|()| self.metadata());
        }
        let union = self.inner.refresher.lock().union(ticket.id);
        let answer = self.ask(&union).await;
        let outcome = answer.map(|answer| self.publish(answer, union.all));
        self.inner.refresher.lock().settle(&union, &outcome);
        outcome.map(|()| self.metadata())
    }

    /// A hint that leaders or brokers have changed: a refresh of the known topics is done soon, in the
    /// background, at most once in `retry.backoff.ms`, less often while it fails. Does nothing before the first refresh.
    pub fn request_refresh(&self) {
        self.inner.refresher.hint.notify_one();
    }

    /// Takes over leaders that a broker named in the answer to another request (KIP-951), so that nobody has to ask first.
    pub(crate) fn learn_leaders(
        &self,
        hints: &[LeaderHint],
        endpoints: impl IntoIterator<Item = BrokerInfo>,
    ) {
        self.inner.snapshot.send_if_modified(|snapshot| match snapshot.with_leaders(hints, endpoints) {
            Some(next) => {
                *snapshot = Arc::new(next);
                true
            }
            None => false,
        });
    }

    /// Has topics kept up to date until the given times, for producers; those that others named are kept anyway.
    pub(crate) fn keep_topics<'a>(
        &self,
        topics: impl Iterator<Item = (&'a Arc<str>, Instant)>,
        now: Instant,
    ) {
        let mut state = self.inner.refresher.lock();
        for (name, until) in topics.filter(|(_, until)| *until > now) {
            match state.known.get_mut(name) {
                Some(known) => known.until = known.until.map(|earlier| earlier.max(until)),
                None => drop(state.known.insert(name.clone(), Known { seen: now, until: Some(until) })),
            }
        }
    }

    /// As after an answer.
    #[cfg(test)]
    pub(crate) fn set_snapshot(&self, snapshot: Arc<MetadataSnapshot>) {
        self.inner.snapshot.send_replace(snapshot);
    }

    async fn ask(&self, union: &Union) -> Result<MetadataResponse, ClientError> {
        let topic = |name: &Arc<str>| MetadataRequestTopic::default().with_name(Some(topic_name(name)));
        let request = MetadataRequest::default()
            .with_topics((!union.all).then(|| union.names.iter().map(topic).collect()))
            .with_allow_auto_topic_creation(union.auto_create);
        let mut attempts = Vec::new();
        if let Some(answer) = self.ask_one_of(self.whom_to_ask(), &request, &mut attempts).await? {
            return Ok(answer);
        }
        if self.inner.refresher.lock().only_bootstrap {
            let bootstrap = self.bootstrap(&self.inner.pool);
            if let Some(answer) = self.ask_one_of(bootstrap, &request, &mut attempts).await? {
                return Ok(answer);
            }
        }
        Err(ClientError::Unreachable { attempts })
    }

    /// Known brokers, then bootstrap servers; the other way round if nobody has answered for too long.
    fn whom_to_ask(&self) -> Vec<(Target, Address)> {
        let config = &self.inner.config;
        let state = self.inner.refresher.lock();
        if state.only_bootstrap {
            return Vec::new();
        }
        let mut candidates = self.candidates(&self.inner.pool);
        if config.rebootstrap && state.answered.is_some_and(|at| at.elapsed() >= config.rebootstrap_trigger) {
            candidates.sort_by_key(|(target, _)| !matches!(target, Target::Bootstrap(_)));
        }
        candidates
    }

    /// The answer of the first that gives one; `None` if none does, or one sends us back to the bootstrap servers. An error only if
    /// a broker refuses the credentials.
    async fn ask_one_of(
        &self,
        candidates: Vec<(Target, Address)>,
        request: &MetadataRequest,
        attempts: &mut Vec<(Arc<str>, String)>,
    ) -> Result<Option<MetadataResponse>, ClientError> {
        let timeout = self.inner.config.request_timeout;
        for (target, address) in candidates {
            let asked = async {
                let connection = self.inner.pool.connection(target, ConnectionClass::Admin, &address).await?;
                let answer = connection.call(MAX_VERSION, timeout, |_| request.clone()).await?;
                // Other errors are those of single topics.
                match ErrorCode(answer.error_code) {
                    code @ ErrorCode::REBOOTSTRAP_REQUIRED => {
                        Err(ClientError::from(BrokerError::new(code, "Metadata")))
                    }
                    _ => Ok(answer),
                }
            };
            match asked.await {
                Ok(answer) => {
                    let mut state = self.inner.refresher.lock();
                    state.answered = Some(Instant::now());
                    state.only_bootstrap = false;
                    return Ok(Some(answer));
                }
                Err(error) if error.is_authentication() => return Err(error),
                Err(error) => {
                    attempts.push(attempt(&address, &error));
                    let sent_back = error.code() == Some(ErrorCode::REBOOTSTRAP_REQUIRED);
                    if sent_back && matches!(target, Target::Node(_)) && self.inner.config.rebootstrap {
                        self.go_back_to_bootstrap(&address);
                        return Ok(None);
                    }
                }
            }
        }
        Ok(None)
    }

    /// Nothing that is known of the cluster may be trusted any more.
    fn go_back_to_bootstrap(&self, by: &Address) {
        tracing::info!(broker = %by, "the broker sends this client back to bootstrap.servers");
        self.inner.refresher.lock().only_bootstrap = true;
        lock(&self.inner.coordinators).clear();
        for pool in [&self.inner.pool, &self.pool] {
            pool.close_nodes();
        }
    }

    fn publish(&self, answer: MetadataResponse, all: bool) {
        let now = Instant::now();
        let idle = self.inner.refresher.lock().forget_idle(now);
        self.inner.snapshot.send_modify(|snapshot| {
            let mut next = snapshot.updated(answer, all);
            next.topics.retain(|name, _| !idle.contains(name));
            *snapshot = Arc::new(next);
        });
        let snapshot = self.metadata();
        let keep = MISSING_KEPT.max(self.inner.config.metadata_max_age * 2);
        self.inner.refresher.lock().forget_missing(&snapshot, now, keep);
        if !snapshot.brokers.is_empty() {
            for pool in [&self.inner.pool, &self.pool] {
                pool.drop_bootstrap();
                pool.retain_nodes(|node| snapshot.brokers.contains_key(&node));
            }
        }
    }

    /// Starts the task that refreshes by age and hint, once.
    fn ensure_background(&self) {
        let mut state = self.inner.refresher.lock();
        if !state.background_runs {
            state.background_runs = true;
            let hint = self.inner.refresher.hint.clone();
            tokio::spawn(run_background(Arc::downgrade(&self.inner), hint).in_current_span());
        }
    }
}

/// Ends when the last handle of the cluster is gone.
async fn run_background(cluster: Weak<Inner>, hint: Arc<Notify>) {
    let Some(config) = cluster.upgrade().map(|inner| inner.config.clone()) else { return };
    let mut failing = Seldom::after(Duration::ZERO);
    let mut backoff = Backoff::new(config.retry_backoff, config.retry_backoff_max);
    loop {
        tokio::select! {
            () = hint.notified() => {}
            () = tokio::time::sleep(config.metadata_max_age) => {}
        }
        let Some(inner) = cluster.upgrade() else { return };
        let pool = inner.pool.clone();
        let refreshed = Cluster { inner, pool }.refresh(TopicSelection::Known, false).await;
        match refreshed {
            Ok(_) => {
                failing.over();
                backoff.reset();
            }
            Err(error) if failing.allows(Instant::now().into_std()) => {
                tracing::warn!(%error, "metadata could not be refreshed; this is tried again");
            }
            Err(_) => {}
        }
        // Hints that come meanwhile are kept as one.
        tokio::time::sleep(backoff.next()).await;
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.refresher.hint.notify_one();
    }
}

impl Refresher {
    fn enter(&self, topics: TopicSelection, auto_create: bool) -> TicketGuard<'_> {
        let mut state = self.lock();
        if let TopicSelection::Named(names) = &topics {
            let now = Instant::now();
            let known = Known { seen: now, until: None };
            state.known.extend(names.iter().map(|name| (name.clone(), known)));
        }
        let id = state.next_ticket;
        state.next_ticket += 1;
        state.tickets.insert(id, Ticket { topics, auto_create, settled: None });
        TicketGuard { refresher: self, id }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl State {
    /// The open tickets in one that agree with `own` on whether topics may be created: nobody's topics are
    /// created because others are.
    fn union(&self, own: u64) -> Union {
        let auto_create = self.tickets.get(&own).is_some_and(|t| t.auto_create);
        let mut union = Union { auto_create, ..Union::default() };
        let agrees = |t: &Ticket| t.settled.is_none() && t.auto_create == auto_create;
        for (id, ticket) in self.tickets.iter().filter(|(_, t)| agrees(t)) {
            match &ticket.topics {
                TopicSelection::None => {}
                TopicSelection::Known => {
                    let now = Instant::now();
                    let kept = self.known.iter().filter(|(_, known)| known.until.is_none_or(|at| at > now));
                    union.names.extend(kept.map(|(name, _)| name.clone()));
                }
                TopicSelection::Named(names) | TopicSelection::Once(names) => {
                    union.names.extend(names.iter().cloned())
                }
                TopicSelection::All => union.all = true,
            }
            union.tickets.push(*id);
        }
        union
    }

    /// Topics that the cluster has not had for as long as `keep` are not asked for any more, until somebody
    /// names them again.
    fn forget_missing(&mut self, snapshot: &MetadataSnapshot, now: Instant, keep: Duration) {
        let is_missing = |name: &Arc<str>| {
            let info = snapshot.topics.get(name);
            info.is_none_or(|info| info.error == ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)
        };
        self.known.retain(|name, known| {
            if !is_missing(name) {
                known.seen = now;
            }
            now.duration_since(known.seen) < keep
        });
    }

    /// Topics that no producer used for too long, and nobody else wants, are not asked for any more.
    fn forget_idle(&mut self, now: Instant) -> BTreeSet<Arc<str>> {
        let is_idle = |known: &Known| known.until.is_some_and(|until| until <= now);
        let idle = self.known.iter().filter(|(_, known)| is_idle(known)).map(|(name, _)| name.clone());
        let idle = idle.collect();
        self.known.retain(|_, known| !is_idle(known));
        idle
    }

    fn settle(&mut self, union: &Union, outcome: &Result<(), ClientError>) {
        for id in &union.tickets {
            if let Some(ticket) = self.tickets.get_mut(id) {
                ticket.settled = Some(outcome.clone());
            }
        }
    }
}

/// Takes the ticket away when its caller is done or gone.
struct TicketGuard<'a> {
    refresher: &'a Refresher,
    id: u64,
}

impl TicketGuard<'_> {
    fn settled(&self) -> Option<Result<(), ClientError>> {
        self.refresher.lock().tickets.get(&self.id).and_then(|t| t.settled.clone())
    }
}

impl Drop for TicketGuard<'_> {
    fn drop(&mut self) {
        self.refresher.lock().tickets.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kafka_protocol::messages::metadata_response::MetadataResponseTopic;

    fn named(name: &str) -> TopicSelection {
        TopicSelection::Named(vec![name.into()])
    }

    fn asked(union: &Union) -> (bool, Vec<&str>, usize) {
        (union.auto_create, union.names.iter().map(|name| &**name).collect(), union.tickets.len())
    }

    #[test]
    fn topics_are_not_created_because_others_may_be() {
        let refresher = Refresher::default();
        drop(refresher.enter(named("deleted"), false));
        let (by_age, other) =
            (refresher.enter(TopicSelection::Known, false), refresher.enter(named("b"), false));
        let create = refresher.enter(named("new"), true);
        assert_eq!(asked(&refresher.lock().union(create.id)), (true, vec!["new"], 1));
        assert_eq!(asked(&refresher.lock().union(by_age.id)), (false, vec!["b", "deleted", "new"], 2));
        let union = refresher.lock().union(other.id);
        refresher.lock().settle(&union, &Ok(()));
        assert!(by_age.settled().is_some() && create.settled().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn topics_that_are_gone_for_long_are_forgotten() {
        const MINUTE: Duration = Duration::from_secs(60);
        let refresher = Refresher::default();
        let topic = |name: &str, error: ErrorCode| {
            MetadataResponseTopic::default().with_name(Some(topic_name(name))).with_error_code(error.0)
        };
        let snapshot = |gone: ErrorCode| {
            let topics = vec![topic("here", ErrorCode::NONE), topic("gone", gone)];
            MetadataSnapshot::default().updated(MetadataResponse::default().with_topics(topics), true)
        };
        let known_after = |wait: u32, gone: ErrorCode| {
            let refresher = &refresher;
            async move {
                tokio::time::advance(MINUTE * wait).await;
                let mut state = refresher.lock();
                state.forget_missing(&snapshot(gone), Instant::now(), 10 * MINUTE);
                state.known.keys().map(|name| name.to_string()).collect::<Vec<_>>()
            }
        };
        let missing = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
        drop(refresher.enter(TopicSelection::Named(vec!["gone".into(), "here".into()]), true));
        assert_eq!(known_after(9, ErrorCode::NONE).await, ["gone", "here"]);
        assert_eq!(known_after(9, missing).await, ["gone", "here"], "it was there 9 minutes ago");
        drop(refresher.enter(named("gone"), true));
        assert_eq!(known_after(9, missing).await, ["gone", "here"], "it was wanted 9 minutes ago");
        assert_eq!(known_after(1, missing).await, ["here"]);
    }

    #[tokio::test(start_paused = true)]
    async fn topics_that_only_producers_wanted_are_forgotten_when_they_are_idle() {
        const SECOND: Duration = Duration::from_secs(1);
        let cluster = Cluster::new(crate::config::ClientConfig::new("127.0.0.1:1").unwrap());
        let state = || cluster.inner.refresher.lock();
        let names: [Arc<str>; 3] = ["idle".into(), "used".into(), "read".into()];
        let keep = |names: &[Arc<str>]| {
            let until = Instant::now() + 5 * SECOND;
            cluster.keep_topics(names.iter().map(|name| (name, until)), Instant::now());
        };
        let asked = || {
            let ticket = cluster.inner.refresher.enter(TopicSelection::Known, false);
            let union = state().union(ticket.id);
            union.names.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let topic = |name: &Arc<str>| MetadataResponseTopic::default().with_name(Some(topic_name(name)));
        let answer = MetadataResponse::default().with_topics(names.iter().map(topic).collect());
        keep(&names);
        drop(cluster.inner.refresher.enter(named("read"), false));
        cluster.publish(answer.clone(), false);
        tokio::time::advance(4 * SECOND).await;
        keep(&names[1..]);
        assert_eq!(asked(), ["idle", "read", "used"]);
        tokio::time::advance(SECOND).await;
        assert_eq!(asked(), ["read", "used"]);
        cluster.publish(MetadataResponse::default(), false);
        let known = |name: &str| cluster.metadata().topics.contains_key(name);
        assert!(!known("idle") && known("used") && known("read"), "the snapshot has it no more either");
        // Who reads it as well keeps it, whatever producers do.
        tokio::time::advance(100 * SECOND).await;
        assert_eq!(asked(), ["read"]);
        keep(&names[..1]);
        assert_eq!(asked(), ["idle", "read"], "the next record has it asked for again");
    }
}
