//! Which broker coordinates a group.

use super::Cluster;
use crate::error::{BrokerError, ClientError, ErrorCode};
use crate::metadata::NodeId;
use crate::sync::lock;
use crate::text::str_bytes;
use kafka_protocol::messages::{BrokerId, FindCoordinatorRequest, FindCoordinatorResponse};
use kafka_protocol::protocol::StrBytes;
use std::sync::Arc;

/// FindCoordinator 4 asks for several keys at once (KIP-699); 3 is as good for one.
const MAX_VERSION: i16 = 4;
const API: &str = "FindCoordinator";

/// What a coordinator coordinates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CoordinatorKind {
    /// A consumer (or Connect) group, by its id.
    Group,
    /// A transactional producer, by its transactional id.
    Transaction,
}

impl Cluster {
    /// The coordinator of a group. Found once and remembered until [`Cluster::forget_coordinator`];
    /// retried for `default.api.timeout.ms`, since the first group of a cluster has the offsets topic
    /// created.
    pub async fn coordinator(&self, group: &str) -> Result<NodeId, ClientError> {
        self.coordinator_of(CoordinatorKind::Group, group).await
    }

    /// To be called when the coordinator turns out to have moved or cannot be reached.
    pub fn forget_coordinator(&self, group: &str) {
        self.forget_coordinator_of(CoordinatorKind::Group, group);
    }

    /// As [`Cluster::coordinator`], for any kind.
    pub async fn coordinator_of(&self, kind: CoordinatorKind, key: &str) -> Result<NodeId, ClientError> {
        let entry = (kind, Arc::from(key));
        let known = lock(&self.inner.coordinators).get(&entry).copied();
        if let Some(node) = known {
            return Ok(node);
        }
        let what = format!("finding the coordinator of {key}");
        let timeout = self.config().default_api_timeout;
        let node = self.retrying(&what, timeout, || self.find_coordinator(kind, key)).await?;
        lock(&self.inner.coordinators).insert(entry, node);
        Ok(node)
    }

    /// As [`Cluster::forget_coordinator`], for any kind.
    pub fn forget_coordinator_of(&self, kind: CoordinatorKind, key: &str) {
        let entry = (kind, Arc::from(key));
        lock(&self.inner.coordinators).remove(&entry);
    }

    async fn find_coordinator(&self, kind: CoordinatorKind, key: &str) -> Result<NodeId, ClientError> {
        let key_type = match kind {
            CoordinatorKind::Group => 0,
            CoordinatorKind::Transaction => 1,
        };
        let name = str_bytes(key);
        let connection = self.connection_to_any(&self.inner.pool).await?;
        let request = |version: i16| {
            let request = FindCoordinatorRequest::default().with_key_type(key_type);
            if version >= 4 { request.with_coordinator_keys(vec![name]) } else { request.with_key(name) }
        };
        let answer = connection.call(MAX_VERSION, self.config().request_timeout, request).await?;
        let (code, node, message) = first_of(answer);
        let refused = |code| {
            let error = BrokerError::new(code, API).message(message.as_deref());
            if kind == CoordinatorKind::Group { error.group(key) } else { error }
        };
        code.ok().map_err(|code| ClientError::from(refused(code)))?;
        if node.0 < 0 {
            return Err(refused(ErrorCode::COORDINATOR_NOT_AVAILABLE).into());
        }
        Ok(NodeId(node.0))
    }
}

fn first_of(answer: FindCoordinatorResponse) -> (ErrorCode, BrokerId, Option<StrBytes>) {
    match answer.coordinators.into_iter().next() {
        Some(first) => (ErrorCode(first.error_code), first.node_id, first.error_message),
        None => (ErrorCode(answer.error_code), answer.node_id, answer.error_message),
    }
}
