//! What is known about a configuration key, in one place.
//!
//! A [`Definition`] gives a key's type, defaults, valid values, importance and meaning, and what this
//! client makes of it ([`State`]). Checks, defaults, warnings and the reference page all come from it.
//! Texts of errors are those of Kafka's `ConfigDef`, since operators search for them.

use super::reader::invalid;
use crate::error::ConfigError;
use std::fmt;

/// The kinds of clients that are configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ClientKind {
    /// A producer.
    Producer,
    /// A consumer.
    Consumer,
    /// An admin client, and what all clients have in common.
    Admin,
}

impl ClientKind {
    /// All of them.
    pub const ALL: &'static [Self] = &[Self::Producer, Self::Consumer, Self::Admin];
}

impl fmt::Display for ClientKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Producer => "producer",
            Self::Consumer => "consumer",
            Self::Admin => "admin client",
        })
    }
}

/// The type of a value, as `ConfigDef.Type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`, in any case.
    Boolean,
    /// A 16-bit number.
    Short,
    /// A 32-bit number.
    Int,
    /// A 64-bit number.
    Long,
    /// A floating-point number.
    Double,
    /// Text.
    Text,
    /// Texts with commas between them.
    List,
    /// A Java class.
    Class,
    /// A secret; never shown.
    Password,
}

impl Kind {
    /// The name in Kafka's documentation and errors.
    pub fn name(self) -> &'static str {
        match self {
            Self::Boolean => "BOOLEAN",
            Self::Short => "SHORT",
            Self::Int => "INT",
            Self::Long => "LONG",
            Self::Double => "DOUBLE",
            Self::Text => "STRING",
            Self::List => "LIST",
            Self::Class => "CLASS",
            Self::Password => "PASSWORD",
        }
    }
}

/// The value of a key that is not set.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum DefaultValue {
    /// There is none: the key must be set.
    Required,
    /// Null.
    Null,
    /// A boolean.
    Boolean(bool),
    /// A number without a fraction.
    Number(i64),
    /// A number with a fraction.
    Double(f64),
    /// A text, a class, or a list.
    Text(&'static str),
}

impl fmt::Display for DefaultValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Required => f.write_str("(required)"),
            Self::Null => f.write_str("null"),
            Self::Boolean(value) => value.fmt(f),
            Self::Number(value) => value.fmt(f),
            Self::Double(value) => write!(f, "{value:?}"),
            Self::Text(value) => f.write_str(value),
        }
    }
}

/// Which values of its type a key takes.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Valid {
    /// All.
    Any,
    /// Numbers from this one on.
    AtLeast(i64),
    /// Numbers between these two, both included.
    Between(i64, i64),
    /// As [`Self::Between`], with fractions.
    BetweenDoubles(f64, f64),
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// One of these words, in any case.
    AnyCase(&'static [&'static str]),
    /// A text that is not empty.
    NonEmpty,
    /// Whatever the function takes; it gives the reason otherwise. The text describes what is valid.
    Custom(&'static str, fn(&str) -> Result<(), String>),
}

impl fmt::Display for Valid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => Ok(()),
            Self::AtLeast(least) => write!(f, "[{least},...]"),
            Self::Between(least, most) => write!(f, "[{least},...,{most}]"),
            Self::BetweenDoubles(least, most) => write!(f, "[{least:?},...,{most:?}]"),
            Self::OneOf(words) => write!(f, "[{}]", words.join(", ")),
            Self::AnyCase(words) => write!(f, "(case insensitive) [{}]", words.join(", ")),
            Self::NonEmpty => f.write_str("non-empty string"),
            Self::Custom(text, _) => f.write_str(text),
        }
    }
}

/// How much attention a key deserves, as in Kafka's documentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Importance {
    /// Most users set it.
    High,
    /// Some do.
    Medium,
    /// Few do.
    Low,
}

impl Importance {
    /// The name in Kafka's documentation.
    pub fn name(self) -> &'static str {
        match self {
            Self::High => "HIGH",
            Self::Medium => "MEDIUM",
            Self::Low => "LOW",
        }
    }
}

