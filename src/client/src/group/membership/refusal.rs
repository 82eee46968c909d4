//! What the coordinator's refusals mean: to wait, to join anew, or that the assignment is lost.

use super::{Action, GenerationEnd, Membership, ReplyError, State};
use crate::error::ErrorCode;
use std::sync::Arc;
use std::time::Instant;

impl Membership {
    /// A commit under generation `generation` was refused with `code`. Ignored unless that is the
    /// present generation.
    pub fn on_commit_refused(&mut self, generation: i32, code: ErrorCode) {
        let current = self.generation.as_ref().is_some_and(|g| g.id == generation);
        if current && self.beats() && is_verdict(code) {
            self.verdict(code);
        }
    }

    /// JoinGroup or SyncGroup failed. What was kept is lost if the coordinator does not know of it any more.
    pub(super) fn join_refused(&mut self, now: Instant, error: ReplyError) {
        let code = match error {
            ReplyError::Code(code) => code,
            ReplyError::Unreachable => {
                self.actions.push_back(Action::ForgetCoordinator);
                return self.wait(now);
            }
        };
        match code {
            ErrorCode::UNKNOWN_MEMBER_ID => {
                self.member_id = Arc::from("");
                self.wait_without_assignment(now);
            }
            ErrorCode::ILLEGAL_GENERATION => self.wait_without_assignment(now),
            ErrorCode::COORDINATOR_LOAD_IN_PROGRESS | ErrorCode::REBALANCE_IN_PROGRESS => self.wait(now),
            code if code.is_retriable() => {
                self.actions.push_back(Action::ForgetCoordinator);
                self.wait(now);
            }
            code => self.fail(code),
        }
    }

    pub(super) fn wait_without_assignment(&mut self, now: Instant) {
        let keeps = self.keeps;
        self.generation = None;
        self.wait(now);
        if let State::Waiting { until } = self.state
            && keeps
        {
            self.join_at = Some(until);
            self.lose();
        }
    }

    /// The coordinator's word on this member's generation, by heartbeat or commit.
    pub(super) fn verdict(&mut self, code: ErrorCode) {
        match code {
            ErrorCode::REBALANCE_IN_PROGRESS => {
                if self.state == State::Stable {
                    self.prepare(GenerationEnd::Rebalance);
                }
            }
            ErrorCode::UNKNOWN_MEMBER_ID => {
                self.member_id = Arc::from("");
                self.lose();
            }
            ErrorCode::ILLEGAL_GENERATION => self.lose(),
            code => self.fail(code),
        }
    }

    pub(super) fn lose(&mut self) {
        self.generation = None;
        self.heartbeat.in_flight = None;
        self.rejoin_when_stable = false;
        self.keeps = false;
        self.losses += 1;
        if self.state == State::Preparing {
            self.lost_meanwhile = true;
            self.actions.push_back(Action::LostMeanwhile);
        } else {
            self.prepare(GenerationEnd::Lost);
        }
    }
}

/// Whether a code speaks of this member's place in the group, not of the coordinator's.
pub(super) fn is_verdict(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::REBALANCE_IN_PROGRESS
            | ErrorCode::UNKNOWN_MEMBER_ID
            | ErrorCode::ILLEGAL_GENERATION
            | ErrorCode::FENCED_INSTANCE_ID
    ) || !code.is_retriable()
}
