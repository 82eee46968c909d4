use super::*;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crossdock_wire::{BatchBuilder, Codec, ProducerStamp, compression, header};

const READ: ReadOptions = ReadOptions {
    check_crcs: true,
    max_decompressed_bytes: 1 << 20,
    isolation: IsolationLevel::ReadUncommitted,
    max_partition_bytes: 1000,
};
const COMMITTED: ReadOptions = ReadOptions { isolation: IsolationLevel::ReadCommitted, ..READ };

/// Bits of a batch's attributes.
const TRANSACTIONAL: u8 = 0x10;
const CONTROL: u8 = 0x20;

fn tp() -> TopicPartition {
    TopicPartition::new("t", 0)
}

/// A batch at `offset` whose records' values are their offsets.
fn batch(offset: i64, count: i64, producer_id: i64, attributes: u8) -> Vec<u8> {
    let mut builder = BatchBuilder::with_capacity(0);
    for record in 0..count {
        let value = (offset + record).to_string();
        assert!(builder.append(1, None, Some(value.as_bytes()), std::iter::empty()));
    }
    sealed(builder, offset, producer_id, attributes)
}

/// The marker that ends a transaction: its key is a version and a type.
fn marker(offset: i64, producer_id: i64, commit: bool) -> Vec<u8> {
    let mut builder = BatchBuilder::with_capacity(0);
    let key = [0, 0, 0, u8::from(commit)];
    assert!(builder.append(1, Some(&key), Some(b"......"), std::iter::empty()));
    sealed(builder, offset, producer_id, CONTROL | TRANSACTIONAL)
}

fn sealed(builder: BatchBuilder, offset: i64, producer_id: i64, attributes: u8) -> Vec<u8> {
    let stamp = ProducerStamp { producer_id, producer_epoch: 0, base_sequence: 0 };
    let mut bytes = builder.finish(stamp, false).to_vec();
    bytes[..8].copy_from_slice(&offset.to_be_bytes());
    bytes[22] = attributes;
    header::seal(&mut bytes).unwrap();
    bytes
}

fn read(batches: &[Vec<u8>], from: i64, aborted: &[(i64, i64)], options: ReadOptions) -> Region {
    let aborted = aborted.iter().map(|(producer_id, first_offset)| Aborted {
        producer_id: *producer_id,
        first_offset: *first_offset,
    });
    read_region(&tp(), batches.concat().into(), from, 99, aborted.collect(), options, &mut { usize::MAX })
}

fn values(region: &Region) -> Vec<i64> {
    let value = |record: Result<RecordView<'_>, ConsumerError>| {
        let record = record.unwrap();
        let value: i64 = std::str::from_utf8(record.value.unwrap()).unwrap().parse().unwrap();
        assert_eq!(value, record.offset);
        value
    };
    region.records.records().map(value).collect()
}

#[test]
fn records_below_the_position_are_skipped() {
    let region = read(&[batch(0, 5, -1, 0), batch(5, 2, -1, 0)], 3, &[], READ);
    assert!(region.error.is_none());
    assert_eq!(values(&region), [3, 4, 5, 6]);
    assert_eq!((region.records.start_offset, region.records.next_offset), (3, 7));
    assert_eq!(region.records.announced_records(), 7);
}

#[test]
fn a_whole_batch_below_the_position_is_left_out() {
    let region = read(&[batch(0, 2, -1, 0), batch(2, 2, -1, 0)], 2, &[], READ);
    assert_eq!(region.records.batches.len(), 1);
    assert_eq!(values(&region), [2, 3]);
}

#[test]
fn the_next_offset_counts_records_that_compaction_removed() {
    let mut bytes = batch(10, 2, -1, 0);
    bytes[23..27].copy_from_slice(&9i32.to_be_bytes());
    header::seal(&mut bytes).unwrap();
    let region = read(&[bytes], 10, &[], READ);
    assert_eq!(values(&region), [10, 11]);
    assert_eq!(region.records.next_offset, 20);
}

