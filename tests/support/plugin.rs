//! A connector with one task, whatever its kind: what the task does is its script's matter.

use crossdock::api::source::Connector;
use crossdock::api::{ConfigDef, ConfigMap, ConnectError, ConnectorContext, async_trait};
use std::sync::Arc;

/// A connector with one task that follows the script `T`.
pub(crate) struct Single<T>(pub(crate) Arc<T>);

#[async_trait]
impl<T: Send + Sync> Connector for Single<T> {
    fn version(&self) -> &str {
        "test"
    }

    fn config_def(&self) -> ConfigDef {
        ConfigDef::new()
    }

    async fn start(&mut self, _: ConnectorContext, _: &ConfigMap) -> Result<(), ConnectError> {
        Ok(())
    }

    async fn task_configs(&mut self, _: usize) -> Result<Vec<ConfigMap>, ConnectError> {
        Ok(vec![ConfigMap::new()])
    }
}
