//! Reads golden vectors: cases, schemas and values in their encoding.
//!
//! A file has one JSON object a line: `id`, `op` (what was called), `class`, `config`, `input`, and
//! `output` or `error`. Values are tagged with their Java type: `{"i32":1}`, `{"str":"x"}`,
//! `{"struct":{…}}`. All functions panic at a vector that they cannot read: the file is part of the
//! repository.
#![expect(clippy::expect_used, clippy::panic, reason = "a broken vector must stop the test")]

pub mod record;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crossdock_api::{
    BigDecimal, Bytes, ConfigError, ConfigMap, ConnectError, Map, Schema, SchemaType, Struct, Text, Value,
};
use serde_json::Value as Json;
use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

/// A golden case.
#[derive(Debug)]
pub struct Case(Json);

/// What a case expects.
#[derive(Debug)]
pub enum Expected<'a> {
    /// The call gave this; JSON null if it returned null.
    Output(&'a Json),
    /// The call threw this.
    Error {
        /// Full name of the Java class.
        class: &'a str,
        /// Message, if it has one.
        message: Option<&'a str>,
    },
}

/// The folder of the vectors: `$CROSSDOCK_GOLDEN`, else the one of this crate.
pub fn folder() -> PathBuf {
    match std::env::var_os("CROSSDOCK_GOLDEN") {
        Some(folder) if !folder.is_empty() => folder.into(),
        _ => Path::new(env!("CARGO_MANIFEST_DIR")).join("golden"),
    }
}

/// The cases of a file, one a line. Blank lines are none; a line that is not JSON is an error with its number.
pub fn cases(path: &Path) -> io::Result<Vec<Case>> {
    let text = fs::read_to_string(path)?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let case = |(at, line)| match serde_json::from_str(line) {
        Ok(case) => Ok(Case(case)),
        Err(error) => Err(io::Error::new(io::ErrorKind::InvalidData, format!("line {}: {error}", at + 1))),
    };
    lines.map(case).collect()
}

impl Case {
    /// `<area>/<op>/<number>`.
    pub fn id(&self) -> &str {
        self.text("id")
    }

    /// What was called.
    pub fn op(&self) -> &str {
        self.text("op")
    }

    /// The Java class under test, without its package.
    pub fn class(&self) -> &str {
        self.text("class").rsplit('.').next().unwrap_or_default()
    }

    /// The full name of the Java class under test.
    pub fn full_class(&self) -> &str {
        self.text("class")
    }

    /// Where a transform or predicate threw: `configure` or `apply`.
    pub fn phase(&self) -> Option<&str> {
        self.0["phase"].as_str()
    }

    /// Whether a transform filtered the record out.
    pub fn is_dropped(&self) -> bool {
        self.0["dropped"] == Json::Bool(true)
    }

    /// Whether a converter was configured for keys.
    pub fn is_key(&self) -> bool {
        self.0["is_key"] == Json::Bool(true)
    }

    /// The config; keys set to null are left out.
    pub fn config(&self) -> ConfigMap {
        let entries = self.0["config"].as_object().into_iter().flatten();
        entries.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
    }

    /// The input.
    pub fn input(&self) -> &Json {
        &self.0["input"]
    }

    /// A member of the case.
    pub fn member(&self, name: &str) -> &Json {
        &self.0[name]
    }

    /// The full name of the Java class of the expected error.
    pub fn error_class(&self) -> Option<&str> {
        self.0["error"]["class"].as_str()
    }

    /// Output or error.
    pub fn expected(&self) -> Expected<'_> {
        match self.0.get("error") {
            Some(error) => Expected::Error {
                class: error["class"].as_str().unwrap_or_default(),
                message: error["message"].as_str(),
            },
            None => Expected::Output(&self.0["output"]),
        }
    }

    fn text(&self, member: &str) -> &str {
        self.0[member].as_str().unwrap_or_default()
    }
}

impl Expected<'_> {
    /// Whether an error is the expected one, by class and message.
    pub fn is_error(&self, error: &ConnectError) -> bool {
        self.is_thrown(error.exception().class_name(), error.message())
    }

    /// Whether a wrong configuration is the expected error.
    pub fn is_config_error(&self, error: &ConfigError) -> bool {
        self.is_thrown(error.exception().class_name(), &error.to_string())
    }

    /// As [`Self::is_error`], by the full name of the class.
    pub fn is_thrown(&self, by_us: &str, message: &str) -> bool {
        matches!(self, Self::Error { class, .. } if *class == by_us) && self.has_message(message)
    }

    /// Whether an error message is the expected one. The JVM's own wording is not compared, and what
    /// Connect leaves open at the end may be filled in.
    pub fn has_message(&self, message: &str) -> bool {
        let Self::Error { class, message: Some(expected) } = self else {
            return matches!(self, Self::Error { .. });
        };
        let by_jvm = [
            "NullPointerException",
            "ClassCastException",
            "IndexOutOfBoundsException",
            "NumberFormatException",
        ];
        if by_jvm.iter().any(|name| class.ends_with(name)) {
            return true;
        }
        // So is what it says about a regular expression.
        if let Some((before, _)) = expected.split_once("Invalid regex: ") {
            return message.starts_with(&format!("{before}Invalid regex: "));
        }
        // And how a record looks as text: it shows what only Connect keeps in it.
        if let Some((before, _)) =
            expected.split_once("SourceRecord{").or_else(|| expected.split_once("SinkRecord{"))
        {
            return message.starts_with(before);
        }
        match expected.split_once('@') {
            Some((before, _)) => message.starts_with(before),
            None if expected.ends_with(": ") => message.starts_with(expected),
            None => message == *expected,
        }
    }
}

