use super::*;
use crate::compression::{Codec, compress};
use crate::{Batches, Entries, Entry};
use proptest::prelude::*;

const LIMIT: usize = 1 << 20;
const APPEND_TIME: u8 = 0x08;

type Fields<'a> = (Option<&'a [u8]>, Option<&'a [u8]>);

/// A message with offset and length, its CRC right.
fn message(magic: u8, offset: i64, attributes: u8, timestamp: i64, (key, value): Fields<'_>) -> Vec<u8> {
    let mut body = vec![magic, attributes];
    if magic > 0 {
        body.extend_from_slice(&timestamp.to_be_bytes());
    }
    for field in [key, value] {
        let len = field.map_or(-1, |f| f.len() as i32);
        body.extend_from_slice(&len.to_be_bytes());
        body.extend_from_slice(field.unwrap_or_default());
    }
    let crc = crc32fast::hash(&body).to_be_bytes();
    let len = (crc.len() + body.len()) as i32;
    [&offset.to_be_bytes()[..], &len.to_be_bytes(), &crc, &body].concat()
}

fn valued(magic: u8, offset: i64, value: &str) -> Vec<u8> {
    message(magic, offset, 0, 1_000 + offset, (None, Some(value.as_bytes())))
}

/// A message whose value is a compressed set.
fn wrapper(magic: u8, offset: i64, codec: Codec, attributes: u8, timestamp: i64, set: &[u8]) -> Vec<u8> {
    let mut value = Vec::new();
    compress(codec, set, &mut value).unwrap();
    message(magic, offset, attributes | codec.compression().number(), timestamp, (None, Some(&value)))
}

fn entry(bytes: &[u8]) -> LegacyBatch {
    match Entries::new(Bytes::copy_from_slice(bytes)).next() {
        Some(Ok(Entry::Legacy(entry))) => entry,
        other => panic!("{other:?}"),
    }
}

type Read = Vec<(i64, i64, String)>;

/// Offset, timestamp and value of each record.
fn read(bytes: &[u8]) -> Result<Read, WireError> {
    let messages = entry(bytes).messages(LIMIT)?;
    messages.iter(true).map(|record| record.map(|r| (r.offset, r.timestamp, text(r.value)))).collect()
}

fn text(value: Option<&[u8]>) -> String {
    value.map_or("null".to_owned(), |value| String::from_utf8(value.to_vec()).unwrap())
}

fn row(offset: i64, timestamp: i64, value: &str) -> (i64, i64, String) {
    (offset, timestamp, value.to_owned())
}

#[test]
fn a_message_by_itself_is_its_only_record() {
    let bytes = message(1, 7, 0, 99, (Some(b"k"), None));
    let entry = entry(&bytes);
    entry.check_crc().unwrap();
    assert_eq!((entry.magic(), entry.last_offset(), entry.timestamp()), (1, 7, 99));
    let messages = entry.messages(LIMIT).unwrap();
    let records: Vec<_> = messages.iter(true).map(Result::unwrap).collect();
    let expected = LegacyRecord {
        offset: 7,
        timestamp: 99,
        timestamp_type: Some(TimestampType::CreateTime),
        key: Some(b"k"),
        value: None,
    };
    assert_eq!(records, [expected]);
    assert_eq!(read(&valued(0, 3, "v")).unwrap(), [row(3, -1, "v")], "magic 0 has no time");
}

#[test]
fn inner_offsets_are_absolute_under_magic_0() {
    for codec in [Codec::GZIP, Codec::SNAPPY, Codec::LZ4] {
        let set = [valued(0, 20, "a"), valued(0, 22, "b")].concat();
        let bytes = wrapper(0, 22, codec, 0, 0, &set);
        assert_eq!(read(&bytes).unwrap(), [row(20, -1, "a"), row(22, -1, "b")], "{codec:?}");
    }
}

#[test]
fn inner_offsets_are_relative_to_the_last_one_under_magic_1() {
    for codec in [Codec::GZIP, Codec::SNAPPY, Codec::LZ4] {
        // The second one was removed by compaction.
        let set = [valued(1, 0, "a"), valued(1, 2, "c")].concat();
        let bytes = wrapper(1, 22, codec, 0, 1_002, &set);
        assert_eq!(read(&bytes).unwrap(), [row(20, 1_000, "a"), row(22, 1_002, "c")], "{codec:?}");
        // As a producer sends it.
        let unset = wrapper(1, 0, codec, 0, 1_002, &set);
        assert_eq!(read(&unset).unwrap(), [row(0, 1_000, "a"), row(2, 1_002, "c")], "{codec:?}");
    }
    let set = valued(1, 5, "a");
    assert!(matches!(
        read(&wrapper(1, 4, Codec::GZIP, 0, 0, &set)),
        Err(WireError::Invalid { value: 4, .. })
    ));
}

