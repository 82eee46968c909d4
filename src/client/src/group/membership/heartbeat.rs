//! Heartbeats: when one is due, and what its answer means.

use super::{Action, Membership, ReplyError, State, is_verdict};
use crate::error::ErrorCode;
use std::time::Instant;

impl Membership {
    /// The answer to Heartbeat.
    pub fn on_heartbeat(&mut self, now: Instant, attempt: u64, answer: Result<(), ReplyError>) {
        if self.heartbeat.in_flight != Some(attempt) {
            return;
        }
        self.heartbeat.in_flight = None;
        match answer {
            Ok(()) => {
                self.failures = 0;
                self.heartbeat.next_at = now + self.config.heartbeat_interval;
            }
            Err(ReplyError::Code(code)) if is_verdict(code) => {
                self.heartbeat.next_at = now + self.config.heartbeat_interval;
                match self.state {
                    // SyncGroup is going to say so too.
                    State::Assigning { .. } | State::Syncing { .. }
                        if code == ErrorCode::REBALANCE_IN_PROGRESS => {}
                    State::Assigning { .. } | State::Syncing { .. } => {
                        self.join_refused(now, ReplyError::Code(code))
                    }
                    _ => self.verdict(code),
                }
            }
            Err(error) => {
                if error != ReplyError::Code(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS) {
                    self.actions.push_back(Action::ForgetCoordinator);
                }
                self.failures = self.failures.saturating_add(1);
                self.heartbeat.next_at = now + self.backoff();
            }
        }
    }

    /// Whether there is a generation to lose, and the application has to show itself.
    pub(in crate::group) fn beats(&self) -> bool {
        matches!(self.state, State::Stable | State::Preparing) && self.generation.is_some()
    }

    pub(super) fn heartbeats(&self) -> bool {
        self.beats() || matches!(self.state, State::Assigning { .. })
    }

    pub(super) fn beat(&mut self, now: Instant) {
        if !self.heartbeats() || self.heartbeat.in_flight.is_some() || now < self.heartbeat.next_at {
            return;
        }
        let Some(generation) = self.generation.clone() else { return };
        let attempt = self.next_attempt();
        self.heartbeat.in_flight = Some(attempt);
        self.actions.push_back(Action::Heartbeat { attempt, generation });
    }
}
