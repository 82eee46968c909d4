use super::*;
use crate::{BatchBuilder, Batches, ProducerStamp, WireError};
use proptest::prelude::*;

const ALL: [Codec; 4] = [Codec::GZIP, Codec::SNAPPY, Codec::LZ4, Codec::ZSTD];

fn compressed(codec: Codec, input: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    compress(codec, input, &mut out).unwrap();
    out
}

fn decompressed(codec: Codec, input: &[u8], limit: usize) -> Result<Vec<u8>, CompressionError> {
    let mut out = b"before".to_vec();
    let outcome = decompress(codec.compression(), input, limit, &mut out);
    assert!(out.starts_with(b"before"));
    if outcome.is_err() {
        assert_eq!(out.len(), 6, "what was appended is taken back");
    }
    outcome.map(|()| out.split_off(6))
}

/// Bytes that compress more or less, some longer than the blocks of snappy and lz4.
fn content() -> impl Strategy<Value = Vec<u8>> {
    let piece = (prop::collection::vec(any::<u8>(), 0..40), 1usize..1500, any::<bool>());
    prop::collection::vec(piece, 0..6).prop_map(|pieces| {
        let mut out = Vec::new();
        let mut noise = 1u32;
        for (bytes, times, noisy) in pieces {
            for _ in 0..times {
                noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                out.extend_from_slice(&bytes);
                if noisy {
                    out.extend_from_slice(&noise.to_be_bytes());
                }
            }
        }
        out
    })
}

