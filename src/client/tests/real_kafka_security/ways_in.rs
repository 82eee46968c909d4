//! Listeners that let a client in, and keep it.

use crate::world::{PASSWORD, jaas, round_trip, world};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use crossdock_client::{ConnectionClass, TopicSelection};
use kafka_protocol::messages::MetadataRequest;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::Instant;

#[tokio::test]
async fn tls_with_and_without_a_certificate_of_the_client() {
    let world = world().await;
    round_trip(&world.cluster("TLS", &[])).await;
    round_trip(&world.cluster("TLS", &[("ssl.enabled.protocols", "TLSv1.2")])).await;
    round_trip(&world.cluster("MUTUAL", &world.identity())).await;
    round_trip(&world.cluster("ELSEWHERE", &[("ssl.endpoint.identification.algorithm", "")])).await;
}

#[tokio::test]
async fn every_mechanism_with_and_without_tls() {
    let world = world().await;
    for listener in ["SASL", "SASLTLS"] {
        for mechanism in ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] {
            round_trip(&world.authenticated(listener, mechanism)).await;
        }
    }
}

/// The broker ends sessions that are older than three seconds, unless they were renewed.
#[tokio::test]
async fn sessions_are_renewed_under_traffic() {
    let world = world().await;
    let clusters = ["PLAIN", "SCRAM-SHA-256", "OAUTHBEARER"].map(|m| world.authenticated("REAUTH", m));
    let busy = clusters.each_ref().map(|cluster| async move {
        let metadata = cluster.refresh(TopicSelection::None, false).await.unwrap();
        let node = *metadata.brokers.keys().next().unwrap();
        let connection = cluster.connection(node, ConnectionClass::Admin).await.unwrap();
        let end = Instant::now() + Duration::from_secs(7);
        let mut calls = 0;
        while Instant::now() < end {
            let each = (0..20).map(|_| {
                connection.call(12, Duration::from_secs(10), |_| {
                    MetadataRequest::default().with_topics(Some(Vec::new()))
                })
            });
            for answer in futures_util::future::join_all(each).await {
                answer.unwrap();
                calls += 1;
            }
            // The processor is left to the broker: a session that is renewed in time must get there in time.
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert!(connection.is_open());
        calls
    });
    for calls in futures_util::future::join_all(busy).await {
        assert!(calls > 100, "{calls}");
    }
    round_trip(&clusters[1]).await;
}

#[tokio::test]
async fn a_token_of_an_endpoint_lets_the_client_in() {
    let world = world().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/token", listener.local_addr().unwrap());
    let provider = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut request = Vec::new();
        while !String::from_utf8_lossy(&request).contains("grant_type=client_credentials") {
            socket.read_buf(&mut request).await.unwrap();
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let claims = format!(r#"{{"sub":"alice","iat":{now},"exp":{}}}"#, now + 600);
        let [header, claims] = [r#"{"alg":"none"}"#, &claims].map(|part| URL_SAFE_NO_PAD.encode(part));
        let body = format!(r#"{{"access_token":"{header}.{claims}."}}"#);
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
        socket.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
    });
    let jaas = jaas("OAUTHBEARER", PASSWORD).replace("unsecuredLoginStringClaim_sub=\"alice\"", "x=y");
    let cluster = world.cluster(
        "SASL",
        &[
            ("sasl.mechanism", "OAUTHBEARER"),
            ("sasl.jaas.config", &jaas),
            ("sasl.oauthbearer.token.endpoint.url", &url),
            ("sasl.oauthbearer.client.credentials.client.id", "me"),
            ("sasl.oauthbearer.client.credentials.client.secret", PASSWORD),
        ],
    );
    round_trip(&cluster).await;
    provider.await.unwrap();
}
