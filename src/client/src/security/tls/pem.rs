//! Certificates and private keys as text, as leniently as Kafka reads them: entries may stand on one line,
//! between other text, and with headers.

use super::super::Secret;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use pkcs8::EncryptedPrivateKeyInfoRef;
use rustls::pki_types::{
    CertificateDer, PrivateKeyDer, PrivatePkcs1KeyDer, PrivatePkcs8KeyDer, PrivateSec1KeyDer,
};

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const DASHES: &str = "-----";

/// All certificates of a text, in order; at least one.
pub(super) fn certificates(text: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let mut found = Vec::new();
    for (label, body) in entries(text) {
        if label.contains("CERTIFICATE") && !label.contains("REQUEST") {
            found.push(CertificateDer::from(decode(label, &body)?));
        }
    }
    if found.is_empty() {
        return Err("At least one certificate expected, but none found: there must be an entry \
                    -----BEGIN CERTIFICATE-----"
            .to_owned());
    }
    Ok(found)
}

/// The one private key of a text, decrypted if it needs to be.
pub(super) fn private_key(text: &str, password: Option<&Secret>) -> Result<PrivateKeyDer<'static>, String> {
    let keys: Vec<_> = entries(text).filter(|(label, _)| label.contains("PRIVATE KEY")).collect();
    let (label, body) = match keys.as_slice() {
        [one] => one,
        [] => {
            return Err("Private key not provided: there is no entry -----BEGIN PRIVATE KEY-----".to_owned());
        }
        more => return Err(format!("Expected one private key, but found {}", more.len())),
    };
    if body.contains("ENCRYPTED") {
        return Err(
            "the key is encrypted in OpenSSL's old format: convert it by openssl pkcs8 -topk8".to_owned()
        );
    }
    let der = decode(label, body)?;
    match *label {
        "PRIVATE KEY" => Ok(PrivatePkcs8KeyDer::from(der).into()),
        "RSA PRIVATE KEY" => Ok(PrivatePkcs1KeyDer::from(der).into()),
        "EC PRIVATE KEY" => Ok(PrivateSec1KeyDer::from(der).into()),
        "ENCRYPTED PRIVATE KEY" => decrypt(&der, password),
        other => Err(format!("a key of the kind {other} cannot be used: RSA and EC keys can, as PKCS#8")),
    }
}

fn decrypt(der: &[u8], password: Option<&Secret>) -> Result<PrivateKeyDer<'static>, String> {
    let Some(password) = password else {
        return Err("the key is encrypted, but ssl.key.password is not set".to_owned());
    };
    let encrypted = EncryptedPrivateKeyInfoRef::try_from(der).map_err(|_| {
        "the encrypted key is damaged, or encrypted by an old scheme: convert it by openssl pkcs8 -topk8 -v2 \
         aes-256-cbc"
            .to_owned()
    })?;
    let plain = encrypted.decrypt(password.expose()).map_err(|_| {
        "the key cannot be decrypted: ssl.key.password is wrong, or the key is damaged".to_owned()
    })?;
    Ok(PrivatePkcs8KeyDer::from(plain.as_bytes().to_vec()).into())
}

/// Label and body of each entry.
fn entries(text: &str) -> impl Iterator<Item = (&str, String)> {
    text.split(BEGIN).skip(1).filter_map(|entry| {
        let (label, rest) = entry.split_once(DASHES)?;
        let (body, _) = rest.split_once(END)?;
        // Headers such as `Proc-Type: 4,ENCRYPTED` are lines of their own.
        let is_header = |line: &&str| line.contains(':');
        let old_encryption = body.lines().filter(is_header).any(|l| l.contains("ENCRYPTED"));
        let body: String = body.lines().filter(|line| !is_header(line)).collect();
        let body = if old_encryption { "ENCRYPTED".to_owned() } else { body };
        Some((label.trim(), body))
    })
}

fn decode(label: &str, body: &str) -> Result<Vec<u8>, String> {
    let dense: String = body.chars().filter(|c| !c.is_whitespace()).collect();
    STANDARD.decode(dense).map_err(|error| format!("the entry {label} is no Base64: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CERTIFICATE: &str = "junk\n-----BEGIN CERTIFICATE-----\nAQID\nBA==\n-----END CERTIFICATE-----\n";

    #[test]
    fn entries_may_stand_on_one_line_and_between_other_text() {
        let line = CERTIFICATE.replace('\n', " ");
        for text in [CERTIFICATE, &line, &format!("{line}{CERTIFICATE}")] {
            assert_eq!(certificates(text).unwrap()[0].as_ref(), [1, 2, 3, 4]);
        }
        let key = "-----BEGIN EC PRIVATE KEY----- AQID -----END EC PRIVATE KEY-----";
        assert_eq!(private_key(key, None).unwrap().secret_der(), [1, 2, 3]);
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        let key = |label: &str, body: &str| format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----");
        let error = |text: &str, password: Option<&str>| {
            private_key(text, password.map(Secret::new).as_ref()).unwrap_err()
        };
        assert!(error(CERTIFICATE, None).starts_with("Private key not provided"));
        assert!(error(&key("PRIVATE KEY", "%"), None).contains("no Base64"));
        assert!(error(&key("DSA PRIVATE KEY", "AQID"), None).contains("RSA and EC"));
        assert!(error(&key("ENCRYPTED PRIVATE KEY", "AQID"), None).contains("ssl.key.password is not set"));
        assert!(error(&key("ENCRYPTED PRIVATE KEY", "AQID"), Some("x")).contains("damaged"));
        let old = key("RSA PRIVATE KEY", "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES\n\nAQID");
        assert!(error(&old, Some("x")).contains("old format"));
        let two = format!("{0}{0}", key("PRIVATE KEY", "AQID"));
        assert_eq!(error(&two, None), "Expected one private key, but found 2");
        assert!(certificates("").unwrap_err().contains("At least one certificate"));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "(-----|BEGIN |END |CERTIFICATE|ENCRYPTED |PRIVATE KEY|:|\n| |AQ==|=|\\PC){0,30}") {
            let _ = certificates(&text);
            let _ = private_key(&text, Some(&Secret::new("x")));
        }
    }
}
