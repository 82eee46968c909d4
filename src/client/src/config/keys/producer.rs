//! Keys that only producers have.

use super::super::definition::{Definition, Valid};
use super::super::key::{
    Key, List, Text, boolean, int, int_ms, list, long, long_ms, optional_class, optional_text,
    required_class, text,
};
use std::time::Duration;

const SERIALIZED: &str = "keys and values are given as bytes";

fn gzip_level(value: &str) -> Result<(), String> {
    match value.parse::<i32>() {
        Ok(-1 | 1..=9) => Ok(()),
        _ => Err("Value must be between 1 and 9 or equal to -1".to_owned()),
    }
}

/// The one class of `partitioner.class` that is known here.
pub(crate) const ROUND_ROBIN: &str = "org.apache.kafka.clients.producer.RoundRobinPartitioner";

keys! { PRODUCER:
    ACKS: Text = text("acks", "all")
        .one_of(&["all", "-1", "0", "1"])
        .low()
        .doc("When a batch counts as written: when all in-sync replicas have it (all, -1), when the \
              leader has it (1), or when it was sent (0).");

    BATCH_SIZE: i32 = int("batch.size", 16_384)
        .at_least(0)
        .ours(524_288, "a batch is sent as soon as a request slot is free and grows only until then")
        .doc("Largest size of a batch in bytes; a single larger record gets a batch of its own.");

    BUFFER_MEMORY: i64 = long("buffer.memory", 32 << 20)
        .at_least(0)
        .high()
        .doc("Bytes of records that wait or are under way at most.");

    COMPRESSION_TYPE: Text = text("compression.type", "none")
        .one_of(&["none", "gzip", "snappy", "lz4", "zstd"])
        .high()
        .doc("How batches are compressed; zstd needs brokers of Kafka 2.1 or newer.");

    COMPRESSION_GZIP_LEVEL: i32 = int("compression.gzip.level", -1)
        .valid(Valid::Custom("[1,...,9] or -1", gzip_level))
        .doc("Level of gzip; -1 is its own default.");

    COMPRESSION_LZ4_LEVEL: i32 = int("compression.lz4.level", 9)
        .between(1, 17)
        .partly("all levels are written by the fast compressor, as Java does for 9")
        .doc("Level of lz4.");

    COMPRESSION_ZSTD_LEVEL: i32 = int("compression.zstd.level", 3)
        .between(-131_072, 22)
        .doc("Level of zstd.");

    DELIVERY_TIMEOUT: Duration = int_ms("delivery.timeout.ms", 120_000)
        .doc("From append to acknowledgement, with all repetitions; at least `linger.ms` and \
              `request.timeout.ms` together.");

    ENABLE_IDEMPOTENCE: bool = boolean("enable.idempotence", true)
        .low()
        .doc("Whether the broker leaves out duplicates that repetitions would make; if not set, it is \
              on wherever the other settings and the broker allow it.");

    INTERCEPTOR_CLASSES: List = list("interceptor.classes", "")
        .low()
        .without_effect("Java classes cannot be loaded, so nothing sees the records before they are sent")
        .doc("Java classes that see and may change records before they are sent.");

    KEY_SERIALIZER: Option<Text> = required_class("key.serializer")
        .high()
        .not_applicable(SERIALIZED)
        .doc("Java class that makes bytes of keys.");

    VALUE_SERIALIZER: Option<Text> = required_class("value.serializer")
        .high()
        .not_applicable(SERIALIZED)
        .doc("Java class that makes bytes of values.");

    LINGER: Duration = long_ms("linger.ms", 5)
        .ours(0, "batches grow while all request slots are taken, so that waiting gains nothing")
        .doc("How long a batch that is not full waits for more records.");

    MAX_BLOCK: Duration = long_ms("max.block.ms", 60_000)
        .doc("How long the partitions of a topic are waited for.");

    MAX_IN_FLIGHT: i32 = int("max.in.flight.requests.per.connection", 5)
        .at_least(1)
        .low()
        .partly("more than 64 are as 64")
        .doc("Requests to a broker that may be without an answer at the same time.");

    MAX_REQUEST_SIZE: i32 = int("max.request.size", 1 << 20)
        .at_least(0)
        .doc("Largest record, and largest sum of the batches in a request, in bytes.");

    METADATA_MAX_IDLE: Duration = long_ms("metadata.max.idle.ms", 300_000)
        .at_least(5_000)
        .low()
        .doc("How long a topic that is not produced to is kept up to date; the next record has it asked for again.");

    PARTITIONER_CLASS: Option<Text> = optional_class("partitioner.class")
        .refused_but(
            &[ROUND_ROBIN],
            "Java classes cannot be loaded; remove the key, or give each record its partition",
        )
        .doc("What chooses the partition of records that are given none: by default the key, or sticking to one for \
              a batch; RoundRobinPartitioner takes all partitions in turn, whatever the key.");

    PARTITIONER_IGNORE_KEYS: bool = boolean("partitioner.ignore.keys", false)
        .doc("Whether records with a key are spread like those without.");

    PARTITIONER_ADAPTIVE: bool = boolean("partitioner.adaptive.partitioning.enable", true)
        .low()
        .doc("Whether partitions of brokers that keep up get more of the records without a key.");

    PARTITIONER_AVAILABILITY_TIMEOUT: Duration = long_ms("partitioner.availability.timeout.ms", 0)
        .low()
        .doc("A broker that takes none of the requests that wait for it for this long gets no more records that are \
              spread; 0 is never. Needs `partitioner.adaptive.partitioning.enable`.");

    PRODUCER_RETRIES: i32 = int("retries", i32::MAX)
        .between(0, i32::MAX as i64)
        .high()
        .doc("How often a batch is sent again at most; `delivery.timeout.ms` is the better limit.");

    TRANSACTION_TIMEOUT: Duration = int_ms("transaction.timeout.ms", 60_000)
        .low()
        .doc("After which time without an end the coordinator aborts a transaction.");

    TRANSACTION_TWO_PHASE_COMMIT: bool = boolean("transaction.two.phase.commit.enable", false)
        .low()
        .refused("two-phase commit is not supported")
        .doc("Whether transactions take part in a two-phase commit and never time out (KIP-939).");

    TRANSACTIONAL_ID: Option<Text> = optional_text("transactional.id")
        .valid(Valid::NonEmpty)
        .low()
        .doc("Name under which transactions are made; a new producer of that name ends the old one.");
}
