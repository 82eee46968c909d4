//! Runs a transform on one record.

#![allow(dead_code, reason = "each test binary uses its part")]

use crossdock_api::registry::{Factory, PluginKind};
use crossdock_api::{
    Column, ConnectError, Failures, Map, Plugins, RecordBatch, Schema, SchemaType, Struct, Transform, Value,
};
use std::sync::Arc;

/// What a transform is given.
#[derive(Debug)]
pub(crate) struct Given {
    pub(crate) schema: Option<Arc<Schema>>,
    pub(crate) value: Value,
}

impl Given {
    pub(crate) fn schemaless(value: Value) -> Self {
        Self { schema: None, value }
    }

    pub(crate) fn of(schema: &Arc<Schema>, value: Value) -> Self {
        Self { schema: Some(Arc::clone(schema)), value }
    }

    /// A batch with it as the value of one record.
    pub(crate) fn batch(&self) -> RecordBatch {
        let mut batch = RecordBatch::new();
        let topic = batch.topic("t");
        batch.record(topic).value(self.schema.as_ref(), self.value.clone()).finish().unwrap();
        batch
    }
}

/// A transform by its short name, configured.
pub(crate) fn transform(class: &str, config: &[(&str, &str)]) -> Box<dyn Transform> {
    let mut plugins = Plugins::new();
    crossdock_transforms::register(&mut plugins);
    let plugin = plugins.of_kind(PluginKind::Transform, class).unwrap();
    let Factory::Transform(make) = plugin.factory() else { panic!("{class} is no transform") };
    let mut transform = make();
    transform.configure(&config.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect()).unwrap();
    transform
}

/// The schema and value that a transform makes.
pub(crate) fn run(
    class: &str,
    config: &[(&str, &str)],
    given: &Given,
) -> Result<(Option<Arc<Schema>>, Value), ConnectError> {
    let mut batch = given.batch();
    let mut failures = Failures::new();
    transform(class, config).apply(&mut batch, &[], &mut failures);
    let record = batch.get(0).unwrap();
    let outcome = (record.schema(Column::Value).cloned(), record.value_owned(Column::Value));
    match failures.take().pop() {
        None => Ok(outcome),
        Some((_, error)) => {
            let before = (given.schema.clone(), given.value.clone());
            // As text, where NaN is NaN.
            assert_eq!(format!("{outcome:?}"), format!("{before:?}"), "a failed record must stay as it was");
            Err(error)
        }
    }
}

pub(crate) fn map(entries: &[(&str, Value)]) -> Value {
    Value::Map(entries.iter().map(|(key, value)| (*key, value.clone())).collect::<Map>())
}

pub(crate) fn schema(fields: &[(&str, Schema)]) -> Arc<Schema> {
    let add = |made: Schema, (name, schema): &(&str, Schema)| made.field(name, Arc::new(schema.clone()));
    Arc::new(fields.iter().fold(Schema::new(SchemaType::Struct), add))
}

pub(crate) fn structure(schema: &Arc<Schema>, values: Vec<Value>) -> Value {
    Value::Struct(Box::new(Struct::from_values(Arc::clone(schema), values).unwrap()))
}
