//! The Connect engine.

pub mod herder;

pub use herder::{Herder, HerderError};
