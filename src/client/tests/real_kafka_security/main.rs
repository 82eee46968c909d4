//! TLS and SASL against a real broker: every way in, and what is said when there is none.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a failed set-up ends the test")]

mod certificates;
mod refusals;
#[path = "../support/mod.rs"]
mod support;
mod token_endpoint;
mod ways_in;
mod world;