/// Bytes: `{"text":…}`, `{"base64":…}` or null.
pub fn bytes(json: &Json) -> Option<Bytes> {
    if let Some(text) = json["text"].as_str() {
        return Some(Bytes::copy_from_slice(text.as_bytes()));
    }
    json["base64"].as_str().map(|text| STANDARD.decode(text).expect("base 64").into())
}

/// A schema; null is none.
pub fn schema(json: &Json) -> Option<Arc<Schema>> {
    static NAMED: LazyLock<HashMap<String, Json>> = LazyLock::new(|| {
        let text = fs::read_to_string(folder().join("schemas.json"));
        let text = text.unwrap_or_else(|_| include_str!("../golden/schemas.json").to_owned());
        serde_json::from_str(&text).expect("schemas.json is an object")
    });
    if json.is_null() {
        return None;
    }
    if let Some(name) = json["ref"].as_str() {
        return schema(NAMED.get(name).unwrap_or_else(|| panic!("no schema {name}")));
    }
    let kind = json["type"].as_str().and_then(SchemaType::from_name).expect("a schema has a type");
    let inner = |member: &str| schema(&json[member]);
    let mut made = match kind {
        SchemaType::Array => Schema::inferred(kind, None, inner("items")),
        SchemaType::Map => Schema::inferred(kind, inner("keys"), inner("values")),
        SchemaType::Struct => {
            json["fields"].as_array().into_iter().flatten().fold(Schema::new(kind), |made, field| {
                let name = field["name"].as_str().expect("a field has a name");
                made.field(name, schema(&field["schema"]).expect("a field has a schema"))
            })
        }
        primitive => Schema::new(primitive),
    };
    if json["optional"] == Json::Bool(true) {
        made = made.optional();
    }
    if let Some(name) = json["name"].as_str() {
        made = made.with_name(name);
    }
    if let Some(version) = json["version"].as_i64() {
        made = made.with_version(i32::try_from(version).expect("a version"));
    }
    if let Some(doc) = json["doc"].as_str() {
        made = made.with_doc(doc);
    }
    for (key, value) in json["parameters"].as_object().into_iter().flatten() {
        made = made.with_parameter(key, value.as_str().expect("a parameter"));
    }
    match value(&json["default"], Some(&Arc::new(made.clone()))) {
        Value::Null => Some(Arc::new(made)),
        default => Some(Arc::new(made.with_default(default))),
    }
}

/// A value. Structs are of `schema`, unless they give their own.
pub fn value(json: &Json, schema: Option<&Arc<Schema>>) -> Value {
    let Some(object) = json.as_object() else { return Value::Null };
    let (tag, content) = object.iter().next().expect("a value has a tag");
    let number = || match content {
        Json::String(text) => text.clone(),
        other => other.to_string(),
    };
    let int = || number().parse::<i64>().expect("an integer");
    let inner = schema.and_then(|s| s.value_schema());
    match tag.as_str() {
        "i8" => Value::Int8(i8::try_from(int()).expect("i8")),
        "i16" => Value::Int16(i16::try_from(int()).expect("i16")),
        "i32" => Value::Int32(i32::try_from(int()).expect("i32")),
        "i64" => Value::Int64(int()),
        "f32" => Value::Float32(number().parse().expect("f32")),
        "f64" => Value::Float64(number().parse().expect("f64")),
        "bool" => Value::Boolean(content.as_bool().expect("bool")),
        "str" => Value::String(Text::from(content.as_str().expect("str"))),
        "bytes" => Value::Bytes(STANDARD.decode(number()).expect("base 64").into()),
        "decimal" => Value::Decimal(Box::new(number().parse::<BigDecimal>().expect("decimal"))),
        "date_ms" => Value::Date(int()),
        "time_ms" => Value::Time(int()),
        "ts_ms" => Value::Timestamp(int()),
        "list" => Value::Array(content.as_array().expect("list").iter().map(|v| value(v, inner)).collect()),
        "map" => {
            let keys = schema.and_then(|s| s.key_schema());
            let entries = content.as_array().expect("map").iter();
            Value::Map(Map::from_entries(
                entries.map(|e| (value(&e[0], keys), value(&e[1], inner))).collect(),
            ))
        }
        "struct" => structure(content, &object.get("schema").map_or(schema.cloned(), self::schema)),
        other => panic!("unknown tag {other}"),
    }
}

fn structure(content: &Json, schema: &Option<Arc<Schema>>) -> Value {
    let schema = schema.as_ref().expect("a struct has a schema");
    let field = |f: &crossdock_api::Field| value(&content[&*f.name], Some(&f.schema));
    let values = schema.fields().iter().map(field).collect();
    Value::Struct(Box::new(Struct::from_values(Arc::clone(schema), values).expect("a struct")))
}

/// Whether two values are the same in Java's eyes: NaN is NaN, 1.0 is not 1.00, maps have no order.
pub fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Float32(a), Value::Float32(b)) => a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan(),
        (Value::Float64(a), Value::Float64(b)) => a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan(),
        (Value::Decimal(a), Value::Decimal(b)) => a.as_bigint_and_exponent() == b.as_bigint_and_exponent(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Map(a), Value::Map(b)) => {
            a.len() == b.len() && a.iter().all(|(k, v)| b.iter().any(|(bk, bv)| same(k, bk) && same(v, bv)))
        }
        (Value::Struct(a), Value::Struct(b)) => {
            a.schema() == b.schema() && a.values().iter().zip(b.values()).all(|(a, b)| same(a, b))
        }
        // Without a schema that says which, all three are a java.util.Date.
        (
            Value::Date(a) | Value::Time(a) | Value::Timestamp(a),
            Value::Date(b) | Value::Time(b) | Value::Timestamp(b),
        ) => a == b,
        (a, b) => a == b,
    }
}
