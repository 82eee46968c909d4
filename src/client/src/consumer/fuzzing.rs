//! Fetched regions, as the consumer reads them.

use super::config::IsolationLevel;
use super::records::{Aborted, ReadOptions, read_region as read};
use crate::metadata::TopicPartition;
use bytes::Bytes;

/// Reads a region of a partition from an offset on, under both isolation levels, and walks its records. The
/// first bytes choose the offset, and which transaction was aborted.
pub fn read_region(bytes: &[u8]) {
    let Some((&[start, producer_id, first_offset], region)) = bytes.split_first_chunk::<3>() else { return };
    let partition = TopicPartition::new("t", 0);
    let aborted = Aborted { producer_id: producer_id.into(), first_offset: first_offset.into() };
    for isolation in [IsolationLevel::ReadUncommitted, IsolationLevel::ReadCommitted] {
        for check_crcs in [false, true] {
            let options = ReadOptions {
                check_crcs,
                isolation,
                max_partition_bytes: 1,
                max_decompressed_bytes: 1 << 20,
            };
            let region = Bytes::copy_from_slice(region);
            let read = read(&partition, region, start.into(), 0, vec![aborted], options, &mut (8 << 20));
            assert!(read.records.next_offset >= i64::from(start));
            let mut items = read.records.records();
            let failed = items.by_ref().any(|record| record.is_err());
            assert!(!failed || items.next().is_none(), "records after an error");
        }
    }
}
