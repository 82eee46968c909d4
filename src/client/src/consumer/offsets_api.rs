//! Offsets that the application asks for: the first and last of a partition, and those of points in time.

use super::Consumer;
use super::config::IsolationLevel;
use crate::Admin;
use crate::admin::{self, ListedOffset, OffsetSpec};
use crate::error::ClientError;
use crate::metadata::TopicPartition;
use std::collections::HashMap;

impl Consumer {
    /// The first offset that is there, of any partitions. Retried for `default.api.timeout.ms`. Cancel-safe.
    pub async fn beginning_offsets(
        &self,
        partitions: &[TopicPartition],
    ) -> Result<HashMap<TopicPartition, i64>, ClientError> {
        self.offsets(partitions.iter().map(|tp| (tp.clone(), OffsetSpec::Earliest)).collect()).await
    }

    /// The offset that comes after the last record, of any partitions; under read_committed the last stable offset. Retried
    /// for `default.api.timeout.ms`. Cancel-safe.
    pub async fn end_offsets(
        &self,
        partitions: &[TopicPartition],
    ) -> Result<HashMap<TopicPartition, i64>, ClientError> {
        self.offsets(partitions.iter().map(|tp| (tp.clone(), OffsetSpec::Latest)).collect()).await
    }

    /// The first record of each partition whose timestamp, in milliseconds since 1970, is the given one or later; partitions
    /// without one are left out. Retried for `default.api.timeout.ms`. Cancel-safe.
    pub async fn offsets_for_times(
        &self,
        times: &HashMap<TopicPartition, i64>,
    ) -> Result<HashMap<TopicPartition, ListedOffset>, ClientError> {
        let asked = times.iter().map(|(tp, at)| (tp.clone(), OffsetSpec::Timestamp(*at))).collect();
        let mut found = self.list(asked).await?;
        found.retain(|_, listed| listed.offset >= 0);
        Ok(found)
    }

    async fn offsets(
        &self,
        asked: Vec<(TopicPartition, OffsetSpec)>,
    ) -> Result<HashMap<TopicPartition, i64>, ClientError> {
        Ok(self.list(asked).await?.into_iter().map(|(tp, listed)| (tp, listed.offset)).collect())
    }

    async fn list(
        &self,
        asked: Vec<(TopicPartition, OffsetSpec)>,
    ) -> Result<HashMap<TopicPartition, ListedOffset>, ClientError> {
        let isolation = match self.shared.config.isolation_level {
            IsolationLevel::ReadUncommitted => admin::IsolationLevel::ReadUncommitted,
            IsolationLevel::ReadCommitted => admin::IsolationLevel::ReadCommitted,
        };
        let listed = Admin::new(self.shared.cluster.clone()).list_offsets(&asked, isolation).await?;
        listed.into_iter().map(|(tp, found)| found.map(|found| (tp, found))).collect()
    }
}
