//! Headers that every answer gets: `response.http.headers.config` (KIP-577), read as Jetty's `HeaderFilter` does.

use crate::RestError;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use std::time::{Duration, SystemTime};

/// The rules of the key.
#[derive(Debug, Clone, Default)]
pub(crate) struct ResponseHeaders(Vec<Rule>);

#[derive(Debug, Clone)]
struct Rule {
    name: HeaderName,
    value: Value,
    /// Whether it comes on top of others of its name.
    adds: bool,
}

#[derive(Debug, Clone)]
enum Value {
    /// Now and so many milliseconds.
    Date(i64),
    Text(HeaderValue),
}

impl ResponseHeaders {
    /// Reads rules with commas between, each `action name: value`; one with a comma in it has double quotes around.
    ///
    /// # Errors
    /// A rule that is none.
    pub(crate) fn parse(text: &str) -> Result<Self, RestError> {
        let rules = split(text).into_iter().filter(|rule| !rule.trim().is_empty());
        rules.map(|rule| Rule::parse(&rule)).collect::<Result<_, _>>().map(Self)
    }

    /// Gives an answer these headers. One that it has already stays, unless it is added to.
    pub(crate) fn apply(&self, answer: &mut HeaderMap) {
        let own = answer.clone();
        for Rule { name, value, adds } in &self.0 {
            let value = match value {
                Value::Text(text) => text.clone(),
                Value::Date(offset) => date(*offset),
            };
            if *adds {
                answer.append(name, value);
            } else if !own.contains_key(name) {
                answer.insert(name, value);
            }
        }
    }
}

impl Rule {
    fn parse(rule: &str) -> Result<Self, RestError> {
        let wrong = |reason| RestError::ResponseHeaders { rule: rule.to_owned(), reason };
        let (action, header) =
            rule.trim().split_once(' ').ok_or_else(|| wrong("it is not \"action name: value\""))?;
        let (name, value) = header
            .trim()
            .split_once(':')
            .ok_or_else(|| wrong("there is no colon after the header's name"))?;
        let action = action.to_ascii_lowercase();
        if !["set", "add", "setdate", "adddate"].contains(&action.as_str()) {
            return Err(wrong("its action is not set, add, setDate or addDate"));
        }
        let name = name.trim().parse().map_err(|_| wrong("that is no name of a header"))?;
        let value = value.trim();
        let value = match action.ends_with("date") {
            true => {
                Value::Date(value.parse().map_err(|_| wrong("its value is not a number of milliseconds"))?)
            }
            false => Value::Text(value.parse().map_err(|_| wrong("that is no value of a header"))?),
        };
        Ok(Self { name, value, adds: action.starts_with("add") })
    }
}

fn date(offset: i64) -> HeaderValue {
    let millis = Duration::from_millis(offset.unsigned_abs());
    let now = SystemTime::now();
    let moved = if offset < 0 { now.checked_sub(millis) } else { now.checked_add(millis) };
    let shown = moved.filter(|time| *time >= SystemTime::UNIX_EPOCH).unwrap_or(now);
    // The text of a date has no character that a header may not have. Years past 9999 have no such text.
    let last = SystemTime::UNIX_EPOCH + Duration::from_secs(253_402_300_799);
    HeaderValue::from_str(&httpdate::fmt_http_date(shown.min(last))).unwrap_or(HeaderValue::from_static("0"))
}

/// At commas that are not within double quotes; the quotes are taken off.
fn split(text: &str) -> Vec<String> {
    let mut rules = vec![String::new()];
    let mut is_quoted = false;
    for character in text.chars() {
        match character {
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => rules.push(String::new()),
            _ => {
                if let Some(rule) = rules.last_mut() {
                    rule.push(character);
                }
            }
        }
    }
    rules
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_applied() {
        let rules = "add Cache-Control: no-cache, no-store".replace(", no", ",no");
        let text =
            format!("set X-Frame-Options: DENY, \"{rules}\",setDate Expires: 0 , add X-A: 1,add X-A: 2");
        let rules = ResponseHeaders::parse(&text).unwrap();
        let mut answer = HeaderMap::new();
        answer.insert("x-frame-options", HeaderValue::from_static("OWN"));
        answer.insert("cache-control", HeaderValue::from_static("private"));
        rules.apply(&mut answer);
        let all =
            |name: &str| -> Vec<&str> { answer.get_all(name).iter().map(|v| v.to_str().unwrap()).collect() };
        assert_eq!(all("x-frame-options"), ["OWN"]);
        assert_eq!(all("cache-control"), ["private", "no-cache,no-store"]);
        assert_eq!(all("x-a"), ["1", "2"]);
        assert!(all("expires")[0].ends_with(" GMT"));
        assert!(ResponseHeaders::parse("").unwrap().0.is_empty());
    }

    #[test]
    fn wrong_rules_say_what_is_wrong() {
        for (rule, reason) in [
            ("set", "not \"action name: value\""),
            ("set X", "no colon"),
            ("put X: 1", "its action"),
            ("set X Y: 1", "no name of a header"),
            ("setDate X: soon", "milliseconds"),
        ] {
            let error = ResponseHeaders::parse(rule).unwrap_err().to_string();
            assert!(error.contains(reason) && error.contains("response.http.headers.config"), "{error}");
        }
        assert!(date(i64::MIN).to_str().unwrap().ends_with("GMT"));
        assert!(date(i64::MAX).to_str().unwrap().ends_with("GMT"));
    }
}
