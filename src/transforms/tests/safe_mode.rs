//! Where Connect's transforms lose or change data without a word, or crash: one test a kind, in both modes.
//! (Everything else is in the golden cases of `protocol-tests`.)

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use crossdock_api::{BigDecimal, Exception, Map, Schema, SchemaType, Value};
use std::str::FromStr;
use std::sync::Arc;
use support::{Given, map, run, schema, structure};

/// The value that comes out in both modes, or the error.
fn modes(
    class: &str,
    config: &[(&str, &str)],
    given: &Given,
) -> (Result<Value, String>, Result<Value, String>) {
    let strict: Vec<_> = config.iter().copied().chain([("crossdock.compatibility", "strict")]).collect();
    let value = |config: &[(&str, &str)]| {
        run(class, config, given).map(|(_, value)| value).map_err(|e| e.to_string())
    };
    (value(config), value(&strict))
}

fn refused(result: Result<Value, String>, parts: &[&str]) {
    let error = result.unwrap_err();
    for part in parts.iter().chain(&["crossdock.compatibility=strict"]) {
        assert!(error.contains(part), "{part} is not in: {error}");
    }
}

#[test]
fn a_number_that_does_not_fit_is_not_wrapped_around() {
    for (value, to, wrapped) in [
        (Value::Int32(300), "int8", Value::Int8(44)),
        (Value::Float64(1e300), "int16", Value::Int16(-1)),
        (Value::Float64(f64::NAN), "int64", Value::Int64(0)),
        (Value::Float64(9.3e18), "int64", Value::Int64(i64::MAX)),
        (Value::Float64(1e300), "float32", Value::Float32(f32::INFINITY)),
        (Value::Float32(f32::NAN), "boolean", Value::Boolean(false)),
    ] {
        let (safe, strict) = modes("Cast$Value", &[("spec", to)], &Given::schemaless(value.clone()));
        refused(safe, &["does not fit", to]);
        assert_eq!(strict, Ok(wrapped));
    }
    let (safe, strict) = modes("Cast$Value", &[("spec", "int32")], &Given::schemaless(Value::Float64(-7.9)));
    assert_eq!((safe, strict), (Ok(Value::Int32(-7)), Ok(Value::Int32(-7))));
}

#[test]
fn a_text_that_is_no_boolean_is_not_false() {
    let cast =
        |text: &str| modes("Cast$Value", &[("spec", "boolean")], &Given::schemaless(Value::string(text)));
    refused(cast("yes").0, &["(yes)", "boolean"]);
    assert_eq!(cast("yes").1, Ok(Value::Boolean(false)));
    assert_eq!(cast("False"), (Ok(Value::Boolean(false)), Ok(Value::Boolean(false))));
}

#[test]
fn a_fraction_that_is_not_zero_is_true() {
    let given = Given::schemaless(Value::Float64(0.5));
    let expected = (Ok(Value::Boolean(true)), Ok(Value::Boolean(false)));
    assert_eq!(modes("Cast$Value", &[("spec", "boolean")], &given), expected);
}

#[test]
fn an_early_date_as_text_keeps_its_date() {
    let timestamp = Schema::new(SchemaType::Int64).with_name("org.apache.kafka.connect.data.Timestamp");
    let timestamp = Arc::new(timestamp.with_version(1));
    for (ms, safe, strict) in [
        (3_600_000, "1970-01-01T01:00:00.000Z", "01:00:00.000Z"),
        (-1, "1969-12-31T23:59:59.999Z", "23:59:59.999Z"),
        (-86_400_000, "1969-12-31T00:00:00.000Z", "00:00:00.000Z"),
        (86_400_000, "1970-01-02", "1970-01-02"),
    ] {
        let given = Given::of(&timestamp, Value::Timestamp(ms));
        let outcome = modes("Cast$Value", &[("spec", "string")], &given);
        assert_eq!(outcome, (Ok(Value::string(safe)), Ok(Value::string(strict))), "{ms}");
    }
}

#[test]
fn a_cast_value_loses_the_name_of_a_logical_type() {
    let date = Schema::new(SchemaType::Int32).with_name("org.apache.kafka.connect.data.Date").with_version(1);
    let given = Given::of(&Arc::new(date), Value::Date(86_400_000));
    let (schema, value) = run("Cast$Value", &[("spec", "int64")], &given).unwrap();
    assert_eq!((schema.unwrap().name(), value), (None, Value::Int64(1)));
    let strict = [("spec", "int64"), ("crossdock.compatibility", "strict")];
    let (schema, _) = run("Cast$Value", &strict, &given).unwrap();
    assert_eq!(schema.unwrap().name(), Some("org.apache.kafka.connect.data.Date"));
}

#[test]
fn a_mask_that_does_not_fit_is_not_wrapped_around() {
    let given = Given::schemaless(map(&[("a", Value::Int8(1))]));
    let (safe, strict) = modes("MaskField$Value", &[("fields", "a"), ("replacement", "300")], &given);
    refused(safe, &["300", "java.lang.Byte"]);
    assert_eq!(strict, Ok(map(&[("a", Value::Int8(44))])));
}

