//! Configurations of topics, brokers, groups and client metrics.

use super::config_changes::refused;
use super::rounds::all_failed;
use super::{Admin, ItemResult};
use crate::error::{ClientError, ErrorCode};
use crate::metadata::NodeId;
use crate::text::str_bytes;
use futures_util::future::join_all;
use kafka_protocol::messages::DescribeConfigsRequest;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_configs_response::DescribeConfigsResult;
use std::collections::BTreeMap;
use std::fmt;

const MAX_VERSION: i16 = 4;
const API: &str = "DescribeConfigs";

/// What a configuration belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum ConfigResource {
    /// A broker.
    Broker(NodeId),
    /// What all brokers have, unless they have their own.
    BrokerDefaults,
    /// The loggers of a broker, by name; the values are levels.
    BrokerLoggers(NodeId),
    /// A subscription to metrics of clients (KIP-714), by name.
    ClientMetrics(String),
    /// A group, by its id (Kafka 4.0 and newer).
    Group(String),
    /// A topic, by name.
    Topic(String),
}

/// One setting.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConfigEntry {
    /// The key.
    pub name: String,
    /// The value; `None` if it is null or a secret.
    pub value: Option<String>,
    /// Whether this is the default rather than set by somebody.
    pub is_default: bool,
    /// Whether it is a secret.
    pub is_sensitive: bool,
    /// Whether it cannot be changed while the broker runs.
    pub read_only: bool,
}

/// Kafka's `ConfigSource.DEFAULT_CONFIG`.
const SOURCE_DEFAULT: i8 = 5;

impl ConfigResource {
    /// `ConfigResource.Type` of Java's clients.
    pub(super) fn kind(&self) -> i8 {
        match self {
            Self::Topic(_) => 2,
            Self::Broker(_) | Self::BrokerDefaults => 4,
            Self::BrokerLoggers(_) => 8,
            Self::ClientMetrics(_) => 16,
            Self::Group(_) => 32,
        }
    }

    pub(super) fn name(&self) -> String {
        match self {
            Self::Topic(name) | Self::ClientMetrics(name) | Self::Group(name) => name.clone(),
            Self::Broker(node) | Self::BrokerLoggers(node) => node.to_string(),
            Self::BrokerDefaults => String::new(),
        }
    }

    /// The broker that must be asked; any other resource is known everywhere.
    pub(super) fn node(&self) -> Option<NodeId> {
        match self {
            Self::Broker(node) | Self::BrokerLoggers(node) => Some(*node),
            Self::BrokerDefaults | Self::ClientMetrics(_) | Self::Group(_) | Self::Topic(_) => None,
        }
    }

    /// `None` for kinds that this client does not know.
    pub(super) fn of_wire(kind: i8, name: &str) -> Option<Self> {
        let node = || name.parse().ok().map(NodeId);
        match kind {
            2 => Some(Self::Topic(name.to_owned())),
            4 if name.is_empty() => Some(Self::BrokerDefaults),
            4 => node().map(Self::Broker),
            8 => node().map(Self::BrokerLoggers),
            16 => Some(Self::ClientMetrics(name.to_owned())),
            32 => Some(Self::Group(name.to_owned())),
            _ => None,
        }
    }
}

impl fmt::Display for ConfigResource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broker(node) => write!(f, "broker {node}"),
            Self::BrokerDefaults => f.write_str("the defaults of all brokers"),
            Self::BrokerLoggers(node) => write!(f, "loggers of broker {node}"),
            Self::ClientMetrics(name) => write!(f, "client metrics {name}"),
            Self::Group(name) => write!(f, "group {name}"),
            Self::Topic(name) => write!(f, "topic {name}"),
        }
    }
}

impl Admin {
    /// All settings of the resources, defaults included. A broker is asked for its own.
    pub async fn describe_configs(
        &self,
        resources: &[ConfigResource],
    ) -> Result<Vec<ItemResult<ConfigResource, Vec<ConfigEntry>>>, ClientError> {
        let round = |open: Vec<ConfigResource>| async move {
            let mut by_node: BTreeMap<Option<NodeId>, Vec<ConfigResource>> = BTreeMap::new();
            for resource in open {
                by_node.entry(resource.node()).or_default().push(resource);
            }
            let asked = by_node.into_iter().map(|(node, resources)| async move {
                let described = self.describe_at(node, &resources).await;
                described.unwrap_or_else(|error| all_failed(resources, &error))
            });
            Ok(join_all(asked).await.into_iter().flatten().collect())
        };
        self.each(API, resources, round).await
    }

    async fn describe_at(
        &self,
        node: Option<NodeId>,
        resources: &[ConfigResource],
    ) -> Result<Vec<ItemResult<ConfigResource, Vec<ConfigEntry>>>, ClientError> {
        let wire = |resource: &ConfigResource| {
            DescribeConfigsResource::default()
                .with_resource_type(resource.kind())
                .with_resource_name(str_bytes(&resource.name()))
                .with_configuration_keys(None)
        };
        let request = DescribeConfigsRequest::default().with_resources(resources.iter().map(wire).collect());
        let timeout = self.cluster.config().request_timeout;
        let answer = match node {
            Some(node) => self.ask(node, request, MAX_VERSION).await?,
            None => self.cluster.call_any(request, MAX_VERSION, timeout).await?,
        };
        let result = |r: DescribeConfigsResult| {
            let resource = ConfigResource::of_wire(r.resource_type, &r.resource_name)?;
            let entries = entries(&resource, r);
            Some((resource, entries))
        };
        Ok(answer.results.into_iter().filter_map(result).collect())
    }
}

fn entries(
    resource: &ConfigResource,
    result: DescribeConfigsResult,
) -> Result<Vec<ConfigEntry>, ClientError> {
    let error = |code| refused(API, code, resource, result.error_message.as_deref());
    ErrorCode(result.error_code).ok().map_err(error)?;
    let entry =
        |config: kafka_protocol::messages::describe_configs_response::DescribeConfigsResourceResult| {
            ConfigEntry {
                name: config.name.as_str().to_owned(),
                value: config.value.map(|v| v.as_str().to_owned()),
                is_default: config.config_source == SOURCE_DEFAULT,
                is_sensitive: config.is_sensitive,
                read_only: config.read_only,
            }
        };
    Ok(result.configs.into_iter().map(entry).collect())
}
