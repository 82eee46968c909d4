//! The records of one batch, read lazily as borrowed views, by the rules of
//! `org.apache.kafka.common.record.DefaultRecord`.

use crate::WireError;
use crate::header::{BatchHeader, TimestampType};
use crate::varint::{read_varint, read_varlong};
use std::borrow::Cow;

/// Walks the records of a batch. Nothing is copied and nothing is allocated.
///
/// The walk ends after the announced number of records, or with one error when the bytes do not hold
/// them. When bytes are left over after the last record, the error takes its place, as in
/// `DefaultRecordBatch.RecordIterator`; a batch that announces none is not looked at.
#[derive(Debug, Clone)]
pub struct Records<'a> {
    buf: &'a [u8],
    pos: usize,
    left: i32,
    base_offset: i64,
    base_timestamp: i64,
    append_time: Option<i64>,
}

/// One record: slices of the batch's bytes.
#[derive(Debug, Clone)]
pub struct RecordView<'a> {
    /// Offset in the partition.
    pub offset: i64,
    /// Milliseconds since the epoch; under LogAppendTime the broker's time of the batch.
    pub timestamp: i64,
    /// Key; `None` is null.
    pub key: Option<&'a [u8]>,
    /// Value; `None` is null, a tombstone on compacted topics.
    pub value: Option<&'a [u8]>,
    /// Headers in their order, duplicates kept.
    pub headers: Headers<'a>,
}

/// Walks the headers of a record. They were checked when the record was read.
#[derive(Debug, Clone)]
pub struct Headers<'a> {
    buf: &'a [u8],
    pos: usize,
    left: i32,
}

/// One header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderView<'a> {
    /// Name; need not be unique. What is not UTF-8 in it is replaced by U+FFFD, as Java's clients do; only
    /// then it is a copy.
    pub name: Cow<'a, str>,
    /// Value; `None` is null.
    pub value: Option<&'a [u8]>,
}

impl<'a> Records<'a> {
    /// Walks uncompressed `bytes` (without the batch's head) by the head's fields.
    pub fn new(header: &BatchHeader, bytes: &'a [u8]) -> Self {
        let append_time = match header.timestamp_type() {
            TimestampType::CreateTime => None,
            TimestampType::LogAppendTime => Some(header.max_timestamp),
        };
        Self {
            buf: bytes,
            pos: 0,
            left: header.record_count,
            base_offset: header.base_offset,
            base_timestamp: header.base_timestamp,
            append_time,
        }
    }

    /// Records that are still announced; an upper bound, not to be used for reserving memory.
    pub fn announced(&self) -> i32 {
        self.left.max(0)
    }

    #[inline]
    fn read(&mut self) -> Result<RecordView<'a>, WireError> {
        let len = read_varint(self.buf, &mut self.pos, "a record's length")?;
        let end = usize::try_from(len)
            .ok()
            .and_then(|len| self.pos.checked_add(len))
            .filter(|end| *end <= self.buf.len())
            .ok_or(WireError::Invalid { what: "a record's length", value: i64::from(len) })?;
        let buf = &self.buf[..end];
        let mut pos = self.pos;
        // The attributes byte has no meaning in magic 2.
        buf.get(pos).ok_or(WireError::Truncated { what: "a record's attributes" })?;
        pos += 1;
        let timestamp_delta = read_varlong(buf, &mut pos, "a record's timestamp")?;
        let offset_delta = read_varint(buf, &mut pos, "a record's offset")?;
        let key = read_field(buf, &mut pos, "a record's key")?;
        let value = read_field(buf, &mut pos, "a record's value")?;
        let header_count = read_varint(buf, &mut pos, "a record's header count")?;
        if header_count < 0 {
            let value = i64::from(header_count);
            return Err(WireError::Invalid { what: "a record's header count", value });
        }
        let headers = Headers { buf, pos, left: header_count };
        for _ in 0..header_count {
            read_header(buf, &mut pos)?;
        }
        if pos != end {
            return Err(WireError::Invalid { what: "a record's length", value: i64::from(len) });
        }
        self.pos = end;
        Ok(RecordView {
            offset: self.base_offset.wrapping_add(i64::from(offset_delta)),
            timestamp: self.append_time.unwrap_or_else(|| self.base_timestamp.wrapping_add(timestamp_delta)),
            key,
            value,
            headers,
        })
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<RecordView<'a>, WireError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        match self.left {
            0 => return None,
            1.. => self.left -= 1,
            count => return Some(Err(self.end("a record batch's record count", i64::from(count)))),
        }
        let record = self.read();
        if record.is_err() {
            self.left = 0;
        } else if self.left == 0 && self.pos != self.buf.len() {
            let over = (self.buf.len() - self.pos) as i64;
            return Some(Err(self.end("the number of bytes after the last record", over)));
        }
        Some(record)
    }
}

impl Records<'_> {
    #[cold]
    fn end(&mut self, what: &'static str, value: i64) -> WireError {
        self.left = 0;
        WireError::Invalid { what, value }
    }
}

impl<'a> Iterator for Headers<'a> {
    type Item = HeaderView<'a>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.left <= 0 {
            return None;
        }
        self.left -= 1;
        // The record was refused if one of them could not be read.
        let (name, value) = read_header(self.buf, &mut self.pos).ok()?;
        Some(HeaderView { name: String::from_utf8_lossy(name), value })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.left.max(0) as usize;
        (left, Some(left))
    }
}

impl ExactSizeIterator for Headers<'_> {}

type RawHeader<'a> = (&'a [u8], Option<&'a [u8]>);

