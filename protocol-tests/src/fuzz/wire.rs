//! The decoders of `crossdock-wire`.

use bytes::{Bytes, BytesMut};
use crossdock_wire::compression::{Codec, compress, decompress};
use crossdock_wire::control::{self, ControlType};
use crossdock_wire::shape::{self, Encoding, Field};
use crossdock_wire::{Batch, Entries, Entry, frame, varint};

/// Most that something may be decompressed to here.
const LIMIT: usize = 1 << 20;
/// Most that a frame may have here.
const FRAME_LIMIT: usize = 1 << 16;

/// Frames come out whole and in order however the bytes arrive; memory follows what came.
pub(super) fn frames(bytes: &[u8]) {
    let Some((&[step], stream)) = bytes.split_first_chunk() else { return };
    let whole = frames_of(stream, stream.len());
    let by_steps = frames_of(stream, usize::from(step).max(1));
    assert_eq!(whole, by_steps);
}

/// The frames, and whether they ended with an error.
fn frames_of(stream: &[u8], step: usize) -> (Vec<Bytes>, bool) {
    let mut buf = BytesMut::new();
    let mut frames = Vec::new();
    for part in stream.chunks(step.max(1)) {
        buf.extend_from_slice(part);
        loop {
            match frame::take_frame(&mut buf, FRAME_LIMIT) {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(_) => return (frames, true),
            }
        }
        frame::make_room(&mut buf, FRAME_LIMIT, 1 << 10);
        assert!(buf.capacity() <= 4 * (FRAME_LIMIT + frame::READ_CHUNK));
    }
    (frames, false)
}

/// All readers of varints move as far, and give what is written again as the same number.
pub(super) fn varints(bytes: &[u8]) {
    let what = "a number";
    let (mut at, mut at_unsigned, mut at_long) = (0, 0, 0);
    let read = varint::read_varint(bytes, &mut at, what);
    let unsigned = varint::read_unsigned_varint(bytes, &mut at_unsigned, what);
    let long = varint::read_varlong(bytes, &mut at_long, what);
    assert!(at.max(at_unsigned).max(at_long) <= bytes.len());
    assert_eq!(read.is_ok(), unsigned.is_ok());
    assert!(long.is_ok() || read.is_err(), "what 32 bits can hold, 64 can");
    if let (Ok(read), Ok(unsigned)) = (read, unsigned) {
        assert_eq!(((read << 1) ^ (read >> 31)) as u32, unsigned);
        again(i64::from(read));
    }
    if let Ok(long) = long {
        again(long);
    }
}

fn again(value: i64) {
    let mut out = Vec::new();
    varint::write_varlong(&mut out, value);
    assert_eq!(out.len(), varint::varlong_len(value));
    assert_eq!(varint::read_varlong(&out, &mut 0, "a number"), Ok(value));
}

/// What the check of shapes lets through never has more elements than bytes.
pub(super) fn shapes(bytes: &[u8]) {
    const INNER: &[Field] = &[shape::TEXT, shape::values(&shape::INT8), shape::BLOB.since(1)];
    const LAYOUT: &[Field] = &[
        shape::INT16,
        shape::structs(INNER),
        shape::one(&[shape::UUID.since(2), shape::TEXT]),
        shape::tag(0, &shape::structs(INNER)).since(2),
        shape::tag(7, &shape::BOOL),
    ];
    let Some((&[choice], message)) = bytes.split_first_chunk() else { return };
    let encoding = Encoding { version: i16::from(choice >> 1) % 4, is_flexible: choice & 1 != 0 };
    let all = shape::check(LAYOUT, message, encoding, usize::MAX);
    assert_eq!(all.is_ok(), shape::check(LAYOUT, message, encoding, message.len()).is_ok());
    if let Ok(rest) = all {
        let used = message.len() - rest.len();
        assert_eq!(shape::check_whole(LAYOUT, &message[..used], encoding, usize::MAX), Ok(()));
    }
}

/// Regions of a log: batches, compressed or not, their records and headers.
pub(super) fn batches(bytes: &[u8]) {
    let mut entries = Entries::new(Bytes::copy_from_slice(bytes));
    let mut size = 0;
    for entry in entries.by_ref().flatten() {
        match entry {
            Entry::Batch(batch) => {
                size += batch.bytes().len();
                let _ = batch.check_crc();
                walk(&batch);
            }
            Entry::Legacy(message) => size += message.bytes().len(),
        }
    }
    assert!(size + entries.truncated_tail().len() <= bytes.len());
}

/// Messages of magic 0 and 1. What can be read of one is the same in the batch that is made of it.
pub(super) fn legacy(bytes: &[u8]) {
    for entry in Entries::new(Bytes::copy_from_slice(bytes)).flatten() {
        let Entry::Legacy(message) = entry else { continue };
        let _ = message.check_crc();
        let converted = message.converted(LIMIT, false);
        let Ok(messages) = message.messages(LIMIT) else {
            assert!(converted.batch.is_none() && converted.error.is_some());
            continue;
        };
        let Some(batch) = converted.batch else { continue };
        assert!(batch.header().last_offset_delta >= 0 || batch.header().record_count > 1);
        walk(&batch);
        for (old, new) in messages.iter(false).zip(batch.records().into_iter().flatten()) {
            let (Ok(old), Ok(new)) = (old, new) else { unreachable!("a record that was copied") };
            assert_eq!((old.offset, old.key, old.value), (new.offset, new.key, new.value));
        }
    }
}

pub(super) fn gzip(bytes: &[u8]) {
    codec(Codec::GZIP, bytes);
}

pub(super) fn snappy(bytes: &[u8]) {
    codec(Codec::SNAPPY, bytes);
}

pub(super) fn lz4(bytes: &[u8]) {
    codec(Codec::LZ4, bytes);
}

pub(super) fn zstd(bytes: &[u8]) {
    codec(Codec::ZSTD, bytes);
}

/// Decompresses up to the limit, and the bytes come back when they are compressed themselves.
fn codec(codec: Codec, bytes: &[u8]) {
    let mut out = b"before".to_vec();
    let outcome = decompress(codec.compression(), bytes, LIMIT, &mut out);
    assert!(out.starts_with(b"before") && out.len() <= LIMIT + 6);
    assert!(outcome.is_ok() || out.len() == 6);
    let mut compressed = Vec::new();
    let mut again = Vec::new();
    assert_eq!(compress(codec, bytes, &mut compressed), Ok(()));
    assert_eq!(decompress(codec.compression(), &compressed, bytes.len(), &mut again), Ok(()));
    assert_eq!(again, bytes);
}

fn walk(batch: &Batch) {
    let Ok(batch) = batch.decompressed(LIMIT) else { return };
    let header = batch.header();
    let _ = (header.last_offset(), header.last_sequence(), header.delete_horizon());
    let Ok(mut records) = batch.records() else { return };
    let mut read = 0;
    let failed = records.by_ref().any(|record| {
        let Ok(record) = record else { return true };
        read += 1;
        assert_eq!(record.headers.len(), record.headers.clone().count());
        let _ = ControlType::parse(record.key);
        let _ = control::coordinator_epoch(&record);
        false
    });
    assert!(records.next().is_none());
    assert!(failed || read == header.record_count);
}
