//! Which versions of a plugin a configuration takes (KIP-891): one version, or ranges as Maven writes them.
//!
//! `4.3.1` and `[4.3.1]` are that version alone; `[1.0,2.0)` is a range without its end; several ranges may follow each
//! other, in order. Versions are compared part by part: numbers by value, `alpha`, `beta`, `milestone`, `rc` and
//! `snapshot` before the version itself, other words after it.

use crossdock_api::ConfigError;
use std::cmp::Ordering;
use std::fmt;

/// The versions that are taken. Shown as Maven's `VersionRange` is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionRange(Vec<Interval>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Interval {
    least: Option<String>,
    with_least: bool,
    most: Option<String>,
    with_most: bool,
}

impl VersionRange {
    /// Reads what a key such as `connector.plugin.version` may have; `None` takes every version
    /// (`PluginUtils.connectorVersionRequirement`).
    ///
    /// # Errors
    /// Brackets that do not match, and ranges that cannot be.
    pub fn requirement(text: Option<&str>) -> Result<Option<Self>, ConfigError> {
        let Some(text) = text.filter(|text| *text != "latest") else { return Ok(None) };
        let text = text.trim();
        match text.starts_with(['[', '(']) {
            true => Self::parse(text).map(Some),
            false => Self::parse(&format!("[{text}]")).map(Some),
        }
    }

    fn parse(text: &str) -> Result<Self, ConfigError> {
        let refuse = |reason: &str| Err(ConfigError::PluginVersion(format!("{reason}: {text}")));
        let mut intervals: Vec<Interval> = Vec::new();
        let mut rest = text;
        while rest.starts_with(['[', '(']) {
            let Some(end) = rest.find([']', ')']) else { return refuse("Unbounded range") };
            let (interval, after) = rest.split_at(end + 1);
            let interval = Interval::parse(interval)?;
            if let Some(before) = intervals.last() {
                let is_after = match (&before.most, &interval.least) {
                    (None, _) => true,
                    (Some(_), None) => false,
                    (Some(most), Some(least)) => compare(least, most) != Ordering::Less,
                };
                if !is_after {
                    return refuse("Ranges overlap");
                }
            }
            intervals.push(interval);
            rest = after.trim_start();
            rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
        }
        match rest.is_empty() {
            true => Ok(Self(intervals)),
            false => refuse("Only fully-qualified sets allowed in multiple set scenario"),
        }
    }

    /// Whether a version is taken.
    pub fn contains(&self, version: &str) -> bool {
        self.0.iter().any(|interval| interval.contains(version))
    }
}

impl Interval {
    fn parse(text: &str) -> Result<Self, ConfigError> {
        let refuse = |reason: &str| Err(ConfigError::PluginVersion(format!("{reason}: {text}")));
        let (with_least, with_most) = (text.starts_with('['), text.ends_with(']'));
        // Brackets are one byte each.
        let inner = text[1..text.len() - 1].trim();
        let Some((least, most)) = inner.split_once(',') else {
            if !with_least || !with_most {
                return refuse("Single version must be surrounded by []");
            }
            let version = Some(inner.to_owned());
            return Ok(Self { least: version.clone(), with_least, most: version, with_most });
        };
        let bound = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        let (least, most) = (bound(least), bound(most));
        if let (Some(least), Some(most)) = (&least, &most) {
            let is_empty = match compare(most, least) {
                Ordering::Less => true,
                Ordering::Equal => !with_least || !with_most,
                Ordering::Greater => false,
            };
            if is_empty {
                return refuse("Range defies version ordering");
            }
        }
        Ok(Self { least, with_least, most, with_most })
    }

    fn contains(&self, version: &str) -> bool {
        let from = self.least.as_ref().is_none_or(|least| match compare(least, version) {
            Ordering::Less => true,
            Ordering::Equal => self.with_least,
            Ordering::Greater => false,
        });
        let to = self.most.as_ref().is_none_or(|most| match compare(most, version) {
            Ordering::Greater => true,
            Ordering::Equal => self.with_most,
            Ordering::Less => false,
        });
        from && to
    }
}

impl fmt::Display for VersionRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, interval) in self.0.iter().enumerate() {
            let (open, close) =
                (if interval.with_least { '[' } else { '(' }, if interval.with_most { ']' } else { ')' });
            let bound = |bound: &Option<String>| bound.clone().unwrap_or_default();
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{open}{},{}{close}", bound(&interval.least), bound(&interval.most))?;
        }
        Ok(())
    }
}

