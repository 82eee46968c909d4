//! Whether the application still calls: the watch behind `max.poll.interval.ms`.

use crate::sync::lock;
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// Notes when the application was last inside a call that waits for events. While it is inside, time
/// does not run; a call that is cancelled counts as left.
#[derive(Debug)]
pub(crate) struct PollClock {
    interval: Duration,
    inner: Mutex<Inner>,
    entered: Notify,
}

#[derive(Debug)]
struct Inner {
    inside: u32,
    left_at: Instant,
}

/// The application is inside a call until this is dropped.
#[derive(Debug)]
pub struct Attendance<'a>(&'a PollClock);

impl PollClock {
    pub(crate) fn new(interval: Duration, now: Instant) -> Self {
        let inner = Mutex::new(Inner { inside: 0, left_at: now });
        Self { interval, inner, entered: Notify::new() }
    }

    /// The application calls.
    pub(crate) fn enter(&self) -> Attendance<'_> {
        self.lock().inside += 1;
        self.entered.notify_waiters();
        Attendance(self)
    }

    /// When the application will have been away for too long; `None` while it is inside.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let inner = self.lock();
        (inner.inside == 0).then(|| inner.left_at + self.interval)
    }

    /// Whether the application has been away for too long at `now`.
    pub(crate) fn expired(&self, now: Instant) -> bool {
        self.deadline().is_some_and(|deadline| now >= deadline)
    }

    /// Waits until the application is not away for too long.
    pub(crate) async fn until_back(&self) {
        loop {
            let entered = self.entered.notified();
            if !self.expired(Instant::now()) {
                return;
            }
            entered.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        lock(&self.inner)
    }
}

impl Drop for Attendance<'_> {
    fn drop(&mut self) {
        let mut inner = self.0.lock();
        inner.inside = inner.inside.saturating_sub(1);
        inner.left_at = Instant::now();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_runs_only_outside() {
        let start = Instant::now();
        let clock = PollClock::new(Duration::from_secs(1), start);
        assert!(!clock.expired(start) && clock.expired(start + Duration::from_secs(1)));
        let inside = clock.enter();
        assert_eq!(clock.deadline(), None);
        drop(inside);
        assert!(clock.deadline().unwrap() >= start + Duration::from_secs(1));
    }
}
