//! Settings of a consumer; keys, defaults and error texts of
//! `org.apache.kafka.clients.consumer.ConsumerConfig` (4.x).

use crate::config::{Reader, invalid};
use crate::error::ConfigError;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// Where to start without a committed offset, or when the position is out of range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OffsetReset {
    /// At the oldest record.
    Earliest,
    /// After the newest record.
    Latest,
    /// Nowhere: it is an error.
    None,
}

/// Which records of transactions are seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IsolationLevel {
    /// All, those of open and aborted transactions too.
    ReadUncommitted,
    /// Only those of committed transactions; reading stops before the first open one.
    ReadCommitted,
}

/// How to consume.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ConsumerConfig {
    /// `group.id`; needed to subscribe and to commit.
    pub group_id: Option<Arc<str>>,
    /// `group.instance.id`: makes a static member.
    pub group_instance_id: Option<Arc<str>>,
    /// `auto.offset.reset`; default latest.
    pub auto_offset_reset: OffsetReset,
    /// `isolation.level`; default read_uncommitted.
    pub isolation_level: IsolationLevel,
    /// `session.timeout.ms`; default 45 s.
    pub session_timeout: Duration,
    /// `heartbeat.interval.ms`; default 3 s.
    pub heartbeat_interval: Duration,
    /// `max.poll.interval.ms`; default 5 min. How long the application may take between two calls of
    /// [`crate::Consumer::next`].
    pub max_poll_interval: Duration,
    /// `max.poll.records`; default 500. Only a hint for the application: batches are handed out whole.
    pub max_poll_records: i32,
    /// `fetch.min.bytes`; default 1.
    pub fetch_min_bytes: i32,
    /// `fetch.max.bytes`; default 50 MiB. Also what is held of records that were not handed out yet.
    pub fetch_max_bytes: i32,
    /// `fetch.max.wait.ms`; default 500.
    pub fetch_max_wait: Duration,
    /// `max.partition.fetch.bytes`; default 1 MiB.
    pub max_partition_fetch_bytes: i32,
    /// `check.crcs`; default true.
    pub check_crcs: bool,
    /// `allow.auto.create.topics`; default true.
    pub allow_auto_create_topics: bool,
    /// `client.rack`; told to the group's leader.
    pub client_rack: Option<Arc<str>>,
    /// Keys that mean nothing to a consumer. Not an error, since one map often configures several clients.
    pub unused: BTreeSet<String>,
}

impl ConsumerConfig {
    /// Reads the settings; a value that its key does not take is an error that names both.
    pub fn from_map(map: &BTreeMap<String, String>) -> Result<Self, ConfigError> {
        let reader = Reader::new(map);
        check_strategy(&reader)?;
        check_group_protocol(&reader)?;
        let named = |key| reader.text(key).filter(|v| !v.is_empty()).map(Arc::from);
        let config = Self {
            group_id: named("group.id"),
            group_instance_id: named("group.instance.id"),
            auto_offset_reset: offset_reset(&reader)?,
            isolation_level: isolation_level(&reader)?,
            session_timeout: reader.int_millis("session.timeout.ms", 45_000)?,
            heartbeat_interval: reader.int_millis("heartbeat.interval.ms", 3_000)?,
            max_poll_interval: reader.int_millis("max.poll.interval.ms", 300_000)?,
            max_poll_records: reader.int("max.poll.records", 500, 1)?,
            fetch_min_bytes: reader.int("fetch.min.bytes", 1, 0)?,
            fetch_max_bytes: reader.int("fetch.max.bytes", 50 << 20, 0)?,
            fetch_max_wait: reader.int_millis("fetch.max.wait.ms", 500)?,
            max_partition_fetch_bytes: reader.int("max.partition.fetch.bytes", 1 << 20, 0)?,
            check_crcs: reader.boolean("check.crcs", true)?,
            allow_auto_create_topics: reader.boolean("allow.auto.create.topics", true)?,
            client_rack: named("client.rack"),
            unused: reader.unused(),
        };
        if config.heartbeat_interval >= config.session_timeout {
            return Err(ConfigError::Invalid(format!(
                "heartbeat.interval.ms ({}) must be lower than session.timeout.ms ({})",
                config.heartbeat_interval.as_millis(),
                config.session_timeout.as_millis()
            )));
        }
        Ok(config)
    }

