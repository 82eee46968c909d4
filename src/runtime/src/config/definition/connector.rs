//! The keys that every connector has (`ConnectorConfig`, `SourceConnectorConfig`, `SinkConnectorConfig`).

use super::check;
use crossdock_api::ConfigDef;
use crossdock_api::config::{ConfigKey, Importance, Validator, Width};

/// The keys of sources and sinks.
pub(crate) fn common_keys() -> ConfigDef {
    ConfigDef::new()
        .define(ConfigKey::string("name").validator(Validator::NonEmptyWithoutControls).importance(Importance::High).shown("Common", 1, Width::Medium, "Connector name").doc("Name of the connector, unique in its cluster."))
        .define(ConfigKey::string("connector.class").importance(Importance::High).shown("Common", 2, Width::Long, "Connector class").doc("Class of the connector: its full Java name, its simple name, or that without Connector."))
        .define(ConfigKey::string("connector.plugin.version").default_null().validator(check::PLUGIN_VERSION).importance(Importance::Medium).shown("Common", 3, Width::Medium, "Connector version").doc("Version of the connector; the only one there is if it is not set."))
        .define(ConfigKey::int("tasks.max").default("1").validator(Validator::AtLeast(1)).importance(Importance::High).shown("Common", 4, Width::Short, "Tasks max").doc("Most tasks to use."))
        .define(ConfigKey::boolean("tasks.max.enforce").default("true").importance(Importance::Low).shown("Common", 5, Width::Short, "Enforce tasks max").doc("Whether a connector that gives more tasks than tasks.max fails."))
        .define(ConfigKey::class("key.converter").default_null().importance(Importance::Low).shown("Common", 6, Width::Short, "Key converter class").doc("Converter of keys, for connectors that do not set their own."))
        .define(ConfigKey::string("key.converter.plugin.version").default_null().validator(check::PLUGIN_VERSION).importance(Importance::Low).shown("Common", 7, Width::Short, "Key converter version").doc("Version of the key converter; the only one there is if it is not set."))
        .define(ConfigKey::class("value.converter").default_null().importance(Importance::Low).shown("Common", 8, Width::Short, "Value converter class").doc("Converter of values, for connectors that do not set their own."))
        .define(ConfigKey::string("value.converter.plugin.version").default_null().validator(check::PLUGIN_VERSION).importance(Importance::Low).shown("Common", 9, Width::Short, "Value converter version").doc("Version of the value converter; the only one there is if it is not set."))
        .define(ConfigKey::class("header.converter").default_null().importance(Importance::Low).shown("Common", 10, Width::Short, "Header converter class").doc("Converter of header values, for connectors that do not set their own."))
        .define(ConfigKey::string("header.converter.plugin.version").default_null().validator(check::PLUGIN_VERSION).importance(Importance::Low).shown("Common", 11, Width::Short, "Header converter version").doc("Version of the header converter; the only one there is if it is not set."))
        .define(ConfigKey::list("transforms").default("").validator(check::TRANSFORM_ALIASES).importance(Importance::Low).shown("Transforms", 12, Width::Long, "Transforms").doc("Names of the transforms that records go through, in order; each has its class at transforms.<name>.type."))
        .define(ConfigKey::list("predicates").default("").validator(check::PREDICATE_ALIASES).importance(Importance::Low).shown("Predicates", 13, Width::Long, "Predicates").doc("Names of the predicates that transforms may be bound to; each has its class at predicates.<name>.type."))
        .define(ConfigKey::string("config.action.reload").default("restart").validator(Validator::OneOf(&["none", "restart"])).importance(Importance::Low).shown("Common", 14, Width::Medium, "Reload Action").doc("What to do when a value from a configuration provider changes: restart the connector, or nothing."))
        .define(ConfigKey::long("errors.retry.timeout").default("0").importance(Importance::Medium).shown("Error Handling", 1, Width::Medium, "Retry Timeout for Errors").doc("How long an operation that failed is tried again, in milliseconds; 0 is not at all, -1 without end."))
        .define(ConfigKey::long("errors.retry.delay.max.ms").default("60000").importance(Importance::Medium).shown("Error Handling", 2, Width::Medium, "Maximum Delay Between Retries for Errors").doc("Longest wait between two such tries, in milliseconds."))
        .define(ConfigKey::string("errors.tolerance").default("none").validator(Validator::OneOf(&["none", "all"])).importance(Importance::Medium).shown("Error Handling", 3, Width::Short, "Error Tolerance").doc("none fails the task at the first record that cannot be handled; all skips such records."))
        .define(ConfigKey::boolean("errors.log.enable").default("false").importance(Importance::Medium).shown("Error Handling", 4, Width::Short, "Log Errors").doc("Whether records that cannot be handled are logged."))
        .define(ConfigKey::boolean("errors.log.include.messages").default("false").importance(Importance::Medium).shown("Error Handling", 5, Width::Short, "Log Error Details").doc("Whether such logs say more of the record: topic, partition, offset and timestamp of a sink record, key and value of a source record."))
}

