//! What resources need of a tree: texts, maps, lists and members, or a mistake of shape, as Jackson's databind
//! words it.

use super::reader::{Node, Value};
use super::{JsonError, Place};
use std::fmt;

/// A step from a value to one in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// A member of an object that Connect reads into this class.
    Member(&'static str, String),
    /// An item of a list.
    Item(usize),
}

/// Steps from the root.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Path(Vec<Step>);

impl Path {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// With one more step.
    pub(crate) fn to(&self, step: Step) -> Self {
        let mut steps = self.0.clone();
        steps.push(step);
        Self(steps)
    }

    /// As Jackson writes it.
    pub(crate) fn of_connect(&self) -> String {
        let step = |step: &Step| match step {
            Step::Member(class, name) => format!("{class}[\"{name}\"]"),
            Step::Item(number) => format!("java.util.ArrayList[{number}]"),
        };
        self.0.iter().map(step).collect::<Vec<_>>().join("->")
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, step) in self.0.iter().enumerate() {
            match step {
                Step::Member(_, name) if number == 0 => write!(f, "{name:?}")?,
                Step::Member(_, name) => write!(f, ".{name:?}")?,
                Step::Item(item) => write!(f, "[{item}]")?,
            }
        }
        Ok(())
    }
}

/// A map of texts in its order.
pub(crate) type Texts = Vec<(String, Option<String>)>;

/// Class of maps.
pub(crate) const MAP: &str = "java.util.LinkedHashMap";
/// Class of maps of texts.
const TEXT_MAP: &str = "java.util.LinkedHashMap<java.lang.String,java.lang.String>";

impl Node {
    /// A text; numbers and booleans as they are written; null is none.
    pub(crate) fn text(&self, path: &Path) -> Result<Option<String>, JsonError> {
        match &self.value {
            Value::Null => Ok(None),
            Value::Bool(value) => Ok(Some(value.to_string())),
            Value::Number(text) | Value::Text(text) => Ok(Some(text.clone())),
            _ => Err(self.mismatch("java.lang.String", "a text", path)),
        }
    }

    /// Any JSON value.
    pub(crate) fn to_json(&self) -> Result<serde_json::Value, JsonError> {
        use serde_json::Value as Json;
        Ok(match &self.value {
            Value::Null => Json::Null,
            Value::Bool(value) => Json::Bool(*value),
            // What was read as a number is one.
            Value::Number(number) => serde_json::from_str(number).unwrap_or(Json::Null),
            Value::Text(text) => Json::String(text.clone()),
            Value::List(items) => items.iter().map(Self::to_json).collect::<Result<_, _>>()?,
            Value::Object(members) => {
                let member = |(name, node): &(String, Self)| Ok((name.clone(), node.to_json()?));
                members.iter().map(member).collect::<Result<_, _>>()?
            }
            Value::Broken(error) => return Err(JsonError::clone(error)),
        })
    }

    /// A map of texts in its order; null is none.
    pub(crate) fn texts(&self, path: &Path) -> Result<Option<Texts>, JsonError> {
        let Some(members) = self.map(TEXT_MAP, path)? else { return Ok(None) };
        let text = |(name, node): &(String, Node)| {
            let path = path.to(Step::Member(MAP, name.clone()));
            Ok((name.clone(), node.text(&path)?))
        };
        members.iter().map(text).collect::<Result<_, _>>().map(Some)
    }

    /// The members of a map; null is none. `class` is what Connect reads it into, with the types of keys and values.
    pub(crate) fn map(&self, class: &str, path: &Path) -> Result<Option<&[(String, Node)]>, JsonError> {
        match &self.value {
            Value::Null => Ok(None),
            Value::Object(members) => Ok(Some(self.members(members)?)),
            Value::Text(text) => Err(self.not_from_text(MAP, text, path)),
            _ => Err(self.mismatch(class, "an object", path)),
        }
    }

    /// The items of a list; null is none.
    pub(crate) fn list(&self, class: &str, path: &Path) -> Result<Option<&[Node]>, JsonError> {
        match &self.value {
            Value::Null => Ok(None),
            Value::List(items) => Ok(Some(items)),
            _ => Err(self.mismatch(class, "a list", path)),
        }
    }

