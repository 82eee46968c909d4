//! Connections by broker and class.

use crate::backoff::{Backoff, Rng};
use crate::config::{Address, ClientConfig};
use crate::connection::{Connection, ConnectionClass};
use crate::error::ClientError;
use crate::sync::lock;
use futures_util::FutureExt;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::Instant;

/// Whom a connection leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Target {
    /// An entry of `bootstrap.servers`, by its place.
    Bootstrap(usize),
    /// A broker of the metadata.
    Node(crate::metadata::NodeId),
}

/// The connections of one or more handles.
#[derive(Debug)]
pub(super) struct Pool {
    config: Arc<ClientConfig>,
    slots: Mutex<HashMap<(Target, ConnectionClass), Arc<Slot>>>,
}

/// The place of one connection. The state's lock is held while connecting, so that one attempt at a time
/// is made and the others wait for its outcome.
#[derive(Debug)]
struct Slot {
    state: tokio::sync::Mutex<SlotState>,
    /// The open connection and the earliest next attempt, readable while one is under way.
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    connection: Option<(Address, Arc<Connection>)>,
    not_before: Option<Instant>,
    failures: u64,
}

#[derive(Debug)]
struct SlotState {
    backoff: Backoff,
    last_error: Option<ClientError>,
}

impl Pool {
    pub(super) fn new(config: Arc<ClientConfig>) -> Self {
        Self { config, slots: Mutex::default() }
    }

    /// The open connection, or a new one. Waits out the backoff after a failure. Callers that waited for
    /// an attempt of another one share its error. Cancel-safe.
    pub(super) async fn connection(
        &self,
        target: Target,
        class: ConnectionClass,
        address: &Address,
    ) -> Result<Arc<Connection>, ClientError> {
        let slot = self.slot(target, class);
        let failures = match slot.take_up(address) {
            Ok(connection) => return Ok(connection),
            Err(failures) => failures,
        };
        let mut state = slot.state.lock().await;
        match slot.take_up(address) {
            Ok(connection) => return Ok(connection),
            Err(now) if now != failures => {
                if let Some(error) = &state.last_error {
                    return Err(error.clone());
                }
            }
            Err(_) => {}
        }
        let not_before = slot.seen(|s| s.not_before);
        if let Some(at) = not_before {
            tokio::time::sleep_until(at).await;
        }
        let timeout = self.setup_timeout(state.backoff.attempts());
        // Boxed, since connecting is rare and its future, with TLS and SASL in it, is large.
        match Connection::connect(address, &self.config, timeout).boxed().await {
            Ok(connection) => {
                let connection = Arc::new(connection);
                state.backoff.reset();
                state.last_error = None;
                slot.seen(|s| {
                    s.connection = Some((address.clone(), connection.clone()));
                    // A broker that accepts and then hangs up at once must not be asked in a tight loop.
                    s.not_before = Some(Instant::now() + self.config.reconnect_backoff);
                });
                Ok(connection)
            }
            Err(error) => {
                tracing::debug!(%error, "connecting failed");
                let wait = state.backoff.next();
                state.last_error = Some(error.clone());
                slot.seen(|s| {
                    s.connection = None;
                    s.not_before = Some(Instant::now() + wait);
                    s.failures += 1;
                });
                Err(error)
            }
        }
    }

    /// Orders candidates: open connections with the fewest requests first, then those that may be tried at
    /// once, then those in backoff; equal ones by chance.
    pub(super) fn by_load(
        &self,
        mut candidates: Vec<(Target, Address)>,
        class: ConnectionClass,
    ) -> Vec<(Target, Address)> {
        let mut rng = Rng::random();
        let now = Instant::now();
        candidates.sort_by_cached_key(|(target, address)| {
            let slot = self.slot(*target, class);
            let chance = rng.below(1 << 16);
            match slot.open(address) {
                Ok(connection) => (0, connection.in_flight() as u128, chance),
                Err(0) => (1, 0, chance),
                Err(_) => match slot.seen(|s| s.not_before).and_then(|at| at.checked_duration_since(now)) {
                    Some(wait) => (2, wait.as_micros(), chance),
                    None => (1, 1, chance),
                },
            }
        });
        candidates
    }

    /// Closes all connections to brokers: the client begins anew with the bootstrap servers.
    pub(super) fn close_nodes(&self) {
        let mut slots = lock(&self.slots);
        for (_, slot) in slots.extract_if(|(target, _), _| matches!(target, Target::Node(_))) {
            if let Some((_, connection)) = slot.seen(|seen| seen.connection.take()) {
                connection.close("the client goes back to bootstrap.servers");
            }
        }
    }

    /// Lets the connections to bootstrap servers go, once brokers are known.
    pub(super) fn drop_bootstrap(&self) {
        let mut slots = lock(&self.slots);
        slots.retain(|(target, _), _| matches!(target, Target::Node(_)));
    }

    /// Lets connections to brokers go that left the cluster.
    pub(super) fn retain_nodes(&self, keep: impl Fn(crate::metadata::NodeId) -> bool) {
        let mut slots = lock(&self.slots);
        slots.retain(|(target, _), _| match target {
            Target::Bootstrap(_) => true,
            Target::Node(node) => keep(*node),
        });
    }

    fn slot(&self, target: Target, class: ConnectionClass) -> Arc<Slot> {
        let mut slots = lock(&self.slots);
        let slot = slots.entry((target, class)).or_insert_with(|| {
            let backoff = Backoff::new(self.config.reconnect_backoff, self.config.reconnect_backoff_max);
            let state = tokio::sync::Mutex::new(SlotState { backoff, last_error: None });
            Arc::new(Slot { state, seen: Mutex::default() })
        });
        slot.clone()
    }

    /// Grows with each failure, as KIP-601 has it.
    fn setup_timeout(&self, failures: u32) -> Duration {
        let config = &self.config;
        let grown = config.connection_setup_timeout.saturating_mul(1 << failures.min(10));
        grown.min(config.connection_setup_timeout_max)
    }
}

impl Slot {
    /// The connection if it is open and leads to `address`, else how many attempts have failed.
    fn open(&self, address: &Address) -> Result<Arc<Connection>, u64> {
        self.seen(|seen| match &seen.connection {
            Some((to, connection)) if to == address && connection.is_open() => Ok(connection.clone()),
            _ => {
                seen.connection = None;
                Err(seen.failures)
            }
        })
    }

    /// As [`Slot::open`], for somebody who is about to send something.
    fn take_up(&self, address: &Address) -> Result<Arc<Connection>, u64> {
        match self.open(address) {
            Ok(connection) if connection.take_up() => Ok(connection),
            // It was idle and has just been closed.
            Ok(_) => Err(self.seen(|seen| seen.failures)),
            Err(failures) => Err(failures),
        }
    }

    fn seen<T>(&self, f: impl FnOnce(&mut Seen) -> T) -> T {
        f(&mut lock(&self.seen))
    }
}
