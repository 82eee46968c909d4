//! New schemas from old ones, and fields that are null but have a default.

use crossdock_api::config::{ConfigKey, Importance};
use crossdock_api::{ConnectError, Exception, Schema, SchemaType, Value};
use std::collections::HashSet;
use std::sync::Arc;

/// Name of the key that [`replace_null_key`] defines.
pub(crate) const REPLACE_NULL: &str = "replace.null.with.default";

/// The key by which most transforms are told what a null in a field with a default is.
pub(crate) fn replace_null_key() -> ConfigKey {
    ConfigKey::boolean(REPLACE_NULL).default("true").importance(Importance::Medium).doc(
        "Whether a field that is null and has a default value gets the default. If false, it stays null.",
    )
}

/// A schema of another type with name, version, documentation and parameters of `source`; required, and
/// without a default. Mirrors `SchemaUtil.copySchemaBasics`.
pub(crate) fn with_basics_of(source: &Schema, mut made: Schema) -> Schema {
    if let Some(name) = source.name() {
        made = made.with_name(name);
    }
    if let Some(version) = source.version() {
        made = made.with_version(version);
    }
    if let Some(doc) = source.doc() {
        made = made.with_doc(doc);
    }
    source.parameters().fold(made, |made, (key, value)| made.with_parameter(key, value))
}

/// A struct schema that is being made: its fields have names, and different ones, as `SchemaBuilder` asks.
pub(crate) struct StructSchema {
    made: Schema,
    names: HashSet<String>,
}

impl StructSchema {
    /// With name, version, documentation and parameters of `source`.
    pub(crate) fn like(source: &Schema) -> Self {
        Self { made: with_basics_of(source, Schema::new(SchemaType::Struct)), names: HashSet::new() }
    }

    /// With nothing.
    pub(crate) fn empty() -> Self {
        Self { made: Schema::new(SchemaType::Struct), names: HashSet::new() }
    }

    /// Adds a field.
    ///
    /// # Errors
    /// An empty name, or one that is there already.
    pub(crate) fn add(&mut self, name: &str, schema: Arc<Schema>) -> Result<(), ConnectError> {
        if name.is_empty() {
            return Err(builder_error("fieldName cannot be null.".to_owned()));
        }
        if !self.names.insert(name.to_owned()) {
            return Err(builder_error(format!(
                "Cannot create field because of field name duplication {name}"
            )));
        }
        let made = std::mem::replace(&mut self.made, Schema::new(SchemaType::Struct));
        self.made = made.field(name, schema);
        Ok(())
    }

    /// The schema.
    pub(crate) fn build(self) -> Schema {
        self.made
    }
}

fn builder_error(message: String) -> ConnectError {
    ConnectError::bad_record(message).with_exception(Exception::SchemaBuilder)
}

/// The fields of a struct that have a default, with their positions.
#[derive(Debug, Default)]
pub(crate) struct Defaults(Vec<(usize, Value)>);

impl Defaults {
    /// The defaults of a schema; none if `replace` is false.
    pub(crate) fn of(schema: &Schema, replace: bool) -> Self {
        let fields = schema.fields().iter().enumerate().filter(|_| replace);
        Self(fields.filter_map(|(at, field)| Some((at, field.schema.default_value()?.clone()))).collect())
    }

    /// Puts them where there is null.
    pub(crate) fn fill(&self, values: &mut [Value]) {
        for (at, default) in &self.0 {
            if let Some(value) = values.get_mut(*at).filter(|value| value.is_null()) {
                *value = default.clone();
            }
        }
    }

    /// The value of a field, or its default if it is null.
    pub(crate) fn value<'v>(&'v self, values: &'v [Value], at: usize) -> &'v Value {
        match values.get(at) {
            Some(Value::Null) | None => {
                self.0.iter().find(|(place, _)| *place == at).map_or(&Value::Null, |(_, default)| default)
            }
            Some(value) => value,
        }
    }
}

/// Names of fields. Few are compared one by one, which is quicker than hashing.
#[derive(Debug)]
pub(crate) struct Names {
    few: Vec<Vec<u8>>,
    many: HashSet<Vec<u8>>,
}

impl Names {
    pub(crate) fn of(names: &[String]) -> Self {
        const FEW: usize = 16;
        let names = names.iter().map(|name| name.clone().into_bytes());
        let many: HashSet<Vec<u8>> = names.clone().collect();
        if many.len() <= FEW {
            Self { few: names.collect(), many: HashSet::new() }
        } else {
            Self { few: Vec::new(), many }
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.few.is_empty() && self.many.is_empty()
    }

    pub(crate) fn contains(&self, name: &[u8]) -> bool {
        self.few.iter().any(|one| one == name) || (!self.many.is_empty() && self.many.contains(name))
    }
}
