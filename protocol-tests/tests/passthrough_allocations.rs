//! On the pass-through paths a record costs no heap allocation: what a batch of lines takes on its way
//! from a source task to the converters' bytes, and from a fetch to a sink task, is counted, and must
//! not grow with the number of records.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use bytes::Bytes;
use crossdock_api::batch::{FetchedRecord, TimestampType};
use crossdock_api::{
    Column, Converter, Datum, Failures, Map, RecordBatch, Schema, SourceBatch, SourceOffset, Text, Value,
    ValueRef,
};
use crossdock_converters::{ByteArrayConverter, StringConverter};
use crossdock_wire::{BatchBuilder, Batches, ProducerStamp, Records};

const LINE: &str = "a line of some length that stays where it was read\n";

/// What is left for a batch as a whole: its slabs, tables and the growth of what is not reused.
const PER_BATCH: u64 = 24;

fn fill(batch: &mut SourceBatch, block: &Text, partition: &Map, lines: usize) {
    let topic = batch.topic("t");
    let partition = batch.partition(partition);
    let field = batch.offset_field("position");
    let slab = batch.records_mut().adopt_text(block.clone()).unwrap();
    for line in 0..lines {
        let at = line * LINE.len();
        let offset = SourceOffset::Long { field, value: (at + LINE.len()) as i64 };
        let text = Datum::StrSlice(slab, at..at + LINE.len() - 1);
        batch.record(topic, partition, offset).value(Some(Schema::string()), text).finish().unwrap();
    }
}

fn source_allocations(lines: usize) -> u64 {
    let block = Text::from(LINE.repeat(lines));
    let partition: Map = [("filename", Value::string("f"))].into_iter().collect();
    let converter = StringConverter::default();
    let mut batch = SourceBatch::new();
    // The first round makes the rows' memory, which the next ones use again.
    fill(&mut batch, &block, &partition, lines);
    batch.reset(1);
    let mut total = 0;
    let counted = allocation_counter::measure(|| {
        fill(&mut batch, &block, &partition, lines);
        let mut failures = Failures::new();
        converter.serialize_batch(batch.records_mut(), Column::Key, &mut failures);
        converter.serialize_batch(batch.records_mut(), Column::Value, &mut failures);
        assert!(failures.is_empty());
        for record in batch.records().iter() {
            let ValueRef::Bytes(value) = record.value() else { panic!("not converted") };
            total += value.len();
        }
    });
    assert_eq!(total, lines * (LINE.len() - 1));
    counted.count_total
}

fn sink_allocations(records: usize, value: &dyn Converter) -> u64 {
    let mut builder = BatchBuilder::with_capacity(records * 80);
    for _ in 0..records {
        assert!(builder.append(1, Some(b"key"), Some(LINE.as_bytes()), std::iter::empty()));
    }
    let fetched = Batches::new(builder.finish(ProducerStamp::NONE, false)).next().unwrap().unwrap();
    let key = StringConverter::default();
    let mut batch = RecordBatch::new();
    let mut total = 0;
    let mut round = || {
        batch.clear();
        let topic = batch.topic("t");
        let bytes: Bytes = fetched.records_bytes().unwrap();
        let slab = batch.adopt(bytes.clone()).unwrap();
        for record in Records::new(fetched.header(), &bytes) {
            let record = record.unwrap();
            let fetched = FetchedRecord {
                topic,
                partition: 0,
                offset: record.offset,
                timestamp: record.timestamp,
                timestamp_type: TimestampType::CreateTime,
                slab,
                key: record.key,
                value: record.value,
            };
            batch.push_fetched(fetched).unwrap();
        }
        let mut failures = Failures::new();
        key.parse_batch(&mut batch, Column::Key, &mut failures);
        value.parse_batch(&mut batch, Column::Value, &mut failures);
        assert!(failures.is_empty());
        for record in batch.iter() {
            total += match record.value() {
                ValueRef::String(text) => text.as_bytes().len(),
                ValueRef::Bytes(bytes) => bytes.len(),
                _ => panic!("not converted"),
            };
        }
    };
    round();
    let counted = allocation_counter::measure(round);
    assert_eq!(total, 2 * records * LINE.len());
    counted.count_total
}

#[test]
fn lines_on_their_way_into_kafka() {
    for lines in [10, 10_000, 100_000] {
        let counted = source_allocations(lines);
        assert!(counted <= PER_BATCH, "{counted} allocations for {lines} lines");
    }
}

#[test]
fn records_on_their_way_out_of_kafka() {
    for records in [10, 10_000, 100_000] {
        for (name, converter) in
            [("String", &StringConverter::default() as &dyn Converter), ("ByteArray", &ByteArrayConverter)]
        {
            let counted = sink_allocations(records, converter);
            assert!(counted <= PER_BATCH, "{name}: {counted} allocations for {records} records");
        }
    }
}
