//! `ExtractNewRecordState`: the row that a change event is about takes the place of the event.

use super::field_reference::FieldReference;
use super::{checked, envelope, values_of};
use crate::definition::Transformation;
use crate::fields::{REPLACE_NULL, StructSchema};
use crate::require;
use crate::schema_cache::SchemaCache;
use crossdock_api::config::{ConfigKey, Importance, Validator};
use crossdock_api::{
    Column, ConfigDef, ConfigError, ConnectError, Exception, Outcome, ParsedConfig, RecordMut, RecordRef,
    Schema, SchemaType, Strictness, Struct, Text, Value,
};
use std::sync::Arc;

const PURPOSE: &str = "source field insertion";
const DELETED: &str = "__deleted";

/// What becomes of deletions, and of the tombstones that follow them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deletes {
    /// Both go.
    Drop,
    /// The event becomes a tombstone, and the tombstone goes.
    Tombstone,
    /// As `Tombstone`, but the tombstone has no schema.
    DeleteToTombstone,
    /// The event becomes the old row with a mark, and the tombstone goes.
    Rewrite,
    /// The event becomes the old row with a mark, and the tombstone stays.
    RewriteWithTombstone,
}

const MODES: [(&str, Deletes); 5] = [
    ("drop", Deletes::Drop),
    ("tombstone", Deletes::Tombstone),
    ("rewrite", Deletes::Rewrite),
    ("rewrite-with-tombstone", Deletes::RewriteWithTombstone),
    ("delete-to-tombstone", Deletes::DeleteToTombstone),
];

/// The two rows of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    After,
    Before,
}

/// What a record becomes. It is made in full before the record is changed.
struct Unwrapped {
    topic: Option<String>,
    key: Option<(Arc<Schema>, Value)>,
    schema: Option<Arc<Schema>>,
    value: Value,
}

type Header = (Text, Option<Arc<Schema>>, Value);

pub(crate) struct ExtractNewRecordState {
    deletes: Deletes,
    headers: Vec<FieldReference>,
    fields: Vec<FieldReference>,
    route_by: String,
    drop_header: String,
    drop_from_key: bool,
    keep_compatible: bool,
    replace_null: bool,
    /// Schemas of rows by that of the event.
    after: SchemaCache<Arc<Schema>>,
    before: SchemaCache<Arc<Schema>>,
}

impl Transformation for ExtractNewRecordState {
    const PACKAGE: &'static str = super::PACKAGE;
    const NAME: &'static str = "ExtractNewRecordState";
    const OVERVIEW: &'static str = "Puts the row that a change event of Debezium is about in the place of the \
                                    event. Records that are no change events stay as they are.";

    fn keys() -> ConfigDef {
        let text = |key: &str, default: &str, doc: &str| {
            ConfigKey::string(key).default(default).importance(Importance::Medium).doc(doc)
        };
        let flag = |key: &str, default: &str, doc: &str| {
            ConfigKey::boolean(key).default(default).importance(Importance::Medium).doc(doc)
        };
        ConfigDef::new()
            .define(
                text(
                    "delete.tombstone.handling.mode",
                    "tombstone",
                    "What becomes of deletions and of the tombstones after them. drop: both go. tombstone and \
                     delete-to-tombstone: the deletion becomes the tombstone. rewrite: the deletion becomes the \
                     old row with __deleted, and the tombstone goes. rewrite-with-tombstone: the tombstone stays.",
                )
                .validator(Validator::OneOfIgnoringCase(&[
                    "drop",
                    "tombstone",
                    "rewrite",
                    "rewrite-with-tombstone",
                    "delete-to-tombstone",
                ])),
            )
            .define(text("route.by.field", "", "The field of the row whose text becomes the topic."))
            .define(text("add.fields.prefix", "__", "What the names of added fields begin with."))
            .define(text(
                "add.fields",
                "",
                "What of the event is added to the row: names such as op, lsn or source.ts_ms, separated by \
                 commas, each with another name after a colon if wanted.",
            ))
            .define(text("add.headers.prefix", "__", "What the names of added headers begin with."))
            .define(text("add.headers", "", "What of the event is added as headers, as in add.fields."))
            .define(text(
                "drop.fields.header.name",
                "",
                "The header with a list of the fields that are left out of the row.",
            ))
            .define(flag("drop.fields.from.key", "false", "Whether they are left out of the key too."))
            .define(flag(
                "drop.fields.keep.schema.compatible",
                "true",
                "Whether only those are left out that are optional.",
            ))
            .define(flag(
                REPLACE_NULL,
                "true",
                "Whether null in a field with a default becomes the default when a row is rewritten.",
            ))
    }

