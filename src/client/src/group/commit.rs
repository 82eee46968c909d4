//! Commits of a member of a classic group, over the ends of generations.
//!
//! A member that keeps its partitions while the group is joined (KIP-429) can commit all the time: under the
//! old generation until the coordinator has begun the next, under the new one once that is complete. In
//! between the coordinator refuses, and the commit waits.

use super::coordinator::{Group, Published};
use super::membership::{Generation, Standing};
use super::offsets::{self, CommitError, Identity, OffsetAndMetadata, TOPIC_PATIENCE};
use crate::error::ErrorCode;
use crate::metadata::TopicPartition;
use std::collections::HashMap;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

impl Group {
    /// Commits offsets as a member. A member that keeps its partitions over a rebalance waits for it to be
    /// complete, if it must, for `default.api.timeout.ms` at most. An error other than
    /// [`CommitError::Client`] with an unknown outcome says that nothing was committed. If the future is
    /// dropped the outcome is unknown.
    pub async fn commit(
        &self,
        offsets: &HashMap<TopicPartition, OffsetAndMetadata>,
    ) -> Result<(), CommitError> {
        self.commit_within(offsets, TOPIC_PATIENCE).await
    }

    /// As [`Self::commit`]; a topic that the coordinator does not know is given up after `patience`.
    pub(crate) async fn commit_within(
        &self,
        offsets: &HashMap<TopicPartition, OffsetAndMetadata>,
        patience: Duration,
    ) -> Result<(), CommitError> {
        let deadline = Instant::now() + self.cluster().config().default_api_timeout;
        let mut published = self.published();
        let losses = published.borrow().losses;
        let mut refused = None;
        loop {
            let waited = tokio::time::timeout_at(deadline, self.generation(&mut published, refused, losses));
            let generation = waited.await.unwrap_or_else(|_| Err(self.rebalancing()))?;
            let error = match self.commit_as(&generation, offsets, patience).await {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            let again = match &error {
                CommitError::RebalanceInProgress { .. } => true,
                CommitError::IllegalGeneration { code, .. } => *code == ErrorCode::ILLEGAL_GENERATION,
                CommitError::Client(_) => false,
            };
            // The group has moved on, or is about to, and the partitions are still here.
            let moves_on = {
                let now = published.borrow();
                now.keeps || matches!(&now.standing, Standing::Member(g) if g.id != generation.id)
            };
            if !again || !moves_on {
                if let Some(code) = verdict_of(&error) {
                    self.commit_refused(generation.id, code);
                }
                return Err(error);
            }
            tracing::debug!(group = &*self.config().group_id, %error, "committing again under the next generation");
            refused = Some(generation.id);
        }
    }

    /// The generation to commit under, another than the one that was refused.
    async fn generation(
        &self,
        published: &mut watch::Receiver<Published>,
        refused: Option<i32>,
        losses: u64,
    ) -> Result<Generation, CommitError> {
        loop {
            let now = published.borrow_and_update().clone();
            match now.standing {
                _ if now.losses != losses => return Err(self.not_a_member(ErrorCode::ILLEGAL_GENERATION)),
                Standing::None => return Err(self.not_a_member(ErrorCode::UNKNOWN_MEMBER_ID)),
                Standing::Member(generation) if refused != Some(generation.id) => return Ok(generation),
                Standing::Rebalancing if !now.keeps => return Err(self.rebalancing()),
                Standing::Member(_) | Standing::Rebalancing => {}
            }
            if published.changed().await.is_err() {
                // The driver has ended.
                return Err(self.not_a_member(ErrorCode::UNKNOWN_MEMBER_ID));
            }
        }
    }

    async fn commit_as(
        &self,
        generation: &Generation,
        offsets: &HashMap<TopicPartition, OffsetAndMetadata>,
        patience: Duration,
    ) -> Result<(), CommitError> {
        let identity = Identity {
            generation: generation.id,
            member_id: generation.member_id.clone(),
            instance_id: self.config().instance_id.clone(),
            by_epoch: false,
        };
        offsets::commit(self.cluster(), &self.config().group_id, &identity, offsets, patience).await
    }

    fn rebalancing(&self) -> CommitError {
        CommitError::RebalanceInProgress { group: self.config().group_id.clone() }
    }

    fn not_a_member(&self, code: ErrorCode) -> CommitError {
        CommitError::IllegalGeneration { group: self.config().group_id.clone(), code }
    }
}

/// What a refusal says of the member's place in the group.
fn verdict_of(error: &CommitError) -> Option<ErrorCode> {
    match error {
        CommitError::RebalanceInProgress { .. } => Some(ErrorCode::REBALANCE_IN_PROGRESS),
        CommitError::IllegalGeneration { code, .. } => Some(*code),
        CommitError::Client(error) => error.code().filter(|code| *code == ErrorCode::FENCED_INSTANCE_ID),
    }
}
