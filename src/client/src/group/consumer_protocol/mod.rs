//! Consumer groups in the protocol of KIP-848 (`group.protocol=consumer`): the coordinator computes the
//! assignment, and one request, ConsumerGroupHeartbeat, does everything.
//!
//! # Layout
//!
//! - [`membership`]: epochs, reconciliation and what a heartbeat says, as a state machine without I/O.
//! - [`handle`]: [`ConsumerGroup`], the handle, and [`AssignmentHooks`], the application's part.
//! - `driver`: the task that carries the machine's actions out.
//! - `request`: the messages.
//!
//! # How data flows
//!
//! ```text
//! application ─ subscribe, leave ─▶ ConsumerGroup ─ events, time ─▶ ConsumerMembership
//!      ▲  ▲                             │ ◀──── actions ───────────────┘
//!      │  └ AssignmentHooks: revoke, assign, lose, report, failed
//!      └ commit (under the member's epoch) └ ConsumerGroupHeartbeat ─▶ coordinator
//! ```
//!
//! # What it must never do
//!
//! Tell the coordinator that a partition was given up before the application has done so, or go on with
//! partitions after the coordinator fenced the member.

mod driver;
pub mod handle;
pub mod membership;
mod request;

pub use handle::{AssignmentHooks, ConsumerGroup, ConsumerGroupConfig};
pub use membership::Subscription;
