//! The cluster of the simulation: a coordinator and logs, as Kafka's.

use crate::error::ErrorCode;
use crate::producer::ordering::Outcome as Written;
use crossdock_wire::ProducerStamp;
use std::collections::BTreeSet;

pub(super) const PARTITIONS: usize = 3;
/// Where the group's offsets go: a partition too, for the coordinator.
pub(super) const OFFSETS: usize = PARTITIONS;
pub(super) const COUNT: i32 = 3;

/// A batch: its transaction, and its place within it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Batch {
    pub(super) transaction: u32,
    pub(super) number: u32,
}

/// `None` if it was dropped with its transaction.
pub(super) type Resolution = Result<(), Option<ErrorCode>>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Empty,
    Ongoing,
    Prepared(bool),
    Complete(bool),
}

#[derive(Debug, Default)]
pub(super) struct Log {
    pub(super) batches: Vec<Batch>,
    /// Visible to read_committed.
    pub(super) committed: Vec<Batch>,
    /// Of the open transaction.
    pub(super) open: Vec<Batch>,
    pub(super) epoch: i16,
    pub(super) seen: Vec<i32>,
}

/// What the cluster knows.
#[derive(Debug)]
pub(super) struct Kafka {
    pub(super) implicit: bool,
    pub(super) epoch: i16,
    /// The epoch that a repeated request may still name.
    pub(super) last_epoch: Option<i16>,
    pub(super) phase: Phase,
    pub(super) partitions: BTreeSet<usize>,
    /// Partitions without the marker that is being written.
    pub(super) unmarked: BTreeSet<usize>,
    pub(super) logs: Vec<Log>,
}

impl Kafka {
    pub(super) fn new(implicit: bool) -> Self {
        Self {
            implicit,
            epoch: -1,
            last_epoch: None,
            phase: Phase::Empty,
            partitions: BTreeSet::new(),
            unmarked: BTreeSet::new(),
            logs: (0..=PARTITIONS).map(|_| Log { epoch: -1, ..Log::default() }).collect(),
        }
    }

    pub(super) fn init(&mut self, present: Option<i16>) -> Result<i16, ErrorCode> {
        if let Some(present) = present
            && present != self.epoch
        {
            let repeated = self.last_epoch == Some(present) && self.phase == Phase::Empty;
            return if repeated { Ok(self.epoch) } else { Err(ErrorCode::PRODUCER_FENCED) };
        }
        match self.phase {
            Phase::Prepared(_) => return Err(ErrorCode::CONCURRENT_TRANSACTIONS),
            Phase::Ongoing => {
                self.abort_by_itself();
                return Err(ErrorCode::CONCURRENT_TRANSACTIONS);
            }
            Phase::Empty | Phase::Complete(_) => {}
        }
        self.phase = Phase::Empty;
        self.last_epoch = present;
        self.epoch += 1;
        Ok(self.epoch)
    }

    /// Fences whoever has the transaction open.
    pub(super) fn abort_by_itself(&mut self) {
        self.last_epoch = None;
        self.epoch += 1;
        self.prepare(false);
    }

    pub(super) fn prepare(&mut self, commit: bool) {
        self.phase = Phase::Prepared(commit);
        self.unmarked = std::mem::take(&mut self.partitions);
        self.complete_if_marked();
    }

    /// Writes one more marker.
    pub(super) fn mark(&mut self, at: usize) {
        let Phase::Prepared(commit) = self.phase else { return };
        let Some(partition) = self.unmarked.iter().nth(at).copied() else { return };
        self.unmarked.remove(&partition);
        let log = &mut self.logs[partition];
        let open = std::mem::take(&mut log.open);
        if commit {
            log.committed.extend(open);
        }
        if self.epoch > log.epoch {
            (log.epoch, log.seen) = (self.epoch, Vec::new());
        }
        self.complete_if_marked();
    }

    pub(super) fn complete_if_marked(&mut self) {
        if let Phase::Prepared(commit) = self.phase
            && self.unmarked.is_empty()
        {
            self.phase = Phase::Complete(commit);
        }
    }

