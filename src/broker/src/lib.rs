//! An embedded Kafka broker for development and tests, with scripted faults.
//!
//! It is the only node of its cluster, speaks the wire protocol of Kafka 4.x to any client, and keeps its
//! data in memory or in a directory. It is no production broker: no replication, transactions, retention,
//! compaction, authentication or TLS.
//!
//! ```
//! # async fn example() -> Result<(), crossdock_broker::BrokerError> {
//! use crossdock_broker::{ApiKey, Broker, FaultAction, FaultRule};
//!
//! let broker = Broker::builder().start().await?;
//! println!("bootstrap.servers={}", broker.bootstrap());
//! // The reply to the next produce request is lost.
//! broker.faults().add(FaultRule::new(FaultAction::DropReply).api(ApiKey::Produce).times(1));
//! broker.shutdown().await;
//! # Ok(())
//! # }
//! ```
//!
//! # Layout
//!
//! - [`Broker`] and its builder: listening, stopping. `connection`: frames of one client.
//! - `api`: one file for each request of the protocol.
//! - `topics`, `topic_config`: names, ids, configs. `log`: the batches of a partition.
//! - `group`: the coordinator of classic groups, a state machine without I/O; committed offsets.
//! - `store`: the data directory. `shared`: what all connections share.
//! - [`FaultHandle`]: faults on purpose.
//!
//! # How data flows
//!
//! ```text
//! socket ─▶ connection ─▶ api (decode, check) ─▶ log / group / topics ─▶ reply ─▶ socket
//!               ▲
//!            faults: delay, refuse, drop, cut
//! ```
//!
//! # What it must never do
//!
//! Install signal handlers, loggers or other global state; let one client's bad bytes touch another
//! connection; reserve memory by a count that the network gave; acknowledge what it has not stored.

mod api;
mod broker;
mod config;
mod connection;
mod error;
mod faults;
#[cfg(feature = "unstable-fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod group;
mod log;
#[cfg(test)]
mod random;
mod shared;
mod store;
mod sync;
mod topic_config;
mod topics;

pub use broker::{Broker, BrokerBuilder};
pub use error::BrokerError;
pub use faults::{FaultAction, FaultHandle, FaultPlan, FaultRule, RuleId};
pub use kafka_protocol::ResponseError;
pub use kafka_protocol::messages::ApiKey;
