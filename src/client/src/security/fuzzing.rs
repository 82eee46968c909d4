//! Texts and files of the configuration, and tokens, as they are read.

use super::jaas::Jaas;
pub use super::sasl::read_token;
pub use super::tls::fuzzing::read_stores;

/// Reads `sasl.jaas.config`. An error quotes no value.
pub fn read_jaas(text: &str) {
    let _ = Jaas::parse(text);
}
