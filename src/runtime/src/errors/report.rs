//! What logs and the headers of dead letters say (`LogReporter`, `ProcessingContext`,
//! `DeadLetterQueueReporter`).

use super::{Failed, Original};
use crate::herder::TaskId;
use crossdock_api::{ConnectError, RecordRef, TopicPartition};
use crossdock_wire::TimestampType;
use std::fmt::Write;

/// What a log says of the record.
pub(super) enum Shown<'a> {
    /// `errors.log.include.messages` is not set.
    Nothing,
    /// A record of a sink.
    Consumed(&'a TopicPartition, &'a Original),
    /// A record of a source: where it is from, and what it was.
    Source(String, &'a str),
}

/// The message of a log, without the error itself.
pub(super) fn message(id: &TaskId, failed: &Failed, shown: &Shown<'_>) -> String {
    let (stage, class) = (failed.stage.name(), &failed.class);
    let mut text = format!("Error encountered in task {id}. Executing stage '{stage}' with class '{class}'");
    // Writing to a String does not fail.
    let _ = match shown {
        Shown::Nothing => Ok(()),
        Shown::Consumed(partition, original) => {
            let kind = match original.timestamp_type {
                TimestampType::CreateTime => "CreateTime",
                TimestampType::LogAppendTime => "LogAppendTime",
            };
            write!(
                text,
                ", where consumed record is {{topic='{}', partition={}, offset={}, timestamp={}, timestampType={kind}}}",
                partition.topic, partition.partition, original.offset, original.timestamp
            )
        }
        Shown::Source(place, record) => {
            write!(text, ", where source record is = SourceRecord{{{place}}} {record}")
        }
    };
    text.push('.');
    text
}

/// A record of a source in the style of `ConnectRecord.toString`.
pub(crate) fn describe(record: RecordRef<'_>) -> String {
    let number = |number: Option<i64>| number.map_or("null".to_owned(), |number| number.to_string());
    format!(
        "ConnectRecord{{topic='{}', kafkaPartition={}, key={:?}, value={:?}, timestamp={}}}",
        record.topic(),
        number(record.partition().map(i64::from)),
        record.key(),
        record.value(),
        number(record.timestamp()),
    )
}

/// The headers that say where and why a record failed, in Connect's order.
pub(super) fn headers(
    id: &TaskId,
    failed: &Failed,
    partition: &TopicPartition,
) -> Vec<(&'static str, String)> {
    let mut headers = vec![
        ("__connect.errors.topic", partition.topic.to_string()),
        ("__connect.errors.partition", partition.partition.to_string()),
        ("__connect.errors.offset", failed.offset.to_string()),
    ];
    headers.extend(common_headers(id, failed));
    headers
}

/// The same for a record of a source, which is in no topic yet: `place` says where in the source it is from.
pub(super) fn source_headers(id: &TaskId, failed: &Failed, place: &str) -> Vec<(&'static str, String)> {
    let mut headers = vec![("__crossdock.errors.source", place.to_owned())];
    headers.extend(common_headers(id, failed));
    headers
}

fn common_headers(id: &TaskId, failed: &Failed) -> [(&'static str, String); 7] {
    [
        ("__connect.errors.connector.name", id.connector.clone()),
        ("__connect.errors.task.id", id.task.to_string()),
        ("__connect.errors.stage", failed.stage.name().to_owned()),
        ("__connect.errors.class.name", failed.class.clone()),
        ("__connect.errors.exception.class.name", failed.error.exception().class_name().to_owned()),
        ("__connect.errors.exception.message", failed.error.message().to_owned()),
        ("__connect.errors.exception.stacktrace", trace(&failed.error)),
    ]
}

/// An error with its causes in the form of a Java stack trace, without the frames that there are not.
pub(super) fn trace(error: &ConnectError) -> String {
    let mut text = line(error);
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.push_str("Caused by: ");
        match error.downcast_ref::<ConnectError>() {
            Some(error) => text.push_str(&line(error)),
            None => {
                text.push_str(&error.to_string());
                text.push('\n');
            }
        }
        cause = error.source();
    }
    text
}

fn line(error: &ConnectError) -> String {
    format!("{}: {}\n", error.exception().class_name(), error.message())
}

#[cfg(test)]
mod tests {
    use super::super::Stage;
    use super::*;

    #[test]
    fn messages_and_headers_are_those_of_connect() {
        let id = TaskId { connector: "c".to_owned(), task: 3 };
        let cause = ConnectError::bad_record("inner");
        let failed = Failed {
            index: 0,
            ordinal: 0,
            offset: 7,
            stage: Stage::ValueConverter,
            part: "value converter".to_owned(),
            class: "org.apache.kafka.connect.json.JsonConverter".to_owned(),
            error: ConnectError::retriable("outer").caused_by(cause),
            text: None,
            captured: None,
        };
        let partition = TopicPartition { topic: "t".into(), partition: 2 };
        let original = Original {
            offset: 7,
            timestamp: 1_700_000_000_001,
            timestamp_type: TimestampType::CreateTime,
            key: None,
            value: None,
            headers: Vec::new(),
        };
        let start = "Error encountered in task c-3. Executing stage 'VALUE_CONVERTER' with class \
                     'org.apache.kafka.connect.json.JsonConverter'";
        assert_eq!(message(&id, &failed, &Shown::Nothing), format!("{start}."));
        let record = ", where consumed record is {topic='t', partition=2, offset=7, timestamp=1700000000001, \
                      timestampType=CreateTime}.";
        assert_eq!(
            message(&id, &failed, &Shown::Consumed(&partition, &original)),
            format!("{start}{record}")
        );
        let headers = headers(&id, &failed, &partition);
        let value = |name: &str| &headers.iter().find(|(key, _)| key.ends_with(name)).unwrap().1;
        assert_eq!(value(".exception.class.name"), "org.apache.kafka.connect.errors.RetriableException");
        assert_eq!(
            value(".stacktrace"),
            "org.apache.kafka.connect.errors.RetriableException: outer\n\
             Caused by: org.apache.kafka.connect.errors.DataException: inner\n"
        );
    }
}
