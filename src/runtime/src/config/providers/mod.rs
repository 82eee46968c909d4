//! Configuration providers (KIP-297, KIP-421): values that configurations refer to as `${name:path:key}`.
//!
//! ```text
//! config.providers.* of the worker ─▶ Providers ─ resolve(config) ─▶ Resolved: values for connectors, tasks and clients
//!                                                                       └─ what is shown keeps the references
//! ```
//!
//! - `source`: the three providers of Kafka.
//! - `allowed`: what they may read.
//! - `resolved`: the result, which knows how not to show values.

mod allowed;
mod resolved;
mod source;

pub(crate) use resolved::Resolved;

use super::{transformer, with_prefix};
use crossdock_api::{ConfigError, ConfigMap};
use source::{Found, Source};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

/// Parameter of Crossdock's own: after how many milliseconds a provider's values are looked up again. Kafka's
/// providers never do.
const TTL: &str = "crossdock.ttl.ms";

/// The providers of a worker by name.
#[derive(Debug, Default)]
pub(crate) struct Providers(BTreeMap<String, Provider>);

#[derive(Debug)]
struct Provider {
    source: Source,
    ttl: Option<Duration>,
}

impl Providers {
    /// Those that a worker's configuration names.
    ///
    /// # Errors
    /// A class that is not known, a wrong parameter. One without a class is left out with a warning, as Connect does
    /// in silence.
    pub(crate) fn of(worker: &ConfigMap) -> Result<Self, ConfigError> {
        let mut providers = BTreeMap::new();
        let names = worker.get("config.providers").map_or("", String::as_str).split(',').map(str::trim);
        for name in names.filter(|name| !name.is_empty()) {
            let class_key = format!("config.providers.{name}.class");
            let Some(class) = worker.get(&class_key).map(|class| class.trim()) else {
                tracing::warn!(
                    "config.providers names {name}, but {class_key} is not set: references to it stay as they are"
                );
                continue;
            };
            let prefix = format!("config.providers.{name}.param.");
            let params = with_prefix(worker, &prefix);
            let source = Source::make(&class_key, class, &prefix, &params)?;
            let ttl = params.get(TTL).map(|text| {
                let millis = text.trim().parse::<u64>().ok().filter(|millis| *millis > 0);
                let reason = "not a number of milliseconds above 0";
                millis.ok_or_else(|| ConfigError::invalid(&format!("{prefix}{TTL}"), text, reason))
            });
            let ttl = ttl.transpose()?.map(Duration::from_millis);
            providers.insert(name.to_owned(), Provider { source, ttl });
        }
        Ok(Self(providers))
    }

    /// Replaces the references of a configuration. Those to unknown providers or keys stay as they are, with a
    /// warning for the latter. Reads files.
    ///
    /// # Errors
    /// What a provider cannot read, at the key that refers to it.
    pub(crate) fn resolve(&self, given: &ConfigMap) -> Result<Resolved, ConfigError> {
        if self.0.is_empty() {
            return Ok(Resolved { given: given.clone(), config: given.clone(), ..Resolved::default() });
        }
        let lookups = self.look_up(given);
        let mut resolved = Resolved { given: given.clone(), ..Resolved::default() };
        for (key, value) in given {
            let failure = RefCell::new(None);
            let found = RefCell::new(Vec::new());
            let text = transformer::transform(value, |name, path, wanted| {
                let at = lookups.get(&(name.to_owned(), path.to_owned()))?;
                let reference = reference(name, path, wanted);
                match at {
                    Err(reason) => {
                        let reason = format!("config provider {name}: {reason}");
                        failure.borrow_mut().get_or_insert(ConfigError::invalid(key, &reference, reason));
                        None
                    }
                    Ok(values) => {
                        let value = values.get(wanted);
                        match value {
                            Some(value) => found.borrow_mut().push((value.clone(), reference)),
                            None => tracing::warn!(
                                "the key {key} refers to {reference}, which the config provider {name} does not have: it stays as it is"
                            ),
                        }
                        value.cloned()
                    }
                }
            });
            if let Some(error) = failure.into_inner() {
                return Err(error);
            }
            resolved.found.extend(found.into_inner());
            resolved.config.insert(key.clone(), text);
        }
        resolved.found.sort_by_key(|(value, _)| std::cmp::Reverse(value.len()));
        Ok(resolved)
    }

    /// After how long values are looked up again: the shortest time of any provider.
    pub(crate) fn shortest_ttl(&self) -> Option<Duration> {
        self.0.values().filter_map(|provider| provider.ttl).min()
    }

    /// What is asked of each provider and path, each asked once.
    fn look_up(&self, given: &ConfigMap) -> BTreeMap<(String, String), Found> {
        let wanted = RefCell::new(BTreeMap::<_, Vec<String>>::new());
        for value in given.values() {
            transformer::transform(value, |name, path, key| {
                let mut wanted = wanted.borrow_mut();
                wanted.entry((name.to_owned(), path.to_owned())).or_default().push(key.to_owned());
                None
            });
        }
        let known = wanted.into_inner().into_iter().filter_map(|(at, keys)| {
            let provider = self.0.get(&at.0)?;
            let found = provider.source.get(&at.1, &keys);
            Some((at, found))
        });
        known.collect()
    }
}

fn reference(name: &str, path: &str, key: &str) -> String {
    match path.is_empty() {
        true => format!("${{{name}:{key}}}"),
        false => format!("${{{name}:{path}:{key}}}"),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests;
