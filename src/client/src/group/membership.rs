//! Membership in a classic group, as a state machine without I/O and without a clock.
//!
//! What comes in: the time, the answers to requests, and what the application wants. What goes out:
//! [`Action`]s, taken with [`Membership::next_action`]. The machine mirrors
//! `org.apache.kafka.clients.consumer.internals.AbstractCoordinator`; KIP-394 (member id
//! required) and KIP-345 (static members) do not concern its callers. It knows neither the protocol type nor what an assignment means, so consumers and Connect's workers share it.
//!
//! ```text
//!          join()            prepared()          leader: assign()
//!   Idle ────────▶ Preparing ─────────▶ Joining ─────────────────▶ Syncing ──▶ Stable
//!                    ▲   ▲                 │ error: Waiting, then Joining         │
//!                    │   └─────────────────┴──────────────────────────────────────┤ rebalance
//!                    └──────── Lost (kicked out, fenced generation, poll expired) ┘
//! ```
//!
//! Every request carries an attempt number; the answer to an attempt that was given up is ignored.
//! Heartbeats go on in `Preparing`, so that an application that is slow to give up its assignment
//! stays a member, and begin anew while the leader assigns, which may take longer than a session. A member that waits
//! in `Syncing` needs none: the coordinator keeps it, and they would queue behind SyncGroup.
//! It must never send a JoinGroup before the application said [`Membership::prepared`].
//!
//! An application that takes part in a cooperative protocol (KIP-429, KIP-415) keeps its assignment while it
//! joins, and says so with `prepared`. Then a failed join is a loss too, if the coordinator does not know the
//! member any more, and is told like one before the group is joined again.
//!
//! `heartbeat`: when one is due; `refusal`: what refusals of the coordinator mean.

mod action;
mod heartbeat;
mod refusal;

pub use action::{Action, Generation, GenerationEnd, Joined, LeaveReason, Member, ReplyError, Standing};

use crate::error::ErrorCode;
use bytes::Bytes;
use refusal::is_verdict;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Timing of a membership.
#[derive(Debug, Clone)]
pub struct MembershipConfig {
    /// `group.instance.id`: a static member keeps its assignment over a restart (KIP-345) and does
    /// not leave the group when it stops.
    pub instance_id: Option<String>,
    /// Time between heartbeats; at most a third of the session timeout is usual.
    pub heartbeat_interval: Duration,
    /// First pause before a request is tried again.
    pub retry_backoff: Duration,
    /// Upper bound of that pause, which doubles with every failure.
    pub retry_backoff_max: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Idle,
    Preparing,
    Waiting { until: Instant },
    Joining { attempt: u64 },
    Assigning { attempt: u64, skip: bool },
    Syncing { attempt: u64 },
    Stable,
    Failed,
}

/// The state machine; see the module's documentation.
#[derive(Debug)]
pub struct Membership {
    config: MembershipConfig,
    state: State,
    member_id: Arc<str>,
    generation: Option<Generation>,
    actions: VecDeque<Action>,
    last_attempt: u64,
    failures: u32,
    rejoin_when_stable: bool,
    /// The application keeps an assignment while the group is joined.
    keeps: bool,
    /// The generation was lost while the application prepares for another reason.
    lost_meanwhile: bool,
    /// When to join after the application has prepared, if not at once.
    join_at: Option<Instant>,
    /// How often a generation was lost.
    losses: u64,
    heartbeat: Heartbeat,
}

#[derive(Debug, Clone, Copy)]
struct Heartbeat {
    next_at: Instant,
    in_flight: Option<u64>,
}

impl Membership {
    /// A membership that does nothing until [`Membership::join`].
    pub fn new(config: MembershipConfig, now: Instant) -> Self {
        Self {
            config,
            state: State::Idle,
            member_id: Arc::from(""),
            generation: None,
            actions: VecDeque::new(),
            last_attempt: 0,
            failures: 0,
            rejoin_when_stable: false,
            keeps: false,
            lost_meanwhile: false,
            join_at: None,
            losses: 0,
            heartbeat: Heartbeat { next_at: now, in_flight: None },
        }
    }

    /// The next thing to do at `now`; `None` until [`Membership::deadline`] or the next input.
    pub fn next_action(&mut self, now: Instant) -> Option<Action> {
        if let State::Waiting { until } = self.state
            && now >= until
        {
            self.send_join();
        }
        self.beat(now);
        self.actions.pop_front()
    }

