//! What a sink task asks of its runner through its context.

use super::control::Counters;
use crate::config::connector::ErrorTolerance;
use async_trait::async_trait;
use crossdock_api::sink::SinkTaskHost;
use crossdock_api::{ConnectError, OffsetMap, SinkBatch, TopicPartition};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What the task asked for through its context, until the current call returns.
#[derive(Debug, Default)]
pub(super) struct Requests {
    pub(super) pause: Vec<TopicPartition>,
    pub(super) resume: Vec<TopicPartition>,
    pub(super) rewind: OffsetMap,
    pub(super) timeout: Option<Duration>,
    pub(super) commit: bool,
}

pub(super) struct Host {
    pub(super) requests: Mutex<Requests>,
    pub(super) tolerance: ErrorTolerance,
    pub(super) counters: Arc<Counters>,
}

impl Host {
    pub(super) fn requests(&self) -> MutexGuard<'_, Requests> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl SinkTaskHost for Host {
    fn pause(&self, partitions: &[TopicPartition]) {
        self.requests().pause.extend_from_slice(partitions);
    }

    fn resume(&self, partitions: &[TopicPartition]) {
        self.requests().resume.extend_from_slice(partitions);
    }

    fn rewind(&self, offsets: OffsetMap) {
        self.requests().rewind.extend(offsets);
    }

    fn set_timeout(&self, timeout: Duration) {
        self.requests().timeout = Some(timeout);
    }

    fn request_commit(&self) {
        self.requests().commit = true;
    }

    async fn report(&self, batch: &SinkBatch, index: usize, error: ConnectError) -> Result<(), ConnectError> {
        if self.tolerance == ErrorTolerance::None {
            return Err(error);
        }
        if let Some(record) = batch.get(index) {
            let (topic, partition, offset) =
                (record.origin_topic(), record.origin_partition(), record.offset());
            tracing::error!(topic, partition, offset, %error, "the sink skipped a bad record");
        }
        self.counters.add_skipped(1);
        Ok(())
    }

    fn tolerates_bad_records(&self) -> bool {
        self.tolerance == ErrorTolerance::All
    }
}
