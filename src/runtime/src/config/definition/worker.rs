//! The keys of workers (`WorkerConfig`, `StandaloneConfig`, `DistributedConfig`, `RestServerConfig`).

use super::{check, client_keys};
use crossdock_api::ConfigDef;
use crossdock_api::config::{ConfigKey, Importance, Validator};

/// Client keys that every worker has; those of https listeners.
const TLS: &[&str] = &[
    "ssl.protocol",
    "ssl.provider",
    "ssl.cipher.suites",
    "ssl.enabled.protocols",
    "ssl.keystore.type",
    "ssl.keystore.location",
    "ssl.keystore.password",
    "ssl.key.password",
    "ssl.keystore.key",
    "ssl.keystore.certificate.chain",
    "ssl.truststore.certificates",
    "ssl.truststore.type",
    "ssl.truststore.location",
    "ssl.truststore.password",
    "ssl.keymanager.algorithm",
    "ssl.trustmanager.algorithm",
    "ssl.endpoint.identification.algorithm",
    "ssl.secure.random.implementation",
    "ssl.engine.factory.class",
];

/// Client keys that a worker of a group has for its own connections.
const CLIENT: &[&str] = &[
    "metadata.max.age.ms",
    "client.id",
    "send.buffer.bytes",
    "receive.buffer.bytes",
    "reconnect.backoff.ms",
    "reconnect.backoff.max.ms",
    "socket.connection.setup.timeout.ms",
    "socket.connection.setup.timeout.max.ms",
    "retry.backoff.ms",
    "retry.backoff.max.ms",
    "request.timeout.ms",
    "connections.max.idle.ms",
    "security.protocol",
    "sasl.kerberos.service.name",
    "sasl.kerberos.kinit.cmd",
    "sasl.kerberos.ticket.renew.window.factor",
    "sasl.kerberos.ticket.renew.jitter",
    "sasl.kerberos.min.time.before.relogin",
    "sasl.login.refresh.window.factor",
    "sasl.login.refresh.window.jitter",
    "sasl.login.refresh.min.period.seconds",
    "sasl.login.refresh.buffer.seconds",
    "sasl.mechanism",
    "sasl.jaas.config",
    "sasl.client.callback.handler.class",
    "sasl.login.callback.handler.class",
    "sasl.login.class",
    "sasl.login.connect.timeout.ms",
    "sasl.login.read.timeout.ms",
    "sasl.login.retry.backoff.max.ms",
    "sasl.login.retry.backoff.ms",
    "sasl.oauthbearer.jwt.retriever.class",
    "sasl.oauthbearer.jwt.validator.class",
    "sasl.oauthbearer.scope",
    "sasl.oauthbearer.client.credentials.client.id",
    "sasl.oauthbearer.client.credentials.client.secret",
    "sasl.oauthbearer.assertion.algorithm",
    "sasl.oauthbearer.assertion.claim.aud",
    "sasl.oauthbearer.assertion.claim.exp.seconds",
    "sasl.oauthbearer.assertion.claim.iss",
    "sasl.oauthbearer.assertion.claim.jti.include",
    "sasl.oauthbearer.assertion.claim.nbf.seconds",
    "sasl.oauthbearer.assertion.claim.sub",
    "sasl.oauthbearer.assertion.file",
    "sasl.oauthbearer.assertion.private.key.file",
    "sasl.oauthbearer.assertion.private.key.passphrase",
    "sasl.oauthbearer.assertion.template.file",
    "sasl.oauthbearer.scope.claim.name",
    "sasl.oauthbearer.sub.claim.name",
    "sasl.oauthbearer.token.endpoint.url",
    "sasl.oauthbearer.jwks.endpoint.url",
    "sasl.oauthbearer.jwks.endpoint.refresh.ms",
    "sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms",
    "sasl.oauthbearer.jwks.endpoint.retry.backoff.ms",
    "sasl.oauthbearer.clock.skew.seconds",
    "sasl.oauthbearer.expected.audience",
    "sasl.oauthbearer.expected.issuer",
    "sasl.oauthbearer.header.urlencode",
    "metadata.recovery.strategy",
    "metadata.recovery.rebootstrap.trigger.ms",
];

