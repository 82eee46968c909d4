use super::*;
use crate::testing::{fetched, single, values};
use crossdock_api::{Failures, Map, RecordBatch, SchemaType, Struct};
use proptest::prelude::*;

fn converter(pairs: &[(&str, &str)]) -> JsonConverter {
    let mut converter = JsonConverter::default();
    let config = pairs.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
    Converter::configure(&mut converter, &config, Column::Value).unwrap();
    converter
}

fn plain() -> JsonConverter {
    converter(&[("schemas.enable", "false")])
}

fn strict(pairs: &[(&str, &str)]) -> JsonConverter {
    converter(&[pairs, &[("crossdock.compatibility", "strict")]].concat())
}

fn read(
    converter: &JsonConverter,
    json: impl AsRef<[u8]>,
) -> std::result::Result<(Option<Arc<Schema>>, Value), String> {
    let bytes = Bytes::copy_from_slice(json.as_ref());
    converter.with_seen(|seen| converter.read(RawSlice::whole(&bytes), seen)).map_err(|e| e.to_string())
}

fn write(converter: &JsonConverter, schema: Option<&Arc<Schema>>, value: &Value) -> String {
    let mut out = Vec::new();
    converter.write(schema, value.as_ref(), &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn long_strings_without_escapes_are_not_copied() {
    let long = "value ".repeat(10);
    let message = format!(r#"{{"k":"{long}"}}"#);
    let mut batch = fetched(&[Some(message.as_bytes())]);
    let slab = match batch.get(0).unwrap().value() {
        ValueRef::Bytes(bytes) => bytes.as_ptr_range(),
        other => panic!("{other:?}"),
    };
    let mut failures = Failures::new();
    Converter::parse_batch(&plain(), &mut batch, Column::Value, &mut failures);
    assert!(failures.is_empty());
    let Value::Map(map) = &values(&batch)[0] else { panic!() };
    let Some(Value::String(text)) = map.get("k") else { panic!() };
    assert_eq!(text.as_str(), long);
    assert!(slab.contains(&text.as_bytes().as_ptr()));
}

#[test]
fn an_envelope_is_read_in_either_order_and_with_duplicates() {
    let converter = JsonConverter::default();
    for json in [
        r#"{"schema":{"type":"int8"},"payload":5}"#,
        r#" { "payload" : 5 , "schema" : { "type" : "int8" } } "#,
        r#"{"payload":"x","schema":{"type":"string"},"payload":5,"schema":{"type":"int8"}}"#,
    ] {
        let (schema, value) = read(&converter, json).unwrap();
        assert_eq!((schema.unwrap().kind(), value), (SchemaType::Int8, Value::Int8(5)), "{json}");
    }
    for json in ["{}", "5", "", r#"{"schema":null}"#, r#"{"schema":null,"payload":1,"x":2}"#] {
        assert!(read(&converter, json).unwrap_err().contains("schemas.enable=false"), "{json}");
    }
}

#[test]
fn other_encodings_are_told_by_their_first_bytes() {
    let json = r#"{"schema":{"type":"string"},"payload":"中"}"#;
    let big: Vec<u8> = json.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let little: Vec<u8> = json.chars().flat_map(|c| u32::from(c).to_le_bytes()).collect();
    for bytes in [big, little] {
        let (schema, value) = read(&JsonConverter::default(), &bytes).unwrap();
        assert_eq!(schema.unwrap().kind(), SchemaType::String);
        assert_eq!(value, Value::String("中".into()));
    }
    let half_pair = b"\xfe\xff\0\"\xd8\0\0\"";
    assert!(read(&plain(), half_pair).unwrap_err().contains("not valid UTF-16"));
    let replaced = read(&strict(&[("schemas.enable", "false")]), half_pair).unwrap().1;
    assert_eq!(replaced, Value::String("\u{fffd}".into()));
}

#[test]
fn a_schema_seen_before_is_shared() {
    let converter = JsonConverter::default();
    let json = r#"{"schema":{"type":"int8"},"payload":5}"#;
    let spaced = r#"{"schema": {"type":"int8"} ,"payload":5}"#;
    let first = read(&converter, json).unwrap().0.unwrap();
    assert!(Arc::ptr_eq(&first, &read(&converter, json).unwrap().0.unwrap()));
    assert!(Arc::ptr_eq(&first, &read(&converter, spaced).unwrap().0.unwrap()));
    let other = read(&converter, r#"{"schema":{"type":"int16"},"payload":5}"#).unwrap().0.unwrap();
    assert_eq!(other.kind(), SchemaType::Int16);
    assert!(Arc::ptr_eq(&first, &read(&converter, json).unwrap().0.unwrap()));
    let uncached = super::tests::converter(&[("schemas.cache.size", "0")]);
    assert_eq!(read(&uncached, json).unwrap().1, Value::Int8(5));
}

#[test]
fn numbers_that_do_not_fit_fail_and_say_where() {
    let schema =
        |kind: &str, payload: &str| format!(r#"{{"schema":{{"type":"{kind}"}},"payload":{payload}}}"#);
    let json = JsonConverter::default();
    for (kind, payload) in [
        ("int8", "128"),
        ("int16", "-32769"),
        ("int32", "2147483648"),
        ("int64", "9223372036854775808"),
        ("int32", "1.5"),
        ("float", "1e39"),
        ("double", "1e309"),
    ] {
        let message = read(&json, schema(kind, payload)).unwrap_err();
        assert!(message.contains("does not fit") && message.contains("$.payload"), "{message}");
        assert!(read(&strict(&[]), schema(kind, payload)).is_ok());
    }
    assert_eq!(read(&json, schema("int32", "1.20e1")).unwrap().1, Value::Int32(12));
    assert!(read(&json, schema("int64", "1.00000000000000000000001")).is_err());
    assert_eq!(read(&strict(&[]), schema("int32", "3000000000")).unwrap().1, Value::Int32(-1_294_967_296));
    assert!(read(&plain(), "9223372036854775808").is_err());
}

#[test]
fn errors_name_the_place() {
    let message = read(&plain(), r#"{"a":[1,{"b":tru}]}"#).unwrap_err();
    assert!(message.ends_with("(at $.a[1].b, byte 13)"), "{message}");
    let schema = r#"{"schema":{"type":"struct","fields":[{"type":"int8","field":"f"}]},"payload":{"f":"x"}}"#;
    let message = read(&JsonConverter::default(), schema).unwrap_err();
    assert!(message.contains("int8 but the JSON value is a string (at $.payload.f"), "{message}");
}

#[test]
fn what_follows_the_document_is_an_error() {
    assert!(read(&plain(), "1 2").unwrap_err().contains("after the end"));
    assert_eq!(read(&strict(&[("schemas.enable", "false")]), "1 2").unwrap().1, Value::Int64(1));
    assert_eq!(read(&plain(), " 1 \n").unwrap().1, Value::Int64(1));
}

#[test]
fn nesting_is_bounded_quickly_everywhere() {
    for unit in ["[", r#"{"a":"#, r#"[{"a":"#] {
        let message = read(&plain(), unit.repeat(10_000)).unwrap_err();
        assert!(message.contains("1000 levels"), "{message}");
        let in_envelope = format!(r#"{{"x":{}"#, unit.repeat(10_000));
        assert!(read(&JsonConverter::default(), in_envelope).unwrap_err().contains("1000 levels"));
    }
    let schemas = r#"{"type":"array","items":"#.repeat(900);
    let message = read(&JsonConverter::default(), format!(r#"{{"schema":{schemas}1"#)).unwrap_err();
    assert!(message.contains("expected"), "{message}");
    let schemas = schemas + r#"{"type":"int8"}"# + &"}".repeat(900);
    let message =
        read(&JsonConverter::default(), format!(r#"{{"schema":{schemas},"payload":[]}}"#)).unwrap_err();
    assert!(message.contains("200 levels"), "{message}");
    let deep = "[".repeat(999) + &"]".repeat(999);
    let (_, value) = read(&plain(), &deep).unwrap();
    assert_eq!(write(&plain(), None, &value), deep);
}

#[test]
fn schema_content_is_the_schema_of_plain_messages() {
    let converter = converter(&[("schema.content", r#"{"type":"int16"}"#)]);
    let (schema, value) = read(&converter, "7").unwrap();
    assert_eq!((schema.unwrap().kind(), value), (SchemaType::Int16, Value::Int16(7)));
    let mut broken = JsonConverter::default();
    let config = [("schema.content".to_owned(), "{".to_owned())].into_iter().collect();
    let error = Converter::configure(&mut broken, &config, Column::Value).unwrap_err().to_string();
    assert!(error.contains("schema.content") && error.contains("must be a schema"), "{error}");
}

#[test]
fn structs_keep_the_order_of_fields_and_pass_over_unknown_members() {
    let json = r#"{"schema":{"type":"struct","fields":[{"type":"int8","field":"a"},{"type":"string","optional":true,"field":"b"}],"optional":false},"payload":{"z":[1],"b":"x","a":1}}"#;
    let converter = JsonConverter::default();
    let (schema, value) = read(&converter, json).unwrap();
    let written = write(&converter, schema.as_ref(), &value);
    assert!(written.ends_with(r#""payload":{"a":1,"b":"x"}}"#), "{written}");
    let Value::Struct(record) = value else { panic!() };
    assert_eq!(record.values(), [Value::Int8(1), Value::string("x")]);
}

#[test]
fn tombstones_stay_tombstones() {
    let mut batch = fetched(&[None]);
    let mut failures = Failures::new();
    let converter = JsonConverter::default();
    Converter::parse_batch(&converter, &mut batch, Column::Value, &mut failures);
    assert_eq!(values(&batch), [Value::Null]);
    Converter::serialize_batch(&converter, &mut batch, Column::Value, &mut failures);
    assert!(failures.is_empty());
    assert!(batch.get(0).unwrap().value().is_null());
    let optional = Arc::new(Schema::new(SchemaType::Int8).optional());
    let mut batch: RecordBatch = single(Some(&optional), Value::Null);
    Converter::serialize_batch(&converter, &mut batch, Column::Value, &mut failures);
    assert_eq!(
        batch.get(0).unwrap().value(),
        ValueRef::Bytes(br#"{"schema":{"type":"int8","optional":true},"payload":null}"#)
    );
}

#[test]
fn large_objects_are_read_in_linear_time() {
    let members: Vec<String> = (0..100_000).map(|i| format!("\"k{i}\":{i}")).collect();
    let (_, value) = read(&plain(), format!("{{{}}}", members.join(","))).unwrap();
    let Value::Map(map) = value else { panic!() };
    assert_eq!(map.len(), 100_000);
}

/// Values as schemaless JSON can hold them.
fn schemaless() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Boolean),
        any::<i64>().prop_map(Value::Int64),
        any::<f64>().prop_filter("finite", |v| v.is_finite()).prop_map(Value::Float64),
        any::<String>().prop_map(|s| Value::string(&s)),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        let entry = (any::<String>(), inner.clone()).prop_map(|(k, v)| (Value::string(&k), v));
        prop_oneof![
            prop::collection::vec(inner, 0..6).prop_map(|items| Value::Array(items.into())),
            prop::collection::vec(entry, 0..6).prop_map(|e| Value::Map(Map::from_entries(e))),
        ]
    })
}

/// A schema with a value that fits it.
fn typed() -> impl Strategy<Value = (Arc<Schema>, Value)> {
    let schema = |kind| Arc::new(Schema::new(kind));
    let decimal = Schema::new(SchemaType::Bytes)
        .with_name("org.apache.kafka.connect.data.Decimal")
        .with_parameter("scale", "3");
    let decimal = Arc::new(decimal);
    let leaf = prop_oneof![
        any::<i8>().prop_map(move |v| (schema(SchemaType::Int8), Value::Int8(v))),
        any::<i32>().prop_map(move |v| (schema(SchemaType::Int32), Value::Int32(v))),
        any::<f32>()
            .prop_filter("finite", |v| v.is_finite())
            .prop_map(move |v| (schema(SchemaType::Float32), Value::Float32(v))),
        any::<String>().prop_map(move |v| (Arc::clone(Schema::string()), Value::string(&v))),
        any::<Vec<u8>>().prop_map(move |v| (Arc::clone(Schema::bytes()), Value::Bytes(v.into()))),
        any::<i64>().prop_map(move |v| {
            let value = bigdecimal::BigDecimal::new(v.into(), 3);
            (Arc::clone(&decimal), Value::Decimal(Box::new(value)))
        }),
    ];
    leaf.prop_recursive(4, 20, 4, |inner| {
        prop_oneof![
            (inner.clone(), 0usize..4).prop_map(|((schema, value), n)| {
                (Arc::new(Schema::array(schema)), Value::Array(vec![value; n].into()))
            }),
            (inner.clone(), inner.clone(), any::<bool>()).prop_map(|((ks, k), (vs, v), empty)| {
                let entries = if empty { Vec::new() } else { vec![(k, v)] };
                (Arc::new(Schema::map(ks, vs)), Value::Map(Map::from_entries(entries)))
            }),
            prop::collection::vec(inner, 0..5).prop_map(|fields| {
                let name = |index: usize| format!("f{index}");
                let schema =
                    fields.iter().enumerate().fold(
                        Schema::new(SchemaType::Struct).with_name("s"),
                        |made, (index, (schema, _))| made.field(&name(index), Arc::clone(schema)),
                    );
                let schema = Arc::new(schema);
                let values = fields.into_iter().map(|(_, value)| value).collect();
                let record = Struct::from_values(Arc::clone(&schema), values).unwrap();
                (schema, Value::Struct(Box::new(record)))
            }),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(value in schemaless()) {
        prop_assert_eq!(read(&plain(), write(&plain(), None, &value)).unwrap(), (None, value));
    }

    #[test]
    fn typed_values_and_schemas_are_read_back((schema, value) in typed()) {
        let converter = JsonConverter::default();
        let json = write(&converter, Some(&schema), &value);
        let (read_schema, read_value) = read(&converter, &json).unwrap();
        prop_assert_eq!(&read_value, &value);
        prop_assert_eq!(read_schema.as_deref(), Some(&*schema));
        let numeric = super::tests::converter(&[("decimal.format", "NUMERIC")]);
        prop_assert_eq!(read(&numeric, write(&numeric, Some(&schema), &value)).unwrap().1, value);
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        for converter in [plain(), JsonConverter::default(), strict(&[])] {
            let _ = read(&converter, &bytes);
        }
    }

    #[test]
    fn no_near_json_panics(words in prop::collection::vec(prop::sample::select(vec![
        "{", "}", "[", "]", ",", ":", "\"schema\":", "\"payload\":", "\"type\":\"struct\"", "\"fields\":",
        "\"field\":\"a\"", "\"type\":\"map\"", "\"keys\":", "\"values\":", "\"type\":\"int8\"", "1e99", "-0",
        "null", "\"\\ud83d\"", "\"x\"", "\"default\":", "\"type\":\"array\"", "\"items\":", "true", "1e999999999999",
        "\"name\":\"org.apache.kafka.connect.data.Decimal\"", "\"parameters\":{\"scale\":\"2\"}",
    ]), 0..25)) {
        let json = words.concat();
        for converter in [plain(), JsonConverter::default(), strict(&[])] {
            let _ = read(&converter, &json);
        }
    }
}

/// KAFKA-8713: null in an optional field that has a default stays null if that is asked for.
#[test]
fn kafka_8713_null_is_not_replaced_by_the_default_if_so_asked() {
    let field = Schema::new(SchemaType::String).optional().with_default(Value::string("d"));
    let schema = Arc::new(Schema::new(SchemaType::Struct).field("f", Arc::new(field)));
    let null = Value::Struct(Box::new(Struct::new(Arc::clone(&schema)).unwrap()));
    for (replaces, written, value) in [("true", "\"d\"", Value::string("d")), ("false", "null", Value::Null)]
    {
        let converter = converter(&[("replace.null.with.default", replaces)]);
        let json = write(&converter, Some(&schema), &null);
        assert!(json.ends_with(&format!("\"payload\":{{\"f\":{written}}}}}")), "{json}");
        let (_, Value::Struct(record)) = read(&converter, &json).unwrap() else { panic!() };
        assert_eq!(record.get_without_default("f").unwrap(), &value, "{json}");
    }
}

/// KAFKA-9192: an optional struct that the payload does not have is null.
#[test]
fn kafka_9192_a_missing_optional_struct_is_null() {
    let json = r#"{"schema":{"type":"struct","fields":[{"field":"a","type":"int8"},{"field":"s","type":"struct",
        "optional":true,"fields":[{"field":"x","type":"string"}]}]},"payload":{"a":1}}"#;
    for converter in [JsonConverter::default(), strict(&[])] {
        let (_, Value::Struct(record)) = read(&converter, json).unwrap() else { panic!() };
        assert_eq!(record.values(), [Value::Int8(1), Value::Null]);
    }
}

#[test]
fn huge_numbers_and_strings_take_bounded_time_and_memory() {
    let begin = std::time::Instant::now();
    for number in ["1e+100000000", "-1e-100000000", "1e1000000000", "123456789e99999"] {
        let plain_outcome = read(&plain(), number);
        let decimal = format!(
            r#"{{"schema":{{"type":"bytes","name":"org.apache.kafka.connect.data.Decimal","version":1,
               "parameters":{{"scale":"2"}}}},"payload":{number}}}"#
        );
        for outcome in [plain_outcome, read(&converter(&[]), &decimal), read(&strict(&[]), number)] {
            match outcome {
                Err(message) => assert!(message.len() < 500, "{message}"),
                Ok((_, value)) => assert!(format!("{value:?}").len() < 500, "{number}"),
            }
        }
    }
    let text = "x".repeat(100 << 20);
    let (_, Value::String(read)) = read(&plain(), format!("\"{text}\"")).unwrap() else { panic!() };
    assert_eq!(read.as_str().len(), text.len());
    assert!(begin.elapsed() < std::time::Duration::from_secs(60), "{:?}", begin.elapsed());
}

/// Deeper than any JSON that is read, but a plugin may make it.
#[test]
fn deep_values_are_written() {
    const DEEP: usize = 10_000;
    let write = || {
        let nested = (0..DEEP).fold(Value::Int8(7), |value, _| Value::Array(vec![value].into()));
        let schema = (0..DEEP).fold(Schema::int8().clone(), |schema, _| Arc::new(Schema::array(schema)));
        for (schema, config) in [(None, "false"), (Some(&schema), "true")] {
            let mut converter = JsonConverter::default();
            let config = [("schemas.enable".to_owned(), config.to_owned())].into_iter().collect();
            JsonConverter::configure(&mut converter, &config).unwrap();
            let mut out = Vec::new();
            converter.write(schema, nested.as_ref(), &mut out).unwrap();
            assert!(out.len() > 2 * DEEP);
        }
    };
    std::thread::Builder::new().stack_size(2 * 1024 * 1024).spawn(write).unwrap().join().unwrap();
}
