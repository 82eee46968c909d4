//! Offsets of sinks: those of the connector's consumer group, seen and changed from outside
//! (`SinkUtils`, `Worker.modifySinkConnectorOffsets`).

use crate::herder::offsets::{ConnectorOffset, ConnectorOffsets};
use crossdock_api::sink::TopicPartition;
use crossdock_client::admin::{Admin, WantedOffsets};
use crossdock_client::{ClientError, ErrorCode};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, HashMap};

const TOPIC: &str = "kafka_topic";
const PARTITION: &str = "kafka_partition";
const OFFSET: &str = "kafka_offset";

/// Offsets by partition; `None` deletes.
pub(crate) type GroupChanges = BTreeMap<TopicPartition, Option<i64>>;

/// The offsets of a sink's consumer group.
pub(crate) struct GroupOffsets {
    pub(crate) admin: Admin,
    pub(crate) group: String,
}

impl GroupOffsets {
    async fn read(&self) -> Result<BTreeMap<TopicPartition, i64>, ClientError> {
        let wanted = WantedOffsets::from([(self.group.clone(), None)]);
        let mut offsets = BTreeMap::new();
        for (_, of_group) in self.admin.list_group_offsets(&wanted).await? {
            let of_group = of_group?;
            if let Some((_, error)) = of_group.failed.into_iter().next() {
                return Err(error);
            }
            for (partition, committed) in of_group.offsets {
                let partition =
                    TopicPartition { topic: partition.topic.clone(), partition: partition.partition };
                offsets.insert(partition, committed.offset);
            }
        }
        Ok(offsets)
    }

    /// All that the group has committed, as the REST API shows it.
    ///
    /// # Errors
    /// What the client says.
    pub(crate) async fn list(&self) -> Result<ConnectorOffsets, ClientError> {
        let shown = |(partition, offset): (TopicPartition, i64)| {
            let fields = |fields: Vec<(&str, Value)>| -> Map<String, Value> {
                fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
            };
            let of = vec![(PARTITION, partition.partition.into()), (TOPIC, (&*partition.topic).into())];
            ConnectorOffset {
                partition: Some(fields(of)),
                offset: Some(fields(vec![(OFFSET, offset.into())])),
            }
        };
        Ok(ConnectorOffsets { offsets: self.read().await?.into_iter().map(shown).collect() })
    }

    /// What deletes all that the group has committed.
    ///
    /// # Errors
    /// What the client says.
    pub(crate) async fn nothing(&self) -> Result<GroupChanges, ClientError> {
        Ok(self.read().await?.into_keys().map(|partition| (partition, None)).collect())
    }

    /// Sets and deletes offsets.
    ///
    /// # Errors
    /// The first that could not be changed; others may have been.
    pub(crate) async fn alter(&self, changes: &GroupChanges) -> Result<(), ClientError> {
        use crossdock_client::OffsetAndMetadata;
        use crossdock_client::TopicPartition as Partition;
        let partition = |p: &TopicPartition| Partition::new(p.topic.clone(), p.partition);
        let set: HashMap<Partition, OffsetAndMetadata> = changes
            .iter()
            .filter_map(|(p, offset)| Some((partition(p), OffsetAndMetadata::new((*offset)?))))
            .collect();
        let deleted: Vec<Partition> =
            changes.iter().filter(|(_, offset)| offset.is_none()).map(|(p, _)| partition(p)).collect();
        if !set.is_empty() {
            for (_, done) in self.admin.alter_group_offsets(&self.group, &set).await? {
                done?;
            }
        }
        if !deleted.is_empty() {
            for (_, done) in self.admin.delete_group_offsets(&self.group, &deleted).await? {
                done?;
            }
        }
        Ok(())
    }

    /// Deletes the group. That it is not there is fine.
    ///
    /// # Errors
    /// What the client says.
    pub(crate) async fn reset(&self) -> Result<(), ClientError> {
        for (_, done) in self.admin.delete_groups(&[&self.group]).await? {
            match done {
                Err(error) if error.code() == Some(ErrorCode::GROUP_ID_NOT_FOUND) => {}
                done => done?,
            }
        }
        Ok(())
    }
}

