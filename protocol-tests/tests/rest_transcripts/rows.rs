//! Which differences a row of `docs/compatibility.md` allows, by their kind, never by a request's id.

use protocol_tests::transcripts::{Call, Difference, Scenario};
use serde_json::Value;
use std::path::Path;

/// A kind of differences.
struct Row {
    /// First column of the row in `docs/compatibility.md`.
    what: &'static str,
    allows: fn(&Asked<'_>, &Difference) -> bool,
}

/// A request in its scenario.
struct Asked<'a> {
    scenario: &'a Scenario,
    call: &'a Call,
}

/// All kinds.
const ROWS: &[Row] = &[
    Row { what: "trace of a failed task", allows: is_trace },
    Row { what: "documentation of keys in `/connector-plugins`", allows: is_documentation },
    Row { what: "status of a task that does not exist, after a restart of it", allows: is_phantom },
    Row {
        what: "`/connector-plugins`: MirrorMaker's `MirrorSourceConnector`, `MirrorCheckpointConnector`, \
               `MirrorHeartbeatConnector`",
        allows: is_of_mirror_maker,
    },
    Row { what: "order of a converter's keys in validation", allows: is_order_of_a_converter },
    Row {
        what: "a class in a configuration that the JVM has but that is no plugin",
        allows: is_class_of_the_jvm,
    },
    Row { what: "`available connectors are:`", allows: is_list_of_connectors },
    Row { what: "names of loggers in `/admin/loggers`", allows: is_name_of_a_logger },
    Row { what: "source: a directory as its file", allows: is_directory },
    Row { what: "TopicNameMatches without `pattern` in validation", allows: is_missing_pattern },
    Row {
        what: "a version of a connector that is not there, asked for a second time",
        allows: is_second_version,
    },
];

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Both have a trace, and ours says something.
fn is_trace(_: &Asked<'_>, difference: &Difference) -> bool {
    let has_text = |value: &Value| !text(value).is_empty();
    difference.at.ends_with(".trace") && has_text(&difference.recorded) && has_text(&difference.answered)
}

/// Both have a text.
fn is_documentation(_: &Asked<'_>, difference: &Difference) -> bool {
    let has_text = |value: &Value| !text(value).is_empty();
    let is_text = difference.at.ends_with(".documentation");
    is_text && has_text(&difference.recorded) && has_text(&difference.answered)
}

/// Connect keeps a FAILED status, without version, of a task for which there is no config.
fn is_phantom(_: &Asked<'_>, difference: &Difference) -> bool {
    let recorded = &difference.recorded;
    let is_task = difference.at.starts_with("body.tasks[") || difference.at.contains(".status.tasks[");
    let no_config = text(&recorded["trace"]).contains("\"inputMap\" is null");
    is_task && recorded["version"].is_null() && no_config && difference.answered.is_null()
}

/// The request is about a connector of MirrorMaker's, or the answer names one.
fn is_of_mirror_maker(asked: &Asked<'_>, difference: &Difference) -> bool {
    let names_one = |text: &str| {
        ["MirrorSource", "MirrorCheckpoint", "MirrorHeartbeat"].iter().any(|name| text.contains(name))
    };
    let (recorded, answered) = (&difference.recorded, &difference.answered);
    if asked.call.path().starts_with("/connector-plugins") && difference.at.starts_with("body[") {
        let is_ours = recorded.is_null() && text(&answered["class"]).starts_with("io.debezium.");
        return is_ours || (names_one(text(&recorded["class"])) && answered.is_null());
    }
    if difference.at.contains(".recommended_values[") {
        return recorded.is_null() && text(answered).starts_with("io.debezium.");
    }
    if names_one(asked.call.path()) || asked.call.body().is_some_and(|body| names_one(&body)) {
        return true;
    }
    let before = asked.scenario.calls.iter().take_while(|call| call.id() != asked.call.id());
    let made = before.filter(|call| call.status() < 300 && call.body().is_some_and(|body| names_one(&body)));
    let mut names = made.filter_map(|call| {
        let body: Value = serde_json::from_str(&call.body()?).ok()?;
        let in_path = call.path().strip_prefix("/connectors/").and_then(|rest| rest.split('/').next());
        body["name"].as_str().or(in_path).map(str::to_owned)
    });
    names.any(|name| {
        asked.call.path().split('/').nth(2) == Some(&name)
            || text(recorded) == name
            || difference.at.starts_with(&format!("body.{name}"))
    })
}

/// Nothing but the keys of converters is elsewhere.
fn is_order_of_a_converter(_: &Asked<'_>, difference: &Difference) -> bool {
    let of_no_converter = |list: &Value| -> Vec<String> {
        let names = list.as_array().into_iter().flatten().map(|name| text(name).to_owned());
        names.filter(|name| !name.contains(".converter.")).collect()
    };
    difference.at.ends_with(".configs.order")
        && of_no_converter(&difference.recorded) == of_no_converter(&difference.answered)
}