#[inline]
fn read_header<'a>(buf: &'a [u8], pos: &mut usize) -> Result<RawHeader<'a>, WireError> {
    let what = "a header's name";
    let name = read_field(buf, pos, what)?.ok_or(WireError::Invalid { what, value: -1 })?;
    let value = read_field(buf, pos, "a header's value")?;
    Ok((name, value))
}

#[inline]
fn read_field<'a>(buf: &'a [u8], pos: &mut usize, what: &'static str) -> Result<Option<&'a [u8]>, WireError> {
    let len = read_varint(buf, pos, what)?;
    if len < 0 {
        // Java takes any negative length for null.
        return Ok(None);
    }
    let end = pos.checked_add(len as usize).ok_or(WireError::Truncated { what })?;
    let field = buf.get(*pos..end).ok_or(WireError::Truncated { what })?;
    *pos = end;
    Ok(Some(field))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BatchBuilder, Batches, ProducerStamp, header};
    use bytes::Bytes;

    fn one_batch(build: impl FnOnce(&mut BatchBuilder)) -> Vec<u8> {
        let mut builder = BatchBuilder::with_capacity(0);
        build(&mut builder);
        builder.finish(ProducerStamp::NONE, false).to_vec()
    }

    #[test]
    fn log_append_time_is_the_batchs_max_timestamp() {
        let mut bytes = one_batch(|b| assert!(b.append(1000, None, None, std::iter::empty())));
        bytes[22] |= 0x08;
        bytes[35..43].copy_from_slice(&5000i64.to_be_bytes());
        header::seal(&mut bytes).unwrap();
        let batch = Batches::new(Bytes::from(bytes)).next().unwrap().unwrap();
        batch.check_crc().unwrap();
        assert_eq!(batch.records().unwrap().next().unwrap().unwrap().timestamp, 5000);
    }

    #[test]
    fn duplicate_headers_are_kept_in_order() {
        let headers = [("a", Some(&b"1"[..])), ("a", Some(&b"2"[..])), ("b", None)];
        let bytes = one_batch(|b| assert!(b.append(0, None, None, headers.into_iter())));
        let batch = Batches::new(Bytes::from(bytes)).next().unwrap().unwrap();
        let record = batch.records().unwrap().next().unwrap().unwrap();
        assert_eq!(record.headers.len(), 3);
        for (read, (name, value)) in record.headers.zip(headers) {
            assert_eq!(read, HeaderView { name: Cow::Borrowed(name), value });
        }
    }

    #[test]
    fn a_header_name_that_is_not_utf_8_is_still_a_name() {
        let mut bytes = one_batch(|b| {
            assert!(b.append(0, None, None, [("ab", Some(&b"v"[..]))].into_iter()));
        });
        let at = bytes.len() - 3 - 1;
        assert_eq!(&bytes[at..at + 2], b"ab");
        bytes[at] = 0xff;
        let batch = Batches::new(Bytes::from(bytes)).next().unwrap().unwrap();
        let mut record = batch.records().unwrap().next().unwrap().unwrap();
        assert_eq!(record.headers.next().unwrap().name, "\u{fffd}b");
    }

    #[test]
    fn a_record_with_a_broken_header_is_refused_as_a_whole() {
        let bytes = one_batch(|b| {
            assert!(b.append(0, None, None, [("ab", Some(&b"v"[..]))].into_iter()));
        });
        let count_at = bytes.len() - 6;
        assert_eq!(bytes[count_at..], [2, 4, b'a', b'b', 2, b'v']);
        // Another count, a name without length, a name and a value that are longer than the record.
        for (at, byte) in [(0, 4), (0, 0), (0, 1), (0, 0x7e), (1, 1), (1, 0x40), (4, 4), (4, 0)] {
            let mut bytes = bytes.clone();
            bytes[count_at + at] = byte;
            let batch = Batches::new(Bytes::from(bytes)).next().unwrap().unwrap();
            assert!(batch.records().unwrap().next().unwrap().is_err(), "byte {at} = {byte}");
        }
    }

    #[test]
    fn a_count_that_the_bytes_do_not_hold_is_an_error() {
        let mut bytes = one_batch(|b| assert!(b.append(0, None, Some(b"x"), std::iter::empty())));
        bytes[57..61].copy_from_slice(&i32::MAX.to_be_bytes());
        let batch = Batches::new(Bytes::from(bytes)).next().unwrap().unwrap();
        let results: Vec<_> = batch.records().unwrap().collect();
        assert_eq!(results.len(), 2);
        assert!(results[0].is_ok() && results[1].is_err());
    }

    #[test]
    fn bytes_after_the_last_record_take_its_place_as_an_error() {
        let mut bytes = one_batch(|b| {
            for value in [b"x", b"y", b"z"] {
                assert!(b.append(0, None, Some(value), std::iter::empty()));
            }
        });
        let read = |count: i32, bytes: &mut Vec<u8>| {
            bytes[57..61].copy_from_slice(&count.to_be_bytes());
            let batch = Batches::new(Bytes::copy_from_slice(bytes)).next().unwrap().unwrap();
            batch.records().unwrap().map(|r| r.is_ok()).collect::<Vec<_>>()
        };
        assert_eq!(read(3, &mut bytes), [true, true, true]);
        assert_eq!(read(2, &mut bytes), [true, false]);
        assert_eq!(read(1, &mut bytes), [false]);
        assert_eq!(read(0, &mut bytes), [] as [bool; 0], "none is announced, so none is looked for");
        assert_eq!(read(-1, &mut bytes), [false]);
        assert_eq!(read(i32::MIN, &mut bytes), [false]);
    }
}
