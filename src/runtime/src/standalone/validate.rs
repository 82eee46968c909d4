//! Plugins and the checks of configurations.

use super::StandaloneHerder;
use crate::herder::HerderError;
use crate::herder::plugins::{ConfigInfos, ConfigKeyInfo, PluginInfo};
use crate::validation::{self, Rules, ValidationError};
use crossdock_api::ConfigMap;
use crossdock_api::config::NullableConfig;

impl StandaloneHerder {
    /// The plugins of the worker.
    pub(super) fn list_plugins(&self, connectors_only: bool) -> Vec<PluginInfo> {
        validation::list_plugins(&self.worker.plugins, connectors_only)
    }

    /// The keys of a plugin.
    pub(super) fn keys_of_plugin(
        &self,
        plugin: &str,
        version: &str,
    ) -> Result<Vec<ConfigKeyInfo>, HerderError> {
        validation::keys_of_plugin(&self.worker.plugins, plugin, version, self.worker.config.is_strict())
    }

    /// Checks a connector's configuration: what every way to create or change a connector asks first. Whether it has
    /// mistakes is told by [`ConfigInfos::accepted`].
    pub(super) async fn validated(&self, config: &NullableConfig) -> Result<ConfigInfos, ValidationError> {
        let rules = Rules {
            plugins: &self.worker.plugins,
            worker: &self.worker.config,
            policy: &self.worker.policy,
            as_connect: self.worker.config.is_strict(),
            guard: &self.guard,
        };
        let shows_values = rules.as_connect;
        let given: ConfigMap =
            config.iter().filter_map(|(key, value)| Some((key.clone(), value.clone()?))).collect();
        let resolved = rules.worker.providers().resolve(&given);
        let resolved = resolved.map_err(|error| ValidationError::NoConnector(error.to_string()))?;
        let mut with_values = config.clone();
        with_values.extend(resolved.config().iter().map(|(key, value)| (key.clone(), Some(value.clone()))));
        match validation::validate(&rules, &with_values).await {
            found if shows_values => found,
            Ok(mut infos) => {
                for info in &mut infos.configs {
                    if let Some(reference) = resolved.reference_at(&info.value.name) {
                        info.value.value = info.value.value.take().map(|_| reference.to_owned());
                    }
                    info.value.errors.iter_mut().for_each(|error| *error = resolved.hide(error));
                }
                Ok(infos)
            }
            Err(error) => Err(error.map_text(|text| resolved.hide(text))),
        }
    }
}

impl From<ValidationError> for HerderError {
    fn from(error: ValidationError) -> Self {
        match error {
            ValidationError::NoConnector(message) => Self::BadRequest(message),
            ValidationError::Override(message) | ValidationError::Plugin(message) => Self::Internal(message),
        }
    }
}
