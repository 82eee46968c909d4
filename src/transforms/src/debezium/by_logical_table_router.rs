//! `ByLogicalTableRouter`: the events of several tables go to one topic, with what tells them apart in the key.

use super::schema_name::Adjustment;
use super::{ENVELOPE, checked, envelope, values_of};
use crate::definition::Transformation;
use crate::fields::{StructSchema, with_basics_of};
use crate::java_pattern::{self, pattern_of, replaced};
use crate::require;
use crossdock_api::config::{ConfigKey, Importance, Setting, Validator};
use crossdock_api::{
    Column, ConfigDef, ConfigError, ConnectError, Exception, Outcome, ParsedConfig, RecordMut, Schema,
    SchemaType, Strictness, Struct, Value, ValueRef,
};
use crossdock_java_regex::{Pattern, Replacement};
use std::sync::Arc;

const PURPOSE: &str = "Updating schema";

pub(crate) struct ByLogicalTableRouter {
    topic: (Pattern, Replacement),
    is_unique: bool,
    key_field: String,
    key_value: Option<(Pattern, Replacement)>,
    adjustment: Adjustment,
    /// New schemas by the new topic, and the old schemas.
    keys: Made,
    events: Made,
}

/// Schemas that were made, the last used last: topic, old and new one.
#[derive(Default)]
struct Made(Vec<(String, Arc<Schema>, Arc<Schema>)>);

impl Made {
    fn get(
        &mut self,
        topic: &str,
        old: &Arc<Schema>,
        make: impl FnOnce() -> Result<Arc<Schema>, ConnectError>,
    ) -> Result<Arc<Schema>, ConnectError> {
        const MOST: usize = 64;
        let found = self.0.iter().find(|(known, schema, _)| known == topic && Arc::ptr_eq(schema, old));
        if let Some((_, _, new)) = found {
            return Ok(Arc::clone(new));
        }
        let new = make()?;
        if self.0.len() >= MOST {
            self.0.remove(0);
        }
        self.0.push((topic.to_owned(), Arc::clone(old), Arc::clone(&new)));
        Ok(new)
    }
}

fn is_filled(setting: &Setting) -> Result<(), String> {
    match setting {
        Setting::String(text) if text.is_empty() => Err("A value is required".to_owned()),
        _ => Ok(()),
    }
}

impl Transformation for ByLogicalTableRouter {
    const PACKAGE: &'static str = super::PACKAGE;
    const NAME: &'static str = "ByLogicalTableRouter";
    const OVERVIEW: &'static str = "Sends the change events of several tables to one topic, and adds to the key \
                                    which table an event is of.";

    fn keys() -> ConfigDef {
        let text = |key: &str, doc: &str| ConfigKey::string(key).importance(Importance::Low).doc(doc);
        ConfigDef::new()
            .define(
                text("topic.regex", "The regular expression that a topic as a whole must match to be changed.")
                    .validator(Validator::Custom(java_pattern::check)),
            )
            .define(
                text("topic.replacement", "What the match is replaced by; $1 stands for a group.")
                    .validator(Validator::Custom(is_filled)),
            )
            .define(
                ConfigKey::boolean("key.enforce.uniqueness")
                    .default("true")
                    .importance(Importance::Low)
                    .doc("Whether a field that tells the tables apart is added to keys."),
            )
            .define(
                text("key.field.name", "The name of that field.").default("__dbz__physicalTableIdentifier"),
            )
            .define(
                text("key.field.regex", "The regular expression that makes its value of the old topic.")
                    .default("")
                    .validator(Validator::Custom(java_pattern::check)),
            )
            .define(
                text("key.field.replacement", "What its match is replaced by; required with key.field.regex.")
                    .default(""),
            )
            .define(
                text(
                    "schema.name.adjustment.mode",
                    "How names of schemas are changed that Avro does not allow: none, avro (to underscores) or \
                     avro_unicode (to codes).",
                )
                .default("none")
                .validator(Validator::OneOfIgnoringCase(&["none", "avro", "avro_unicode"])),
            )
            .define(
                ConfigKey::int("logical.table.cache.size")
                    .default("16")
                    .importance(Importance::Low)
                    .doc("Taken, but without effect: schemas are remembered as they are needed."),
            )
    }

    fn new(config: &ParsedConfig, _: Strictness) -> Result<Self, ConfigError> {
        let key_regex = config.string("key.field.regex")?;
        let key_replacement = config.string("key.field.replacement")?;
        let key_value = match (key_regex, key_replacement) {
            ("", _) => None,
            (_, "") => {
                let reason = "key.field.replacement must be non-empty if key.field.regex is set.";
                return Err(ConfigError::invalid("key.field.replacement", "", reason));
            }
            _ => Some((pattern_of(config, "key.field.regex")?, Replacement::new(key_replacement))),
        };
        let replacement = Replacement::new(config.string("topic.replacement")?);
        Ok(Self {
            topic: (pattern_of(config, "topic.regex")?, replacement),
            is_unique: config.boolean("key.enforce.uniqueness")?,
            key_field: config.string("key.field.name")?.to_owned(),
            key_value,
            adjustment: Adjustment::named(config.string("schema.name.adjustment.mode")?),
            keys: Made::default(),
            events: Made::default(),
        })
    }