/// A part of a version, in the order of versions that differ in it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    /// `alpha` and the like, before the version itself.
    Before(u8),
    /// Nothing, `ga`, `final`, `release`: the version itself.
    Itself,
    /// Another word.
    Word(String),
    /// A number, by its length and digits.
    Number(usize, String),
}

fn compare(a: &str, b: &str) -> Ordering {
    let (a, b) = (parts(a), parts(b));
    let absent = |other: Option<&Part>| match other {
        Some(Part::Number(..)) => Part::Number(0, String::new()),
        _ => Part::Itself,
    };
    for index in 0..a.len().max(b.len()) {
        let (left, right) = (a.get(index), b.get(index));
        let order = left
            .cloned()
            .unwrap_or_else(|| absent(right))
            .cmp(&right.cloned().unwrap_or_else(|| absent(left)));
        if order != Ordering::Equal {
            return order;
        }
    }
    Ordering::Equal
}

/// The parts between dots and hyphens, digits and letters apart.
fn parts(version: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    for piece in version.split(['.', '-']) {
        let mut rest = piece;
        while let Some(first) = rest.chars().next() {
            let is_number = first.is_ascii_digit();
            let end = rest.find(|c: char| c.is_ascii_digit() != is_number).unwrap_or(rest.len());
            let (text, after) = rest.split_at(end);
            if !is_number {
                drop_zeros(&mut parts);
            }
            parts.push(part(text, is_number));
            rest = after;
        }
    }
    drop_zeros(&mut parts);
    parts
}

/// 1.0 is 1, and 1.0-rc is 1-rc.
fn drop_zeros(parts: &mut Vec<Part>) {
    while parts.len() > 1 && matches!(parts.last(), Some(Part::Itself | Part::Number(0, _))) {
        parts.pop();
    }
}

fn part(text: &str, is_number: bool) -> Part {
    if is_number {
        let digits = text.trim_start_matches('0');
        return Part::Number(digits.len(), digits.to_owned());
    }
    match text.to_lowercase().as_str() {
        "alpha" | "a" => Part::Before(0),
        "beta" | "b" => Part::Before(1),
        "milestone" | "m" => Part::Before(2),
        "rc" | "cr" => Part::Before(3),
        "snapshot" => Part::Before(4),
        "ga" | "final" | "release" => Part::Itself,
        word => Part::Word(word.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(text: &str) -> VersionRange {
        VersionRange::requirement(Some(text)).unwrap().unwrap()
    }

    #[test]
    fn versions_and_ranges() {
        for (text, is_in) in [
            ("4.3.1", true),
            (" 4.3.1 ", true),
            ("4.3", false),
            ("[4.3.1]", true),
            ("[4.0,5.0)", true),
            ("[1.0,2.0)", false),
            ("(4.3.1,)", false),
            ("[4.3.1,)", true),
            ("(,4.3.1)", false),
            ("(,4.3.1]", true),
            ("[1.0],[4.3.1,4.4)", true),
            ("garbage", false),
            ("", false),
        ] {
            assert_eq!(range(text).contains("4.3.1"), is_in, "{text}");
        }
        assert!(VersionRange::requirement(None).unwrap().is_none());
        assert!(VersionRange::requirement(Some("latest")).unwrap().is_none());
    }

    #[test]
    fn shown_as_maven_shows_them() {
        for (text, shown) in [
            ("garbage", "[garbage,garbage]"),
            ("", "[,]"),
            ("[1.0]", "[1.0,1.0]"),
            ("(,1],[2,)", "(,1],[2,)"),
        ] {
            assert_eq!(range(text).to_string(), shown);
        }
    }

    #[test]
    fn mistakes() {
        for (text, message) in [
            ("[1.0", "Unbounded range: [1.0"),
            ("(1.0)", "Single version must be surrounded by []: (1.0)"),
            ("[2,1]", "Range defies version ordering: [2,1]"),
            ("[1,3],[2,4]", "Ranges overlap: [1,3],[2,4]"),
            ("[1],2", "Only fully-qualified sets allowed in multiple set scenario: [1],2"),
        ] {
            assert_eq!(VersionRange::requirement(Some(text)).unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn order_of_versions() {
        let rising = [
            "1-alpha-1",
            "1-beta",
            "1-rc2",
            "1-snapshot",
            "1.0",
            "1-sp",
            "1.0.1",
            "1.9",
            "1.10",
            "20000000000000000000",
        ];
        for pair in rising.windows(2) {
            assert_eq!(compare(pair[0], pair[1]), Ordering::Less, "{pair:?}");
        }
        assert_eq!(compare("1", "1.0.0"), Ordering::Equal);
        assert_eq!(compare("1.ga", "1"), Ordering::Equal);
    }
}