/// Whether an error means that the group still has members.
pub(crate) fn has_members(error: &ClientError) -> bool {
    let codes =
        [ErrorCode::UNKNOWN_MEMBER_ID, ErrorCode::GROUP_SUBSCRIBED_TO_TOPIC, ErrorCode::NON_EMPTY_GROUP];
    error.code().is_some_and(|code| codes.contains(&code))
}

/// Reads offsets that an operator gave (`SinkUtils.parseSinkConnectorOffsets`); of two of one partition the last counts.
///
/// # Errors
/// What is wrong, in Connect's words.
pub(crate) fn parse(offsets: &[ConnectorOffset]) -> Result<GroupChanges, String> {
    let mut changes = GroupChanges::new();
    for given in offsets {
        let partition = parse_partition(given.partition.as_ref())?;
        changes.insert(partition, parse_offset(given.offset.as_ref())?);
    }
    Ok(changes)
}

fn parse_partition(partition: Option<&Map<String, Value>>) -> Result<TopicPartition, String> {
    let Some(partition) = partition else {
        return Err("The partition for a sink connector offset cannot be null or missing".to_owned());
    };
    let (Some(topic), Some(number)) = (partition.get(TOPIC), partition.get(PARTITION)) else {
        return Err(format!(
            "The partition for a sink connector offset must contain the keys '{TOPIC}' and '{PARTITION}'"
        ));
    };
    if topic.is_null() {
        return Err("Kafka topic names must be valid strings and may not be null".to_owned());
    }
    if number.is_null() {
        return Err("Kafka partitions must be valid numbers and may not be null".to_owned());
    }
    let number = text(number);
    match number.parse() {
        Ok(partition) => Ok(TopicPartition { topic: text(topic).into(), partition }),
        Err(_) => Err(format!(
            "Failed to parse the following Kafka partition value in the provided offsets: '{number}'. Partition values \
             for sink connectors need to be integers."
        )),
    }
}

fn parse_offset(offset: Option<&Map<String, Value>>) -> Result<Option<i64>, String> {
    let Some(offset) = offset else { return Ok(None) };
    let Some(given) = offset.get(OFFSET) else {
        return Err(format!(
            "The offset for a sink connector should either be null or contain the key '{OFFSET}'"
        ));
    };
    let given = text(given);
    given.parse().map(Some).map_err(|_| {
        format!(
            "Failed to parse the following Kafka offset value in the provided offsets: '{given}'. Offset values for sink \
             connectors need to be integers."
        )
    })
}

/// As Java's `String.valueOf`: a text without quotes.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(json: &str) -> Result<GroupChanges, String> {
        parse(&serde_json::from_str::<Vec<ConnectorOffset>>(json).unwrap())
    }

    #[test]
    fn offsets_of_partitions() {
        let changes = parsed(
            r#"[{"partition":{"kafka_topic":"t","kafka_partition":"0"},"offset":{"kafka_offset":"5","x":1}},
                {"partition":{"kafka_topic":7,"kafka_partition":+1},"offset":null}]"#
                .replace("+1", "1")
                .as_str(),
        )
        .unwrap();
        let shown: Vec<String> = changes.iter().map(|(p, o)| format!("{p} {o:?}")).collect();
        assert_eq!(shown, ["7-1 None", "t-0 Some(5)"]);
    }

    #[test]
    fn mistakes_have_connects_words() {
        for (json, words) in [
            ("[{}]", "cannot be null or missing"),
            (r#"[{"partition":{"kafka_topic":"t"}}]"#, "must contain the keys"),
            (r#"[{"partition":{"kafka_topic":null,"kafka_partition":0}}]"#, "topic names must be valid"),
            (
                r#"[{"partition":{"kafka_topic":"t","kafka_partition":null}}]"#,
                "partitions must be valid numbers",
            ),
            (
                r#"[{"partition":{"kafka_topic":"t","kafka_partition":"x"}}]"#,
                "provided offsets: 'x'. Partition",
            ),
            (
                r#"[{"partition":{"kafka_topic":"t","kafka_partition":0},"offset":{}}]"#,
                "either be null or contain the key 'kafka_offset'",
            ),
            (
                r#"[{"partition":{"kafka_topic":"t","kafka_partition":0},"offset":{"kafka_offset":1.5}}]"#,
                "provided offsets: '1.5'. Offset",
            ),
        ] {
            let error = parsed(json).unwrap_err();
            assert!(error.contains(words), "{json}: {error}");
        }
    }
}
