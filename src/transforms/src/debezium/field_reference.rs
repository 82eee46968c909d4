//! Parts of a change event that are added to the row or to the headers.

use crate::fields::with_basics_of;
use crossdock_api::{ConfigError, ConnectError, Exception, Schema, SchemaType, Struct, Value};

/// One of `add.fields` or `add.headers`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FieldReference {
    /// The struct of the event that has it; `None` is the event itself.
    parent: Option<String>,
    field: String,
    /// Name of the new field or header.
    pub(super) name: String,
}

impl FieldReference {
    /// Reads a list such as `op,source.ts_ms:time`.
    ///
    /// # Errors
    /// More than one colon in an item.
    pub(super) fn list(prefix: &str, text: &str) -> Result<Vec<Self>, ConfigError> {
        if text.is_empty() {
            return Ok(Vec::new());
        }
        text.trim_end_matches(',').split(',').map(|item| Self::parse(prefix, item.trim())).collect()
    }

    fn parse(prefix: &str, item: &str) -> Result<Self, ConfigError> {
        let parts: Vec<&str> = item.trim_end_matches(':').split(':').collect();
        let path: Vec<&str> = parts[0].trim_end_matches('.').split('.').collect();
        let (parent, field) = match path[..] {
            [field] => (parent_of(field), field),
            [parent, field, ..] => (Some(parent), field),
            // Splitting gives at least one part.
            [] => (None, ""),
        };
        let name = match (&parts[..], path.len()) {
            ([_], 1) => field.to_owned(),
            ([_], _) => format!("{}_{field}", parent.unwrap_or_default()),
            ([_, name], _) => (*name).to_owned(),
            _ => return Err(ConfigError::Other(format!("Unexpected field name: {item}"))),
        };
        Ok(Self {
            parent: parent.map(str::to_owned),
            field: field.to_owned(),
            name: format!("{prefix}{name}"),
        })
    }

    /// Whether it is the kind of change.
    pub(super) fn is_operation(&self) -> bool {
        self.field == "op"
    }

    /// The schema of the new field: the one that it has in the event, but optional and without a default;
    /// `None` if the event does not have it.
    ///
    /// # Errors
    /// The struct that it should be in does not exist, or is none.
    pub(super) fn schema_in(&self, event: &Schema) -> Result<Option<Schema>, ConnectError> {
        let parent = match &self.parent {
            None => event,
            Some(name) => match event.field_index(name) {
                Some(at) => &event.fields()[at].schema,
                None => {
                    let message = format!(
                        "The change event has no field {name}, which {} is taken from; correct add.fields or \
                         add.headers",
                        self.field
                    );
                    return Err(ConnectError::bad_record(message).with_exception(Exception::NullPointer));
                }
            },
        };
        if parent.kind() != SchemaType::Struct {
            return Err(ConnectError::bad_record("Cannot look up fields on non-struct type"));
        }
        let found = [parent, event]
            .into_iter()
            .find_map(|schema| schema.field_index(&self.field).map(|at| &schema.fields()[at].schema));
        Ok(found.map(|schema| {
            let made = match schema.kind() {
                SchemaType::Array => {
                    Schema::inferred(SchemaType::Array, None, schema.value_schema().cloned())
                }
                kind => Schema::new(kind),
            };
            with_basics_of(schema, made).optional()
        }))
    }

    /// Its value in an event; null if it is not there.
    pub(super) fn value_in(&self, event: &Struct) -> Value {
        let parent = match &self.parent {
            None => event,
            Some(name) => match event.get_without_default(name) {
                Ok(Value::Struct(parent)) => parent,
                _ => return Value::Null,
            },
        };
        let found = [parent, event].into_iter().find_map(|row| row.get_without_default(&self.field).ok());
        found.cloned().unwrap_or_default()
    }
}

/// Where fields are that are named without their struct.
fn parent_of(field: &str) -> Option<&'static str> {
    match field {
        "id" | "data_collection_order" | "total_order" => Some("transaction"),
        "op" | "ts_ms" | "ts_us" | "ts_ns" => None,
        "updateDescription" => Some("updateDescription"),
        _ => Some("source"),
    }
}
