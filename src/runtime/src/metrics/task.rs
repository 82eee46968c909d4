//! What one task has done (`WorkerTask.TaskMetricsGroup`, `SourceTaskMetricsGroup`, `SinkTaskMetricsGroup`).

use super::errors::ErrorMetrics;
use super::fetched::{Fetch, Fetched};
use super::group::MetricGroup;
use super::lags::Lags;
use super::sampled::{Sampled, Total, Windows};
use crate::herder::State;
use crossdock_api::TopicPartition;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// The metrics of one task since its start. Noted once a batch.
#[derive(Debug)]
pub(crate) struct TaskMetrics {
    errors: ErrorMetrics,
    work: Mutex<Work>,
    /// Id of the consumer, if there is one.
    client: OnceLock<String>,
}

#[derive(Debug)]
struct Work {
    states: States,
    /// Records of a poll or put.
    batches: Sampled,
    /// Milliseconds of a poll or put.
    calls: Sampled,
    commit_times: Sampled,
    commits: Sampled,
    /// Records polled or read.
    taken: Total,
    /// Records written or put.
    given: Total,
    /// Records between the two.
    active: Sampled,
    active_now: f64,
    lags: Lags,
    fetched: Fetched,
    attempts: u64,
    completions: Total,
}

/// The time spent in each state (`StateTracker`).
#[derive(Debug)]
struct States {
    created: Instant,
    state: State,
    since: Instant,
    running: Duration,
    paused: Duration,
    has_started: bool,
}

impl States {
    fn new(now: Instant) -> Self {
        let (running, paused) = (Duration::ZERO, Duration::ZERO);
        Self { created: now, state: State::Unassigned, since: now, running, paused, has_started: false }
    }

    fn enter(&mut self, state: State, now: Instant) {
        (self.running, self.paused) = self.spent(now);
        (self.state, self.since) = (state, now);
        self.has_started |= matches!(state, State::Running | State::Paused);
    }

    fn spent(&self, now: Instant) -> (Duration, Duration) {
        let here = now.duration_since(self.since);
        let of = |state, before| if self.state == state { before + here } else { before };
        (of(State::Running, self.running), of(State::Paused, self.paused))
    }

    /// Shares of the time since the start that the task was running, and paused.
    fn ratios(&self, now: Instant) -> (f64, f64) {
        let all = now.duration_since(self.created).as_secs_f64();
        let (running, paused) = self.spent(now);
        let ratio = |spent: Duration| if all > 0.0 { spent.as_secs_f64() / all } else { 0.0 };
        (ratio(running), ratio(paused))
    }
}

impl Default for TaskMetrics {
    fn default() -> Self {
        Self::new(Windows::default())
    }
}

impl TaskMetrics {
    pub(crate) fn new(windows: Windows) -> Self {
        let sampled = || Sampled::new(windows);
        let work = Work {
            states: States::new(Instant::now()),
            batches: sampled(),
            calls: sampled(),
            commit_times: sampled(),
            commits: sampled(),
            taken: Total::new(windows),
            given: Total::new(windows),
            active: sampled(),
            active_now: 0.0,
            lags: Lags::default(),
            fetched: Fetched::new(windows),
            attempts: 0,
            completions: Total::new(windows),
        };
        Self { errors: ErrorMetrics::default(), work: Mutex::new(work), client: OnceLock::new() }
    }

    fn work(&self) -> MutexGuard<'_, Work> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts of failed records.
    pub(crate) fn errors(&self) -> &ErrorMetrics {
        &self.errors
    }

    /// The task is in another state.
    pub(crate) fn entered(&self, state: State) {
        self.work().states.enter(state, Instant::now());
    }

    /// Whether the task has come to work, or to a pause, since its start.
    pub(crate) fn has_started(&self) -> bool {
        self.work().states.has_started
    }

    /// The task has a consumer with that id.
    pub(crate) fn consumes_as(&self, client_id: &str) {
        // Set once, when the task is built.
        let _ = self.client.set(client_id.to_owned());
    }

    /// What its consumer has fetched.
    pub(super) fn consumer(&self) -> Vec<MetricGroup> {
        let client = self.client.get();
        client.map(|client| self.work().fetched.groups(client, Instant::now())).unwrap_or_default()
    }