#[test]
fn a_masked_decimal_has_the_scale_of_its_schema() {
    let decimal = Schema::new(SchemaType::Bytes)
        .with_name("org.apache.kafka.connect.data.Decimal")
        .with_parameter("scale", "2");
    let amount = |text: &str| Value::Decimal(Box::new(BigDecimal::from_str(text).unwrap()));
    let schema = schema(&[("a", decimal)]);
    let given = Given::of(&schema, structure(&schema, vec![amount("1.50")]));
    let scale = |result: Result<Value, String>| {
        let Value::Struct(value) = result.unwrap() else { panic!() };
        let Value::Decimal(amount) = &value.values()[0] else { panic!() };
        amount.as_bigint_and_exponent().1
    };
    let (safe, strict) = modes("MaskField$Value", &[("fields", "a")], &given);
    assert_eq!((scale(safe), scale(strict)), (2, 0));
}

#[test]
fn fields_that_flatten_to_one_name_do_not_overwrite_each_other() {
    let inner = map(&[("b", Value::Int32(2))]);
    let given = Given::schemaless(map(&[("a.b", Value::Int32(1)), ("a", inner)]));
    let (safe, strict) = modes("Flatten$Value", &[], &given);
    refused(safe, &["a.b"]);
    assert_eq!(strict, Ok(map(&[("a.b", Value::Int32(2))])));
    let distinct = modes("Flatten$Value", &[("delimiter", "_")], &given).0;
    assert_eq!(distinct, Ok(map(&[("a.b", Value::Int32(1)), ("a_b", Value::Int32(2))])));
}

#[test]
fn a_renamed_field_does_not_overwrite_another() {
    let given = Given::schemaless(map(&[("a", Value::Int32(1)), ("b", Value::Int32(2))]));
    let (safe, strict) = modes("ReplaceField$Value", &[("renames", "a:b")], &given);
    refused(safe, &["a to b"]);
    assert_eq!(strict, Ok(map(&[("b", Value::Int32(2))])));
    let swapped = modes("ReplaceField$Value", &[("renames", "a:b,b:a")], &given).0;
    assert_eq!(swapped, Ok(map(&[("b", Value::Int32(1)), ("a", Value::Int32(2))])));
}

#[test]
fn a_field_with_the_new_name_of_a_field_that_is_not_there_keeps_its_value() {
    let schema = schema(&[("b", Schema::new(SchemaType::Int32))]);
    let given = Given::of(&schema, structure(&schema, vec![Value::Int32(2)]));
    let (safe, strict) = modes("ReplaceField$Value", &[("renames", "a:b")], &given);
    assert_eq!(safe, Ok(structure(&schema, vec![Value::Int32(2)])));
    assert_eq!(strict, Err("a is not a valid field name".to_owned()));
}

#[test]
fn a_field_for_a_header_that_is_not_there_is_named() {
    let schema = schema(&[("b", Schema::new(SchemaType::Int32))]);
    let given = Given::of(&schema, structure(&schema, vec![Value::Int32(2)]));
    let config = [("fields", "a"), ("headers", "h"), ("operation", "copy")];
    let error = run("HeaderFrom$Value", &config, &given).unwrap_err();
    assert_eq!((error.exception(), error.message()), (Exception::Data, "Field does not exist: a"));
}

#[test]
fn a_tombstone_is_not_cast() {
    // KAFKA-12522
    for config in [[("spec", "a:int8")], [("spec", "int8")]] {
        for given in [Given::schemaless(Value::Null), Given::of(&schema(&[]), Value::Null)] {
            assert_eq!(modes("Cast$Value", &config, &given), (Ok(Value::Null), Ok(Value::Null)));
        }
    }
}

#[test]
fn arrays_stay_as_they_are_when_structs_around_them_are_flattened() {
    // KAFKA-12305
    let items = Arc::new(Schema::array(Schema::string().clone()));
    let inner = Arc::new(Schema::new(SchemaType::Struct).field("list", Arc::clone(&items)));
    let outer = Arc::new(Schema::new(SchemaType::Struct).field("in", Arc::clone(&inner)));
    let list = Value::Array(vec![Value::string("x"), Value::string("y")].into());
    let given = Given::of(&outer, structure(&outer, vec![structure(&inner, vec![list.clone()])]));
    let flat = Arc::new(Schema::new(SchemaType::Struct).field("in.list", items));
    let expected = Ok(structure(&flat, vec![list.clone()]));
    assert_eq!(modes("Flatten$Value", &[], &given), (expected.clone(), expected));

    let mut nested = Map::new();
    nested.insert(Value::string("list"), list.clone());
    let given = Given::schemaless(map(&[("in", Value::Map(nested))]));
    let expected = Ok(map(&[("in.list", list)]));
    assert_eq!(modes("Flatten$Value", &[], &given), (expected.clone(), expected));
}
