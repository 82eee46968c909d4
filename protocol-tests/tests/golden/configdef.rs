//! Config definitions against what Connect's do.

use super::Verdict;
use crossdock_api::config::{ConfigDef, ConfigType, ConfigValue, Setting};
use crossdock_api::registry::Factory;
use crossdock_api::{ConfigError, Plugins};
use crossdock_runtime::config::{definition, transformer};
use protocol_tests::golden::{Case, Expected};
use serde_json::{Value as Json, json};

fn plugins() -> Plugins {
    let mut plugins = Plugins::new();
    crossdock_converters::register(&mut plugins);
    crossdock_transforms::register(&mut plugins);
    crossdock_connector_file::register(&mut plugins);
    plugins
}

/// Runs a case; `None` if nothing implements its operation.
pub(crate) fn run(case: &Case) -> Option<Verdict> {
    if names_a_class_of_the_jvm(case) {
        return Some(Verdict::KnownGap("classes of the JVM that are no plugins do not exist here"));
    }
    if case.error_class() == Some("java.lang.NullPointerException") {
        return Some(Verdict::KnownGap(
            "where Connect fails with a NullPointerException there is an error of the key",
        ));
    }
    let ours = match case.op() {
        "parse_type" => parse_type(case),
        "parse" => parsed(case, &definition_of(case)?),
        "validate" => Ok(json!({"values": validated(case, &definition_of(case)?)})),
        "config_transformer" => Ok(json!({"value": transformed(case)})),
        "sink_validate" => definition::check_sink(&case.config()).map(|keys| {
            json!({
                "has_topics": keys.has_topics,
                "has_dlq": keys.has_dead_letter_queue,
                "topics": keys.topics,
            })
        }),
        "construct" if case.class().ends_with("ConnectorConfig") => connector(case, definition_of(case)?),
        "source_construct" => source(case),
        "validate_connector" => definition::enrich(&plugins(), definition_of(case)?, &case.config(), false)
            .map(|def| json!({"values": validated(case, &def)})),
        "construct" if !case.class().ends_with("ConnectorConfig") => constructed(case, &definition_of(case)?),
        _ => return None,
    };
    Some(Verdict::of(match (case.expected(), ours) {
        (expected, Err(error)) => (!has_message(&expected, &error)).then(|| format!("failed: {error}")),
        (Expected::Output(output), Ok(ours)) => (!is_same(output, &ours)).then(|| format!("gave {ours}")),
        (Expected::Error { .. }, Ok(ours)) => Some(format!("gave {ours}")),
    }))
}

/// The JVM's list of algorithms is its own.
fn cut(message: &str) -> &str {
    let end = message.find("the supported algorithms are:").unwrap_or(message.len());
    // What is wrong with a pattern is worded by the JVM.
    let end = ["Invalid regex: ", "Syntax error in regular expression: "]
        .iter()
        .filter_map(|start| message.find(start).map(|at| at + start.len()))
        .fold(end, usize::min);
    &message[..end]
}

fn has_message(expected: &Expected<'_>, error: &ConfigError) -> bool {
    match expected {
        Expected::Error { message: Some(message), .. } if cut(message).len() < message.len() => {
            cut(message) == cut(&error.to_string())
        }
        expected => expected.is_config_error(error),
    }
}

fn is_same(expected: &Json, ours: &Json) -> bool {
    match (expected, ours) {
        (Json::String(a), Json::String(b)) => cut(a) == cut(b),
        (Json::Array(a), Json::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_same(a, b)),
        (Json::Object(a), Json::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| is_same(a, b)))
        }
        (a, b) => a == b,
    }
}

fn names_a_class_of_the_jvm(case: &Case) -> bool {
    let class = |text: &str| {
        let text = text.trim();
        text.starts_with("java.") || text.starts_with("org.apache.kafka.connect.runtime.Worker")
    };
    case.config().values().any(|value| class(value))
        || case.input()["type"] == "CLASS" && case.input()["value"].as_str().is_some_and(class)
}

fn known_class(name: &str) -> Option<String> {
    plugins().iter().any(|plugin| plugin.class() == name).then(|| name.to_owned())
}

fn definition_of(case: &Case) -> Option<ConfigDef> {
    let def = match case.class() {
        "StandaloneConfig" => definition::standalone(),
        "DistributedConfig" => definition::distributed(),
        "ConnectorConfig" => definition::any_connector(),
        "SourceConnectorConfig" => definition::source_connector(),
        "SinkConnectorConfig" => definition::sink_connector(),
        _ => {
            let plugins = plugins();
            let plugin = plugins.iter().find(|plugin| plugin.class() == case.full_class())?;
            match plugin.factory() {
                Factory::Converter(make) => make().config_def(),
                Factory::HeaderConverter(make) => make().config_def(),
                Factory::Predicate(make) => make().config_def(),
                Factory::Sink(make) => make().config_def(),
                Factory::Source(make) => make().config_def(),
                Factory::Transform(make) => make().config_def(),
            }
        }
    };
    Some(def.with_classes(known_class))
}

