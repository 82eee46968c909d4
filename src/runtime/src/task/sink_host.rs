//! What a sink task asks of its runner through its context.

use crate::config::connector::ErrorTolerance;
use crate::errors::{ErrorHandler, Failed, Origin, Originals, Stage};
use async_trait::async_trait;
use crossdock_api::sink::SinkTaskHost;
use crossdock_api::{ConnectError, OffsetMap, SinkBatch, TopicPartition};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The class that Connect names for records that a task reported.
const SINK_TASK: &str = "org.apache.kafka.connect.sink.SinkTask";

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
    errors: Arc<ErrorHandler>,
}

impl Host {
    pub(super) fn new(errors: Arc<ErrorHandler>) -> Self {
        Self { requests: Mutex::default(), errors }
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
        let (Some(record), Some(originals)) = (batch.get(index), batch.origin::<Originals>()) else {
            return Err(error);
        };
        let failed = Failed {
            index,
            ordinal: record.ordinal(),
            offset: record.offset(),
            stage: Stage::TaskPut,
            part: "sink".to_owned(),
            class: SINK_TASK.to_owned(),
            error,
            text: None,
            captured: None,
        };
        match self.errors.report(vec![failed], Origin::Kafka(originals)).await {
            Ok(None) => Ok(()),
            Ok(Some(failed)) => Err(failed.error),
            Err(failure) => Err(ConnectError::fatal(failure.to_string())),
        }
    }

    fn tolerates_bad_records(&self) -> bool {
        self.errors.tolerance() == ErrorTolerance::All
    }
}
