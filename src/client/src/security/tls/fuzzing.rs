//! Key stores, as they are read.

use super::{jks, pem};

/// Reads certificates and keys in PEM, and key stores in JKS, of any bytes.
pub fn read_stores(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = pem::certificates(text);
        let _ = pem::private_key(text, None);
    }
    let _ = jks::parse(bytes, None);
    let _ = jks::unprotect(bytes, "password");
}
