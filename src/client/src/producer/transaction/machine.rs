//! The state of a transactional producer, and which request is next.
//!
//! No I/O and no clock: the handle's calls and the sender's findings go in, [`Action`]s come out, and their
//! answers go in again. One action is under way at a time; what fails for a reason that passes is given out
//! again, unchanged.
//!
//! # Two protocols
//!
//! - *Classic* (`transaction.version` 0 and 1): the client announces each partition and group before the
//!   first write. The epoch stays while all goes well; after an abort it is raised by InitProducerId with
//!   the present id and epoch (KIP-360), so that sequence numbers start anew.
//! - *Implicit* (2, KIP-890): brokers announce partitions themselves, and each EndTxn raises the epoch, so
//!   that nothing of an old transaction can slip into the next one.
//!
//! Which one is used is settled at initialization, by the features of the coordinator's cluster.
//!
//! # Invariants, and why
//!
//! - EndTxn goes out when nothing of the transaction is unresolved: a batch that came later would be in the next
//!   transaction, or in none.
//! - EndTxn is repeated with the same result until it is answered: its outcome is unknown before.
//! - A failed batch makes the transaction abortable only, whatever comes after it.
//! - After a fatal error nothing is given out any more.

use super::error::TransactionError;
use super::step::{Action, Answer, Call, GroupOffsets, Pause, Protocol};
use super::verdict::{Verdict, of_batch};
use crate::error::ErrorCode;
use crate::producer::accumulator::LaneId;
use crate::producer::ordering::Identity;
use std::collections::BTreeMap;
use std::sync::Arc;

mod progress;

pub(crate) type Outcome = Result<(), TransactionError>;

#[derive(Debug)]
enum State {
    Unready,
    Initializing,
    Ready,
    Open,
    /// Open, but good for nothing but to be aborted.
    Broken(TransactionError),
    Committing,
    Aborting(Arc<str>),
    /// Aborted; the epoch is being raised.
    Raising,
    Dead(TransactionError),
}

/// Whether the coordinator knows of the transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Started {
    No,
    /// A request that starts it got no answer.
    Maybe,
    Yes,
}

#[derive(Debug)]
struct Waited {
    call: Call,
    outcome: Option<Outcome>,
}

#[derive(Debug)]
struct Offsets {
    ticket: u64,
    task: Arc<GroupOffsets>,
    announced: bool,
    outcome: Option<Outcome>,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Machine {
    id: Arc<str>,
    state: State,
    identity: Option<Identity>,
    protocol: Protocol,
    started: Started,
    /// Partitions of the transaction, and whether they may be written to.
    partitions: BTreeMap<LaneId, bool>,
    offsets: Option<Offsets>,
    next_ticket: u64,
    call: Option<Waited>,
    under_way: Option<Action>,
    /// An EndTxn with the present result got no answer.
    uncertain: bool,
    /// The epoch must be raised after the abort.
    raise: bool,
    last_error: Option<Arc<str>>,
    /// Somebody may have to be told.
    news: bool,
}

impl Machine {
    pub(crate) fn new(transactional_id: Arc<str>) -> Self {
        Self {
            id: transactional_id,
            state: State::Unready,
            identity: None,
            protocol: Protocol::default(),
            started: Started::No,
            partitions: BTreeMap::new(),
            offsets: None,
            next_ticket: 0,
            call: None,
            under_way: None,
            uncertain: false,
            raise: false,
            last_error: None,
            news: false,
        }
    }

    /// Whether a record may be appended now.
    pub(crate) fn check_append(&self) -> Outcome {
        match self.state {
            State::Open => Ok(()),
            _ => self.refuse("append"),
        }
    }

    /// Begins a transaction; nothing is sent for it.
    pub(crate) fn begin(&mut self) -> Outcome {
        let call = "begin_transaction";
        self.check_waited(call, |_| false)?;
        match self.state {
            State::Ready => {
                self.state = State::Open;
                Ok(())
            }
            State::Open => {
                let reason =
                    "a transaction is open already; call commit_transaction or abort_transaction first";
                Err(TransactionError::Misuse { call, reason })
            }
            _ => self.refuse(call),
        }
    }