#[test]
fn a_corrupt_batch_ends_the_region_and_names_the_place() {
    let mut corrupt = batch(2, 2, -1, 0);
    let last = corrupt.len() - 1;
    corrupt[last] ^= 1;
    let region = read(&[batch(0, 2, -1, 0), corrupt, batch(4, 1, -1, 0)], 0, &[], READ);
    assert_eq!(values(&region), [0, 1]);
    assert_eq!(region.records.next_offset, 2);
    let error = region.error.unwrap().to_string();
    assert!(
        error.starts_with("cannot read partition t-0 at offset 2: record batch at offset 2 is corrupt"),
        "{error}"
    );
}

#[test]
fn an_unknown_codec_is_an_error_before_the_records_are_asked_for() {
    let region = read(&[batch(0, 1, -1, 0), batch(1, 1, -1, 7)], 0, &[], READ);
    assert_eq!(region.records.next_offset, 1);
    assert!(matches!(
        region.error,
        Some(ConsumerError::Records { offset: 1, source: WireError::UnsupportedCompression { .. }, .. })
    ));
}

#[test]
fn a_batch_that_does_not_fit_names_the_setting() {
    let whole = batch(7, 3, -1, 0);
    let region = read(&[whole[..whole.len() - 1].to_vec()], 7, &[], READ);
    let error = region.error.unwrap().to_string();
    assert!(error.contains("t-0 at offset 7") && error.contains("max.partition.fetch.bytes"), "{error}");
    // Cut off after a whole batch is the usual case.
    let region = read(&[batch(0, 1, -1, 0), whole[..20].to_vec()], 0, &[], READ);
    assert!(region.error.is_none());
}

#[test]
fn control_batches_are_no_records_but_move_the_position() {
    let region = read(&[batch(0, 1, 9, TRANSACTIONAL), marker(1, 9, true)], 0, &[], READ);
    assert_eq!(values(&region), [0]);
    assert_eq!(region.records.next_offset, 2);
    assert!(read(&[marker(1, 9, true)], 1, &[], READ).has_no_records());
}

#[test]
fn aborted_transactions_are_void_under_read_committed_only() {
    let log = [
        batch(0, 1, 1, TRANSACTIONAL), // aborted at 4
        batch(1, 1, 2, TRANSACTIONAL), // committed
        batch(2, 1, -1, 0),
        batch(3, 1, 1, TRANSACTIONAL), // aborted at 4
        marker(4, 1, false),
        batch(5, 1, 1, TRANSACTIONAL), // the producer's next transaction, committed
        marker(6, 2, true),
        batch(7, 1, 3, TRANSACTIONAL), // aborted later than the region
    ];
    let aborted = [(3, 7), (1, 0)];
    assert_eq!(values(&read(&log, 0, &aborted, COMMITTED)), [1, 2, 5]);
    assert_eq!(read(&log, 0, &aborted, COMMITTED).records.next_offset, 8);
    assert_eq!(values(&read(&log, 0, &aborted, READ)), [0, 1, 2, 3, 5, 7]);
}

#[test]
fn records_that_lie_about_their_count_are_one_error() {
    let mut bytes = batch(3, 1, -1, 0);
    bytes[57..61].copy_from_slice(&5i32.to_be_bytes());
    header::seal(&mut bytes).unwrap();
    let region = read(&[bytes, batch(4, 1, -1, 0)], 3, &[], READ);
    let items: Vec<_> = region.records.records().collect();
    assert_eq!(items.len(), 2);
    assert!(items[0].is_ok());
    assert!(matches!(items[1], Err(ConsumerError::Records { offset: 4, .. })));
}

#[test]
fn a_batch_that_ends_before_it_begins_is_an_error() {
    let mut bytes = batch(3, 1, -1, 0);
    bytes[23..27].copy_from_slice(&(-1i32).to_be_bytes());
    header::seal(&mut bytes).unwrap();
    let region = read(&[batch(2, 1, -1, 0), bytes], 2, &[], READ);
    assert_eq!(region.records.next_offset, 3);
    assert!(matches!(region.error, Some(ConsumerError::Records { offset: 3, .. })));
}

