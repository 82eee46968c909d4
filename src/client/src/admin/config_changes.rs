//! Changes of configurations (KIP-339), and which resources have any.

use super::configs::ConfigResource;
use super::{Admin, ItemResult};
use crate::connection::ConnectionClass;
use crate::error::{BrokerError, ClientError, ErrorCode};
use crate::metadata::NodeId;
use crate::text::str_bytes;
use kafka_protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use kafka_protocol::messages::incremental_alter_configs_response::AlterConfigsResourceResponse;
use kafka_protocol::messages::{IncrementalAlterConfigsRequest, ListConfigResourcesRequest};
use std::collections::BTreeMap;

const ALTER: &str = "IncrementalAlterConfigs";
const LIST: &str = "ListConfigResources";

/// A change of one setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfigChange {
    /// Sets the value.
    Set(String),
    /// Back to the default.
    Delete,
    /// Adds to a list what is not in it.
    Append(String),
    /// Removes from a list.
    Subtract(String),
}

impl ConfigChange {
    fn to_wire(&self, key: &str) -> AlterableConfig {
        let (operation, value) = match self {
            Self::Set(value) => (0, Some(value)),
            Self::Delete => (1, None),
            Self::Append(value) => (2, Some(value)),
            Self::Subtract(value) => (3, Some(value)),
        };
        AlterableConfig::default()
            .with_name(str_bytes(key))
            .with_config_operation(operation)
            .with_value(value.map(|v| str_bytes(v)))
    }
}

impl Admin {
    /// Changes settings, by resource and key; those that are not named stay. All changes of a resource are
    /// made, or none. A broker makes its own changes, the controller all others. With `validate_only`
    /// nothing is changed.
    pub async fn alter_configs(
        &self,
        changes: &BTreeMap<ConfigResource, BTreeMap<String, ConfigChange>>,
        validate_only: bool,
    ) -> Result<Vec<ItemResult<ConfigResource, ()>>, ClientError> {
        let resources: Vec<_> = changes.keys().cloned().collect();
        let round = |open: Vec<ConfigResource>| async move {
            let mut by_node: BTreeMap<Option<NodeId>, Vec<ConfigResource>> = BTreeMap::new();
            for resource in open {
                by_node.entry(resource.node()).or_default().push(resource);
            }
            let mut results = Vec::new();
            for (node, resources) in by_node {
                match self.alter_at(node, &resources, changes, validate_only).await {
                    Ok(answered) => results.extend(answered),
                    Err(error) => results.extend(super::rounds::all_failed(resources, &error)),
                }
            }
            Ok(results)
        };
        self.each(ALTER, &resources, round).await
    }

    async fn alter_at(
        &self,
        node: Option<NodeId>,
        resources: &[ConfigResource],
        changes: &BTreeMap<ConfigResource, BTreeMap<String, ConfigChange>>,
        validate_only: bool,
    ) -> Result<Vec<ItemResult<ConfigResource, ()>>, ClientError> {
        let wire = |resource: &ConfigResource| {
            let changes = changes.get(resource).into_iter().flatten();
            AlterConfigsResource::default()
                .with_resource_type(resource.kind())
                .with_resource_name(str_bytes(&resource.name()))
                .with_configs(changes.map(|(key, change)| change.to_wire(key)).collect())
        };
        let request = IncrementalAlterConfigsRequest::default()
            .with_resources(resources.iter().map(wire).collect())
            .with_validate_only(validate_only);
        let timeout = self.cluster.config().request_timeout;
        let answer = match node {
            Some(node) => self.cluster.call(node, ConnectionClass::Admin, request, 1, timeout).await?,
            None => self.cluster.call_controller(request, 1, timeout).await?,
        };
        let result = |r: AlterConfigsResourceResponse| {
            let resource = ConfigResource::of_wire(r.resource_type, &r.resource_name)?;
            let error = |code| refused(ALTER, code, &resource, r.error_message.as_deref());
            let result = ErrorCode(r.error_code).ok().map_err(error);
            Some((resource, result))
        };
        Ok(answer.responses.into_iter().filter_map(result).collect())
    }

    /// The resources that have settings of their own: client metrics, and from Kafka 4.1 on groups, topics
    /// and brokers too. Resources of kinds that this client does not know are left out.
    pub async fn list_config_resources(&self) -> Result<Vec<ConfigResource>, ClientError> {
        let attempt = || async {
            let timeout = self.cluster.config().request_timeout;
            let answer = self.cluster.call_any(ListConfigResourcesRequest::default(), 1, timeout).await?;
            ErrorCode(answer.error_code).ok().map_err(|code| BrokerError::new(code, LIST))?;
            Ok(answer)
        };
        let answer = self.retrying(LIST, attempt).await?;
        let resource = |r: kafka_protocol::messages::list_config_resources_response::ConfigResource| {
            ConfigResource::of_wire(r.resource_type, &r.resource_name)
        };
        Ok(answer.config_resources.into_iter().filter_map(resource).collect())
    }
}

/// A refusal that names the resource.
pub(super) fn refused(
    api: &'static str,
    code: ErrorCode,
    resource: &ConfigResource,
    message: Option<&str>,
) -> ClientError {
    let error = BrokerError::new(code, api).message(message);
    match resource {
        ConfigResource::Topic(name) => error.topic(name.as_str()),
        ConfigResource::Group(name) => error.group(name.as_str()),
        other => error.about(other.to_string()),
    }
    .into()
}