    /// A source was polled and gave records.
    pub(crate) fn polled(&self, records: usize, took: Duration) {
        let (mut work, now) = (self.work(), Instant::now());
        let records = records as f64;
        work.batches.record(records, now);
        work.calls.record(millis(took), now);
        work.taken.add(records, now);
        work.active_by(records, now);
    }

    /// Records of a source are done with: Kafka has so many of them.
    pub(crate) fn done(&self, records: u64, written: u64) {
        let (mut work, now) = (self.work(), Instant::now());
        work.given.add(written as f64, now);
        work.active_by(-(records as f64), now);
    }

    /// A sink has read records of a partition.
    pub(crate) fn read(&self, partition: &TopicPartition, fetch: Fetch) {
        let (mut work, now) = (self.work(), Instant::now());
        work.taken.add(fetch.records as f64, now);
        work.lags.read(partition, fetch.offset, fetch.next_offset);
        work.fetched.add(partition, fetch, now);
        work.active_is_lag(now);
    }

    /// A sink has taken what was put.
    pub(crate) fn put(&self, records: usize, took: Duration) {
        let (mut work, now) = (self.work(), Instant::now());
        work.batches.record(records as f64, now);
        work.calls.record(millis(took), now);
        work.given.add(records as f64, now);
    }

    /// A sink was given partitions.
    pub(crate) fn assigned(&self, partitions: &[TopicPartition]) {
        let mut work = self.work();
        work.lags.assigned(partitions);
        work.active_is_lag(Instant::now());
    }

    /// Partitions were taken from a sink.
    pub(crate) fn removed(&self, partitions: &[TopicPartition]) {
        let mut work = self.work();
        work.lags.removed(partitions);
        work.fetched.removed(partitions);
        work.active_is_lag(Instant::now());
    }

    /// A source has stored offsets, or could not.
    pub(crate) fn stored(&self, took: Duration, is_success: bool) {
        self.work().commit(took, is_success, Instant::now());
    }

    /// A sink begins to commit offsets.
    pub(crate) fn commit_begins(&self) {
        self.work().attempts += 1;
    }

    /// A sink has committed these offsets, or had nothing new to commit.
    pub(crate) fn committed<'a>(
        &self,
        took: Duration,
        offsets: impl Iterator<Item = (&'a TopicPartition, i64)>,
    ) {
        let (mut work, now) = (self.work(), Instant::now());
        work.commit(took, true, now);
        work.completions.add(1.0, now);
        work.lags.committed(offsets);
        work.active_is_lag(now);
    }

    /// A sink could not commit.
    pub(crate) fn commit_failed(&self, took: Duration) {
        self.work().commit(took, false, Instant::now());
    }

