//! Values and schemas that are nested much deeper than a task's stack reaches without care.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use crossdock_api::java_text::{append_value, holds_bytes};
use crossdock_api::values::{Values, append_text, infer_schema, parse_string};
use crossdock_api::{List, Map, Schema, SchemaType, Strictness, Struct, Value, ValueRef, project};
use std::fmt::Write;
use std::sync::Arc;

/// What a thread of the runtime has.
const STACK: usize = 2 * 1024 * 1024;
const DEEP: usize = 10_000;

/// Runs `work` on a thread with a small stack; a stack that overflows ends the test's process.
fn on_small_stack<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    std::thread::Builder::new().stack_size(STACK).spawn(work).unwrap().join().unwrap()
}

/// A way to put a value, of a schema, into a larger one.
type Wrap = fn(Arc<Schema>, Value) -> (Arc<Schema>, Value);

fn list(schema: Arc<Schema>, value: Value) -> (Arc<Schema>, Value) {
    (Arc::new(Schema::array(schema)), Value::Array(vec![value].into()))
}

fn map(schema: Arc<Schema>, value: Value) -> (Arc<Schema>, Value) {
    let entries = vec![(Value::string("k"), value)];
    (Arc::new(Schema::map(Schema::string().clone(), schema)), Value::Map(Map::from_entries(entries)))
}

fn key(schema: Arc<Schema>, value: Value) -> (Arc<Schema>, Value) {
    let map = Map::from_entries(vec![(value, Value::Int8(1))]);
    (Arc::new(Schema::map(schema, Schema::int8().clone())), Value::Map(map))
}

fn structure(schema: Arc<Schema>, value: Value) -> (Arc<Schema>, Value) {
    let schema = Arc::new(Schema::new(SchemaType::Struct).field("f", schema));
    let value = Struct::from_values(Arc::clone(&schema), vec![value]).unwrap();
    (schema, Value::Struct(Box::new(value)))
}

fn nested_in(wrap: Wrap, depth: usize, innermost: Value) -> (Arc<Schema>, Value) {
    (0..depth).fold((Schema::int8().clone(), innermost), |(schema, value), _| wrap(schema, value))
}

fn nested(wrap: Wrap, depth: usize) -> (Arc<Schema>, Value) {
    nested_in(wrap, depth, Value::Int8(7))
}

const WRAPS: [Wrap; 4] = [list, map, key, structure];

/// Counts what is written, and forgets it.
struct Length(usize);

impl Write for Length {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.0 += text.len();
        Ok(())
    }
}

#[test]
fn deep_values_are_handled_in_all_ways() {
    for wrap in WRAPS {
        on_small_stack(move || {
            let (schema, value) = nested(wrap, DEEP);
            let copy = value.clone();
            assert!(copy == value);
            assert!(nested(wrap, DEEP - 1).1 != value);
            let mut text = Vec::new();
            append_text(&mut text, value.as_ref());
            assert!(text.len() > DEEP);
            text.clear();
            append_value(&mut text, value.as_ref());
            assert!(text.len() > DEEP);
            assert!(!holds_bytes(value.as_ref()));
            let mut shown = Length(0);
            write!(shown, "{value:?} {schema:?}").unwrap();
            assert!(shown.0 > 2 * DEEP);
            assert!(infer_schema(value.as_ref()).is_ok());
            schema.validate(value.as_ref()).unwrap();
            assert!(matches!(Values::default().to_string(value.as_ref()), Value::String(_)));
            assert!(project(&schema, copy, &schema).unwrap() == value);
            assert!(*nested(wrap, DEEP).0 == *schema);
        });
    }
}

#[test]
fn a_value_that_does_not_fit_far_inside_is_told() {
    for wrap in WRAPS {
        on_small_stack(move || {
            let (schema, value) = nested_in(wrap, DEEP, Value::Boolean(true));
            let message = schema.validate(value.as_ref()).unwrap_err().to_string();
            assert!(message.contains("class java.lang.Boolean"));
            let other = nested(list, DEEP / 2).0;
            assert!(project(&schema, value, &other).is_err());
        });
    }
}

#[test]
fn deep_keys_of_large_maps_are_told_apart() {
    on_small_stack(|| {
        let (_, deep) = nested(list, DEEP);
        let mut entries: Vec<_> = (0..40).map(|at| (Value::Int64(at), Value::Null)).collect();
        entries.extend([(deep.clone(), Value::Int8(1)), (deep, Value::Int8(2))]);
        assert_eq!(Map::from_entries(entries).len(), 41);
    });
}

#[test]
fn values_a_million_deep_are_dropped() {
    for wrap in WRAPS {
        on_small_stack(move || drop(nested(wrap, 100_000)));
    }
    on_small_stack(|| {
        let (_, value) = nested(list, 1_000_000);
        drop(List::from(vec![Value::Null, value]));
    });
}

#[test]
fn text_that_is_nested_is_read_or_stays_text() {
    on_small_stack(|| {
        for depth in [100, 1_000, DEEP] {
            for (open, close) in [("[", "]"), ("{\"k\":", "}")] {
                let text = open.repeat(depth) + "1" + &close.repeat(depth);
                for strictness in [Strictness::Safe, Strictness::AsConnect] {
                    let (_, value) = parse_string(&text, strictness);
                    let mut printed = Vec::new();
                    append_text(&mut printed, value.as_ref());
                    assert!(printed == text.as_bytes(), "{depth} {open}");
                }
            }
        }
        assert!(matches!(parse_string("[[1]]", Strictness::Safe).1.as_ref(), ValueRef::Array(_)));
    });
}
