//! Who is at the other end, and who we are: TLS and SASL.
//!
//! # Layout
//!
//! - [`scram`]: the messages and keys of SCRAM, without I/O.
//! - [`Secret`]: passwords, keys and tokens, which are not shown.
//!
//! # What it must never do
//!
//! Show a secret in an error, a log line or `Debug`; go on with a peer that was not verified.

pub mod scram;
mod secret;

pub use secret::Secret;
