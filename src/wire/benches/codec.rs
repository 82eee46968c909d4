//! `cargo bench -p crossdock-wire`: batches of 1,000 records, written, read, checked and compressed; and the check
//! of a message's shape.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "a benchmark")]

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use crossdock_wire::compression::{Codec, DEFAULT_LIMIT, compress, decompress};
use crossdock_wire::shape::{self, BLOB, Encoding, Field, INT16, INT32, INT64, TEXT, structs};
use crossdock_wire::{Batch, BatchBuilder, Batches, HEADER_LEN, ProducerStamp, header};
use std::hint::black_box;

const RECORDS: usize = 1_000;

/// What a record is like.
struct Kind {
    name: &'static str,
    value: usize,
    headers: &'static [(&'static str, Option<&'static [u8]>)],
}

const KINDS: [Kind; 3] = [
    Kind { name: "100 B", value: 100, headers: &[] },
    Kind { name: "1 KB", value: 1_024, headers: &[] },
    Kind {
        name: "100 B with 3 headers",
        value: 100,
        headers: &[("trace", Some(b"0123456789abcdef")), ("type", Some(b"order")), ("empty", None)],
    },
];

/// Text that compresses as log lines do: words by chance.
fn text(len: usize) -> Vec<u8> {
    let words = ["offset", "broker", "topic", "partition", "leader", "of", "the", "record", "in", "batch"];
    let mut state = 7u64;
    let mut out = Vec::with_capacity(len + 10);
    while out.len() < len {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        out.extend_from_slice(words[(state >> 33) as usize % words.len()].as_bytes());
        out.extend_from_slice((state >> 50).to_string().as_bytes());
    }
    out.truncate(len);
    out
}

fn values(kind: &Kind) -> Vec<Vec<u8>> {
    text(kind.value * RECORDS).chunks(kind.value).map(<[u8]>::to_vec).collect()
}

fn build(kind: &Kind, values: &[Vec<u8>]) -> Bytes {
    let mut builder = BatchBuilder::with_capacity((kind.value + 80) * RECORDS);
    for (at, value) in values.iter().enumerate() {
        assert!(builder.append(at as i64, Some(b"some-key"), Some(value), kind.headers.iter().copied()));
    }
    builder.finish(ProducerStamp::NONE, false)
}

fn batch(kind: &Kind) -> Batch {
    Batches::new(build(kind, &values(kind))).next().unwrap().unwrap()
}

fn batches(c: &mut Criterion) {
    for kind in KINDS {
        let mut group = c.benchmark_group(format!("batch of 1000 x {}", kind.name));
        let values = values(&kind);
        let batch = batch(&kind);
        group.throughput(Throughput::Bytes(batch.bytes().len() as u64));
        group.bench_function("build", |b| b.iter(|| build(&kind, black_box(&values))));
        group.bench_function("read", |b| {
            b.iter(|| {
                let records = batch.records().unwrap().map(Result::unwrap);
                records.map(|r| r.value.map_or(0, <[u8]>::len) + r.headers.count()).sum::<usize>()
            });
        });
        group.bench_function("crc", |b| b.iter(|| header::compute_crc(black_box(batch.bytes()))));
        group.finish();
    }
}

fn codecs(c: &mut Criterion) {
    let batch = batch(&KINDS[1]);
    let records = &batch.bytes()[HEADER_LEN..];
    let mut out = Vec::new();
    let codecs =
        [("gzip", Codec::GZIP), ("snappy", Codec::SNAPPY), ("lz4", Codec::LZ4), ("zstd", Codec::ZSTD)];
    for (name, codec) in codecs {
        let mut group = c.benchmark_group(format!("1 MB of records, {name}"));
        group.throughput(Throughput::Bytes(records.len() as u64));
        group.bench_function("compress", |b| {
            b.iter(|| {
                out.clear();
                compress(codec, black_box(records), &mut out).unwrap();
            });
        });
        out.clear();
        compress(codec, records, &mut out).unwrap();
        let compressed = out.clone();
        group.bench_function("decompress", |b| {
            b.iter(|| {
                out.clear();
                decompress(codec.compression(), black_box(&compressed), DEFAULT_LIMIT, &mut out).unwrap();
            });
        });
        group.finish();
    }
}

/// A message of 100 topics with 10 partitions of some bytes each.
fn shapes(c: &mut Criterion) {
    const PARTITION: &[Field] = &[INT32, INT16, INT64, BLOB];
    const LAYOUT: &[Field] = &[INT32, structs(&[TEXT, structs(PARTITION)])];
    let mut message = vec![0, 0, 0, 0, 0, 0, 0, 100];
    for _ in 0..100 {
        message.extend_from_slice(&[0, 5, b't', b'o', b'p', b'i', b'c', 0, 0, 0, 10]);
        for _ in 0..10 {
            message.extend_from_slice(&[0; 14]);
            message.extend_from_slice(&[0, 0, 0, 64]);
            message.extend_from_slice(&[0; 64]);
        }
    }
    let encoding = Encoding { version: 0, is_flexible: false };
    let mut group = c.benchmark_group("shape");
    group.throughput(Throughput::Elements(1_000));
    group.bench_function("1000 partitions", |b| {
        b.iter(|| shape::check_whole(LAYOUT, black_box(&message), encoding, 10_000).unwrap());
    });
    group.finish();
}

criterion_group!(benches, batches, codecs, shapes);
criterion_main!(benches);
