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
    /// A check of one's own; the error is the reason.
    Custom(fn(&Setting) -> Result<(), String>),
    /// A string that is not empty.
    NonEmpty,
    /// One of these strings.
    OneOf(&'static [&'static str]),
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
        match self.validator.as_ref().map(|v| v.check(&setting)) {
            Some(Err(reason)) => {
                let shown = match self.kind {
                    ConfigType::Password => "[hidden]",
                    _ => text.unwrap_or_default().trim(),
                };
                Err(ConfigError::invalid(&self.name, shown, reason))
            }
            _ => Ok(setting),
        }
    }
}

impl Validator {
    fn check(&self, setting: &Setting) -> Result<(), String> {
        match (self, setting) {
            (Self::AtLeast(min), Setting::Long(value)) if value < min => {
                Err(format!("Value must be at least {min}"))
            }
            (Self::NonEmpty, Setting::String(text)) if text.is_empty() => {
                Err("String must be non-empty".to_owned())
            }
            (Self::OneOf(allowed), Setting::String(text)) if !allowed.contains(&text.as_str()) => {
                Err(format!("String must be one of: {}", allowed.join(", ")))
            }
            (Self::Custom(check), setting) => check(setting),
            _ => Ok(()),
        }
    }
}