    /// Attributes of `connector-task-metrics`.
    pub(super) fn common(&self) -> [(&'static str, f64); 8] {
        let (work, now) = (self.work(), Instant::now());
        let (running, paused) = work.states.ratios(now);
        let (failures, successes) = work.commits.shares(now);
        [
            ("batch-size-avg", work.batches.average(now)),
            ("batch-size-max", work.batches.max(now)),
            ("offset-commit-avg-time-ms", work.commit_times.average(now)),
            ("offset-commit-failure-percentage", failures),
            ("offset-commit-max-time-ms", work.commit_times.max(now)),
            ("offset-commit-success-percentage", successes),
            ("pause-ratio", paused),
            ("running-ratio", running),
        ]
    }

    /// Attributes of `source-task-metrics`.
    pub(super) fn source(&self) -> [(&'static str, f64); 9] {
        let (work, now) = (self.work(), Instant::now());
        let ((poll_rate, polled), (write_rate, written)) =
            (work.taken.readings(now), work.given.readings(now));
        [
            ("poll-batch-avg-time-ms", work.calls.average(now)),
            ("poll-batch-max-time-ms", work.calls.max(now)),
            ("source-record-active-count", work.active_now),
            ("source-record-active-count-avg", work.active.average(now)),
            ("source-record-active-count-max", work.active.max(now)),
            ("source-record-poll-rate", poll_rate),
            ("source-record-poll-total", polled),
            ("source-record-write-rate", write_rate),
            ("source-record-write-total", written),
        ]
    }

    /// Attributes of `sink-task-metrics`.
    pub(super) fn sink(&self) -> [(&'static str, f64); 15] {
        let (work, now) = (self.work(), Instant::now());
        let ((read_rate, read), (send_rate, sent)) = (work.taken.readings(now), work.given.readings(now));
        let (completion_rate, completed) = work.completions.readings(now);
        [
            ("offset-commit-completion-rate", completion_rate),
            ("offset-commit-completion-total", completed),
            ("offset-commit-seq-no", work.attempts as f64),
            // A commit is waited for, so that none is overtaken by another and its outcome skipped.
            ("offset-commit-skip-rate", 0.0),
            ("offset-commit-skip-total", 0.0),
            ("partition-count", work.lags.partitions() as f64),
            ("put-batch-avg-time-ms", work.calls.average(now)),
            ("put-batch-max-time-ms", work.calls.max(now)),
            ("sink-record-active-count", work.active_now),
            ("sink-record-active-count-avg", work.active.average(now)),
            ("sink-record-active-count-max", work.active.max(now)),
            ("sink-record-read-rate", read_rate),
            ("sink-record-read-total", read),
            ("sink-record-send-rate", send_rate),
            ("sink-record-send-total", sent),
        ]
    }
}

impl Work {
    fn active_by(&mut self, change: f64, now: Instant) {
        self.active_now = (self.active_now + change).max(0.0);
        self.active.record(self.active_now, now);
    }

    fn active_is_lag(&mut self, now: Instant) {
        self.active_now = self.lags.active();
        self.active.record(self.active_now, now);
    }

    fn commit(&mut self, took: Duration, is_success: bool, now: Instant) {
        self.commit_times.record(millis(took), now);
        self.commits.record(f64::from(u8::from(is_success)), now);
    }
}

/// Whole milliseconds, as Connect measures.
fn millis(time: Duration) -> f64 {
    time.as_millis() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading<const N: usize>(readings: [(&'static str, f64); N], name: &str) -> f64 {
        readings.iter().find(|(key, _)| *key == name).unwrap().1
    }

    #[test]
    fn time_is_divided_among_states() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut states = States::new(start);
        assert_eq!(states.ratios(start), (0.0, 0.0));
        states.enter(State::Running, at(1));
        states.enter(State::Paused, at(3));
        assert_eq!(states.ratios(at(4)), (0.5, 0.25));
        states.enter(State::Running, at(5));
        assert_eq!(states.ratios(at(10)), (0.7, 0.2));
    }

    #[test]
    fn records_of_a_source_are_active_until_they_are_done() {
        let metrics = TaskMetrics::default();
        metrics.polled(10, Duration::from_micros(7_900));
        metrics.done(4, 3);
        let source = || metrics.source();
        assert_eq!(reading(source(), "source-record-poll-total"), 10.0);
        assert_eq!(reading(source(), "source-record-write-total"), 3.0);
        assert_eq!(reading(source(), "source-record-active-count"), 6.0);
        assert_eq!(reading(source(), "source-record-active-count-max"), 10.0);
        assert_eq!(reading(source(), "source-record-active-count-avg"), 8.0);
        assert_eq!(reading(source(), "poll-batch-max-time-ms"), 7.0);
        assert_eq!(reading(metrics.common(), "batch-size-avg"), 10.0);
        assert_eq!(reading(metrics.common(), "offset-commit-success-percentage"), 0.0);
    }

    #[test]
    fn records_of_a_sink_are_active_until_they_are_committed() {
        let metrics = TaskMetrics::default();
        let partition = TopicPartition { topic: "t".into(), partition: 3 };
        metrics.assigned(std::slice::from_ref(&partition));
        let fetch = Fetch { records: 5, bytes: 50, offset: 100, next_offset: 106, high_watermark: 106 };
        metrics.read(&partition, fetch);
        metrics.put(4, Duration::from_millis(2));
        metrics.commit_begins();
        metrics.commit_failed(Duration::from_millis(1));
        assert_eq!(reading(metrics.sink(), "sink-record-active-count"), 6.0);
        metrics.commit_begins();
        metrics.committed(Duration::from_millis(3), [(&partition, 106)].into_iter());
        let sink = metrics.sink();
        assert_eq!(reading(sink, "sink-record-active-count"), 0.0);
        assert_eq!(reading(sink, "offset-commit-seq-no"), 2.0);
        assert_eq!(reading(sink, "offset-commit-completion-total"), 1.0);
        assert_eq!(reading(sink, "sink-record-read-total"), 5.0);
        assert_eq!(reading(sink, "sink-record-send-total"), 4.0);
        assert_eq!(reading(sink, "partition-count"), 1.0);
        assert_eq!(reading(metrics.common(), "offset-commit-failure-percentage"), 0.5);
    }
}
