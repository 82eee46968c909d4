//! The head of a record batch (magic 2), as in `org.apache.kafka.common.record.DefaultRecordBatch`.

use crate::WireError;

/// Length in bytes of the head of a batch, from the base offset to the record count.
pub const HEADER_LEN: usize = 61;
/// Bytes before the part that `batch_length` counts: base offset and the length itself.
pub const LOG_OVERHEAD: usize = 12;
/// The magic byte of the only format that is written.
pub const MAGIC: i8 = 2;

pub(crate) const CRC_AT: usize = 17;
pub(crate) const CRC_COVERS_FROM: usize = 21;

/// The codec.
const ATTR_CODEC: i16 = 0x07;
pub(crate) const ATTR_TIMESTAMP: i16 = 0x08;
const ATTR_TRANSACTIONAL: i16 = 0x10;
const ATTR_CONTROL: i16 = 0x20;
const ATTR_DELETE_HORIZON: i16 = 0x40;

/// How the records of a batch are compressed (low three bits of the attributes).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Compression {
    /// Not compressed.
    None,
    /// Gzip (RFC 1952).
    Gzip,
    /// Snappy, in xerial's framing.
    Snappy,
    /// Lz4 frames.
    Lz4,
    /// Zstd frames; from Kafka 2.1 (KIP-110).
    Zstd,
    /// A number that means nothing: 5, 6 or 7.
    Other(u8),
}

impl Compression {
    /// The codec of a number; only the low three bits count.
    pub fn from_number(number: u8) -> Self {
        match number & ATTR_CODEC as u8 {
            0 => Self::None,
            1 => Self::Gzip,
            2 => Self::Snappy,
            3 => Self::Lz4,
            4 => Self::Zstd,
            other => Self::Other(other),
        }
    }

    /// The number in the attributes.
    pub fn number(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Gzip => 1,
            Self::Snappy => 2,
            Self::Lz4 => 3,
            Self::Zstd => 4,
            Self::Other(number) => number & ATTR_CODEC as u8,
        }
    }
}

impl std::fmt::Display for Compression {
    /// The name that `compression.type` has for it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Gzip => f.write_str("gzip"),
            Self::Snappy => f.write_str("snappy"),
            Self::Lz4 => f.write_str("lz4"),
            Self::Zstd => f.write_str("zstd"),
            Self::Other(number) => write!(f, "codec {number}"),
        }
    }
}

/// What the timestamps of a batch mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimestampType {
    /// Set by the producer, record by record.
    CreateTime,
    /// Set by the broker: every record has the batch's `max_timestamp`.
    LogAppendTime,
}

/// The fields at the head of a batch. Offsets and timestamps of records are deltas to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchHeader {
    /// Offset of the first record.
    pub base_offset: i64,
    /// Bytes that follow the length field.
    pub batch_length: i32,
    /// Epoch of the leader that appended the batch; -1 if unknown. Not covered by the CRC.
    pub partition_leader_epoch: i32,
    /// CRC-32C of everything from the attributes on.
    pub crc: u32,
    /// Compression, timestamp type, transactional and control bits.
    pub attributes: i16,
    /// Delta of the last offset; stays when compaction removed the last record.
    pub last_offset_delta: i32,
    /// Base of the timestamp deltas, in milliseconds since the epoch; -1 for none. See also
    /// [`BatchHeader::delete_horizon`].
    pub base_timestamp: i64,
    /// Largest timestamp, or the append time under [`TimestampType::LogAppendTime`].
    pub max_timestamp: i64,
    /// Producer id; -1 without idempotence.
    pub producer_id: i64,
    /// Producer epoch; -1 without idempotence.
    pub producer_epoch: i16,
    /// Sequence number of the first record; -1 without idempotence.
    pub base_sequence: i32,
    /// Number of records, not yet checked against the bytes; negative in a corrupt batch.
    pub record_count: i32,
}

