//! Administration: topics, groups, configurations, transactions and access.
//!
//! # Layout
//!
//! - [`topics`]: create, delete, list, describe. [`partitions`]: more of them, other leaders and replicas.
//! - [`offsets`]: earliest, latest, or by timestamp. [`records`]: delete them; who produces them.
//! - [`configs`], [`config_changes`]: configurations, read and changed.
//! - [`groups`], [`group_description`], [`group_offsets`]: groups, their members, what they committed.
//! - [`transactions`]: fence, list, describe, abort.
//! - [`acls`]: access control lists. [`features`]: levels that the brokers agree on.
//! - `rounds`: each item is asked where it belongs, and asked again while that may help.
//!
//! # How data flows
//!
//! ```text
//! items ─▶ each at its leader, coordinator, broker or the controller ─▶ results by item
//!    ▲                                                             │
//!    └────── wait, those that moved or are not available yet ◀─────┘
//! ```
//!
//! Each operation is repeated for `default.api.timeout.ms` while its error is retriable. Operations on several
//! items give a result for each, in the order asked; the outer error means that nothing is known of any.
//!
//! # What it must never do
//!
//! Hide that an item failed behind the success of others, or take an answer that lacks an item for success.

pub mod acls;
pub mod config_changes;
pub mod configs;
pub mod features;
pub mod group_description;
pub mod group_offsets;
pub mod groups;
pub mod offsets;
pub mod partitions;
pub mod records;
mod rounds;
pub mod topics;
pub mod transactions;

pub use acls::{AclBinding, AclFilter, AclOperation, AclPattern, AclPermission, AclResource};
pub use config_changes::ConfigChange;
pub use configs::{ConfigEntry, ConfigResource};
pub use features::Features;
pub use group_description::{GroupDescription, GroupKind, MemberDescription};
pub use group_offsets::{GroupOffsets, WantedOffsets};
pub use groups::{GroupFilter, GroupList, GroupListing, MemberToRemove};
pub use offsets::{IsolationLevel, ListedOffset, OffsetSpec};
pub use partitions::{ElectionKind, NewPartitions, Reassignment};
pub use records::{HIGH_WATERMARK, ProducerState};
pub use topics::{CreatedTopic, NewTopic};
pub use transactions::{
    FencedProducer, HangingTransaction, TransactionDescription, TransactionFilter, TransactionList,
    TransactionListing,
};

use crate::cluster::Cluster;
use crate::error::ClientError;
use crate::metadata::{BrokerInfo, NodeId, TopicSelection};
use kafka_protocol::protocol::StrBytes;
use std::sync::Arc;

/// Administrative operations. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Admin {
    cluster: Cluster,
}

/// A cluster as it describes itself.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClusterDescription {
    /// The cluster's id.
    pub cluster_id: String,
    /// The broker that takes changes of topics.
    pub controller: Option<NodeId>,
    /// All brokers that are up.
    pub brokers: Vec<BrokerInfo>,
}

/// One item of an operation on several, with what became of it.
pub type ItemResult<K, T> = (K, Result<T, ClientError>);

impl Admin {
    /// Over the connections of `cluster`. No I/O.
    pub fn new(cluster: Cluster) -> Self {
        Self { cluster }
    }

    /// The cluster's id, controller and brokers, asked for now.
    pub async fn describe_cluster(&self) -> Result<ClusterDescription, ClientError> {
        let snapshot = self
            .retrying("describing the cluster", || self.cluster.refresh(TopicSelection::None, false))
            .await?;
        Ok(ClusterDescription {
            cluster_id: snapshot.cluster_id.as_deref().unwrap_or_default().to_owned(),
            controller: snapshot.controller,
            brokers: snapshot.brokers.values().cloned().collect(),
        })
    }

    async fn retrying<T, F>(&self, what: &str, attempt: impl FnMut() -> F) -> Result<T, ClientError>
    where
        F: Future<Output = Result<T, ClientError>>,
    {
        self.cluster.retrying(what, self.cluster.config().default_api_timeout, attempt).await
    }

    /// How long the broker itself may take, in milliseconds; a little less than this client waits.
    fn broker_timeout_ms(&self) -> i32 {
        i32::try_from(self.cluster.config().request_timeout.as_millis()).unwrap_or(i32::MAX)
    }
}

fn shared_text(text: &StrBytes) -> Arc<str> {
    text.as_str().into()
}
