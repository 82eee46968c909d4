//! Configurations of topics and brokers.

use super::{Admin, ItemResult};
use crate::connection::ConnectionClass;
use crate::error::{BrokerError, ClientError, ErrorCode};
use crate::metadata::NodeId;
use crate::text::str_bytes;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_configs_response::DescribeConfigsResult;
use kafka_protocol::messages::{DescribeConfigsRequest, DescribeConfigsResponse};

const MAX_VERSION: i16 = 4;
const API: &str = "DescribeConfigs";

/// What a configuration belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ConfigResource {
    /// A broker.
    Broker(NodeId),
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
    fn kind(&self) -> i8 {
        match self {
            Self::Topic(_) => 2,
            Self::Broker(_) => 4,
        }
    }

    fn name(&self) -> String {
        match self {
            Self::Topic(name) => name.clone(),
            Self::Broker(node) => node.to_string(),
        }
    }
}

impl Admin {
    /// All settings of the resources, defaults included. A broker is asked for its own.
    pub async fn describe_configs(
        &self,
        resources: &[ConfigResource],
    ) -> Result<Vec<ItemResult<ConfigResource, Vec<ConfigEntry>>>, ClientError> {
        let mut results = Vec::with_capacity(resources.len());
        let topics: Vec<_> =
            resources.iter().filter(|r| matches!(r, ConfigResource::Topic(_))).cloned().collect();
        if !topics.is_empty() {
            results.extend(self.describe_at(None, &topics).await?);
        }
        for resource in resources {
            if let ConfigResource::Broker(node) = resource {
                results.extend(self.describe_at(Some(*node), std::slice::from_ref(resource)).await?);
            }
        }
        results.sort_by_key(|(resource, _)| resources.iter().position(|r| r == resource));
        Ok(results)
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
        let attempt = || async {
            match node {
                Some(node) => {
                    self.cluster
                        .call(node, ConnectionClass::Admin, request.clone(), MAX_VERSION, timeout)
                        .await
                }
                None => self.cluster.call_any(request.clone(), MAX_VERSION, timeout).await,
            }
        };
        Ok(read(resources, self.retrying("describing configurations", attempt).await?))
    }
}

fn read(
    resources: &[ConfigResource],
    answer: DescribeConfigsResponse,
) -> Vec<ItemResult<ConfigResource, Vec<ConfigEntry>>> {
    let find = |result: &DescribeConfigsResult| {
        let same =
            |r: &&ConfigResource| r.kind() == result.resource_type && r.name() == *result.resource_name;
        resources.iter().find(same).cloned()
    };
    answer.results.into_iter().filter_map(|r| Some((find(&r)?, entries(r)))).collect()
}

fn entries(result: DescribeConfigsResult) -> Result<Vec<ConfigEntry>, ClientError> {
    ErrorCode(result.error_code).ok().map_err(|code| {
        let error = BrokerError::new(code, API).message(result.error_message.as_deref());
        if result.resource_type == 2 { error.topic(result.resource_name.as_str()) } else { error }
    })?;
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