#[test]
fn a_marker_that_cannot_be_read_is_an_error_where_it_matters() {
    let mut bytes = marker(1, 9, false);
    // Key and value take 4 and 6 bytes at the end; the key's version comes first.
    let key_at = bytes.len() - 1 - 7 - 4;
    assert_eq!(bytes[key_at..key_at + 4], [0, 0, 0, 0]);
    bytes[key_at] = 0x80;
    header::seal(&mut bytes).unwrap();
    let log = [batch(0, 1, 9, TRANSACTIONAL), bytes];
    let region = read(&log, 0, &[(9, 0)], COMMITTED);
    assert!(matches!(region.error, Some(ConsumerError::Records { offset: 1, .. })));
    assert!(read(&log, 0, &[(9, 0)], READ).error.is_none());
}

/// As [`batch`], compressed.
fn compressed(codec: Codec, offset: i64, count: i64, producer_id: i64, attributes: u8) -> Vec<u8> {
    let plain = batch(offset, count, producer_id, attributes);
    let mut bytes = plain[..header::HEADER_LEN].to_vec();
    compression::compress(codec, &plain[header::HEADER_LEN..], &mut bytes).unwrap();
    bytes[22] |= codec.compression().number();
    let len = bytes.len() as u32 - 12;
    bytes[8..12].copy_from_slice(&len.to_be_bytes());
    header::seal(&mut bytes).unwrap();
    bytes
}

const CODECS: [Codec; 4] = [Codec::GZIP, Codec::SNAPPY, Codec::LZ4, Codec::ZSTD];

#[test]
fn compressed_batches_are_read_beside_others() {
    let log: Vec<_> =
        CODECS.iter().zip(0..).map(|(codec, n)| compressed(*codec, n * 10, 10, -1, 0)).collect();
    let region = read(&[log.concat(), batch(40, 2, -1, 0)], 5, &[], READ);
    assert!(region.error.is_none());
    assert_eq!(values(&region), (5..42).collect::<Vec<_>>());
    let plain: Vec<_> = (0..4).map(|n| batch(n * 10, 10, -1, 0)).collect();
    assert_eq!(region.records.byte_len(), plain.concat().len() + batch(40, 2, -1, 0).len());
}

#[test]
fn damage_below_a_right_checksum_names_place_and_codec() {
    for codec in CODECS {
        let mut damaged = compressed(codec, 2, 50, -1, 0);
        damaged[header::HEADER_LEN..].fill(0x11);
        header::seal(&mut damaged).unwrap();
        let region = read(&[batch(0, 2, -1, 0), damaged, batch(52, 1, -1, 0)], 0, &[], READ);
        assert_eq!((values(&region), region.records.next_offset), (vec![0, 1], 2));
        let error = region.error.unwrap().to_string();
        let place = "cannot read partition t-0 at offset 2: record batch at offset 2 cannot be read: its ";
        assert!(error.starts_with(&format!("{place}{} data is corrupt", codec.compression())), "{error}");
    }
    let limited = ReadOptions { max_decompressed_bytes: 100, ..READ };
    let error = read(&[compressed(Codec::ZSTD, 7, 50, -1, 0)], 7, &[], limited).error.unwrap().to_string();
    assert!(error.contains("offset 7") && error.contains("the limit of 100 bytes"), "{error}");
}

#[test]
fn aborted_batches_are_not_decompressed() {
    let mut void = compressed(Codec::LZ4, 0, 50, 1, TRANSACTIONAL);
    void[header::HEADER_LEN..].fill(0x11);
    header::seal(&mut void).unwrap();
    let log = [void, marker(50, 1, false), compressed(Codec::LZ4, 51, 2, 2, TRANSACTIONAL)];
    let region = read(&log, 0, &[(1, 0)], COMMITTED);
    assert!(region.error.is_none());
    assert_eq!((values(&region), region.records.next_offset), (vec![51, 52], 53));
    assert!(read(&log, 0, &[], READ).error.is_some());
    // What lies before the position is not either.
    assert!(read(&log, 50, &[], READ).error.is_none());
}

