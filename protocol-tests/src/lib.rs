//! Conformance tests across crates: golden vectors, REST transcripts, real brokers.
//!
//! - [`golden`]: reads the golden vectors in `golden/`: what the Java classes of Apache Kafka Connect
//!   4.3.1 did with given inputs.

pub mod golden;
