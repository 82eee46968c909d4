//! The reference page of all keys (`docs/client-configuration.md`), written from the tables.

use super::definition::{ClientKind, Definition, State, Valid};
use super::keys::{admin, common, consumer, producer, sasl, tls};
use std::fmt::Write;

const INTRODUCTION: &str = "\
# Settings of the Kafka client

Written from the client's own tables: do not edit. All keys of Kafka 4.3's producers, consumers and admin clients are
known and checked. A key that is not known is warned about, with the nearest known one; a value that a key does not
take is an error.

The last column says what the client makes of a key, if it is not simply done:

- *partly*: within the limits named;
- *no effect*: checked, then ignored with a warning if it is set to something other than its default;
- *not applicable*: checked, then ignored;
- *refused*: an error if it is set to something other than its default.
";

const SECTIONS: [(&str, &[Definition]); 6] = [
    ("All clients", common::COMMON),
    ("Producers", producer::PRODUCER),
    ("Consumers", consumer::CONSUMER),
    ("Admin clients", admin::ADMIN),
    ("TLS", tls::TLS),
    ("SASL", sasl::SASL),
];

/// The page as Markdown.
pub fn reference_page() -> String {
    let mut page = INTRODUCTION.to_owned();
    for (title, definitions) in SECTIONS {
        page += "\n## ";
        page += title;
        page +=
            "\n\n| key | type | default | importance | what it does | here |\n|---|---|---|---|---|---|\n";
        for definition in definitions {
            // Writing into a string cannot fail.
            let _ = writeln!(page, "{}", row(definition));
        }
    }
    page
}

fn row(definition: &Definition) -> String {
    format!(
        "| `{}` | {} | {} | {} | {} | {} |",
        definition.name,
        kind(definition),
        defaults(definition),
        definition.importance.name().to_ascii_lowercase(),
        definition.doc,
        state(definition.state)
    )
}

fn kind(definition: &Definition) -> String {
    let kind = definition.kind.name().to_ascii_lowercase();
    match definition.valid {
        Valid::Any => kind,
        valid => format!("{kind} {valid}"),
    }
}

fn defaults(definition: &Definition) -> String {
    let quoted = |text: String| if text.is_empty() { "empty".to_owned() } else { format!("`{text}`") };
    let mut text = quoted(definition.default_value().to_string());
    if let Some((_, why)) = definition.own_default {
        text += &format!(" (Java: {}; {why})", quoted(definition.java_default.to_string()));
        return text;
    }
    for client in ClientKind::ALL {
        let own = definition.of(*client);
        if own.java_default != definition.java_default {
            text += &format!(", {client}: {}", quoted(own.java_default.to_string()));
        }
    }
    text
}

fn state(state: State) -> String {
    match state {
        State::Honoured => String::new(),
        State::Partly(limits) => format!("partly: {limits}"),
        State::WithoutEffect(why) => format!("no effect: {why}"),
        State::NotApplicable(why) => format!("not applicable: {why}"),
        State::Refused(why) => format!("refused: {why}"),
        State::RefusedBut(known, why) => format!("refused, but for `{}`: {why}", known.join("`, `")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::definition::DefaultValue;
    use super::super::keys::definitions;
    use super::*;
    use std::collections::BTreeSet;

    /// Client, name, type, default, valid values and importance of every key of Kafka 4.3.1, as its
    /// `ConfigDef` gives them.
    const JAVA: &str = include_str!("../../tests/golden/java-config-keys.tsv");

    fn letter(client: ClientKind) -> &'static str {
        match client {
            ClientKind::Producer => "P",
            ClientKind::Consumer => "C",
            ClientKind::Admin => "A",
        }
    }

    /// Java checks these when it uses them, or not at all; a negative time would do harm.
    fn valid(definition: &Definition, java: &str) -> String {
        let own = definition.valid.to_string();
        if java.is_empty() && own == "[0,...]" { String::new() } else { own }
    }

    #[test]
    fn the_tables_are_javas() {
        let row = |client: ClientKind, d: &Definition, java: &str| {
            let default = match d.java_default {
                DefaultValue::Required => "<none>".to_owned(),
                default => default.to_string(),
            };
            let (kind, importance) = (d.kind.name(), d.importance.name());
            format!("{}\t{}\t{kind}\t{default}\t{}\t{importance}", letter(client), d.name, valid(d, java))
        };
        let mut seen = BTreeSet::new();
        for line in JAVA.lines() {
            let columns: Vec<_> = line.split('\t').collect();
            let client = ClientKind::ALL.iter().find(|c| letter(**c) == columns[0]).unwrap();
            let definition = definitions(*client).find(|d| d.name == columns[1]);
            let definition = definition.unwrap_or_else(|| panic!("{line} is missing"));
            assert_eq!(row(*client, &definition, columns[4]), line);
            seen.insert((*client, definition.name));
        }
        let more = ClientKind::ALL.iter().flat_map(|c| definitions(*c).map(|d| (*c, d.name)));
        // Keys of our own have a prefix of their own.
        let more: Vec<_> =
            more.filter(|key| !seen.contains(key) && !key.1.starts_with("crossdock.")).collect();
        assert_eq!(more, [(ClientKind::Producer, "default.api.timeout.ms")]);
    }

    #[test]
    fn defaults_pass_their_own_checks() {
        for definition in ClientKind::ALL.iter().flat_map(|c| definitions(*c)) {
            let name = definition.name;
            assert!(definition.doc.ends_with('.'), "{name}");
            match definition.default_value() {
                DefaultValue::Required | DefaultValue::Null => {}
                default => definition.check(&default.to_string()).unwrap_or_else(|e| panic!("{name}: {e}")),
            }
        }
    }

    #[test]
    fn the_committed_page_is_current() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/client-configuration.md");
        if std::env::var_os("CROSSDOCK_WRITE_DOCS").is_some() {
            std::fs::write(path, reference_page()).unwrap();
        }
        let committed = std::fs::read_to_string(path).unwrap();
        assert!(
            committed == reference_page(),
            "docs/client-configuration.md is not what the tables say; run this test with CROSSDOCK_WRITE_DOCS=1"
        );
    }
}
