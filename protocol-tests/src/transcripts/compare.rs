//! How an answer differs from the recorded one, field by field.
//!
//! The order of members is not compared, nor that of names in a list whose order is that of a Java
//! `HashMap`: connectors, topics, loggers, partitions of offsets, and two texts that print one. Items of other lists are
//! compared by what names them; that they are in another order is a difference of its own.

use super::world::matches;
use super::{Call, World};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;

/// Headers that transcripts tell about.
const COMPARED: &[&str] =
    &["allow", "cache-control", "content-encoding", "content-type", "last-modified", "location", "vary"];

/// An answer of the worker under test.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Status.
    pub status: u64,
    /// Headers by lower case name.
    pub headers: BTreeMap<String, String>,
    /// Body.
    pub body: String,
}

/// One field that is not as it was recorded; null is absent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Where: `status`, `headers.location`, `body.tasks[0].state`.
    pub at: String,
    /// As recorded, placeholders replaced as far as they are known.
    pub recorded: Value,
    /// As answered.
    pub answered: Value,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let short = |value: &Value| {
            let text = value.to_string();
            let cut = text.char_indices().nth(400).map_or(text.len(), |(at, _)| at);
            if cut < text.len() { format!("{}…", &text[..cut]) } else { text }
        };
        write!(
            f,
            "{}:\n      recorded {}\n      answered {}",
            self.at,
            short(&self.recorded),
            short(&self.answered)
        )
    }
}

/// What is not as recorded; nothing if the answer is right.
pub fn compare(call: &Call, world: &World, answer: &Answer) -> Vec<Difference> {
    let mut differences = Vec::new();
    differ(&mut differences, "status", &call.status().into(), &answer.status.into());
    let recorded = call.response_headers();
    let named = |name: &str| COMPARED.contains(&name) || name.starts_with("access-control-");
    let names = recorded
        .keys()
        .chain(answer.headers.keys().filter(|name| named(name) && !recorded.contains_key(*name)));
    for name in names {
        let text =
            |headers: &BTreeMap<String, String>| headers.get(name).map_or(Value::Null, |v| v.clone().into());
        differ(
            &mut differences,
            &format!("headers.{name}"),
            &world.fill_json(&text(&recorded)),
            &text(&answer.headers),
        );
    }
    let recorded = world.fill_json(call.response_body());
    let answered = match &recorded {
        // A text was not declared as JSON, which the headers tell.
        Value::Null | Value::String(_) if answer.body.is_empty() => Value::Null,
        Value::String(_) => Value::String(answer.body.clone()),
        _ => serde_json::from_str(&answer.body).unwrap_or_else(|_| Value::String(answer.body.clone())),
    };
    differ(&mut differences, "body", &recorded, &answered);
    differences
}

fn differ(differences: &mut Vec<Difference>, at: &str, recorded: &Value, answered: &Value) {
    match (recorded, answered) {
        (Value::Object(left), Value::Object(right)) => {
            let mut absent = |name: &str, recorded: &Value, answered: &Value| {
                let (recorded, answered) = (recorded.clone(), answered.clone());
                differences.push(Difference { at: format!("{at}.{name}"), recorded, answered });
            };
            for (name, value) in right.iter().filter(|(name, _)| !left.contains_key(*name)) {
                absent(name, &Value::Null, value);
            }
            for (name, value) in left.iter().filter(|(name, _)| !right.contains_key(*name)) {
                absent(name, value, &Value::Null);
            }
            for (name, value) in left {
                if let Some(answered) = right.get(name) {
                    differ(differences, &format!("{at}.{name}"), value, answered);
                }
            }
        }
        (Value::Array(left), Value::Array(right)) => {
            for (number, (recorded, answered)) in pairs(left, right).into_iter().enumerate() {
                let (recorded, answered) =
                    (recorded.unwrap_or(&Value::Null), answered.unwrap_or(&Value::Null));
                differ(differences, &format!("{at}[{number}]"), recorded, answered);
            }
            differences.extend(reordered(at, left, right));
        }
        _ if same(recorded, answered) => {}
        _ => differences.push(Difference {
            at: at.to_owned(),
            recorded: recorded.clone(),
            answered: answered.clone(),
        }),
    }
}

/// What names an item of a list: its task, class, key or partition, or what it is itself.
fn name_of(item: &Value) -> Option<Value> {
    if item.is_string() {
        return Some(item.clone());
    }
    if item["class"].is_string() {
        // A class may be a plugin of two types.
        return Some(serde_json::json!([item["class"], item["type"]]));
    }
    let found = [&item["id"], &item["partition"], &item["definition"]["name"], &item["value"]["name"]];
    found.into_iter().chain([&item["name"]]).find(|name| !name.is_null()).cloned()
}

/// Whether each item has a name, and no two have the same.
fn are_named(items: &[Value]) -> bool {
    let names: Option<Vec<Value>> = items.iter().map(name_of).collect();
    names.is_some_and(|names| (1..names.len()).all(|at| !names[..at].contains(&names[at])))
}

type Pair<'a> = (Option<&'a Value>, Option<&'a Value>);

