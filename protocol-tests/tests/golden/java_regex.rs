//! Regular expressions against what java.util.regex does with random ones.

use super::Verdict;
use crossdock_java_regex::{Pattern, Replacement};
use protocol_tests::golden::Case;

/// Runs a case: whether the pattern is one and else where its mistake is, whether the text matches, and the text with
/// its first match replaced.
pub(crate) fn run(case: &Case) -> Option<Verdict> {
    let text = |member: &str| case.input()[member].as_str().unwrap_or_default();
    let output = case.member("output");
    let pattern = match Pattern::new(text("pattern")) {
        Ok(pattern) => pattern,
        Err(error) => {
            if has_open_look_behind(case) {
                return Some(Verdict::KnownGap(OPEN_LOOK_BEHIND));
            }
            let difference = match output["index"].as_i64() {
                None => Some(format!("is refused: {error}")),
                // Java failed in another way than by saying where.
                Some(..0) => None,
                Some(index) => (error.index != usize::try_from(index).ok())
                    .then(|| format!("wrong at another place: {error}")),
            };
            return Some(Verdict::of(difference));
        }
    };
    if output["index"].is_i64() {
        if has_open_look_behind(case) {
            return Some(Verdict::KnownGap(OPEN_LOOK_BEHIND));
        }
        return Some(Verdict::Failed("is taken, but is none in Java".to_owned()));
    }
    let matches = pattern.matches(text("text"));
    if matches.as_ref().ok().copied() != output["matches"].as_bool() {
        return Some(Verdict::Failed(format!("matches: {matches:?}")));
    }
    let replaced = pattern.replace_first(text("text"), &Replacement::new(text("replacement")));
    let same = match (&replaced, output["fails"].as_str()) {
        (Ok(ours), None) => Some(&**ours) == output["replaced"].as_str(),
        (Err(error), Some(message)) => error.to_string() == message,
        _ => false,
    };
    Some(Verdict::of((!same).then(|| format!("replaced: {replaced:?} instead of {output}"))))
}

const OPEN_LOOK_BEHIND: &str =
    "a look-behind without an obvious maximum length, which Java refuses, is taken";

fn has_open_look_behind(case: &Case) -> bool {
    case.member("output")["description"].as_str().is_some_and(|text| text.starts_with("Look-behind group"))
}
