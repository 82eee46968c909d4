//! `InsertHeader`: adds a header with a fixed value.

use crate::definition::Transformation;
use crossdock_api::Strictness;
use crossdock_api::config::{ConfigKey, Importance, Validator};
use crossdock_api::values::parse_string;
use crossdock_api::{
    Column, ConfigDef, ConfigError, ConnectError, Outcome, ParsedConfig, RecordMut, Schema, Value,
};
use std::sync::Arc;

pub(crate) struct InsertHeader {
    name: String,
    schema: Option<Arc<Schema>>,
    value: Value,
}

impl Transformation for InsertHeader {
    const NAME: &'static str = "InsertHeader";
    const OVERVIEW: &'static str = "Adds a header to each record.";

    fn keys() -> ConfigDef {
        ConfigDef::new()
            .define(
                ConfigKey::string("header")
                    .validator(Validator::NonNull)
                    .importance(Importance::High)
                    .doc("Name of the header."),
            )
            .define(
                ConfigKey::string("value.literal")
                    .validator(Validator::NonNull)
                    .importance(Importance::High)
                    .doc(
                        "Value of the header. Its type is guessed as that of a header in text: 1 is an INT8, \
                 2023-01-01 a Date, [1,2] an array.",
                    ),
            )
    }

    fn new(config: &ParsedConfig, strictness: Strictness) -> Result<Self, ConfigError> {
        let (schema, value) = parse_string(config.string("value.literal")?, strictness);
        Ok(Self { name: config.string("header")?.to_owned(), schema, value })
    }

    fn apply(&mut self, mut record: RecordMut<'_>, _: Column) -> Result<Outcome, ConnectError> {
        record.add_header(&self.name, self.schema.as_ref(), self.value.clone())?;
        Ok(Outcome::Keep)
    }
}
