//! Faults on purpose: what a client must survive, scripted by a test.
//!
//! A [`FaultRule`] says which requests it is for and what happens to them. Rules are looked through
//! in the order in which they were added, and the first that matches and is not used up acts. They can be
//! given at the start ([`FaultPlan`]) or through a [`FaultHandle`] while the broker runs.

use crate::sync::lock;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::ApiKey;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;

/// What happens to a request that a rule matches.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum FaultAction {
    /// The request is processed, the first so many bytes of the reply (with its length prefix) are
    /// sent, then the connection is closed.
    CloseAfterBytes(usize),
    /// The request is processed, and the connection closed instead of a reply: the client cannot know
    /// what became of it.
    CloseAfterProcessing,
    /// The connection is closed and the request not processed.
    CloseConnection,
    /// The request is processed only after that time. Requests behind it on the connection wait too.
    Delay(Duration),
    /// The request is processed and never answered; the connection stays open.
    DropReply,
    /// The request is not processed; the reply is well-formed and has this error in every place where
    /// an error can be.
    ReplyError(ResponseError),
}

/// Which requests are hit, and by what.
///
/// ```
/// use crossdock_broker::{ApiKey, FaultAction, FaultRule};
///
/// // The second and third produce request are processed, but their replies are lost.
/// let rule = FaultRule::new(FaultAction::DropReply).api(ApiKey::Produce).after(1).times(2);
/// # let _ = rule;
/// ```
#[derive(Debug, Clone)]
pub struct FaultRule {
    action: FaultAction,
    api: Option<ApiKey>,
    client_id: Option<String>,
    skip: u64,
    times: Option<u64>,
}

impl FaultRule {
    /// A rule for every request, until it is removed.
    pub fn new(action: FaultAction) -> Self {
        Self { action, api: None, client_id: None, skip: 0, times: None }
    }

    /// Only requests of this API.
    pub fn api(mut self, api: ApiKey) -> Self {
        self.api = Some(api);
        self
    }

    /// Only requests of clients with this `client.id`.
    pub fn client_id(mut self, client_id: impl Into<String>) -> Self {
        self.client_id = Some(client_id.into());
        self
    }

    /// Lets the first `skip` matching requests pass.
    pub fn after(mut self, skip: u64) -> Self {
        self.skip = skip;
        self
    }

    /// Acts on so many requests, then no more.
    pub fn times(mut self, times: u64) -> Self {
        self.times = Some(times);
        self
    }

    /// Acts on the n-th matching request only, counted from 1.
    pub fn nth(self, n: u64) -> Self {
        self.after(n.saturating_sub(1)).times(1)
    }
}

/// The rules that a broker starts with.
#[derive(Debug, Clone, Default)]
pub struct FaultPlan {
    rules: Vec<FaultRule>,
}

impl FaultPlan {
    /// A plan without rules.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a rule behind the others.
    pub fn rule(mut self, rule: FaultRule) -> Self {
        self.rules.push(rule);
        self
    }
}

/// Names a rule that was added through a [`FaultHandle`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RuleId(u64);

/// Scripts the faults of a running broker. Clones act on the same broker; a handle does not keep it alive.
#[derive(Debug, Clone)]
pub struct FaultHandle {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    state: Mutex<State>,
    paused: watch::Sender<bool>,
    /// Counts changes of `state`, for those who wait for one.
    changes: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct State {
    next_id: u64,
    rules: Vec<Active>,
    requests: HashMap<ApiKey, u64>,
    /// Hits of rules that were removed are still told.
    hits: HashMap<RuleId, u64>,
}

#[derive(Debug)]
struct Active {
    id: RuleId,
    rule: FaultRule,
    matched: u64,
}

impl FaultHandle {
    pub(crate) fn new(plan: FaultPlan) -> Self {
        let inner = Inner {
            state: Mutex::default(),
            paused: watch::Sender::new(false),
            changes: watch::Sender::new(0),
        };
        let handle = Self { inner: Arc::new(inner) };
        for rule in plan.rules {
            handle.add(rule);
        }
        handle
    }

    /// Adds a rule behind the others; it counts requests from now on.
    pub fn add(&self, rule: FaultRule) -> RuleId {
        let mut state = lock(&self.inner.state);
        let id = RuleId(state.next_id);
        state.next_id += 1;
        state.rules.push(Active { id, rule, matched: 0 });
        state.hits.insert(id, 0);
        id
    }

