//! Settings of a consumer.
//!
//! Names, defaults and ranges are those of the table in `config::keys::consumer`, as
//! `org.apache.kafka.clients.consumer.ConsumerConfig` (4.x) has them.

use crate::config::keys::consumer::*;
use crate::config::{ClientKind, Reader, duration, invalid};
use crate::error::ConfigError;
use crate::group::assignor::Strategy;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// Where to start without a committed offset, or when the position is out of range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum OffsetReset {
    /// At the oldest record.
    Earliest,
    /// After the newest record.
    Latest,
    /// At the first record that is not older than this, by its timestamp (KIP-1106); after the newest one if all are older.
    ByDuration(Duration),
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

/// Who assigns the partitions of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupProtocol {
    /// A member that the others elect.
    Classic,
    /// The coordinator (KIP-848); needs brokers of Kafka 4.0 or newer.
    Consumer,
}

/// How to consume.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ConsumerConfig {
    /// `group.id`; needed to subscribe and to commit.
    pub group_id: Option<Arc<str>>,
    /// `group.instance.id`: makes a static member.
    pub group_instance_id: Option<Arc<str>>,
    /// `group.protocol`; default classic.
    pub group_protocol: GroupProtocol,
    /// `group.remote.assignor`: the coordinator's assignor, in the consumer protocol; its own choice if unset.
    pub group_remote_assignor: Option<Arc<str>>,
    /// `auto.offset.reset`; default latest.
    pub auto_offset_reset: OffsetReset,
    /// `isolation.level`; default read_uncommitted.
    pub isolation_level: IsolationLevel,
    /// `partition.assignment.strategy`, by preference; default range, cooperative-sticky. If all are
    /// cooperative, the group's members keep their partitions while it rebalances (KIP-429); else they
    /// give all up, as in Java. Empty in the consumer protocol.
    pub assignment_strategies: Vec<Strategy>,
    /// `auto.commit.interval.ms` if `enable.auto.commit` (default false): how often the positions are
    /// committed at a call of [`crate::Consumer::next`]; also when partitions are revoked, and at the end.
    pub auto_commit_interval: Option<Duration>,
    /// `session.timeout.ms`; default 45 s. In the consumer protocol the group's own settings hold instead.
    pub session_timeout: Duration,
    /// `heartbeat.interval.ms`; default 3 s. As with the session.
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
    /// `crossdock.fetch.quiet.max.wait.ms`; default 2000. Instead of the former, if it is longer, once nothing has come for
    /// 20 fetches and one byte is enough for an answer. No record waits for that; another position after a seek, a resume
    /// or a new assignment may.
    pub fetch_quiet_max_wait: Duration,
    /// `max.partition.fetch.bytes`; default 1 MiB.
    pub max_partition_fetch_bytes: i32,
    /// `crossdock.fetch.max.decompressed.bytes`: what one batch may decompress to; default 128 MiB.
    pub max_decompressed_bytes: usize,
    /// `check.crcs`; default true.
    pub check_crcs: bool,
    /// `allow.auto.create.topics`; default true.
    pub allow_auto_create_topics: bool,
    /// `exclude.internal.topics`; default true. Whether patterns that are matched here leave out Kafka's own topics.
    pub exclude_internal_topics: bool,
    /// `client.rack`; told to the group's leader, and to brokers, which may recommend a replica of that rack (KIP-392).
    pub client_rack: Option<Arc<str>>,
    /// Keys that mean nothing to a consumer. Not an error, since one map often configures several clients.
    pub unused: BTreeSet<String>,
}

