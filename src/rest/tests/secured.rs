//! Listeners with TLS and client certificates, of their own for `/admin`, names and passwords, other origins, headers
//! of all answers.

// Helpers of tests may panic as tests do; each test uses a part of them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub, dead_code)]

mod support;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crossdock_rest::{RestConfig, RestServer};
use crossdock_runtime::WorkerConfig;
use rcgen::{CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use std::net::SocketAddr;
use std::sync::Arc;
use support::{ScriptedHerder, parse, send, send_raw};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

async fn start(keys: &[(&str, &str)]) -> RestServer {
    let base = [("key.converter", "K"), ("value.converter", "V"), ("listeners", "http://127.0.0.1:0")];
    let raw = base.iter().chain(keys).map(|(k, v)| (k.to_string(), v.to_string())).collect();
    let config = RestConfig::of(&WorkerConfig::parse(&raw).unwrap()).unwrap();
    RestServer::start(config, Arc::new(ScriptedHerder::default())).await.unwrap()
}

/// A certificate authority, and what it has signed: the server and a client.
struct Authority {
    ca: String,
    server: (String, String),
    client: (String, String),
}

fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let signed = |usage| {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.extended_key_usages = vec![usage];
        (params.signed_by(&key, &issuer).unwrap().pem(), key.serialize_pem())
    };
    let server = signed(ExtendedKeyUsagePurpose::ServerAuth);
    let client = signed(ExtendedKeyUsagePurpose::ClientAuth);
    Authority { ca: issuer.pem(), server, client }
}

/// Asks `GET /` by TLS, as the client of the authority or without certificate.
async fn ask_by_tls(
    to: SocketAddr,
    authority: &Authority,
    certified: bool,
) -> std::io::Result<support::Answer> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.ca.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.unwrap().with_root_certificates(roots);
    let config = match certified {
        false => builder.with_no_client_auth(),
        true => {
            let (certificate, key) = &authority.client;
            let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
            builder
                .with_client_auth_cert(chain, PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap())
                .unwrap()
        }
    };
    let stream = TcpStream::connect(to).await?;
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await?;
    Ok(parse(&String::from_utf8(bytes).unwrap()))
}

#[tokio::test]
async fn https_with_and_without_client_certificates() {
    let authority = authority();
    let keys = |auth| {
        [
            ("listeners", "http://127.0.0.1:0,https://127.0.0.1:0"),
            ("rest.advertised.listener", "https"),
            // Not used: those for https are there.
            ("ssl.keystore.location", "/no/such/file"),
            ("listeners.https.ssl.keystore.type", "PEM"),
            ("listeners.https.ssl.keystore.certificate.chain", &*authority.server.0),
            ("listeners.https.ssl.keystore.key", &*authority.server.1),
            ("listeners.https.ssl.truststore.type", "PEM"),
            ("listeners.https.ssl.truststore.certificates", &*authority.ca),
            ("listeners.https.ssl.client.auth", auth),
        ]
    };
    for (auth, without) in [("none", true), ("requested", true), ("required", false)] {
        let server = start(&keys(auth)).await;
        let [plain, tls] = server.local_addrs() else { panic!("two listeners") };
        assert_eq!(server.advertised_url(), format!("https://{tls}/"));
        assert_eq!(ask_by_tls(*tls, &authority, true).await.unwrap().status, 200, "{auth}");
        assert_eq!(
            ask_by_tls(*tls, &authority, false).await.is_ok_and(|a| a.status == 200),
            without,
            "{auth}"
        );
        assert_eq!(send(*plain, "GET", "/", &[], "").await.status, 200);
        server.shutdown().await;
    }
}

#[tokio::test]
async fn plain_text_at_an_https_listener_harms_nobody() {
    let authority = authority();
    let server = start(&[
        ("listeners", "https://127.0.0.1:0"),
        ("ssl.keystore.type", "PEM"),
        ("ssl.keystore.certificate.chain", &authority.server.0),
        ("ssl.keystore.key", &authority.server.1),
    ])
    .await;
    let to = server.local_addrs()[0];
    let mut stream = TcpStream::connect(to).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes).await;
    assert!(!bytes.starts_with(b"HTTP"), "{bytes:?}");
    assert_eq!(ask_by_tls(to, &authority, false).await.unwrap().status, 200);
    server.shutdown().await;
}

