//! Values over the last samples in time: rates, averages, maxima and shares. Mirrors `SampledStat` with `Rate`,
//! `Avg`, `Max` and `Frequencies`, which all see the same values.

use std::time::Duration;
use tokio::time::Instant;

/// How samples are taken: `metrics.num.samples` and `metrics.sample.window.ms`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Windows {
    /// At least one.
    pub(crate) samples: usize,
    /// Of one sample.
    pub(crate) width: Duration,
}

impl Default for Windows {
    fn default() -> Self {
        Self { samples: 2, width: Duration::from_secs(30) }
    }
}

#[derive(Debug, Clone, Copy)]
struct Sample {
    started: Instant,
    last: Instant,
    count: u64,
    sum: f64,
    max: f64,
}

impl Sample {
    fn new(now: Instant) -> Self {
        Self { started: now, last: now, count: 0, sum: 0.0, max: f64::NEG_INFINITY }
    }
}

/// Values over the last samples in time.
#[derive(Debug, Default)]
pub(super) struct Sampled {
    windows: Windows,
    /// One more than asked for: the oldest may still reach into the time that is looked at.
    samples: Vec<Sample>,
    current: usize,
}

impl Sampled {
    pub(super) fn new(windows: Windows) -> Self {
        Self { windows, ..Self::default() }
    }

    pub(super) fn record(&mut self, value: f64, now: Instant) {
        let width = self.windows.width;
        if self.samples.is_empty() {
            self.samples.push(Sample::new(now));
        } else if now.duration_since(self.samples[self.current].started) >= width {
            self.current = (self.current + 1) % (self.windows.samples + 1);
            match self.samples.get_mut(self.current) {
                Some(sample) => *sample = Sample::new(now),
                None => self.samples.push(Sample::new(now)),
            }
        }
        let sample = &mut self.samples[self.current];
        sample.count += 1;
        sample.sum += value;
        sample.max = sample.max.max(value);
        sample.last = now;
    }

    /// Sum of the values by second; 0 without values.
    pub(super) fn rate(&self, now: Instant) -> f64 {
        let width = self.windows.width.as_secs_f64();
        let oldest = self.samples.iter().map(|sample| self.fresh(sample, now).started).min();
        let mut elapsed = oldest.map_or(0.0, |oldest| now.duration_since(oldest).as_secs_f64());
        // Before there were enough samples, those that are missing count as empty ones.
        let (full, least) = ((elapsed / width).floor(), self.windows.samples as f64 - 1.0);
        elapsed += (least - full).max(0.0) * width;
        let sum: f64 = self.live(now).map(|sample| sample.sum).sum();
        if elapsed > 0.0 { sum / elapsed } else { 0.0 }
    }

    /// Average of the values; not a number without values.
    pub(super) fn average(&self, now: Instant) -> f64 {
        let (sum, count) =
            self.live(now).fold((0.0, 0), |(sum, count), sample| (sum + sample.sum, count + sample.count));
        if count == 0 { f64::NAN } else { sum / count as f64 }
    }

    /// Largest value; not a number without values.
    pub(super) fn max(&self, now: Instant) -> f64 {
        self.live(now).map(|sample| sample.max).fold(f64::NAN, f64::max)
    }

    /// Of values that are 0 or 1: the shares of zeros and of ones; both 0 without values.
    pub(super) fn shares(&self, now: Instant) -> (f64, f64) {
        match self.average(now) {
            ones if ones.is_nan() => (0.0, 0.0),
            ones => (1.0 - ones, ones),
        }
    }

    /// The sample, or an empty one that starts now if all of it is too long ago.
    fn fresh(&self, sample: &Sample, now: Instant) -> Sample {
        let kept = self.windows.width * self.windows.samples as u32;
        if now.duration_since(sample.last) >= kept { Sample::new(now) } else { *sample }
    }

    fn live(&self, now: Instant) -> impl Iterator<Item = Sample> {
        let fresh = self.samples.iter().map(move |sample| self.fresh(sample, now));
        fresh.filter(|sample| sample.count > 0)
    }
}

/// A number that grows, and its rate.
#[derive(Debug)]
pub(super) struct Total {
    total: f64,
    recent: Sampled,
}

impl Total {
    pub(super) fn new(windows: Windows) -> Self {
        Self { total: 0.0, recent: Sampled::new(windows) }
    }

    pub(super) fn add(&mut self, count: f64, now: Instant) {
        self.total += count;
        self.recent.record(count, now);
    }

    /// The rate by second, and the number.
    pub(super) fn readings(&self, now: Instant) -> (f64, f64) {
        (self.recent.rate(now), self.total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(start: Instant, seconds: u64) -> Instant {
        start + Duration::from_secs(seconds)
    }

    #[test]
    fn without_values_there_is_no_average() {
        let (stat, now) = (Sampled::default(), Instant::now());
        assert!(stat.average(now).is_nan() && stat.max(now).is_nan());
        assert_eq!(stat.rate(now), 0.0);
        assert_eq!(stat.shares(now), (0.0, 0.0));
    }

    #[test]
    fn a_first_window_is_taken_with_an_empty_one_before() {
        let (mut stat, start) = (Sampled::default(), Instant::now());
        stat.record(60.0, start);
        assert_eq!(stat.rate(start), 2.0);
        assert_eq!(stat.rate(at(start, 10)), 1.5);
        stat.record(20.0, at(start, 20));
        assert_eq!((stat.average(at(start, 20)), stat.max(at(start, 20))), (40.0, 60.0));
    }

    #[test]
    fn old_samples_are_forgotten_as_a_whole() {
        let (mut stat, start) = (Sampled::default(), Instant::now());
        stat.record(9.0, start);
        stat.record(1.0, at(start, 30));
        stat.record(2.0, at(start, 59));
        // The first sample's last value is just inside.
        assert_eq!(stat.max(at(start, 59)), 9.0);
        assert_eq!(stat.max(at(start, 60)), 2.0);
        stat.record(3.0, at(start, 90));
        assert_eq!(stat.rate(at(start, 90)), 6.0 / 60.0);
        stat.record(4.0, at(start, 120));
        assert_eq!(stat.samples.len(), 3);
        assert_eq!(stat.average(at(start, 120)), 3.5);
        assert!(stat.average(at(start, 180)).is_nan());
    }

    #[test]
    fn shares_of_successes() {
        let (mut stat, start) = (Sampled::default(), Instant::now());
        for value in [1.0, 1.0, 0.0, 1.0] {
            stat.record(value, start);
        }
        assert_eq!(stat.shares(start), (0.25, 0.75));
    }
}
