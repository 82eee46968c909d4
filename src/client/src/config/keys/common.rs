//! Keys that all kinds of clients have.

use super::super::definition::{ClientKind, DefaultValue, Definition, Importance, Variation};
use super::super::key::{
    Key, List, Text, boolean, int, int_ms, list, long, long_ms, optional_text, required_list, text,
};
use std::time::Duration;

/// Why metrics are not configured: they are counted, but there are no reporters to choose.
const NO_SAMPLING: &str = "metrics are not sampled over time; whoever reads them does that";
const SYSTEM_BUFFERS: &str = "the operating system sizes the buffers of each connection as it needs them";
const BY_TIME_ONLY: &str = "operations are repeated for default.api.timeout.ms, however often that is";

keys! { COMMON:
    BOOTSTRAP_SERVERS: List = required_list("bootstrap.servers")
        .high()
        .varies(&[Variation::Default(ClientKind::Admin, DefaultValue::Text(""))])
        .doc("Brokers to connect to first, as `host:port`; the cluster names the others.");

    CLIENT_ID: Text = text("client.id", "")
        .varies(&[Variation::Importance(ClientKind::Consumer, Importance::Low)])
        .doc("Name sent with each request, for the brokers' logs and quotas.");

    CLIENT_DNS_LOOKUP: Text = text("client.dns.lookup", "use_all_dns_ips")
        .one_of(&["use_all_dns_ips", "resolve_canonical_bootstrap_servers_only"])
        .refused("canonical names, which only Kerberos needs, are not looked up; leave it at use_all_dns_ips")
        .doc("Which addresses of a name are tried: all, one after the other.");

    REQUEST_TIMEOUT: Duration = int_ms("request.timeout.ms", 30_000)
        .doc("How long a broker may take to answer; after that the connection is closed.");

    /// Java's producers have no such key; here their coordinators and metadata are looked up under it.
    DEFAULT_API_TIMEOUT: Duration = int_ms("default.api.timeout.ms", 60_000)
        .doc("How long an operation may take with all its repetitions.");

    RETRIES: i32 = int("retries", i32::MAX)
        .clients(&[ClientKind::Admin])
        .between(0, i32::MAX as i64)
        .low()
        .without_effect(BY_TIME_ONLY)
        .doc("How often a failed operation is repeated.");

    RETRY_BACKOFF: Duration = long_ms("retry.backoff.ms", 100)
        .low()
        .doc("Wait before the first repetition; doubles with each.");

    RETRY_BACKOFF_MAX: Duration = long_ms("retry.backoff.max.ms", 1_000)
        .low()
        .doc("The longest wait before a repetition.");

    RECONNECT_BACKOFF: Duration = long_ms("reconnect.backoff.ms", 50)
        .low()
        .doc("Wait before a broker is connected to again; doubles with each failure.");

    RECONNECT_BACKOFF_MAX: Duration = long_ms("reconnect.backoff.max.ms", 1_000)
        .low()
        .doc("The longest wait before a broker is connected to again.");

    CONNECTION_SETUP_TIMEOUT: Duration = long_ms("socket.connection.setup.timeout.ms", 10_000)
        .doc("How long the first attempt to connect may take; grows with each failure.");

    CONNECTION_SETUP_TIMEOUT_MAX: Duration = long_ms("socket.connection.setup.timeout.max.ms", 30_000)
        .doc("How long an attempt to connect may take at most.");

    CONNECTIONS_MAX_IDLE: i64 = long("connections.max.idle.ms", 540_000)
        .varies(&[Variation::Default(ClientKind::Admin, DefaultValue::Number(300_000))])
        .doc("After which time without a request a connection is closed.");

    SEND_BUFFER: i32 = int("send.buffer.bytes", 131_072)
        .at_least(-1)
        .ours(-1, SYSTEM_BUFFERS)
        .doc("`SO_SNDBUF` of connections; -1 leaves it to the operating system.");

    RECEIVE_BUFFER: i32 = int("receive.buffer.bytes", 65_536)
        .at_least(-1)
        .ours(-1, SYSTEM_BUFFERS)
        .varies(&[Variation::Default(ClientKind::Producer, DefaultValue::Number(32_768))])
        .doc("`SO_RCVBUF` of connections; -1 leaves it to the operating system.");

    METADATA_MAX_AGE: Duration = long_ms("metadata.max.age.ms", 300_000)
        .low()
        .doc("Age after which brokers, topics and leaders are asked for again without a reason.");

    METADATA_RECOVERY_STRATEGY: Text = text("metadata.recovery.strategy", "rebootstrap")
        .any_case(&["REBOOTSTRAP", "NONE"])
        .low()
        .doc("Whether to go back to `bootstrap.servers` when no known broker can be reached.");

    METADATA_REBOOTSTRAP_TRIGGER: Duration = long_ms("metadata.recovery.rebootstrap.trigger.ms", 300_000)
        .low()
        .partly("when no known broker answers, bootstrap.servers are asked at once; after this time they are asked first")
        .doc("How long metadata may be missing before the client goes back to `bootstrap.servers`.");

    SECURITY_PROTOCOL: Text = text("security.protocol", "PLAINTEXT")
        .any_case(&["SASL_SSL", "PLAINTEXT", "SSL", "SASL_PLAINTEXT"])
        .doc("Whether connections are encrypted (SSL) and authenticated (SASL).");

    SECURITY_PROVIDERS: Option<Text> = optional_text("security.providers")
        .low()
        .without_effect("Java's security providers cannot be loaded")
        .doc("Java classes of security providers.");

    CONFIG_PROVIDERS: List = list("config.providers", "")
        .low()
        .without_effect("references such as ${file:…} are not resolved by the client")
        .doc("Names of providers that resolve references in values.");

    ENABLE_METRICS_PUSH: bool = boolean("enable.metrics.push", true)
        .low()
        .varies(&[Variation::Default(ClientKind::Admin, DefaultValue::Boolean(false))])
        .not_applicable("metrics are not pushed to brokers")
        .doc("Whether metrics are sent to brokers that subscribed to them (KIP-714).");

    METRIC_REPORTERS: List = list("metric.reporters", "org.apache.kafka.common.metrics.JmxReporter")
        .low()
        .not_applicable("Java classes cannot be loaded, and there is no JMX")
        .doc("Java classes that metrics are reported to.");

    METRICS_NUM_SAMPLES: i32 = int("metrics.num.samples", 2)
        .at_least(1)
        .low()
        .without_effect(NO_SAMPLING)
        .doc("How many samples a metric is computed over.");

    METRICS_RECORDING_LEVEL: Text = text("metrics.recording.level", "INFO")
        .one_of(&["INFO", "DEBUG", "TRACE"])
        .low()
        .without_effect(NO_SAMPLING)
        .doc("Which metrics are recorded.");

    METRICS_SAMPLE_WINDOW: Duration = long_ms("metrics.sample.window.ms", 30_000)
        .low()
        .without_effect(NO_SAMPLING)
        .doc("How long a sample of a metric is.");
}