#[test]
fn the_brokers_time_of_a_wrapper_is_that_of_its_messages() {
    let set = [valued(1, 0, "a"), valued(1, 1, "b")].concat();
    let bytes = wrapper(1, 11, Codec::GZIP, APPEND_TIME, 5_000, &set);
    assert_eq!(read(&bytes).unwrap(), [row(10, 5_000, "a"), row(11, 5_000, "b")]);
    let batch = entry(&bytes).converted(LIMIT, true).batch.unwrap();
    assert_eq!(batch.header().timestamp_type(), TimestampType::LogAppendTime);
    assert_eq!(batch.header().max_timestamp, 5_000);
    assert!(batch.records().unwrap().all(|record| record.unwrap().timestamp == 5_000));
}

#[test]
fn lz4_of_magic_0_may_have_any_checksum_in_its_head() {
    let set = valued(0, 0, "a");
    let mut value = Vec::new();
    compress(Codec::LZ4, &set, &mut value).unwrap();
    // Magic number, flags, block size, and then the checksum.
    value[6] ^= 0xff;
    let of = |magic| message(magic, 0, Compression::Lz4.number(), 0, (None, Some(&value)));
    assert_eq!(read(&of(0)).unwrap(), [row(0, -1, "a")]);
    assert!(matches!(read(&of(1)), Err(WireError::Compression { .. })));
}

#[test]
fn one_level_is_read_and_no_deeper() {
    let inner = wrapper(1, 1, Codec::GZIP, 0, 0, &valued(1, 0, "deep"));
    let set = [valued(1, 0, "a"), inner].concat();
    let bytes = wrapper(1, 1, Codec::GZIP, 0, 0, &set);
    let messages = entry(&bytes).messages(LIMIT).unwrap();
    let mut records = messages.iter(true);
    assert!(records.next().unwrap().is_ok());
    assert!(matches!(records.next(), Some(Err(WireError::Invalid { value: 1, .. }))));
    assert!(records.next().is_none());
}

#[test]
fn wrappers_that_java_refuses_are_refused() {
    let set = valued(1, 0, "a");
    let zstd = wrapper(1, 0, Codec::ZSTD, 0, 0, &set);
    assert!(matches!(read(&zstd), Err(WireError::Invalid { value: 4, .. })));
    for codec in 5..8 {
        let unknown = message(1, 0, codec, 0, (None, Some(&set)));
        assert!(matches!(read(&unknown), Err(WireError::UnsupportedCompression { .. })));
    }
    let null = message(1, 0, 1, 0, (None, None));
    assert!(matches!(read(&null), Err(WireError::Invalid { value: -1, .. })));
    let empty = wrapper(1, 0, Codec::GZIP, 0, 0, &[]);
    assert!(matches!(read(&empty), Err(WireError::Invalid { value: 0, .. })));
    let garbage = message(1, 0, 1, 0, (None, Some(b"garbage")));
    assert!(matches!(read(&garbage), Err(WireError::Compression { .. })));
    let mut short = valued(1, 0, "a");
    short[8..12].copy_from_slice(&13i32.to_be_bytes());
    let short = wrapper(1, 0, Codec::GZIP, 0, 0, &[set, short].concat());
    assert!(matches!(read(&short), Err(WireError::Invalid { value: 13, .. })));
}

#[test]
fn a_set_that_is_cut_off_ends_before_that() {
    let set = [valued(1, 0, "a"), valued(1, 1, "b")].concat();
    for cut in 1..set.len() / 2 {
        let bytes = wrapper(1, 10, Codec::GZIP, 0, 0, &set[..set.len() - cut]);
        assert_eq!(read(&bytes).unwrap(), [row(10, 1_000, "a")], "cut by {cut}");
    }
}

#[test]
fn each_message_has_its_checksum() {
    let mut damaged = valued(1, 1, "b");
    *damaged.last_mut().unwrap() ^= 1;
    assert!(matches!(entry(&damaged).check_crc(), Err(WireError::Checksum { base_offset: 1, .. })));
    let bytes = wrapper(1, 11, Codec::GZIP, 0, 0, &[valued(1, 0, "a"), damaged].concat());
    entry(&bytes).check_crc().unwrap();
    let messages = entry(&bytes).messages(LIMIT).unwrap();
    assert!(messages.iter(false).all(|record| record.is_ok()));
    let checked: Vec<_> = messages.iter(true).collect();
    assert!(checked[0].is_ok());
    assert!(matches!(checked[1], Err(WireError::Checksum { base_offset: 11, .. })));
    // What was read before stays.
    let converted = entry(&bytes).converted(LIMIT, true);
    assert_eq!(converted.batch.unwrap().header().last_offset(), 10);
    assert!(matches!(converted.error, Some(WireError::Checksum { .. })));
}

#[test]
fn fields_outside_of_the_message_are_errors() {
    // Keys and values that are longer than what is there, and a magic 1 that ends before its key.
    for (magic, at) in [(0u8, 12 + 6), (0, 12 + 10), (1, 12 + 14), (1, 12 + 18)] {
        let mut bytes = valued(magic, 0, "abc");
        bytes[at..at + 4].copy_from_slice(&1_000i32.to_be_bytes());
        assert!(matches!(read_unchecked(&bytes), Err(WireError::Truncated { .. })), "{magic} {at}");
    }
    let mut short = valued(0, 0, "");
    short[16] = 1;
    assert!(matches!(read_unchecked(&short), Err(WireError::Truncated { .. })));
}

