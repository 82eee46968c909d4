//! What the REST API and embedders can ask of a worker: [`Herder`], and the answers' shapes.
//!
//! The shapes serialize to the bodies of Connect's REST API
//! (`org.apache.kafka.connect.runtime.rest.entities`), one file for each concern.

mod error;
mod info;
pub mod offsets;
pub mod plugins;
mod requests;
mod status;

use crate::metrics::MetricGroup;
use async_trait::async_trait;
use crossdock_api::ConfigMap;
use crossdock_api::config::NullableConfig;
use offsets::{ConnectorOffset, ConnectorOffsets, Message};
use plugins::{ConfigInfos, ConfigKeyInfo, PluginInfo};

pub use error::HerderError;
pub use info::{ConnectorInfo, ConnectorKind, ServerInfo, TaskId, TaskInfo};
pub use requests::{RequestSignature, RestartRequest, TargetState};
pub use status::{ConnectorState, ConnectorStatus, State, TaskStatus};

/// Governs the connectors of a worker, alone (standalone) or in a group. Mirrors
/// `org.apache.kafka.connect.runtime.Herder`. All methods may be called at any time from any task and
/// are cancel-safe: a restart that was begun is carried through.
#[async_trait]
pub trait Herder: Send + Sync {
    /// Version, commit and the Kafka cluster's id. The id is waited for a few seconds, then null.
    async fn server_info(&self) -> ServerInfo;

    /// What the worker measures of itself, its connectors and tasks.
    async fn metrics(&self) -> Vec<MetricGroup>;

    /// The plugins by kind and name, or only connectors.
    async fn plugins(&self, connectors_only: bool) -> Vec<PluginInfo>;

    /// The keys of a plugin, named by its class or a short form of it; `latest` is any version.
    async fn plugin_config(&self, plugin: &str, version: &str) -> Result<Vec<ConfigKeyInfo>, HerderError>;

    /// Checks a connector's configuration. Mistakes are in the answer.
    ///
    /// # Errors
    /// A configuration without a connector's class, or whose class is not there.
    async fn validate_config(&self, config: NullableConfig) -> Result<ConfigInfos, HerderError>;

    /// Creates a connector. That its tasks fail then is no error here: it shows in its status.
    ///
    /// # Errors
    /// A configuration that is not valid, a name that is taken; that the connector itself cannot be started: it is
    /// there then, and FAILED.
    async fn create_connector(
        &self,
        name: &str,
        config: NullableConfig,
        initial_state: TargetState,
    ) -> Result<ConnectorInfo, HerderError>;

    /// Creates a connector, or gives it another configuration: `true` if it was created. The connector is restarted, its
    /// tasks if anything has changed for them.
    ///
    /// # Errors
    /// As [`Self::create_connector`].
    async fn put_connector_config(
        &self,
        name: &str,
        config: NullableConfig,
    ) -> Result<(bool, ConnectorInfo), HerderError>;

    /// Changes some keys of a connector's configuration (KIP-477); null removes a key.
    ///
    /// # Errors
    /// As [`Self::create_connector`]; no such connector.
    async fn patch_connector_config(
        &self,
        name: &str,
        patch: NullableConfig,
    ) -> Result<ConnectorInfo, HerderError>;

    /// Stops a connector with its tasks and forgets it. Its offsets stay.
    async fn delete_connector(&self, connector: &str) -> Result<(), HerderError>;

    /// Says what a connector shall do from now on. That it fails to do so shows in its status.
    async fn set_target_state(&self, connector: &str, state: TargetState) -> Result<(), HerderError>;

    /// Names of all connectors, sorted.
    async fn connectors(&self) -> Result<Vec<String>, HerderError>;

    /// Config, tasks and type of a connector.
    async fn connector_info(&self, connector: &str) -> Result<ConnectorInfo, HerderError>;

    /// State of a connector and its tasks.
    async fn connector_status(&self, connector: &str) -> Result<ConnectorStatus, HerderError>;

    /// The configs of a connector's tasks, in the order of their numbers.
    async fn task_configs(&self, connector: &str) -> Result<Vec<TaskInfo>, HerderError>;

    /// State of one task.
    async fn task_status(&self, connector: &str, task: u32) -> Result<TaskStatus, HerderError>;

    /// The offsets of a connector: of a source those that are stored, of a sink those of its consumer group.
    async fn connector_offsets(&self, connector: &str) -> Result<ConnectorOffsets, HerderError>;

    /// Sets and deletes offsets of a connector that is STOPPED, if it agrees.
    async fn alter_connector_offsets(
        &self,
        connector: &str,
        offsets: Vec<ConnectorOffset>,
    ) -> Result<Message, HerderError>;

    /// Deletes all offsets of a connector that is STOPPED, if it agrees.
    async fn reset_connector_offsets(&self, connector: &str) -> Result<Message, HerderError>;

    /// The topics that a connector's tasks have written to or read from, sorted.
    ///
    /// # Errors
    /// If the worker does not track them (`topic.tracking.enable`).
    async fn active_topics(&self, connector: &str) -> Result<Vec<String>, HerderError>;

    /// Forgets the topics that a connector has used.
    ///
    /// # Errors
    /// If the worker does not allow it (`topic.tracking.enable`, `topic.tracking.allow.reset`).
    async fn reset_active_topics(&self, connector: &str) -> Result<(), HerderError>;

    /// Stops one task, if it runs, and starts it again.
    async fn restart_task(&self, connector: &str, task: u32) -> Result<(), HerderError>;

    /// Stops a connector, if it runs, and starts it again, as the request says also with tasks.
    async fn restart_connector(&self, connector: &str, request: RestartRequest) -> Result<(), HerderError>;

    /// Takes the configs of a connector's tasks from another worker.
    async fn put_task_configs(
        &self,
        connector: &str,
        configs: Vec<ConfigMap>,
        signature: Option<RequestSignature>,
    ) -> Result<(), HerderError>;

    /// Fences the tasks of a source that ran before, for another worker (KIP-618).
    async fn fence_zombie_source_tasks(
        &self,
        connector: &str,
        signature: Option<RequestSignature>,
    ) -> Result<(), HerderError>;
}
