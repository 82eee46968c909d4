//! One setting.

use super::ConfigError;
use super::types::{ConfigType, Setting};

/// How much a setting matters, as the REST API shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Importance {
    /// `HIGH`
    High,
    /// `LOW`
    Low,
    /// `MEDIUM`
    Medium,
}

/// How wide a form shows the setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Width {
    /// `LONG`
    Long,
    /// `MEDIUM`
    Medium,
    /// `NONE`
    None,
    /// `SHORT`
    Short,
}

/// What a value must satisfy beyond its type.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Validator {
    /// A number of at least this.
    AtLeast(i64),
    /// A check of one's own that words the whole error; the first argument is the key.
    Checked(fn(&str, &Setting) -> Result<(), ConfigError>),
    /// A check of one's own; the error is the reason.
    Custom(fn(&Setting) -> Result<(), String>),
    /// A list without empty items; `ConfigDef.ValidList.anyNonDuplicateValues`. Repeated items count once.
    Items {
        /// Whether the list may be empty.
        may_be_empty: bool,
    },
    /// A string that is not empty.
    NonEmpty,
    /// A list that is not empty.
    NonEmptyList,
    /// One of these strings.
    OneOf(&'static [&'static str]),
    /// One of these strings, in any case.
    OneOfIgnoringCase(&'static [&'static str]),
}

/// Definition of one setting. Required unless a default is given.
#[derive(Debug, Clone)]
pub struct ConfigKey {
    name: String,
    kind: ConfigType,
    default: Option<Option<String>>,
    validator: Option<Validator>,
    importance: Importance,
    doc: String,
    group: Option<String>,
    width: Width,
    display_name: Option<String>,
}

