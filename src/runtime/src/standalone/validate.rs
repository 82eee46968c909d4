//! Plugins and the checks of configurations.

use super::StandaloneHerder;
use crate::herder::HerderError;
use crate::herder::plugins::{ConfigInfos, ConfigKeyInfo, PluginInfo};
use crate::validation::{self, Rules, ValidationError};
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
        validation::validate(&rules, config).await
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