#[tokio::test]
async fn names_and_passwords() {
    let folder = tempfile::tempdir().unwrap();
    let (jaas, users) = (folder.path().join("jaas.conf"), folder.path().join("users.properties"));
    std::fs::write(&users, "ada=lovelace\n").unwrap();
    let module = "org.apache.kafka.connect.rest.basic.auth.extension.PropertyFileLoginModule";
    std::fs::write(&jaas, format!("KafkaConnect {{ {module} required file=\"{}\"; }};", users.display()))
        .unwrap();
    let server = start(&[
        (
            "rest.extension.classes",
            "org.apache.kafka.connect.rest.basic.auth.extension.BasicAuthSecurityRestExtension",
        ),
        ("java.security.auth.login.config", jaas.to_str().unwrap()),
    ])
    .await;
    let to = server.local_addrs()[0];
    let refused = send(to, "GET", "/connectors", &[], "").await;
    assert_eq!((refused.status, &*refused.body), (401, "User cannot access the resource."));
    assert!(refused.headers["www-authenticate"].starts_with("Basic "));
    let right = format!("Basic {}", STANDARD.encode("ada:lovelace"));
    assert_eq!(send(to, "GET", "/connectors", &[("Authorization", &right)], "").await.status, 200);
    let wrong = format!("Basic {}", STANDARD.encode("ada:byron"));
    assert_eq!(send(to, "GET", "/connectors", &[("Authorization", &wrong)], "").await.status, 401);
    // Workers among themselves need none; matrix parameters and slashes open no way around.
    assert_ne!(send(to, "POST", "/connectors/c/tasks", &[], "[]").await.status, 401);
    assert_eq!(send(to, "GET", "/connectors;x=/connectors/c/tasks/", &[], "").await.status, 401);
}

#[tokio::test]
async fn other_origins_and_headers_of_all_answers() {
    let server = start(&[
        ("access.control.allow.origin", "http://ui.example"),
        ("access.control.allow.methods", "GET,PUT"),
        ("response.http.headers.config", "add X-Own: a,\"set Cache-Control: no-cache, no-store\""),
    ])
    .await;
    let to = server.local_addrs()[0];
    let answer = send(to, "GET", "/", &[("Origin", "http://ui.example")], "").await;
    assert_eq!(answer.headers["access-control-allow-origin"], "http://ui.example");
    assert_eq!(answer.headers["cache-control"], "no-cache, no-store");
    let preflight = [("Origin", "http://ui.example"), ("Access-Control-Request-Method", "PUT")];
    let answer = send(to, "OPTIONS", "/connectors", &preflight, "").await;
    assert_eq!((answer.status, &*answer.headers["access-control-allow-methods"]), (200, "GET,PUT"));
    let other = send(to, "GET", "/none", &[("Origin", "http://evil.example")], "").await;
    assert!(!other.headers.contains_key("access-control-allow-origin"));
    assert_eq!((other.status, &*other.headers["x-own"]), (404, "a"));
}

#[tokio::test]
async fn admin_listeners_are_for_admin_only() {
    let server = start(&[("admin.listeners", "http://127.0.0.1:0")]).await;
    let [admin] = server.admin_addrs() else { panic!("one admin listener") };
    assert_eq!(send(*admin, "GET", "/connectors", &[], "").await.status, 404);
    assert_eq!(send(*admin, "GET", "/admin/loggers", &[], "").await.status, 200);
    let main = server.local_addrs()[0];
    assert_eq!(send(main, "GET", "/connectors", &[], "").await.status, 200);
    assert_eq!(send(main, "GET", "/admin/loggers", &[], "").await.status, 404);
    server.shutdown().await;
    let without = start(&[("admin.listeners", "")]).await;
    assert_eq!(send(without.local_addrs()[0], "GET", "/admin/loggers", &[], "").await.status, 404);
    let with = start(&[]).await;
    assert_eq!(send(with.local_addrs()[0], "GET", "/admin/loggers", &[], "").await.status, 200);
}

#[tokio::test]
async fn the_size_of_requests_is_limited() {
    let server = start(&[("crossdock.rest.max.request.bytes", "20")]).await;
    let to = server.local_addrs()[0];
    let put = |length: usize| async move {
        let path = "/connector-plugins/x/config/validate";
        send(to, "PUT", path, &[("Content-Type", "application/json")], &" ".repeat(length)).await.status
    };
    assert_eq!(put(21).await, 413);
    assert_eq!(put(20).await, 400);
    let chunked = "PUT /connector-plugins/x/config/validate HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
                   Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n\
                   1e\r\n                              \r\n0\r\n\r\n";
    assert_eq!(send_raw(to, chunked).await.status, 413);
}
