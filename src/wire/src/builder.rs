//! The open batch of a producer.
//!
//! Records are encoded once, into the buffer that is sent. The head's fields that are known only at
//! the end (length, deltas, count) are patched in by [`BatchBuilder::close`], which also compresses; producer
//! stamp and CRC by [`ClosedBatch::finish`].

use crate::compression::{self, Codec};
use crate::header::{BatchHeader, Compression, HEADER_LEN, LOG_OVERHEAD, seal};
use crate::spare;
use crate::varint::{varlong_len, write_varint, write_varlong};
use bytes::Bytes;

/// Identity of an idempotent producer and the batch's place in its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProducerStamp {
    /// Producer id from InitProducerId; -1 without idempotence.
    pub producer_id: i64,
    /// Producer epoch; -1 without idempotence.
    pub producer_epoch: i16,
    /// Sequence number of the first record; -1 without idempotence.
    pub base_sequence: i32,
}

impl ProducerStamp {
    /// The stamp of a producer that is not idempotent.
    pub const NONE: Self = Self { producer_id: -1, producer_epoch: -1, base_sequence: -1 };
}

/// An open batch: appended to record by record, then finished once.
#[derive(Debug)]
pub struct BatchBuilder {
    buf: Vec<u8>,
    base_timestamp: i64,
    max_timestamp: i64,
    count: i32,
}

impl BatchBuilder {
    /// An empty batch with room for `capacity` bytes in all.
    pub fn with_capacity(capacity: usize) -> Self {
        let mut buf = spare::take(capacity.max(HEADER_LEN));
        buf.resize(HEADER_LEN, 0);
        Self { buf, base_timestamp: -1, max_timestamp: -1, count: 0 }
    }

    /// Appends a record. `None` is Kafka's null (a tombstone, if it is the value). `timestamp` is in
    /// milliseconds since the epoch. Headers keep their order and duplicates.
    ///
    /// No heap allocation, apart from growth past the capacity. Nothing is appended if it would not
    /// fit Kafka's 32-bit lengths: `false` is returned, and the record cannot be sent at all.
    #[must_use]
    pub fn append<'h, H>(
        &mut self,
        timestamp: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: H,
    ) -> bool
    where
        H: ExactSizeIterator<Item = (&'h str, Option<&'h [u8]>)> + Clone,
    {
        let timestamp_delta = if self.count == 0 { 0 } else { timestamp.wrapping_sub(self.base_timestamp) };
        if self.count == i32::MAX
            || !write_record(&mut self.buf, timestamp_delta, self.count, key, value, headers)
        {
            return false;
        }
        if self.count == 0 {
            self.base_timestamp = timestamp;
        }
        self.max_timestamp = if self.count == 0 { timestamp } else { self.max_timestamp.max(timestamp) };
        self.count += 1;
        true
    }

    /// An upper bound, in bytes, of what a record of these sizes takes in any batch; `headers` is the
    /// sum of the headers' names and values, `header_count` their number.
    pub fn record_size_bound(key: usize, value: usize, headers: usize, header_count: usize) -> usize {
        // length, attributes, deltas, key and value lengths, header count, two lengths a header
        5 + 1 + 10 + 5 + 5 + 5 + 5 + key + value + headers + header_count.saturating_mul(10)
    }

    /// Number of records so far.
    pub fn record_count(&self) -> i32 {
        self.count
    }

    /// Whether nothing was appended.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Length in bytes of the batch as it stands, with its head.
    pub fn len(&self) -> usize {
        self.buf.len()
    }

    /// Closes the batch and compresses its records. They stay as they are if that does not make them
    /// smaller, or the codec fails: see [`ClosedBatch::compression`].
    pub fn close(self, codec: Codec) -> ClosedBatch {
        if let Some(closed) = self.compressed(codec) {
            return closed;
        }
        ClosedBatch { header: self.header(self.buf.len(), Compression::None), buf: self.buf }
    }

    /// The batch with compressed records. `None` if that does not make it smaller, or the codec fails.
    pub fn compressed(&self, codec: Codec) -> Option<ClosedBatch> {
        if codec == Codec::NONE || self.count == 0 {
            return None;
        }
        let mut buf = Vec::with_capacity(HEADER_LEN + self.buf.len() / 2);
        buf.resize(HEADER_LEN, 0);
        compression::compress(codec, &self.buf[HEADER_LEN..], &mut buf).ok()?;
        if buf.len() >= self.buf.len() {
            return None;
        }
        buf.shrink_to_fit();
        Some(ClosedBatch { header: self.header(buf.len(), codec.compression()), buf })
    }

    /// The head of a closed batch of `len` bytes, without its stamp.
    fn header(&self, len: usize, compression: Compression) -> BatchHeader {
        let mut header = BatchHeader {
            base_offset: 0,
            // `append` keeps the whole batch below i32::MAX.
            batch_length: (len - LOG_OVERHEAD) as i32,
            partition_leader_epoch: -1,
            crc: 0,
            attributes: 0,
            last_offset_delta: (self.count - 1).max(0),
            base_timestamp: self.base_timestamp,
            max_timestamp: self.max_timestamp,
            producer_id: -1,
            producer_epoch: -1,
            base_sequence: -1,
            record_count: self.count,
        };
        header.set_compression(compression);
        header
    }

    /// Closes the batch without compressing it, and finishes it.
    pub fn finish(self, stamp: ProducerStamp, transactional: bool) -> Bytes {
        self.close(Codec::NONE).finish(stamp, transactional)
    }
}

/// A batch that takes no more records and lacks only its stamp and its CRC.
#[derive(Debug)]
pub struct ClosedBatch {
    header: BatchHeader,
    buf: Vec<u8>,
}

