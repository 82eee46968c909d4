//! Tokens of an identity provider (client credentials), over HTTP and over TLS with a CA of its own, and a login that
//! fails before it works.

use crate::certificates::{Authority, Identity};
use crate::world::{PASSWORD, World, jaas, quoted, round_trip, world};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use crossdock_client::{Cluster, TopicSelection};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};
use tempfile::NamedTempFile;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// An identity provider that answers its first requests with these statuses, and grants all that follow.
struct Provider {
    url: String,
    asked: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<()>,
}

impl Provider {
    async fn start(identity: Option<Identity>, refusals: &'static [&'static str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let scheme = if identity.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://{}/token", listener.local_addr().unwrap());
        let tls = identity.as_ref().map(acceptor);
        let asked = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&asked);
        let task = tokio::spawn(async move {
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                let (tls, counter) = (tls.clone(), Arc::clone(&counter));
                tokio::spawn(async move {
                    let Some(tls) = tls else { return answer(socket, &counter, refusals).await };
                    // Who does not trust the certificate goes away.
                    let Ok(stream) = tls.accept(socket).await else { return };
                    answer(stream, &counter, refusals).await;
                });
            }
        });
        Self { url, asked, task }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn acceptor(identity: &Identity) -> TlsAcceptor {
    let certificate = CertificateDer::from_pem_slice(identity.certificate.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin, asked: &AtomicUsize, refusals: &[&str]) {
    let mut request = Vec::new();
    while !String::from_utf8_lossy(&request).contains("grant_type=client_credentials") {
        if stream.read_buf(&mut request).await.unwrap() == 0 {
            return;
        }
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let claims = format!(r#"{{"sub":"alice","iat":{now},"exp":{}}}"#, now + 600);
    let [header, claims] = [r#"{"alg":"none"}"#, &claims].map(|part| URL_SAFE_NO_PAD.encode(part));
    let (status, body) = match refusals.get(asked.fetch_add(1, Ordering::Relaxed)) {
        Some(status) => (*status, r#"{"error":"tested","error_description":"on purpose"}"#.to_owned()),
        None => ("200 OK", format!(r#"{{"access_token":"{header}.{claims}."}}"#)),
    };
    let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n", body.len());
    stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
    // The other side may have left.
    let _ = stream.shutdown().await;
}

/// A client with credentials for the provider, and options for `sasl.jaas.config`.
fn cluster(world: &World, url: &str, options: &str, more: &[(&str, &str)]) -> Cluster {
    let jaas = jaas("OAUTHBEARER", PASSWORD).replace("unsecuredLoginStringClaim_sub=\"alice\"", options);
    let settings = [
        ("sasl.mechanism", "OAUTHBEARER"),
        ("sasl.jaas.config", &*jaas),
        ("sasl.oauthbearer.token.endpoint.url", url),
        ("sasl.oauthbearer.client.credentials.client.id", "me"),
        ("sasl.oauthbearer.client.credentials.client.secret", PASSWORD),
    ];
    world.cluster("SASLTLS", &[&settings[..], more].concat())
}

/// As a file, since no line of `sasl.jaas.config` holds a PEM.
fn truststore(authority: &Authority) -> (NamedTempFile, String) {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(authority.pem.as_bytes()).unwrap();
    let path = quoted(file.path().to_str().unwrap());
    (file, format!("ssl.truststore.type=\"PEM\" ssl.truststore.location={path}"))
}

#[tokio::test]
async fn a_token_over_http_lets_the_client_in() {
    let world = world().await;
    let provider = Provider::start(None, &[]).await;
    round_trip(&cluster(world, &provider.url, "x=y", &[])).await;
    assert_eq!(provider.asked(), 1, "one token for all connections");
}

/// The CA of the provider is another than that of the brokers: each is trusted where it belongs.
#[tokio::test]
async fn a_token_over_tls_with_a_ca_of_its_own_lets_the_client_in() {
    let world = world().await;
    let authority = Authority::new("The CA of the identity provider");
    let provider = Provider::start(Some(authority.issue(&["127.0.0.1"])), &[]).await;
    let (_file, options) = truststore(&authority);
    round_trip(&cluster(world, &provider.url, &options, &[])).await;
    assert_eq!(provider.asked(), 1);

    // What the client trusts as a broker's is no provider's, as in Java.
    for options in ["x=y", &truststore(&Authority::new("Another CA")).1] {
        let cluster = cluster(world, &provider.url, options, &[]);
        let error = cluster.refresh(TopicSelection::None, false).await.unwrap_err();
        let text = error.to_string();
        assert!(text.contains(&provider.url) && !text.contains(PASSWORD), "{text}");
        assert!(error.is_authentication() && !error.is_retriable(), "{text}");
    }
    assert_eq!(provider.asked(), 1, "no secret went to whom nobody trusts");
}

#[tokio::test]
async fn a_provider_that_is_busy_is_asked_again_until_it_answers() {
    let world = world().await;
    let authority = Authority::new("The CA of the identity provider");
    let (_file, options) = truststore(&authority);
    let busy = &["503 Busy", "500 Broken", "429 Too many", "503 Busy", "503 Busy", "503 Busy"];
    let start = || Provider::start(Some(authority.issue(&["127.0.0.1"])), busy);
    // Within one login.
    let provider = start().await;
    let quick = [("sasl.login.retry.backoff.ms", "5")];
    round_trip(&cluster(world, &provider.url, &options, &quick)).await;
    assert_eq!(provider.asked(), busy.len() + 1);
    // Over several logins: each gives up at once, and the connection is tried again.
    let provider = start().await;
    let once = [("sasl.login.retry.backoff.max.ms", "0"), ("sasl.login.retry.backoff.ms", "0")];
    round_trip(&cluster(world, &provider.url, &options, &once)).await;
    assert_eq!(provider.asked(), busy.len() + 1);
}

#[tokio::test]
async fn a_login_that_is_refused_fails_at_once_and_the_next_one_works() {
    let world = world().await;
    let provider = Provider::start(None, &["401 Unauthorized", "400 Bad"]).await;
    let cluster = cluster(world, &provider.url, "x=y", &[]);
    for (times, status) in [(1, "401"), (2, "400")] {
        let error = cluster.refresh(TopicSelection::None, false).await.unwrap_err();
        let text = error.to_string();
        assert!(error.is_authentication() && !error.is_retriable(), "{text}");
        for part in [&*provider.url, status, "tested on purpose", "client id and secret"] {
            assert!(text.contains(part), "{part} in: {text}");
        }
        assert!(!text.contains(PASSWORD), "{text}");
        assert_eq!(provider.asked(), times, "refused credentials are not tried again by themselves");
    }
    round_trip(&cluster).await;
    assert_eq!(provider.asked(), 3);
}