macro_rules! constructors {
    ($($(#[$doc:meta])* $name:ident = $kind:ident;)*) => {
        $($(#[$doc])*
        pub fn $name(name: &str) -> Self {
            Self::new(name, ConfigType::$kind)
        })*
    };
}

impl ConfigKey {
    constructors! {
        /// A key of type BOOLEAN.
        boolean = Boolean;
        /// A key of type CLASS.
        class = Class;
        /// A key of type DOUBLE.
        double = Double;
        /// A key of type INT.
        int = Int;
        /// A key of type LIST.
        list = List;
        /// A key of type LONG.
        long = Long;
        /// A key of type PASSWORD.
        password = Password;
        /// A key of type SHORT.
        short = Short;
        /// A key of type STRING.
        string = String;
    }

    /// A required key of medium importance.
    pub fn new(name: &str, kind: ConfigType) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            default: None,
            validator: None,
            importance: Importance::Medium,
            doc: String::new(),
            group: None,
            width: Width::None,
            display_name: None,
        }
    }

    /// Sets the default, as text.
    #[must_use]
    pub fn default(mut self, text: &str) -> Self {
        self.default = Some(Some(text.to_owned()));
        self
    }

    /// Makes null the default.
    #[must_use]
    pub fn default_null(mut self) -> Self {
        self.default = Some(None);
        self
    }

    /// Sets the validator.
    #[must_use]
    pub fn validator(mut self, validator: Validator) -> Self {
        self.validator = Some(validator);
        self
    }

    /// Sets the importance.
    #[must_use]
    pub fn importance(mut self, importance: Importance) -> Self {
        self.importance = importance;
        self
    }

    /// Sets the documentation: what it does, unit, range.
    #[must_use]
    pub fn doc(mut self, doc: &str) -> Self {
        self.doc = doc.to_owned();
        self
    }

    /// Sets group, width and display name, for forms.
    #[must_use]
    pub fn shown(mut self, group: &str, width: Width, display_name: &str) -> Self {
        self.group = Some(group.to_owned());
        self.width = width;
        self.display_name = Some(display_name.to_owned());
        self
    }

    /// Name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Type.
    pub fn kind(&self) -> ConfigType {
        self.kind
    }

    /// Whether it must be set.
    pub fn is_required(&self) -> bool {
        self.default.is_none()
    }

    /// The default as text; `None` also for null.
    pub fn default_text(&self) -> Option<&str> {
        self.default.as_ref()?.as_deref()
    }

    /// Importance.
    pub fn importance_level(&self) -> Importance {
        self.importance
    }

    /// Documentation.
    pub fn documentation(&self) -> &str {
        &self.doc
    }

    /// Group, for forms.
    pub fn group(&self) -> Option<&str> {
        self.group.as_deref()
    }

    /// Width, for forms.
    pub fn width(&self) -> Width {
        self.width
    }

    /// Display name: the name, unless another was set.
    pub fn display_name(&self) -> &str {
        self.display_name.as_deref().unwrap_or(&self.name)
    }

    /// Parses and checks a value; `None` is a key that was not given.
    pub fn parse(&self, text: Option<&str>) -> Result<Setting, ConfigError> {
        let setting = match (text, &self.default) {
            (Some(text), _) => self.kind.parse(&self.name, text)?,
            (None, Some(Some(default))) => self.kind.parse(&self.name, default)?,
            (None, Some(None)) => Setting::Null,
            (None, None) => return Err(ConfigError::Missing { key: self.name.clone() }),
        };
        match self.validator.as_ref().map(|v| v.check(&self.name, &setting)) {
            None | Some(Ok(())) => {}
            Some(Err(Refusal::Whole(error))) => return Err(error),
            Some(Err(Refusal::Reason(reason))) => {
                let shown = match &setting {
                    Setting::Password(_) => "[hidden]".to_owned(),
                    Setting::List(items) => format!("[{}]", items.join(", ")),
                    _ => text.unwrap_or_default().trim().to_owned(),
                };
                return Err(ConfigError::invalid(&self.name, &shown, reason));
            }
        }
        Ok(match (&self.validator, setting) {
            (Some(Validator::Items { .. }), Setting::List(items)) => Setting::List(without_repeated(items)),
            (_, setting) => setting,
        })
    }

    /// What a value must satisfy, if there is a validator.
    pub fn validation(&self) -> Option<&Validator> {
        self.validator.as_ref()
    }
}

fn without_repeated(items: Vec<String>) -> Vec<String> {
    let mut seen = std::collections::HashSet::new();
    let first: Vec<bool> = items.iter().map(|item| seen.insert(item.as_str())).collect();
    items.iter().zip(first).filter(|(_, first)| *first).map(|(item, _)| item.clone()).collect()
}

/// Why a validator refuses a value.
enum Refusal {
    /// What comes after the value and the key.
    Reason(String),
    /// An error in words of its own.
    Whole(ConfigError),
}

impl From<String> for Refusal {
    fn from(reason: String) -> Self {
        Self::Reason(reason)
    }
}

impl Validator {
    fn check(&self, key: &str, setting: &Setting) -> Result<(), Refusal> {
        let refuse = |reason: String| Err(Refusal::Reason(reason));
        match (self, setting) {
            (Self::AtLeast(min), Setting::Long(value)) if value < min => {
                refuse(format!("Value must be at least {min}"))
            }
            (Self::Items { may_be_empty: false }, Setting::List(items)) if items.is_empty() => {
                let text = format!(
                    "Configuration '{key}' must not be empty. Valid values include: any non-empty value"
                );
                Err(Refusal::Whole(ConfigError::Other(text)))
            }
            (Self::Items { .. }, Setting::List(items)) if items.iter().any(String::is_empty) => {
                let text = format!("Configuration '{key}' values must not be empty.");
                Err(Refusal::Whole(ConfigError::Other(text)))
            }
            (Self::NonEmpty, Setting::String(text)) if text.is_empty() => {
                refuse("String must be non-empty".to_owned())
            }
            (Self::NonEmptyList, Setting::List(items)) if items.is_empty() => refuse("Empty list".to_owned()),
            (Self::OneOf(allowed), Setting::String(text)) if !allowed.contains(&text.as_str()) => {
                refuse(format!("String must be one of: {}", allowed.join(", ")))
            }
            (Self::OneOfIgnoringCase(allowed), Setting::String(text))
                if !allowed.iter().any(|one| one.eq_ignore_ascii_case(text)) =>
            {
                refuse(format!("String must be one of (case insensitive): {}", allowed.join(", ")))
            }
            (Self::Checked(check), setting) => check(key, setting).map_err(Refusal::Whole),
            (Self::Custom(check), setting) => Ok(check(setting)?),
            _ => Ok(()),
        }
    }
}

impl std::fmt::Display for Validator {
    /// What is allowed, for reference pages; nothing for a check of one's own.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::AtLeast(min) => write!(f, "at least {min}"),
            Self::Checked(_) | Self::Custom(_) => Ok(()),
            Self::Items { may_be_empty: true } => f.write_str("no empty items"),
            Self::Items { may_be_empty: false } | Self::NonEmptyList => f.write_str("not empty"),
            Self::NonEmpty => f.write_str("not empty"),
            Self::OneOf(allowed) => f.write_str(&allowed.join(", ")),
            Self::OneOfIgnoringCase(allowed) => write!(f, "{}, in any case", allowed.join(", ")),
        }
    }
}