#[test]
fn a_region_ends_where_the_budget_does() {
    let log: Vec<u8> = (0..4).flat_map(|n| compressed(Codec::GZIP, n * 10, 10, -1, 0)).collect();
    let region =
        |from, budget: &mut usize| read_region(&tp(), log.clone().into(), from, 99, Vec::new(), READ, budget);
    let one = batch(0, 10, -1, 0).len();
    let mut budget = one + 1;
    let first = region(0, &mut budget);
    assert!(first.error.is_none());
    assert_eq!((values(&first).len(), first.records.next_offset, budget), (20, 20, 0));
    let none = region(20, &mut budget);
    assert!(none.error.is_none() && none.has_no_records());
    assert_eq!(none.records.next_offset, 20);
    assert_eq!(region(20, &mut 1).records.next_offset, 30);
}

#[test]
fn messages_of_old_formats_are_records_like_any_other() {
    // Of the golden vectors: three messages of magic 1, and a compressed one of magic 0 with three in it; all
    // with the offsets 20 to 22.
    let plain = "AAAAAAAAABQAAAAYOSaMMwEAAAABi8/laAAAAAABawAAAAF2AAAAAAAAABUAAAAYdn5/9QEAAAABi8/laAn/////AAAAAsOp\
                 AAAAAAAAABYAAAAXim4qlgEAAAABi8/laAMAAAABdP////8=";
    let wrapper = "AAAAAAAAABYAAABVV85uSAAB/////wAAAEcfiwgAAAAAAAD/Y2AAAxEgFpB/c50LzGPMBhFlECkGUZCc9k8pTwaG/0AA5DEd\
                   XgmVEwNi/iIjlqUQfSUgBQAB0opCUwAAAA==";
    for (text, first_timestamp) in [(plain, 1_700_000_000_000), (wrapper, -1)] {
        let mut bytes = STANDARD.decode(text).unwrap();
        bytes.extend_from_slice(&batch(23, 1, -1, 0));
        let region = read(&[bytes.clone()], 20, &[], READ);
        assert!(region.error.is_none(), "{:?}", region.error);
        assert_eq!(region.records.next_offset, 24);
        let records: Vec<_> = region.records.records().map(Result::unwrap).collect();
        assert_eq!(records.iter().map(|r| r.offset).collect::<Vec<_>>(), [20, 21, 22, 23]);
        assert_eq!((records[0].key, records[0].value), (Some(&b"k"[..]), Some(&b"v"[..])));
        assert_eq!((records[0].timestamp, records[2].value), (first_timestamp, None));
        // From within the set, and from behind it.
        let from = |offset| read(&[bytes.clone()], offset, &[], READ).records.records().count();
        assert_eq!((from(22), from(23)), (2, 1));
        // A message that is damaged ends the region where it is.
        bytes[20] ^= 1;
        let region = read(&[bytes], 20, &[], READ);
        let is_wrapper = first_timestamp == -1;
        assert_eq!(
            region.error.is_none(),
            is_wrapper,
            "a wrapper's own checksum says nothing of its messages"
        );
    }
}

/// Whatever the isolation, a region costs by its batches, and its records nothing.
#[test]
fn regions_are_read_without_allocating_by_record() {
    for options in [READ, COMMITTED] {
        let allocations = [10, 10_000].map(|count| {
            let batches: Vec<_> = (0..4).map(|at| batch(at * count, count, -1, 0)).collect();
            let bytes: bytes::Bytes = batches.concat().into();
            let mut region = None;
            let reading = allocation_counter::measure(|| {
                region = Some(read_region(&tp(), bytes, 0, 99, Vec::new(), options, &mut { usize::MAX }));
            });
            let region = region.unwrap();
            let mut next = 0;
            let walking = allocation_counter::measure(|| {
                for record in region.records.records() {
                    let offset = record.map_or(-1, |record| record.offset);
                    next = if offset == next { offset + 1 } else { i64::MIN };
                }
            });
            assert_eq!((next, walking.count_total), (4 * count, 0));
            reading.count_total
        });
        assert_eq!(allocations[0], allocations[1], "of few records and of many");
    }
}
