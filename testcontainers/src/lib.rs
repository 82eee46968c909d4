//! Starts the real services that tests need, and makes sure that they never outlive the tests.
//!
//! # Layout
//!
//! - [`Kafka`] and [`KafkaBuilder`]: a real Apache Kafka broker, or a cluster of them. Runs in
//!   containers if an engine answers, else as local JVMs from the jars on Maven Central.
//! - [`JavaProgram`]: a Java client beside ours, compiled against Kafka's jars.
//! - [`KafkaError`]: what kept it from starting, and what to do about it.
//! - `guard`: child processes that die with the process that started them, however it ends.
//! - `src/bin/kafka.rs`: the same from the command line, for docs and benches.
//!
//! # How data flows
//!
//! ```text
//! builder ─▶ engine or JVM? ─▶ jars in the user's cache ─▶ node configs in a temporary folder
//!         ─▶ guarded processes ─▶ probe (Metadata request) until every node lists every node ─▶ Kafka
//! ```
//!
//! # What it must never do
//!
//! Leave a process, a container or a folder behind: not after a panic, not after SIGKILL of the test
//! process. Skip silently when nothing can run Kafka: that is an error. Wait by fixed sleeps.
//! Depend on another crate of the workspace, so that every crate may use it in its tests.
//!
//! It runs on Unix only: the guard is a POSIX shell script.

mod guard;
mod kafka;

pub use kafka::{JavaProgram, KAFKA_VERSION, Kafka, KafkaBuilder, KafkaError, ToolOutput};
