//! Messages of magic 0 and 1: what was in logs before record batches (Kafka 0.11), and still is in old
//! segments. They are only read; the rules are those of `org.apache.kafka.common.record.LegacyRecord` and
//! `AbstractLegacyRecordBatch`.
//!
//! # Layout
//!
//! - [`LegacyBatch`]: one entry of a log: a message by itself, or a *wrapper* whose value is a compressed set of
//!   messages.
//! - [`Messages`], [`MessageIter`], [`LegacyRecord`]: its messages, one level deep.
//! - `message`: the fields of one message.
//! - `convert`: the same records as a batch of magic 2, so that nobody else has to know of the old formats.
//!
//! # How data flows
//!
//! ```text
//! region ─▶ Entries ─┬▶ Batch (magic 2) ────────────────────────────▶ Records
//!                    └▶ LegacyBatch ─▶ Messages ─▶ LegacyRecord<'_>
//!                                   └▶ converted() ─▶ Batch ─▶ Records
//! ```
//!
//! # What it must never do
//!
//! Go deeper than one level, or give a record an offset or time that Java's client would not: inner offsets are
//! absolute under magic 0 and relative to the last one under magic 1, and the broker's time of a wrapper is that
//! of its messages.

mod convert;
mod message;
#[cfg(test)]
mod tests;

pub use convert::Converted;

use crate::header::{Compression, LOG_OVERHEAD, TimestampType};
use crate::{WireError, compression};
use bytes::Bytes;
use message::{MIN_MESSAGE, Message, Wrapper};

/// One entry of a log of magic 0 or 1.
#[derive(Debug, Clone)]
pub struct LegacyBatch {
    offset: i64,
    /// With offset and length; the message has [`MIN_MESSAGE`] bytes at least.
    bytes: Bytes,
}

impl LegacyBatch {
    /// `bytes` are the whole entry, as its length says, and at least the shortest one.
    pub(crate) fn new(offset: i64, bytes: Bytes) -> Self {
        debug_assert!(bytes.len() >= LOG_OVERHEAD + MIN_MESSAGE);
        Self { offset, bytes }
    }

    /// The offset of the message; of a wrapper, that of its last message.
    pub fn last_offset(&self) -> i64 {
        self.offset
    }

    /// All bytes, with offset and length.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// 0 or 1.
    pub fn magic(&self) -> i8 {
        self.outer().magic()
    }

    /// The codec of a wrapper; [`Compression::None`] for a message by itself.
    pub fn compression(&self) -> Compression {
        self.outer().compression()
    }

    /// What the timestamp means; `None` under magic 0, which has none.
    pub fn timestamp_type(&self) -> Option<TimestampType> {
        self.outer().timestamp_type()
    }

    /// The timestamp in milliseconds since the epoch, of a wrapper the largest of its messages; -1 under magic 0.
    pub fn timestamp(&self) -> i64 {
        self.outer().timestamp()
    }

    /// Compares the CRC-32 of the message, or of the wrapper, with its bytes.
    pub fn check_crc(&self) -> Result<(), WireError> {
        self.outer().check_crc()
    }

    /// The messages, decompressed to `limit` bytes at most. An error if the entry is a wrapper that cannot be
    /// read to its end; messages themselves are looked at when they are walked.
    pub fn messages(&self, limit: usize) -> Result<Messages, WireError> {
        let outer = self.outer();
        let codec = match outer.compression() {
            Compression::None => {
                return Ok(Messages { bytes: self.bytes.clone(), base: 0, wrapper: None });
            }
            codec @ (Compression::Gzip | Compression::Snappy | Compression::Lz4) => codec,
            Compression::Zstd => {
                let what = "the codec of a compressed message of magic 0 or 1";
                return Err(WireError::Invalid { what, value: i64::from(Compression::Zstd.number()) });
            }
            Compression::Other(codec) => {
                return Err(WireError::UnsupportedCompression { base_offset: self.offset, codec });
            }
        };
        let what = "a compressed message's value";
        let value = outer.value()?.ok_or(WireError::Invalid { what, value: -1 })?;
        let mut set = Vec::new();
        let read = match codec {
            Compression::Lz4 if outer.magic() == 0 => {
                compression::decompress_lz4_of_magic_0(value, limit, &mut set)
            }
            codec => compression::decompress(codec, value, limit, &mut set),
        };
        read.map_err(|source| WireError::Compression { base_offset: self.offset, source })?;
        let last_inner = self.check_set(&set)?;
        let base =
            if outer.magic() == 0 || self.offset == 0 { 0 } else { self.offset.wrapping_sub(last_inner) };
        let wrapper = Wrapper { timestamp: outer.timestamp(), timestamp_type: outer.timestamp_type() };
        Ok(Messages { bytes: set.into(), base, wrapper: Some(wrapper) })
    }

