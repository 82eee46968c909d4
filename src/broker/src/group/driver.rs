//! Gives the coordinator its clock, its member ids and its waiting requests.

use super::coordinator::Coordinator;
use super::{Action, Description, Identity, Join, Joined, Limits, Millis, Sync, Synced, Token};
use crate::sync::lock;
use kafka_protocol::ResponseError;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

/// The groups of a running broker.
#[derive(Debug)]
pub(crate) struct Groups {
    started: Instant,
    inner: Mutex<Inner>,
    /// Told when the next deadline may have come nearer.
    changed: Notify,
}

#[derive(Debug)]
struct Inner {
    coordinator: Coordinator,
    next_token: Token,
    joins: HashMap<Token, oneshot::Sender<Joined>>,
    syncs: HashMap<Token, oneshot::Sender<Synced>>,
}

impl Groups {
    pub(crate) fn new(limits: Limits) -> Self {
        let inner = Inner {
            coordinator: Coordinator::new(limits),
            next_token: 0,
            joins: HashMap::new(),
            syncs: HashMap::new(),
        };
        Self { started: Instant::now(), inner: Mutex::new(inner), changed: Notify::new() }
    }

    /// Joins, and waits for the rebalance.
    pub(crate) async fn join(&self, join: Join) -> Joined {
        let member_id = join.member_id.clone();
        let reply = self.with(|inner, now, out| {
            let (sender, reply) = oneshot::channel();
            let token = inner.token();
            inner.joins.insert(token, sender);
            inner.coordinator.join(now, token, join, out);
            reply
        });
        // The sender goes without a reply only with the broker.
        reply.await.unwrap_or_else(|_| Joined::refused(ResponseError::CoordinatorNotAvailable, &member_id))
    }

    /// Syncs, and waits for the leader's assignment.
    pub(crate) async fn sync(&self, group_id: &str, sync: Sync) -> Synced {
        let reply = self.with(|inner, now, out| {
            let (sender, reply) = oneshot::channel();
            let token = inner.token();
            inner.syncs.insert(token, sender);
            inner.coordinator.sync(now, token, group_id, sync, out);
            reply
        });
        reply.await.unwrap_or_else(|_| Synced::refused(ResponseError::CoordinatorNotAvailable))
    }

    pub(crate) fn heartbeat(
        &self,
        group_id: &str,
        who: Identity<'_>,
        generation: i32,
    ) -> Result<(), ResponseError> {
        self.with(|inner, now, _| inner.coordinator.heartbeat(now, group_id, who, generation))
    }

    pub(crate) fn leave(&self, group_id: &str, who: Identity<'_>) -> Result<(), ResponseError> {
        self.with(|inner, now, out| inner.coordinator.leave(now, group_id, who, out))
    }

    /// Whether offsets may be committed, and if so does it with `commit` before the group can change.
    pub(crate) fn commit<R>(
        &self,
        group_id: &str,
        who: Identity<'_>,
        generation: i32,
        commit: impl FnOnce() -> R,
    ) -> Result<R, ResponseError> {
        self.with(|inner, now, _| {
            inner.coordinator.check_commit(now, group_id, who, generation).map(|()| commit())
        })
    }

    pub(crate) fn describe(&self, group_id: &str) -> Option<Description> {
        lock(&self.inner).coordinator.describe(group_id)
    }

    pub(crate) fn list(&self) -> Vec<(String, String, &'static str)> {
        lock(&self.inner).coordinator.list()
    }

    /// Deletes a group that nobody is in, together with what `delete` removes.
    pub(crate) fn delete<R>(&self, group_id: &str, delete: impl FnOnce() -> R) -> Result<R, ResponseError> {
        self.with(|inner, _, _| {
            inner.coordinator.check_empty(group_id)?;
            inner.coordinator.delete(group_id);
            Ok(delete())
        })
    }

    /// Does `work` before anybody can join the group; an error if it has members.
    pub(crate) fn while_empty<R>(
        &self,
        group_id: &str,
        work: impl FnOnce() -> R,
    ) -> Result<R, ResponseError> {
        self.with(|inner, _, _| inner.coordinator.check_empty(group_id).map(|()| work()))
    }

    /// Runs the timers until it is dropped.
    pub(crate) async fn run(self: Arc<Self>) {
        loop {
            let next = lock(&self.inner).coordinator.next_deadline();
            match next {
                None => self.changed.notified().await,
                Some(deadline) => {
                    let at = self.started + Duration::from_millis(deadline);
                    tokio::select! {
                        () = tokio::time::sleep_until(at) => {
                            self.with(|inner, now, out| inner.coordinator.tick(now, out));
                        }
                        () = self.changed.notified() => {}
                    }
                }
            }
        }
    }

    fn with<R>(&self, event: impl FnOnce(&mut Inner, Millis, &mut Vec<Action>) -> R) -> R {
        let mut actions = Vec::new();
        let mut inner = lock(&self.inner);
        // Read under the lock, so that time does not run backwards from one event to the next.
        let now = self.started.elapsed().as_millis() as Millis;
        let result = event(&mut inner, now, &mut actions);
        for action in actions {
            inner.act(action);
        }
        drop(inner);
        self.changed.notify_one();
        result
    }
}

impl Inner {
    fn token(&mut self) -> Token {
        self.next_token += 1;
        self.next_token
    }

    fn act(&mut self, action: Action) {
        // A send fails when the connection of the request has gone: then nobody waits for it.
        match action {
            Action::Joined(token, joined) => {
                if let Some(waiting) = self.joins.remove(&token) {
                    let _ = waiting.send(joined);
                }
            }
            Action::Synced(token, synced) => {
                if let Some(waiting) = self.syncs.remove(&token) {
                    let _ = waiting.send(synced);
                }
            }
        }
    }
}
