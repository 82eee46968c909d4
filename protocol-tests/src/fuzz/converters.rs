//! Connect's converters, and what reads text as values.

use crossdock_api::registry::{Factory, Plugin};
use crossdock_api::values::{append_text, infer_schema, parse_string};
use crossdock_api::{Bytes, Column, ConfigMap, Converter, Datum, Failures, Plugins, RecordBatch, Strictness};
use std::sync::LazyLock;

static PLUGINS: LazyLock<Vec<Plugin>> = LazyLock::new(|| {
    let mut plugins = Plugins::new();
    crossdock_converters::register(&mut plugins);
    let are_converters = |plugin: &&Plugin| matches!(plugin.factory(), Factory::Converter(_));
    plugins.iter().filter(are_converters).cloned().collect()
});

/// The first byte chooses the converter, the second its settings, the rest is read. What is read is written, and what
/// was written is read again as the same.
pub(super) fn converters(bytes: &[u8]) {
    let [choice, settings, rest @ ..] = bytes else { return };
    let plugin = &PLUGINS[usize::from(*choice) % PLUGINS.len()];
    let Factory::Converter(make) = plugin.factory() else { return };
    let mut converter = make();
    if converter.configure(&config(*settings), Column::Value).is_err() {
        return;
    }
    let mut batch = batch_of(rest);
    let mut failures = Failures::new();
    converter.parse_batch(&mut batch, Column::Value, &mut failures);
    if !failures.take().is_empty() {
        return;
    }
    let first = batch.get(0).map(|record| record.value_owned(Column::Value));
    converter.serialize_batch(&mut batch, Column::Value, &mut failures);
    if !failures.take().is_empty() {
        // Such as a schema whose decimals have another scale than the value.
        return;
    }
    let written = written(&batch);
    let again = again(&*converter, written.as_deref());
    // NaN is not itself, and an integer that is written as a float comes back as one.
    let is_exact = !format!("{first:?}").contains("Float") && !format!("{first:?}").contains("Decimal");
    if settings & 1 == 1 && is_exact && plugin.simple_name() != "StringConverter" {
        assert_eq!(again, first, "{} read {written:?} as something else", plugin.class());
    }
}

fn config(settings: u8) -> ConfigMap {
    let flag = |bit: u8| if settings & bit == 0 { "true" } else { "false" };
    let pairs = [
        ("schemas.enable", flag(1)),
        ("replace.null.with.default", flag(2)),
        ("decimal.format", if settings & 4 == 0 { "BASE64" } else { "NUMERIC" }),
        ("crossdock.compatibility", if settings & 8 == 0 { "safe" } else { "strict" }),
        ("converter.encoding", ["UTF-8", "UTF-16", "ISO-8859-1", "Shift_JIS"][usize::from(settings >> 6)]),
    ];
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

fn batch_of(bytes: &[u8]) -> RecordBatch {
    let mut batch = RecordBatch::new();
    let topic = batch.topic("t");
    if let Ok(slab) = batch.adopt(Bytes::copy_from_slice(bytes)) {
        // The range is that of the slab.
        let _ = batch.record(topic).value(None, Datum::BytesSlice(slab, 0..bytes.len())).finish();
    }
    batch
}

fn written(batch: &RecordBatch) -> Option<Vec<u8>> {
    match batch.get(0)?.value_owned(Column::Value) {
        crossdock_api::Value::Bytes(bytes) => Some(bytes.to_vec()),
        crossdock_api::Value::String(text) => Some(text.as_bytes().to_vec()),
        _ => None,
    }
}

fn again(converter: &dyn Converter, bytes: Option<&[u8]>) -> Option<crossdock_api::Value> {
    let Some(bytes) = bytes else { return Some(crossdock_api::Value::Null) };
    let mut batch = batch_of(bytes);
    let mut failures = Failures::new();
    converter.parse_batch(&mut batch, Column::Value, &mut failures);
    assert!(failures.take().is_empty(), "what was written cannot be read");
    batch.get(0).map(|record| record.value_owned(Column::Value))
}

/// Text of headers and literals.
pub(super) fn values(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for strictness in [Strictness::Safe, Strictness::AsConnect] {
        let (_, value) = parse_string(&text, strictness);
        let mut out = Vec::new();
        append_text(&mut out, value.as_ref());
        // An error is about lists and maps of nothing but null.
        let _ = infer_schema(value.as_ref());
    }
}

pub(super) fn converter_seeds() -> Vec<Vec<u8>> {
    let texts: [&[u8]; 6] = [
        br#"{"a":1,"b":[1.5,"x",null,true],"c":{"d":"e"}}"#,
        br#"{"schema":{"type":"struct","fields":[{"field":"a","type":"int32","optional":true,"default":3},{"field":"m","type":"map","keys":{"type":"string"},"values":{"type":"array","items":{"type":"int8"}}}]},"payload":{"a":null,"m":{"k":[1,2]}}}"#,
        br#"{"schema":{"type":"bytes","name":"org.apache.kafka.connect.data.Decimal","version":1,"parameters":{"scale":"2"}},"payload":"AQ=="}"#,
        b"some text \xc3\xa9",
        b"\x00\x00\x00\x2a",
        b"\xfe\xff\x00a",
    ];
    let choices =
        (0..PLUGINS.len() as u8).flat_map(|choice| [0u8, 1, 9, 14, 71].map(|settings| (choice, settings)));
    let seed = |(choice, settings): (u8, u8)| {
        texts.iter().map(move |text| [&[choice, settings], *text].concat()).collect::<Vec<_>>()
    };
    choices.flat_map(seed).collect()
}

pub(super) fn value_seeds() -> Vec<Vec<u8>> {
    let texts = [
        "[1, 2.5, \"x\"]",
        "{\"a\": [1], \"b\": null}",
        "2019-08-23T14:34:54.346Z",
        "1e+100000000",
        "1::2",
        "[[[[[[true]]]]]]",
        "\"quo\\\"ted\"",
    ];
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}
