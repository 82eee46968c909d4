//! The plugins of a worker and their keys (`ConnectorPluginsResource`, `AbstractHerder.connectorPluginConfig`).

use super::infos::OWN_PREFIX;
use super::key_info;
use crate::config::definition::{class_of, no_such_version, of_class};
use crate::config::version_range::VersionRange;
use crate::guard::caught;
use crate::herder::HerderError;
use crate::herder::plugins::{ConfigKeyInfo, PluginInfo};
use crossdock_api::registry::{Factory, Plugin, PluginKind};
use crossdock_api::{ConfigDef, Plugins};

/// The order in which kinds are listed.
const KINDS: [PluginKind; 6] = [
    PluginKind::Sink,
    PluginKind::Source,
    PluginKind::Transform,
    PluginKind::Predicate,
    PluginKind::Converter,
    PluginKind::HeaderConverter,
];

/// What a worker knows by its class name, but what has no keys to show: the class, and a short name.
const WITHOUT_KEYS: [(&str, &str); 8] = [
    ("org.apache.kafka.common.config.provider.DirectoryConfigProvider", "Directory"),
    ("org.apache.kafka.common.config.provider.EnvVarConfigProvider", "EnvVar"),
    ("org.apache.kafka.common.config.provider.FileConfigProvider", "File"),
    ("org.apache.kafka.connect.connector.policy.AllConnectorClientConfigOverridePolicy", "All"),
    ("org.apache.kafka.connect.connector.policy.AllowlistConnectorClientConfigOverridePolicy", "Allowlist"),
    ("org.apache.kafka.connect.connector.policy.NoneConnectorClientConfigOverridePolicy", "None"),
    ("org.apache.kafka.connect.connector.policy.PrincipalConnectorClientConfigOverridePolicy", "Principal"),
    ("org.apache.kafka.connect.rest.basic.auth.extension.BasicAuthSecurityRestExtension", ""),
];

/// All plugins by kind and name, or only connectors.
pub(crate) fn list_plugins(plugins: &Plugins, connectors_only: bool) -> Vec<PluginInfo> {
    let kinds = if connectors_only { &KINDS[..2] } else { &KINDS[..] };
    let mut all = Vec::new();
    for kind in kinds {
        let mut of_kind: Vec<&Plugin> = plugins.iter().filter(|plugin| plugin.kind() == *kind).collect();
        of_kind.sort_by_key(|plugin| plugin.class());
        all.extend(of_kind.into_iter().map(|plugin| PluginInfo {
            class: plugin.class().to_owned(),
            kind: kind.name(),
            version: plugin.version().to_owned(),
        }));
    }
    all
}

/// The keys of a plugin; those of a connector with those of every connector of its kind.
///
/// # Errors
/// No such plugin, or not in that version.
pub(crate) fn keys_of_plugin(
    plugins: &Plugins,
    name: &str,
    version: &str,
    as_connect: bool,
) -> Result<Vec<ConfigKeyInfo>, HerderError> {
    let range = VersionRange::requirement(Some(version))
        .map_err(|_| HerderError::BadRequest(format!("Invalid version specification: {version}")))?;
    let plugin = find(plugins, name)?;
    if let Some(range) = range.filter(|range| !range.contains(plugin.version())) {
        return Err(HerderError::BadRequest(no_such_version(plugins, plugin.class(), &range.to_string())));
    }
    let own = caught(|| match plugin.factory() {
        Factory::Converter(make) => make().config_def(),
        Factory::HeaderConverter(make) => make().config_def(),
        Factory::Predicate(make) => make().config_def(),
        Factory::Sink(make) => make().config_def(),
        Factory::Source(make) => make().config_def(),
        Factory::Transform(make) => make().config_def(),
    });
    let own = own.map_err(HerderError::Internal)?;
    let keys = match plugin.kind() {
        PluginKind::Sink | PluginKind::Source => beside(own, of_class(plugins, plugin)),
        _ => own,
    };
    let shown = keys.keys().iter().filter(|key| !as_connect || !key.name().starts_with(OWN_PREFIX));
    Ok(shown.map(|key| key_info(key, "")).collect())
}

/// All of a connector's own keys, then those of every connector that it does not have.
fn beside(own: ConfigDef, common: ConfigDef) -> ConfigDef {
    let new = common.keys().iter().filter(|key| own.key(key.name()).is_none()).cloned();
    new.fold(own.clone(), ConfigDef::define)
}

fn find<'p>(plugins: &'p Plugins, name: &str) -> Result<&'p Plugin, HerderError> {
    let class = class_of(plugins, name);
    let all = class.iter().flat_map(|class| plugins.iter().filter(move |plugin| plugin.class() == class));
    if let Some(plugin) = all.min_by_key(|plugin| KINDS.iter().position(|kind| *kind == plugin.kind())) {
        return Ok(plugin);
    }
    let simple = |class: &'static str| class.rsplit('.').next().unwrap_or(class);
    let is_known = WITHOUT_KEYS.iter().any(|(class, short)| {
        name == *class || name == simple(class) || (!short.is_empty() && name == *short)
    });
    Err(match is_known {
        true => HerderError::BadRequest(format!(
            "Invalid plugin class {name}. Valid types are sink, source, converter, header_converter, transformation, \
             predicate."
        )),
        false => HerderError::NotFound(format!("Unknown plugin {name}.")),
    })
}