/// The items of two lists by their names, or else by their places.
fn pairs<'a>(left: &'a [Value], right: &'a [Value]) -> Vec<Pair<'a>> {
    if !are_named(left) || !are_named(right) {
        return (0..left.len().max(right.len())).map(|at| (left.get(at), right.get(at))).collect();
    }
    let alike = |one: &Value, other: &Value| match (name_of(one), name_of(other)) {
        (Some(Value::String(pattern)), Some(Value::String(text))) => matches(&pattern, &text),
        (one, other) => one == other,
    };
    let mut only_right = right.iter().filter(|item| !left.iter().any(|other| alike(other, item)));
    let mut pairs = Vec::new();
    for item in left {
        let mut other = right.iter().find(|other| alike(item, other));
        if other.is_none() && item.is_string() {
            // A text that should be another one.
            other = only_right.next();
        }
        pairs.push((Some(item), other));
    }
    pairs.extend(only_right.map(|item| (None, Some(item))));
    pairs
}

/// That what both lists have is in another order, unless there is none.
fn reordered(at: &str, left: &[Value], right: &[Value]) -> Option<Difference> {
    let ordered = |item: &Value| !item.is_string() && item["partition"].is_null();
    if !are_named(left) || !are_named(right) || !left.iter().all(ordered) {
        return None;
    }
    let names = |items: &[Value], others: &[Value]| -> Value {
        let others: Vec<Value> = others.iter().filter_map(name_of).collect();
        items.iter().filter_map(name_of).filter(|name| others.contains(name)).collect()
    };
    let (recorded, answered) = (names(left, right), names(right, left));
    (recorded != answered).then(|| Difference { at: format!("{at}.order"), recorded, answered })
}

fn same(recorded: &Value, answered: &Value) -> bool {
    match (recorded, answered) {
        (Value::String(pattern), Value::String(text)) => {
            matches(pattern, text) || unordered(pattern).is_some_and(|items| unordered(text) == Some(items))
        }
        (Value::String(pattern), Value::Number(number)) => matches(pattern, &number.to_string()),
        _ => recorded == answered,
    }
}

/// Texts that print a Java `HashMap` or a set, as its sorted items; `None` for other texts.
fn unordered(text: &str) -> Option<Vec<String>> {
    let items = |list: &str, separator: &str| {
        let mut items: Vec<String> = list.split(separator).map(str::to_owned).collect();
        items.sort();
        items
    };
    if let Some((start, map)) = text.split_once("Connector config {")
        && let Some((map, end)) = map.rsplit_once('}')
    {
        return Some([items(map, ", "), vec![start.to_owned(), end.to_owned()]].concat());
    }
    let (start, list) = text.split_once("available connectors are: ")?;
    let list = list.trim_end().trim_end_matches(',');
    Some([vec![start.to_owned()], items(&list.replace("}, ", "},, "), ",, ")].concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn at(recorded: Value, answered: Value) -> Vec<String> {
        let mut differences = Vec::new();
        differ(&mut differences, "b", &recorded, &answered);
        differences.into_iter().map(|d| d.at).collect()
    }

    #[test]
    fn every_field_is_seen() {
        assert_eq!(at(json!({"a": 1, "b": [{"c": "x"}]}), json!({"b": [{"c": "x"}], "a": 1})), [""; 0]);
        assert_eq!(at(json!({"a": 1}), json!({"a": 2, "z": null})), ["b.z", "b.a"]);
        assert_eq!(at(json!({"a": null}), json!({"z": 0})), ["b.z", "b.a"]);
        assert_eq!(at(json!([{"c": 1}]), json!([])), ["b[0]"]);
        assert_eq!(at(json!(["x", "y"]), json!(["y", "x"])), [""; 0]);
        assert_eq!(at(json!(["x", "y"]), json!(["y"])), ["b[0]"]);
        assert_eq!(at(json!([{"id": 1}, {"id": 2}]), json!([{"id": 2}, {"id": 3}])), ["b[0]", "b[2]"]);
        assert_eq!(at(json!([{"id": 1}, {"id": 2}]), json!([{"id": 2}, {"id": 1}])), ["b.order"]);
        assert_eq!(at(json!([{"id": 1}, {"id": 1}]), json!([{"id": 1}])), ["b[1]"]);
        let offsets = |a: &str, b: &str| json!([{"partition": {"f": a}}, {"partition": {"f": b}}]);
        assert_eq!(at(offsets("x", "y"), offsets("y", "x")), [""; 0]);
        assert_eq!(at(json!("<ms>"), json!(17)), [""; 0]);
        assert_eq!(at(json!("1"), json!("2")), ["b"]);
    }

    #[test]
    fn java_maps_have_no_order() {
        let text = |map: &str| json!(format!("Connector config {{{map}}} contains no connector type"));
        assert_eq!(at(text("a=1, b=2"), text("b=2, a=1")), [""; 0]);
        assert_eq!(at(text("a=1, b=2"), text("b=2, a=3")), ["b"]);
        let text = |list: &str| json!(format!("x, available connectors are: {list}"));
        assert_eq!(at(text("P{a, b}, P{c, d}"), text("P{c, d}, P{a, b}")), [""; 0]);
        assert_eq!(at(text("P{a, b}, P{c, d}"), text("P{c, d}")), ["b"]);
    }
}
