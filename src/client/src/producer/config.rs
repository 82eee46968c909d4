//! Settings of a producer.
//!
//! Names, defaults and ranges are those of the table in `config::keys::producer`, as
//! `org.apache.kafka.clients.producer.ProducerConfig` (4.x) has them, but for a few defaults of our own.
//! What is here is how settings depend on one another.

use crate::config::keys::common::{REQUEST_TIMEOUT, RETRY_BACKOFF, RETRY_BACKOFF_MAX};
use crate::config::keys::producer::*;
use crate::config::{ClientKind, Reader};
use crate::error::ConfigError;
use crossdock_wire::Codec;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How records become batches, and how persistently these are sent.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ProducerConfig {
    /// `acks`: when a batch counts as written.
    pub acks: Acks,
    /// `batch.size`: largest size of a batch in bytes; a single larger record gets a batch of its own.
    pub batch_size: usize,
    /// `buffer.memory`: bytes of records that wait or are in flight.
    pub buffer_memory: usize,
    /// `compression.type` with `compression.gzip.level`, `compression.lz4.level` or `compression.zstd.level`.
    pub codec: Codec,
    /// `delivery.timeout.ms`: from append to acknowledgement, retries included.
    pub delivery_timeout: Duration,
    /// `enable.idempotence`.
    pub idempotence: Idempotence,
    /// `linger.ms`: how long a batch that is not full waits for more records.
    pub linger: Duration,
    /// `max.block.ms`: how long [`super::Producer::wait_for_metadata`] waits.
    pub max_block: Duration,
    /// `max.in.flight.requests.per.connection`; more than 64 are as 64.
    pub max_in_flight: usize,
    /// `metadata.max.idle.ms`: a topic that is not produced to for this long is not kept up to date any more.
    pub metadata_max_idle: Duration,
    /// `max.request.size`: largest record, and largest sum of the batches in a request, in bytes.
    pub max_request_size: usize,
    /// `partitioner.class` is `RoundRobinPartitioner`: all records without a partition take the partitions in turn.
    pub partitioner_round_robin: bool,
    /// `partitioner.ignore.keys`: records with a key are spread like those without.
    pub partitioner_ignore_keys: bool,
    /// `partitioner.adaptive.partitioning.enable`: partitions whose batches queue up get fewer of the records that
    /// are spread.
    pub partitioner_adaptive: bool,
    /// `partitioner.availability.timeout.ms`: a broker that takes no requests for this long gets no more of the
    /// records that are spread, if that is adaptive; `None` is never.
    pub partitioner_availability_timeout: Option<Duration>,
    /// `request.timeout.ms`.
    pub request_timeout: Duration,
    /// `retries`: how often a batch is sent again at most.
    pub retries: u32,
    /// `retry.backoff.ms`.
    pub retry_backoff: Duration,
    /// `retry.backoff.max.ms`.
    pub retry_backoff_max: Duration,
    /// `transactional.id`: makes the producer transactional.
    pub transactional_id: Option<String>,
    /// `transaction.timeout.ms`: the coordinator aborts a transaction that is open for longer.
    pub transaction_timeout: Duration,
    /// Keys that mean nothing to a producer.
    pub unused: BTreeSet<String>,
}

/// When a batch counts as written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acks {
    /// `all` or `-1`: when all in-sync replicas have it.
    All,
    /// `1`: when the leader has it.
    Leader,
    /// `0`: when it was sent; nothing is known of its fate.
    None,
}

/// Whether the broker removes duplicates that retries would make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Idempotence {
    /// `true`: no producing without it.
    Required,
    /// Not configured: if the broker grants it; else with one request in flight, so that order is kept.
    IfPossible,
    /// `false`.
    Off,
}

impl Default for ProducerConfig {
    fn default() -> Self {
        Self::read(&Reader::of_defaults(ClientKind::Producer))
    }
}

impl ProducerConfig {
    /// Reads the settings. Unknown keys end up in [`Self::unused`]; wrong values, and values that do
    /// not fit together, are errors that name the key.
    pub fn from_map(map: &BTreeMap<String, String>) -> Result<Self, ConfigError> {
        let reader = Reader::new(map, ClientKind::Producer)?;
        let mut config = Self::read(&reader);
        config.settle_delivery_timeout(&reader)?;
        config.settle_idempotence()?.settle_transactions()
    }

