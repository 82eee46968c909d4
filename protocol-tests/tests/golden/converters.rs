//! The converters against what Connect's converters do.
//!
//! In strict mode every case must come out as in Java, apart from the gaps listed in [`known_gap`].
//! In safe mode, the default, a case may fail where Java goes on, but must never give another value.

use super::Verdict;
use crossdock_api::registry::{Factory, PluginKind};
use crossdock_api::{
    Column, ConfigError, ConnectError, Converter, Failures, HeaderConverter, Plugins, RecordBatch, Schema,
    Value,
};
use crossdock_api::{Strictness, java_text};
use crossdock_converters::JsonConverter;
use protocol_tests::golden::{self, Case, Expected};
use std::sync::Arc;

const OPS: [&str; 11] = [
    "as_connect_schema",
    "as_json_schema",
    "configure",
    "from_connect",
    "from_connect_header",
    "parse_string",
    "string_from_connect",
    "string_to_connect",
    "to_connect",
    "to_connect_depth",
    "to_connect_header",
];

/// What a call gave.
#[derive(Debug)]
enum Outcome {
    Bytes(Option<Vec<u8>>),
    Data(Option<Arc<Schema>>, Value),
    Schema(Option<Arc<Schema>>),
    Depth(u64),
    Configured,
    Failed { class: &'static str, message: String },
}

impl From<ConfigError> for Outcome {
    fn from(error: ConfigError) -> Self {
        Self::Failed { class: error.exception().class_name(), message: error.to_string() }
    }
}

impl From<ConnectError> for Outcome {
    fn from(error: ConnectError) -> Self {
        Self::Failed { class: error.exception().class_name(), message: error.to_string() }
    }
}

type Ran = Result<Outcome, Outcome>;

fn plugins() -> Plugins {
    let mut plugins = Plugins::new();
    crossdock_converters::register(&mut plugins);
    plugins
}

fn outcome_of(case: &Case, strict: bool) -> Outcome {
    let mut config = case.config();
    if strict {
        config.insert("crossdock.compatibility".to_owned(), "strict".to_owned());
    }
    let column = if case.is_key() { Column::Key } else { Column::Value };
    let ran = match case.op() {
        "from_connect" | "string_from_connect" => {
            converter(case.class(), &config, column).map(|c| from_connect(&*c, case, column))
        }
        "to_connect" | "string_to_connect" => {
            let raw = golden::bytes(case.input());
            converter(case.class(), &config, column).and_then(|c| to_connect(&*c, raw, column))
        }
        "configure" => converter(case.class(), &config, column).map(|_| Outcome::Configured),
        "to_connect_depth" => converter(case.class(), &config, column).and_then(|c| depth(&*c, case, column)),
        "from_connect_header" => header_converter(case.class(), &config).and_then(|c| from_header(&*c, case)),
        "to_connect_header" => header_converter(case.class(), &config).and_then(|c| to_header(&*c, case)),
        "parse_string" => Ok(parse_string(case, strict)),
        "as_json_schema" => as_json_schema(case, &config),
        "as_connect_schema" => as_connect_schema(case, &config),
        other => panic!("unknown op {other}"),
    };
    ran.unwrap_or_else(|failed| failed)
}

fn converter(
    class: &str,
    config: &crossdock_api::ConfigMap,
    column: Column,
) -> Result<Box<dyn Converter>, Outcome> {
    let plugins = plugins();
    let Factory::Converter(make) = plugins.of_kind(PluginKind::Converter, class).unwrap().factory() else {
        panic!("{class} is no converter")
    };
    let mut converter = make();
    converter.configure(config, column)?;
    Ok(converter)
}

fn header_converter(
    class: &str,
    config: &crossdock_api::ConfigMap,
) -> Result<Box<dyn HeaderConverter>, Outcome> {
    let plugins = plugins();
    let plugin = plugins.of_kind(PluginKind::HeaderConverter, class).unwrap();
    let Factory::HeaderConverter(make) = plugin.factory() else { panic!("{class} is no header converter") };
    let mut converter = make();
    converter.configure(config)?;
    Ok(converter)
}

fn data(case: &Case) -> (Option<Arc<Schema>>, Value) {
    let schema = golden::schema(&case.input()["schema"]);
    let value = golden::value(&case.input()["value"], schema.as_ref());
    (schema, value)
}

/// A batch of one record with this key or value.
fn batch_of(column: Column, schema: Option<&Arc<Schema>>, value: Value) -> RecordBatch {
    let mut batch = RecordBatch::new();
    let topic = batch.topic("t");
    let record = batch.record(topic);
    let record = match column {
        Column::Key => record.key(schema, value),
        Column::Value => record.value(schema, value),
    };
    record.finish().unwrap();
    batch
}

fn from_connect(converter: &dyn Converter, case: &Case, column: Column) -> Outcome {
    let (schema, value) = data(case);
    let mut batch = batch_of(column, schema.as_ref(), value);
    let mut failures = Failures::new();
    converter.serialize_batch(&mut batch, column, &mut failures);
    if let Some((_, error)) = failures.take().pop() {
        return error.into();
    }
    Outcome::Bytes(match batch.get(0).unwrap().value_owned(column) {
        Value::Null => None,
        Value::Bytes(bytes) => Some(bytes.to_vec()),
        Value::String(text) => Some(text.as_bytes().to_vec()),
        other => panic!("{} left a {other:?}", case.id()),
    })
}

fn to_connect(converter: &dyn Converter, raw: Option<crossdock_api::Bytes>, column: Column) -> Ran {
    let mut batch = RecordBatch::new();
    let topic = batch.topic("t");
    let whole = raw.clone().unwrap_or_default();
    let slab = batch.adopt(whole.clone())?;
    let datum =
        raw.map_or(crossdock_api::Datum::Null, |r| crossdock_api::Datum::BytesSlice(slab, 0..r.len()));
    let record = batch.record(topic);
    let record = match column {
        Column::Key => record.key(None, datum),
        Column::Value => record.value(None, datum),
    };
    record.finish()?;
    let mut failures = Failures::new();
    converter.parse_batch(&mut batch, column, &mut failures);
    if let Some((_, error)) = failures.take().pop() {
        return Err(error.into());
    }
    let record = batch.get(0).unwrap();
    Ok(Outcome::Data(record.schema(column).cloned(), record.value_owned(column)))
}

fn depth(converter: &dyn Converter, case: &Case, column: Column) -> Ran {
    let depth = usize::try_from(case.input()["array_depth"].as_u64().unwrap()).unwrap();
    let text = "[".repeat(depth) + &"]".repeat(depth);
    let Outcome::Data(_, mut value) = to_connect(converter, Some(text.into()), column)? else { panic!() };
    let mut found = 0;
    while let Value::Array(mut items) = value {
        found += 1;
        value = items.pop().unwrap_or_default();
    }
    Ok(Outcome::Depth(found))
}

fn from_header(converter: &dyn HeaderConverter, case: &Case) -> Ran {
    let (schema, value) = data(case);
    Ok(Outcome::Bytes(converter.serialize("t", "h", schema.as_ref(), value.as_ref())?))
}

fn to_header(converter: &dyn HeaderConverter, case: &Case) -> Ran {
    let raw = golden::bytes(case.input());
    let (schema, value) = converter.parse("t", "h", raw.as_deref())?;
    Ok(Outcome::Data(schema, value))
}

fn parse_string(case: &Case, strict: bool) -> Outcome {
    let strictness = if strict { Strictness::AsConnect } else { Strictness::Safe };
    match case.input()["str"].as_str() {
        Some(text) => {
            let (schema, value) = crossdock_api::values::parse_string(text, strictness);
            Outcome::Data(schema, value)
        }
        None => Outcome::Data(None, Value::Null),
    }
}

fn json_converter(config: &crossdock_api::ConfigMap) -> Result<JsonConverter, ConfigError> {
    let mut converter = JsonConverter::default();
    Converter::configure(&mut converter, config, Column::Value)?;
    Ok(converter)
}

fn as_json_schema(case: &Case, config: &crossdock_api::ConfigMap) -> Ran {
    let schema = golden::schema(&case.input()["schema"]).unwrap();
    let mut out = Vec::new();
    json_converter(config)?.write_schema(&schema, &mut out)?;
    Ok(Outcome::Bytes(Some(out)))
}

fn as_connect_schema(case: &Case, config: &crossdock_api::ConfigMap) -> Ran {
    Ok(Outcome::Schema(json_converter(config)?.read_schema(case.input()["json"].as_str().unwrap())?))
}

/// Whether the outcome is Java's.
fn is_javas(case: &Case, outcome: &Outcome) -> bool {
    match (case.expected(), outcome) {
        (expected @ Expected::Error { .. }, Outcome::Failed { class, message }) => {
            expected.is_thrown(class, message)
        }
        (Expected::Output(output), Outcome::Configured) => output["ok"].as_bool() == Some(true),
        (Expected::Output(output), Outcome::Bytes(bytes)) => {
            golden::bytes(output).as_deref() == bytes.as_deref()
        }
        (Expected::Output(output), Outcome::Data(schema, value)) => {
            let expected = golden::schema(&output["schema"]);
            *schema == expected && golden::same(&golden::value(&output["value"], expected.as_ref()), value)
        }
        (Expected::Output(output), Outcome::Schema(schema)) => *schema == golden::schema(output),
        (Expected::Output(output), Outcome::Depth(depth)) => output["depth"].as_u64() == Some(*depth),
        _ => false,
    }
}

/// What is known not to be as in Java yet, or on purpose.
fn known_gap(case: &Case) -> Option<&'static str> {
    if case.member("config").as_object().is_some_and(|config| config.values().any(|v| v.is_null())) {
        return Some("a value in a configuration is text, never null");
    }
    None
}

