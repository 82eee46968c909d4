//! `TimestampRouter`: another topic, by the record's timestamp.

use crate::definition::Transformation;
use crossdock_api::Strictness;
use crossdock_api::config::{ConfigKey, Importance};
use crossdock_api::java_date::{DateFormat, illegal};
use crossdock_api::{Column, ConfigDef, ConfigError, ConnectError, Outcome, ParsedConfig, RecordMut};

const TOPIC: &str = "${topic}";
const TIMESTAMP: &str = "${timestamp}";

pub(crate) struct TimestampRouter {
    topic_format: String,
    /// Without one, the mistake in its pattern: every record ends in it.
    timestamp_format: Result<DateFormat, String>,
}

impl Transformation for TimestampRouter {
    const NAME: &'static str = "TimestampRouter";
    const OVERVIEW: &'static str = "Makes the topic of a record of its old one and of its timestamp.";

    fn keys() -> ConfigDef {
        ConfigDef::new()
            .define(
                ConfigKey::string("topic.format")
                    .default("${topic}-${timestamp}")
                    .importance(Importance::High)
                    .doc("The new topic. ${topic} and ${timestamp} stand for the old one and the timestamp."),
            )
            .define(
                ConfigKey::string("timestamp.format").default("yyyyMMdd").importance(Importance::High).doc(
                    "How the timestamp is written, in the syntax of java.text.SimpleDateFormat, in UTC.",
                ),
            )
    }

    fn new(config: &ParsedConfig, _: Strictness) -> Result<Self, ConfigError> {
        Ok(Self {
            topic_format: config.string("topic.format")?.to_owned(),
            timestamp_format: DateFormat::new(config.string("timestamp.format")?),
        })
    }

    fn apply(&mut self, mut record: RecordMut<'_>, _: Column) -> Result<Outcome, ConnectError> {
        let Some(timestamp) = record.as_ref().timestamp() else {
            return Err(ConnectError::bad_record(format!(
                "Timestamp missing on record: topic='{}', kafkaPartition={}",
                record.as_ref().topic(),
                record.as_ref().partition().map_or_else(|| "null".to_owned(), |p| p.to_string()),
            )));
        };
        let format = self.timestamp_format.as_ref().map_err(|error| illegal(error))?;
        let with_topic = self.topic_format.replace(TOPIC, record.as_ref().topic());
        record.set_topic(&with_topic.replace(TIMESTAMP, &format.format(timestamp)));
        Ok(Outcome::Keep)
    }
}
