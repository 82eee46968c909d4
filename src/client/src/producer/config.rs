//! Settings of a producer.
//!
//! Keys and texts are those of `org.apache.kafka.clients.producer.ProducerConfig` (4.x). Two defaults
//! differ, since a batch is sent as soon as a request slot is free and grows only until then:
//! `batch.size` is the largest size of a batch rather than a unit of memory, and `linger.ms` is 0.

use crate::config::{Reader, invalid};
use crate::error::ConfigError;
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
    /// `max.request.size`: largest record, and largest sum of the batches in a request, in bytes.
    pub max_request_size: usize,
    /// `request.timeout.ms`.
    pub request_timeout: Duration,
    /// `retries`: how often a batch is sent again at most.
    pub retries: u32,
    /// `retry.backoff.ms`.
    pub retry_backoff: Duration,
    /// `retry.backoff.max.ms`.
    pub retry_backoff_max: Duration,
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
        Self {
            acks: Acks::All,
            batch_size: 512 << 10,
            buffer_memory: 32 << 20,
            delivery_timeout: Duration::from_secs(120),
            idempotence: Idempotence::IfPossible,
            linger: Duration::ZERO,
            max_block: Duration::from_secs(60),
            max_in_flight: 5,
            max_request_size: 1 << 20,
            request_timeout: Duration::from_secs(30),
            retries: i32::MAX.unsigned_abs(),
            retry_backoff: Duration::from_millis(100),
            retry_backoff_max: Duration::from_secs(1),
            unused: BTreeSet::new(),
        }
    }
}

impl ProducerConfig {
    /// Reads the settings. Unknown keys end up in [`Self::unused`]; wrong values, and values that do
    /// not fit together, are errors that name the key.
    pub fn from_map(map: &BTreeMap<String, String>) -> Result<Self, ConfigError> {
        let reader = Reader::new(map);
        let acks = match reader.one_of("acks", "all", &["all", "-1", "0", "1"])? {
            "0" => Acks::None,
            "1" => Acks::Leader,
            _ => Acks::All,
        };
        let idempotence = match reader.text("enable.idempotence") {
            Some(_) if reader.boolean("enable.idempotence", true)? => Idempotence::Required,
            Some(_) => Idempotence::Off,
            None => Idempotence::IfPossible,
        };
        check_compression(&reader)?;
        check_transactional_id(&reader)?;
        let linger = reader.millis("linger.ms", 0)?;
        let request_timeout = reader.int_millis("request.timeout.ms", 30_000)?;
        let retry_backoff = reader.millis("retry.backoff.ms", 100)?;
        let config = Self {
            acks,
            batch_size: size(reader.int("batch.size", 512 << 10, 0)?.into()),
            buffer_memory: size(reader.long("buffer.memory", 32 << 20, 0)?),
            delivery_timeout: delivery_timeout(&reader, linger + request_timeout)?,
            idempotence,
            linger,
            max_block: reader.millis("max.block.ms", 60_000)?,
            max_in_flight: size(reader.int("max.in.flight.requests.per.connection", 5, 1)?.into()),
            max_request_size: size(reader.int("max.request.size", 1 << 20, 0)?.into()),
            request_timeout,
            retries: reader.int("retries", i32::MAX, 0)?.unsigned_abs(),
            retry_backoff,
            retry_backoff_max: reader.millis("retry.backoff.max.ms", 1_000)?.max(retry_backoff),
            unused: reader.unused(),
        };
        config.settle_idempotence()
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

    /// The largest size of a batch of several records.
    pub(crate) fn batch_limit(&self) -> usize {
        self.batch_size.min(self.max_request_size)
    }
}

fn check_compression(reader: &Reader<'_>) -> Result<(), ConfigError> {
    const KEY: &str = "compression.type";
    let known = ["none", "gzip", "snappy", "lz4", "zstd"];
    match reader.one_of(KEY, "none", &known)? {
        "none" => Ok(()),
        codec => Err(invalid(KEY, codec, "this codec is not supported yet; use none")),
    }
}

fn check_transactional_id(reader: &Reader<'_>) -> Result<(), ConfigError> {
    const KEY: &str = "transactional.id";
    match reader.text(KEY) {
        None => Ok(()),
        Some(id) => Err(invalid(KEY, id, "transactions are not supported yet")),
    }
}

/// As Java: by default long enough for one request; an explicit value that is too short is an error.
fn delivery_timeout(reader: &Reader<'_>, least: Duration) -> Result<Duration, ConfigError> {
    const KEY: &str = "delivery.timeout.ms";
    let timeout = reader.int_millis(KEY, 120_000)?;
    if timeout >= least {
        return Ok(timeout);
    }
    match reader.text(KEY) {
        None => Ok(least),
        Some(_) => Err(ConfigError::Invalid(
            "delivery.timeout.ms should be equal to or larger than linger.ms + request.timeout.ms".to_owned(),
        )),
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
    fn values_that_cannot_work_are_refused() {
        for (pairs, part) in [
            (vec![("compression.type", "zstd")], "not supported yet"),
            (vec![("compression.type", "bzip2")], "String must be one of"),
            (vec![("transactional.id", "x")], "not supported yet"),
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
