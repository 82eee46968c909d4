//! A configuration after parsing: typed access by key.

use super::ConfigError;
use super::types::{Password, Setting};
use std::collections::BTreeMap;

/// Parsed settings by key. Asking for a key that was not defined, or as another type, is a mistake of
/// the plugin and gives an error that says so.
#[derive(Debug, Clone, Default)]
pub struct ParsedConfig {
    settings: BTreeMap<String, Setting>,
}

impl ParsedConfig {
    pub(super) fn insert(&mut self, key: &str, setting: Setting) {
        self.settings.insert(key.to_owned(), setting);
    }

    /// A BOOLEAN.
    pub fn boolean(&self, key: &str) -> Result<bool, ConfigError> {
        match self.get(key)? {
            Setting::Boolean(value) => Ok(*value),
            other => Err(mismatch(key, "BOOLEAN", other)),
        }
    }

    /// A DOUBLE.
    pub fn double(&self, key: &str) -> Result<f64, ConfigError> {
        match self.get(key)? {
            Setting::Double(value) => Ok(*value),
            other => Err(mismatch(key, "DOUBLE", other)),
        }
    }

    /// A SHORT or INT.
    pub fn int(&self, key: &str) -> Result<i32, ConfigError> {
        match self.get(key)? {
            Setting::Long(value) => {
                i32::try_from(*value).map_err(|_| mismatch(key, "INT", &Setting::Long(*value)))
            }
            other => Err(mismatch(key, "INT", other)),
        }
    }

    /// A LIST.
    pub fn list(&self, key: &str) -> Result<&[String], ConfigError> {
        match self.get(key)? {
            Setting::List(value) => Ok(value),
            other => Err(mismatch(key, "LIST", other)),
        }
    }

    /// A SHORT, INT or LONG.
    pub fn long(&self, key: &str) -> Result<i64, ConfigError> {
        match self.get(key)? {
            Setting::Long(value) => Ok(*value),
            other => Err(mismatch(key, "LONG", other)),
        }
    }

    /// A PASSWORD that may be null.
    pub fn password_opt(&self, key: &str) -> Result<Option<&Password>, ConfigError> {
        match self.get(key)? {
            Setting::Password(value) => Ok(Some(value)),
            Setting::Null => Ok(None),
            other => Err(mismatch(key, "PASSWORD", other)),
        }
    }

    /// A STRING or CLASS.
    pub fn string(&self, key: &str) -> Result<&str, ConfigError> {
        self.string_opt(key)?.ok_or_else(|| ConfigError::Missing { key: key.to_owned() })
    }

    /// A STRING or CLASS that may be null.
    pub fn string_opt(&self, key: &str) -> Result<Option<&str>, ConfigError> {
        match self.get(key)? {
            Setting::String(value) => Ok(Some(value)),
            Setting::Null => Ok(None),
            other => Err(mismatch(key, "STRING", other)),
        }
    }

    /// A setting of any type.
    pub fn get(&self, key: &str) -> Result<&Setting, ConfigError> {
        self.settings.get(key).ok_or_else(|| {
            ConfigError::Other(format!(
                "the plugin reads its setting {key} but does not define it: report this to its author"
            ))
        })
    }
}

fn mismatch(key: &str, wanted: &str, found: &Setting) -> ConfigError {
    ConfigError::Other(format!(
        "the plugin reads its setting {key} as {wanted} but it is {found:?}: report this to its author"
    ))
}
