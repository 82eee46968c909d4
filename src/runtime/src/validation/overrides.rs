//! Settings of Kafka clients that a connector overrides, checked against the worker's policy and, unless Connect's
//! behaviour is asked for, against what the client takes.

use super::infos::{Part, plain_value};
use super::{Rules, ValidationError};
use crate::config::definition::client_keys_of;
use crate::config::with_prefix;
use crossdock_api::ConfigMap;
use crossdock_api::config::{ConfigValue, Setting};
use crossdock_api::registry::PluginKind;
use crossdock_client::config::{ClientKind, definitions};

/// The clients that a connector uses: the prefix of its overrides, and the kind. The order is that of answers.
fn clients(kind: PluginKind, config: &ConfigMap) -> Vec<(&'static str, ClientKind)> {
    let (producer, consumer, admin) = (
        ("producer.override.", ClientKind::Producer),
        ("consumer.override.", ClientKind::Consumer),
        ("admin.override.", ClientKind::Admin),
    );
    let is_set = |key: &str| config.get(key).is_some_and(|name| !name.trim().is_empty());
    let queue = is_set("errors.deadletterqueue.topic.name");
    let source_queue = is_set("crossdock.errors.deadletterqueue.topic.name");
    match (kind, queue) {
        (PluginKind::Source, _)
            if source_queue || config.keys().any(|key| key.starts_with("topic.creation.")) =>
        {
            vec![producer, admin]
        }
        (PluginKind::Source, _) => vec![producer],
        (_, true) => vec![producer, consumer, admin],
        (_, false) => vec![consumer],
    }
}

/// Checks the overrides of the clients that a connector uses.
///
/// # Errors
/// As Connect, if that is asked for: a value that is not of its type.
pub(super) fn check(
    rules: &Rules<'_>,
    kind: PluginKind,
    config: &ConfigMap,
) -> Result<Part, ValidationError> {
    let mut all = Part::default();
    for (prefix, client) in clients(kind, config) {
        let def = client_keys_of(client);
        let mut values = Vec::new();
        for (name, text) in with_prefix(config, prefix) {
            let mut value = plain_value(&name, def.key(&name), &text);
            match value.errors.first() {
                Some(error) if rules.as_connect => return Err(ValidationError::Override(error.clone())),
                Some(_) => {}
                None if !rules.as_connect => check_value(client, &text, &mut value),
                None => {}
            }
            value.errors.extend(rules.policy.refusal(&name));
            values.push(value);
        }
        all = all.merge(Part::of_component(&def, &values, prefix, true));
    }
    Ok(all)
}

/// Whether the client takes the value, so that its task does not fail later.
fn check_value(client: ClientKind, text: &str, value: &mut ConfigValue) {
    let Some(definition) = definitions(client).find(|known| known.name == value.name) else { return };
    if let Err(error) = definition.check(text) {
        value.errors.push(error.to_string());
        value.value = Setting::Null;
    }
}
