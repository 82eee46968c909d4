//! Membership in a group of the consumer protocol (KIP-848), as a state machine without I/O and clock.
//!
//! What comes in: the time, answers to heartbeats, names of topics, and what the application wants. What
//! goes out: [`Action`]s, taken with [`ConsumerMembership::next_action`]. It mirrors
//! `org.apache.kafka.clients.consumer.internals.ConsumerMembershipManager` and its heartbeat manager.
//!
//! ```text
//!             subscribe()          answer              target ≠ current
//!  Unsubscribed ───────▶ Joining ────────▶ Stable ◀──────────────────────▶ Reconciling
//!                           ▲                 target = current: revoke, then assign │
//!                           │ released()                                            │
//!                           └───── Fenced (coordinator's verdict), Stale (away) ◀───┘
//! ```
//!
//! Java's ACKNOWLEDGING is the flag `ack_due` here: the next heartbeat tells what the member holds and goes
//! out at once. One heartbeat is under way at a time; after one that failed, all fields are sent again,
//! since it is not known what the coordinator took in.
//!
//! It must never count a partition as given up before the application said [`ConsumerMembership::revoked`],
//! join again before it said [`ConsumerMembership::released`], or take partitions while the coordinator may be
//! reading in an older heartbeat that they are not held: it would give them to others at once.

mod action;
mod reconcile;

pub use action::{Action, Answered, Heartbeat, HeartbeatAnswer, IdPartitions, Subscription};

use crate::error::ErrorCode;
use crate::group::membership::{Generation, ReplyError, Standing};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// The epoch with which a member joins.
const JOIN_EPOCH: i32 = 0;
/// The epoch with which a member leaves for good.
const LEAVE_EPOCH: i32 = -1;
/// The epoch with which a static member leaves; its partitions are kept for it.
const STATIC_LEAVE_EPOCH: i32 = -2;

/// What a membership has to know beforehand.
#[derive(Debug, Clone)]
pub struct MembershipConfig {
    /// The id that this member gave itself (KIP-1082); the same until the process ends.
    pub member_id: Arc<str>,
    /// Whether it has a `group.instance.id`.
    pub is_static: bool,
    /// First pause before a request is tried again.
    pub retry_backoff: Duration,
    /// Upper bound of that pause, which doubles with every failure.
    pub retry_backoff_max: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Unsubscribed,
    Joining,
    Reconciling,
    Stable,
    /// The coordinator fenced the member or does not know it.
    Fenced,
    /// The application was away for too long, and the group was left.
    Stale,
    Failed,
}

/// The state machine; see the module's documentation.
#[derive(Debug)]
pub struct ConsumerMembership {
    config: MembershipConfig,
    state: State,
    epoch: i32,
    subscription: Subscription,
    /// What the coordinator wants the member to hold.
    target: IdPartitions,
    /// What the application holds.
    current: IdPartitions,
    /// A revocation that the application has not answered: its step, and what goes.
    revoking: Option<(u64, IdPartitions)>,
    ack_due: bool,
    /// The application was told of an assignment since the group was joined.
    told: bool,
    /// How often the membership has ended.
    losses: u64,
    /// A heartbeat said what is held, and was not answered yet.
    in_doubt: bool,
    names: BTreeMap<Uuid, Arc<str>>,
    lookup: Lookup,
    /// What the coordinator was told by the last heartbeat; `None` if it has to be told everything.
    sent: Option<Sent>,
    pace: Pace,
    failures: u32,
    /// An error that the application knows of.
    reported: Option<ErrorCode>,
    last_number: u64,
    actions: VecDeque<Action>,
}

#[derive(Debug, PartialEq, Eq)]
struct Sent {
    subscription: Subscription,
    owned: IdPartitions,
}

#[derive(Debug, Clone, Copy)]
struct Pace {
    in_flight: Option<u64>,
    sent_at: Instant,
    /// When the next heartbeat is due.
    next_at: Instant,
    /// Until when even an urgent one waits.
    not_before: Instant,
}

#[derive(Debug, Clone, Copy)]
struct Lookup {
    asked: bool,
    not_before: Instant,
    failures: u32,
}

impl ConsumerMembership {
    /// A membership that does nothing until [`ConsumerMembership::subscribe`].
    pub fn new(config: MembershipConfig, now: Instant) -> Self {
        Self {
            config,
            state: State::Unsubscribed,
            epoch: JOIN_EPOCH,
            subscription: Subscription::default(),
            target: IdPartitions::new(),
            current: IdPartitions::new(),
            revoking: None,
            ack_due: false,
            told: false,
            losses: 0,
            in_doubt: false,
            names: BTreeMap::new(),
            lookup: Lookup { asked: false, not_before: now, failures: 0 },
            sent: None,
            pace: Pace { in_flight: None, sent_at: now, next_at: now, not_before: now },
            failures: 0,
            reported: None,
            last_number: 0,
            actions: VecDeque::new(),
        }
    }