    fn new(config: &ParsedConfig, _: Strictness) -> Result<Self, ConfigError> {
        let mode = config.string("delete.tombstone.handling.mode")?;
        let deletes = MODES.iter().find(|(name, _)| mode.eq_ignore_ascii_case(name));
        let references = |key: &str| {
            let prefix = config.string(&format!("{key}.prefix"))?;
            FieldReference::list(prefix, config.string(key)?)
        };
        Ok(Self {
            // The validator lets no other pass.
            deletes: deletes.map_or(Deletes::Tombstone, |(_, deletes)| *deletes),
            headers: references("add.headers")?,
            fields: references("add.fields")?,
            route_by: config.string("route.by.field")?.to_owned(),
            drop_header: config.string("drop.fields.header.name")?.to_owned(),
            drop_from_key: config.boolean("drop.fields.from.key")?,
            keep_compatible: config.boolean("drop.fields.keep.schema.compatible")?,
            replace_null: config.boolean(REPLACE_NULL)?,
            after: SchemaCache::default(),
            before: SchemaCache::default(),
        })
    }

    fn apply(&mut self, mut record: RecordMut<'_>, _: Column) -> Result<Outcome, ConnectError> {
        let source = record.as_ref();
        if source.value().is_null() {
            if self.deletes != Deletes::RewriteWithTombstone {
                return Ok(Outcome::Drop);
            }
            let operations = self.headers.iter().filter(|header| header.is_operation());
            let headers = operations.map(|header| {
                let schema = Some(Schema::string().clone());
                (Text::from(header.name.as_str()), schema, Value::string("d"))
            });
            add_headers(&mut record, headers.collect())?;
            return Ok(Outcome::Keep);
        }
        let Some(event) = envelope(source)? else { return Ok(Outcome::Keep) };
        let headers = self.headers_of(event)?;
        let Some(unwrapped) = self.unwrap(source, event)? else { return Ok(Outcome::Drop) };
        record.set(Column::Value, unwrapped.schema.as_ref(), unwrapped.value)?;
        if let Some((schema, key)) = unwrapped.key {
            record.set(Column::Key, Some(&schema), key)?;
        }
        if let Some(topic) = unwrapped.topic {
            record.set_topic(&topic);
        }
        add_headers(&mut record, headers)?;
        Ok(Outcome::Keep)
    }
}

fn add_headers(record: &mut RecordMut<'_>, headers: Vec<Header>) -> Result<(), ConnectError> {
    headers
        .into_iter()
        .try_for_each(|(name, schema, value)| record.add_header(name.as_str(), schema.as_ref(), value))
}

impl ExtractNewRecordState {
    fn headers_of(&self, event: &Struct) -> Result<Vec<Header>, ConnectError> {
        let mut headers = Vec::new();
        for header in &self.headers {
            if let Some(schema) = header.schema_in(event.schema())? {
                let name = Text::from(header.name.as_str());
                headers.push((name, Some(Arc::new(schema)), header.value_in(event)));
            }
        }
        Ok(headers)
    }

    /// The row that takes the place of the event; `None` if the record goes.
    fn unwrap(&mut self, record: RecordRef<'_>, event: &Struct) -> Result<Option<Unwrapped>, ConnectError> {
        let after = side(event, Side::After)?;
        let mut unwrapped = Unwrapped { topic: None, key: None, schema: None, value: Value::Null };
        if !after.is_null() {
            (unwrapped.schema, unwrapped.value) = self.row(event, Side::After)?;
            if let Value::Struct(row) = after {
                unwrapped.topic = self.topic_of(row)?;
            }
            self.drop_fields(record, &mut unwrapped)?;
            return Ok(Some(unwrapped));
        }
        let before = side(event, Side::Before)?;
        if before.is_null() {
            // A truncation.
            return Ok(None);
        }
        let schema_of = |name: &str| {
            let at = event.schema().field_index(name)?;
            Some(Arc::clone(&event.schema().fields()[at].schema))
        };
        match self.deletes {
            Deletes::Drop => return Ok(None),
            Deletes::Tombstone => unwrapped.schema = schema_of("after"),
            Deletes::DeleteToTombstone => {}
            Deletes::Rewrite | Deletes::RewriteWithTombstone => {
                (unwrapped.schema, unwrapped.value) = self.row(event, Side::Before)?;
            }
        }
        if let Value::Struct(row) = before {
            unwrapped.topic = self.topic_of(row)?;
        }
        self.drop_fields(record, &mut unwrapped)?;
        Ok(Some(unwrapped))
    }

    /// A row of the event with everything that is added to it.
    fn row(&mut self, event: &Struct, which: Side) -> Result<(Option<Arc<Schema>>, Value), ConnectError> {
        let row = match side(event, which)? {
            Value::Struct(row) => row,
            other => return Err(require::no_struct(other.as_ref(), PURPOSE)),
        };
        let rewrites = matches!(self.deletes, Deletes::Rewrite | Deletes::RewriteWithTombstone);
        let fields = &self.fields;
        let cache = match which {
            Side::After => &mut self.after,
            Side::Before => &mut self.before,
        };
        let schema = cache.get(event.schema(), |event| row_schema(event, row.schema(), rewrites, fields))?;
        let mut values = values_of(row, rewrites && self.replace_null);
        if rewrites {
            values.push(Value::string(if which == Side::Before { "true" } else { "false" }));
        }
        for field in fields {
            if field.schema_in(event.schema())?.is_some() {
                values.push(field.value_in(event));
            }
        }
        let value = checked(schema, values)?;
        Ok((Some(Arc::clone(schema)), value))
    }