    fn read(reader: &Reader<'_>) -> Self {
        let retry_backoff = reader.get(RETRY_BACKOFF);
        Self {
            acks: match reader.get(ACKS) {
                "0" => Acks::None,
                "1" => Acks::Leader,
                _ => Acks::All,
            },
            batch_size: size(reader.get(BATCH_SIZE).into()),
            buffer_memory: size(reader.get(BUFFER_MEMORY)),
            codec: codec(reader),
            delivery_timeout: reader.get(DELIVERY_TIMEOUT),
            idempotence: match reader.given(ENABLE_IDEMPOTENCE) {
                Some(true) => Idempotence::Required,
                Some(false) => Idempotence::Off,
                None => Idempotence::IfPossible,
            },
            linger: reader.get(LINGER),
            max_block: reader.get(MAX_BLOCK),
            max_in_flight: size(reader.get(MAX_IN_FLIGHT).into()),
            metadata_max_idle: reader.get(METADATA_MAX_IDLE),
            max_request_size: size(reader.get(MAX_REQUEST_SIZE).into()),
            partitioner_round_robin: reader.get(PARTITIONER_CLASS) == Some(ROUND_ROBIN),
            partitioner_ignore_keys: reader.get(PARTITIONER_IGNORE_KEYS),
            partitioner_adaptive: reader.get(PARTITIONER_ADAPTIVE),
            partitioner_availability_timeout: Some(reader.get(PARTITIONER_AVAILABILITY_TIMEOUT))
                .filter(|timeout| !timeout.is_zero()),
            request_timeout: reader.get(REQUEST_TIMEOUT),
            retries: reader.get(PRODUCER_RETRIES).unsigned_abs(),
            retry_backoff,
            retry_backoff_max: reader.get(RETRY_BACKOFF_MAX).max(retry_backoff),
            transactional_id: reader.get(TRANSACTIONAL_ID).map(str::to_owned),
            transaction_timeout: reader.get(TRANSACTION_TIMEOUT),
            unused: reader.unused(),
        }
    }

    /// As Java: by default long enough for one request; an explicit value that is too short is an error.
    fn settle_delivery_timeout(&mut self, reader: &Reader<'_>) -> Result<(), ConfigError> {
        let least = self.linger + self.request_timeout;
        if self.delivery_timeout >= least {
            return Ok(());
        }
        if reader.given(DELIVERY_TIMEOUT).is_some() {
            return Err(ConfigError::Invalid(
                "delivery.timeout.ms should be equal to or larger than linger.ms + request.timeout.ms"
                    .to_owned(),
            ));
        }
        self.delivery_timeout = least;
        Ok(())
    }

    /// Idempotence needs acks=all, retries, and at most five requests in flight. As in Java: if it was
    /// asked for, others are errors; if not, it is off.
    fn settle_idempotence(mut self) -> Result<Self, ConfigError> {
        let obstacle = if self.acks != Acks::All {
            "Must set acks to all in order to use the idempotent producer. Otherwise we cannot guarantee idempotence."
        } else if self.retries == 0 {
            "Must set retries to non-zero when using the idempotent producer."
        } else if self.max_in_flight > 5 {
            "Must set max.in.flight.requests.per.connection to at most 5 to use the idempotent producer."
        } else {
            return Ok(self);
        };
        match self.idempotence {
            Idempotence::Required => Err(ConfigError::Invalid(obstacle.to_owned())),
            Idempotence::IfPossible | Idempotence::Off => {
                self.idempotence = Idempotence::Off;
                Ok(self)
            }
        }
    }

    /// Transactions need idempotence, as in Java.
    fn settle_transactions(mut self) -> Result<Self, ConfigError> {
        if self.transactional_id.is_none() {
            return Ok(self);
        }
        if self.idempotence == Idempotence::Off {
            let text = "Cannot set a transactional.id without also enabling idempotence.";
            return Err(ConfigError::Invalid(text.to_owned()));
        }
        self.idempotence = Idempotence::Required;
        Ok(self)
    }

    /// The largest size of a batch of several records.
    pub(crate) fn batch_limit(&self) -> usize {
        self.batch_size.min(self.max_request_size)
    }
}

