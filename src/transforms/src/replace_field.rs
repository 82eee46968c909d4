//! `ReplaceField`: leaves out fields and renames them.

use crate::definition::Transformation;
use crate::fields::{Defaults, Names, REPLACE_NULL, StructSchema, replace_null_key};
use crate::require;
use crate::schema_cache::SchemaCache;
use crossdock_api::Strictness;
use crossdock_api::config::{ConfigKey, Importance, Setting, Validator};
use crossdock_api::{
    Column, ConfigDef, ConfigError, ConnectError, Exception, Map, Outcome, ParsedConfig, RecordMut, Schema,
    Text, Value,
};
use std::sync::Arc;

const PAIRS: &str = "list of colon-delimited pairs, e.g. <code>foo:bar,abc:xyz</code>";
const PURPOSE: &str = "field replacement";

pub(crate) struct ReplaceField {
    rules: Rules,
    schemas: SchemaCache<Plan>,
}

/// Which fields stay, and how they are called then.
struct Rules {
    exclude: Names,
    include: Names,
    renames: Vec<(String, Text)>,
    replace_null: bool,
    strictness: Strictness,
}

/// The new schema, and for each of its fields where its value is in the old struct.
struct Plan {
    schema: Arc<Schema>,
    places: Vec<usize>,
    defaults: Defaults,
}

impl Transformation for ReplaceField {
    const NAME: &'static str = "ReplaceField";
    const OVERVIEW: &'static str =
        "Leaves out or renames fields of a struct, or without a schema of a map. Null stays null.";

    fn keys() -> ConfigDef {
        let list = |key: &str, doc: &str| {
            ConfigKey::list(key)
                .default("")
                .validator(Validator::Items { may_be_empty: true })
                .importance(Importance::Medium)
                .doc(doc)
        };
        ConfigDef::new()
            .define(list("exclude", "Fields that are left out, even if they are in include."))
            .define(list("include", "The only fields that stay; all if it is empty."))
            .define(
                ConfigKey::list("renames")
                    .default("")
                    .validator(Validator::Described(PAIRS, |_, setting| match setting {
                        Setting::List(mappings) => parse_renames(mappings).map(drop),
                        _ => Ok(()),
                    }))
                    .importance(Importance::Medium)
                    .doc("New names of fields, as old:new pairs separated by commas."),
            )
            .define(replace_null_key())
    }

    fn new(config: &ParsedConfig, strictness: Strictness) -> Result<Self, ConfigError> {
        let set = |key: &str| Ok::<_, ConfigError>(Names::of(config.list(key)?));
        let rules = Rules {
            exclude: set("exclude")?,
            include: set("include")?,
            renames: parse_renames(config.list("renames")?)?,
            replace_null: config.boolean(REPLACE_NULL)?,
            strictness,
        };
        Ok(Self { rules, schemas: SchemaCache::default() })
    }

    fn apply(&mut self, mut record: RecordMut<'_>, column: Column) -> Result<Outcome, ConnectError> {
        let source = record.as_ref();
        if source.datum(column).is_null() {
            return Ok(Outcome::Keep);
        }
        if source.schema(column).is_none() {
            self.rules.check_map(require::map(source.datum(column), PURPOSE)?)?;
            self.rules.replace_in_map(require::map_mut(record.owned_mut(column), PURPOSE)?);
            return Ok(Outcome::Keep);
        }
        let value = require::structure(source.datum(column), PURPOSE)?;
        let rules = &self.rules;
        let plan = self.schemas.get(value.schema(), |schema| rules.plan(schema))?;
        if let Some(Value::Struct(value)) = record.owned_mut(column) {
            value.become_of(Arc::clone(&plan.schema), |values| {
                plan.defaults.fill(values);
                plan.pick(values);
            })?;
        }
        record.set_schema(column, Some(&plan.schema));
        Ok(Outcome::Keep)
    }
}

/// Reads old:new pairs; of one old name the last pair counts. As in Java, empty parts at the end are none.
fn parse_renames(mappings: &[String]) -> Result<Vec<(String, Text)>, ConfigError> {
    let mut renames: Vec<(String, Text)> = Vec::new();
    for mapping in mappings {
        match mapping.trim_end_matches(':').split(':').collect::<Vec<_>>()[..] {
            [old, new] => {
                renames.retain(|(known, _)| known != old);
                renames.push((old.to_owned(), Text::from(new)));
            }
            _ => {
                let shown = format!("[{}]", mappings.join(", "));
                let reason = format!("Invalid rename mapping: {mapping}");
                return Err(ConfigError::invalid("renames", &shown, reason));
            }
        }
    }
    Ok(renames)
}

