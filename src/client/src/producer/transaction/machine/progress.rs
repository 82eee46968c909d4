//! How the machine goes on: what answers and failures mean for it.

use super::super::step::Request;
use super::super::verdict::{Verdict, judge};
use super::*;

/// What mostly is the matter when the coordinator knows of no transaction that could be ended.
const TOO_LATE: &str =
    "; it may have taken longer than transaction.timeout.ms, after which the coordinator aborts it";

impl Machine {
    /// What the coordinators must know of before the transaction can end.
    pub(super) fn announce(&mut self) -> Option<Action> {
        let identity = self.identity?;
        let new: Vec<LaneId> =
            self.partitions.iter().filter(|(_, added)| !**added).map(|(p, _)| *p).collect();
        if !new.is_empty() {
            return Some(Action::AddPartitions { identity, partitions: new });
        }
        let pending = self.offsets.as_ref().filter(|o| o.outcome.is_none())?;
        let offsets = pending.task.clone();
        let implicit = self.protocol.implicit;
        if implicit {
            self.started = Started::Yes;
        } else if !pending.announced {
            return Some(Action::AddOffsets { identity, offsets });
        }
        Some(Action::CommitOffsets { identity, offsets, implicit })
    }

    pub(super) fn end(&mut self, drained: bool, commit: bool) -> Option<Action> {
        if !drained {
            return None;
        }
        let identity = self.identity?;
        if self.started == Started::No {
            // The coordinator has heard nothing of it.
            self.ended(None);
            return match self.state {
                State::Raising => Some(Action::Init { identity: Some(identity) }),
                _ => None,
            };
        }
        Some(Action::End { identity, commit, implicit: self.protocol.implicit })
    }

    pub(super) fn unanswered(&mut self, action: &Action) {
        match action {
            Action::End { .. } => self.uncertain = true,
            Action::AddPartitions { .. } | Action::AddOffsets { .. } if self.started == Started::No => {
                self.started = Started::Maybe;
            }
            _ => {}
        }
    }

    pub(super) fn carried_out(&mut self, action: Action, answer: Answer) {
        match (action, answer) {
            (Action::Init { .. }, Answer::Initialized { identity, protocol }) => {
                self.identity = Some(identity);
                self.protocol = protocol;
                self.raise = false;
                self.state = State::Ready;
                self.conclude(Ok(()));
            }
            (Action::AddPartitions { partitions, .. }, Answer::Done) => {
                self.started = Started::Yes;
                // Those that are gone belong to a transaction that is to be aborted.
                for partition in partitions {
                    if let Some(added) = self.partitions.get_mut(&partition) {
                        *added = true;
                    }
                }
            }
            (Action::AddOffsets { .. }, Answer::Done) => {
                self.started = Started::Yes;
                if let Some(offsets) = &mut self.offsets {
                    offsets.announced = true;
                }
            }
            (Action::CommitOffsets { .. }, Answer::Done) => {
                if let Some(offsets) = self.offsets.as_mut().filter(|o| o.outcome.is_none()) {
                    offsets.outcome = Some(Ok(()));
                    self.news = true;
                }
            }
            (Action::End { .. }, Answer::Ended { identity }) => self.ended(identity),
            (action, answer) => self.fatal(&format!("{answer:?} is no answer to {action:?}"), None),
        }
    }

    pub(super) fn ended(&mut self, identity: Option<Identity>) {
        if identity.is_some() {
            self.identity = identity;
        }
        self.started = Started::No;
        self.uncertain = false;
        self.partitions.clear();
        self.offsets = self.offsets.take().filter(|o| o.outcome.is_some());
        if self.raise {
            self.state = State::Raising;
        } else {
            self.state = State::Ready;
            self.conclude(Ok(()));
        }
    }

    pub(super) fn refused(&mut self, action: &Action, code: ErrorCode, reason: String) -> Pause {
        let request = action.request();
        match judge(request, code) {
            Verdict::Retry { soon: true, .. } => {
                self.last_error = Some(reason.into());
                return Pause::Short;
            }
            Verdict::Retry { forget, .. } => {
                if code == ErrorCode::REQUEST_TIMED_OUT {
                    self.unanswered(action);
                }
                self.last_error = Some(reason.into());
                return Pause::Backoff { forget };
            }
            Verdict::Abort if request == Request::Init => self.refuse_init(reason, code),
            // The coordinator cannot tell whether the lost attempt to start it arrived; now it is known.
            Verdict::Fatal
                if request == (Request::End { commit: false })
                    && code == ErrorCode::INVALID_TXN_STATE
                    && self.started == Started::Maybe =>
            {
                self.ended(None);
            }
            // Aborting would not end either; or it could take back what was reported as unknown.
            Verdict::Abort if request == (Request::End { commit: false }) || self.uncertain => {
                self.fatal(&reason, Some(code));
            }
            Verdict::Abort => match self.state {
                State::Broken(_) | State::Aborting(_) => self.must_raise(&reason, Some(code)),
                _ => self.break_with(&reason, Some(code)),
            },
            Verdict::Fenced => self.fenced(code),
            Verdict::Fatal => {
                let hint = match (request, code) {
                    (Request::End { .. }, ErrorCode::INVALID_TXN_STATE) => TOO_LATE,
                    _ => "",
                };
                self.fatal(&format!("{reason}{hint}"), Some(code));
            }
        }
        Pause::None
    }

