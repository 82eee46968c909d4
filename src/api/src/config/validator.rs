//! What a value must satisfy beyond its type (`ConfigDef.Validator` and those that Kafka has), with Kafka's texts.

use super::ConfigError;
use super::types::Setting;
use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

/// A check that knows more than the value, such as which plugins there are.
#[derive(Clone)]
pub struct Check(Arc<CheckFn>);

type CheckFn = dyn Fn(&str, &Setting) -> Result<(), ConfigError> + Send + Sync;

impl Check {
    /// A check by a function that gets the key and the value.
    pub fn new(check: impl Fn(&str, &Setting) -> Result<(), ConfigError> + Send + Sync + 'static) -> Self {
        Self(Arc::new(check))
    }
}

impl fmt::Debug for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Check")
    }
}

/// What a value must satisfy beyond its type. Its text says what is valid, as in Kafka's documentation.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Validator {
    /// Every one of these.
    All(Vec<Validator>),
    /// A number of at least this.
    AtLeast(i64),
    /// A number between these two, both included.
    Between(i64, i64),
    /// As [`Self::Between`], with fractions.
    BetweenDoubles(f64, f64),
    /// A check of one's own that words the whole error; it gets the key.
    Checked(fn(&str, &Setting) -> Result<(), ConfigError>),
    /// A check of one's own; the error is the reason.
    Custom(fn(&Setting) -> Result<(), String>),
    /// As [`Self::Checked`], by a function that holds something.
    Dynamic(Check),
    /// As [`Self::Checked`], with a text that says what is valid.
    Described(&'static str, fn(&str, &Setting) -> Result<(), ConfigError>),
    /// A list without empty items (`ConfigDef.ValidList.anyNonDuplicateValues`). Repeated items count once.
    Items {
        /// Whether the list may be empty.
        may_be_empty: bool,
    },
    /// As [`Self::Items`], or null.
    ItemsOrNull {
        /// Whether the list may be empty.
        may_be_empty: bool,
    },
    /// A string that is not empty; it may be null.
    NonEmpty,
    /// A list that is not empty.
    NonEmptyList,
    /// A string that is not empty and has no control characters.
    NonEmptyWithoutControls,
    /// Anything but null.
    NonNull,
    /// One of these strings.
    OneOf(&'static [&'static str]),
    /// One of these strings, in any case.
    OneOfIgnoringCase(&'static [&'static str]),
}

impl Validator {
    /// Checks a value of the key `name`.
    ///
    /// # Errors
    /// Says why the value is not valid, in Kafka's words.
    pub fn check(&self, name: &str, setting: &Setting) -> Result<(), ConfigError> {
        let refuse = |reason: String| Err(ConfigError::invalid(name, &setting.to_string(), reason));
        let at_least = |least: &dyn fmt::Display| format!("Value must be at least {least}");
        let at_most = |most: &dyn fmt::Display| format!("Value must be no more than {most}");
        match (self, setting) {
            (Self::All(all), _) => all.iter().try_for_each(|one| one.check(name, setting)),
            (Self::Checked(check) | Self::Described(_, check), _) => check(name, setting),
            (Self::Dynamic(check), _) => check.0(name, setting),
            (Self::Custom(check), _) => check(setting).or_else(refuse),
            (Self::AtLeast(_) | Self::Between(..) | Self::BetweenDoubles(..), Setting::Null) => {
                refuse("Value must be non-null".to_owned())
            }
            (Self::AtLeast(least) | Self::Between(least, _), Setting::Long(value)) if value < least => {
                refuse(at_least(least))
            }
            (Self::Between(_, most), Setting::Long(value)) if value > most => refuse(at_most(most)),
            (Self::BetweenDoubles(least, _), Setting::Double(value)) if value < least => {
                refuse(at_least(&format!("{least:?}")))
            }
            (Self::BetweenDoubles(_, most), Setting::Double(value)) if value > most => {
                refuse(at_most(&format!("{most:?}")))
            }
            (Self::Items { may_be_empty }, _) => list(name, setting, *may_be_empty, false),
            (Self::ItemsOrNull { may_be_empty }, _) => list(name, setting, *may_be_empty, true),
            (Self::NonEmpty, Setting::String(text)) if text.is_empty() => {
                refuse("String must be non-empty".to_owned())
            }
            (Self::NonEmptyList, Setting::Null) => refuse("Empty list".to_owned()),
            (Self::NonEmptyList, Setting::List(items)) if items.is_empty() => refuse("Empty list".to_owned()),
            (Self::NonEmptyWithoutControls, Setting::String(text)) => without_controls(name, text),
            (Self::NonNull, Setting::Null) => refuse("entry must be non null".to_owned()),
            (Self::OneOf(words), Setting::String(text)) if words.contains(&text.as_str()) => Ok(()),
            (Self::OneOf(words), _) => refuse(format!("String must be one of: {}", words.join(", "))),
            (Self::OneOfIgnoringCase(words), Setting::String(text))
                if words.iter().any(|word| word.eq_ignore_ascii_case(text)) =>
            {
                Ok(())
            }
            (Self::OneOfIgnoringCase(words), _) => {
                refuse(format!("String must be one of (case insensitive): {}", words.join(", ")))
            }
            _ => Ok(()),
        }
    }
}