fn codec() -> impl Strategy<Value = Codec> {
    (0usize..4, prop_oneof![Just(None), (1..=9i32).prop_map(Some)])
        .prop_map(|(at, level)| level.map_or(ALL[at], |level| ALL[at].with_level(level)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_compressed_comes_back(codec in codec(), content in content()) {
        let bytes = compressed(codec, &content);
        prop_assert_eq!(&decompressed(codec, &bytes, usize::MAX).unwrap(), &content);
        prop_assert_eq!(&decompressed(codec, &bytes, content.len()).unwrap(), &content);
        if !content.is_empty() {
            let less = decompressed(codec, &bytes, content.len() - 1);
            let too_large = matches!(less, Err(CompressionError::TooLarge { .. }));
            prop_assert!(too_large, "{:?}", less);
        }
    }

    #[test]
    fn damage_is_an_error_or_other_bytes(
        codec in codec(), content in content(), cut in any::<prop::sample::Index>(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let limit = 1 << 20;
        let mut bytes = compressed(codec, &content);
        if let Ok(out) = decompressed(codec, &bytes[..cut.index(bytes.len())], limit) {
            prop_assert!(out.len() <= content.len());
        }
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(out) = decompressed(codec, &bytes, limit) {
            prop_assert!(out.len() <= limit);
        }
    }

    #[test]
    fn noise_is_no_panic(codec in codec(), magic in any::<bool>(), noise in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut bytes = if magic { compressed(codec, b"")} else { Vec::new() };
        bytes.truncate(16);
        bytes.extend_from_slice(&noise);
        let _ = decompressed(codec, &bytes, 1 << 16);
    }
}

#[test]
fn levels_matter_and_are_bounded() {
    let words =
        ["offset", "broker", "topic", "in", "a", "partition", "leader", "of", "the", "record", "batch"];
    let mut random = 1u64;
    let mut content = Vec::new();
    while content.len() < 200_000 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        content.extend_from_slice(words[(random >> 33) as usize % words.len()].as_bytes());
        content.push(b' ');
    }
    for codec in [Codec::GZIP, Codec::ZSTD] {
        let fast = compressed(codec.with_level(1), &content);
        let small = compressed(codec.with_level(i32::MAX), &content);
        assert!(small.len() < fast.len(), "{:?}: {} and {}", codec, small.len(), fast.len());
        for bytes in [fast, small] {
            assert_eq!(decompressed(codec, &bytes, usize::MAX).unwrap(), content);
        }
    }
    assert_eq!(Codec::ZSTD.with_level(i32::MIN), Codec::ZSTD.with_level(-131_072));
    assert_eq!(Codec::SNAPPY.with_level(5), Codec::SNAPPY);
}

#[test]
fn a_bomb_stops_at_the_limit() {
    let zeros = vec![0; 8 << 20];
    for codec in ALL {
        let bytes = compressed(codec, &zeros);
        let mut out = Vec::new();
        let outcome = decompress(codec.compression(), &bytes, 1 << 20, &mut out);
        assert!(matches!(outcome, Err(CompressionError::TooLarge { limit: 0x10_0000, .. })), "{codec:?}");
        assert!(out.capacity() <= 3 << 20, "{codec:?} reserved {}", out.capacity());
    }
}

#[test]
fn false_lengths_reserve_nothing() {
    // Frames of a few bytes that claim a gigabyte, with a window of 128 MB, blocks of 4 MB and the like.
    let zstd = [&[0x28, 0xb5, 0x2f, 0xfd, 0xa0, 0, 0, 0, 0x40][..], &[0x01, 0, 0]].concat();
    let window = [&[0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x88][..], &[0x01, 0, 0]].concat();
    let snappy = [0x80, 0x80, 0x80, 0x80, 0x04, 0, b'x'].to_vec();
    let lz4 = {
        let mut frame = compressed(Codec::LZ4, b"");
        frame.truncate(4);
        let descriptor = [0x68, 0x70, 0, 0, 0, 0x40, 0, 0, 0, 0];
        frame.extend_from_slice(&descriptor);
        frame.push((twox_hash::XxHash32::oneshot(0, &descriptor) >> 8) as u8);
        frame.extend_from_slice(&[2, 0, 0, 0, 0x10, b'x', 0, 0, 0, 0]);
        frame
    };
    for (codec, bytes) in
        [(Codec::ZSTD, zstd), (Codec::ZSTD, window), (Codec::SNAPPY, snappy), (Codec::LZ4, lz4)]
    {
        let mut out = Vec::new();
        let _ = decompress(codec.compression(), &bytes, DEFAULT_LIMIT, &mut out);
        assert!(out.capacity() < 1 << 16, "{codec:?} reserved {}", out.capacity());
    }
}

#[test]
fn several_streams_in_a_row_are_one() {
    for codec in ALL {
        let bytes = [compressed(codec, b"one "), compressed(codec, b""), compressed(codec, b"two")].concat();
        assert_eq!(decompressed(codec, &bytes, 100).unwrap(), b"one two", "{codec:?}");
    }
}

#[test]
fn what_follows_gzip_and_lz4_is_ignored_as_in_java() {
    for codec in [Codec::GZIP, Codec::LZ4] {
        let bytes = [&compressed(codec, b"one")[..], b"garbage"].concat();
        assert_eq!(decompressed(codec, &bytes, 100).unwrap(), b"one", "{codec:?}");
    }
}

#[test]
fn raw_snappy_and_blocks_of_any_size_are_read() {
    let content = vec![b'a'; 200_000];
    let raw = |bytes: &[u8]| snap::raw::Encoder::new().compress_vec(bytes).unwrap();
    assert_eq!(decompressed(Codec::SNAPPY, &raw(&content), usize::MAX).unwrap(), content);
    let mut framed = compressed(Codec::SNAPPY, b"");
    for block in [&content[..100_000], &[], &content[..1], &content[100_001..]] {
        let block = raw(block);
        framed.extend_from_slice(&(block.len() as u32).to_be_bytes());
        framed.extend_from_slice(&block);
    }
    assert_eq!(decompressed(Codec::SNAPPY, &framed, usize::MAX).unwrap(), content);
}

#[test]
fn lz4_frames_of_others_are_read() {
    use lz4_flex::block::{compress as block, compress_with_dict};
    let (first, second) = (b"abcdefgh".repeat(50), b"abcdefgh".repeat(60));
    let frame = |descriptor: &[u8], rest: &[&[u8]]| {
        let head = (twox_hash::XxHash32::oneshot(0, descriptor) >> 8) as u8;
        [&0x184d_2204u32.to_le_bytes()[..], descriptor, &[head], &rest.concat()].concat()
    };
    let len = |b: &[u8]| (b.len() as u32).to_le_bytes();
    let hash = |b: &[u8]| twox_hash::XxHash32::oneshot(0, b).to_le_bytes();
    let whole = [&first[..], &second].concat();
    // Linked blocks of up to 1 MB with the content's size; then independent ones with all checksums.
    let (a, b) = (block(&first), compress_with_dict(&second, &first));
    let linked = frame(&[0x48, 0x60, 1, 2, 3, 4, 5, 6, 7, 8], &[&len(&a), &a, &len(&b), &b, &[0; 4]]);
    assert_eq!(decompressed(Codec::LZ4, &linked, usize::MAX).unwrap(), whole);
    let b = block(&second);
    let rest = [&len(&a)[..], &a, &hash(&a), &len(&b), &b, &hash(&b), &[0; 4], &hash(&whole)];
    let checked = frame(&[0x74, 0x70], &rest);
    assert_eq!(decompressed(Codec::LZ4, &checked, usize::MAX).unwrap(), whole);
    for at in [7 + 4 + 5, checked.len() - 1] {
        let mut damaged = checked.clone();
        damaged[at] ^= 1;
        let error = decompressed(Codec::LZ4, &damaged, usize::MAX).unwrap_err();
        assert!(matches!(error, CompressionError::Corrupt { .. }), "{error}");
    }
}

#[test]
fn gzip_heads_of_others_are_read() {
    let plain = compressed(Codec::GZIP, b"content");
    let mut full = plain[..10].to_vec();
    full[3] = 0x1e;
    full.extend_from_slice(b"\x02\x00xx name\0comment\0");
    let head = (crc32fast::hash(&full) as u16).to_le_bytes();
    full.extend_from_slice(&head);
    full.extend_from_slice(&plain[10..]);
    assert_eq!(decompressed(Codec::GZIP, &full, 100).unwrap(), b"content");
    let end = full.len();
    for (at, what) in [(end - 1, "checksum"), (end - 8, "checksum"), (2, "begin"), (15, "of its head")] {
        let mut damaged = full.clone();
        damaged[at] ^= 0x40;
        let error = decompressed(Codec::GZIP, &damaged, 100).unwrap_err().to_string();
        assert!(error.contains(what), "{error}");
    }
}

#[test]
fn reserved_flags_of_gzip_are_not_looked_at_as_in_java() {
    let mut bytes = compressed(Codec::GZIP, b"content");
    bytes[3] = 0xe0;
    assert_eq!(decompressed(Codec::GZIP, &bytes, 100).unwrap(), b"content");
    // Nor is what only begins as another stream does.
    bytes.extend_from_slice(&[0x1f, 0x8b, 7, 0, 0]);
    assert_eq!(decompressed(Codec::GZIP, &bytes, 100).unwrap(), b"content");
}

/// A batch of compressible records.
fn batch(codec: Codec, records: usize) -> bytes::Bytes {
    let mut builder = BatchBuilder::with_capacity(0);
    for n in 0..records {
        let headers = [("name", Some(&b"value"[..]))];
        let value = format!("the value of record {n}");
        assert!(builder.append(n as i64, Some(b"key"), Some(value.as_bytes()), headers.into_iter()));
    }
    let closed = builder.close(codec);
    let len = closed.len();
    let bytes = closed.finish(ProducerStamp { producer_id: 3, producer_epoch: 1, base_sequence: 7 }, true);
    assert_eq!(bytes.len(), len);
    bytes
}

#[test]
fn a_compressed_batch_is_read_once_it_is_decompressed() {
    for codec in ALL {
        let arrived = Batches::new(batch(codec, 500)).next().unwrap().unwrap();
        arrived.check_crc().unwrap();
        assert_eq!(arrived.header().compression(), codec.compression());
        assert!(arrived.header().is_transactional());
        assert!(matches!(arrived.records(), Err(WireError::StillCompressed { base_offset: 0, .. })));
        let readable = arrived.decompressed(DEFAULT_LIMIT).unwrap();
        readable.check_crc().unwrap();
        let plain = Batches::new(batch(Codec::NONE, 500)).next().unwrap().unwrap();
        assert_eq!(readable.records_bytes().unwrap(), plain.records_bytes().unwrap());
        assert_eq!(readable.records().unwrap().map(Result::unwrap).count(), 500);
        let mut header = *readable.header();
        header.crc = plain.header().crc;
        assert_eq!(header, *plain.header());
        assert_eq!(readable.bytes().len(), plain.bytes().len());
        let error = arrived.decompressed(1000).unwrap_err().to_string();
        assert_eq!(
            error,
            format!(
                "record batch at offset 0 cannot be read: it is compressed with {} and decompresses to more than the \
                 limit of 1000 bytes",
                codec.compression()
            )
        );
    }
}

#[test]
fn records_that_do_not_shrink_stay_as_they_are() {
    let closed = |value: &[u8]| {
        let mut builder = BatchBuilder::with_capacity(0);
        assert!(builder.append(0, None, Some(value), std::iter::empty()));
        builder.close(Codec::GZIP).compression()
    };
    assert_eq!(closed(b"x"), Compression::None);
    assert_eq!(closed(&[b'x'; 1000]), Compression::Gzip);
    assert_eq!(BatchBuilder::with_capacity(0).close(Codec::ZSTD).compression(), Compression::None);
}

#[test]
fn numbers_and_names_are_kafkas() {
    for (number, name) in [(0, "none"), (1, "gzip"), (2, "snappy"), (3, "lz4"), (4, "zstd"), (7, "codec 7")] {
        let codec = Compression::from_number(number);
        assert_eq!((codec.number(), codec.to_string().as_str()), (number, name));
    }
    let mut bytes = batch(Codec::ZSTD, 50).to_vec();
    bytes[22] |= 0x03;
    crate::header::seal(&mut bytes).unwrap();
    let unknown = Batches::new(bytes.into()).next().unwrap().unwrap();
    let error = unknown.decompressed(DEFAULT_LIMIT).unwrap_err().to_string();
    assert!(error.contains("codec 7, which does not exist"), "{error}");
}