    pub(super) fn refuse_init(&mut self, reason: String, code: ErrorCode) {
        if matches!(self.state, State::Raising) {
            return self.fatal(&reason, Some(code));
        }
        self.state = State::Unready;
        let (transactional_id, reason) = (self.id.clone(), reason.into());
        self.conclude(Err(TransactionError::Refused { transactional_id, reason, code: Some(code) }));
    }

    /// From now on the transaction can only be aborted.
    pub(super) fn break_with(&mut self, reason: &str, code: Option<ErrorCode>) {
        self.must_raise(reason, code);
        if matches!(self.state, State::Dead(_)) {
            return;
        }
        let (transactional_id, reason) = (self.id.clone(), reason.into());
        let error = TransactionError::Abortable { transactional_id, reason, code };
        tracing::debug!(%error, "a transaction can only be aborted");
        self.partitions.retain(|_, added| *added);
        self.offsets_end(&error);
        self.state = State::Broken(error.clone());
        self.conclude(Err(error));
    }

    /// Sequence numbers are no longer certain: they must start anew under another epoch.
    pub(super) fn must_raise(&mut self, reason: &str, code: Option<ErrorCode>) {
        if self.protocol.implicit {
            return; // EndTxn does it.
        }
        if self.protocol.raises_epochs {
            self.raise = true;
        } else {
            self.fatal(&format!("{reason}; brokers before Kafka 2.5 cannot recover from it"), code);
        }
    }

    pub(super) fn fenced(&mut self, code: ErrorCode) {
        let may_have_been_committed = self.commit_may_be_done();
        let transactional_id = self.id.clone();
        self.die(TransactionError::Fenced { transactional_id, code, may_have_been_committed });
    }

    pub(super) fn fatal(&mut self, reason: &str, code: Option<ErrorCode>) {
        let may_have_been_committed = self.commit_may_be_done();
        let (transactional_id, reason) = (self.id.clone(), reason.into());
        self.die(TransactionError::Fatal { transactional_id, reason, code, may_have_been_committed });
    }

    pub(super) fn commit_may_be_done(&self) -> bool {
        let under_way = matches!(self.under_way, Some(Action::End { commit: true, .. }));
        matches!(self.state, State::Committing) && (self.uncertain || under_way)
    }

    pub(super) fn die(&mut self, error: TransactionError) {
        self.partitions.clear();
        self.offsets_end(&error);
        self.state = State::Dead(error.clone());
        self.conclude(Err(error));
    }

    pub(super) fn offsets_end(&mut self, error: &TransactionError) {
        if let Some(offsets) = self.offsets.as_mut().filter(|o| o.outcome.is_none()) {
            offsets.outcome = Some(Err(error.clone()));
        }
        self.news = true;
    }

    pub(super) fn conclude(&mut self, outcome: Outcome) {
        if let Some(waited) = self.call.as_mut().filter(|w| w.outcome.is_none()) {
            waited.outcome = Some(outcome);
        }
        self.news = true;
    }

    pub(super) fn check_waited(&self, call: &'static str, passes: impl Fn(&Waited) -> bool) -> Outcome {
        match &self.call {
            Some(waited) if !passes(waited) => {
                // An outcome that says the producer is dead is worth more than whose it was.
                if let State::Dead(error) = &self.state {
                    return Err(error.clone());
                }
                Err(TransactionError::Pending { call, pending: waited.call.name() })
            }
            _ => Ok(()),
        }
    }

    /// Why `call` is not possible in the present state.
    pub(super) fn refuse<T>(&self, call: &'static str) -> Result<T, TransactionError> {
        let reason = match &self.state {
            State::Broken(error) | State::Dead(error) => return Err(error.clone()),
            State::Unready => "call init_transactions first",
            State::Initializing => "init_transactions has not ended",
            State::Ready => "no transaction is open; call begin_transaction first",
            State::Open => "a transaction is open",
            State::Committing => "commit_transaction has not ended",
            State::Aborting(_) | State::Raising => "abort_transaction has not ended",
        };
        Err(TransactionError::Misuse { call, reason })
    }
}
