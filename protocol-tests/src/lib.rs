//! Conformance tests across crates: golden vectors, REST transcripts, real brokers.
