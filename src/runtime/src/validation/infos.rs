//! Definitions and values as the REST API shows them (`AbstractHerder.generateResult` and its siblings).

use crate::herder::plugins::{ConfigInfo, ConfigKeyInfo, ConfigValueInfo};
use crossdock_api::ConfigDef;
use crossdock_api::config::{ConfigKey, ConfigType, ConfigValue, Importance, Setting, Width};
use std::collections::BTreeMap;

/// Keys of Crossdock's own, which Connect does not have.
pub(crate) const OWN_PREFIX: &str = "crossdock.";

/// A key, under the prefix that it has in the configuration.
pub(crate) fn key_info(key: &ConfigKey, prefix: &str) -> ConfigKeyInfo {
    ConfigKeyInfo {
        name: format!("{prefix}{}", key.name()),
        kind: key.kind().name(),
        required: key.is_required(),
        default_value: default_text(key),
        importance: match key.importance_level() {
            Importance::High => "HIGH",
            Importance::Low => "LOW",
            Importance::Medium => "MEDIUM",
        },
        documentation: key.documentation().to_owned(),
        group: key.group().map(str::to_owned),
        order_in_group: key.order(),
        width: match key.width() {
            Width::Long => "LONG",
            Width::Medium => "MEDIUM",
            Width::None => "NONE",
            Width::Short => "SHORT",
        },
        display_name: key.display_name().to_owned(),
        dependents: key.dependent_keys().to_vec(),
    }
}

/// The default as Connect writes it: numbers and lists in one form, secrets hidden.
fn default_text(key: &ConfigKey) -> Option<String> {
    let text = key.default_text()?;
    match key.kind().parse(key.name(), text) {
        Ok(setting) => setting.to_text(),
        Err(_) => Some(text.to_owned()),
    }
}

/// A value, under the prefix that it has in the configuration.
pub(crate) fn value_info(value: &ConfigValue, prefix: &str) -> ConfigValueInfo {
    ConfigValueInfo {
        name: format!("{prefix}{}", value.name),
        value: value.value.to_text(),
        recommended_values: value.recommended.clone(),
        errors: value.errors.clone(),
        visible: value.visible,
    }
}

/// One part of an answer, before it is put together with the others.
#[derive(Debug, Default)]
pub(crate) struct Part {
    pub(crate) error_count: usize,
    pub(crate) groups: Vec<String>,
    pub(crate) configs: Vec<ConfigInfo>,
}

impl Part {
    /// The keys of a connector with their values, those first that are no keys. Every message counts.
    pub(crate) fn of_connector(
        keys: &ConfigDef,
        own: &ConfigDef,
        mut values: BTreeMap<String, ConfigValue>,
        shows_own: bool,
    ) -> Self {
        let all = keys.clone().extend(own.clone());
        let mut part = Self::default();
        part.add_groups(keys.groups());
        part.add_groups(own.groups());
        let (known, unknown): (BTreeMap<_, _>, BTreeMap<_, _>) =
            std::mem::take(&mut values).into_iter().partition(|(name, _)| all.key(name).is_some());
        for value in unknown.values() {
            part.add(None, value_info(value, ""));
        }
        for key in all.keys() {
            let Some(value) = known.get(key.name()) else { continue };
            if shows_own || !key.name().starts_with(OWN_PREFIX) {
                part.add(Some(key_info(key, "")), value_info(value, ""));
            }
        }
        part
    }

    /// The keys of a component, under its prefix. A key with messages counts once.
    pub(crate) fn of_component<'v>(
        def: &ConfigDef,
        values: impl IntoIterator<Item = &'v ConfigValue>,
        prefix: &str,
        shows_own: bool,
    ) -> Self {
        let mut part = Self::default();
        for value in values {
            if !shows_own && value.name.starts_with(OWN_PREFIX) {
                continue;
            }
            let key = def.key(&value.name);
            part.add_groups(key.and_then(ConfigKey::group));
            part.error_count += usize::from(!value.errors.is_empty());
            let mut value = value_info(value, prefix);
            value.visible = true;
            part.configs.push(ConfigInfo { definition: key.map(|key| key_info(key, prefix)), value });
        }
        part
    }

    fn add(&mut self, definition: Option<ConfigKeyInfo>, value: ConfigValueInfo) {
        self.error_count += value.errors.len();
        self.configs.push(ConfigInfo { definition, value });
    }

    fn add_groups<'g>(&mut self, groups: impl IntoIterator<Item = &'g str>) {
        for group in groups {
            if !self.groups.iter().any(|known| known == group) {
                self.groups.push(group.to_owned());
            }
        }
    }

    /// Adds another part behind this one.
    pub(crate) fn merge(mut self, other: Self) -> Self {
        self.add_groups(other.groups.iter().map(String::as_str));
        self.error_count += other.error_count;
        self.configs.extend(other.configs);
        self
    }
}

/// A value that is not checked; of a secret, only that there is one.
pub(crate) fn plain_value(name: &str, key: Option<&ConfigKey>, text: &str) -> ConfigValue {
    let mut value = ConfigValue::new(name);
    value.value = match key.map(ConfigKey::kind) {
        None => Setting::String(text.to_owned()),
        Some(kind) => match kind.parse(name, text) {
            Ok(setting) => setting,
            Err(error) => {
                let shown =
                    if kind == ConfigType::Password { "[hidden]".to_owned() } else { error.to_string() };
                value.errors.push(shown);
                Setting::Null
            }
        },
    };
    value
}
