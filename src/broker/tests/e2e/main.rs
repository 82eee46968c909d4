//! The broker over TCP, with requests that are encoded by hand: what a client sees, and what it must
//! not be able to break.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail as tests do")]

mod client;
mod faults;
mod groups;
mod logs;
mod protocol;
mod restart;
mod topics;
