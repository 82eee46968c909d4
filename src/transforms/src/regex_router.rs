//! `RegexRouter`: another topic, by a regular expression.

use crate::definition::Transformation;
use crate::java_pattern::{self, pattern_of};
use crossdock_api::Strictness;
use crossdock_api::config::{ConfigKey, Importance, Validator};
use crossdock_api::{Column, ConfigDef, ConfigError, ConnectError, Outcome, ParsedConfig, RecordMut};
use crossdock_java_regex::{Pattern, Replacement};

pub(crate) struct RegexRouter {
    pattern: Pattern,
    replacement: Replacement,
}

impl Transformation for RegexRouter {
    const NAME: &'static str = "RegexRouter";
    const OVERVIEW: &'static str = "Changes the topic of records whose topic as a whole matches a regular \
                                    expression: the first match in it is replaced.";

    fn keys() -> ConfigDef {
        ConfigDef::new()
            .define(
                ConfigKey::string("regex")
                    .validator(Validator::Custom(java_pattern::check))
                    .importance(Importance::High)
                    .doc("The regular expression, in the syntax of java.util.regex."),
            )
            .define(ConfigKey::string("replacement").importance(Importance::High).doc(
                "What the match is replaced by. $1 and ${name} stand for groups; a backslash makes a $ \
                 after it a plain one.",
            ))
    }

    fn new(config: &ParsedConfig, _: Strictness) -> Result<Self, ConfigError> {
        Ok(Self {
            pattern: pattern_of(config, "regex")?,
            replacement: Replacement::new(config.string("replacement")?),
        })
    }

    fn apply(&mut self, mut record: RecordMut<'_>, _: Column) -> Result<Outcome, ConnectError> {
        let topic = record.as_ref().topic();
        if let Some(topic) = java_pattern::replaced(&self.pattern, topic, &self.replacement)? {
            record.set_topic(&topic);
        }
        Ok(Outcome::Keep)
    }
}
