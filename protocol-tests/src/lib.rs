//! Conformance tests across crates: golden vectors, REST transcripts, real brokers.
//!
//! - [`golden`]: reads the golden vectors in `golden/`: what the Java classes of Apache Kafka Connect
//!   4.3.1 did with given inputs.
//! - [`transcripts`]: reads the transcripts of the REST API in `golden/rest/`, and compares.
//! - [`fuzz`]: everything that reads bytes of others, for fuzzers and for a short run in the tests.

pub mod fuzz;
pub mod golden;
pub mod transcripts;
