//! Consumer groups in both protocols, and any other group that is coordinated by the classic one.
//!
//! # Layout
//!
//! - [`membership`]: joining, leaving, heartbeats and generations as a state machine without I/O.
//! - [`coordinator`]: [`Group`], the handle, and [`GroupHooks`], the application's part.
//! - `driver`: the task that carries the machine's actions out; `poll_clock`: whether the application is away.
//! - `commit`: commits of a member, over the ends of generations.
//! - [`offsets`]: what a group commits, and how a commit can fail.
//! - [`protocol`]: the bytes in which consumers tell what they subscribe to and are assigned.
//! - [`consumer_protocol`]: membership in the protocol of KIP-848; it shares nothing with the above but commits.
//! - [`assignor`]: how the leader of a consumer group shares partitions out.
//!
//! # How data flows
//!
//! ```text
//! application ─ join, rejoin, leave ─▶ Group ─ events, time ─▶ Membership
//!      ▲  ▲                              │ ◀──── actions ─────────┘
//!      │  └ GroupHooks: prepare, assign, assigned, failed
//!      └ commit, committed               └ JoinGroup, SyncGroup, Heartbeat, LeaveGroup ─▶ coordinator
//! ```
//!
//! # What it must never do
//!
//! Join a new generation before the application gave up what it was assigned in the old one, miss
//! heartbeats because the application is slow, or look into assignments: `membership` and `coordinator`
//! know nothing of partitions.

pub mod assignor;
mod commit;
pub mod consumer_protocol;
pub mod coordinator;
mod driver;
pub mod membership;
pub mod offsets;
mod poll_clock;
pub mod protocol;

pub use consumer_protocol::{AssignmentHooks, ConsumerGroup, ConsumerGroupConfig, Subscription};
pub use coordinator::{Group, GroupConfig, GroupHooks};
pub use membership::{Generation, GenerationEnd, Member, Standing};
pub use offsets::{CommitError, ConsumerGroupMetadata, OffsetAndMetadata};
pub use poll_clock::Attendance;
