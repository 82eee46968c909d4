//! Keys of encrypted connections.

use super::super::definition::Definition;
use super::super::key::{Key, List, Text, list, optional_class, optional_text, password, text};

const FORMATS: &str = "JKS, PKCS12 and PEM, in any case; JKS and PKCS12 are told apart by their content";
const NO_SUCH_CHOICE: &str = "there is one implementation, which is no choice of Java's";

keys! { TLS:
    SSL_PROTOCOL: Text = text("ssl.protocol", "TLSv1.3")
        .partly("TLSv1.3, TLSv1.2 and TLS")
        .doc("The newest version of TLS that is used.");

    SSL_ENABLED_PROTOCOLS: List = list("ssl.enabled.protocols", "TLSv1.2,TLSv1.3")
        .partly("TLSv1.2 and TLSv1.3; older ones beside them are passed over")
        .doc("The versions of TLS that are used.");

    SSL_CIPHER_SUITES: List = list("ssl.cipher.suites", "")
        .low()
        .partly("those of TLS 1.3, and of TLS 1.2 with ECDHE and AES-GCM or ChaCha20; others are refused")
        .doc("The cipher suites that are used; all good ones if empty.");

    SSL_ENDPOINT_IDENTIFICATION: Text = text("ssl.endpoint.identification.algorithm", "https")
        .low()
        .partly("https and an empty value")
        .doc("How the broker's certificate is compared with its name; empty is not at all.");

    SSL_TRUSTSTORE_LOCATION: Option<Text> = optional_text("ssl.truststore.location")
        .high()
        .doc("File of the certificates that are trusted; the operating system's if none are set.");

    SSL_TRUSTSTORE_PASSWORD: Option<Text> = password("ssl.truststore.password")
        .high()
        .doc("Password of that file.");

    SSL_TRUSTSTORE_TYPE: Text = text("ssl.truststore.type", "JKS")
        .partly(FORMATS)
        .doc("Format of that file: PEM, PKCS12 or JKS.");

    SSL_TRUSTSTORE_CERTIFICATES: Option<Text> = password("ssl.truststore.certificates")
        .high()
        .doc("The certificates that are trusted, as PEM text.");

    SSL_KEYSTORE_LOCATION: Option<Text> = optional_text("ssl.keystore.location")
        .high()
        .doc("File of the client's own key and certificates.");

    SSL_KEYSTORE_PASSWORD: Option<Text> = password("ssl.keystore.password")
        .high()
        .doc("Password of that file.");

    SSL_KEYSTORE_TYPE: Text = text("ssl.keystore.type", "JKS")
        .partly(FORMATS)
        .doc("Format of that file: PEM, PKCS12 or JKS.");

    SSL_KEYSTORE_KEY: Option<Text> = password("ssl.keystore.key")
        .high()
        .doc("The client's own key, as PEM text.");

    SSL_KEYSTORE_CERTIFICATE_CHAIN: Option<Text> = password("ssl.keystore.certificate.chain")
        .high()
        .doc("The client's own certificates, as PEM text.");

    SSL_KEY_PASSWORD: Option<Text> = password("ssl.key.password")
        .high()
        .doc("Password of the client's own key.");

    SSL_PROVIDER: Option<Text> = optional_text("ssl.provider")
        .without_effect(NO_SUCH_CHOICE)
        .doc("Java's provider of TLS.");

    SSL_KEYMANAGER_ALGORITHM: Text = text("ssl.keymanager.algorithm", "SunX509")
        .low()
        .without_effect(NO_SUCH_CHOICE)
        .doc("Java's algorithm of key managers.");

    SSL_TRUSTMANAGER_ALGORITHM: Text = text("ssl.trustmanager.algorithm", "PKIX")
        .low()
        .without_effect(NO_SUCH_CHOICE)
        .doc("Java's algorithm of trust managers.");

    SSL_SECURE_RANDOM: Option<Text> = optional_text("ssl.secure.random.implementation")
        .low()
        .without_effect(NO_SUCH_CHOICE)
        .doc("Java's source of random numbers.");

    SSL_ENGINE_FACTORY: Option<Text> = optional_class("ssl.engine.factory.class")
        .low()
        .partly("only Kafka's own classes; they make no difference")
        .doc("Java class that makes encrypted connections.");
}
