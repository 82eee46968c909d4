//! Listeners that let a client in, and keep it.

use crate::world::{round_trip, world};
use crossdock_client::{ConnectionClass, TopicSelection};
use kafka_protocol::messages::MetadataRequest;
use std::time::Duration;
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
