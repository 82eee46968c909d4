//! The producer id that makes retries recognisable (KIP-98).

use super::ordering::Identity;
use crate::cluster::Cluster;
use crate::error::{BrokerError, ClientError, ErrorCode};
use kafka_protocol::messages::{InitProducerIdRequest, ProducerId};
use std::time::Duration;

/// InitProducerId 5; 6 is about two-phase commits.
const MAX_VERSION: i16 = 5;

/// Asks any broker for a new producer id.
pub(super) async fn request(cluster: &Cluster, timeout: Duration) -> Result<Identity, ClientError> {
    let request = InitProducerIdRequest::default()
        .with_transactional_id(None)
        .with_transaction_timeout_ms(i32::MAX)
        .with_producer_id(ProducerId(-1))
        .with_producer_epoch(-1);
    let answer = cluster.call_any(request, MAX_VERSION, timeout).await?;
    let refused = |code| ClientError::from(BrokerError::new(code, "InitProducerId"));
    ErrorCode(answer.error_code).ok().map_err(refused)?;
    Ok(Identity { id: answer.producer_id.0, epoch: answer.producer_epoch })
}
