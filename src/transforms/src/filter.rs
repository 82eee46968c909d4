//! `Filter`: drops every record that it is applied to.

use crate::definition::Transformation;
use crossdock_api::Strictness;
use crossdock_api::{Column, ConfigDef, ConfigError, ConnectError, Outcome, ParsedConfig, RecordMut};

pub(crate) struct Filter;

impl Transformation for Filter {
    const NAME: &'static str = "Filter";
    const OVERVIEW: &'static str = "Drops all records. Give it a predicate to drop only those that match.";

    fn keys() -> ConfigDef {
        ConfigDef::new()
    }

    fn new(_: &ParsedConfig, _: Strictness) -> Result<Self, ConfigError> {
        Ok(Self)
    }

    fn apply(&mut self, _: RecordMut<'_>, _: Column) -> Result<Outcome, ConnectError> {
        Ok(Outcome::Drop)
    }
}