/// The keys that every worker has.
pub(crate) fn worker_keys() -> ConfigDef {
    ConfigDef::new()
        .extend(client_keys(&["client.dns.lookup"]))
        .define(ConfigKey::list("bootstrap.servers").validator(Validator::Items { may_be_empty: false }).importance(Importance::High).doc("Brokers to connect to first, as host:port with commas between them."))
        .define(ConfigKey::class("key.converter").importance(Importance::High).doc("Converter of keys, for connectors that do not set their own."))
        .define(ConfigKey::string("key.converter.plugin.version").default_null().importance(Importance::Low).doc("Version of the key converter; the only one there is if it is not set."))
        .define(ConfigKey::class("value.converter").importance(Importance::High).doc("Converter of values, for connectors that do not set their own."))
        .define(ConfigKey::string("value.converter.plugin.version").default_null().importance(Importance::Low).doc("Version of the value converter; the only one there is if it is not set."))
        .define(ConfigKey::long("task.shutdown.graceful.timeout.ms").default("5000").importance(Importance::Low).doc("How long all tasks of a worker together may take to stop, in milliseconds."))
        .define(ConfigKey::long("offset.flush.interval.ms").default("60000").importance(Importance::Low).doc("Time between two commits of the offsets of tasks, in milliseconds."))
        .define(ConfigKey::long("offset.flush.timeout.ms").default("5000").importance(Importance::Low).doc("How long one commit of offsets may take before it is given up and tried again at the next interval, in milliseconds."))
        .define(ConfigKey::list("plugin.path").default_null().validator(Validator::ItemsOrNull { may_be_empty: false }).importance(Importance::Low).doc("Folders of Java plugins. Without effect: plugins are part of the program."))
        .define(ConfigKey::string("plugin.discovery").default("hybrid_warn").validator(Validator::OneOfIgnoringCase(&["ONLY_SCAN", "SERVICE_LOAD", "HYBRID_WARN", "HYBRID_FAIL"])).importance(Importance::Low).doc("How Java plugins are found. Without effect: plugins are part of the program."))
        .define(ConfigKey::long("metrics.sample.window.ms").default("30000").validator(Validator::AtLeast(0)).importance(Importance::Low).doc("Length of the window that a sample of a metric is taken over, in milliseconds."))
        .define(ConfigKey::int("metrics.num.samples").default("2").validator(Validator::AtLeast(1)).importance(Importance::Low).doc("Number of samples that metrics are computed from."))
        .define(ConfigKey::string("metrics.recording.level").default("INFO").validator(Validator::OneOf(&["INFO", "DEBUG"])).importance(Importance::Low).doc("Level down to which metrics are recorded."))
        .define(ConfigKey::list("metric.reporters").default("org.apache.kafka.common.metrics.JmxReporter").validator(Validator::Items { may_be_empty: true }).importance(Importance::Low).doc("Java classes that report metrics. Without effect: metrics are at /metrics."))
        .define(ConfigKey::class("header.converter").default("org.apache.kafka.connect.storage.SimpleHeaderConverter").importance(Importance::Low).doc("Converter of header values, for connectors that do not set their own."))
        .define(ConfigKey::string("header.converter.plugin.version").default_null().importance(Importance::Low).doc("Version of the header converter; the only one there is if it is not set."))
        .define(ConfigKey::list("config.providers").default("").validator(Validator::Items { may_be_empty: true }).importance(Importance::Low).doc("Names of configuration providers; each has its class at config.providers.<name>.class and settings at config.providers.<name>.param."))
        .define(ConfigKey::string("connector.client.config.override.policy").default("All").importance(Importance::Medium).doc("Which client settings connectors may override: All, None, Principal, Allowlist, or the class of one of these."))
        .define(ConfigKey::boolean("topic.creation.enable").default("true").importance(Importance::Low).doc("Whether topics that sources write to are created by their topic.creation.* keys."))
        .define(ConfigKey::boolean("topic.tracking.enable").default("true").importance(Importance::Low).doc("Whether the topics that a connector uses are recorded."))
        .define(ConfigKey::boolean("topic.tracking.allow.reset").default("true").importance(Importance::Low).doc("Whether the record of the topics that a connector uses may be reset by request."))
        .extend(client_keys(TLS))
        .extend(rest_keys())
}

/// The keys of the REST API.
fn rest_keys() -> ConfigDef {
    ConfigDef::new()
        .define(ConfigKey::list("listeners").default("http://:8083").validator(check::LISTENERS).importance(Importance::Low).doc("Addresses of the REST API, as http://host:port or https://host:port; an empty host means all interfaces."))
        .define(ConfigKey::string("rest.advertised.host.name").default_null().importance(Importance::Low).doc("Host name that other workers and clients are told."))
        .define(ConfigKey::int("rest.advertised.port").default_null().importance(Importance::Low).doc("Port that other workers and clients are told."))
        .define(ConfigKey::string("rest.advertised.listener").default_null().importance(Importance::Low).doc("Which of http and https other workers are told to use."))
        .define(ConfigKey::string("access.control.allow.origin").default("").importance(Importance::Low).doc("Value of the header Access-Control-Allow-Origin; * lets every origin in."))
        .define(ConfigKey::string("access.control.allow.methods").default("").importance(Importance::Low).doc("Methods that cross-origin requests may use; GET, POST and HEAD if it is empty."))
        .define(ConfigKey::string("response.http.headers.config").default("").validator(check::RESPONSE_HEADERS).importance(Importance::Low).doc("Rules for headers of REST responses: an action (set, add, setDate, addDate), a name, a colon and a value."))
        .define(ConfigKey::string("ssl.client.auth").default("none").validator(Validator::OneOf(&["required", "requested", "none"])).importance(Importance::Low).doc("Whether https clients must show a certificate: none, requested or required."))
        .define(ConfigKey::list("rest.extension.classes").default("").validator(Validator::Items { may_be_empty: true }).importance(Importance::Low).doc("Extensions of the REST API, in the order in which they are asked."))
        .define(ConfigKey::list("admin.listeners").default_null().validator(Validator::ItemsOrNull { may_be_empty: true }).importance(Importance::Low).doc("Addresses of the /admin endpoints; the listeners if it is not set, nowhere if it is empty."))
}

