//! Transactions against real brokers, under both protocols: the implicit one (`transaction.version` 2), and the
//! classic one of older clusters.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a failed set-up ends the test")]

mod coordinator;
mod pipeline;
mod support;
mod visibility;
mod zombies;
