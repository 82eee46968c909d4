//! What the consumer of a sink task has fetched, and how far it is behind: the part of the consumer's own metrics that
//! its task sees (`FetchMetricsManager`).

use super::group::MetricGroup;
use super::sampled::{Sampled, Total, Windows};
use crossdock_api::TopicPartition;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::time::Instant;

const KIND: &str = "consumer-fetch-manager-metrics";

/// One fetch of a partition.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fetch {
    pub(crate) records: usize,
    /// Size of their batches' records, decompressed.
    pub(crate) bytes: usize,
    /// Of the first of them.
    pub(crate) offset: i64,
    /// One past the last of them.
    pub(crate) next_offset: i64,
    /// End of the partition then.
    pub(crate) high_watermark: i64,
}

/// Records and bytes.
#[derive(Debug)]
struct Amount {
    records: Total,
    bytes: Total,
}

/// How far a partition is behind.
#[derive(Debug)]
struct Lag {
    now: f64,
    recent: Sampled,
}

/// All that was fetched since the start of the task.
#[derive(Debug)]
pub(super) struct Fetched {
    windows: Windows,
    all: Amount,
    topics: BTreeMap<Arc<str>, Amount>,
    partitions: BTreeMap<TopicPartition, Lag>,
    lags: Sampled,
}

impl Amount {
    fn new(windows: Windows) -> Self {
        Self { records: Total::new(windows), bytes: Total::new(windows) }
    }

    fn add(&mut self, fetch: Fetch, now: Instant) {
        self.records.add(fetch.records as f64, now);
        self.bytes.add(fetch.bytes as f64, now);
    }

    fn readings(&self, now: Instant) -> [(&'static str, f64); 4] {
        let ((bytes_rate, bytes), (records_rate, records)) =
            (self.bytes.readings(now), self.records.readings(now));
        [
            ("bytes-consumed-rate", bytes_rate),
            ("bytes-consumed-total", bytes),
            ("records-consumed-rate", records_rate),
            ("records-consumed-total", records),
        ]
    }
}

impl Fetched {
    pub(super) fn new(windows: Windows) -> Self {
        Self {
            windows,
            all: Amount::new(windows),
            topics: BTreeMap::new(),
            partitions: BTreeMap::new(),
            lags: Sampled::new(windows),
        }
    }

    pub(super) fn add(&mut self, partition: &TopicPartition, fetch: Fetch, now: Instant) {
        let windows = self.windows;
        self.all.add(fetch, now);
        let topic = self.topics.entry(Arc::clone(&partition.topic)).or_insert_with(|| Amount::new(windows));
        topic.add(fetch, now);
        let lag = fetch.high_watermark.saturating_sub(fetch.next_offset).max(0) as f64;
        self.lags.record(lag, now);
        let new = || Lag { now: 0.0, recent: Sampled::new(windows) };
        let known = self.partitions.entry(partition.clone()).or_insert_with(new);
        known.now = lag;
        known.recent.record(lag, now);
    }

    /// Forgets partitions that were taken away.
    pub(super) fn removed(&mut self, partitions: &[TopicPartition]) {
        self.partitions.retain(|partition, _| !partitions.contains(partition));
    }

    /// The metrics of the consumer with that id.
    pub(super) fn groups(&self, client_id: &str, now: Instant) -> Vec<MetricGroup> {
        let group = |tags: &[(&'static str, &str)]| {
            let tags = [&[("client-id", client_id)], tags].concat();
            MetricGroup { domain: "kafka.consumer", ..MetricGroup::connect(KIND, &tags) }
        };
        let all =
            group(&[]).numbers(self.all.readings(now)).numbers([("records-lag-max", self.lags.max(now))]);
        let topics = self.topics.iter();
        let topics = topics.map(|(topic, amount)| group(&[("topic", topic)]).numbers(amount.readings(now)));
        let partitions = self.partitions.iter().map(|(partition, lag)| {
            let number = partition.partition.to_string();
            group(&[("topic", &partition.topic), ("partition", &number)]).numbers([
                ("records-lag", lag.now),
                ("records-lag-avg", lag.recent.average(now)),
                ("records-lag-max", lag.recent.max(now)),
            ])
        });
        std::iter::once(all).chain(topics).chain(partitions).collect()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::metrics::Reading;

    #[test]
    fn lags_are_those_of_the_last_fetch_and_totals_by_topic() {
        let now = Instant::now();
        let mut fetched = Fetched::new(Windows::default());
        let partition = |topic: &str, partition| TopicPartition { topic: topic.into(), partition };
        let fetch = |next_offset| Fetch { records: 2, bytes: 70, offset: 0, next_offset, high_watermark: 10 };
        fetched.add(&partition("a", 0), fetch(4), now);
        fetched.add(&partition("a", 0), fetch(8), now);
        fetched.add(&partition("b", 1), fetch(10), now);
        let read = |fetched: &Fetched, tags: &[&str], name: &str| {
            let groups = fetched.groups("c", now);
            let of = |g: &MetricGroup| g.tags.iter().skip(1).map(|(_, v)| v.clone()).collect::<Vec<_>>();
            let group = groups.into_iter().find(|group| of(group) == tags)?;
            let found = group.attributes.into_iter().find(|(attribute, _)| *attribute == name)?;
            match found.1 {
                Reading::Number(number) => Some(number),
                Reading::Text(_) => None,
            }
        };
        assert_eq!(read(&fetched, &[], "records-consumed-total"), Some(6.0));
        assert_eq!(read(&fetched, &[], "records-lag-max"), Some(6.0));
        assert_eq!(read(&fetched, &["a"], "bytes-consumed-total"), Some(140.0));
        assert_eq!(read(&fetched, &["a", "0"], "records-lag"), Some(2.0));
        assert_eq!(read(&fetched, &["a", "0"], "records-lag-avg"), Some(4.0));
        assert_eq!(read(&fetched, &["b", "1"], "records-lag"), Some(0.0));
        fetched.removed(&[partition("a", 0)]);
        assert_eq!(read(&fetched, &["a", "0"], "records-lag"), None);
        assert_eq!(read(&fetched, &["a"], "records-consumed-total"), Some(4.0));
    }
}