    /// Walks a decompressed set by its lengths, and gives the last offset in it.
    fn check_set(&self, set: &[u8]) -> Result<i64, WireError> {
        let mut rest = set;
        let mut last = None;
        while let Some((offset, _)) = split_message(&mut rest)? {
            last = Some(offset);
        }
        let none = WireError::Invalid { what: "the number of messages in a compressed one", value: 0 };
        let last = last.ok_or(none)?;
        // Zero was written by producers, and stayed where no broker set it.
        if self.magic() == 1 && self.offset != 0 && self.offset < last {
            let what = "the offset of a compressed message, which is below that of its last one,";
            return Err(WireError::Invalid { what, value: self.offset });
        }
        Ok(last)
    }

    fn outer(&self) -> Message<'_> {
        Message::new(self.offset, &self.bytes[LOG_OVERHEAD..], None)
    }
}

/// Takes the next message off the front of a set: its offset, and its bytes from the CRC on. `None` at the end,
/// also if it is cut off there.
fn split_message<'a>(rest: &mut &'a [u8]) -> Result<Option<(i64, &'a [u8])>, WireError> {
    let Some((head, after)) = rest.split_first_chunk::<LOG_OVERHEAD>() else { return Ok(None) };
    let [offset @ .., l0, l1, l2, l3] = *head;
    let len = i32::from_be_bytes([l0, l1, l2, l3]);
    let size = usize::try_from(len).unwrap_or(0);
    if size < MIN_MESSAGE {
        return Err(WireError::Invalid { what: "a message's length", value: i64::from(len) });
    }
    let Some((message, after)) = after.split_at_checked(size) else { return Ok(None) };
    *rest = after;
    Ok(Some((i64::from_be_bytes(offset), message)))
}

/// The messages of an entry, decompressed.
#[derive(Debug, Clone)]
pub struct Messages {
    bytes: Bytes,
    /// Added to inner offsets.
    base: i64,
    wrapper: Option<Wrapper>,
}

impl Messages {
    /// The offset of the first message, which need not be readable.
    pub fn first_offset(&self) -> i64 {
        let first = self.bytes.first_chunk().map_or(0, |bytes| i64::from_be_bytes(*bytes));
        self.base.wrapping_add(first)
    }

    /// Walks the messages as borrowed views. With `check_crcs` each message's own CRC is compared too.
    pub fn iter(&self, check_crcs: bool) -> MessageIter<'_> {
        MessageIter { rest: &self.bytes, base: self.base, wrapper: self.wrapper, check_crcs }
    }
}

/// See [`Messages::iter`]. After an error there is nothing more.
#[derive(Debug, Clone)]
pub struct MessageIter<'a> {
    rest: &'a [u8],
    base: i64,
    wrapper: Option<Wrapper>,
    check_crcs: bool,
}

/// One record: slices of the bytes of its entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LegacyRecord<'a> {
    /// Offset in the partition.
    pub offset: i64,
    /// Milliseconds since the epoch; -1 if there is none.
    pub timestamp: i64,
    /// What the timestamp means; `None` if there is none.
    pub timestamp_type: Option<TimestampType>,
    /// Key; `None` is null.
    pub key: Option<&'a [u8]>,
    /// Value; `None` is null, a tombstone on compacted topics.
    pub value: Option<&'a [u8]>,
}

impl<'a> MessageIter<'a> {
    fn read(&self, offset: i64, bytes: &'a [u8]) -> Result<LegacyRecord<'a>, WireError> {
        let message = Message::new(self.base.wrapping_add(offset), bytes, self.wrapper);
        if self.check_crcs {
            message.check_crc()?;
        }
        match message.compression() {
            Compression::None => message.record(),
            // Only a wrapper's messages come here compressed.
            codec => Err(WireError::Invalid {
                what: "the codec of a message within a compressed one",
                value: i64::from(codec.number()),
            }),
        }
    }
}

impl<'a> Iterator for MessageIter<'a> {
    type Item = Result<LegacyRecord<'a>, WireError>;

    fn next(&mut self) -> Option<Self::Item> {
        let record = match split_message(&mut self.rest) {
            Ok(next) => next.map(|(offset, bytes)| self.read(offset, bytes))?,
            Err(error) => Err(error),
        };
        if record.is_err() {
            self.rest = &[];
        }
        Some(record)
    }
}
