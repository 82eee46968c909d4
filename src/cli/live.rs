//! What `dev` shows while it runs: a live line on a terminal, a plain line now and then otherwise.

use super::signals::Signals;
use crossdock::Engine;
use crossdock::runtime::TaskProgress;
use crossdock::runtime::herder::{ConnectorKind, State};
use indicatif::{ProgressBar, ProgressStyle};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

const REFRESH: Duration = Duration::from_millis(250);
const LINE_EVERY: Duration = Duration::from_secs(1);

/// The display of a running engine.
pub(crate) struct Live {
    bar: Option<ProgressBar>,
}

impl Live {
    pub(crate) fn new() -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new_spinner();
            // A fixed template: it cannot be wrong, and without it the default is used.
            if let Ok(style) = ProgressStyle::with_template("{msg}") {
                bar.set_style(style);
            }
            bar
        });
        Self { bar }
    }

    /// The line that logs must keep clear of.
    pub(crate) fn bar(&self) -> Option<ProgressBar> {
        self.bar.clone()
    }

    /// Shows records flowing until a signal comes; gives its name.
    pub(crate) async fn watch(&self, engine: &Engine, signals: &mut Signals) -> &'static str {
        let mut rates = Rates::default();
        let mut shown = String::new();
        loop {
            match &self.bar {
                Some(bar) => bar.set_message(rates.describe(&engine.progress())),
                // Without a terminal: a line when counts have changed.
                None => {
                    let text = rates.describe(&engine.progress());
                    let counts = rates.counts();
                    if counts != shown {
                        eprintln!("{text}");
                        shown = counts;
                    }
                }
            }
            tokio::select! {
                signal = signals.received() => {
                    let last = rates.describe(&engine.progress());
                    if let Some(bar) = &self.bar {
                        bar.finish_and_clear();
                    }
                    if self.bar.is_some() || rates.counts() != shown {
                        eprintln!("{last}");
                    }
                    return signal;
                }
                () = tokio::time::sleep(if self.bar.is_some() { REFRESH } else { LINE_EVERY }) => {}
            }
        }
    }
}

#[derive(Debug, Default, Clone, Copy)]
struct Line {
    records: u64,
    bytes: u64,
    rate: f64,
    failed: usize,
    source: bool,
}

/// Counts of each connector, and records a second since the last look.
#[derive(Debug, Default)]
struct Rates {
    lines: BTreeMap<String, Line>,
    looked: Option<Instant>,
}

impl Rates {
    fn describe(&mut self, progress: &[TaskProgress]) -> String {
        let now = Instant::now();
        let seconds = self.looked.replace(now).map(|before| (now - before).as_secs_f64());
        let mut lines: BTreeMap<String, Line> = BTreeMap::new();
        for task in progress {
            let line = lines.entry(task.id.connector.clone()).or_default();
            line.records += task.counters.records();
            line.bytes += task.counters.bytes();
            line.failed += usize::from(task.state == State::Failed);
            line.source = task.kind == ConnectorKind::Source;
        }
        let mut text = String::new();
        for (name, line) in &mut lines {
            if let (Some(seconds), Some(before)) = (seconds, self.lines.get(name)) {
                let new = line.records.saturating_sub(before.records) as f64;
                line.rate = new / seconds.max(0.001);
            }
            if !text.is_empty() {
                text.push_str("  |  ");
            }
            let arrow = if line.source { "in " } else { "out" };
            // Writing to a string does not fail.
            let _ = write!(
                text,
                "{name} {arrow} {} records, {}/s",
                grouped(line.records),
                grouped(line.rate as u64)
            );
            if line.failed > 0 {
                let _ = write!(text, ", {} task(s) FAILED", line.failed);
            }
        }
        self.lines = lines;
        text
    }

    fn counts(&self) -> String {
        let line = |(name, line): (&String, &Line)| {
            format!("{name}={}/{}/{};", line.records, line.bytes, line.failed)
        };
        self.lines.iter().map(line).collect()
    }
}

/// 1234567 as 1,234,567.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::grouped;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1234567, "1,234,567")] {
            assert_eq!(grouped(number), text);
        }
    }
}