impl ConsumerConfig {
    /// Reads the settings; a value that its key does not take is an error that names both.
    pub fn from_map(map: &BTreeMap<String, String>) -> Result<Self, ConfigError> {
        let reader = Reader::new(map, ClientKind::Consumer)?;
        let group_protocol = group_protocol(&reader)?;
        let named = |text: &str| Some(Arc::from(text)).filter(|text: &Arc<str>| !text.is_empty());
        let config = Self {
            group_id: reader.get(GROUP_ID).and_then(named),
            group_instance_id: reader.get(GROUP_INSTANCE_ID).and_then(named),
            group_protocol,
            group_remote_assignor: reader.get(GROUP_REMOTE_ASSIGNOR).and_then(named),
            auto_offset_reset: match reader.get(AUTO_OFFSET_RESET) {
                "earliest" => OffsetReset::Earliest,
                "none" => OffsetReset::None,
                other => match other.strip_prefix("by_duration:").and_then(duration::parse) {
                    Some(ago) => OffsetReset::ByDuration(ago),
                    None => OffsetReset::Latest,
                },
            },
            isolation_level: match reader.get(ISOLATION_LEVEL) {
                "read_committed" => IsolationLevel::ReadCommitted,
                _ => IsolationLevel::ReadUncommitted,
            },
            assignment_strategies: match group_protocol {
                GroupProtocol::Classic => strategies(&reader)?,
                GroupProtocol::Consumer => Vec::new(),
            },
            auto_commit_interval: reader.get(ENABLE_AUTO_COMMIT).then(|| reader.get(AUTO_COMMIT_INTERVAL)),
            session_timeout: reader.get(SESSION_TIMEOUT),
            heartbeat_interval: reader.get(HEARTBEAT_INTERVAL),
            max_poll_interval: reader.get(MAX_POLL_INTERVAL),
            max_poll_records: reader.get(MAX_POLL_RECORDS),
            fetch_min_bytes: reader.get(FETCH_MIN_BYTES),
            fetch_max_bytes: reader.get(FETCH_MAX_BYTES),
            fetch_max_wait: reader.get(FETCH_MAX_WAIT),
            fetch_quiet_max_wait: reader.get(FETCH_QUIET_MAX_WAIT),
            max_partition_fetch_bytes: reader.get(MAX_PARTITION_FETCH_BYTES),
            max_decompressed_bytes: usize::try_from(reader.get(MAX_DECOMPRESSED_BYTES)).unwrap_or(0),
            check_crcs: reader.get(CHECK_CRCS),
            allow_auto_create_topics: reader.get(ALLOW_AUTO_CREATE_TOPICS),
            exclude_internal_topics: reader.get(EXCLUDE_INTERNAL_TOPICS),
            client_rack: named(reader.get(CLIENT_RACK)),
            unused: reader.unused(),
        };
        if config.heartbeat_interval >= config.session_timeout {
            return Err(ConfigError::Invalid(format!(
                "heartbeat.interval.ms ({}) must be lower than session.timeout.ms ({})",
                config.heartbeat_interval.as_millis(),
                config.session_timeout.as_millis()
            )));
        }
        if config.auto_commit_interval.is_some() && config.group_id.is_none() {
            let reason = "offsets are committed for a group; set group.id, or enable.auto.commit to false";
            return Err(invalid(ENABLE_AUTO_COMMIT.name(), "true", reason));
        }
        Ok(config)
    }

    /// The defaults, for a group.
    pub fn for_group(group_id: &str) -> Result<Self, ConfigError> {
        Self::from_map(&BTreeMap::from([("group.id".to_owned(), group_id.to_owned())]))
    }
}

/// The protocol; keys of the other one must not be set, since they would do nothing.
fn group_protocol(reader: &Reader<'_>) -> Result<GroupProtocol, ConfigError> {
    let is_set = |text: Option<&str>| text.is_some_and(|text| !text.is_empty());
    if reader.get(GROUP_PROTOCOL).eq_ignore_ascii_case("classic") {
        if is_set(reader.get(GROUP_REMOTE_ASSIGNOR)) {
            let text = "group.remote.assignor cannot be set when group.protocol=CLASSIC";
            return Err(ConfigError::Invalid(text.to_owned()));
        }
        return Ok(GroupProtocol::Classic);
    }
    let set = [
        (
            PARTITION_ASSIGNMENT_STRATEGY.name(),
            reader.given(PARTITION_ASSIGNMENT_STRATEGY).is_some_and(|s| !s.is_empty()),
        ),
        (HEARTBEAT_INTERVAL.name(), reader.given(HEARTBEAT_INTERVAL).is_some()),
        (SESSION_TIMEOUT.name(), reader.given(SESSION_TIMEOUT).is_some()),
    ];
    let set: Vec<_> = set.iter().filter(|(_, is_set)| *is_set).map(|(name, _)| *name).collect();
    if !set.is_empty() {
        let text = format!("{} cannot be set when group.protocol=CONSUMER", set.join(", "));
        return Err(ConfigError::Invalid(text));
    }
    Ok(GroupProtocol::Consumer)
}

