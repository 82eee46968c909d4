//! What every setting of workers and connectors is: type, default, what is valid, and what it does. One definition a
//! setting serves parsing, the REST API and the reference page.
//!
//! - `worker`, `connector`: the keys. `check`: checks that only Connect has.
//! - `enriched`: the keys of transforms and predicates with those of their connector. `with_plugins`: what is valid by the
//!   plugins that there are.
//! - `page`: the reference page.
//! - `topic_creation`: how topics of sources are created.
//! - `sink`: what the topics of a sink must satisfy together.
//! - [`standalone`], [`distributed`], [`source_connector`], [`sink_connector`]: the keys of one kind together.

mod check;
mod connector;
mod enriched;
mod page;
mod sink;
mod topic_creation;
mod with_plugins;
mod worker;

pub(crate) use connector::own_source_keys;
pub use enriched::enrich;
pub(crate) use enriched::{check_version, class_of};
pub use page::reference_page;
pub use sink::{SinkTopicKeys, check_sink, sink_mistakes};
pub use topic_creation::{TopicGroup, topic_group_keys, topic_groups};
pub(crate) use with_plugins::{CONVERTERS, no_such_version};
pub use with_plugins::{of_class, of_version, of_worker};

use crossdock_api::config::{ConfigKey, ConfigType, Importance, Recommender, Setting, Validator};
use crossdock_api::{ConfigDef, ConfigError, ParsedConfig};
use crossdock_client::config::{
    ClientKind, DefaultValue, Definition, Importance as ClientImportance, Kind, Valid, definitions,
};
use std::sync::Arc;

/// The keys of a standalone worker, as Connect has them.
pub fn standalone() -> ConfigDef {
    worker::worker_keys().extend(worker::standalone_keys())
}

/// The keys of a worker of a group, as Connect has them.
pub fn distributed() -> ConfigDef {
    worker::worker_keys().extend(worker::distributed_keys())
}

/// Checks what settings of a worker of a group mean together (`DistributedConfig`).
///
/// # Errors
/// If requests between workers could not be signed or verified.
pub fn check_distributed(parsed: &ParsedConfig) -> Result<(), ConfigError> {
    const SIGNATURE: &str = "inter.worker.signature.algorithm";
    const VERIFICATION: &str = "inter.worker.verification.algorithms";
    if parsed.string("connect.protocol")?.eq_ignore_ascii_case("sessioned") {
        let key = parsed.string("inter.worker.key.generation.algorithm")?;
        match parsed.get("inter.worker.key.size")? {
            Setting::Long(size) if *size < 40 => {
                return Err(ConfigError::Other(format!(
                    "Unable to create key generator with algorithm {key} and key size {size}: Key length must be at \
                     least 40 bits"
                )));
            }
            _ => {}
        }
    }
    let signature = parsed.string(SIGNATURE)?;
    if parsed.list(VERIFICATION)?.iter().any(|known| known == signature) {
        return Ok(());
    }
    let reason = format!("Signature algorithm must be present in {VERIFICATION} list");
    Err(ConfigError::invalid(SIGNATURE, signature, reason))
}

/// The keys that sources and sinks have.
pub fn any_connector() -> ConfigDef {
    let versions = [
        ("key.converter.plugin.version", "key.converter"),
        ("value.converter.plugin.version", "value.converter"),
        ("header.converter.plugin.version", "header.converter"),
        ("connector.plugin.version", "connector.class"),
    ];
    let keys = connector::common_keys();
    versions.iter().fold(keys.clone(), |all, (version, class)| match keys.key(version) {
        Some(key) => all.define(key.clone().recommender(Arc::new(VersionOf(class)))),
        None => all,
    })
}

