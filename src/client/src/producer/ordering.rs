//! The order of one partition's batches, kept over retries, lost answers, reconnects and leader moves.
//!
//! No I/O and no clock: the sender asks what to send next and reports what became of it. A batch is in one of
//! three states: it waits to be sent (again), it is in flight, or it is resolved. Batches are resolved,
//! and so acknowledged, strictly in order.
//!
//! # Invariants, and why
//!
//! - Nothing is sent while a batch that comes *later* is in flight: that one could be written first.
//!   So after a failure all in flight is waited for, then sending starts again from the oldest.
//! - Until a batch was written, and again after each failure, one batch is in flight. A broker that has
//!   no state of the producer takes any sequence number, so a second batch could be written where the
//!   first was refused.
//! - A batch keeps its sequence number when it is sent again, so that the broker recognises what it has
//!   written already (KIP-98). It gets another one only when it is certain that it was not written.
//! - When a gap in the sequence is certain (a batch was refused for good, or the broker lost its
//!   state), the epoch is raised and the sequence starts at 0, once nothing is in flight (KIP-360). A
//!   batch that follows a gap cannot have been written, so nothing is written twice.
//! - A refusal with OUT_OF_ORDER_SEQUENCE_NUMBER means a gap only for the oldest batch. For others it is the
//!   consequence of an earlier one's failure.
//!
//! Never may a batch whose outcome is unknown be reported as not written.

use crossdock_wire::ProducerStamp;
use std::collections::VecDeque;

/// An idempotent producer's identity, as InitProducerId gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) id: i64,
    pub(crate) epoch: i16,
}

/// What became of a batch that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome<R> {
    /// It is in the log.
    Written(R),
    /// It was not written, but may be if it is sent again.
    Retry,
    /// No answer came. `sent` tells whether it may have reached the broker.
    Lost { sent: bool },
    /// Its sequence number does not follow the last one that the broker has.
    OutOfOrder,
    /// The broker does not know, or no longer takes, the identity.
    IdentityRefused,
    /// It was not written and never will be.
    Rejected(R),
    /// It is not sent again, and nobody knows whether it was written.
    Unclear(R),
}

/// A batch to be sent now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Departure {
    pub(crate) id: u64,
    pub(crate) stamp: ProducerStamp,
    /// Whether the stamp differs from the one that the batch was sent with before.
    pub(crate) restamp: bool,
}

/// The order of one partition.
#[derive(Debug)]
pub(crate) struct Ordering<B, R> {
    mode: Mode,
    next_sequence: i32,
    entries: VecDeque<Entry<B, R>>,
    next_id: u64,
    /// A gap in the sequence is certain.
    gap: bool,
    /// The last thing heard was that the oldest batch was written: several may be in flight.
    steady: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Plain,
    /// `None`: an identity is needed before anything can be sent.
    Idempotent(Option<Identity>),
    /// Idempotent, with an identity that only the transaction coordinator changes: see [`Ordering::adopt`].
    Transactional(Option<Identity>),
}

#[derive(Debug)]
struct Entry<B, R> {
    id: u64,
    batch: B,
    count: i32,
    sequence: Option<i32>,
    /// The stamp in the batch's bytes.
    stamped: Option<ProducerStamp>,
    /// An attempt ended without an answer.
    ambiguous: bool,
    state: State<R>,
}

#[derive(Debug)]
enum State<R> {
    Waiting,
    InFlight,
    Resolved(R),
}

impl<B, R> Entry<B, R> {
    fn is_waiting(&self) -> bool {
        matches!(self.state, State::Waiting)
    }

    fn is_in_flight(&self) -> bool {
        matches!(self.state, State::InFlight)
    }
}

impl<B, R> Ordering<B, R> {
    /// Without idempotence: batches are not stamped.
    pub(crate) fn plain() -> Self {
        Self::with_mode(Mode::Plain)
    }

    /// Idempotent, with the identity that the producer has, or will have.
    pub(crate) fn idempotent(identity: Option<Identity>) -> Self {
        Self::with_mode(Mode::Idempotent(identity))
    }

    /// Of a transactional producer: nothing is sent before [`Ordering::adopt`], and none after a gap.
    pub(crate) fn transactional() -> Self {
        Self::with_mode(Mode::Transactional(None))
    }

    fn with_mode(mode: Mode) -> Self {
        Self { mode, next_sequence: 0, entries: VecDeque::new(), next_id: 0, gap: false, steady: false }
    }

    /// Adds a batch of `count` records at the end.
    pub(crate) fn push(&mut self, batch: B, count: i32) {
        let entry = Entry {
            id: self.next_id,
            batch,
            count,
            sequence: None,
            stamped: None,
            ambiguous: false,
            state: State::Waiting,
        };
        self.next_id += 1;
        self.entries.push_back(entry);
    }

    /// The batch that waits longest to be sent.
    pub(crate) fn first_waiting(&self) -> Option<&B> {
        self.entries.iter().find(|e| e.is_waiting()).map(|e| &e.batch)
    }