    /// The next thing to do at `now`; `None` until [`ConsumerMembership::deadline`] or the next input.
    pub fn next_action(&mut self, now: Instant) -> Option<Action> {
        self.reconcile(now);
        self.beat(now);
        self.actions.pop_front()
    }

    /// When [`ConsumerMembership::next_action`] has something to do without further input.
    pub fn deadline(&self) -> Option<Instant> {
        let beat = (self.beats() && self.pace.in_flight.is_none()).then(|| self.due_at());
        let lookup = (self.looks_up() && !self.lookup.asked).then_some(self.lookup.not_before);
        beat.into_iter().chain(lookup).min()
    }

    /// Whether it is, or is about to become, a member.
    pub fn is_active(&self) -> bool {
        !matches!(self.state, State::Unsubscribed | State::Failed)
    }

    /// Whether, and under which epoch, offsets can be committed.
    pub fn standing(&self) -> Standing {
        match self.state {
            State::Stable | State::Reconciling => Standing::Member(Generation {
                id: self.epoch,
                member_id: self.config.member_id.clone(),
                protocol: Arc::from(""),
            }),
            State::Joining => Standing::Rebalancing,
            State::Unsubscribed | State::Fenced | State::Stale | State::Failed => Standing::None,
        }
    }

    /// How often the membership has ended so far: what was begun under one must not go on under another.
    pub fn losses(&self) -> u64 {
        self.losses
    }

    /// Subscribes to this instead of what was before, and joins if it is no member. The coordinator is told at once.
    pub fn subscribe(&mut self, now: Instant, subscription: Subscription) {
        if self.subscription != subscription {
            self.subscription = subscription;
            self.pace.next_at = now;
        }
        if self.state == State::Unsubscribed {
            self.join(now);
        }
    }

    /// The application has given up what [`Action::Revoke`] named.
    pub fn revoked(&mut self, step: u64) {
        if let Some((_, goes)) = self.revoking.take_if(|(present, _)| *present == step) {
            self.drop_held(&goes);
        }
    }

    /// The application knows that it lost everything, and is back.
    pub fn released(&mut self, now: Instant, step: u64) {
        if matches!(self.state, State::Fenced | State::Stale) && self.last_number == step {
            self.join(now);
        }
    }

    /// The names of topics that were asked for; those that the cluster does not know are left out.
    pub fn on_names(&mut self, now: Instant, names: BTreeMap<Uuid, Arc<str>>) {
        self.lookup.asked = false;
        self.names.extend(names);
        if self.looks_up() {
            self.lookup.not_before = now + self.backoff(self.lookup.failures);
            self.lookup.failures = self.lookup.failures.saturating_add(1);
        } else {
            self.lookup.failures = 0;
        }
    }

    /// The application was away for longer than `max.poll.interval.ms`: leaves the group and joins again
    /// once the application is back (it confirms the loss). Nothing happens without membership.
    pub fn poll_expired(&mut self) {
        if self.is_member() {
            self.push_leave();
            self.lose(State::Stale);
        }
    }

    /// Leaves the group until [`ConsumerMembership::subscribe`]. The application holds nothing any more.
    pub fn leave(&mut self) {
        let known = self.is_member() || (self.state == State::Joining && self.sent.is_some());
        self.actions.clear();
        if known || self.pace.in_flight.is_some() {
            self.push_leave();
        }
        self.forget();
        self.subscription = Subscription::default();
        self.state = State::Unsubscribed;
    }

    /// The answer to a heartbeat.
    pub fn on_heartbeat(&mut self, now: Instant, attempt: u64, answer: Answered) {
        if self.pace.in_flight != Some(attempt) {
            return;
        }
        self.pace.in_flight = None;
        match answer {
            Ok(answer) => self.accepted(now, answer),
            Err(error) => {
                self.sent = None;
                self.refused(now, error);
            }
        }
    }

    fn accepted(&mut self, now: Instant, answer: HeartbeatAnswer) {
        self.failures = 0;
        self.reported = None;
        self.in_doubt = false;
        self.epoch = answer.epoch;
        // What changed meanwhile, and has its turn at once, is in `due_at`.
        self.pace.next_at = (self.pace.sent_at + answer.interval).max(now);
        self.pace.not_before = now;
        if self.sent.as_ref().is_some_and(|sent| sent.subscription != self.subscription) {
            self.pace.next_at = now;
        }
        if let Some(assignment) = answer.assignment {
            self.target = assignment;
            if self.target.is_empty() && self.current.is_empty() && !self.told {
                // That there is nothing is told as well, once.
                self.told = true;
                self.actions.push_back(Action::Assign(Vec::new()));
            }
        }
        self.settle();
    }