/// The keys that only a standalone worker has.
pub(crate) fn standalone_keys() -> ConfigDef {
    ConfigDef::new().define(
        ConfigKey::string("offset.storage.file.filename")
            .importance(Importance::High)
            .doc("File that source offsets are kept in."),
    )
}

/// The keys that only a worker of a group has.
pub(crate) fn distributed_keys() -> ConfigDef {
    ConfigDef::new()
        .define(ConfigKey::string("group.id").importance(Importance::High).doc("Name of the group of workers; those of one name share connectors and tasks."))
        .define(ConfigKey::int("session.timeout.ms").default("10000").importance(Importance::High).doc("After how long without a heartbeat a worker counts as gone, in milliseconds."))
        .define(ConfigKey::int("rebalance.timeout.ms").default("60000").importance(Importance::High).doc("How long workers have to join when the group rebalances, in milliseconds."))
        .define(ConfigKey::int("heartbeat.interval.ms").default("3000").importance(Importance::High).doc("Time between two heartbeats to the group coordinator, in milliseconds."))
        .define(ConfigKey::string("exactly.once.source.support").default("disabled").validator(Validator::OneOfIgnoringCase(&["DISABLED", "ENABLED", "PREPARING"])).importance(Importance::High).doc("Whether source records and their offsets are written in transactions; preparing is the step between."))
        .define(ConfigKey::int("worker.sync.timeout.ms").default("3000").importance(Importance::Medium).doc("How long a worker that lags behind tries to read the config topic to its end before it leaves the group, in milliseconds."))
        .define(ConfigKey::int("worker.unsync.backoff.ms").default("300000").importance(Importance::Medium).doc("How long a worker that could not read the config topic stays out of the group, in milliseconds."))
        .define(ConfigKey::string("offset.storage.topic").importance(Importance::High).doc("Topic that source offsets are kept in."))
        .define(ConfigKey::int("offset.storage.partitions").default("25").validator(check::PARTITIONS).importance(Importance::Low).doc("Partitions of the offset topic if it has to be created; -1 for the default of the brokers."))
        .define(ConfigKey::short("offset.storage.replication.factor").default("3").validator(check::REPLICATION).importance(Importance::Low).doc("Replicas of the offset topic if it has to be created; -1 for the default of the brokers."))
        .define(ConfigKey::string("config.storage.topic").importance(Importance::High).doc("Topic that configurations are kept in."))
        .define(ConfigKey::short("config.storage.replication.factor").default("3").validator(check::REPLICATION).importance(Importance::Low).doc("Replicas of the config topic if it has to be created; -1 for the default of the brokers."))
        .define(ConfigKey::string("status.storage.topic").importance(Importance::High).doc("Topic that states are kept in."))
        .define(ConfigKey::int("status.storage.partitions").default("5").validator(check::PARTITIONS).importance(Importance::Low).doc("Partitions of the status topic if it has to be created; -1 for the default of the brokers."))
        .define(ConfigKey::short("status.storage.replication.factor").default("3").validator(check::REPLICATION).importance(Importance::Low).doc("Replicas of the status topic if it has to be created; -1 for the default of the brokers."))
        .define(ConfigKey::string("connect.protocol").default("sessioned").validator(check::CONNECT_PROTOCOL).importance(Importance::Low).doc("Protocol of the group of workers: sessioned, compatible (without signed requests) or eager."))
        .define(ConfigKey::int("scheduled.rebalance.max.delay.ms").default("300000").validator(Validator::Between(0, 2147483647)).importance(Importance::Low).doc("How long tasks of a worker that left wait for it to come back before others get them, in milliseconds."))
        .define(ConfigKey::int("inter.worker.key.ttl.ms").default("3600000").validator(Validator::Between(0, 2147483647)).importance(Importance::Low).doc("Age at which the key that signs requests between workers is replaced, in milliseconds."))
        .define(ConfigKey::string("inter.worker.key.generation.algorithm").default("HmacSHA256").validator(check::KEY_ALGORITHM).importance(Importance::Low).doc("Algorithm that keys of requests between workers are made for."))
        .define(ConfigKey::int("inter.worker.key.size").default_null().importance(Importance::Low).doc("Size of such keys in bits; that of the algorithm if it is not set."))
        .define(ConfigKey::string("inter.worker.signature.algorithm").default("HmacSHA256").validator(check::MAC_ALGORITHM).importance(Importance::Low).doc("Algorithm that requests between workers are signed with."))
        .define(ConfigKey::list("inter.worker.verification.algorithms").default("HmacSHA256").validator(check::MAC_ALGORITHMS).importance(Importance::Low).doc("Algorithms of signatures that are accepted."))
        .extend(client_keys(CLIENT))
}