    /// Starts a call, or goes on with the same one whose outcome nobody took. See [`Machine::outcome`].
    pub(crate) fn start(&mut self, call: Call) -> Outcome {
        if self.call.as_ref().is_some_and(|w| w.call == call) {
            return Ok(());
        }
        self.check_waited(call.name(), |waited| {
            // A failed commit that nobody heard of does not keep the transaction from being aborted.
            call == Call::Abort && matches!(waited.outcome, Some(Err(_)))
        })?;
        self.state = match (call, &self.state) {
            (Call::Init, State::Unready) => State::Initializing,
            (Call::Init, State::Dead(error)) => return Err(error.clone()),
            (Call::Init, _) => {
                let reason = "it was called before; call begin_transaction";
                return Err(TransactionError::Misuse { call: call.name(), reason });
            }
            (Call::Commit, State::Open) => State::Committing,
            (Call::Abort, State::Open) => State::Aborting("abort_transaction was called".into()),
            (Call::Abort, State::Broken(error)) => State::Aborting(error.to_string().into()),
            _ => return self.refuse(call.name()),
        };
        if call == Call::Abort {
            // Batches that are dropped leave gaps in the sequence.
            let begun = self.started != Started::No || self.under_way.is_some();
            self.raise |= begun && !self.protocol.implicit && self.protocol.raises_epochs;
            self.partitions.retain(|_, added| *added);
            self.offsets_end(&TransactionError::Misuse {
                call: "send_offsets_to_transaction",
                reason: "the transaction was aborted meanwhile",
            });
        }
        self.call = Some(Waited { call, outcome: None });
        Ok(())
    }

    /// Takes the outcome of a call that was started; `None` while it is under way.
    pub(crate) fn outcome(&mut self, call: Call) -> Option<Outcome> {
        match &mut self.call {
            Some(waited) if waited.call == call => {
                let outcome = waited.outcome.take()?;
                self.call = None;
                Some(outcome)
            }
            _ => {
                let reason = "another caller of it took its outcome";
                Some(Err(TransactionError::Misuse { call: call.name(), reason }))
            }
        }
    }

    /// Adds a group's offsets to the transaction; gives a ticket for [`Machine::offsets_outcome`].
    pub(crate) fn send_offsets(&mut self, task: GroupOffsets) -> Result<u64, TransactionError> {
        let call = "send_offsets_to_transaction";
        self.check_waited(call, |_| false)?;
        if !matches!(self.state, State::Open) {
            self.refuse(call)?;
        }
        if self.offsets.as_ref().is_some_and(|o| o.outcome.is_none()) {
            return Err(TransactionError::Misuse {
                call,
                reason: "an earlier call of it is still under way",
            });
        }
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        let outcome = task.offsets.is_empty().then_some(Ok(()));
        self.offsets = Some(Offsets { ticket, task: Arc::new(task), announced: false, outcome });
        Ok(ticket)
    }

    pub(crate) fn offsets_outcome(&mut self, ticket: u64) -> Option<Outcome> {
        match &mut self.offsets {
            Some(offsets) if offsets.ticket == ticket => {
                offsets.outcome.take().inspect(|_| self.offsets = None)
            }
            _ => Some(Err(TransactionError::Misuse {
                call: "send_offsets_to_transaction",
                reason: "the transaction has ended meanwhile",
            })),
        }
    }

    /// What stood in the way of the present action last.
    pub(crate) fn last_error(&self) -> Option<Arc<str>> {
        self.last_error.clone()
    }

    /// Whether there is a transaction that a graceful end should abort.
    pub(crate) fn is_unfinished(&self) -> bool {
        matches!(self.state, State::Open | State::Broken(_))
    }

    /// Whether records should not linger, since the transaction waits for them.
    pub(crate) fn is_committing(&self) -> bool {
        matches!(self.state, State::Committing)
    }

