//! Records of golden vectors: as a batch of one, and compared with one.

use super::{same, schema, value};
use crossdock_api::batch::{FetchedRecord, TimestampType};
use crossdock_api::{Bytes, Column, RecordBatch, RecordRef, Schema, Text, Value};
use serde_json::Value as Json;
use std::sync::Arc;

/// A key, value or header value with its schema.
type Datum = (Option<Arc<Schema>>, Value);

fn datum(json: &Json, schema_member: &str, value_member: &str) -> Datum {
    let schema = schema(&json[schema_member]);
    let value = value(&json[value_member], schema.as_ref());
    (schema, value)
}

fn headers(json: &Json) -> Vec<(Text, Datum)> {
    let headers = json["headers"].as_array().into_iter().flatten();
    headers.map(|h| (Text::from(h["key"].as_str().expect("a key")), datum(h, "schema", "value"))).collect()
}

fn long(json: &Json) -> Option<i64> {
    json.as_str().map(|text| text.parse().expect("a number as text"))
}

fn partition(json: &Json) -> Option<i32> {
    json["partition"].as_i64().map(|p| i32::try_from(p).expect("a partition"))
}

/// A batch of the one record that `json` describes. A record without a topic gets an empty one.
pub fn batch_of(json: &Json) -> RecordBatch {
    let mut batch = RecordBatch::new();
    let topic = batch.topic(json["topic"].as_str().unwrap_or_default());
    let index = if json["kind"] == "sink" {
        let slab = batch.adopt(Bytes::new()).expect("a slab");
        let timestamp_type = match json["timestamp_type"].as_str() {
            Some("LogAppendTime") => TimestampType::LogAppendTime,
            _ => TimestampType::CreateTime,
        };
        let fetched = FetchedRecord {
            topic,
            partition: partition(json).unwrap_or_default(),
            offset: long(&json["offset"]).unwrap_or_default(),
            timestamp: 0,
            timestamp_type,
            slab,
            key: None,
            value: None,
        };
        batch.push_fetched(fetched)
    } else {
        batch.record(topic).finish()
    };
    let mut record = batch.record_mut(index.expect("a record")).expect("the record");
    record.set_partition(partition(json));
    record.set_timestamp(long(&json["timestamp"]));
    for (column, schema, value) in
        [(Column::Key, "key_schema", "key"), (Column::Value, "value_schema", "value")]
    {
        let (schema, value) = datum(json, schema, value);
        record.set(column, schema.as_ref(), value).expect("a value");
    }
    let headers = headers(json).into_iter().map(|(name, (schema, value))| (name, schema, value)).collect();
    record.set_headers(headers).expect("headers");
    batch
}

/// In what a record is not the one that `json` describes.
pub fn difference(json: &Json, record: RecordRef<'_>) -> Option<String> {
    let mut differences = Vec::new();
    let mut check = |what: &str, is_same: bool, ours: &dyn std::fmt::Debug| {
        if !is_same {
            differences.push(format!("{what} is {ours:?}"));
        }
    };
    check("topic", json["topic"].as_str().unwrap_or_default() == record.topic(), &record.topic());
    check("partition", partition(json) == record.partition(), &record.partition());
    check("timestamp", long(&json["timestamp"]) == record.timestamp(), &record.timestamp());
    for (column, schema, value) in
        [(Column::Key, "key_schema", "key"), (Column::Value, "value_schema", "value")]
    {
        let expected = datum(json, schema, value);
        let ours = (record.schema(column).cloned(), record.value_owned(column));
        check(value, is_same(&expected, &ours), &ours);
    }
    let ours: Vec<(Text, Datum)> = record
        .headers()
        .map(|h| (Text::from(h.name.as_str()), (h.schema.cloned(), h.value.to_owned())))
        .collect();
    let expected = headers(json);
    let same_headers = expected.len() == ours.len()
        && expected.iter().zip(&ours).all(|(a, b)| a.0 == b.0 && is_same(&a.1, &b.1));
    check("headers", same_headers, &ours);
    (!differences.is_empty()).then(|| differences.join("; "))
}

fn is_same(expected: &Datum, ours: &Datum) -> bool {
    expected.0 == ours.0 && same(&expected.1, &ours.1)
}
