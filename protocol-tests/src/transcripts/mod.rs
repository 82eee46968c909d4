//! Transcripts of the REST API of a real Connect worker: what was asked, in which order, and what was
//! answered.
//!
//! A file `<mode>_<group>.jsonl` has one request a line. Lines of one `scenario` belong together and are
//! asked in their order of a worker that has no connectors at first.
//!
//! - [`Call`]: a line. `await` asks for polling until the answer is the recorded one; `unstable` and
//!   `best_effort` answers differed between recordings.
//! - [`World`]: what the placeholders in a transcript stand for in this run.
//! - [`compare`]: how an answer differs from the recorded one.

mod compare;
mod world;

pub use compare::{Answer, Difference, compare};
pub use world::World;

use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::{Path, PathBuf};

/// A line of a transcript.
#[derive(Debug, Clone)]
pub struct Call(Value);

/// Lines of one scenario.
#[derive(Debug)]
pub struct Scenario {
    /// Its group, as in the file's name.
    pub group: String,
    /// Its name.
    pub name: String,
    /// Its lines in their order.
    pub calls: Vec<Call>,
}

impl Call {
    fn text(&self, member: &str) -> &str {
        self.0[member].as_str().unwrap_or_default()
    }

    fn flag(&self, member: &str) -> bool {
        self.0[member].as_bool().unwrap_or_default()
    }

    /// Names it in reports.
    pub fn id(&self) -> &str {
        self.text("id")
    }

    /// HTTP method.
    pub fn method(&self) -> &str {
        self.text("method")
    }

    /// Path as it was sent, percent-encoding included, without the query.
    pub fn path(&self) -> &str {
        self.text("path")
    }

    /// Query as it was sent.
    pub fn query(&self) -> Option<&str> {
        self.0["query"].as_str()
    }

    /// Headers that were sent.
    pub fn headers(&self) -> BTreeMap<String, String> {
        texts(&self.0["headers"])
    }

    /// The body that was sent; `None` if there was none.
    pub fn body(&self) -> Option<String> {
        match (&self.0["request_raw"], &self.0["request_body"]) {
            (Value::String(raw), _) => Some(raw.clone()),
            (_, Value::Null) => None,
            (_, json) => Some(world::as_it_was_sent(json)),
        }
    }

    /// Recorded status.
    pub fn status(&self) -> u64 {
        self.0["status"].as_u64().unwrap_or_default()
    }

    /// Recorded headers, of those that are compared, by lower case name.
    pub fn response_headers(&self) -> BTreeMap<String, String> {
        texts(&self.0["response_headers"])
    }

    /// Recorded body: JSON; or a text, which was not declared as JSON; or null for none.
    pub fn response_body(&self) -> &Value {
        &self.0["response_body"]
    }

    /// To be asked until the answer is the recorded one.
    pub fn awaits(&self) -> bool {
        self.flag("await")
    }

    /// The answer differed between recordings.
    pub fn is_loose(&self) -> bool {
        self.flag("unstable") || self.flag("best_effort")
    }

    /// What the call is about, where that is not obvious.
    pub fn note(&self) -> &str {
        self.text("note")
    }
}

fn texts(json: &Value) -> BTreeMap<String, String> {
    let pairs = json.as_object().into_iter().flatten();
    pairs.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
}

/// The transcripts' folder: `$CROSSDOCK_GOLDEN/rest` if there is one, else that of this crate.
pub fn folder() -> PathBuf {
    let asked = super::golden::folder().join("rest");
    if asked.is_dir() { asked } else { Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/rest") }
}

/// All scenarios of a mode, in the order of files and lines.
///
/// # Errors
/// A folder or file that cannot be read, or a line that is not JSON.
pub fn scenarios(folder: &Path, mode: &str) -> io::Result<Vec<Scenario>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with(&format!("{mode}_")) && name.ends_with(".jsonl") {
            files.push(path);
        }
    }
    files.sort();
    let mut scenarios: Vec<Scenario> = Vec::new();
    for file in files {
        for call in calls(&file)? {
            let (group, name) = (call.text("group"), call.text("scenario"));
            match scenarios.iter_mut().find(|s| s.group == group && s.name == name) {
                Some(scenario) => scenario.calls.push(call),
                None => scenarios.push(Scenario {
                    group: group.to_owned(),
                    name: name.to_owned(),
                    calls: vec![call],
                }),
            }
        }
    }
    Ok(scenarios)
}