/// What this client makes of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It does what its documentation says.
    Honoured,
    /// It does, within limits: the text names them.
    Partly(&'static str),
    /// It is checked and then ignored, with a warning if it is set to something other than its default.
    WithoutEffect(&'static str),
    /// It is checked and then ignored without a word, since nobody can miss what it would do.
    NotApplicable(&'static str),
    /// Any other value than the default is an error, since ignoring it would do harm.
    Refused(&'static str),
    /// As [`Self::Refused`], but for these values.
    RefusedBut(&'static [&'static str], &'static str),
}

/// A default or an importance that one kind of client has of its own.
#[derive(Debug, Clone, Copy)]
pub(super) enum Variation {
    /// Another default.
    Default(ClientKind, DefaultValue),
    /// Another importance.
    Importance(ClientKind, Importance),
}

/// All that is known about a key.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Definition {
    /// The key.
    pub name: &'static str,
    /// The clients that know it.
    pub clients: &'static [ClientKind],
    /// Type of its values.
    pub kind: Kind,
    /// The default of Kafka's Java clients.
    pub java_default: DefaultValue,
    /// The default of this client, if it is another one, with the reason.
    pub own_default: Option<(DefaultValue, &'static str)>,
    /// Which values it takes.
    pub valid: Valid,
    /// How much attention it deserves.
    pub importance: Importance,
    /// What it does, in a sentence.
    pub doc: &'static str,
    /// What this client makes of it.
    pub state: State,
    pub(super) variations: &'static [Variation],
}

impl Definition {
    /// The default of this client.
    pub fn default_value(&self) -> DefaultValue {
        self.own_default.map_or(self.java_default, |(value, _)| value)
    }

    /// The definition as one kind of client has it.
    pub(super) fn of(mut self, client: ClientKind) -> Self {
        for variation in self.variations {
            match *variation {
                Variation::Default(kind, value) if kind == client => self.java_default = value,
                Variation::Importance(kind, importance) if kind == client => self.importance = importance,
                Variation::Default(..) | Variation::Importance(..) => {}
            }
        }
        self
    }

    /// The value as it is read: without surrounding blanks, secrets too (`ConfigDef.parseType`).
    pub(super) fn trim<'a>(&self, value: &'a str) -> &'a str {
        value.trim()
    }

    /// Whether the value is the one that holds anyway.
    pub(super) fn is_default(&self, value: &str) -> bool {
        let value = self.trim(value);
        let same = |text: &str| match self.valid {
            Valid::AnyCase(_) => text.eq_ignore_ascii_case(value),
            _ if self.kind == Kind::Boolean => text.eq_ignore_ascii_case(value),
            _ => text == value,
        };
        match self.default_value() {
            DefaultValue::Required => false,
            DefaultValue::Null => value.is_empty(),
            default => same(&default.to_string()),
        }
    }

    /// Whether the key takes the value, and this client can do what it says.
    pub fn check(&self, value: &str) -> Result<(), ConfigError> {
        let value = self.trim(value);
        self.check_type(value)?;
        self.check_valid(value)?;
        match self.state {
            State::Refused(reason) if !self.is_default(value) => Err(self.invalid(value, reason)),
            State::RefusedBut(known, reason) if !self.is_default(value) && !known.contains(&value) => {
                Err(self.invalid(value, reason))
            }
            _ => Ok(()),
        }
    }

    fn check_type(&self, value: &str) -> Result<(), ConfigError> {
        let is_type = match self.kind {
            Kind::Boolean => {
                let boolean = ["true", "false"].iter().any(|b| value.eq_ignore_ascii_case(b));
                return if boolean {
                    Ok(())
                } else {
                    Err(self.invalid(value, "Expected value to be either true or false"))
                };
            }
            Kind::List => return self.check_items(value),
            Kind::Short => value.parse::<i16>().is_ok(),
            Kind::Int => value.parse::<i32>().is_ok(),
            Kind::Long => value.parse::<i64>().is_ok(),
            Kind::Double => value.parse::<f64>().is_ok(),
            Kind::Text | Kind::Class | Kind::Password => true,
        };
        if is_type {
            Ok(())
        } else {
            Err(self.invalid(value, &format!("Not a number of type {}", self.kind.name())))
        }
    }

    fn check_items(&self, value: &str) -> Result<(), ConfigError> {
        let name = self.name;
        if value.is_empty() {
            return match self.java_default {
                DefaultValue::Required => Err(ConfigError::Invalid(format!(
                    "Configuration '{name}' must not be empty. Valid values include: any non-empty value"
                ))),
                _ => Ok(()),
            };
        }
        if value.split(',').any(|item| item.trim().is_empty()) {
            return Err(ConfigError::Invalid(format!("Configuration '{name}' values must not be empty.")));
        }
        Ok(())
    }

    fn check_valid(&self, value: &str) -> Result<(), ConfigError> {
        let refused = |reason: String| Err(self.invalid(value, &reason));
        let below = |least: &dyn fmt::Display| format!("Value must be at least {least}");
        let above = |most: &dyn fmt::Display| format!("Value must be no more than {most}");
        let number = value.parse::<i64>().unwrap_or(0);
        let double = value.parse::<f64>().unwrap_or(0.0);
        match self.valid {
            Valid::AtLeast(least) | Valid::Between(least, _) if number < least => refused(below(&least)),
            Valid::Between(_, most) if number > most => refused(above(&most)),
            Valid::BetweenDoubles(least, _) if double < least || double.is_nan() => {
                refused(format!("Value must be at least {least:?}"))
            }
            Valid::BetweenDoubles(_, most) if double > most => {
                refused(format!("Value must be no more than {most:?}"))
            }
            Valid::OneOf(words) if !words.contains(&value) => {
                refused(format!("String must be one of: {}", words.join(", ")))
            }
            Valid::AnyCase(words) if !words.iter().any(|w| w.eq_ignore_ascii_case(value)) => {
                refused(format!("String must be one of (case insensitive): {}", words.join(", ")))
            }
            Valid::NonEmpty if value.is_empty() => refused("String must be non-empty".to_owned()),
            Valid::Custom(_, check) => check(value).or_else(refused),
            _ => Ok(()),
        }
    }

    fn invalid(&self, value: &str, reason: &str) -> ConfigError {
        invalid(self.name, if self.kind == Kind::Password { "[hidden]" } else { value }, reason)
    }
}
