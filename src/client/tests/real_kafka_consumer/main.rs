//! The consumer against a real broker.

mod groups;
mod partitions;
mod support;