    pub(super) fn add(
        &mut self,
        epoch: i16,
        partitions: impl Iterator<Item = usize>,
    ) -> Result<(), ErrorCode> {
        if epoch != self.epoch {
            return Err(ErrorCode::PRODUCER_FENCED);
        }
        if matches!(self.phase, Phase::Prepared(_)) {
            return Err(ErrorCode::CONCURRENT_TRANSACTIONS);
        }
        self.phase = Phase::Ongoing;
        self.partitions.extend(partitions);
        Ok(())
    }

    pub(super) fn end(&mut self, epoch: i16, commit: bool) -> Result<Option<i16>, ErrorCode> {
        if !self.implicit {
            if epoch != self.epoch {
                return Err(ErrorCode::PRODUCER_FENCED);
            }
            return match self.phase {
                Phase::Ongoing => {
                    self.prepare(commit);
                    Ok(None)
                }
                Phase::Complete(done) if done == commit => Ok(None),
                Phase::Prepared(done) if done == commit => Err(ErrorCode::CONCURRENT_TRANSACTIONS),
                _ => Err(ErrorCode::INVALID_TXN_STATE),
            };
        }
        if self.last_epoch == Some(epoch) && epoch + 1 == self.epoch {
            return match self.phase {
                Phase::Complete(done) if done == commit => Ok(Some(self.epoch)),
                Phase::Prepared(done) if done == commit => Err(ErrorCode::CONCURRENT_TRANSACTIONS),
                _ => Err(ErrorCode::INVALID_TXN_STATE),
            };
        }
        if epoch != self.epoch {
            return Err(ErrorCode::PRODUCER_FENCED);
        }
        match self.phase {
            Phase::Prepared(_) => return Err(ErrorCode::CONCURRENT_TRANSACTIONS),
            Phase::Empty | Phase::Complete(_) if commit => return Err(ErrorCode::INVALID_TXN_STATE),
            _ => {}
        }
        self.last_epoch = Some(epoch);
        self.epoch += 1;
        self.prepare(commit);
        Ok(Some(self.epoch))
    }

    /// The coordinator's part in writing to a partition whose transaction is not open there.
    pub(super) fn verify(&mut self, partition: usize, epoch: i16) -> Result<(), ErrorCode> {
        if self.implicit {
            let added = self.add(epoch, std::iter::once(partition));
            return added.map_err(|code| match code {
                ErrorCode::PRODUCER_FENCED => ErrorCode::INVALID_PRODUCER_EPOCH,
                code => code,
            });
        }
        let known = self.phase == Phase::Ongoing && self.partitions.contains(&partition);
        if known && epoch == self.epoch { Ok(()) } else { Err(ErrorCode::INVALID_TXN_STATE) }
    }

    pub(super) fn produce(
        &mut self,
        partition: usize,
        stamp: ProducerStamp,
        batch: Batch,
    ) -> Written<Resolution> {
        let (epoch, sequence) = (stamp.producer_epoch, stamp.base_sequence);
        let refused = |code| Written::Rejected(Err(Some(code)));
        let log = &self.logs[partition];
        if epoch < log.epoch {
            return refused(ErrorCode::INVALID_PRODUCER_EPOCH);
        }
        if epoch == log.epoch && log.seen.iter().rev().take(5).any(|s| *s == sequence) {
            return Written::Written(Ok(()));
        }
        if log.open.is_empty() || log.epoch != epoch {
            match self.verify(partition, epoch) {
                Ok(()) => {}
                Err(ErrorCode::CONCURRENT_TRANSACTIONS) => return Written::Retry,
                Err(code) => return refused(code),
            }
        }
        let log = &mut self.logs[partition];
        if epoch > log.epoch {
            if sequence != 0 {
                return Written::OutOfOrder;
            }
            (log.epoch, log.seen) = (epoch, Vec::new());
        } else if log.seen.last().is_some_and(|last| last + COUNT != sequence) {
            return Written::OutOfOrder;
        }
        log.seen.push(sequence);
        log.open.push(batch);
        log.batches.push(batch);
        Written::Written(Ok(()))
    }

    pub(super) fn commit_offsets(&mut self, epoch: i16, transaction: u32) -> Result<(), ErrorCode> {
        if epoch < self.logs[OFFSETS].epoch {
            return Err(ErrorCode::INVALID_PRODUCER_EPOCH);
        }
        self.verify(OFFSETS, epoch)?;
        let log = &mut self.logs[OFFSETS];
        log.epoch = epoch;
        log.open = vec![Batch { transaction, number: 0 }];
        Ok(())
    }
}
