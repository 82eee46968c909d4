//! `TimestampConverter`: nulls, and times that do not fit.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use crossdock_api::registry::{Factory, PluginKind};
use crossdock_api::{
    Column, ConfigMap, ConnectError, Failures, Map, Plugins, RecordBatch, Schema, SchemaType, Struct, Value,
};
use std::sync::Arc;

const CLASS: &str = "org.apache.kafka.connect.transforms.TimestampConverter$Value";

/// Converts one value; its schema and value, or the error.
fn convert(
    config: &[(&str, &str)],
    schema: Option<&Arc<Schema>>,
    value: Value,
) -> Result<(Option<Arc<Schema>>, Value), ConnectError> {
    let mut plugins = Plugins::new();
    crossdock_transforms::register(&mut plugins);
    let plugin = plugins.of_kind(PluginKind::Transform, CLASS).unwrap();
    let Factory::Transform(make) = plugin.factory() else { panic!("it is a transform") };
    let mut transform = make();
    let config: ConfigMap = config.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
    transform.configure(&config).unwrap();
    let mut batch = RecordBatch::new();
    let topic = batch.topic("t");
    batch.record(topic).value(schema, value).finish().unwrap();
    let mut failures = Failures::new();
    transform.apply(&mut batch, &[], &mut failures);
    match failures.take().pop() {
        Some((_, error)) => Err(error),
        None => {
            let record = batch.get(0).unwrap();
            Ok((record.value_schema().cloned(), record.value_owned(Column::Value)))
        }
    }
}

/// Nulls ended in a `NullPointerException` once.
#[test]
fn kafka_7157_nulls_stay_null() {
    let config = [("target.type", "Timestamp"), ("format", "yyyy-MM-dd")];
    let optional = Schema::optional_string();
    let (schema, value) = convert(&config, Some(optional), Value::Null).unwrap();
    assert!(value.is_null() && schema.is_some_and(|schema| schema.is_optional()));
    assert_eq!(convert(&config, None, Value::Null).unwrap(), (None, Value::Null));

    let config = [config[0], config[1], ("field", "at")];
    let row = Arc::new(Schema::new(SchemaType::Struct).field("at", optional.clone()));
    let (_, value) =
        convert(&config, Some(&row), Value::Struct(Box::new(Struct::new(row.clone()).unwrap()))).unwrap();
    assert!(matches!(value, Value::Struct(row) if row.values() == [Value::Null]));
    let map: Map = [("at", Value::Null)].into_iter().collect();
    assert_eq!(convert(&config, None, Value::Map(map.clone())).unwrap(), (None, Value::Map(map)));
}

#[test]
fn a_time_that_does_not_fit_is_an_error_and_as_in_connect_only_if_asked_for() {
    let config = [("target.type", "unix"), ("unix.precision", "nanoseconds")];
    let year_2500 = Value::Timestamp(16_725_225_600_000);
    let error = convert(&config, None, year_2500.clone()).unwrap_err();
    assert!(error.message().contains("unix.precision"), "{error}");
    let strict = [config[0], config[1], ("crossdock.compatibility", "strict")];
    assert_eq!(convert(&strict, None, year_2500).unwrap().1, Value::Int64(i64::MAX));
}
