//! The types of settings and how their text is read, as `ConfigDef.parseType` does.

use super::ConfigError;
use crate::java_number::{parse_f64, parse_i64};
use std::fmt;

/// The type of a setting, named as in the REST API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConfigType {
    /// `true` or `false`, in any case.
    Boolean,
    /// The name of a plugin.
    Class,
    /// 64-bit float.
    Double,
    /// 32-bit integer.
    Int,
    /// Items separated by commas.
    List,
    /// 64-bit integer.
    Long,
    /// Text that is never shown.
    Password,
    /// 16-bit integer.
    Short,
    /// Text.
    String,
}

/// A parsed setting.
#[derive(Debug, Clone, PartialEq)]
pub enum Setting {
    /// Of type BOOLEAN.
    Boolean(bool),
    /// Of type DOUBLE.
    Double(f64),
    /// Of type LIST.
    List(Vec<String>),
    /// Of type SHORT, INT or LONG.
    Long(i64),
    /// Not set, and without a default.
    Null,
    /// Of type PASSWORD.
    Password(Password),
    /// Of type STRING or CLASS.
    String(String),
}

/// A secret: shown as `[hidden]` wherever it is printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// Wraps a secret.
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }

    /// The secret itself, to be used and never printed.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[hidden]")
    }
}

impl fmt::Display for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[hidden]")
    }
}

impl ConfigType {
    /// The name in the REST API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Boolean => "BOOLEAN",
            Self::Class => "CLASS",
            Self::Double => "DOUBLE",
            Self::Int => "INT",
            Self::List => "LIST",
            Self::Long => "LONG",
            Self::Password => "PASSWORD",
            Self::Short => "SHORT",
            Self::String => "STRING",
        }
    }

    /// Reads the text of the setting `key`. Surrounding white space is dropped, also of passwords, as
    /// Kafka does.
    pub fn parse(self, key: &str, text: &str) -> Result<Setting, ConfigError> {
        let given = text;
        let text = trim(text);
        let number = |reason: String| ConfigError::invalid(key, given, reason);
        let integer = |min: i64, max: i64| {
            let value = parse_i64(text).filter(|v| (min..=max).contains(v));
            value.ok_or_else(|| number(format!("Not a number of type {}", self.name()))).map(Setting::Long)
        };
        match self {
            Self::Boolean if text.eq_ignore_ascii_case("true") => Ok(Setting::Boolean(true)),
            Self::Boolean if text.eq_ignore_ascii_case("false") => Ok(Setting::Boolean(false)),
            Self::Boolean => Err(number("Expected value to be either true or false".to_owned())),
            Self::Class | Self::String => Ok(Setting::String(text.to_owned())),
            Self::Double => match parse_f64(text) {
                Some(value) => Ok(Setting::Double(value)),
                None => Err(number("Not a number of type DOUBLE".to_owned())),
            },
            Self::Int => integer(i64::from(i32::MIN), i64::from(i32::MAX)),
            Self::List if text.is_empty() => Ok(Setting::List(Vec::new())),
            Self::List => Ok(Setting::List(split_list(text))),
            Self::Long => integer(i64::MIN, i64::MAX),
            Self::Password => Ok(Setting::Password(Password::new(text))),
            Self::Short => integer(i64::from(i16::MIN), i64::from(i16::MAX)),
        }
    }
}

/// As `String.trim`: control characters too, but no other spaces than the blank.
fn trim(text: &str) -> &str {
    text.trim_matches(|c: char| c <= ' ')
}

impl Setting {
    /// As it could be given (`ConfigDef.convertToString`); `None` for null. Secrets stay hidden.
    pub fn to_text(&self) -> Option<String> {
        match self {
            Self::Null => None,
            Self::List(items) => Some(items.join(",")),
            other => Some(other.to_string()),
        }
    }
}

/// As Java shows it; null is `null`, a list as Java shows one.
impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boolean(value) => value.fmt(f),
            Self::Double(value) => {
                let mut text = Vec::new();
                crate::java_text::append_f64(&mut text, *value);
                f.write_str(&String::from_utf8_lossy(&text))
            }
            Self::List(items) => write!(f, "[{}]", items.join(", ")),
            Self::Long(value) => value.fmt(f),
            Self::Null => f.write_str("null"),
            Self::Password(value) => value.fmt(f),
            Self::String(value) => value.fmt(f),
        }
    }
}

/// Splits at commas with white space around them, as the regular expression of `ConfigDef` does.
fn split_list(text: &str) -> Vec<String> {
    let blank = |c: char| matches!(c, ' ' | '\t' | '\n' | '\u{b}' | '\u{c}' | '\r');
    text.split(',').map(|item| item.trim_matches(blank).to_owned()).collect()
}
