//! Which differences a row of `docs/compatibility.md` allows, by their kind, never by a request's id.

use protocol_tests::transcripts::{Call, Difference};
use std::path::Path;

/// A kind of differences.
struct Row {
    /// First column of the row in `docs/compatibility.md`.
    what: &'static str,
    allows: fn(&Call, &Difference) -> bool,
}

/// All kinds.
const ROWS: &[Row] = &[
    Row { what: "trace of a failed task", allows: is_trace },
    Row { what: "status of a task that does not exist, after a restart of it", allows: is_phantom },
];

/// Both have a trace, and ours says something.
fn is_trace(_: &Call, difference: &Difference) -> bool {
    let text = |value: &serde_json::Value| value.as_str().is_some_and(|text| !text.is_empty());
    difference.at.ends_with(".trace") && text(&difference.recorded) && text(&difference.answered)
}

/// Connect keeps a FAILED status, without version, of a task for which there is no config.
fn is_phantom(_: &Call, difference: &Difference) -> bool {
    let recorded = &difference.recorded;
    let is_task = difference.at.starts_with("body.tasks[") || difference.at.contains(".status.tasks[");
    let no_config = recorded["trace"].as_str().is_some_and(|trace| trace.contains("\"inputMap\" is null"));
    is_task && recorded["version"].is_null() && no_config && difference.answered.is_null()
}

/// The rows, all of them in the docs.
pub(crate) struct Rows;

impl Rows {
    /// Checks that each row is there.
    pub(crate) fn documented() -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/compatibility.md");
        let docs = std::fs::read_to_string(path).unwrap();
        for row in ROWS {
            assert!(
                docs.contains(&format!("\n| {} |", row.what)),
                "docs/compatibility.md has no row {:?}",
                row.what
            );
        }
        Self
    }

    /// The row that allows a difference.
    pub(crate) fn allowing(&self, call: &Call, difference: &Difference) -> Option<&'static str> {
        ROWS.iter().find(|row| (row.allows)(call, difference)).map(|row| row.what)
    }
}
