//! Every config definition of Connect 4.3.1 (`golden/configdefs.json`) against ours: keys, types, defaults, importance,
//! places in forms, and what is valid.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use crossdock_api::Plugins;
use crossdock_api::config::{ConfigDef, ConfigKey, Importance, Width};
use crossdock_api::registry::Factory;
use crossdock_runtime::config::definition;
use protocol_tests::golden;
use serde_json::{Value as Json, json};

fn ours(class: &str) -> Option<ConfigDef> {
    let mut plugins = Plugins::new();
    crossdock_converters::register(&mut plugins);
    crossdock_transforms::register(&mut plugins);
    crossdock_connector_file::register(&mut plugins);
    Some(match class.strip_prefix("org.apache.kafka.connect.runtime.") {
        Some("standalone.StandaloneConfig") => definition::standalone(),
        Some("distributed.DistributedConfig") => definition::distributed(),
        Some("ConnectorConfig") => definition::any_connector(),
        Some("SourceConnectorConfig") => definition::source_connector(),
        Some("SinkConnectorConfig") => definition::sink_connector(),
        Some("TopicCreationConfig(default group)") => definition::topic_group_keys("default", None),
        Some(_) => return None,
        None => match plugins.iter().find(|plugin| plugin.class() == class)?.factory() {
            Factory::Converter(make) => make().config_def(),
            Factory::HeaderConverter(make) => make().config_def(),
            Factory::Predicate(make) => make().config_def(),
            Factory::Sink(make) => make().config_def(),
            Factory::Source(make) => make().config_def(),
            Factory::Transform(make) => make().config_def(),
        },
    })
}

/// A key as the file has it, without what is written otherwise there.
fn show(key: &ConfigKey) -> Json {
    let importance = match key.importance_level() {
        Importance::High => "HIGH",
        Importance::Low => "LOW",
        Importance::Medium => "MEDIUM",
    };
    let width = match key.width() {
        Width::Long => "LONG",
        Width::Medium => "MEDIUM",
        Width::None => "NONE",
        Width::Short => "SHORT",
    };
    json!({
        "name": key.name(),
        "type": key.kind().name(),
        "required": key.is_required(),
        "default": key.default_text(),
        "importance": importance,
        "width": width,
        "group": key.group().unwrap_or_default(),
        "order": key.order(),
        "display_name": key.display_name(),
    })
}

fn expected(key: &Json) -> Json {
    let or = |member: &str, absent: Json| if key[member].is_null() { absent } else { key[member].clone() };
    json!({
        "name": key["name"],
        "type": key["type"],
        "required": key["required"],
        "default": key["default"],
        "importance": key["importance"],
        "width": or("width", json!("NONE")),
        "group": or("group", json!("")),
        "order": or("order", json!(-1)),
        "display_name": or("display_name", key["name"].clone()),
    })
}

#[test]
fn definitions_are_connects() {
    let text = std::fs::read_to_string(golden::folder().join("configdefs.json")).unwrap();
    let all: serde_json::Map<String, Json> = serde_json::from_str(&text).unwrap();
    let (mut compared, mut differences) = (0, Vec::new());
    for (class, expected_def) in &all {
        let Some(def) = ours(class) else { continue };
        let keys = expected_def["keys"].as_array().unwrap();
        for key in keys {
            let name = key["name"].as_str().unwrap();
            let Some(ours) = def.key(name) else {
                differences.push(format!("{class}: {name} is missing"));
                continue;
            };
            compared += 1;
            let (expected, shown) = (expected(key), show(ours));
            for (member, expected) in expected.as_object().unwrap() {
                if *expected != shown[member] {
                    differences
                        .push(format!("{class}: {name}: {member} is {}, not {expected}", shown[member]));
                }
            }
        }
        let is_known = |name: &str| keys.iter().any(|key| key["name"] == name);
        let own = |name: &str| name.starts_with("crossdock.");
        for key in def.keys().iter().filter(|key| !is_known(key.name()) && !own(key.name())) {
            differences.push(format!("{class}: {} is no key of Connect's", key.name()));
        }
    }
    assert!(compared > 300, "only {compared} keys were compared");
    assert!(differences.is_empty(), "{} differences:\n{}", differences.len(), differences.join("\n"));
}