/// Connect says that a class is no plugin of the kind, we that there is no such class.
fn is_class_of_the_jvm(asked: &Asked<'_>, difference: &Difference) -> bool {
    let (recorded, answered) = (text(&difference.recorded), text(&difference.answered));
    let Some(class) = asked.jvm_class() else { return false };
    if recorded.contains(&format!("Class class {class} does not implement the ")) {
        return answered.contains(&format!("Class {class} could not be found"));
    }
    if asked.call.path().starts_with(&format!("/connector-plugins/{class}/")) {
        return asked.call.response_body()["message"] == "Instantiation error";
    }
    // What depends on the class: its value, and whether its version is visible.
    let is_at_key = |suffix: &str| {
        let entry = difference.at.strip_prefix("body.configs[").and_then(|rest| rest.split_once(']'));
        entry.is_some_and(|(number, member)| {
            let configs = &asked.call.response_body()["configs"];
            let name =
                number.parse().ok().and_then(|number: usize| configs[number]["value"]["name"].as_str());
            let key = asked.key_of(&class);
            member == suffix && name.zip(key).is_some_and(|(name, key)| name.starts_with(&key))
        })
    };
    is_at_key(".value.value") || is_at_key(".value.visible")
}

impl Asked<'_> {
    /// A class of Java itself that the request names where a plugin should be.
    fn jvm_class(&self) -> Option<String> {
        let in_path = self.call.path().split('/').map(str::to_owned);
        let values = self.config().unwrap_or_default().into_iter().map(|(_, value)| text(&value).to_owned());
        in_path.chain(values).find(|name| name.starts_with("java."))
    }

    /// The configuration in the body.
    fn config(&self) -> Option<serde_json::Map<String, Value>> {
        let body: Value = serde_json::from_str(&self.call.body()?).ok()?;
        let config = if body["config"].is_object() { &body["config"] } else { &body };
        config.as_object().cloned()
    }

    /// The key that has this value.
    fn key_of(&self, value: &str) -> Option<String> {
        self.config()?.into_iter().find(|(_, given)| given == value).map(|(key, _)| key)
    }
}

/// The same but for the list, and a prefix that Connect has from the second time on.
fn is_list_of_connectors(_: &Asked<'_>, difference: &Difference) -> bool {
    let before = |value: &Value| {
        let (before, _) = text(value).split_once("available connectors are: ")?;
        Some(before.replace("org.apache.kafka.connect.errors.ConnectException: ", ""))
    };
    before(&difference.recorded).is_some_and(|recorded| before(&difference.answered) == Some(recorded))
}

/// A logger of Java's that nobody has set, or one of ours.
fn is_name_of_a_logger(asked: &Asked<'_>, difference: &Difference) -> bool {
    if !asked.call.path().starts_with("/admin/loggers") {
        return false;
    }
    let name_of = |value: &Value| match value {
        Value::String(name) => Some(name.clone()),
        Value::Object(_) => difference.at.strip_prefix("body.").map(str::to_owned),
        _ => None,
    };
    let is_theirs = |name: String| {
        let was_set = |call: &Call| call.method() == "PUT" && call.path().ends_with(&format!("/{name}"));
        name.contains('.') && !asked.scenario.calls.iter().any(was_set)
    };
    let is_ours = |name: String| name.starts_with("crossdock");
    let (recorded, answered) = (name_of(&difference.recorded), name_of(&difference.answered));
    let is_name = recorded.is_some() || answered.is_some();
    is_name && recorded.is_none_or(is_theirs) && answered.is_none_or(is_ours)
}

/// The task of a source fails at once, in Connect it runs.
fn is_directory(asked: &Asked<'_>, difference: &Difference) -> bool {
    let is_status = asked.call.path().ends_with("/status") && difference.at.starts_with("body.tasks[");
    let of_scratch_folder = asked.scenario.calls.iter().filter_map(Call::body).any(|body| {
        let body: Value = serde_json::from_str(&body).unwrap_or_default();
        let name = asked.call.path().split('/').nth(2);
        body["config"]["file"] == "<dir>" && body["name"].as_str() == name
    });
    let fails = text(&difference.recorded) == "RUNNING" && text(&difference.answered) == "FAILED"
        || difference.recorded.is_null() && text(&difference.answered).contains("is a directory");
    is_status && of_scratch_folder && fails
}

/// Connect adds what its own code failed with.
fn is_missing_pattern(asked: &Asked<'_>, difference: &Difference) -> bool {
    let fails = "Invalid regex: Cannot invoke \"String.isEmpty()\" because \"this.pattern\" is null";
    match difference.at.as_str() {
        "body.error_count" => asked.call.response_body().to_string().contains(&fails.replace('"', "\\\"")),
        at => {
            at.contains(".errors[")
                && difference.answered.is_null()
                && text(&difference.recorded).contains(fails)
        }
    }
}

/// Connect fails in its own code.
fn is_second_version(asked: &Asked<'_>, difference: &Difference) -> bool {
    let message = text(&asked.call.response_body()["message"]);
    let fails = message.contains("VersionedPluginLoadingException.availableVersions()\" is null");
    fails && ["status", "body.error_code", "body.message"].contains(&&*difference.at)
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
    pub(crate) fn allowing(
        &self,
        scenario: &Scenario,
        call: &Call,
        difference: &Difference,
    ) -> Option<&'static str> {
        let asked = Asked { scenario, call };
        ROWS.iter().find(|row| (row.allows)(&asked, difference)).map(|row| row.what)
    }
}
