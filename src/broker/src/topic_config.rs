//! The configs that a topic may have, as `org.apache.kafka.storage.internals.log.LogConfig` names them.
//! Most are accepted and told back without an effect; the broker acts on `cleanup.policy` (keys are
//! required), `max.message.bytes` and `message.timestamp.type`.

use std::collections::BTreeMap;

/// Type of a config in DescribeConfigs (KIP-569).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Boolean = 1,
    String = 2,
    Int = 3,
    Long = 5,
    Double = 6,
    List = 7,
}

/// One config: its name, type and default, and the broker's config of the same meaning.
#[derive(Debug)]
pub(crate) struct Definition {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) default: &'static str,
    pub(crate) broker_name: &'static str,
}

const fn def(name: &'static str, kind: Kind, default: &'static str, broker_name: &'static str) -> Definition {
    Definition { name, kind, default, broker_name }
}

/// All of them, by name.
pub(crate) const DEFINITIONS: &[Definition] = &[
    def("cleanup.policy", Kind::List, "delete", "log.cleanup.policy"),
    def("compression.type", Kind::String, "producer", "compression.type"),
    def("delete.retention.ms", Kind::Long, "86400000", "log.cleaner.delete.retention.ms"),
    def("file.delete.delay.ms", Kind::Long, "60000", "log.segment.delete.delay.ms"),
    def("flush.messages", Kind::Long, "9223372036854775807", "log.flush.interval.messages"),
    def("flush.ms", Kind::Long, "9223372036854775807", "log.flush.interval.ms"),
    def("index.interval.bytes", Kind::Int, "4096", "log.index.interval.bytes"),
    def("max.compaction.lag.ms", Kind::Long, "9223372036854775807", "log.cleaner.max.compaction.lag.ms"),
    def("max.message.bytes", Kind::Int, "1048588", "message.max.bytes"),
    def("message.timestamp.after.max.ms", Kind::Long, "3600000", "log.message.timestamp.after.max.ms"),
    def(
        "message.timestamp.before.max.ms",
        Kind::Long,
        "9223372036854775807",
        "log.message.timestamp.before.max.ms",
    ),
    def("message.timestamp.type", Kind::String, "CreateTime", "log.message.timestamp.type"),
    def("min.cleanable.dirty.ratio", Kind::Double, "0.5", "log.cleaner.min.cleanable.ratio"),
    def("min.compaction.lag.ms", Kind::Long, "0", "log.cleaner.min.compaction.lag.ms"),
    def("min.insync.replicas", Kind::Int, "1", "min.insync.replicas"),
    def("preallocate", Kind::Boolean, "false", "log.preallocate"),
    def("retention.bytes", Kind::Long, "-1", "log.retention.bytes"),
    def("retention.ms", Kind::Long, "604800000", "log.retention.ms"),
    def("segment.bytes", Kind::Int, "1073741824", "log.segment.bytes"),
    def("segment.index.bytes", Kind::Int, "10485760", "log.index.size.max.bytes"),
    def("segment.jitter.ms", Kind::Long, "0", "log.roll.jitter.ms"),
    def("segment.ms", Kind::Long, "604800000", "log.roll.ms"),
    def("unclean.leader.election.enable", Kind::Boolean, "false", "unclean.leader.election.enable"),
];

/// What the broker does differently for a topic.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Effects {
    pub(crate) compacted: bool,
    pub(crate) log_append_time: bool,
    pub(crate) max_message_bytes: usize,
}

impl Effects {
    /// Reads the configs that were checked when the topic was created.
    pub(crate) fn of(configs: &BTreeMap<String, String>) -> Self {
        let value = |name: &str| configs.get(name).map(String::as_str);
        Self {
            compacted: value("cleanup.policy").is_some_and(|v| v.split(',').any(|p| p.trim() == "compact")),
            log_append_time: value("message.timestamp.type") == Some("LogAppendTime"),
            max_message_bytes: value("max.message.bytes").and_then(|v| v.parse().ok()).unwrap_or(1_048_588),
        }
    }
}

/// Checks one config of a new topic; the error is meant for the client.
pub(crate) fn check(name: &str, value: &str) -> Result<(), String> {
    let Some(definition) = DEFINITIONS.iter().find(|definition| definition.name == name) else {
        return Err(format!("Unknown topic config name: {name}"));
    };
    let one_of = |allowed: &[&str], value: &str| allowed.contains(&value);
    let good = match (name, definition.kind) {
        ("cleanup.policy", _) => value.split(',').all(|policy| one_of(&["compact", "delete"], policy.trim())),
        ("message.timestamp.type", _) => one_of(&["CreateTime", "LogAppendTime"], value),
        ("compression.type", _) => {
            one_of(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"], value)
        }
        ("max.message.bytes", _) => value.parse::<i32>().is_ok_and(|bytes| bytes >= 0),
        (_, Kind::Boolean) => one_of(&["true", "false"], value),
        (_, Kind::Int) => value.parse::<i32>().is_ok(),
        (_, Kind::Long) => value.parse::<i64>().is_ok(),
        (_, Kind::Double) => value.parse::<f64>().is_ok(),
        (_, Kind::String | Kind::List) => true,
    };
    if good { Ok(()) } else { Err(format!("Invalid value {value} for configuration {name}")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_valid_and_names_are_sorted() {
        for definition in DEFINITIONS {
            check(definition.name, definition.default).unwrap();
        }
        assert!(DEFINITIONS.is_sorted_by_key(|definition| definition.name));
    }

    #[test]
    fn bad_configs_are_named() {
        check("cleanup.policy", "compact, delete").unwrap();
        for (name, value) in [("cleanup.policy", "shred"), ("retention.ms", "1d"), ("nonsense", "1")] {
            assert!(check(name, value).unwrap_err().contains(name), "{name}");
        }
    }
}
