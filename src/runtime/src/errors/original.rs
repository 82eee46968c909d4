//! Records as they came from Kafka: what a dead letter queue gets, whatever became of them in the pipeline.

use bytes::Bytes;
use crossdock_api::TopicPartition;
use crossdock_wire::{BatchHeader, RecordView, Records, TimestampType};
use std::sync::OnceLock;

/// A record as it came from Kafka.
#[derive(Debug, Clone)]
pub(crate) struct Original {
    pub(crate) offset: i64,
    /// Milliseconds since the epoch.
    pub(crate) timestamp: i64,
    pub(crate) timestamp_type: TimestampType,
    pub(crate) key: Option<Bytes>,
    pub(crate) value: Option<Bytes>,
    pub(crate) headers: Vec<(String, Option<Bytes>)>,
}

impl Original {
    /// The timestamp of a record without one.
    pub(crate) const NO_TIMESTAMP: i64 = -1;
}

/// The records of a put as they came. They are only taken apart when one of them is asked for: until then this
/// costs nothing a record.
#[derive(Debug)]
pub(crate) struct Originals {
    partition: TopicPartition,
    parts: Vec<(BatchHeader, Bytes)>,
    found: OnceLock<Vec<Original>>,
}

impl Originals {
    /// Of the records in these batches of a partition, each with its uncompressed records.
    pub(crate) fn new(partition: TopicPartition, parts: Vec<(BatchHeader, Bytes)>) -> Self {
        Self { partition, parts, found: OnceLock::new() }
    }

    /// Where they are from.
    pub(crate) fn partition(&self) -> &TopicPartition {
        &self.partition
    }

    /// The record at an offset.
    pub(crate) fn find(&self, offset: i64) -> Option<&Original> {
        let all = self.found.get_or_init(|| self.parts.iter().flat_map(originals).collect());
        let at = all.binary_search_by_key(&offset, |original| original.offset).ok()?;
        all.get(at)
    }
}

fn originals((header, bytes): &(BatchHeader, Bytes)) -> impl Iterator<Item = Original> + use<'_> {
    // What cannot be read has ended the task before.
    let readable = Records::new(header, bytes).map_while(Result::ok);
    readable.map(|record| original(header, bytes, &record))
}

fn original(header: &BatchHeader, bytes: &Bytes, record: &RecordView<'_>) -> Original {
    let shared = |part: Option<&[u8]>| part.map(|part| bytes.slice_ref(part));
    let headers = record.headers.clone().map(|h| (h.name.into_owned(), shared(h.value)));
    Original {
        offset: record.offset,
        timestamp: record.timestamp,
        timestamp_type: header.timestamp_type(),
        key: shared(record.key),
        value: shared(record.value),
        headers: headers.collect(),
    }
}
