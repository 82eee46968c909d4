//! Properties files against what java.util.Properties reads.

use super::Verdict;
use crossdock_runtime::config::properties;
use protocol_tests::golden::{self, Case, Expected};

/// Runs a case: the entries in the order of the file, also those whose key comes again.
pub(crate) fn run(case: &Case) -> Option<Verdict> {
    let bytes = golden::bytes(case.input()).unwrap_or_default();
    Some(Verdict::of(match (case.expected(), properties::parse(&bytes)) {
        (Expected::Output(output), Ok(ours)) => {
            let ours = serde_json::json!(ours);
            (output["entries"] != ours).then(|| format!("read {ours} instead of {}", output["entries"]))
        }
        (Expected::Error { .. }, Err(_)) => None,
        (expected, ours) => Some(format!("gave {ours:?} instead of {expected:?}")),
    }))
}