    fn apply(&mut self, mut record: RecordMut<'_>, _: Column) -> Result<Outcome, ConnectError> {
        let source = record.as_ref();
        let Some(topic) = replaced(&self.topic.0, source.topic(), &self.topic.1)? else {
            return Ok(Outcome::Keep);
        };
        if topic.is_empty() {
            return Ok(Outcome::Keep);
        }
        let key = match source.key() {
            ValueRef::Null => None,
            key => Some(self.key(require::structure(key, PURPOSE)?, source.topic(), &topic)?),
        };
        let event = match source.value() {
            ValueRef::Null => None,
            _ => envelope(source)?.map(|event| self.event(event, &topic)).transpose()?,
        };
        match key {
            Some((schema, key)) => record.set(Column::Key, Some(&schema), key)?,
            None => record.set(Column::Key, None, Value::Null)?,
        }
        if let Some((schema, event)) = event {
            record.set(Column::Value, Some(&schema), event)?;
        }
        record.set_topic(&topic);
        Ok(Outcome::Keep)
    }
}

impl ByLogicalTableRouter {
    fn key(
        &mut self,
        old: &Struct,
        old_topic: &str,
        topic: &str,
    ) -> Result<(Arc<Schema>, Value), ConnectError> {
        let name = self.adjustment.apply(&format!("{topic}.Key"));
        let field = self.is_unique.then_some(self.key_field.as_str());
        let schema = self.keys.get(topic, old.schema(), || {
            let mut made = like(old.schema(), &name, |_| None)?;
            if let Some(field) = field {
                made.1.add(field, Schema::string().clone())?;
            }
            Ok(finished(made))
        })?;
        let mut values = values_of(old, true);
        if self.is_unique {
            let value = match &self.key_value {
                Some((pattern, replacement)) => replaced(pattern, old_topic, replacement)?,
                None => None,
            };
            values.push(Value::string(value.as_deref().unwrap_or(old_topic)));
        }
        let key = checked(&schema, values)?;
        Ok((schema, key))
    }

    fn event(&mut self, old: &Struct, topic: &str) -> Result<(Arc<Schema>, Value), ConnectError> {
        let adjustment = self.adjustment;
        let schema = self.events.get(topic, old.schema(), || {
            let Some(at) = old.schema().field_index("before") else {
                let message = "the change event has no field before";
                return Err(ConnectError::bad_record(message).with_exception(Exception::NullPointer));
            };
            let row = &old.schema().fields()[at].schema;
            let row = finished(like(row, &adjustment.apply(&format!("{topic}.Value")), |_| None)?);
            let name = adjustment.apply(&format!("{topic}{ENVELOPE}"));
            Ok(finished(like(old.schema(), &name, |name| is_row(name).then(|| Arc::clone(&row)))?))
        })?;
        let mut values = values_of(old, true);
        for (field, value) in schema.fields().iter().zip(&mut values) {
            if is_row(&field.name) && !value.is_null() {
                let row = require::structure(value.as_ref(), PURPOSE)?;
                *value = checked(&field.schema, values_of(row, true))?;
            }
        }
        let event = checked(&schema, values)?;
        Ok((schema, event))
    }
}

fn is_row(name: &str) -> bool {
    name == "before" || name == "after"
}

/// A struct schema with everything of another but the name, and with some of its fields replaced. The first part
/// has what a schema of structs that is being made does not.
fn like(
    old: &Schema,
    name: &str,
    replace: impl Fn(&str) -> Option<Arc<Schema>>,
) -> Result<(Schema, StructSchema), ConnectError> {
    let mut basics = with_basics_of(old, Schema::new(SchemaType::Struct)).with_name(name);
    if old.is_optional() {
        basics = basics.optional();
    }
    let mut made = StructSchema::empty();
    for field in old.fields() {
        made.add(&field.name, replace(&field.name).unwrap_or_else(|| Arc::clone(&field.schema)))?;
    }
    Ok((basics, made))
}

fn finished((basics, made): (Schema, StructSchema)) -> Arc<Schema> {
    let fields = made.build();
    let add =
        |schema: Schema, field: &crossdock_api::Field| schema.field(&field.name, Arc::clone(&field.schema));
    Arc::new(fields.fields().iter().fold(basics, add))
}
