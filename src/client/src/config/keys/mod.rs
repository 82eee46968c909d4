//! The tables of keys: all of Kafka 4.3's producers, consumers and admin clients, each defined once.
//!
//! - [`common`]: what all kinds of clients have. [`tls`], [`sasl`]: security.
//! - [`producer`], [`consumer`], [`admin`]: what only one kind has.
//!
//! A key is a constant, so that a setting is read as `reader.get(BATCH_SIZE)`; the macro puts it into its
//! module's list too. Whoever makes a key work takes its `without_effect` or `refused` away.

/// Defines the keys of a module, and the list of them.
macro_rules! keys {
    ($list:ident: $($(#[$attribute:meta])* $name:ident: $type:ty = $key:expr;)*) => {
        $($(#[$attribute])* pub(crate) const $name: Key<$type> = $key;)*

        /// All keys of this module, in the order of the page.
        pub(in super::super) const $list: &[Definition] = &[$($name.definition),*];
    };
}

pub(crate) mod admin;
pub(crate) mod common;
pub(crate) mod consumer;
pub(crate) mod producer;
pub(crate) mod sasl;
pub(crate) mod tls;

use super::definition::{ClientKind, Definition};

/// All keys that a kind of client knows, with its own defaults.
pub fn definitions(client: ClientKind) -> impl Iterator<Item = Definition> {
    let own = match client {
        ClientKind::Producer => producer::PRODUCER,
        ClientKind::Consumer => consumer::CONSUMER,
        ClientKind::Admin => admin::ADMIN,
    };
    let all = [own, common::COMMON, tls::TLS, sasl::SASL].into_iter().flatten();
    all.filter(move |d| d.clients.contains(&client)).map(move |d| d.of(client))
}
