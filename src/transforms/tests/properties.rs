//! Whatever a transform is given, it ends, and a record that it fails is left as it was.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use crossdock_api::registry::{Factory, PluginKind};
use crossdock_api::{
    BigDecimal, Bytes, Column, ConfigMap, Failures, Map, Plugins, Schema, SchemaType, Struct, Text,
    Transform, Value,
};
use proptest::prelude::*;
use std::sync::Arc;
use support::{Given, transform};

const NAMES: &str = "a|b|c|a\\.b|x|";

fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<i8>().prop_map(Value::Int8),
        any::<i16>().prop_map(Value::Int16),
        any::<i32>().prop_map(Value::Int32),
        any::<i64>().prop_map(Value::Int64),
        any::<f32>().prop_map(Value::Float32),
        any::<f64>().prop_map(Value::Float64),
        any::<bool>().prop_map(Value::Boolean),
        "[0-9eE.+-]{0,5}|true|NaN|é".prop_map(|text| Value::String(Text::from(text))),
        prop::collection::vec(any::<u8>(), 0..4).prop_map(|bytes| Value::Bytes(Bytes::from(bytes))),
        (any::<i64>(), -400i64..400)
            .prop_map(|(digits, scale)| Value::Decimal(Box::new(BigDecimal::new(digits.into(), scale)))),
        any::<i64>().prop_map(Value::Date),
        any::<i64>().prop_map(Value::Time),
        any::<i64>().prop_map(Value::Timestamp),
    ]
}

fn any_leaf_schema() -> impl Strategy<Value = Schema> {
    use SchemaType::*;
    let kinds = [Boolean, Bytes, Float32, Float64, Int16, Int32, Int64, Int8, String, Array, Map];
    let names = prop_oneof![Just(None), "(Date|Time|Timestamp|Decimal)".prop_map(Some)];
    (prop::sample::select(kinds.to_vec()), names, any::<bool>(), prop::option::of(leaf())).prop_map(
        |(kind, name, optional, default)| {
            let mut schema = Schema::new(kind);
            if let Some(name) = name {
                schema = schema.with_name(&format!("org.apache.kafka.connect.data.{name}"));
            }
            schema = if optional { schema.optional() } else { schema };
            match default {
                Some(default) if !default.is_null() => schema.with_default(default),
                _ => schema,
            }
        },
    )
}

/// A value with a schema that it does not always keep to.
fn given() -> impl Strategy<Value = Given> {
    let alone = (prop::option::of(any_leaf_schema().prop_map(Arc::new)), leaf())
        .prop_map(|(schema, value)| (schema, value));
    let tree = alone.prop_recursive(4, 24, 4, |inner| {
        let fields = prop::collection::btree_map(NAMES, (inner.clone(), any::<bool>()), 0..4);
        let structs = fields.prop_map(|fields| {
            let mut schema = Schema::new(SchemaType::Struct);
            let mut values = Vec::new();
            for (name, ((of, value), _)) in fields {
                schema = schema.field(&name, of.unwrap_or_else(|| Schema::optional_string().clone()));
                values.push(value);
            }
            let schema = Arc::new(schema);
            (Some(Arc::clone(&schema)), Value::Struct(Box::new(Struct::from_values(schema, values).unwrap())))
        });
        let maps = prop::collection::vec((NAMES, inner.clone()), 0..4).prop_map(|entries| {
            let entry = |(name, (_, value)): (std::string::String, (_, Value))| {
                let key = if name == "x" { Value::Int32(1) } else { Value::string(&name) };
                (key, value)
            };
            (None::<Arc<Schema>>, Value::Map(Map::from_entries(entries.into_iter().map(entry).collect())))
        });
        let lists = prop::collection::vec(inner, 0..3)
            .prop_map(|items| (None, Value::Array(items.into_iter().map(|(_, value)| value).collect())));
        prop_oneof![3 => structs, 2 => maps, 1 => lists]
    });
    tree.prop_map(|(schema, value)| Given { schema, value })
}

/// A configuration of some keys of the transform, with values of which some are wrong.
fn config(keys: Vec<std::string::String>) -> impl Strategy<Value = ConfigMap> {
    let text = prop_oneof![
        3 => "(a|b|c|x)(,(a|b))?",
        2 => "(a|b|c)(:(b|x|int8|string|boolean|float32))?(,c:int64)?",
        1 => "int8|int64|float32|string|boolean|copy|move|V2|true|false|[0-9]{1,3}|1e99|a\\.b|`a|x!|x\\?",
        1 => "\\PC{0,4}",
    ];
    prop::collection::vec((prop::sample::select(keys), text), 0..5).prop_map(|pairs| {
        let mut config: ConfigMap = pairs.into_iter().collect();
        config.entry("operation".to_owned()).or_insert_with(|| "move".to_owned());
        config
    })
}