/// Runs a case in both modes; `None` if nothing of ours does what it asks for.
pub(crate) fn run(case: &Case) -> Option<Verdict> {
    if !OPS.contains(&case.op()) {
        return None;
    }
    let gap = known_gap(case);
    let strict = outcome_of(case, true);
    Some(match (is_javas(case, &strict), gap) {
        (true, None) => safe_mode(case),
        (true, Some(_)) => Verdict::Passed,
        (false, Some(gap)) => Verdict::KnownGap(gap),
        (false, None) => Verdict::Failed(format!("{strict:?}")),
    })
}

/// The safe mode may refuse what Java takes, but must not make another value of it.
fn safe_mode(case: &Case) -> Verdict {
    let outcome = outcome_of(case, false);
    let fails_in_java = matches!(case.expected(), Expected::Error { .. });
    match &outcome {
        _ if is_javas(case, &outcome) => Verdict::Passed,
        // The safe mode says more.
        Outcome::Failed { .. } if fails_in_java => Verdict::Passed,
        Outcome::Failed { .. } => Verdict::Deviates("a converter refuses what Connect loses or corrupts"),
        _ => better_than_java(case, &outcome)
            .map_or_else(|| Verdict::Failed(format!("in safe mode: {outcome:?}")), Verdict::Deviates),
    }
}

