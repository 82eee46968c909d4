//! Checks of single settings that only Connect has, with its texts.

use crate::config::version_range::VersionRange;
use crossdock_api::ConfigError;
use crossdock_api::config::{Setting, Validator};
use crossdock_client::consumer::{JavaPattern, PatternError};
use std::collections::HashSet;

pub(super) const LISTENERS: Validator = Validator::Described(
    "List of comma-separated URLs, ex: http://localhost:8080,https://localhost:8443.",
    listeners,
);

pub(super) const RESPONSE_HEADERS: Validator = Validator::Described(
    "Comma-separated header rules, where each header rule is of the form '[action] [header name]:[header value]' and \
     optionally surrounded by double quotes if any part of a header rule contains a comma",
    response_headers,
);

pub(super) const CONNECT_PROTOCOL: Validator =
    Validator::Described("[eager, compatible, sessioned]", connect_protocol);

pub(super) const KEY_ALGORITHM: Validator =
    Validator::Described("Any KeyGenerator algorithm supported by the worker JVM", mac_algorithm);

pub(super) const MAC_ALGORITHM: Validator =
    Validator::Described("Any MAC algorithm supported by the worker JVM", mac_algorithm);

pub(super) const MAC_ALGORITHMS: Validator = Validator::Described(
    "A list of one or more MAC algorithms, each supported by the worker JVM",
    mac_algorithms,
);

pub(super) const PARTITIONS: Validator =
    Validator::Described("Positive number, or -1 to use the broker's default", partitions);

pub(super) const REPLICATION: Validator = Validator::Described(
    "Positive number not larger than the number of brokers in the Kafka cluster, or -1 to use the broker's default",
    replication,
);

pub(super) const INTERVAL: Validator = Validator::Described("[0,...]", interval);

pub(super) const REGEX: Validator = Validator::Described("valid regex", regex);

pub(super) const PATTERNS: Validator = Validator::Described("non-null string", patterns);

pub(super) const TRANSFORM_ALIASES: Validator =
    Validator::Described("non-null string, unique transformation aliases", aliases);

pub(super) const PREDICATE_ALIASES: Validator =
    Validator::Described("non-null string, unique predicate aliases", aliases);

pub(super) const TOPIC_GROUPS: Validator =
    Validator::Described("non-null string, unique topic creation groups", aliases);

type Checked = Result<(), ConfigError>;

fn refuse(name: &str, value: &Setting, reason: impl Into<String>) -> Checked {
    Err(ConfigError::invalid(name, &value.to_string(), reason))
}

fn other(message: String) -> Checked {
    Err(ConfigError::Other(message))
}

fn listeners(_: &str, value: &Setting) -> Checked {
    let Setting::List(items) = value else { return Ok(()) };
    if items.is_empty() {
        return other(
            "Invalid value for listeners, at least one URL is expected, ex: \
             http://localhost:8080,https://localhost:8443."
                .to_owned(),
        );
    }
    if items.iter().any(|item| item.trim().is_empty()) {
        return other("Empty URL found when parsing listeners list.".to_owned());
    }
    Ok(())
}

fn response_headers(_: &str, value: &Setting) -> Checked {
    match value {
        Setting::String(text) if !text.trim().is_empty() => {
            comma_separated(text).iter().try_for_each(|rule| response_header(rule))
        }
        _ => Ok(()),
    }
}

/// One rule: an action, a name, a colon, a value.
fn response_header(rule: &str) -> Checked {
    const ACTIONS: [&str; 4] = ["set", "add", "setDate", "addDate"];
    let Some((action, header)) = rule.trim().split_once(char::is_whitespace) else {
        return other(format!(
            "Invalid format of header config '{rule}'. Expected: '[action] [header name]:[header value]'"
        ));
    };
    if !ACTIONS.iter().any(|known| known.eq_ignore_ascii_case(action.trim())) {
        let known = ACTIONS.join(", ");
        return other(format!("Invalid header config action: '{action}'. Expected one of [{known}]"));
    }
    let header = header.trim_start();
    // As Java's split, which drops empty strings at the end.
    let mut parts: Vec<&str> = header.trim().split(':').collect();
    while parts.last().is_some_and(|part| part.is_empty()) {
        parts.pop();
    }
    if parts.len() != 2 {
        return other(format!(
            "Invalid format of header name and header value pair '{header}'. Expected: '[header name]:[header value]'"
        ));
    }
    let name = parts[0].trim();
    if name.is_empty() || name.contains(char::is_whitespace) {
        return other(format!("Invalid header name '{name}'. The '[header name]' cannot contain whitespace"));
    }
    Ok(())
}

