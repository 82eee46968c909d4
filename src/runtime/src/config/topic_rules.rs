//! How the missing topics of a source are created: by the first group of `topic.creation.groups` that a topic is in,
//! else by the group `default` (`TopicCreationGroup`, KIP-158).

use super::definition::{TopicGroup, topic_groups};
use crossdock_api::{ConfigError, ConfigMap};
use crossdock_client::consumer::JavaPattern;

/// How a missing topic is created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicCreation {
    /// Number of partitions; -1 is the broker's default.
    pub partitions: i32,
    /// Replication factor; -1 is the broker's default.
    pub replication_factor: i16,
    /// Topic settings.
    pub configs: ConfigMap,
}

/// The groups of a connector, in the order in which they are asked.
#[derive(Debug, Clone)]
pub struct TopicRules {
    groups: Vec<Group>,
    default: TopicCreation,
}

#[derive(Debug, Clone)]
struct Group {
    /// None if the group has no topic.
    include: Option<JavaPattern>,
    /// None if it leaves none out.
    exclude: Option<JavaPattern>,
    creation: TopicCreation,
}

impl TopicRules {
    /// The rules of a source's configuration; `None` if it has none, and topics are left to the brokers.
    ///
    /// # Errors
    /// If the default group lacks its numbers, or a value is wrong.
    pub fn of(config: &ConfigMap) -> Result<Option<Self>, ConfigError> {
        let mut groups = topic_groups(config)?.into_iter();
        let Some(default) = groups.next() else { return Ok(None) };
        let groups = groups.map(Group::new).collect::<Result<_, _>>()?;
        Ok(Some(Self { groups, default: creation(default) }))
    }

    /// How this topic is created.
    pub fn of_topic(&self, topic: &str) -> &TopicCreation {
        let found = self.groups.iter().find(|group| group.has(topic));
        found.map_or(&self.default, |group| &group.creation)
    }
}

impl Group {
    fn new(group: TopicGroup) -> Result<Self, ConfigError> {
        Ok(Self {
            include: pattern(&group, "include", &group.include)?,
            exclude: pattern(&group, "exclude", &group.exclude)?,
            creation: creation(group),
        })
    }

    fn has(&self, topic: &str) -> bool {
        let matches = |pattern: &Option<JavaPattern>| pattern.as_ref().is_some_and(|p| p.matches(topic));
        matches(&self.include) && !matches(&self.exclude)
    }
}

fn creation(group: TopicGroup) -> TopicCreation {
    let TopicGroup { partitions, replication_factor, configs, .. } = group;
    TopicCreation { partitions, replication_factor, configs }
}

/// Any of the patterns.
fn pattern(group: &TopicGroup, key: &str, patterns: &[String]) -> Result<Option<JavaPattern>, ConfigError> {
    if patterns.is_empty() {
        return Ok(None);
    }
    let any = patterns.join("|");
    let key = || format!("topic.creation.{}.{key}", group.name);
    JavaPattern::new(&any).map(Some).map_err(|e| ConfigError::invalid(&key(), &any, e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(pairs: &[(&str, &str)]) -> Result<Option<TopicRules>, ConfigError> {
        TopicRules::of(&pairs.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect())
    }

    const DEFAULT: [(&str, &str); 2] =
        [("topic.creation.default.partitions", "3"), ("topic.creation.default.replication.factor", "-1")];

    #[test]
    fn the_default_group() {
        assert!(rules(&[]).unwrap().is_none());
        let with_setting = [&DEFAULT[..], &[("topic.creation.default.cleanup.policy", "compact")]].concat();
        let rules_of = rules(&with_setting).unwrap().unwrap();
        let creation = rules_of.of_topic("any");
        assert_eq!((creation.partitions, creation.replication_factor), (3, -1));
        assert_eq!(creation.configs["cleanup.policy"], "compact");
        assert!(rules(&[("topic.creation.default.partitions", "0")]).is_err());
    }

    #[test]
    fn the_first_group_that_has_the_topic() {
        let groups = [
            ("topic.creation.groups", "small, logs"),
            ("topic.creation.small.include", "tiny, log-s.*"),
            ("topic.creation.small.partitions", "1"),
            ("topic.creation.logs.include", "log-.*"),
            ("topic.creation.logs.exclude", "log-old, log-x.*"),
            ("topic.creation.logs.partitions", "12"),
            ("topic.creation.logs.retention.ms", "1000"),
        ];
        let rules = rules(&[&DEFAULT[..], &groups[..]].concat()).unwrap().unwrap();
        let partitions = |topic: &str| rules.of_topic(topic).partitions;
        assert_eq!((partitions("tiny"), partitions("log-small"), partitions("log-a")), (1, 1, 12));
        // Whole names match; what is left out of a group goes on to the next.
        assert_eq!((partitions("tiny2"), partitions("log-old"), partitions("log-x1")), (3, 3, 3));
        let logs = rules.of_topic("log-a");
        assert_eq!((logs.replication_factor, &*logs.configs["retention.ms"]), (-1, "1000"));
        assert!(rules.of_topic("log-small").configs.is_empty());
    }

    #[test]
    fn a_group_without_topics_has_none() {
        let groups = [("topic.creation.groups", "none"), ("topic.creation.none.partitions", "9")];
        let rules = rules(&[&DEFAULT[..], &groups[..]].concat()).unwrap().unwrap();
        assert_eq!(rules.of_topic("t").partitions, 3);
    }
}