    /// The members of an object with known names; null is none. A name that is not known is a mistake, told by
    /// [`Members::checked`] after the members that are known.
    pub(crate) fn record<'n>(
        &'n self,
        class: &'static str,
        known: &'static [&'static str],
        path: &Path,
    ) -> Result<Option<Members<'n>>, JsonError> {
        let from = |what: &str, kind: &str, shown: &str| {
            let text = format!(
                "Cannot construct instance of `{class}` (although at least one Creator exists): no {what}-argument \
                 constructor/factory method to deserialize from {kind} value ({shown})"
            );
            self.mistake("an object is expected here", text, path)
        };
        match &self.value {
            Value::Null => Ok(None),
            Value::Object(members) => {
                Ok(Some(Members { members, class, known, end: self.end, path: path.clone() }))
            }
            Value::Text(text) => Err(self.not_from_text(class, text, path)),
            Value::Number(number) if number.contains(['.', 'e', 'E']) => {
                Err(from("double/Double", "Number", number))
            }
            Value::Number(number) => Err(from("int/Int", "Number", number)),
            Value::Bool(value) => Err(from("boolean/Boolean", "boolean", &value.to_string())),
            Value::List(_) | Value::Broken(_) => Err(self.mismatch(class, "an object", path)),
        }
    }

    /// An error that Connect words like this for this value.
    pub(crate) fn mistake(&self, message: &str, of_connect: String, path: &Path) -> JsonError {
        let (message, place) = (format!("the body is not as expected: {message}"), Some(self.start));
        JsonError { message, of_connect, place, path: path.clone(), is_of_json: true }
    }

    fn members<'n>(&self, members: &'n [(String, Node)]) -> Result<&'n [(String, Node)], JsonError> {
        match members {
            // Reading ended before the first one.
            [(_, Node { value: Value::Broken(error), .. })] => Err(JsonError::clone(error)),
            _ => Ok(members),
        }
    }

    fn not_from_text(&self, class: &str, text: &str, path: &Path) -> JsonError {
        let message = if text.is_empty() && class == MAP {
            format!(
                "Cannot coerce empty String (\"\") to `{class}` value (but could if coercion was enabled using \
                 `CoercionConfig`)"
            )
        } else {
            format!(
                "Cannot construct instance of `{class}` (although at least one Creator exists): no String-argument \
                 constructor/factory method to deserialize from String value ('{text}')"
            )
        };
        self.mistake("an object is expected here, not a text", message, path)
    }

    /// Another kind of value is expected.
    fn mismatch(&self, class: &str, expected: &str, path: &Path) -> JsonError {
        let (ours, shape, token) = match &self.value {
            Value::Broken(error) => return JsonError::clone(error),
            Value::Null => ("null", "Null", "VALUE_NULL"),
            Value::Bool(true) => ("true", "Boolean", "VALUE_TRUE"),
            Value::Bool(false) => ("false", "Boolean", "VALUE_FALSE"),
            Value::Number(number) if number.contains(['.', 'e', 'E']) => {
                ("a number", "Floating-point", "VALUE_NUMBER_FLOAT")
            }
            Value::Number(_) => ("a number", "Integer", "VALUE_NUMBER_INT"),
            Value::Text(_) => ("a text", "String", "VALUE_STRING"),
            Value::List(_) => ("a list", "Array", "START_ARRAY"),
            Value::Object(_) => ("an object", "Object", "START_OBJECT"),
        };
        let text = format!(
            "Cannot deserialize value of type `{class}` from {shape} value (token `JsonToken.{token}`)"
        );
        self.mistake(&format!("{expected} is expected here, not {ours}"), text, path)
    }
}

/// The members of an object with known names.
#[derive(Debug)]
pub(crate) struct Members<'n> {
    members: &'n [(String, Node)],
    class: &'static str,
    known: &'static [&'static str],
    end: Place,
    path: Path,
}

impl<'n> Members<'n> {
    /// Members that are known, in their order, with their path.
    pub(crate) fn known(&self) -> impl Iterator<Item = (&'n str, &'n Node, Path)> {
        let known = self.members.iter().filter(|(name, _)| self.known.contains(&name.as_str()));
        known.map(|(name, node)| (name.as_str(), node, self.path.to(Step::Member(self.class, name.clone()))))
    }

    /// Whether there is no other; told by the place behind the object, as it is known there.
    pub(crate) fn checked(&self) -> Result<(), JsonError> {
        if let Some((_, Node { value: Value::Broken(error), .. })) = self.members.last() {
            return Err(JsonError::clone(error));
        }
        let Some((name, _)) = self.members.iter().find(|(name, _)| !self.known.contains(&name.as_str()))
        else {
            return Ok(());
        };
        let names = self.known.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ");
        let names = match self.known {
            [_] => format!("one known property: {names}"),
            known => format!("{} known properties: {names}", known.len()),
        };
        Err(JsonError {
            message: format!(
                "the body is not as expected: {name:?} is not known here; {}",
                self.known.join(", ") + " are"
            ),
            of_connect: format!(
                "Unrecognized field \"{name}\" (class {}), not marked as ignorable ({names})",
                self.class
            ),
            place: Some(self.end),
            path: self.path.to(Step::Member(self.class, name.clone())),
            is_of_json: true,
        })
    }
}
