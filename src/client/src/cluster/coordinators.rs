//! The coordinators of several groups or transactional ids, found together.

use super::{Cluster, CoordinatorKind};
use crate::error::{BrokerError, ClientError, ErrorCode};
use crate::metadata::NodeId;
use crate::sync::lock;
use crate::text::str_bytes;
use kafka_protocol::messages::FindCoordinatorRequest;
use kafka_protocol::messages::find_coordinator_response::Coordinator;
use std::sync::Arc;

/// FindCoordinator 4 asks for several keys at once (KIP-699).
const MAX_VERSION: i16 = 4;
const SEVERAL: i16 = 4;
const API: &str = "FindCoordinator";

impl Cluster {
    /// The coordinator of each key, from memory or with one request; a broker before Kafka 3.0 gets one
    /// for each. Not retried. The outer error means that nothing is known of those that were asked for.
    pub(crate) async fn coordinators_once(
        &self,
        kind: CoordinatorKind,
        keys: &[String],
    ) -> Result<Vec<(String, Result<NodeId, ClientError>)>, ClientError> {
        let known = |key: &str| lock(&self.inner.coordinators).get(&(kind, Arc::from(key))).copied();
        let (mut found, mut open) = (Vec::with_capacity(keys.len()), Vec::new());
        for key in keys {
            match known(key) {
                Some(node) => found.push((key.clone(), Ok(node))),
                None => open.push(key.clone()),
            }
        }
        if open.is_empty() {
            return Ok(found);
        }
        for (key, asked) in self.find_coordinators(kind, &open).await? {
            if let Ok(node) = asked {
                lock(&self.inner.coordinators).insert((kind, Arc::from(key.as_str())), node);
            }
            found.push((key, asked));
        }
        Ok(found)
    }

    async fn find_coordinators(
        &self,
        kind: CoordinatorKind,
        keys: &[String],
    ) -> Result<Vec<(String, Result<NodeId, ClientError>)>, ClientError> {
        let connection = self.connection_to_any(&self.inner.pool).await?;
        let several = connection.version_of::<FindCoordinatorRequest>(MAX_VERSION)? >= SEVERAL;
        let mut found = Vec::with_capacity(keys.len());
        for chunk in keys.chunks(if several { keys.len() } else { 1 }) {
            let names = chunk.iter().map(|key| str_bytes(key));
            let request = FindCoordinatorRequest::default().with_key_type(match kind {
                CoordinatorKind::Group => 0,
                CoordinatorKind::Transaction => 1,
            });
            let request = if several {
                request.with_coordinator_keys(names.collect())
            } else {
                names.fold(request, FindCoordinatorRequest::with_key)
            };
            let answer = connection.call(MAX_VERSION, self.config().request_timeout, |_| request).await?;
            let one = || {
                Coordinator::default()
                    .with_key(chunk.first().map(|key| str_bytes(key)).unwrap_or_default())
                    .with_node_id(answer.node_id)
                    .with_error_code(answer.error_code)
                    .with_error_message(answer.error_message.clone())
            };
            let coordinators = if several { answer.coordinators } else { vec![one()] };
            found.extend(coordinators.into_iter().map(|c| (c.key.as_str().to_owned(), read(kind, &c))));
        }
        Ok(found)
    }
}

fn read(kind: CoordinatorKind, found: &Coordinator) -> Result<NodeId, ClientError> {
    let key = found.key.as_str();
    let refused = |code| {
        let error = BrokerError::new(code, API).message(found.error_message.as_deref());
        match kind {
            CoordinatorKind::Group => error.group(key),
            CoordinatorKind::Transaction => error.about(format!("transactional id {key}")),
        }
    };
    ErrorCode(found.error_code).ok().map_err(refused)?;
    if found.node_id.0 < 0 {
        return Err(refused(ErrorCode::COORDINATOR_NOT_AVAILABLE).into());
    }
    Ok(NodeId(found.node_id.0))
}
