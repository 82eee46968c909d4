//! How topics that a source writes to are created (`TopicCreationConfig`): the group `default`, and others whose
//! topics are told by patterns.

use super::check;
use crossdock_api::config::{ConfigKey, Importance, Setting, Validator, Width};
use crossdock_api::{ConfigDef, ConfigError, ConfigMap, ParsedConfig};

const PREFIX: &str = "topic.creation.";
const DEFAULT: &str = "default";

/// A group of topics that are created alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicGroup {
    /// Name of the group.
    pub name: String,
    /// Java patterns of its topics.
    pub include: Vec<String>,
    /// Java patterns of topics that are not in it.
    pub exclude: Vec<String>,
    /// Replicas of each partition; -1 for the default of the brokers.
    pub replication_factor: i16,
    /// Number of partitions; -1 for the default of the brokers.
    pub partitions: i32,
    /// Settings of the topics.
    pub configs: ConfigMap,
}

/// The keys of a group, without prefix. Those of other groups are by default as in the group `default`.
pub fn topic_group_keys(group: &str, of_default: Option<&TopicGroup>) -> ConfigDef {
    let shown = |key: ConfigKey, order: i32, name: &str| {
        key.importance(Importance::Low).shown(group, order, Width::Long, &format!("{name} in {group}"))
    };
    let include = ConfigKey::list("include")
        .default(if group == DEFAULT { ".*" } else { "" })
        .validator(check::PATTERNS)
        .importance(Importance::Low)
        .shown(group, 1, Width::Long, &format!("Inclusion Topic Pattern for {group}"))
        .doc("Java patterns of the topics of the group.");
    let exclude = ConfigKey::list("exclude")
        .default("")
        .validator(check::PATTERNS)
        .importance(Importance::Low)
        .shown(group, 2, Width::Long, &format!("Exclusion Topic Pattern for {group}"))
        .doc("Java patterns of topics that are not of the group.");
    let replication = ConfigKey::short("replication.factor").validator(check::REPLICATION);
    let replication = shown(replication, 3, "Replication Factor for Topics")
        .doc("Replicas of each partition; -1 for the default of the brokers.");
    let partitions = ConfigKey::int("partitions").validator(check::PARTITIONS);
    let partitions = shown(partitions, 4, "Partition Count for Topics")
        .doc("Number of partitions; -1 for the default of the brokers.");
    let (replication, partitions) = match of_default {
        None => (replication, partitions),
        Some(default) => (
            replication.default(&default.replication_factor.to_string()),
            partitions.default(&default.partitions.to_string()),
        ),
    };
    [include, exclude, replication, partitions].into_iter().fold(ConfigDef::new(), ConfigDef::define)
}

/// The groups of a source, `default` first; none if it has no key of them.
///
/// # Errors
/// If the default group lacks its numbers, or a value is wrong.
pub fn topic_groups(config: &ConfigMap) -> Result<Vec<TopicGroup>, ConfigError> {
    if !config.keys().any(|key| key.starts_with(PREFIX)) {
        return Ok(Vec::new());
    }
    let mut groups = vec![group(config, DEFAULT, None)?];
    let listed = ConfigKey::list("topic.creation.groups").validator(Validator::NonNull);
    let listed = listed.parse(Some(config.get("topic.creation.groups").map_or("", String::as_str)))?;
    let Setting::List(names) = listed else { return Ok(groups) };
    for name in names.iter().filter(|name| *name != DEFAULT) {
        let added = group(config, name, groups.first())?;
        groups.push(added);
    }
    Ok(groups)
}

fn group(config: &ConfigMap, name: &str, of_default: Option<&TopicGroup>) -> Result<TopicGroup, ConfigError> {
    let prefix = format!("{PREFIX}{name}.");
    let keys = topic_group_keys(name, of_default);
    let under =
        keys.keys().iter().map(|key| key.clone().under(&prefix)).fold(ConfigDef::new(), ConfigDef::define);
    let parsed: ParsedConfig = under.parse(config)?;
    let mut configs = crate::config::with_prefix(config, &prefix);
    configs.retain(|key, _| keys.key(key).is_none());
    let key = |name: &str| format!("{prefix}{name}");
    Ok(TopicGroup {
        name: name.to_owned(),
        include: parsed.list(&key("include"))?.to_vec(),
        exclude: parsed.list(&key("exclude"))?.to_vec(),
        // A SHORT.
        replication_factor: parsed.int(&key("replication.factor"))? as i16,
        partitions: parsed.int(&key("partitions"))?,
        configs,
    })
}
