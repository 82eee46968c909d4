//! What a group knows of one member.

use super::{Join, Millis, Token};
use bytes::Bytes;

/// A member of a group. It is kept alive by heartbeats, or by a request of its that waits for its reply.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) id: String,
    pub(crate) instance_id: Option<String>,
    pub(crate) client_id: String,
    pub(crate) client_host: String,
    pub(crate) session_timeout: Millis,
    pub(crate) rebalance_timeout: Millis,
    pub(crate) protocols: Vec<(String, Bytes)>,
    pub(crate) assignment: Bytes,
    pub(crate) awaiting_join: Option<Token>,
    pub(crate) awaiting_sync: Option<Token>,
    /// Whether its SyncGroup of this generation is still to come.
    pub(crate) must_sync: bool,
    /// When it is given up unless it is heard of.
    pub(crate) session_deadline: Millis,
}

impl Member {
    pub(crate) fn new(id: String, now: Millis, token: Token, join: Join) -> Self {
        Self {
            id,
            instance_id: join.instance_id,
            client_id: join.client_id,
            client_host: join.client_host,
            session_timeout: join.session_timeout,
            rebalance_timeout: join.rebalance_timeout,
            protocols: join.protocols,
            assignment: Bytes::new(),
            awaiting_join: Some(token),
            awaiting_sync: None,
            must_sync: false,
            session_deadline: now.saturating_add(join.session_timeout),
        }
    }

    /// Takes over what a later join says.
    pub(crate) fn update(&mut self, join: Join) {
        self.client_id = join.client_id;
        self.client_host = join.client_host;
        self.session_timeout = join.session_timeout;
        self.rebalance_timeout = join.rebalance_timeout;
        self.protocols = join.protocols;
    }

    pub(crate) fn heard(&mut self, now: Millis) {
        self.session_deadline = now.saturating_add(self.session_timeout);
    }

    /// Whether it was quiet for too long.
    pub(crate) fn is_expired(&self, now: Millis) -> bool {
        !self.is_waiting() && self.session_deadline <= now
    }

    pub(crate) fn is_waiting(&self) -> bool {
        self.awaiting_join.is_some() || self.awaiting_sync.is_some()
    }

    pub(crate) fn supports(&self, protocol: &str) -> bool {
        self.protocols.iter().any(|(name, _)| name == protocol)
    }

    /// Its metadata for a protocol; empty if it does not support it.
    pub(crate) fn metadata(&self, protocol: &str) -> Bytes {
        let found = self.protocols.iter().find(|(name, _)| name == protocol);
        found.map(|(_, metadata)| metadata.clone()).unwrap_or_default()
    }
}
