//! Offsets of connectors: the bodies of `/connectors/{name}/offsets` (KIP-875).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The offsets of a connector (`ConnectorOffsets`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConnectorOffsets {
    /// One a partition.
    pub offsets: Vec<ConnectorOffset>,
}

/// An offset and the partition that it is of (`ConnectorOffset`). A source says what they are made of; those of a sink
/// have the fields `kafka_topic`, `kafka_partition` and `kafka_offset`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConnectorOffset {
    /// The partition.
    #[serde(default)]
    pub partition: Option<Map<String, Value>>,
    /// The offset; null deletes the one that there is.
    #[serde(default)]
    pub offset: Option<Map<String, Value>>,
}

/// What was done, in words (`Message`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Message {
    /// The words.
    pub message: String,
}
