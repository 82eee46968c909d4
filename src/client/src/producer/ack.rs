//! How the outcome of records gets back to whoever appended them.

use super::error::ProduceError;
use std::sync::Arc;

/// Records that were appended one after the other, to one partition, with one token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AckRun {
    /// What the appender passed, such as the place of a source offset.
    pub token: u64,
    /// How many records.
    pub count: u32,
}

/// Where a batch was written.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BatchMetadata {
    /// The topic.
    pub topic: Arc<str>,
    /// The partition.
    pub partition: i32,
    /// Offset of the first record; -1 if the broker did not tell (`acks=0`, or a duplicate that it no longer
    /// has the offset of).
    pub base_offset: i64,
    /// When the broker appended it, in milliseconds since the epoch, if the topic is configured with
    /// `LogAppendTime`.
    pub log_append_time: Option<i64>,
}

/// Is told what became of each batch.
///
/// Called by the sender task, one batch after the other; the batches of a partition in the order in which
/// they were appended. Every appended record is reported exactly once, at the latest when the producer is
/// closed or dropped. It must not block: nothing is sent meanwhile.
pub trait AckSink: Send + Sync {
    /// A batch was written, or was given up. An error may leave the outcome unknown: see
    /// [`ProduceError::may_have_been_written`].
    fn acknowledged(&self, runs: &[AckRun], outcome: Result<&BatchMetadata, &ProduceError>);
}

/// For producers whose outcomes nobody waits for, other than by flushing. Failures are logged.
#[derive(Debug, Default)]
pub struct LogFailures;

impl AckSink for LogFailures {
    fn acknowledged(&self, runs: &[AckRun], outcome: Result<&BatchMetadata, &ProduceError>) {
        if let Err(error) = outcome {
            let records: u64 = runs.iter().map(|r| u64::from(r.count)).sum();
            tracing::error!(%error, records, "records were not produced");
        }
    }
}
