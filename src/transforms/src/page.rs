//! The reference page of the transforms, from the definitions that the worker checks by.

use crate::catalogue::{Entry, entries};
use crossdock_api::config::{ConfigKey, Importance};
use std::fmt::Write;

const HEAD: &str = "# Transforms

Written from the definitions in `src/transforms`; do not edit. Keys are those of Kafka Connect 4.3.1, given as
`transforms.<name>.<key>`. What differs from Connect is in [compatibility](compatibility.md); with
`crossdock.compatibility=strict` on the worker or on a single transform nothing does.

Classes with `$Key` and `$Value` change the key or the value of a record, the others the whole record.
";

/// The text of `docs/transforms.md`.
pub fn reference_page() -> String {
    entries().iter().fold(HEAD.to_owned(), |mut page, entry| {
        append(&mut page, entry);
        page
    })
}

fn append(page: &mut String, entry: &Entry) {
    let sides = if entry.has_sides { ["$Key", "$Value"].as_slice() } else { &[""] };
    let classes: Vec<String> = sides.iter().map(|side| format!("`{}{side}`", entry.class)).collect();
    let name = entry.class.rsplit('.').next().unwrap_or_default();
    // Writing to a String cannot fail.
    let _ = write!(page, "\n## {name}\n\n{}\n\n{}\n", classes.join(", "), entry.overview);
    let def = (entry.keys)();
    if def.keys().is_empty() {
        return;
    }
    page.push_str(
        "\n| key | type | default | allowed | importance | what it does |\n|---|---|---|---|---|---|\n",
    );
    for key in def.keys() {
        append_key(page, key);
    }
}

fn append_key(page: &mut String, key: &ConfigKey) {
    let default = match key.default_text() {
        _ if key.is_required() => "required".to_owned(),
        None => "none".to_owned(),
        Some("") => String::new(),
        Some(text) => format!("`{text}`"),
    };
    let allowed = key.validation().map(ToString::to_string).unwrap_or_default();
    let allowed = allowed.replace("<code>", "`").replace("</code>", "`");
    let importance = match key.importance_level() {
        Importance::High => "high",
        Importance::Medium => "medium",
        Importance::Low => "low",
    };
    let _ = writeln!(
        page,
        "| `{}` | {} | {default} | {allowed} | {importance} | {} |",
        key.name(),
        key.kind().name().to_lowercase(),
        key.documentation().replace('|', "\\|")
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_page_is_current() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/transforms.md");
        if std::env::var_os("CROSSDOCK_WRITE_DOCS").is_some() {
            std::fs::write(path, reference_page()).unwrap();
        }
        let committed = std::fs::read_to_string(path).unwrap();
        assert!(
            committed == reference_page(),
            "docs/transforms.md is not what the definitions say; run this test with CROSSDOCK_WRITE_DOCS=1"
        );
    }

    #[test]
    fn every_key_is_documented() {
        for entry in entries() {
            assert!(entry.overview.ends_with('.'), "{}", entry.class);
            for key in (entry.keys)().keys() {
                assert!(key.documentation().ends_with('.'), "{} of {}", key.name(), entry.class);
            }
        }
    }
}