fn read_unchecked(bytes: &[u8]) -> Result<usize, WireError> {
    let messages = entry(bytes).messages(LIMIT)?;
    let records: Result<Vec<_>, _> = messages.iter(false).collect();
    records.map(|records| records.len())
}

#[test]
fn a_converted_entry_is_a_batch_like_any_other() {
    let set = [valued(1, 0, "a"), valued(1, 3, "d")].concat();
    let bytes = wrapper(1, 23, Codec::SNAPPY, 0, 1_003, &set);
    let converted = entry(&bytes).converted(LIMIT, true);
    assert_eq!(converted.error, None);
    let batch = converted.batch.unwrap();
    batch.check_crc().unwrap();
    let header = batch.header();
    assert_eq!((header.base_offset, header.last_offset(), header.record_count), (20, 23, 2));
    assert_eq!((header.base_timestamp, header.max_timestamp, header.producer_id), (1_000, 1_003, -1));
    assert!(!header.is_control() && !header.is_transactional() && !batch.is_compressed());
    let records: Vec<_> = batch.records().unwrap().map(Result::unwrap).collect();
    let rows: Vec<_> = records.iter().map(|r| row(r.offset, r.timestamp, &text(r.value))).collect();
    assert_eq!(rows, [row(20, 1_000, "a"), row(23, 1_003, "d")]);
}

#[test]
fn offsets_too_far_apart_are_refused() {
    let set = [valued(0, 0, "a"), valued(0, 1 << 31, "b")].concat();
    let converted = entry(&wrapper(0, 1 << 31, Codec::GZIP, 0, 0, &set)).converted(LIMIT, true);
    assert_eq!(converted.batch.unwrap().header().last_offset(), 0);
    assert!(matches!(converted.error, Some(WireError::Invalid { .. })));
    // A wrapper with an offset before that of its message, which is what counts.
    let converted = entry(&wrapper(0, 4, Codec::GZIP, 0, 0, &valued(0, 5, "a"))).converted(LIMIT, true);
    assert_eq!(converted.batch.unwrap().header().last_offset(), 5);
    let converted = entry(&wrapper(0, 1 << 40, Codec::GZIP, 0, 0, &valued(0, 5, "a"))).converted(LIMIT, true);
    assert!(converted.batch.is_none() && converted.error.is_some());
}

#[test]
fn a_bomb_stops_at_the_limit() {
    let set = message(1, 0, 0, 0, (None, Some(&vec![0; 1 << 20])));
    let bytes = wrapper(1, 0, Codec::GZIP, 0, 0, &set);
    assert!(matches!(entry(&bytes).messages(1 << 16), Err(WireError::Compression { .. })));
}

#[test]
fn a_region_may_have_all_formats_but_not_for_those_who_take_one() {
    let mut builder = crate::BatchBuilder::with_capacity(0);
    assert!(builder.append(0, None, Some(b"new"), std::iter::empty()));
    let new = builder.finish(crate::ProducerStamp::NONE, false);
    let region = Bytes::from([&valued(0, 0, "a")[..], &valued(1, 1, "b"), &new, &new[..30]].concat());
    let magics = Entries::new(region.clone()).map(|entry| match entry.unwrap() {
        Entry::Legacy(entry) => entry.magic(),
        Entry::Batch(_) => 2,
    });
    assert_eq!(magics.collect::<Vec<_>>(), [0, 1, 2]);
    let mut batches = Batches::new(region);
    assert!(matches!(batches.next(), Some(Err(WireError::UnsupportedMagic { magic: 0, .. }))));
    assert!(batches.next().is_none());
}

proptest! {
    #[test]
    fn damage_is_an_error_or_other_records(
        magic in 0u8..2, codec in 0usize..4,
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        inside: bool,
    ) {
        let codec = [Codec::NONE, Codec::GZIP, Codec::SNAPPY, Codec::LZ4][codec];
        let mut set = [valued(magic, 0, "first"), valued(magic, 1, "second")].concat();
        let damaged = |bytes: &mut Vec<u8>| {
            for (at, byte) in &damage {
                let at = at.index(bytes.len());
                bytes[at] = *byte;
            }
        };
        if inside { damaged(&mut set); }
        let mut bytes = wrapper(magic, 1, codec, 0, 0, &set);
        if !inside { damaged(&mut bytes); }
        for entry in Entries::new(bytes.into()).flatten() {
            let Entry::Legacy(entry) = entry else { continue };
            for check_crcs in [false, true] {
                let converted = entry.converted(LIMIT, check_crcs);
                let Some(batch) = converted.batch else { continue };
                let records: Result<Vec<_>, _> = batch.records().unwrap().collect();
                prop_assert_eq!(records.unwrap().len(), batch.header().record_count as usize);
            }
        }
    }
}
