//! What a sink task asks of its runner through its context.

use super::control::Counters;
use crate::config::connector::ErrorTolerance;
use async_trait::async_trait;
use crossdock_api::sink::SinkTaskHost;
use crossdock_api::{ConnectError, OffsetMap, SinkBatch, TopicPartition};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// One thing that the task asked for through its context.
#[derive(Debug)]
pub(super) enum Request {
    Commit,
    Pause(Vec<TopicPartition>),
    Resume(Vec<TopicPartition>),
    Rewind(OffsetMap),
    Timeout(Duration),
}

/// Keeps what a task asks for, in order, until its runner answers it after the current call.
pub(super) struct Host {
    requests: Mutex<Vec<Request>>,
    tolerance: ErrorTolerance,
    counters: Arc<Counters>,
}

impl Host {
    pub(super) fn new(tolerance: ErrorTolerance, counters: Arc<Counters>) -> Self {
        Self { requests: Mutex::default(), tolerance, counters }
    }

    /// Takes all requests since the last call.
    pub(super) fn take(&self) -> Vec<Request> {
        std::mem::take(&mut *self.requests())
    }

    fn requests(&self) -> MutexGuard<'_, Vec<Request>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ask(&self, request: Request) {
        self.requests().push(request);
    }
}

#[async_trait]
impl SinkTaskHost for Host {
    fn pause(&self, partitions: &[TopicPartition]) {
        self.ask(Request::Pause(partitions.to_vec()));
    }

    fn resume(&self, partitions: &[TopicPartition]) {
        self.ask(Request::Resume(partitions.to_vec()));
    }

    fn rewind(&self, offsets: OffsetMap) {
        self.ask(Request::Rewind(offsets));
    }

    fn set_timeout(&self, timeout: Duration) {
        self.ask(Request::Timeout(timeout));
    }

    fn request_commit(&self) {
        // Asked for often by some tasks, and once is enough.
        let mut requests = self.requests();
        if !requests.iter().any(|request| matches!(request, Request::Commit)) {
            requests.push(Request::Commit);
        }
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
