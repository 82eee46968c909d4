//! Connect's single message transforms and predicates, each under its Java class name.
//!
//! # Layout
//!
//! One module a transform, and one for the predicates.
//!
//! # How data flows
//!
//! A transform changes the records of a batch in place, key or value. Schemas that it makes are kept by
//! the schema that they were made of, so that records with one schema share the new one too.
//!
//! # What it must never do
//!
//! Panic or leave a record half changed: a record that cannot be handled stays as it was and ends in an
//! error that says which field, what was expected and what came.

use crossdock_api::Plugins;

/// Registers every transform and predicate of this crate under the class name that Connect knows it by.
pub fn register(_plugins: &mut Plugins) {}