impl BatchHeader {
    /// Reads the head of the batch at the front of `buf`. Checks the magic and that the length covers
    /// at least the head; not the CRC, and not that the whole batch is there. As in Java, a negative
    /// count of records is found by whoever walks them, and a negative offset delta is none of its business.
    pub fn parse(buf: &[u8]) -> Result<Self, WireError> {
        let truncated = WireError::Truncated { what: "a record batch's header" };
        let Some(head) = buf.first_chunk::<HEADER_LEN>() else {
            return Err(match buf.get(16) {
                Some(&magic) if magic as i8 != MAGIC => unsupported_magic(buf, magic as i8),
                _ => truncated,
            });
        };
        if head[16] as i8 != MAGIC {
            return Err(unsupported_magic(buf, head[16] as i8));
        }
        let header = Self {
            base_offset: i64_at(head, 0),
            batch_length: i32_at(head, 8),
            partition_leader_epoch: i32_at(head, 12),
            crc: i32_at(head, CRC_AT) as u32,
            attributes: i16_at(head, 21),
            last_offset_delta: i32_at(head, 23),
            base_timestamp: i64_at(head, 27),
            max_timestamp: i64_at(head, 35),
            producer_id: i64_at(head, 43),
            producer_epoch: i16_at(head, 51),
            base_sequence: i32_at(head, 53),
            record_count: i32_at(head, 57),
        };
        if header.batch_length < (HEADER_LEN - LOG_OVERHEAD) as i32 {
            let size = usize::try_from(header.batch_length).unwrap_or(0) + LOG_OVERHEAD;
            return Err(WireError::BatchTooShort { base_offset: header.base_offset, size });
        }
        Ok(header)
    }

    /// Writes all fields at the front of `buf`, which must have [`HEADER_LEN`] bytes. The CRC is
    /// written as it stands; see [`seal`].
    pub fn write(&self, buf: &mut [u8; HEADER_LEN]) {
        buf[0..8].copy_from_slice(&self.base_offset.to_be_bytes());
        buf[8..12].copy_from_slice(&self.batch_length.to_be_bytes());
        buf[12..16].copy_from_slice(&self.partition_leader_epoch.to_be_bytes());
        buf[16] = MAGIC as u8;
        buf[17..21].copy_from_slice(&self.crc.to_be_bytes());
        buf[21..23].copy_from_slice(&self.attributes.to_be_bytes());
        buf[23..27].copy_from_slice(&self.last_offset_delta.to_be_bytes());
        buf[27..35].copy_from_slice(&self.base_timestamp.to_be_bytes());
        buf[35..43].copy_from_slice(&self.max_timestamp.to_be_bytes());
        buf[43..51].copy_from_slice(&self.producer_id.to_be_bytes());
        buf[51..53].copy_from_slice(&self.producer_epoch.to_be_bytes());
        buf[53..57].copy_from_slice(&self.base_sequence.to_be_bytes());
        buf[57..61].copy_from_slice(&self.record_count.to_be_bytes());
    }

    /// Length in bytes of the whole batch with its head.
    pub fn total_len(&self) -> usize {
        // Non-negative: `parse` refuses lengths shorter than the head.
        LOG_OVERHEAD + self.batch_length.max(0) as usize
    }

    /// Offset of the last record. A consumer goes on at the one after it, also when compaction
    /// removed records at the end of the batch (KAFKA-5443).
    pub fn last_offset(&self) -> i64 {
        self.base_offset.saturating_add(i64::from(self.last_offset_delta))
    }

    /// Sequence number of the last record; -1 without idempotence.
    pub fn last_sequence(&self) -> i32 {
        match self.base_sequence {
            -1 => -1,
            first => increment_sequence(first, self.last_offset_delta),
        }
    }

    /// The codec of the records.
    pub fn compression(&self) -> Compression {
        Compression::from_number((self.attributes & ATTR_CODEC) as u8)
    }

    /// Marks the batch as compressed with this codec.
    pub fn set_compression(&mut self, compression: Compression) {
        self.attributes = (self.attributes & !ATTR_CODEC) | i16::from(compression.number());
    }

    /// What the timestamps mean.
    pub fn timestamp_type(&self) -> TimestampType {
        if self.attributes & ATTR_TIMESTAMP == 0 {
            TimestampType::CreateTime
        } else {
            TimestampType::LogAppendTime
        }
    }

    /// From when on, in milliseconds since the epoch, the cleaner of a compacted topic may remove the
    /// batch's tombstones and markers (KIP-534); it is then also the base of the timestamps.
    pub fn delete_horizon(&self) -> Option<i64> {
        (self.attributes & ATTR_DELETE_HORIZON != 0).then_some(self.base_timestamp)
    }

    /// Whether the batch belongs to a transaction.
    pub fn is_transactional(&self) -> bool {
        self.attributes & ATTR_TRANSACTIONAL != 0
    }