/// The keys that only sources have.
pub(crate) fn source_keys() -> ConfigDef {
    ConfigDef::new()
        .define(ConfigKey::list("topic.creation.groups").default("").validator(check::TOPIC_GROUPS).importance(Importance::Low).shown("Topic Creation", 1, Width::Long, "Topic Creation Groups").doc("Names of groups of topics that are created alike, beside the group default."))
        .define(ConfigKey::string("exactly.once.support").default("requested").validator(Validator::OneOfIgnoringCase(&["REQUIRED", "REQUESTED"])).importance(Importance::Medium).shown("Exactly Once Support", 2, Width::Short, "Exactly once support").doc("required refuses a connector that cannot write exactly once; requested does not."))
        .define(ConfigKey::string("transaction.boundary").default("poll").validator(Validator::OneOfIgnoringCase(&["INTERVAL", "POLL", "CONNECTOR"])).importance(Importance::Medium).shown("Exactly Once Support", 3, Width::Short, "Transaction Boundary").doc("Where transactions of an exactly-once source end: at each poll, at an interval, or where the connector says."))
        .define(ConfigKey::long("transaction.boundary.interval.ms").default_null().validator(check::INTERVAL).importance(Importance::Low).shown("Exactly Once Support", 4, Width::Short, "Transaction boundary interval").doc("Time between two commits of transactions if transaction.boundary is interval, in milliseconds; offset.flush.interval.ms if it is not set."))
        .define(ConfigKey::string("offsets.storage.topic").default_null().validator(Validator::NonEmpty).importance(Importance::Low).shown("offsets.topic", 1, Width::Long, "Offsets topic").doc("Topic for the offsets of this connector; that of the worker if it is not set."))
}

/// The keys that only sinks have.
pub(crate) fn sink_keys() -> ConfigDef {
    ConfigDef::new()
        .define(
            ConfigKey::list("topics")
                .default("")
                .validator(Validator::Items { may_be_empty: true })
                .importance(Importance::High)
                .shown("Common", 4, Width::Long, "Topics")
                .doc("Topics to read."),
        )
        .define(
            ConfigKey::string("topics.regex")
                .default("")
                .validator(check::REGEX)
                .importance(Importance::High)
                .shown("Common", 4, Width::Long, "Topics regex")
                .doc("Java pattern of topics to read; those that match later are read as well."),
        )
        .define(
            ConfigKey::string("errors.deadletterqueue.topic.name")
                .default("")
                .importance(Importance::Medium)
                .shown("Error Handling", 6, Width::Medium, "Dead Letter Queue Topic Name")
                .doc("Topic for records that cannot be handled; none if it is empty."),
        )
        .define(
            ConfigKey::short("errors.deadletterqueue.topic.replication.factor")
                .default("3")
                .importance(Importance::Medium)
                .shown("Error Handling", 7, Width::Medium, "Dead Letter Queue Topic Replication Factor")
                .doc("Replicas of that topic if it has to be created."),
        )
        .define(
            ConfigKey::boolean("errors.deadletterqueue.context.headers.enable")
                .default("false")
                .importance(Importance::Medium)
                .shown("Error Handling", 8, Width::Medium, "Enable Error Context Headers")
                .doc("Whether headers say why and where a record of that topic failed."),
        )
}

/// The keys of sources that Connect does not have. They are not shown as keys of the connector, as Connect's are.
pub(crate) fn own_source_keys() -> ConfigDef {
    ConfigDef::new()
        .define(
            ConfigKey::string("crossdock.errors.deadletterqueue.topic.name")
                .default("")
                .importance(Importance::Medium)
                .doc("Topic for records that converters or transforms cannot handle; none if it is empty."),
        )
        .define(
            ConfigKey::short("crossdock.errors.deadletterqueue.topic.replication.factor")
                .default("3")
                .importance(Importance::Medium)
                .doc("Replicas of that topic if it has to be created."),
        )
        .define(
            ConfigKey::boolean("crossdock.errors.deadletterqueue.context.headers.enable")
                .default("false")
                .importance(Importance::Medium)
                .doc("Whether headers say why and from where a record of that topic failed."),
        )
}
