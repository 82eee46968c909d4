//! Counts requests by what became of them, and prints that.

use super::rows::Rows;
use protocol_tests::transcripts::{Call, Difference, Scenario};
use std::collections::BTreeMap;
use std::fmt;

/// Differences of a request that are printed.
const SHOWN: usize = 6;

#[derive(Debug, Default, Clone, Copy)]
struct Counts {
    requests: usize,
    passed: usize,
    deviate: usize,
    loose: usize,
    failed: usize,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Table {
    groups: BTreeMap<String, Counts>,
    rows: BTreeMap<&'static str, usize>,
    failures: Vec<String>,
}

impl Table {
    pub(crate) fn count(
        &mut self,
        scenario: &Scenario,
        call: &Call,
        differences: Vec<Difference>,
        rows: &Rows,
    ) {
        let counts = self.groups.entry(scenario.group.clone()).or_default();
        counts.requests += 1;
        let (allowed, others): (Vec<_>, Vec<_>) = differences
            .into_iter()
            .partition(|difference| rows.allowing(scenario, call, difference).is_some());
        let passes_loosely = call.is_loose() && others.iter().all(|d| d.at != "status");
        if !others.is_empty() && !passes_loosely {
            counts.failed += 1;
            let query = call.query().map(|q| format!("?{q}")).unwrap_or_default();
            let path: String = call.path().chars().take(120).collect();
            let mut failure = format!("{} {} {path}{query}", call.id(), call.method());
            for difference in others.iter().take(SHOWN) {
                failure += &format!("\n    {difference}");
            }
            if others.len() > SHOWN {
                failure += &format!("\n    and {} more", others.len() - SHOWN);
            }
            self.failures.push(failure);
        } else if !others.is_empty() {
            counts.loose += 1;
        } else if allowed.is_empty() {
            counts.passed += 1;
        } else {
            counts.deviate += 1;
            let mut named: Vec<_> = allowed.iter().filter_map(|d| rows.allowing(scenario, call, d)).collect();
            named.dedup();
            for row in named {
                *self.rows.entry(row).or_default() += 1;
            }
        }
    }

    /// Something was asked, and nothing failed.
    pub(crate) fn is_good(&self) -> bool {
        !self.groups.is_empty() && self.failures.is_empty()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for failure in &self.failures {
            writeln!(f, "FAILED {failure}")?;
        }
        writeln!(
            f,
            "{:<12}{:>10}{:>10}{:>10}{:>10}{:>10}",
            "group", "requests", "passed", "deviate", "loose", "failed"
        )?;
        let mut total = Counts::default();
        for (group, c) in &self.groups {
            row(f, group, *c)?;
            total.requests += c.requests;
            total.passed += c.passed;
            total.deviate += c.deviate;
            total.loose += c.loose;
            total.failed += c.failed;
        }
        row(f, "all", total)?;
        writeln!(f, "loose: of an answer that differed between recordings, the status only")?;
        for (row, count) in &self.rows {
            writeln!(f, "deviate, {count}: {row}")?;
        }
        Ok(())
    }
}

fn row(f: &mut fmt::Formatter<'_>, name: &str, c: Counts) -> fmt::Result {
    let Counts { requests, passed, deviate, loose, failed } = c;
    writeln!(f, "{name:<12}{requests:>10}{passed:>10}{deviate:>10}{loose:>10}{failed:>10}")
}