    /// The topic that a field of the row names, if one is asked for and it is not blank.
    fn topic_of(&self, row: &Struct) -> Result<Option<String>, ConnectError> {
        if self.route_by.is_empty() {
            return Ok(None);
        }
        let Some(at) = row.schema().field_index(&self.route_by) else {
            return Err(ConnectError::bad_record(format!("{} is not a valid field name", self.route_by)));
        };
        if row.schema().fields()[at].schema.kind() != SchemaType::String {
            return Err(ConnectError::bad_record(format!("Field '{}' is not of type STRING", self.route_by)));
        }
        let topic = row.values()[at].as_ref().as_str();
        Ok(topic.filter(|topic| !topic.trim().is_empty()).map(str::to_owned))
    }

    /// Leaves out the fields that a header names.
    fn drop_fields(&self, record: RecordRef<'_>, unwrapped: &mut Unwrapped) -> Result<(), ConnectError> {
        if self.drop_header.is_empty() {
            return Ok(());
        }
        let Some(header) = record.headers().find(|header| header.name.as_str() == self.drop_header) else {
            return Ok(());
        };
        let names = match header.value.to_owned() {
            Value::Null => return Ok(()),
            Value::Array(names) => names,
            other => {
                let found = other.as_ref().java_class();
                let message = format!("the header {} is no list of fields but a {found}", self.drop_header);
                return Err(ConnectError::bad_record(message).with_exception(Exception::ClassCast));
            }
        };
        let names: Vec<&str> = names.iter().filter_map(|name| name.as_ref().as_str()).collect();
        if names.is_empty() {
            return Ok(());
        }
        if self.drop_from_key && !record.key().is_null() {
            let key = record.value_owned(Column::Key);
            if let Some((schema, key)) = self.without(record.key_schema(), &key, &names)? {
                unwrapped.key = Some((schema, key));
            }
        }
        // A tombstone without a schema has no fields to look at.
        if let Some(schema) = unwrapped.schema.clone()
            && let Some((schema, value)) = self.without(Some(&schema), &unwrapped.value, &names)?
        {
            (unwrapped.schema, unwrapped.value) = (Some(schema), value);
        }
        Ok(())
    }

    /// The struct without those fields; `None` if nothing is to be left out.
    fn without(
        &self,
        schema: Option<&Arc<Schema>>,
        value: &Value,
        names: &[&str],
    ) -> Result<Option<(Arc<Schema>, Value)>, ConnectError> {
        let Some(schema) = schema else {
            let message = "fields cannot be dropped from what has no schema";
            return Err(ConnectError::bad_record(message).with_exception(Exception::NullPointer));
        };
        if self.keep_compatible && schema.kind() != SchemaType::Struct {
            return Err(require::cannot_list_fields());
        }
        let goes = |field: &crossdock_api::Field| {
            names.contains(&&*field.name) && (!self.keep_compatible || field.schema.is_optional())
        };
        if self.keep_compatible && !schema.fields().iter().any(goes) {
            return Ok(None);
        }
        let row = match value {
            Value::Struct(row) => row,
            Value::Null => return Ok(None),
            other => return Err(require::no_struct(other.as_ref(), "field replacement")),
        };
        let mut made = StructSchema::like(row.schema());
        let mut values = Vec::new();
        for (field, value) in row.schema().fields().iter().zip(values_of(row, true)) {
            if !goes(field) {
                made.add(&field.name, Arc::clone(&field.schema))?;
                values.push(value);
            }
        }
        let made = Arc::new(made.build());
        let value = checked(&made, values)?;
        Ok(Some((made, value)))
    }
}

/// One of the rows of an event.
fn side(event: &Struct, side: Side) -> Result<&Value, ConnectError> {
    let name = if side == Side::After { "after" } else { "before" };
    event.get(name).map_err(|_| {
        ConnectError::bad_record(format!("Unknown field: {name}")).with_exception(Exception::IllegalArgument)
    })
}

fn row_schema(
    event: &Schema,
    row: &Schema,
    rewrites: bool,
    fields: &[FieldReference],
) -> Result<Arc<Schema>, ConnectError> {
    let mut made = StructSchema::like(row);
    for field in row.fields() {
        made.add(&field.name, Arc::clone(&field.schema))?;
    }
    if rewrites {
        made.add(DELETED, Schema::optional_string().clone())?;
    }
    for field in fields {
        if let Some(schema) = field.schema_in(event)? {
            made.add(&field.name, Arc::new(schema))?;
        }
    }
    Ok(Arc::new(made.build()))
}
