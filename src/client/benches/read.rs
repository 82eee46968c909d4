//! `cargo bench -p crossdock-client --features unstable-fuzzing`: a Fetch response, checked and decoded, and the
//! partition of a key.
#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark")]

use bytes::{Bytes, BytesMut};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use crossdock_client::fuzzing;
use crossdock_client::producer::partitioner::{murmur2, partition_for_key};
use kafka_protocol::messages::FetchResponse;
use kafka_protocol::messages::fetch_response::{FetchableTopicResponse, PartitionData};
use kafka_protocol::protocol::Encodable;
use std::hint::black_box;

const VERSION: i16 = 13;

/// 10 topics with 50 partitions of 64 KB each; tagged fields of the header first.
fn response() -> Bytes {
    let records = Bytes::from(vec![0; 64 << 10]);
    let partition = |at| {
        PartitionData::default()
            .with_partition_index(at)
            .with_high_watermark(1_000)
            .with_records(Some(records.clone()))
    };
    let topic = || FetchableTopicResponse::default().with_partitions((0..50).map(partition).collect());
    let response = FetchResponse::default().with_responses((0..10).map(|_| topic()).collect());
    let mut body = BytesMut::from(&[0][..]);
    response.encode(&mut body, VERSION).unwrap();
    body.freeze()
}

fn fetch(c: &mut Criterion) {
    let body = response();
    let mut group = c.benchmark_group("fetch response");
    group.throughput(Throughput::Elements(500));
    group.bench_function("500 partitions", |b| {
        b.iter(|| fuzzing::decode_fetch_response(black_box(body.clone()), VERSION).unwrap());
    });
    group.finish();
}

fn partitioner(c: &mut Criterion) {
    for len in [8usize, 36, 1_024] {
        let key = vec![b'k'; len];
        let mut group = c.benchmark_group("murmur2");
        group.throughput(Throughput::Bytes(len as u64));
        group.bench_function(format!("{len} B"), |b| b.iter(|| murmur2(black_box(&key))));
        group.finish();
    }
    c.bench_function("partition_for_key 36 B", |b| {
        b.iter(|| partition_for_key(black_box(&[b'k'; 36]), black_box(12)));
    });
}

criterion_group!(benches, fetch, partitioner);
criterion_main!(benches);