    /// The defaults, for a group.
    pub fn for_group(group_id: &str) -> Result<Self, ConfigError> {
        Self::from_map(&BTreeMap::from([("group.id".to_owned(), group_id.to_owned())]))
    }
}

fn offset_reset(reader: &Reader<'_>) -> Result<OffsetReset, ConfigError> {
    let key = "auto.offset.reset";
    // Java takes any case here.
    match reader.text(key).unwrap_or("latest").to_ascii_lowercase().as_str() {
        "earliest" => Ok(OffsetReset::Earliest),
        "latest" => Ok(OffsetReset::Latest),
        "none" => Ok(OffsetReset::None),
        other => Err(invalid(key, other, "String must be one of: latest, earliest, none")),
    }
}

fn isolation_level(reader: &Reader<'_>) -> Result<IsolationLevel, ConfigError> {
    let key = "isolation.level";
    match reader.text(key).unwrap_or("read_uncommitted").to_ascii_lowercase().as_str() {
        "read_uncommitted" => Ok(IsolationLevel::ReadUncommitted),
        "read_committed" => Ok(IsolationLevel::ReadCommitted),
        other => Err(invalid(key, other, "String must be one of: read_committed, read_uncommitted")),
    }
}

/// Names or Java classes, by preference. Those that are not there yet may be listed beside `range`, as in
/// Java's default (range, cooperative-sticky), under which a group uses range.
fn check_strategy(reader: &Reader<'_>) -> Result<(), ConfigError> {
    let key = "partition.assignment.strategy";
    let Some(strategies) = reader.list(key) else { return Ok(()) };
    let range = ["range", "org.apache.kafka.clients.consumer.RangeAssignor"];
    if strategies.iter().any(|s| range.contains(s)) {
        return Ok(());
    }
    let reason = "only range (org.apache.kafka.clients.consumer.RangeAssignor) is supported yet; list it too";
    Err(invalid(key, &strategies.join(","), reason))
}

fn check_group_protocol(reader: &Reader<'_>) -> Result<(), ConfigError> {
    let key = "group.protocol";
    match reader.text(key) {
        None => Ok(()),
        Some(value) if value.eq_ignore_ascii_case("classic") => Ok(()),
        Some(value) => Err(invalid(key, value, "only classic is supported yet")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(pairs: &[(&str, &str)]) -> Result<ConsumerConfig, ConfigError> {
        ConsumerConfig::from_map(&pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect())
    }

    #[test]
    fn defaults_are_kafkas() {
        let config = config(&[]).unwrap();
        assert_eq!((config.group_id, config.auto_offset_reset), (None, OffsetReset::Latest));
        assert_eq!(config.session_timeout, Duration::from_secs(45));
        assert_eq!((config.fetch_max_bytes, config.max_partition_fetch_bytes), (52_428_800, 1_048_576));
    }

    #[test]
    fn wrong_values_name_the_key() {
        for (key, value) in [
            ("auto.offset.reset", "newest"),
            ("isolation.level", "x"),
            ("max.poll.records", "0"),
            ("partition.assignment.strategy", "roundrobin"),
            ("group.protocol", "consumer"),
        ] {
            let error = config(&[(key, value)]).unwrap_err().to_string();
            assert!(error.starts_with(&format!("Invalid value {value} for configuration {key}:")), "{error}");
        }
        assert!(config(&[("heartbeat.interval.ms", "45000")]).is_err());
    }

    #[test]
    fn javas_default_strategies_are_taken() {
        let java = "class org.x.Unknown,org.apache.kafka.clients.consumer.RangeAssignor";
        assert!(config(&[("partition.assignment.strategy", java), ("group.id", " g ")]).is_ok());
    }
}