    /// Removes a rule. Requests that it already hit stay hit.
    pub fn remove(&self, id: RuleId) {
        lock(&self.inner.state).rules.retain(|active| active.id != id);
    }

    /// Removes all rules.
    pub fn clear(&self) {
        lock(&self.inner.state).rules.clear();
    }

    /// How many requests a rule has acted on.
    pub fn hits(&self, id: RuleId) -> u64 {
        lock(&self.inner.state).hits.get(&id).copied().unwrap_or(0)
    }

    /// How many requests of an API have arrived, hit or not.
    pub fn requests(&self, api: ApiKey) -> u64 {
        lock(&self.inner.state).requests.get(&api).copied().unwrap_or(0)
    }

    /// Waits until a rule has acted on at least `hits` requests. Cancellation safe.
    pub async fn wait_for_hits(&self, id: RuleId, hits: u64) {
        self.wait_until(|| self.hits(id) >= hits).await;
    }

    /// Waits until at least `requests` requests of an API have arrived. Cancellation safe.
    pub async fn wait_for_requests(&self, api: ApiKey, requests: u64) {
        self.wait_until(|| self.requests(api) >= requests).await;
    }

    async fn wait_until(&self, reached: impl Fn() -> bool) {
        let mut changes = self.inner.changes.subscribe();
        while !reached() {
            // The sender lives in `self`, so this cannot fail.
            let _ = changes.changed().await;
        }
    }

    /// Cuts all connections, and each new one as soon as it is accepted, until [`FaultHandle::resume`]:
    /// the broker has gone away, but keeps its port. Requests that are being processed may still take effect.
    pub fn pause(&self) {
        self.inner.paused.send_replace(true);
    }

    /// Serves connections again.
    pub fn resume(&self) {
        self.inner.paused.send_replace(false);
    }

    /// Whether the broker is paused, as something to wait on.
    pub(crate) fn paused(&self) -> watch::Receiver<bool> {
        self.inner.paused.subscribe()
    }

    /// Counts a request, and gives the action of the rule that it hits.
    pub(crate) fn arrived(&self, api: ApiKey, client_id: Option<&str>) -> Option<FaultAction> {
        let action = lock(&self.inner.state).arrived(api, client_id);
        self.inner.changes.send_modify(|changes| *changes += 1);
        action
    }
}

impl State {
    fn arrived(&mut self, api: ApiKey, client_id: Option<&str>) -> Option<FaultAction> {
        *self.requests.entry(api).or_default() += 1;
        for active in &mut self.rules {
            let rule = &active.rule;
            let matches = rule.api.is_none_or(|wanted| wanted == api)
                && rule.client_id.as_deref().is_none_or(|wanted| Some(wanted) == client_id);
            let hits = self.hits.entry(active.id).or_default();
            if !matches || rule.times.is_some_and(|times| *hits >= times) {
                continue;
            }
            active.matched += 1;
            if active.matched > rule.skip {
                *hits += 1;
                return Some(rule.action);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_count_skip_and_end() {
        let handle = FaultHandle::new(FaultPlan::new());
        let rule = FaultRule::new(FaultAction::DropReply).api(ApiKey::Produce).after(1).times(2);
        let id = handle.add(rule);
        let produce = || handle.arrived(ApiKey::Produce, None);
        assert_eq!(handle.arrived(ApiKey::Fetch, None), None);
        assert_eq!(produce(), None);
        assert_eq!(produce(), Some(FaultAction::DropReply));
        assert_eq!(produce(), Some(FaultAction::DropReply));
        assert_eq!(produce(), None);
        assert_eq!((handle.hits(id), handle.requests(ApiKey::Produce)), (2, 4));
    }

    #[test]
    fn the_first_rule_wins_and_clients_are_told_apart() {
        let plan = FaultPlan::new()
            .rule(FaultRule::new(FaultAction::CloseConnection).client_id("a"))
            .rule(FaultRule::new(FaultAction::DropReply).nth(2));
        let handle = FaultHandle::new(plan);
        assert_eq!(handle.arrived(ApiKey::Fetch, Some("a")), Some(FaultAction::CloseConnection));
        assert_eq!(handle.arrived(ApiKey::Fetch, Some("b")), None);
        assert_eq!(handle.arrived(ApiKey::Fetch, None), Some(FaultAction::DropReply));
        handle.clear();
        assert_eq!(handle.arrived(ApiKey::Fetch, Some("a")), None);
    }
}