/// Where another value than Java's is right.
fn better_than_java(case: &Case, outcome: &Outcome) -> Option<&'static str> {
    match (case.expected(), outcome) {
        (Expected::Error { message: Some("Invalid default value"), .. }, _) => {
            Some("a struct may be a default value")
        }
        (Expected::Output(output), Outcome::Bytes(Some(ours))) if has_fewer_digits(case, output, ours) => {
            Some("as few digits as name the number (Java 19 and later)")
        }
        (_, Outcome::Data(_, value)) if format!("{value:?}").contains("-0.0") => Some("zero keeps its sign"),
        (_, Outcome::Data(_, Value::String(text))) if case.input()["str"].as_str() == Some(text.as_str()) => {
            Some("text of which only the beginning looks like a value is not cut off")
        }
        (_, Outcome::Data(_, Value::String(text))) if case.class() == "SimpleHeaderConverter" => {
            (golden::bytes(case.input()).as_deref() == Some(text.as_bytes()))
                .then_some("a header that is no value is the whole text")
        }
        (_, Outcome::Data(_, Value::Bytes(bytes))) if case.class() == "SimpleHeaderConverter" => {
            (golden::bytes(case.input()).as_ref() == Some(bytes)).then_some("binary headers stay binary")
        }
        _ => None,
    }
}

/// Whether ours is Java's text, with the digits of newer Javas for the floating-point number.
fn has_fewer_digits(case: &Case, output: &serde_json::Value, ours: &[u8]) -> bool {
    let value = golden::value(&case.input()["value"], None);
    if !matches!(value, Value::Float32(_) | Value::Float64(_)) {
        return false;
    }
    let digits = |strictness| {
        let mut text = Vec::new();
        java_text::append_value_as(&mut text, value.as_ref(), strictness);
        String::from_utf8(text).unwrap()
    };
    let java = golden::bytes(output).and_then(|bytes| String::from_utf8(bytes.to_vec()).ok());
    java.is_some_and(|java| {
        java.replace(&digits(Strictness::AsConnect), &digits(Strictness::Safe)).as_bytes() == ours
    })
}