/// The lines of a file, with shortened answers in full.
fn calls(file: &Path) -> io::Result<Vec<Call>> {
    let text = std::fs::read_to_string(file)?;
    let mut calls = Vec::new();
    let mut bodies = HashMap::new();
    for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let bad = |why: String| {
            io::Error::new(io::ErrorKind::InvalidData, format!("{} line {}: {why}", file.display(), at + 1))
        };
        let mut call: Value = serde_json::from_str(line).map_err(|e| bad(e.to_string()))?;
        restore(&mut call["response_body"], &bodies).map_err(bad)?;
        bodies.insert(call["id"].as_str().unwrap_or_default().to_owned(), call["response_body"].clone());
        calls.push(Call(call));
    }
    Ok(calls)
}

/// A body may say that its `configs` are those of another line but for some (`configs_same_as`,
/// `configs_diff`, `configs_names` for the order).
fn restore(body: &mut Value, bodies: &HashMap<String, Value>) -> Result<(), String> {
    let Some(same) = body.get("configs_same_as").and_then(Value::as_str) else { return Ok(()) };
    let other = bodies.get(same).ok_or_else(|| format!("no line {same} before this one"))?;
    let listed = |json: &Value| json.as_array().cloned().unwrap_or_default();
    let same = listed(&other["configs"]);
    let own = listed(&body["configs_diff"]);
    let names: Vec<String> = match &body["configs_names"] {
        Value::Array(names) => names.iter().filter_map(|n| n.as_str().map(str::to_owned)).collect(),
        _ => same.iter().map(|config| config_name(config).to_owned()).collect(),
    };
    let mut configs = Vec::with_capacity(names.len());
    for name in names {
        let found = own.iter().chain(&same).find(|config| config_name(config) == name);
        configs.push(found.cloned().ok_or_else(|| format!("no config {name}"))?);
    }
    if let Some(members) = body.as_object_mut() {
        members.retain(|name, _| !name.starts_with("configs_"));
        members.insert("configs".to_owned(), Value::Array(configs));
    }
    Ok(())
}

/// The name of an entry of `configs`; client overrides have no definition.
fn config_name(config: &Value) -> &str {
    let of = |part: &str| config[part]["name"].as_str();
    of("definition").or_else(|| of("value")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn shortened_answers_are_restored() {
        let config =
            |name: &str, value: &str| json!({"definition": null, "value": {"name": name, "v": value}});
        let full = json!({"configs": [config("a", "1"), config("b", "1")]});
        let bodies = HashMap::from([("x.1".to_owned(), full)]);
        let mut body = json!({"n": 1, "configs_same_as": "x.1", "configs_diff": [config("b", "2")]});
        restore(&mut body, &bodies).unwrap();
        assert_eq!(body, json!({"n": 1, "configs": [config("a", "1"), config("b", "2")]}));
        let mut unknown = json!({"configs_same_as": "x.9", "configs_diff": []});
        assert!(restore(&mut unknown, &bodies).is_err());
    }

    #[test]
    fn the_transcripts_can_be_read() {
        let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/rest");
        for mode in ["standalone", "distributed"] {
            let scenarios = scenarios(&own, mode).unwrap();
            assert!(!scenarios.is_empty());
            assert!(scenarios.iter().flat_map(|s| &s.calls).all(|call| call.status() > 0));
        }
    }
}
