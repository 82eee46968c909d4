//! Reading the records of a fetch allocates nothing, however many records there are; decompressing allocates by
//! batch.

#![allow(clippy::unwrap_used, reason = "a failed set-up ends the test")]

use bytes::Bytes;
use crossdock_client::{FetchedRecords, TopicPartition};
use crossdock_wire::{BatchBuilder, Batches, Codec, ProducerStamp};

#[test]
fn reading_records_allocates_nothing() {
    for codec in [Codec::NONE, Codec::GZIP, Codec::SNAPPY, Codec::LZ4, Codec::ZSTD] {
        read(codec);
    }
}

fn read(codec: Codec) {
    let mut builder = BatchBuilder::with_capacity(1 << 20);
    for n in 0..5_000u32 {
        let headers = [("name", Some(&b"value"[..]))];
        assert!(builder.append(
            i64::from(n),
            Some(&n.to_be_bytes()),
            Some(&[b'x'; 100]),
            headers.into_iter()
        ));
    }
    let region: Bytes = builder.close(codec).finish(ProducerStamp::NONE, false);
    let arrived = Batches::new(region).next().unwrap().unwrap();
    assert_eq!(arrived.header().compression(), codec.compression());
    let decompress = || arrived.decompressed(1 << 20).unwrap();
    // The first one makes the codec's context.
    decompress();
    let mut batch = None;
    let allocations = allocation_counter::measure(|| batch = Some(decompress()));
    // The buffer, its growth, and its counter.
    assert!(allocations.count_total <= 4, "{codec:?}: {allocations:?}");
    let partition = TopicPartition::new("t", 0);
    let fetched = FetchedRecords::of(partition, batch.into_iter().collect(), 10, 5_000);
    let (mut records, mut bytes) = (0, 0);
    let allocations = allocation_counter::measure(|| {
        for record in fetched.records() {
            let record = record.unwrap();
            records += 1;
            bytes += record.key.map_or(0, <[u8]>::len) + record.value.map_or(0, <[u8]>::len);
            bytes += record.headers.map(|header| header.value.map_or(0, <[u8]>::len)).sum::<usize>();
        }
    });
    assert_eq!(allocations.count_total, 0);
    assert_eq!((records, bytes), (4_990, 4_990 * 109));
}
