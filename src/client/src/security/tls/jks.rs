//! Java key stores (JKS), as `sun.security.provider.JavaKeyStore` writes them.
//!
//! ```text
//! magic  version  count  entry…  SHA-1(password, "Mighty Aphrodite", all of the above)
//! entry: 1 (key)         alias  time  protected key  chain: count, certificate…
//!        2 (certificate) alias  time  certificate
//! ```
//!
//! A key is protected by a stream of SHA-1 digests of the password; this is weak, and still what old
//! stores have. Counts and lengths are checked against the bytes that are there.

use sha1::{Digest, Sha1};

/// What a store begins with.
pub(super) const MAGIC: [u8; 4] = [0xfe, 0xed, 0xfe, 0xed];
/// What a store of the kind JCEKS begins with.
pub(super) const JCEKS_MAGIC: [u8; 4] = [0xce, 0xce, 0xce, 0xce];

const WHITENER: &[u8] = b"Mighty Aphrodite";
const DIGEST_LEN: usize = 20;
/// The object identifier of the key protection, 1.3.6.1.4.1.42.2.17.1.1, in DER.
const PROTECTION: &[u8] = &[0x06, 0x0a, 0x2b, 0x06, 0x01, 0x04, 0x01, 0x2a, 0x02, 0x11, 0x01, 0x01];

/// An entry of a store.
#[derive(Debug)]
pub(super) enum Entry {
    /// A private key, still protected, and its certificates, the key's own first.
    Key { protected: Vec<u8>, chain: Vec<Vec<u8>> },
    /// A trusted certificate.
    Trusted(Vec<u8>),
}

/// Reads a store; checks its integrity if there is a password.
pub(super) fn parse(store: &[u8], password: Option<&str>) -> Result<Vec<Entry>, String> {
    let damaged = || "the key store is damaged: it ends too early".to_owned();
    let (body, digest) = store.split_last_chunk::<DIGEST_LEN>().ok_or_else(damaged)?;
    if let Some(password) = password {
        let computed = Sha1::new().chain_update(utf16(password)).chain_update(WHITENER).chain_update(body);
        if computed.finalize().as_slice() != digest {
            return Err("the password is wrong, or the key store is damaged".to_owned());
        }
    }
    let mut reader = Reader { rest: body };
    let _magic = reader.number().ok_or_else(damaged)?;
    let version = reader.number().ok_or_else(damaged)?;
    if !(1..=2).contains(&version) {
        return Err(format!("the key store has version {version}; known are 1 and 2"));
    }
    let count = reader.number().ok_or_else(damaged)?;
    let mut entries = Vec::new();
    for _ in 0..count {
        entries.push(reader.entry(version).ok_or_else(damaged)?);
    }
    Ok(entries)
}

/// Takes the protection off a key; gives PKCS#8.
pub(super) fn unprotect(protected: &[u8], password: &str) -> Result<Vec<u8>, String> {
    let data = protected_data(protected).ok_or_else(|| {
        "the key is not protected in JKS's own way; is the store of another kind?".to_owned()
    })?;
    let wrong = || "the key's password is wrong (ssl.key.password, else ssl.keystore.password)".to_owned();
    let (salt, rest) = data.split_first_chunk::<DIGEST_LEN>().ok_or_else(wrong)?;
    let (encrypted, check) = rest.split_last_chunk::<DIGEST_LEN>().ok_or_else(wrong)?;
    let password = utf16(password);
    let mut key = Vec::with_capacity(encrypted.len());
    let mut digest = *salt;
    for block in encrypted.chunks(DIGEST_LEN) {
        digest = Sha1::new().chain_update(&password).chain_update(digest).finalize().into();
        key.extend(block.iter().zip(digest).map(|(byte, mask)| byte ^ mask));
    }
    let computed = Sha1::new().chain_update(&password).chain_update(&key).finalize();
    if computed.as_slice() == check { Ok(key) } else { Err(wrong()) }
}