/// As `ConfigDef.ValidList` (KIP-1161).
fn list(name: &str, setting: &Setting, may_be_empty: bool, may_be_null: bool) -> Result<(), ConfigError> {
    let refuse = |reason: &str| Err(ConfigError::Other(format!("Configuration '{name}' {reason}")));
    let items = match setting {
        Setting::List(items) => items,
        Setting::Null if !may_be_null => return refuse("values must not be null."),
        _ => return Ok(()),
    };
    if items.is_empty() && !may_be_empty {
        return refuse("must not be empty. Valid values include: any non-empty value");
    }
    let distinct: HashSet<&String> = items.iter().collect();
    if distinct.len() != items.len() {
        return refuse("values must not be duplicated.");
    }
    if items.iter().any(String::is_empty) {
        return refuse("values must not be empty.");
    }
    Ok(())
}

fn without_controls(name: &str, text: &str) -> Result<(), ConfigError> {
    let refuse = |reason: String| Err(ConfigError::invalid(name, text, reason));
    if text.is_empty() {
        return refuse("String may not be empty".to_owned());
    }
    let controls: Vec<String> =
        text.chars().filter(|c| c.is_control()).map(|c| u32::from(c).to_string()).collect();
    if controls.is_empty() {
        return Ok(());
    }
    refuse(format!(
        "String may not contain control sequences but had the following ASCII chars: {}",
        controls.join(", ")
    ))
}

impl fmt::Display for Validator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All(all) => {
                let texts: Vec<String> = all.iter().map(ToString::to_string).collect();
                f.write_str(&texts.join(", "))
            }
            Self::AtLeast(least) => write!(f, "[{least},...]"),
            Self::Between(least, most) => write!(f, "[{least},...,{most}]"),
            Self::BetweenDoubles(least, most) => write!(f, "[{least:?},...,{most:?}]"),
            Self::Described(text, _) => f.write_str(text),
            Self::Checked(_)
            | Self::Custom(_)
            | Self::Dynamic(_)
            | Self::Items { .. }
            | Self::ItemsOrNull { .. } => Ok(()),
            Self::NonEmpty => f.write_str("non-empty string"),
            Self::NonEmptyList => f.write_str("non-empty list"),
            Self::NonEmptyWithoutControls => f.write_str("non-empty string without ISO control characters"),
            Self::NonNull => f.write_str("non-null string"),
            Self::OneOf(words) => write!(f, "[{}]", words.join(", ")),
            Self::OneOfIgnoringCase(words) => write!(f, "(case insensitive) [{}]", words.join(", ")),
        }
    }
}