/// Names or Java classes, by preference. Strategies that are not known may be listed beside others: the group
/// uses one that all its members have.
fn strategies(reader: &Reader<'_>) -> Result<Vec<Strategy>, ConfigError> {
    let listed = reader.get(PARTITION_ASSIGNMENT_STRATEGY);
    let known: Vec<Strategy> = listed.iter().filter_map(|text| Strategy::parse(text)).collect();
    if !known.is_empty() {
        return Ok(known);
    }
    let names: Vec<_> = Strategy::ALL.iter().map(|s| format!("{} ({})", s.name(), s.java_class())).collect();
    let reason = format!("at least one of these must be listed: {}", names.join(", "));
    Err(invalid(PARTITION_ASSIGNMENT_STRATEGY.name(), &listed.join(","), &reason))
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
    fn automatic_commits_need_a_group() {
        let refused = config(&[("enable.auto.commit", "true")]).unwrap_err().to_string();
        assert!(refused.contains("enable.auto.commit") && refused.contains("group.id"), "{refused}");
        assert!(config(&[("enable.auto.commit", "true"), ("group.id", "g")]).is_ok());
        assert!(config(&[("enable.auto.commit", "false")]).is_ok());
    }

    #[test]
    fn wrong_values_name_the_key() {
        for (key, value) in [
            ("auto.offset.reset", "newest"),
            ("auto.offset.reset", "by_duration:-PT1S"),
            ("auto.offset.reset", "by_duration"),
            ("isolation.level", "x"),
            ("max.poll.records", "0"),
            ("partition.assignment.strategy", "fair"),
            ("group.protocol", "x"),
        ] {
            let error = config(&[(key, value)]).unwrap_err().to_string();
            assert!(error.starts_with(&format!("Invalid value {value} for configuration {key}:")), "{error}");
        }
        assert!(config(&[("heartbeat.interval.ms", "45000")]).is_err());
    }

    #[test]
    fn a_reset_by_duration() {
        let reset = |value| config(&[("auto.offset.reset", value)]).unwrap().auto_offset_reset;
        let hours = |hours: u64| OffsetReset::ByDuration(Duration::from_secs(3600 * hours));
        assert_eq!((reset("by_duration:P1DT2H"), reset("by_duration:pt36h")), (hours(26), hours(36)));
    }

    #[test]
    fn keys_of_the_other_protocol_are_refused_as_in_java() {
        let consumer = ("group.protocol", "Consumer");
        let error = |pairs: &[_]| config(pairs).unwrap_err().to_string();
        assert_eq!(
            error(&[consumer, ("session.timeout.ms", "10000"), ("heartbeat.interval.ms", "20000")]),
            "heartbeat.interval.ms, session.timeout.ms cannot be set when group.protocol=CONSUMER"
        );
        assert_eq!(
            error(&[consumer, ("partition.assignment.strategy", "range")]),
            "partition.assignment.strategy cannot be set when group.protocol=CONSUMER"
        );
        assert_eq!(
            error(&[("group.remote.assignor", "range")]),
            "group.remote.assignor cannot be set when group.protocol=CLASSIC"
        );
        let ok =
            config(&[consumer, ("group.remote.assignor", "range"), ("partition.assignment.strategy", "")]);
        let ok = ok.unwrap();
        assert_eq!(
            (ok.group_protocol, ok.group_remote_assignor.as_deref()),
            (GroupProtocol::Consumer, Some("range"))
        );
        assert_eq!(config(&[("group.remote.assignor", "")]).unwrap().group_protocol, GroupProtocol::Classic);
    }

    #[test]
    fn javas_default_strategies_are_taken() {
        let java = "class org.x.Unknown,org.apache.kafka.clients.consumer.RangeAssignor";
        let known = |text| config(&[("partition.assignment.strategy", text)]).unwrap().assignment_strategies;
        assert_eq!(known(java), [Strategy::Range]);
        assert_eq!(known("sticky, roundrobin"), [Strategy::Sticky, Strategy::RoundRobin]);
        let default = config(&[]).unwrap().assignment_strategies;
        assert_eq!(default, [Strategy::Range, Strategy::CooperativeSticky]);
    }
}
