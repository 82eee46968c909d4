//! Connect's transforms: any bytes are read as a choice of transform, its configuration, and a record.

use crossdock_api::registry::{Factory, Plugin, PluginKind};
use crossdock_api::{
    BigDecimal, Bytes, Column, ConfigDef, ConfigMap, Failures, Map, Plugins, RecordBatch, Schema, SchemaType,
    Struct, Text, Value,
};
use std::sync::{Arc, LazyLock};

static PLUGINS: LazyLock<Vec<Plugin>> = LazyLock::new(|| {
    let mut plugins = Plugins::new();
    crossdock_transforms::register(&mut plugins);
    plugins.iter().filter(|plugin| plugin.kind() == PluginKind::Transform).cloned().collect()
});

const WORDS: [&str; 16] = [
    "a",
    "b",
    "a:b",
    "b:a",
    "a:int8,b:string",
    "int8",
    "string",
    "boolean",
    "300",
    "move",
    "a,b",
    "a.b",
    "V2",
    "false",
    "`a.b`",
    "x!",
];
const NAMES: [&str; 6] = ["a", "b", "a.b", "x", "c", ""];
const MOST_LEVELS: u32 = 200;

/// A transform ends, keeps structs in the shape of their schemas, and leaves a record that it fails as it was.
pub(super) fn transforms(bytes: &[u8]) {
    let mut source = Source { rest: bytes };
    let plugin = &PLUGINS[usize::from(source.byte()) % PLUGINS.len()];
    let Factory::Transform(make) = plugin.factory() else { return };
    let mut transform = make();
    if transform.configure(&source.config(&transform.config_def())).is_err() {
        return;
    }
    let (schema, value) = source.datum(0);
    let before = format!("{schema:?} {value:?}");
    for _ in 0..2 {
        let mut batch = RecordBatch::new();
        let topic = batch.topic("t");
        let column = if plugin.class().ends_with("$Key") { Column::Key } else { Column::Value };
        let record = batch.record(topic);
        let record = match column {
            Column::Key => record.key(schema.as_ref(), value.clone()),
            Column::Value => record.value(schema.as_ref(), value.clone()),
        };
        let Ok(index) = record.header("a", None, "b").timestamp(1).finish() else { return };
        let mut failures = Failures::new();
        transform.apply(&mut batch, &[], &mut failures);
        let Some(after) = batch.get(index) else { continue };
        let (schema, value) = (after.schema(column).cloned(), after.value_owned(column));
        if !failures.is_empty() {
            assert_eq!(format!("{schema:?} {value:?}"), before, "{} failed the record", plugin.class());
        }
        if let Value::Struct(value) = value {
            assert_eq!(value.schema().fields().len(), value.values().len(), "{}", plugin.class());
        }
    }
}

/// The bytes that are left; zeros when there are none.
struct Source<'a> {
    rest: &'a [u8],
}

impl Source<'_> {
    fn byte(&mut self) -> u8 {
        match self.rest.split_first() {
            Some((first, rest)) => {
                self.rest = rest;
                *first
            }
            None => 0,
        }
    }

    fn number(&mut self) -> i64 {
        let mut bytes = [0; 8];
        let len = usize::from(self.byte() % 9);
        bytes[..len].fill_with(|| self.byte());
        i64::from_le_bytes(bytes)
    }

    fn one_of<'w>(&mut self, words: &[&'w str]) -> &'w str {
        words[usize::from(self.byte()) % words.len()]
    }

    fn text(&mut self) -> String {
        let len = usize::from(self.byte() % 8).min(self.rest.len());
        let (text, rest) = self.rest.split_at(len);
        self.rest = rest;
        String::from_utf8_lossy(text).into_owned()
    }

    fn config(&mut self, def: &ConfigDef) -> ConfigMap {
        let mut config = ConfigMap::new();
        for key in def.keys() {
            let value = match self.byte() % 4 {
                0 if !key.is_required() => continue,
                1 => self.text(),
                _ => self.one_of(&WORDS).to_owned(),
            };
            config.insert(key.name().to_owned(), value);
        }
        if self.byte() % 2 == 1 {
            config.insert("crossdock.compatibility".to_owned(), "strict".to_owned());
        }
        config
    }

    /// A value with a schema that it does not always keep to.
    fn datum(&mut self, level: u32) -> (Option<Arc<Schema>>, Value) {
        let kind = self.byte() % 18;
        if kind < 3 && level < MOST_LEVELS {
            return self.nested(kind, level);
        }
        let value = match kind {
            3 => Value::Int8(self.number() as i8),
            4 => Value::Int16(self.number() as i16),
            5 => Value::Int32(self.number() as i32),
            6 => Value::Int64(self.number()),
            7 => Value::Float32(f32::from_bits(self.number() as u32)),
            8 => Value::Float64(f64::from_bits(self.number() as u64)),
            9 => Value::Boolean(self.byte() % 2 == 1),
            10 => Value::String(Text::from(self.text())),
            11 => Value::Bytes(Bytes::from(self.text())),
            12 => Value::Date(self.number()),
            13 => Value::Time(self.number()),
            14 => Value::Timestamp(self.number()),
            15 => {
                Value::Decimal(Box::new(BigDecimal::new(self.number().into(), self.number() as i32 as i64)))
            }
            _ => Value::Null,
        };
        (self.leaf_schema(&value), value)
    }

    fn leaf_schema(&mut self, default: &Value) -> Option<Arc<Schema>> {
        use SchemaType::*;
        const KINDS: [SchemaType; 9] = [Boolean, Bytes, Float32, Float64, Int16, Int32, Int64, Int8, String];
        let flags = self.byte();
        if flags & 1 == 0 {
            return None;
        }
        let mut schema = Schema::new(KINDS[usize::from(flags >> 4) % KINDS.len()]);
        if flags & 2 != 0 {
            schema = schema.optional();
        }
        if flags & 4 != 0 && !default.is_null() {
            schema = schema.with_default(default.clone());
        }
        if flags & 8 != 0 {
            let name = self.one_of(&["Date", "Time", "Timestamp", "Decimal"]);
            schema = schema.with_name(&format!("org.apache.kafka.connect.data.{name}"));
            schema = schema.with_parameter("scale", "2");
        }
        Some(Arc::new(schema))
    }

    fn nested(&mut self, kind: u8, level: u32) -> (Option<Arc<Schema>>, Value) {
        let len = usize::from(self.byte() % 4).min(self.rest.len());
        if kind == 0 {
            return (None, Value::Array((0..len).map(|_| self.datum(level + 1).1).collect()));
        }
        if kind == 1 {
            let entry = |source: &mut Self| {
                let key = source.one_of(&NAMES);
                let key = if key == "c" { Value::Int8(1) } else { Value::string(key) };
                (key, source.datum(level + 1).1)
            };
            return (None, Value::Map(Map::from_entries((0..len).map(|_| entry(self)).collect())));
        }
        let mut schema = Schema::new(SchemaType::Struct);
        let mut values = Vec::new();
        for name in &NAMES[..len] {
            let (of, value) = self.datum(level + 1);
            schema = schema.field(name, of.unwrap_or_else(|| Arc::clone(Schema::optional_string())));
            values.push(value);
        }
        let schema = Arc::new(schema);
        match Struct::from_values(Arc::clone(&schema), values) {
            Ok(value) => (Some(schema), Value::Struct(Box::new(value))),
            Err(_) => (None, Value::Null),
        }
    }
}
