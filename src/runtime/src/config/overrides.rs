//! Which settings of its Kafka clients a connector may override: the key
//! `connector.client.config.override.policy` of the worker (`ConnectorClientConfigOverridePolicy`).

use super::WorkerConfig;
use crossdock_api::ConfigError;
use crossdock_api::config::{ConfigKey, Validator};

const POLICY: &str = "connector.client.config.override.policy";
const ALLOWLIST: &str = "connector.client.config.override.allowlist";
const PACKAGE: &str = "org.apache.kafka.connect.connector.policy.";
const SUFFIX: &str = "ConnectorClientConfigOverridePolicy";

/// What connectors may override.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OverridePolicy {
    /// Everything.
    All,
    /// Only these settings (KIP-1188).
    Allowlist(Vec<String>),
    /// Nothing.
    None,
    /// Only who they are: `sasl.jaas.config`, `sasl.mechanism`, `security.protocol`.
    Principal,
}

impl OverridePolicy {
    /// The policy of a worker: a short name, or the name of Connect's class with or without its package.
    ///
    /// # Errors
    /// Any other name: Java classes cannot be loaded, and going without the policy would allow what it forbids.
    pub fn of(worker: &WorkerConfig) -> Result<Self, ConfigError> {
        let given = worker.raw().get(POLICY).map_or("All", |policy| policy.trim());
        let name = given.strip_prefix(PACKAGE).unwrap_or(given);
        match name.strip_suffix(SUFFIX).unwrap_or(name) {
            "All" => Ok(Self::All),
            "Allowlist" => Ok(Self::Allowlist(allowlist(worker))),
            "None" => Ok(Self::None),
            "Principal" => Ok(Self::Principal),
            _ => {
                let reason = "no such policy: All, None, Principal and Allowlist are known";
                Err(ConfigError::invalid(POLICY, given, reason))
            }
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::All => "All",
            Self::Allowlist(_) => "Allowlist",
            Self::None => "None",
            Self::Principal => "Principal",
        }
    }

    /// Why a setting, named without its prefix, may not be overridden; `None` if it may.
    pub fn refusal(&self, setting: &str) -> Option<String> {
        let is_allowed = match self {
            Self::All => true,
            Self::Allowlist(settings) => settings.iter().any(|allowed| allowed == setting),
            Self::None => false,
            Self::Principal => ["sasl.jaas.config", "sasl.mechanism", "security.protocol"].contains(&setting),
        };
        (!is_allowed).then(|| {
            format!(
                "The '{}' policy does not allow '{setting}' to be overridden in the connector configuration.",
                self.name()
            )
        })
    }
}

/// The key that lists what [`OverridePolicy::Allowlist`] allows.
pub(super) fn allowlist_key() -> ConfigKey {
    ConfigKey::list(ALLOWLIST)
        .default("")
        .validator(Validator::Items { may_be_empty: true })
        .doc("Client settings that connectors may override under the policy Allowlist, without prefix.")
}

fn allowlist(worker: &WorkerConfig) -> Vec<String> {
    let listed = worker.raw().get(ALLOWLIST).map_or("", String::as_str);
    listed.split(',').map(|item| item.trim().to_owned()).filter(|item| !item.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossdock_api::ConfigMap;

    fn policy(extra: &[(&str, &str)]) -> Result<OverridePolicy, ConfigError> {
        let base = [("key.converter", "K"), ("value.converter", "V")];
        let config: ConfigMap =
            base.iter().chain(extra).map(|(k, v)| (k.to_string(), v.to_string())).collect();
        OverridePolicy::of(&WorkerConfig::parse(&config).unwrap())
    }

    #[test]
    fn names_and_classes() {
        assert_eq!(policy(&[]).unwrap(), OverridePolicy::All);
        for name in ["None", "NoneConnectorClientConfigOverridePolicy", &format!("{PACKAGE}None{SUFFIX}")] {
            assert_eq!(policy(&[(POLICY, name)]).unwrap(), OverridePolicy::None);
        }
        let error = policy(&[(POLICY, "org.example.Mine")]).unwrap_err().to_string();
        assert!(error.contains("org.example.Mine") && error.contains("Principal"), "{error}");
    }

    #[test]
    fn what_they_allow() {
        let allows = |extra: &[(&str, &str)], setting| policy(extra).unwrap().refusal(setting).is_none();
        assert!(allows(&[(POLICY, "All")], "acks"));
        assert!(!allows(&[(POLICY, "Principal")], "acks"));
        assert!(allows(&[(POLICY, "Principal")], "sasl.jaas.config"));
        let listed = [(POLICY, "Allowlist"), (ALLOWLIST, "acks, linger.ms")];
        assert!(allows(&listed, "linger.ms") && !allows(&listed, "sasl.mechanism"));
        assert!(!allows(&[(POLICY, "Allowlist")], "acks"));
        assert_eq!(
            OverridePolicy::None.refusal("acks").unwrap(),
            "The 'None' policy does not allow 'acks' to be overridden in the connector configuration."
        );
    }
}
