//! Reading the records of a fetch allocates nothing, however many records there are.

#![allow(clippy::unwrap_used, reason = "a failed set-up ends the test")]

use bytes::Bytes;
use crossdock_client::FetchedRecords;
use crossdock_wire::{BatchBuilder, Batches, ProducerStamp};

#[test]
fn reading_records_allocates_nothing() {
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
    let region: Bytes = builder.finish(ProducerStamp::NONE, false);
    let fetched = FetchedRecords {
        leader_epoch: -1,
        topic: "t".into(),
        partition: 0,
        batches: Batches::new(region).map(Result::unwrap).collect(),
        start_offset: 10,
        next_offset: 5_000,
        high_watermark: 5_000,
    };
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