    /// When [`Membership::next_action`] has something to do without further input.
    pub fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Waiting { until } => Some(until),
            _ if self.heartbeats() && self.heartbeat.in_flight.is_none() => Some(self.heartbeat.next_at),
            _ => None,
        }
    }

    /// Whether it is, or is about to become, a member.
    pub fn is_active(&self) -> bool {
        !matches!(self.state, State::Idle | State::Failed)
    }

    /// Whether, and as what, offsets can be committed.
    pub fn standing(&self) -> Standing {
        match (self.state, &self.generation) {
            (State::Stable | State::Preparing, Some(generation)) => Standing::Member(generation.clone()),
            // The old generation counts until the coordinator has begun the next.
            (State::Joining { .. } | State::Waiting { .. }, Some(generation)) if self.keeps => {
                Standing::Member(generation.clone())
            }
            (
                State::Waiting { .. }
                | State::Joining { .. }
                | State::Assigning { .. }
                | State::Syncing { .. },
                _,
            ) => Standing::Rebalancing,
            _ => Standing::None,
        }
    }

    /// Whether the application keeps an assignment while the group is joined.
    pub fn keeps(&self) -> bool {
        self.keeps
    }

    /// How often the assignment was lost so far, or the group left: what was begun before must not go on after.
    pub fn losses(&self) -> u64 {
        self.losses
    }

    /// The last generation that this member knows it is part of, if any.
    pub fn generation(&self) -> Option<&Generation> {
        self.generation.as_ref()
    }

    /// Becomes a member. Nothing happens if it is one, or is about to be.
    pub fn join(&mut self) {
        if self.state == State::Idle {
            self.prepare(GenerationEnd::Rebalance);
        }
    }

    /// Asks for a new generation, since the subscription, the metadata or what is to be assigned changed.
    pub fn rejoin(&mut self) {
        match self.state {
            State::Stable => self.prepare(GenerationEnd::Rebalance),
            State::Joining { .. } | State::Assigning { .. } | State::Syncing { .. } => {
                self.rejoin_when_stable = true;
            }
            State::Idle | State::Preparing | State::Waiting { .. } | State::Failed => {}
        }
    }

    /// The application has given up what it has to. `keeps` tells that it keeps the rest of its assignment while
    /// the group is joined.
    pub fn prepared(&mut self, keeps: bool) {
        if self.state != State::Preparing {
            return;
        }
        if keeps && std::mem::take(&mut self.lost_meanwhile) {
            return self.prepare(GenerationEnd::Lost);
        }
        self.keeps = keeps;
        match self.join_at.take() {
            Some(until) => self.state = State::Waiting { until },
            None => self.send_join(),
        }
    }

    /// The application was away for longer than `max.poll.interval.ms`: leaves the group (a static member just
    /// stops), as Java's heartbeat thread does, and rejoins once the application is back (it confirms the
    /// loss). Nothing happens while there is no generation to leave.
    pub fn poll_expired(&mut self) {
        if !self.beats() {
            return;
        }
        if self.config.instance_id.is_none() {
            self.push_leave(LeaveReason::PollExpired);
        }
        self.member_id = Arc::from("");
        self.lose();
    }

    /// Leaves the group for good (until [`Membership::join`]). A static member sends nothing.
    pub fn leave(&mut self) {
        if self.state != State::Idle && self.config.instance_id.is_none() {
            self.push_leave(LeaveReason::Asked);
        }
        self.state = State::Idle;
        self.generation = None;
        self.member_id = Arc::from("");
        self.heartbeat.in_flight = None;
        self.rejoin_when_stable = false;
        self.keeps = false;
        self.losses += 1;
        self.join_at = None;
    }

    /// The driver met an error that trying again cannot mend.
    pub fn fail(&mut self, code: ErrorCode) {
        self.state = State::Failed;
        self.generation = None;
        self.keeps = false;
        self.heartbeat.in_flight = None;
        self.actions.push_back(Action::Failed(code));
    }

    /// The answer to JoinGroup.
    pub fn on_join(&mut self, now: Instant, attempt: u64, answer: Result<Joined, ReplyError>) {
        if self.state != (State::Joining { attempt }) {
            return;
        }
        match answer {
            Ok(joined) => self.joined(now, joined),
            Err(error) => self.join_refused(now, error),
        }
    }

    /// JoinGroup was refused because a new member has to come back with the id it is given (KIP-394).
    pub fn on_member_id(&mut self, attempt: u64, member_id: &str) {
        if self.state == (State::Joining { attempt }) {
            self.member_id = Arc::from(member_id);
            self.send_join();
        }
    }

    /// The leader's assignments, or `None` if they could not be computed now.
    pub fn assign(&mut self, now: Instant, attempt: u64, assignments: Option<Vec<(String, Bytes)>>) {
        let State::Assigning { attempt: present, skip } = self.state else { return };
        match assignments {
            _ if present != attempt => {}
            Some(_) if skip => self.send_sync(Vec::new()),
            Some(assignments) => self.send_sync(assignments),
            None => self.wait(now),
        }
    }

    /// The answer to SyncGroup.
    pub fn on_sync(&mut self, now: Instant, attempt: u64, answer: Result<Bytes, ReplyError>) {
        if self.state != (State::Syncing { attempt }) {
            return;
        }
        match (answer, self.generation.clone()) {
            (Ok(assignment), Some(generation)) => {
                self.state = State::Stable;
                self.failures = 0;
                self.keeps = false;
                self.heartbeat = Heartbeat { next_at: now + self.config.heartbeat_interval, in_flight: None };
                self.actions.push_back(Action::Assigned { generation, assignment });
                if std::mem::take(&mut self.rejoin_when_stable) {
                    self.prepare(GenerationEnd::Rebalance);
                }
            }
            (Ok(_), None) => self.wait(now),
            (Err(ReplyError::Code(ErrorCode::REBALANCE_IN_PROGRESS)), _) => self.send_join(),
            (Err(error), _) => self.join_refused(now, error),
        }
    }

    fn prepare(&mut self, end: GenerationEnd) {
        self.state = State::Preparing;
        self.lost_meanwhile = false;
        self.actions.push_back(Action::Prepare(end));
    }

    fn joined(&mut self, now: Instant, joined: Joined) {
        self.member_id = joined.generation.member_id.clone();
        self.generation = Some(joined.generation.clone());
        match joined.members {
            Some(members) => {
                let attempt = self.next_attempt();
                self.state = State::Assigning { attempt, skip: joined.skip_assignment };
                self.heartbeat = Heartbeat { next_at: now + self.config.heartbeat_interval, in_flight: None };
                self.actions.push_back(Action::Assign { attempt, generation: joined.generation, members });
            }
            None => self.send_sync(Vec::new()),
        }
    }

    fn send_join(&mut self) {
        let attempt = self.next_attempt();
        self.state = State::Joining { attempt };
        self.heartbeat.in_flight = None;
        self.actions.push_back(Action::Join { attempt, member_id: self.member_id.clone() });
    }

    fn send_sync(&mut self, assignments: Vec<(String, Bytes)>) {
        let Some(generation) = self.generation.clone() else { return };
        let attempt = self.next_attempt();
        self.state = State::Syncing { attempt };
        self.actions.push_back(Action::Sync { attempt, generation, assignments });
    }

    fn push_leave(&mut self, reason: LeaveReason) {
        let joining = matches!(self.state, State::Joining { .. } | State::Syncing { .. });
        // Requests that wait to be taken are void now.
        self.actions
            .retain(|a| !matches!(a, Action::Join { .. } | Action::Sync { .. } | Action::Assign { .. }));
        if !self.member_id.is_empty() {
            self.actions.push_back(Action::Leave { member_id: self.member_id.clone(), joining, reason });
        }
    }

    fn wait(&mut self, now: Instant) {
        if !self.keeps {
            self.generation = None;
        }
        self.heartbeat.in_flight = None;
        let until = now + self.backoff();
        self.failures = self.failures.saturating_add(1);
        self.state = State::Waiting { until };
    }

    fn backoff(&self) -> Duration {
        let factor = 2u32.saturating_pow(self.failures.min(16));
        self.config.retry_backoff.saturating_mul(factor).min(self.config.retry_backoff_max)
    }

    fn next_attempt(&mut self) -> u64 {
        self.last_attempt += 1;
        self.last_attempt
    }
}

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
