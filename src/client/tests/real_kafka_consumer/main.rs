//! The consumer against a real broker.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a failed set-up ends the test")]

mod failover;
mod groups;
mod partitions;
mod racks;
mod support;
