//! Connect's single message transforms and predicates, each under its Java class name.
//!
//! # Layout
//!
//! - `definition`: what each transform implements, and how one implementation serves `…$Key` and `…$Value`.
//! - `catalogue`: the entries that are registered; the reference page `docs/transforms.md` comes from it.
//! - `field_path`, `require`, `fields`, `schema_cache`: what several transforms need.
//! - one module a transform.
//!
//! # How data flows
//!
//! A transform changes the records of a batch in place, key or value. What it has to know about a schema
//! (the new schema, the positions of fields) is worked out once and kept, found again by the pointer of the
//! schema; records with one schema share the new one too.
//!
//! # What it must never do
//!
//! Panic or leave a record half changed: a record that cannot be handled stays as it was and ends in an
//! error that says which field, what was expected and what came. What could fail is therefore done before the
//! first change. And it must not lose or change data without a word where Connect does, unless
//! `crossdock.compatibility=strict` asks for it.

#![allow(dead_code, reason = "the transforms that need the rest follow")]

mod catalogue;
mod definition;
mod field_path;
mod fields;
mod require;
mod schema_cache;

mod drop_headers;
mod extract_field;
mod filter;
mod hoist_field;
mod set_schema_metadata;

pub use catalogue::register;
