//! Keys that only consumers have.

use super::super::definition::{Definition, Valid};
use super::super::duration;
use super::super::key::{Key, List, Text, boolean, int, int_ms, list, optional_text, required_class, text};
use std::time::Duration;

const DESERIALIZED: &str = "keys and values are given as bytes";
const NO_SHARE_GROUPS: &str = "there is no share consumer";

fn offset_reset(value: &str) -> Result<(), String> {
    let duration = value.strip_prefix("by_duration:").and_then(duration::parse);
    match value {
        "earliest" | "latest" | "none" => Ok(()),
        _ if duration.is_some() => Ok(()),
        _ => Err(format!(
            "Invalid value `{value}` for configuration auto.offset.reset. The value must be either 'earliest', \
             'latest', 'none' or of the format 'by_duration:<PnDTnHnMn.nS.>'."
        )),
    }
}

fn acknowledgement_mode(value: &str) -> Result<(), String> {
    match value {
        "implicit" | "explicit" => Ok(()),
        _ => Err(format!(
            "Invalid value `{value}` for configuration share.acknowledgement.mode. The value must either be \
             'implicit' or 'explicit'."
        )),
    }
}

fn acquire_mode(value: &str) -> Result<(), String> {
    match value.to_ascii_lowercase().as_str() {
        "batch_optimized" | "record_limit" => Ok(()),
        _ => Err(format!(
            "Invalid value `{value}` for configuration share.acquire.mode. The value must either be \
             'batch_optimized' or 'record_limit'."
        )),
    }
}

keys! { CONSUMER:
    GROUP_ID: Option<Text> = optional_text("group.id")
        .high()
        .doc("The group that shares the partitions; needed to subscribe and to commit.");

    GROUP_INSTANCE_ID: Option<Text> = optional_text("group.instance.id")
        .valid(Valid::NonEmpty)
        .doc("Makes a static member, which keeps its partitions over a restart.");

    GROUP_PROTOCOL: Text = text("group.protocol", "classic")
        .any_case(&["CONSUMER", "CLASSIC"])
        .high()
        .doc("Who assigns partitions: a member (classic), or the coordinator (consumer, KIP-848).");

    GROUP_REMOTE_ASSIGNOR: Option<Text> = optional_text("group.remote.assignor")
        .doc("Name of the coordinator's assignor, with the consumer protocol.");

    PARTITION_ASSIGNMENT_STRATEGY: List = list(
            "partition.assignment.strategy",
            "class org.apache.kafka.clients.consumer.RangeAssignor,\
             class org.apache.kafka.clients.consumer.CooperativeStickyAssignor",
        )
        .partly("classes of one's own are passed over")
        .doc("How a member assigns partitions, by preference: names or Java classes.");

    SESSION_TIMEOUT: Duration = int_ms("session.timeout.ms", 45_000)
        .high()
        .doc("How long a member may be silent before it loses its partitions.");

    HEARTBEAT_INTERVAL: Duration = int_ms("heartbeat.interval.ms", 3_000)
        .high()
        .doc("How often a member shows that it is alive; lower than `session.timeout.ms`.");

    MAX_POLL_INTERVAL: Duration = int_ms("max.poll.interval.ms", 300_000)
        .at_least(1)
        .doc("How long the application may work between two calls before the member leaves the group.");

    MAX_POLL_RECORDS: i32 = int("max.poll.records", 500)
        .at_least(1)
        .partly("a hint for the application: batches are handed out whole")
        .doc("Records that the application works on at a time.");

    AUTO_OFFSET_RESET: Text = text("auto.offset.reset", "latest")
        .valid(Valid::Custom("[latest, earliest, none, by_duration:PnDTnHnMn.nS]", offset_reset))
        .doc("Where to start without a committed offset, or when the position is out of range.");

    ENABLE_AUTO_COMMIT: bool = boolean("enable.auto.commit", true)
        .ours(false, "only the application knows which records are done with")
        .doc("Whether positions are committed now and then by themselves.");

    AUTO_COMMIT_INTERVAL: Duration = int_ms("auto.commit.interval.ms", 5_000)
        .low()
        .doc("How often positions are committed by themselves.");

    ISOLATION_LEVEL: Text = text("isolation.level", "read_uncommitted")
        .one_of(&["read_committed", "read_uncommitted"])
        .doc("Whether records of open and aborted transactions are seen.");

    FETCH_MIN_BYTES: i32 = int("fetch.min.bytes", 1)
        .at_least(0)
        .high()
        .doc("Bytes that a broker waits for before it answers, for `fetch.max.wait.ms` at most.");

    FETCH_MAX_BYTES: i32 = int("fetch.max.bytes", 50 << 20)
        .at_least(0)
        .doc("Bytes of one answer, and of records that were not handed out yet.");

    FETCH_MAX_WAIT: Duration = int_ms("fetch.max.wait.ms", 500)
        .low()
        .doc("How long a broker waits for `fetch.min.bytes`.");

    FETCH_QUIET_MAX_WAIT: Duration = int_ms("crossdock.fetch.quiet.max.wait.ms", 2000)
        .low()
        .doc(
            "How long a broker waits, if longer than `fetch.max.wait.ms`, once 20 fetches in a row brought nothing and \
             `fetch.min.bytes` is 1: no record waits for that.",
        );

    MAX_PARTITION_FETCH_BYTES: i32 = int("max.partition.fetch.bytes", 1 << 20)
        .at_least(0)
        .high()
        .doc("Bytes of one partition in one answer; a larger batch is given alone.");

    MAX_DECOMPRESSED_BYTES: i32 = int("crossdock.fetch.max.decompressed.bytes", 128 << 20)
        .at_least(1)
        .low()
        .doc("Bytes that one batch may decompress to; the partition of a larger one stops with an error.");

    CHECK_CRCS: bool = boolean("check.crcs", true)
        .low()
        .doc("Whether the checksums of batches are checked.");

    ALLOW_AUTO_CREATE_TOPICS: bool = boolean("allow.auto.create.topics", true)
        .doc("Whether the broker may create a missing topic that is subscribed to.");

    CLIENT_RACK: Text = text("client.rack", "")
        .low()
        .doc("The rack of this client, for assignments and fetching close by.");

    EXCLUDE_INTERNAL_TOPICS: bool = boolean("exclude.internal.topics", true)
        .doc("Whether patterns leave out internal topics.");

    INTERCEPTOR_CLASSES: List = list("interceptor.classes", "")
        .low()
        .without_effect("Java classes cannot be loaded, so nothing sees the records before the application")
        .doc("Java classes that see and may change records before the application does.");

    KEY_DESERIALIZER: Option<Text> = required_class("key.deserializer")
        .high()
        .not_applicable(DESERIALIZED)
        .doc("Java class that reads keys.");

    VALUE_DESERIALIZER: Option<Text> = required_class("value.deserializer")
        .high()
        .not_applicable(DESERIALIZED)
        .doc("Java class that reads values.");

    SHARE_ACKNOWLEDGEMENT_MODE: Text = text("share.acknowledgement.mode", "implicit")
        .valid(Valid::Custom("[implicit, explicit]", acknowledgement_mode))
        .without_effect(NO_SHARE_GROUPS)
        .doc("How records of a share group are acknowledged (KIP-932).");

    SHARE_ACQUIRE_MODE: Text = text("share.acquire.mode", "BATCH_OPTIMIZED")
        .valid(Valid::Custom("[batch_optimized, record_limit]", acquire_mode))
        .without_effect(NO_SHARE_GROUPS)
        .doc("How records of a share group are acquired (KIP-932).");
}