    /// All batches that wait to be sent, the oldest first.
    pub(crate) fn waiting_mut(&mut self) -> impl Iterator<Item = &mut B> {
        self.entries.iter_mut().filter(|e| e.is_waiting()).map(|e| &mut e.batch)
    }

    pub(crate) fn has_in_flight(&self) -> bool {
        self.entries.iter().any(|e| e.is_in_flight())
    }

    /// Whether sending must wait for what is in flight.
    pub(crate) fn is_blocked(&self) -> bool {
        let behind_first_waiting = self.entries.iter().skip_while(|e| !e.is_waiting());
        let overtaken = { behind_first_waiting }.any(|e| e.is_in_flight());
        overtaken || ((self.gap || !self.steady) && self.has_in_flight())
    }

    /// Whether an identity must be set before anything can be sent.
    pub(crate) fn needs_identity(&self) -> bool {
        self.mode == Mode::Idempotent(None)
    }

    /// Sets a new identity; its sequence starts at 0.
    pub(crate) fn set_identity(&mut self, identity: Identity) {
        if self.needs_identity() {
            self.mode = Mode::Idempotent(Some(identity));
        }
    }

    /// The identity of a transaction's batches. A new one starts the sequence at 0; it is taken over once no batch
    /// is left that has a number under the old one.
    pub(crate) fn adopt(&mut self, identity: Identity) {
        let clean = self.entries.iter().all(|e| e.sequence.is_none());
        if let Mode::Transactional(present) = &mut self.mode
            && *present != Some(identity)
            && clean
        {
            *present = Some(identity);
            (self.next_sequence, self.gap, self.steady) = (0, false, false);
        }
    }

    pub(crate) fn is_transactional(&self) -> bool {
        matches!(self.mode, Mode::Transactional(_))
    }

    /// Whether the batches of a transaction can no longer all be written: a gap in the sequence is certain.
    pub(crate) fn is_broken(&self) -> bool {
        self.gap && self.is_transactional()
    }

    /// Goes on without idempotence, if no identity was set.
    pub(crate) fn go_plain(&mut self) {
        if self.needs_identity() {
            self.mode = Mode::Plain;
        }
    }

    /// A batch in flight.
    pub(crate) fn in_flight(&self, id: u64) -> Option<&B> {
        self.entries.iter().find(|e| e.id == id && e.is_in_flight()).map(|e| &e.batch)
    }

    /// As [`Ordering::in_flight`], to be changed.
    pub(crate) fn in_flight_mut(&mut self, id: u64) -> Option<&mut B> {
        self.entries.iter_mut().find(|e| e.id == id && e.is_in_flight()).map(|e| &mut e.batch)
    }

    /// Whether an earlier attempt of the batch may have written it.
    pub(crate) fn is_ambiguous(&self, id: u64) -> bool {
        self.entries.iter().any(|e| e.id == id && e.ambiguous)
    }

    /// Waits for no answers any more: what is in flight may have been written.
    pub(crate) fn abandon(&mut self) {
        for entry in self.entries.iter_mut().filter(|e| e.is_in_flight()) {
            entry.state = State::Waiting;
            entry.ambiguous = true;
        }
    }

    /// Puts the oldest waiting batch in flight. `None` if there is none, sending is blocked, or an
    /// identity is needed. The caller sends it; batches must go out in the order of these calls.
    pub(crate) fn depart(&mut self) -> Option<(Departure, &mut B)> {
        if self.is_blocked() {
            return None;
        }
        if self.is_broken() {
            return None;
        }
        self.close_gap();
        let identity = match self.mode {
            Mode::Plain => None,
            Mode::Idempotent(identity) | Mode::Transactional(identity) => Some(identity?),
        };
        let next_sequence = &mut self.next_sequence;
        let entry = self.entries.iter_mut().find(|e| e.is_waiting())?;
        let stamp = match identity {
            None => ProducerStamp::NONE,
            Some(Identity { id, epoch }) => {
                let sequence = *entry.sequence.get_or_insert_with(|| {
                    let sequence = *next_sequence;
                    *next_sequence = sequence_after(sequence, entry.count);
                    sequence
                });
                ProducerStamp { producer_id: id, producer_epoch: epoch, base_sequence: sequence }
            }
        };
        let restamp = entry.stamped != Some(stamp);
        entry.stamped = Some(stamp);
        entry.state = State::InFlight;
        Some((Departure { id: entry.id, stamp, restamp }, &mut entry.batch))
    }