/// Recommends versions of a converter, if there is one.
#[derive(Debug)]
struct VersionOf(&'static str);

impl Recommender for VersionOf {
    fn valid_values(&self, _key: &str, _parsed: &ParsedConfig) -> Result<Vec<String>, ConfigError> {
        // A definition knows no plugins; the one version that there is need not be chosen.
        Ok(Vec::new())
    }

    fn is_visible(&self, _key: &str, parsed: &ParsedConfig) -> bool {
        parsed.get(self.0).is_ok_and(|class| *class != Setting::Null)
    }
}

/// The keys of sources.
pub fn source_connector() -> ConfigDef {
    any_connector().extend(connector::source_keys())
}

/// The keys of sinks.
pub fn sink_connector() -> ConfigDef {
    any_connector().extend(connector::sink_keys())
}

/// The keys of clients of these names, in this order, with the defaults that a worker has.
fn client_keys(names: &[&str]) -> ConfigDef {
    let all: Vec<Definition> =
        definitions(ClientKind::Admin).chain(definitions(ClientKind::Consumer)).collect();
    let known = |name: &&str| all.iter().find(|d| d.name == *name);
    names.iter().filter_map(known).map(client_key).fold(ConfigDef::new(), ConfigDef::define)
}

/// The keys of a client, as Kafka's own has them.
pub(crate) fn client_keys_of(client: ClientKind) -> ConfigDef {
    let keys = definitions(client).map(|definition| {
        let key = plain_client_key(&definition);
        match definition.java_default {
            DefaultValue::Required => key,
            DefaultValue::Null => key.default_null(),
            default => key.default(&default.to_string()),
        }
    });
    keys.fold(ConfigDef::new(), ConfigDef::define)
}

/// Name, type, importance and documentation of a client's key.
fn plain_client_key(definition: &Definition) -> ConfigKey {
    let kind = match definition.kind {
        Kind::Boolean => ConfigType::Boolean,
        Kind::Class => ConfigType::Class,
        Kind::Double => ConfigType::Double,
        Kind::Int => ConfigType::Int,
        Kind::List => ConfigType::List,
        Kind::Long => ConfigType::Long,
        Kind::Password => ConfigType::Password,
        Kind::Short => ConfigType::Short,
        Kind::Text => ConfigType::String,
    };
    ConfigKey::new(definition.name, kind).doc(definition.doc).importance(match definition.importance {
        ClientImportance::High => Importance::High,
        ClientImportance::Low => Importance::Low,
        ClientImportance::Medium => Importance::Medium,
    })
}

/// A key of a client as a worker has it.
fn client_key(definition: &Definition) -> ConfigKey {
    let key = plain_client_key(definition);
    let kind = key.kind();
    let key = match definition.name {
        "client.id" | "socket.connection.setup.timeout.ms" | "socket.connection.setup.timeout.max.ms" => {
            key.importance(Importance::Low)
        }
        _ => key,
    };
    let key = match (definition.name, definition.java_default) {
        // A worker's own, and that of a consumer.
        ("request.timeout.ms", _) => key.default("40000"),
        ("connections.max.idle.ms", _) => key.default("540000"),
        ("receive.buffer.bytes", _) => key.default("32768"),
        (_, DefaultValue::Required) => key,
        (_, DefaultValue::Null) => key.default_null(),
        (_, default) => key.default(&default.to_string()),
    };
    let valid = match definition.valid {
        Valid::AtLeast(least) => Some(Validator::AtLeast(least)),
        Valid::Between(least, most) => Some(Validator::Between(least, most)),
        Valid::BetweenDoubles(least, most) => Some(Validator::BetweenDoubles(least, most)),
        Valid::OneOf(words) => Some(Validator::OneOf(words)),
        Valid::AnyCase(words) => Some(Validator::OneOfIgnoringCase(words)),
        Valid::NonEmpty => Some(Validator::NonEmpty),
        _ if kind == ConfigType::List => Some(Validator::Items { may_be_empty: true }),
        _ => None,
    };
    match valid {
        // A range does not take null, also where that is the default.
        Some(valid) if definition.java_default != DefaultValue::Null => key.validator(valid),
        _ => key,
    }
}
