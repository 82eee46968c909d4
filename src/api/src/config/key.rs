//! One setting.

use super::types::{ConfigType, Setting};
use super::validator::Validator;
use super::{ConfigError, Recommender};
use std::collections::HashSet;
use std::sync::Arc;

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

/// Definition of one setting. Required unless a default is given.
#[derive(Debug, Clone)]
pub struct ConfigKey {
    name: String,
    /// Length of the prefix that the plugin knows nothing of.
    prefix: usize,
    kind: ConfigType,
    default: Option<Option<String>>,
    validator: Option<Validator>,
    importance: Importance,
    doc: String,
    group: Option<String>,
    order: i32,
    width: Width,
    display_name: Option<String>,
    dependents: Vec<String>,
    recommender: Option<Arc<dyn Recommender>>,
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
            prefix: 0,
            kind,
            default: None,
            validator: None,
            importance: Importance::Medium,
            doc: String::new(),
            group: None,
            order: -1,
            width: Width::None,
            display_name: None,
            dependents: Vec::new(),
            recommender: None,
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

    /// Sets group (none if it is empty), place in it, width and display name, for forms.
    #[must_use]
    pub fn shown(mut self, group: &str, order: i32, width: Width, display_name: &str) -> Self {
        self.group = Some(group.to_owned()).filter(|group| !group.is_empty());
        self.order = order;
        self.width = width;
        self.display_name = Some(display_name.to_owned());
        self
    }

    /// Sets group and place in it only.
    #[must_use]
    pub(super) fn placed(mut self, group: &str, order: i32) -> Self {
        self.group = Some(group.to_owned());
        self.order = order;
        self
    }

    /// Names keys whose allowed values or visibility depend on this one.
    #[must_use]
    pub fn dependents(mut self, keys: &[&str]) -> Self {
        self.dependents = keys.iter().map(|key| (*key).to_owned()).collect();
        self
    }

    /// Sets who recommends values.
    #[must_use]
    pub fn recommender(mut self, recommender: Arc<dyn Recommender>) -> Self {
        self.recommender = Some(recommender);
        self
    }

    /// As it is under a prefix: the name gets it.
    #[must_use]
    pub fn under(mut self, prefix: &str) -> Self {
        self.display_name = Some(self.display_name().to_owned());
        self.name.insert_str(0, prefix);
        for dependent in &mut self.dependents {
            dependent.insert_str(0, prefix);
        }
        self.prefix += prefix.len();
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

    /// Place in the group; -1 without one.
    pub fn order(&self) -> i32 {
        self.order
    }

    /// The keys that depend on this one.
    pub fn dependent_keys(&self) -> &[String] {
        &self.dependents
    }

    /// Who recommends values, if somebody does.
    pub fn recommends(&self) -> Option<&dyn Recommender> {
        self.recommender.as_deref()
    }

    /// What a value must satisfy beyond its type.
    pub fn validation(&self) -> Option<&Validator> {
        self.validator.as_ref()
    }

    /// Width, for forms.
    pub fn width(&self) -> Width {
        self.width
    }

    /// Display name: the name, unless another was set.
    pub fn display_name(&self) -> &str {
        self.display_name.as_deref().unwrap_or(&self.name)
    }

    /// Parses and checks a value; `None` is a key that was not given. Of a list that must not have duplicates they
    /// are dropped.
    pub fn parse(&self, text: Option<&str>) -> Result<Setting, ConfigError> {
        let mut setting = match (text, &self.default) {
            (Some(text), _) => self.kind.parse(&self.name, text)?,
            (None, Some(_)) => self.default_setting()?,
            (None, None) => return Err(ConfigError::Missing { key: self.name.clone() }),
        };
        let distinct =
            matches!(self.validator, Some(Validator::Items { .. } | Validator::ItemsOrNull { .. }));
        if let (true, Setting::List(items)) = (distinct, &mut setting) {
            let mut seen = HashSet::new();
            items.retain(|item| seen.insert(item.clone()));
        }
        self.check(&setting)?;
        Ok(setting)
    }

    /// The default, parsed; null if there is none.
    pub(super) fn default_setting(&self) -> Result<Setting, ConfigError> {
        match &self.default {
            Some(Some(text)) => self.kind.parse(&self.name, text),
            _ => Ok(Setting::Null),
        }
    }

    /// Checks a value of the key's type.
    pub(super) fn check(&self, setting: &Setting) -> Result<(), ConfigError> {
        // A plugin's own checks name its key as the plugin does, as in Connect.
        let name = self.name.get(self.prefix..).unwrap_or(&self.name);
        self.validator.as_ref().map_or(Ok(()), |validator| validator.check(name, setting))
    }
}
