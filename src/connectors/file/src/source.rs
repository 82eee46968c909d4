//! The source connector and its settings.

use crate::VERSION;
use crate::lines::InvalidUtf8;
use crate::source_task::FileSourceTask;
use crossdock_api::config::{ConfigDef, ConfigKey, ConfigMap, Importance, Validator};
use crossdock_api::source::Connector;
use crossdock_api::{
    ConfigError, ConnectError, ConnectorContext, Map, SourceConnector, SourceTask, Value, async_trait,
};

pub(crate) const FILE: &str = "file";
const TOPIC: &str = "topic";
const BATCH_SIZE: &str = "batch.size";
const INVALID_UTF8: &str = "crossdock.invalid.utf8";
const MAX_LINE_BYTES: &str = "crossdock.max.line.bytes";

pub(crate) const FILENAME_FIELD: &str = "filename";
pub(crate) const POSITION_FIELD: &str = "position";

/// Reads the lines of a file, and follows it as it grows. Mirrors
/// `org.apache.kafka.connect.file.FileStreamSourceConnector`, with positions in bytes (Java counts
/// characters, and so resumes at the wrong place if some need several bytes).
#[derive(Debug, Default)]
pub struct FileStreamSourceConnector {
    config: ConfigMap,
}

/// The settings of the source, parsed.
#[derive(Debug, Clone)]
pub(crate) struct SourceSettings {
    /// `None` is standard input.
    pub(crate) file: Option<String>,
    pub(crate) topic: String,
    /// Records a poll, if the user wants a bound.
    pub(crate) batch_size: Option<usize>,
    pub(crate) invalid: InvalidUtf8,
    pub(crate) max_line: usize,
}

fn config_def() -> ConfigDef {
    ConfigDef::new()
        .define(
            ConfigKey::string(FILE)
                .default_null()
                .importance(Importance::High)
                .doc("Source filename. If not specified, the standard input will be used"),
        )
        .define(
            ConfigKey::string(TOPIC)
                .validator(Validator::NonEmpty)
                .importance(Importance::High)
                .doc("The topic to publish data to"),
        )
        .define(ConfigKey::int(BATCH_SIZE).default("2000").importance(Importance::Low).doc(
            "The maximum number of records the source task can read from the file each time it is polled. \
             If it is not set, a poll takes up to 8192 records or about half a megabyte, whichever is \
             less.",
        ))
        .define(
            ConfigKey::string(INVALID_UTF8)
                .default("fail")
                .validator(Validator::OneOf(&["fail", "replace", "bytes"]))
                .importance(Importance::Low)
                .doc(
                    "What to do with a line that is not UTF-8: 'fail' ends the task there and says where; \
                     'replace' puts U+FFFD in place of malformed bytes, as Kafka Connect does, and so \
                     loses them; 'bytes' sends every line as bytes, which needs ByteArrayConverter.",
                ),
        )
        .define(
            ConfigKey::int(MAX_LINE_BYTES)
                .default("67108864")
                .validator(Validator::AtLeast(1024))
                .importance(Importance::Low)
                .doc("The longest line in bytes, from 1024 to 2147483647; the task fails at a longer one."),
        )
}

impl SourceSettings {
    pub(crate) fn parse(config: &ConfigMap) -> Result<Self, ConfigError> {
        let parsed = config_def().parse(config)?;
        let batch_size = parsed.int(BATCH_SIZE)?;
        Ok(Self {
            file: parsed.string_opt(FILE)?.filter(|f| !f.is_empty()).map(str::to_owned),
            topic: parsed.string(TOPIC)?.to_owned(),
            // As in Java, where a size below one still gives one record.
            batch_size: config
                .contains_key(BATCH_SIZE)
                .then(|| usize::try_from(batch_size).unwrap_or(1).max(1)),
            invalid: match parsed.string(INVALID_UTF8)? {
                "bytes" => InvalidUtf8::Bytes,
                "replace" => InvalidUtf8::Replace,
                _ => InvalidUtf8::Fail,
            },
            max_line: usize::try_from(parsed.int(MAX_LINE_BYTES)?).unwrap_or(1024),
        })
    }
}

#[async_trait]
impl Connector for FileStreamSourceConnector {
    fn version(&self) -> &str {
        VERSION
    }

    fn config_def(&self) -> ConfigDef {
        config_def()
    }

    async fn start(&mut self, context: ConnectorContext, config: &ConfigMap) -> Result<(), ConnectError> {
        let settings = SourceSettings::parse(config)?;
        tracing::info!(
            connector = context.connector_name(),
            "starting file source connector reading from {}",
            settings.file.as_deref().unwrap_or("standard input")
        );
        self.config = config.clone();
        Ok(())
    }

