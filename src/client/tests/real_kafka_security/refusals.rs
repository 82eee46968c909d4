//! Listeners that keep a client out: what it is told, and how soon.

use crate::certificates::Authority;
use crate::support::Sink;
use crate::world::{PASSWORD, World, jaas, world};
use crossdock_client::producer::MetadataError;
use crossdock_client::{
    Admin, ClientConfig, ClientError, Cluster, Consumer, ConsumerConfig, ConsumerError, Producer,
    ProducerConfig, TopicPartition, TopicSelection,
};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout};

async fn error(cluster: &Cluster) -> ClientError {
    cluster.refresh(TopicSelection::None, false).await.unwrap_err()
}

/// The refusal must name the broker, say each of `expected`, hold no secret, and come at once.
async fn refused(world: &World, listener: &str, more: &[(&str, &str)], expected: &[&str]) {
    let started = Instant::now();
    let error = error(&world.cluster(listener, more)).await;
    let text = error.to_string();
    assert!(error.is_authentication() && !error.is_retriable(), "{text}");
    assert!(started.elapsed() < Duration::from_secs(10), "{text}");
    assert!(text.starts_with(&world.kafka.listener(listener).unwrap()), "{text}");
    for part in expected {
        assert!(text.contains(part), "{part} in: {text}");
    }
    assert!(!text.contains(PASSWORD) && !text.contains("PRIVATE KEY"), "{text}");
}

#[tokio::test]
async fn certificates_that_are_not_to_be_trusted() {
    let world = world().await;
    let other = Authority::new("Another CA").pem;
    let trust = ("ssl.truststore.certificates", &*other);
    refused(world, "TLS", &[trust], &["not signed by a CA", "(ssl.truststore.certificates)"]).await;
    refused(world, "EXPIRED", &[], &["expired", "days ago"]).await;
    refused(world, "ELSEWHERE", &[], &["elsewhere.example.com", "not for 127.0.0.1"]).await;
}

#[tokio::test]
async fn a_certificate_of_the_client_that_is_missing_or_unknown() {
    let world = world().await;
    let expected = ["ssl.client.auth=required", "ssl.keystore"];
    refused(world, "MUTUAL", &[], &expected).await;
    refused(world, "MUTUAL", &[("ssl.protocol", "TLSv1.2")], &expected).await;
    let stranger = Authority::new("Another CA").issue(&["client"]);
    let identity = [
        ("ssl.keystore.type", "PEM"),
        ("ssl.keystore.key", &*stranger.key),
        ("ssl.keystore.certificate.chain", &stranger.certificate),
    ];
    refused(world, "MUTUAL", &identity, &["refused the client's certificate", "ssl.keystore"]).await;
}

#[tokio::test]
async fn wrong_passwords_and_mechanisms() {
    let world = world().await;
    for mechanism in ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] {
        let wrong = jaas(mechanism, "not it");
        let more = [("sasl.mechanism", mechanism), ("sasl.jaas.config", &*wrong)];
        refused(world, "SASL", &more, &[mechanism, "check username and password"]).await;
    }
    let plain = jaas("PLAIN", PASSWORD);
    let more = [("sasl.mechanism", "PLAIN"), ("sasl.jaas.config", &*plain)];
    refused(world, "SCRAM", &more, &["[SCRAM-SHA-256]", "set sasl.mechanism"]).await;
}

#[tokio::test]
async fn tokens_that_the_broker_does_not_take() {
    let world = world().await;
    let jaas = jaas("OAUTHBEARER", PASSWORD).replace(';', " unsecuredLoginNumberClaim_scope=\"1\";");
    let config = ClientConfig::from_map(
        &world.settings("SASL", &[("sasl.mechanism", "OAUTHBEARER"), ("sasl.jaas.config", &jaas)]),
    );
    // The client sees by itself that such a scope is none.
    let error = error(&Cluster::new(config.unwrap())).await;
    assert!(error.is_authentication() && error.to_string().contains("claim scope"), "{error}");
    let long_ago =
        jaas.replace("unsecuredLoginNumberClaim_scope=\"1\"", "unsecuredLoginStringClaim_nbf=\"x\"");
    let more = [("sasl.mechanism", "OAUTHBEARER"), ("sasl.jaas.config", &*long_ago)];
    let cluster = world.cluster("SASL", &more);
    // Whether the broker looks at this claim is its business; what it says must come through.
    if let Err(error) = cluster.refresh(TopicSelection::None, false).await {
        assert!(error.to_string().contains("OAUTHBEARER"), "{error}");
    }
}

#[tokio::test]
async fn listeners_that_speak_something_else() {
    let world = world().await;
    let at = |listener: &str| world.kafka.listener(listener).unwrap();
    let plain = world.kafka.bootstrap().to_owned();
    let tls = error(&world.cluster("TLS", &[("bootstrap.servers", &plain)])).await.to_string();
    assert!(tls.contains("PLAINTEXT") && tls.contains("security.protocol"), "{tls}");
    let to_tls = error(&world.cluster("", &[("bootstrap.servers", &at("TLS"))])).await.to_string();
    assert!(to_tls.contains("set security.protocol to SSL"), "{to_tls}");
    let to_sasl = error(&world.cluster("", &[("bootstrap.servers", &at("SASL"))])).await.to_string();
    assert!(to_sasl.contains("SASL_PLAINTEXT"), "{to_sasl}");
    let jaas = jaas("PLAIN", PASSWORD);
    let more = [("bootstrap.servers", &*plain), ("sasl.mechanism", "PLAIN"), ("sasl.jaas.config", &*jaas)];
    let no_sasl = error(&world.cluster("SASL", &more)).await;
    assert!(no_sasl.is_authentication() && no_sasl.to_string().contains("takes no SASL"), "{no_sasl}");
}

#[tokio::test]
async fn all_clients_fail_at_once() {
    const PATIENCE: Duration = Duration::from_secs(20);
    let world = world().await;
    let wrong = jaas("SCRAM-SHA-256", "not it");
    let more = [("sasl.mechanism", "SCRAM-SHA-256"), ("sasl.jaas.config", &*wrong)];
    let cluster = world.cluster("SASL", &more);
    let admin = timeout(PATIENCE, Admin::new(cluster.clone()).list_topics()).await.unwrap();
    assert!(admin.unwrap_err().is_authentication());

    let producer = Producer::start(cluster.clone(), ProducerConfig::default(), Arc::new(Sink::default()));
    let topic = producer.topic("t");
    match timeout(PATIENCE, producer.wait_for_metadata(&topic)).await.unwrap() {
        Err(MetadataError::Client(error)) => assert!(error.is_authentication(), "{error}"),
        other => panic!("{other:?}"),
    }

    let settings = world.settings("SASL", &[&more[..], &[("group.id", "refused")]].concat());
    for subscribes in [true, false] {
        let mut consumer = Consumer::start(cluster.clone(), ConsumerConfig::from_map(&settings).unwrap());
        if subscribes {
            consumer.subscribe(vec!["t".to_owned()]).unwrap();
        } else {
            consumer.assign(vec![TopicPartition::new("t", 0)]).unwrap();
        }
        match timeout(PATIENCE, consumer.next()).await.unwrap() {
            Err(ConsumerError::Client(error)) => assert!(error.is_authentication(), "{error}"),
            other => panic!("{other:?}"),
        }
    }
}
