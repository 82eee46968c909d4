//! Nanoseconds a record of every transform: `name ns`, a line each. `benches/connect/transforms.sh` compares them
//! with Java's on the same records.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a benchmark fails by panicking")]

use crossdock_api::registry::{Factory, PluginKind};
use crossdock_api::{
    Failures, Map, Plugins, RecordBatch, Schema, SchemaType, Struct, Text, Transform, Value,
};
use std::sync::Arc;
use std::time::{Duration, Instant};

const RECORDS: usize = 1000;

/// Name, class, and keys; a name that ends with `map` is without a schema.
const CASES: &[(&str, &str, &str)] = &[
    ("cast-int", "Cast$Value", "spec=id:int32,n:int64"),
    ("cast-string", "Cast$Value", "spec=id:string,flag:string"),
    ("cast-int-map", "Cast$Value", "spec=id:int32,n:int64"),
    ("drop-headers", "DropHeaders", "headers=a"),
    ("extract-field", "ExtractField$Value", "field=nested"),
    ("extract-field-map", "ExtractField$Value", "field=nested"),
    ("filter", "Filter", ""),
    ("flatten", "Flatten$Value", ""),
    ("flatten-map", "Flatten$Value", ""),
    ("header-from-copy", "HeaderFrom$Value", "fields=id|headers=h|operation=copy"),
    ("header-from-move", "HeaderFrom$Value", "fields=id|headers=h|operation=move"),
    ("hoist-field", "HoistField$Value", "field=x"),
    ("hoist-field-map", "HoistField$Value", "field=x"),
    ("insert-field", "InsertField$Value", "topic.field=t|static.field=s|static.value=v"),
    ("insert-field-map", "InsertField$Value", "topic.field=t|static.field=s|static.value=v"),
    ("insert-header", "InsertHeader", "header=h|value.literal=x"),
    ("mask-field", "MaskField$Value", "fields=name"),
    ("mask-field-map", "MaskField$Value", "fields=name"),
    ("replace-field", "ReplaceField$Value", "exclude=flag|renames=name:title"),
    ("replace-field-map", "ReplaceField$Value", "exclude=flag|renames=name:title"),
    ("set-schema-metadata", "SetSchemaMetadata$Value", "schema.name=x"),
    ("value-to-key", "ValueToKey", "fields=id,name"),
    ("value-to-key-map", "ValueToKey", "fields=id,name"),
];

fn main() {
    let mut plugins = Plugins::new();
    crossdock_transforms::register(&mut plugins);
    // An argument picks the cases with it in their name.
    let picked = std::env::args().skip(1).find(|argument| !argument.starts_with('-')).unwrap_or_default();
    for (name, class, config) in CASES.iter().filter(|(name, ..)| name.contains(&picked)) {
        let plugin = plugins.of_kind(PluginKind::Transform, class).unwrap();
        let Factory::Transform(make) = plugin.factory() else { panic!("{class}") };
        let mut transform = make();
        let keys = config.split('|').filter_map(|pair| pair.split_once('='));
        transform.configure(&keys.map(|(k, v)| (k.to_owned(), v.to_owned())).collect()).unwrap();
        println!("{name} {:.1}", nanoseconds(&mut *transform, name.ends_with("map")));
    }
}

/// The least of several rounds, so that what else runs on the machine counts little.
fn nanoseconds(transform: &mut dyn Transform, schemaless: bool) -> f64 {
    let record = if schemaless { map() } else { structure() };
    let mut least = Duration::MAX;
    // As the worker does, one batch is used again and again.
    let mut batch = RecordBatch::new();
    for _ in 0..1000 {
        fill(&mut batch, &record);
        let mut failures = Failures::new();
        let start = Instant::now();
        transform.apply(&mut batch, &[], &mut failures);
        least = least.min(start.elapsed());
        assert!(failures.is_empty());
    }
    least.as_nanos() as f64 / RECORDS as f64
}

fn fill(batch: &mut RecordBatch, (schema, value): &(Option<Arc<Schema>>, Value)) {
    batch.clear();
    let topic = batch.topic("topic");
    for _ in 0..RECORDS {
        let record = batch.record(topic).value(schema.as_ref(), value.clone()).timestamp(1_700_000_000_000);
        record.header("a", None, "1").header("b", None, "2").finish().unwrap();
    }
}

fn structure() -> (Option<Arc<Schema>>, Value) {
    let of = |kind| Arc::new(Schema::new(kind));
    let inner = Arc::new(
        Schema::new(SchemaType::Struct).field("x", of(SchemaType::Int32)).field("y", of(SchemaType::String)),
    );
    let number = Arc::new(Schema::new(SchemaType::Int32).optional().with_default(Value::Int32(42)));
    let schema = Schema::new(SchemaType::Struct)
        .field("id", of(SchemaType::Int64))
        .field("name", of(SchemaType::String))
        .field("price", of(SchemaType::Float64))
        .field("n", number)
        .field("flag", of(SchemaType::Boolean))
        .field("nested", Arc::clone(&inner))
        .field("note", Arc::clone(Schema::optional_string()))
        .field("count", of(SchemaType::Int32));
    let schema = Arc::new(schema.with_name("Order"));
    let nested = Struct::from_values(inner, vec![Value::Int32(1), text("y")]).unwrap();
    let values = values(Value::Struct(Box::new(nested)));
    let value = Struct::from_values(Arc::clone(&schema), values).unwrap();
    (Some(schema), Value::Struct(Box::new(value)))
}

fn map() -> (Option<Arc<Schema>>, Value) {
    const NAMES: [&str; 8] = ["id", "name", "price", "n", "flag", "nested", "note", "count"];
    let nested: Map = [("x", Value::Int32(1)), ("y", text("y"))].into_iter().collect();
    let value: Map = NAMES.into_iter().zip(values(Value::Map(nested))).collect();
    (None, Value::Map(value))
}

fn values(nested: Value) -> Vec<Value> {
    let (id, price) = (Value::Int64(1_234_567), Value::Float64(19.5));
    vec![
        id,
        text("a name of some length"),
        price,
        Value::Int32(7),
        Value::Boolean(true),
        nested,
        Value::Null,
        Value::Int32(3),
    ]
}

fn text(text: &str) -> Value {
    Value::String(Text::from(text))
}
