//! DescribeConfigs, of topics and of the broker.

use super::{Answer, Api, Call, text};
use crate::config::NODE_ID;
use crate::topic_config::{DEFINITIONS, Definition, Kind};
use crate::topics::missing;
use crossdock_wire::shape::{BOOL, Field, INT8, TEXT, structs, values};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResult, DescribeConfigsSynonym,
};
use kafka_protocol::messages::{DescribeConfigsRequest, DescribeConfigsResponse};
use std::ops::RangeInclusive;

/// Kinds of resources.
const TOPIC: i8 = 2;
const BROKER: i8 = 4;
/// Where a value is from.
const DYNAMIC_TOPIC: i8 = 1;
const STATIC_BROKER: i8 = 4;
const DEFAULT: i8 = 5;

pub(crate) struct DescribeConfigs;

impl Api for DescribeConfigs {
    type Request = DescribeConfigsRequest;
    const VERSIONS: RangeInclusive<i16> = 1..=4;
    const SHAPE: &'static [Field] = &[structs(&[INT8, TEXT, values(&TEXT)]), BOOL, BOOL.since(3)];

    async fn handle(call: &Call, request: DescribeConfigsRequest) -> Answer<DescribeConfigsResponse> {
        let synonyms = request.include_synonyms;
        let describe = |resource: DescribeConfigsResource| match describe(call, &resource, synonyms) {
            Ok(configs) => result(resource).with_configs(configs),
            Err(error) => failed(resource, error),
        };
        let results = request.resources.into_iter().map(describe).collect();
        DescribeConfigsResponse::default().with_results(results).into()
    }

    fn refuse(_: &Call, request: DescribeConfigsRequest, error: ResponseError) -> DescribeConfigsResponse {
        let results = request.resources.into_iter().map(|resource| failed(resource, error)).collect();
        DescribeConfigsResponse::default().with_results(results)
    }
}

fn result(resource: DescribeConfigsResource) -> DescribeConfigsResult {
    DescribeConfigsResult::default()
        .with_resource_type(resource.resource_type)
        .with_resource_name(resource.resource_name)
}

fn failed(resource: DescribeConfigsResource, error: ResponseError) -> DescribeConfigsResult {
    result(resource).with_error_code(error.code()).with_error_message(Some(text(error.to_string())))
}

fn describe(
    call: &Call,
    resource: &DescribeConfigsResource,
    synonyms: bool,
) -> Result<Vec<DescribeConfigsResourceResult>, ResponseError> {
    let name = &*resource.resource_name;
    let mut configs: Vec<Described> = match resource.resource_type {
        TOPIC => {
            let topic = call.shared.topic(name).ok_or_else(|| missing(name))?;
            let described = |d: &Definition| Described::of_topic(d, topic.configs.get(d.name));
            DEFINITIONS.iter().map(described).collect()
        }
        // The empty name is the default of all brokers, which has no values of its own.
        BROKER if name.is_empty() => Vec::new(),
        BROKER if name == NODE_ID.to_string() => of_broker(call),
        _ => return Err(ResponseError::InvalidRequest),
    };
    if let Some(keys) = &resource.configuration_keys {
        configs.retain(|config| keys.iter().any(|key| **key == *config.name));
    }
    Ok(configs.into_iter().map(|config| config.into_result(call.version, synonyms)).collect())
}

/// One config with its value, before it is put into the form of a version.
struct Described {
    name: &'static str,
    value: String,
    kind: Kind,
    source: i8,
    read_only: bool,
    /// The broker's config that stands behind it, and its value.
    behind: Option<(&'static str, &'static str)>,
}

impl Described {
    fn of_topic(definition: &Definition, set: Option<&String>) -> Self {
        Self {
            name: definition.name,
            value: set.cloned().unwrap_or_else(|| definition.default.to_owned()),
            kind: definition.kind,
            source: if set.is_some() { DYNAMIC_TOPIC } else { DEFAULT },
            read_only: false,
            behind: Some((definition.broker_name, definition.default)),
        }
    }

    fn into_result(self, version: i16, synonyms: bool) -> DescribeConfigsResourceResult {
        let synonym = |name: &str, value: &str, source| {
            DescribeConfigsSynonym::default()
                .with_name(text(name))
                .with_value(Some(text(value)))
                .with_source(source)
        };
        let mut known = Vec::new();
        if synonyms {
            if self.source != DEFAULT {
                known.push(synonym(self.name, &self.value, self.source));
            }
            known.extend(self.behind.map(|(name, value)| synonym(name, value, DEFAULT)));
        }
        DescribeConfigsResourceResult::default()
            .with_name(text(self.name))
            .with_value(Some(text(self.value)))
            .with_read_only(self.read_only)
            .with_config_source(self.source)
            .with_synonyms(known)
            .with_config_type(if version >= 3 { self.kind as i8 } else { 0 })
    }
}

fn of_broker(call: &Call) -> Vec<Described> {
    let config = &call.shared.config;
    let set = |name, value: String, kind| Described {
        name,
        value,
        kind,
        source: STATIC_BROKER,
        read_only: true,
        behind: None,
    };
    let default = |definition: &Definition| Described {
        name: definition.broker_name,
        value: definition.default.to_owned(),
        kind: definition.kind,
        source: DEFAULT,
        read_only: false,
        behind: Some((definition.broker_name, definition.default)),
    };
    let millis = |duration: std::time::Duration| duration.as_millis().to_string();
    let mut configs = vec![
        set("auto.create.topics.enable", config.auto_create_topics.to_string(), Kind::Boolean),
        set("default.replication.factor", "1".into(), Kind::Int),
        set("group.initial.rebalance.delay.ms", millis(config.initial_rebalance_delay), Kind::Int),
        set("group.max.session.timeout.ms", millis(config.max_session_timeout), Kind::Int),
        set("group.min.session.timeout.ms", millis(config.min_session_timeout), Kind::Int),
        set("node.id", NODE_ID.to_string(), Kind::Int),
        set("num.partitions", config.default_partitions.to_string(), Kind::Int),
    ];
    configs.extend(DEFINITIONS.iter().map(default));
    configs.sort_by_key(|config| config.name);
    configs
}
