//! `DropHeaders`: removes headers by name.

use crate::definition::Transformation;
use crossdock_api::Strictness;
use crossdock_api::config::{ConfigKey, Importance, Validator};
use crossdock_api::{Column, ConfigDef, ConfigError, ConnectError, Outcome, ParsedConfig, RecordMut};

pub(crate) struct DropHeaders {
    names: Vec<String>,
}

impl Transformation for DropHeaders {
    const NAME: &'static str = "DropHeaders";
    const OVERVIEW: &'static str = "Removes all headers with one of the given names.";

    fn keys() -> ConfigDef {
        ConfigDef::new().define(
            ConfigKey::list("headers")
                .validator(Validator::Items { may_be_empty: false })
                .importance(Importance::High)
                .doc("Names of the headers that are removed."),
        )
    }

    fn new(config: &ParsedConfig, _: Strictness) -> Result<Self, ConfigError> {
        Ok(Self { names: config.list("headers")?.to_vec() })
    }

    fn apply(&mut self, mut record: RecordMut<'_>, _: Column) -> Result<Outcome, ConnectError> {
        record.retain_headers(|name| !self.names.iter().any(|dropped| dropped.as_bytes() == name));
        Ok(Outcome::Keep)
    }
}
