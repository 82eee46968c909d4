//! Connect's single message transforms and predicates, each under its Java class name.
//!
//! # Layout
//!
//! - `definition`: what each transform implements, and how one implementation serves `…$Key` and `…$Value`.
//! - `catalogue`: the entries that are registered. `page`: the reference page `docs/transforms.md`, from them.
//! - `field_path`, `fields`, `number`, `require`, `schema_cache`: what several transforms need.
//! - `java_pattern`: regular expressions of Java in settings.
//! - `debezium`: the transforms of Debezium that are most used.
//! - one module a transform, and `predicates`.
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

mod catalogue;
mod debezium;
mod definition;
mod field_path;
mod fields;
mod java_pattern;
mod number;
mod page;
mod predicates;
mod require;
mod schema_cache;

mod cast;
mod drop_headers;
mod extract_field;
mod filter;
mod flatten;
mod header_from;
mod hoist_field;
mod insert_field;
mod insert_header;
mod mask_field;
mod regex_router;
mod replace_field;
mod set_schema_metadata;
mod timestamp_converter;
mod timestamp_router;
mod value_to_key;

pub use catalogue::register;
pub use page::reference_page;
