use super::*;
use crate::Failures;
use proptest::prelude::*;

fn text_batch(values: &[&str]) -> RecordBatch {
    let mut batch = RecordBatch::new();
    let topic = batch.topic("t");
    for value in values {
        batch.record(topic).value(Some(Schema::string()), *value).finish().unwrap();
    }
    batch
}

fn values(batch: &RecordBatch) -> Vec<Value> {
    batch.iter().map(|r| r.value().to_owned()).collect()
}

#[test]
fn slices_of_adopted_buffers_are_not_copied() {
    let mut batch = RecordBatch::new();
    let topic = batch.topic("t");
    let first = format!("héllo {}", "x".repeat(40));
    let text = Text::from(format!("{first}\nworld\n"));
    let address = text.as_bytes().as_ptr();
    let slab = batch.adopt_text(text).unwrap();
    batch
        .record(topic)
        .value(Some(Schema::string()), Datum::StrSlice(slab, 0..first.len()))
        .finish()
        .unwrap();
    let record = batch.get(0).unwrap();
    let ValueRef::String(value) = record.value() else { panic!() };
    assert_eq!(value.as_str(), first);
    assert_eq!(value.as_bytes().as_ptr(), address);
    let Value::String(owned) = record.value_owned(Column::Value) else { panic!() };
    assert_eq!(owned.as_bytes().as_ptr(), address);
}

#[test]
fn bad_slices_are_refused_and_add_nothing() {
    let mut batch = RecordBatch::new();
    let topic = batch.topic("t");
    let slab = batch.adopt_text(Text::from("é")).unwrap();
    let raw = batch.adopt(Bytes::from_static(b"\xff")).unwrap();
    #[expect(clippy::reversed_empty_ranges, reason = "that is the point")]
    for datum in [
        Datum::StrSlice(slab, 0..1),
        Datum::StrSlice(slab, 0..3),
        Datum::StrSlice(slab, 2..1),
        Datum::StrSlice(raw, 0..1),
    ] {
        assert!(batch.record(topic).value(None, datum).finish().is_err());
    }
    assert!(batch.is_empty());
}

#[test]
fn dropped_records_keep_the_ordinals_of_the_others() {
    let mut batch = text_batch(&["a", "b", "c"]);
    batch.drop_record(1);
    batch.drop_record(1);
    assert_eq!(batch.dropped(), 1);
    assert!(batch.get(1).is_none());
    batch.compact();
    let ordinals: Vec<_> = batch.iter().map(|r| r.ordinal()).collect();
    assert_eq!(ordinals, [0, 2]);
    assert_eq!(batch.ordinals(), 3);
}

#[test]
fn a_failed_record_leaves_no_bytes_behind() {
    let mut batch = text_batch(&["a", "bad", "c"]);
    let mut failures = Failures::new();
    batch.serialize_column(Column::Value, &mut failures, |_, _, value, out| {
        out.extend_from_slice(value.as_str().unwrap().as_bytes());
        out.push(b'!');
        if value.as_str() == Some("bad") {
            Err(ConnectError::bad_record("no"))
        } else {
            Ok(Serialized::Written)
        }
    });
    let failed = failures.take();
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0].0, 1);
    assert_eq!(batch.get(0).unwrap().value(), ValueRef::Bytes(b"a!"));
    assert_eq!(batch.get(1).unwrap().value().as_str(), Some("bad"));
    assert_eq!(batch.get(2).unwrap().value(), ValueRef::Bytes(b"c!"));
}

#[test]
fn fetched_records_are_slices_and_foreign_bytes_are_refused() {
    let mut batch = RecordBatch::new();
    let topic = batch.topic("t");
    let region = Bytes::from_static(b"keyvalue");
    let slab = batch.adopt(region.clone()).unwrap();
    let mut record = FetchedRecord {
        topic,
        partition: 3,
        offset: 42,
        timestamp: 7,
        timestamp_type: TimestampType::LogAppendTime,
        slab,
        key: Some(&region[..3]),
        value: Some(&region[3..]),
    };
    batch.push_fetched(record).unwrap();
    batch.push_fetched_header("h", Some(b"1")).unwrap();
    batch.push_fetched_header("h", None).unwrap();
    record.value = Some(b"elsewhere, and long enough to be outside");
    assert!(batch.push_fetched(record).is_err());
    let read = batch.get(0).unwrap();
    assert_eq!((read.key(), read.value()), (ValueRef::Bytes(b"key"), ValueRef::Bytes(b"value")));
    assert_eq!((read.origin_topic(), read.origin_partition(), read.offset()), ("t", 3, 42));
    let headers: Vec<_> = read.headers().map(|h| (h.name.as_str(), h.value)).collect();
    assert_eq!(headers, [("h", ValueRef::Bytes(b"1")), ("h", ValueRef::Null)]);
}

#[test]
fn a_transform_moves_an_owned_value_and_sets_it_back() {
    let mut batch = text_batch(&["a"]);
    let mut record = batch.record_mut(0).unwrap();
    let (schema, value) = record.take(Column::Value);
    assert_eq!(value, Value::string("a"));
    assert!(record.as_ref().value().is_null());
    record.set(Column::Value, schema.as_ref(), Value::Array(vec![value].into())).unwrap();
    record.set_topic("u");
    record.set_headers(vec![(Text::from("h"), None, Value::Int32(1))]).unwrap();
    let record = batch.get(0).unwrap();
    assert_eq!((record.topic(), record.origin_topic()), ("u", "t"));
    assert_eq!(record.value(), ValueRef::Array(&[Value::string("a")]));
    assert_eq!(record.headers().next().unwrap().value, ValueRef::Int32(1));
}

proptest! {
    #[test]
    fn whatever_is_pushed_is_read_back(input in prop::collection::vec(".{0,40}", 0..50), big in 0usize..3) {
        let mut input = input;
        for _ in 0..big { input.push("x".repeat(TAIL_BYTES - 3)); }
        let refs: Vec<&str> = input.iter().map(String::as_str).collect();
        let mut batch = text_batch(&refs);
        let expected: Vec<Value> = refs.iter().map(|s| Value::string(s)).collect();
        prop_assert_eq!(values(&batch), expected);
        let mut failures = Failures::new();
        batch.serialize_column(Column::Value, &mut failures, |_, _, _, _| Ok(Serialized::Same));
        prop_assert_eq!(batch.reinterpret_column(Column::Value, Schema::string(), true), Vec::<usize>::new());
        prop_assert_eq!(values(&batch).len(), refs.len());
        for (record, text) in batch.iter().zip(&refs) { prop_assert_eq!(record.value().as_str(), Some(*text)); }
    }
}

#[test]
fn a_record_is_worked_on_alone() {
    let mut batch = RecordBatch::new();
    let topic = batch.topic("t");
    for value in ["a", "b", "c"] {
        batch.record(topic).value(Some(Schema::string()), value).finish().unwrap();
    }
    batch.drop_record(0);
    let seen = batch.isolate(1, |batch| {
        let seen: Vec<usize> = batch.iter_indexed().map(|(index, _)| index).collect();
        batch.drop_record(1);
        seen
    });
    assert_eq!(seen, [1]);
    assert_eq!(batch.iter_indexed().map(|(index, _)| index).collect::<Vec<_>>(), [2]);
    assert_eq!(batch.dropped(), 2);
}