impl Rules {
    fn stays(&self, name: &[u8]) -> bool {
        !self.exclude.contains(name) && (self.include.is_empty() || self.include.contains(name))
    }

    fn renamed(&self, name: &[u8]) -> Option<&Text> {
        self.renames.iter().find(|(old, _)| old.as_bytes() == name).map(|(_, new)| new)
    }

    fn plan(&self, schema: &Schema) -> Result<Plan, ConnectError> {
        let mut made = StructSchema::like(schema);
        let mut places = Vec::new();
        for (at, field) in schema.fields().iter().enumerate() {
            if self.stays(field.name.as_bytes()) {
                let name = self.renamed(field.name.as_bytes()).map_or(&*field.name, Text::as_str);
                made.add(name, Arc::clone(&field.schema))?;
                places.push(self.source_of(name, at, schema)?);
            }
        }
        let defaults = Defaults::of(schema, self.replace_null);
        Ok(Plan { schema: Arc::new(made.build()), places, defaults })
    }

    /// Where the value of the new field `name` comes from. Connect goes by the renames backwards, also for a
    /// field that had this name before: then it takes the value of another field, or finds none.
    fn source_of(&self, name: &str, at: usize, schema: &Schema) -> Result<usize, ConnectError> {
        let renamed_from = self.renames.iter().rev().find(|(_, new)| new.as_str() == name);
        match (self.strictness, renamed_from) {
            (Strictness::AsConnect, Some((old, _))) => schema
                .field_index(old)
                .ok_or_else(|| ConnectError::bad_record(format!("{old} is not a valid field name"))),
            _ => Ok(at),
        }
    }

    /// Whether a map can be handled: its keys are strings, and no field takes the place of another.
    fn check_map(&self, map: &Map) -> Result<(), ConnectError> {
        for key in map.keys() {
            if !matches!(key, Value::String(_) | Value::Null) {
                let found = key.as_ref().java_class();
                let message =
                    format!("{found} cannot be cast to java.lang.String: keys of maps must be text");
                return Err(ConnectError::bad_record(message).with_exception(Exception::ClassCast));
            }
        }
        if self.strictness == Strictness::AsConnect {
            return Ok(());
        }
        for (place, (old, new)) in self.renames.iter().enumerate() {
            if !self.stays(old.as_bytes()) || map.get(old).is_none() {
                continue;
            }
            let stands = |name: &str| self.stays(name.as_bytes()) && map.get(name).is_some();
            let another = stands(new.as_str()) && self.renamed(new.as_bytes()).is_none();
            let both = self.renames[..place].iter().find(|(other, name)| name == new && stands(other));
            if another || both.is_some() {
                return Err(ConnectError::bad_record(format!(
                    "Renaming field {old} to {new} would replace another field of that name; exclude one of the \
                     two, or set crossdock.compatibility=strict to lose one of them as Kafka Connect does"
                )));
            }
        }
        Ok(())
    }

    fn replace_in_map(&self, map: &mut Map) {
        let entries = std::mem::take(map).into_entries().filter_map(|(key, value)| {
            let Value::String(name) = key else { return self.include.is_empty().then_some((key, value)) };
            let new = self.renamed(name.as_bytes());
            self.stays(name.as_bytes()).then(|| (Value::String(new.cloned().unwrap_or(name)), value))
        });
        *map = Map::from_entries(entries.collect());
    }
}

impl Plan {
    /// Turns the old values into the new ones.
    fn pick(&self, values: &mut Vec<Value>) {
        let in_order = self.places.is_sorted_by(|a, b| a < b);
        if !in_order {
            *values = self.places.iter().map(|at| values.get(*at).cloned().unwrap_or_default()).collect();
            return;
        }
        for (to, from) in self.places.iter().enumerate() {
            if to != *from && *from < values.len() {
                values.swap(to, *from);
            }
        }
        values.truncate(self.places.len());
    }
}