fn codec(reader: &Reader<'_>) -> Codec {
    match reader.get(COMPRESSION_TYPE) {
        "gzip" => match reader.get(COMPRESSION_GZIP_LEVEL) {
            -1 => Codec::GZIP,
            level => Codec::GZIP.with_level(level),
        },
        "snappy" => Codec::SNAPPY,
        "lz4" => Codec::LZ4.with_level(reader.get(COMPRESSION_LZ4_LEVEL)),
        "zstd" => Codec::ZSTD.with_level(reader.get(COMPRESSION_ZSTD_LEVEL)),
        _ => Codec::NONE,
    }
}

fn size(value: i64) -> usize {
    usize::try_from(value).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(pairs: &[(&str, &str)]) -> Result<ProducerConfig, ConfigError> {
        ProducerConfig::from_map(&pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect())
    }

    #[test]
    fn defaults_are_the_same_both_ways() {
        let (read, default) = (config(&[]).unwrap(), ProducerConfig::default());
        assert_eq!(format!("{read:?}"), format!("{default:?}"));
    }

    #[test]
    fn idempotence_is_settled_as_in_java() {
        assert_eq!(config(&[("acks", "1")]).unwrap().idempotence, Idempotence::Off);
        assert!(config(&[("acks", "1"), ("enable.idempotence", "true")]).is_err());
        assert!(config(&[("retries", "0"), ("enable.idempotence", "true")]).is_err());
        let six = ("max.in.flight.requests.per.connection", "6");
        assert_eq!(config(&[six]).unwrap().idempotence, Idempotence::Off);
        assert!(config(&[six, ("enable.idempotence", "TRUE")]).is_err());
    }

    #[test]
    fn partitioners_are_chosen_by_their_class() {
        assert!(!config(&[]).unwrap().partitioner_round_robin);
        assert!(!config(&[("partitioner.class", "")]).unwrap().partitioner_round_robin);
        assert!(config(&[("partitioner.class", ROUND_ROBIN)]).unwrap().partitioner_round_robin);
        assert_eq!(config(&[]).unwrap().partitioner_availability_timeout, None);
        let soon = config(&[("partitioner.availability.timeout.ms", "20")]).unwrap();
        assert_eq!(soon.partitioner_availability_timeout, Some(Duration::from_millis(20)));
    }

    #[test]
    fn codecs_have_their_levels() {
        let codec = |pairs: &[(&str, &str)]| config(pairs).unwrap().codec;
        assert_eq!(codec(&[]), Codec::NONE);
        assert_eq!(codec(&[("compression.type", "gzip")]), Codec::GZIP);
        let levels = [("compression.gzip.level", "9"), ("compression.zstd.level", "-7")];
        assert_eq!(codec(&[("compression.type", "gzip"), levels[0], levels[1]]), Codec::GZIP.with_level(9));
        assert_eq!(codec(&[("compression.type", "zstd"), levels[0], levels[1]]), Codec::ZSTD.with_level(-7));
        assert_eq!(codec(&[("compression.type", "snappy")]), Codec::SNAPPY);
        assert_eq!(codec(&[("compression.type", "lz4")]), Codec::LZ4);
    }

    #[test]
    fn values_that_cannot_work_are_refused() {
        for (pairs, part) in [
            (vec![("compression.gzip.level", "0")], "between 1 and 9"),
            (vec![("compression.type", "bzip2")], "String must be one of"),
            (vec![("transactional.id", "x"), ("acks", "1")], "without also enabling idempotence"),
            (vec![("transactional.id", "x"), ("enable.idempotence", "false")], "without also enabling"),
            (vec![("transactional.id", "")], "String must be non-empty"),
            (vec![("transaction.two.phase.commit.enable", "true")], "not supported"),
            (vec![("partitioner.class", "com.example.Mine")], "Java classes cannot be loaded"),
            (vec![("metadata.max.idle.ms", "4999")], "at least 5000"),
            (vec![("partitioner.availability.timeout.ms", "-1")], "at least 0"),
            (vec![("acks", "2")], "String must be one of: all, -1, 0, 1"),
            (vec![("delivery.timeout.ms", "1000")], "request.timeout.ms"),
            (vec![("batch.size", "x")], "Not a number of type INT"),
            (vec![("max.in.flight.requests.per.connection", "0")], "at least 1"),
        ] {
            let error = config(&pairs).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
        let stretched = config(&[("request.timeout.ms", "200000")]).unwrap();
        assert_eq!(stretched.delivery_timeout, Duration::from_secs(200));
    }
}