impl ClosedBatch {
    /// How its records are compressed.
    pub fn compression(&self) -> Compression {
        self.header.compression()
    }

    /// Length in bytes, with its head.
    pub fn len(&self) -> usize {
        self.buf.len()
    }

    /// Whether there is no record in it.
    pub fn is_empty(&self) -> bool {
        self.header.record_count == 0
    }

    /// Fills in the head and the CRC and gives the bytes for a produce request. The base offset is 0; the
    /// broker assigns the real one.
    pub fn finish(self, stamp: ProducerStamp, transactional: bool) -> Bytes {
        let Self { mut header, mut buf } = self;
        header.producer_id = stamp.producer_id;
        header.producer_epoch = stamp.producer_epoch;
        header.base_sequence = stamp.base_sequence;
        if transactional {
            header.attributes |= 0x10;
        }
        if let Some(head) = buf.first_chunk_mut::<HEADER_LEN>() {
            header.write(head);
        }
        // Cannot fail: the buffer starts with room for the head.
        let _ = seal(&mut buf);
        spare::share(buf)
    }
}

/// Appends a record to a batch's bytes. Nothing is appended, and `false` returned, if the whole would not fit
/// Kafka's 32-bit lengths.
#[inline]
pub(crate) fn write_record<'h, H>(
    buf: &mut Vec<u8>,
    timestamp_delta: i64,
    offset_delta: i32,
    key: Option<&[u8]>,
    value: Option<&[u8]>,
    headers: H,
) -> bool
where
    H: ExactSizeIterator<Item = (&'h str, Option<&'h [u8]>)> + Clone,
{
    let body = 1
        + varlong_len(timestamp_delta)
        + varlong_len(i64::from(offset_delta))
        + field_len(key)
        + field_len(value)
        + headers_len(headers.clone());
    if buf.len().saturating_add(body) > (i32::MAX as usize) - 16 {
        return false;
    }
    // All lengths fit an i32: their sum was checked above.
    write_varlong(buf, body as i64);
    buf.push(0);
    write_varlong(buf, timestamp_delta);
    write_varint(buf, offset_delta);
    write_field(buf, key);
    write_field(buf, value);
    write_varlong(buf, headers.len() as i64);
    for (name, value) in headers {
        write_varlong(buf, name.len() as i64);
        buf.extend_from_slice(name.as_bytes());
        write_field(buf, value);
    }
    true
}

fn field_len(field: Option<&[u8]>) -> usize {
    field.map_or(1, |f| varlong_len(f.len() as i64) + f.len())
}

fn headers_len<'h>(headers: impl ExactSizeIterator<Item = (&'h str, Option<&'h [u8]>)>) -> usize {
    let mut len = varlong_len(headers.len() as i64);
    for (name, value) in headers {
        len += varlong_len(name.len() as i64) + name.len() + field_len(value);
    }
    len
}

#[inline]
fn write_field(out: &mut Vec<u8>, field: Option<&[u8]>) {
    match field {
        None => out.push(1), // zig-zag of -1
        Some(bytes) => {
            write_varlong(out, bytes.len() as i64);
            out.extend_from_slice(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Batches;
    use proptest::prelude::*;

    type Owned = (i64, Option<Vec<u8>>, Option<Vec<u8>>, Vec<(String, Option<Vec<u8>>)>);

    fn build(records: &[Owned]) -> Bytes {
        let mut builder = BatchBuilder::with_capacity(16);
        for (ts, key, value, headers) in records {
            let headers: Vec<_> = headers.iter().map(|(n, v)| (n.as_str(), v.as_deref())).collect();
            assert!(builder.append(*ts, key.as_deref(), value.as_deref(), headers.into_iter()));
        }
        let stamp = ProducerStamp { producer_id: 7, producer_epoch: 1, base_sequence: 5 };
        builder.finish(stamp, false)
    }

    fn bytes() -> impl Strategy<Value = Option<Vec<u8>>> {
        prop::option::of(prop::collection::vec(any::<u8>(), 0..200))
    }

    fn record() -> impl Strategy<Value = Owned> {
        (any::<i64>(), bytes(), bytes(), prop::collection::vec(("[a-zé]{0,8}", bytes()), 0..4))
    }

    proptest! {
        #[test]
        fn what_is_built_is_read_back(records in prop::collection::vec(record(), 0..20)) {
            let bytes = build(&records);
            let mut batches = Batches::new(bytes);
            let batch = batches.next().unwrap().unwrap();
            prop_assert_eq!(batch.header().record_count as usize, records.len());
            let mut read: Vec<Owned> = Vec::new();
            for record in batch.records().unwrap() {
                let record = record.unwrap();
                prop_assert_eq!(record.offset, read.len() as i64);
                let headers = record.headers.map(|h| (h.name.into_owned(), h.value.map(<[u8]>::to_vec)));
                read.push((record.timestamp, record.key.map(<[u8]>::to_vec), record.value.map(<[u8]>::to_vec), headers.collect()));
            }
            prop_assert_eq!(read, records);
            prop_assert!(batches.next().is_none());
        }

        #[test]
        fn the_size_bound_holds((ts, key, value, headers) in record()) {
            let sum: usize = headers.iter().map(|(n, v)| n.len() + v.as_ref().map_or(0, Vec::len)).sum();
            let bound = BatchBuilder::record_size_bound(
                key.as_ref().map_or(0, Vec::len), value.as_ref().map_or(0, Vec::len), sum, headers.len());
            let bytes = build(&[(ts, key, value, headers)]);
            prop_assert!(bytes.len() - HEADER_LEN <= bound);
        }
    }
}
