//! Batches for the tests of converters.

use crossdock_api::batch::{FetchedRecord, TimestampType};
use crossdock_api::{Bytes, Column, RecordBatch, Schema, Value};
use std::sync::Arc;

/// A batch as the runtime fetches it, with these values.
pub(crate) fn fetched(values: &[Option<&[u8]>]) -> RecordBatch {
    let mut batch = RecordBatch::new();
    let topic = batch.topic("t");
    let whole: Bytes = values.iter().flatten().copied().collect::<Vec<_>>().concat().into();
    let slab = batch.adopt(whole.clone()).unwrap();
    let mut start = 0;
    for value in values {
        let value = value.map(|v| {
            let part = &whole[start..start + v.len()];
            start += v.len();
            part
        });
        let record = FetchedRecord {
            topic,
            partition: 0,
            offset: 0,
            timestamp: 0,
            timestamp_type: TimestampType::CreateTime,
            slab,
            key: None,
            value,
        };
        batch.push_fetched(record).unwrap();
    }
    batch
}

/// A batch of one record with this value.
pub(crate) fn single(schema: Option<&Arc<Schema>>, value: Value) -> RecordBatch {
    let mut batch = RecordBatch::new();
    let topic = batch.topic("t");
    batch.record(topic).value(schema, value).finish().unwrap();
    batch
}

/// The values of a batch.
pub(crate) fn values(batch: &RecordBatch) -> Vec<Value> {
    batch.iter().map(|r| r.value_owned(Column::Value)).collect()
}