    /// Takes note of what became of a batch in flight. Unknown ids are ignored.
    pub(crate) fn arrived(&mut self, id: u64, outcome: Outcome<R>) {
        let Some(at) = self.entries.iter().position(|e| e.id == id && e.is_in_flight()) else {
            return;
        };
        let oldest = self.entries.iter().position(|e| !matches!(e.state, State::Resolved(_))) == Some(at);
        let entry = &mut self.entries[at];
        entry.state = State::Waiting;
        // A later one that was written proves nothing: it may have been a duplicate. Going on would push the
        // oldest one out of the five that the broker recognises.
        self.steady = oldest && matches!(outcome, Outcome::Written(_));
        match outcome {
            Outcome::Written(result) => entry.state = State::Resolved(result),
            Outcome::Retry => {}
            Outcome::Lost { sent } => entry.ambiguous |= sent,
            Outcome::OutOfOrder => self.gap |= oldest,
            Outcome::IdentityRefused => self.gap = true,
            Outcome::Unclear(result) => entry.state = State::Resolved(result),
            Outcome::Rejected(result) => {
                entry.state = State::Resolved(result);
                // An earlier attempt may have used its number up: the broker would take another batch of that
                // number for this one, and not write it.
                if !entry.ambiguous {
                    self.forsake(at);
                }
            }
        }
    }

    /// Replaces a batch in flight that was refused for its size, and not written, by two that hold its
    /// records.
    pub(crate) fn split(&mut self, id: u64, first: (B, i32), second: (B, i32)) {
        let Some(at) = self.entries.iter().position(|e| e.id == id && e.is_in_flight()) else {
            return;
        };
        self.steady = false;
        let sequence = self.entries[at].sequence;
        let entry = |id, (batch, count): (B, i32), sequence| Entry {
            id,
            batch,
            count,
            sequence,
            stamped: None,
            ambiguous: false,
            state: State::Waiting,
        };
        let rest = sequence.map(|s| sequence_after(s, first.1));
        self.entries[at] = entry(self.next_id, first, sequence);
        self.entries.insert(at + 1, entry(self.next_id + 1, second, rest));
        self.next_id += 2;
    }

    /// Gives up the waiting batches of a transaction that is not committed. Those that may have been written stay
    /// if `keep_ambiguous`, unless they can no longer be sent.
    pub(crate) fn drop_unsent(&mut self, keep_ambiguous: bool, mut error: impl FnMut(&B, bool) -> R) {
        let keep_ambiguous = keep_ambiguous && !self.gap;
        for at in (0..self.entries.len()).rev() {
            let entry = &mut self.entries[at];
            let ambiguous = entry.ambiguous;
            if entry.is_waiting() && !(ambiguous && keep_ambiguous) {
                entry.state = State::Resolved(error(&entry.batch, ambiguous));
                if !ambiguous {
                    self.forsake(at);
                }
            }
        }
    }

    /// Gives up waiting batches. `error` makes the result; its second argument tells whether the batch
    /// may have been written all the same.
    pub(crate) fn give_up(&mut self, expired: impl Fn(&B) -> bool, mut error: impl FnMut(&B, bool) -> R) {
        // From the end, so that sequence numbers are freed where possible rather than leave a gap.
        for at in (0..self.entries.len()).rev() {
            let entry = &mut self.entries[at];
            if entry.is_waiting() && expired(&entry.batch) {
                let ambiguous = entry.ambiguous;
                entry.state = State::Resolved(error(&entry.batch, ambiguous));
                if !ambiguous {
                    self.forsake(at);
                }
            }
        }
    }

    /// The next batch that is resolved, with all before it resolved too.
    pub(crate) fn pop_resolved(&mut self) -> Option<(B, R)> {
        match self.entries.front()?.state {
            State::Resolved(_) => {}
            _ => return None,
        }
        let entry = self.entries.pop_front()?;
        match entry.state {
            State::Resolved(result) => Some((entry.batch, result)),
            State::Waiting | State::InFlight => None,
        }
    }

    /// The batch at `at` was certainly not written and will not be sent again: frees its sequence number
    /// if it is the last one given, else there is a gap.
    fn forsake(&mut self, at: usize) {
        let Some(sequence) = self.entries[at].sequence.take() else { return };
        if self.entries.iter().skip(at + 1).any(|e| e.sequence.is_some()) {
            self.gap = true;
        } else {
            self.next_sequence = sequence;
        }
    }

    /// Raises the epoch after a gap. Nothing is in flight, and nothing that waits has been written.
    fn close_gap(&mut self) {
        if !std::mem::take(&mut self.gap) {
            return;
        }
        self.next_sequence = 0;
        if let Mode::Idempotent(Some(identity)) = &mut self.mode {
            match identity.epoch.checked_add(1) {
                Some(epoch) => identity.epoch = epoch,
                None => self.mode = Mode::Idempotent(None),
            }
        }
        for entry in self.entries.iter_mut().filter(|e| e.is_waiting()) {
            entry.sequence = None;
        }
    }
}

/// Sequence numbers go on at 0 after `i32::MAX` (`DefaultRecordBatch.incrementSequence`).
fn sequence_after(sequence: i32, count: i32) -> i32 {
    ((i64::from(sequence) + i64::from(count)) & i64::from(i32::MAX)) as i32
}

#[cfg(test)]
#[path = "ordering_tests.rs"]
mod tests;