    /// The sender has ended: nothing more will happen.
    pub(crate) fn close(&mut self) {
        if !matches!(self.state, State::Dead(_)) {
            let may_have_been_committed = self.commit_may_be_done();
            self.die(TransactionError::Closed { transactional_id: self.id.clone(), may_have_been_committed });
        }
    }

    /// The identity of the batches of the present transaction.
    pub(crate) fn identity(&self) -> Option<Identity> {
        self.identity
    }

    /// Whether produce requests are those of the implicit protocol.
    pub(crate) fn is_implicit(&self) -> bool {
        self.protocol.implicit
    }

    /// Whether a batch of the partition may be sent. If the coordinator must be told of it first, that is noted.
    pub(crate) fn may_produce(&mut self, partition: LaneId) -> bool {
        match self.state {
            State::Open | State::Committing => {}
            // What may have been written already is sent again, until it is known.
            State::Broken(_) | State::Aborting(_) => return self.partitions.get(&partition) == Some(&true),
            _ => return false,
        }
        if self.protocol.implicit {
            self.started = Started::Yes;
        }
        *self.partitions.entry(partition).or_insert(self.protocol.implicit)
    }

    /// What is to be done with batches that were not sent, if the transaction will not be committed: the
    /// reason, and whether batches that may have been written are to be sent until that is known.
    pub(crate) fn dropping(&self) -> Option<(Arc<str>, bool)> {
        // Under the implicit protocol the epoch is raised before the next transaction, so that they cannot
        // get into it.
        let keep = !self.protocol.implicit;
        match &self.state {
            State::Broken(error) => Some((error.to_string().into(), keep)),
            State::Aborting(reason) => Some((reason.clone(), keep)),
            State::Dead(error) => Some((error.to_string().into(), false)),
            _ => None,
        }
    }

    /// A batch of the transaction was given up.
    pub(crate) fn batch_failed(&mut self, code: Option<ErrorCode>, reason: &str) {
        match (of_batch(code), &self.state) {
            (_, State::Unready | State::Initializing | State::Ready | State::Raising | State::Dead(_)) => {}
            (Verdict::Fenced, _) => self.fenced(ErrorCode::PRODUCER_FENCED),
            (Verdict::Fatal, _) => self.fatal(reason, code),
            (_, State::Broken(_) | State::Aborting(_)) => self.must_raise(reason, code),
            _ => self.break_with(reason, code),
        }
    }

    /// The next request. `drained` tells whether all batches are resolved, so that the transaction may end.
    pub(crate) fn next_action(&mut self, drained: bool) -> Option<Action> {
        if self.under_way.is_some() {
            return None;
        }
        let action = match self.state {
            State::Initializing => Action::Init { identity: None },
            State::Raising => Action::Init { identity: self.identity },
            State::Open => self.announce()?,
            State::Committing => match self.announce() {
                Some(action) => action,
                None => self.end(drained, true)?,
            },
            State::Aborting(_) => self.end(drained, false)?,
            State::Unready | State::Ready | State::Broken(_) | State::Dead(_) => return None,
        };
        self.under_way = Some(action.clone());
        Some(action)
    }

    /// Takes note of what became of the action under way.
    pub(crate) fn answered(&mut self, answer: Answer) -> Pause {
        let Some(action) = self.under_way.take() else { return Pause::None };
        if matches!(self.state, State::Dead(_)) {
            return Pause::None;
        }
        match answer {
            Answer::Refused { code, reason } => self.refused(&action, code, reason),
            Answer::Lost { sent, reason } => {
                if sent {
                    self.unanswered(&action);
                }
                self.last_error = Some(reason.into());
                Pause::Backoff { forget: true }
            }
            Answer::Impossible { reason } => {
                self.fatal(&reason, None);
                Pause::None
            }
            done => {
                self.last_error = None;
                self.carried_out(action, done);
                Pause::None
            }
        }
    }

    /// Whether somebody has to be told of an outcome since this was asked last.
    pub(crate) fn take_news(&mut self) -> bool {
        std::mem::take(&mut self.news)
    }
}

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