fn plugins() -> Vec<(std::string::String, Box<dyn Transform>)> {
    let mut plugins = Plugins::new();
    crossdock_transforms::register(&mut plugins);
    let of_kind = plugins.iter().filter(|plugin| plugin.kind() == PluginKind::Transform);
    let made = of_kind.filter_map(|plugin| match plugin.factory() {
        Factory::Transform(make) => Some((plugin.class().to_owned(), make())),
        _ => None,
    });
    made.collect()
}

fn apply(transform: &mut dyn Transform, given: &Given, class: &str) {
    let mut batch = given.batch();
    let mut failures = Failures::new();
    transform.apply(&mut batch, &[], &mut failures);
    let Some(record) = batch.get(0) else { return };
    let value = record.value_owned(Column::Value);
    if failures.is_empty() {
        if let Value::Struct(value) = &value {
            assert_eq!(value.schema().fields().len(), value.values().len(), "{class}");
        }
        return;
    }
    let outcome = format!("{:?}", (record.schema(Column::Value).cloned(), value));
    assert_eq!(outcome, format!("{:?}", (&given.schema, &given.value)), "{class} failed a record");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn every_transform_ends_and_leaves_what_it_fails(
        given in given(),
        (mut config, class) in (0..plugins().len()).prop_flat_map(|at| {
            let (class, transform) = plugins().swap_remove(at);
            let keys = transform.config_def().keys().iter().map(|key| key.name().to_owned()).collect::<Vec<_>>();
            let keys = if keys.is_empty() { vec!["none".to_owned()] } else { keys };
            (config(keys), Just(class))
        }),
        strict in any::<bool>(),
    ) {
        if strict {
            config.insert("crossdock.compatibility".to_owned(), "strict".to_owned());
        }
        let (_, mut made) = plugins().into_iter().find(|(name, _)| *name == class).unwrap();
        if made.configure(&config).is_ok() {
            apply(&mut *made, &given, &class);
            apply(&mut *made, &given, &class);
        }
    }
}

/// Deeper than recursion would reach on the stack of a task.
const LEVELS: usize = 10_000;

/// On a thread with the stack of a worker's thread.
fn on_a_small_stack(run: fn()) {
    std::thread::Builder::new().stack_size(2 << 20).spawn(run).unwrap().join().unwrap();
}

#[test]
fn maps_in_maps_are_flattened_to_any_depth() {
    on_a_small_stack(|| {
        let mut value = Value::Int32(1);
        for _ in 0..LEVELS {
            value = Value::Map(Map::from_entries(vec![(Value::string("a"), value)]));
        }
        let mut batch = Given::schemaless(Value::Null).batch();
        batch.record_mut(0).unwrap().set(Column::Value, None, value).unwrap();
        let mut failures = Failures::new();
        transform("Flatten$Value", &[]).apply(&mut batch, &[], &mut failures);
        assert!(failures.is_empty());
        let Value::Map(flat) = batch.get(0).unwrap().value_owned(Column::Value) else { panic!() };
        let (name, value) = flat.iter().next().unwrap();
        assert_eq!(name.as_ref().as_str().unwrap().len(), 2 * LEVELS - 1);
        assert_eq!(*value, Value::Int32(1));
    });
}

#[test]
fn structs_in_structs_are_flattened_to_any_depth() {
    on_a_small_stack(|| {
        let mut schema = Arc::new(Schema::new(SchemaType::Int32));
        let mut value = Value::Int32(1);
        for _ in 0..LEVELS {
            schema = Arc::new(Schema::new(SchemaType::Struct).field("a", schema));
            value = support::structure(&schema, vec![value]);
        }
        let mut batch = Given::schemaless(Value::Null).batch();
        batch.record_mut(0).unwrap().set(Column::Value, Some(&schema), value).unwrap();
        let mut failures = Failures::new();
        transform("Flatten$Value", &[]).apply(&mut batch, &[], &mut failures);
        assert!(failures.is_empty());
        let Value::Struct(flat) = batch.get(0).unwrap().value_owned(Column::Value) else { panic!() };
        assert_eq!(flat.schema().fields()[0].name.len(), 2 * LEVELS - 1);
        assert_eq!(flat.values(), [Value::Int32(1)]);
    });
}

#[test]
fn what_is_too_deep_for_others_is_dropped_without_harm() {
    on_a_small_stack(|| {
        let mut value = Value::Int32(1);
        for _ in 0..LEVELS {
            value = Value::Map(Map::from_entries(vec![(Value::Int8(1), value)]));
        }
        let mut batch = Given::schemaless(Value::Null).batch();
        batch.record_mut(0).unwrap().set(Column::Value, None, value).unwrap();
        let mut failures = Failures::new();
        transform("Flatten$Value", &[]).apply(&mut batch, &[], &mut failures);
        assert!(!failures.is_empty(), "the keys are no text");
    });
}
