//! Messages as a batch of magic 2.

use super::LegacyBatch;
use crate::builder::write_record;
use crate::header::{ATTR_TIMESTAMP, BatchHeader, HEADER_LEN, LOG_OVERHEAD, TimestampType};
use crate::{Batch, WireError};

/// What an entry became.
#[derive(Debug, Clone)]
pub struct Converted {
    /// Its records up to the first one that cannot be read; `None` if there are none.
    pub batch: Option<Batch>,
    /// Why not all of them are there.
    pub error: Option<WireError>,
}

impl LegacyBatch {
    /// Copies the records into an uncompressed batch of magic 2 with the same offsets, timestamps and last
    /// offset. Times of messages of magic 0 are -1. Decompresses to `limit` bytes at most; with `check_crcs`
    /// the CRC of every message is compared (that of a wrapper is not: its messages' say it all, as in Java).
    pub fn converted(&self, limit: usize, check_crcs: bool) -> Converted {
        let messages = match self.messages(limit) {
            Ok(messages) => messages,
            Err(error) => return Converted { batch: None, error: Some(error) },
        };
        let mut copy = Copy::new();
        let mut error = None;
        for record in messages.iter(check_crcs) {
            if let Err(failed) = record.and_then(|record| copy.add(&record)) {
                error = Some(failed);
                break;
            }
        }
        // Where the rest is not there, the batch ends with what was read.
        let last_offset = if error.is_some() { copy.last_offset } else { self.offset.max(copy.last_offset) };
        match copy.finish(last_offset, self.timestamp_type(), self.timestamp()) {
            Ok(batch) => Converted { batch, error },
            Err(failed) => Converted { batch: None, error: Some(error.unwrap_or(failed)) },
        }
    }
}

struct Copy {
    buf: Vec<u8>,
    base_offset: i64,
    last_offset: i64,
    base_timestamp: i64,
    max_timestamp: i64,
    count: i32,
}

impl Copy {
    fn new() -> Self {
        let buf = vec![0; HEADER_LEN];
        Self { buf, base_offset: 0, last_offset: -1, base_timestamp: -1, max_timestamp: -1, count: 0 }
    }

    fn add(&mut self, record: &super::LegacyRecord<'_>) -> Result<(), WireError> {
        if self.count == 0 {
            (self.base_offset, self.base_timestamp) = (record.offset, record.timestamp);
        }
        let offset_delta = self.delta_of(record.offset)?;
        let timestamp_delta = record.timestamp.wrapping_sub(self.base_timestamp);
        let headers = std::iter::empty();
        if !write_record(&mut self.buf, timestamp_delta, offset_delta, record.key, record.value, headers) {
            let value = self.buf.len() as i64;
            return Err(WireError::Invalid { what: "the size of a compressed message", value });
        }
        self.last_offset = record.offset;
        self.max_timestamp = self.max_timestamp.max(record.timestamp);
        self.count += 1;
        Ok(())
    }

    fn delta_of(&self, offset: i64) -> Result<i32, WireError> {
        let too_far = || WireError::Invalid { what: "the offset of a message", value: offset };
        offset.checked_sub(self.base_offset).and_then(|delta| i32::try_from(delta).ok()).ok_or_else(too_far)
    }

    fn finish(
        mut self,
        last_offset: i64,
        timestamp_type: Option<TimestampType>,
        timestamp: i64,
    ) -> Result<Option<Batch>, WireError> {
        if self.count == 0 {
            return Ok(None);
        }
        let is_append_time = timestamp_type == Some(TimestampType::LogAppendTime);
        let header = BatchHeader {
            base_offset: self.base_offset,
            // `write_record` keeps the whole below i32::MAX.
            batch_length: (self.buf.len() - LOG_OVERHEAD) as i32,
            partition_leader_epoch: -1,
            crc: 0,
            attributes: if is_append_time { ATTR_TIMESTAMP } else { 0 },
            last_offset_delta: self.delta_of(last_offset)?,
            base_timestamp: self.base_timestamp,
            max_timestamp: if is_append_time { timestamp } else { self.max_timestamp },
            producer_id: -1,
            producer_epoch: -1,
            base_sequence: -1,
            record_count: self.count,
        };
        if let Some(head) = self.buf.first_chunk_mut::<HEADER_LEN>() {
            header.write(head);
        }
        Ok(Some(Batch::made(header, self.buf.into())))
    }
}
