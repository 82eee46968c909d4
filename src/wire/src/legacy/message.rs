//! The fields of one message: CRC, magic, attributes, from magic 1 on a timestamp, then key and value by their
//! 32-bit lengths.

use super::LegacyRecord;
use crate::WireError;
use crate::header::{ATTR_TIMESTAMP, Compression, TimestampType};

/// The shortest message, from its CRC on: magic 0, without key and value.
pub(super) const MIN_MESSAGE: usize = 14;

const CRC_COVERS_FROM: usize = 4;
const MAGIC_AT: usize = 4;
const ATTRIBUTES_AT: usize = 5;
const TIMESTAMP_AT: usize = 6;
/// Where the key's length is.
const KEY_AT: [usize; 2] = [6, 14];

/// Key and value; `None` is null.
type Fields<'a> = (Option<&'a [u8]>, Option<&'a [u8]>);

/// What a message has from the one that it is in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wrapper {
    pub(super) timestamp: i64,
    pub(super) timestamp_type: Option<TimestampType>,
}

/// A message; not yet checked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Message<'a> {
    offset: i64,
    /// At least [`MIN_MESSAGE`].
    bytes: &'a [u8],
    wrapper: Option<Wrapper>,
}

impl<'a> Message<'a> {
    pub(super) fn new(offset: i64, bytes: &'a [u8], wrapper: Option<Wrapper>) -> Self {
        let mut message = Self { offset, bytes, wrapper: None };
        // As in Java, only messages of magic 1 take something from their wrapper.
        message.wrapper = wrapper.filter(|_| message.magic() == 1);
        message
    }

    /// Within a wrapper there may be anything; it is read as magic 1 then, as in Java.
    pub(super) fn magic(self) -> i8 {
        self.bytes[MAGIC_AT] as i8
    }

    fn attributes(self) -> u8 {
        self.bytes[ATTRIBUTES_AT]
    }

    pub(super) fn compression(self) -> Compression {
        Compression::from_number(self.attributes() & 0x07)
    }

    pub(super) fn timestamp_type(self) -> Option<TimestampType> {
        if self.magic() == 0 {
            return None;
        }
        if let Some(wrapper) = self.wrapper {
            return wrapper.timestamp_type;
        }
        let is_append_time = i16::from(self.attributes()) & ATTR_TIMESTAMP != 0;
        Some(if is_append_time { TimestampType::LogAppendTime } else { TimestampType::CreateTime })
    }

    pub(super) fn timestamp(self) -> i64 {
        match self.wrapper {
            _ if self.magic() == 0 => -1,
            Some(Wrapper { timestamp, timestamp_type: Some(TimestampType::LogAppendTime) }) => timestamp,
            // Within the shortest message.
            _ => self.bytes[TIMESTAMP_AT..].first_chunk().map_or(-1, |bytes| i64::from_be_bytes(*bytes)),
        }
    }

    pub(super) fn check_crc(self) -> Result<(), WireError> {
        let stored = self.bytes.first_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes));
        let computed = crc32fast::hash(&self.bytes[CRC_COVERS_FROM..]);
        if computed == stored {
            return Ok(());
        }
        Err(WireError::Checksum { base_offset: self.offset, stored, computed })
    }

    /// The value; `None` is null.
    pub(super) fn value(self) -> Result<Option<&'a [u8]>, WireError> {
        Ok(self.fields()?.1)
    }

    pub(super) fn record(self) -> Result<LegacyRecord<'a>, WireError> {
        let (key, value) = self.fields()?;
        let (offset, timestamp, timestamp_type) = (self.offset, self.timestamp(), self.timestamp_type());
        Ok(LegacyRecord { offset, timestamp, timestamp_type, key, value })
    }

    /// Key and value. What follows them is not looked at, as in Java.
    fn fields(self) -> Result<Fields<'a>, WireError> {
        let key_at = KEY_AT[usize::from(self.magic() != 0)];
        let mut rest = self.bytes.get(key_at..).ok_or(WireError::Truncated { what: "a message's key" })?;
        let key = read_field(&mut rest, "a message's key")?;
        let value = read_field(&mut rest, "a message's value")?;
        Ok((key, value))
    }
}

fn read_field<'a>(rest: &mut &'a [u8], what: &'static str) -> Result<Option<&'a [u8]>, WireError> {
    let (len, after) = rest.split_first_chunk().ok_or(WireError::Truncated { what })?;
    *rest = after;
    // Java takes any negative length for null.
    let Ok(len) = usize::try_from(i32::from_be_bytes(*len)) else { return Ok(None) };
    let (field, after) = rest.split_at_checked(len).ok_or(WireError::Truncated { what })?;
    *rest = after;
    Ok(Some(field))
}