    /// One task: lines have an order.
    async fn task_configs(&mut self, _max_tasks: usize) -> Result<Vec<ConfigMap>, ConnectError> {
        Ok(vec![self.config.clone()])
    }
}

#[async_trait]
impl SourceConnector for FileStreamSourceConnector {
    fn task(&self) -> Box<dyn SourceTask> {
        Box::<FileSourceTask>::default()
    }

    /// Standard input cannot be read again.
    fn exactly_once_support(&self, config: &ConfigMap) -> Option<bool> {
        Some(config.get(FILE).is_some_and(|file| !file.trim().is_empty()))
    }

    async fn alter_offsets(
        &mut self,
        config: &ConfigMap,
        offsets: &[(Map, Option<Map>)],
    ) -> Result<bool, ConnectError> {
        if SourceSettings::parse(config)?.file.is_none() {
            return Err(ConnectError::config(format!(
                "Offsets cannot be modified if the '{FILE}' configuration is unspecified. This is because \
                 stdin is used for input and offsets are not tracked."
            )));
        }
        for (partition, offset) in offsets {
            // Anything may be deleted, so that garbage can be cleaned up.
            if let Some(offset) = offset {
                check_offset(partition, offset).map_err(ConnectError::config)?;
            }
        }
        Ok(true)
    }
}

/// Whether an offset from an operator can be used; the texts are Connect's.
fn check_offset(partition: &Map, offset: &Map) -> Result<(), String> {
    match offset.get(POSITION_FIELD) {
        None => {
            return Err(format!(
                "Offset objects should either be null or contain the key '{POSITION_FIELD}'"
            ));
        }
        Some(Value::Int64(position)) if *position < 0 => {
            return Err(format!(
                "The value for the '{POSITION_FIELD}' key in the offset should be a non-negative value"
            ));
        }
        Some(Value::Int64(_)) => {}
        Some(_) => {
            return Err(format!(
                "The value for the '{POSITION_FIELD}' key in the offset is expected to be a Long value"
            ));
        }
    }
    if partition.get(FILENAME_FIELD).is_none() {
        return Err(format!("Partition objects should contain the key '{FILENAME_FIELD}'"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{config, connector_context};

    #[test]
    fn settings_are_checked() {
        let message = |pairs| SourceSettings::parse(&config(pairs)).unwrap_err().to_string();
        assert!(message(&[]).contains("\"topic\""));
        assert!(message(&[("topic", "")]).contains("non-empty"));
        assert!(message(&[("topic", "t"), (INVALID_UTF8, "skip")]).contains("fail, replace, bytes"));
        assert!(message(&[("topic", "t"), (MAX_LINE_BYTES, "1")]).contains("at least 1024"));
        let settings = SourceSettings::parse(&config(&[("topic", "t"), ("file", "")])).unwrap();
        assert_eq!((settings.file, settings.batch_size), (None, None));
        let settings = SourceSettings::parse(&config(&[("topic", "t"), (BATCH_SIZE, "0")])).unwrap();
        assert_eq!(settings.batch_size, Some(1));
    }

    #[tokio::test]
    async fn there_is_one_task_with_the_connectors_config() {
        let mut connector = FileStreamSourceConnector::default();
        let given = config(&[("topic", "t"), ("file", "f")]);
        connector.start(connector_context(), &given).await.unwrap();
        assert_eq!(connector.task_configs(8).await.unwrap(), std::slice::from_ref(&given));
        assert_eq!(connector.exactly_once_support(&given), Some(true));
        assert_eq!(connector.exactly_once_support(&config(&[("topic", "t")])), Some(false));
    }

    #[tokio::test]
    async fn altered_offsets_are_checked_in_connects_words() {
        let mut connector = FileStreamSourceConnector::default();
        let file = config(&[("topic", "t"), ("file", "f")]);
        let partition: Map = [(FILENAME_FIELD, Value::string("f"))].into_iter().collect();
        let offset = |value: Value| -> Map { [(POSITION_FIELD, value)].into_iter().collect() };
        let accepted = [(partition.clone(), Some(offset(Value::Int64(3)))), (Map::new(), None)];
        assert!(connector.alter_offsets(&file, &accepted).await.unwrap());
        for (partition, offset, words) in [
            (partition.clone(), Map::new(), "contain the key 'position'"),
            (partition.clone(), offset(Value::Int64(-1)), "non-negative"),
            (partition.clone(), offset(Value::string("3")), "Long value"),
            (Map::new(), offset(Value::Int64(1)), "contain the key 'filename'"),
        ] {
            let error = connector.alter_offsets(&file, &[(partition, Some(offset))]).await.unwrap_err();
            assert!(error.to_string().contains(words), "{error}");
        }
        let error = connector.alter_offsets(&config(&[("topic", "t")]), &[]).await.unwrap_err();
        assert!(error.to_string().contains("stdin"), "{error}");
    }
}
