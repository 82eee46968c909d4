//! The reference page of all keys, `docs/connect-configuration.md`, written from their definitions.

use crossdock_api::ConfigDef;
use crossdock_api::config::{ConfigKey, Importance};
use std::fmt::Write;

/// The page, in Markdown.
pub fn reference_page() -> String {
    let mut page = "# Keys of workers and connectors\n\nAll keys of Kafka Connect 4.3.1 with their defaults, written from \
                    the definitions that check them. Which of them do nothing yet is said when they are set, and in \
                    [compatibility](compatibility.md). Keys of clients are in \
                    [client-configuration](client-configuration.md), those of transforms in \
                    [transforms](transforms.md).\n"
        .to_owned();
    let worker = super::worker::worker_keys();
    section(&mut page, "Every worker", &worker);
    section(&mut page, "A standalone worker", &super::worker::standalone_keys());
    section(&mut page, "A worker of a group", &super::worker::distributed_keys());
    section(&mut page, "Every connector", &super::any_connector());
    section(&mut page, "Sources", &super::connector::source_keys());
    section(&mut page, "Sinks", &super::connector::sink_keys());
    page
}

fn section(page: &mut String, title: &str, def: &ConfigDef) {
    // Writing to a String cannot fail.
    let _ = write!(
        page,
        "\n## {title}\n\n| key | type | default | valid | importance | what it does |\n|---|---|---|---|---|---|\n"
    );
    for key in def.keys() {
        let _ = writeln!(page, "{}", row(key));
    }
}

fn row(key: &ConfigKey) -> String {
    let default = match key.default_text() {
        _ if key.is_required() => "(required)".to_owned(),
        None => "null".to_owned(),
        Some("") => "(empty)".to_owned(),
        Some(text) => format!("`{text}`"),
    };
    let valid = key.validation().map(|valid| valid.to_string().replace('|', "\\|")).unwrap_or_default();
    let importance = match key.importance_level() {
        Importance::High => "high",
        Importance::Low => "low",
        Importance::Medium => "medium",
    };
    let kind = key.kind().name().to_lowercase();
    format!("| `{}` | {kind} | {default} | {valid} | {importance} | {} |", key.name(), key.documentation())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `CROSSDOCK_WRITE_DOCS=1` writes the page instead.
    #[test]
    fn the_page_is_current() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/connect-configuration.md");
        if std::env::var_os("CROSSDOCK_WRITE_DOCS").is_some() {
            std::fs::write(path, reference_page()).unwrap();
        }
        let written = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            written == reference_page(),
            "run this test with CROSSDOCK_WRITE_DOCS=1 to write the page anew"
        );
    }
}
