//! A host for tests: contexts, configs and stored offsets.

use crossdock_api::sink::SinkTaskHost;
use crossdock_api::source::{ConnectorHost, OffsetReader};
use crossdock_api::{
    ConfigMap, ConnectError, ConnectorContext, Map, OffsetMap, SinkBatch, SinkTaskContext, SourceTaskContext,
    TopicPartition, async_trait,
};
use std::sync::Arc;
use std::time::Duration;

pub(crate) fn config(pairs: &[(&str, &str)]) -> ConfigMap {
    pairs.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
}

/// A host whose offset store holds the same offset for every partition.
#[derive(Default)]
pub(crate) struct Host {
    stored: Option<Map>,
}

#[async_trait]
impl OffsetReader for Host {
    async fn offsets(&self, partitions: &[Map]) -> Result<Vec<Option<Map>>, ConnectError> {
        Ok(partitions.iter().map(|_| self.stored.clone()).collect())
    }
}

impl ConnectorHost for Host {
    fn request_task_reconfiguration(&self) {}
    fn raise_error(&self, _: ConnectError) {}
    fn offset_reader(&self) -> Arc<dyn OffsetReader> {
        Arc::new(Self::default())
    }
}

#[async_trait]
impl SinkTaskHost for Host {
    fn pause(&self, _: &[TopicPartition]) {}
    fn resume(&self, _: &[TopicPartition]) {}
    fn rewind(&self, _: OffsetMap) {}
    fn set_timeout(&self, _: Duration) {}
    fn request_commit(&self) {}
    async fn report(&self, _: &SinkBatch, _: usize, error: ConnectError) -> Result<(), ConnectError> {
        Err(error)
    }
    fn tolerates_bad_records(&self) -> bool {
        false
    }
}

pub(crate) fn connector_context() -> ConnectorContext {
    ConnectorContext::new("c", Arc::new(Host::default()))
}

pub(crate) fn source_context(stored: Option<Map>) -> SourceTaskContext {
    SourceTaskContext::new("c", 0, Arc::new(Host { stored }))
}

pub(crate) fn sink_context() -> SinkTaskContext {
    SinkTaskContext::new("c", 0, Arc::new(Host::default()))
}
