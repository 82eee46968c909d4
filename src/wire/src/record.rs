//! The records of one batch, read lazily as borrowed views.

use crate::WireError;
use crate::header::{BatchHeader, TimestampType};
use crate::varint::{read_varint, read_varlong};

/// Walks the records of a batch. Nothing is copied and nothing is allocated.
///
/// The walk ends after the announced number of records, or with one error when the bytes do not hold
/// them; bytes left over after the last record are an error too, as in
/// `DefaultRecordBatch.RecordIterator`.
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

/// Walks the headers of a record.
#[derive(Debug, Clone)]
pub struct Headers<'a> {
    buf: &'a [u8],
    pos: usize,
    left: i32,
}

/// One header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeaderView<'a> {
    /// Name; need not be unique.
    pub name: &'a str,
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
        self.left
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
        if header_count < 0 || (header_count == 0 && pos != end) {
            return Err(WireError::Invalid { what: "a record's length", value: i64::from(len) });
        }
        let headers = Headers { buf, pos, left: header_count };
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
        if self.left <= 0 {
            if self.left == 0 && self.pos != self.buf.len() {
                self.left = -1;
                let value = (self.buf.len() - self.pos) as i64;
                return Some(Err(WireError::Invalid {
                    what: "the number of bytes after the last record",
                    value,
                }));
            }
            return None;
        }
        self.left -= 1;
        let record = self.read();
        if record.is_err() {
            self.left = -1;
        }
        Some(record)
    }
}

impl Headers<'_> {
    /// Headers that are still announced; an upper bound.
    pub fn announced(&self) -> i32 {
        self.left
    }
}

impl<'a> Iterator for Headers<'a> {
    type Item = Result<HeaderView<'a>, WireError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.left <= 0 {
            return None;
        }
        self.left -= 1;
        let header = read_header(self.buf, &mut self.pos);
        if header.is_err() {
            self.left = 0;
        }
        Some(header)
    }
}

fn read_header<'a>(buf: &'a [u8], pos: &mut usize) -> Result<HeaderView<'a>, WireError> {
    let what = "a header's name";
    let name = read_field(buf, pos, what)?.ok_or(WireError::Invalid { what, value: -1 })?;
    let name = std::str::from_utf8(name).map_err(|e| WireError::Invalid {
        what: "the UTF-8 of a header's name at byte",
        value: e.valid_up_to() as i64,
    })?;
    let value = read_field(buf, pos, "a header's value")?;
    Ok(HeaderView { name, value })
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
        let read: Vec<_> = record.headers.map(|h| h.map(|h| (h.name, h.value)).unwrap()).collect();
        assert_eq!(read, headers);
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
    fn bytes_after_the_last_record_are_an_error() {
        let mut bytes = one_batch(|b| assert!(b.append(0, None, Some(b"x"), std::iter::empty())));
        bytes[57..61].copy_from_slice(&0i32.to_be_bytes());
        let batch = Batches::new(Bytes::from(bytes)).next().unwrap().unwrap();
        assert!(batch.records().unwrap().next().unwrap().is_err());
    }
}
