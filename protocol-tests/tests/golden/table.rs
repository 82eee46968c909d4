//! Counts verdicts and prints them.

use super::Verdict;
use protocol_tests::golden::Case;
use std::collections::BTreeMap;
use std::fmt;

/// Failures of an area that are printed whole.
const SHOWN: usize = 20;

#[derive(Debug, Default, Clone, Copy)]
struct Counts {
    passed: usize,
    failed: usize,
    known_gap: usize,
    deviates: usize,
    not_run: usize,
}

impl Counts {
    fn total(self) -> usize {
        self.passed + self.failed + self.known_gap + self.deviates + self.not_run
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Table {
    areas: BTreeMap<String, Counts>,
    failures: BTreeMap<String, Vec<String>>,
    gaps: BTreeMap<&'static str, usize>,
    deviations: BTreeMap<&'static str, usize>,
    /// Cases by area and operation.
    not_run: BTreeMap<(String, String), usize>,
    problems: Vec<String>,
}

impl Table {
    /// Makes a row, even if there will be no case.
    pub(crate) fn area(&mut self, area: &str) {
        self.areas.entry(area.to_owned()).or_default();
    }

    /// Counts a case; `None` was not run.
    pub(crate) fn count(&mut self, area: &str, case: &Case, verdict: Option<Verdict>) {
        let counts = self.areas.entry(area.to_owned()).or_default();
        match verdict {
            Some(Verdict::Passed) => counts.passed += 1,
            Some(Verdict::Failed(how)) => {
                counts.failed += 1;
                self.failures.entry(area.to_owned()).or_default().push(format!("{}: {how}", case.id()));
            }
            Some(Verdict::KnownGap(why)) => {
                counts.known_gap += 1;
                *self.gaps.entry(why).or_default() += 1;
            }
            Some(Verdict::Deviates(why)) => {
                counts.deviates += 1;
                *self.deviations.entry(why).or_default() += 1;
            }
            None => {
                counts.not_run += 1;
                *self.not_run.entry((area.to_owned(), case.op().to_owned())).or_default() += 1;
            }
        }
    }

    /// Something that is wrong with the vectors as a whole.
    pub(crate) fn problem(&mut self, problem: String) {
        self.problems.push(problem);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.areas.is_empty()
    }

    pub(crate) fn has_failures(&self) -> bool {
        !self.problems.is_empty() || !self.failures.is_empty()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (area, failures) in &self.failures {
            writeln!(f, "\n{area}: {} failed", failures.len())?;
            for failure in failures.iter().take(SHOWN) {
                writeln!(f, "  {failure}")?;
            }
            if failures.len() > SHOWN {
                writeln!(f, "  and {} more", failures.len() - SHOWN)?;
            }
        }
        if !self.gaps.is_empty() {
            writeln!(f, "\nknown gaps:")?;
            for (why, count) in &self.gaps {
                writeln!(f, "  {count:>5}  {why}")?;
            }
        }
        if !self.deviations.is_empty() {
            writeln!(f, "\nin the default mode otherwise than Java:")?;
            for (why, count) in &self.deviations {
                writeln!(f, "  {count:>5}  {why}")?;
            }
        }
        if !self.not_run.is_empty() {
            writeln!(f, "\nnot run, as nothing implements it:")?;
            for ((area, op), count) in &self.not_run {
                writeln!(f, "  {count:>5}  {area}/{op}")?;
            }
        }
        for problem in &self.problems {
            writeln!(f, "\nerror: {problem}")?;
        }
        let mut sum = Counts::default();
        let row = |f: &mut fmt::Formatter<'_>, name: &str, c: &Counts| {
            let (passed, failed, gap, not_run) = (c.passed, c.failed, c.known_gap, c.not_run);
            let (deviates, total) = (c.deviates, c.total());
            writeln!(f, "{name:<24} {passed:>7} {failed:>7} {gap:>10} {not_run:>8} {deviates:>9} {total:>7}")
        };
        let head = ("area", "passed", "failed", "known gap", "not run", "deviates", "total");
        writeln!(
            f,
            "\n{:<24} {:>7} {:>7} {:>10} {:>8} {:>9} {:>7}",
            head.0, head.1, head.2, head.3, head.4, head.5, head.6
        )?;
        for (area, counts) in &self.areas {
            row(f, area, counts)?;
            sum.passed += counts.passed;
            sum.failed += counts.failed;
            sum.known_gap += counts.known_gap;
            sum.deviates += counts.deviates;
            sum.not_run += counts.not_run;
        }
        row(f, "all", &sum)
    }
}
