//! Plugins and what is known of configurations: the bodies below `/connector-plugins`.

use super::HerderError;
use serde::Serialize;

/// An element of the body of `GET /connector-plugins` (`PluginInfo`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PluginInfo {
    /// Full name of the class.
    pub class: String,
    /// Kind, as `source`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Version.
    pub version: String,
}

/// Body of `PUT /connector-plugins/{plugin}/config/validate` (`ConfigInfos`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConfigInfos {
    /// The connector's class, as the configuration names it.
    pub name: String,
    /// Number of mistakes.
    pub error_count: usize,
    /// Groups of keys, for forms.
    pub groups: Vec<String>,
    /// What is known of each key.
    pub configs: Vec<ConfigInfo>,
}

/// What is known of a key and its value (`ConfigInfo`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConfigInfo {
    /// The key; null if it is not a known one.
    pub definition: Option<ConfigKeyInfo>,
    /// The value.
    pub value: ConfigValueInfo,
}

/// What a key is (`ConfigKeyInfo`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConfigKeyInfo {
    /// The key.
    pub name: String,
    /// Type, as `STRING`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Whether it has to be set.
    pub required: bool,
    /// Its default.
    pub default_value: Option<String>,
    /// Importance, as `HIGH`.
    pub importance: &'static str,
    /// What it does.
    pub documentation: String,
    /// Group, for forms.
    pub group: Option<String>,
    /// Place in the group; -1 without one.
    pub order_in_group: i32,
    /// Width of its field, as `SHORT`.
    pub width: &'static str,
    /// Its name in forms.
    pub display_name: String,
    /// Keys that depend on it.
    pub dependents: Vec<String>,
}

/// What is known of a value (`ConfigValueInfo`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConfigValueInfo {
    /// The key.
    pub name: String,
    /// The value; null if it is missing or cannot be read.
    pub value: Option<String>,
    /// Values that are valid.
    pub recommended_values: Vec<String>,
    /// What is wrong with it.
    pub errors: Vec<String>,
    /// Whether forms show it.
    pub visible: bool,
}

impl ConfigInfos {
    /// Nothing if there is no mistake, else the error with which a connector of that configuration is refused
    /// (`AbstractHerder.maybeAddConfigErrors`).
    ///
    /// # Errors
    /// The mistakes, one a line.
    pub fn accepted(&self) -> Result<(), HerderError> {
        if self.error_count == 0 {
            return Ok(());
        }
        let mut message = format!(
            "Connector configuration is invalid and contains the following {} error(s):",
            self.error_count
        );
        for error in self.configs.iter().flat_map(|config| &config.value.errors) {
            message.push('\n');
            message.push_str(error);
        }
        message.push_str(
            "\nYou can also find the above list of errors at the endpoint \
             `/connector-plugins/{connectorType}/config/validate`",
        );
        Err(HerderError::BadRequest(message))
    }
}