fn parse_type(case: &Case) -> Result<Json, ConfigError> {
    const KEY: &str = "my.key";
    let Some(text) = case.input()["value"].as_str() else { return Ok(json!({"value": null})) };
    let kind = match case.input()["type"].as_str().unwrap() {
        "BOOLEAN" => ConfigType::Boolean,
        "CLASS" => ConfigType::Class,
        "DOUBLE" => ConfigType::Double,
        "INT" => ConfigType::Int,
        "LIST" => ConfigType::List,
        "LONG" => ConfigType::Long,
        "PASSWORD" => ConfigType::Password,
        "SHORT" => ConfigType::Short,
        _ => ConfigType::String,
    };
    let key = crossdock_api::ConfigKey::new(KEY, kind);
    let def = ConfigDef::new().define(key).with_classes(known_class);
    let parsed = def.parse(&[(KEY.to_owned(), text.to_owned())].into())?;
    let setting = parsed.get(KEY)?;
    let value = match setting {
        Setting::List(items) => json!(items),
        Setting::Boolean(value) => json!(value),
        other => json!(other.to_text()),
    };
    if let Setting::Password(secret) = setting {
        let hidden = setting.to_text();
        return Ok(json!({"value": secret.reveal(), "to_string": hidden, "convert_to_string": hidden}));
    }
    Ok(json!({"value": value, "convert_to_string": setting.to_text()}))
}

fn parsed(case: &Case, def: &ConfigDef) -> Result<Json, ConfigError> {
    let parsed = def.parse(&case.config())?;
    let text = |key: &String| Some((key.clone(), json!(parsed.get(key).ok()?.to_text())));
    let values: serde_json::Map<String, Json> = case.config().keys().filter_map(text).collect();
    Ok(json!({ "values": values }))
}

fn constructed(case: &Case, def: &ConfigDef) -> Result<Json, ConfigError> {
    if case.class() == "DistributedConfig" {
        definition::check_distributed(&def.parse(&case.config())?)?;
    }
    parsed(case, def)
}

/// The values that were given, have errors or recommended values, or are invisible.
fn validated(case: &Case, def: &ConfigDef) -> Vec<Json> {
    let config = case.config();
    let all = def.validate(&config);
    // The cases were made by a worker without plugins to recommend.
    let is_class = |name: &str| name.ends_with(".type");
    let shown = |value: &&ConfigValue| {
        config.contains_key(&value.name)
            || !value.errors.is_empty()
            || !(is_class(&value.name) || value.recommended.is_empty())
            || !value.visible
    };
    let show = |value: &ConfigValue| {
        let mut shown = json!({"name": value.name, "value": value.value.to_text()});
        if !value.errors.is_empty() {
            shown["errors"] = json!(value.errors);
        }
        if !is_class(&value.name) && !value.recommended.is_empty() {
            shown["recommended_values"] = json!(value.recommended);
        }
        if !value.visible {
            shown["visible"] = json!(false);
        }
        shown
    };
    all.values().filter(shown).map(show).collect()
}

fn transformed(case: &Case) -> String {
    let providers = case.member("providers");
    let lookup = |provider: &str, path: &str, key: &str| {
        let found = providers.get(provider)?.get(path)?.get(key)?;
        found.as_str().map(str::to_owned)
    };
    transformer::transform(case.input()["value"].as_str().unwrap(), lookup)
}

/// As the constructors of connector configurations: the keys of the connector, then those of its plugins.
fn connector(case: &Case, def: ConfigDef) -> Result<Json, ConfigError> {
    let config = case.config();
    def.parse(&config)?;
    definition::enrich(&plugins(), def, &config, true)?.parse(&config)?;
    Ok(json!({"ok": true}))
}

/// As `SourceConnectorConfig`: topic creation and transactions.
fn source(case: &Case) -> Result<Json, ConfigError> {
    let config = case.config();
    let parsed = definition::source_connector().parse(&config)?;
    let groups = definition::topic_groups(&config)?;
    let mut shown = json!({
        "uses_topic_creation": !groups.is_empty(),
        "transaction_boundary": parsed.string("transaction.boundary")?.to_lowercase(),
        "transaction_boundary_interval": match parsed.get("transaction.boundary.interval.ms")? {
            Setting::Long(interval) => json!(interval),
            _ => Json::Null,
        },
        "offsets_topic": parsed.string_opt("offsets.storage.topic")?,
    });
    for group in groups {
        shown[&group.name] = json!({
            "include": group.include,
            "exclude": group.exclude,
            "replication_factor": group.replication_factor,
            "partitions": group.partitions,
            "other": group.configs,
        });
    }
    Ok(shown)
}
