//! How the starts of connectors and tasks went (`WorkerMetricsGroup`).

use super::sampled::{Sampled, Windows};
use std::sync::{Mutex, PoisonError};
use tokio::time::Instant;

#[derive(Debug, Default)]
struct Starts {
    successes: u64,
    failures: u64,
    recent: Sampled,
}

/// Numbers of attempts, successes and failures, and the shares of failures and successes of late.
pub(super) struct StartReadings {
    pub(super) successes: f64,
    pub(super) failures: f64,
    pub(super) failure_share: f64,
    pub(super) success_share: f64,
}

/// The starts of connectors, and of tasks.
#[derive(Debug)]
pub(crate) struct Startups {
    connectors: Mutex<Starts>,
    tasks: Mutex<Starts>,
}

impl Startups {
    pub(crate) fn new(windows: Windows) -> Self {
        let starts = || Mutex::new(Starts { recent: Sampled::new(windows), ..Starts::default() });
        Self { connectors: starts(), tasks: starts() }
    }

    /// A connector was started, or could not be.
    pub(crate) fn connector(&self, has_started: bool) {
        note(&self.connectors, has_started);
    }

    /// A task was started, or could not be.
    pub(crate) fn task(&self, has_started: bool) {
        note(&self.tasks, has_started);
    }

    pub(super) fn of_connectors(&self) -> StartReadings {
        read(&self.connectors)
    }

    pub(super) fn of_tasks(&self) -> StartReadings {
        read(&self.tasks)
    }
}

fn note(starts: &Mutex<Starts>, has_started: bool) {
    let mut starts = starts.lock().unwrap_or_else(PoisonError::into_inner);
    match has_started {
        true => starts.successes += 1,
        false => starts.failures += 1,
    }
    starts.recent.record(f64::from(u8::from(has_started)), Instant::now());
}

fn read(starts: &Mutex<Starts>) -> StartReadings {
    let starts = starts.lock().unwrap_or_else(PoisonError::into_inner);
    let (failure_share, success_share) = starts.recent.shares(Instant::now());
    let (successes, failures) = (starts.successes as f64, starts.failures as f64);
    StartReadings { successes, failures, failure_share, success_share }
}