    /// Whether the batch holds a transaction marker instead of records.
    pub fn is_control(&self) -> bool {
        self.attributes & ATTR_CONTROL != 0
    }
}

/// The sequence number `increment` records after `sequence`: it starts again at 0 after the largest one.
/// What a negative increment gives has no meaning; it is what Java's arithmetic gives.
pub fn increment_sequence(sequence: i32, increment: i32) -> i32 {
    if sequence > i32::MAX.wrapping_sub(increment) {
        sequence.wrapping_add(increment).wrapping_sub(i32::MAX).wrapping_sub(1)
    } else {
        sequence.wrapping_add(increment)
    }
}

/// The CRC-32C of a whole batch's bytes: all that follows the CRC field.
pub fn compute_crc(batch: &[u8]) -> u32 {
    crc32c::crc32c(batch.get(CRC_COVERS_FROM..).unwrap_or_default())
}

/// Recomputes the CRC of a whole batch after its attributes, timestamps or producer fields changed.
/// Base offset and leader epoch lie before the CRC and need no new one.
pub fn seal(batch: &mut [u8]) -> Result<(), WireError> {
    if batch.len() < HEADER_LEN {
        return Err(WireError::Truncated { what: "a record batch's header" });
    }
    let crc = compute_crc(batch);
    batch[CRC_AT..CRC_COVERS_FROM].copy_from_slice(&crc.to_be_bytes());
    Ok(())
}

fn unsupported_magic(buf: &[u8], magic: i8) -> WireError {
    let base_offset = buf.first_chunk::<8>().map_or(-1, |b| i64::from_be_bytes(*b));
    WireError::UnsupportedMagic { base_offset, magic }
}

// The callers read inside a fixed array of HEADER_LEN bytes, so the ranges are always there.
fn i16_at(buf: &[u8; HEADER_LEN], at: usize) -> i16 {
    i16::from_be_bytes([buf[at], buf[at + 1]])
}

fn i32_at(buf: &[u8; HEADER_LEN], at: usize) -> i32 {
    i32::from_be_bytes([buf[at], buf[at + 1], buf[at + 2], buf[at + 3]])
}

fn i64_at(buf: &[u8; HEADER_LEN], at: usize) -> i64 {
    (i64::from(i32_at(buf, at)) << 32) | i64::from(i32_at(buf, at + 4) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn write_and_parse_agree() {
        let header = BatchHeader {
            base_offset: -2,
            batch_length: 49,
            partition_leader_epoch: 7,
            crc: 0xdead_beef,
            attributes: 0x38,
            last_offset_delta: 3,
            base_timestamp: 1_700_000_000_000,
            max_timestamp: 1_700_000_000_001,
            producer_id: i64::MAX,
            producer_epoch: -1,
            base_sequence: 12,
            record_count: 4,
        };
        let mut buf = [0; HEADER_LEN];
        header.write(&mut buf);
        assert_eq!(BatchHeader::parse(&buf), Ok(header));
        assert!(header.is_control() && header.is_transactional());
        assert_eq!(header.timestamp_type(), TimestampType::LogAppendTime);
        assert_eq!(header.total_len(), HEADER_LEN);
    }

    #[test]
    fn sequence_numbers_start_again_at_zero() {
        assert_eq!(increment_sequence(5, 3), 8);
        assert_eq!(increment_sequence(i32::MAX - 1, 1), i32::MAX);
        assert_eq!(increment_sequence(i32::MAX, 1), 0);
        assert_eq!(increment_sequence(i32::MAX - 2, 10), 7);
    }

    #[test]
    fn a_length_that_does_not_cover_the_head_is_refused() {
        for (len, size) in [(48i32, 60), (0, 12), (-1, 12), (i32::MIN, 12)] {
            let mut buf = [0; HEADER_LEN];
            buf[8..12].copy_from_slice(&len.to_be_bytes());
            buf[16] = MAGIC as u8;
            assert_eq!(BatchHeader::parse(&buf), Err(WireError::BatchTooShort { base_offset: 0, size }));
        }
    }

    #[test]
    fn old_formats_are_named() {
        let mut buf = [0; HEADER_LEN];
        buf[16] = 1;
        assert!(matches!(BatchHeader::parse(&buf), Err(WireError::UnsupportedMagic { magic: 1, .. })));
        assert!(matches!(BatchHeader::parse(&buf[..20]), Err(WireError::UnsupportedMagic { .. })));
    }
}