/// The octet string of an `EncryptedPrivateKeyInfo`, if its algorithm is JKS's.
fn protected_data(der: &[u8]) -> Option<&[u8]> {
    let (0x30, info, _) = element(der)? else { return None };
    let (0x30, algorithm, rest) = element(info)? else { return None };
    let (0x04, data, _) = element(rest)? else { return None };
    algorithm.starts_with(PROTECTION).then_some(data)
}

/// Tag, content and what follows of a DER element with a short tag.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (len, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let size = usize::from(first & 0x7f);
        if size > 4 {
            return None;
        }
        let (bytes, rest) = rest.split_at_checked(size)?;
        (bytes.iter().fold(0usize, |len, byte| (len << 8) | usize::from(*byte)), rest)
    };
    let (content, rest) = rest.split_at_checked(len)?;
    Some((tag, content, rest))
}

/// A password's characters, two bytes each, high byte first.
fn utf16(password: &str) -> Vec<u8> {
    password.encode_utf16().flat_map(u16::to_be_bytes).collect()
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl Reader<'_> {
    fn take(&mut self, len: usize) -> Option<&[u8]> {
        let (taken, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<u32> {
        let (bytes, rest) = self.rest.split_first_chunk::<4>()?;
        self.rest = rest;
        Some(u32::from_be_bytes(*bytes))
    }

    /// Skips a text with a length of two bytes.
    fn skip_text(&mut self) -> Option<()> {
        let (len, rest) = self.rest.split_first_chunk::<2>()?;
        self.rest = rest;
        self.take(usize::from(u16::from_be_bytes(*len)))?;
        Some(())
    }

    fn bytes(&mut self) -> Option<Vec<u8>> {
        let len = usize::try_from(self.number()?).ok()?;
        Some(self.take(len)?.to_vec())
    }

    /// Version 1 has no types before certificates.
    fn certificate(&mut self, version: u32) -> Option<Vec<u8>> {
        if version == 2 {
            self.skip_text()?;
        }
        self.bytes()
    }

    fn entry(&mut self, version: u32) -> Option<Entry> {
        let tag = self.number()?;
        self.skip_text()?; // the alias
        self.take(8)?; // when it was made
        match tag {
            1 => {
                let protected = self.bytes()?;
                let count = self.number()?;
                let mut chain = Vec::new();
                for _ in 0..count {
                    chain.push(self.certificate(version)?);
                }
                Some(Entry::Key { protected, chain })
            }
            2 => Some(Entry::Trusted(self.certificate(version)?)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Made by `keytool -genkeypair -keyalg EC -storetype JKS -storepass storepass -keypass keypassword`.
    const STORE: &[u8] = include_bytes!("../../../tests/fixtures/security/client.jks");

    #[test]
    fn a_store_of_keytools_is_read() {
        let entries = parse(STORE, Some("storepass")).unwrap();
        let [Entry::Key { protected, chain }] = entries.as_slice() else { panic!("{}", entries.len()) };
        assert_eq!((chain.len(), chain[0][0]), (1, 0x30));
        assert_eq!(unprotect(protected, "keypassword").unwrap()[0], 0x30);
        assert!(unprotect(protected, "storepass").unwrap_err().contains("password is wrong"));
        assert_eq!(parse(STORE, None).unwrap().len(), 1, "integrity is not checked without a password");
        assert!(parse(STORE, Some("other")).unwrap_err().contains("password is wrong"));
    }

    #[test]
    fn stores_that_end_too_early_are_refused() {
        for len in 0..STORE.len() {
            parse(&STORE[..len], None).unwrap_err();
        }
    }

    proptest! {
        #[test]
        fn damaged_stores_never_panic(at in 0..STORE.len(), byte in any::<u8>(), tail in any::<Vec<u8>>()) {
            let mut store = STORE.to_vec();
            store[at] = byte;
            for store in [store, [&STORE[..at], &tail].concat()] {
                for entry in parse(&store, None).into_iter().flatten() {
                    if let Entry::Key { protected, .. } = entry {
                        let _ = unprotect(&protected, "keypassword");
                    }
                }
            }
            let _ = unprotect(&tail, "x");
        }
    }
}
