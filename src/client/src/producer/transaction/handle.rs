//! The calls of a transactional producer.

use super::error::TransactionError;
use super::machine::{Machine, Outcome};
use super::step::{Call, GroupOffsets};
use crate::group::{ConsumerGroupMetadata, OffsetAndMetadata};
use crate::metadata::TopicPartition;
use crate::producer::{Flushing, Producer};
use std::collections::HashMap;
use tokio::time::Instant;

/// Transactions. All of it needs `transactional.id`. The order of calls is that of Java's producer:
/// `init_transactions` once, then again and again `begin_transaction`, appends and offsets, and
/// `commit_transaction` or `abort_transaction`.
///
/// Calls may be waited for with a time limit: when the future is dropped the call goes on, and calling the
/// same again waits for its outcome. Nothing else is possible before that outcome was taken.
impl Producer {
    /// Takes over the transactional id: ends what an earlier producer with it left open (it is committed if its
    /// commit was under way, else aborted), and fences that producer. Waits for `max.block.ms` at most.
    pub async fn init_transactions(&self) -> Result<(), TransactionError> {
        self.transact(Call::Init).await
    }

    /// Begins a transaction: what is appended from now on belongs to it.
    pub fn begin_transaction(&self) -> Result<(), TransactionError> {
        self.with_machine("begin_transaction", Machine::begin)
    }

    /// Commits offsets for a consumer group together with the transaction. `group` is what
    /// [`crate::Consumer::group_metadata`] gives: a member that the group has moved on from is refused, and the
    /// transaction can only be aborted then. One call at a time; waits for `max.block.ms` at most.
    pub async fn send_offsets_to_transaction(
        &self,
        offsets: &HashMap<TopicPartition, OffsetAndMetadata>,
        group: &ConsumerGroupMetadata,
    ) -> Result<(), TransactionError> {
        let call = "send_offsets_to_transaction";
        let task = GroupOffsets { group: group.clone(), offsets: offsets.clone() };
        let ticket = self.with_machine(call, |machine| machine.send_offsets(task))?;
        self.shared.wake.notify_one();
        self.wait_for(call, |machine| machine.offsets_outcome(ticket)).await
    }

    /// Sends all that was appended, waits until it is acknowledged, and commits. Success means that the
    /// transaction is committed, whatever happens later. After an error that
    /// [may have committed](TransactionError::may_have_been_committed) only the log tells.
    ///
    /// Waits for `max.block.ms` at most; see above for how to go on waiting.
    pub async fn commit_transaction(&self) -> Result<(), TransactionError> {
        let _flushing = Flushing::start(&self.shared);
        self.transact(Call::Commit).await
    }

    /// Drops what was not sent, waits for what is under way, and aborts. Dropped records are reported to the
    /// sink with [`super::super::ProduceError::Aborted`]. Waits for `max.block.ms` at most.
    pub async fn abort_transaction(&self) -> Result<(), TransactionError> {
        self.transact(Call::Abort).await
    }

    async fn transact(&self, call: Call) -> Outcome {
        self.with_machine(call.name(), |machine| machine.start(call))?;
        self.shared.wake.notify_one();
        self.wait_for(call.name(), |machine| machine.outcome(call)).await
    }

    async fn wait_for(
        &self,
        call: &'static str,
        mut outcome: impl FnMut(&mut Machine) -> Option<Outcome>,
    ) -> Outcome {
        let deadline = Instant::now() + self.config.max_block;
        loop {
            let notified = self.shared.transactions.notified();
            tokio::pin!(notified);
            notified.as_mut().enable();
            if let Some(outcome) = self.with_machine(call, |machine| Ok(outcome(machine)))? {
                return outcome;
            }
            if tokio::time::timeout_at(deadline, notified).await.is_err() {
                let last = self.with_machine(call, |machine| Ok(machine.last_error()))?;
                return Err(TransactionError::Timeout { call, after: self.config.max_block, last });
            }
        }
    }

    /// Aborts the transaction that is open, if there is one, before the producer is closed.
    pub(in crate::producer) async fn abort_unfinished(&self) {
        let unfinished =
            self.shared.lock().transaction.as_ref().is_some_and(|machine| machine.is_unfinished());
        if unfinished && let Err(error) = self.abort_transaction().await {
            tracing::warn!(%error, "a transaction was left open when the producer was closed");
        }
    }

    fn with_machine<T>(
        &self,
        call: &'static str,
        operate: impl FnOnce(&mut Machine) -> Result<T, TransactionError>,
    ) -> Result<T, TransactionError> {
        match &mut self.shared.lock().transaction {
            Some(machine) => operate(machine),
            None => Err(TransactionError::NotTransactional { call }),
        }
    }
}
