//! A configuration whose references were replaced, and how to speak of it without showing what they stand for.

use crossdock_api::{ConfigError, ConfigMap};

/// Shorter values are left in texts: they come up by chance, and hide nothing that is worth it.
const LEAST_HIDDEN: usize = 3;

/// A configuration with the values that its references stand for. See [`Providers::resolve`](super::Providers::resolve).
#[derive(Clone, Default)]
pub(crate) struct Resolved {
    pub(super) given: ConfigMap,
    pub(super) config: ConfigMap,
    /// What was found, with the reference to it; the longest values first.
    pub(super) found: Vec<(String, String)>,
}

/// Values may be secrets.
impl std::fmt::Debug for Resolved {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Resolved").field("given", &self.given).finish_non_exhaustive()
    }
}

impl Resolved {
    /// The values to work with.
    pub(crate) fn config(&self) -> &ConfigMap {
        &self.config
    }

    /// The configuration as it was given: what may be shown.
    pub(crate) fn given(&self) -> &ConfigMap {
        &self.given
    }

    /// What was given at a key, if it refers to something that was found.
    pub(crate) fn reference_at(&self, key: &str) -> Option<&str> {
        self.given.get(key).filter(|given| self.config.get(key) != Some(given)).map(String::as_str)
    }

    /// Puts the references back where a component copied values of the same keys (`AbstractHerder.reverseTransform`).
    pub(crate) fn restore(&self, config: &mut ConfigMap) {
        for (key, value) in config {
            if let Some(given) = self.given.get(key).filter(|_| self.config.get(key) == Some(&*value)) {
                value.clone_from(given);
            }
        }
    }

    /// A text without the values that were found: the references are in their place.
    pub(crate) fn hide(&self, text: &str) -> String {
        let long = self.found.iter().filter(|(value, _)| value.len() >= LEAST_HIDDEN);
        long.fold(text.to_owned(), |text, (value, reference)| text.replace(value, reference))
    }

    /// An error without them.
    pub(crate) fn hide_in(&self, error: ConfigError) -> ConfigError {
        match error {
            ConfigError::Invalid { key, value, reason } => {
                let value = self.reference_at(&key).map_or_else(|| self.hide(&value), str::to_owned);
                ConfigError::Invalid { value, reason: self.hide(&reason), key }
            }
            ConfigError::Other(text) => ConfigError::Other(self.hide(&text)),
            ConfigError::Encoding(text) => ConfigError::Encoding(self.hide(&text)),
            ConfigError::PluginVersion(text) => ConfigError::PluginVersion(self.hide(&text)),
            error => error,
        }
    }
}
