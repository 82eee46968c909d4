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
use super::verdict::{Verdict, judge, of_batch};
use crate::error::ErrorCode;
use crate::group::{ConsumerGroupMetadata, OffsetAndMetadata};
use crate::metadata::TopicPartition;
use crate::producer::accumulator::LaneId;
use crate::producer::ordering::Identity;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// What mostly is the matter when the coordinator knows of no transaction that could be ended.
const TOO_LATE: &str =
    "; it may have taken longer than transaction.timeout.ms, after which the coordinator aborts it";

/// How transactions are spoken of with the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Protocol {
    /// `transaction.version` 2 (KIP-890).
    pub(crate) implicit: bool,
    /// InitProducerId takes the present id and epoch (version 3, Kafka 2.5).
    pub(crate) raises_epochs: bool,
}

/// Offsets that a transaction commits for a group.
#[derive(Debug)]
pub(crate) struct GroupOffsets {
    pub(crate) group: ConsumerGroupMetadata,
    pub(crate) offsets: HashMap<TopicPartition, OffsetAndMetadata>,
}

/// A request to be sent to a coordinator.
#[derive(Debug, Clone)]
pub(crate) enum Action {
    /// InitProducerId; with the present identity if only the epoch is to be raised.
    Init { identity: Option<Identity> },
    /// AddPartitionsToTxn.
    AddPartitions { identity: Identity, partitions: Vec<LaneId> },
    /// AddOffsetsToTxn.
    AddOffsets { identity: Identity, offsets: Arc<GroupOffsets> },
    /// TxnOffsetCommit, to the group's coordinator.
    CommitOffsets { identity: Identity, offsets: Arc<GroupOffsets>, implicit: bool },
    /// EndTxn.
    End { identity: Identity, commit: bool, implicit: bool },
}

/// The kind of an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Request {
    Init,
    AddPartitions,
    AddOffsets,
    CommitOffsets,
    End { commit: bool },
}

/// What became of an action.
#[derive(Debug)]
pub(crate) enum Answer {
    Initialized {
        identity: Identity,
        protocol: Protocol,
    },
    /// Carried out.
    Done,
    /// The transaction has ended; the identity of the next one, if it is another.
    Ended {
        identity: Option<Identity>,
    },
    Refused {
        code: ErrorCode,
        reason: String,
    },
    /// No answer. `sent` tells whether it may have been carried out.
    Lost {
        sent: bool,
        reason: String,
    },
    /// It cannot be sent to these brokers, or their answer makes no sense.
    Impossible {
        reason: String,
    },
}

/// How long to wait before the next action, and whether its coordinator must be looked for again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pause {
    None,
    /// The coordinator completes the transaction before; that takes milliseconds.
    Short,
    /// As before any other repetition.
    Backoff {
        forget: bool,
    },
}

/// A call of the handle that takes its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    Init,
    Commit,
    Abort,
}

impl Call {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Init => "init_transactions",
            Self::Commit => "commit_transaction",
            Self::Abort => "abort_transaction",
        }
    }
}

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

    // ---- the handle's calls -----------------------------------------------------------------------

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

    // ---- what the sender asks and finds ------------------------------------------------------------

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

    // ---- within -----------------------------------------------------------------------------------

    /// What the coordinators must know of before the transaction can end.
    fn announce(&mut self) -> Option<Action> {
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

    fn end(&mut self, drained: bool, commit: bool) -> Option<Action> {
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

    fn unanswered(&mut self, action: &Action) {
        match action {
            Action::End { .. } => self.uncertain = true,
            Action::AddPartitions { .. } | Action::AddOffsets { .. } if self.started == Started::No => {
                self.started = Started::Maybe;
            }
            _ => {}
        }
    }

    fn carried_out(&mut self, action: Action, answer: Answer) {
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

    fn ended(&mut self, identity: Option<Identity>) {
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

    fn refused(&mut self, action: &Action, code: ErrorCode, reason: String) -> Pause {
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

    fn refuse_init(&mut self, reason: String, code: ErrorCode) {
        if matches!(self.state, State::Raising) {
            return self.fatal(&reason, Some(code));
        }
        self.state = State::Unready;
        let (transactional_id, reason) = (self.id.clone(), reason.into());
        self.conclude(Err(TransactionError::Refused { transactional_id, reason, code: Some(code) }));
    }

    /// From now on the transaction can only be aborted.
    fn break_with(&mut self, reason: &str, code: Option<ErrorCode>) {
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
    fn must_raise(&mut self, reason: &str, code: Option<ErrorCode>) {
        if self.protocol.implicit {
            return; // EndTxn does it.
        }
        if self.protocol.raises_epochs {
            self.raise = true;
        } else {
            self.fatal(&format!("{reason}; brokers before Kafka 2.5 cannot recover from it"), code);
        }
    }

    fn fenced(&mut self, code: ErrorCode) {
        let may_have_been_committed = self.commit_may_be_done();
        let transactional_id = self.id.clone();
        self.die(TransactionError::Fenced { transactional_id, code, may_have_been_committed });
    }

    fn fatal(&mut self, reason: &str, code: Option<ErrorCode>) {
        let may_have_been_committed = self.commit_may_be_done();
        let (transactional_id, reason) = (self.id.clone(), reason.into());
        self.die(TransactionError::Fatal { transactional_id, reason, code, may_have_been_committed });
    }

    fn commit_may_be_done(&self) -> bool {
        let under_way = matches!(self.under_way, Some(Action::End { commit: true, .. }));
        matches!(self.state, State::Committing) && (self.uncertain || under_way)
    }

    fn die(&mut self, error: TransactionError) {
        self.partitions.clear();
        self.offsets_end(&error);
        self.state = State::Dead(error.clone());
        self.conclude(Err(error));
    }

    fn offsets_end(&mut self, error: &TransactionError) {
        if let Some(offsets) = self.offsets.as_mut().filter(|o| o.outcome.is_none()) {
            offsets.outcome = Some(Err(error.clone()));
        }
        self.news = true;
    }

    fn conclude(&mut self, outcome: Outcome) {
        if let Some(waited) = self.call.as_mut().filter(|w| w.outcome.is_none()) {
            waited.outcome = Some(outcome);
        }
        self.news = true;
    }

    fn check_waited(&self, call: &'static str, passes: impl Fn(&Waited) -> bool) -> Outcome {
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
    fn refuse<T>(&self, call: &'static str) -> Result<T, TransactionError> {
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

impl Action {
    fn request(&self) -> Request {
        match self {
            Self::Init { .. } => Request::Init,
            Self::AddPartitions { .. } => Request::AddPartitions,
            Self::AddOffsets { .. } => Request::AddOffsets,
            Self::CommitOffsets { .. } => Request::CommitOffsets,
            Self::End { commit, .. } => Request::End { commit: *commit },
        }
    }
}

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