/// The parts between commas; a part in double quotes may have commas itself.
fn comma_separated(text: &str) -> Vec<String> {
    let (mut parts, mut part, mut quoted) = (Vec::new(), String::new(), false);
    for character in text.chars() {
        match character {
            '"' => quoted = !quoted,
            ',' if !quoted => parts.push(std::mem::take(&mut part).trim().to_owned()),
            other => part.push(other),
        }
    }
    parts.push(part.trim().to_owned());
    parts
}

fn connect_protocol(name: &str, value: &Setting) -> Checked {
    match value {
        Setting::String(text)
            if ["eager", "compatible", "sessioned"].iter().any(|p| p.eq_ignore_ascii_case(text)) =>
        {
            Ok(())
        }
        _ => refuse(name, value, "Invalid Connect protocol compatibility"),
    }
}

/// What requests between workers can be signed with here.
const ALGORITHMS: [&str; 4] = ["HmacSHA1", "HmacSHA256", "HmacSHA384", "HmacSHA512"];

fn algorithm(name: &str, text: &str) -> Checked {
    if ALGORITHMS.iter().any(|known| known.eq_ignore_ascii_case(text)) {
        return Ok(());
    }
    let known = ALGORITHMS.join(", ");
    let reason =
        format!("the algorithm is not supported by this JVM; the supported algorithms are: [{known}]");
    Err(ConfigError::invalid(name, text, reason))
}

fn mac_algorithm(name: &str, value: &Setting) -> Checked {
    match value {
        Setting::String(text) => algorithm(name, text),
        _ => Ok(()),
    }
}

fn mac_algorithms(name: &str, value: &Setting) -> Checked {
    match value {
        Setting::List(items) if !items.is_empty() => items.iter().try_for_each(|item| algorithm(name, item)),
        _ => refuse(name, value, "At least one signature verification algorithm must be provided"),
    }
}

fn partitions(name: &str, value: &Setting) -> Checked {
    match value {
        Setting::Long(number) if *number > 0 || *number == -1 => Ok(()),
        _ => {
            let reason = "Number of partitions must be positive, or -1 to use the broker's default";
            refuse(name, value, reason)
        }
    }
}

fn replication(name: &str, value: &Setting) -> Checked {
    match value {
        Setting::Long(number) if *number > 0 || *number == -1 => Ok(()),
        _ => {
            let reason = "Replication factor must be positive and not larger than the number of brokers in the Kafka \
                          cluster, or -1 to use the broker's default";
            refuse(name, value, reason)
        }
    }
}

fn interval(name: &str, value: &Setting) -> Checked {
    match value {
        Setting::Null => Ok(()),
        other => Validator::AtLeast(0).check(name, other),
    }
}

fn regex(name: &str, value: &Setting) -> Checked {
    match value {
        Setting::String(text) if !text.is_empty() => match JavaPattern::new(text) {
            Ok(_) => Ok(()),
            Err(error) => refuse(name, value, format!("Invalid regex: {}", syntax_error(&error))),
        },
        _ => Ok(()),
    }
}

/// What is wrong with a pattern as Java's `PatternSyntaxException` shows it: what, where, the pattern and a mark.
fn syntax_error(error: &PatternError) -> String {
    let PatternError { pattern, at, reason } = error;
    match at {
        None => format!("{reason}\n{pattern}"),
        Some(at) if *at < pattern.encode_utf16().count() => {
            format!("{reason} near index {at}\n{pattern}\n{:at$}^", "")
        }
        Some(at) => format!("{reason} near index {at}\n{pattern}"),
    }
}

fn patterns(name: &str, value: &Setting) -> Checked {
    let Setting::List(items) = value else { return Validator::NonNull.check(name, value) };
    let wrong = |item: &String| JavaPattern::new(item).err();
    match items.iter().filter(|item| !item.is_empty()).find_map(wrong) {
        Some(error) => {
            refuse(name, value, format!("Syntax error in regular expression: {}", syntax_error(&error)))
        }
        None => Ok(()),
    }
}

fn aliases(name: &str, value: &Setting) -> Checked {
    let Setting::List(items) = value else { return Validator::NonNull.check(name, value) };
    let distinct: HashSet<&String> = items.iter().collect();
    if distinct.len() != items.len() {
        return refuse(name, value, "Duplicate alias provided.");
    }
    Ok(())
}

pub(super) const PLUGIN_VERSION: Validator = Validator::Checked(plugin_version);

/// A version, or ranges of versions.
fn plugin_version(_: &str, value: &Setting) -> Checked {
    match value {
        Setting::String(text) => VersionRange::requirement(Some(text)).map(drop),
        _ => Ok(()),
    }
}