    fn refused(&mut self, now: Instant, error: ReplyError) {
        let code = match error {
            ReplyError::Code(code) => code,
            ReplyError::Unreachable => {
                self.actions.push_back(Action::ForgetCoordinator);
                return self.retry(now);
            }
        };
        match code {
            ErrorCode::UNKNOWN_MEMBER_ID | ErrorCode::FENCED_MEMBER_EPOCH => {
                self.retry(now);
                self.lose(State::Fenced);
            }
            // All sessions were over and the group was deleted. A join meets this code if the group is of
            // another protocol, which waiting does not change.
            ErrorCode::GROUP_ID_NOT_FOUND if self.is_member() => {
                self.retry(now);
                self.lose(State::Fenced);
            }
            ErrorCode::COORDINATOR_LOAD_IN_PROGRESS => self.retry(now),
            ErrorCode::TOPIC_AUTHORIZATION_FAILED => {
                if self.reported.replace(code) != Some(code) {
                    self.actions.push_back(Action::Report(code));
                }
                self.retry(now);
            }
            code if code.is_retriable() => {
                self.actions.push_back(Action::ForgetCoordinator);
                self.retry(now);
            }
            code => self.fail(code),
        }
    }

    fn retry(&mut self, now: Instant) {
        let at = now + self.backoff(self.failures);
        self.failures = self.failures.saturating_add(1);
        (self.pace.next_at, self.pace.not_before) = (at, at);
    }

    fn fail(&mut self, code: ErrorCode) {
        self.forget();
        self.state = State::Failed;
        self.actions.push_back(Action::Failed(code));
    }

    fn join(&mut self, now: Instant) {
        self.state = State::Joining;
        self.sent = None;
        self.pace.next_at = now.max(self.pace.not_before);
    }

    fn lose(&mut self, state: State) {
        self.actions.retain(|action| matches!(action, Action::Leave { .. } | Action::ForgetCoordinator));
        self.forget();
        self.state = state;
        let step = self.next_number();
        self.actions.push_back(Action::Lose { step });
    }

    /// Forgets everything that belongs to a membership.
    fn forget(&mut self) {
        self.losses += 1;
        self.told = false;
        self.epoch = JOIN_EPOCH;
        self.target.clear();
        self.current.clear();
        self.revoking = None;
        (self.ack_due, self.in_doubt) = (false, false);
        self.lookup.asked = false;
        self.lookup.failures = 0;
        self.sent = None;
        self.reported = None;
        self.pace.in_flight = None;
    }

    fn push_leave(&mut self) {
        let epoch = if self.config.is_static { STATIC_LEAVE_EPOCH } else { LEAVE_EPOCH };
        self.actions.push_back(Action::Leave { epoch });
    }

    fn beat(&mut self, now: Instant) {
        if !self.beats() || self.pace.in_flight.is_some() || now < self.due_at() {
            return;
        }
        let attempt = self.next_number();
        let heartbeat = self.heartbeat();
        self.sent = Some(Sent { subscription: self.subscription.clone(), owned: self.current.clone() });
        self.ack_due = false;
        self.in_doubt |= heartbeat.owned.is_some();
        self.pace = Pace { in_flight: Some(attempt), sent_at: now, ..self.pace };
        self.actions.push_back(Action::Heartbeat { attempt, heartbeat });
    }

    /// The next heartbeat: all fields, or those that have changed. What is held is told after every
    /// reconciliation, even if it is the same again, since it acknowledges.
    fn heartbeat(&self) -> Heartbeat {
        let wanted = &self.subscription;
        let (topics, regex, owned) = match &self.sent {
            None => (true, wanted.regex.is_some(), true),
            Some(sent) => (
                sent.subscription.topics != wanted.topics,
                sent.subscription.regex != wanted.regex,
                self.ack_due || sent.owned != self.current,
            ),
        };
        Heartbeat {
            epoch: self.epoch,
            topics: topics.then(|| wanted.topics.clone()),
            regex: regex.then(|| wanted.regex.clone().unwrap_or_else(|| Arc::from(""))),
            owned: owned.then(|| self.current.clone()),
            full: self.sent.is_none(),
        }
    }

    /// When the next heartbeat is due, if none is under way.
    fn due_at(&self) -> Instant {
        let urgent = self.ack_due || self.state == State::Joining;
        if urgent { self.pace.not_before } else { self.pace.next_at.max(self.pace.not_before) }
    }

    fn beats(&self) -> bool {
        self.is_member() || self.state == State::Joining
    }

    fn is_member(&self) -> bool {
        matches!(self.state, State::Stable | State::Reconciling)
    }

    fn backoff(&self, failures: u32) -> Duration {
        let factor = 2u32.saturating_pow(failures.min(16));
        self.config.retry_backoff.saturating_mul(factor).min(self.config.retry_backoff_max)
    }

    fn next_number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }
}

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
